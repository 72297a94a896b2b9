//! A CPython of this machine, made portable for real. Needs one that is not the distribution's (pyenv, uv), a C
//! compiler, and `unshare` to hide the original from what is tried; fails where any of these is missing.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use config_merger::BaseSource;
use interpreter::{BaseRequest, BaseSupply, BaseTree, absolute_paths_left, choose, provide};
use testkit::told;
use vocab::Environment;
use vocab::{Exit, Fault as _, PlatformKey};

use crate::support::{Bench, copy_tree, folder, installs_a_wheel, makes_an_environment, output, request, snapshot};

/// 3.12.10 in the place where it was made; whoever wants to move or change it makes a copy.
struct Provided {
    tree: BaseTree,
    original: PathBuf,
    needles: Vec<String>,
}

fn provided() -> MutexGuard<'static, Provided> {
    static ONCE: OnceLock<Mutex<Provided>> = OnceLock::new();
    let made = ONCE.get_or_init(|| {
        let at = folder("system");
        let bench = Bench::new(&at);
        let request =
            BaseRequest { platform: PlatformKey::host().unwrap(), ..request("3.12.10", &[BaseSource::System]) };
        let choice = choose(&bench.context, &request).unwrap_or_else(|error| panic!("{}", told(&error)));
        let BaseSupply::System(python) = &choice.supply else { panic!("{choice:?}") };
        let mut needles = vec![python.prefix.display().to_string(), python.built_for.clone(), at.display().to_string()];
        needles.extend(python.built_in.iter().cloned());
        let original = python.prefix.clone();
        let tree = provide(&bench.context, &choice).unwrap_or_else(|error| panic!("{}", told(&error)));
        let made = fs::metadata(&tree.root).unwrap().ino();
        let again = provide(&bench.context, &choice).unwrap();
        assert_eq!(again.identity, tree.identity);
        assert_eq!(fs::metadata(&tree.root).unwrap().ino(), made, "it is not made again");
        Mutex::new(Provided { tree, original, needles })
    });
    made.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A copy at a place that is hard on scripts.
fn moved(name: &str) -> (PathBuf, PathBuf, Vec<String>) {
    let provided = provided();
    let at = folder(name);
    let prefix = at.join("ein Ort für Übung (1)").join("prefix");
    copy_tree(&provided.tree.root, &prefix);
    (at, prefix, provided.needles.clone())
}

#[test]
fn a_system_interpreter_names_its_machine_nowhere() {
    let provided = provided();
    assert_eq!(absolute_paths_left(&provided.tree.root, &provided.needles), []);
    let record = &provided.tree.record;
    assert_eq!((record.source.as_str(), record.stand_in), ("system", true));
    assert_eq!(record.origin, format!("CPython {} of this machine", record.actual));
    assert_eq!(record.absent, ["terminfo", "test", "tkinter"]);
    let site_packages = provided.tree.layout.site_packages().below(&provided.tree.root);
    let mut names: Vec<String> =
        fs::read_dir(site_packages).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0] == "pip" && names[1].starts_with("pip-"), "{names:?}");
    for name in ["libc.so.6", "libm.so.6", "libstdc++.so.6"] {
        assert!(!provided.tree.root.join("lib").join(name).exists(), "for {name}");
    }
}

#[test]
fn a_system_interpreter_is_the_same_in_every_store() {
    let provided = provided();
    let at = folder("system-other-store");
    let bench = Bench::new(&at);
    let request = BaseRequest { platform: PlatformKey::host().unwrap(), ..request("3.12.10", &[BaseSource::System]) };
    let tree = provide(&bench.context, &choose(&bench.context, &request).unwrap()).unwrap();
    assert_eq!(tree.identity, provided.tree.identity);
    assert_eq!(snapshot(&tree.root), snapshot(&provided.tree.root));
}

#[test]
fn t12_a_moved_system_interpreter_runs_pip_scripts_and_environments() {
    let (at, prefix, _) = moved("system-moved");
    let python = prefix.join("bin/python");
    assert_eq!(output(&python, &["-I", "-c", "import sys; print(sys.prefix)"]), prefix.to_str().unwrap());
    for script in ["pip", "pip3", "pip3.12"] {
        assert!(output(&prefix.join("bin").join(script), &["--version"]).contains("(python 3.12)"), "for {script}");
    }
    // Through a link elsewhere, too.
    let link = at.join("pip-link");
    std::os::unix::fs::symlink(prefix.join("bin/pip"), &link).unwrap();
    assert!(output(&link, &["--version"]).contains("(python 3.12)"));
    assert!(output(&prefix.join("bin/pydoc3.12"), &["json.tool"]).contains("json.tool"));
    installs_a_wheel(&python, &at);
    makes_an_environment(&python, &at);
}

/// What a copy must say as the original does: texts that are compiled in, and which modules import.
const DESCRIBE: &str = "import importlib, io, platform, sys, sysconfig
print(sys.version, sys.copyright, platform.python_version(), platform.python_build(), platform.python_compiler())
print(sys.implementation, sys.hexversion, sys.api_version, sysconfig.get_config_var('EXT_SUFFIX'))
print(sysconfig.get_platform(), sysconfig.get_config_var('CC'), sorted(sys.builtin_module_names))
import ssl, sqlite3, zlib, curses, locale, pyexpat
print(ssl.OPENSSL_VERSION, sqlite3.sqlite_version, zlib.ZLIB_VERSION, curses.version, pyexpat.EXPAT_VERSION)
left = {'antigravity', 'this', 'idlelib', 'nis', 'tkinter', '_tkinter', 'turtle', 'turtledemo'}
out, sys.stdout = sys.stdout, io.StringIO()
failing = []
for name in sorted(sys.stdlib_module_names - left):
    try:
        importlib.import_module(name)
    except ImportError:
        failing.append(name)
print(failing, file=out)";

#[test]
fn a_copy_describes_itself_and_imports_as_the_original_does() {
    let (_, prefix, _) = moved("system-describe");
    let original = provided().original.clone();
    let [one, other] = [prefix, original]
        .map(|prefix| output(&prefix.join("bin/python3.12"), &["-I", "-W", "ignore", "-c", DESCRIBE]));
    assert!(one.starts_with(&provided().tree.record.actual.to_string()), "{one}");
    assert_eq!(one, other);
}

/// Loads everything that has a shared library behind it, and prints what is mapped.
const LOAD_ALL: &str = "import ssl, sqlite3, ctypes, lzma, bz2, readline, curses, curses.panel, uuid, zlib, hashlib
import _uuid, decimal, sys
ssl.create_default_context(); sqlite3.connect(':memory:').execute('select 1'); hashlib.sha256(b'x')
assert lzma.decompress(lzma.compress(b'x')) == b'x'
assert not [path for path in sys.path if not path.startswith(sys.prefix)], sys.path
print(open('/proc/self/maps').read())";

#[test]
fn t12_nothing_of_the_original_is_used_even_where_it_could_be() {
    let (_, prefix, needles) = moved("system-hidden");
    let python = prefix.join("bin/python3.12");
    let maps = output(&python, &["-I", "-c", LOAD_ALL]);
    let own: Vec<String> = fs::read_dir(prefix.join("lib"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".so"))
        .collect();
    for name in ["libssl.so.", "libcrypto.so.", "libsqlite3.so.", "libffi.so."] {
        assert!(own.iter().any(|file| file.starts_with(name)), "{name} was not collected: {own:?}");
    }
    for path in maps.lines().filter_map(|line| line.split_once('/')).map(|(_, path)| format!("/{path}")) {
        assert!(
            !needles
                .iter()
                .any(|needle| path.starts_with(needle.as_str()) && !path.starts_with(prefix.to_str().unwrap())),
            "{path}"
        );
        let file = path.rsplit('/').next().unwrap();
        assert!(
            !own.iter().any(|name| name == file) || path.starts_with(prefix.to_str().unwrap()),
            "{path} of the machine"
        );
    }
    // And again where the original's folder is empty: nothing can come from there.
    let original = provided().original.clone();
    let script = "mount -t tmpfs none \"$1\" && test -z \"$(ls -A \"$1\")\" && exec \"$2\" -I -c \"$3\"";
    let hidden = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .args([original.as_os_str(), python.as_os_str()])
        .arg(LOAD_ALL)
        .output()
        .unwrap();
    assert!(hidden.status.success(), "{}", String::from_utf8_lossy(&hidden.stderr));
}

#[test]
fn t13_a_c_extension_is_built_with_the_moved_interpreters_own_settings() {
    let (at, prefix, needles) = moved("system-extension");
    let python = prefix.join("bin/python3.12");
    let settings = output(&python, &["-I", "-c", "import sysconfig as s; print(s.get_config_vars(), s.get_paths())"]);
    let at_prefix = prefix.to_str().unwrap();
    for needle in &needles {
        assert!(!settings.replace(at_prefix, "PREFIX").contains(needle.as_str()), "{needle} in {settings}");
    }
    let c = "#include <Python.h>\nstatic struct PyModuleDef demo = {PyModuleDef_HEAD_INIT, \"demo\", NULL, -1, NULL};\n\
             PyMODINIT_FUNC PyInit_demo(void) { return PyModule_Create(&demo); }\n";
    fs::write(at.join("demo.c"), c).unwrap();
    let build = "import shlex, subprocess, sys, sysconfig
v = sysconfig.get_config_var
folder = sys.argv[1]
target = folder + '/demo' + v('EXT_SUFFIX')
flags = shlex.split(v('CFLAGS')) + shlex.split(v('CCSHARED'))
subprocess.run([*shlex.split(v('CC')), *flags, '-I' + v('INCLUDEPY'), '-c', folder + '/demo.c', '-o', folder + '/demo.o'], check=True)
subprocess.run([*shlex.split(v('LDSHARED')), folder + '/demo.o', '-o', target], check=True)
sys.path.insert(0, folder)
import demo
print(demo.__file__)";
    assert!(output(&python, &["-I", "-c", build, at.to_str().unwrap()]).contains("demo.cpython-312"));
    let includes = output(&prefix.join("bin/python3.12-config"), &["--includes"]);
    assert!(includes.contains(&format!("-I{at_prefix}/include/python3.12")), "{includes}");
    let cflags = Command::new("pkg-config")
        .args(["--variable=includedir", "python-3.12"])
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .output();
    if let Ok(cflags) = cflags {
        let folder = String::from_utf8_lossy(&cflags.stdout).replace('\\', "");
        assert_eq!(fs::canonicalize(folder.trim()).unwrap(), fs::canonicalize(prefix.join("include")).unwrap());
    }
}

/// A copy of the installation in which this extension module is another one, linked with these flags to a library
/// that is no longer there, or to none.
fn installation_with(at: &Path, extension: &str, flags: &[&str]) -> Environment {
    let original = provided().original.clone();
    let versions = at.join("pyenv/versions");
    fs::create_dir_all(&versions).unwrap();
    copy_tree(&original, &versions.join("3.12.1"));
    fs::write(at.join("foo.c"), "int foo(void) { return 1; }\n").unwrap();
    fs::write(at.join("bar.c"), "int bar(void) { return 1; }\n").unwrap();
    let gcc =
        |arguments: &[&str]| assert!(Command::new("gcc").args(arguments).current_dir(at).status().unwrap().success());
    gcc(&["-shared", "-fPIC", "-Wl,-soname,libfoo.so.1", "-o", "libfoo.so", "foo.c"]);
    let arch = std::env::consts::ARCH;
    let target =
        versions.join(format!("3.12.1/lib/python3.12/lib-dynload/{extension}.cpython-312-{arch}-linux-gnu.so"));
    if target.exists() {
        fs::remove_file(&target).unwrap();
    }
    gcc(&[&["-shared", "-fPIC", "-Wl,--no-as-needed", "-o", target.to_str().unwrap(), "bar.c", "-L."], flags].concat());
    Environment::new([("PATH".into(), at.join("no-programs").into()), ("PYENV_ROOT".into(), at.join("pyenv").into())])
}

#[test]
fn t13_a_library_that_is_nowhere_is_exit_1_and_named() {
    let at = folder("system-missing");
    let bench = Bench::with_environment(&at, installation_with(&at, "_lzma", &["-lfoo"]));
    let request = BaseRequest { platform: PlatformKey::host().unwrap(), ..request("3.12.10", &[BaseSource::System]) };
    let error = provide(&bench.context, &choose(&bench.context, &request).unwrap()).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Build, "E_BASE_LIBRARY"));
    let text = told(&error);
    assert!(text.contains("libfoo.so.1") && text.contains("lib-dynload/_lzma.cpython-312"), "{text}");
    assert_eq!(bench.stored(), Vec::<String>::new());
}

#[test]
fn an_extension_that_programs_do_without_is_left_out_when_its_library_is_nowhere() {
    let at = folder("system-optional");
    let bench = Bench::with_environment(&at, installation_with(&at, "_gdbm", &["-lfoo"]));
    let request = BaseRequest { platform: PlatformKey::host().unwrap(), ..request("3.12.10", &[BaseSource::System]) };
    let tree = provide(&bench.context, &choose(&bench.context, &request).unwrap()).unwrap();
    let extensions = fs::read_dir(tree.root.join("lib/python3.12/lib-dynload")).unwrap();
    assert!(!extensions.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("_gdbm")));
    assert!(format!("{:?}", bench.events.lock().unwrap()).contains("libfoo.so.1"));
}

#[test]
fn interpreters_of_the_distribution_and_environments_are_passed_over_with_the_reason() {
    let at = folder("system-skipped");
    let original = provided().original.clone();
    let place = at.join("environment");
    output(&original.join("bin/python3.12"), &["-m", "venv", "--without-pip", "--copies", place.to_str().unwrap()]);
    let environment = Environment::new([("PATH".into(), place.join("bin").into())]);
    let bench = Bench::with_environment(&at, environment);
    let request = BaseRequest { platform: PlatformKey::host().unwrap(), ..request("3.12.10", &[BaseSource::System]) };
    let error = choose(&bench.context, &request).unwrap_err();
    assert!(told(&error).contains("it is a virtual environment"), "{}", told(&error));
}

#[test]
fn a_search_path_without_room_is_told_with_the_program_that_makes_room() {
    let at = folder("system-no-room");
    let bench = Bench::with_environment(&at, installation_with(&at, "_lzma", &["-Wl,-rpath,/x"]));
    let request = BaseRequest { platform: PlatformKey::host().unwrap(), ..request("3.12.10", &[BaseSource::System]) };
    let error = provide(&bench.context, &choose(&bench.context, &request).unwrap()).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Build, "E_BASE_ELF"));
    assert!(told(&error).contains("by `/x`, and there is no room to write `$ORIGIN/../..`"), "{}", told(&error));
    assert!(error.hint().unwrap().contains("patchelf"));
}

//! The Go module for real: `go`, the user's module proxy, and the interpreters that come out of it.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use config_merger::BaseSource;
use interpreter::{BaseRequest, BaseTree, absolute_paths_left, choose, provide};
use testkit::{HttpServer, told};
use vocab::{Exit, Fault as _, PlatformKey};

use crate::support::{
    Bench, folder, gzip, installs_a_wheel, makes_an_environment, moved, output, request, snapshot, table, version,
};
use crate::{GO_MODULES, SHARED_STORE};

fn provided(bench: &Bench, python: &str, platform: PlatformKey) -> BaseTree {
    let request = BaseRequest { platform, go_modules: GO_MODULES.clone(), ..request(python, &[BaseSource::GoModule]) };
    let choice = choose(&bench.context, &request).unwrap_or_else(|error| panic!("{}", told(&error)));
    provide(&bench.context, &choice).unwrap_or_else(|error| panic!("{}", told(&error)))
}

#[test]
fn t12_the_exact_3_14_6_runs_wherever_it_is_moved() {
    let at = folder("go-3.14.6");
    let bench = Bench::new(&at);
    let tree = provided(&bench, "3.14.6", PlatformKey::LinuxX64);
    assert_eq!((tree.record.actual, tree.record.stand_in), (version("3.14.6"), false));
    // Case client-tkinter-without-scripts: the module is there, and Tcl's scripts are not.
    assert_eq!(tree.record.absent, ["ensurepip", "headers", "idlelib", "terminfo", "test", "tkinter"]);
    assert_eq!(absolute_paths_left(&tree.root, &[at.to_str().unwrap(), "/tmp/python-pip"]), []);
    let made = fs::metadata(&tree.root).unwrap().ino();
    assert_eq!(provided(&bench, "3.14.6", PlatformKey::LinuxX64).identity, tree.identity);
    assert_eq!(fs::metadata(&tree.root).unwrap().ino(), made, "it is not made again");

    let prefix = moved(&tree, &at);
    let python = prefix.join("bin/python");
    let modules =
        "import ssl, sqlite3, ctypes, lzma, bz2, readline, curses, uuid, zlib, _tkinter, sys; print(sys.prefix)";
    assert_eq!(output(&python, &["-I", "-c", modules]), prefix.to_str().unwrap());
    let settings = "import sysconfig as s; v = s.get_config_vars(); print(v['CC'], v['AR'], v['LIBDIR'])";
    assert_eq!(output(&python, &["-I", "-c", settings]), format!("cc -pthread ar {}/lib", prefix.display()));
    for script in ["pip", "pip3", "pip3.14"] {
        assert!(output(&prefix.join("bin").join(script), &["--version"]).contains("(python 3.14)"), "for {script}");
    }
    assert!(output(&prefix.join("bin/pydoc3"), &["json.tool"]).contains("json.tool"));
    installs_a_wheel(&python, &at);
    makes_an_environment(&python, &at);
    verifies_https(&prefix, &at);
}

/// On a system that has nothing where OpenSSL looks.
fn verifies_https(prefix: &std::path::Path, at: &std::path::Path) {
    let tls = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tls").canonicalize().unwrap();
    let (server, authority) = (tls.join("server.pem"), tls.join("authority.pem"));
    let own = prefix.join("lib/python3.14/_pydist_cacert.pem");
    let system = at.join("pki/tls/certs/ca-bundle.crt");
    fs::create_dir_all(system.parent().unwrap()).unwrap();
    let environment = at.join("eine Umgebung");
    let asked = |python: &std::path::Path, bundle: &std::path::Path, variables: &[(&str, &std::path::Path)]| {
        let mut command = std::process::Command::new(python);
        command.args(["-B", "-c", include_str!("https.py")]).arg(&server).arg(bundle).arg(&system);
        command.env_clear().envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let python = prefix.join("bin/python3");
    let own_only = std::path::Path::new("-");
    assert_eq!(asked(&python, own_only, &[]), "refused", "nobody knows the authority");
    assert_eq!(asked(&python, &authority, &[]), "believed", "the bundle is the last resort");
    // Like RHEL 8, whose certificates are where no OpenSSL but its own looks.
    fs::copy(&authority, &system).unwrap();
    assert_eq!(asked(&python, own_only, &[]), "believed");
    assert_eq!(asked(&environment.join("bin/python"), own_only, &[]), "believed", "in an environment, too");
    fs::copy(&own, &system).unwrap();
    assert_eq!(asked(&python, &authority, &[]), "refused", "the system's file goes before the bundle");
    fs::write(&system, "no certificate").unwrap();
    assert_eq!(asked(&python, &authority, &[]), "believed", "a file without certificates is passed over");
    assert_eq!(asked(&python, &authority, &[("SSL_CERT_FILE", &own)]), "refused", "the user's word counts");
    assert_eq!(asked(&python, own_only, &[("SSL_CERT_FILE", &authority)]), "believed");
    let loaded = output(&python, &["-I", "-c", "import sys; print('ssl' in sys.modules)"]);
    assert_eq!(loaded, "False", "nothing is done before ssl is asked for");
}

#[test]
fn the_3_10_16_stands_in_for_3_10_11_and_works() {
    let at = folder("go-3.10.16");
    let bench = Bench::new(&at);
    let refused = BaseRequest { allow_stand_in: false, ..request("3.10.11", &[BaseSource::GoModule]) };
    let error = choose(&bench.context, &refused).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Build, "E_BASE_STAND_IN"));
    assert!(told(&error).contains("3.10.16"), "{}", told(&error));

    let tree = provided(&bench, "3.10.11", PlatformKey::LinuxX64);
    assert_eq!((tree.record.actual, tree.record.stand_in), (version("3.10.16"), true));
    let prefix = moved(&tree, &at);
    let python = prefix.join("bin/python3.10");
    output(&python, &["-I", "-c", "import ssl, sqlite3, ctypes, lzma, bz2, distutils.sysconfig"]);
    assert!(!prefix.join("bin/2to3").exists() && !prefix.join("bin/idle3").exists());
    installs_a_wheel(&python, &at);
    makes_an_environment(&python, &at);
}

#[test]
fn every_platform_of_every_release_is_laid_out_and_equal_in_two_stores() {
    let at = folder("go-all");
    for python in ["3.10.16", "3.11.11", "3.14.6"] {
        for platform in PlatformKey::ALL {
            let one = provided(&SHARED_STORE, python, platform);
            // One kind of each is enough for what takes this long.
            if python == "3.14.6" && platform != PlatformKey::MacosxX64 {
                let other = provided(&Bench::new(&at.join("other")), python, platform);
                assert_eq!(one.identity, other.identity);
                assert_eq!(snapshot(&one.root), snapshot(&other.root), "for {python} on {platform}");
            }
            assert!(one.layout.interpreter().below(&one.root).is_file());
            assert!(one.layout.site_packages().below(&one.root).join("pip/__main__.py").is_file());
            if platform.is_windows() {
                let own = ["python.exe", "pythonw.exe", "python3.dll", "vcruntime140.dll"];
                for name in own {
                    let read = |folder: &str| fs::read(one.root.join(folder).join(name)).unwrap();
                    assert!(read("") == read("bin"), "for {name}");
                }
                assert!(one.root.join("bin/python3.exe").is_file());
                for name in ["pip.exe", "pip3.exe"] {
                    assert!(one.root.join("Scripts").join(name).is_file(), "for {name}");
                    assert!(one.root.join("bin").join(name).is_file(), "for {name}");
                }
                let pip = one.layout.site_packages().below(&one.root).join("pip/_internal/utils/appdirs.py");
                assert!(fs::read_to_string(pip).unwrap().contains("except FileNotFoundError:"), "for {python}");
                assert!(one.root.join("DLLs").is_dir());
            }
        }
    }
}

#[test]
fn without_go_the_source_says_so() {
    let at = folder("no-go");
    fs::create_dir_all(at.join("bin")).unwrap();
    let environment = vocab::Environment::new([("PATH".into(), at.join("bin").into())]);
    let bench = Bench::with_environment(&at, environment);
    let error = choose(&bench.context, &request("3.14.6", &[BaseSource::GoModule])).unwrap_err();
    assert!(told(&error).contains("the program `go` is not on PATH"), "{}", told(&error));
}

/// What upstream would serve, made from a real tree: the same files below `python/`.
#[test]
fn a_release_made_from_a_real_tree_runs_from_a_folder_and_from_the_web() {
    let at = folder("repacked");
    let tree = provided(&SHARED_STORE, "3.11.11", PlatformKey::LinuxX64);
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all("python", &tree.root).unwrap();
    let archive = gzip(&tar.into_inner().unwrap());
    let path = "20241219/cpython-3.11.11+20241219-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz";
    let mirror = at.join("mirror");
    fs::create_dir_all(mirror.join("20241219")).unwrap();
    fs::write(mirror.join(path), &archive).unwrap();
    let server = HttpServer::start();
    server.put(&format!("/{}", path.replace('+', "%2B")), archive.clone());
    for (name, mirror) in [("folder", mirror.display().to_string()), ("web", server.url(""))] {
        let bench = Bench::new(&at.join(name));
        let request = BaseRequest {
            mirror: Some(mirror),
            table: Some(table("3.11.11", path, &archive)),
            ..request("3.11.11", &BaseSource::ALL)
        };
        let choice = choose(&bench.context, &request).unwrap();
        assert_eq!(choice.source, BaseSource::PythonBuildStandalone);
        let prefix = moved(&provide(&bench.context, &choice).unwrap(), &at.join(name));
        output(&prefix.join("bin/python3"), &["-I", "-c", "import ssl, sqlite3"]);
        assert!(output(&prefix.join("bin/pip"), &["--version"]).contains("(python 3.11)"));
        // Its pip's RECORD is true after the tree was settled once more.
        let verify = "import importlib.metadata as m; d = m.distribution('pip'); \
                      print(all(f.locate().read_bytes() is not None for f in d.files))";
        assert_eq!(output(&prefix.join("bin/python3"), &["-I", "-c", verify]), "True");
    }
}

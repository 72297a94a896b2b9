//! Foreign runtimes whose imports run here: Linux for arm64 in qemu-user, Windows in wine. Real wheels from the default
//! index; `scripts/emulators`, which `scripts/test` calls, sets both up.

mod session;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use catalogue::{Catalogue, downloads};
use serde_json::{Value, json};
use session::{Session, told};
use testkit::{HttpServer, TestRepository, WheelBuilder};

use crate::support::{PYTHON, Run, assert_says, builder, publish, run, share_base};

struct Foreign {
    repository: TestRepository,
    platform: &'static str,
}

impl Foreign {
    fn of(platform: &'static str, dependencies: &[&str]) -> Self {
        let repository = TestRepository::new();
        repository.version(PYTHON, &json!({ "packages": { "dependencies": dependencies } }));
        Self { repository, platform }
    }

    fn command(&self) -> Command {
        let mut command = builder(self.repository.path(), store());
        command.env("PYDIST_EMULATORS", emulators());
        command.args(["--json", PYTHON, "--platform", self.platform, "--emulate"]);
        command
    }

    fn build(&self) -> Run {
        run(&mut self.command())
    }

    fn whitelist(&self, entries: &Value) {
        self.repository.file(&format!("checker/whitelists/{}.json", self.platform), entries.to_string());
    }
}

/// For all tests here, which look at what earlier runs left.
fn store() -> &'static Path {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulated-store");
        share_base(&store);
        store
    })
}

fn emulators() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/emulators")
}

/// Processes of wine that work in `folder`, by their command lines.
fn wine_processes(folder: &Path) -> Vec<String> {
    let needle = format!("WINEPREFIX={}", folder.display()).into_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        environment.windows(needle.len()).any(|part| part == needle)
    });
    ours.map(|process| std::fs::read_to_string(process.join("cmdline")).unwrap_or_default()).collect()
}

#[test]
fn native_modules_for_arm64_import_in_qemu_and_are_remembered() {
    let foreign = Foreign::of("linux-aarch64", &["numpy==2.5.5", "PyYAML"]);
    let first = foreign.build();
    assert_eq!(first.code, 0, "{}", first.told());
    let native = first.manifest().native;
    let emulated = native.emulated.expect("an emulator ran the imports");
    assert!(native.imported > 10 && native.allowed == 0, "{native:?}", native = first.manifest().native);
    assert!(emulated.by.starts_with("qemu-aarch64 ") && emulated.gaps == 0, "{emulated:?}");
    let second = foreign.build();
    assert!(second.code == 0 && !second.built(), "{}", second.told());
}

#[test]
fn what_wine_lacks_is_named_and_passes_once_the_whitelist_says_so() {
    let foreign = Foreign::of("windows-x64", &["numpy==2.5.5", "PyYAML"]);
    let failed = foreign.build();
    assert_eq!(failed.code, 3, "{}", failed.told());
    let text = failed.error().to_string();
    assert_says(&text, &["unimplemented function ucrtbase.dll", "which lacks it", "emulated"]);
    assert!(!text.contains("yaml"), "it needs nothing that wine lacks: {text}");

    // As it was told to be pasted, with a reason.
    let hint = failed.error()["hint"].as_str().unwrap();
    let mut entries: Value = serde_json::from_str(&hint[hint.find('{').unwrap()..]).unwrap();
    for module in
        entries.as_object_mut().unwrap().values_mut().flat_map(|modules| modules.as_object_mut().unwrap().values_mut())
    {
        module["reason"] = "a gap of wine's C runtime".into();
    }
    foreign.whitelist(&entries);
    let passed = foreign.build();
    assert_eq!(passed.code, 0, "{}", passed.told());
    let native = passed.manifest().native;
    assert!(native.imported > 0 && native.allowed > 0, "{native:?}");
    let emulated = native.emulated.expect("an emulator ran the imports");
    assert!(emulated.by.starts_with("wine "), "{emulated:?}");
    assert_eq!(emulated.gaps, native.allowed);
    assert_eq!(wine_processes(store()), [""; 0]);
}

#[test]
fn a_missing_emulator_is_an_error_that_says_how_to_get_it() {
    let foreign = Foreign::of("linux-aarch64", &[]);
    let nothing = foreign.repository.at("nothing");
    let failed = run(foreign.command().env("PYDIST_EMULATORS", &nothing).env("PYDIST_SYSROOT_AARCH64", &nothing));
    assert_eq!(failed.code, 1, "{}", failed.told());
    assert_eq!(failed.error()["code"], "E_EMULATOR_MISSING");
    assert_says(&failed.error().to_string(), &["linux-aarch64", "scripts/emulators"]);
}

#[test]
fn nothing_emulates_macos_and_the_static_checks_remain() {
    let foreign = Foreign::of("macosx-aarch64", &[]);
    let built = foreign.build();
    assert_eq!(built.code, 0, "{}", built.told());
    let native = built.manifest().native;
    assert!(native.emulated.is_none() && native.imported == 0 && native.files > 0, "{native:?}");
    assert_says(&built.told(), &["nothing here emulates `macosx-aarch64`"]);
}

/// With the real uv.exe, pip and idna in a runtime that was unpacked, moved, and installed by uv from our list.
#[test]
fn case_client_uv_windows_python_exe_in_wine_the_tools_of_windows_find_what_was_built() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::begin(&folder.path().join("wine"));
    let foreign = Foreign::of("windows-x64", &["idna", "uv"]);
    let built = run(builder(foreign.repository.path(), store()).args([
        "--json",
        PYTHON,
        "--platform",
        "windows-x64",
        "--format",
        "tar.gz",
    ]));
    assert_eq!(built.code, 0, "{}", built.told());
    let newer = WheelBuilder::new("idna", "99.0")
        .file("idna.py", "def main():\n    print('the newer idna')\n")
        .console_script("idna", "idna:main")
        .build();
    let wheels = folder.path().join("wheels");
    fs::create_dir(&wheels).unwrap();
    fs::write(wheels.join(&newer.file_name), &newer.bytes).unwrap();
    let wheels = told(&wheels);
    let local = ["--no-deps", "--no-index", "--find-links", &wheels, "idna"];

    // Nothing on PATH but `bin`.
    let (first, second) = (folder.path().join("first place"), folder.path().join("second place"));
    archive::extract(&built.artifact(), &first, &archive::ExtractOptions::default()).unwrap();
    let environment = told(&folder.path().join("environment"));
    let of_environment = format!("{environment}\\Scripts\\python.exe");
    let place = "import sys, sysconfig; print(sys.prefix, sys.executable, sysconfig.get_path('scripts'))";
    let base = "import sys; print(sys.prefix, sys.base_prefix)";
    session.run(&first, |run| {
        let root = told(&first);
        run(&["python", "-c", place], 0, &format!("{root} {root}\\bin\\python.exe {root}\\Scripts"));
        run(&["pip", "--version"], 0, &format!("from {root}\\Lib\\site-packages\\pip"));
        run(&["idna", "--version"], 0, "idna 3.");
        run(&["uv", "--version"], 0, "x86_64-pc-windows-msvc");
        run(&["uv", "nonsense"], 2, "unrecognized subcommand");
        run(&["python", "-m", "uv", "--version"], 0, "x86_64-pc-windows-msvc");
        run(&[&["pip", "install", "--force-reinstall"], &local[..]].concat(), 0, "Successfully installed idna-99.0");
        run(&["idna"], 0, "the newer idna");
        run(&["python", "-m", "venv", "--without-pip", &environment], 0, "");
        run(&[&of_environment, "-c", base], 0, &format!("{environment} {root}"));
    });
    for path in ["bin/idna.exe", "Scripts/idna.exe"] {
        assert!(first.join(path).is_file(), "{path}");
    }

    // The launcher that pip wrote names the first place; what is on PATH does not mind.
    fs::rename(&first, &second).unwrap();
    session.run(&second, |run| {
        let root = told(&second);
        run(&["python", "-c", place], 0, &format!("{root} {root}\\bin\\python.exe {root}\\Scripts"));
        run(&["idna"], 0, "the newer idna");
        run(&["pip", "uninstall", "-y", "idna"], 0, "Successfully uninstalled idna-99.0");
        run(&["idna"], 1, &format!("{root}\\Scripts\\idna.exe is not there"));
    });

    let server = HttpServer::start();
    let entry = publish(&server, &built.artifact());
    let lists = downloads(&Catalogue::derive(&[entry], &[], &[]), &server.url("/p"));
    server.put("/p/downloads.json", lists["downloads.json"].as_bytes());
    let list = server.url("/p/downloads.json");
    let (environment, managed) = (told(&folder.path().join("by uv")), told(&session.managed()));
    let install = ["python", "install", PYTHON, "--no-bin", "--no-registry", "--python-downloads-json-url", &list];
    let installed = format!("{managed}\\cpython-{PYTHON}-windows-x86_64-none");
    session.run(&second, |run| {
        let mut uv = |words: &[&str], says: &str| run(&[&["uv"], words].concat(), 0, says);
        uv(&install, "Installed Python 3.14.6");
        uv(&["python", "find", "--managed-python", PYTHON], &format!("{installed}\\python.exe"));
        uv(&["venv", "--managed-python", "--python", PYTHON, &environment], "Using CPython 3.14.6");
        uv(&[&["pip", "install", "--python", &environment], &local[..]].concat(), "+ idna==99.0");
        uv(&["run", "--no-project", "--managed-python", "--python", PYTHON, "idna", "--version"], "idna 3.");
        run(&[&format!("{environment}\\Scripts\\idna.exe")], 0, "the newer idna");
        run(&[&format!("{environment}\\Scripts\\python.exe"), "-c", base], 0, &format!("{environment} {installed}"));
    });
}

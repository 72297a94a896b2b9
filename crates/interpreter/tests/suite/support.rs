//! What the tests of base interpreters share.
#![allow(dead_code, reason = "each program of tests uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use config_merger::BaseSource;
use interpreter::{BaseRequest, BaseTree, GoModules, PinnedAsset, ReleaseTable};
use store::Context;
use store::download::{DownloadSettings, Downloader};
use testkit::WheelBuilder;
use vocab::{Digest, Environment, Event, PlatformKey, PythonVersion};

/// An empty folder of this name, kept after the test for a look.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("base").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub struct Bench {
    pub context: Context,
    pub events: Arc<Mutex<Vec<Event>>>,
}

impl Bench {
    /// A store below `folder` and the environment of the test.
    pub fn new(folder: &Path) -> Self {
        Self::with_environment(folder, Environment::new(std::env::vars_os()))
    }

    /// Knows PATH alone: finds no interpreter of the user's home.
    pub fn without_home(folder: &Path) -> Self {
        let path = std::env::var_os("PATH").unwrap();
        Self::with_environment(folder, Environment::new([("PATH".into(), path)]))
    }

    pub fn with_environment(folder: &Path, environment: Environment) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let mut context = Context::quiet(folder.join("store")).in_environment(environment);
        let connect_limit = std::time::Duration::from_secs(5);
        let settings = DownloadSettings { attempts: 1, connect_limit, ..DownloadSettings::of(&context.environment) };
        context.downloader = Downloader::new(settings);
        context.work.offline = false;
        context.work.listener = Arc::new(move |event| heard.lock().unwrap().push(event));
        Self { context, events }
    }

    /// What lies in the store's folders for finished things.
    pub fn stored(&self) -> Vec<String> {
        let mut stored = Vec::new();
        for kind in ["bases", "blobs"] {
            let files = walkdir::WalkDir::new(self.context.store.root().join(kind));
            stored.extend(
                files.into_iter().flatten().filter(|e| e.file_type().is_file()).map(|e| e.path().display().to_string()),
            );
        }
        stored
    }
}

pub fn version(text: &str) -> PythonVersion {
    text.parse().unwrap()
}

pub fn request(python: &str, sources: &[BaseSource]) -> BaseRequest {
    BaseRequest {
        python: version(python),
        platform: PlatformKey::LinuxX64,
        sources: sources.to_vec(),
        tag: None,
        flavor: None,
        archives: Default::default(),
        mirror: None,
        table: None,
        own: ReleaseTable::default(),
        list: None,
        allow_stand_in: true,
        go_modules: GoModules::default(),
    }
}

/// One row, as if upstream had released `path` with this content.
pub fn table(python: &str, path: &str, content: &[u8]) -> ReleaseTable {
    let release = PinnedAsset { path: path.to_owned(), sha256: Digest::of(content), url: None };
    ReleaseTable([(version(python), [(PlatformKey::LinuxX64, release)].into())].into())
}

/// A `.tar.gz` of (path, content, executable), in this order, whatever the paths are.
pub fn tar_gz(files: &[(&str, &str, bool)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (path, content, executable) in files {
        let mut header = tar::Header::new_ustar();
        // Written raw: the library would refuse the very names that the tests are about.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(if *executable { 0o755 } else { 0o644 });
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(content.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    gzip(&tar)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As small as something can be that is taken for Python 3.12.10 of python-build-standalone.
pub fn small_python() -> Vec<(&'static str, &'static str, bool)> {
    vec![
        ("python/bin/python3.12", "#!/bin/sh\necho a small Python\n", true),
        ("python/bin/pydoc3.12", "#!/install/bin/python3.12\nimport pydoc\n", true),
        ("python/include/python3.12/patchlevel.h", "#define PY_VERSION \"3.12.10\"\n", false),
        ("python/lib/pkgconfig/python-3.12.pc", "prefix=/install\nCflags: -I${prefix}/include\n", false),
        ("python/lib/python3.12/EXTERNALLY-MANAGED", "[externally-managed]\n", false),
        (
            "python/lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py",
            "build_time_vars = {\n    \"CC\": \"clang -pthread\",\n    \"LIBDIR\": \"/install/lib\",\n}\n",
            false,
        ),
        ("python/lib/python3.12/__pycache__/os.cpython-312.pyc", "bytecode", false),
        ("python/lib/python3.12/os.py", "", false),
    ]
}

/// Every path below `root` with its mode, and its content or target.
pub fn snapshot(root: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut lines = Vec::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().display().to_string();
        let mode = entry.path().symlink_metadata().unwrap().permissions().mode() & 0o7777;
        lines.push(if entry.path_is_symlink() {
            format!("{path} -> {}", fs::read_link(entry.path()).unwrap().display())
        } else if entry.file_type().is_dir() {
            format!("{path}/ {mode:o}")
        } else {
            format!("{path} {mode:o} {}", Digest::of(fs::read(entry.path()).unwrap()))
        });
    }
    lines
}

/// Runs it with nothing of the test's environment but PATH; gives its output. Failing is a failure of the test.
pub fn output(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {arguments:?}:\n{stdout}\n{stderr}", program.display());
    stdout.trim().to_owned()
}

/// Copies a tree as it is, links included.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Moves the tree to a place that is hard on scripts; where it was there is nothing left.
pub fn moved(tree: &BaseTree, at: &Path) -> PathBuf {
    let place = at.join("ein Ort für Übung (1)").join("prefix");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(&tree.root, &place).unwrap();
    place
}

pub fn installs_a_wheel(python: &Path, at: &Path) {
    let wheel = WheelBuilder::new("demo", "1.0").file("demo/__init__.py", "value = 42\n").build();
    let place = wheel.write_to(at);
    output(
        python,
        &[
            "-m",
            "pip",
            "install",
            "--no-index",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            place.to_str().unwrap(),
        ],
    );
    assert_eq!(output(python, &["-I", "-c", "import demo; print(demo.value)"]), "42");
    output(
        python,
        &["-m", "pip", "uninstall", "-y", "--disable-pip-version-check", "--root-user-action=ignore", "demo"],
    );
}

pub fn makes_an_environment(python: &Path, at: &Path) {
    let place = at.join("eine Umgebung");
    output(python, &["-m", "venv", place.to_str().unwrap()]);
    assert!(output(&place.join("bin/python"), &["-m", "pip", "--version"]).contains("eine Umgebung"));
    output(&place.join("bin/python"), &["-c", "import ssl, sqlite3, ctypes"]);
    let copy = at.join("kopie");
    copy_tree(&place, &copy);
    assert!(Command::new(copy.join("bin/python")).arg("-c").arg("").status().unwrap().success());
}

//! A runtime that `builder` built, the system below it, and pods of its images: each made as users make it, by the programs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use archive::{FileContent, NoCache, PartSource, TreeEntry};
use image::{ImageRequest, LayerCompression};
use serde_json::{Value, json};
use testkit::TestRepository;
use testkit::images::{config_of, printed_by, system_libraries};
use vocab::PlatformKey;

use crate::support::text;

/// What is built: the SDK and what its servers need. Where no source has this Python, another patch release stands in.
pub const VERSION: &str = "3.12.10-etl";

/// A machine in the eyes of our programs: what it has of its own, and what must not show.
pub struct Machine {
    pub folder: PathBuf,
    umask: &'static str,
    zone: &'static str,
}

impl Machine {
    /// Folders are made when they are needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, umask: "022", zone: "UTC" }
    }

    /// Other files are readable for its user only, and its day is another one.
    pub fn unlike_others(folder: PathBuf) -> Self {
        Self { folder, umask: "077", zone: "Pacific/Auckland" }
    }

    /// One of our programs, with this machine's store, home and time.
    fn command(&self, program: &Path) -> Command {
        let home = self.folder.join("home");
        fs::create_dir_all(&home).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {}; exec \"$0\" \"$@\"", self.umask)]).arg(program);
        for (name, _) in std::env::vars_os() {
            if ["ETL_", "PYDIST_", "SOURCE_DATE_EPOCH", "TEST_RUN"].iter().any(|it| starts_with(&name, it)) {
                command.env_remove(&name);
            }
        }
        command.current_dir(&self.folder).env("HOME", &home).env("TZ", self.zone);
        command.env("PYDIST_STORE", self.folder.join("store")).env("UV_CACHE_DIR", self.folder.join("uv-cache"));
        command
    }

    pub fn etl_runtime(&self) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_etl-runtime")))
    }

    /// Builds the runtime; the folder with the artifact. With a lock, exactly its rows.
    pub fn build(&self, repository: &TestRepository) -> Built {
        // Cargo tells the programs of other crates to nobody.
        let tests = std::env::current_exe().unwrap();
        let builder = tests.parent().and_then(Path::parent).unwrap().join("builder");
        assert!(builder.is_file(), "`builder` is not there; `scripts/test` compiles it");
        let dist = self.folder.join("dist");
        let _ = fs::remove_dir_all(&dist);
        let mut command = self.command(&builder);
        command.arg(VERSION).args(["--allow-stand-in", "--quiet", "--repository"]).arg(repository.path());
        let prefix = printed_by(command.arg("--out").arg(&dist)).into();
        Built { dist, prefix }
    }

    /// `etl-runtime image`; what it prints is the digest.
    pub fn image(&self, built: &Built, to: &Path, options: &[&str]) -> String {
        let mut command = self.etl_runtime();
        command.args(["image", "--python", "3.12", "--runtime"]).arg(&built.dist).arg("--to").arg(to).args(options);
        printed_by(&mut command)
    }
}

fn starts_with(name: &OsStr, start: &str) -> bool {
    name.to_string_lossy().starts_with(start)
}

/// A runtime that was built.
pub struct Built {
    /// Holds the artifact.
    pub dist: PathBuf,
    pub prefix: PathBuf,
}

impl Built {
    pub fn python(&self) -> PathBuf {
        self.prefix.join("bin/python3")
    }

    pub fn artifact(&self) -> PathBuf {
        let mut files = fs::read_dir(&self.dist).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|it| it == "zst")).unwrap()
    }
}

/// The repository with the runtime's configuration.
pub fn repository() -> TestRepository {
    let repository = TestRepository::new();
    repository.version(VERSION, &json!({ "packages": { "dependencies": ["aistore[etl]"] } }));
    repository
}

/// What was built once for all tests, the machine that did it, and its repository with the lock. The store stays for later runs.
/// `None` where the tests were told to do without Python 3.12 or something else that they need.
pub fn built() -> Option<&'static (Built, Machine, TestRepository)> {
    static BUILT: OnceLock<(Built, Machine, TestRepository)> = OnceLock::new();
    let left_out = ["python-3.12", "namespaces", "skopeo"].into_iter().any(testkit::is_left_out);
    (!left_out).then(|| {
        BUILT.get_or_init(|| {
            let (repository, machine) =
                (repository(), Machine::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("pod")));
            (machine.build(&repository), machine, repository)
        })
    })
}

/// What a Debian has below a runtime and its packages: the files of this machine that the dynamic linker asks for.
fn libraries(built: &Built) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from(env!("CARGO_BIN_EXE_etl-runtime")), built.python()];
    let native = testkit::files_below(&built.prefix).into_iter().filter(|path| path.contains(".so"));
    files.extend(native.map(|path| built.prefix.join(path)));
    let mut libraries = system_libraries(&files, &built.prefix);
    // Of C++, which packages need that come later.
    let beside = libraries.iter().find(|path| path.ends_with("libgcc_s.so.1")).cloned();
    libraries.extend(beside.map(|path| path.with_file_name("libstdc++.so.6")).filter(|path| path.is_file()));
    libraries
}

/// The folders of a root that holds nothing but those libraries.
pub fn system_root(built: &Built, root: &Path) {
    for file in libraries(built) {
        let target = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(fs::canonicalize(&file).unwrap(), target).unwrap();
    }
    fs::create_dir(root.join("tmp")).unwrap();
}

/// The same as the layout of a base.
pub fn system_image(built: &Built, layout: &Path) {
    let entry = |file: PathBuf| {
        let path = file.to_str().unwrap().trim_start_matches('/').parse().unwrap();
        TreeEntry::file(path, FileContent::Disk(fs::canonicalize(&file).unwrap()), true)
    };
    let mut entries: Vec<TreeEntry> = libraries(built).into_iter().map(entry).collect();
    entries.push(TreeEntry::directory("tmp".parse().unwrap()));
    let request = ImageRequest {
        extra: vec![PartSource::new("system", entries)],
        compression: LayerCompression::Gzip,
        ..ImageRequest::new(PlatformKey::host().unwrap())
    };
    image::write(layout, &request, &NoCache).unwrap();
}

/// Variables that a program printed, a line each.
pub fn variables(printed: &str) -> BTreeMap<String, String> {
    let rows = printed.lines().filter_map(|line| line.split_once('='));
    rows.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A root with an unpacked image, and what a pod of it gets.
pub struct RootedPod {
    pub root: PathBuf,
    /// As skopeo spells the image, whose configuration says how it starts.
    pub image: String,
    /// By folder, where it is in the pod.
    pub volumes: BTreeMap<PathBuf, &'static str>,
    pub variables: BTreeMap<String, String>,
}

impl RootedPod {
    /// Starts it with no network but loopback, and asks: status and body of each answer, and what it printed. It must end well.
    pub fn answers(&self, requests: &[(&str, &str, &str)]) -> (Vec<(u64, String)>, String) {
        let config = config_of(&self.image);
        let words = |key: &str| -> Vec<String> {
            config[key].as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let mut environment: BTreeMap<String, String> = variables(&words("Env").join("\n"));
        environment.insert("HOME".to_owned(), "/root".to_owned());
        environment.extend(self.variables.clone());
        let plan = json!({
            "root": self.root, "volumes": self.volumes, "command": words("Entrypoint"), "environment": environment,
            "requests": requests,
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/pod.py");
        let namespaces = ["--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child", "python3"];
        let mut command = Command::new("unshare");
        command.args(namespaces).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(plan.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let log = said["log"].as_str().unwrap().to_owned();
        assert_eq!(said["ended"], 0, "{log}");
        let answers = said["answers"].as_array().unwrap();
        assert_eq!(answers.len(), requests.len(), "{log}");
        let answers = answers
            .iter()
            .map(|answer| (answer["status"].as_u64().unwrap(), answer["body"].as_str().unwrap().to_owned()));
        (answers.collect(), log)
    }
}

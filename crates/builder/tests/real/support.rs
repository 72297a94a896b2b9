//! What the tests of whole builds share: the real `builder` on a small repository, an index on loopback and the real
//! uv, which is expected on PATH. Each test has a store and a uv cache of its own, so that nothing leaks between
//! tests; only the finished base interpreter, its packed part and what it lacks are shared by all of them.
#![allow(clippy::needless_pass_by_value, reason = "a reference would stand before nearly every `json!`")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use catalogue::{ArtifactEntry, Channel, PublisherFacts};
use serde_json::{Value, json};
use testkit::{FixtureFile, FixtureIndex, HttpServer, SdistBuilder, ServedIndex, TestRepository, WheelBuilder};
use vocab::{Manifest, PlatformKey};

use crate::byte_code;

/// Its interpreter can be had exactly from more than one of the default sources.
pub const PYTHON: &str = "3.14.6";

pub const SITE_PACKAGES: &str = "lib/python3.14/site-packages";

/// What a test shows of any level, it shows of the quickest in a quarter of the time.
pub const QUICKEST: [&str; 2] = ["--level", "1"];

/// A repository, an index, a store and a uv cache.
pub struct Bench {
    pub repository: TestRepository,
    /// `None` once it was stopped.
    pub index: Option<ServedIndex>,
    /// Holds the store, the uv cache and an empty configuration folder.
    folder: tempfile::TempDir,
    index_url: String,
}

/// How one call of `builder --json` ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    /// Every line of its standard output.
    pub lines: Vec<Value>,
    pub stderr: String,
}

impl Bench {
    /// A `package.json` whose roots name these platforms.
    pub fn made_for(&self, platforms: &[PlatformKey]) {
        let roots: serde_json::Map<String, Value> =
            platforms.iter().map(|it| (it.to_string(), json!(format!("./pydist/{it}")))).collect();
        let artifact = json!({
            "type": "environment", "runtime": "python", "registry": "demo", "python-version": PYTHON, "roots": roots,
            "binDir": "bin",
        });
        let entry_points = json!({ "main": { "environment": { "artifact": artifact } } });
        let package = json!({ "name": "demo", "block-software": { "entrypoints": entry_points } });
        self.repository.file(&format!("python-{PYTHON}/package.json"), package.to_string());
    }

    /// With files on the default index.
    pub fn new(files: impl IntoIterator<Item = FixtureFile>) -> Self {
        let mut index = FixtureIndex::new();
        for file in files {
            index.add(file);
        }
        Self::with_index(&index)
    }

    pub fn with_index(index: &FixtureIndex) -> Self {
        let served = index.serve();
        let index_url = served.simple_url();
        let bench = Self { repository: TestRepository::new(), index: Some(served), folder: folder(), index_url };
        bench.make_store("store");
        bench
    }

    /// With 3.14.6 as its one version.
    pub fn of(packages: Value, files: impl IntoIterator<Item = FixtureFile>) -> Self {
        let bench = Self::new(files);
        bench.packages(packages);
        bench
    }

    /// Writes `packages` of 3.14.6, in place of what was there.
    pub fn packages(&self, packages: Value) -> &Self {
        self.config(json!({ "packages": packages }))
    }

    pub fn config(&self, config: Value) -> &Self {
        self.repository.version(PYTHON, &config);
        self
    }

    pub fn index(&self) -> &ServedIndex {
        self.index.as_ref().expect("it was not stopped yet")
    }

    /// How often a file of the index was asked for.
    pub fn requests_of(&self, file_name: &str) -> usize {
        self.index().server.requests_of(&ServedIndex::file_path(file_name)).len()
    }

    /// Paths, oldest first.
    pub fn requests(&self) -> Vec<String> {
        self.index().server.requests().into_iter().map(|request| request.path).collect()
    }

    /// Another store beside the first one, empty but for the base interpreter.
    pub fn make_store(&self, name: &str) -> PathBuf {
        let store = self.path(name);
        share_base(&store);
        store
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `builder --json` with these arguments, ready to be changed and run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = builder(self.repository.path(), &self.path("store"));
        command.arg("--json").args(arguments);
        command.env("UV_DEFAULT_INDEX", &self.index_url).env("UV_CACHE_DIR", self.path("uv-cache"));
        // No index of the user's own.
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    /// Builds 3.14.6, which must end well.
    pub fn build(&self) -> Run {
        self.build_with(&[])
    }

    pub fn build_with(&self, options: &[&str]) -> Run {
        let run = self.run(&[&[PYTHON], options].concat());
        assert_eq!(run.code, 0, "{}", run.told());
        run
    }

    /// Builds 3.14.6, which must end with this exit code.
    pub fn fail(&self, options: &[&str], code: i32) -> Run {
        let run = self.run(&[&[PYTHON], options].concat());
        assert_eq!(run.code, code, "{}", run.told());
        run
    }

    /// The prefix of 3.14.6.
    pub fn prefix(&self) -> PathBuf {
        self.prefix_of(PYTHON)
    }

    pub fn prefix_of(&self, version: &str) -> PathBuf {
        self.repository.at(&format!("python-{version}/pydist")).join(host().as_str())
    }

    pub fn site_packages(&self) -> PathBuf {
        self.prefix().join(SITE_PACKAGES)
    }

    /// `demo` is installed, rather than the interpreter's own pip alone.
    pub fn has(&self, package: &str) -> bool {
        self.site_packages().join(package).join("__init__.py").is_file()
    }

    pub fn lock(&self) -> Value {
        let text = fs::read_to_string(self.repository.at(&format!("python-{PYTHON}/lock.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The artifact of `run`, unpacked.
    pub fn unpacked(&self, run: &Run) -> PathBuf {
        let target = self.path("unpacked");
        archive::extract(&run.artifact(), &target, &archive::ExtractOptions::default()).unwrap();
        target
    }

    /// What the prefix's own Python prints.
    pub fn python(&self, script: &str) -> String {
        output(Command::new(self.prefix().join("bin/python3")).args(["-I", "-B", "-c", script]))
    }
}

impl Run {
    pub fn line(&self, kind: &str) -> Option<&Value> {
        self.lines.iter().rev().find(|line| line["event"] == kind || line["kind"] == kind)
    }

    /// Manifest of the runtime that was built, or that was there already.
    pub fn manifest(&self) -> Manifest {
        let product = self.product();
        serde_json::from_value(product["manifest"].clone()).unwrap()
    }

    pub fn product(&self) -> &Value {
        self.lines.iter().rev().find(|line| line.get("manifest").is_some()).expect("something was built")
    }

    pub fn built(&self) -> bool {
        self.product()["built"] == true
    }

    pub fn artifact(&self) -> PathBuf {
        self.product()["artifacts"][0].as_str().unwrap().into()
    }

    /// Names and versions, pip aside.
    pub fn installed(&self) -> Vec<String> {
        let manifest = self.manifest();
        manifest.distributions.iter().map(|it| format!("{} {}", it.name, it.version)).collect()
    }

    /// `skipped demo: reason`, as in the manifest.
    pub fn rules(&self) -> Vec<String> {
        let word = |row: &vocab::RuleRecord| serde_json::to_value(row.outcome).unwrap().as_str().unwrap().to_owned();
        self.manifest().rules.iter().map(|row| format!("{} {}: {}", word(row), row.name, row.reason)).collect()
    }

    /// `W_CODE text`.
    pub fn warnings(&self) -> Vec<String> {
        let text = |line: &Value| format!("{} {}", line["code"].as_str().unwrap(), line["text"].as_str().unwrap());
        self.lines.iter().filter(|line| line["event"] == "warning").map(text).collect()
    }

    /// Everything it said, for messages and for a look at errors.
    pub fn told(&self) -> String {
        let mut text = format!("exit {}\n{}", self.code, self.stderr);
        for line in &self.lines {
            text.push_str(&format!("{line}\n"));
        }
        text
    }

    pub fn error(&self) -> &Value {
        self.line("error").unwrap_or_else(|| panic!("no error: {}", self.told()))
    }
}

/// Every step of a build has something to do.
pub fn rich_packages(demo: &str) -> Value {
    json!({
        "dependencies": [format!("demo=={demo}"), "tool"],
        "forceSource": { "demo": { host().as_str(): "to have a build" } },
        "copyFiles": [{ "from": "extra/", "to": "{site-packages}/extra/" }, { "from": "run.sh", "to": "bin/" }],
    })
}

pub fn rich_bench() -> Bench {
    let mut files: Vec<FixtureFile> = (0..12).map(|n| SdistBuilder::new("demo", &format!("{n}.0")).build()).collect();
    files.push(
        WheelBuilder::new("tool", "1.0")
            .file("tool/__init__.py", "def main():\n    print('the tool runs')\n")
            .console_script("tool", "tool:main")
            .build(),
    );
    let bench = Bench::new(files);
    bench.repository.file(&format!("python-{PYTHON}/extra/__init__.py"), "x = 1\n");
    bench.repository.file(&format!("python-{PYTHON}/run.sh"), "#!/bin/sh\necho run\n");
    bench
}

/// How often the builder itself asked for a file; the resolver reads the metadata of wheels on its own.
pub fn builder_requests(index: &ServedIndex, file_name: &str) -> usize {
    let requests = index.server.requests_of(&ServedIndex::file_path(file_name));
    let own = |agent: &String| agent.starts_with("pydist/");
    requests.iter().filter(|request| request.headers.get("user-agent").is_some_and(own)).count()
}

/// Panics with all of `text` unless every one of `parts` is in it.
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

pub fn host() -> PlatformKey {
    PlatformKey::host().expect("tests run on a known platform")
}

pub fn run(command: &mut Command) -> Run {
    let output = command.stdin(Stdio::null()).output().expect("the builder starts");
    let stdout = String::from_utf8(output.stdout).expect("it prints UTF-8");
    Run {
        code: output.status.code().unwrap_or(-1),
        lines: stdout.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// On `server` as a publisher would put it there.
pub fn publish(server: &HttpServer, artifact: &Path) -> ArtifactEntry {
    let text = fs::read(format!("{}.json", artifact.display())).unwrap();
    let published = PublisherFacts {
        channel: Channel::Stable,
        created: "2026-11-24T08:00:00Z".parse().unwrap(),
        manifest: text.clone(),
        sbom: None,
        provenance: None,
        signatures: None,
        npm: None,
    };
    let entry = ArtifactEntry::new(&archive::read_manifest(&text).unwrap(), &published).unwrap();
    server.put(&format!("/p/{}", entry.artifact.key), fs::read(artifact).unwrap());
    entry
}

/// A folder of the store, whose files and folders are read-only.
pub fn remove(folder: &Path) {
    disk::remove_tree(folder).unwrap();
}

/// Standard output of a program that must end well, without the last line's end.
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The builder's own program, without what the environment around the tests would change.
pub fn builder(repository: &Path, store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_builder"));
    command.current_dir(repository).env("PYDIST_STORE", store);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_tools = ["UV_", "PIP_", "PYDIST_", "PYTHON", "GITHUB_"].iter().any(|start| text.starts_with(start));
        let own = ["CI", "TEST_RUN", "SOURCE_DATE_EPOCH", "COLUMNS", "NO_COLOR", "FORCE_COLOR"].contains(&&*text);
        if (of_tools && text != "PYDIST_STORE") || own {
            command.env_remove(&name);
        }
    }
    command
}

/// On the file system of the shared store, whose files can then be linked.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("temporary folders can be made")
}

/// Makes a store, unless it is there, whose base interpreters are those of all tests.
pub fn share_base(store: &Path) {
    store::Store::open(store.to_owned()).unwrap();
    let share = |kind: &str| {
        let place = store.join(kind);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        if !place.exists() {
            std::os::unix::fs::symlink(base_store().join(kind), place).unwrap();
        }
    };
    for kind in ["bases", "parts"] {
        fs::create_dir_all(base_store().join(kind)).unwrap();
        share(kind);
    }
    // What was found by starting the interpreter, which takes longer than a build.
    if base_store().join("memory/base-trial").is_dir() {
        share("memory/base-trial");
    }
}

/// A store with the finished base interpreter of 3.14.6, made once and kept for later runs.
fn base_store() -> &'static Path {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| {
        let uv = which::which("uv").expect("`uv` is on PATH; `scripts/test` puts it there");
        let version = output(Command::new(uv).arg("--version"));
        let pinned = resolve::UV_VERSION;
        assert_eq!(version.split(' ').nth(1), Some(pinned), "the pinned uv is first on PATH");
        let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-store");
        let repository = TestRepository::new();
        repository.version(PYTHON, &json!({ "packages": { "dependencies": [] } }));
        let run = run(builder(repository.path(), &store).args(["--json", PYTHON]));
        assert_eq!(run.code, 0, "the base interpreter: {}", run.told());
        byte_code::keep(&store);
        store
    })
}

//! Wheels are built from sources by the real uv and the machine's Python, both expected on PATH. Only the tests of
//! native code need the network, for the repair tools.
#![cfg(unix)]

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use resolve::{AnsweredQuestions, Uv};
use source_build::{
    BuildTools, BuiltWheel, SourceBuild, SourceBuildError, SourceBuildErrorKind, SourceInput, resolve_commit,
};
use store::{Context, Store};
use testkit::{FixtureFile, FixtureIndex, GitRepository, SdistBuilder, SdistStumble, WheelBuilder};
use vocab::{Digest, Environment, Fault, PlatformKey, PythonVersion, SystemVersion, TreeLayout, default_ceiling};

/// A store, the machine's tools, and folders for one test.
struct Bench {
    folder: tempfile::TempDir,
    context: Context,
    python: PathBuf,
    version: PythonVersion,
    uv: Uv,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let environment = Environment::new(std::env::vars_os());
        let root = folder.path().join("store");
        let mut context = Context::quiet(root.clone()).in_environment(environment);
        context.work.offline = false;
        context.store = Store::open(root).expect("the store can be made");
        context.default_index = Some(NO_INDEX.to_owned());
        let script = "import sys; print(sys.executable); print('.'.join(map(str, sys.version_info[:3])))";
        let said = Command::new("python3").args(["-c", script]).output().expect("python3 is on PATH");
        let said = String::from_utf8(said.stdout).expect("python3 prints UTF-8");
        let (python, version) = said.trim().split_once('\n').expect("two lines");
        let uv = Uv::find(&context, Path::new(python), &AnsweredQuestions::default());
        let uv = uv.expect("`uv` is on PATH; put the pinned version there before running the tests");
        Self { folder, context, python: python.into(), version: version.parse().expect("a version"), uv }
    }

    fn build<'a>(&'a self, name: &str, source: SourceInput<'a>) -> SourceBuild<'a> {
        SourceBuild {
            name: name.parse().expect("a name"),
            version: Some("1.0".into()),
            source,
            python: &self.python,
            layout: TreeLayout { platform: PlatformKey::host().expect("a known platform"), python: self.version },
            system: default_ceiling(PlatformKey::host().expect("a known platform")),
            base_identity: Digest::of("base"),
            base_has_headers: true,
            build_requires: Vec::new(),
            build_constraints: Vec::new(),
            config_settings: Vec::new(),
            package_root: Path::new("/repo/python-3.12.10"),
            pass_environment: &[],
            registries: &[],
            within: Vec::new(),
            timeout: Some(Duration::from_secs(120)),
            logs: self.folder.path(),
        }
    }

    fn write(&self, sdist: &FixtureFile) -> PathBuf {
        sdist.write_to(self.folder.path())
    }
}

/// Nobody answers there: what needs no index must not ask one.
const NO_INDEX: &str = "http://127.0.0.1:1/simple";

fn build_wheel(bench: &Bench, build: &SourceBuild<'_>) -> Result<BuiltWheel, SourceBuildError> {
    source_build::build_wheel(&bench.context, build, &BuildTools { uv: &bench.uv, registries: Vec::new() })
}

fn sdist_input<'a>(path: &'a Path, sdist: &'a FixtureFile) -> SourceInput<'a> {
    SourceInput::Sdist { path, file_name: &sdist.file_name, sha256: sdist.sha256() }
}

fn read(wheel: &BuiltWheel, path: &str) -> Vec<u8> {
    let file = fs::File::open(&wheel.path).expect("the wheel is in the store");
    let mut archive = zip::ZipArchive::new(file).expect("the wheel is a zip");
    let mut bytes = Vec::new();
    archive.by_name(path).expect(path).read_to_end(&mut bytes).expect("the entry is sound");
    bytes
}

/// `build.json` of the fixture: what the back end was given.
fn report(wheel: &BuiltWheel) -> serde_json::Value {
    serde_json::from_slice(&read(wheel, "demo/build.json")).expect("JSON")
}

fn build_sdist(bench: &Bench, sdist: &FixtureFile) -> Result<BuiltWheel, SourceBuildError> {
    let path = bench.write(sdist);
    build_wheel(bench, &bench.build("demo", sdist_input(&path, sdist)))
}

#[test]
fn p4_an_sdist_becomes_a_wheel_and_the_second_time_comes_from_the_store() {
    let bench = Bench::new();
    let sdist = SdistBuilder::new("demo", "1.0").build();
    let wheel = build_sdist(&bench, &sdist).unwrap();
    assert_eq!((wheel.file_name.as_str(), wheel.cached), ("demo-1.0-py3-none-any.whl", false));
    assert_eq!(Digest::of(fs::read(&wheel.path).unwrap()), wheel.sha256);
    assert!(wheel.path.starts_with(bench.context.store.root().join("built")));
    assert!(fs::read_to_string(wheel.log.unwrap()).unwrap().contains("Successfully built"));

    let again = build_sdist(&bench, &sdist).unwrap();
    assert_eq!((again.sha256, again.cached, again.log), (wheel.sha256, true, None));
    // A wheel that was damaged in the store is built again.
    fs::write(&again.path, "damaged").unwrap();
    assert!(!build_sdist(&bench, &sdist).unwrap().cached);
    // Nothing is left of the work.
    let left: Vec<_> = walkdir::WalkDir::new(bench.context.store.root().join("tmp"))
        .into_iter()
        .filter_map(|entry| Some(entry.ok()?.path().to_owned()))
        .filter(|path| path.ends_with("pyproject.toml"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn p7_the_sources_own_build_requirements_come_as_wheels_from_the_given_index() {
    let mut bench = Bench::new();
    let mut index = FixtureIndex::new();
    index.add(WheelBuilder::new("helper", "1.0").build()).add(WheelBuilder::new("helper", "2.0").build());
    let served = index.serve();
    let sdist = SdistBuilder::new("demo", "1.0").build_requires("helper").build();
    let path = bench.write(&sdist);
    bench.context.default_index = Some(served.simple_url());
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.build_constraints = vec!["helper==1.0".into()];
    let wheel = build_wheel(&bench, &build).unwrap();
    assert_eq!(report(&wheel)["distributions"], serde_json::json!(["helper"]));
    let fetched = served.server.requests();
    assert!(fetched.iter().any(|request| request.path.contains("helper-1.0")), "{fetched:?}");
    assert!(!fetched.iter().any(|request| request.path.ends_with("helper-2.0-py3-none-any.whl")), "{fetched:?}");
}

#[test]
fn p12_build_wheel_takes_its_requirements_and_settings_and_no_others() {
    let mut bench = Bench::new();
    let mut index = FixtureIndex::new();
    index.add(WheelBuilder::new("tool", "3.0").build());
    let served = index.serve();
    // What the source asks for is on no index: with `build_requires` it is not asked for.
    let sdist = SdistBuilder::new("demo", "1.0").build_requires("nowhere-to-be-had").build();
    let path = bench.write(&sdist);
    bench.context.default_index = Some(served.simple_url());
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.build_requires = vec!["tool==3.0".into()];
    build.config_settings = vec!["--include={packageRoot}/include".into()];
    let wheel = build_wheel(&bench, &build).unwrap();
    let report = report(&wheel);
    assert_eq!(report["settings"], serde_json::json!({ "--include": "/repo/python-3.12.10/include" }));
    assert_eq!(report["distributions"], serde_json::json!(["tool"]));
}

#[test]
fn p8_a_failing_build_shows_the_last_200_lines_and_keeps_the_whole_log() {
    let bench = Bench::new();
    let stumble = SdistStumble::Fail { message: "the fixture gives up".into() };
    let error = build_sdist(&bench, &SdistBuilder::new("demo", "1.0").stumble(stumble).build()).unwrap_err();
    assert_eq!((error.code(), error.exit().code()), ("E_BUILD_WHEEL", 1));
    assert_eq!(error.to_string(), "cannot build demo 1.0 from source");
    assert_eq!(error.last_lines.len(), 200);
    assert!(error.last_lines.iter().any(|line| line.contains("the fixture gives up")));
    assert!(error.kind.to_string().contains("\nline 299\n"), "{}", error.kind);
    let log = error.log.clone().unwrap();
    assert_eq!(log, bench.folder.path().join("wheel-build-demo.log"));
    assert!(fs::read_to_string(&log).unwrap().contains("line 0\n"));
    assert!(error.hint().unwrap().contains("wheel-build-demo.log"));
}

#[test]
fn p13_a_hanging_build_is_killed_with_its_children_at_the_limit() {
    let bench = Bench::new();
    let pids = bench.folder.path().join("pids");
    let sdist = SdistBuilder::new("demo", "1.0").stumble(SdistStumble::Hang { pids: pids.clone() }).build();
    let path = bench.write(&sdist);
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.timeout = Some(Duration::from_secs(4));
    let error = build_wheel(&bench, &build).unwrap_err();
    assert_eq!((error.code(), error.exit().code()), ("E_PROGRAM_TIMEOUT", 1));
    assert!(error.kind.to_string().starts_with("the build was stopped"), "{}", error.kind);
    let members = fs::read_to_string(&pids).expect("the fixture got as far as hanging");
    assert_eq!(members.lines().count(), 2);
    for process in members.lines() {
        let listed = Command::new("ps").args(["-o", "stat=", "-p", process]).output().unwrap();
        let state = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
        assert!(state.is_empty() || state.starts_with('Z'), "process {process} lives on: {state}");
    }
}

#[test]
fn a_git_source_is_built_at_the_commit_that_its_name_stands_for() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("repository");
    SdistBuilder::new("demo", "1.0").write_folder(&folder.join("below"));
    let repository = GitRepository::commit_all(&folder);
    repository.tag("v1");
    let url = repository.url(None);
    assert_eq!(resolve_commit(&bench.context, &url, Some("v1")).unwrap(), repository.commit);
    for (reference, commit) in [(Some("v1"), None), (None, Some(repository.commit.as_str()))] {
        let source = SourceInput::Git { url: &url, reference, commit, subdirectory: Some("below") };
        let wheel = build_wheel(&bench, &bench.build("demo", source)).unwrap();
        assert_eq!(wheel.commit.as_deref(), Some(repository.commit.as_str()));
        // By name or by digits, it is the same commit and so the same wheel.
        assert_eq!(wheel.cached, commit.is_some());
    }
    let source = SourceInput::Git { url: &url, reference: Some("v2"), commit: None, subdirectory: None };
    let error = build_wheel(&bench, &bench.build("demo", source)).unwrap_err();
    assert_eq!(error.code(), "E_GIT");
    assert!(error.kind.to_string().contains("cannot use the git repository"), "{}", error.kind);
}

#[test]
fn a_local_folder_is_built_without_being_touched() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("mine");
    SdistBuilder::new("demo", "1.0").write_folder(&folder);
    let listing = || -> Vec<PathBuf> {
        walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().map(|entry| entry.unwrap().into_path()).collect()
    };
    let before = listing();
    let source = || SourceInput::Folder { path: &folder };
    let wheel = build_wheel(&bench, &bench.build("demo", source())).unwrap();
    assert_eq!(listing(), before);
    assert_eq!(wheel.commit, None);
    fs::write(folder.join("demo/new.py"), "x = 1\n").unwrap();
    let changed = build_wheel(&bench, &bench.build("demo", source())).unwrap();
    assert!(!changed.cached);
    assert_eq!(read(&changed, "demo/new.py"), b"x = 1\n");
}

#[test]
fn attack_12_a_back_end_sees_no_credentials_and_what_the_configuration_lets_pass() {
    let mut bench = Bench::new();
    let secrets = [
        "PYDIST_SIGNING_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "UV_INDEX_CORP_PASSWORD",
        "UV_DEFAULT_INDEX",
        "SOMETHING_ELSE",
    ];
    let all = secrets.iter().chain(&["MYSQLCLIENT_CFLAGS", "PKG_CONFIG_PATH", "HTTPS_PROXY"]);
    let own = all.map(|name| (OsString::from(name), OsString::from(format!("value of {name}"))));
    bench.context.work.environment = Environment::new(std::env::vars_os().chain(own));
    let seen = bench.folder.path().join("seen");
    let code = format!(
        "import os\nwith open({seen:?}, 'a') as file: file.write(''.join(f'{{key}}={{value}}\\n' for key, value in \
         os.environ.items()))"
    );
    let sdist = SdistBuilder::new("demo", "1.0").runs(&code).build();
    let path = bench.write(&sdist);
    let passed = ["MYSQLCLIENT_CFLAGS".to_owned()];
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.pass_environment = &passed;
    build_wheel(&bench, &build).unwrap();
    let seen = fs::read_to_string(&seen).unwrap();
    for name in secrets {
        assert!(!seen.contains(&format!("value of {name}")), "{name} is in {seen}");
    }
    for name in ["MYSQLCLIENT_CFLAGS", "PKG_CONFIG_PATH", "HTTPS_PROXY"] {
        assert!(seen.contains(&format!("{name}=value of {name}\n")), "{name} is not in {seen}");
    }
    let home = std::env::var("HOME").unwrap();
    assert!(!seen.lines().any(|line| line == format!("HOME={home}")), "{seen}");
}

#[test]
fn case_field_offline_source_build_the_store_has_what_a_build_requires() {
    let mut bench = Bench::new();
    let mut index = FixtureIndex::new();
    index.add(WheelBuilder::new("helper", "1.0").build());
    let served = index.serve();
    let sdist = SdistBuilder::new("demo", "1.0").build_requires("helper").build();
    let path = bench.write(&sdist);
    bench.context.default_index = Some(served.simple_url());
    let offline = |bench: &Bench| build_wheel(bench, &bench.build("demo", sdist_input(&path, &sdist)));
    bench.context.work.offline = true;
    let error = offline(&bench).unwrap_err();
    assert!(error.hint().unwrap().contains("without --offline"), "{:?}: {}", error.hint(), error.kind);

    bench.context.work.offline = false;
    offline(&bench).unwrap();
    // The index is gone, and so is the wheel; the user's own cache was never used.
    drop(served);
    let own: Vec<_> = std::env::vars_os().filter(|(name, _)| name != "HOME" && name != "UV_CACHE_DIR").collect();
    let home = bench.folder.path().join("home");
    bench.context.work.environment = Environment::new(own.into_iter().chain([("HOME".into(), home.into_os_string())]));
    disk::remove_tree(&bench.context.store.root().join("built")).unwrap();
    bench.context.work.offline = true;
    let wheel = offline(&bench).unwrap();
    assert!(!wheel.cached);
    assert_eq!(report(&wheel)["distributions"], serde_json::json!(["helper"]));
}

#[test]
fn a_damaged_build_requirement_is_named_offline_and_fetched_again_otherwise() {
    let mut bench = Bench::new();
    let helper = WheelBuilder::new("helper", "1.0").build();
    let mut index = FixtureIndex::new();
    index.add(helper.clone());
    let served = index.serve();
    bench.context.default_index = Some(served.simple_url());
    let sdist = SdistBuilder::new("demo", "1.0").build_requires("helper").build();
    let wheel = build_sdist(&bench, &sdist).unwrap();
    assert_eq!(wheel.requirement_sets.as_ref().map(Vec::len), Some(1));
    let built = bench.context.store.root().join("built");
    for damage in ["flipped", "absent"] {
        disk::remove_tree(&built).unwrap();
        let blob = bench.context.store.blob(&helper.sha256());
        fs::remove_file(&blob).unwrap();
        if damage == "flipped" {
            let mut bytes = helper.bytes.clone();
            bytes[40] ^= 1;
            fs::write(&blob, bytes).unwrap();
        }
        bench.context.work.offline = true;
        let error = build_sdist(&bench, &sdist).unwrap_err();
        assert_eq!((error.code(), error.exit().code()), ("E_BUILD_REQUIREMENTS", 1), "{damage}");
        let named = format!("  helper-1.0-py3-none-any.whl (SHA-256 {})", helper.sha256());
        assert!(error.kind.to_string().ends_with(&named), "{damage}: {}", error.kind);
        assert!(!built.exists() && !blob.exists(), "{damage}: nothing half there");
        bench.context.work.offline = false;
        assert_eq!(report(&build_sdist(&bench, &sdist).unwrap())["distributions"], serde_json::json!(["helper"]));
    }
    // The record itself: a damaged one is another machine's fault no more than ours, and is made again.
    disk::remove_tree(&built).unwrap();
    let record = bench.context.store.requirements(&wheel.requirement_sets.unwrap()[0]);
    fs::write(&record, "{").unwrap();
    bench.context.work.offline = true;
    let error = build_sdist(&bench, &sdist).unwrap_err();
    assert!(error.kind.to_string().ends_with("missing:\n  helper"), "{}", error.kind);
    bench.context.work.offline = false;
    build_sdist(&bench, &sdist).unwrap();
    assert!(record.is_file());
}

#[test]
fn a_build_requirement_without_a_wheel_is_built_and_kept_as_one() {
    let mut bench = Bench::new();
    let mut index = FixtureIndex::new();
    index.add(SdistBuilder::new("helper", "1.0").build_requires("deeper").build());
    index.add(WheelBuilder::new("deeper", "2.0").build());
    let served = index.serve();
    bench.context.default_index = Some(served.simple_url());
    let sdist = SdistBuilder::new("demo", "1.0").build_requires("helper").build();
    build_sdist(&bench, &sdist).unwrap();
    drop(served);
    disk::remove_tree(&bench.context.store.root().join("built")).unwrap();
    bench.context.work.offline = true;
    let wheel = build_sdist(&bench, &sdist).unwrap();
    assert!(!wheel.cached);
    assert_eq!(report(&wheel)["distributions"], serde_json::json!(["helper"]));
}

#[test]
fn a_build_requirement_that_requires_itself_is_an_error() {
    let mut bench = Bench::new();
    let mut index = FixtureIndex::new();
    index.add(SdistBuilder::new("helper", "1.0").build_requires("other").build());
    index.add(SdistBuilder::new("other", "1.0").build_requires("helper").build());
    let served = index.serve();
    bench.context.default_index = Some(served.simple_url());
    let error = build_sdist(&bench, &SdistBuilder::new("demo", "1.0").build_requires("helper").build()).unwrap_err();
    let mut words = error.kind.to_string();
    let mut cause = std::error::Error::source(&*error.kind);
    while let Some(next) = cause {
        words.push_str(&format!(": {next}"));
        cause = next.source();
    }
    assert!(words.contains("`helper` has no wheel, and building it requires itself"), "{words}");
    assert_eq!(error.code(), "E_BUILD_WHEEL");
}

#[test]
fn case_field_git_tag_unseen_a_folder_is_built_as_its_repository_is_tagged() {
    // What setuptools-scm does, in short.
    const VERSION: &str = "import subprocess\n\
        def asked(*words):\n    return subprocess.run(['git', *words], capture_output=True, text=True).stdout.strip()\n\
        DESCRIBED = asked('tag', '--points-at', 'HEAD').split()[-1] + '|' + \
        '\\n'.join(line for line in asked('status', '--porcelain').splitlines() if 'described' not in line)\n\
        import atexit, pathlib\n\
        (pathlib.Path(__file__).parent.parent / 'demo' / 'described.txt').write_text(DESCRIBED)";
    let bench = Bench::new();
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("packages/demo");
    let sdist = SdistBuilder::new("demo", "1.0").runs(VERSION);
    sdist.write_folder(&folder);
    fs::write(top.path().join("other.txt"), "not of the source").unwrap();
    let project = fs::read_to_string(folder.join("pyproject.toml")).unwrap();
    let dynamic = project.replace("version = \"1.0\"", "dynamic = [\"version\"] # setuptools-scm");
    fs::write(folder.join("pyproject.toml"), dynamic).unwrap();
    let repository = GitRepository::commit_all(top.path());
    let described = |wheel: &BuiltWheel| String::from_utf8(read(wheel, "demo/described.txt")).unwrap();
    let build = bench.build("demo", SourceInput::Folder { path: &folder });
    for tag in ["v3.4", "v4.0"] {
        repository.tag(tag);
        let wheel = build_wheel(&bench, &build).unwrap();
        assert_eq!((described(&wheel), wheel.cached), (format!("{tag}|"), false));
    }
    assert!(build_wheel(&bench, &build).unwrap().cached);
    // What is not committed is built, and git says that it is there.
    fs::write(folder.join("demo/more.py"), "x = 1\n").unwrap();
    let wheel = build_wheel(&bench, &build).unwrap();
    assert_eq!(described(&wheel), "v4.0|?? packages/demo/demo/more.py");
    assert_eq!(read(&wheel, "demo/more.py"), b"x = 1\n");
    assert!(!folder.join("demo/described.txt").exists());
}

#[test]
fn a_wheel_of_something_else_is_refused() {
    let bench = Bench::new();
    let sdist = SdistBuilder::new("other", "1.0").build();
    let error = build_sdist(&bench, &sdist).unwrap_err();
    assert!(matches!(*error.kind, SourceBuildErrorKind::OtherDistribution { .. }), "{error:?}");
    let sdist = SdistBuilder::new("demo", "1.1").build();
    let error = build_sdist(&bench, &sdist).unwrap_err();
    assert_eq!(error.kind.to_string(), "the build made `demo-1.1-py3-none-any.whl` instead of a wheel of demo 1.0");
}

#[test]
fn another_platform_needs_a_native_runner() {
    let bench = Bench::new();
    let sdist = SdistBuilder::new("demo", "1.0").build();
    let path = bench.write(&sdist);
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.layout.platform = PlatformKey::WindowsX64;
    let error = build_wheel(&bench, &build).unwrap_err();
    assert_eq!((error.code(), error.log.is_none()), ("E_BUILD_FOREIGN", true));
}

#[cfg(target_os = "linux")]
#[test]
fn native_code_is_repaired_and_equal_inputs_give_equal_wheels_in_any_store() {
    let sdist = SdistBuilder::new("demo", "1.0").native().build();
    let mut benches = [Bench::new(), Bench::new()];
    // The repair tools come from the user's index.
    benches.iter_mut().for_each(|bench| bench.context.default_index = None);
    let wheels: Vec<BuiltWheel> = benches.iter().map(|bench| build_sdist(bench, &sdist).unwrap()).collect();
    assert!(wheels[0].file_name.contains("manylinux"), "{}", wheels[0].file_name);
    assert_eq!(wheels[0].sha256, wheels[1].sha256);
    let module =
        format!("demo/_native.cpython-{}{}-x86_64-linux-gnu.so", benches[0].version.major, benches[0].version.minor);
    let bytes = read(&wheels[0], &module);
    let store = benches[0].context.store.root().to_str().unwrap().as_bytes().to_vec();
    assert!(!bytes.windows(store.len()).any(|window| window == store), "the binary names the building machine's path");
}

#[cfg(target_os = "linux")]
#[test]
#[cfg(target_os = "linux")]
fn case_rule_oldest_system_source_build_the_configured_one_counts() {
    // The symbol that newer systems have under a new version only.
    const THREADS: &str = r#"#include <Python.h>
#include <pthread.h>
static void *work(void *given) { return given; }
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", 0, -1, 0};
PyMODINIT_FUNC PyInit__native(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    pthread_join(thread, 0);
    return PyModule_Create(&module);
}
"#;
    let mut bench = Bench::new();
    bench.context.default_index = None;
    let sdist = SdistBuilder::new("demo", "1.0").native().file("demo/_native.c", THREADS).build();
    let path = bench.write(&sdist);
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.system = Some(SystemVersion::new(2, 4));
    let error = build_wheel(&bench, &build).unwrap_err();
    assert_eq!(error.code(), "E_BUILD_TOO_NEW");
    assert!(error.kind.to_string().contains("a glibc up to 2.4 is allowed"), "{}", error.kind);
    build.system = Some(SystemVersion::new(2, 99));
    assert!(build_wheel(&bench, &build).unwrap().file_name.contains("manylinux"));
}

#[test]
fn c_code_on_a_base_without_headers_says_that_they_are_missing() {
    let bench = Bench::new();
    let sdist = SdistBuilder::new("demo", "1.0").file("demo/_native.c", "#include <no/Python.h>\n").native().build();
    let path = bench.write(&sdist);
    let mut build = bench.build("demo", sdist_input(&path, &sdist));
    build.base_has_headers = false;
    let error = build_wheel(&bench, &build).unwrap_err();
    assert!(error.hint().unwrap().contains("no C headers"), "{error:?}");
}

#[test]
fn two_builders_at_once_build_once() {
    let bench = Bench::new();
    let sdist = SdistBuilder::new("demo", "1.0").build();
    let wheels: Vec<BuiltWheel> = thread::scope(|scope| {
        let builders: Vec<_> = (0..2).map(|_| scope.spawn(|| build_sdist(&bench, &sdist).unwrap())).collect();
        builders.into_iter().map(|builder| builder.join().unwrap()).collect()
    });
    assert_eq!(wheels.iter().filter(|wheel| wheel.cached).count(), 1);
    assert_eq!(wheels[0].sha256, wheels[1].sha256);
}

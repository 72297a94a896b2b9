//! Where packages come from in whole builds: URLs, git, local files, registries of all kinds, a damaged store.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use store::Store;
use testkit::{FixtureFile, FixtureIndex, GitRepository, HttpServer, RecordFault, SdistBuilder, WheelBuilder};
use vocab::{PlatformKey, WheelOrigin};

use crate::support::{self, Bench, PYTHON, assert_says, builder_requests, host, output};

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

/// The command with an empty store and an empty uv cache, as on another machine.
fn elsewhere(command: &mut Command, bench: &Bench) -> support::Run {
    let store = bench.make_store("store-elsewhere");
    support::run(command.env("PYDIST_STORE", store).env("UV_CACHE_DIR", bench.path("uv-cache-elsewhere")))
}

#[test]
fn a_wheel_at_a_url_is_locked_by_its_digest_and_found_again_on_another_machine() {
    let server = HttpServer::start();
    let demo = WheelBuilder::new("demo", "1.0").requires("helper").build();
    server.put(&format!("/{}", demo.file_name), demo.bytes.clone());
    let bench = Bench::new([wheel("helper", "1.0")]);
    bench.packages(json!({ "dependencies": [format!("demo @ {}", server.url(&format!("/{}", demo.file_name)))] }));
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0", "helper 1.0"]);
    assert_eq!(run.manifest().distributions[0].sha256, demo.sha256());

    assert_eq!(bench.run(&["clean", PYTHON]).code, 0);
    let run = elsewhere(&mut bench.command(&[PYTHON, "--locked"]), &bench);
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(run.installed(), ["demo 1.0", "helper 1.0"]);
}

#[test]
fn extras_bring_what_they_require() {
    let demo = WheelBuilder::new("demo", "1.0")
        .metadata("Provides-Extra", "fast")
        .requires("helper>=1 ; extra == \"fast\"")
        .requires("unwanted ; extra == \"slow\"")
        .build();
    let bench =
        Bench::of(json!({ "dependencies": ["demo[fast]"] }), [demo, wheel("helper", "1.5"), wheel("unwanted", "1.0")]);
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0", "helper 1.5"]);
    assert_eq!(run.warnings(), Vec::<String>::new());
}

#[test]
fn the_password_of_a_registry_is_used_and_told_to_nobody() {
    let mut private = FixtureIndex::new();
    let demo = wheel("demo", "1.0");
    let private = private.add(demo.clone()).serve();
    private.server.require_basic("/", "reader", "hush-4711");
    let url = private.simple_url();
    let bench = Bench::new([wheel("other", "1.0")]);
    bench.config(json!({
        "registries": { "additional": [url], "pinned": { "demo": url } },
        "packages": { "dependencies": ["demo", "other"] },
    }));
    let netrc = bench.path("netrc");
    fs::write(&netrc, "machine 127.0.0.1 login reader password hush-4711\n").unwrap();
    let run = support::run(bench.command(&[PYTHON, "-vv"]).env("NETRC", &netrc));
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(run.installed(), ["demo 1.0", "other 1.0"]);
    assert!(builder_requests(&private, &demo.file_name) > 0);
    assert!(!run.told().contains("hush-4711"), "{}", run.told());
    let package = bench.repository.at(&format!("python-{PYTHON}"));
    for place in ["logs", "pydist", "lock.json"].map(|name| package.join(name)) {
        assert_eq!(files_with(&place, "hush-4711"), Vec::<String>::new());
    }
    for name in ["dist", "memory"] {
        let place = if name == "dist" { bench.repository.at(name) } else { bench.path("store").join(name) };
        assert_eq!(files_with(&place, "hush-4711"), Vec::<String>::new());
    }
    // Nor where the registry refuses it, which is an error.
    private.server.require_basic("/", "reader", "another");
    let run = elsewhere(bench.command(&["lock", PYTHON]).env("NETRC", &netrc), &bench);
    assert_eq!((run.code, &run.error()["code"]), (1, &serde_json::json!("E_REGISTRY_REFUSED")), "{}", run.told());
    assert_says(&run.told(), &["`demo` is not available", "answered 401"]);
    assert!(!run.told().contains("hush-4711"), "{}", run.told());
}

fn files_with(place: &Path, needle: &str) -> Vec<String> {
    let holds = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(needle);
    let walk = walkdir::WalkDir::new(place).into_iter().map(Result::unwrap);
    walk.filter(|entry| entry.file_type().is_file() && holds(entry.path()))
        .map(|entry| entry.path().display().to_string())
        .collect()
}

/// Python that appends to `seen` what its environment has, and the environments, arguments and files in work of the
/// programs that started it, up to the builder; of files those that hold `secret`.
fn prying(seen: &Path, secret: &str) -> String {
    let code = r#"import os
def pry():
    try:
        yield repr(dict(os.environ))
        process = os.getppid()
        while os.path.basename(os.readlink(f'/proc/{process}/exe')) != 'builder':
            for name in 'environ', 'cmdline':
                yield name + repr(open(f'/proc/{process}/{name}').read())
            folder = f'/proc/{process}/cwd'
            for top, _, files in os.walk(folder):
                for file in files:
                    with open(os.path.join(top, file), 'rb') as opened: content = opened.read()
                    if SECRET[::-1].encode() in content: yield file + repr(content)
            process = int(open(f'/proc/{process}/stat').read().rsplit(')', 1)[1].split()[1])
    except OSError as error:
        yield repr(error)
with open(SEEN, 'a') as file:
    for text in pry(): file.write(text + chr(10))
"#;
    // The other way round, so that the source itself does not hold it.
    let reversed: String = secret.chars().rev().collect();
    code.replace("SEEN", &json!(seen).to_string()).replace("SECRET", &json!(reversed).to_string())
}

#[test]
fn attack_12_no_build_back_end_finds_a_password_while_resolving_or_building() {
    const SECRET: &str = "hush-4711";
    let seen = tempfile::tempdir().unwrap();
    let seen = seen.path().join("seen");
    let hostile = |name: &str| SdistBuilder::new(name, "1.0").dynamic().runs(&prying(&seen, SECRET));
    let mut index = FixtureIndex::new();
    // The one has its source alone, and so has what that needs to be built.
    index.add(hostile("demo").build_requires("tool").build()).add(hostile("tool").build());
    let bench = Bench::with_index(&index);
    bench.index().server.require_basic("/", "reader", SECRET);
    let mut second = FixtureIndex::new();
    let second = second.add(hostile("other").build_requires("tool").build()).serve();
    second.server.require_basic("/", "second", SECRET);
    let here = |name: &str| json!({ name: { host().as_str(): "it has no wheel" } });
    bench.config(json!({
        "registries": { "additional": [second.simple_url()] },
        "packages": {
            "dependencies": ["demo", "other"],
            "forceSource": here("demo"),
            "resolution": { "allowSourceList": ["other", "tool"] },
        },
    }));
    let with_secrets = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.env("UV_DEFAULT_INDEX", bench.index().server.url_as("reader", SECRET, "/simple/"));
        command.env("UV_EXTRA_INDEX_URL", second.server.url_as("second", SECRET, "/simple/"));
        command.env("HTTPS_PROXY", format!("http://user:{SECRET}@127.0.0.1:1"));
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "GIT_CONFIG_VALUE_0",
            "GITHUB_TOKEN",
            "PYDIST_SIGNING_KEY",
            "SSH_PRIVATE_KEY",
            "UV_INDEX_REGISTRY_0_PASSWORD",
        ] {
            command.env(name, SECRET);
        }
        support::run(&mut command)
    };
    let saw = |what: &str| {
        let text = fs::read_to_string(&seen).unwrap();
        fs::remove_file(&seen).unwrap();
        let looked = if cfg!(target_os = "linux") { "--config-file" } else { "UV_CACHE_DIR" };
        assert!(text.contains(looked), "the back end did look: {text}");
        let at = text.find(SECRET);
        assert_eq!(at.map(|at| &text[at.saturating_sub(300)..at + SECRET.len()]), None, "while {what}");
    };
    let run = with_secrets(&["lock", PYTHON]);
    assert_eq!(run.code, 0, "{}", run.told());
    saw("resolving");
    let mut told = run.told();
    let run = with_secrets(&[PYTHON, "-vv"]);
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(run.installed(), ["demo 1.0", "other 1.0"]);
    saw("building");
    told.push_str(&run.told());
    assert!(!told.contains(SECRET), "{told}");
    // Nor is it in what stays.
    for place in [bench.path("store"), bench.path("uv-cache"), bench.repository.path().to_owned()] {
        assert_eq!(files_with(&place, SECRET), Vec::<String>::new());
    }
}

#[test]
fn p18_a_damaged_file_of_the_store_is_fetched_again_and_one_that_differs_at_its_source_is_refused() {
    let demo = wheel("demo", "1.0");
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [demo.clone()]);
    let first = bench.build();
    let store = Store::at(bench.path("store"));
    let blob = store.blob(&demo.sha256());
    let damage = || {
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, &demo.bytes[..demo.bytes.len() / 2]).unwrap();
        support::remove(&store.wheel(&demo.sha256()));
        assert_eq!(bench.run(&["clean", PYTHON]).code, 0);
    };
    damage();
    let run = bench.build_with(&["--locked"]);
    assert_says(&run.told(), &[&format!("`{}` was damaged in the store", demo.file_name)]);
    assert_eq!(run.manifest(), first.manifest());

    damage();
    let mut other = demo.bytes.clone();
    other[100] ^= 1;
    bench.index().server.put(&testkit::ServedIndex::file_path(&demo.file_name), other);
    let run = bench.fail(&["--locked"], 4);
    assert_says(&run.told(), &[&demo.file_name]);
    assert!(!blob.exists(), "what is damaged does not stay");
}

#[test]
fn requirements_that_cannot_hold_together_end_the_build_under_every_policy() {
    let files =
        || [WheelBuilder::new("parent", "1.0").requires("demo<2").build(), wheel("demo", "1.0"), wheel("demo", "2.0")];
    for resolution in [Value::Null, json!({ "allowSourceAll": true, "strictMissing": false })] {
        let bench = Bench::of(json!({ "dependencies": ["parent", "demo==2.0"], "resolution": resolution }), files());
        let run = bench.fail(&[], 1);
        assert_eq!(run.error()["code"], "E_RESOLVE");
        assert_says(&run.told(), &["parent", "demo<2", "demo==2.0"]);
        assert!(!bench.prefix().exists());
    }
}

#[test]
fn what_a_package_requires_and_no_wheel_fits_is_left_out_with_its_parent_named() {
    let bench = Bench::of(
        json!({ "dependencies": ["parent"], "resolution": { "strictMissing": false } }),
        [WheelBuilder::new("parent", "1.0").requires("child").build(), SdistBuilder::new("child", "1.0").build()],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["parent 1.0"]);
    assert_says(&run.rules().join("\n"), &["left-out child: no wheel fits"]);
    assert_says(&run.warnings().join("\n"), &["W_LEFT_OUT `child`", "W_UNMET_REQUIREMENT `parent` requires `child`"]);
}

#[test]
fn an_allowed_git_dependency_is_built_at_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    SdistBuilder::new("demo", "1.0").requires("helper").write_folder(folder.path());
    let repository = GitRepository::commit_all(folder.path());
    repository.tag("v1");
    let bench = Bench::of(
        json!({
            "dependencies": [format!("demo @ {}", repository.url(Some("v1")))],
            "resolution": { "allowSourceList": ["demo"] },
        }),
        [wheel("helper", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0", "helper 1.0"]);
    let WheelOrigin::Git { commit, .. } = &run.manifest().distributions[0].origin else { panic!("{}", run.told()) };
    assert_eq!(*commit, repository.commit);
    assert_eq!(bench.lock()["platforms"][host().as_str()]["distributions"][0]["source"]["commit"], repository.commit);
    // A tag can move; `--strict` wants the commit itself.
    bench.fail(&["--strict"], 2);
}

#[test]
fn a_local_wheel_and_a_local_folder_are_installed_and_a_change_in_them_is_noticed() {
    let bench = Bench::new([wheel("helper", "1.0")]);
    let tool = wheel("tool", "3.0");
    let package = format!("python-{PYTHON}");
    tool.write_to(&bench.repository.at(&format!("{package}/wheels")));
    SdistBuilder::new("demo", "1.0").requires("helper").write_folder(&bench.repository.at(&format!("{package}/demo")));
    bench.packages(json!({ "dependencies": [format!("./wheels/{}", tool.file_name), "demo @ ./demo"] }));
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0", "helper 1.0", "tool 3.0"]);
    let manifest = run.manifest();
    let path = |text: String| text.parse::<vocab::TreePath>().unwrap();
    let expected =
        WheelOrigin::Path { path: path(format!("{package}/wheels/{}", tool.file_name)), sha256: tool.sha256() };
    assert_eq!(manifest.distributions[2].origin, expected);
    let WheelOrigin::Path { path, .. } = &manifest.distributions[0].origin else { panic!("{manifest:?}") };
    assert_eq!(path.as_str(), format!("{package}/demo"));
    assert!(!bench.build().built());
    // Its size counts for what is unpacked and packed, and nothing of it is downloaded.
    let plan = bench.run(&["plan", PYTHON]);
    let rows = plan.line("plan").unwrap()["rows"].as_array().unwrap().clone();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
    assert_eq!((&row("tool")["action"], &row("tool")["size"]), (&json!("local-wheel"), &json!(tool.bytes.len())));
    assert!(row("demo")["size"].is_null(), "{}", row("demo"));

    bench.repository.file(&format!("{package}/demo/demo/more.py"), "answer = 42\n");
    let run = bench.fail(&["--locked"], 2);
    assert_eq!(run.error()["code"], "E_LOCK_STALE");
    assert!(bench.build().built());
    assert_eq!(bench.python("import demo.more; print(demo.more.answer)"), "42");
}

#[test]
fn a_pinned_package_is_taken_from_its_registry_and_no_other() {
    let marked = |text: &str| WheelBuilder::new("demo", "1.0").file("demo/__init__.py", format!("{text}\n")).build();
    let bench = Bench::new([marked("origin = 'default'"), wheel("demo", "9.0"), wheel("other", "1.0")]);
    let mut second = FixtureIndex::new();
    second.add(marked("origin = 'second'"));
    let second = second.serve();
    bench.config(json!({
        "registries": { "additional": [second.simple_url()], "pinned": { "demo": second.simple_url() } },
        "packages": { "dependencies": ["demo", "other"] },
    }));
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0", "other 1.0"]);
    assert_eq!(bench.python("import demo; print(demo.origin)"), "second");
    assert!(!bench.requests().iter().any(|path| path.contains("demo")), "{:?}", bench.requests());
    assert_eq!(builder_requests(&second, "demo-1.0-py3-none-any.whl"), 1);
}

#[test]
fn what_only_an_unreachable_registry_has_is_missing_where_that_is_allowed() {
    let url = "http://127.0.0.1:1/simple/";
    let bench = Bench::new([wheel("other", "1.0"), wheel("cudf-cu12", "25.6.0")]);
    bench.config(json!({
        "registries": { "additional": [url], "pinned": { "cudf-cu12": url } },
        "packages": { "dependencies": ["cudf-cu12", "other"] },
    }));
    let run = bench.fail(&[], 1);
    assert_eq!(run.error()["code"], "E_REGISTRY_UNREACHABLE");
    assert_says(&run.told(), &["`cudf-cu12` is not available", url]);
    let run = bench.build_with(&["--allow-missing"]);
    assert_eq!(run.installed(), ["other 1.0"]);
    assert_says(
        &run.rules().join("\n"),
        &["missing cudf-cu12: its index http://127.0.0.1:1/simple/ cannot be reached"],
    );
    assert_eq!(run.warnings().len(), 1, "{:?}", run.warnings());
    assert_says(&run.warnings()[0], &["W_REGISTRY_UNREACHABLE", url, "`cudf-cu12`"]);

    let run = bench.fail(&["--strict", "--allow-missing"], 1);
    assert_eq!(run.error()["code"], "E_REGISTRY_UNREACHABLE");
    assert_says(&run.told(), &[url, "`cudf-cu12`"]);
    // `--fail-on-missing` as well.
    bench.fail(&["--fail-on-missing"], 1);
}

/// How often a fixture that `marks` has run.
fn runs(marks: &Path) -> usize {
    fs::read_to_string(marks).map_or(0, |text| text.lines().count())
}

#[test]
fn case_seed_left_out_yet_run_no_code_runs_of_a_source_that_the_policy_forbids() {
    let marks = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let source = |name: &str| SdistBuilder::new(name, "1.0").dynamic().marks(&marks).build();
    let packages = |pin: &str| {
        json!({
            "dependencies": ["other==1.0", format!("demo{pin}"), "parent"],
            "resolution": { "allowSourceAll": false, "strictMissing": false },
        })
    };
    let parent = WheelBuilder::new("parent", "1.0").requires("child").build();
    let bench = Bench::new([wheel("other", "1.0"), source("demo"), source("child"), parent]);
    for pin in ["==1.0", ""] {
        bench.packages(packages(pin));
        let run = bench.run(&["plan", PYTHON]);
        assert_eq!(run.code, 0, "{}", run.told());
        let why = "is left out: no wheel fits, and its source is not allowed by the policy";
        assert_says(&run.told(), &[&format!("`demo` {why}"), &format!("`child` {why}")]);
        let run = bench.build();
        assert_eq!(run.installed(), ["other 1.0", "parent 1.0"]);
        assert_eq!(runs(&marks), 0, "for {pin:?}");
    }
}

#[test]
fn a_plan_says_whose_code_it_runs_and_no_build_runs_none_and_names_all() {
    let marks = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let source = |name: &str| SdistBuilder::new(name, "1.0").dynamic().requires("other").marks(&marks).build();
    let packages = json!({ "dependencies": ["demo", "more==1.0", "pinned==1.0", "other"] });
    let bench = Bench::of(packages, [source("demo"), source("more"), source("pinned"), wheel("other", "1.0")]);
    let run = bench.run(&["plan", PYTHON, "--no-build"]);
    assert_eq!(run.code, 1, "{}", run.told());
    assert_eq!(run.error()["code"], "E_NO_BUILD");
    assert_says(&run.told(), &["code of `demo`, `more`, `pinned` would have to run"]);
    assert_eq!(runs(&marks), 0);

    let run = bench.run(&["plan", PYTHON]);
    assert_eq!(run.code, 0, "{}", run.told());
    let notes: Vec<String> =
        run.lines.iter().filter(|line| line["event"] == "note").map(|line| line["text"].to_string()).collect();
    assert_says(&notes.join("\n"), &["resolving may run build back ends", "`demo`", "`more`", "`pinned`"]);
    assert!(runs(&marks) > 0);

    // With a lock, too, and of what a rule has built.
    let run = bench.fail(&["--no-build"], 1);
    assert_says(&run.told(), &["E_NO_BUILD", "code of `demo`, `more`, `pinned` would have to run"]);
    bench.packages(json!({
        "dependencies": ["other", "demo"], "forceSource": { "demo": { host().as_str(): "a reason" } },
    }));
    let run = bench.fail(&["--no-build"], 1);
    assert_says(&run.told(), &["code of `demo` would have to run"]);
    bench.packages(json!({ "dependencies": ["other"] }));
    assert_eq!(bench.build_with(&["--no-build"]).installed(), ["other 1.0"]);
}

#[test]
fn whose_code_is_run_is_said_once_and_of_nothing_that_is_not_in_the_runtime() {
    let marks = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let source = |name: &str| SdistBuilder::new(name, "1.0").dynamic().requires("other").marks(&marks).build();
    let parent = WheelBuilder::new("parent", "1.0").requires("demo").requires("child").build();
    let (demo, child, absent) = (source("demo"), source("child"), source("absent"));
    let files = [demo, wheel("demo", "1.0"), child, absent, wheel("other", "1.0"), parent];
    let bench = Bench::new(files);
    let rule = PlatformKey::ALL.map(|key| (key.to_string(), json!("the wheel is broken")));
    let rule: Value = serde_json::Map::from_iter(rule).into();
    bench.repository.shared(&json!({ "packages": { "forceSource": { "demo": rule, "child": rule, "absent": rule } } }));
    // Required by another one, so that only resolving finds out; one has no wheel.
    bench.packages(json!({ "dependencies": ["parent"] }));
    let run = bench.run(&["lock", PYTHON, "--platform", "all"]);
    assert_eq!(run.code, 0, "{}", run.told());
    let told = |line: &&Value| line["text"].as_str().is_some_and(|text| text.contains("may run build back ends"));
    let notes: String = run.lines.iter().filter(told).map(Value::to_string).collect();
    for (name, times) in [("`demo`", 1), ("`child`", 1), ("`absent`", 0)] {
        assert_eq!(notes.matches(name).count(), times, "{name} in {notes}");
    }
    assert!(runs(&marks) > 0);
    bench.packages(json!({ "dependencies": ["other"] }));
    let run = bench.run(&["lock", PYTHON]);
    assert!(run.code == 0 && !run.told().contains("may run build back ends"), "{}", run.told());
}

#[test]
fn case_field_build_requires_not_in_resolution_they_are_there_when_metadata_is_asked() {
    // The backend needs what it does not declare; the rule does.
    let demo = SdistBuilder::new("demo", "1.0").dynamic().runs("import tool").requires("helper").build();
    let rule = json!({ "reason": "needs tool to build", "buildRequires": ["tool==3.0"] });
    let bench = Bench::of(
        json!({ "dependencies": ["demo"], "buildWheel": { "demo": { host().as_str(): rule } } }),
        [demo, wheel("tool", "3.0"), wheel("helper", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0", "helper 1.0"]);
    assert_eq!(run.warnings(), Vec::<String>::new());
}

/// A build of this wheel alone.
fn bench_of(name: &str, wheel: FixtureFile) -> Bench {
    Bench::of(json!({ "dependencies": [name] }), [wheel])
}

#[test]
fn case_field_entry_point_named_python_ends_the_build() {
    let hpy = WheelBuilder::new("hpy", "1.0").file("hpy.py", "def main(): pass\n").console_script("python", "hpy:main");
    let run = bench_of("hpy", hpy.build()).fail(&[], 4);
    assert_eq!(run.error()["code"], "E_INSTALL");
    assert_says(&run.told(), &["hpy-1.0-py3-none-any.whl", "`bin/python`", "the interpreter"]);
}

#[test]
fn case_field_wheel_over_the_standard_library_ends_the_build() {
    let hover = || WheelBuilder::new("hover", "1.0").file("hover.py", "");
    for (path, owner) in [
        ("{data}/data/lib/python3.14/json/__init__.py", "a file of the interpreter"),
        ("{data}/data/lib/python314.zip", "the interpreter"),
        ("pip/__init__.py", "a file of `pip`, which came with the interpreter"),
    ] {
        let run = bench_of("hover", hover().file(path, "raise SystemExit(1)\n").build()).fail(&[], 4);
        assert_eq!(run.error()["code"], "E_INSTALL");
        assert_says(&run.told(), &["hover-1.0-py3-none-any.whl", owner]);
    }
}

#[test]
fn case_field_bom_in_entry_points_and_case_field_slash_in_script_name_give_scripts_that_run() {
    let text = "\u{feff}[console_scripts]\nhbom = hbom:run\nsub/cmd = hbom:run\n[Console_Scripts]\nnone = hbom:run\n";
    let hbom = WheelBuilder::new("hbom", "1.0")
        .file("hbom.py", "def run(): print('it runs')\n")
        .file("{dist-info}/entry_points.txt", text);
    let bench = bench_of("hbom", hbom.build());
    let run = bench.build();
    for script in ["hbom", "sub/cmd"] {
        assert_eq!(output(&mut Command::new(bench.prefix().join("bin").join(script))), "it runs", "for {script}");
    }
    let warnings = run.warnings().join("\n");
    assert_says(&warnings, &["W_WHEEL_SCRIPTS", "hbom-1.0-py3-none-any.whl", "`[Console_Scripts]`"]);
    let again = bench.build();
    assert_eq!(
        (again.built(), again.warnings()),
        (false, run.warnings()),
        "an up-to-date runtime repeats its warnings"
    );
    assert_eq!(bench.fail(&["--strict"], 4).error()["code"], "E_WHEEL");
}

#[test]
fn case_field_record_wrong_size_is_a_warning_with_the_facts() {
    let wheel = || WheelBuilder::new("hsize", "1.0").file("hsize.py", "x = 1\n");
    let size = RecordFault::WrongSize("hsize-1.0.dist-info/WHEEL".to_owned());
    let bench = bench_of("hsize", wheel().record_fault(size).build());
    let run = bench.build();
    assert_says(
        &run.warnings().join("\n"),
        &["W_WHEEL_RECORD", "hsize-1.0-py3-none-any.whl", "`hsize-1.0.dist-info/WHEEL` has", "bytes, its RECORD says"],
    );
    // Told again by a build that finds it unpacked.
    support::remove(&bench.prefix());
    assert_says(&bench.build().warnings().join("\n"), &["W_WHEEL_RECORD"]);
    assert_eq!(bench.fail(&["--strict"], 4).error()["code"], "E_WHEEL_RECORD");

    let code = RecordFault::WrongDigest("hsize.py".to_owned());
    let run = bench_of("hsize", wheel().record_fault(code).build()).fail(&[], 4);
    assert_eq!(run.error()["code"], "E_WHEEL_RECORD");
}

#[test]
fn what_only_the_code_of_a_source_tells_is_not_taken_over_to_another_platform_in_silence() {
    let marks = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let elsewhere = if host() == vocab::PlatformKey::WindowsX64 { "linux-x64" } else { "windows-x64" };
    let told = SdistBuilder::new("told", "1.0").requires("helper").marks(&marks).build();
    let untold = SdistBuilder::new("untold", "1.0").dynamic().requires("helper").build();
    let bench = Bench::of(json!({ "dependencies": ["told", "untold"] }), [told, untold, wheel("helper", "1.0")]);
    let run = bench.run(&["plan", PYTHON, "--platform", elsewhere]);
    let warnings = run.warnings().join("\n");
    assert_says(
        &warnings,
        &["W_REQUIREMENTS_ASSUMED the requirements of `untold` were computed by running its source on"],
    );
    assert!(!warnings.contains("`told`"), "{warnings}");
    assert_eq!(runs(&marks), 0, "what it requires stands in its metadata");
    // On its own platform nothing is assumed.
    assert!(!bench.run(&["plan", PYTHON]).warnings().join("\n").contains("W_REQUIREMENTS_ASSUMED"));
}

#[test]
fn case_field_offline_source_build_a_whole_build_needs_the_store_alone() {
    let source = SdistBuilder::new("demo", "1.0").build_requires("helper").build();
    let mut bench = Bench::of(json!({ "dependencies": ["demo"] }), [source, wheel("helper", "1.0")]);
    bench.build();
    // Nothing but the store is left, and the built wheel not in there either.
    bench.index = None;
    assert_eq!(bench.run(&["clean", PYTHON]).code, 0);
    fs::remove_dir_all(bench.path("uv-cache")).unwrap();
    support::remove(&bench.path("store/built"));
    assert_eq!(bench.build_with(&["--offline"]).installed(), ["demo 1.0"]);
}

#[test]
fn a_tag_that_no_release_has_is_named_by_the_plan_too() {
    let bench = Bench::new([]);
    bench.config(json!({ "python": { "sources": ["python-build-standalone"], "tag": "20991231" } }));
    for platforms in ["linux-x64", "all"] {
        let mut command = bench.command(&["plan", PYTHON, "--platform", platforms]);
        let run = support::run(command.env("PYDIST_PYTHON_MIRROR", bench.path("empty")));
        assert_eq!((run.code, &run.error()["code"]), (2, &json!("E_BASE_TAG")), "{}", run.told());
    }
}

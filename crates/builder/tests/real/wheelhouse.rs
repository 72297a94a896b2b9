//! A wheelhouse as its consumers use it: `python -m venv` with the runtime, then `pip install --no-index --find-links`
//! for one requirement or another, of which two may exclude each other.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::{FixtureFile, SdistBuilder, SdistStumble, WheelBuilder};

use crate::support::{Bench, assert_says, builder, host, output, run};

fn wheel(name: &str, version: &str, requires: &[&str]) -> FixtureFile {
    let wheel = WheelBuilder::new(name, version);
    requires.iter().fold(wheel, |wheel, requirement| wheel.requires(requirement)).build()
}

/// `left` wants `shared` before 2, and `right` from 2 on, as cudf-cu12 and the list's own pyarrow do.
fn excluding_each_other() -> Vec<FixtureFile> {
    vec![
        wheel("left", "1.0", &["shared<2", "alike"]),
        wheel("right", "1.0", &["shared>=2", "alike"]),
        wheel("shared", "1.5", &[]),
        wheel("shared", "2.5", &[]),
        wheel("alike", "1.0", &[]),
    ]
}

fn wheelhouse(bench: &Bench, dependencies: &[&str], resolution: &Value) {
    let packages = json!({ "dependencies": dependencies, "resolution": resolution });
    bench.config(json!({ "packages": packages, "layout": "wheelhouse" }));
}

/// `shared 1.5: left`, in the lock's order.
fn rows(bench: &Bench) -> Vec<String> {
    let lock = bench.lock();
    let rows = lock["platforms"][host().as_str()]["distributions"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let brought_by = |row: &Value| row["brought_by"].as_array().map(|names| names.iter().map(text).collect::<Vec<_>>());
    rows.iter()
        .map(|row| {
            let names = brought_by(row).unwrap_or_default().join(", ");
            format!("{} {}: {names}", text(&row["name"]), text(&row["version"]))
        })
        .collect()
}

/// A block's own environment: what pip installs into it of the prefix's wheels.
fn installs(prefix: &Path, environment: &Path, requirement: &str) -> String {
    output(Command::new(prefix.join("bin/python3")).args(["-m", "venv", "--without-pip"]).arg(environment));
    let python = environment.join("bin/python");
    let pip = Command::new(prefix.join("bin/python3"))
        .args(["-m", "pip", "--python"])
        .arg(&python)
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links"])
        .arg(prefix.join("packages"))
        .arg(requirement)
        .output()
        .unwrap();
    assert!(pip.status.success(), "{requirement}: {}", String::from_utf8_lossy(&pip.stderr));
    output(Command::new(python).args(["-I", "-c", &format!("import {requirement}, shared; print(shared.__version__)")]))
}

#[test]
fn p21_requirements_that_exclude_each_other_show_the_resolvers_whole_reason_unless_each_is_resolved_alone() {
    let bench = Bench::new(excluding_each_other());
    wheelhouse(&bench, &["left", "right"], &json!({}));
    let error = bench.fail(&[], 1).error().to_string();
    assert_says(&error, &["left", "right", "shared<2", "shared>=2"]);

    wheelhouse(&bench, &["left", "right"], &json!({ "scope": "each" }));
    let run = bench.build();
    assert_eq!(
        rows(&bench),
        ["alike 1.0: left, right", "left 1.0: left", "right 1.0: right", "shared 1.5: left", "shared 2.5: right"]
    );
    assert_eq!(run.installed(), ["alike 1.0", "left 1.0", "right 1.0", "shared 1.5", "shared 2.5"]);
    let manifest = run.manifest();
    let told: Vec<_> = manifest
        .environments
        .iter()
        .map(|it| (it.requirement.as_str(), it.files.len(), it.imported, it.allowed))
        .collect();
    assert_eq!(told, [("left", 3, 3, 0), ("right", 3, 3, 0)], "each was installed alone, and imported");
    assert_eq!(manifest.native.imported, 6);

    let unpacked = bench.unpacked(&run);
    assert_eq!(installs(&unpacked, &bench.path("venv-left"), "left"), "1.5");
    assert_eq!(installs(&unpacked, &bench.path("venv-right"), "right"), "2.5");

    assert!(!bench.build_with(&["--locked"]).built(), "it is up to date");
}

#[test]
fn p22_the_plan_says_which_requirement_brings_which_version() {
    let bench = Bench::new(excluding_each_other());
    wheelhouse(&bench, &["left", "right"], &json!({ "scope": "each" }));
    let plan = bench.run(&["plan", crate::support::PYTHON]);
    let rows = plan.line("plan").unwrap()["rows"].as_array().unwrap().clone();
    let shared: Vec<_> = rows.iter().filter(|row| row["name"] == "shared").collect();
    assert_eq!(shared.len(), 2);
    assert_eq!((&shared[0]["version"], &shared[0]["brought_by"]), (&json!("1.5"), &json!(["left"])));
    assert_eq!((&shared[1]["version"], &shared[1]["brought_by"]), (&json!("2.5"), &json!(["right"])));

    let mut command = bench.command(&["plan", crate::support::PYTHON]);
    let plain = builder(bench.repository.path(), &bench.path("store"));
    let environment: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let arguments = [vec!["plan", crate::support::PYTHON], vec!["--platform", "linux-x64,linux-aarch64"]];
    let mut tables = Vec::new();
    for arguments in [&arguments[..1], &arguments[..]] {
        command = Command::new(plain.get_program());
        command.current_dir(bench.repository.path()).envs(environment.clone()).args(arguments.concat());
        let finished = command.output().unwrap();
        tables.push(String::from_utf8(finished.stdout).unwrap());
    }
    for table in tables {
        let lines: Vec<String> =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let has = |start: &str, by: &str| lines.iter().any(|line| line.starts_with(start) && line.contains(by));
        assert!(lines[0].contains("brought by"), "{table}");
        assert!(has("shared 1.5", "left") && has("shared 2.5", "right"), "{table}");
        assert!(has("alike 1.0", "left, right"), "{table}");
    }
}

#[test]
fn p23_a_requirement_whose_question_is_the_same_is_not_resolved_again() {
    let bench = Bench::new(excluding_each_other().into_iter().chain([wheel("third", "1.0", &["shared"])]));
    wheelhouse(&bench, &["left", "right"], &json!({ "scope": "each" }));
    bench.run(&["plan", crate::support::PYTHON]);
    let before = bench.lock();
    wheelhouse(&bench, &["left", "right", "third"], &json!({ "scope": "each" }));
    let compiled = |run: &crate::support::Run| {
        run.lines.iter().filter(|line| line["event"] == "command" && line.to_string().contains("compile")).count()
    };
    let run = bench.run(&["plan", crate::support::PYTHON, "-v"]);
    assert_eq!(run.code, 0, "{}", run.told());
    let after = bench.lock();
    let alone = |lock: &Value| lock["platforms"][host().as_str()]["alone"].as_object().unwrap().clone();
    assert_eq!((alone(&before).len(), alone(&after).len()), (2, 3));
    assert!(alone(&before).iter().all(|(name, inputs)| alone(&after)[name] == *inputs));
    assert!(compiled(&run) <= 1, "{}", run.told());
    assert!(rows(&bench).contains(&"shared 2.5: right, third".to_owned()), "{:?}", rows(&bench));
}

#[test]
fn p24_what_requires_something_left_out_is_left_out_with_it_unless_it_is_kept() {
    let skip = json!({ "cuda": { host().as_str(): "no GPU here" } });
    let files = || {
        [
            wheel("fast", "1.0", &["middle"]),
            WheelBuilder::new("middle", "1.0").requires("cuda").file("middle/__init__.py", "import cuda\n").build(),
            wheel("slow", "1.0", &[]),
            wheel("cuda", "1.0", &[]),
        ]
    };
    for (scope, told) in [("joint", true), ("each", true), ("joint", false), ("each", false)] {
        let bench = Bench::new(files());
        if told {
            for (name, requires) in [("fast", "middle"), ("middle", "cuda")] {
                let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n");
                bench.index().server.put(&format!("/files/{name}-1.0-py3-none-any.whl.metadata"), text);
            }
        }
        let config = |dependants: &str| {
            let resolution = json!({ "scope": scope, "dependants": dependants });
            let packages = json!({ "dependencies": ["fast", "slow"], "skip": skip, "resolution": resolution });
            bench.config(json!({ "packages": packages, "layout": "wheelhouse" }));
        };
        config("leave-out");
        let plan = bench.run(&["plan", crate::support::PYTHON]);
        let planned = plan.line("plan").unwrap()["rows"].as_array().unwrap().clone();
        let fast = planned.iter().find(|row| row["name"] == "fast").unwrap();
        assert_eq!(fast["action"] == "skipped", told, "{scope}: the plan knows what the index tells: {fast}");
        let run = bench.build();
        assert_eq!(run.installed(), ["slow 1.0"], "{scope}");
        let rules = run.rules().join("\n");
        assert_says(&rules, &["skipped fast: it requires `middle`, which "]);
        assert_says(&rules, &["it requires `cuda`, which is skipped (no GPU here)"]);
        let warnings = run.warnings().join("\n");
        assert_says(&warnings, &["W_LEFT_OUT `fast` is left out"]);
        assert!(!bench.build().built(), "{scope}: it is up to date");
        let refused = bench.fail(&["--fail-on-missing"], 1);
        // What goes with something skipped counts, and each of it is named with what to do.
        let fault = refused.error().to_string();
        assert_says(&fault, &["E_NO_WHEEL", "`fast`", "`middle`", "would be left out on", "cuda", ", too, or ship"]);

        config("keep");
        let kept = |name: &str| format!("W_KEPT `{name}` is kept and cannot be imported: it requires `");
        let plan = bench.run(&["plan", crate::support::PYTHON]);
        let warned = |run: &crate::support::Run, name| run.warnings().iter().any(|line| line.starts_with(&kept(name)));
        let planned = plan.line("plan").unwrap()["rows"].as_array().unwrap().clone();
        for name in ["fast", "middle"] {
            let row = planned.iter().find(|row| row["name"] == name).unwrap();
            let reason = row["reason"].as_str().unwrap();
            assert_eq!((warned(&plan, name), reason.contains("cannot be imported")), (told, told), "{scope}: {row}");
        }
        assert!(!warned(&plan, "slow"));
        let run = bench.build();
        assert_eq!(run.installed(), ["fast 1.0", "middle 1.0", "slow 1.0"], "{scope}");
        // A named failure, which the manifest tells; nothing else of it is excused.
        let expected = "does not import, as expected: it requires `cuda`, which is skipped (no GPU here); missing \
                        dependency: cuda";
        let native = run.manifest().native;
        let told_of: Vec<&str> = native.warnings.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(told_of, [expected], "{scope}");
        let unmet = "W_UNMET_REQUIREMENT `middle` requires `cuda`, which is not in the runtime (skipped: no GPU here)";
        assert!(run.warnings().contains(&unmet.to_owned()), "{:?}", run.warnings());
    }
}

#[test]
fn p25_what_requires_a_source_that_does_not_build_goes_with_it() {
    let stumble = SdistStumble::Fail { message: "the fixture gives up".into() };
    for scope in ["joint", "each"] {
        let bench = Bench::new([
            wheel("fast", "1.0", &["broken"]),
            wheel("slow", "1.0", &[]),
            SdistBuilder::new("broken", "1.0").stumble(stumble.clone()).build(),
        ]);
        let resolution = json!({ "scope": scope, "allowSourceAll": true, "strictMissing": false });
        wheelhouse(&bench, &["fast", "slow"], &resolution);
        let run = bench.build();
        assert_eq!(run.installed(), ["slow 1.0"], "{scope}");
        let rules = run.rules().join("\n");
        assert_says(&rules, &["left-out broken: ", "left-out fast: it requires `broken`, which is left out ("]);
    }
}

#[test]
fn p26_a_source_is_shipped_as_it_is_where_the_policy_says_so() {
    let source = SdistBuilder::new("rpy2", "3.5").requires("alike").build();
    let bench = Bench::new([wheel("user", "1.0", &["rpy2"]), wheel("alike", "1.0", &[]), source.clone()]);
    for scope in ["joint", "each"] {
        wheelhouse(&bench, &["user", "rpy2"], &json!({ "scope": scope, "shipSourceList": ["rpy2"] }));
        let run = bench.build();
        assert_eq!(run.installed(), ["alike 1.0", "rpy2 3.5", "user 1.0"]);
        for root in [bench.prefix(), bench.unpacked(&run)] {
            assert_eq!(fs::read(root.join("packages").join(&source.file_name)).unwrap(), source.bytes);
        }
        let rules = run.rules();
        assert!(rules.contains(&"shipped-source rpy2: no wheel fits; built where it is used".to_owned()), "{rules:?}");
        let unmet = run.warnings().into_iter().filter(|line| line.contains("rpy2")).collect::<Vec<_>>();
        assert_eq!(unmet, Vec::<String>::new(), "it is there");
        crate::support::remove(&bench.path("unpacked"));
    }
}

#[test]
fn a_failing_import_says_which_requirement_brings_it() {
    let bench = Bench::new([
        wheel("left", "1.0", &[]),
        WheelBuilder::new("right", "1.0").file("right/__init__.py", "raise OSError('it does not load')\n").build(),
    ]);
    wheelhouse(&bench, &["left", "right"], &json!({ "scope": "each" }));
    let failed = run(bench.command(&[crate::support::PYTHON]).env("NO_COLOR", "1"));
    assert_eq!(failed.code, 3, "{}", failed.told());
    assert_says(&failed.told(), &["`right` and its dependencies, installed alone", "it does not load"]);
}

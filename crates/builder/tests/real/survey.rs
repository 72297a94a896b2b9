//! What looks around and asks an index: `check --online` and `outdated`, with the real uv and an index on loopback.

use std::fs;

use serde_json::{Value, json};
use testkit::{FixtureFile, SdistBuilder, WheelBuilder};

use crate::support::{Bench, PYTHON, Run, host};

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

fn sdist(name: &str, version: &str) -> FixtureFile {
    SdistBuilder::new(name, version).build()
}

fn here(reason: &str) -> Value {
    json!({ host().as_str(): reason })
}

/// Made for this machine alone, so that a lock is whole.
fn for_the_host_alone(bench: &Bench) {
    bench.made_for(&[host()]);
}

fn run(bench: &Bench, arguments: &[&str], code: i32) -> Run {
    let run = bench.run(arguments);
    assert_eq!(run.code, code, "{}", run.told());
    run
}

#[test]
fn rules_that_the_index_has_overtaken_are_told_with_the_version_that_has_a_wheel() {
    let bench = Bench::of(
        json!({
            "dependencies": ["demo==1.0", "late==1.0", "skipped==3.0", "source==1.0", "bound==1.0"],
            "forceSource": { "demo": here("it had none"), "late": here("none yet"), "source": here("none") },
            "skip": {
                "bound": here("it does not build"),
                "skipped": here("it did not build"), "hidden": here("it is required"), "nobody": here("it was required"),
            },
        }),
        [
            WheelBuilder::new("demo", "1.0").requires("hidden").build(),
            SdistBuilder::new("demo", "1.0").requires("hidden").build(),
            sdist("late", "1.0"),
            wheel("late", "1.4"),
            // Not for this Python.
            WheelBuilder::new("late", "1.5").requires_python(">=3.8,<3.14").build(),
            WheelBuilder::new("bound", "1.0").requires_python(">=3.8,<3.14").build(),
            WheelBuilder::new("bound", "1.1").requires_python("<3.14").build(),
            wheel("skipped", "3.0"),
            sdist("source", "1.0"),
            wheel("hidden", "1.0"),
            wheel("nobody", "1.0"),
        ],
    );
    for_the_host_alone(&bench);
    run(&bench, &["lock", PYTHON], 0);
    let told = |run: &Run| -> Vec<String> {
        run.warnings().into_iter().map(|line| line.replace(host().as_str(), "<host>")).collect()
    };
    assert_eq!(told(&run(&bench, &["check"], 0)), Vec::<String>::new(), "nobody was asked");
    let online = run(&bench, &["check", "--online"], 0);
    assert_eq!(
        told(&online),
        [
            "W_RULE_OVERTAKEN `forceSource` of `demo` on <host>: 1.0 has a wheel now, `demo-1.0-py3-none-any.whl`",
            "W_RULE_OVERTAKEN `forceSource` of `late` on <host>: 1.4 has a wheel, `late-1.4-py3-none-any.whl`; the \
             version that is asked for has none",
            "W_RULE_OVERTAKEN `skip` of `skipped` on <host>: 3.0 has a wheel now, `skipped-3.0-py3-none-any.whl`",
            "W_RULE_IDLE `skip` of `nobody` does nothing on <host>: nothing requires it",
        ]
    );
    run(&bench, &["check", "--online", "--strict"], 3);
}

#[test]
fn what_could_be_newer_is_told_apart_by_what_the_configuration_allows() {
    let packages = json!({ "dependencies": ["ranged>=1,<2", "pinned==1.0", "local==1.0+cu126"] });
    let old = || [wheel("ranged", "1.0"), wheel("pinned", "1.0"), wheel("local", "1.0+cu126")];
    let before = Bench::of(packages.clone(), old());
    run(&before, &["lock", PYTHON], 0);
    let of = |run: &Run| run.line("outdated").unwrap()["versions"][0]["packages"].clone();
    assert_eq!(of(&run(&before, &["outdated"], 0)), json!([]));

    // The same lock, against an index that has gone on.
    let lock = fs::read(before.repository.at(&format!("python-{PYTHON}/lock.json"))).unwrap();
    let later = |files: Vec<FixtureFile>| {
        let bench = Bench::of(packages.clone(), old().into_iter().chain(files));
        bench.repository.file(&format!("python-{PYTHON}/lock.json"), &lock);
        bench
    };
    let row = |name: &str, locked: Value, within: &str, version: &str, change: &str, requested: bool| {
        let mut row = json!({
            "name": name, "requested": requested, "platforms": [host().as_str()],
            "newer": { "within": within, "version": version }, "change": change,
        });
        if !locked.is_null() {
            row["locked"] = locked;
        }
        row
    };
    let newest_pin = row("pinned", json!("1.0"), "pin", "3.1", "major", true);
    // Beyond a pin is information; the lock is as new as it may be.
    let bench = later(vec![wheel("pinned", "3.1"), wheel("local", "2.0"), wheel("ranged", "2.5")]);
    assert_eq!(of(&run(&bench, &["outdated", PYTHON], 0)), json!([newest_pin]));

    let ranged = WheelBuilder::new("ranged", "1.2").requires("helper").build();
    let bench = later(vec![wheel("pinned", "3.1"), ranged, wheel("helper", "0.1")]);
    let behind = run(&bench, &["outdated"], 3);
    assert_eq!(
        of(&behind),
        json!([
            row("helper", Value::Null, "range", "0.1", "other", false),
            newest_pin,
            row("ranged", json!("1.0"), "range", "1.2", "minor", true),
        ])
    );
    let kept = fs::read(bench.repository.at(&format!("python-{PYTHON}/lock.json"))).unwrap();
    assert_eq!(kept, lock, "the lock is left as it is");
}

#[cfg(unix)]
#[test]
fn a_published_list_in_a_file_renews_the_table_of_releases() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = fs::read_to_string(root.join("crates/interpreter/data/python-build-standalone.json")).unwrap();
    let table: Value = serde_json::from_str(&table).unwrap();
    let known = &table["3.14.6"]["linux-x64"];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.json");
    let check = |path: &str, sha256: &str| {
        let url = format!("https://github.com/astral-sh/python-build-standalone/releases/download/{path}");
        let arch = json!({ "family": "x86_64", "variant": null });
        let row = json!({
            "name": "cpython", "arch": arch, "os": "linux", "libc": "gnu", "major": 3, "minor": 14, "patch": 6,
            "prerelease": "", "variant": null, "url": url.replace('+', "%2B"), "sha256": sha256,
        });
        fs::write(&file, json!({ "one": row }).to_string()).unwrap();
        let mut script = std::process::Command::new(root.join("scripts/python-releases"));
        let output = script.arg(&file).arg("--check").output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let path = known["path"].as_str().unwrap();
    assert_eq!(check(path, known["sha256"].as_str().unwrap()), (Some(0), String::new()));
    let (day, asset) = path.split_once('/').unwrap();
    let newer = format!("20991231/{}", asset.replace(day, "20991231"));
    assert_eq!(check(&newer, &"a".repeat(64)), (Some(1), format!("3.14.6 linux-x64: {newer}\n")));
    let older = format!("20200101/{}", asset.replace(day, "20200101"));
    let told = "1 rows of the list are older than ours and were left aside\n";
    assert_eq!(check(&older, &"a".repeat(64)), (Some(0), told.to_owned()));
    // What is no file of a release ends it.
    assert_eq!(check("20991231/../x-install_only.tar.gz", &"a".repeat(64)).0, Some(1));
}

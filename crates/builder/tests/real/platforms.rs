//! Several platforms in one run: one resolution and one lock for all, what is shared is done once, and what needs
//! another machine is named.

use std::fs;

use serde_json::{Value, json};
use testkit::{FixtureFile, SdistBuilder, WheelBuilder};
use vocab::{Manifest, PlatformKey, RuleOutcome};

use crate::support::{self, Bench, PYTHON, Run, assert_says, builder_requests, host};

/// A wheel of `native` for one platform.
fn native(version: &str, platform: &str) -> FixtureFile {
    WheelBuilder::new("native", version).tag(&format!("cp314-cp314-{platform}")).build()
}

const TAGS: [(&str, &str); 5] = [
    ("linux-x64", "manylinux_2_28_x86_64"),
    ("linux-aarch64", "manylinux_2_28_aarch64"),
    ("macosx-x64", "macosx_11_0_x86_64"),
    ("macosx-aarch64", "macosx_11_0_arm64"),
    ("windows-x64", "win_amd64"),
];

fn manifests(run: &Run) -> Vec<Manifest> {
    let products = run.lines.iter().filter_map(|line| line.get("manifest"));
    products.map(|manifest| serde_json::from_value(manifest.clone()).unwrap()).collect()
}

fn locked(lock: &Value, platform: &str, name: &str) -> Option<String> {
    let rows = lock["platforms"][platform]["distributions"].as_array()?;
    Some(rows.iter().find(|row| row["name"] == name)?["version"].as_str()?.to_owned())
}

#[test]
fn one_run_builds_every_platform_and_does_once_what_they_share() {
    let pure = WheelBuilder::new("pure", "1.0").console_script("pure", "pure:main").build();
    let pure_name = pure.file_name.clone();
    let wheels = TAGS.iter().map(|(_, tag)| native("2.0", tag));
    let bench = Bench::of(json!({ "dependencies": ["pure", "native"] }), wheels.chain([pure]));
    let run = bench.build_with(&["--platform", "all"]);

    let manifests = manifests(&run);
    let platforms: Vec<&str> = manifests.iter().map(|manifest| manifest.platform.as_str()).collect();
    assert_eq!(platforms, PlatformKey::ALL.map(PlatformKey::as_str));
    for (manifest, (platform, tag)) in manifests.iter().zip(TAGS) {
        assert_eq!(manifest.platform.as_str(), platform);
        let files: Vec<&str> = manifest.distributions.iter().map(|it| it.file.as_str()).collect();
        assert!(files.contains(&format!("native-2.0-cp314-cp314-{tag}.whl").as_str()), "{platform}: {files:?}");
        assert!(bench.repository.at(&format!("python-{PYTHON}/pydist/{platform}/pydist.json")).is_file());
    }
    assert_eq!(builder_requests(bench.index(), &pure_name), 1, "a pure wheel is fetched once");
    // The part of a pure wheel is the same wherever its files lie at the same paths: everywhere but on Windows.
    let part = |manifest: &Manifest| {
        let parts = &manifest.artifact.as_ref().unwrap().parts;
        parts.iter().find(|part| part.content == pure_name).map(|part| part.sha256)
    };
    let parts: Vec<_> = manifests.iter().map(part).collect();
    assert!(parts[0].is_some() && parts[..4].iter().all(|part| *part == parts[0]));

    let again = bench.build_with(&["--platform", "all"]);
    assert!(again.lines.iter().filter(|line| line.get("manifest").is_some()).all(|line| line["built"] == false));
}

#[test]
fn two_runs_give_equal_bytes_on_every_platform() {
    let wheels = TAGS.iter().map(|(_, tag)| native("2.0", tag));
    let bench = Bench::of(json!({ "dependencies": ["native"] }), wheels);
    let digests =
        |run: &Run| -> Vec<_> { manifests(run).iter().map(|it| it.artifact.as_ref().unwrap().sha256).collect() };
    let first = bench.build_with(&["--platform", "all"]);
    assert_eq!(bench.run(&["clean", PYTHON]).code, 0);
    let store = bench.make_store("second-store");
    let mut command = bench.command(&[PYTHON, "--platform", "all", "--locked", "--allow-stand-in"]);
    let second = support::run(command.env("PYDIST_STORE", store));
    assert_eq!(second.code, 0, "{}", second.told());
    assert_eq!((digests(&first).len(), digests(&first)), (5, digests(&second)));
}

#[test]
fn what_needs_a_native_runner_is_named_with_the_nearest_wheels_and_the_rest_is_built() {
    let foreign = if host() == PlatformKey::LinuxX64 { "linux-aarch64" } else { "linux-x64" };
    let tag = TAGS.iter().find(|(platform, _)| *platform == foreign).unwrap().1;
    let older = |version: &str| {
        let wheel = WheelBuilder::new("native", version).tag(&format!("cp314-cp314-{tag}"));
        wheel.requires_python(">=3.8,<3.14").build()
    };
    let bench = Bench::of(
        json!({
            "dependencies": ["native==2.0", "pure"],
            "forceSource": { "native": { foreign: "its wheels are broken there" } },
        }),
        TAGS.iter().map(|(_, tag)| native("2.0", tag)).chain([
            SdistBuilder::new("native", "2.0").build(),
            native("1.9", tag),
            native("2.1", tag),
            native("2.2", tag),
            // Nearer, and not for this Python.
            older("1.9.5"),
            older("2.0.5"),
            WheelBuilder::new("pure", "1.0").build(),
        ]),
    );
    let both = format!("{foreign},{}", host());
    let run = bench.run(&[PYTHON, "--platform", &both]);
    assert_eq!(run.code, 5, "{}", run.told());
    let manifests = manifests(&run);
    let rule = manifests[0].rules.iter().find(|row| row.outcome == RuleOutcome::NeedsNativeRunner).unwrap();
    assert_eq!(
        (rule.name.as_str(), rule.reason.as_str()),
        (
            "native",
            "its wheels are broken there; the nearest versions with a wheel are 1.9 and 2.1 (`native==2.0` excludes both)"
        )
    );
    let names = |manifest: &Manifest| -> Vec<String> {
        manifest.distributions.iter().map(|it| it.name.to_string()).filter(|name| name != "pip").collect()
    };
    assert_eq!(names(&manifests[0]), ["pure"], "the rest is built");
    assert_eq!(names(&manifests[1]), ["native", "pure"], "the other platform lacks nothing");
    assert_eq!(locked(&bench.lock(), foreign, "native").as_deref(), Some("2.0"), "the lock is for every runner");

    // With nothing but this platform asked for, and from the lock alone.
    assert_eq!(bench.run(&["plan", PYTHON, "--platform", foreign, "--locked", "--allow-stand-in"]).code, 5);
    let refused = bench.run(&[PYTHON, "--platform", foreign, "--fail-on-missing"]);
    assert_eq!((refused.code, &refused.error()["code"]), (1, &json!("E_NATIVE_RUNNER")), "{}", refused.told());
    assert_says(&refused.told(), &["`native` has to be compiled on", foreign, "1.9 and 2.1"]);
}

#[test]
fn a_source_of_pure_python_is_built_here_for_every_platform() {
    let bench = Bench::of(json!({ "dependencies": ["source==1.0"] }), [SdistBuilder::new("source", "1.0").build()]);
    let run = bench.build_with(&["--platform", "all"]);
    let wheels: Vec<_> = manifests(&run)
        .iter()
        .map(|it| it.distributions.iter().find(|it| it.name.as_str() == "source").map(|it| it.sha256))
        .collect();
    assert!(wheels.len() == 5 && wheels[0].is_some() && wheels.iter().all(|wheel| *wheel == wheels[0]), "{wheels:?}");
}

#[test]
fn platforms_agree_on_versions_and_a_new_platform_follows_the_lock() {
    let old = || TAGS.iter().map(|(_, tag)| native("1.0", tag));
    let first = Bench::of(json!({ "dependencies": ["native"] }), old());
    assert_eq!(first.run(&["plan", PYTHON]).code, 0);

    let newer = TAGS.iter().map(|(_, tag)| native("2.0", tag));
    let bench = Bench::of(json!({ "dependencies": ["native"] }), old().chain(newer));
    let lock = format!("python-{PYTHON}/lock.json");
    fs::copy(first.repository.at(&lock), bench.repository.at(&lock)).unwrap();
    assert_eq!(bench.run(&["plan", PYTHON, "--platform", "all"]).code, 0);
    for (platform, _) in TAGS {
        assert_eq!(locked(&bench.lock(), platform, "native").as_deref(), Some("1.0"), "for {platform}");
    }
    assert_eq!(bench.run(&["lock", PYTHON, "--platform", "all"]).code, 0);
    for (platform, _) in TAGS {
        assert_eq!(locked(&bench.lock(), platform, "native").as_deref(), Some("2.0"), "for {platform}");
    }
}

#[test]
fn a_platform_keeps_an_older_version_where_the_newer_one_has_no_wheel() {
    let newer = TAGS[..2].iter().map(|(_, tag)| native("2.0", tag));
    let old = TAGS.iter().map(|(_, tag)| native("1.0", tag));
    let bench = Bench::of(json!({ "dependencies": ["native"] }), newer.chain(old));
    assert_eq!(bench.run(&["lock", PYTHON, "--platform", "all"]).code, 0);
    let versions = TAGS.map(|(platform, _)| locked(&bench.lock(), platform, "native").unwrap());
    assert_eq!(versions, ["2.0", "2.0", "1.0", "1.0", "1.0"]);
}

#[test]
fn packages_are_shown_where_no_source_has_an_interpreter() {
    let wheels = TAGS.iter().map(|(_, tag)| native("2.0", tag));
    let bench = Bench::new(wheels);
    // Only 3.14.6 can be had, and `--exact` refuses it.
    let packages = json!({ "dependencies": ["native"] });
    bench.repository.version("3.14.5", &json!({ "packages": packages, "python": { "sources": ["go-module"] } }));
    let run = bench.run(&["plan", "3.14.5", "--platform", "all", "--exact"]);
    assert_eq!(run.code, 1, "nothing can be made: {}", run.told());
    let plans: Vec<&Value> = run.lines.iter().filter(|line| line["event"] == "plan").collect();
    assert_eq!(plans.len(), 5);
    for plan in plans {
        assert!(plan["rows"].as_array().unwrap().iter().any(|row| row["name"] == "native" && row["action"] == "wheel"));
        assert_says(plan["base"].as_str().unwrap(), &["only a stand-in", "go-module"]);
    }
}

#[test]
fn an_older_system_takes_other_wheels() {
    let files = ["manylinux_2_17_x86_64", "macosx_11_0_x86_64"].map(|tag| native("1.0", tag));
    let newer = ["manylinux_2_28_x86_64", "macosx_12_0_x86_64"].map(|tag| native("2.0", tag));
    let bench = Bench::new(files.into_iter().chain(newer));
    let config = |oldest: Value| json!({ "packages": { "dependencies": ["native"] }, "oldestSystem": oldest });
    let cases = [
        // (oldestSystem, version on Linux, version on macOS)
        (json!({}), "2.0", "2.0"),
        (json!({ "linux-x64": "2.17" }), "1.0", "2.0"),
        (json!({ "linux-x64": "2.34", "macosx-x64": "11" }), "2.0", "1.0"),
    ];
    for (oldest, linux, macos) in cases {
        bench.config(config(oldest.clone()));
        // One after the other: together they would agree on a version that fits both.
        for platform in ["linux-x64", "macosx-x64"] {
            let run = bench.run(&["lock", PYTHON, "--platform", platform]);
            assert_eq!(run.code, 0, "{}", run.told());
        }
        let found = ["linux-x64", "macosx-x64"].map(|platform| locked(&bench.lock(), platform, "native").unwrap());
        assert_eq!(found, [linux, macos], "for {oldest}");
    }
}

/// `all` is what the roots name, and a lock that is made anew for all of them keeps rows of no other platform.
#[test]
fn a_lock_of_all_platforms_has_the_rows_that_the_roots_name() {
    let bench = Bench::of(json!({ "dependencies": ["pure"] }), [WheelBuilder::new("pure", "1.0").build()]);
    let locked = || -> Vec<String> {
        let text = fs::read_to_string(bench.repository.at(&format!("python-{PYTHON}/lock.json"))).unwrap();
        let lock: Value = serde_json::from_str(&text).unwrap();
        lock["platforms"].as_object().unwrap().keys().cloned().collect()
    };
    bench.made_for(&[PlatformKey::LinuxX64, PlatformKey::WindowsX64]);
    assert_eq!(bench.run(&["lock", PYTHON, "--platform", "all"]).code, 0);
    assert_eq!(locked(), ["linux-x64", "windows-x64"]);
    // Another one by name is an addition, and `check` says how to be rid of it.
    let run = bench.run(&["lock", PYTHON, "--platform", "macosx-x64"]);
    assert_says(&run.told(), &["W_ROOTS", "is not made for macosx-x64"]);
    assert_eq!(locked(), ["linux-x64", "macosx-x64", "windows-x64"]);
    assert_says(&bench.run(&["check"]).told(), &["W_LOCK_PLATFORMS", "--platform all`, which drops them"]);
    let run = bench.run(&["lock", PYTHON, "--platform", "all"]);
    assert_says(&run.told(), &["the rows of macosx-x64 are removed from the lock"]);
    assert_eq!(locked(), ["linux-x64", "windows-x64"]);
    // So does a build after the roots became fewer: `check` agrees with what `--platform all` does.
    bench.made_for(&[PlatformKey::LinuxX64]);
    assert_eq!(bench.run(&["lock", PYTHON, "--platform", "all"]).code, 0);
    assert!(!bench.run(&["check"]).told().contains("W_LOCK_PLATFORMS"));
}

//! What a person sees of the commands that look and change nothing: `matrix`, `check`, `diff`. Needs neither network,
//! uv nor Python; what asks an index stands in `real/survey.rs`.

use std::collections::{BTreeMap, BTreeSet};

use config_merger::{LoadOptions, Repository};
use resolve::{Lock, LockedDistribution, LockedSource, PlatformLock, Request};
use serde_json::{Value, json};
use testkit::{HOSTILE_TEXT, assert_harmless};
use vocab::{Digest, PlatformKey, VersionString};

use crate::desk::Desk;

/// `demo 1.0` is a wheel, `demo 1.0 sdist` a source.
fn row(text: &str) -> LockedDistribution {
    let mut words = text.split(' ');
    let (name, version) = (words.next().unwrap(), words.next().unwrap());
    let (sha256, size) = (Digest::of(text), Some(1000));
    let source = match words.next() {
        None => {
            LockedSource::Wheel { file: format!("{name}-{version}-py3-none-any.whl").parse().unwrap(), sha256, size }
        }
        Some("sdist") => {
            LockedSource::Sdist { file: format!("{name}-{version}.tar.gz").parse().unwrap(), sha256, size }
        }
        Some(other) => panic!("no kind of row: {other}"),
    };
    LockedDistribution {
        name: name.parse().unwrap(),
        version: Some(version.into()),
        source,
        registry: None,
        brought_by: BTreeSet::new(),
    }
}

/// Nothing here depends on the machine that runs it.
fn desk() -> Desk {
    Desk { hides_host: false, ..Desk::new() }
}

/// Fresh rows for these platforms, the same for each.
fn lock(desk: &Desk, version: &str, platforms: &[PlatformKey], rows: &[&str]) {
    let version: VersionString = version.parse().unwrap();
    let repository = Repository::at(desk.repository.path());
    let config = config_merger::load(&repository, &version, &LoadOptions::default()).unwrap().config;
    let folder = desk.repository.at(&version.folder_name());
    let mut lock = Lock::read(&folder, &version).unwrap().unwrap_or_else(|| Lock::new(version.clone()));
    for platform in platforms {
        let inputs = Request::new(&config, *platform).inputs(&BTreeMap::new());
        let distributions = rows.iter().map(|text| row(text)).collect();
        lock.platforms.insert(
            *platform,
            PlatformLock { inputs, uv: "0.13.9".into(), alone: BTreeMap::new(), distributions, left_out: vec![] },
        );
    }
    lock.write(&folder).unwrap();
}

/// Version 3.12.10 of wheels alone but on one platform; 3.12.10-atls with a source that has no wheel anywhere.
fn locked_desk() -> Desk {
    let desk = desk();
    desk.shared(r#"{ "packages": { "forceSource": { "demo": { "macosx-aarch64": "no wheel for M processors" } } } }"#);
    lock(&desk, "3.12.10", &PlatformKey::ALL, &["demo 1.0", "other 2.0"]);
    lock(&desk, "3.12.10", &[PlatformKey::MacosxAarch64], &["demo 1.0 sdist", "other 2.0"]);
    lock(&desk, "3.12.10-atls", &PlatformKey::ALL, &["tool 3.0 sdist"]);
    desk
}

#[test]
fn what_any_machine_can_build_is_one_linux_job_and_every_source_build_one_of_its_own() {
    let text = locked_desk().run("--quiet matrix --format github");
    let line = text.lines().nth(3).unwrap();
    let matrix: Value = serde_json::from_str(line).unwrap();
    insta::assert_snapshot!(format!("{matrix:#}"));
}

#[test]
fn a_native_matrix_has_a_job_for_each_platform_on_a_machine_of_its_own() {
    let text = locked_desk().run("--quiet matrix 3.12.10 --format github --native");
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    let matrix: Value = serde_json::from_str(line).unwrap();
    let jobs = matrix["include"].as_array().unwrap().iter();
    let jobs: Vec<[&str; 2]> = jobs.map(|job| ["platforms", "runner"].map(|key| job[key].as_str().unwrap())).collect();
    assert_eq!(
        jobs,
        [
            ["linux-x64", "ubuntu-24.04"],
            ["linux-aarch64", "ubuntu-24.04-arm"],
            ["macosx-x64", "macos-15-intel"],
            ["macosx-aarch64", "macos-15"],
            ["windows-x64", "windows-2025"],
        ]
    );
    assert_eq!(matrix["include"][1]["reason"], "wheels only, on its own platform");
}

#[test]
fn a_matrix_is_printed_in_the_form_of_the_system_that_runs_it() {
    let desk = locked_desk();
    let gitlab = desk.run("matrix 3.12.10 --format gitlab --runner macosx-aarch64=mac,m4");
    let image = "--runner linux-x64=registry.example.org/pydist:1 --runner windows-x64=registry.example.org/pydist:w";
    let kubernetes = desk.run(&format!("matrix 3.12.10 --format kubernetes {image}"));
    insta::assert_snapshot!([gitlab, kubernetes].join("\n"));
}

#[test]
fn a_matrix_says_what_it_does_not_know() {
    let desk = desk();
    lock(&desk, "3.12.10", &[PlatformKey::LinuxX64], &["demo 1.0"]);
    let artifact = json!({ "artifact": {
        "type": "environment", "runtime": "python", "registry": "r", "python-version": "3.12.10", "binDir": "bin",
        "roots": { "linux-x64": "./pydist/linux-x64", "windows-x64": "./pydist/windows-x64" },
    } });
    let package = json!({ "block-software": { "entrypoints": { "main": { "environment": artifact } } } });
    desk.repository.file("python-3.12.10/package.json", package.to_string());
    desk.repository.version("3.10.1", &json!({ "python": { "sources": ["python-build-standalone"] } }));
    let lines = [
        "matrix 3.12.10 --format github",
        "matrix 3.10.1 --format github --platform linux-x64",
        "matrix 3.12.10 --format github --runner macos-arm64=x",
        "matrix 3.12.10 --format github --published nowhere",
    ];
    insta::assert_snapshot!(lines.map(|line| desk.run(line)).join("\n"));
}

#[test]
fn runners_of_the_configuration_hold_before_the_hosted_ones_and_the_command_line_before_both() {
    let desk = locked_desk();
    desk.shared(
        r#"{
  "packages": { "forceSource": { "demo": { "macosx-aarch64": "no wheel for M processors" } } },
  "runners": { "github": { "linux-x64": "ours", "macosx-aarch64": "self-hosted, mac" } }
}"#,
    );
    let runners = |line: &str| -> Vec<Value> {
        let text = desk.run(line);
        let matrix: Value = serde_json::from_str(text.lines().nth(3).unwrap()).unwrap();
        matrix["include"].as_array().unwrap().iter().map(|job| job["runner"].clone()).collect()
    };
    let line = "-q matrix 3.12.10 --format github";
    assert_eq!(runners(line), [json!("ours"), json!(["self-hosted", "mac"])]);
    assert_eq!(runners(&format!("{line} --runner linux-x64=mine")), [json!("mine"), json!(["self-hosted", "mac"])]);
}

#[test]
fn what_is_published_under_the_same_build_key_needs_no_job() {
    let desk = locked_desk();
    let version: VersionString = "3.12.10".parse().unwrap();
    let repository = Repository::at(desk.repository.path());
    let config = config_merger::load(&repository, &version, &LoadOptions::default()).unwrap().config;
    let lock = Lock::read(&desk.repository.at("python-3.12.10"), &version).unwrap().unwrap();
    let keys = |platform: PlatformKey| {
        let inputs = pipeline::build_key::KeyInputs {
            config: &config,
            request: &Request::new(&config, platform),
            lock: lock.platforms[&platform].digest(),
            extra: Vec::new(),
            left_out: &[],
            repository: desk.repository.path(),
            source_date_epoch: archive::DEFAULT_MTIME,
            strict: false,
            emulator: None,
        };
        pipeline::build_key::predicted_keys(&inputs).unwrap()
    };
    let mut catalogue: Value =
        serde_json::from_str(include_str!("../../../../fixtures/catalogue/catalogue-format-1.json")).unwrap();
    let entry = catalogue["entries"][0].clone();
    let entries = [PlatformKey::LinuxX64, PlatformKey::MacosxAarch64].map(|platform| {
        let mut entry = entry.clone();
        entry["runtime"] = json!(version);
        entry["platform"] = json!(platform);
        entry["build_key"] = json!(keys(platform)[0]);
        entry
    });
    catalogue["entries"] = json!(entries);
    desk.repository.file("published/catalogue.json", catalogue.to_string());
    let platforms = |line: &str| -> Vec<String> {
        let text = desk.run(line);
        let matrix: Value = serde_json::from_str(text.lines().nth(3).unwrap()).unwrap();
        let jobs = matrix["include"].as_array().unwrap().iter();
        jobs.map(|job| job["platforms"].as_str().unwrap().to_owned()).collect()
    };
    let line = "-q matrix 3.12.10 --format github --published published";
    assert_eq!(platforms(line), ["linux-aarch64 macosx-x64 windows-x64"]);
    // Another configuration is another runtime.
    desk.version(r#"{ "layout": "both", "packages": { "dependencies": ["demo==1.0"] } }"#);
    assert_eq!(platforms(line).len(), 2);
}

#[test]
fn rules_and_whitelist_entries_that_do_nothing_are_told_where_every_lock_is_known() {
    let desk = desk();
    desk.shared(
        r#"{
  "packages": {
    "skip": { "demo": { "windows-x64": "not there" }, "elsewhere": { "linux-x64": "perhaps something requires it" } },
    "forceSource": { "gone": { "linux-x64": "it was needed once" }, "tool": { "linux-x64": "it has no wheel" } },
    "noDeps": ["demo", "former"],
    "resolution": { "allowSourceList": ["other"], "allowSourceAll": true }
  }
}"#,
    );
    let whitelist = json!({
        "demo-*.whl": { "demo": "fails" },
        "gone-*.whl": { "gone": { "error": "fails", "expires": "2020-01-31" } },
        "tool-*.whl": { "tool": "fails" },
    });
    desk.repository.file("checker/whitelists/linux-x64.json", whitelist.to_string());
    for version in ["3.12.10", "3.12.10-atls"] {
        lock(&desk, version, &PlatformKey::ALL, &["demo 1.0", "other 2.0", "tool 3.0 sdist"]);
    }
    // A single version says nothing of what others share.
    let lines = ["check", "check --strict", "check 3.12.10"];
    insta::assert_snapshot!(lines.map(|line| desk.run(line)).join("\n"));
}

#[test]
fn sources_to_ship_that_no_lock_has_are_named_as_idle_rules_are() {
    let desk = desk();
    let shared = json!({
        "layout": "wheelhouse", "packages": { "resolution": { "shipSourceList": ["gone", "tool"] } }
    });
    desk.shared(&shared.to_string());
    for version in ["3.12.10", "3.12.10-atls"] {
        lock(&desk, version, &PlatformKey::ALL, &["demo 1.0", "other 2.0", "tool 3.0 sdist"]);
    }
    let told = desk.run("check");
    assert!(told.contains("`resolution.shipSourceList` of `gone` does nothing: no lock has it"), "{told}");
    assert!(!told.contains("shipSourceList` of `tool`"), "{told}");
}

#[test]
fn k5_folders_workspace_and_catalogue_name_the_same_versions() {
    let desk = desk();
    let reference = |name: &str| json!({ "reference": format!("{name}/dist/tengo/software/main.sw.json") });
    let catalogue = |entry_points: Value, dependencies: Value| {
        json!({ "block-software": { "entrypoints": entry_points }, "dependencies": dependencies }).to_string()
    };
    let (plain, atls) = ("pydist-python-3.12.10", "pydist-python-3.12.10-atls");
    let both = json!({ "3.12.10": reference(plain), "3.12.10-atls": reference(atls) });
    desk.repository.file("package.json", json!({ "workspaces": ["catalogue", "python-*"] }).to_string());
    for name in [plain, atls] {
        let artifact = json!({
            "type": "environment", "runtime": "python", "registry": "scope", "python-version": "3.12.10",
            "roots": { "linux-x64": "./pydist/linux-x64" }, "binDir": "bin",
        });
        let entry_points = json!({ "main": { "environment": { "artifact": artifact } } });
        let package =
            json!({ "name": name, "version": "1.0.0", "block-software": { "entrypoints": entry_points } }).to_string();
        desk.repository.file(&format!("{}/package.json", name.trim_start_matches("pydist-")), package);
    }
    let dependencies = json!({ plain: "*", atls: "*" });
    desk.repository.file("catalogue/package.json", catalogue(both.clone(), dependencies));
    let fine = desk.run("check");
    // The real fault of a public repository: an entry point without its dependency.
    desk.repository.file("catalogue/package.json", catalogue(both, json!({ plain: "*" })));
    let without_dependency = desk.run("check");
    desk.repository.file("package.json", json!({ "workspaces": ["python-3.12.10"] }).to_string());
    let wrong = json!({ "3.12.10": reference(atls), "3.9.9": reference("pydist-python-3.9.9") });
    desk.repository.file("catalogue/package.json", catalogue(wrong, json!({ plain: "*", atls: "*" })));
    insta::assert_snapshot!([fine, without_dependency, desk.run("check")].join("\n"));
}

#[test]
fn two_versions_are_compared_by_their_locks() {
    let desk = locked_desk();
    desk.repository.version("3.12.10-next", &json!({ "packages": { "dependencies": ["demo==1.1"] } }));
    lock(&desk, "3.12.10-next", &[PlatformKey::LinuxX64], &["demo 1.1", "new 1.0"]);
    lock(&desk, "3.12.10-next", &[PlatformKey::MacosxAarch64], &["demo 1.0", "other 2.0"]);
    let lines = [
        "diff 3.12.10 3.12.10-next",
        "diff 3.12.10 3.12.10",
        "diff 3.12.10 python-3.12.10-next/lock.json --markdown",
        "diff 3.12.10 3.99.0",
        "diff 3.12.10 shared-config.json",
        "diff 3.12.10 dist/nowhere.tar.zst",
    ];
    insta::assert_snapshot!(lines.map(|line| desk.run(line)).join("\n"));
}

/// Requirements resolved each for itself: a runtime holds several versions of one distribution.
#[test]
fn several_versions_of_a_distribution_are_compared_one_by_one() {
    let desk = desk();
    let write = |file: &str, rows: &[(&str, &str)]| {
        let version: VersionString = "3.12.10".parse().unwrap();
        let of = |(text, by): &(&str, &str)| LockedDistribution {
            brought_by: by.split(' ').map(|name| name.parse().unwrap()).collect(),
            ..row(text)
        };
        let (inputs, distributions) = (Digest::of("inputs"), rows.iter().map(of).collect());
        let rows =
            PlatformLock { inputs, uv: "0.13.9".into(), alone: BTreeMap::new(), distributions, left_out: vec![] };
        let mut lock = Lock::new(version);
        lock.platforms.insert(PlatformKey::LinuxX64, rows);
        std::fs::create_dir_all(desk.repository.at(file)).unwrap();
        lock.write(&desk.repository.at(file)).unwrap();
    };
    let before = [("numpy 1.26.4", "left both"), ("numpy 2.2.0", "right"), ("six 1.16", "left")];
    write("before", &before);
    write("same", &before);
    write("after", &[("numpy 1.26.4", "left"), ("numpy 2.3.0", "right both"), ("six 1.16", "left")]);
    let same = desk.run("diff before/lock.json same/lock.json");
    assert!(same.contains("no difference"), "{same}");
    let told = desk.run("diff before/lock.json after/lock.json");
    // Both versions, each beside what took its place; `six` is the same.
    for (old, new) in
        [("1.26.4 (for both, left)", "1.26.4 (for left)"), ("2.2.0 (for right)", "2.3.0 (for both, right)")]
    {
        let line = told.lines().find(|line| line.contains(old)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.starts_with("changed") && line.contains("numpy") && line.contains(new), "{told}");
    }
    assert!(!told.contains("six") && told.matches("numpy").count() == 2, "{told}");
}

/// Before a build, and for all that needs it.
#[test]
fn p24_what_is_kept_without_its_requirement_is_known_with_all_that_needs_it() {
    let desk = desk();
    let found = |dependants: &str, left_out: &[vocab::RuleRecord]| -> Vec<String> {
        let packages = json!({
            "dependencies": ["fast"], "skip": { "cuda": { "linux-x64": "no GPU" } },
            "resolution": { "dependants": dependants },
        });
        desk.version(&json!({ "layout": "wheelhouse", "packages": packages }).to_string());
        let repository = Repository::at(desk.repository.path());
        let loaded = config_merger::load(&repository, &"3.12.10".parse().unwrap(), &LoadOptions::default()).unwrap();
        let request = Request::new(&loaded.config, PlatformKey::LinuxX64);
        let members = [
            ("fast", vec!["middle>=1".to_owned(), "cuda; sys_platform == 'win32'".to_owned()]),
            ("middle", vec!["cuda".to_owned()]),
            ("slow", vec!["fast; extra == 'speed'".to_owned()]),
            ("other", vec!["gone".to_owned()]),
        ]
        .map(|(name, requires)| (name.parse::<vocab::DistributionName>().unwrap(), requires));
        let members: Vec<_> = members.iter().map(|(name, requires)| (name, &requires[..])).collect();
        let kept = resolve::kept_dependants(&request, left_out, &members);
        kept.into_iter().map(|(name, why)| format!("{name}: {why}")).collect()
    };
    let middle = "it requires `cuda`, which is skipped (no GPU)";
    let fast = format!("fast: it requires `middle`, which lacks something ({middle})");
    assert_eq!(found("keep", &[]), [fast.clone(), format!("middle: {middle}")]);
    let gone = vocab::RuleRecord {
        name: "gone".parse().unwrap(),
        outcome: vocab::RuleOutcome::LeftOut,
        reason: "no wheel fits".into(),
    };
    let other = "other: it requires `gone`, which is left out (no wheel fits)".to_owned();
    assert_eq!(found("keep", std::slice::from_ref(&gone)), [fast, format!("middle: {middle}"), other]);
    assert_eq!(found("leave-out", &[gone]), [""; 0]);
}

#[test]
fn two_manifests_are_compared_with_sizes_rules_and_what_an_update_costs() {
    let desk = desk();
    let text = include_str!("../../../../fixtures/manifest/format-2.json");
    let mut newer = archive::read_manifest(text.as_bytes()).unwrap();
    desk.repository.file("older.json", archive::write_manifest(&newer));
    newer.base.actual.patch += 1;
    newer.installed_size += 1_000_000;
    newer.files -= 3;
    newer.rules.pop();
    newer.distributions[0].version = "9.9".into();
    newer.distributions[0].sha256 = Digest::of("another");
    desk.repository.file("newer.json", archive::write_manifest(&newer));
    let told: Value =
        serde_json::from_str(desk.run("diff older.json newer.json --json").lines().nth(3).unwrap()).unwrap();
    assert_eq!((&told["event"], told["platforms"][0]["sizes"]["files"]["before"].is_u64()), (&json!("diff"), true));
    insta::assert_snapshot!(desk.run("diff older.json newer.json"));
}

/// What a manifest of somebody else says is shown, and does nothing.
#[test]
fn attack_7_a_hostile_manifest_controls_neither_a_terminal_nor_a_runner() {
    let desk = desk();
    let former = include_str!("../../../../fixtures/manifest/format-4.json");
    let mut manifest: Value = serde_json::from_str(former).unwrap();
    for pointer in ["/base/origin", "/base/absent/0", "/distributions/0/version", "/distributions/0/licence"] {
        *manifest.pointer_mut(pointer).unwrap() = json!(HOSTILE_TEXT);
    }
    for rule in 0..3 {
        manifest["rules"][rule]["reason"] = json!(HOSTILE_TEXT);
    }
    desk.repository.file("former.json", former);
    desk.repository.file("hostile.json", manifest.to_string());
    let summary = desk.folder.path().join("summary.md").display().to_string();
    let in_github = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.as_str())];
    for line in [
        "diff former.json hostile.json",
        "diff former.json hostile.json --markdown",
        "--json diff former.json hostile.json",
    ] {
        let text = desk.run_with(line, &in_github);
        assert!(text.contains("exit 0") && text.contains("set-output"), "{text}");
        assert_harmless(&text);
        assert!(!line.contains("--markdown") || !text.contains("![]("), "{text}");
    }
}

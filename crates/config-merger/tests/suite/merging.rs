//! How the two files become one: cases M1 to M15, M23 and M24.

use config_merger::{Dependants, LoadOptions, Scope, SourcePolicy};
use serde_json::{Value, json};
use vocab::PlatformKey::{self, LinuxAarch64, LinuxX64, MacosxAarch64, MacosxX64, WindowsX64};

use crate::support::{Case, LENIENT, STRICT, dependencies, faults, loaded, merged};

fn shared_list() -> Value {
    json!({ "packages": { "dependencies": ["numpy==2.2.6", "PyYAML==6.0.2", "pandas==2.2.3"] } })
}

#[test]
fn m1_without_dependencies_the_shared_list_holds_in_its_order() {
    for own in [json!({}), json!({ "packages": {} }), json!({ "packages": { "dependencies": null } })] {
        let config = merged(&shared_list(), &own);
        assert_eq!(dependencies(&config), ["numpy==2.2.6", "pyyaml==6.0.2", "pandas==2.2.3"], "for {own}");
    }
}

#[test]
fn m2_case_seed_own_config_an_empty_list_is_really_empty_and_warns() {
    let own = json!({ "packages": { "dependencies": [], "overrides": {} } });
    let loaded = loaded(&shared_list(), &own);
    assert!(loaded.config.packages.dependencies.is_empty());
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "python-3.12.10/config.json:3:21 /packages/dependencies: the list is empty, so the 3 shared requirements are not \
          installed\n  hint: remove the key to install them, or write `\"inheritDependencies\": false` beside it if it is \
          meant"
        ]
    );
    let names: Vec<&str> = loaded.config.left_aside.iter().map(vocab::DistributionName::as_str).collect();
    assert_eq!(names, ["numpy", "pandas", "pyyaml"]);
    let strict = Case::new(&shared_list(), &own).load(STRICT).expect_err("a warning is a fault");
    assert!(strict.to_string().contains("the list is empty"), "{strict}");
}

#[test]
fn an_empty_list_that_is_meant_or_replaces_nothing_does_not_warn() {
    let cases = [
        // (shared, own)
        (shared_list(), json!({ "packages": { "dependencies": [], "inheritDependencies": false } })),
        (shared_list(), json!({ "packages": { "dependencies": [], "inheritDependencies": true } })),
        (shared_list(), json!({ "packages": { "dependencies": ["torch"] } })),
        (json!({}), json!({ "packages": { "dependencies": [] } })),
    ];
    for (shared, own) in cases {
        let loaded = loaded(&shared, &own);
        assert_eq!((loaded.warnings.len(), loaded.config.left_aside.len()), (0, 0), "for {own}");
    }
}

#[test]
fn m3_a_list_of_its_own_replaces_the_shared_one() {
    let config = merged(&shared_list(), &json!({ "packages": { "dependencies": ["torch==2.7.0"] } }));
    assert_eq!(dependencies(&config), ["torch==2.7.0"]);
}

#[test]
fn m4_inherited_dependencies_are_united_and_the_versions_pin_wins() {
    let own = json!({ "packages": { "inheritDependencies": true, "dependencies": ["torch==2.7.0", "PYYAML==6.0.1"] } });
    let united = ["numpy==2.2.6", "pandas==2.2.3", "torch==2.7.0", "pyyaml==6.0.1"];
    assert_eq!(dependencies(&merged(&shared_list(), &own)), united);
}

#[test]
fn m5_an_index_in_both_files_is_asked_once_in_the_shared_order() {
    let shared =
        json!({ "registries": { "additional": ["https://pypi.nvidia.com", "https://b.example.org/simple/"] } });
    let own = json!({ "registries": { "additional": ["https://c.example.org/", "https://B.example.org/simple", "https://PYPI.nvidia.com/"] } });
    assert_eq!(
        merged(&shared, &own).registries.additional,
        ["https://pypi.nvidia.com", "https://b.example.org/simple/", "https://c.example.org/"]
    );
}

#[test]
fn the_versions_default_index_replaces_the_shared_one() {
    let shared = json!({ "registries": { "default": "https://mirror.example.org/simple" } });
    let default = |own: serde_json::Value| merged(&shared, &own).registries.default;
    let cases = [
        (json!({}), Some("https://mirror.example.org/simple")),
        (
            json!({ "registries": { "default": "https://other.example.org/simple" } }),
            Some("https://other.example.org/simple"),
        ),
        // As with every plain value, `null` is the same as absent.
        (json!({ "registries": { "default": null } }), Some("https://mirror.example.org/simple")),
    ];
    for (own, expected) in cases {
        assert_eq!(default(own.clone()).as_deref(), expected, "for {own}");
    }
}

#[test]
fn releases_of_python_join_by_version_and_platform_and_null_takes_one_back() {
    let row = |tag: &str| json!({ "tag": tag, "asset": "a.tar.gz", "sha256": "a".repeat(64) });
    let shared = json!({ "python": { "releases": {
        "3.14.9": { "linux-x64": row("1"), "windows-x64": row("1"), "macosx-x64": row("1") },
        "3.13.9": { "linux-x64": row("1") },
    } } });
    let own = json!({ "python": { "releases": {
        "3.14.9": { "linux-x64": row("2"), "windows-x64": null },
        "3.13.9": null,
    } } });
    let releases = merged(&shared, &own).python.releases;
    let found: Vec<String> = releases
        .iter()
        .flat_map(|(python, rows)| rows.iter().map(move |(platform, row)| format!("{python} {platform} {}", row.tag)))
        .collect();
    assert_eq!(found, ["3.14.9 linux-x64 2", "3.14.9 macosx-x64 1"]);
}

#[test]
fn a_pinned_index_takes_the_spelling_of_the_list() {
    let shared = json!({ "registries": { "additional": ["https://pypi.nvidia.com"] } });
    let own = json!({ "registries": { "pinned": { "cudf_cu12": "https://pypi.nvidia.com/" } } });
    let pinned = merged(&shared, &own).registries.pinned;
    assert_eq!(pinned.get(&"cudf-cu12".parse().unwrap()).unwrap(), "https://pypi.nvidia.com");
}

#[test]
fn m6_m7_skip_rules_join_by_platform_and_null_takes_one_back() {
    let shared = json!({ "packages": { "skip": { "cudf": {
        "macosx-x64": "no CUDA", "macosx-aarch64": "no CUDA", "windows-x64": "no CUDA"
    } } } });
    let cases = [
        // (case, the version's skip, platforms skipped then)
        (
            "M6",
            json!({ "cudf": { "linux-aarch64": "no wheel" } }),
            vec![LinuxAarch64, MacosxX64, MacosxAarch64, WindowsX64],
        ),
        ("M7", json!({ "cudf": { "windows-x64": null } }), vec![MacosxX64, MacosxAarch64]),
        ("other spelling", json!({ "CuDF": { "windows-x64": null } }), vec![MacosxX64, MacosxAarch64]),
        ("the whole rule", json!({ "cudf": null }), vec![]),
    ];
    for (case, skip, platforms) in cases {
        for rule in ["skip", "forceSource"] {
            let shared = json!({ "packages": { rule: shared["packages"]["skip"] } });
            let config = merged(&shared, &json!({ "packages": { rule: skip } }));
            let name = "cudf".parse().unwrap();
            let holds = |platform: &PlatformKey| match rule {
                "skip" => config.skip_reason(&name, *platform).is_some(),
                _ => config.force_source_reason(&name, *platform).is_some(),
            };
            let held: Vec<PlatformKey> = PlatformKey::ALL.into_iter().filter(holds).collect();
            assert_eq!(held, platforms, "for {case} with {rule}");
        }
    }
}

#[test]
fn m8_without_a_file_of_its_own_a_version_is_the_shared_one() {
    let case = Case::empty().file("shared-config.json", shared_list().to_string());
    let loaded = case.load(LoadOptions::default()).unwrap();
    assert_eq!(loaded.config.packages.dependencies.len(), 3);
    assert_eq!(loaded.notes, ["there is no `python-3.12.10/config.json`, so the shared settings apply"]);
    assert_eq!(loaded.canonical, merged_text(&shared_list(), &json!({})));
}

#[test]
fn m9_a_missing_shared_file_is_a_fault_and_leniently_an_empty_one() {
    let case = Case::empty().file("python-3.12.10/config.json", r#"{ "packages": { "dependencies": ["numpy"] } }"#);
    let faults = case.load(LoadOptions::default()).unwrap_err();
    let place = format!("shared-config.json: the file is missing in `{}`", case.path().display());
    assert_eq!(faults.to_string().lines().next(), Some(&*place));

    for broken in [None, Some("[]"), Some("{"), Some("")] {
        let case = Case::empty().file("python-3.12.10/config.json", r#"{ "packages": { "dependencies": ["numpy"] } }"#);
        let case = broken.into_iter().fold(case, |case, text| case.file("shared-config.json", text));
        assert!(case.load(LoadOptions::default()).is_err(), "for {broken:?}");
        let loaded = case.load(LENIENT).unwrap();
        assert!(loaded.config.degraded, "for {broken:?}");
        assert_eq!(dependencies(&loaded.config), ["numpy"], "for {broken:?}");
        assert_eq!(loaded.warnings.len(), 1, "for {broken:?}");
        assert!(loaded.warnings[0].text.ends_with("; an EMPTY configuration stands in for it"), "for {broken:?}");
    }
    assert!(!merged(&json!({}), &json!({})).degraded);
}

#[test]
fn m10_build_settings_are_taken_key_by_key() {
    let shared = json!({ "build": { "enableLogging": false, "parallelDownloads": true, "timeout": 60 } });
    let build = merged(&shared, &json!({ "build": { "timeout": 0 } })).build;
    assert_eq!((build.enable_logging, build.parallel_downloads, build.timeout), (false, true, 0));
    let build = merged(&json!({}), &json!({ "build": { "timeout": null } })).build;
    assert_eq!((build.enable_logging, build.parallel_downloads, build.timeout), (true, false, 300));
}

#[test]
fn m11_m12_files_to_copy_are_joined_and_equal_ones_copied_once() {
    let shared = json!({ "packages": {
        "copyFiles": [{ "from": "a", "to": "bin/" }, { "from": "b", "to": "bin/" }],
        "platformSpecific": { "linux-x64": { "copyFiles": [{ "from": "p", "to": "<site-packages>/" }] } }
    } });
    let own = json!({ "packages": {
        "copyFiles": [{ "from": "c", "to": "bin/" }, { "to": "bin/", "from": "a/" }],
        "platformSpecific": { "linux-x64": { "copyFiles": [{ "to": "{site-packages}/", "from": "./p" }] } }
    } });
    let loaded = loaded(&shared, &own);
    let from = |platform| -> Vec<String> {
        loaded.config.copy_files_for(platform).map(|file| file.from.to_string()).collect()
    };
    assert_eq!(from(LinuxX64), ["a", "b", "c", "p"]);
    assert_eq!(from(WindowsX64), ["a", "b", "c"]);
    assert_eq!(
        loaded.notes,
        [
            "`/packages/platformSpecific/linux-x64/copyFiles` has `p` to `{site-packages}/` twice; once is enough",
            "`/packages/copyFiles` has `a` to `bin/` twice; once is enough"
        ]
    );
}

fn policy(shared: &Value, own: &Value, platform: PlatformKey) -> SourcePolicy {
    merged(shared, own).policy(platform)
}

#[test]
fn m13_a_platform_entry_without_a_policy_changes_no_policy() {
    let shared = json!({ "packages": { "resolution": { "allowSourceAll": true } } });
    let own = json!({ "packages": { "platformSpecific": { "linux-x64": { "dependencies": ["numpy"] } } } });
    assert!(policy(&shared, &own, LinuxX64).allow_source_all);
    assert_eq!(policy(&shared, &own, LinuxX64).strict_missing, None);
}

#[test]
fn m14_a_platform_can_switch_off_what_is_on_elsewhere() {
    let shared = json!({ "packages": { "resolution": { "strictMissing": true } } });
    let own =
        json!({ "packages": { "platformSpecific": { "linux-x64": { "resolution": { "strictMissing": false } } } } });
    assert_eq!(policy(&shared, &own, LinuxX64).strict_missing, Some(false));
    assert_eq!(policy(&shared, &own, LinuxAarch64).strict_missing, Some(true));
}

#[test]
fn without_any_policy_a_source_is_always_tried() {
    let seed = policy(&json!({}), &json!({}), LinuxX64);
    assert!(seed.seed && seed.allow_source_all && seed.strict_missing.is_none());
    // One empty policy anywhere, and the rules hold everywhere.
    let own = json!({ "packages": { "platformSpecific": { "windows-x64": { "resolution": {} } } } });
    assert_eq!(policy(&json!({}), &own, LinuxX64), SourcePolicy::default());
}

#[test]
fn m25_a_platforms_scope_wins_over_the_general_one_and_neither_changes_what_is_built_from_source() {
    let wheelhouse = |resolution: Value| json!({ "layout": "wheelhouse", "packages": { "resolution": resolution } });
    let shared = wheelhouse(json!({ "scope": "each", "shipSourceList": ["Rpy_2"] }));
    let own = json!({ "packages": { "platformSpecific": { "linux-x64": { "resolution": { "scope": "joint" } } } } });
    let here = policy(&shared, &own, LinuxX64);
    let there = policy(&shared, &own, LinuxAarch64);
    assert_eq!((here.scope, there.scope), (Scope::Joint, Scope::Each));
    assert!(here.seed && there.seed && there.allow_source_all, "the first policy still holds");
    assert_eq!(there.ship_source_list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["rpy-2"]);
    let with_policy = policy(&wheelhouse(json!({ "scope": "each", "strictMissing": false })), &json!({}), LinuxX64);
    assert!(!with_policy.seed && !with_policy.allow_source_all);
    let kept = policy(&wheelhouse(json!({ "dependants": "keep" })), &json!({}), LinuxX64);
    assert_eq!((kept.dependants, there.dependants), (Dependants::Keep, Dependants::LeaveOut));
}

#[test]
fn m15_names_in_lists_are_one_by_pep_503() {
    let shared = json!({ "packages": { "resolution": { "allowSourceList": ["Foo_Bar"] }, "noDeps": ["A.b"] } });
    let own = json!({ "packages": { "resolution": { "allowSourceList": ["foo.bar"] }, "noDeps": ["a_B", "c"] } });
    let config = merged(&shared, &own);
    let names: Vec<String> = config.policy(LinuxX64).allow_source_list.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["foo-bar"]);
    let names: Vec<&str> = config.packages.no_deps.iter().map(vocab::DistributionName::as_str).collect();
    assert_eq!(names, ["a-b", "c"]);
}

#[test]
fn a_build_wheel_rule_is_replaced_whole_on_its_platform() {
    let rule = |reason: &str, settings: &[&str]| json!({ "reason": reason, "configSettings": settings });
    let shared = json!({ "packages": { "buildWheel": { "h5py": {
        "linux-x64": rule("shared", &["a=1"]), "windows-x64": rule("shared", &[])
    } } } });
    let own = json!({ "packages": { "buildWheel": { "h5py": { "linux-x64": { "reason": "own" } } } } });
    let config = merged(&shared, &own);
    let rule = |platform| config.build_wheel_for(&"h5py".parse().unwrap(), platform).unwrap();
    assert_eq!((rule(LinuxX64).reason.as_str(), rule(LinuxX64).config_settings.len()), ("own", 0));
    assert_eq!(rule(WindowsX64).reason, "shared");
}

fn merged_text(shared: &Value, own: &Value) -> String {
    loaded(shared, own).canonical
}

#[test]
fn m23_merging_again_or_with_keys_in_another_order_gives_the_same_bytes() {
    let shared = json!({
        "build": { "timeout": 5, "enableLogging": false },
        "packages": { "skip": { "b": { "windows-x64": "w", "linux-x64": "l" }, "A": { "linux-x64": "l" } }, "dependencies": ["b", "A>=1,<2"] }
    });
    let reordered = json!({
        "packages": { "dependencies": ["b", "A<2,>=1"], "skip": { "a": { "linux-x64": "l" }, "b": { "linux-x64": "l", "windows-x64": "w" } } },
        "build": { "enableLogging": false, "timeout": 5 }
    });
    let text = merged_text(&shared, &json!({}));
    assert_eq!(text, merged_text(&reordered, &json!({})));
    assert_eq!(text, merged_text(&serde_json::from_str(&text).unwrap(), &json!({})));
    assert!(text.ends_with("}\n"));
}

#[test]
fn m24_two_pins_of_one_distribution_on_one_platform_name_both_places() {
    let shared = json!({ "packages": { "dependencies": ["torch==2.7.0"] } });
    let own =
        json!({ "packages": { "platformSpecific": { "linux-x64": { "dependencies": ["Torch==2.7.0+cu126"] } } } });
    insta::assert_snapshot!(faults(&shared, &own), @r#"
    python-3.12.10/config.json:6:11 /packages/platformSpecific/linux-x64/dependencies/0: `torch==2.7.0+cu126` and `torch==2.7.0` (shared-config.json:4:7 /packages/dependencies/0) cannot both hold on linux-x64
      hint: keep one of them, or tell them apart by markers such as `sys_platform == "linux"`
    "#);
    // Markers keep them apart; a skipped distribution is not installed at all.
    let apart = json!({ "packages": { "dependencies": ["torch==2.7.0 ; sys_platform != 'linux'"] } });
    assert_eq!(merged(&apart, &own).dependencies_for(LinuxX64)[0].text, "torch==2.7.0+cu126");
}

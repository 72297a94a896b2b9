//! `packages.overrides` and `patch`: cases M16 to M22.

use config_merger::RequirementSource;
use serde_json::{Value, json};
use vocab::PlatformKey::LinuxX64;

use crate::support::{Case, STRICT, dependencies, faults, loaded, merged};

fn overridden(dependency: &str, overrides: &Value) -> String {
    let own = json!({ "packages": { "dependencies": [dependency], "overrides": overrides } });
    dependencies(&merged(&json!({}), &own))[0].to_owned()
}

#[test]
fn m16_m17_m18_m21_an_override_replaces_the_specifier_and_nothing_else() {
    let cases = [
        // (case, requirement, overrides, result)
        ("M16", "numpy==2.2.6", json!({ "numpy": "2.0.0" }), "numpy==2.0.0"),
        (
            "M17",
            "foo[y,x]==1; python_version<\"3.13\"",
            json!({ "foo": "2" }),
            "foo[x,y]==2 ; python_full_version < '3.13'",
        ),
        ("M18", "numpy>=2", json!({ "NumPy": "2.1" }), "numpy==2.1"),
        ("M21", "constructor", json!({}), "constructor"),
        ("an operator in front", "numpy==2.2.6", json!({ "numpy": ">=2,<3" }), "numpy>=2,<3"),
        ("a local version", "torch==2.7.0", json!({ "torch": "2.7.0+cu126" }), "torch==2.7.0+cu126"),
        ("a wildcard", "torch", json!({ "torch": "2.*" }), "torch==2.*"),
    ];
    for (case, requirement, overrides, result) in cases {
        assert_eq!(overridden(requirement, &overrides), result, "for {case}");
    }
}

#[test]
fn an_override_reaches_the_lists_of_platforms_and_remembers_what_was_there() {
    let shared = json!({ "packages": { "overrides": { "numpy": "1", "torch": "1" } } });
    let own = json!({ "packages": {
        "dependencies": ["numpy==2.2.6", "torch"],
        "platformSpecific": { "linux-x64": { "dependencies": ["cupy>=13"] } },
        "overrides": { "cupy": "13.4", "numpy": "2", "torch": null }
    } });
    let requirements = merged(&shared, &own).dependencies_for(LinuxX64);
    let told: Vec<_> = requirements.iter().map(|one| (one.text.as_str(), one.overridden.as_deref())).collect();
    assert_eq!(told, [("numpy==2", Some("==2.2.6")), ("torch", None), ("cupy==13.4", Some(">=13"))]);
    assert!(matches!(requirements[0].source, RequirementSource::Index { .. }));
}

#[test]
fn m19_an_override_that_matches_nothing_is_a_warning_and_strictly_a_fault() {
    let own = json!({ "packages": { "dependencies": ["numpy"], "overrides": { "nunpy": "2.0.0" } } });
    let text = "python-3.12.10/config.json:7:16 /packages/overrides/nunpy: this override of `2.0.0` matches no dependency\n  \
                hint: add `nunpy` to `dependencies`, or remove the override; in a version's file, `null` takes it back";
    assert_eq!(loaded(&json!({}), &own).warnings[0].to_string(), text);
    assert_eq!(Case::new(&json!({}), &own).load(STRICT).unwrap_err().to_string(), text);
}

#[test]
fn m20_what_comes_from_git_a_path_or_a_url_cannot_be_overridden() {
    for requirement in
        ["git+https://git.example.org/foo.git@v1", "foo @ ./foo", "foo @ https://files.example.org/foo-1.tar.gz"]
    {
        let own = json!({ "packages": { "dependencies": [requirement], "overrides": { "foo": "2" } } });
        let faults = faults(&json!({}), &own);
        let text = "python-3.12.10/config.json:7:14 /packages/overrides/foo: `foo` cannot be overridden: \
                    python-3.12.10/config.json:4:7 /packages/dependencies/0 asks for it as `foo @";
        assert!(faults.to_string().starts_with(text), "for {requirement}:\n{faults}");
    }
}

#[test]
fn a_patch_works_on_the_merged_configuration_before_the_overrides() {
    let shared = json!({ "packages": {
        "dependencies": ["numpy==2.2.6", "pandas"],
        "skip": { "cudf_cu12": { "linux-x64": "no" } },
        "overrides": { "scipy": "1.15" }
    } });
    let own = json!({ "patch": [
        { "op": "test", "path": "/packages/dependencies/0", "value": "numpy==2.2.6" },
        { "op": "add", "path": "/packages/dependencies/-", "value": "SciPy>=1" },
        { "op": "remove", "path": "/packages/dependencies/1" },
        { "op": "remove", "path": "/packages/skip/cudf-cu12" },
        { "op": "replace", "path": "/build/timeout", "value": 7 },
        { "op": "copy", "from": "/build/timeout", "path": "/build/enableLogging" },
        { "op": "replace", "path": "/build/enableLogging", "value": false },
        { "op": "add", "path": "/packages/resolution", "value": { "strictMissing": true } }
    ] });
    let config = merged(&shared, &own);
    assert_eq!(dependencies(&config), ["numpy==2.2.6", "scipy==1.15"]);
    assert_eq!((config.build.timeout, config.build.enable_logging), (7, false));
    assert!(config.packages.skip.is_empty());
    assert_eq!(config.policy(LinuxX64).strict_missing, Some(true));
    // What an operation did not touch keeps its place; what it wrote has that of the operation.
    assert_eq!(config.packages.dependencies[0].place.to_string(), "shared-config.json:4:7 /packages/dependencies/0");
    assert_eq!(config.packages.dependencies[1].place.to_string(), "python-3.12.10/config.json:8:5 /patch/1");
}

#[test]
fn m22_an_operation_that_fails_is_named_with_its_index() {
    let cases = [
        // (operations, place and text)
        (
            json!([{ "op": "test", "path": "/build/timeout", "value": 300 }, { "op": "test", "path": "/build/timeout", "value": 5 }]),
            "8:5 /patch/1: operation 1 (`test` at `/build/timeout`) failed: `300` stands there, not `5`",
        ),
        (
            json!([{ "op": "test", "path": "/nothing", "value": null }]),
            "3:5 /patch/0: operation 0 (`test` at `/nothing`) failed: nothing stands there",
        ),
        (
            json!([{ "op": "remove", "path": "/packages/dependencies/9" }]),
            "3:5 /patch/0: operation 0 (`remove` at `/packages/dependencies/9`) failed: path is invalid",
        ),
        (
            json!([{ "op": "add", "path": "/packages/dependencies/-", "value": "numpy=1" }]),
            "3:5 /patch/0: after this operation, at `/packages/dependencies/0`: `numpy=1` is not a valid requirement",
        ),
        (
            json!([{ "op": "replace", "path": "", "value": [] }]),
            "3:5 /patch/0: after this operation, at ``: an object is expected, not a list",
        ),
        (json!([{ "op": "addd", "path": "/x" }]), "4:13 /patch/0/op: `addd` is not an operation"),
        (json!([{ "op": "add", "path": "x", "value": 1 }]), "5:15 /patch/0/path: `x` is not a JSON pointer"),
        (json!([{ "op": "add", "path": "/x" }]), "3:5 /patch/0: `value` is missing"),
        (json!([{ "op": "move", "path": "/x" }]), "3:5 /patch/0: `from` is missing"),
        (json!({ "op": "move" }), "2:12 /patch: a list of operations (RFC 6902) is expected, not an object"),
    ];
    for (operations, expected) in cases {
        let faults = faults(&json!({}), &json!({ "patch": operations }));
        let text = format!("python-3.12.10/config.json:{expected}");
        assert!(faults.to_string().starts_with(&text), "expected {text}\nnot {faults}");
    }
}

#[test]
fn a_patch_in_the_shared_file_is_refused() {
    let faults = faults(&json!({ "patch": [] }), &json!({}));
    assert!(faults.to_string().starts_with("shared-config.json:2:12 /patch: only a version's file can have a `patch`"));
}

#[test]
fn operations_cannot_make_a_configuration_grow_without_bound() {
    let double = |index: usize| json!({ "op": "copy", "from": "/packages", "path": format!("/packages/skip/{index}") });
    let doubling: Vec<Value> = (0..100).map(double).collect();
    let text = faults(&json!({}), &json!({ "patch": doubling })).to_string();
    assert!(text.contains("makes the configuration too large"), "{text}");

    let many = vec![json!({ "op": "test", "path": "/layout", "value": "installed" }); 501];
    let text = faults(&json!({}), &json!({ "patch": many })).to_string();
    assert!(text.contains("more than 500 operations"), "{text}");
}

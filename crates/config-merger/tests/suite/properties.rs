//! What holds for every configuration: merging is deterministic, does not see the order of keys, and is idempotent;
//! no text makes it panic.

use config_merger::{ConfigFaults, LoadOptions, LoadedConfig};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};
use vocab::Fault as _;

use crate::support::Case;

const PLATFORMS: [&str; 5] = ["linux-x64", "linux-aarch64", "macosx-x64", "macosx-aarch64", "windows-x64"];

const NAMES: [&str; 5] = ["NumPy", "scikit_learn", "a", "Torch", "h5py"];

fn name() -> impl Strategy<Value = String> {
    select(vec!["numpy", "NumPy", "scikit_learn", "Scikit.Learn", "a", "torch", "h5py"]).prop_map(str::to_owned)
}

/// Each distribution comes with one meaning, in several spellings, so that few configurations hold two.
fn requirement() -> impl Strategy<Value = String> {
    let what = select(vec![
        ("numpy", "==1.0"),
        ("NumPy", " == 1.0"),
        ("scikit_learn", ">=1,<2"),
        ("Scikit.Learn", " < 2 , >= 1"),
        ("a", ""),
        ("torch", "==2.7.0+cu126"),
        ("h5py", "~=1.4"),
        ("b", "!=1.5,>1"),
        ("c", "===1"),
        ("d", "==1.*"),
        ("e", " @ git+https://git.example.org/a/b.git@v1"),
        ("f", " @ git+ssh://git@git.example.org/a/b#subdirectory=c"),
        ("g", " @ ./wheels/x-1-py3-none-any.whl"),
        ("h", " @ ../libs/y"),
        ("i", " @ https://files.example.org/z-1.tar.gz"),
    ]);
    let extras = select(vec!["", "", "[x]", "[y,x]", "[X_y]"]);
    let marker = select(vec![
        "",
        "",
        " ; sys_platform == 'linux'",
        " ; python_version<'3.13' and (os_name=='nt' or platform_machine != \"arm64\")",
        " ; 'linux' in sys_platform",
        " ; python_full_version not in '3.12.1 3.12.2'",
        " ; implementation_name == 'pypy'",
    ]);
    (what, extras, marker).prop_map(|((name, rest), extras, marker)| format!("{name}{extras}{rest}{marker}"))
}

fn marker() -> impl Strategy<Value = String> {
    let key = select(vec![
        "python_version",
        "python_full_version",
        "implementation_version",
        "os_name",
        "sys.platform",
        "platform_release",
        "extra",
    ]);
    let operator = select(vec!["==", "!=", "<", "<=", ">", ">=", "~=", "===", " in ", " not in "]);
    let value = prop_oneof![
        select(vec![
            "3.12",
            "3.0",
            "3",
            "3.12.10",
            "0",
            "3.*",
            "3.8 3.9",
            "3.13.0rc1",
            "1!3.9",
            "3.9+x",
            "linux",
            "",
            "win32",
            "x."
        ])
        .prop_map(str::to_owned),
        "[0-9.*a-z!+ -]{0,8}",
    ];
    let one = (key, operator, value, any::<bool>()).prop_map(|(key, operator, value, inverted)| {
        if inverted { format!("'{value}'{operator}{key}") } else { format!("{key}{operator}\"{value}\"") }
    });
    let joint = select(vec![" and ", " or "]);
    one.prop_recursive(3, 8, 2, move |inner| {
        (inner.clone(), joint.clone(), inner).prop_map(|(a, joint, b)| format!("({a}{joint}{b})"))
    })
}

fn operation() -> impl Strategy<Value = Value> {
    let verb = select(vec!["add", "remove", "replace", "move", "copy", "test"]);
    let pointer = || {
        let step = select(vec![
            "packages",
            "dependencies",
            "skip",
            "a",
            "0",
            "1",
            "2",
            "-",
            "01",
            "",
            "~1",
            "build",
            "timeout",
        ]);
        prop::collection::vec(step, 0..4)
            .prop_map(|steps| steps.iter().map(|step| format!("/{step}")).collect::<String>())
    };
    let value = select(vec![json!(null), json!([]), json!({}), json!("c"), json!(-1), json!({ "linux-x64": "s" })]);
    (verb, pointer(), pointer(), value)
        .prop_map(|(op, path, from, value)| json!({ "op": op, "path": path, "from": from, "value": value }))
}

fn some<T: std::fmt::Debug + Into<Value>>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![1 => Just(None), 1 => Just(Some(Value::Null)), 4 => strategy.prop_map(|value| Some(value.into()))]
}

fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = Value> {
    prop::collection::vec(item, 0..4).prop_map(Value::from)
}

fn object(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn by_platform(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (subsequence(PLATFORMS.to_vec(), 0..4), prop::collection::vec(prop_oneof![1 => Just(Value::Null), 3 => value], 4))
        .prop_map(|(keys, values)| keys.into_iter().map(str::to_owned).zip(values).collect::<Map<_, _>>().into())
}

fn by_name(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (subsequence(NAMES.to_vec(), 0..4), prop::collection::vec(prop_oneof![1 => Just(Value::Null), 3 => value], 4))
        .prop_map(|(keys, values)| keys.into_iter().map(str::to_owned).zip(values).collect::<Map<_, _>>().into())
}

fn copy_files() -> impl Strategy<Value = Value> {
    let from = select(vec!["a", "a/", "b/c", "./b/c"]);
    let to = select(vec!["bin/", "{site-packages}/", "<site-packages>", "x/y"]);
    let one = (from, to, any::<bool>())
        .prop_map(|(from, to, optional)| json!({ "from": from, "to": to, "optional": optional }));
    prop::collection::vec(one, 0..3).prop_map(Value::from)
}

fn resolution() -> impl Strategy<Value = Value> {
    let only = Just("pandas".to_owned());
    (some(any::<bool>()), some(any::<bool>()), some(list(name())), some(list(only))).prop_map(
        |(all, strict, allow, only)| {
            object(vec![
                ("allowSourceAll", all),
                ("strictMissing", strict),
                ("allowSourceList", allow),
                ("onlyBinaryList", only),
            ])
        },
    )
}

fn packages() -> impl Strategy<Value = Value> {
    let reasons = || by_name(by_platform(Just(json!("because"))));
    let own = (some(list(requirement())), some(copy_files()), some(resolution())).prop_map(|(list, copy, policy)| {
        object(vec![("dependencies", list), ("copyFiles", copy), ("resolution", policy)])
    });
    let wheel = select(vec![
        json!({ "reason": "r" }),
        json!({ "reason": "s", "buildRequires": ["Cython"], "configSettings": ["a=b"] }),
    ]);
    let first = (
        some(list(requirement())),
        some(any::<bool>()),
        some(by_name(Just(json!("1.1")))),
        some(reasons()),
        some(reasons()),
    );
    let second = (
        some(copy_files()),
        some(by_platform(own)),
        some(list(name())),
        some(by_name(by_platform(wheel))),
        some(resolution()),
    );
    (first, second).prop_map(|(a, b)| {
        object(vec![
            ("dependencies", a.0),
            ("inheritDependencies", a.1),
            ("overrides", a.2),
            ("skip", a.3),
            ("forceSource", a.4),
            ("copyFiles", b.0),
            ("platformSpecific", b.1),
            ("noDeps", b.2),
            ("buildWheel", b.3),
            ("resolution", b.4),
        ])
    })
}

fn configuration() -> impl Strategy<Value = Value> {
    let urls = select(vec!["https://a.example.org/simple", "https://A.example.org/simple/", "https://b.example.org"]);
    let build = (some(any::<bool>()), some(0_u64..1000))
        .prop_map(|(log, time)| object(vec![("enableLogging", log), ("timeout", time)]));
    let sources = select(vec![
        json!({ "provider": "system" }),
        json!({ "sources": ["archive", "system"] }),
        json!({ "tag": "20250529" }),
    ]);
    let layout = select(vec!["installed", "both"]);
    (some(list(urls.prop_map(str::to_owned))), some(packages()), some(build), some(sources), some(layout)).prop_map(
        |(urls, packages, build, python, layout)| {
            let registries = Some(object(vec![("additional", urls)]));
            object(vec![
                ("registries", registries),
                ("packages", packages),
                ("build", build),
                ("python", python),
                ("layout", layout),
            ])
        },
    )
}

/// The same document with the keys of each object in the opposite order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect())
        }
        other => other.clone(),
    }
}

fn load(shared: &Value, own: &Value) -> Result<LoadedConfig, ConfigFaults> {
    Case::new(shared, own).load(LoadOptions::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn m23_merging_is_deterministic_blind_to_the_order_of_keys_and_idempotent(shared in configuration(), own in configuration()) {
        match (load(&shared, &own), load(&reversed(&shared), &reversed(&own))) {
            (Ok(loaded), Ok(reordered)) => {
                prop_assert_eq!(&loaded.canonical, &reordered.canonical);
                prop_assert_eq!(&loaded.canonical, &load(&shared, &own).unwrap().canonical);
                let canonical: Value = serde_json::from_str(&loaded.canonical).unwrap();
                let again = load(&canonical, &json!({})).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
                prop_assert_eq!(&loaded.canonical, &again.canonical);
                prop_assert_eq!(loaded.digest, again.digest);
                // The other way round: all of it in the version's own file.
                let alone = load(&json!({}), &canonical).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
                prop_assert_eq!(&loaded.canonical, &alone.canonical);
            }
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{:?}\n{:?}", one.map(drop), other.map(drop)),
        }
    }

    #[test]
    fn no_text_makes_it_panic(shared in "\\PC{0,60}", own in "[\\[\\]{}\",:0-9a-z \\\\\n.+-]{0,80}") {
        let case = Case::empty().file("shared-config.json", shared).file("python-3.12.10/config.json", own);
        if let Err(faults) = case.load(LoadOptions::default()) {
            prop_assert!(!faults.findings.is_empty());
            prop_assert!(faults.in_full().is_some_and(|text| text.contains("E_CONFIG_")));
        }
    }

    #[test]
    fn no_requirement_makes_it_panic(text in "[a-zA-Z0-9@:/.#;\\[\\]()<>=!~,'\" _+-]{0,60}", start in select(vec!["", "git+https://", "a @ ", "./", "a ; os_name == ", "https://x.example.org/"])) {
        let own = json!({ "packages": { "dependencies": [format!("{start}{text}")], "overrides": { "a": text }, "noDeps": [text] } });
        let _ = load(&json!({}), &own);
    }

    #[test]
    fn no_marker_makes_it_panic_and_what_is_accepted_keeps_its_text(marker in marker()) {
        let own = json!({ "packages": { "dependencies": [format!("a ; {marker}")] } });
        if let Ok(loaded) = load(&json!({}), &own) {
            let canonical: Value = serde_json::from_str(&loaded.canonical).unwrap();
            let again = load(&canonical, &json!({})).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
            prop_assert_eq!(loaded.canonical, again.canonical);
            for platform in vocab::PlatformKey::ALL {
                loaded.config.dependencies_for(platform);
            }
        }
    }

    #[test]
    fn no_patch_makes_it_panic(operations in prop::collection::vec(operation(), 1..6)) {
        let shared = json!({ "packages": { "dependencies": ["a", "b"], "skip": { "a": { "linux-x64": "r" } } } });
        let _ = load(&shared, &json!({ "patch": operations }));
    }

    #[test]
    fn a_document_cut_off_anywhere_is_a_fault_with_a_place(own in configuration(), cut in any::<prop::sample::Index>()) {
        let text = own.to_string();
        let text = &text[..cut.index(text.len())];
        let case = Case::empty().file("shared-config.json", "{}").file("python-3.12.10/config.json", text);
        let faults = case.load(LoadOptions::default()).unwrap_err();
        let place = faults.findings[0].place.clone().unwrap();
        prop_assert!(place.line == 1 && place.column <= text.len() + 1);
    }
}

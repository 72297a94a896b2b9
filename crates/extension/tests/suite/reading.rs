//! One zip: what is read of it, and every reason for which it is not available.

use extension::{Extension, ParameterType, read_descriptor, read_extension};
use serde_json::{Value, json};
use vocab::{Fault, quoted};

use crate::zips::{Folder, descriptor};

fn read(descriptor: &Value) -> Result<Extension, (&'static str, String)> {
    let folder = Folder::new();
    let path = folder.extension("a.zip", descriptor, &[]);
    read_extension(&path).map_err(|error| (error.code(), error.kind.to_string()))
}

fn refusal(name: &str, files: &[(&str, &[u8])]) -> (&'static str, String) {
    let folder = Folder::new();
    let path = folder.zip(name, files);
    let error = read_extension(&path).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    (error.code(), error.kind.to_string())
}

#[test]
fn what_the_vendor_publishes_is_read_and_the_rest_is_kept() {
    let mut text = descriptor("sample", "1.2.0");
    text["extension"]["vendor_thing"] = json!({ "a": [1] });
    text["operators"]["run"]["novel"] = json!(true);
    text["somewhere"] = json!("else");
    let extension = read(&text).unwrap();
    assert_eq!((extension.namespace(), extension.version()), ("sample", "1.2.0"));
    assert_eq!(extension.environment.to_string(), "custom:1.0.0");
    let operator = &extension.descriptor.operators[0];
    assert_eq!((&*operator.implementation, &*operator.name), ("run", "Run"));
    let kinds: Vec<_> = operator.parameters.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Some(ParameterType::Integer), Some(ParameterType::Category)]);
    assert_eq!(operator.parameters[1].conditions[0].comparison, "!=");
    assert_eq!((&*operator.inputs[0].name, &*operator.outputs[0].name), ("x", "result"));
    assert_eq!(extension.descriptor.extension.unknown["vendor_thing"]["a"][0], 1);
    assert_eq!(operator.unknown["novel"], true);
    assert_eq!(extension.descriptor.unknown["somewhere"], "else");
}

#[test]
fn an_environment_follows_from_namespace_and_version_and_names_from_functions() {
    let mut text = descriptor("sample", "1.2.0");
    text["extension"].as_object_mut().unwrap().remove("environment");
    text["operators"] = json!({ "load_all": {} });
    let extension = read(&text).unwrap();
    assert_eq!(extension.environment.to_string(), "sample:1.2.0");
    let operator = &extension.descriptor.operators[0];
    assert_eq!((&*operator.name, &*operator.implementation), ("Load All", "load_all"));
}

#[test]
fn an_operator_with_a_parameter_of_an_unknown_type_is_listed_and_a_newer_kit_is_a_warning() {
    let mut text = descriptor("sample", "1.2.0");
    text["extension"]["sdk_version"] = json!("3.0.0");
    text["operators"]["run"]["parameters"][0]["type"] = json!("quaternion");
    let extension = read(&text).unwrap();
    assert_eq!(extension.descriptor.operators[0].unsupported().unwrap().name, "count");
    assert_eq!(extension.warnings[0].code, "W_EXT_SDK");
}

/// PEL 40
#[test]
fn pel_40_each_key_that_must_be_there_is_named_when_it_is_not() {
    for key in ["name", "namespace", "version", "module"] {
        let mut text = descriptor("sample", "1.2.0");
        text["extension"].as_object_mut().unwrap().remove(key);
        let folder = Folder::new();
        let bytes = text.to_string();
        let path = folder.zip("a.zip", &[("extension.json", bytes.as_bytes()), ("mod_sample/__init__.py", b"")]);
        let error = read_extension(&path).unwrap_err();
        assert_eq!(error.code(), "E_EXT_DESCRIPTOR");
        let message = error.kind.to_string();
        assert_eq!(message, format!("extension.json:1:14 /extension: `{key}` is missing"));
    }
    for key in ["name", "type"] {
        let mut text = descriptor("sample", "1.2.0");
        text["operators"]["run"]["parameters"][0].as_object_mut().unwrap().remove(key);
        let (code, message) = read(&text).unwrap_err();
        assert!(code == "E_EXT_DESCRIPTOR" && message.ends_with(&format!("`{key}` is missing")), "{message}");
        assert!(message.contains("/operators/run/parameters/0"), "{message}");
    }
}

/// PEL 41
#[test]
fn pel_41_every_way_not_to_be_an_extension_has_its_code() {
    let folder = Folder::new();
    let not_a_zip = folder.write("a.zip", "<html>not found</html>");
    assert_eq!(read_extension(&not_a_zip).unwrap_err().code(), "E_EXT_ZIP");
    assert_eq!(read_extension(&folder.path().join("absent.zip")).unwrap_err().code(), "E_EXT_READ");

    let text = descriptor("sample", "1.0").to_string();
    let text = text.as_bytes();
    let large = vec![b' '; 10 << 20];
    let repeated = br#"{"extension": {"name": "a", "name": "b"}, "operators": {}}"#;
    type Files<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Files<'_>, &str); 8] = [
        (&[], "E_EXT_EMPTY"),
        (&[("readme.txt", b"x")], "E_EXT_NO_DESCRIPTOR"),
        (&[("a.json", text), ("b.json", text)], "E_EXT_DESCRIPTOR_AMBIGUOUS"),
        (&[("extension.json", &large)], "E_EXT_DESCRIPTOR_SIZE"),
        (&[("extension.json", b"{\"a\": \"\xff\"}")], "E_EXT_DESCRIPTOR_TEXT"),
        (&[("extension.json", b"{,}")], "E_EXT_DESCRIPTOR_SYNTAX"),
        (&[("extension.json", repeated)], "E_EXT_DESCRIPTOR_KEY"),
        (&[("extension.json", b"[]")], "E_EXT_DESCRIPTOR"),
    ];
    for (files, code) in cases {
        assert_eq!(refusal("a.zip", files).0, code);
    }
    // Under another name, beside other JSON.
    let files: [(&str, &[u8]); 3] = [("vendor.JSON", text), ("other.json", b"{}"), ("mod_sample/__init__.pyc", b"")];
    let path = folder.zip("b.zip", &files);
    assert_eq!(read_extension(&path).unwrap().descriptor_name, "vendor.JSON");
}

/// PEL 42
#[test]
fn pel_42_the_module_is_a_folder_at_the_root() {
    let text = descriptor("sample", "1.0").to_string();
    for inside in ["src/mod_sample/__init__.py", "mod_sample/other.py"] {
        let (code, message) = refusal("a.zip", &[("extension.json", text.as_bytes()), (inside, b"")]);
        assert!(code == "E_EXT_MODULE" && message.contains("mod_sample/__init__.py"), "{message}");
    }
}

/// PEL 32, PEL 35, PEL 36, before anything is unpacked.
#[test]
fn pel_32_names_that_leave_the_folder_or_clash_are_refused_when_the_zip_is_read() {
    let names =
        ["../evil", "/abs", "C:/x", "a/../../b", "a\\b", "CON", "aux.txt", "name.", "x:y", "Mod_sample/__init__.py"];
    for name in names {
        let text = descriptor("sample", "1.0").to_string();
        let files = [("extension.json", text.as_bytes()), ("mod_sample/__init__.py", &b""[..]), (name, b"x")];
        let (code, message) = refusal("a.zip", &files);
        assert!(code == "E_ARCHIVE_UNSAFE" && message.contains(&*quoted::shown(name)), "{name}: {message}");
    }
}

/// PEL 35: one name in two forms of Unicode.
#[test]
fn pel_35_two_spellings_of_one_accented_name_are_refused_when_the_zip_is_read() {
    let text = descriptor("sample", "1.0").to_string();
    let own = [("extension.json", text.as_bytes()), ("mod_sample/__init__.py", &b""[..])];
    let twins = [("mod_sample/\u{e9}.py", &b""[..]), ("mod_sample/e\u{301}.py", &b""[..])];
    let (code, message) = refusal("a.zip", &[own, twins].concat());
    assert!(code == "E_ARCHIVE_UNSAFE" && message.contains("mod_sample/"), "{message}");
}

#[test]
fn conditions_lead_to_parameters_and_never_in_a_circle() {
    let with = |conditions: [Value; 2]| {
        let mut text = descriptor("sample", "1.0");
        let [one, two] = conditions;
        text["operators"]["run"]["parameters"][0]["conditions"] = one;
        text["operators"]["run"]["parameters"][1]["conditions"] = two;
        read(&text).map(|_| ()).map_err(|(code, message)| {
            assert_eq!(code, "E_EXT_DESCRIPTOR");
            message.split(": ").last().unwrap_or_default().to_owned()
        })
    };
    let none = json!([]);
    assert_eq!(with([json!([["in", "kind", ["A"]]]), none.clone()]), Ok(()));
    let unknown = with([json!([["==", "other", 1]]), none.clone()]).unwrap_err();
    assert_eq!(unknown, "a condition of `count` names the parameter `other`, which does not exist");
    let circle = with([json!([["==", "kind", "A"]]), json!([["==", "count", 1]])]).unwrap_err();
    assert_eq!(circle, "conditions lead from `count` back to itself");
    assert!(with([json!([["~", "kind", 1]]), none.clone()]).unwrap_err().contains("a comparison is one of"));
    assert!(with([json!([["==", "kind"]]), none]).unwrap_err().contains("a list of comparison"));
}

#[test]
fn a_limit_that_cannot_be_one_is_named_with_its_place() {
    let with = |kind: &str, member: &str, value: Value| {
        let text = json!({
            "extension": { "name": "E", "namespace": "e", "version": "1.0", "module": "mod_e" },
            "operators": { "f": { "parameters": [{ "name": "x", "type": kind, member: value }] } },
        });
        let error = read_descriptor("extension.json", format!("{text:#}").as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "E_EXT_DESCRIPTOR");
        error.to_string()
    };
    assert_eq!(
        with("string", "pattern", json!("[a-")),
        "extension.json:14:22 /operators/f/parameters/0/pattern: `pattern` is not a regular expression that can be used: \
         unclosed character class"
    );
    let rows = [
        ("string", "pattern", json!(1), "`pattern` is a text or null"),
        ("string", "max_length", json!(-1), "`max_length` is a whole number from 0 on, or null"),
        ("real", "min", json!("1"), "`min` is a number or null"),
        ("list", "min_items", json!(0.5), "`min_items` is a whole number from 0 on, or null"),
    ];
    for (kind, member, value, expected) in rows {
        assert!(with(kind, member, value).ends_with(&format!("/operators/f/parameters/0/{member}: {expected}")));
    }
}

/// Patterns are written by strangers and compiled while a folder is scanned.
#[test]
fn so_many_patterns_are_compiled_and_no_more() {
    let of = |pattern: &dyn Fn(usize) -> String| {
        let parameter = |at: usize| json!({ "name": format!("p{at}"), "type": "string", "pattern": pattern(at) });
        let operator = |at: usize| {
            let parameters: Value = (at * 300..at * 300 + 300).map(parameter).collect();
            (format!("f{at}"), json!({ "parameters": parameters }))
        };
        let operators: serde_json::Map<_, _> = (0..2).map(operator).collect();
        let head = json!({ "name": "E", "namespace": "e", "version": "1.0", "module": "mod_e" });
        read_descriptor("x.json", json!({ "extension": head, "operators": operators }).to_string().as_bytes())
    };
    assert!(of(&|_| "[a-z]".to_owned()).is_ok(), "equal ones count once");
    let error = of(&|at| format!("a{at}")).unwrap_err().to_string();
    let place = "/operators/f0/parameters/200/pattern";
    assert!(error.ends_with(&format!("{place}: more than 200 different patterns; no more are read")), "{error}");
}

#[test]
fn limits_bound_what_is_read() {
    let mut many = descriptor("sample", "1.0");
    many["operators"] = (0..2001).map(|at| (format!("f{at}"), json!({}))).collect::<serde_json::Map<_, _>>().into();
    assert!(read(&many).unwrap_err().1.contains("2001 operators; at most 2000"));
    let mut many = descriptor("sample", "1.0");
    let parameter = |at: usize| json!({ "name": format!("p{at}"), "type": "integer" });
    many["operators"]["run"]["parameters"] = (0..501).map(parameter).collect();
    assert!(read(&many).unwrap_err().1.contains("501 parameters; at most 500"));
    let mut deep = descriptor("sample", "1.0");
    deep["x"] = (0..40).fold(json!(1), |inner, _| json!([inner]));
    assert!(read(&deep).unwrap_err().1.contains("more than 32 levels"));
}

/// PEL 19
#[test]
fn pel_19_both_spellings_of_env_yml_are_found_and_the_first_counts() {
    let folder = Folder::new();
    let text = descriptor("sample", "1.0");
    let of = |name: &str, more: &[(&str, &[u8])]| read_extension(&folder.extension(name, &text, more)).unwrap();
    let none = of("a.zip", &[]);
    let yaml = of("b.zip", &[("env.yaml", b"name: x\n")]);
    let both = of("c.zip", &[("env.yml", b"name: x\r\n"), ("env.yaml", b"other")]);
    assert_eq!((none.env_yml, yaml.env_yml.is_some(), yaml.warnings.len()), (None, true, 0));
    assert_eq!(both.env_yml, yaml.env_yml);
    assert_eq!(both.warnings[0].code, "W_EXT_ENV_YML");
    let nested = of("d.zip", &[("sub/env.yml", b"x")]);
    assert_eq!(nested.env_yml, None, "only at the root");
}

//! What people read when an extension is not available, or cannot be built: what happened, where, and what to do. A rule of
//! the repository asks for every text of this crate in a test.

use std::fs;
use std::path::Path;

use extension::{
    AllowedExtension, BuildInput, BuildInputError, DescribedFunction, EnvironmentId, ExtensionSet, LoaderSettings,
    ScanRules, SettingSources, SignatureStatus, UserFolders, clashes, read_extension, scan_extensions,
    settle_conflicts,
};
use serde_json::{Value, json};
use vocab::Fault;

use crate::zips::{Folder, descriptor};

const AGAIN: &str = "the descriptor is generated: build the extension again, or ask its author to";

/// The text of an error with its causes, and its hint, without the name of the folder.
fn told(folder: &Folder, error: &dyn Fault) -> (String, String) {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        next = cause.source();
    }
    let shown = |text: &str| text.replace(&folder.path().display().to_string(), "FOLDER");
    (shown(&text), shown(&error.hint().unwrap_or_default()))
}

/// `…` at the end of what is expected stands for more.
#[track_caller]
fn assert_told(folder: &Folder, error: &dyn Fault, code: &str, text: &str, hint: &str) {
    let (found, advice) = told(folder, error);
    assert_eq!(error.code(), code, "{found}");
    match text.strip_suffix('…') {
        Some(start) => assert!(found.starts_with(start), "{found}"),
        None => assert_eq!(found, text),
    }
    assert_eq!(advice, hint, "{found}");
}

#[test]
fn a_zip_that_is_not_an_extension_says_what_is_wrong_with_it() {
    let text = descriptor("sample", "1.0").to_string();
    let (text, large) = (text.as_bytes(), vec![b' '; (4 << 20) + 1]);
    let init = ("mod_sample/__init__.py", &b""[..]);
    type Files<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Files<'_>, &str, &str, &str); 9] = [
        (&[], "E_EXT_EMPTY", "the zip is empty", "build the extension again"),
        (
            &[("readme.txt", b"x")],
            "E_EXT_NO_DESCRIPTOR",
            "it has no descriptor: no JSON file at its root holds `extension` and `operators`",
            "it is not an extension, or it was zipped with a folder around it",
        ),
        (
            &[("a.json", text), ("b.json", text)],
            "E_EXT_DESCRIPTOR_AMBIGUOUS",
            "it has several descriptors: a.json, b.json",
            "keep one of them",
        ),
        (
            &[("extension.json", &large)],
            "E_EXT_DESCRIPTOR_SIZE",
            "its file `extension.json` has 4194305 bytes, at most 4194304 are read",
            "",
        ),
        (
            &[("extension.json", b"{\"a\": \"\xff\"}")],
            "E_EXT_DESCRIPTOR_TEXT",
            "extension.json:1:8: it is not UTF-8 from here on",
            AGAIN,
        ),
        (&[("extension.json", b"{,}")], "E_EXT_DESCRIPTOR_SYNTAX", "extension.json:1:2…", AGAIN),
        (
            &[("extension.json", br#"{"extension": {"name": "a", "name": "b"}, "operators": {}}"#)],
            "E_EXT_DESCRIPTOR_KEY",
            "extension.json:1:…",
            AGAIN,
        ),
        (&[("extension.json", b"[]")], "E_EXT_DESCRIPTOR", "extension.json:1:1…", AGAIN),
        (
            &[("extension.json", text), init, ("../evil", b"x")],
            "E_ARCHIVE_UNSAFE",
            "its entry `../evil` is refused: …",
            "do not use it; it could write outside its folder",
        ),
    ];
    for (files, code, expected, hint) in cases {
        let folder = Folder::new();
        let error = read_extension(&folder.zip("a.zip", files)).unwrap_err();
        let whole = format!("the extension `FOLDER/a.zip` is not available: {expected}");
        assert_told(&folder, &error, code, &whole, hint);
    }
}

#[test]
fn a_file_that_is_not_a_zip_or_lacks_its_module_says_so() {
    let folder = Folder::new();
    let not_a_zip = read_extension(&folder.write("a.zip", "<html>not found</html>")).unwrap_err();
    let start = "the extension `FOLDER/a.zip` is not available: it is not a zip: …";
    assert_told(
        &folder,
        &not_a_zip,
        "E_EXT_ZIP",
        start,
        "check that it was copied completely, and that it is not an error page",
    );
    let absent = read_extension(&folder.path().join("absent.zip")).unwrap_err();
    let start = "the extension `FOLDER/absent.zip` is not available: it cannot be read: …";
    assert_told(&folder, &absent, "E_EXT_READ", start, "");
    let path = folder.extension("d.zip", &descriptor("sample", "1.0"), &[("env.yml", b"dependencies: [python]")]);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(7).position(|window| window == b"env.yml").unwrap() + 7 + 4;
    bytes[at] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    assert_told(
        &folder,
        &read_extension(&path).unwrap_err(),
        "E_ARCHIVE_CORRUPT",
        "the extension `FOLDER/d.zip` is not available: its entry `env.yml` is damaged: …",
        "delete the zip and fetch it again",
    );
    let text = descriptor("sample", "1.0").to_string();
    let without = read_extension(&folder.zip("b.zip", &[("extension.json", text.as_bytes())])).unwrap_err();
    assert_told(
        &folder,
        &without,
        "E_EXT_MODULE",
        "the extension `FOLDER/b.zip` is not available: its module `mod_sample` is missing: neither \
         `mod_sample/__init__.py` nor `mod_sample/__init__.pyc` is in the zip",
        "build the extension again; the folder of its module belongs to the zip's root",
    );
    let mut text = descriptor("sample", "1.0");
    text["extension"]["environment"] = "../x".into();
    let unfit = read_extension(&folder.extension("c.zip", &text, &[])).unwrap_err();
    assert_told(
        &folder,
        &unfit,
        "E_ENV_ID",
        "the extension `FOLDER/c.zip` is not available: its environment cannot be used: `../x` is not an environment id: \
         each part begins with a letter or a digit",
        "write KEY, KEY:VERSION or dep::NAMESPACE, such as `custom:1.0.0`",
    );
    let error = "a:".parse::<EnvironmentId>().unwrap_err();
    assert_eq!(error.to_string(), "`a:` is not an environment id: a part is empty");
}

fn scan(folder: &Folder, rules: &ScanRules<'_>) -> ExtensionSet {
    scan_extensions(&[folder.path().to_owned()], rules)
}

#[track_caller]
fn assert_unavailable(folder: &Folder, set: &ExtensionSet, name: &str, code: &str, text: &str, hint: &str) {
    let is_it = |error: &&extension::ExtensionError| error.path.ends_with(name);
    let error = set.unavailable.iter().find(is_it).unwrap_or_else(|| panic!("{name} is available"));
    let whole = format!("the extension `FOLDER/{name}` is not available: {text}");
    assert_told(folder, error, code, &whole, hint);
}

fn needing(namespace: &str, other: &str, least: &str) -> Value {
    let mut text = descriptor(namespace, "1.0");
    text["extension"]["dependencies"] = json!([{ "name": other, "min_version": least, "module": "m" }]);
    text
}

#[test]
fn what_an_extension_needs_and_lacks_is_named() {
    let unsigned = |_: &Path| SignatureStatus::Unsigned;
    let open =
        ScanRules { allow_list: None, enforce_signing: false, signature: &unsigned, host_version: Some("2025.1") };
    let folder = Folder::new();
    folder.extension("a.zip", &needing("a", "nobody", "1.0"), &[]);
    folder.extension("b.zip", &needing("b", "base", "0.3.0"), &[]);
    folder.extension("base.zip", &descriptor("base", "0.2.9"), &[]);
    folder.extension("c.zip", &needing("c", "d", "1.0"), &[]);
    folder.extension("d.zip", &needing("d", "c", "1.0"), &[]);
    folder.extension("e.zip", &needing("e", "a", "1.0"), &[]);
    let mut newer = descriptor("f", "1.0");
    newer["extension"]["min_core_version"] = "2026.0".into();
    folder.extension("f.zip", &newer, &[]);
    folder.extension("g.zip", &descriptor("g", "1.0"), &[]);
    folder.extension("h.zip", &descriptor("g", "1.0"), &[]);
    let set = scan(&folder, &open);
    let refused =
        |name: &str, code: &str, text: &str, hint: &str| assert_unavailable(&folder, &set, name, code, text, hint);
    let into_folder = "put it into one of the folders for extensions";
    refused("a.zip", "E_EXT_DEP_MISSING", "it needs the extension `nobody`, which is not installed", into_folder);
    refused("e.zip", "E_EXT_DEP_MISSING", "it needs the extension `a`, which is not available itself", into_folder);
    refused(
        "b.zip",
        "E_EXT_DEP_VERSION",
        "it needs `base` 0.3.0 or newer, and 0.2.9 is there",
        "install a newer version of `base`",
    );
    refused(
        "c.zip",
        "E_EXT_DEP_CYCLE",
        "its dependencies lead back to it: c → d → c",
        "one of these extensions has to do without the other",
    );
    refused(
        "f.zip",
        "E_EXT_HOST_VERSION",
        "it needs version 2026.0 of its host, which is 2025.1",
        "use a version of the extension that was made for this host",
    );
    refused(
        "h.zip",
        "E_EXT_DUPLICATE",
        "`FOLDER/g.zip` is the same version of the namespace `g`",
        "remove one of them",
    );
}

#[test]
fn what_is_not_trusted_and_what_contradicts_another_extension_is_named() {
    let folder = Folder::new();
    for name in ["a", "b", "c", "d"] {
        folder.extension(&format!("{name}.zip"), &descriptor(name, "1.0"), &[("env.yml", name.as_bytes())]);
    }
    let status = |path: &Path| match path.file_stem().unwrap().to_str().unwrap() {
        "a" => SignatureStatus::Unsigned,
        "b" => SignatureStatus::BadSignature("it is of other bytes".to_owned()),
        "c" => SignatureStatus::UnknownKey,
        _ => SignatureStatus::Trusted("key".to_owned()),
    };
    let only_a = [AllowedExtension { namespace: "a".to_owned(), version: None }];
    let rules = ScanRules { allow_list: Some(&only_a), enforce_signing: true, signature: &status, host_version: None };
    let set = scan(&folder, &rules);
    let refused =
        |name: &str, code: &str, text: &str, hint: &str| assert_unavailable(&folder, &set, name, code, text, hint);
    refused(
        "a.zip",
        "E_EXT_UNSIGNED",
        "it is not signed, and signatures are enforced",
        "sign it with `minisign -S`, and put the `.minisig` file beside it",
    );
    refused(
        "b.zip",
        "E_EXT_SIGNATURE",
        "its signature is not of these bytes: it is of other bytes",
        "do not use it before you know why; get it from its author again",
    );
    refused(
        "c.zip",
        "E_EXT_UNKNOWN_KEY",
        "it is signed with a key that is not trusted",
        "if you trust the author, add the key to loader.trustedKeys",
    );
    refused(
        "d.zip",
        "E_EXT_NOT_ALLOWED",
        "the namespace `d` in version 1.0 is not on the allow-list",
        "add it to python_sdk.security.extensions.whitelist",
    );
    let mut set = scan(&folder, &ScanRules { allow_list: None, enforce_signing: false, ..rules });
    settle_conflicts(&mut set, true);
    assert_unavailable(
        &folder,
        &set,
        "b.zip",
        "E_ENV_CONFLICT",
        "`env.yml` of `a` differs, and both ask for the distribution custom:1.0.0",
        "give one of them another version of its environment, or unset loader.strict",
    );
    let ids = ["a-1", "a:1"].map(|id| id.parse().unwrap());
    let clash = clashes(&ids).remove(0);
    assert_told(
        &folder,
        &clash,
        "E_ENV_CLASH",
        "the distributions a-1 and a:1 have the same folder `a-1`",
        "give one of them another key",
    );
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_its_origin() {
    let folder = Folder::new();
    let properties = [("pysdk.pel.airGapped".to_owned(), "maybe".to_owned())].into();
    let sources = SettingSources { properties, ..SettingSources::default() };
    assert_told(
        &folder,
        &LoaderSettings::read(&sources, UserFolders::default()).unwrap_err(),
        "E_SETTING",
        "the setting `pysdk.pel.airGapped` is `maybe` (property): true, false, 1, 0, yes or no is expected",
        "correct it, or remove it for its default",
    );
    let file = folder.write("loader.toml", "[settings]\npysdk.pel.airGapped = true\n");
    assert_told(
        &folder,
        &SettingSources::read_file(&file).unwrap_err(),
        "E_SETTING",
        "the settings file `FOLDER/loader.toml` cannot be used: …",
        "write `\"pysdk.pel.airGapped\" = true` below `[settings]`",
    );
    for (text, reason) in [
        ("\"loader.verify\" = \"none\"\n", "`loader.verify` stands outside of `[settings]`"),
        ("[loader]\nverify = \"none\"\n[settings]\n", "`loader` stands outside of `[settings]`"),
        ("settings = 1\n", "`settings` is not a table"),
        ("[setting]\n\"loader.verify\" = \"none\"\n", "it has no table `[settings]`"),
    ] {
        folder.write("loader.toml", text);
        assert_told(
            &folder,
            &SettingSources::read_file(&file).unwrap_err(),
            "E_SETTING",
            &format!("the settings file `FOLDER/loader.toml` cannot be used: {reason}"),
            "write `\"pysdk.pel.airGapped\" = true` below `[settings]`",
        );
    }
    folder.write("loader.toml", "[other]\na = 1\n[settings]\n\"loader.verify\" = \"none\"\n");
    assert_eq!(SettingSources::read_file(&file).unwrap().len(), 1);
    folder.write("loader.toml", "# nothing yet\n");
    assert_eq!(SettingSources::read_file(&file).unwrap().len(), 0);
    fs::remove_file(&file).unwrap();
    assert_told(
        &folder,
        &SettingSources::read_file(&file).unwrap_err(),
        "E_SETTING",
        "cannot read the settings file `FOLDER/loader.toml`: there is no such file",
        "",
    );
}

#[test]
fn what_cannot_be_built_is_named() {
    const HEAD: &str = "[extension]\nname = 'E'\nnamespace = 'e'\nversion = '1.0'\nmodule = 'm'\n";
    let function = DescribedFunction {
        name: "f".to_owned(),
        fault: None,
        description: None,
        parameters: Vec::new(),
        inputs: Vec::new(),
        outputs: vec![json!({ "name": "result", "type": "x.Y" }).as_object().cloned().unwrap()],
    };
    let faulty = DescribedFunction { fault: Some("`*more` cannot be passed by name".to_owned()), ..function.clone() };
    let members = |parameter: Value| parameter.as_object().cloned().unwrap();
    let limited = DescribedFunction {
        name: "g".to_owned(),
        parameters: vec![
            members(json!({ "name": "many", "type": "integer", "default": 3 })),
            members(json!({ "name": "word", "type": "string", "default": null })),
        ],
        ..function.clone()
    };
    let built = |text: &str, functions: &[DescribedFunction]| -> Result<Vec<u8>, BuildInputError> {
        BuildInput::read(text)?.descriptor(functions)
    };
    let headed = |text: &str| format!("{HEAD}{text}");
    let cases: [(String, &[DescribedFunction], &str, &str, &str); 18] = [
        ("operator = 1\n".to_owned() + HEAD, &[], "E_EXT_TOML", "extension.toml: `operator` is not a table", ""),
        (
            headed("dependencies = 'base'\n"),
            &[],
            "E_EXT_TOML",
            "extension.toml: `extension.dependencies` is not a list of tables",
            "",
        ),
        (
            headed("dependencies = ['base']\n"),
            &[],
            "E_EXT_TOML",
            "extension.toml: `extension.dependencies` is not a table",
            "",
        ),
        (
            headed("[dependencies]\nbase = '1.0'\n"),
            &[],
            "E_EXT_TOML",
            "extension.toml: `dependencies.base` is not a table",
            "",
        ),
        (
            headed("[operator.f]\noutputs = 'a'\n"),
            &[],
            "E_EXT_TOML",
            "extension.toml: `operator.f.outputs` is not a list of texts",
            "",
        ),
        (
            headed("[operator.g]\nparameters = 1\n"),
            std::slice::from_ref(&limited),
            "E_EXT_TOML",
            "extension.toml describes parameters of `g`, but not as tables",
            "write [operator.g.parameters.NAME], and below it a line for each limit",
        ),
        (
            headed("[operator.g.parameters.others]\nmin = 1\n"),
            std::slice::from_ref(&limited),
            "E_EXT_TOML",
            "extension.toml describes the parameter `others` of `g`, which the function does not have; it has many, word",
            "arguments that are annotated with int, float, str, bool, an Enum, a list, a tuple or a dict are parameters",
        ),
        (
            headed("[operator.g.parameters.many]\npattern = 'a'\n"),
            std::slice::from_ref(&limited),
            "E_EXT_TOML",
            "extension.toml describes the parameter `many` of `g`: `pattern` says nothing about values of the type integer",
            "",
        ),
        (
            headed("[operator.g.parameters.many]\nmost = 1\n"),
            std::slice::from_ref(&limited),
            "E_EXT_TOML",
            "extension.toml describes the parameter `many` of `g`: `most` is not known; it may have type, description, \
             conditions, min, max, exclusive_min, exclusive_max",
            "",
        ),
        (
            headed("[operator.g.parameters.many]\nmin = 4\n"),
            std::slice::from_ref(&limited),
            "E_EXT_FUNCTION",
            "the default of `many` cannot be a value of it in `g`: it is 3; it takes a whole number, at least 4",
            "change the default, or what limits the parameter in extension.toml",
        ),
        (
            headed("[operator.g.parameters.word]\npattern = '('\n"),
            std::slice::from_ref(&limited),
            "E_EXT_DESCRIPTOR",
            "extension.json:23:22 /operators/g/parameters/1/pattern: `pattern` is not a regular expression that can be \
             used: unclosed group",
            AGAIN,
        ),
        ("[extension".to_owned(), &[], "E_EXT_TOML", "extension.toml is not valid TOML: …", ""),
        (
            "[extension]\nname = 'E'\n".to_owned(),
            &[],
            "E_EXT_TOML",
            "extension.toml has no text `namespace` below [extension]",
            "name, namespace, version and module are required",
        ),
        (
            headed("[operator.f]\n[operators.f]\n"),
            &[],
            "E_EXT_TOML",
            "extension.toml describes `f` below [operator.f] and below [operators.f]",
            "keep one of them",
        ),
        (
            headed("[operator.g]\n"),
            std::slice::from_ref(&function),
            "E_EXT_TOML",
            "extension.toml describes `g`, which the module does not have; it has f",
            "import the function in the module's __init__.py",
        ),
        (
            headed("[operator.f]\noutputs = ['a', 'b']\n"),
            std::slice::from_ref(&function),
            "E_EXT_TOML",
            "extension.toml gives `f` 2 names for its 1 outputs",
            "",
        ),
        (
            headed(""),
            std::slice::from_ref(&faulty),
            "E_EXT_FUNCTION",
            "`f` cannot be an operator: `*more` cannot be passed by name",
            "change its signature, or begin its name with `_`",
        ),
        (
            headed(""),
            &[],
            "E_EXT_FUNCTION",
            "the module has no function that could be an operator",
            "import the functions in the module's __init__.py",
        ),
    ];
    let folder = Folder::new();
    for (text, functions, code, expected, hint) in cases {
        assert_told(&folder, &built(&text, functions).unwrap_err(), code, expected, hint);
    }
}

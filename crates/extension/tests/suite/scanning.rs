//! Several zips: which are active, in which order, and what they run on.

use std::fs;
use std::path::Path;

use extension::{
    AllowedExtension, ExtensionSet, ScanRules, SignatureStatus, distribution_needs, distribution_of, scan_extensions,
    settle_conflicts,
};
use serde_json::{Value, json};
use vocab::Fault;

use crate::zips::{Folder, descriptor};

fn unsigned(_: &Path) -> SignatureStatus {
    SignatureStatus::Unsigned
}

const OPEN: ScanRules<'static> =
    ScanRules { allow_list: None, enforce_signing: false, signature: &unsigned, host_version: None };

fn scan(folder: &Folder, rules: &ScanRules<'_>) -> ExtensionSet {
    scan_extensions(&[folder.path().to_owned()], rules)
}

/// File names and codes.
fn refused(set: &ExtensionSet) -> Vec<(String, &'static str)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    set.unavailable.iter().map(|error| (name(&error.path), error.code())).collect()
}

fn needs(namespace: &str, needs: &[(&str, &str)], environment: &str) -> Value {
    let mut text = descriptor(namespace, "1.0");
    text["extension"]["dependencies"] =
        needs.iter().map(|(name, version)| json!({ "name": name, "min_version": version, "module": "m" })).collect();
    text["extension"]["environment"] = environment.into();
    text
}

#[test]
fn only_zips_of_the_folder_itself_are_read_and_a_bad_one_does_not_stop_the_others() {
    let folder = Folder::new();
    folder.extension("good.ZIP", &descriptor("good", "1.0"), &[]);
    folder.extension(".hidden.zip", &descriptor("hidden", "1.0"), &[]);
    folder.write("sub/inner.zip", "x");
    folder.write("bad.zip", "x");
    folder.write("empty.zip", "");
    folder.write("half.zip.part", "x");
    fs::create_dir(folder.path().join("folder.zip")).unwrap();
    let set = scan(&folder, &OPEN);
    assert_eq!(set.active.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(refused(&set), [("bad.zip".to_owned(), "E_EXT_ZIP")]);
    let nowhere = scan_extensions(&[folder.path().join("absent")], &OPEN);
    assert!(nowhere.active.is_empty() && nowhere.unread.is_empty());
    let file = scan_extensions(&[folder.path().join("bad.zip")], &OPEN);
    assert_eq!(file.unread.len(), 1);
}

/// PEL 43
#[test]
fn pel_43_the_highest_version_is_active_and_of_equal_ones_the_first_name() {
    let folder = Folder::new();
    folder.extension("a.zip", &descriptor("same", "1.2.0"), &[]);
    folder.extension("b.zip", &descriptor("same", "1.10.0"), &[]);
    folder.extension("c.zip", &descriptor("same", "1.10.0"), &[]);
    let set = scan(&folder, &OPEN);
    assert_eq!(set.active["same"].extension.path, folder.path().join("b.zip"));
    assert_eq!(set.shadowed.len(), 1);
    assert_eq!(set.warnings[0].code, "W_EXT_SHADOWED");
    assert_eq!(refused(&set), [("c.zip".to_owned(), "E_EXT_DUPLICATE")]);
}

/// PEL 44
#[test]
fn pel_44_dependencies_are_there_new_enough_and_loaded_first() {
    let folder = Folder::new();
    folder.extension("a.zip", &needs("a", &[("z", "0.3.0")], "k"), &[]);
    folder.extension("z.zip", &descriptor("z", "0.3.0"), &[]);
    let set = scan(&folder, &OPEN);
    assert_eq!(set.order, ["z", "a"]);
    folder.extension("z.zip", &descriptor("z", "0.2.9"), &[]);
    folder.extension("b.zip", &needs("b", &[("a", "1.0")], "k"), &[]);
    let set = scan(&folder, &OPEN);
    let expected = [("a.zip".to_owned(), "E_EXT_DEP_VERSION"), ("b.zip".to_owned(), "E_EXT_DEP_MISSING")];
    assert_eq!(refused(&set), expected);
    assert!(set.unavailable[1].kind.to_string().contains("is not available itself"));
    assert_eq!(set.order, ["z"]);
}

/// PEL 45
#[test]
fn pel_45_a_host_that_is_too_old_is_refused_only_if_it_is_known() {
    let folder = Folder::new();
    let mut text = descriptor("a", "1.0");
    text["extension"]["min_core_version"] = "2026.0".into();
    folder.extension("a.zip", &text, &[]);
    assert_eq!(scan(&folder, &OPEN).active.len(), 1);
    assert_eq!(scan(&folder, &ScanRules { host_version: Some("2026.0.1"), ..OPEN }).active.len(), 1);
    let set = scan(&folder, &ScanRules { host_version: Some("2025.1"), ..OPEN });
    assert_eq!(refused(&set), [("a.zip".to_owned(), "E_EXT_HOST_VERSION")]);
}

/// PEL 16, PEL 17
#[test]
fn pel_17_chains_of_dep_lead_to_one_distribution_and_circles_to_none() {
    let folder = Folder::new();
    folder.extension("base.zip", &needs("base", &[], "custom:2.0"), &[("env.yml", b"name: x")]);
    folder.extension("b.zip", &needs("b", &[], "dep::base"), &[("env.yml", b"ignored")]);
    folder.extension("a.zip", &needs("a", &[], "dep::b"), &[]);
    let set = scan(&folder, &OPEN);
    let (chain, id) = distribution_of(&set, "a").unwrap();
    assert_eq!((chain.join(" "), id.to_string()), ("a b base".to_owned(), "custom:2.0".to_owned()));
    let [need] = &distribution_needs(&set)[..] else { panic!("one distribution for all") };
    assert_eq!((need.namespaces.join(" "), need.env_yml.as_deref()), ("base b a".to_owned(), Some("base")));
    assert_eq!(set.warnings[0].code, "W_EXT_ENV_YML");

    folder.extension("base.zip", &needs("base", &[], "dep::a"), &[]);
    folder.extension("c.zip", &needs("c", &[], "dep::nobody"), &[]);
    folder.extension("d.zip", &needs("d", &[], "dep::a"), &[]);
    let set = scan(&folder, &OPEN);
    let cycle = "E_EXT_DEP_CYCLE";
    let missing = "E_EXT_DEP_MISSING";
    let expected = [("a.zip", cycle), ("b.zip", cycle), ("base.zip", cycle), ("c.zip", missing), ("d.zip", missing)];
    assert_eq!(refused(&set), expected.map(|(name, code)| (name.to_owned(), code)));
    assert!(set.unavailable[0].kind.to_string().contains("a → b → base → a"));
    assert!(set.active.is_empty());
}

/// PEL 18
#[test]
fn pel_18_one_id_with_two_environments_is_a_warning_or_with_strict_an_error() {
    let folder = Folder::new();
    folder.extension("a.zip", &needs("a", &[], "k:1"), &[("env.yml", b"name: x\n")]);
    folder.extension("b.zip", &needs("b", &[], "k:1"), &[("env.yml", b"name: y\n")]);
    folder.extension("c.zip", &needs("c", &[], "k:1"), &[("env.yml", b"name: x  \r\n")]);
    let mut set = scan(&folder, &OPEN);
    settle_conflicts(&mut set, false);
    let told: Vec<_> =
        set.warnings.iter().map(|it| (it.code, it.path.file_name().unwrap().to_str().unwrap())).collect();
    assert_eq!(told, [("W_ENV_CONFLICT", "b.zip")]);
    settle_conflicts(&mut set, true);
    assert_eq!(refused(&set), [("b.zip".to_owned(), "E_ENV_CONFLICT")]);
    assert_eq!(set.order, ["a", "c"]);
}

/// PEL 47
#[test]
fn pel_47_the_allow_list_and_signatures_decide_before_anything_is_read() {
    let folder = Folder::new();
    for (name, namespace, version) in [("a.zip", "a", "1.0"), ("b.zip", "py_b", "9"), ("c.zip", "c", "1.0")] {
        folder.extension(name, &descriptor(namespace, version), &[]);
    }
    let allowed = |namespace: &str, version: Option<&str>| AllowedExtension {
        namespace: namespace.to_owned(),
        version: version.map(str::to_owned),
    };
    let list = [allowed("a", Some("1.0")), allowed("b", None)];
    let rules = ScanRules { allow_list: Some(&list), ..OPEN };
    assert_eq!(refused(&scan(&folder, &rules)), [("c.zip".to_owned(), "E_EXT_NOT_ALLOWED")]);
    folder.extension("a.zip", &descriptor("a", "1.1"), &[]);
    assert_eq!(refused(&scan(&folder, &rules))[0], ("a.zip".to_owned(), "E_EXT_NOT_ALLOWED"));

    folder.write("d.zip", "not even a zip");
    let status = |path: &Path| match path.file_name().unwrap().to_str().unwrap() {
        "a.zip" => SignatureStatus::Trusted("key".to_owned()),
        "b.zip" => SignatureStatus::BadSignature("other bytes".to_owned()),
        "c.zip" => SignatureStatus::UnknownKey,
        _ => SignatureStatus::Unsigned,
    };
    let set = scan(&folder, &ScanRules { enforce_signing: true, signature: &status, ..OPEN });
    let expected = [("b.zip", "E_EXT_SIGNATURE"), ("c.zip", "E_EXT_UNKNOWN_KEY"), ("d.zip", "E_EXT_UNSIGNED")];
    assert_eq!(refused(&set), expected.map(|(name, code)| (name.to_owned(), code)));
    let open = scan(&folder, &ScanRules { signature: &status, ..OPEN });
    assert!(matches!(open.active["py_b"].signature, SignatureStatus::BadSignature(_)), "it is shown all the same");
}

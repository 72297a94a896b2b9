//! What a user sees for input that is wrong: cases B1 to B13 through the real program.
//!
//! Each folder of `fixtures/config/invalid/` is a repository; its name begins with the number of its case.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Case, program};

/// Fixtures of the repository that this crate belongs to.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config")
}

pub fn folders(class: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixtures().join(class)).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn b1_to_b13_every_invalid_fixture_is_refused_with_its_place() {
    let folders = folders("invalid");
    assert!(folders.len() >= 15);
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let arguments: &[&str] = if name.ends_with("-strict") { &["3.12.10", "--strict"] } else { &["3.12.10"] };
        let shown = program(&folder, arguments);
        assert!(shown.contains("\nexit code 2\n--- stdout\n--- stderr\n"), "{name}:\n{shown}");
        assert!(!shown.contains("secret"), "{name}:\n{shown}");
        insta::assert_snapshot!(name, shown);
    }
}

#[test]
fn b2_a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let text = "\u{feff}{\r\n  \"packages\": {\r\n    \"dependencies\": [\"numpy\"]\r\n  }\r\n}\r\n";
    let case = Case::empty().file("shared-config.json", text).file("python-3.12.10/config.json", text);
    assert_eq!(case.load(crate::support::STRICT).unwrap().config.packages.dependencies[0].text, "numpy");
}

#[test]
fn b8_ten_faults_in_two_files_are_told_in_one_run() {
    let shown = program(&fixtures().join("invalid/b08-ten-faults-in-two-files"), &["3.12.10"]);
    assert_eq!(shown.matches("error[E_CONFIG_").count(), 10, "{shown}");
    assert_eq!(shown.matches(": python-3.12.10/config.json:").count(), 5, "{shown}");
}

#[test]
fn case_seed_twelve_faults_all_are_named_with_their_places() {
    let shown = program(&fixtures().join("invalid/twelve-faults-in-two-files"), &["3.12.10"]);
    let shared = [
        "2:34 /registries/additional/0",
        "2:47 /registries/additional/1",
        "4:22 /packages/dependencies/0",
        "4:37 /packages/dependencies/1",
        "4:57 /packages/dependencies/3",
        "5:30 /packages/skip/cudf-cu12/macos-arm64",
        "5:71 /packages/skip/cudf-cu12/windows-x64",
        "6:20 /packages/forceSource",
        "7:5 /packages/resolutoin",
        "9:25 /build/timeout",
        "9:53 /build/parallelDownloads",
    ];
    let own = [
        "3:29 /packages/overrides/scipy",
        "4:30 /packages/copyFiles/0/from",
        "4:87 /packages/copyFiles/1/to",
        "4:108 /packages/copyFiles/2",
        "5:27 /packages/platformSpecific/linux-amd64",
    ];
    let places = shared.iter().map(|place| format!(": shared-config.json:{place}: "));
    for place in places.chain(own.iter().map(|place| format!(": python-3.12.10/config.json:{place}: "))) {
        assert!(shown.contains(&place), "{place} is not in:\n{shown}");
    }
}

/// A repository of empty configurations.
fn repository(versions: &[&str]) -> Case {
    let case = Case::empty().file("shared-config.json", "{}");
    versions.iter().fold(case, |case, version| case.file(&format!("python-{version}/config.json"), "{}"))
}

#[test]
fn b9_b10_a_version_that_is_not_there_names_the_nearest() {
    let case = repository(&["3.10.11", "3.12.10", "3.12.10-atls", "3.12.10-slim", "3.14.6"]);
    let calls: [&[&str]; 8] =
        [&[], &["3.12.10", "3.10.11"], &["3.12"], &["v3.12.10"], &["../etc"], &[""], &["3.99.0"], &["3.12.10-nosuch"]];
    let shown: Vec<String> = calls.iter().map(|arguments| program(case.path(), arguments)).collect();
    assert!(shown.iter().all(|shown| shown.contains("\nexit code 2\n--- stdout\n--- stderr\n")), "{shown:#?}");
    insta::assert_snapshot!("b09-b10-versions", shown.join("\n"));
}

#[test]
fn outside_of_a_repository_the_program_says_how_to_name_one() {
    let nowhere = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("no-repository", program(nowhere.path(), &["3.12.10"]));
}

#[test]
fn m9_a_missing_shared_file_through_the_program() {
    let case = Case::empty().file("python-3.12.10/config.json", "{}");
    let shown =
        program(case.path(), &["3.12.10"]) + "\n" + &program(case.path(), &["3.12.10", "--lenient-config", "--digest"]);
    insta::assert_snapshot!("m09-no-shared-file", shown);
}

#[test]
fn attack_13_a_token_in_a_url_is_refused_as_a_password_is_and_never_shown() {
    let token = "ghp_0123456789";
    let git = format!("tool @ git+https://{token}@git.example.org/tool.git");
    let cases = [
        json!({ "registries": { "additional": [format!("https://{token}@index.example.org/simple")] } }),
        json!({ "registries": { "additional": [format!("https://{token}:x-oauth-basic@index.example.org/simple")] } }),
        json!({ "packages": { "dependencies": [git], "resolution": { "allowSourceAll": true } } }),
        json!({ "packages": { "dependencies": [format!("tool @ https://{token}@files.example.org/tool-1.tar.gz")] } }),
    ];
    for own in cases {
        let case = Case::new(&json!({}), &own);
        let shown = program(case.path(), &["3.12.10"]);
        assert!(shown.contains("exit code 2") && shown.contains("holds a"), "{shown}");
        assert!(!shown.contains(token), "{shown}");
    }
    // The name in an ssh URL is no secret.
    let own = json!({ "packages": {
        "dependencies": ["tool @ git+ssh://git@git.example.org/tool.git"], "resolution": { "allowSourceAll": true },
    } });
    assert!(program(Case::new(&json!({}), &own).path(), &["3.12.10"]).contains("exit code 0"));
}

#[test]
fn a_default_index_is_the_url_of_a_server_or_folder_without_credentials() {
    let cases = [
        ("https://me:hush@index.example.org/simple", "holds a password"),
        ("https://token@index.example.org/simple", "holds a"),
        ("ftp://index.example.org/simple", "has the scheme `ftp`"),
        ("corp=https://index.example.org/simple", "is not a valid URL of an index"),
        ("", "is not a valid URL of an index"),
        ("http://index.example.org/simple", "`registries.allowHttp`"),
    ];
    for (url, expected) in cases {
        let own = json!({ "registries": { "default": url } });
        let shown = program(Case::new(&json!({}), &own).path(), &["3.12.10"]);
        assert!(shown.contains("exit code 2") && shown.contains(expected), "for {url}: {shown}");
        assert!(shown.contains("config.json:3:16 /registries/default"), "for {url}: {shown}");
        assert!(!shown.contains("hush") && !shown.contains("token@"), "for {url}: {shown}");
    }
}

#[test]
fn a_release_of_the_users_own_is_a_plain_file_with_a_digest() {
    let digest = "a".repeat(64);
    let file = "cpython-3.14.9+20261103-x86_64-unknown-linux-gnu-install_only.tar.gz";
    let row = |tag: &str, asset: &str, sha256: &str| json!({ "tag": tag, "asset": asset, "sha256": sha256 });
    let of = |version: &str, platform: &str, row: serde_json::Value| json!({ "python": { "releases": { version: { platform: row } } } });
    let list = |url: &str, sha256: &str| json!({ "python": { "downloads": { "url": url, "sha256": sha256 } } });
    let shown = |own: &serde_json::Value| program(Case::new(&json!({}), own).path(), &["3.12.10"]);
    let cases = [
        (of("3.14.9", "linux-x64", row("20261103", "../../etc/a.tar.gz", &digest)), "cannot be used here"),
        (of("3.14.9", "linux-x64", row("20261103", "a/b.tar.gz", &digest)), "cannot be used here"),
        (of("3.14.9", "linux-x64", row("20261103", "a..tar.gz", &digest)), "cannot be used here"),
        (of("3.14.9", "linux-x64", row("20261103", "https://x.example/a.tar.gz", &digest)), "cannot be used here"),
        (of("3.14.9", "linux-x64", row("../1", file, &digest)), "cannot be used here"),
        (of("3.14.9", "linux-x64", row("", file, &digest)), "cannot be used here"),
        (of("3.14.9", "linux-x64", row("20261103", "a.exe", &digest)), "is not an archive"),
        (of("3.14.9", "linux-x64", row("20261103", file, &digest[1..])), "is not a SHA-256"),
        (of("3.14.9", "linux-x64", row("20261103", file, "")), "is not a SHA-256"),
        (of("3.14.9", "linux-x64", json!({ "tag": "20261103", "asset": file })), "`sha256` is missing"),
        (of("3.14.9", "linux-arm64", row("20261103", file, &digest)), "is not a platform key"),
        (of("3.14", "linux-x64", row("20261103", file, &digest)), "is not a Python version"),
        (of("3.14.09", "linux-x64", row("20261103", file, &digest)), "is not a Python version"),
        (list("ftp://x.example/list.json", &digest), "has the scheme `ftp`"),
        (list("https://me:hush@x.example/list.json", &digest), "holds a password"),
        (list("../../list.json", &digest), "leaves the repository"),
        (list("https://x.example/list.json", "abc"), "is not a SHA-256"),
    ];
    for (own, expected) in cases {
        let shown = shown(&own);
        assert!(shown.contains("exit code 2") && shown.contains(expected), "for {own}: {shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }
    let twice = format!(
        r#"{{ "python": {{ "releases": {{ "3.14.9": {{ "linux-x64": {0}, "linux-x64": {0} }} }} }} }}"#,
        row("20261103", file, &digest)
    );
    let case = Case::empty().file("shared-config.json", "{}").file("python-3.12.10/config.json", &twice);
    let text = program(case.path(), &["3.12.10"]);
    assert!(
        text.contains("exit code 2") && text.contains("/python/releases/3.14.9/linux-x64: duplicate key"),
        "{text}"
    );
    assert!(shown(&of("3.14.9", "linux-x64", row("20261103", file, &digest))).contains("exit code 0"));
}

#[test]
fn attack_3_an_index_without_encryption_is_asked_only_on_this_machine_or_where_that_is_said() {
    let run = |url: &str, allowed: serde_json::Value| {
        let own = json!({ "registries": { "additional": [url], "allowHttp": allowed } });
        program(Case::new(&json!({}), &own).path(), &["3.12.10"])
    };
    for url in ["http://127.0.0.1:8080/simple", "http://[::1]/simple", "http://localhost/simple", "https://a.example/s"]
    {
        assert!(run(url, json!([])).contains("exit code 0"), "for {url}");
    }
    for url in ["http://index.example.org/simple", "http://127.0.0.1.example.org/", "http://10.0.0.7/simple"] {
        let shown = run(url, json!(["other.example.org"]));
        assert!(shown.contains("exit code 2") && shown.contains("`registries.allowHttp`"), "{shown}");
        assert!(shown.contains("config.json:4:7 /registries/additional/0"), "{shown}");
    }
    assert!(run("http://index.example.org:81/simple", json!(["Index.example.org"])).contains("exit code 0"));
    let shown = run("https://a.example/s", json!(["http://a.example"]));
    assert!(shown.contains("exit code 2") && shown.contains("write the host alone"), "{shown}");
}

#[test]
fn warnings_are_told_and_strictly_end_the_run() {
    let shared = json!({
        "registeries": {},
        "packages": { "dependencies": ["numpy"], "overrides": { "nunpy": "2" }, "skip": { "numpy": { "linux-x64": "s" } } }
    });
    let own = json!({ "packages": {
        "forceSource": { "numpy": { "linux-x64": "f" } },
        "resolution": { "allowSourceList": ["a"], "onlyBinaryList": ["A"] }
    }, "build": { "timeOut": 3 } });
    let case = Case::new(&shared, &own);
    let shown = program(case.path(), &["3.12.10", "--digest"]) + "\n" + &program(case.path(), &["3.12.10", "--strict"]);
    insta::assert_snapshot!("warnings", shown);
}

#[test]
fn keys_of_python_for_a_source_that_is_left_out_are_warned_of_with_their_place() {
    let sha256 = "a".repeat(64);
    let file = json!({ "url": "https://files.example.org/a.tar.gz", "sha256": sha256 });
    let release = json!({ "tag": "20261103", "asset": "a.tar.gz", "sha256": sha256 });
    let keys = [
        ("tag", json!("20261103"), "python-build-standalone"),
        ("flavor", json!("install_only"), "python-build-standalone"),
        ("releases", json!({ "3.12.10": { "linux-x64": release } }), "python-build-standalone"),
        ("downloads", file.clone(), "python-build-standalone"),
        ("archives", json!({ "linux-x64": file }), "archive"),
    ];
    for (key, value, source) in keys {
        for sources in [json!(["system"]), json!([source, "system"])] {
            let own = json!({ "python": { "sources": sources, key: value } });
            let shown = program(Case::new(&json!({}), &own).path(), &["3.12.10", "--digest"]);
            let expected = format!(" /python/{key}: `{key}` has no effect: `sources` does not have `{source}`");
            let is_left_out = sources == json!(["system"]);
            assert_eq!(shown.contains(&expected), is_left_out, "for {key} and {sources}: {shown}");
            assert_eq!(shown.contains("warning[E_CONFIG_CONFLICT]"), is_left_out, "for {key} and {sources}: {shown}");
        }
    }
}

#[test]
fn the_program_prints_the_canonical_configuration_from_any_folder_of_the_repository() {
    let shared = json!({ "packages": { "dependencies": ["NumPy == 2.2.6"], "skip": { "cudf_cu12": { "windows-x64": "no CUDA" } } } });
    let own = json!({ "packages": { "dependencies": [] } });
    let case = Case::new(&shared, &own);
    insta::assert_snapshot!("program", program(&case.path().join("python-3.12.10"), &["3.12.10"]));
}

//! What a person sees: command, exit code, standard output and standard error. Needs neither network, uv nor Python.

use std::path::Path;

use serde_json::{Value, json};
use vocab::PlatformKey;

use crate::desk::Desk;

#[test]
fn wrong_usage_is_answered_with_what_to_write() {
    let desk = Desk::new();
    let bare = desk.run("");
    assert!(bare.contains("exit 2\n") && bare.contains("Usage: builder [OPTIONS] <VERSION>..."), "{bare}");
    let lines = [
        "3.12.10 --nosuch",
        "--locked plan 3.12.10",
        "3.12",
        "v3.12.10",
        "../etc",
        "3.12.10 3.12.10 extra",
        "build 3.12.10",
        "lokc 3.12.10",
    ];
    insta::assert_snapshot!(lines.map(|line| desk.run(line)).join("\n"));
}

#[test]
fn b9_b10_a_version_without_a_folder_is_answered_with_the_nearest_ones() {
    let desk = Desk::new();
    insta::assert_snapshot!(["3.99.0", "3.12.10-nosuch", "3.12.10-atl"].map(|line| desk.run(line)).join("\n"));
}

#[test]
fn b5_a_platform_is_one_of_the_five() {
    let desk = Desk::new();
    let wrong = ["macos-arm64", "linux-arm64", "win-x64"];
    insta::assert_snapshot!(wrong.map(|key| desk.run(&format!("3.12.10 --platform {key}"))).join("\n"));
}

#[test]
fn b8_every_fault_of_both_files_is_told_at_once_with_its_place() {
    let desk = Desk::new();
    desk.shared(
        r#"{
  "packages": {
    "dependencies": ["numpy=2.2.6", 7],
    "skip": { "cudf-cu12": { "macos-arm64": "no CUDA", "linux-x64": "" } }
  },
  "registries": { "additional": ["ftp://example.invalid/simple"] }
}
"#,
    );
    desk.version(
        r#"{
  "build": { "timeout": "soon" },
  "packages": {
    "copyFiles": [{ "from": "../shared", "to": "../../x" }]
  }
}
"#,
    );
    insta::assert_snapshot!(desk.run("3.12.10"));
}

#[test]
fn b1_b3_text_that_is_no_json_is_shown_where_it_breaks() {
    let desk = Desk::new();
    desk.version("{\n  \"packages\": {\n    \"dependencies\": [\"demo\",],\n  }\n}\n");
    let trailing = desk.run("plan 3.12.10");
    desk.version("{\n  \"packages\": { \"skip\": {}, \"skip\": {} }\n}\n");
    insta::assert_snapshot!([trailing, desk.run("plan 3.12.10")].join("\n"));
}

#[test]
fn m9_a_missing_shared_configuration_is_an_error_or_with_lenient_config_a_warning() {
    let desk = Desk::new();
    std::fs::remove_file(desk.repository.at("shared-config.json")).unwrap();
    let repository = format!("--repository {}", desk.repository.path().display());
    let strict = desk.run(&format!("{repository} 3.12.10"));
    let lenient = desk.run_with(&format!("{repository} 3.12.10 --lenient-config"), &[("TEST_RUN", "true")]);
    insta::assert_snapshot!([strict, lenient].join("\n"));
}

#[test]
fn what_lenient_config_lets_pass_keeps_its_build_settings() {
    let desk = Desk::new();
    desk.version(r#"{ "build": { "enableLogging": false } }"#);
    std::fs::remove_file(desk.repository.at("shared-config.json")).unwrap();
    let repository = format!("--repository {}", desk.repository.path().display());
    let log = desk.repository.path().join("python-3.12.10/logs/build-linux-x64.jsonl");
    desk.run_with(&format!("{repository} 3.12.10 --lenient-config --platform linux-x64"), &[("TEST_RUN", "true")]);
    assert!(!log.exists());
    desk.version("{}");
    desk.run_with(&format!("{repository} 3.12.10 --lenient-config --platform linux-x64"), &[("TEST_RUN", "true")]);
    assert!(log.is_file(), "without a word about it a build is logged");
}

#[test]
fn p10_a_git_dependency_that_no_rule_allows_is_refused() {
    let desk = Desk::new();
    desk.version(
        r#"{
  "packages": {
    "dependencies": ["git+https://git.example.invalid/group/demo.git@v1"],
    "resolution": { "strictMissing": true }
  }
}
"#,
    );
    insta::assert_snapshot!(desk.run("3.12.10"));
}

#[test]
fn a_locked_build_without_a_lock_says_how_to_make_one() {
    let desk = Desk::new();
    let archive = desk.folder.path().join("python.tar.gz");
    std::fs::write(&archive, "").unwrap();
    let url = format!("file://{}", archive.display().to_string().replace('\\', "/"));
    let archive = json!({ "url": url, "sha256": "0".repeat(64) });
    let config = json!({
        "python": { "sources": ["archive"], "archives": { PlatformKey::host().unwrap().as_str(): archive } },
    });
    desk.version(&config.to_string());
    insta::assert_snapshot!(desk.run("3.12.10 --locked"));
}

#[test]
fn t4_a_release_that_no_source_has_is_answered_with_what_each_source_said() {
    let desk = Desk::new();
    let sources = json!({ "sources": ["python-build-standalone", "archive", "go-module"] });
    desk.repository.version("3.10.1", &json!({ "python": sources }));
    insta::assert_snapshot!(desk.run("3.10.1"));
}

#[test]
fn new_begins_a_version_from_nothing_or_from_another() {
    let desk = Desk::new();
    desk.repository.file("python-3.12.10-atls/bin/tool", "#!/bin/sh\n");
    let lines =
        ["new 3.13.0", "new 3.13.0-custom --from 3.12.10-atls", "new 3.12.10", "new 3.13.1 --from 3.11.0", "new 3.13"];
    let text = lines.map(|line| desk.run(line)).join("\n");
    insta::assert_snapshot!(text + "\n" + &listing(&desk, "python-3.13"));
}

#[test]
fn clean_removes_what_builds_made_and_nothing_else() {
    let desk = Desk::new();
    let python = format!("pydist/{}/bin/python3", PlatformKey::host().unwrap());
    for file in [python.as_str(), "logs/build.jsonl", "logs/mine.log", "pydist/mine/thesis.txt", "mine.txt"] {
        desk.repository.file(&format!("python-3.12.10/{file}"), "");
    }
    desk.repository.file("dist/pydist-python-3.12.10-linux-x86_64.tar.zst", "");
    desk.repository.file("dist/pydist-atls-3.12.10-linux-x86_64.tar.zst", "");
    let text = ["clean 3.12.10", "clean 3.12.10"].map(|line| desk.run(line)).join("\n");
    insta::assert_snapshot!(text + "\n" + &listing(&desk, ""));
}

/// Attack 1, and case rule-store-hint.
#[test]
fn attack_1_a_folder_of_somebody_is_not_a_store_whatever_the_command() {
    let desk = Desk::new();
    let project = desk.folder.path().join("project");
    for file in ["tmp/thesis.txt", "wheels/of-my-car.txt"] {
        std::fs::create_dir_all(project.join(file).parent().unwrap()).unwrap();
        std::fs::write(project.join(file), "mine").unwrap();
    }
    let lines = ["plan 3.12.10", "clean 3.12.10 --store", "store info", "store verify", "store prune --max-size 0"];
    let told = lines.map(|line| desk.run(&format!("{line} --store-dir {}", project.display()))).join("\n");
    insta::assert_snapshot!(told);
    for file in ["tmp/thesis.txt", "wheels/of-my-car.txt"] {
        assert_eq!(std::fs::read_to_string(project.join(file)).unwrap(), "mine");
    }
    assert_eq!(std::fs::read_dir(&project).unwrap().count(), 2, "nothing was put there either");
}

#[test]
fn check_looks_at_configurations_locks_and_whitelists() {
    let desk = Desk::new();
    let fine = desk.run("check");
    desk.repository.file("checker/whitelists/linux-x64.json", "[]");
    desk.repository.file("checker/whitelists/windows-x64.json", r#"{ "demo-*.whl": { "demo": 3 } }"#);
    let lock = json!({
        "format": 1, "runtime": "3.12.10",
        "platforms": { "macosx-x64": { "inputs": "0".repeat(64), "uv": "0.13.9", "distributions": [] } },
    });
    desk.repository.file("python-3.12.10/lock.json", lock.to_string());
    desk.repository.file("python-3.12.10-atls/lock.json", r#"{ "format": 7 }"#);
    insta::assert_snapshot!([fine, desk.run("check")].join("\n"));
}

#[test]
fn t10_a_test_run_ends_with_the_place_of_its_stub() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.run_with("3.12.10", &[("TEST_RUN", "true")]));
}

#[test]
fn help_names_the_exit_codes() {
    let text = Desk::new().run("--help");
    assert!(text.starts_with("$ builder --help\nexit 0\n--- stdout\n"), "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "Exit codes: 0 done, 1 build failure, 2 usage or configuration, 3 a check of the finished runtime \
                    failed, 4 a digest or archive cannot be trusted, 5 partial: some packages or platforms need \
                    another machine (listed).";
    assert!(flat.contains(expected), "{text}");
}

#[test]
fn a_fault_is_one_line_of_json_where_json_is_asked_for() {
    let text = Desk::new().run("3.99.0 --json");
    let line = text.lines().last().unwrap();
    let told: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&told["event"], &told["exit"]), (&json!("error"), &json!(2)), "{text}");
    assert!(!text.contains("--- stderr"), "{text}");
}

#[test]
fn results_are_lines_of_json_where_json_is_asked_for() {
    let desk = Desk::new();
    desk.repository.file("python-3.12.10/logs/build.jsonl", "");
    for (line, event) in [("--json new 3.13.0", "created"), ("clean --json 3.12.10", "removed")] {
        let text = desk.run(line);
        let told: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(told["event"], event, "{text}");
        assert!(told["path"].as_str().unwrap().starts_with("<repository>"), "{text}");
    }
}

/// Files whose path starts with `start`, sorted.
fn listing(desk: &Desk, start: &str) -> String {
    let root = desk.repository.path();
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string().replace('\\', "/");
    let mut paths: Vec<String> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| relative(entry.path()))
        .filter(|path| path.starts_with(start))
        .collect();
    paths.sort();
    format!("$ ls\n{}\n", paths.join("\n"))
}

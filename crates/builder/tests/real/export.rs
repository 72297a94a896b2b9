//! Exports: a machine that has nothing builds the same bytes from a folder, and says in one error what it lacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use testkit::{FixtureFile, SdistBuilder, WheelBuilder};

use crate::support::{self, Bench, PYTHON, Run};

fn files() -> Vec<FixtureFile> {
    let wheel = |name: &str| WheelBuilder::new(name, "1.0").file(&format!("{name}/__init__.py"), "").build();
    vec![wheel("one"), wheel("two"), SdistBuilder::new("made", "1.0").build()]
}

fn bench() -> Bench {
    Bench::of(json!({ "dependencies": ["one", "two", "made"] }), files())
}

fn digest(run: &Run) -> vocab::Digest {
    run.manifest().artifact.unwrap().sha256
}

fn forget_product(bench: &Bench) {
    support::remove(&bench.prefix());
    support::remove(&bench.repository.at("dist"));
}

/// The index on loopback has no uv, which is a warning; everything else is there.
fn export(bench: &Bench, stick: &Path, options: &[&str]) -> Run {
    let words = [&["export", PYTHON, "--to", stick.to_str().unwrap()], options].concat();
    let run = bench.run(&words);
    assert_eq!(run.code, 5, "{}", run.told());
    let warnings = run.warnings();
    assert!(warnings.len() == 1 && warnings[0].starts_with("W_EXPORT_TOOL"), "{warnings:?}");
    run
}

/// Another machine: an empty store, no Go modules, no index.
fn elsewhere(bench: &Bench, name: &str, options: &[&str]) -> Run {
    let store = bench.path(name);
    store::Store::open(store.clone()).unwrap();
    let mut command = bench.command(&[&[PYTHON, "--locked", "--offline"], options].concat());
    command.env("PYDIST_STORE", store).env("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple");
    command.env("GOMODCACHE", bench.path("no-modules")).env("GOFLAGS", "-modcacherw");
    support::run(&mut command)
}

fn files_with_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| entry.file_type().is_file());
    let below = |path: &Path| path.strip_prefix(folder).unwrap().to_owned();
    files.map(|entry| (below(entry.path()), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_machine_that_has_nothing_builds_equal_bytes_from_an_export() {
    let bench = bench();
    let reference = digest(&bench.build());
    let (stick, twin) = (bench.path("stick"), bench.path("twin"));
    let before = bench.requests().len();
    export(&bench, &stick, &["--offline"]);
    assert_eq!(bench.requests().len(), before, "a warm store needs nothing");
    export(&bench, &twin, &[]);
    assert_eq!(files_with_bytes(&stick), files_with_bytes(&twin), "equal exports have equal bytes");

    forget_product(&bench);
    let from = ["--from", stick.to_str().unwrap()];
    let before = files_with_bytes(&stick);
    let run = elsewhere(&bench, "machine-b", &from);
    assert_eq!((run.code, run.warnings()), (0, Vec::new()), "{}", run.told());
    assert_eq!(digest(&run), reference);
    assert_eq!(files_with_bytes(&stick), before, "it is only read");

    // Without the export nothing is there; and what another machine shares is not asked.
    forget_product(&bench);
    assert_ne!(elsewhere(&bench, "machine-c", &[]).code, 0);
}

#[test]
fn an_export_of_another_lock_is_refused_with_the_command_that_makes_the_right_one() {
    let bench = bench();
    bench.build();
    let stick = bench.path("stick");
    export(&bench, &stick, &[]);
    bench.packages(json!({ "dependencies": ["one"] }));
    assert_eq!(bench.run(&["lock", PYTHON]).code, 0);
    forget_product(&bench);
    let run = elsewhere(&bench, "machine-b", &["--from", stick.to_str().unwrap()]);
    let error = run.error();
    assert_eq!((run.code, &error["code"]), (1, &json!("E_EXPORT_LACKS")), "{}", run.told());
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("builder export {PYTHON} --platform")), "{hint}");
    // Another export into the same folder serves it.
    export(&bench, &stick, &[]);
    let run = elsewhere(&bench, "machine-b", &["--from", stick.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.told());
}

#[test]
fn a_disk_without_room_leaves_no_export_and_a_second_export_mends_it() {
    let bench = bench();
    let reference = digest(&bench.build());
    let stick = bench.path("stick");
    // No file may become larger than this: a write fails as it does on a full disk.
    let command = bench.command(&["export", PYTHON, "--to", stick.to_str().unwrap()]);
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args()).current_dir(bench.repository.path()).env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for name in ["PATH", "HOME", "GOMODCACHE", "GOPATH", "GOPROXY"] {
        if let Some(value) = std::env::var_os(name).filter(|_| !command.get_envs().any(|(it, _)| it == name)) {
            limited.env(name, value);
        }
    }
    let run = support::run(&mut limited);
    assert_eq!((run.code, &run.error()["code"]), (1, &json!("E_EXPORT_WRITE")), "{}", run.told());
    assert!(!stick.join("pydist-export.json").exists() && !stick.join("SHA256SUMS").exists());
    let unfinished = files_with_bytes(&stick)
        .into_iter()
        .find(|(path, _)| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    assert_eq!(unfinished, None);
    forget_product(&bench);
    let refused = elsewhere(&bench, "machine-b", &["--from", stick.to_str().unwrap()]);
    assert_eq!((refused.code, &refused.error()["code"]), (2, &json!("E_EXPORT_READ")), "{}", refused.told());
    export(&bench, &stick, &[]);
    assert_eq!(digest(&elsewhere(&bench, "machine-b", &["--from", stick.to_str().unwrap()])), reference);
}

#[test]
fn what_a_mirror_must_hold_is_listed_with_the_tools_and_without_hosts() {
    let bench = bench();
    bench.build();
    let run = bench.run(&["export", PYTHON, "--list"]);
    assert_eq!(run.code, 0, "{}", run.told());
    let listed = run.line("mirror").unwrap()["files"].as_array().unwrap().clone();
    let one = files()[0].sha256().to_string();
    let has = |kind: &str, name: &str| listed.iter().find(|it| it["kind"] == kind && it["name"] == name);
    assert_eq!(has("distribution", "one").unwrap()["sha256"], json!(one), "{listed:?}");
    assert!(has("interpreter", "CPython").is_some() && has("tool", "uv").unwrap()["sha256"].is_string(), "{listed:?}");
    assert_eq!(has("tool", "auditwheel").unwrap()["version"], json!("6.8.2"));
    assert!(!run.told().contains("127.0.0.1") && !run.told().contains("://"), "{}", run.told());
}

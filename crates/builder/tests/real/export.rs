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

pub fn forget_product(bench: &Bench) {
    support::remove(&bench.prefix());
    support::remove(&bench.repository.at("dist"));
}

/// The index on loopback has no uv, which is a warning; everything else is there.
pub fn export(bench: &Bench, stick: &Path, options: &[&str]) -> Run {
    export_for(bench, stick, options, 1)
}

/// For so many hosts.
fn export_for(bench: &Bench, stick: &Path, options: &[&str], hosts: usize) -> Run {
    let words = [&["export", PYTHON, "--to", stick.to_str().unwrap()], options].concat();
    let run = bench.run(&words);
    assert_eq!(run.code, 5, "{}", run.told());
    let warnings = run.warnings();
    assert_eq!(warnings.len(), hosts, "{warnings:?}");
    assert!(warnings.iter().all(|it| it.starts_with("W_EXPORT_TOOL")), "{warnings:?}");
    run
}

/// Another machine: an empty store, no Go modules, no index.
fn elsewhere(bench: &Bench, name: &str, options: &[&str]) -> Run {
    elsewhere_with(bench, name, options, &[])
}

pub fn elsewhere_with(bench: &Bench, name: &str, options: &[&str], variables: &[(&str, &str)]) -> Run {
    let store = bench.path(name);
    store::Store::open(store.clone()).unwrap();
    let mut command = bench.command(&[&[PYTHON, "--locked", "--offline"], options].concat());
    command.env("PYDIST_STORE", store).env("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple");
    command.env("GOMODCACHE", bench.path("no-modules")).env("GOFLAGS", "-modcacherw");
    support::run(command.envs(variables.iter().copied()))
}

/// Its sdist requires `helper` to be built.
fn bench_with_build_requirement() -> (Bench, FixtureFile) {
    let helper = WheelBuilder::new("helper", "1.0").build();
    let made = SdistBuilder::new("made", "1.0").build_requires("helper").build();
    (Bench::of(json!({ "dependencies": ["made"] }), [made, helper.clone()]), helper)
}

fn object(folder: &Path, kind: &str, digest: &str) -> PathBuf {
    folder.join("v1").join(kind).join(&digest[..2]).join(digest)
}

/// With another variable the built wheel is another one, which no export or remote store has.
pub const OTHER_FLAGS: [(&str, &str); 1] = [("CFLAGS", "-O1")];

pub fn was_built(run: &Run) -> bool {
    run.told().contains("building a wheel of made from source")
}

fn files_with_bytes(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| entry.file_type().is_file());
    let below = |path: &Path| path.strip_prefix(folder).unwrap().to_owned();
    files.map(|entry| (below(entry.path()), fs::read(entry.path()).unwrap())).collect()
}

/// Whatever file system the folder is copied to: no two names are equal without case, none is refused or changed by FAT or
/// Windows, and there are no links.
fn assert_portable(folder: &Path) {
    let walk = walkdir::WalkDir::new(folder).min_depth(1).into_iter().map(Result::unwrap);
    let mut folded = std::collections::BTreeSet::new();
    for entry in walk {
        let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
        assert!(!entry.path_is_symlink(), "{name}");
        assert!(folded.insert(name.to_lowercase()), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-./".contains(c)), "{name}");
        assert_eq!(vocab::refused_by_windows(&name.parse().unwrap()), None, "{name}");
    }
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
    assert_portable(&stick);

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
fn another_machine_builds_a_source_again_with_what_it_requires_from_the_export() {
    let (bench, helper) = bench_with_build_requirement();
    bench.build();
    let stick = bench.path("stick");
    export(&bench, &stick, &["--offline"]);
    forget_product(&bench);
    let from = ["--from", stick.to_str().unwrap()];
    let run = elsewhere_with(&bench, "machine-b", &from, &OTHER_FLAGS);
    assert_eq!((run.code, run.warnings()), (0, Vec::new()), "{}", run.told());
    assert!(was_built(&run) && run.installed() == ["made 1.0"], "{}", run.told());

    // The record of the built wheel is removed, and what the wheel required is still on the stick.
    forget_product(&bench);
    support::remove(&bench.path("machine-b/built"));
    let run = elsewhere_with(&bench, "machine-b", &from, &OTHER_FLAGS);
    assert!(run.code == 0 && was_built(&run), "{}", run.told());

    // One byte flipped, or nothing there: one error before anything is taken, and a second export mends it.
    let digest = helper.sha256().to_string();
    let place = object(&stick, "blobs", &digest);
    for damage in ["flipped", "absent"] {
        forget_product(&bench);
        fs::remove_file(&place).unwrap();
        if damage == "flipped" {
            let mut bytes = helper.bytes.clone();
            bytes[40] ^= 1;
            fs::write(&place, bytes).unwrap();
        }
        let name = format!("machine-{damage}");
        let run = elsewhere_with(&bench, &name, &from, &OTHER_FLAGS);
        let error = run.error();
        assert_eq!((run.code, &error["code"]), (4, &json!("E_EXPORT_DAMAGED")), "{}", run.told());
        assert!(run.told().contains(&digest) && error["hint"].as_str().unwrap().contains("builder export"));
        assert!(!bench.path(&name).join("built").exists() && !bench.path(&name).join("requirements").exists());
        export(&bench, &stick, &[]);
        let run = elsewhere_with(&bench, &name, &from, &OTHER_FLAGS);
        assert!(run.code == 0 && was_built(&run), "{}", run.told());
    }
}

#[test]
fn a_wheel_whose_requirements_are_unknown_gets_them_for_an_export_without_being_built_again() {
    let (bench, helper) = bench_with_build_requirement();
    bench.build();
    // As an earlier builder left it: the wheel, and nothing of what it required.
    let record = walkdir::WalkDir::new(bench.path("store/built")).into_iter().flatten();
    let record = record.map(walkdir::DirEntry::into_path).find(|path| path.ends_with("built.json")).unwrap();
    let mut built: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    built.as_object_mut().unwrap().remove("requirement_sets").unwrap();
    fs::write(&record, built.to_string()).unwrap();
    support::remove(&bench.path("store/requirements"));
    fs::remove_file(store::Store::at(bench.path("store")).blob(&helper.sha256())).unwrap();

    // Without a network that is said; what is there is exported.
    let stick = bench.path("stick");
    let run = bench.run(&["export", PYTHON, "--offline", "--to", stick.to_str().unwrap()]);
    assert_eq!(run.code, 5, "{}", run.told());
    let warnings = run.warnings().join("\n");
    let said =
        "W_EXPORT_REQUIREMENTS what `made` requires to be built is not exported: cannot build made 1.0 from source";
    assert!(warnings.contains(said) && warnings.contains("helper"), "{warnings}");

    // So it serves those who take the wheel as it is.
    forget_product(&bench);
    let from = ["--from", stick.to_str().unwrap()];
    let run = elsewhere_with(&bench, "machine-b", &from, &OTHER_FLAGS);
    assert_eq!((run.code, &run.error()["code"]), (1, &json!("E_EXPORT_LACKS")), "{}", run.told());
    support::assert_says(&run.told(), &["`CFLAGS` was not set, and is `-O1` here"]);
    assert_eq!(elsewhere(&bench, "machine-b", &from).code, 0);

    let run = export(&bench, &stick, &[]);
    assert!(!was_built(&run), "{}", run.told());
    assert!(object(&stick, "blobs", &helper.sha256().to_string()).is_file());
    forget_product(&bench);
    let run = elsewhere_with(&bench, "machine-b", &from, &OTHER_FLAGS);
    assert!(run.code == 0 && was_built(&run), "{}", run.told());
}

#[test]
fn another_machine_builds_a_source_again_with_what_it_requires_from_a_remote_store() {
    let (bench, helper) = bench_with_build_requirement();
    bench.build();
    let shared = bench.path("shared");
    let pushed = bench.run(&["store", "push", "--remote-store", shared.to_str().unwrap()]);
    assert_eq!(pushed.code, 0, "{}", pushed.told());
    forget_product(&bench);
    let remote = ["--remote-store", shared.to_str().unwrap()];
    // Else each machine would give what it built, and the next would take that.
    let own = [OTHER_FLAGS.as_slice(), &[("PYDIST_REMOTE_STORE_READ_ONLY", "1")]].concat();
    let run = elsewhere_with(&bench, "machine-b", &remote, &own);
    assert!(run.code == 0 && was_built(&run) && run.installed() == ["made 1.0"], "{}", run.told());

    let digest = helper.sha256().to_string();
    let place = object(&shared, "blobs", &digest);
    for damage in ["flipped", "absent"] {
        forget_product(&bench);
        if damage == "flipped" {
            let mut bytes = helper.bytes.clone();
            bytes[40] ^= 1;
            fs::remove_file(&place).unwrap();
            fs::write(&place, bytes).unwrap();
        } else {
            fs::remove_file(&place).unwrap();
        }
        let name = format!("machine-{damage}");
        let run = elsewhere_with(&bench, &name, &remote, &own);
        let error = run.error();
        assert_eq!((run.code, &error["code"]), (1, &json!("E_BUILD_REQUIREMENTS")), "{}", run.told());
        let text = error.to_string();
        assert!(text.contains("helper-1.0-py3-none-any.whl") && text.contains("store push"), "{text}");
        let built = bench.path(&name).join("built");
        assert!(!built.exists() && !bench.prefix().exists(), "nothing half there");
    }
    // The warm store gives it again.
    assert_eq!(bench.run(&["store", "push", "--remote-store", shared.to_str().unwrap()]).code, 0);
    let run = elsewhere_with(&bench, "machine-c", &remote, &own);
    assert!(run.code == 0 && was_built(&run), "{}", run.told());
}

#[test]
fn a_build_gives_what_it_required_to_the_remote_store() {
    let (bench, helper) = bench_with_build_requirement();
    let shared = bench.path("shared");
    bench.build_with(&["--remote-store", shared.to_str().unwrap()]);
    assert!(object(&shared, "blobs", &helper.sha256().to_string()).is_file());
    // So does one that finds the wheel in its store.
    support::remove(&shared);
    forget_product(&bench);
    bench.build_with(&["--remote-store", shared.to_str().unwrap()]);
    forget_product(&bench);
    let run = elsewhere_with(&bench, "machine-b", &["--remote-store", shared.to_str().unwrap()], &OTHER_FLAGS);
    assert!(run.code == 0 && was_built(&run), "{}", run.told());
}

#[test]
fn uv_is_not_asked_for_where_every_built_wheel_is_in_the_store() {
    let (bench, _) = bench_with_build_requirement();
    let reference = digest(&bench.build());
    let nothing = bench.path("no-programs");
    fs::create_dir(&nothing).unwrap();
    for options in [&["--locked", "--offline"][..], &["--locked"]] {
        forget_product(&bench);
        let mut command = bench.command(&[&[PYTHON], options].concat());
        let run = support::run(command.env("PATH", &nothing).env("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple"));
        assert_eq!((run.code, run.warnings()), (0, Vec::new()), "{options:?}: {}", run.told());
        assert_eq!(digest(&run), reference);
    }
    assert!(!bench.path("store/tools").exists(), "uv was not set up");
}

#[test]
fn a_damaged_uv_of_the_store_is_not_exported_as_if_it_were_there() {
    let bench = bench();
    bench.build();
    let host = vocab::PlatformKey::host().unwrap();
    let sha256: vocab::Digest = resolve::pinned_uv(host).unwrap().digests[0].parse().unwrap();
    let blob = store::Store::at(bench.path("store")).blob(&sha256);
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(&blob, "not uv").unwrap();
    let stick = bench.path("stick");
    export(&bench, &stick, &["--offline"]);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(stick.join("pydist-export.json")).unwrap()).unwrap();
    assert_eq!(manifest["hosts"], json!({}));
    assert!(!blob.exists(), "it is fetched again where there is a network");
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
fn other_settings_than_those_of_the_export_are_said_at_once_with_both_values() {
    let bench = bench();
    bench.build();
    let stick = bench.path("stick");
    export(&bench, &stick, &[]);
    let packages = json!({ "dependencies": ["one", "two", "made"] });
    bench.config(json!({ "packages": packages, "python": { "sources": ["system"] } }));
    forget_product(&bench);
    let from = ["--from", stick.to_str().unwrap()];
    let run = elsewhere(&bench, "machine-b", &from);
    assert_eq!((run.code, &run.error()["code"]), (1, &json!("E_EXPORT_LACKS")), "{}", run.told());
    let all = "python-build-standalone, archive, go-module, system";
    support::assert_says(&run.told(), &[&format!("`python.sources` was `{all}`, and is `system` here")]);
    assert!(!bench.path("machine-b").join("bases").exists(), "nothing was taken");
    bench.packages(packages);
    assert_eq!(elsewhere(&bench, "machine-b", &from).code, 0);
}

#[test]
fn two_exports_at_once_into_one_folder_are_both_there() {
    let bench = bench();
    let slim = format!("{PYTHON}-slim");
    bench.repository.version(&slim, &json!({ "packages": { "dependencies": ["one"] } }));
    bench.build();
    assert_eq!(bench.run(&["lock", &slim]).code, 0);
    let stick = bench.path("stick");
    let start = |version: &str| {
        let mut command = bench.command(&["export", version, "--to", stick.to_str().unwrap()]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let mut both = [start(PYTHON), start(&slim)];
    // The index has no uv, which is a warning.
    assert!(both.iter_mut().all(|child| child.wait().unwrap().code() == Some(5)));
    forget_product(&bench);
    for version in [PYTHON, &slim] {
        let mut command = bench.command(&[version, "--locked", "--offline", "--from", stick.to_str().unwrap()]);
        let run = support::run(command.env("PYDIST_STORE", bench.path("machine-b")));
        assert_eq!(run.code, 0, "{}", run.told());
    }
}

#[test]
fn what_only_another_host_needs_is_its_own_and_does_not_stop_a_build() {
    let bench = bench();
    bench.build();
    let stick = bench.path("stick");
    let (here, there) = (support::host().as_str(), "windows-x64");
    export_for(&bench, &stick, &["--for-host", &format!("{here},{there}")], 2);
    let manifest = fs::read(stick.join("pydist-export.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let objects = |host: &str| -> std::collections::BTreeSet<String> {
        let listed = manifest["runtimes"][0]["hosts"][host]["objects"].as_array().unwrap();
        listed.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
    };
    let (own, of_windows) = (objects(here), objects(there));
    let kinds = |keys: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        keys.map(|key| key.split('/').nth(1).unwrap().to_owned()).collect()
    };
    // Each finds the wheel under a key of its own; there another interpreter works as well.
    assert_eq!(kinds(&mut own.difference(&of_windows)), ["built"]);
    assert_eq!(kinds(&mut of_windows.difference(&own)), ["bases", "built"]);
    for key in of_windows.difference(&own) {
        fs::remove_file(stick.join(key)).unwrap();
    }
    forget_product(&bench);
    let run = elsewhere(&bench, "machine-b", &["--from", stick.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.told());
}

#[test]
fn a_folder_with_a_sha256sums_of_others_is_refused() {
    let bench = bench();
    bench.build();
    let stick = bench.path("stick");
    fs::create_dir(&stick).unwrap();
    fs::write(stick.join("SHA256SUMS"), "of others\n").unwrap();
    let run = bench.run(&["export", PYTHON, "--to", stick.to_str().unwrap()]);
    assert_eq!((run.code, &run.error()["code"]), (2, &json!("E_EXPORT_FOREIGN")), "{}", run.told());
    assert_eq!(files_with_bytes(&stick), [(PathBuf::from("SHA256SUMS"), b"of others\n".to_vec())]);
}

#[test]
fn a_build_from_a_damaged_export_takes_nothing_and_a_second_export_mends_it() {
    let bench = bench();
    let reference = digest(&bench.build());
    let stick = bench.path("stick");
    export(&bench, &stick, &[]);
    let base = files_with_bytes(&stick).into_iter().find(|(path, _)| path.starts_with("v1/bases")).unwrap();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[base.1.len() / 2] ^= 1;
        bytes
    };
    let path = stick.join(&base.0);
    let harms: [(&str, &dyn Fn()); 3] = [
        ("one byte flipped", &|| fs::write(&path, flipped(&base.1)).unwrap()),
        ("cut", &|| fs::write(&path, &base.1[..1000]).unwrap()),
        ("a link", &|| {
            fs::rename(&path, bench.path("outside")).unwrap();
            std::os::unix::fs::symlink(bench.path("outside"), &path).unwrap();
        }),
    ];
    let from = ["--from", stick.to_str().unwrap()];
    for (number, (what, harm)) in harms.into_iter().enumerate() {
        forget_product(&bench);
        harm();
        let machine = format!("machine-{number}");
        let run = elsewhere(&bench, &machine, &from);
        let errors = run.lines.iter().filter(|line| line["event"] == "error").count();
        assert_eq!(
            (run.code, &run.error()["code"], errors),
            (4, &json!("E_EXPORT_DAMAGED"), 1),
            "{what}: {}",
            run.told()
        );
        assert!(run.told().contains(&base.0.display().to_string()), "{what}: {}", run.told());
        assert!(!bench.prefix().exists() && !bench.repository.at("dist").exists(), "{what}");
        let taken = testkit::files_below(&bench.path(&machine));
        assert!(
            !taken.iter().any(|file| ["bases", "blobs", "built"].iter().any(|kind| file.starts_with(kind))),
            "{what}"
        );
        export(&bench, &stick, &[]);
        assert_eq!(digest(&elsewhere(&bench, &machine, &from)), reference, "{what}");
    }
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

#[test]
fn the_interpreters_of_the_hosts_are_listed_beside_those_of_the_runtimes() {
    let bench = bench();
    bench.build();
    let (here, there) = (support::host().as_str(), "windows-x64");
    let mut archives = serde_json::Map::new();
    for key in [here, there] {
        bench.repository.file(&format!("python-{PYTHON}/{key}.tar.gz"), key);
        let archive = json!({ "url": format!("./{key}.tar.gz"), "sha256": vocab::Digest::of(key) });
        archives.insert(key.to_owned(), archive);
    }
    let python = json!({ "sources": ["archive"], "archives": archives });
    bench.config(json!({ "packages": { "dependencies": ["one", "two", "made"] }, "python": python }));
    let listed = |hosts: &str| -> Vec<String> {
        let run = bench.run(&["export", PYTHON, "--list", "--for-host", hosts]);
        assert_eq!(run.code, 0, "{}", run.told());
        assert!(run.told().contains("what made 1.0 requires to be built is not in the list"), "{}", run.told());
        let files = run.line("mirror").unwrap()["files"].as_array().unwrap().clone();
        let interpreters = files.iter().filter(|it| it["kind"] == "interpreter");
        interpreters.map(|it| it["sha256"].as_str().unwrap().to_owned()).collect()
    };
    let mut both = [here, there].map(|key| vocab::Digest::of(key).to_string());
    both.sort();
    let mut found = listed(&format!("{here},{there}"));
    found.sort();
    assert_eq!(found, both);
    assert_eq!(listed(here), [vocab::Digest::of(here).to_string()]);
}

//! The store under real builders: side by side, killed, damaged, and with a remote store behind it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::{FixtureFile, S3Server, SdistBuilder, TestRepository, Versitygw, WheelBuilder};

use crate::byte_code;
use crate::support::{self, Bench, PYTHON, QUICKEST, Run, builder_requests};

const WHEELS: [&str; 4] = ["one", "two", "three", "four"];

/// Large enough that unpacking and packing take a moment, and no two files alike.
fn wheel(name: &str) -> FixtureFile {
    let mut builder = WheelBuilder::new(name, "1.0");
    for file in 0..40_u64 {
        let mut state = file + 7 * name.len() as u64 + u64::from(name.as_bytes()[1]);
        let noise: Vec<u8> = (0..30_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        builder = builder.file(&format!("{name}/data{file}.bin"), noise);
    }
    builder.build()
}

fn files() -> Vec<FixtureFile> {
    let sdist = SdistBuilder::new("made", "1.0").build();
    WHEELS.iter().map(|name| wheel(name)).chain([sdist]).collect()
}

fn packages() -> Value {
    json!({ "dependencies": WHEELS.iter().chain(&["made"]).collect::<Vec<_>>() })
}

/// A store with the shared interpreter and nothing else, not even its part.
fn bare_store(bench: &Bench, name: &str) -> PathBuf {
    let store = bench.make_store(name);
    fs::remove_file(store.join("parts")).unwrap();
    store
}

fn digest(run: &Run) -> vocab::Digest {
    run.manifest().artifact.unwrap().sha256
}

/// The runtime is to be made again, from whatever the store has.
fn forget_product(bench: &Bench) {
    support::remove(&bench.prefix());
    support::remove(&bench.repository.at("dist"));
}

fn build_in(bench: &Bench, store: &Path, options: &[&str], variables: &[(&str, String)]) -> Run {
    let mut command = bench.command(&[&[PYTHON], &QUICKEST[..], options].concat());
    command.env("PYDIST_STORE", store).envs(variables.iter().map(|(name, value)| (name, value)));
    support::run(&mut command)
}

fn good(run: Run) -> Run {
    assert_eq!(run.code, 0, "{}", run.told());
    run
}

fn verify(bench: &Bench, store: &Path) -> Run {
    support::run(bench.command(&["store", "verify"]).env("PYDIST_STORE", store))
}

fn assert_sound(bench: &Bench, store: &Path) {
    let run = verify(bench, store);
    assert_eq!((run.code, &run.line("verified").unwrap()["damaged"]), (0, &json!([])), "{}", run.told());
}

#[test]
fn eight_builders_share_an_empty_store_and_each_wheel_is_downloaded_once() {
    let bench = Bench::new(files());
    let store = bare_store(&bench, "empty");
    let repositories: Vec<TestRepository> = (0..8)
        .map(|_| {
            let repository = TestRepository::new();
            repository.version(PYTHON, &json!({ "packages": packages() }));
            repository
        })
        .collect();
    let children: Vec<_> = repositories
        .iter()
        .map(|repository| {
            let mut command = bench.command(&[&[PYTHON], &QUICKEST[..]].concat());
            command.current_dir(repository.path()).env("PYDIST_STORE", &store);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut digests = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}");
        let product = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut product = product.filter(|line| line["event"] == "product");
        let product = product.next_back().unwrap();
        digests.push(product["manifest"]["artifact"]["sha256"].as_str().unwrap().to_owned());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
    for file in files() {
        assert_eq!(builder_requests(bench.index(), &file.file_name), 1, "{}", file.file_name);
    }
    assert_sound(&bench, &store);
    let left: Vec<_> = fs::read_dir(store.join("tmp")).unwrap().collect();
    assert_eq!(left.len(), 0, "{left:?}");
}

/// Below `folder`, at any depth up to `depth`.
fn count(folder: &Path, depth: usize, is: impl Fn(&walkdir::DirEntry) -> bool) -> usize {
    walkdir::WalkDir::new(folder).max_depth(depth).into_iter().flatten().filter(is).count()
}

#[test]
fn a_builder_killed_while_it_unpacks_or_packs_leaves_a_store_that_gives_the_same_bytes() {
    let bench = Bench::of(packages(), files());
    let reference = digest(&good(build_in(&bench, &bare_store(&bench, "reference"), &[], &[])));
    type Point = fn(&Path, &Path) -> bool;
    let points: [(&str, Point); 8] = [
        // (name, killed as soon as this is seen of store and dist)
        ("a download begins", |store, _| count(&store.join("blobs"), 2, |it| it.file_type().is_file()) > 0),
        ("a wheel is being unpacked", |store, _| count(&store.join("tmp"), 3, |it| it.file_name() == "tree") > 0),
        ("a wheel is unpacked", |store, _| count(&store.join("wheels"), 1, |it| it.depth() == 1) > 0),
        ("all wheels are unpacked", |store, _| count(&store.join("wheels"), 1, |it| it.depth() == 1) > WHEELS.len()),
        ("packing begins", |_, dist| count(dist, 1, |it| it.file_name().to_string_lossy().starts_with(".pack-")) > 0),
        ("a part is published", |store, _| count(&store.join("parts"), 2, |it| it.file_type().is_file()) > 0),
        ("three parts are published", |store, _| count(&store.join("parts"), 2, |it| it.file_type().is_file()) > 2),
        ("the artifact is there", |_, dist| {
            count(dist, 1, |it| it.file_name().to_string_lossy().ends_with(".zst")) > 0
        }),
    ];
    for (number, (name, seen)) in points.into_iter().enumerate() {
        forget_product(&bench);
        let store = bare_store(&bench, &format!("store{number}"));
        let dist = bench.repository.at("dist");
        let mut child = bench
            .command(&[&[PYTHON], &QUICKEST[..]].concat())
            .env("PYDIST_STORE", &store)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() && !seen(&store, &dist) {
            // Looking without a pause would take a processor from the builder.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        // SIGKILL: nothing of the builder runs after it.
        let _ = child.kill();
        child.wait().unwrap();
        assert!(seen(&store, &dist) || name.contains("begin") || name.contains("being"), "{name}: it never came to it");
        let run = good(build_in(&bench, &store, &[], &[]));
        assert_eq!(digest(&run), reference, "after a kill when {name}");
        assert_sound(&bench, &store);
        assert_eq!(fs::read_dir(store.join("tmp")).unwrap().count(), 0, "after a kill when {name}");
    }
}

/// In place, as a bad disk would.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn first(folder: &Path, is: impl Fn(&Path) -> bool) -> PathBuf {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    walk.filter(|it| it.file_type().is_file()).map(walkdir::DirEntry::into_path).find(|it| is(it)).unwrap()
}

/// Tests of other platforms share the folder with this machine's interpreter: what does not run here goes.
fn keep_own_interpreter(bases: &Path) {
    let mut kept = 0;
    for entry in fs::read_dir(bases).unwrap() {
        let base = entry.unwrap().path();
        if base.is_dir() {
            let runs = Command::new(base.join("bin/python3.14")).arg("--version").output();
            if runs.is_ok_and(|output| output.status.success()) {
                kept += 1;
            } else {
                support::remove(&base);
                fs::remove_file(base.with_extension("json")).unwrap();
            }
        }
    }
    assert_eq!(kept, 1, "interpreters of this machine in {}", bases.display());
}

#[test]
fn what_is_damaged_in_the_store_is_named_and_made_good() {
    let bench = Bench::of(packages(), files());
    let store = bare_store(&bench, "own");
    // An interpreter of its own, to be spoiled.
    let shared = fs::canonicalize(store.join("bases")).unwrap();
    fs::remove_file(store.join("bases")).unwrap();
    support::output(Command::new("cp").arg("-a").arg(&shared).arg(store.join("bases")));
    keep_own_interpreter(&store.join("bases"));
    let mut reference = digest(&good(build_in(&bench, &store, &[], &[])));
    let one = wheel("one").sha256();
    let sdist = SdistBuilder::new("made", "1.0").build().sha256();
    let blob = |digest: &vocab::Digest| store::Store::at(store.clone()).blob(digest);
    let unpacked = store.join("wheels").join(one.to_string());
    type Harm<'a> = Box<dyn Fn() + 'a>;
    let leave_byte_code = || {
        let folder = first(&store.join("bases"), |it| it.ends_with("os.py")).with_file_name("__pycache__");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("os.cpython-312.pyc"), store.display().to_string()).unwrap();
    };
    let cases: Vec<(&str, &str, Harm<'_>)> = vec![
        // (what, what the note says, how)
        ("a blob", "one-1.0-py3-none-any.whl` was damaged in the store", {
            Box::new(|| {
                support::remove(&unpacked);
                spoil(&blob(&one));
            })
        }),
        ("an empty blob", "one-1.0-py3-none-any.whl` was damaged in the store", {
            Box::new(|| {
                support::remove(&unpacked);
                fs::write(blob(&one), "").unwrap();
            })
        }),
        ("an sdist", "made-1.0.tar.gz` was damaged in the store", Box::new(|| spoil(&blob(&sdist)))),
        ("an unpacked wheel", "has another content", Box::new(|| spoil(&unpacked.join("tree/one/data7.bin")))),
        ("the table of an unpacked wheel", "its table is damaged", {
            Box::new(|| fs::write(unpacked.join("entries.json"), "{").unwrap())
        }),
        ("an unpacked wheel's file is gone", "is gone", {
            Box::new(|| fs::remove_file(unpacked.join("tree/one/data7.bin")).unwrap())
        }),
        ("a built wheel", "the store's built wheel", {
            Box::new(|| spoil(&first(&store.join("built"), |it| it.extension().is_some_and(|it| it == "whl"))))
        }),
        ("the record of a built wheel", "its record is damaged", {
            Box::new(|| fs::write(first(&store.join("built"), |it| it.ends_with("built.json")), "").unwrap())
        }),
        ("a part", "was damaged and is made again", Box::new(|| spoil(&first(&store.join("parts"), |_| true)))),
        ("a part cut short", "was damaged and is made again", {
            Box::new(|| fs::write(first(&store.join("parts"), |_| true), "short").unwrap())
        }),
        ("the interpreter", "the store's copy of the interpreter", {
            Box::new(|| spoil(&first(&store.join("bases"), |it| it.ends_with("os.py"))))
        }),
        ("a file too many in the interpreter", "does not belong into it", {
            Box::new(|| {
                fs::write(first(&store.join("bases"), |it| it.ends_with("os.py")).with_file_name("x.py"), "").unwrap();
            })
        }),
        ("byte code in the interpreter", "byte code was removed", Box::new(leave_byte_code)),
        ("byte code in an interpreter that is a former builder's", "byte code was removed", Box::new(leave_byte_code)),
    ];
    for (what, note, harm) in cases {
        forget_product(&bench);
        // From here on it is made again, as it comes into the store: without the byte code that makes this quick.
        if what == "the interpreter" {
            byte_code::remove(&store.join("bases"));
            reference = digest(&good(build_in(&bench, &store, &[], &[])));
            forget_product(&bench);
        }
        harm();
        if what.ends_with("former builder's") {
            let table = first(&store.join("bases"), |it| it.parent().is_some_and(|it| it.ends_with("bases")));
            fs::remove_file(table).unwrap();
        }
        let run = good(build_in(&bench, &store, &[], &[]));
        let notes: Vec<_> = run.lines.iter().filter(|line| line["event"] == "note").collect();
        let told = notes.iter().any(|line| line["text"].as_str().unwrap().contains(note));
        assert!(told, "{what}: {}", run.told());
        assert_eq!(digest(&run), reference, "{what}");
        assert_sound(&bench, &store);
    }
}

#[test]
fn damage_that_a_build_cannot_see_is_found_by_verify_and_told_by_its_exit_code() {
    let bench = Bench::of(packages(), files());
    let store = bare_store(&bench, "own");
    let reference = digest(&good(build_in(&bench, &store, &[], &[])));
    let unpacked = store.join("wheels").join(wheel("one").sha256().to_string()).join("tree/one/data7.bin");
    let time = fs::metadata(&unpacked).unwrap().modified().unwrap();
    spoil(&unpacked);
    fs::File::options().write(true).open(&unpacked).unwrap().set_modified(time).unwrap();
    let kept = support::run(bench.command(&["store", "verify", "--keep"]).env("PYDIST_STORE", &store));
    assert_eq!(kept.code, 3);
    let run = verify(&bench, &store);
    let damage = &run.line("verified").unwrap()["damaged"][0];
    assert_eq!((run.code, &damage["kind"], &damage["removed"]), (3, &json!("wheels"), &json!(true)), "{}", run.told());
    assert_sound(&bench, &store);
    forget_product(&bench);
    assert_eq!(digest(&good(build_in(&bench, &store, &["--offline"], &[]))), reference);
}

#[test]
fn prune_and_info_of_a_real_store() {
    let bench = Bench::of(packages(), files());
    let store = bare_store(&bench, "own");
    let reference = digest(&good(build_in(&bench, &store, &[], &[])));
    let command = |words: &[&str]| {
        let run = good(support::run(bench.command(&[&["store"], words].concat()).env("PYDIST_STORE", &store)));
        run.lines.last().unwrap().clone()
    };
    let info = command(&["info"]);
    let of = |kind: &str| info["kinds"].as_array().unwrap().iter().find(|it| it["kind"] == kind).unwrap().clone();
    assert_eq!((of("blobs")["count"].as_u64(), of("built")["count"].as_u64()), (Some(5), Some(1)), "{info}");
    assert_eq!(of("wheels")["count"].as_u64(), Some(5), "{info}");
    // The bases are another store's.
    fs::remove_file(store.join("bases")).unwrap();
    let pruned = command(&["prune", "--max-size", "0"]);
    assert_eq!(pruned["remaining"], 0, "{pruned}");
    assert_eq!(store_upkeep::entries(&store::Store::at(store.clone())).unwrap(), []);
    // What the prefix shares with the store is still the prefix's.
    assert!(bench.has("one") || bench.site_packages().join("one/data0.bin").is_file());
    fs::remove_dir_all(store.join("bases")).unwrap_or_default();
    let fresh = bare_store(&bench, "fresh");
    fs::rename(fresh.join("bases"), store.join("bases")).unwrap();
    forget_product(&bench);
    assert_eq!(digest(&good(build_in(&bench, &store, &[], &[]))), reference);
}

fn made_here(run: &Run) -> bool {
    run.lines.iter().any(|line| line["text"].as_str().is_some_and(|text| text.starts_with("building a wheel of")))
}

fn parts_brought(run: &Run) -> usize {
    let brought =
        |line: &&Value| line["program"] == "remote store" && line["line"].as_str().unwrap().contains("/parts/");
    run.lines.iter().filter(brought).count()
}

#[test]
fn builders_share_downloads_built_wheels_and_parts_through_a_remote_store() {
    let bench = Bench::of(packages(), files());
    let server = S3Server::start();
    let folder = bench.path("shared");
    let reference = digest(&good(build_in(&bench, &bare_store(&bench, "alone"), &[], &[])));
    let places =
        [("folder", folder.display().to_string()), ("bucket", format!("s3://{}/some/prefix", S3Server::BUCKET))];
    for (kind, address) in places {
        let mut variables = server.variables().to_vec();
        variables.push(("PYDIST_REMOTE_STORE", address));
        forget_product(&bench);
        let first = good(build_in(&bench, &bare_store(&bench, &format!("{kind}1")), &[], &variables));
        assert!(made_here(&first) && parts_brought(&first) == 0, "{kind}: {}", first.told());
        assert_eq!(first.warnings(), Vec::<String>::new());

        forget_product(&bench);
        let before = bench.requests().len();
        let second = bare_store(&bench, &format!("{kind}2"));
        let run = good(build_in(&bench, &second, &[], &variables));
        assert_eq!(run.warnings(), Vec::<String>::new());
        assert_eq!(bench.requests().len(), before, "{kind}: nothing is asked of the index");
        assert!(!made_here(&run), "{kind}: {}", run.told());
        // The interpreter, five wheels and the manifest.
        assert_eq!(parts_brought(&run), 7, "{kind}: {}", run.told());
        assert_eq!([digest(&first), digest(&run)], [reference; 2], "{kind}");
        assert!(!run.told().contains(S3Server::SECRET));
        assert_sound(&bench, &second);
    }
    // A store that had everything before there was a remote one gives the same, and the interpreter, too.
    let warm = bench.path("warm");
    let remote = ["--remote-store", warm.to_str().unwrap()];
    forget_product(&bench);
    good(build_in(&bench, &bench.path("alone"), &remote, &[]));
    forget_product(&bench);
    let empty = bench.path("empty");
    store::Store::open(empty.clone()).unwrap();
    let without_go = [("GOMODCACHE", bench.path("no-modules").display().to_string())];
    let run = good(build_in(&bench, &empty, &[&["--offline"], &remote[..]].concat(), &without_go));
    assert_eq!(digest(&run), reference);
    assert!(!made_here(&run) && run.warnings().is_empty(), "{}", run.told());
    // Without the network a folder serves, and to a reader nothing is given.
    forget_product(&bench);
    let options = ["--offline", "--remote-store", folder.to_str().unwrap()];
    assert_eq!(digest(&good(build_in(&bench, &bare_store(&bench, "offline"), &options, &[]))), reference);
    forget_product(&bench);
    let untouched = bench.path("untouched");
    let remote = ["--remote-store", untouched.to_str().unwrap()];
    let options = [&["--remote-store-read-only"], &remote[..]].concat();
    good(build_in(&bench, &bare_store(&bench, "reader"), &options, &[]));
    forget_product(&bench);
    let variables = [("PYDIST_REMOTE_STORE_READ_ONLY", "Yes".to_owned())];
    good(build_in(&bench, &bare_store(&bench, "variable"), &remote, &variables));
    assert!(!untouched.exists());
    let variables = [("PYDIST_REMOTE_STORE_READ_ONLY", "maybe".to_owned())];
    let unclear = build_in(&bench, &bare_store(&bench, "unclear"), &remote, &variables);
    assert_eq!((unclear.code, &unclear.error()["code"]), (2, &json!("E_ENVIRONMENT")), "{}", unclear.told());
}

#[test]
fn a_damaged_or_absent_remote_store_costs_a_warning_and_with_strict_the_build() {
    let bench = Bench::of(packages(), files());
    let folder = bench.path("shared");
    let remote = ["--remote-store", folder.to_str().unwrap()];
    let reference = digest(&good(build_in(&bench, &bare_store(&bench, "first"), &remote, &[])));
    let one = wheel("one").sha256().to_string();
    let spoiled = [
        folder.join("v1/blobs").join(&one[..2]).join(&one),
        first(&folder.join("v1/parts"), |_| true),
        first(&folder.join("v1/built"), |_| true),
    ];
    for path in &spoiled {
        spoil(path);
    }
    fs::write(&spoiled[2], r#"{"file_name":"../../x.whl","sha256":"","size":1,"commit":null}"#).unwrap();
    forget_product(&bench);
    let run = good(build_in(&bench, &bare_store(&bench, "second"), &remote, &[]));
    assert_eq!(digest(&run), reference);
    let warnings = run.warnings();
    for path in &spoiled {
        let name = path.file_name().unwrap().to_str().unwrap();
        let named = warnings.iter().filter(|text| text.starts_with("W_REMOTE_STORE_DAMAGED") && text.contains(name));
        assert_eq!(named.count(), 1, "{name}: {warnings:?}");
    }
    forget_product(&bench);
    let strict = build_in(&bench, &bare_store(&bench, "third"), &[&remote[..], &["--strict"]].concat(), &[]);
    assert_eq!((strict.code, &strict.error()["code"]), (4, &json!("E_REMOTE_STORE_DAMAGED")), "{}", strict.told());

    // Nobody listens there.
    let variables = S3Server::variables_for("http://127.0.0.1:1", S3Server::SECRET);
    let nowhere = ["--remote-store", "s3://bucket"];
    let run = good(build_in(&bench, &bare_store(&bench, "fourth"), &nowhere, &variables));
    assert_eq!(digest(&run), reference);
    let warnings = run.warnings();
    assert!(warnings.len() == 1 && warnings[0].starts_with("W_REMOTE_STORE "), "{warnings:?}");
    forget_product(&bench);
    let strict = build_in(&bench, &bare_store(&bench, "fifth"), &[&nowhere[..], &["--strict"]].concat(), &variables);
    assert_eq!((strict.code, &strict.error()["code"]), (1, &json!("E_REMOTE_STORE")), "{}", strict.told());
    for told in [run.told(), strict.told()] {
        assert!(![S3Server::SECRET, "X-Amz"].iter().any(|secret| told.contains(secret)), "{told}");
    }
    let wrong = build_in(&bench, &bare_store(&bench, "sixth"), &["--remote-store", "ftp://host/x"], &[]);
    assert_eq!((wrong.code, &wrong.error()["code"]), (2, &json!("E_STORE_ADDRESS")), "{}", wrong.told());
}

/// Programs of others that `scripts/test` has set up; `None` where the tests were told to do without.
fn versitygw() -> Option<Versitygw> {
    let without = std::env::var("PYDIST_TESTS_WITHOUT").unwrap_or_default();
    if without.split_whitespace().any(|it| it == "versitygw") {
        return None;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/versitygw/bin/versitygw");
    assert!(program.is_file(), "`versitygw` is not there; `scripts/test` sets it up");
    Some(Versitygw::start(&program))
}

/// A machine of its own: another repository, home and store, and neither uv, Go, pip nor an index.
fn machine(bench: &Bench, name: &str) -> (TestRepository, Command) {
    let repository = TestRepository::new();
    repository.version(PYTHON, &json!({ "packages": packages() }));
    let lock = format!("python-{PYTHON}/lock.json");
    fs::copy(bench.repository.at(&lock), repository.at(&lock)).unwrap();
    let home = bench.path(&format!("{name}-home"));
    fs::create_dir_all(&home).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_builder"));
    command.current_dir(repository.path()).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home);
    command.env("PYDIST_STORE", bench.path(name)).args(["--json", PYTHON, "--locked", "--offline"]).args(QUICKEST);
    (repository, command)
}

#[test]
fn a_bucket_that_was_filled_from_a_warm_store_serves_two_machines_at_once_without_another_network() {
    let Some(server) = versitygw() else { return };
    let bench = Bench::of(packages(), files());
    let warm = bare_store(&bench, "warm");
    let reference = digest(&good(build_in(&bench, &warm, &[], &[])));
    let address = format!("s3://{}/builds", S3Server::BUCKET);
    let variables = S3Server::variables_for(&server.endpoint(), S3Server::SECRET);
    let command = |words: &[&str]| {
        let words = [&["store"], words, &["--remote-store", &address]].concat();
        let mut command = bench.command(&words);
        support::run(command.env("PYDIST_STORE", &warm).envs(variables.clone()))
    };
    let pushed = command(&["push"]);
    assert_eq!((pushed.code, &pushed.line("pushed").unwrap()["left"]), (0, &json!(0)), "{}", pushed.told());
    let again = command(&["push"]);
    assert_eq!(again.line("pushed").unwrap()["given"]["objects"], 0, "{}", again.told());
    let verified = command(&["verify"]);
    assert_eq!((verified.code, &verified.line("verified").unwrap()["damaged"]), (0, &json!([])), "{}", verified.told());
    let before = bench.requests().len();

    let machines: Vec<_> = ["b1", "b2"]
        .into_iter()
        .map(|name| {
            let (repository, mut command) = machine(&bench, name);
            command.envs(variables.clone()).args(["--remote-store", &address]);
            // Without being asked for, a bucket is not used.
            let refused = support::run(&mut command);
            assert_eq!(refused.code, 1, "{}", refused.told());
            command.env("PYDIST_REMOTE_STORE_OFFLINE", "true").env("PYDIST_REMOTE_STORE_READ_ONLY", "true");
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (repository, child)
        })
        .collect();
    for (_repository, child) in machines {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
        let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<Value> = lines.collect();
        let product = lines.iter().rfind(|line| line["event"] == "product").unwrap();
        assert_eq!(product["manifest"]["artifact"]["sha256"], json!(reference), "{told}");
        let warnings = lines.iter().filter(|line| line["event"] == "warning").count();
        assert_eq!(warnings, 0, "{told}");
    }
    assert_eq!(bench.requests().len(), before, "nothing is asked of the index");

    // Damage is named, and replaced from the warm store.
    let one = wheel("one").sha256().to_string();
    spoil(&server.object(&format!("builds/v1/blobs/{}/{one}", &one[..2])));
    let damaged = command(&["verify"]);
    assert!(damaged.code == 3 && damaged.told().contains(&one), "{}", damaged.told());
    assert_eq!(command(&["verify", "--repair"]).line("verified").unwrap()["damaged"][0]["repair"], "replaced");
    assert_eq!(command(&["verify"]).code, 0);
    let pruned = command(&["prune", "--older-than", "1d"]);
    assert_eq!((pruned.code, &pruned.line("pruned").unwrap()["removed"]), (0, &json!([])), "{}", pruned.told());
}

#[test]
fn a_store_pruned_to_just_below_its_size_still_builds_the_runtimes_in_use_without_a_network() {
    let bench = Bench::of(packages(), files());
    let store = bare_store(&bench, "in use");
    // Its own interpreter, which prune may take.
    let linked = fs::read_link(store.join("bases")).unwrap();
    let reference = digest(&good(build_in(&bench, &store, &[], &[])));
    fs::remove_file(store.join("bases")).unwrap();
    copy_tree(&linked, &store.join("bases"));
    let command = |words: &[&str]| {
        let words = [&["store"], words].concat();
        support::run(bench.command(&words).env("PYDIST_STORE", &store))
    };
    let whole = command(&["prune", "--max-size", "10T", "--dry-run"]);
    let limit = whole.line("pruned").unwrap()["remaining"].as_u64().unwrap() - 1;
    let pruned = command(&["prune", "--max-size", &limit.to_string()]);
    let removed = pruned.line("pruned").unwrap()["removed"].as_array().unwrap().clone();
    assert!(!removed.is_empty(), "{}", pruned.told());
    let kinds: Vec<&str> = removed.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert!(kinds.iter().all(|kind| ["parts", "wheels", "imports"].contains(kind)), "{kinds:?}");
    let (_repository, mut build) = machine(&bench, "in use");
    let run = support::run(&mut build);
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(digest(&run), reference);
}

/// As `cp -a` does.
fn copy_tree(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// The same command with a store that cannot be written: for root on a read-only mount of its own, since root may write
/// whatever the modes say.
fn read_only(command: &Command, store: &Path) -> Command {
    let is_root = String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim() == "0";
    let mut wrapped = if is_root {
        let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
        let mut wrapped = Command::new("unshare");
        wrapped.args(["--mount", "sh", "-c", script]).arg(store).arg(command.get_program());
        wrapped
    } else {
        assert!(Command::new("chmod").args(["-R", "a-w"]).arg(store).status().unwrap().success());
        Command::new(command.get_program())
    };
    wrapped.args(command.get_args()).current_dir(command.get_current_dir().unwrap()).env_clear();
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    wrapped
}

#[test]
fn a_store_that_cannot_be_written_serves_what_it_has_and_names_what_it_lacks() {
    let bench = Bench::of(packages(), files());
    let store = bare_store(&bench, "read-only");
    let linked = fs::read_link(store.join("bases")).unwrap();
    let reference = digest(&good(build_in(&bench, &store, &[], &[])));
    fs::remove_file(store.join("bases")).unwrap();
    copy_tree(&linked, &store.join("bases"));
    let before = testkit::files_below(&store);
    let (repository, command) = machine(&bench, "read-only");
    let run = support::run(&mut read_only(&command, &store));
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(digest(&run), reference);
    assert!(run.told().contains("cannot be written: what it has is used"), "{}", run.told());
    assert!(run.warnings().is_empty(), "{}", run.told());
    assert_eq!(testkit::files_below(&store), before);

    // A wheel that would have to be unpacked.
    assert!(Command::new("chmod").args(["-R", "u+w"]).arg(&store).status().unwrap().success());
    support::remove(&store.join("wheels").join(wheel("one").sha256().to_string()));
    support::remove(&repository.at(&format!("python-{PYTHON}/pydist")));
    support::remove(&repository.at("dist"));
    let lacking = support::run(&mut read_only(&command, &store));
    assert_eq!((lacking.code, &lacking.error()["code"]), (1, &json!("E_STORE")), "{}", lacking.told());
    assert!(lacking.told().contains("cannot be written, and it lacks"), "{}", lacking.told());
}

#[test]
fn with_strict_the_refusal_of_a_remote_store_is_the_error_and_not_what_it_led_to() {
    let bench = Bench::of(packages(), files());
    good(build_in(&bench, &bare_store(&bench, "first"), &[], &[]));
    forget_product(&bench);
    let server = S3Server::start();
    let endpoint = server.variables()[0].1.clone();
    let mut variables = S3Server::variables_for(&endpoint, "another").to_vec();
    // Nobody listens there.
    variables.push(("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple".to_owned()));
    let options = ["--locked", "--strict", "--remote-store", "s3://shared"];
    let run = build_in(&bench, &bare_store(&bench, "second"), &options, &variables);
    assert_eq!((run.code, &run.error()["code"]), (1, &json!("E_REMOTE_STORE")), "{}", run.told());
    assert!(run.told().contains("the credentials are not valid"), "{}", run.told());
}

#[test]
fn offline_every_file_that_is_lacking_is_named_at_once() {
    let bench = Bench::of(packages(), files());
    good(build_in(&bench, &bare_store(&bench, "first"), &[], &[]));
    forget_product(&bench);
    let run = build_in(&bench, &bare_store(&bench, "second"), &["--locked", "--offline"], &[]);
    assert_eq!((run.code, &run.error()["code"]), (1, &json!("E_OFFLINE")), "{}", run.told());
    let text = run.error()["message"].as_str().map_or_else(|| run.error().to_string(), str::to_owned);
    for file in files() {
        assert!(text.contains(&file.file_name), "{}: {text}", file.file_name);
    }
    assert!(!text.contains("any more"), "{text}");
}

//! One store, many builders.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::json;
use store::{BlobState, LockOutcome, MoveOutcome, Store};
use vocab::Digest;

use testkit::store_bench::StoreBench;

#[test]
fn staged_entries_have_unique_names_and_vanish_when_dropped() {
    let bench = StoreBench::new();
    let one = bench.context.store.stage_dir().unwrap();
    let other = bench.neighbour().store.stage_dir().unwrap();
    assert_ne!(one.path(), other.path());
    let path = one.path().to_owned();
    fs::write(path.join("half"), "x").unwrap();
    drop(one);
    assert!(!path.exists());
}

#[test]
fn the_slower_of_two_publishers_drops_its_own() {
    let bench = StoreBench::new();
    let store = &bench.context.store;
    let target = store.wheel(&Digest::of("x"));
    for (content, expected) in [("first", MoveOutcome::Ours), ("second", MoveOutcome::Theirs)] {
        let staged = store.stage_dir().unwrap();
        fs::write(staged.path().join("file"), content).unwrap();
        assert_eq!(store.publish_dir(staged, &target).unwrap(), expected);
    }
    assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "first");
}

#[test]
fn opening_clears_what_dead_processes_left_and_nothing_of_living_ones() {
    let bench = StoreBench::new();
    let alive = bench.context.store.stage_dir().unwrap();
    let scratch = bench.context.store.scratch_dir("resolve-").unwrap();
    let tmp = bench.context.store.root().join("tmp");
    // As a killed process leaves it: the lock file is there, its lock is not.
    fs::create_dir_all(tmp.join("session-dead/0/half")).unwrap();
    fs::write(tmp.join("session-dead.lock"), "").unwrap();
    // Killed before it had made its lock file.
    fs::create_dir(tmp.join("session-early")).unwrap();
    Store::open(bench.context.store.root().to_owned()).unwrap();
    assert!(!tmp.join("session-dead").exists() && !tmp.join("session-dead.lock").exists());
    assert!(!tmp.join("session-early").exists());
    assert!(alive.path().is_dir() && scratch.path().is_dir());
}

#[test]
fn the_lock_of_a_process_that_died_while_it_cleared_up_is_removed() {
    let bench = StoreBench::new();
    let root = bench.context.store.root().to_owned();
    let orphan = root.join("tmp").join("session-gone.lock");
    fs::create_dir_all(root.join("tmp")).unwrap();
    fs::write(&orphan, "").unwrap();
    Store::open(root).unwrap();
    assert!(!orphan.exists());
}

#[test]
fn a_lock_excludes_others_until_it_is_dropped() {
    let bench = StoreBench::new();
    let digest = Digest::of("x");
    let lock = |store: &Store, patience: u32| {
        let mut asked = 0;
        store.lock("blob", &digest, || {
            asked += 1;
            asked > patience
        })
    };
    let held = lock(&bench.context.store, 0).unwrap();
    assert!(matches!(held, LockOutcome::Held(_)));
    let neighbour = bench.neighbour().store;
    assert!(matches!(lock(&neighbour, 0).unwrap(), LockOutcome::GivenUp));
    let waiter = std::thread::spawn({
        let neighbour = neighbour.clone();
        move || matches!(neighbour.lock("blob", &digest, || false).unwrap(), LockOutcome::Held(_))
    });
    drop(held);
    assert!(waiter.join().unwrap());
    assert!(matches!(lock(&neighbour, 0).unwrap(), LockOutcome::Held(_)));
}

#[test]
fn eight_workers_never_hold_one_lock_together() {
    let bench = StoreBench::new();
    let digest = Digest::of("x");
    let inside = bench.path("inside");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = bench.neighbour().store;
                for _ in 0..3 {
                    let LockOutcome::Held(_lock) = store.lock("x", &digest, || false).unwrap() else { panic!() };
                    // Fails if somebody else is inside.
                    fs::File::create_new(&inside).unwrap();
                    fs::remove_file(&inside).unwrap();
                }
            });
        }
    });
    assert!(!inside.exists());
}

#[test]
fn a_damaged_blob_is_found_by_its_digest_and_removed() {
    let bench = StoreBench::new();
    let store = &bench.context.store;
    let digest = Digest::of("content");
    assert_eq!(store.verify_blob(&digest).unwrap(), BlobState::Absent);
    let path = store.blob(&digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "content").unwrap();
    assert_eq!(store.verify_blob(&digest).unwrap(), BlobState::Sound { size: 7 });
    fs::write(&path, "damage").unwrap();
    assert_eq!(store.verify_blob(&digest).unwrap(), BlobState::Removed { actual: Digest::of("damage"), size: 6 });
    assert!(!path.exists());
}

#[test]
fn facts_are_recalled_until_they_are_too_old() {
    let bench = StoreBench::new();
    let store = &bench.context.store;
    let now = SystemTime::now();
    let minute = Duration::from_secs(60);
    store.remember("unreachable", "https://host.example/", &json!({"why": "dns"}), now).unwrap();
    let recall = |key, at| store.recall("unreachable", key, 10 * minute, at);
    assert_eq!(recall("https://host.example/", now + 9 * minute), Some(json!({"why": "dns"})));
    assert_eq!(recall("https://host.example/", now + 11 * minute), None);
    assert_eq!(recall("https://host.example/", now - minute), None);
    assert_eq!(recall("https://other.example/", now), None);
    store.remember("unreachable", "https://host.example/", &json!(2), now).unwrap();
    assert_eq!(recall("https://host.example/", now), Some(json!(2)));
    store.forget("unreachable", "https://host.example/");
    assert_eq!(recall("https://host.example/", now), None);
}

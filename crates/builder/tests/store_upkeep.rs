//! What `builder store` says of a store, finds damaged and removes.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod wheel_support;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use archive::PackOptions;
use builder::store::{EntryKind, Store};
use builder::upkeep::{PruneRules, prune, verify};
use testkit::WheelBuilder;
use vocab::Digest;
use wheel_support::Bench;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn put(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn put_blob(store: &Store, content: &str) -> Digest {
    let digest = Digest::of(content);
    put(&store.blob(&digest), content);
    digest
}

/// As if the blob had been used this long ago.
fn used(store: &Store, digest: &Digest, now: SystemTime, ago: Duration) {
    let mark = store.root().join("used/blobs").join(digest.to_string());
    put(&mark, "");
    File::options().write(true).open(mark).unwrap().set_modified(now - ago).unwrap();
}

#[cfg(unix)]
#[test]
fn info_counts_each_file_once_and_only_what_no_prefix_shares_as_freeable() {
    let bench = Bench::new();
    let store = &bench.context.store;
    put_blob(store, "0123456789");
    let wheel = bench.unpack(&WheelBuilder::new("demo", "1.0").file("demo/data", "x".repeat(1000)).build()).unwrap();
    fs::hard_link(wheel.tree.join("demo/data"), bench.path("in a prefix")).unwrap();
    let info = builder::upkeep::info(store, SystemTime::now()).unwrap();
    let of = |kind: &str| info.kinds.iter().find(|it| it.kind == kind).unwrap();
    assert_eq!((of("blobs").count, of("blobs").bytes, of("blobs").freeable), (1, 10, 10));
    assert_eq!((of("wheels").count, of("wheels").bytes - of("wheels").freeable), (1, 1000));
    assert_eq!(info.bytes - info.freeable, 1000);
    assert!(of("wheels").oldest_use_seconds.unwrap() < 60 && of("parts").oldest_use_seconds.is_none());
}

#[test]
fn verify_names_and_removes_what_is_not_what_it_was() {
    let wheel = WheelBuilder::new("demo", "1.0").file("demo/data.txt", "content\n").build();
    let key = Digest::of("key");
    type Harm = Box<dyn Fn(&Store)>;
    let unpacked = Digest::of(&wheel.bytes);
    // Content of the same length, and the time stamp put back: what a build cannot see.
    let hidden: Harm = Box::new(move |store| {
        let path = store.wheel(&unpacked).join("tree/demo/data.txt");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "CONTENT\n").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    });
    let cases: Vec<(&str, &str, Harm)> = vec![
        // (kind, reason, what is done to the sound store)
        ("blobs", "its content has the digest", Box::new(|store| put(&store.blob(&Digest::of("blob")), "blub"))),
        ("blobs", "its name is no digest", Box::new(|store| put(&store.root().join("blobs/ab/other"), ""))),
        ("wheels", "`demo/data.txt` has another content", hidden),
        (
            "wheels",
            "does not belong into it",
            Box::new(move |store| put(&store.wheel(&unpacked).join("tree/demo/more.txt"), "")),
        ),
        (
            "wheels",
            "its table is damaged",
            Box::new(move |store| put(&store.wheel(&unpacked).join("entries.json"), "{")),
        ),
        (
            "built",
            "has another content",
            Box::new(move |store| put(&store.built(&key).join("demo-1.0-py3-none-any.whl"), "")),
        ),
        ("built", "its record is damaged", Box::new(move |store| put(&store.built(&key).join("built.json"), "{}"))),
        (
            "parts",
            "does not fit its own digest",
            Box::new(|store| {
                let path = builder::upkeep::entries(store)
                    .unwrap()
                    .into_iter()
                    .find(|it| it.kind == EntryKind::Parts)
                    .unwrap()
                    .path;
                let mut bytes = fs::read(&path).unwrap();
                bytes[10] ^= 1;
                fs::write(path, bytes).unwrap();
            }),
        ),
        ("memory", "no JSON", Box::new(|store| put(&store.root().join("memory/url/x.json"), "{"))),
    ];
    for (kind, reason, harm) in cases {
        let bench = Bench::new();
        let store = &bench.context.store;
        put_blob(store, "blob");
        bench.unpack(&wheel).unwrap();
        let record = serde_json::json!({
            "file_name": wheel.file_name, "sha256": unpacked, "size": wheel.bytes.len(), "commit": null,
        });
        put(&store.built(&key).join(&wheel.file_name), &wheel.bytes);
        put(&store.built(&key).join("built.json"), record.to_string());
        let parts = builder::part_store::PartStore::new(&bench.context);
        let entry = archive::Entry::bytes("a".parse().unwrap(), *b"content");
        let part = archive::PartSource { identity: Some(key), ..archive::PartSource::new("a", vec![entry]) };
        archive::pack(&bench.path("x.tar.zst"), &[part], &PackOptions::default(), &parts).unwrap();
        let sound = verify(&bench.context, false).unwrap();
        assert_eq!((sound.checked, sound.damaged), (4, vec![]));

        harm(store);
        let kept = verify(&bench.context, true).unwrap();
        let found = verify(&bench.context, false).unwrap();
        for (run, removed) in [(&kept, false), (&found, true)] {
            let [damage] = &run.damaged[..] else { panic!("{kind}, {reason}: {run:?}") };
            assert!(damage.kind == kind && damage.reason.contains(reason), "{kind}, {reason}: {damage:?}");
            assert_eq!(damage.removed, removed);
        }
        assert_eq!(verify(&bench.context, false).unwrap().damaged, []);
    }
}

#[test]
fn a_mark_is_renewed_once_a_day() {
    let bench = Bench::new();
    let store = &bench.context.store;
    let digest = Digest::of("x");
    let mark = store.root().join("used/blobs").join(digest.to_string());
    let now = SystemTime::now();
    let cases = [(23 * HOUR, false), (25 * HOUR, true)];
    for (ago, renewed) in cases {
        used(store, &digest, now, ago);
        let before = fs::metadata(&mark).unwrap().modified().unwrap();
        store.mark_used(EntryKind::Blobs, &digest.to_string());
        assert_eq!(fs::metadata(&mark).unwrap().modified().unwrap() != before, renewed, "{ago:?}");
    }
}

/// Three blobs of 10 bytes, used 1, 10 and 100 days ago; nobody has the store open.
fn aged_store(folder: &Path, now: SystemTime) -> Store {
    let store = Store::at(folder.join("store"));
    fs::create_dir_all(store.root()).unwrap();
    for (content, days) in [("used 001 d", 1), ("used 010 d", 10), ("used 100 d", 100)] {
        let digest = put_blob(&store, content);
        used(&store, &digest, now, DAY * days);
    }
    store
}

fn contents(store: &Store) -> Vec<String> {
    let entries = builder::upkeep::entries(store).unwrap();
    let mut contents: Vec<String> = entries.iter().map(|it| fs::read_to_string(&it.path).unwrap()).collect();
    contents.sort();
    contents
}

#[test]
fn prune_takes_what_was_not_used_for_longest() {
    let now = SystemTime::now();
    let rules = |max_size, older_than| PruneRules { max_size, older_than, dry_run: false };
    let cases = [
        // (rules, what stays)
        (rules(None, Some(DAY * 30)), &["used 001 d", "used 010 d"][..]),
        (rules(None, Some(DAY * 10)), &["used 001 d"]),
        (rules(None, Some(Duration::ZERO)), &[]),
        (rules(Some(30), None), &["used 001 d", "used 010 d", "used 100 d"]),
        (rules(Some(29), None), &["used 001 d", "used 010 d"]),
        (rules(Some(10), None), &["used 001 d"]),
        (rules(Some(0), None), &[]),
        (rules(Some(25), Some(DAY * 5)), &["used 001 d"]),
        (PruneRules { dry_run: true, ..rules(Some(0), None) }, &["used 001 d", "used 010 d", "used 100 d"]),
    ];
    for (rules, stays) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = aged_store(folder.path(), now);
        let pruned = prune(&store, &rules, now).unwrap();
        assert_eq!(contents(&store), stays, "{rules:?}");
        let gone = if rules.dry_run { 3 } else { 3 - stays.len() };
        assert_eq!((pruned.removed.len(), pruned.freed, pruned.spared), (gone, 10 * gone as u64, 0), "{rules:?}");
        let ages: Vec<u64> = pruned.removed.iter().map(|it| it.unused_seconds).collect();
        assert!(ages.is_sorted_by(|one, other| one >= other), "{ages:?}");
        let left = fs::read_dir(store.root().join("used/blobs")).unwrap().count();
        assert_eq!(left, stays.len(), "marks go with what they are of");
    }
}

#[test]
fn prune_spares_what_a_running_builder_may_use() {
    let now = SystemTime::now();
    let folder = tempfile::tempdir().unwrap();
    let store = aged_store(folder.path(), now);
    let everything = PruneRules { max_size: Some(0), ..PruneRules::default() };
    let builder = Store::open(store.root().to_owned()).unwrap();
    // It begins to use something old.
    builder.mark_used(EntryKind::Blobs, &Digest::of("used 100 d").to_string());
    let pruned = prune(&store, &everything, now).unwrap();
    assert_eq!((contents(&store), pruned.spared), (vec!["used 001 d".to_owned(), "used 100 d".to_owned()], 2));
    drop(builder);
    prune(&store, &everything, SystemTime::now()).unwrap();
    assert_eq!(contents(&store), Vec::<String>::new());
}

#[test]
fn a_builder_that_starts_while_entries_go_waits_for_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = aged_store(folder.path(), SystemTime::now());
    let removal = store.begin_removal().unwrap();
    assert!(removal.is_exclusive());
    let (sender, receiver) = std::sync::mpsc::channel();
    let root = store.root().to_owned();
    let builder = std::thread::spawn(move || {
        let store = Store::open(root).unwrap();
        sender.send(()).unwrap();
        store
    });
    assert!(receiver.try_recv().is_err());
    drop(removal);
    receiver.recv().unwrap();
    let opened = builder.join().unwrap();
    assert!(!store.begin_removal().unwrap().is_exclusive());
    drop(opened);
}

#[test]
fn abandoned_downloads_and_old_facts_go_with_any_rule() {
    let now = SystemTime::now();
    let folder = tempfile::tempdir().unwrap();
    let store = aged_store(folder.path(), now);
    let age = |path: &Path, ago: Duration| {
        put(path, "{}");
        File::options().write(true).open(path).unwrap().set_modified(now - ago).unwrap();
    };
    let cases = [
        // (path, age, whether it goes)
        (store.partial_blob(&Digest::of("new")), 23 * HOUR, false),
        (store.partial_blob(&Digest::of("old")), 25 * HOUR, true),
        (store.root().join("memory/registry/a.json"), HOUR / 10, false),
        (store.root().join("memory/registry/b.json"), HOUR, true),
        (store.root().join("memory/url/a.json"), 29 * DAY, false),
        (store.root().join("memory/url/b.json"), 31 * DAY, true),
        (store.root().join("memory/checks/a.json"), 300 * DAY, false),
        (store.root().join("memory/checks/b.json"), 400 * DAY, true),
    ];
    for (path, ago, _) in &cases {
        age(path, *ago);
    }
    // Somebody is about to go on with this one.
    let held = store.lock("blob", &Digest::of("old held"), || true).unwrap();
    age(&store.partial_blob(&Digest::of("old held")), 30 * DAY);
    let pruned = prune(&store, &PruneRules { older_than: Some(365 * DAY), ..PruneRules::default() }, now).unwrap();
    for (path, _, goes) in &cases {
        assert_eq!(!path.exists(), *goes, "{}", path.display());
    }
    assert!(store.partial_blob(&Digest::of("old held")).exists());
    assert_eq!((pruned.partial_downloads, pruned.facts, pruned.removed), (1, 3, vec![]));
    drop(held);
}

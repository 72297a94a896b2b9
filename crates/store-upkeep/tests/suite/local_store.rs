//! What `builder store` says of a store, finds damaged and removes.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use archive::PackOptions;
use store::{EntryKind, Store};
use store_upkeep::{PruneRules, prune, verify};
use testkit::WheelBuilder;
use vocab::{Digest, Fault as _};

use testkit::store_bench::StoreBench;

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

fn fact(store: &Store, kind: &str, key: &str) -> std::path::PathBuf {
    store.root().join("memory").join(kind).join(format!("{}.json", Digest::of(key)))
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
    let bench = StoreBench::new();
    let store = &bench.context.store;
    put_blob(store, "0123456789");
    let wheel = bench.unpack(&WheelBuilder::new("demo", "1.0").file("demo/data", "x".repeat(1000)).build()).unwrap();
    fs::hard_link(wheel.tree.join("demo/data"), bench.path("in a prefix")).unwrap();
    let info = store_upkeep::info(store, SystemTime::now()).unwrap();
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
            "it is damaged, or another part",
            Box::new(|store| {
                let path = store_upkeep::entries(store)
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
        ("memory", "not JSON", Box::new(|store| put(&fact(store, "url", "x"), "{"))),
    ];
    for (kind, reason, harm) in cases {
        let bench = StoreBench::new();
        let store = &bench.context.store;
        put_blob(store, "blob");
        bench.unpack(&wheel).unwrap();
        let record = serde_json::json!({
            "file_name": wheel.file_name, "sha256": unpacked, "size": wheel.bytes.len(), "commit": null,
        });
        put(&store.built(&key).join(&wheel.file_name), &wheel.bytes);
        put(&store.built(&key).join("built.json"), record.to_string());
        let parts = store::PartStore::new(&bench.context);
        let entry = archive::TreeEntry::bytes("a".parse().unwrap(), *b"content");
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
fn a_mark_shows_the_last_use_to_the_minute() {
    let bench = StoreBench::new();
    let store = &bench.context.store;
    let digest = Digest::of("x");
    let mark = store.root().join("used/blobs").join(digest.to_string());
    let now = SystemTime::now();
    let second = Duration::from_secs(1);
    let cases = [(30 * second, false), (61 * second, true)];
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
    drop(Store::open(store.root().to_owned()).unwrap());
    for (content, days) in [("used 001 d", 1), ("used 010 d", 10), ("used 100 d", 100)] {
        let digest = put_blob(&store, content);
        used(&store, &digest, now, DAY * days);
    }
    store
}

fn contents(store: &Store) -> Vec<String> {
    let entries = store_upkeep::entries(store).unwrap();
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
fn prune_to_a_size_keeps_interpreters_and_tools_to_the_last_and_first_takes_what_can_be_made_again() {
    let now = SystemTime::now();
    let name = |text: &str| Digest::of(text).to_string();
    let entries = [
        // (kind, name, hours since its last use), in the order in which they go
        (EntryKind::Blobs, name("old"), 72),
        (EntryKind::Parts, name("part"), 3),
        (EntryKind::Wheels, name("wheel"), 2),
        (EntryKind::Imports, name("import"), 1),
        (EntryKind::Tools, "uv-cache".to_owned(), 5),
        (EntryKind::Blobs, name("blob"), 4),
        (EntryKind::Built, name("built"), 4),
        (EntryKind::Bases, name("base"), 900),
        (EntryKind::Tools, "uv-0.0.1".to_owned(), 800),
    ];
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("store"));
    drop(Store::open(store.root().to_owned()).unwrap());
    for (kind, name, hours) in &entries {
        let digest = || name.parse::<Digest>().unwrap();
        let place = match kind {
            EntryKind::Blobs => store.blob(&digest()),
            EntryKind::Parts => store.part(&digest()),
            _ => store.root().join(kind.as_str()).join(name).join("file"),
        };
        put(&place, "0123456789");
        let mark = store.root().join("used").join(kind.as_str()).join(name);
        put(&mark, "");
        File::options().write(true).open(mark).unwrap().set_modified(now - HOUR * *hours).unwrap();
    }
    // Its files are those of a prefix, too: removing it frees nothing.
    let shared = store.root().join("wheels").join(name("shared")).join("file");
    put(&shared, "0123456789");
    fs::hard_link(&shared, folder.path().join("in a prefix")).unwrap();
    for left in (0..entries.len()).rev() {
        let rules = PruneRules { max_size: Some(10 * left as u64), ..PruneRules::default() };
        let pruned = prune(&store, &rules, now).unwrap();
        let (kind, name, _) = &entries[entries.len() - 1 - left];
        let removed: Vec<_> = pruned.removed.iter().map(|it| (it.kind, &it.name)).collect();
        assert_eq!(removed, [(kind.as_str(), name)]);
        assert_eq!((pruned.freed, pruned.remaining), (10, 10 * left as u64));
    }
    assert!(shared.exists());
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
fn prune_takes_nothing_while_a_builder_reads_that_cannot_say_what_it_uses() {
    let now = SystemTime::now();
    let folder = tempfile::tempdir().unwrap();
    let store = aged_store(folder.path(), now);
    // The files of the locks are there since a builder has written the store.
    drop(Store::open(store.root().to_owned()).unwrap());
    let before = contents(&store);
    let reader = Store::open_to_read(store.root().to_owned(), folder.path().to_owned());
    assert!(reader.is_read_only());
    let everything = PruneRules { max_size: Some(0), ..PruneRules::default() };
    let pruned = prune(&store, &everything, now).unwrap();
    assert_eq!((contents(&store), pruned.removed.len(), pruned.spared), (before.clone(), 0, before.len()));
    drop(reader);
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
        (fact(&store, "registry", "a"), HOUR / 10, false),
        (fact(&store, "registry", "b"), HOUR, true),
        (fact(&store, "url", "a"), 29 * DAY, false),
        (fact(&store, "url", "b"), 31 * DAY, true),
        (fact(&store, "checks", "a"), 300 * DAY, false),
        (fact(&store, "checks", "b"), 400 * DAY, true),
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

/// Attack 4: a download without an end filled the disk, and nothing that the builder offers freed it.
#[test]
fn attack_4_prune_frees_downloads_that_did_not_come_to_their_end() {
    let now = SystemTime::now();
    let cases = [
        // (rules, what stays of a download of 1000 bytes that was worked on a moment ago)
        (PruneRules { max_size: Some(0), ..PruneRules::default() }, 0),
        (PruneRules { max_size: Some(500), ..PruneRules::default() }, 0),
        (PruneRules { older_than: Some(Duration::ZERO), ..PruneRules::default() }, 0),
        (PruneRules { max_size: Some(5000), ..PruneRules::default() }, 1),
        (PruneRules { older_than: Some(HOUR), ..PruneRules::default() }, 1),
        (PruneRules { max_size: Some(0), dry_run: true, ..PruneRules::default() }, 1),
    ];
    for (rules, stays) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = aged_store(folder.path(), now);
        let partial = store.partial_blob(&Digest::of("endless"));
        put(&partial, vec![0; 1000]);
        File::options().write(true).open(&partial).unwrap().set_modified(now - HOUR / 60).unwrap();
        let pruned = prune(&store, &rules, now).unwrap();
        assert_eq!(usize::from(partial.exists()), stays, "{rules:?}");
        assert_eq!(pruned.partial_downloads, if rules.dry_run { 1 } else { 1 - stays }, "{rules:?}");
    }
}

/// Everything below `folder`, by path, with its content.
fn snapshot(folder: &Path) -> Vec<(String, String)> {
    let files = testkit::files_below(folder);
    let content = |name: &String| fs::read_to_string(folder.join(name)).unwrap_or_default();
    files.iter().map(|name| (name.clone(), content(name))).collect()
}

/// What somebody keeps under names that a store has, too.
const SOMEBODYS: [&str; 11] = [
    "tmp/thesis.txt",
    "tmp/session-notes/of-mine.txt",
    "tmp/photos/1.jpg",
    "blobs/ab/letter",
    "wheels/of-my-car.txt",
    "bases/x/y",
    "tools/hammer",
    "memory/url/diary.json",
    "locks/key-to-the-house",
    "used/blobs/list.txt",
    "parts/list.txt",
];

#[test]
fn attack_1_a_folder_of_somebody_is_never_taken_for_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    for name in SOMEBODYS {
        put(&root.join(name), name);
    }
    let before = snapshot(&root);
    let refusals = [
        Store::open(root.clone()).map(drop),
        Store::existing(root.clone()).map(drop),
        Store::empty(&root).map(drop),
        Store::at(root.clone()).stage_dir().map(drop),
        Store::at(root.clone()).begin_removal().map(drop),
        prune(&Store::at(root.clone()), &PruneRules { max_size: Some(0), ..PruneRules::default() }, SystemTime::now())
            .map(drop),
    ];
    for (number, refusal) in refusals.into_iter().enumerate() {
        let error = refusal.expect_err("it is somebody's");
        let (code, exit, hint) = (error.code(), error.exit(), error.hint().unwrap());
        assert_eq!((code, exit), ("E_NOT_A_STORE", vocab::Exit::Usage), "{number}: {error}");
        // Case rule-store-hint: the option that it names is the one that there is.
        assert!(error.to_string().contains(&root.display().to_string()) && hint.contains("`--store-dir`"), "{hint}");
    }
    assert_eq!(snapshot(&root), before);
}

#[cfg(unix)]
#[test]
fn attack_1_sweep_prune_verify_and_clean_remove_only_what_bears_our_names_and_nothing_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let store = aged_store(folder.path(), now);
    for name in SOMEBODYS {
        put(&store.root().join(name), name);
    }
    let home = folder.path().join("home");
    put(&home.join("thesis.txt"), "mine");
    put(&home.join(format!("{}.partial", Digest::of("x"))), "mine");
    std::os::unix::fs::symlink(&home, store.root().join("tmp/session-Ab12Cd")).unwrap();
    std::os::unix::fs::symlink(&home, store.root().join("blobs/cd")).unwrap();
    std::os::unix::fs::symlink(&home, store.root().join("imports")).unwrap();
    let assert_kept = |what: &str| {
        for name in SOMEBODYS {
            assert_eq!(fs::read_to_string(store.root().join(name)).unwrap_or_default(), name, "{what}");
        }
        assert_eq!(snapshot(&home).len(), 2, "{what}");
    };
    drop(Store::open(store.root().to_owned()).unwrap());
    assert_kept("the sweep");
    let context = StoreBench::new().context;
    let context = store::Context { store: store.clone(), ..context };
    assert_eq!(verify(&context, false).unwrap().damaged, []);
    assert_kept("verify");
    let everything = PruneRules { max_size: Some(0), older_than: Some(Duration::ZERO), ..PruneRules::default() };
    assert_eq!(prune(&store, &everything, now).unwrap().removed.len(), 3);
    assert_kept("prune");
    put_blob(&store, "again");
    assert!(Store::empty(store.root()).unwrap());
    assert!(!store.blob(&Digest::of("again")).exists());
    assert_kept("clean --store");
    // Still a store.
    Store::open(store.root().to_owned()).unwrap();
}

#[cfg(unix)]
#[test]
fn attack_1_a_store_whose_folder_for_work_is_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    put(&home.join("session-Ab12Cd/thesis.txt"), "mine");
    let root = folder.path().join("store");
    drop(Store::open(root.clone()).unwrap());
    fs::remove_dir_all(root.join("tmp")).unwrap();
    std::os::unix::fs::symlink(&home, root.join("tmp")).unwrap();
    let error = Store::open(root.clone()).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_NOT_A_STORE", vocab::Exit::Usage), "{error}");
    assert!(home.join("session-Ab12Cd/thesis.txt").exists());
}

#[test]
fn a_store_that_somebody_builds_with_is_not_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let store = aged_store(folder.path(), SystemTime::now());
    let builder = Store::open(store.root().to_owned()).unwrap();
    assert_eq!(Store::empty(store.root()).unwrap_err().code(), "E_STORE_IN_USE");
    drop(builder);
    assert!(Store::empty(store.root()).unwrap());
    assert!(!Store::empty(store.root()).unwrap(), "there is nothing left");
    assert!(!Store::empty(&folder.path().join("nowhere")).unwrap());
}

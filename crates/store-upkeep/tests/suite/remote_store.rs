//! What `builder store push`, `verify` and `prune` do with a remote store, the same for each kind of place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use archive::PackOptions;
use source_build::{RequiredWheel, RequirementSet};
use store::Context;
use store::download::Downloader;
use store::remote::{RemoteSettings, RemoteStore, open};
use store_upkeep::{GRACE, Repair, prune_shared, push, verify_shared};
use testkit::aistore::AIStoreMemory;
use testkit::{FixtureFile, S3Server, WheelBuilder, told};
use vocab::{Digest, Environment, PlatformKey};

use testkit::store_bench::StoreBench;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// When everything that a test has just written is old enough to be judged.
pub fn later() -> SystemTime {
    SystemTime::now() + 2 * GRACE
}

/// A place of objects and a way to look at it that is not ours.
pub enum Place {
    Folder(tempfile::TempDir),
    Bucket(S3Server),
    Cluster(
        AIStoreMemory,
        testkit::aistore::FakeAIStore,
        #[expect(dead_code, reason = "it serves while it lives")] testkit::aistore::FakeAIStore,
    ),
}

impl Place {
    pub fn all() -> [(&'static str, Self); 3] {
        let memory = AIStoreMemory::default();
        let (proxy, target) = memory.serve_by_target();
        [
            ("folder", Self::Folder(tempfile::tempdir().unwrap())),
            ("bucket", Self::Bucket(S3Server::start())),
            ("cluster", Self::Cluster(memory, proxy, target)),
        ]
    }

    pub fn remote(&self) -> RemoteStore {
        let (address, variables) = match self {
            Self::Folder(folder) => (folder.path().join("shared").display().to_string(), Vec::new()),
            Self::Bucket(server) => (format!("s3://{}/shared", S3Server::BUCKET), server.variables().to_vec()),
            Self::Cluster(_, proxy, _) => ("ais://b/shared".to_owned(), vec![("AIS_ENDPOINT", proxy.url(""))]),
        };
        let environment = Environment::new(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        let settings = RemoteSettings { address, given: "--remote-store", read_only: false, strict: true };
        open(&settings, &environment, &Downloader::default(), false).unwrap().unwrap()
    }

    /// Puts other bytes at this name, or bytes where nothing was.
    pub fn spoil(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Folder(folder) => write(&folder.path().join("shared").join(name), bytes),
            // The server keeps a checksum beside each object and would notice.
            Self::Bucket(server) => {
                let object = server.object(&format!("shared/{name}"));
                write(&object, bytes);
            }
            Self::Cluster(memory, ..) => memory.put(&format!("shared/{name}"), bytes),
        }
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

pub fn name(kind: &str, digest: &Digest) -> String {
    format!("v1/{kind}/{}/{digest}", &digest.to_string()[..2])
}

pub fn wheel() -> FixtureFile {
    WheelBuilder::new("demo", "1.0").file("demo/data.txt", "content\n").build()
}

/// A store with two blobs, a part and a built wheel. The keys of the last two.
pub fn fill(bench: &StoreBench) -> (Digest, Digest) {
    let (store, key, wheel) = (&bench.context.store, Digest::of("key"), wheel());
    for content in ["one", "two"] {
        write(&store.blob(&Digest::of(content)), content.as_bytes());
    }
    let record = serde_json::json!({
        "file_name": wheel.file_name, "sha256": Digest::of(&wheel.bytes), "size": wheel.bytes.len(), "commit": null,
    });
    write(&store.built(&key).join(&wheel.file_name), &wheel.bytes);
    write(&store.built(&key).join("built.json"), record.to_string().as_bytes());
    let parts = store::PartStore::new(&bench.context);
    let entry = archive::TreeEntry::bytes("a".parse().unwrap(), *b"content");
    let part = archive::PartSource { identity: Some(key), ..archive::PartSource::new("a", vec![entry]) };
    archive::pack(&bench.path("x.tar.zst"), &[part], &PackOptions::default(), &parts).unwrap();
    let entries = store_upkeep::entries(store).unwrap();
    let part = entries.into_iter().find(|it| it.kind == store::EntryKind::Parts).unwrap();
    (key, part.name.parse().unwrap())
}

pub fn names(remote: &RemoteStore) -> Vec<String> {
    remote.contents().unwrap().objects.iter().map(store::remote::SharedObject::name).collect()
}

#[test]
fn push_gives_what_a_warm_store_has_and_counts_what_was_there() {
    for (kind, place) in Place::all() {
        let (bench, remote) = (StoreBench::new(), place.remote());
        let (key, part) = fill(&bench);
        let wheel = Digest::of(&wheel().bytes);
        // Damaged here: it is named and not given.
        fs::write(bench.context.store.blob(&Digest::of("two")), "TWO").unwrap();
        let first = push(&bench.context, &remote, &[]).unwrap();
        assert!(first.fault.is_none(), "{kind}");
        assert_eq!((first.report.given.objects, first.report.there.objects), (4, 0), "{kind}: {:?}", first.report);
        let damaged = &first.report.damaged[..];
        assert!(matches!(damaged, [one] if one.contains(&Digest::of("two").to_string())), "{kind}: {damaged:?}");
        let mut expected =
            vec![name("blobs", &Digest::of("one")), name("blobs", &wheel), name("parts", &part), name("built", &key)];
        expected.sort();
        assert_eq!(names(&remote), expected, "{kind}");
        let bytes = remote.contents().unwrap().objects.iter().map(|object| object.size).sum::<u64>();
        assert_eq!(first.report.given.bytes, bytes, "{kind}");

        fs::write(bench.context.store.blob(&Digest::of("two")), "two").unwrap();
        let second = push(&bench.context, &remote, &[]).unwrap().report;
        assert_eq!((second.given.objects, second.given.bytes), (1, 3), "{kind}");
        assert_eq!((second.there.objects, second.there.bytes), (4, bytes), "{kind}");

        // An empty store takes it.
        let other = StoreBench::new();
        assert!(remote.bring_blob(&other.context.near(), &wheel, "demo.whl", None), "{kind}");
        assert!(remote.bring_part(&other.context.near(), &part), "{kind}");
    }
}

#[test]
fn verify_names_what_is_damaged_and_repair_replaces_or_removes_it() {
    for (kind, place) in Place::all() {
        let (bench, remote) = (StoreBench::new(), place.remote());
        let (key, part) = fill(&bench);
        let wheel = Digest::of(&wheel().bytes);
        push(&bench.context, &remote, &[]).unwrap();
        let sound = verify_shared(&bench.context, &remote, false, later()).unwrap().report;
        assert_eq!((sound.checked, sound.damaged.len(), sound.left), (5, 0, 0), "{kind}: {sound:?}");

        let here =
            [name("blobs", &Digest::of("one")), name("parts", &part), name("blobs", &wheel), name("built", &key)];
        let (nowhere, orphan) = (name("blobs", &Digest::of("nowhere")), name("built", &Digest::of("orphan")));
        let record = serde_json::json!({
            "file_name": "x-1-py3-none-any.whl", "sha256": Digest::of("x"), "size": 1, "commit": null,
        });
        for object in &here {
            place.spoil(object, b"damaged");
        }
        place.spoil(&nowhere, b"damaged");
        place.spoil(&orphan, record.to_string().as_bytes());
        let reported = verify_shared(&bench.context, &remote, false, later()).unwrap().report;
        let before = names(&remote);
        let found: BTreeMap<&str, Repair> =
            reported.damaged.iter().map(|damage| (damage.object.as_str(), damage.repair)).collect();
        let all: Vec<&str> = here.iter().chain([&nowhere, &orphan]).map(String::as_str).collect();
        assert_eq!(found, all.iter().map(|object| (*object, Repair::Kept)).collect(), "{kind}: {reported:?}");
        assert_eq!(before.len(), 7, "{kind}: nothing is removed without --repair");

        let repaired = verify_shared(&bench.context, &remote, true, later()).unwrap();
        assert!(repaired.fault.is_none(), "{kind}");
        let found: BTreeMap<&str, Repair> =
            repaired.report.damaged.iter().map(|damage| (damage.object.as_str(), damage.repair)).collect();
        let expected = all.iter().map(|object| {
            (
                *object,
                if [&nowhere, &orphan].contains(&&(*object).to_owned()) { Repair::Removed } else { Repair::Replaced },
            )
        });
        assert_eq!(found, expected.collect(), "{kind}");
        let again = verify_shared(&bench.context, &remote, false, later()).unwrap().report;
        assert_eq!((again.checked, again.damaged.len()), (5, 0), "{kind}: {again:?}");
    }
}

#[test]
fn prune_removes_what_is_old_and_never_what_is_younger() {
    for (kind, place) in Place::all() {
        let (bench, remote) = (StoreBench::new(), place.remote());
        fill(&bench);
        push(&bench.context, &remote, &[]).unwrap();
        // By the clock of the place.
        let written = remote.contents().unwrap().objects.into_iter().map(|object| object.modified);
        let now = written.max().unwrap() + Duration::from_secs(1);
        let prune = |older_than, dry_run, now| prune_shared(&bench.context, &remote, older_than, dry_run, now).unwrap();
        let young = prune(DAY, false, now).report;
        assert_eq!((young.removed.len(), young.kept.objects), (0, 5), "{kind}: {young:?}");
        // As if it were a month later.
        let later = now + 30 * DAY;
        let tried = prune(7 * DAY, true, later).report;
        assert_eq!((tried.removed.len(), tried.kept.objects), (5, 0), "{kind}");
        assert_eq!(names(&remote).len(), 5, "{kind}: a dry run removes nothing");
        // A clock that was set back makes nothing old.
        assert_eq!(prune(7 * DAY, false, now - 60 * DAY).report.removed.len(), 0, "{kind}");
        let gone = prune(7 * DAY, false, later);
        assert_eq!((gone.report.removed.len(), gone.report.freed), (5, tried.freed), "{kind}");
        assert!(gone.fault.is_none() && names(&remote).is_empty(), "{kind}");
    }
}

#[test]
fn prune_keeps_the_wheel_that_a_younger_record_names() {
    let place = Place::Folder(tempfile::tempdir().unwrap());
    let (bench, remote) = (StoreBench::new(), place.remote());
    let (key, _) = fill(&bench);
    push(&bench.context, &remote, &[]).unwrap();
    let Place::Folder(folder) = &place else { unreachable!() };
    let old = SystemTime::now() - 30 * DAY;
    for object in names(&remote).iter().filter(|object| !object.contains("/built/")) {
        let file = File::options().write(true).open(folder.path().join("shared").join(object)).unwrap();
        file.set_modified(old).unwrap();
    }
    // What a killed writer left, and what one is writing now.
    let left = folder.path().join("shared/v1/blobs/.put-0123456789abcdef");
    write(&left, b"");
    File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    let in_work = folder.path().join("shared/v1/blobs/.put-fedcba9876543210");
    write(&in_work, b"");
    let pruned = prune_shared(&bench.context, &remote, 7 * DAY, false, SystemTime::now()).unwrap().report;
    let kept = [name("blobs", &Digest::of(&wheel().bytes)), name("built", &key)];
    assert_eq!(names(&remote), kept);
    assert_eq!((pruned.removed.len(), pruned.kept.objects, pruned.leftovers), (3, 2, 1), "{pruned:?}");
    assert!(in_work.is_file() && !left.exists());
}

/// Adds what the built wheel required to be built: one wheel. The result is the key of the record, and the wheel's digest.
fn add_requirements(bench: &StoreBench, built: &Digest) -> (Digest, Digest) {
    let store = &bench.context.store;
    let helper = WheelBuilder::new("helper", "1.0").build();
    let example = include_str!("../../../../fixtures/requirements/format-1/setuptools.json");
    let mut set: RequirementSet = serde_json::from_str(example).unwrap();
    let file = helper.file_name.parse().unwrap();
    set.wheels = vec![RequiredWheel { file, sha256: helper.sha256(), size: helper.bytes.len() as u64 }];
    write(&store.requirements(&set.key()), serde_json::to_string(&set).unwrap().as_bytes());
    write(&store.blob(&helper.sha256()), &helper.bytes);
    let record = store.built(built).join("built.json");
    let mut wheel: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    wheel["requirement_sets"] = serde_json::json!([set.key()]);
    write(&record, wheel.to_string().as_bytes());
    (set.key(), helper.sha256())
}

#[test]
fn build_requirements_are_pushed_verified_and_not_pruned_while_a_younger_record_names_them() {
    let place = Place::Folder(tempfile::tempdir().unwrap());
    let (bench, remote) = (StoreBench::new(), place.remote());
    let (built, _) = fill(&bench);
    let (set, helper) = add_requirements(&bench, &built);
    let pushed = push(&bench.context, &remote, &[PlatformKey::WindowsX64]).unwrap().report;
    assert_eq!((pushed.given.objects, pushed.damaged.len()), (7, 0), "{pushed:?}");
    let reason = "the store has no interpreter for this machine, with which it could be fetched";
    assert_eq!(pushed.absent, [format!("uv {} for windows-x64: {reason}", resolve::UV_VERSION)]);
    let here = [name("requirements", &set), name("blobs", &helper)];
    assert!(here.iter().all(|object| names(&remote).contains(object)));

    // Everything but the record of the built wheel is old.
    let Place::Folder(folder) = &place else { unreachable!() };
    let age = |but: &str| {
        for object in names(&remote).iter().filter(|object| !object.contains(but)) {
            let file = File::options().write(true).open(folder.path().join("shared").join(object)).unwrap();
            file.set_modified(SystemTime::now() - 30 * DAY).unwrap();
        }
    };
    age("/built/");
    prune_shared(&bench.context, &remote, 7 * DAY, false, SystemTime::now()).unwrap();
    let mut kept = vec![name("blobs", &Digest::of(&wheel().bytes)), name("built", &built)];
    kept.extend(here.clone());
    kept.sort();
    assert_eq!(names(&remote), kept);

    // Its wheel is gone, and then the local store mends it; a record under another name is damaged.
    fs::remove_file(folder.path().join("shared").join(&here[1])).unwrap();
    let other = name("requirements", &Digest::of("other"));
    let record = fs::read(folder.path().join("shared").join(&here[0])).unwrap();
    place.spoil(&other, &record);
    let found = verify_shared(&bench.context, &remote, false, SystemTime::now()).unwrap().report.damaged;
    let reasons: BTreeMap<&str, &str> = found.iter().map(|it| (it.object.as_str(), it.reason.as_str())).collect();
    assert!(reasons[here[0].as_str()].starts_with("its wheel `helper-1.0-py3-none-any.whl`"), "{reasons:?}");
    assert_eq!(reasons[other.as_str()], "its record is that of other requirements");
    assert_eq!(reasons.len(), 2);
    push(&bench.context, &remote, &[]).unwrap();
    verify_shared(&bench.context, &remote, true, SystemTime::now()).unwrap();
    assert!(verify_shared(&bench.context, &remote, false, SystemTime::now()).unwrap().report.damaged.is_empty());
    assert!(here.iter().all(|object| names(&remote).contains(object)) && !names(&remote).contains(&other));
}

/// The context of a run that the user stops when the first object is done.
fn stopped_early(bench: &StoreBench) -> Context {
    let context = bench.context.clone();
    let cancelled = Arc::clone(&context.cancelled);
    context.with_listener(Arc::new(move |_| cancelled.store(true, Ordering::Relaxed)))
}

#[test]
fn an_interrupted_push_says_what_it_gave_and_what_it_left() {
    let place = Place::Folder(tempfile::tempdir().unwrap());
    let (bench, remote) = (StoreBench::new(), place.remote());
    for number in 0..200 {
        let content = format!("blob {number}");
        write(&bench.context.store.blob(&Digest::of(&content)), content.as_bytes());
    }
    let report = push(&stopped_early(&bench), &remote, &[]).unwrap().report;
    assert!(report.interrupted && report.left > 0, "{report:?}");
    assert_eq!(report.given.objects + report.left, 200);
    assert_eq!(names(&remote).len(), report.given.objects);
    bench.context.cancelled.store(false, Ordering::Relaxed);
    let rest = push(&bench.context, &remote, &[]).unwrap().report;
    assert_eq!((rest.given.objects, rest.there.objects), (report.left, report.given.objects));
    assert!(!rest.interrupted && rest.left == 0);
}

#[test]
fn a_place_that_fails_ends_the_work_with_one_fault_beside_the_report() {
    let bench = StoreBench::new();
    fill(&bench);
    let variables = S3Server::variables_for("http://127.0.0.1:1", S3Server::SECRET);
    let environment = Environment::new(variables.map(|(name, value)| (name.into(), value.into())));
    let settings =
        RemoteSettings { address: "s3://shared".to_owned(), given: "--remote-store", read_only: false, strict: true };
    let remote = open(&settings, &environment, &Downloader::default(), false).unwrap().unwrap();
    for failed in [
        push(&bench.context, &remote, &[]).map(drop),
        verify_shared(&bench.context, &remote, true, later()).map(drop),
        prune_shared(&bench.context, &remote, DAY, false, SystemTime::now()).map(drop),
    ] {
        let fault = failed.unwrap_err();
        assert_eq!(fault.code(), "E_REMOTE_STORE");
        assert!(told(&*fault).contains("refused"), "{}", told(&*fault));
    }
    // It can be read and not written.
    let place = Place::Folder(tempfile::tempdir().unwrap());
    let Place::Folder(folder) = &place else { unreachable!() };
    fs::create_dir_all(folder.path().join("shared/v1")).unwrap();
    fs::write(folder.path().join("shared/v1/blobs"), "a file in the way").unwrap();
    let ended = push(&bench.context, &place.remote(), &[]).unwrap();
    assert_eq!(ended.fault.unwrap().code(), "E_REMOTE_STORE");
    assert!(ended.report.left > 0 && !ended.report.interrupted, "{:?}", ended.report);
}

/// The context of a run beside which a builder works: it does so once, when the first object is done.
fn beside(bench: &StoreBench, work: impl FnOnce() + Send + 'static) -> Context {
    let work = Mutex::new(Some(work));
    let listener = move |_| {
        if let Some(work) = work.lock().unwrap().take() {
            work();
        }
    };
    bench.context.with_listener(Arc::new(listener))
}

/// A folder with one wheel, its record, and an old record of nothing. The folder, and the names of the three.
fn folder_with_a_built_wheel(bench: &StoreBench) -> (Place, std::path::PathBuf, [String; 3]) {
    let place = Place::Folder(tempfile::tempdir().unwrap());
    let (key, _) = fill(bench);
    push(&bench.context, &place.remote(), &[]).unwrap();
    let Place::Folder(folder) = &place else { unreachable!() };
    let shared = folder.path().join("shared");
    let stray = name("built", &Digest::of("stray"));
    write(&shared.join(&stray), b"{}");
    (place, shared, [name("blobs", &Digest::of(&wheel().bytes)), name("built", &key), stray])
}

fn age(path: &Path, ago: Duration) {
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - ago).unwrap();
}

#[test]
fn a_record_whose_wheel_comes_while_verify_reads_is_not_judged_by_the_listing() {
    let bench = StoreBench::new();
    let (place, shared, [wheel, record, stray]) = folder_with_a_built_wheel(&bench);
    // As listed between the two: the record's page after the wheel's.
    let bytes = fs::read(shared.join(&wheel)).unwrap();
    fs::remove_file(shared.join(&wheel)).unwrap();
    let (at, written) = (shared.join(&wheel), bytes.clone());
    let context = beside(&bench, move || write(&at, &written));
    // An empty store, which could replace nothing.
    let context = Context { store: StoreBench::new().context.store, ..context };
    let report = verify_shared(&context, &place.remote(), true, later()).unwrap().report;
    let damaged: Vec<&str> = report.damaged.iter().map(|damage| damage.object.as_str()).collect();
    assert_eq!(damaged, [stray.as_str()], "{report:?}");
    assert!(shared.join(&record).is_file() && shared.join(&wheel).is_file());

    // One that was written just now is not judged without its wheel, and later it is.
    fs::remove_file(shared.join(&wheel)).unwrap();
    let context = Context { store: StoreBench::new().context.store, ..bench.context.clone() };
    let now = verify_shared(&context, &place.remote(), true, SystemTime::now()).unwrap().report;
    assert!(now.damaged.is_empty() && shared.join(&record).is_file(), "{now:?}");
    let then = verify_shared(&context, &place.remote(), true, later()).unwrap().report;
    assert!(matches!(&then.damaged[..], [one] if one.object == record && one.repair == Repair::Removed), "{then:?}");
}

#[test]
fn prune_keeps_a_wheel_whose_record_comes_while_it_removes() {
    let bench = StoreBench::new();
    let (place, shared, [wheel, record, stray]) = folder_with_a_built_wheel(&bench);
    names(&place.remote()).iter().for_each(|name| age(&shared.join(name), 30 * DAY));
    // A builder that found the old wheel there records it, when the old records have gone.
    let bytes = fs::read(shared.join(&record)).unwrap();
    let at = shared.join(&record);
    let context = beside(&bench, move || write(&at, &bytes));
    let pruned = prune_shared(&context, &place.remote(), 7 * DAY, false, SystemTime::now()).unwrap().report;
    assert!(shared.join(&wheel).is_file() && !shared.join(&stray).exists(), "{pruned:?}");
    assert_eq!(names(&place.remote()), [wheel, record]);
}

#[test]
fn prune_keeps_what_was_written_again_while_it_removes_and_whatever_is_younger_than_an_hour() {
    let bench = StoreBench::new();
    let (place, shared, [wheel, ..]) = folder_with_a_built_wheel(&bench);
    // Whoever asks for it: what was written just now may belong to a builder that is at work.
    for older_than in [Duration::ZERO, GRACE / 2] {
        let now = SystemTime::now() + GRACE / 2;
        let young = prune_shared(&bench.context, &place.remote(), older_than, false, now).unwrap().report;
        assert_eq!((young.removed.len(), young.kept.objects), (0, 6), "{young:?}");
    }
    names(&place.remote()).iter().for_each(|name| age(&shared.join(name), 30 * DAY));
    let at = shared.join(&wheel);
    let context = beside(&bench, move || age(&at, Duration::ZERO));
    let pruned = prune_shared(&context, &place.remote(), 7 * DAY, false, SystemTime::now()).unwrap().report;
    assert_eq!((pruned.removed.len(), pruned.kept.objects), (5, 1), "{pruned:?}");
    assert_eq!(names(&place.remote()), [wheel]);
}

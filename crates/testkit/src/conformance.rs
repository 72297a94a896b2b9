//! What every kind of place does. One suite, run for each kind by the crate that has it.
#![allow(clippy::new_without_default, reason = "what makes files is asked for by name")]
#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use objects::{
    ExpectedState, FormerObject, ObjectKey, ObjectUpload, Place, PlaceError, PlaceErrorKind, PutOutcome,
    ReplaceOutcome, SharedRange, TransferWatch, TransferWork, UNWATCHED, UploadOutcome, WaitingPublisher,
};
use vocab::{Digest, Event};

/// What a server can do beyond what is needed, and what is large for it.
#[derive(Clone, Copy, Debug)]
pub struct Skills {
    /// Copies ranges of an object into a part of another.
    pub copies_ranges: bool,
    /// Tells which uploads are open and which parts they have.
    pub resumes: bool,
    /// In bytes: what objects of the suite, and the ranges they share, are multiples of.
    pub unit: usize,
}

impl Skills {
    /// Five of them are the least that S3 servers take as a part.
    pub const MIB: usize = 1 << 20;
    /// For places without parts: the same requests carry a sixteenth.
    pub const SMALL: usize = 1 << 16;
}

impl Default for Skills {
    fn default() -> Self {
        Self { copies_ranges: false, resumes: false, unit: Self::MIB }
    }
}

/// A literal object key.
pub fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

/// The same bytes for the same seed, and hard to compress.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bytes = vec![0; size];
    // Unoptimised, as tests are, few steps of many bytes take a fifth of what many steps take.
    for chunk in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    bytes
}

/// What one upload needs, and what it told.
pub struct Sender {
    pub folder: tempfile::TempDir,
    pub events: Mutex<Vec<Event>>,
    next: AtomicU64,
}

impl Sender {
    /// With an empty folder for the files that are sent.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), events: Mutex::default(), next: AtomicU64::new(0) }
    }

    /// A file with this content; the same content has the same path.
    pub fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(Digest::of(bytes).short());
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a file and uploads it; never overwrites.
    pub fn send(
        &self,
        to: &dyn Place,
        object: &ObjectKey,
        bytes: &[u8],
        former: Option<FormerObject>,
    ) -> Result<UploadOutcome, PlaceError> {
        self.send_file(to, object, &self.file(bytes), bytes, former)
    }

    /// Uploads a file whose content is `bytes`; never overwrites.
    pub fn send_file(
        &self,
        to: &dyn Place,
        object: &ObjectKey,
        file: &Path,
        bytes: &[u8],
        former: Option<FormerObject>,
    ) -> Result<UploadOutcome, PlaceError> {
        let upload = ObjectUpload {
            key: object,
            file,
            size: bytes.len() as u64,
            sha256: Digest::of(bytes),
            former,
            overwrite: false,
            verdict: &|| Ok(()),
        };
        to.upload(&upload, &self.work(&|event| self.events.lock().unwrap().push(event), UNWATCHED))
    }

    /// What an upload reports to and is watched by, with numbers that no other upload of this sender has.
    pub fn work<'a>(&'a self, tell: vocab::Tell<'a>, watch: TransferWatch<'a>) -> TransferWork<'a> {
        TransferWork { tell, watch, next: &self.next }
    }
}

/// One that leaves what is there, without a former object.
fn upload_of<'a>(key: &'a ObjectKey, file: &'a Path, bytes: &[u8]) -> ObjectUpload<'a> {
    ObjectUpload {
        key,
        file,
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
        former: None,
        overwrite: false,
        verdict: &|| Ok(()),
    }
}

/// Everything that a place promises, several writers at once included. It needs an empty place.
pub fn conforms(to: &(dyn Place + 'static), skills: Skills) {
    conforms_for_one_writer(to, skills);
    only_one_creator_wins(to);
    no_increment_is_lost(to);
    assert!(to.conditional_puts().unwrap());
    assert!(to.conditional_puts().unwrap(), "what is known already");
}

/// For places that know no conditions: what holds as long as one writes at a time.
pub fn conforms_without_conditions(to: &(dyn Place + 'static), skills: Skills) {
    conforms_for_one_writer(to, skills);
    assert!(!to.conditional_puts().unwrap());
}

fn conforms_for_one_writer(to: &(dyn Place + 'static), skills: Skills) {
    absent_things_are_absent(to);
    a_name_that_is_taken_stays(to);
    a_replacement_needs_the_state_it_knows(to);
    what_is_listed_is_what_is_there(to);
    a_turn_is_had_by_one(to);
    an_upload_arrives_whole_and_once(to, skills.unit);
    an_upload_over_something_of_another_size_is_refused_and_changes_nothing(to, skills.unit);
    a_name_that_is_taken_during_an_upload_stays(to, skills.unit);
    a_refused_upload_is_never_visible(to, skills.unit);
    unchanged_ranges_are_copied_where_that_is_possible(to, skills);
    an_interrupted_upload_goes_on(to, skills);
    a_transfer_ends_when_its_watch_says_so(to);
}

fn absent_things_are_absent(to: &dyn Place) {
    let none = key("absent/thing.json");
    assert_eq!(to.get(&none).unwrap(), None);
    assert_eq!(to.head(&none).unwrap(), None);
    assert_eq!(to.read(&none, None, &mut Vec::new(), UNWATCHED).unwrap(), None);
    assert_eq!(to.list("absent/").unwrap(), []);
    assert!(!to.delete(&none).unwrap());
}

fn a_name_that_is_taken_stays(to: &dyn Place) {
    let object = key("taken/a+b_c-1.2.json");
    assert_eq!(to.create(&object, b"first").unwrap(), PutOutcome::Ours);
    assert_eq!(to.create(&object, b"second").unwrap(), PutOutcome::Theirs);
    assert_eq!(to.get(&object).unwrap().unwrap().bytes, b"first");
    assert_eq!(to.head(&object).unwrap().unwrap().size, 5);
    let mut read = Vec::new();
    assert_eq!(to.read(&object, Some(1..4), &mut read, UNWATCHED).unwrap(), Some(3));
    assert_eq!(read, b"irs");
    assert!(to.delete(&object).unwrap());
    assert_eq!(to.get(&object).unwrap(), None);
    assert_eq!(to.create(&object, b"").unwrap(), PutOutcome::Ours, "an empty object is one, too");
    assert_eq!(to.get(&object).unwrap().unwrap().bytes, b"");
}

fn a_replacement_needs_the_state_it_knows(to: &dyn Place) {
    let object = key("replaced.json");
    assert_eq!(to.replace(&object, b"1", &ExpectedState::Absent).unwrap(), ReplaceOutcome::Done);
    assert_eq!(to.replace(&object, b"x", &ExpectedState::Absent).unwrap(), ReplaceOutcome::Changed);
    let first = to.get(&object).unwrap().unwrap();
    assert_eq!(to.replace(&object, b"2", &ExpectedState::State(first.tag.clone())).unwrap(), ReplaceOutcome::Done);
    assert_eq!(to.replace(&object, b"x", &ExpectedState::State(first.tag.clone())).unwrap(), ReplaceOutcome::Changed);
    assert_eq!(to.get(&object).unwrap().unwrap().bytes, b"2");
    assert_eq!(to.replace(&object, b"3", &ExpectedState::Anything).unwrap(), ReplaceOutcome::Done);
    assert_eq!(to.get(&object).unwrap().unwrap().bytes, b"3");
    to.delete(&object).unwrap();
    assert_eq!(to.replace(&object, b"x", &ExpectedState::State(first.tag)).unwrap(), ReplaceOutcome::Changed);
    assert_eq!(to.get(&object).unwrap(), None);
}

fn what_is_listed_is_what_is_there(to: &dyn Place) {
    let begun = SystemTime::now() - Duration::from_secs(5);
    let names = ["listed/a.json", "listed/b/c.json", "listed/b/d.json", "listedx.json"];
    for name in names {
        to.create(&key(name), name.as_bytes()).unwrap();
    }
    let rows = to.list("listed/").unwrap();
    let found: Vec<(&str, u64)> = rows.iter().map(|row| (row.key.as_str(), row.size)).collect();
    assert_eq!(found, [("listed/a.json", 13), ("listed/b/c.json", 15), ("listed/b/d.json", 15)]);
    assert!(rows.iter().all(|row| row.modified >= begun), "{rows:?}");
    assert_eq!(to.list("listed/b/").unwrap().len(), 2);
    let all: BTreeSet<String> = to.list("").unwrap().iter().map(|row| row.key.to_string()).collect();
    assert!(names.iter().all(|name| all.contains(*name)), "{all:?}");
}

fn only_one_creator_wins(to: &dyn Place) {
    const WRITERS: usize = 8;
    let object = key("race/created.json");
    let start = Barrier::new(WRITERS);
    let ours = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (object, start) = (&object, &start);
                scope.spawn(move || {
                    start.wait();
                    (number, to.create(object, number.to_string().as_bytes()).unwrap())
                })
            })
            .collect();
        let outcomes = writers.into_iter().map(|writer| writer.join().unwrap());
        outcomes.filter(|(_, placed)| *placed == PutOutcome::Ours).map(|(number, _)| number).collect::<Vec<_>>()
    });
    assert_eq!(ours.len(), 1, "who believes that it wrote: {ours:?}");
    assert_eq!(to.get(&object).unwrap().unwrap().bytes, ours[0].to_string().as_bytes());
}

fn no_increment_is_lost(to: &dyn Place) {
    const WRITERS: usize = 6;
    const EACH: usize = 4;
    let object = key("race/counter.json");
    to.create(&object, b"0").unwrap();
    let increment = || {
        loop {
            let state = to.get(&object).unwrap().unwrap();
            let number: usize = String::from_utf8(state.bytes).unwrap().parse().unwrap();
            let next = (number + 1).to_string();
            if to.replace(&object, next.as_bytes(), &ExpectedState::State(state.tag)).unwrap() == ReplaceOutcome::Done {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| (0..EACH).for_each(|_| increment()));
        }
    });
    assert_eq!(to.get(&object).unwrap().unwrap().bytes, (WRITERS * EACH).to_string().as_bytes());
}

fn a_turn_is_had_by_one(to: &dyn Place) {
    let taken = || to.try_turn(&mut WaitingPublisher::default()).unwrap();
    for _ in 0..2 {
        let mut turn = taken().expect("nobody has it");
        assert!(taken().is_none());
        assert!(turn.keep().unwrap());
        assert!(taken().is_none());
        drop(turn);
    }
}

fn an_upload_arrives_whole_and_once(to: &dyn Place, unit: usize) {
    let sender = Sender::new();
    // One request, several parts, a last part of one byte.
    for (name, size) in [("small", 100_000), ("large", 23 * unit), ("odd", 20 * unit + 1), ("empty", 0)] {
        let object = key(&format!("uploads/{name}.zip"));
        let bytes = noise(size, size as u64);
        let first = sender.send(to, &object, &bytes, None).unwrap();
        assert_eq!((first.placed, first.sent), (PutOutcome::Ours, size as u64), "{name}");
        let second = sender.send(to, &object, &bytes, None).unwrap();
        assert_eq!((second.placed, second.sent), (PutOutcome::Theirs, 0), "{name}");
        let mut read = Vec::new();
        to.read(&object, None, &mut read, UNWATCHED).unwrap();
        assert!(read == bytes, "{name} is what was sent");
    }
}

/// Kept in silence it would be taken for what was uploaded.
fn an_upload_over_something_of_another_size_is_refused_and_changes_nothing(to: &dyn Place, unit: usize) {
    let sender = Sender::new();
    for size in [100_000, 12 * unit] {
        let object = key(&format!("uploads/another-{size}.zip"));
        let bytes = noise(size, 4);
        to.create(&object, b"cut off").unwrap();
        let error = sender.send(to, &object, &bytes, None).unwrap_err();
        let PlaceErrorKind::Another { size: there, expected } = error.kind else { panic!("{error:?}") };
        assert_eq!((there, expected), (7, size as u64));
        assert_eq!(to.get(&object).unwrap().unwrap().bytes, b"cut off");
        let file = sender.file(&bytes);
        let overwriting = ObjectUpload { overwrite: true, ..upload_of(&object, &file, &bytes) };
        let placed = to.upload(&overwriting, &sender.work(&|_| (), UNWATCHED)).unwrap().placed;
        assert_eq!((placed, to.head(&object).unwrap().unwrap().size), (PutOutcome::Ours, size as u64));
    }
}

/// The last moment before the object becomes visible is that of the verdict.
fn a_name_that_is_taken_during_an_upload_stays(to: &dyn Place, unit: usize) {
    let sender = Sender::new();
    for size in [1000, 20 * unit] {
        let object = key(&format!("uploads/raced-{size}.zip"));
        let (ours, theirs) = (noise(size, 6), noise(size, 7));
        let file = sender.file(&ours);
        let upload = ObjectUpload {
            verdict: &|| match to.create(&object, &theirs) {
                Ok(PutOutcome::Ours) => Ok(()),
                other => Err(format!("another writer failed: {other:?}")),
            },
            ..upload_of(&object, &file, &ours)
        };
        let placed = to.upload(&upload, &sender.work(&|_| (), UNWATCHED)).unwrap().placed;
        let mut read = Vec::new();
        to.read(&object, None, &mut read, UNWATCHED).unwrap();
        assert!(read == theirs, "what another writer brought first was overwritten");
        assert_eq!(placed, PutOutcome::Theirs);
    }
}

fn a_refused_upload_is_never_visible(to: &dyn Place, unit: usize) {
    let sender = Sender::new();
    for size in [1000, 12 * unit] {
        let object = key(&format!("uploads/refused-{size}.zip"));
        let bytes = noise(size, 3);
        let file = sender.file(&bytes);
        let upload = ObjectUpload {
            verdict: &|| Err("it was changed meanwhile".to_owned()),
            ..upload_of(&object, &file, &bytes)
        };
        let error = to.upload(&upload, &sender.work(&|_| (), UNWATCHED)).unwrap_err();
        assert!(matches!(error.kind, PlaceErrorKind::GivenUp { .. }), "{error:?}");
        assert_eq!(to.head(&object).unwrap(), None);
    }
}

fn unchanged_ranges_are_copied_where_that_is_possible(to: &dyn Place, skills: Skills) {
    let (sender, unit) = (Sender::new(), skills.unit);
    let bytes = |units: u64| units * unit as u64;
    let old = noise(24 * unit, 1);
    let former = key("copies/old.tar.zst");
    sender.send(to, &former, &old, None).unwrap();
    // One unit in the middle is another, and 100 bytes longer.
    let middle = noise(unit + 100, 2);
    let new = [&old[..8 * unit], &middle, &old[9 * unit..]].concat();
    let shared = vec![
        SharedRange { offset: 0, former: 0, size: bytes(8) },
        SharedRange { offset: bytes(9) + 100, former: bytes(9), size: bytes(15) },
    ];
    let object = key("copies/new.tar.zst");
    let uploaded = sender.send(to, &object, &new, Some(FormerObject { key: former.clone(), shared })).unwrap();
    let mut read = Vec::new();
    to.read(&object, None, &mut read, UNWATCHED).unwrap();
    assert!(read == new, "the copied bytes stand in the right places");
    let expected = if skills.copies_ranges { bytes(5) } else { new.len() as u64 };
    assert_eq!(uploaded.sent, expected, "{uploaded:?}");
    assert_eq!(uploaded.sent + uploaded.copied, new.len() as u64);

    // What is said to be the same and is not must not be believed.
    let wrong = vec![SharedRange { offset: 0, former: bytes(6), size: bytes(12) }];
    let object = key("copies/lied.tar.zst");
    let uploaded = sender.send(to, &object, &new, Some(FormerObject { key: former, shared: wrong })).unwrap();
    let mut read = Vec::new();
    to.read(&object, None, &mut read, UNWATCHED).unwrap();
    assert!(read == new, "a lie about what is shared changes nothing");
    assert_eq!(uploaded, UploadOutcome { placed: PutOutcome::Ours, sent: new.len() as u64, copied: 0, resumed: 0 });
}

fn an_interrupted_upload_goes_on(to: &dyn Place, skills: Skills) {
    let sender = Sender::new();
    let object = key("resumed/a.tar.zst");
    let bytes = noise(32 * skills.unit, 5);
    let file = sender.file(&bytes);
    let upload = |verdict: &(dyn Fn() -> Result<(), String> + Sync)| {
        let upload = ObjectUpload { verdict, ..upload_of(&object, &file, &bytes) };
        to.upload(&upload, &sender.work(&|_| (), UNWATCHED))
    };
    // Everything arrives but the last word.
    upload(&|| Err("interrupted".to_owned())).unwrap_err();
    assert_eq!(to.head(&object).unwrap(), None);
    assert_eq!(to.leftovers(SystemTime::now() - Duration::from_secs(3600), true).unwrap(), [], "too young to remove");
    let uploaded = upload(&|| Ok(())).unwrap();
    let resumed = if skills.resumes { bytes.len() as u64 } else { 0 };
    assert_eq!((uploaded.placed, uploaded.resumed), (PutOutcome::Ours, resumed));
    let mut read = Vec::new();
    to.read(&object, None, &mut read, UNWATCHED).unwrap();
    assert!(read == bytes);
    if skills.resumes {
        let object = key("resumed/b.tar.zst");
        let given_up = ObjectUpload { verdict: &|| Err("interrupted".to_owned()), ..upload_of(&object, &file, &bytes) };
        to.upload(&given_up, &sender.work(&|_| (), UNWATCHED)).unwrap_err();
        let later = SystemTime::now() + Duration::from_secs(3600);
        let told = to.leftovers(later, true).unwrap();
        assert!(told.iter().any(|row| row.what == "resumed/b.tar.zst"), "{told:?}");
        assert_eq!(to.leftovers(later, false).unwrap(), told, "what was told is what goes");
        assert_eq!(to.leftovers(later, true).unwrap(), []);
    }
}

fn a_transfer_ends_when_its_watch_says_so(to: &dyn Place) {
    let sender = Sender::new();
    let stop: TransferWatch<'_> = &|| Err(PlaceErrorKind::Cancelled);
    let (object, there) = (key("watched/a.zip"), key("watched/b.zip"));
    let bytes = noise(300_000, 11);
    sender.send(to, &there, &bytes, None).unwrap();
    let file = sender.file(&bytes);
    let upload = upload_of(&object, &file, &bytes);
    let error = to.upload(&upload, &sender.work(&|_| (), stop)).unwrap_err();
    assert!(matches!(error.kind, PlaceErrorKind::Cancelled), "{error:?}");
    assert_eq!(to.head(&object).unwrap(), None);
    let error = to.read(&there, None, &mut Vec::new(), stop).unwrap_err();
    assert!(matches!(error.kind, PlaceErrorKind::Cancelled), "{error:?}");
    let begun = AtomicU64::new(0);
    let later: TransferWatch<'_> = &|| match begun.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(()),
        _ => Err(PlaceErrorKind::TimedOut { limit: Duration::from_secs(1) }),
    };
    let error = to.read(&there, None, &mut Vec::new(), later).unwrap_err();
    assert!(matches!(error.kind, PlaceErrorKind::TimedOut { .. }), "{error:?}");
}

//! Places that ignore conditions on writes: what is derived is looked at until nothing is missing.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use catalogue::Catalogue;
use objects::{
    ExpectedState, FolderPlace, Leftover, ListedObject, Object, ObjectHead, ObjectKey, ObjectUpload, Place, PutOutcome,
    ReplaceOutcome, Result, TransferWatch, TransferWork, Turn, UploadOutcome, WaitingPublisher,
};
use publisher::reindex;
use testkit::S3Server;

use super::{Bench, artifacts_of, files_below, many_publishers};
use crate::support::crowd::SIGNING;
use crate::support::{bucket, settings};

/// A folder that writes whatever the condition is. Between the reading and the writing of the first catalogue another
/// publisher brings an entry, and writes the whole index.
#[derive(Debug)]
struct Careless {
    folder: FolderPlace,
    root: PathBuf,
    others: PathBuf,
    came: AtomicBool,
    /// Whether it admits to it.
    honest: bool,
}

impl Careless {
    fn let_the_other_publish(&self) {
        for name in files_below(&self.others) {
            if name.starts_with("artifacts") || name.starts_with("entries") {
                let to = self.root.join(&name);
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(self.others.join(&name), to).unwrap();
            }
        }
        reindex(&self.folder, &SIGNING(), false).unwrap();
    }
}

impl Place for Careless {
    fn place(&self) -> &str {
        self.folder.place()
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Object>> {
        self.folder.get(key)
    }

    fn read(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
        to: &mut dyn Write,
        watch: TransferWatch<'_>,
    ) -> Result<Option<u64>> {
        self.folder.read(key, range, to, watch)
    }

    fn head(&self, key: &ObjectKey) -> Result<Option<ObjectHead>> {
        self.folder.head(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        self.folder.list(prefix)
    }

    fn create(&self, key: &ObjectKey, bytes: &[u8]) -> Result<PutOutcome> {
        self.folder.replace(key, bytes, &ExpectedState::Anything).map(|_| PutOutcome::Ours)
    }

    fn replace(&self, key: &ObjectKey, bytes: &[u8], _: &ExpectedState) -> Result<ReplaceOutcome> {
        if key.as_str() == "catalogue.json" && !self.came.swap(true, Ordering::Relaxed) {
            self.let_the_other_publish();
        }
        self.folder.replace(key, bytes, &ExpectedState::Anything)
    }

    fn delete(&self, key: &ObjectKey) -> Result<bool> {
        self.folder.delete(key)
    }

    fn try_turn(&self, _: &mut WaitingPublisher) -> Result<Option<Box<dyn Turn + '_>>> {
        Ok(Some(Box::new(Everybodys)))
    }

    fn upload(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> Result<UploadOutcome> {
        self.folder.upload(upload, work)
    }

    fn leftovers(&self, before: SystemTime, dry_run: bool) -> Result<Vec<Leftover>> {
        self.folder.leftovers(before, dry_run)
    }

    fn conditional_puts(&self) -> Result<bool> {
        Ok(!self.honest)
    }
}

/// A turn that is taken by writing an object, under a condition that nobody keeps.
struct Everybodys;

impl Turn for Everybodys {
    fn keep(&mut self) -> Result<bool> {
        Ok(true)
    }
}

/// What lies there but locks, with its bytes.
fn content(root: &Path) -> Vec<(String, Vec<u8>)> {
    let names = files_below(root).into_iter().filter(|name| !name.starts_with('.'));
    names.map(|name| (name.clone(), fs::read(root.join(name)).unwrap())).collect()
}

#[test]
fn ais_a6_an_entry_that_came_while_the_index_was_written_is_found_by_looking_again() {
    for honest in [true, false] {
        let mut bench = Bench::new();
        let artifacts = artifacts_of(&bench, 2);
        let root = PathBuf::from(&bench.to);
        bench.good(&["publish", &artifacts[0]]);
        bench.to = bench.folder.path().join("theirs").display().to_string();
        bench.good(&["publish", &artifacts[1]]);
        fs::remove_file(root.join("catalogue.json")).unwrap();
        let place = Careless {
            folder: FolderPlace::new(root.clone()),
            root: root.clone(),
            others: PathBuf::from(&bench.to),
            came: AtomicBool::new(false),
            honest,
        };
        reindex(&place, &SIGNING(), true).unwrap();
        let found = Catalogue::read(&fs::read(root.join("catalogue.json")).unwrap()).unwrap().entries.len();
        // What is said to keep conditions and does not loses an entry: this test can tell.
        assert_eq!(found, if honest { 2 } else { 1 });
        if honest {
            let left = content(&root);
            reindex(&place.folder, &SIGNING(), true).unwrap();
            assert!(content(&root) == left, "the site and all lists are whole as well");
        }
    }
}

#[test]
fn ais_a6_publishers_to_a_server_that_ignores_conditions_lose_no_entry_and_say_so_once() {
    let server = S3Server::without_conditions();
    let endpoint = format!("http://{}", server.address());
    let bench = Bench::on(&endpoint);
    let artifacts = artifacts_of(&bench, 8);
    let run = bench.good(&["publish", &artifacts[0]]);
    assert_eq!(run.told.matches("does not keep conditions on writes").count(), 1, "{}", run.told);
    let to = bucket(&endpoint, "p", settings(S3Server::SECRET));
    many_publishers("a bucket without conditions", &bench, &to, &artifacts);
}

//! What is derived from the entries: `catalogue.json`, uv's download lists and the site.
//!
//! Any number of publishers may do this at once. Each reads the state of a file, then lists the entries, then replaces
//! the file if it is still in that state; whoever is too late begins again. So the last one has seen every entry.

use std::collections::BTreeMap;
use std::time::Duration;

use catalogue::{Catalogue, Entry, Promotion, ReadError, Retraction, object_keys};
use vocab::Digest;

use crate::destination::{Destination, Expected, Object, Replaced};
use crate::object_key::ObjectKey;
use crate::publish::PublishError;

/// Each pass that loses gives way to another publisher's that wins.
const PASSES: u32 = 300;

type Result<T> = std::result::Result<T, PublishError>;

/// Everything that was written at a destination.
#[derive(Clone, Debug, Default)]
pub struct Written {
    entries: BTreeMap<ObjectKey, Entry>,
    retractions: BTreeMap<ObjectKey, Retraction>,
    promotions: BTreeMap<ObjectKey, (Digest, Promotion)>,
}

impl Written {
    pub fn read(from: &dyn Destination) -> Result<Self> {
        let mut written = Self::default();
        written.refresh(from)?;
        Ok(written)
    }

    /// Entries and retractions never change, so that only new ones are read.
    fn refresh(&mut self, from: &dyn Destination) -> Result<()> {
        bring(from, object_keys::ENTRIES, &mut self.entries, Entry::read)?;
        bring(from, object_keys::RETRACTIONS, &mut self.retractions, Retraction::read)?;
        self.promotions.clear();
        bring(from, object_keys::PROMOTIONS, &mut self.promotions, |bytes| {
            Ok((Digest::of(bytes), Promotion::read(bytes)?))
        })
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn catalogue(&self) -> Catalogue {
        let entries: Vec<Entry> = self.entries.values().cloned().collect();
        let retractions: Vec<Retraction> = self.retractions.values().cloned().collect();
        let promotions: Vec<Promotion> = self.promotions.values().map(|(_, it)| it.clone()).collect();
        Catalogue::derive(&entries, &retractions, &promotions)
    }
}

fn bring<T>(
    from: &dyn Destination,
    folder: &str,
    known: &mut BTreeMap<ObjectKey, T>,
    read: impl Fn(&[u8]) -> std::result::Result<T, ReadError>,
) -> Result<()> {
    let listed = from.list(folder)?;
    let keys: Vec<ObjectKey> = listed.into_iter().map(|row| row.key).collect();
    known.retain(|key, _| keys.binary_search(key).is_ok());
    for key in keys {
        if known.contains_key(&key) || object_keys::id_of(key.as_str()).is_none() {
            continue;
        }
        // It may have been removed since it was listed.
        let Some(object) = from.get(&key)? else { continue };
        let stored = |source| PublishError::Stored { key: key.to_string(), place: from.place().to_owned(), source };
        let value = read(&object.bytes).map_err(stored)?;
        known.insert(key, value);
    }
    Ok(())
}

/// Brings the index up to date. Gives the catalogue, and how often it was written.
pub fn reindex(to: &dyn Destination) -> Result<(Catalogue, u32)> {
    let key: ObjectKey = object_keys::CATALOGUE.parse()?;
    let mut written = Written::default();
    let mut writes = 0;
    for pass in 0..PASSES {
        let before = to.get(&key)?;
        written.refresh(to)?;
        let catalogue = written.catalogue();
        let text = catalogue.to_text();
        // What was written is looked at once more: a server whose conditions do not hold is found out by that.
        if before.as_ref().is_some_and(|object| object.bytes == text.as_bytes()) {
            return Ok((catalogue, writes));
        }
        match to.replace(&key, text.as_bytes(), &expected(before))? {
            Replaced::Done => writes += 1,
            Replaced::Changed => std::thread::sleep(pause(pass)),
        }
    }
    Err(PublishError::IndexBusy { place: to.place().to_owned(), passes: PASSES })
}

fn expected(before: Option<Object>) -> Expected {
    before.map_or(Expected::Absent, |object| Expected::State(object.tag))
}

/// Longer with each pass up to a limit, and not the same in any two processes.
fn pause(pass: u32) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let chance = RandomState::new().hash_one(pass) % 100;
    Duration::from_millis(u64::from(pass.min(20)) * 5 + chance / 2)
}

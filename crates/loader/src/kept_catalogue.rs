//! What was last read of a catalogue, for each place and each key that signed there: for work without a network, and so
//! that no older one is taken for the present one.

use std::fs;
use std::io::{self, Write as _};

use archive::FileBeside;
use catalogue::{RetractedRow, Retraction};
use fetch::without_secrets;
use serde::{Deserialize, Serialize};
use vocab::Digest;

use crate::{Home, PublicKey};

/// A file with another number is taken for absent.
const KEPT_FORMAT: u32 = 1;

/// More retractions than this are not remembered; the newest are.
const MAX_RETRACTIONS: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptCatalogue {
    format: u32,
    /// The greatest that was seen; 0 of what is not signed.
    pub counter: u64,
    /// Everything that was ever seen as retracted and has not been accepted again.
    pub retracted: Vec<Retraction>,
    /// As it came: a signed catalogue where a key was given.
    pub text: String,
}

impl KeptCatalogue {
    pub fn new(counter: u64, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).into_owned();
        Self { format: KEPT_FORMAT, counter, retracted: Vec::new(), text }
    }

    /// `None` when there is none that can be read.
    pub fn read(home: &Home, place: &str, key: Option<&PublicKey>) -> Option<Self> {
        let text = fs::read(home.catalogue_path(&id(place, key))).ok()?;
        serde_json::from_slice(&text).ok().filter(|kept: &Self| kept.format == KEPT_FORMAT)
    }

    /// What another process read meanwhile is not replaced by something older.
    pub fn save(&self, home: &Home, place: &str, key: Option<&PublicKey>) -> io::Result<()> {
        if Self::read(home, place, key).is_some_and(|there| there.counter > self.counter || there == *self) {
            return Ok(());
        }
        let path = home.catalogue_path(&id(place, key));
        let mut beside = FileBeside::beside(&path, ".catalogue-")?;
        beside.write_all(serde_json::to_string(self)?.as_bytes())?;
        beside.replace(&path)
    }

    /// Adds what is retracted now to what was known.
    pub fn remember(&mut self, known: &[Retraction], now: &[RetractedRow]) {
        let new = now.iter().map(|row| Retraction::new(row.entry.id(), row.at, row.reason.clone()));
        self.retracted = known.iter().cloned().chain(new).collect();
        self.retracted.sort();
        self.retracted.dedup_by(|left, right| left.entry == right.entry);
        if self.retracted.len() > MAX_RETRACTIONS {
            self.retracted.sort_by_key(|row| std::cmp::Reverse(row.at));
            self.retracted.truncate(MAX_RETRACTIONS);
        }
    }
}

/// One name for one place, however it is written.
fn id(place: &str, key: Option<&PublicKey>) -> Digest {
    let place = without_secrets(place);
    Digest::of(format!("{}\n{}", place.trim_end_matches('/'), key.map_or("", PublicKey::line)))
}

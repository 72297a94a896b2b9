//! What was last read of a catalogue, for each location and each key that signed there: for work without a network, and
//! so that no older one is accepted as the current one.

use std::fs;
use std::io::{self, Write as _};

use catalogue::{RetractedRow, Retraction};
use disk::FileBeside;
use fetch::remembered;
use serde::{Deserialize, Serialize};
use vocab::Digest;

use crate::{Home, PublicKey};

/// A file with another number is treated as absent.
const KEPT_CATALOGUE_FORMAT: u32 = 1;

/// How many retractions are remembered: the newest ones.
const MAX_RETRACTIONS: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptCatalogue {
    format: u32,
    /// The highest counter that was seen; 0 for unsigned ones.
    pub counter: u64,
    /// Everything that was ever seen as retracted and has not been accepted again.
    pub retracted: Vec<Retraction>,
    /// Unchanged: a signed catalogue if a key was given.
    pub text: String,
}

impl KeptCatalogue {
    pub(crate) fn new(counter: u64, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).into_owned();
        Self { format: KEPT_CATALOGUE_FORMAT, counter, retracted: Vec::new(), text }
    }

    /// `None` if there is none that can be read.
    pub(crate) fn read(home: &Home, place: &str, key: Option<&PublicKey>) -> Option<Self> {
        let text = fs::read(home.catalogue_path(&id(place, key))).ok()?;
        serde_json::from_slice(&text).ok().filter(|kept: &Self| kept.format == KEPT_CATALOGUE_FORMAT)
    }

    /// A newer one that another process has read meanwhile is not replaced by an older one.
    pub(crate) fn save(&self, home: &Home, place: &str, key: Option<&PublicKey>) -> io::Result<()> {
        if Self::read(home, place, key).is_some_and(|there| there.counter > self.counter || there == *self) {
            return Ok(());
        }
        let path = home.catalogue_path(&id(place, key));
        let mut beside = FileBeside::beside(&path, ".catalogue-")?;
        beside.write_all(serde_json::to_string(self)?.as_bytes())?;
        beside.replace(&path)
    }

    /// Adds what is retracted now to what was known.
    pub(crate) fn remember(&mut self, known: &[Retraction], now: &[RetractedRow]) {
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

/// One name for one location, however it is written.
fn id(place: &str, key: Option<&PublicKey>) -> Digest {
    let place = remembered(place);
    Digest::of(format!("{}\n{}", place.trim_end_matches('/'), key.map_or("", PublicKey::line)))
}

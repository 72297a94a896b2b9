//! Small dated facts: which index answered, which tag a version has. All of them may be forgotten at any time.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use vocab::Digest;

use super::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct StoredFact {
    format: u32,
    key: String,
    /// Seconds since 1970.
    at: u64,
    value: serde_json::Value,
}

const FACT_FORMAT: u32 = 1;

impl Store {
    /// `kind` is a plain word, `key` any text; both together name the fact. A later value replaces an earlier one.
    pub fn remember(
        &self,
        kind: &str,
        key: &str,
        value: &serde_json::Value,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let fact = StoredFact { format: FACT_FORMAT, key: key.to_owned(), at: seconds(now), value: value.clone() };
        let path = self.fact_path(kind, key);
        let text = serde_json::to_vec(&fact).expect("a fact is plain JSON");
        let staged = self.stage_file()?;
        fs::write(staged.path(), text).map_err(|source| StoreError::new("write", staged.path(), source))?;
        let moved = disk::rename(staged.path(), &path).or_else(|error| match path.parent() {
            // The first of its kind.
            Some(parent) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                disk::rename(staged.path(), &path)
            }
            _ => Err(error),
        });
        moved.map_err(|source| StoreError::new("write", &path, source))
    }

    /// `None` when nothing is known, when it is older than `max_age`, or dated in the future.
    pub fn recall(&self, kind: &str, key: &str, max_age: Duration, now: SystemTime) -> Option<serde_json::Value> {
        let bytes = fs::read(self.fact_path(kind, key)).ok()?;
        let fact: StoredFact = serde_json::from_slice(&bytes).ok()?;
        let age = seconds(now).checked_sub(fact.at)?;
        (fact.format == FACT_FORMAT && fact.key == key && age <= max_age.as_secs()).then_some(fact.value)
    }

    /// Removes the fact, if it is known. A failure is ignored: facts also expire.
    pub fn forget(&self, kind: &str, key: &str) {
        let _ = fs::remove_file(self.fact_path(kind, key));
    }

    /// Keys are URLs and the like; their digest is a name that every file system takes.
    fn fact_path(&self, kind: &str, key: &str) -> PathBuf {
        self.root().join("memory").join(kind).join(format!("{}.json", Digest::of(key)))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

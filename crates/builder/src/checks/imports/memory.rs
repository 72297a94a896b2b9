//! How imports went that were fine, kept in the store as a small file.
//!
//! Kept are successes, and failures that the whitelist let pass; any other failure may be the machine's (a missing
//! library, a full disk) and is tried again.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vocab::Digest;

use super::ImportCheck;
use super::run::{self, Attempt};
use crate::Context;

pub struct Memory {
    folder: PathBuf,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    attempts: BTreeMap<String, Attempt>,
}

impl Memory {
    /// An import can depend on anything in the prefix, so the key covers all of it: the interpreter and what was
    /// copied, the platform, and the set of wheels; and our own script.
    pub fn of(context: &Context, check: &ImportCheck<'_>) -> Self {
        let mut wheels: Vec<String> =
            check.distributions.iter().map(|distribution| distribution.sha256.to_string()).collect();
        wheels.sort();
        let parts = serde_json::json!([
            "import check 1",
            Digest::of(run::DRIVER),
            check.layout.platform,
            check.layout.python,
            check.python_identity,
            wheels,
        ]);
        let folder = context.store.root().join("memory").join("checks");
        let path = folder.join(format!("imports-{}.json", Digest::of(parts.to_string())));
        Self { folder, path }
    }

    /// Anything unreadable is nothing known.
    pub fn recall(&self) -> BTreeMap<String, Attempt> {
        let remembered = fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
        remembered.map(|remembered| remembered.attempts).unwrap_or_default()
    }

    /// A store that cannot be written costs time at the next build and nothing else, so that is no error.
    pub fn remember(&self, attempts: BTreeMap<String, Attempt>) {
        let remembered = Remembered { attempts };
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&serde_json::to_vec(&remembered)?)?;
            file.persist(&self.path)?;
            Ok(())
        };
        let _ = write();
    }
}

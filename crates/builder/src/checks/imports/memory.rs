//! Which modules are known to import, kept in the store as a small file.
//!
//! Only successes are kept: a failure may be the machine's (a missing driver, a full disk) and is tried again.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vocab::Digest;

use super::{ImportCheck, run};
use crate::Context;

pub struct Memory {
    folder: PathBuf,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    imported: BTreeSet<String>,
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
    pub fn recall(&self) -> BTreeSet<String> {
        let remembered = fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
        remembered.map(|remembered| remembered.imported).unwrap_or_default()
    }

    /// A store that cannot be written costs time at the next build and nothing else, so that is no error.
    pub fn remember(&self, imported: &BTreeSet<String>) {
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&serde_json::to_vec(&Remembered { imported: imported.clone() })?)?;
            file.persist(&self.path)?;
            Ok(())
        };
        let _ = write();
    }
}

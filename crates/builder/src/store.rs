//! The content-addressed cache on the building machine.
//!
//! Layout below the root: `blobs/<2 digits>/<sha256>` downloaded files; `wheels/<sha256>/` unpacked wheels;
//! `bases/<digest>/` finished base interpreters; `built/<key>/` wheels compiled here; `tools/`, `memory/` small
//! dated facts; `tmp/` work in progress, on the same file system, so that everything arrives by rename.

use std::path::{Path, PathBuf};

use vocab::Digest;

#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the downloaded file with this digest is, or would be.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        self.root.join("blobs").join(&text[..2]).join(text)
    }
}

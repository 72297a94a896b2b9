//! What was installed from an archive, recorded inside of the folder: it appears with the tree, in one step.

use std::fs;
use std::path::Path;

use extension::{DistributionId, VerifyDepth};
use serde::{Deserialize, Serialize};
use tree_table::{CompareDepth, FileStamp, TreeDamage, TreeTable};
use vocab::{Digest, TreePath, typed_json};

/// A folder with it was made by this program.
pub(super) const MARK: &str = ".pydist-loader";
/// In [`MARK`]; written last.
pub(super) const RECORD: &str = "install.json";

/// A record with another number was made by another version: the distribution is installed again.
pub(super) const DISTRIBUTION_RECORD_FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DistributionRecord {
    pub format: u32,
    /// As it was asked for.
    pub id: String,
    /// The archive's name, digest and stamp when it was installed.
    pub archive: String,
    pub sha256: Digest,
    pub stamp: FileStamp,
    /// Paths that may change, by `pydist.json`; folders include what is below them.
    pub mutable: Vec<TreePath>,
    pub tree: TreeTable,
}

/// What a folder is.
pub(super) enum FoundFolder {
    None,
    Partial,
    Foreign,
    Ours(Box<DistributionRecord>),
}

pub(super) fn look_at(folder: &Path) -> FoundFolder {
    if fs::symlink_metadata(folder).is_err() {
        return FoundFolder::None;
    }
    if !folder.join(MARK).is_dir() {
        return FoundFolder::Foreign;
    }
    let record = fs::read(folder.join(MARK).join(RECORD)).ok();
    let record = record.and_then(|bytes| typed_json::read_record::<DistributionRecord>(&bytes).ok());
    match record.filter(|record| record.format == DISTRIBUTION_RECORD_FORMAT) {
        Some(record) => FoundFolder::Ours(Box::new(record)),
        None => FoundFolder::Partial,
    }
}

impl DistributionRecord {
    /// What has changed, but for byte code and what may change.
    pub(super) fn damage(&self, folder: &Path, depth: VerifyDepth) -> Vec<TreeDamage> {
        let depth = match depth {
            VerifyDepth::Full => CompareDepth::Digests,
            VerifyDepth::Fast => CompareDepth::Quick,
            VerifyDepth::None => return Vec::new(),
        };
        let mut damage = self.tree.compare(folder, depth).damage;
        damage.retain(|it| !is_byte_code(&it.path) && !self.mutable.iter().any(|may| is_below(&it.path, may)));
        damage
    }

    /// Whether the archive is the one that was installed. It is read only if its stamp differs or `always`.
    pub(super) fn is_of(&self, archive: &Path, always: bool) -> std::io::Result<bool> {
        if !always && FileStamp::of(&fs::metadata(archive)?) == self.stamp {
            return Ok(true);
        }
        Ok(Digest::of_reader(fs::File::open(archive)?)?.0 == self.sha256)
    }

    pub(super) fn is_for(&self, id: &DistributionId) -> bool {
        self.id == id.to_string()
    }
}

fn is_byte_code(path: &TreePath) -> bool {
    path.as_str().ends_with(".pyc") || path.segments().any(|segment| segment == "__pycache__")
}

fn is_below(path: &TreePath, folder: &TreePath) -> bool {
    path == folder || path.as_str().strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

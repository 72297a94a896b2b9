//! What was installed from an archive, recorded inside of the folder: it appears with the tree, in one step.

use std::fs;
use std::path::Path;

use extension::{DistributionId, VerifyDepth};
use serde::{Deserialize, Serialize};
use tree_table::{CompareDepth, FileStamp, TreeDamage, TreeTable};
use vocab::{Blake3, ContentDigests, Digest, DigestBuffer, DigestKinds, TreePath, typed_json};

use super::known_python::KnownPython;

/// A folder with it was made by this program.
pub(super) const MARK: &str = ".pydist-loader";
/// In [`MARK`]; written last.
pub(super) const RECORD: &str = "install.json";

/// Records of the first format say nothing about Python, those of the second have SHA-256 for BLAKE3. Any other number was
/// written by another version: the distribution is installed again.
pub(super) const DISTRIBUTION_RECORD_FORMAT: u32 = 3;
const READABLE: [u32; 3] = [1, 2, DISTRIBUTION_RECORD_FORMAT];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DistributionRecord {
    pub format: u32,
    /// As it was asked for.
    pub id: String,
    /// The archive's name, digests and stamp when it was installed.
    pub archive: String,
    pub sha256: Digest,
    /// Absent in records of former formats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<Blake3>,
    pub stamp: FileStamp,
    /// Paths that may change, by `pydist.json`; folders include what is below them.
    pub mutable: Vec<TreePath>,
    /// Absent if it has to be asked at each start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<KnownPython>,
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
    match record.filter(|record| READABLE.contains(&record.format)) {
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
        damage.retain(|it| !is_byte_code(&it.path) && !may_change(&it.path, &self.mutable));
        damage
    }

    /// Whether the archive is the one that was installed. It is read only if its stamp differs or `always`.
    pub(super) fn is_of(&self, archive: &Path, always: bool) -> std::io::Result<bool> {
        if !always && FileStamp::of(&fs::metadata(archive)?) == self.stamp {
            return Ok(true);
        }
        let known = ContentDigests { sha256: Some(self.sha256), blake3: self.blake3 };
        let kinds = self.blake3.map_or(DigestKinds::Sha256, |_| DigestKinds::Blake3);
        let now = ContentDigests::of_reader(fs::File::open(archive)?, kinds, &mut DigestBuffer::default())?;
        Ok(now.agree(&known))
    }

    pub(super) fn is_for(&self, id: &DistributionId) -> bool {
        self.id == id.to_string()
    }
}

fn is_byte_code(path: &TreePath) -> bool {
    path.as_str().ends_with(".pyc") || path.segments().any(|segment| segment == "__pycache__")
}

pub(super) fn may_change(path: &TreePath, mutable: &[TreePath]) -> bool {
    mutable.iter().any(|it| !it.is_root() && path.starts_with(it))
}

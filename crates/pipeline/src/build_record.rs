//! How a build left its tree and its artifacts: `python-<version string>/pydist/.<platform key>.record.json`. By it the
//! next run knows, without reading them, whether they are still that.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use disk::FileBeside;
use serde::{Deserialize, Serialize};
use tree_table::{FileStamp, TreeTable};
use vocab::{Digest, manifest_beside};

/// Unfinished ones.
const STAGED: &str = ".record-";

/// A record with another number is not read: the runtime is built again.
const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BuildRecord {
    format: u32,
    pub build_key: Digest,
    pub tree: TreeTable,
    /// By file name.
    pub artifacts: BTreeMap<String, ArtifactRow>,
}

/// One artifact and the manifest beside it, which has the artifact's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArtifactRow {
    pub manifest_sha256: Digest,
    pub stamp: FileStamp,
}

impl BuildRecord {
    /// `None` for a tree without one, and if it cannot be read or understood: then nothing is known of the tree.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (record.format == FORMAT).then_some(record)
    }

    /// The record of a tree and of the artifacts that were just made of it. If `former` is of the same build, what it
    /// knows about artifacts in other formats stays.
    pub(crate) fn of(
        build_key: Digest,
        tree: TreeTable,
        artifacts: &[PathBuf],
        former: Option<Self>,
    ) -> io::Result<Self> {
        let former = former.filter(|former| former.build_key == build_key);
        let mut rows = former.map(|former| former.artifacts).unwrap_or_default();
        for path in artifacts {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let manifest = fs::read(manifest_beside(path))?;
            let row = ArtifactRow { manifest_sha256: Digest::of(manifest), stamp: FileStamp::of(&fs::metadata(path)?) };
            rows.insert(name, row);
        }
        Ok(Self { format: FORMAT, build_key, tree, artifacts: rows })
    }

    /// Written before the tree takes its place: a tree beside another's record differs from it, and is built again.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        disk::sweep(folder, &[STAGED]);
        let mut beside = FileBeside::within(folder, STAGED)?;
        beside.write_all(&serde_json::to_vec(self)?)?;
        beside.replace(path)
    }
}

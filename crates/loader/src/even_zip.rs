//! Zips that have the same bytes wherever they are made.

use std::path::Path;

use archive::{DEFAULT_MTIME, NameRules, NoCache, PackError, PackOptions, PartSource, TreeEntry, pack};
use vocab::ArtifactFormat;

/// Writes `entries`, in their order, to `target`, beside it first. Names are those that every system allows. `level` is 0 to 9;
/// `epoch` the time of every entry in seconds since 1970, without it 1980-01-01. Gives the size in bytes.
pub(crate) fn write_zip(
    target: &Path,
    name: &str,
    entries: Vec<TreeEntry>,
    level: i32,
    epoch: Option<u64>,
) -> Result<u64, PackError> {
    let part = PartSource { name: name.to_owned(), identity: None, copied_from: None, entries };
    let options = PackOptions {
        format: ArtifactFormat::Zip,
        level,
        mtime: epoch.unwrap_or(DEFAULT_MTIME),
        names: NameRules::Windows,
        ..PackOptions::default()
    };
    Ok(pack(target, &[part], &options, &NoCache)?.size)
}

//! How much disk a run needs: reported before it starts, and refused if it cannot fit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vocab::{ArtifactFormat, Digest, Fault, TreePath};

use crate::local_file::local_size;
use crate::prepare::PlatformPreparation;
use resolve::LockedSource;
use store::Context;

/// Wheels unpack to twice to four times their size; those with much data, such as CUDA's, to less.
const UNPACKED: u64 = 3;

/// Bytes that a run adds to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiskNeed {
    /// Files to download.
    pub downloads: u64,
    /// Wheels of the repository that are not unpacked yet. They are there, so they add nothing themselves.
    pub local: u64,
    /// Both when unpacked; prefixes share them with the store where the file system can.
    pub unpacked: u64,
    /// One for each format.
    pub artifacts: u64,
    /// The same once more in the store, which keeps the parts of all formats but zip, whose data it has as wheels.
    pub parts: u64,
}

impl DiskNeed {
    /// What several platforms share is counted once, as it is stored once.
    pub(crate) fn of(
        preparations: &[PlatformPreparation],
        formats: &[ArtifactFormat],
        in_store: &dyn Fn(&Digest) -> bool,
        to_unpack: &dyn Fn(&TreePath, &Digest) -> Option<u64>,
    ) -> Self {
        let (mut lacking, mut local): (BTreeMap<Digest, u64>, BTreeMap<Digest, u64>) = Default::default();
        let mut packed = 0;
        for prepared in preparations.iter().filter_map(|preparation| preparation.ready.as_ref().ok()) {
            packed += prepared.plan.packed_size();
            for row in &prepared.rows.distributions {
                if let LockedSource::Wheel { sha256, size: Some(size), .. }
                | LockedSource::Sdist { sha256, size: Some(size), .. } = &row.source
                    && !in_store(sha256)
                {
                    lacking.insert(*sha256, *size);
                }
                if let LockedSource::Path { path, sha256 } = &row.source
                    && let Some(size) = to_unpack(path, sha256)
                {
                    local.insert(*sha256, size);
                }
            }
        }
        let (downloads, local) = (lacking.values().sum(), local.values().sum());
        if downloads + local == 0 {
            // Most often there is nothing to do at all.
            return Self::default();
        }
        Self { downloads, local, unpacked: (downloads + local) * UNPACKED, ..Self::to_pack(formats, packed) }
    }

    /// Artifacts of wheels that have `packed` bytes together.
    fn to_pack(formats: &[ArtifactFormat], packed: u64) -> Self {
        let mut need = Self::default();
        for format in formats {
            let size = match format {
                // About as large as the wheels in it.
                ArtifactFormat::TarZst | ArtifactFormat::TarGz | ArtifactFormat::Zip => packed,
                ArtifactFormat::Tar => packed * UNPACKED,
            };
            need.artifacts += size;
            if *format != ArtifactFormat::Zip {
                need.parts += size;
            }
        }
        need
    }

    /// An estimate, in bytes.
    pub(crate) fn total(self) -> u64 {
        self.downloads + self.unpacked + self.artifacts + self.parts
    }

    /// The least that suffices, in bytes: nothing unpacks to less than its packed size.
    pub(crate) fn least(self) -> u64 {
        self.downloads * 2 + self.local
    }
}

/// The disk of `place` is too small. Both numbers are in bytes; `needed` is the least that suffices.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the disk of `{}` has {available} bytes free, and this build needs at least {needed}", place.display())]
#[fault(
    "E_DISK_SPACE",
    Build,
    hint("make room (`builder store prune`, `builder clean`), or use another disk with --store-dir")
)]
pub(crate) struct DiskSpaceError {
    pub place: PathBuf,
    pub needed: u64,
    pub available: u64,
}

/// Reports what is needed if it is much, and refuses what cannot fit. `repository` and `out` are where
/// prefixes and artifacts go.
pub(crate) fn check(
    context: &Context,
    repository: &Path,
    out: &Path,
    formats: &[ArtifactFormat],
    preparations: &[PlatformPreparation],
) -> Result<(), DiskSpaceError> {
    let to_unpack = |path: &TreePath, sha256: &Digest| {
        let is_unpacked = context.store.wheel(sha256).is_dir();
        if is_unpacked { None } else { local_size(repository, path) }
    };
    let need = DiskNeed::of(preparations, formats, &|digest| context.store.blob(digest).is_file(), &to_unpack);
    if need.total() == 0 {
        return Ok(());
    }
    let store = context.store.root();
    // If the free space is unknown, a full disk shows only later.
    let Some(free) = free(store) else { return Ok(()) };
    if need.least() > free {
        return Err(DiskSpaceError { place: store.to_owned(), needed: need.least(), available: free });
    }
    let elsewhere = [repository, out].into_iter().filter_map(|place| Some((place, self::free(place)?)));
    let tightest = elsewhere.filter(|(_, room)| *room < need.artifacts).min_by_key(|(_, room)| *room);
    let text = format!(
        "about {} of disk will be used: {} of downloads, unpacked about {}, artifacts about {} and as parts in the store \
         about {}; {} free",
        megabytes(need.total()),
        megabytes(need.downloads),
        megabytes(need.unpacked),
        megabytes(need.artifacts),
        megabytes(need.parts),
        megabytes(free),
    );
    match tightest {
        Some((place, room)) => context.warn(
            "W_DISK_SPACE",
            format!("{text}; {} of them on the disk of the artifacts", megabytes(room)),
            Some(place.display().to_string()),
            None,
        ),
        None if need.total() > free => context.warn("W_DISK_SPACE", text, Some(store.display().to_string()), None),
        None => context.note(text),
    }
    Ok(())
}

/// Free bytes of the file system that holds the path, or will hold it.
fn free(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|folder| folder.exists())?;
    fs4::available_space(existing).ok()
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_counted_from_what_lacks() {
        let none = DiskNeed::of(&[], &ArtifactFormat::ALL, &|_| false, &|_, _| None);
        assert_eq!((none.total(), none.least()), (0, 0));
        let some = DiskNeed { downloads: 100, local: 0, unpacked: 300, artifacts: 90, parts: 90 };
        assert_eq!((some.total(), some.least()), (580, 200));
        let local = DiskNeed { downloads: 0, local: 100, unpacked: 300, artifacts: 90, parts: 90 };
        assert_eq!(
            (local.total(), local.least()),
            (480, 100),
            "a wheel of the repository is unpacked, and not fetched"
        );
    }

    #[test]
    fn each_format_that_is_asked_for_counts() {
        use ArtifactFormat::{Tar, TarGz, TarZst, Zip};
        let cases: [(&[ArtifactFormat], u64, u64); 4] = [
            // (formats, artifacts, parts)
            (&[TarZst], 100, 100),
            (&[TarZst, TarGz], 200, 200),
            (&[Zip], 100, 0),
            (&[TarZst, TarGz, Tar, Zip], 600, 500),
        ];
        for (formats, artifacts, parts) in cases {
            let need = DiskNeed::to_pack(formats, 100);
            assert_eq!((need.artifacts, need.parts), (artifacts, parts), "{formats:?}");
        }
    }
}

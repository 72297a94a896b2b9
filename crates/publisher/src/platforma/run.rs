//! Archives, then what points at them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use archive::{
    EntryKind, ExtractOptions, ListedKind, ListingDepth, NameRules, NoCache, PackOptions, PackedFile, PartCache,
    PartSource,
};
use disk::FileBeside;
use vocab::{ArtifactFormat, Digest, Event, Fault, INNER_MANIFEST, PlatformKey};

use super::{EarlierFile, MissingPlatforms, PlatformaError, PlatformaRelease};
use crate::publish::{ExistingEntryPolicy, PublishCandidate, PublishError};
use objects::{ObjectKey, ObjectUpload, Place, PutOutcome, TransferWork, UploadOutcome};

/// How to release.
pub struct ReleaseOptions<'a> {
    pub existing: ExistingEntryPolicy,
    /// Not all platforms of `roots` need an artifact; the descriptor is then left to the run that has the last.
    pub partial: bool,
    /// The trees below `roots` are packed, with what was changed in them since, in place of the artifacts.
    pub from_roots: bool,
    /// Keeps compressed parts.
    pub cache: &'a dyn PartCache,
}

/// What became of one platform's archive.
#[derive(Clone, Debug)]
pub struct ReleasedArchive {
    pub platform: PlatformKey,
    pub key: ObjectKey,
    /// Absent when the one that was there is kept.
    pub uploaded: Option<UploadOutcome>,
    /// In bytes; absent as well.
    pub size: Option<u64>,
}

/// What a release put where.
#[derive(Clone, Debug)]
pub struct ReleaseOutcome {
    pub archives: Vec<ReleasedArchive>,
    /// What was written into the package, the descriptor last. It is absent while platforms are missing.
    pub files: Vec<PathBuf>,
    pub missing: MissingPlatforms,
}

/// An archive at the registry, and its size in bytes if it is there already.
type StandingArchive = (PlatformKey, ObjectKey, Option<u64>);

impl PlatformaRelease {
    fn archive_key(&self, platform: PlatformKey) -> Result<ObjectKey, PlatformaError> {
        let named = |source| PlatformaError::Name { version: self.version.clone(), source };
        self.package.archive_key(platform).map_err(named)
    }

    /// Its archives, in the order of the platforms.
    pub fn standing(&self, to: &dyn Place) -> Result<Vec<StandingArchive>, Box<dyn Fault>> {
        let look = |platform: &PlatformKey| {
            let key = self.archive_key(*platform)?;
            let size = to.head(&key)?.map(|head| head.size);
            Ok((*platform, key, size))
        };
        self.artifacts.keys().map(look).collect()
    }

    /// Platforms of `roots` that have neither an artifact now nor, from an earlier run, an archive at the registry.
    fn missing_at(&self, to: &dyn Place) -> Result<MissingPlatforms, Box<dyn Fault>> {
        let mut missing = MissingPlatforms::default();
        for (platform, earlier) in self.absent() {
            match earlier {
                EarlierFile::Same => {
                    if to.head(&self.archive_key(platform)?)?.is_some_and(|head| head.size > 0) {
                        continue;
                    }
                }
                EarlierFile::Differs(difference) => missing.differing.push(difference),
                EarlierFile::Absent => {}
            }
            missing.platforms.push(platform);
        }
        missing.platforms.sort();
        Ok(missing)
    }

    /// Every reason against it, without changing anything: platforms without an artifact, archives that are
    /// there and must not be, artifacts that are not what their manifests say.
    pub fn check(&self, to: &dyn Place, options: &ReleaseOptions<'_>) -> Result<(), Box<dyn Fault>> {
        let missing = self.missing_at(to)?;
        if !missing.is_empty() && !options.partial {
            return Err(PlatformaError::Incomplete { version: self.version.clone(), missing }.into());
        }
        let standing = self.standing(to)?;
        if options.existing == ExistingEntryPolicy::Fail {
            let keys: Vec<String> =
                standing.iter().filter(|(.., size)| size.is_some()).map(|(_, key, _)| key.to_string()).collect();
            if !keys.is_empty() {
                return Err(PlatformaError::Exists { keys }.into());
            }
        }
        for candidate in self.artifacts.values() {
            archive::verify(&candidate.file, &candidate.manifest)?;
            if options.from_roots {
                self.check_root(candidate)?;
            }
        }
        Ok(())
    }

    /// The tree is of the same build as the artifact and has the same files, whatever was signed in them.
    fn check_root(&self, candidate: &PublishCandidate) -> Result<(), Box<dyn Fault>> {
        let root = self.package.root(candidate.manifest.platform);
        let path = self.package.root(candidate.manifest.platform).join(INNER_MANIFEST);
        let text =
            vocab::read_regular(&path).map_err(|source| PlatformaError::Repository { path: path.clone(), source })?;
        let is_same = archive::read_manifest(&text)?.build_key == candidate.manifest.build_key;
        if !is_same {
            return Err(PlatformaError::OtherBuild { root: path, artifact: candidate.file.clone() }.into());
        }
        let listed = archive::list(&candidate.file, ListingDepth::Names, &ExtractOptions::default())?;
        let listed = listed.into_iter().filter(|entry| entry.kind != ListedKind::Directory);
        let listed: BTreeSet<String> = listed.map(|entry| entry.path).collect();
        let found = archive::scan(&root)?.into_iter().filter(|entry| entry.kind != EntryKind::Directory);
        let found: BTreeSet<String> = found.map(|entry| entry.path.to_string()).collect();
        let artifact = candidate.file.clone();
        match (listed.difference(&found).next(), found.difference(&listed).next()) {
            (Some(file), _) => Err(PlatformaError::RootLacks { root, file: file.clone(), artifact }.into()),
            (_, Some(file)) => Err(PlatformaError::RootHasMore { root, file: file.clone(), artifact }.into()),
            (None, None) => Ok(()),
        }
    }

    fn write(&self, path: &str, text: &str) -> Result<PathBuf, PlatformaError> {
        write_text(&self.package.folder.join(path), text)
    }
}

pub(super) fn write_text(path: &Path, text: &str) -> Result<PathBuf, PlatformaError> {
    let write = || {
        let mut file = FileBeside::beside(path, ".descriptor-")?;
        file.write_all(text.as_bytes())?;
        file.replace(path)
    };
    write().map_err(|source| PlatformaError::Write { path: path.to_owned(), source })?;
    Ok(path.to_owned())
}

/// Brings the archives of a release that [`PlatformaRelease::check`] found to be in order, and writes what points at
/// them.
pub fn publish_release(
    to: &dyn Place,
    release: &PlatformaRelease,
    options: &ReleaseOptions<'_>,
    work: &TransferWork<'_>,
) -> Result<ReleaseOutcome, Box<dyn Fault>> {
    let mut archives = Vec::new();
    for (platform, key, there) in release.standing(to)? {
        let Some(candidate) = release.artifacts.get(&platform) else { continue };
        let root = options.from_roots.then(|| release.package.root(platform));
        // Made even where one is there: only so can it be said whether that one is another.
        let ours = ArchiveToSend::of(candidate, root.as_deref(), options)?;
        let (file, size, sha256) = ours.file();
        let overwrite = options.existing == ExistingEntryPolicy::Replace;
        let uploaded = if there.is_some() && !overwrite {
            None
        } else {
            let upload = ObjectUpload { key: &key, file, size, sha256, former: None, overwrite, verdict: &|| Ok(()) };
            // Somebody else may have been quicker.
            Some(to.upload(&upload, work)?).filter(|uploaded| uploaded.placed == PutOutcome::Ours)
        };
        if uploaded.is_none() {
            if options.existing == ExistingEntryPolicy::Fail {
                return Err(PlatformaError::Exists { keys: vec![key.to_string()] }.into());
            }
            warn_of_kept(to, &key, size, work)?;
            to.sweep_beside(&key);
        }
        archives.push(ReleasedArchive { platform, key, uploaded, size: uploaded.map(|_| size) });
    }
    let mut files = Vec::new();
    for platform in release.artifacts.keys() {
        let info = release.package.archive_info(*platform, &release.registry);
        files.push(release.write(&release.package.archive_info_path(*platform), &info)?);
    }
    let missing = release.missing_at(to)?;
    if missing.is_empty() {
        files.push(release.write(&release.package.software_path(), &release.package.software(&release.registry))?);
    } else {
        // One of an earlier version would be taken for this one's.
        let _ = fs::remove_file(release.package.folder.join(release.package.software_path()));
    }
    Ok(ReleaseOutcome { archives, files, missing })
}

fn warn_of_kept(to: &dyn Place, key: &ObjectKey, ours: u64, work: &TransferWork<'_>) -> Result<(), Box<dyn Fault>> {
    let text = match to.head(key)? {
        Some(head) if head.size != ours => {
            format!(
                "`{key}` was published before and is kept: it has {} bytes, the one of this build has {ours}",
                head.size
            )
        }
        _ => format!("`{key}` was published before and is kept"),
    };
    (work.tell)(Event::Warning {
        code: "W_PUBLISHED_BEFORE",
        text,
        place: Some(to.place().to_owned()),
        hint: Some("--force replaces it; a new version in package.json gives it another name".to_owned()),
    });
    Ok(())
}

/// An archive, ready to be sent.
enum ArchiveToSend<'a> {
    Artifact { file: &'a Path, size: u64, sha256: Digest },
    Packed(PackedFile),
}

impl<'a> ArchiveToSend<'a> {
    /// The tree at `root`, where it is given. Else a `tar.gz` as it is; of anything else the `tar.gz` that the builder
    /// would have made.
    fn of(
        candidate: &'a PublishCandidate,
        root: Option<&Path>,
        options: &ReleaseOptions<'_>,
    ) -> Result<Self, Box<dyn Fault>> {
        let not_packed = || PublishError::NotPacked { path: candidate.file.clone() };
        let artifact = candidate.manifest.artifact.as_ref().ok_or_else(not_packed)?;
        if root.is_none() && artifact.format == ArtifactFormat::TarGz {
            return Ok(Self::Artifact { file: &candidate.file, size: artifact.size, sha256: artifact.sha256 });
        }
        let folder = candidate.file.parent().filter(|it| it.components().next().is_some());
        let folder = folder.unwrap_or(Path::new("."));
        let gzip = PackOptions { format: ArtifactFormat::TarGz, level: GZIP_LEVEL, ..PackOptions::default() };
        Ok(Self::Packed(match root {
            Some(root) => {
                let names = NameRules::of_platform(candidate.manifest.platform);
                let tree = [PartSource::new("tree", archive::scan(root)?)];
                archive::pack_beside(&folder.join("tree"), &tree, &PackOptions { names, ..gzip }, &NoCache)?
            }
            None => archive::repack(&candidate.file, artifact, folder, &gzip, options.cache)?,
        }))
    }

    fn file(&self) -> (&Path, u64, Digest) {
        match self {
            Self::Artifact { file, size, sha256 } => (file, *size, *sha256),
            Self::Packed(packed) => (packed.path(), packed.packed().size, packed.packed().sha256),
        }
    }
}

/// The builder's own for a `tar.gz`.
const GZIP_LEVEL: i32 = 6;

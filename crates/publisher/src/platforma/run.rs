//! Archives, then what points at them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use archive::{FileBeside, NameRules, NoCache, PackOptions, PartCache, PartSource};
use vocab::{ArtifactFormat, Digest, Event, Fault, INNER_MANIFEST, PlatformKey};

use super::{PlatformaError, Release};
use crate::publish::{Candidate, Existing, PublishError};
use objects::{ObjectKey, Place, Placed, Upload, Uploaded, Work};

/// How to release.
pub struct ReleaseOptions<'a> {
    pub existing: Existing,
    /// Not all platforms of `roots` need an artifact; the descriptor is then left to the run that has the last.
    pub partial: bool,
    /// The trees below `roots` are packed, with what was changed in them since, in place of the artifacts.
    pub from_roots: bool,
    /// Keeps compressed parts.
    pub cache: &'a dyn PartCache,
}

/// What became of one platform's archive.
#[derive(Clone, Debug)]
pub struct Archive {
    pub platform: PlatformKey,
    pub key: ObjectKey,
    /// Absent when the one that was there is kept.
    pub uploaded: Option<Uploaded>,
    /// In bytes; absent as well.
    pub size: Option<u64>,
}

/// What a release put where.
#[derive(Clone, Debug)]
pub struct Released {
    pub archives: Vec<Archive>,
    /// What was written into the package, the descriptor last. It is absent while platforms are missing.
    pub files: Vec<PathBuf>,
    pub missing: Vec<PlatformKey>,
}

/// An archive at the registry, and whether it is there already.
type Standing = (PlatformKey, ObjectKey, bool);

impl Release {
    fn key(&self, platform: PlatformKey) -> Result<ObjectKey, PlatformaError> {
        let named = |source| PlatformaError::Name { version: self.version.clone(), source };
        self.package.upload_path(platform).map_err(named)
    }

    /// Its archives, in the order of the platforms.
    pub fn standing(&self, to: &dyn Place) -> Result<Vec<Standing>, Box<dyn Fault>> {
        let look = |platform: &PlatformKey| {
            let key = self.key(*platform)?;
            let there = to.head(&key)?.is_some();
            Ok((*platform, key, there))
        };
        self.artifacts.keys().map(look).collect()
    }

    /// Everything that stands against it, without changing anything: platforms without an artifact, archives that are
    /// there and must not be, artifacts that are not what their manifests say.
    pub fn check(&self, to: &dyn Place, options: &ReleaseOptions<'_>) -> Result<(), Box<dyn Fault>> {
        let mut missing = self.missing();
        for platform in self.earlier() {
            if to.head(&self.key(platform)?)?.is_none() {
                missing.push(platform);
            }
        }
        missing.sort();
        if !missing.is_empty() && !options.partial {
            return Err(PlatformaError::Incomplete { version: self.version.clone(), missing }.into());
        }
        let standing = self.standing(to)?;
        if options.existing == Existing::Fail {
            let keys: Vec<String> =
                standing.iter().filter(|(.., there)| *there).map(|(_, key, _)| key.to_string()).collect();
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

    /// The tree is of the same build as the artifact, whatever was signed in it.
    fn check_root(&self, candidate: &Candidate) -> Result<(), Box<dyn Fault>> {
        let path = self.package.root(candidate.manifest.platform).join(INNER_MANIFEST);
        let text = fs::read(&path).map_err(|source| PlatformaError::Repository { path: path.clone(), source })?;
        let is_same = archive::read_manifest(&text)?.build_key == candidate.manifest.build_key;
        if is_same {
            Ok(())
        } else {
            Err(PlatformaError::OtherBuild { root: path, artifact: candidate.file.clone() }.into())
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

/// Brings the archives of a release that [`Release::check`] found to be in order, and writes what points at them.
pub fn publish_release(
    to: &dyn Place,
    release: &Release,
    options: &ReleaseOptions<'_>,
    work: &Work<'_>,
) -> Result<Released, Box<dyn Fault>> {
    let mut archives = Vec::new();
    for (platform, key, there) in release.standing(to)? {
        let Some(candidate) = release.artifacts.get(&platform) else { continue };
        let kept = there && options.existing != Existing::Replace;
        let root = options.from_roots.then(|| release.package.root(platform));
        let archive = if kept { None } else { Some(bring(to, candidate, root.as_deref(), &key, options, work)?) };
        // Somebody else may have been quicker.
        let archive = archive.filter(|(uploaded, _)| uploaded.placed == Placed::Ours);
        if archive.is_none() {
            (work.tell)(Event::Warning {
                code: "W_PUBLISHED_BEFORE",
                text: format!("`{key}` was published before and is kept"),
                place: Some(to.place().to_owned()),
                hint: Some("--force replaces it; a new version in package.json gives it another name".to_owned()),
            });
        }
        let (uploaded, size) = archive.unzip();
        archives.push(Archive { platform, key, uploaded, size });
    }
    let mut files = Vec::new();
    for platform in release.artifacts.keys() {
        let info = release.package.archive_info(*platform, &release.registry);
        files.push(release.write(&release.package.archive_info_path(*platform), &info)?);
    }
    let missing = release.missing();
    if missing.is_empty() {
        files.push(release.write(&release.package.software_path(), &release.package.software(&release.registry))?);
    } else {
        // One of an earlier version would be taken for this one's.
        let _ = fs::remove_file(release.package.folder.join(release.package.software_path()));
    }
    Ok(Released { archives, files, missing })
}

/// The tree at `root`, where it is given. Else a `tar.gz` as it is; of anything else the `tar.gz` that the builder would
/// have made.
fn bring(
    to: &dyn Place,
    candidate: &Candidate,
    root: Option<&Path>,
    key: &ObjectKey,
    options: &ReleaseOptions<'_>,
    work: &Work<'_>,
) -> Result<(Uploaded, u64), Box<dyn Fault>> {
    let not_packed = || PublishError::NotPacked { path: candidate.file.clone() };
    let artifact = candidate.manifest.artifact.as_ref().ok_or_else(not_packed)?;
    let send = |file: &Path, size: u64, sha256: Digest| {
        let overwrite = options.existing == Existing::Replace;
        let upload = Upload { key, file, size, sha256, former: None, overwrite, verdict: &|| Ok(()) };
        to.upload(&upload, work).map(|uploaded| (uploaded, size))
    };
    if root.is_none() && artifact.format == ArtifactFormat::TarGz {
        return Ok(send(&candidate.file, artifact.size, artifact.sha256)?);
    }
    let folder = candidate.file.parent().filter(|it| it.components().next().is_some());
    let folder = folder.unwrap_or(Path::new("."));
    let gzip = PackOptions { format: ArtifactFormat::TarGz, level: GZIP_LEVEL, ..PackOptions::default() };
    let packed = match root {
        Some(root) => {
            let names = NameRules::of_platform(candidate.manifest.platform);
            let tree = [PartSource::new("tree", archive::scan(root)?)];
            archive::pack_beside(&folder.join("tree"), &tree, &PackOptions { names, ..gzip }, &NoCache)?
        }
        None => archive::repack(&candidate.file, artifact, folder, &gzip, options.cache)?,
    };
    Ok(send(packed.path(), packed.packed().size, packed.packed().sha256)?)
}

/// The builder's own for a `tar.gz`.
const GZIP_LEVEL: i32 = 6;

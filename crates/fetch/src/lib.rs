//! Fetches an artifact from a server or a folder, transferring only the parts that are not here already.
//!
//! The one idea: an artifact consists of parts whose digests its manifest lists, so the parts of older artifacts and
//! installed prefixes can be used again. First the manifest beside the artifact is fetched; a [`DeltaPlan`] decides for
//! each part whether it is copied, kept from an interrupted fetch, or requested by byte range; then the plan is carried
//! out. Nothing is trusted: each part is digested where it ends up, and so is the whole. Everything is written under a
//! temporary name and renamed when it is complete.
//!
//! [`fetch()`] does all of this; [`DeltaPlan`] and [`diff`](diff()) are pure and also answer what an update would cost:
//!
//! ```
//! use fetch::{DeltaPlan, PieceOrigin};
//! use vocab::{Artifact, ArtifactFormat, Digest, Part};
//!
//! let artifact = |name: &str, contents: [&str; 2]| {
//!     let part = |content: &str, offset| Part {
//!         content: content.to_owned(),
//!         offset,
//!         size: 100,
//!         uncompressed_size: 300,
//!         sha256: Digest::of(content),
//!         identity: None,
//!     };
//!     Artifact {
//!         file: name.to_owned(),
//!         format: ArtifactFormat::Tar,
//!         level: None,
//!         sha256: Digest::of(name),
//!         size: 200,
//!         parts: vec![part(contents[0], 0), part(contents[1], 100)],
//!     }
//! };
//! let older = artifact("older", ["base", "numpy 2.2.5"]);
//! let newer = artifact("newer", ["base", "numpy 2.2.6"]);
//!
//! let plan = DeltaPlan::of_artifact(&newer, &[&older]);
//! assert_eq!(plan.pieces[0].from, PieceOrigin::Local { source: 0, offset: 0 });
//! let ranges = plan.ranges(0);
//! assert_eq!((ranges.len(), ranges[0].start, ranges[0].end), (1, 100, 200));
//! ```

mod answer;
mod bucket;
mod cluster;
mod delta_plan;
mod diff;
mod error;
mod fill;
mod kept;
mod older;
mod origin;
mod prefix;
mod server;
mod share;
mod tree;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use vocab::{
    Artifact, ArtifactFormat, ContentDigests, Digest, DigestKinds, Event, Exit, Fault as _, Manifest, Tell, TreePath,
    manifest_beside,
};

use archive::VerifyErrorKind;
use archive::pieces::check_places;
use archive::pieces::end_parts;
use archive::pieces::{check_destination, extract_parts, staging_beside};
use archive::{ExtractError, ExtractErrorKind, ExtractOptions, read_manifest};
use disk::{FileBeside, sweep};

pub use delta_plan::{DeltaPlan, FetchRange, PieceOrigin, PlanPiece};
pub use diff::{BaseChange, FETCH_GAP, FileChange, ManifestDiff, PackageChange, PartChange, diff, diff_files};
pub use error::{FetchError, FetchErrorKind};
use fill::{FillOutcome, Filler};
use kept::GrowingFile;
use older::OlderArtifacts;
use origin::ArtifactOrigin;
pub use origin::{check_place, is_bucket, is_remote, remembered, server_of};
pub use server::FetchSettings;
pub use share::ReuseMode;
pub use web::{Deadline, Pace, Proxies, without_secrets};

/// What to fetch, and into what.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Location of the artifact: `http`, `https` or `file`, a plain path, `s3://bucket/name` or
    /// `ais://bucket/name?endpoint=…` in an AIStore cluster. Its manifest has the same name and `.json`. User and password are used and never shown.
    pub place: String,
    /// Older artifacts, each with its manifest beside it, and installed prefixes, which are useful only for
    /// [`FetchTarget::Folder`].
    pub older: Vec<PathBuf>,
    pub target: FetchTarget,
    /// Expected digest of the artifact, compared with what the manifest says.
    pub expected: Option<Digest>,
    /// Expected digest of the manifest's text, which has the digests of everything else.
    pub expected_manifest: Option<Digest>,
    /// With [`FetchTarget::Folder`]: what has arrived stays in this folder when the work is interrupted, and the next
    /// fetch continues with it. The caller ensures that only one fetch at a time uses the folder.
    pub keep: Option<PathBuf>,
    /// What becomes of files that an installed prefix has already.
    pub reuse: ReuseMode,
    /// What was recorded of the files of prefixes when these were installed. A file that still has the BLAKE3 which is
    /// recorded has the SHA-256 as well, and need not be read for the slower one.
    pub recorded: HashMap<PathBuf, RecordedDigests>,
    /// Whether digests of all files are asked for, with [`FetchTarget::Folder`].
    pub digests: bool,
}

/// Digests of a prefix's files, by path.
pub type RecordedDigests = HashMap<TreePath, ContentDigests>;

/// What becomes of the artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchTarget {
    /// The artifact itself, with its manifest beside it. An older file is replaced.
    File(PathBuf),
    /// Like [`FetchTarget::File`], under the name that the manifest gives.
    FileIn(PathBuf),
    /// The artifact's content. The folder must be absent or empty.
    Folder(PathBuf),
}

/// What was fetched and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOutcome {
    /// The file or the folder.
    pub path: PathBuf,
    /// Digest of the artifact.
    pub sha256: Digest,
    /// Size of the artifact, in bytes.
    pub size: u64,
    /// How many parts the artifact has.
    pub parts: usize,
    /// How many parts were already here already.
    pub reused: usize,
    /// Bytes of the artifact that arrived over the network or from its folder.
    pub fetched: u64,
    /// Bytes of it that an interrupted fetch had received.
    pub resumed: u64,
    /// Number of requests for the artifact itself.
    pub requests: u32,
    /// Whether the server does not support byte ranges, so that everything was sent.
    pub whole: bool,
    /// Bytes of files that the new tree and a prefix have on disk once.
    pub shared: u64,
    /// Digests of the files that came from prefixes, as they were read for this, and if [`FetchRequest::digests`] asks for
    /// them, of those that were extracted, as they were written.
    pub digests: RecordedDigests,
}

/// Where events go, and what ends the work early.
#[derive(Clone, Copy)]
pub struct FetchWatch<'a> {
    pub tell: Tell<'a>,
    /// Checked between blocks of bytes.
    pub cancelled: &'a AtomicBool,
}

impl FetchWatch<'_> {
    fn note(&self, text: impl Into<String>) {
        (self.tell)(Event::Note { text: text.into() });
    }

    fn check(&self) -> Result<(), FetchErrorKind> {
        if self.cancelled.load(Ordering::Relaxed) { Err(FetchErrorKind::Cancelled) } else { Ok(()) }
    }
}

/// Fetches what `request` names. If the artifact is replaced meanwhile, the new one is fetched instead, once.
pub fn fetch(
    request: &FetchRequest,
    settings: &FetchSettings,
    watch: FetchWatch<'_>,
) -> Result<FetchOutcome, FetchError> {
    let failed = |kind| FetchError { place: without_secrets(&request.place), kind };
    let origin = ArtifactOrigin::new(&request.place, settings).map_err(failed)?;
    let older = OlderArtifacts::read(&request.older, &request.target).map_err(failed)?;
    let job = FetchJob { request, settings, watch, origin, older };
    match job.run() {
        Err(FetchErrorKind::Replaced) => {
            watch.note("the artifact was replaced while it was fetched; the new one is fetched");
            job.run().map_err(failed)
        }
        result => result.map_err(failed),
    }
}

/// Fetches a whole small file, such as a catalogue or a signature: from the same kinds of location, with the same
/// limits. The bytes are unverified; the caller compares them with what it knows.
pub fn fetch_small(place: &str, settings: &FetchSettings, watch: FetchWatch<'_>) -> Result<Vec<u8>, FetchError> {
    let origin = ArtifactOrigin::new(place, settings);
    let fetched = origin.and_then(|origin| origin.small(settings, &watch));
    fetched.map_err(|kind| FetchError { place: without_secrets(place), kind })
}

struct FetchJob<'a> {
    request: &'a FetchRequest,
    settings: &'a FetchSettings,
    watch: FetchWatch<'a>,
    origin: ArtifactOrigin,
    older: OlderArtifacts,
}

/// A manifest that has been checked for use.
struct DescribedArtifact {
    text: Vec<u8>,
    manifest: Manifest,
    artifact: Artifact,
}

impl FetchJob<'_> {
    fn run(&self) -> Result<FetchOutcome, FetchErrorKind> {
        if let FetchTarget::Folder(folder) = &self.request.target {
            check_destination(folder).map_err(|kind| tree_fault(folder, kind))?;
        }
        let described = self.describe()?;
        match &self.request.target {
            FetchTarget::File(path) => self.to_file(&described, path),
            FetchTarget::FileIn(folder) => self.to_file(&described, &folder.join(&described.artifact.file)),
            FetchTarget::Folder(folder) if self.older.prefixes.is_empty() => self.to_folder(&described, folder),
            FetchTarget::Folder(folder) if described.artifact.format == ArtifactFormat::Zip => {
                self.watch.note("single parts of a zip cannot be extracted; the whole artifact is fetched");
                self.to_folder(&described, folder)
            }
            FetchTarget::Folder(folder) => self.to_folder_by_parts(&described, folder),
        }
    }

    fn describe(&self) -> Result<DescribedArtifact, FetchErrorKind> {
        let text = self.origin.manifest(self.settings, &self.watch)?;
        if let Some(expected) = self.request.expected_manifest {
            let actual = Digest::of(&text);
            if actual != expected {
                return Err(FetchErrorKind::ManifestDigest { expected, actual });
            }
        }
        let manifest = read_manifest(&text)?;
        let artifact = manifest.artifact.clone().ok_or(VerifyErrorKind::NotPacked)?;
        check_places(&artifact)?;
        match self.request.expected {
            Some(expected) if expected != artifact.sha256 => {
                Err(FetchErrorKind::Digest { expected, actual: artifact.sha256 })
            }
            _ => Ok(DescribedArtifact { text, manifest, artifact }),
        }
    }

    fn to_file(&self, described: &DescribedArtifact, path: &Path) -> Result<FetchOutcome, FetchErrorKind> {
        let DescribedArtifact { text, artifact, .. } = described;
        let manifest_path = manifest_beside(path);
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|source| FetchErrorKind::Write { path: folder.to_owned(), source })?;
        sweep(folder, &[STAGED]);
        if is_there(path, artifact) {
            self.watch.note(format!("`{}` is up to date", path.display()));
            save(&manifest_path, text)?;
            return Ok(self.summary(path, described, artifact.parts.len(), &FillOutcome::default()));
        }
        let staged = staged_file(folder)?;
        let plan = DeltaPlan::of_artifact(artifact, &self.older.artifacts());
        let filled = self.fill(described, &plan, staged.as_file(), false)?;
        check_whole(staged.path(), artifact)?;
        staged.replace(path).map_err(|source| FetchErrorKind::Write { path: path.to_owned(), source })?;
        save(&manifest_path, text)?;
        Ok(self.summary(path, described, filled.reused, &filled))
    }

    /// By way of the artifact, which is removed at the end.
    fn to_folder(&self, described: &DescribedArtifact, folder: &Path) -> Result<FetchOutcome, FetchErrorKind> {
        let artifact = &described.artifact;
        let staging = staging_beside(folder).map_err(|kind| tree_fault(folder, kind))?;
        let plan = DeltaPlan::of_artifact(artifact, &self.older.artifacts());
        let growing = self.growing(staging.path(), artifact, &plan)?;
        let filled = self.fill(described, &plan, &growing.file, growing.begun)?;
        let extracted = check_whole(&growing.path, artifact)
            .and_then(|()| Ok(archive::extract(&growing.path, folder, &self.extract_options())?));
        let digests = Self::settled(growing, extracted)?.digests;
        Ok(FetchOutcome { digests, ..self.summary(folder, described, filled.reused, &filled) })
    }

    fn extract_options(&self) -> ExtractOptions<'static> {
        ExtractOptions { digests: self.request.digests.then_some(DigestKinds::Both), ..ExtractOptions::default() }
    }

    fn growing(&self, staging: &Path, artifact: &Artifact, plan: &DeltaPlan) -> Result<GrowingFile, FetchErrorKind> {
        match &self.request.keep {
            Some(folder) => GrowingFile::kept(folder, artifact, plan),
            None => GrowingFile::staged(staging, artifact),
        }
    }

    /// Extracted or untrusted files are not kept; after a full disk the file is still useful.
    fn settled<T>(growing: GrowingFile, result: Result<T, FetchErrorKind>) -> Result<T, FetchErrorKind> {
        let of_use = match &result {
            Ok(_) | Err(FetchErrorKind::Untrusted(_)) => false,
            Err(FetchErrorKind::Extract(error)) => error.exit() != Exit::Trust,
            Err(_) => true,
        };
        if !of_use {
            growing.discard();
        }
        result
    }

    /// Parts that a prefix has are copied from there; the others form an archive of their own.
    fn to_folder_by_parts(&self, described: &DescribedArtifact, folder: &Path) -> Result<FetchOutcome, FetchErrorKind> {
        let artifact = &described.artifact;
        if self.request.expected.is_some() && self.request.expected_manifest.is_none() {
            (self.watch.tell)(Event::Warning {
                code: "W_FETCH_UNPROVEN",
                text: "the artifact's digest cannot verify an update that never has the whole artifact; its parts are \
                       trusted because the manifest lists them"
                    .to_owned(),
                place: None,
                hint: Some("give the manifest's digest too, or update from an older artifact".to_owned()),
            });
        }
        let reused = prefix::reusable(&self.older.prefixes, &self.request.recorded, &described.manifest, artifact)?;
        let wanted: Vec<usize> =
            (0..artifact.parts.len()).filter(|index| !reused.iter().any(|part| part.index == *index)).collect();
        let staging = staging_beside(folder).map_err(|kind| tree_fault(folder, kind))?;
        let plan = DeltaPlan::of_parts(artifact, &wanted, &self.older.artifacts());
        let mut growing = self.growing(staging.path(), artifact, &plan)?;
        let filled = self.fill(described, &plan, &growing.file, growing.begun)?;
        end_parts(&mut growing.file, artifact.format, plan.size)
            .map_err(|source| FetchErrorKind::Write { path: growing.path.clone(), source })?;
        let tree = staging.tree();
        let extracted = extract_parts(&growing.path, artifact.format, &tree, &self.extract_options());
        let mut digests = Self::settled(growing, extracted.map_err(FetchErrorKind::from))?.digests;
        let shared = tree::place(&tree, &reused, self.request.reuse, &self.watch)?;
        archive::pieces::settle(&tree, folder).map_err(|kind| tree_fault(folder, kind))?;
        let of_prefixes = reused.iter().flat_map(|part| &part.digests);
        digests.extend(of_prefixes.map(|(path, file)| (path.clone(), file.digests)));
        let summary = self.summary(folder, described, reused.len() + filled.reused, &filled);
        Ok(FetchOutcome { shared, digests, ..summary })
    }

    fn fill(
        &self,
        described: &DescribedArtifact,
        plan: &DeltaPlan,
        file: &File,
        begun: bool,
    ) -> Result<FillOutcome, FetchErrorKind> {
        let Self { settings, origin, older, watch, .. } = self;
        Filler { settings, origin, older, watch: *watch, artifact: &described.artifact, file, begun }.fill(plan)
    }

    fn summary(&self, path: &Path, described: &DescribedArtifact, reused: usize, filled: &FillOutcome) -> FetchOutcome {
        let artifact = &described.artifact;
        FetchOutcome {
            path: path.to_owned(),
            sha256: artifact.sha256,
            size: artifact.size,
            parts: artifact.parts.len(),
            reused,
            fetched: filled.fetched,
            resumed: filled.resumed,
            requests: filled.requests,
            whole: filled.whole,
            shared: 0,
            digests: HashMap::new(),
        }
    }
}

fn is_there(path: &Path, artifact: &Artifact) -> bool {
    let same_size = fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == artifact.size);
    same_size && File::open(path).and_then(Digest::of_reader).is_ok_and(|(digest, _)| digest == artifact.sha256)
}

fn check_whole(path: &Path, artifact: &Artifact) -> Result<(), FetchErrorKind> {
    let read = |source| FetchErrorKind::Read { path: path.to_owned(), source };
    let (actual, size) = File::open(path).and_then(Digest::of_reader).map_err(read)?;
    if size != artifact.size {
        return Err(VerifyErrorKind::Size { expected: artifact.size, actual: size }.into());
    }
    if actual != artifact.sha256 {
        return Err(VerifyErrorKind::Digest { expected: artifact.sha256, actual }.into());
    }
    Ok(())
}

/// Start of the temporary name of a file that is being fetched.
const STAGED: &str = ".fetch-";

fn staged_file(folder: &Path) -> Result<FileBeside, FetchErrorKind> {
    FileBeside::within(folder, STAGED).map_err(|source| FetchErrorKind::Write { path: folder.to_owned(), source })
}

/// The manifest unchanged: its digest may be known elsewhere.
fn save(path: &Path, text: &[u8]) -> Result<(), FetchErrorKind> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut staged = staged_file(folder)?;
    let failed = |source: io::Error| FetchErrorKind::Write { path: path.to_owned(), source };
    staged.write_all(text).map_err(failed)?;
    staged.replace(path).map_err(failed)
}

/// An error of the extraction rules, reported for the folder it concerns.
fn tree_fault(folder: &Path, kind: ExtractErrorKind) -> FetchErrorKind {
    match kind {
        ExtractErrorKind::DestinationExists { path } => FetchErrorKind::DestinationExists { path },
        ExtractErrorKind::Write { path, source } => FetchErrorKind::Write { path, source },
        kind => FetchErrorKind::Extract(ExtractError { archive: folder.to_owned(), kind }),
    }
}

//! Artifacts → objects, then entries, then the index. Nothing is pointed at before it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use catalogue::{ArtifactEntry, Catalogue, Channel, EntryId, Moment, NpmPackage, PublisherFacts, object_keys};
use vocab::{Digest, Event, Fault, Manifest, VersionString, manifest_beside};

use crate::envelope;
use crate::provenance::{self, ProvenanceBuilder};
use crate::refusal::{CommittedRuntime, LockFault, PublishConcern, PublishRefusal, refusals};
use crate::sbom::sbom;
use crate::signature::{SignatureError, Signer, verify_bytes};
use objects::{
    ExpectedState, FormerObject, ObjectKey, ObjectUpload, Place, PlaceError, PutOutcome, SharedRange, TransferWork,
    UploadOutcome,
};

/// How to publish.
#[derive(Debug)]
pub struct PublishOptions {
    pub channel: Channel,
    pub created: Moment,
    pub allowed: BTreeSet<PublishConcern>,
    pub existing: ExistingEntryPolicy,
    pub builder: ProvenanceBuilder,
    pub signer: Option<Signer>,
    /// By version string; of those that have one.
    pub npm: BTreeMap<VersionString, NpmPackage>,
}

/// What happens to an entry that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingEntryPolicy {
    /// Keep it, with a warning.
    Keep,
    /// Write it again, with all documents of its artifact.
    Replace,
    /// Fail.
    Fail,
}

/// One artifact with its manifest, read and judged.
#[derive(Debug)]
pub struct PublishCandidate {
    pub file: PathBuf,
    pub manifest: Manifest,
    /// The text of the manifest beside the artifact.
    pub manifest_text: Vec<u8>,
    pub refusals: Vec<PublishRefusal>,
}

/// What happened to one artifact.
#[derive(Clone, Debug)]
pub struct PublishOutcome {
    pub id: EntryId,
    pub key: ObjectKey,
    /// `Theirs` if the entry existed and was kept.
    pub placed: PutOutcome,
    /// Absent if the entry was kept.
    pub uploaded: Option<UploadOutcome>,
    pub size: u64,
    pub signed: bool,
}

/// Why nothing, or not everything, was published. Entries are only written once their objects are there.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum PublishError {
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_PUBLISH_READ", Build, hint_with = Self::hint_of_read)]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot use the manifest `{}`", path.display())]
    #[fault(transparent = source)]
    Manifest { path: PathBuf, source: archive::ManifestError },
    #[error("the manifest `{}` describes no artifact: the runtime was not packed", path.display())]
    #[fault("E_MANIFEST_MALFORMED", Trust, hint("build the runtime again"))]
    NotPacked { path: PathBuf },
    #[error("`{}` is not the artifact of its manifest, which is named `{named}`", path.display())]
    #[fault("E_ARCHIVE_CHECKSUM", Trust, hint("build the runtime again"))]
    Name { path: PathBuf, named: String },
    #[error("`{}` has {actual} bytes, its manifest says {expected}", path.display())]
    #[fault("E_ARCHIVE_CHECKSUM", Trust, hint("build the runtime again"))]
    Size { path: PathBuf, expected: u64, actual: u64 },
    /// Not "no lock": what it says is not known.
    #[error("cannot use the lock {0}")]
    #[fault("E_LOCK_MALFORMED", hint("restore it from version control, or delete it and run `builder lock`"))]
    Lock(LockFault),
    #[error("cannot publish {}", lines(refused))]
    #[fault("E_PUBLISH_REFUSED", Check, hint("build it so that this does not hold, or allow it: {}", options(refused)))]
    Refused { refused: Vec<(PathBuf, Vec<PublishRefusal>)> },
    #[error("published already: {}", entries.join(", "))]
    #[fault("E_PUBLISH_EXISTS", Build, hint("leave out --fail-existing to keep them, or replace them with --force"))]
    Exists { entries: Vec<String> },
    #[error("`{key}` at `{place}` differs from what is published now")]
    #[fault("E_PUBLISH_DIFFERS", Trust, hint("inspect it; `--force` replaces it"))]
    Differs { key: String, place: String },
    #[error(transparent)]
    #[fault(transparent)]
    Entry(#[from] catalogue::EntryError),
    #[error("cannot use `{key}` at `{place}`")]
    #[fault(transparent = source)]
    Stored { key: String, place: String, source: catalogue::ReadError },
    #[error(transparent)]
    #[fault(transparent)]
    Destination(#[from] PlaceError),
    #[error(transparent)]
    #[fault(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    #[fault("E_PUBLISH_NAME")]
    Key(#[from] objects::ObjectKeyError),
    #[error("others keep changing the index at `{place}`; gave up after {passes} attempts")]
    #[fault("E_INDEX_BUSY", Build, hint("run `publisher reindex` when it is quieter; nothing is lost"))]
    IndexBusy { place: String, passes: u32 },
    #[error("the catalogue at `{place}` is signed, and no key was given")]
    #[fault(
        "E_INDEX_SIGNED",
        hint("give the key that signs there with --key; readers with its public key see no other change")
    )]
    IndexSigned { place: String },
    #[error("the catalogue at `{place}` was not signed by the given key")]
    #[fault(
        "E_INDEX_KEY",
        Trust,
        hint("use the key that signs there; to replace it, see docs/keys.md and `publisher reindex --change-key`")
    )]
    IndexKey { place: String, source: SignatureError },
    #[error("the retraction of {} is gone from `{place}`, and nobody restored it", entries.join(", "))]
    #[fault(
        "E_RETRACTION_LOST",
        Trust,
        hint("find out who removed it; then `publisher retract` it again, and `publisher restore` it if it is sound")
    )]
    RetractionLost { entries: Vec<String>, place: String },
    #[error("the counter or time of the catalogue at `{place}` is so high that none can follow")]
    #[fault(
        "E_INDEX_COUNTER",
        Trust,
        hint(
            "check `{}` there; if the clock here is right, remove it and run `publisher reindex`",
            object_keys::SIGNED_CATALOGUE
        )
    )]
    IndexCounter { place: String },
    #[error("cannot use `settings.json` at `{place}`")]
    #[fault("E_INDEX_SETTINGS", hint("write it again with `publisher reindex --public-url URL`"))]
    Settings { place: String, source: catalogue::ReadError },
    #[error("there is no entry `{wanted}` at `{place}`")]
    #[fault("E_NO_ENTRY", hint("`publisher list` shows what is there"))]
    NoEntry { wanted: String, place: String },
    #[error("nothing is published at `{place}`: it has neither a catalogue nor entries")]
    #[fault("E_NOTHING_PUBLISHED", hint("check --to and PYDIST_PUBLISH_TO, or publish there first"))]
    NothingPublished { place: String },
    #[error("the reason for a retraction is empty: {reason:?}")]
    #[fault("E_RETRACT_REASON", hint("write a sentence for the readers who have this build"))]
    NoReason { reason: String },
    #[error("others keep changing whether `{entry}` is retracted")]
    #[fault("E_NOTICE_BUSY", Build, hint("find out who else does this, and run it again"))]
    NoticeBusy { entry: String },
}

fn lines(refused: &[(PathBuf, Vec<PublishRefusal>)]) -> String {
    let rows = refused
        .iter()
        .flat_map(|(path, reasons)| reasons.iter().map(move |it| format!("`{}`: {}", path.display(), it.reason)));
    rows.collect::<Vec<_>>().join("; ")
}

type Result<T> = std::result::Result<T, PublishError>;

impl PublishCandidate {
    /// Reads the manifest beside the artifact and checks the artifact's size; its digest is checked while it is
    /// uploaded.
    pub fn read(
        file: &Path,
        committed: &dyn Fn(&Manifest) -> Result<CommittedRuntime>,
        allowed: &BTreeSet<PublishConcern>,
    ) -> Result<Self> {
        let path = manifest_beside(file);
        let size = std::fs::metadata(file).map_err(|source| PublishError::Read { path: file.to_owned(), source })?;
        let manifest_text =
            vocab::read_regular(&path).map_err(|source| PublishError::Read { path: path.clone(), source })?;
        let manifest = archive::read_manifest(&manifest_text)
            .map_err(|source| PublishError::Manifest { path: path.clone(), source })?;
        let artifact = manifest.artifact.as_ref().ok_or(PublishError::NotPacked { path })?;
        if file.file_name().and_then(|name| name.to_str()) != Some(artifact.file.as_str()) {
            return Err(PublishError::Name { path: file.to_owned(), named: artifact.file.clone() });
        }
        if size.len() != artifact.size {
            let (expected, actual) = (artifact.size, size.len());
            return Err(PublishError::Size { path: file.to_owned(), expected, actual });
        }
        let refusals = refusals(&manifest, &committed(&manifest)?, allowed);
        Ok(Self { file: file.to_owned(), manifest, manifest_text, refusals })
    }

    /// The id of its entry. `None` if the manifest describes no artifact.
    pub fn id(&self) -> Option<EntryId> {
        let Manifest { runtime, platform, build_key, .. } = &self.manifest;
        let format = self.manifest.artifact.as_ref()?.format;
        Some(EntryId { runtime: runtime.clone(), platform: *platform, build_key: *build_key, format })
    }
}

/// Fails if there is a concern about any of them, so that either all are published or none.
pub fn judge(candidates: &[PublishCandidate]) -> Result<()> {
    let refused = candidates.iter().filter(|it| !it.refusals.is_empty());
    let refused: Vec<_> = refused.map(|it| (it.file.clone(), it.refusals.clone())).collect();
    if refused.is_empty() { Ok(()) } else { Err(PublishError::Refused { refused }) }
}

/// Uploads everything but the index: objects, then the entries that point at them.
pub fn publish(
    to: &dyn Place,
    candidates: &[PublishCandidate],
    options: &PublishOptions,
    work: &TransferWork<'_>,
) -> Result<Vec<PublishOutcome>> {
    judge(candidates)?;
    let standing = standing(to, candidates)?;
    if options.existing == ExistingEntryPolicy::Fail {
        let entries: Vec<String> = standing.iter().flatten().map(|entry| entry.id().to_string()).collect();
        if !entries.is_empty() {
            return Err(PublishError::Exists { entries });
        }
    }
    let index = current_index(to);
    let mut outcomes = Vec::new();
    for (candidate, standing) in candidates.iter().zip(standing) {
        outcomes.push(match standing {
            Some(entry) if options.existing == ExistingEntryPolicy::Keep => kept(to, candidate, &entry, work)?,
            _ => bring(to, candidate, index.as_ref(), options, work)?,
        });
    }
    Ok(outcomes)
}

/// The entries that exist already, in the order of the candidates.
pub fn standing(to: &dyn Place, candidates: &[PublishCandidate]) -> Result<Vec<Option<ArtifactEntry>>> {
    let entry_of = |candidate: &PublishCandidate| {
        let Some(id) = candidate.id() else { return Ok(None) };
        let key: ObjectKey = object_keys::entry(&id).parse()?;
        let Some(object) = to.get(&key)? else { return Ok(None) };
        let place = to.place().to_owned();
        let entry = ArtifactEntry::read(&object.bytes);
        entry.map(Some).map_err(|source| PublishError::Stored { key: key.to_string(), place, source })
    };
    candidates.iter().map(entry_of).collect()
}

fn kept(
    to: &dyn Place,
    candidate: &PublishCandidate,
    entry: &ArtifactEntry,
    work: &TransferWork<'_>,
) -> Result<PublishOutcome> {
    let ours = candidate.manifest.artifact.as_ref().map(|artifact| artifact.sha256);
    let id = entry.id();
    let text = if ours == Some(entry.artifact.sha256) {
        format!("{id} was published before and is kept")
    } else {
        format!("{id} was published before with other bytes ({}), which are kept", entry.artifact.sha256.short())
    };
    (work.tell)(Event::Warning {
        code: "W_PUBLISHED_BEFORE",
        text,
        place: Some(to.place().to_owned()),
        hint: Some("--force replaces it".to_owned()),
    });
    let key = object_keys::entry(&id).parse()?;
    let signed = entry.signatures.is_some();
    Ok(PublishOutcome { id, key, placed: PutOutcome::Theirs, uploaded: None, size: entry.artifact.size, signed })
}

/// Used to find a former artifact. It is not an error if none can be read.
fn current_index(to: &dyn Place) -> Option<Catalogue> {
    let key: ObjectKey = object_keys::CATALOGUE.parse().ok()?;
    let object = to.get(&key).ok().flatten()?;
    Catalogue::read(&object.bytes).ok()
}

fn bring(
    to: &dyn Place,
    candidate: &PublishCandidate,
    index: Option<&Catalogue>,
    options: &PublishOptions,
    work: &TransferWork<'_>,
) -> Result<PublishOutcome> {
    let manifest = &candidate.manifest;
    let not_packed = || PublishError::NotPacked { path: candidate.file.clone() };
    let artifact = manifest.artifact.as_ref().ok_or_else(not_packed)?;
    let key: ObjectKey = object_keys::artifact(&artifact.sha256, &artifact.file).parse()?;
    let beside = BesideArtifact { to, artifact: &key, force: options.existing == ExistingEntryPolicy::Replace };

    let (uploaded, signature) = upload(to, candidate, &key, index, options, work)?;
    beside.exactly(object_keys::DIGEST_SUFFIX, format!("{}  {}\n", artifact.sha256, artifact.file).as_bytes())?;
    let stored_manifest = beside.exactly(object_keys::MANIFEST_SUFFIX, &candidate.manifest_text)?;
    let sbom = beside.exactly(object_keys::SBOM_SUFFIX, sbom(manifest).as_bytes())?;
    let statement = provenance::provenance(manifest, &options.builder, options.created).ok_or_else(not_packed)?;
    let provenance = attest(&beside, &statement, options.signer.as_ref(), &artifact.sha256)?;
    let signatures = match (&options.signer, signature) {
        (Some(signer), Some(of_artifact)) => {
            Some(signatures(&beside, signer, &of_artifact, candidate, &artifact.sha256)?)
        }
        _ => None,
    };
    let signed = signatures.is_some();
    let published = PublisherFacts {
        channel: options.channel,
        created: options.created,
        manifest: stored_manifest,
        sbom: Some(sbom),
        provenance: Some(provenance),
        signatures,
        npm: options.npm.get(&manifest.runtime).cloned(),
    };
    let entry = ArtifactEntry::new(manifest, &published)?;
    let id = entry.id();
    let entry_key: ObjectKey = object_keys::entry(&id).parse()?;
    let text = entry.to_text();
    let placed = if beside.force {
        to.replace(&entry_key, text.as_bytes(), &ExpectedState::Anything)?;
        PutOutcome::Ours
    } else {
        to.create(&entry_key, text.as_bytes())?
    };
    Ok(PublishOutcome { id, key: entry_key, placed, uploaded: Some(uploaded), size: artifact.size, signed })
}

/// The artifact itself. While it is on its way its digest and those of its parts are compared with the manifest, and
/// its signature is made; it becomes visible when they are right.
fn upload(
    to: &dyn Place,
    candidate: &PublishCandidate,
    key: &ObjectKey,
    index: Option<&Catalogue>,
    options: &PublishOptions,
    work: &TransferWork<'_>,
) -> Result<(UploadOutcome, Option<Vec<u8>>)> {
    let Some(artifact) = &candidate.manifest.artifact else {
        return Err(PublishError::NotPacked { path: candidate.file.clone() });
    };
    let former = former(to, &candidate.manifest, index);
    let comment = comment(&artifact.file, &artifact.sha256);
    std::thread::scope(|scope| {
        let verifying = scope.spawn(|| archive::verify(&candidate.file, &candidate.manifest));
        let signing = options.signer.as_ref().map(|signer| {
            let comment = &comment;
            scope.spawn(move || -> Result<Vec<u8>> {
                let file = File::open(&candidate.file)
                    .map_err(|source| PublishError::Read { path: candidate.file.clone(), source })?;
                Ok(signer.sign(&artifact.file, std::io::BufReader::with_capacity(1 << 20, file), comment)?)
            })
        });
        let verifying = Mutex::new(Some(verifying));
        let verdict: OnceLock<std::result::Result<(), String>> = OnceLock::new();
        let ask = || {
            let judged = verdict.get_or_init(|| {
                let thread = verifying.lock().unwrap_or_else(PoisonError::into_inner).take();
                let joined = thread.map(|thread| thread.join().unwrap_or_else(|it| std::panic::resume_unwind(it)));
                match joined {
                    Some(Err(error)) => Err(error.kind.to_string()),
                    _ => Ok(()),
                }
            });
            judged.clone()
        };
        let upload = ObjectUpload {
            key,
            file: &candidate.file,
            size: artifact.size,
            sha256: artifact.sha256,
            former,
            overwrite: options.existing == ExistingEntryPolicy::Replace,
            verdict: &ask,
        };
        let uploaded = to.upload(&upload, work)?;
        let signature = signing.map(|thread| thread.join().unwrap_or_else(|it| std::panic::resume_unwind(it)));
        Ok((uploaded, signature.transpose()?))
    })
}

fn comment(file: &str, sha256: &Digest) -> String {
    format!("file:{file} sha256:{sha256}")
}

/// The newest published artifact that may share parts with this one: of the same runtime if there is one. Sharing only
/// saves time, so failures here are ignored.
fn former(to: &dyn Place, manifest: &Manifest, index: Option<&Catalogue>) -> Option<FormerObject> {
    let artifact = manifest.artifact.as_ref()?;
    let fits = |row: &&catalogue::CatalogueRow| {
        row.platform == manifest.platform
            && row.artifact.format == artifact.format
            && row.artifact.sha256 != artifact.sha256
    };
    let rows = index?.entries.iter().filter(fits);
    let row = rows.max_by_key(|row| (row.runtime == manifest.runtime, row.created))?;
    let text = to.get(&row.manifest.key.as_str().parse().ok()?).ok().flatten()?;
    let older = archive::read_manifest(&text.bytes).ok()?.artifact?;
    let shared = shared(&artifact.parts, &older.parts);
    let key = row.artifact.key.as_str().parse().ok()?;
    (!shared.is_empty()).then_some(FormerObject { key, shared })
}

/// The parts that both have, by digest.
fn shared(new: &[vocab::Part], old: &[vocab::Part]) -> Vec<SharedRange> {
    let pair = |part: &vocab::Part| {
        let same = old.iter().find(|it| it.sha256 == part.sha256 && it.size == part.size)?;
        Some(SharedRange { offset: part.offset, former: same.offset, size: part.size })
    };
    new.iter().filter_map(pair).collect()
}

/// The statement; in an envelope that the key signs, where there is one.
fn attest(beside: &BesideArtifact<'_>, statement: &str, signer: Option<&Signer>, about: &Digest) -> Result<Vec<u8>> {
    let suffix = object_keys::PROVENANCE_SUFFIX;
    let Some(signer) = signer else {
        let is_ours = |stored: &[u8]| {
            let inside = envelope::unsealed(stored);
            provenance::is_about(inside.as_deref().unwrap_or(stored), about)
        };
        return beside.or_what_stands(suffix, statement.as_bytes(), &is_ours);
    };
    let public = signer.public_key();
    let is_ours = |stored: &[u8]| {
        let opened = envelope::opened("provenance", &public, stored);
        opened.is_ok_and(|inside| provenance::is_about(&inside, about))
    };
    beside.or_what_stands(suffix, envelope::sealed(statement.trim_end().as_bytes(), signer).as_bytes(), &is_ours)
}

fn signatures(
    beside: &BesideArtifact<'_>,
    signer: &Signer,
    of_artifact: &[u8],
    candidate: &PublishCandidate,
    sha256: &Digest,
) -> Result<(String, Vec<u8>, Vec<u8>)> {
    let public = signer.public_key();
    let suffix = format!("{}{}", object_keys::MANIFEST_SUFFIX, object_keys::SIGNATURE_SUFFIX);
    let file = beside.artifact.file_name().to_owned() + object_keys::MANIFEST_SUFFIX;
    let of_manifest = signer.sign(&file, &candidate.manifest_text[..], &comment(&file, sha256))?;
    let holds = |stored: &[u8]| verify_bytes(&file, &public, stored, &candidate.manifest_text).is_ok();
    let of_manifest = beside.or_what_stands(&suffix, &of_manifest, &holds)?;
    let holds = |stored: &[u8]| {
        let open = || File::open(&candidate.file).ok();
        let check = |file| crate::signature::verify_signature("artifact", &public, stored, file).is_ok();
        open().is_some_and(check)
    };
    let of_artifact = beside.or_what_stands(object_keys::SIGNATURE_SUFFIX, of_artifact, &holds)?;
    Ok((public, of_artifact, of_manifest))
}

/// The small objects beside an artifact.
struct BesideArtifact<'a> {
    to: &'a dyn Place,
    artifact: &'a ObjectKey,
    force: bool,
}

impl BesideArtifact<'_> {
    /// The object must be new or equal.
    fn exactly(&self, suffix: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        self.or_what_stands(suffix, bytes, &|stored| stored == bytes)
    }

    /// The present object: one from an earlier, interrupted run may differ in its time, as long as it is valid.
    fn or_what_stands(&self, suffix: &str, bytes: &[u8], right: &dyn Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
        let key = self.artifact.beside(suffix)?;
        if self.force {
            self.to.replace(&key, bytes, &ExpectedState::Anything)?;
            return Ok(bytes.to_vec());
        }
        if self.to.create(&key, bytes)? == PutOutcome::Ours {
            return Ok(bytes.to_vec());
        }
        let stored = self.to.get(&key)?.map(|object| object.bytes);
        match stored {
            Some(stored) if right(&stored) => Ok(stored),
            _ => Err(PublishError::Differs { key: key.to_string(), place: self.to.place().to_owned() }),
        }
    }
}

impl PublishError {
    fn hint_of_read(&self) -> Option<String> {
        let Self::Read { source, .. } = self else { return None };
        (source.kind() == std::io::ErrorKind::NotFound).then(|| {
            "name an artifact that `builder` wrote; its manifest lies beside it, as `<artifact>.json`".to_owned()
        })
    }
}

/// Those that allow what was refused.
fn options(refused: &[(PathBuf, Vec<PublishRefusal>)]) -> String {
    let concerns: BTreeSet<PublishConcern> =
        refused.iter().flat_map(|(_, reasons)| reasons.iter().map(|it| it.concern)).collect();
    concerns.into_iter().map(PublishConcern::option).collect::<Vec<_>>().join(" ")
}

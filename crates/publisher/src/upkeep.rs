//! Operations on what is published: promote, verify, clean up.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::SystemTime;

use catalogue::{
    ArtifactEntry, Catalogue, Channel, EntryId, Moment, Promotion, PublishedArtifact, StoredObject, object_keys,
};
use vocab::{ArtifactFormat, Digest, DigestWriter, PlatformKey, VersionString};

use crate::envelope::{opened, unsealed};
use crate::index::WrittenEntries;
use crate::provenance::is_about;
use crate::publish::PublishError;
use crate::signature::{SignatureClaim, SignatureError, verify_bytes};
use crate::signed_index::{claimed_key, opened as opened_edition};
use objects::{ExpectedState, Leftover, ListedObject, ObjectKey, Place, UNWATCHED};

type Result<T> = std::result::Result<T, PublishError>;

/// Which entries are meant: all that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntrySelection {
    /// A version string, an entry's id or the beginning of an artifact's digest.
    pub wanted: Option<String>,
    pub platform: Option<PlatformKey>,
    pub format: Option<ArtifactFormat>,
}

impl EntrySelection {
    /// Whether an entry is meant; a digest needs at least 8 digits.
    pub fn fits(&self, id: &EntryId, sha256: &Digest) -> bool {
        let named = self.wanted.as_ref().is_none_or(|wanted| {
            let version = wanted.parse::<VersionString>().is_ok_and(|version| version == id.runtime);
            version || *wanted == id.to_string() || (wanted.len() >= 8 && sha256.to_string().starts_with(wanted))
        });
        named
            && self.platform.is_none_or(|platform| platform == id.platform)
            && self.format.is_none_or(|format| format == id.format)
    }

    /// The entries that fit; an error if there are none.
    pub fn of<'a>(&self, written: &'a WrittenEntries, from: &dyn Place) -> Result<Vec<&'a ArtifactEntry>> {
        let found: Vec<&ArtifactEntry> =
            written.entries().filter(|entry| self.fits(&entry.id(), &entry.artifact.sha256)).collect();
        if found.is_empty() && self.wanted.is_some() {
            let wanted = self.wanted.clone().unwrap_or_default();
            return Err(PublishError::NoEntry { wanted, place: from.place().to_owned() });
        }
        Ok(found)
    }
}

/// An error where there is neither a catalogue nor an entry: a wrong address must not look like an empty place.
pub fn expect_published(from: &dyn Place) -> Result<()> {
    if from.head(&object_keys::CATALOGUE.parse()?)?.is_some() || !from.list(object_keys::ENTRIES)?.is_empty() {
        return Ok(());
    }
    Err(PublishError::NothingPublished { place: from.place().to_owned() })
}

/// Puts an entry into a channel, replacing an earlier promotion. Call `reindex` afterwards.
pub fn promote(to: &dyn Place, id: &EntryId, at: Moment, channel: Channel) -> Result<()> {
    let key: ObjectKey = object_keys::promotion(id).parse()?;
    to.replace(&key, Promotion::new(id.clone(), at, channel).to_text().as_bytes(), &ExpectedState::Anything)?;
    Ok(())
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFault {
    pub key: String,
    pub fault: String,
}

/// The result of verifying everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedDestination {
    pub entries: usize,
    /// Objects whose digest was computed.
    pub objects: usize,
    /// In bytes.
    pub read: u64,
    pub held: HeldSignatures,
    pub findings: Vec<PublishedFault>,
}

/// How many signatures were verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldSignatures {
    pub artifacts: usize,
    pub manifests: usize,
    pub statements: usize,
    /// One where the destination has a signed catalogue.
    pub catalogues: usize,
}

impl HeldSignatures {
    /// The number of signatures of all kinds.
    pub fn sum(&self) -> usize {
        self.artifacts + self.manifests + self.statements + self.catalogues
    }
}

/// Reads every object that the entries point at and compares digests and signatures, then the index with the entries.
/// `public_key` has to be the signer of each; when absent, the key that an entry names is taken.
pub fn verify(
    from: &dyn Place,
    selection: &EntrySelection,
    public_key: Option<&str>,
    now: Moment,
    on_object: &mut dyn FnMut(&str),
) -> Result<VerifiedDestination> {
    let written = WrittenEntries::read(from)?;
    let mut verified = VerifiedDestination::default();
    for entry in selection.of(&written, from)? {
        verified.entries += 1;
        let expected = object_keys::entry(&entry.id());
        on_object(&expected);
        verified.entry(from, entry, public_key)?;
    }
    let key: ObjectKey = object_keys::CATALOGUE.parse()?;
    let stands = from.get(&key)?.map(|object| object.bytes);
    if stands != Some(written.catalogue().to_text().into_bytes()) && verified.entries > 0 {
        let fault = "it is not what the entries give; run `publisher reindex`".to_owned();
        verified.findings.push(PublishedFault { key: key.to_string(), fault });
    }
    verified.edition(from, &written.catalogue(), public_key, now)?;
    Ok(verified)
}

impl VerifiedDestination {
    /// The signed catalogue. It may be missing unless a key is given.
    fn edition(&mut self, from: &dyn Place, catalogue: &Catalogue, given: Option<&str>, now: Moment) -> Result<()> {
        let key = object_keys::SIGNED_CATALOGUE;
        let Some(object) = from.get(&key.parse()?)? else {
            if given.is_some() && self.entries > 0 {
                self.find(key, "the catalogue is not signed; run `publisher reindex --key FILE`".to_owned());
            }
            return Ok(());
        };
        let public_key = given.map(str::to_owned).or_else(|| claimed_key(&object.bytes)).unwrap_or_default();
        let fault = match opened_edition(&public_key, &object.bytes) {
            Err(error) => Some(error.to_string()),
            Ok(edition) => {
                self.held.catalogues += 1;
                if edition.catalogue != *catalogue {
                    Some("it is not what the entries give; run `publisher reindex --key FILE`".to_owned())
                } else if edition.has_expired(now) {
                    Some(format!("it expired on {}; run `publisher reindex --key FILE`", edition.expires))
                } else {
                    None
                }
            }
        };
        if let Some(fault) = fault {
            self.find(key, fault);
        }
        Ok(())
    }

    /// `given` must have signed, if it is given; else the key in the entry, if any.
    fn entry(&mut self, from: &dyn Place, entry: &ArtifactEntry, given: Option<&str>) -> Result<()> {
        let key = given.or_else(|| entry.signatures.as_ref().map(|it| it.public_key.as_str()));
        self.artifact(from, entry, key)?;
        self.manifest(from, entry, key)?;
        if let Some(sbom) = &entry.sbom {
            self.look_at(from, sbom, &mut io::sink())?;
        }
        if let Some(statement) = &entry.provenance {
            self.statement(from, entry, statement, key, given.is_some())?;
        }
        if entry.signatures.is_none() && given.is_some() {
            self.find(entry.artifact.key.as_str(), "it is not signed".to_owned());
        }
        Ok(())
    }

    /// Read once, for its digest and its signature.
    fn artifact(&mut self, from: &dyn Place, entry: &ArtifactEntry, key: Option<&str>) -> Result<()> {
        let PublishedArtifact { file, key: place, size, sha256, .. } = &entry.artifact;
        let object = StoredObject { key: place.clone(), size: *size, sha256: *sha256 };
        let (Some(signatures), Some(key)) = (&entry.signatures, key) else {
            return self.look_at(from, &object, &mut io::sink()).map(|_| ());
        };
        let mut signature = Vec::new();
        self.look_at(from, &signatures.artifact, &mut signature)?;
        let claim = match SignatureClaim::new(file, key, &signature) {
            Ok(claim) => claim,
            Err(error) => {
                self.find(signatures.artifact.key.as_str(), error.to_string());
                return self.look_at(from, &object, &mut io::sink()).map(|_| ());
            }
        };
        let mut check = claim.check();
        let there = self.look_at(from, &object, &mut check)?;
        if there && self.holds(signatures.artifact.key.as_str(), check.finish(), sha256) {
            self.held.artifacts += 1;
        }
        Ok(())
    }

    fn manifest(&mut self, from: &dyn Place, entry: &ArtifactEntry, key: Option<&str>) -> Result<()> {
        let artifact = &entry.artifact;
        let mut manifest = Vec::new();
        self.look_at(from, &entry.manifest, &mut manifest)?;
        let told = archive::read_manifest(&manifest).ok().and_then(|it| it.artifact).map(|it| it.sha256);
        if told != Some(artifact.sha256) {
            self.find(entry.manifest.key.as_str(), "it is not the manifest of the entry's artifact".to_owned());
        }
        let (Some(signatures), Some(key)) = (&entry.signatures, key) else { return Ok(()) };
        let mut signature = Vec::new();
        self.look_at(from, &signatures.manifest, &mut signature)?;
        let held = verify_bytes(&artifact.file, key, &signature, &manifest);
        if self.holds(signatures.manifest.key.as_str(), held, &artifact.sha256) {
            self.held.manifests += 1;
        }
        Ok(())
    }

    /// A statement without an envelope is valid if nothing is signed, or if an older publisher signed without one and
    /// no key is required.
    fn statement(
        &mut self,
        from: &dyn Place,
        entry: &ArtifactEntry,
        object: &StoredObject,
        key: Option<&str>,
        must: bool,
    ) -> Result<()> {
        let mut text = Vec::new();
        self.look_at(from, object, &mut text)?;
        let inside = match (unsealed(&text), key) {
            (None, _) if must && entry.signatures.is_some() => {
                self.find(object.key.as_str(), "it is not signed".to_owned());
                return Ok(());
            }
            (None, _) => text,
            (Some(inside), None) => inside,
            (Some(_), Some(key)) => match opened(object.key.file_name(), key, &text) {
                Ok(inside) => {
                    self.held.statements += 1;
                    inside
                }
                Err(error) => {
                    self.find(object.key.as_str(), error.to_string());
                    return Ok(());
                }
            },
        };
        if !is_about(&inside, &entry.artifact.sha256) {
            self.find(object.key.as_str(), "it is not about the entry's artifact".to_owned());
        }
        Ok(())
    }

    /// Whether a signature is right; its comment names the artifact. If it is wrong, that is reported.
    fn holds(&mut self, key: &str, signature: std::result::Result<String, SignatureError>, sha256: &Digest) -> bool {
        let fault = match signature {
            Ok(comment) if comment.contains(&sha256.to_string()) => return true,
            Ok(_) => "it was made for another artifact than the entry's".to_owned(),
            Err(error) => error.to_string(),
        };
        self.find(key, fault);
        false
    }

    fn find(&mut self, key: &str, fault: String) {
        self.findings.push(PublishedFault { key: key.to_owned(), fault });
    }

    /// False if it does not exist.
    fn look_at(&mut self, from: &dyn Place, object: &StoredObject, to: &mut dyn Write) -> Result<bool> {
        let key: ObjectKey = object.key.as_str().parse()?;
        let mut writer = DigestWriter::new(to);
        let Some(read) = from.read(&key, None, &mut writer, UNWATCHED)? else {
            self.find(key.as_str(), "it is not there".to_owned());
            return Ok(false);
        };
        self.objects += 1;
        self.read += read;
        let (_, actual) = writer.finish();
        if actual != object.sha256 {
            self.find(key.as_str(), format!("its SHA-256 is {actual}, the entry says {}", object.sha256));
        }
        Ok(true)
    }
}

/// What can be removed.
#[derive(Clone, Debug, Default)]
pub struct Garbage {
    /// Below `artifacts/`, and no entry points at them.
    pub objects: Vec<ListedObject>,
    pub leftovers: Vec<Leftover>,
}

/// Only what has not changed since `before`: a publisher at work has objects that no entry points at yet.
pub fn collect_garbage(from: &dyn Place, before: SystemTime, dry_run: bool) -> Result<Garbage> {
    let objects = from.list(object_keys::ARTIFACTS)?;
    // After the objects, so that an entry of a listed object is seen.
    let written = WrittenEntries::read(from)?;
    let used: BTreeSet<String> = written.entries().flat_map(keys_of).collect();
    let ours = |row: &ListedObject| object_keys::is_artifact(row.key.as_str());
    let unused = |row: &ListedObject| ours(row) && !used.contains(row.key.as_str()) && row.modified < before;
    let objects: Vec<ListedObject> = objects.into_iter().filter(unused).collect();
    if !dry_run {
        for row in &objects {
            from.delete(&row.key)?;
        }
    }
    Ok(Garbage { objects, leftovers: from.leftovers(before, dry_run)? })
}

fn keys_of(entry: &ArtifactEntry) -> Vec<String> {
    let mut keys = vec![
        entry.artifact.key.to_string(),
        format!("{}{}", entry.artifact.key, object_keys::DIGEST_SUFFIX),
        entry.manifest.key.to_string(),
    ];
    keys.extend(entry.sbom.iter().chain(&entry.provenance).map(|object| object.key.to_string()));
    if let Some(signatures) = &entry.signatures {
        keys.extend([signatures.artifact.key.to_string(), signatures.manifest.key.to_string()]);
    }
    keys
}

/// Every entry with its channel, as the index has it, and why it was retracted.
pub fn rows(catalogue: &Catalogue) -> impl Iterator<Item = (&catalogue::CatalogueRow, Option<&str>)> {
    let offered = catalogue.entries.iter().map(|row| (row, None));
    offered.chain(catalogue.retracted.iter().map(|row| (&row.entry, Some(row.reason.as_str()))))
}

//! What is done with what was published: withdrawn, promoted, verified, cleaned up.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::SystemTime;

use catalogue::{Catalogue, Channel, Entry, EntryId, Moment, Promotion, Retraction, StoredObject, object_keys};
use vocab::{ArtifactFormat, Digest, DigestWriter, PlatformKey, VersionString};

use crate::destination::{Destination, Expected, Leftover, Listed, Placed};
use crate::index::Written;
use crate::object_key::ObjectKey;
use crate::publish::PublishError;
use crate::signature::verify_bytes;

type Result<T> = std::result::Result<T, PublishError>;

/// Which entries are meant: all that fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// A version string, an entry's id or the beginning of an artifact's digest.
    pub wanted: Option<String>,
    pub platform: Option<PlatformKey>,
    pub format: Option<ArtifactFormat>,
}

impl Selection {
    pub fn fits(&self, id: &EntryId, sha256: &Digest) -> bool {
        let named = self.wanted.as_ref().is_none_or(|wanted| {
            let version = wanted.parse::<VersionString>().is_ok_and(|version| version == id.runtime);
            version || *wanted == id.to_string() || (wanted.len() >= 8 && sha256.to_string().starts_with(wanted))
        });
        named
            && self.platform.is_none_or(|platform| platform == id.platform)
            && self.format.is_none_or(|format| format == id.format)
    }

    /// At least one, or it is an error.
    pub fn of<'a>(&self, written: &'a Written, from: &dyn Destination) -> Result<Vec<&'a Entry>> {
        let found: Vec<&Entry> =
            written.entries().filter(|entry| self.fits(&entry.id(), &entry.artifact.sha256)).collect();
        if found.is_empty() && self.wanted.is_some() {
            let wanted = self.wanted.clone().unwrap_or_default();
            return Err(PublishError::NoEntry { wanted, place: from.place().to_owned() });
        }
        Ok(found)
    }
}

/// Takes an entry out of the index. What it points at stays. False when it was retracted before.
pub fn retract(to: &dyn Destination, id: &EntryId, at: Moment, reason: &str) -> Result<bool> {
    let key: ObjectKey = object_keys::retraction(id).parse()?;
    let text = Retraction::new(id.clone(), at, reason.to_owned()).to_text();
    Ok(to.create(&key, text.as_bytes())? == Placed::Ours)
}

pub fn promote(to: &dyn Destination, id: &EntryId, at: Moment, channel: Channel) -> Result<()> {
    let key: ObjectKey = object_keys::promotion(id).parse()?;
    to.replace(&key, Promotion::new(id.clone(), at, channel).to_text().as_bytes(), &Expected::Anything)?;
    Ok(())
}

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub key: String,
    pub fault: String,
}

/// What one look at everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub entries: usize,
    /// Objects whose digest was computed.
    pub objects: usize,
    /// In bytes.
    pub read: u64,
    pub signatures: usize,
    pub findings: Vec<Finding>,
}

/// Reads every object that the entries point at and compares digests and signatures, then the index with the entries.
/// `public_key` has to be the signer of each; when absent, the key that an entry names is taken.
pub fn verify(
    from: &dyn Destination,
    selection: &Selection,
    public_key: Option<&str>,
    on_object: &mut dyn FnMut(&str),
) -> Result<Verified> {
    let written = Written::read(from)?;
    let mut verified = Verified::default();
    for entry in selection.of(&written, from)? {
        verified.entries += 1;
        let expected = object_keys::entry(&entry.id());
        on_object(&expected);
        verify_entry(from, entry, public_key, &mut verified)?;
    }
    let key: ObjectKey = object_keys::CATALOGUE.parse()?;
    let stands = from.get(&key)?.map(|object| object.bytes);
    if stands != Some(written.catalogue().to_text().into_bytes()) && verified.entries > 0 {
        let fault = "it is not what the entries give; run `publisher reindex`".to_owned();
        verified.findings.push(Finding { key: key.to_string(), fault });
    }
    Ok(verified)
}

fn verify_entry(
    from: &dyn Destination,
    entry: &Entry,
    public_key: Option<&str>,
    verified: &mut Verified,
) -> Result<()> {
    let artifact = &entry.artifact;
    let of_artifact = StoredObject { key: artifact.key.clone(), size: artifact.size, sha256: artifact.sha256 };
    verified.look_at(from, &of_artifact, &mut io::sink())?;
    let mut manifest = Vec::new();
    verified.look_at(from, &entry.manifest, &mut manifest)?;
    for object in entry.sbom.iter().chain(&entry.provenance) {
        verified.look_at(from, object, &mut io::sink())?;
    }
    match (&entry.signatures, public_key) {
        (None, None) => {}
        (None, Some(_)) => verified.find(artifact.key.as_str(), "it is not signed".to_owned()),
        (Some(signatures), given) => {
            let mut of_manifest = Vec::new();
            verified.look_at(from, &signatures.artifact, &mut io::sink())?;
            verified.look_at(from, &signatures.manifest, &mut of_manifest)?;
            let key = given.unwrap_or(&signatures.public_key);
            match verify_bytes(&artifact.file, key, &of_manifest, &manifest) {
                Ok(comment) if comment.contains(&artifact.sha256.to_string()) => verified.signatures += 1,
                Ok(_) => verified.find(
                    signatures.manifest.key.as_str(),
                    "it was made for another artifact than the entry's".to_owned(),
                ),
                Err(error) => verified.find(signatures.manifest.key.as_str(), error.to_string()),
            }
        }
    }
    let told = archive::read_manifest(&manifest).ok().and_then(|it| it.artifact).map(|it| it.sha256);
    if told != Some(artifact.sha256) {
        verified.find(entry.manifest.key.as_str(), "it is not the manifest of the entry's artifact".to_owned());
    }
    Ok(())
}

impl Verified {
    fn find(&mut self, key: &str, fault: String) {
        self.findings.push(Finding { key: key.to_owned(), fault });
    }

    fn look_at(&mut self, from: &dyn Destination, object: &StoredObject, to: &mut dyn Write) -> Result<()> {
        let key: ObjectKey = object.key.as_str().parse()?;
        let mut writer = DigestWriter::new(to);
        let Some(read) = from.read(&key, None, &mut writer)? else {
            self.find(key.as_str(), "it is not there".to_owned());
            return Ok(());
        };
        self.objects += 1;
        self.read += read;
        let (_, actual) = writer.finish();
        if actual != object.sha256 {
            self.find(key.as_str(), format!("its SHA-256 is {actual}, the entry says {}", object.sha256));
        }
        Ok(())
    }
}

/// What can go.
#[derive(Clone, Debug, Default)]
pub struct Garbage {
    /// Below `artifacts/`, and no entry points at them.
    pub objects: Vec<Listed>,
    pub leftovers: Vec<Leftover>,
}

/// Only what nobody touched since `before`: a publisher that is at work has objects that no entry points at yet.
pub fn collect_garbage(from: &dyn Destination, before: SystemTime, dry_run: bool) -> Result<Garbage> {
    let objects = from.list(object_keys::ARTIFACTS)?;
    // After the objects, so that an entry of a listed object is seen.
    let written = Written::read(from)?;
    let used: BTreeSet<String> = written.entries().flat_map(keys_of).collect();
    let unused = |row: &Listed| !used.contains(row.key.as_str()) && row.modified < before;
    let objects: Vec<Listed> = objects.into_iter().filter(unused).collect();
    if !dry_run {
        for row in &objects {
            from.delete(&row.key)?;
        }
    }
    Ok(Garbage { objects, leftovers: from.leftovers(before, dry_run)? })
}

fn keys_of(entry: &Entry) -> Vec<String> {
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
pub fn rows(catalogue: &Catalogue) -> impl Iterator<Item = (&catalogue::Listed, Option<&str>)> {
    let offered = catalogue.entries.iter().map(|row| (row, None));
    offered.chain(catalogue.retracted.iter().map(|row| (&row.entry, Some(row.reason.as_str()))))
}

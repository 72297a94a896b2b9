//! Repairing a build in its place: what is damaged is fetched from where the build came from, the rest is taken from
//! what is here, and what was added to it stays.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use catalogue::{Catalogue, CatalogueRow, Moment};
use disk::FileBeside;
use fetch::{FetchSettings, FetchWatch, without_secrets};
use vocab::{ArtifactFormat, ContentDigests, DigestKinds, INNER_MANIFEST, Manifest};

use crate::get_job::{GetJob, GetRequest};
use crate::install_record::InstallRecord;
use crate::offer_request::OfferRequest;
use crate::sources::{GivenSource, with_access};
use crate::{GetErrorKind, Home, InstallOutcome, InstallSource, InstalledBuild, InstalledError, PublicKey, Sources};

/// What to repair, and from where.
#[derive(Debug)]
pub struct RepairRequest<'a> {
    pub home: &'a Home,
    pub build: &'a InstalledBuild,
    /// Instead of the recorded place.
    pub from: Option<&'a str>,
    /// What names a source for this run, with the user and password that are never recorded.
    pub given: Option<&'a str>,
    /// Keys of sources.
    pub sources: &'a Sources,
    /// In addition to the key that vouched for it when it was installed.
    pub public_keys: &'a [PublicKey],
    /// The current time, for expiry.
    pub now: Moment,
}

/// Brings `request.build` back to what was installed. An error leaves it as it is.
pub fn repair(
    request: &RepairRequest<'_>,
    settings: &FetchSettings,
    watch: FetchWatch<'_>,
) -> Result<InstallOutcome, InstalledError> {
    let build = request.build;
    if !build.is_ours() {
        return Err(InstalledError::Foreign { folder: build.folder.clone() });
    }
    let no_source = || InstalledError::NoSource { name: build.name() };
    let source = match request.from {
        Some(from) => InstallSource { from: from.to_owned(), channel: build.channel().unwrap_or_default() },
        None => build.source().cloned().ok_or_else(no_source)?,
    };
    let from = without_secrets(&source.from);
    let failed = |kind| InstalledError::Repair { name: build.name(), from: from.clone(), kind: Box::new(kind) };
    // A source that is remembered with keys is never used without them.
    let given = GivenSource { option: Some(&source.from), variable: None, public_keys: request.public_keys.to_vec() };
    let mut public_keys = request.sources.choose(given)?.public_keys;
    if let Some(line) = build.verified_by() {
        // Without it the repair might ask for no signature at all. It vouched for the manifest of the record, and nothing
        // else is accepted below.
        let unreadable = |source| failed(GetErrorKind::Signature { what: "the record of the installation", source });
        public_keys.push(PublicKey::of_text(line).map_err(unreadable)?);
    }
    let offer = OfferRequest {
        platform: build.platform().ok_or_else(no_source)?,
        channel: source.channel,
        from: with_access(request.given, source.from),
        home: request.home.clone(),
        public_keys,
        offline: false,
        now: request.now,
    };
    // It is installed already; what is current does not change.
    let settled = GetRequest::new(build.version.clone().into(), offer);
    let get = GetRequest { verify: true, reinstall: true, allow_older: true, ..settled };
    let job = GetJob { repairs: true, ..GetJob::new(&get, settings, watch) };
    job.reader.warn_of_plain_http();
    let offer = job.reader.offer().map_err(failed)?;
    let Some(row) = row_of(&offer.catalogue, build) else {
        return Err(InstalledError::NotOffered { name: build.name(), from: from.clone() });
    };
    let is_same = |record: &InstallRecord| record.is_of(&row.manifest.sha256, &row.build_key);
    if build.record().is_ok_and(|record| !is_same(record)) {
        return Err(InstalledError::OtherManifest { name: build.name(), from: from.clone() });
    }
    job.warn_of_retracted(&offer.catalogue);
    let proof = job.prove(row, None).map_err(failed)?;
    if let Ok(record) = build.record() {
        restore_manifest(record, &build.folder);
    }
    job.install(row, &build.folder, proof).map_err(failed)
}

/// Without the manifest inside of it nothing of a tree could be used again, and the record knows that. If it cannot be
/// written, everything is fetched.
fn restore_manifest(record: &InstallRecord, folder: &Path) {
    let of_tree = record.tree.digests().find(|(path, _)| path.as_str() == INNER_MANIFEST);
    let Ok(manifest) = archive::read_manifest(record.manifest.as_bytes()) else { return };
    let text = archive::write_manifest(&Manifest { artifact: None, ..manifest });
    let path = folder.join(INNER_MANIFEST);
    let is_it = |digest: ContentDigests| of_tree.is_some_and(|(_, expected)| expected.agree(&digest));
    let digests = |bytes: &[u8]| ContentDigests::of(bytes, DigestKinds::Both);
    let there = fs::read(&path).ok().map(|bytes| digests(&bytes));
    if !is_it(digests(text.as_bytes())) || there.is_some_and(is_it) || !folder.is_dir() {
        return;
    }
    let write = || {
        let mut beside = FileBeside::beside(&path, ".manifest-")?;
        beside.write_all(text.as_bytes())?;
        beside.replace(&path)
    };
    let _ = write();
}

/// Retracted builds can be repaired, too. Of several formats, the smallest download.
fn row_of<'a>(catalogue: &'a Catalogue, build: &InstalledBuild) -> Option<&'a CatalogueRow> {
    let retracted = catalogue.retracted.iter().map(|row| &row.entry);
    let is_it = |row: &&CatalogueRow| {
        row.runtime == build.version && Some(row.platform) == build.platform() && row.build_key.short() == build.build
    };
    let rank = |row: &&CatalogueRow| ArtifactFormat::ALL.iter().position(|format| *format == row.artifact.format);
    catalogue.entries.iter().chain(retracted).filter(is_it).min_by_key(rank)
}

//! Installs one runtime from a catalogue. In this order: read the catalogue, choose, verify the manifest (its digest
//! and signature), check the installed tree or fetch what the manifest lists with every part's digest compared, record
//! it, make it current.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use catalogue::{BuildQuery, Catalogue, CatalogueRow, Channel};
use fetch::{FetchOutcome, FetchRequest, FetchSettings, FetchTarget, FetchWatch, fetch};
use tree_table::{CompareDepth, TreeTable};
use vocab::{Digest, DigestKinds, Event, Manifest, PlatformKey, RuntimeRequest, VersionString};

use crate::carry_over::carry_over;
use crate::get_error::{NotOffered, offline};
use crate::get_job::{GetJob, GetRequest};
use crate::home::{HomeLock, STAGED_TREE};
use crate::install_record::{INSTALL_RECORD_FORMAT, InstallRecord, InstallSource};
use crate::offer::{CatalogueOffer, is_build};
use crate::offer_request::{OfferRequest, compared};
use crate::reusable::{builds_to_reuse, without};
use crate::trust::signer_of;
use crate::{GetError, GetErrorKind};

/// The installed runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledRuntime {
    pub version: VersionString,
    /// The installed tree.
    pub folder: PathBuf,
    /// The link, on Windows the text file, that leads to `folder`.
    pub current: PathBuf,
    /// The build that is installed and current.
    pub build_key: Digest,
    pub installed: InstallOutcome,
    /// Digest of the manifest that the tree was compared with.
    pub manifest_sha256: Digest,
    /// The key whose signature of that manifest was just verified, in minisign's one-line form. Absent if no key was
    /// given.
    pub verified_by: Option<String>,
}

/// Whether anything was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallOutcome {
    /// It was installed already, and is unchanged.
    Before,
    /// `fetched` of `size` bytes were transferred, `resumed` remained from an interrupted attempt, the rest was here.
    /// `shared` bytes of the new tree are also another build's, and on disk once.
    Now { fetched: u64, resumed: u64, size: u64, shared: u64 },
}

/// Installs what `request` asks for and makes it current. An error leaves the current build as it was.
pub fn get(
    request: &GetRequest,
    settings: &FetchSettings,
    watch: FetchWatch<'_>,
) -> Result<InstalledRuntime, GetError> {
    GetJob::new(request, settings, watch).run().map_err(|kind| request.failed(kind))
}

/// A manifest with the catalogue's digest and, with a key, a verified signature.
pub(crate) struct ManifestProof {
    manifest: String,
    signature: Option<String>,
    verified_by: Option<String>,
}

impl GetJob<'_> {
    fn run(&self) -> Result<InstalledRuntime, GetErrorKind> {
        let home = &self.request.offer.home;
        self.reader.warn_of_plain_http();
        let mut offer = self.reader.offer()?;
        offer.keep(&self.reader, None);
        let row = self.choose(&offer.catalogue)?.clone();
        let version = &row.runtime;
        let folder = home.folder(version, &row.build_key);
        self.warn_of_retracted(&offer.catalogue);
        self.check_not_older(&row, &folder, &offer)?;
        let record = self.record_of(&row, &folder);
        let proof = self.prove(&row, record.as_ref())?;
        let verified_by = proof.as_ref().and_then(|proof| proof.verified_by.clone());
        let as_installed = match self.as_installed(&folder, record, proof.as_ref()) {
            // Another process may be exchanging the tree right now.
            Err(damaged @ GetErrorKind::Damaged { .. }) => match self.hold() {
                Ok(_hold) => self.as_installed(&folder, self.record_of(&row, &folder), proof.as_ref()),
                Err(_) => Err(damaged),
            },
            looked => looked,
        };
        let installed = if as_installed? { InstallOutcome::Before } else { self.install(&row, &folder, proof)? };
        if home.current(version).as_ref() != Some(&folder) {
            // Another process that begins to install removes what it takes for left over.
            let _hold = self.hold()?;
            let failed = |source| GetErrorKind::Write { path: home.current_path(version), source };
            home.set_current(version, &folder).map_err(failed)?;
        }
        if self.request.allow_older {
            offer.keep(&self.reader, Some(&row));
        }
        let (build_key, manifest_sha256) = (row.build_key, row.manifest.sha256);
        let current = home.current_path(version);
        let version = version.clone();
        Ok(InstalledRuntime { version, folder, current, build_key, installed, manifest_sha256, verified_by })
    }

    /// The build to install: of the newest version that is meant, the newest build.
    pub(crate) fn choose<'c>(&self, catalogue: &'c Catalogue) -> Result<&'c CatalogueRow, GetErrorKind> {
        let asked = &self.request.asked;
        let OfferRequest { platform, channel, home, .. } = &self.request.offer;
        let version = match asked.exact() {
            Some(version) => version,
            None => {
                let offered = catalogue.versions_for(*platform, *channel);
                // What is not installed cannot be had without a network, however new it is.
                let here =
                    offered.iter().filter(|it| !self.reader.needs_network_and_has_none() || home.current(it).is_some());
                let newest = asked.newest(here.copied()).or_else(|| asked.newest(offered.iter().copied()));
                newest.ok_or_else(|| not_offered(catalogue, asked, *platform, *channel))?.clone()
            }
        };
        Ok(catalogue.look_up(&BuildQuery::new(version, *platform, *channel))?)
    }

    /// `None` also if it is of another manifest than the catalogue's.
    fn record_of(&self, row: &CatalogueRow, folder: &Path) -> Option<InstallRecord> {
        let record = self.request.offer.home.record(folder);
        record.filter(|record| record.is_of(&row.manifest.sha256, &row.build_key))
    }

    /// Whether `current` would go back in time. A build that stays current is not moved.
    pub(crate) fn check_not_older(
        &self,
        row: &CatalogueRow,
        folder: &Path,
        offer: &CatalogueOffer<'_>,
    ) -> Result<(), GetErrorKind> {
        let OfferRequest { platform, home, .. } = &self.request.offer;
        let current = home.current(&row.runtime).filter(|current| current != folder);
        let was_retracted = offer.known_retractions.iter().find(|known| is_build(known, row));
        let retracted = was_retracted.filter(|_| current.is_some() || !home.has(folder));
        let mut reason = retracted.map(|known| format!("it was retracted at {}: {}", known.at, known.reason));
        if let Some(current) = &current {
            let is_current = |row: &&CatalogueRow| home.folder(&row.runtime, &row.build_key) == *current;
            let withdrawn = offer.catalogue.retracted.iter().map(|it| &it.entry).find(is_current);
            let recorded = home.record(current).map(|record| (record.platform, record.created));
            let listed = || offer.catalogue.entries.iter().find(is_current).or(withdrawn);
            let of_current = recorded.or_else(|| listed().map(|row| (row.platform, row.created)));
            let newer = of_current.filter(|(its, created)| its == platform && *created > row.created);
            if let (Some((_, created)), None) = (newer, &reason) {
                let text = format!("it is of {}, the current one of {created}", row.created);
                // The publisher decided it: the newer one is not to be used.
                match withdrawn {
                    Some(_) => self.warn("W_GET_OLDER", format!("going back to an older build: {text}, but retracted")),
                    None => reason = Some(text),
                }
            }
        }
        match reason {
            Some(reason) if self.request.allow_older => {
                self.warn("W_GET_OLDER", format!("`{}` is used although {reason}", folder.display()));
                Ok(())
            }
            Some(reason) => Err(GetErrorKind::Older { build: row.build_key, reason }),
            None => Ok(()),
        }
    }

    /// The manifest has the digests of everything else, so nothing is opened before it is verified. With a key that
    /// happens each time. `None` if nothing has to be proved: no key is given, and the record is of this manifest.
    pub(crate) fn prove(
        &self,
        row: &CatalogueRow,
        record: Option<&InstallRecord>,
    ) -> Result<Option<ManifestProof>, GetErrorKind> {
        let keys = &self.request.offer.public_keys;
        if keys.is_empty() && record.is_some() && !self.request.reinstall {
            return Ok(None);
        }
        if self.reader.needs_network_and_has_none() && record.is_none() {
            let folder = self.request.offer.home.folder(&row.runtime, &row.build_key);
            return Err(offline(&format!("`{}` is not installed, or nothing is known of it", folder.display())));
        }
        let kept = record.filter(|_| self.reader.needs_network_and_has_none());
        let bytes = match kept {
            Some(record) => compared("manifest", record.manifest.clone().into_bytes(), &row.manifest.sha256)?,
            None => self.reader.object("manifest", &row.manifest)?,
        };
        let (signature, verified_by) = match &row.signatures {
            None if keys.is_empty() => (None, None),
            None => return Err(GetErrorKind::Unsigned),
            Some(signatures) if keys.is_empty() => {
                let text = format!("signed by {}, not verified; pass --public-key to check it", signatures.public_key);
                (self.reader.watch.tell)(Event::Note { text });
                (None, None)
            }
            Some(signatures) => {
                let signature = match kept {
                    Some(record) => {
                        let kept = record.signature.clone();
                        kept.ok_or_else(|| offline("the signature of this build was never fetched"))?.into_bytes()
                    }
                    None => self.reader.object("manifest's signature", &signatures.manifest)?,
                };
                let key = signer_of(keys, &bytes, &signature)
                    .map_err(|source| GetErrorKind::Signature { what: "the manifest", source })?;
                // It was decoded, so it is text.
                (Some(String::from_utf8_lossy(&signature).into_owned()), Some(key.line().to_owned()))
            }
        };
        let manifest = archive::read_manifest(&bytes)?;
        // A signature does not cover the name under which something is offered.
        if (&manifest.runtime, manifest.platform, manifest.build_key) != (&row.runtime, row.platform, row.build_key) {
            return Err(GetErrorKind::OtherRuntime {
                found: format!("{} for {}", manifest.runtime, manifest.platform),
            });
        }
        let manifest = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Some(ManifestProof { manifest, signature, verified_by }))
    }

    /// The manifest of a build that is not installed, verified.
    pub(crate) fn manifest_of(&self, row: &CatalogueRow) -> Result<Manifest, GetErrorKind> {
        let proof = self.prove(row, None)?.ok_or_else(|| offline("there is no manifest"))?;
        Ok(archive::read_manifest(proof.manifest.as_bytes())?)
    }

    /// Whether `folder` has what the record says, which is of the right manifest. False if it has to be installed, an
    /// error if it is damaged.
    fn as_installed(
        &self,
        folder: &Path,
        record: Option<InstallRecord>,
        proof: Option<&ManifestProof>,
    ) -> Result<bool, GetErrorKind> {
        let home = &self.request.offer.home;
        if self.request.reinstall || fs::symlink_metadata(folder).is_err() {
            return Ok(false);
        }
        let Some(record) = record else {
            if home.has(folder) {
                let text = format!(
                    "`{}` is not known to be what the catalogue offers; it is compared with it and installed again",
                    folder.display()
                );
                (self.reader.watch.tell)(Event::Note { text });
            }
            return Ok(false);
        };
        let look = if self.request.verify { CompareDepth::Digests } else { CompareDepth::Quick };
        let damage = record.tree.compare(folder, look).damage;
        if !damage.is_empty() {
            return Err(GetErrorKind::Damaged { folder: folder.to_owned(), damage });
        }
        if let Some(known) = self.learned(&record, proof)
            && let Err(error) = home.save_record(folder, &known)
        {
            (self.reader.watch.tell)(Event::Note { text: format!("what was verified cannot be recorded: {error}") });
        }
        Ok(true)
    }

    /// The record of an intact tree with what was not known before: who signed it, and where it is offered.
    fn learned(&self, record: &InstallRecord, proof: Option<&ManifestProof>) -> Option<InstallRecord> {
        let signer = proof.filter(|proof| proof.verified_by != record.verified_by);
        let source = InstallSource::new(&self.request.offer.from, self.request.offer.channel);
        // Without a signature another place is no better than the one that is recorded.
        let may_move = record.source.is_none() || proof.is_some_and(|proof| proof.verified_by.is_some());
        let source = Some(source).filter(|_| may_move);
        if signer.is_none() && (source.is_none() || source == record.source) {
            return None;
        }
        let mut known = record.clone();
        known.source = source.or(known.source);
        if let Some(proof) = signer {
            known.verified_by.clone_from(&proof.verified_by);
            known.signature.clone_from(&proof.signature);
        }
        Some(known)
    }

    pub(crate) fn install(
        &self,
        row: &CatalogueRow,
        folder: &Path,
        proof: Option<ManifestProof>,
    ) -> Result<InstallOutcome, GetErrorKind> {
        if self.reader.needs_network_and_has_none() {
            return Err(offline(&format!("`{}` is not installed", folder.display())));
        }
        // Without a proof the record was of the manifest, and its tree is gone.
        let proof = match proof {
            Some(proof) => proof,
            None => self.prove(row, None)?.ok_or_else(|| offline("there is no manifest"))?,
        };
        let home = &self.request.offer.home;
        let _hold = self.hold()?;
        // The previous holder of the lock may have installed this very build.
        let record = self.record_of(row, folder);
        let known = record.is_some() || home.has(folder) || self.repairs;
        if record.is_some() && self.as_installed(folder, record, Some(&proof))? {
            return Ok(InstallOutcome::Before);
        }
        if !known && fs::remove_dir(folder).is_err() && fs::symlink_metadata(folder).is_ok() {
            return Err(GetErrorKind::Occupied { path: folder.to_owned() });
        }
        let mut older: Vec<PathBuf> = home.has(folder).then(|| folder.to_owned()).into_iter().collect();
        older.extend(home.current(&row.runtime).filter(|current| current != folder));
        let damaged = (self.repairs || self.request.reinstall).then_some(folder);
        let older = builds_to_reuse(home, older, damaged, &archive::read_manifest(proof.manifest.as_bytes())?);
        if older.is_empty() {
            self.check_room(row)?;
        }
        let failed = |source| GetErrorKind::Write { path: home.root().to_owned(), source };
        let stage = home.stage().map_err(failed)?;
        let tree = stage.path().join(STAGED_TREE);
        // A repair believes the manifest alone.
        let is_believed = |older: &&PathBuf| damaged.is_none_or(|damaged| damaged != older.as_path());
        let recorded = older.iter().filter(is_believed);
        let recorded = recorded.filter_map(|older| Some((older.clone(), home.record(older)?.tree.digests_by_path())));
        let recorded = recorded.collect();
        let request = FetchRequest {
            place: self.reader.place(&row.artifact.key),
            older,
            target: FetchTarget::Folder(tree.clone()),
            expected: Some(row.artifact.sha256),
            expected_manifest: Some(row.manifest.sha256),
            keep: Some(home.partial()),
            reuse: self.request.reuse,
            recorded,
            digests: true,
        };
        let fetched = self.fetch(request)?;
        // Of those that were read for reuse, and of those that were written, the digests are known.
        let tree_table = TreeTable::with_digests(&tree, DigestKinds::Both, &|path| fetched.digests.get(path).copied());
        let tree_table = tree_table.map_err(failed)?;
        let record = InstallRecord {
            format: INSTALL_RECORD_FORMAT,
            platform: row.platform,
            build_key: row.build_key,
            created: row.created,
            manifest_sha256: row.manifest.sha256,
            verified_by: proof.verified_by,
            signature: proof.signature,
            manifest: proof.manifest,
            tree: tree_table,
            source: Some(InstallSource::new(&self.request.offer.from, self.request.offer.channel)),
        };
        if self.repairs
            && let Some(former) = home.record(folder)
        {
            carry_over(&former.tree.added(folder), folder, &tree)?;
        }
        // Before the tree: something beside a record that is not its tree is detected, and installed again.
        home.save_record(folder, &record).map_err(failed)?;
        home.exchange(stage.path(), folder).map_err(failed)?;
        let FetchOutcome { fetched, resumed, size, shared, .. } = fetched;
        Ok(InstallOutcome::Now { fetched, resumed, size, shared })
    }

    /// A build that cannot be read is not reused.
    fn fetch(&self, mut request: FetchRequest) -> Result<FetchOutcome, GetErrorKind> {
        loop {
            match fetch(&request, self.reader.settings, self.reader.watch) {
                Err(error) if is_of_older(&error.kind) && !request.older.is_empty() => {
                    let (failed, all) = (failed_build(&error.kind), request.older.len());
                    request.older = without(&request.older, failed);
                    let what = if request.older.len() + 1 == all { "one build cannot" } else { "nothing can" };
                    (self.reader.watch.tell)(Event::Note { text: format!("{what} be reused: {}", error.kind) });
                }
                result => return Ok(result?),
            }
        }
    }

    /// Waits for another process that installs to the same folder.
    fn hold(&self) -> Result<HomeLock, GetErrorKind> {
        let home = &self.request.offer.home;
        let failed = |source| GetErrorKind::Write { path: home.root().to_owned(), source };
        let is_cancelled = || self.reader.watch.cancelled.load(Ordering::Relaxed);
        home.hold_when_free(self.reader.watch.tell, &is_cancelled).map_err(failed)?.ok_or(GetErrorKind::Cancelled)
    }

    /// Room for the artifact and its content side by side. An update copies from its previous build in ways that may
    /// need no room at all, so it is not checked beforehand.
    fn check_room(&self, row: &CatalogueRow) -> Result<(), GetErrorKind> {
        let home = &self.request.offer.home;
        let both = row.artifact.size.saturating_add(row.installed_size);
        let needed = both.saturating_sub(home.partial_size());
        match fs4::available_space(home.root()) {
            Ok(free) if free < needed => Err(GetErrorKind::NoRoom { path: home.root().to_owned(), needed, free }),
            // If the system does not say how much is free, writing will show.
            _ => Ok(()),
        }
    }

    fn warn(&self, code: &'static str, text: String) {
        let place = Some(self.request.asked.to_string());
        (self.reader.watch.tell)(Event::Warning { code, text, place, hint: None });
    }

    pub(crate) fn warn_of_retracted(&self, catalogue: &Catalogue) {
        let (asked, home) = (&self.request.asked, &self.request.offer.home);
        for row in &catalogue.retracted {
            let folder = home.folder(&row.entry.runtime, &row.entry.build_key);
            if asked.matches(&row.entry.runtime) && home.has(&folder) {
                (self.reader.watch.tell)(Event::Warning {
                    code: "W_GET_RETRACTED",
                    text: format!("`{}` was retracted: {}", folder.display(), row.reason),
                    place: Some(row.entry.runtime.to_string()),
                    hint: Some("stop using this build".to_owned()),
                });
            }
        }
    }
}

/// With what is on offer for the platform, and what would be in another channel or for another platform.
fn not_offered(catalogue: &Catalogue, asked: &RuntimeRequest, platform: PlatformKey, channel: Channel) -> GetErrorKind {
    let texts = |versions: Vec<&VersionString>| versions.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let candidate = asked.newest(catalogue.versions_for(platform, Channel::Candidate)).cloned();
    let elsewhere = catalogue.entries.iter().filter(|row| row.channel >= channel && asked.matches(&row.runtime));
    let mut platforms: Vec<PlatformKey> = elsewhere.map(|row| row.platform).collect();
    platforms.sort();
    platforms.dedup();
    GetErrorKind::NotOffered(Box::new(NotOffered {
        asked: asked.clone(),
        platform,
        channel,
        nearest: texts(asked.nearest(catalogue.versions_for(platform, channel))),
        candidate,
        platforms,
    }))
}

/// How many versions a message lists.
const MOST_NAMED: usize = 8;

fn failed_build(kind: &fetch::FetchErrorKind) -> Option<&Path> {
    match kind {
        fetch::FetchErrorKind::Older { path, .. } => Some(path),
        _ => None,
    }
}

/// What is here already cannot be read; without it everything can be fetched.
fn is_of_older(kind: &fetch::FetchErrorKind) -> bool {
    matches!(kind, fetch::FetchErrorKind::Older { .. } | fetch::FetchErrorKind::Scan(_))
}

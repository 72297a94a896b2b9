//! One runtime from a catalogue. In this order: choose, verify the manifest (its digest and signature), fetch what the
//! manifest says with every part's digest compared, install, make it current.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use archive::{FetchRequest, FetchSettings, FetchTarget, Watch, fetch, fetch_small, without_secrets};
use catalogue::{Catalogue, Channel, Listed, Query, StoredObject, object_keys};
use vocab::{Digest, Event, PlatformKey, TreePath, VersionString};

use crate::home::Hold;
use crate::{GetError, GetErrorKind, Home, PublicKey};

#[derive(Debug)]
pub struct Request {
    pub version: VersionString,
    pub platform: PlatformKey,
    pub channel: Channel,
    /// The destination that was published to: `http`, `https`, `file` or a path; `catalogue.json` lies in it.
    pub from: String,
    pub home: Home,
    /// With one, whatever it did not sign is refused.
    pub public_key: Option<PublicKey>,
    /// Nothing is asked of a network.
    pub offline: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The installed tree.
    pub folder: PathBuf,
    pub current: PathBuf,
    pub build_key: Digest,
    pub installed: Installed,
    pub signed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It was there.
    Before,
    /// `fetched` of `size` bytes came from afar, `resumed` had come before an interruption, the rest was here.
    Now { fetched: u64, resumed: u64, size: u64 },
}

pub fn get(request: &Request, settings: &FetchSettings, watch: Watch<'_>) -> Result<Got, GetError> {
    let job = Job { request, settings, watch };
    job.run().map_err(|kind| GetError {
        version: request.version.clone(),
        platform: request.platform,
        from: without_secrets(&request.from),
        kind: Box::new(kind),
    })
}

struct Job<'a> {
    request: &'a Request,
    settings: &'a FetchSettings,
    watch: Watch<'a>,
}

impl Job<'_> {
    fn run(&self) -> Result<Got, GetErrorKind> {
        let Request { version, platform, channel, home, .. } = self.request;
        let catalogue = self.catalogue()?;
        let row = catalogue.look_up(&Query::new(version.clone(), *platform, *channel))?;
        let folder = home.folder(version, &row.build_key);
        self.warn_of_retracted(&catalogue);
        let signed = self.request.public_key.is_some();
        let installed = if home.has(&folder) { Installed::Before } else { self.install(row, &folder)? };
        if home.current(version).as_ref() != Some(&folder) {
            let failed = |source| GetErrorKind::Write { path: home.current_path(version), source };
            home.set_current(version, &folder).map_err(failed)?;
        }
        Ok(Got { folder, current: home.current_path(version), build_key: row.build_key, installed, signed })
    }

    fn catalogue(&self) -> Result<Catalogue, GetErrorKind> {
        let Request { from, home, .. } = self.request;
        if self.needs_network_and_has_none() {
            let kept = home.kept_catalogue(from);
            let text = kept.map_err(|_| offline("the catalogue was never read from here"))?;
            return Ok(Catalogue::read(&text)?);
        }
        let text = self.small(&object_keys::CATALOGUE.parse().expect("a plain name"))?;
        let catalogue = Catalogue::read(&text)?;
        if let Err(error) = home.keep_catalogue(from, &text) {
            // Whether anything has to be written is not known yet.
            (self.watch.tell)(Event::Note {
                text: format!("the catalogue cannot be kept below `{}` for --offline: {error}", home.root().display()),
            });
        }
        Ok(catalogue)
    }

    /// A folder can be read with or without a network.
    fn needs_network_and_has_none(&self) -> bool {
        let from = self.request.from.to_ascii_lowercase();
        self.request.offline && ["http://", "https://"].iter().any(|scheme| from.starts_with(scheme))
    }

    fn install(&self, row: &Listed, folder: &Path) -> Result<Installed, GetErrorKind> {
        if self.needs_network_and_has_none() {
            return Err(offline(&format!("`{}` is not installed", folder.display())));
        }
        self.verify(row)?;
        let home = &self.request.home;
        let _hold = self.hold()?;
        // Whoever held it before may have installed this very build.
        if home.has(folder) {
            return Ok(Installed::Before);
        }
        let former = home.current(&self.request.version);
        if former.is_none() {
            self.check_room(row)?;
        }
        let request = FetchRequest {
            place: self.place(&row.artifact.key),
            older: former.into_iter().collect(),
            target: FetchTarget::Folder(folder.to_owned()),
            expected: Some(row.artifact.sha256),
            expected_manifest: Some(row.manifest.sha256),
            keep: Some(home.partial()),
        };
        let fetched = match fetch(&request, self.settings, self.watch) {
            Err(error) if matches!(error.kind, archive::FetchErrorKind::Older { .. }) => {
                (self.watch.tell)(Event::Note { text: format!("nothing is taken over: {}", error.kind) });
                fetch(&FetchRequest { older: Vec::new(), ..request }, self.settings, self.watch)
            }
            result => result,
        }?;
        Ok(Installed::Now { fetched: fetched.fetched, resumed: fetched.resumed, size: fetched.size })
    }

    /// Waits for another process that installs to the same folder.
    fn hold(&self) -> Result<Hold, GetErrorKind> {
        let home = &self.request.home;
        let failed = |source| GetErrorKind::Write { path: home.root().to_owned(), source };
        let mut told = false;
        loop {
            if let Some(hold) = home.hold().map_err(failed)? {
                return Ok(hold);
            }
            if self.watch.cancelled.load(Ordering::Relaxed) {
                return Err(GetErrorKind::Cancelled);
            }
            if !told {
                let text = format!("waiting for another process that installs to `{}`", home.root().display());
                (self.watch.tell)(Event::Note { text });
                told = true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The artifact and what is in it, side by side for a moment. An update copies from its former build in ways that
    /// may take no room at all, so nothing is said of it beforehand.
    fn check_room(&self, row: &Listed) -> Result<(), GetErrorKind> {
        let home = &self.request.home;
        let needed = (row.artifact.size + row.installed_size).saturating_sub(home.partial_size());
        match fs4::available_space(home.root()) {
            Ok(free) if free < needed => Err(GetErrorKind::NoRoom { path: home.root().to_owned(), needed, free }),
            // A system that does not tell is not asked twice: writing will show.
            _ => Ok(()),
        }
    }

    /// The manifest holds the digests of everything else, so nothing is opened before it is believed.
    fn verify(&self, row: &Listed) -> Result<(), GetErrorKind> {
        let text = self.object("manifest", &row.manifest)?;
        match (&self.request.public_key, &row.signatures) {
            (Some(_), None) => return Err(GetErrorKind::Unsigned),
            (Some(key), Some(signatures)) => {
                let signature = self.object("manifest's signature", &signatures.manifest)?;
                let checked = key.verify(&text, &signature);
                checked.map_err(|source| GetErrorKind::Signature { what: "the manifest", source })?;
            }
            (None, Some(signatures)) => (self.watch.tell)(Event::Note {
                text: format!(
                    "signed by {}, which was compared with nothing; --public-key tells whose signature you trust",
                    signatures.public_key
                ),
            }),
            (None, None) => {}
        }
        let manifest = archive::read_manifest(&text)?;
        // A signature says nothing about the name under which something is offered.
        if (&manifest.runtime, manifest.platform, manifest.build_key) != (&row.runtime, row.platform, row.build_key) {
            return Err(GetErrorKind::OtherRuntime {
                found: format!("{} for {}", manifest.runtime, manifest.platform),
            });
        }
        Ok(())
    }

    fn object(&self, what: &'static str, object: &StoredObject) -> Result<Vec<u8>, GetErrorKind> {
        let bytes = self.small(&object.key)?;
        let actual = Digest::of(&bytes);
        if actual != object.sha256 {
            return Err(GetErrorKind::Digest { what, expected: object.sha256, actual });
        }
        Ok(bytes)
    }

    fn small(&self, key: &TreePath) -> Result<Vec<u8>, GetErrorKind> {
        Ok(fetch_small(&self.place(key), self.settings, self.watch)?)
    }

    /// Of an object below the destination.
    fn place(&self, key: &TreePath) -> String {
        let from = &self.request.from;
        // A drive's letter has one character, a URL's scheme has more.
        if from.contains("://") {
            object_keys::url(from, key)
        } else {
            key.below(Path::new(from)).display().to_string()
        }
    }

    fn warn_of_retracted(&self, catalogue: &Catalogue) {
        let Request { version, home, .. } = self.request;
        for row in &catalogue.retracted {
            let folder = home.folder(&row.entry.runtime, &row.entry.build_key);
            if row.entry.runtime == *version && home.has(&folder) {
                (self.watch.tell)(Event::Warning {
                    code: "W_GET_RETRACTED",
                    text: format!("`{}` was retracted: {}", folder.display(), row.reason),
                    place: Some(version.to_string()),
                    hint: Some("stop using this build".to_owned()),
                });
            }
        }
    }
}

fn offline(reason: &str) -> GetErrorKind {
    GetErrorKind::Offline { reason: reason.to_owned() }
}

//! What is derived from the entries: `catalogue.json`, the same signed, uv's download lists and the site.
//!
//! Any number of publishers may do this at once. Each reads the state of a file, then lists the entries, then replaces
//! the file if it is still in that state; whoever is too late begins again. So the last one has seen every entry.

use std::collections::BTreeMap;
use std::time::Duration;

use catalogue::site::{SiteSettings, site};
use catalogue::{Catalogue, Entry, EntryId, IndexSettings, Promotion, ReadError, Restoration, Retraction, object_keys};
use vocab::Digest;

use crate::destination::{Destination, Expected, Object, Replaced};
use crate::object_key::ObjectKey;
use crate::publish::PublishError;
use crate::signed_index::IndexSigning;

/// Each pass that loses gives way to another publisher's that wins.
const PASSES: u32 = 300;

type Result<T> = std::result::Result<T, PublishError>;

/// Everything that was written at a destination.
#[derive(Clone, Debug, Default)]
pub struct Written {
    entries: BTreeMap<ObjectKey, Entry>,
    retractions: BTreeMap<ObjectKey, Retraction>,
    restorations: BTreeMap<ObjectKey, Restoration>,
    promotions: BTreeMap<ObjectKey, (Digest, Promotion)>,
}

impl Written {
    pub fn read(from: &dyn Destination) -> Result<Self> {
        let mut written = Self::default();
        written.refresh(from)?;
        Ok(written)
    }

    /// Entries never change, so that only new ones are read. What is said about them does.
    fn refresh(&mut self, from: &dyn Destination) -> Result<()> {
        bring(from, object_keys::ENTRIES, &mut self.entries, Entry::read)?;
        self.retractions.clear();
        bring(from, object_keys::RETRACTIONS, &mut self.retractions, Retraction::read)?;
        self.restorations.clear();
        bring(from, object_keys::RESTORATIONS, &mut self.restorations, Restoration::read)?;
        self.promotions.clear();
        bring(from, object_keys::PROMOTIONS, &mut self.promotions, |bytes| {
            Ok((Digest::of(bytes), Promotion::read(bytes)?))
        })
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn catalogue(&self) -> Catalogue {
        let entries: Vec<Entry> = self.entries.values().cloned().collect();
        let stands = |it: &&Retraction| it.stands(self.restorations.values());
        let retractions: Vec<Retraction> = self.retractions.values().filter(stands).cloned().collect();
        let promotions: Vec<Promotion> = self.promotions.values().map(|(_, it)| it.clone()).collect();
        Catalogue::derive(&entries, &retractions, &promotions)
    }

    /// What was signed as retracted is not signed as offered because a retraction's object is gone: only a restoration
    /// says that this was meant.
    fn check_retractions(&self, signed: &Catalogue, now: &Catalogue, place: &str) -> Result<()> {
        let restored = |id: &EntryId| self.restorations.values().any(|it| it.entry == *id);
        let offered = |id: &EntryId| now.entries.iter().any(|row| row.id() == *id);
        let known = signed.retracted.iter().map(|row| row.entry.id());
        let lost: Vec<String> = known.filter(|id| offered(id) && !restored(id)).map(|id| id.to_string()).collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(PublishError::RetractionLost { entries: lost, place: place.to_owned() })
        }
    }
}

fn bring<T>(
    from: &dyn Destination,
    folder: &str,
    known: &mut BTreeMap<ObjectKey, T>,
    read: impl Fn(&[u8]) -> std::result::Result<T, ReadError>,
) -> Result<()> {
    let listed = from.list(folder)?;
    let keys: Vec<ObjectKey> = listed.into_iter().map(|row| row.key).collect();
    known.retain(|key, _| keys.binary_search(key).is_ok());
    for key in keys {
        if known.contains_key(&key) || object_keys::id_of(key.as_str()).is_none() {
            continue;
        }
        // It may have been removed since it was listed.
        let Some(object) = from.get(&key)? else { continue };
        let stored = |source| PublishError::Stored { key: key.to_string(), place: from.place().to_owned(), source };
        let value = read(&object.bytes).map_err(stored)?;
        known.insert(key, value);
    }
    Ok(())
}

/// The usual ones where there are none.
pub fn read_settings(from: &dyn Destination) -> Result<IndexSettings> {
    let Some(object) = from.get(&object_keys::SETTINGS.parse()?)? else { return Ok(IndexSettings::default()) };
    let place = || from.place().to_owned();
    IndexSettings::read(&object.bytes).map_err(|source| PublishError::Settings { place: place(), source })
}

pub fn write_settings(settings: &IndexSettings, to: &dyn Destination) -> Result<()> {
    to.replace(&object_keys::SETTINGS.parse()?, settings.to_text().as_bytes(), &Expected::Anything)?;
    Ok(())
}

/// Holds the digest of the catalogue that the site was made from; written after all of its pages.
const SITE_STATE: &str = "site/catalogue.sha256";

/// Brings the index up to date: the catalogue, then what is derived from it for uv and for people. Gives the
/// catalogue. With `anew` the catalogue is signed again and the site written even where they seem to be up to date.
pub fn reindex(to: &dyn Destination, signing: &IndexSigning<'_>, anew: bool) -> Result<Catalogue> {
    let mut written = Written::default();
    let mut anew = anew;
    for pass in 0..PASSES {
        match index_once(to, &mut written, signing, anew)? {
            // What was written is looked at once more: whoever wrote meanwhile may have known less.
            Pass::Wrote => anew = false,
            Pass::Lost => std::thread::sleep(pause(pass)),
            Pass::Same(catalogue) => return Ok(catalogue),
        }
    }
    Err(PublishError::IndexBusy { place: to.place().to_owned(), passes: PASSES })
}

enum Pass {
    /// Somebody else was quicker.
    Lost,
    Wrote,
    /// Everything was as it should be.
    Same(Catalogue),
}

fn index_once(to: &dyn Destination, written: &mut Written, signing: &IndexSigning<'_>, anew: bool) -> Result<Pass> {
    let settings = read_settings(to)?;
    // The states before the entries: what is listed afterwards is then at least as new.
    let catalogue_key: ObjectKey = object_keys::CATALOGUE.parse()?;
    let signed_key: ObjectKey = object_keys::SIGNED_CATALOGUE.parse()?;
    let (before, signed_before) = (to.get(&catalogue_key)?, to.get(&signed_key)?);
    let edition = signing.standing(to.place(), signed_before.as_ref())?;
    written.refresh(to)?;
    let catalogue = written.catalogue();
    if let Some(edition) = &edition {
        written.check_retractions(&edition.catalogue, &catalogue, to.place())?;
    }
    let text = catalogue.to_text();
    let mut wrote = match put(to, &catalogue_key, text.as_bytes(), before)? {
        Put::Lost => return Ok(Pass::Lost),
        Put::Wrote => true,
        Put::Same => false,
    };
    if let Some(signed) = signing.next(to.place(), edition.as_ref(), &catalogue, &settings, anew)? {
        match put(to, &signed_key, &signed, signed_before)? {
            Put::Lost => return Ok(Pass::Lost),
            Put::Wrote | Put::Same => wrote = true,
        }
    }
    if let Some(base) = &settings.public_url {
        for (key, list) in catalogue::downloads(&catalogue, base) {
            let key: ObjectKey = key.parse()?;
            let before = to.get(&key)?;
            match put(to, &key, list.as_bytes(), before)? {
                Put::Lost => return Ok(Pass::Lost),
                Put::Wrote => wrote = true,
                Put::Same => {}
            }
        }
    }
    wrote |= write_site(to, written, &catalogue, &settings, anew)?;
    Ok(if wrote { Pass::Wrote } else { Pass::Same(catalogue) })
}

enum Put {
    Lost,
    Wrote,
    Same,
}

fn put(to: &dyn Destination, key: &ObjectKey, bytes: &[u8], before: Option<Object>) -> Result<Put> {
    if before.as_ref().is_some_and(|object| object.bytes == bytes) {
        return Ok(Put::Same);
    }
    Ok(match to.replace(key, bytes, &expected(before))? {
        Replaced::Done => Put::Wrote,
        Replaced::Changed => Put::Lost,
    })
}

/// False when it was written already.
fn write_site(
    to: &dyn Destination,
    written: &Written,
    catalogue: &Catalogue,
    settings: &IndexSettings,
    anew: bool,
) -> Result<bool> {
    let state_key: ObjectKey = SITE_STATE.parse()?;
    let settings_text = serde_json::to_string(settings).expect("plain data with text keys");
    let state = format!("{}\n", Digest::of(catalogue.to_text() + &settings_text));
    if !anew && to.get(&state_key)?.is_some_and(|object| object.bytes == state.as_bytes()) {
        return Ok(false);
    }
    let mut of_site = SiteSettings { base_url: settings.public_url.clone(), ..SiteSettings::default() };
    if let Some(title) = &settings.title {
        of_site.title.clone_from(title);
    }
    let entries: Vec<Entry> = written.entries.values().cloned().collect();
    for (path, bytes) in site(catalogue, &entries, &of_site) {
        to.replace(&path.parse()?, &bytes, &Expected::Anything)?;
    }
    to.replace(&state_key, state.as_bytes(), &Expected::Anything)?;
    Ok(true)
}

fn expected(before: Option<Object>) -> Expected {
    before.map_or(Expected::Absent, |object| Expected::State(object.tag))
}

/// Longer with each pass up to a limit, and not the same in any two processes.
fn pause(pass: u32) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let chance = RandomState::new().hash_one(pass) % 100;
    Duration::from_millis(u64::from(pass.min(20)) * 5 + chance / 2)
}

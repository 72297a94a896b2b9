//! What is derived from the entries: `catalogue.json`, the same signed, uv's download lists and the site.
//!
//! Any number of publishers may do this at once. Each reads the state of a file, then lists the entries, then replaces
//! the file if it is still in that state; a publisher that is too late begins again. So the last one has seen every
//! entry. One does it at a time, as far as all are polite: a publisher whose entries another has brought along is
//! done.
//!
//! Where a place does not keep conditions ([`Place::conditional_puts`]), the last writer wins, whatever it knew. There
//! each writes, then looks again, and writes again until nothing that is listed is missing: a publisher that wrote too little
//! notices it itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalogue::site::{SiteSettings, site};
use catalogue::{
    ArtifactEntry, Catalogue, EntryId, IndexSettings, Promotion, ReadError, Restoration, Retraction, object_keys,
};
use vocab::Digest;

use crate::publish::PublishError;
use crate::signed_index::IndexSigning;
use objects::{ExpectedState, Object, ObjectKey, Place, ReplaceOutcome, Turn, WaitingPublisher};

/// How often a turn is asked for; some five minutes, with the pauses between. Each that is somebody else's brings
/// nearer what this publisher waits for.
const PASSES: u32 = 700;

type Result<T> = std::result::Result<T, PublishError>;

/// Everything that was written at a destination.
#[derive(Clone, Debug, Default)]
pub struct WrittenEntries {
    entries: BTreeMap<ObjectKey, ArtifactEntry>,
    retractions: BTreeMap<ObjectKey, Retraction>,
    restorations: BTreeMap<ObjectKey, Restoration>,
    promotions: BTreeMap<ObjectKey, (Digest, Promotion)>,
}

impl WrittenEntries {
    /// Reads all entries and notices of a destination, one by one.
    pub fn read(from: &dyn Place) -> Result<Self> {
        let mut written = Self::default();
        written.refresh(from)?;
        Ok(written)
    }

    /// Entries never change, so that only new ones are read. What is said about them does.
    fn refresh(&mut self, from: &dyn Place) -> Result<()> {
        bring(from, object_keys::ENTRIES, &mut self.entries, ArtifactEntry::read)?;
        self.retractions.clear();
        bring(from, object_keys::RETRACTIONS, &mut self.retractions, Retraction::read)?;
        self.restorations.clear();
        bring(from, object_keys::RESTORATIONS, &mut self.restorations, Restoration::read)?;
        self.promotions.clear();
        bring(from, object_keys::PROMOTIONS, &mut self.promotions, |bytes| {
            Ok((Digest::of(bytes), Promotion::read(bytes)?))
        })
    }

    /// All entries, retracted ones included, sorted by object key.
    pub fn entries(&self) -> impl Iterator<Item = &ArtifactEntry> {
        self.entries.values()
    }

    /// The catalogue that these entries and notices give: equal for equal content.
    pub fn catalogue(&self) -> Catalogue {
        let entries: Vec<ArtifactEntry> = self.entries.values().cloned().collect();
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
    from: &dyn Place,
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
pub fn read_settings(from: &dyn Place) -> Result<IndexSettings> {
    let Some(object) = from.get(&object_keys::SETTINGS.parse()?)? else { return Ok(IndexSettings::default()) };
    let place = || from.place().to_owned();
    IndexSettings::read(&object.bytes).map_err(|source| PublishError::Settings { place: place(), source })
}

/// Replaces the settings of a destination. Call [`reindex`] afterwards.
pub fn write_settings(settings: &IndexSettings, to: &dyn Place) -> Result<()> {
    to.replace(&object_keys::SETTINGS.parse()?, settings.to_text().as_bytes(), &ExpectedState::Anything)?;
    Ok(())
}

/// The digest of the catalogue that the site was made from, then those of all artifacts in it, one a line. Written
/// after everything else that is derived, so an artifact that is found there is found everywhere.
const SITE_STATE: &str = "site/catalogue.sha256";

/// A turn is renewed whenever so many pages are written.
const PAGES_OF_A_BEAT: usize = 8;

/// Brings the index up to date: the catalogue, then what is derived from it for uv and for people. Gives the
/// catalogue. With `anew` the catalogue is signed again and the site written even where they seem to be up to date.
pub fn reindex(to: &dyn Place, signing: &IndexSigning<'_>, anew: bool) -> Result<Catalogue> {
    index_with(to, signing, &[], anew)
}

/// The same, unless somebody else has brought these artifacts into the index meanwhile: publishers that wait for their
/// turn all have what they wait for as soon as one that came after them has had its own.
pub fn index_artifacts(to: &dyn Place, signing: &IndexSigning<'_>, artifacts: &[Digest]) -> Result<Catalogue> {
    index_with(to, signing, artifacts, false)
}

fn index_with(to: &dyn Place, signing: &IndexSigning<'_>, enough: &[Digest], anew: bool) -> Result<Catalogue> {
    let mut written = WrittenEntries::default();
    if !to.conditional_puts()? {
        return index_until_complete(to, &mut written, signing, anew);
    }
    let mut waiting = WaitingPublisher::default();
    for pass in 0..PASSES {
        if let Some(catalogue) = holds(to, signing, enough)? {
            return Ok(catalogue);
        }
        if pass == 0 {
            // Most of what is to be read, before anybody has to wait for it.
            written.refresh(to)?;
        }
        if let Some(mut turn) = to.try_turn(&mut waiting)?
            && let Some(indexed) = index_once(to, &mut written, signing, turn.as_mut(), WrittenAnew::of(anew))?
        {
            return Ok(indexed.catalogue);
        }
        std::thread::sleep(pause(pass));
    }
    Err(PublishError::IndexBusy { place: to.place().to_owned(), passes: PASSES })
}

/// Without conditions: until everything is found as the pass before left it. A pass that derives another catalogue
/// than the one before also writes the site again, for the former may have put its pages over those of a later one.
fn index_until_complete(
    to: &dyn Place,
    written: &mut WrittenEntries,
    signing: &IndexSigning<'_>,
    anew: bool,
) -> Result<Catalogue> {
    let mut before: Option<Catalogue> = None;
    let mut again = WrittenAnew::of(anew);
    for pass in 0..PASSES {
        // The first look is at what was written just now.
        if pass > 1 {
            std::thread::sleep(pause(pass));
        }
        // Nobody's turn can be relied on here, so nobody waits for one.
        let Some(indexed) = index_once(to, written, signing, &mut NoTurn, again)? else { continue };
        let is_same = before.as_ref() == Some(&indexed.catalogue);
        if is_same && !indexed.changed {
            return Ok(indexed.catalogue);
        }
        again = WrittenAnew { signature: false, site: before.is_some() && !is_same };
        before = Some(indexed.catalogue);
    }
    Err(PublishError::IndexBusy { place: to.place().to_owned(), passes: PASSES })
}

/// What is written although it seems to be up to date.
#[derive(Clone, Copy)]
struct WrittenAnew {
    signature: bool,
    site: bool,
}

impl WrittenAnew {
    fn of(all: bool) -> Self {
        Self { signature: all, site: all }
    }
}

/// Where turns mean nothing.
struct NoTurn;

impl Turn for NoTurn {
    fn keep(&mut self) -> objects::Result<bool> {
        Ok(true)
    }
}

/// What one pass came to.
struct IndexPass {
    catalogue: Catalogue,
    /// Something was written that was not so before.
    changed: bool,
}

/// The catalogue, if it and all that is derived from it have these artifacts. Later ones have them, too: who replaces a
/// catalogue has listed the entries after it was written.
fn holds(to: &dyn Place, signing: &IndexSigning<'_>, artifacts: &[Digest]) -> Result<Option<Catalogue>> {
    if artifacts.is_empty() {
        return Ok(None);
    }
    let Some(state) = to.get(&SITE_STATE.parse()?)? else { return Ok(None) };
    let state = String::from_utf8_lossy(&state.bytes);
    let of_site: BTreeSet<&str> = state.lines().skip(1).collect();
    if !artifacts.iter().all(|sha256| of_site.contains(sha256.to_string().as_str())) {
        return Ok(None);
    }
    let Some(object) = to.get(&object_keys::CATALOGUE.parse()?)? else { return Ok(None) };
    // One that cannot be read is written anew.
    let Ok(catalogue) = Catalogue::read(&object.bytes) else { return Ok(None) };
    // A retracted one needs its notice, which only the writer of the index looks at.
    if !artifacts.iter().all(|sha256| catalogue.by_digest(sha256).is_some_and(|(_, retracted)| retracted.is_none())) {
        return Ok(None);
    }
    if signing.signer.is_some() {
        let standing = to.get(&object_keys::SIGNED_CATALOGUE.parse()?)?;
        let edition = signing.standing(to.place(), standing.as_ref())?;
        if signing.next(to.place(), edition.as_ref(), &catalogue, &read_settings(to)?, false)?.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(catalogue))
}

/// `None` when somebody else was quicker, who may not have known all that is known here.
fn index_once(
    to: &dyn Place,
    written: &mut WrittenEntries,
    signing: &IndexSigning<'_>,
    turn: &mut dyn Turn,
    anew: WrittenAnew,
) -> Result<Option<IndexPass>> {
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
    let mut changed = false;
    if !put(to, &catalogue_key, text.as_bytes(), before, &mut changed)? {
        return Ok(None);
    }
    if let Some(signed) = signing.next(to.place(), edition.as_ref(), &catalogue, &settings, anew.signature)?
        && !put(to, &signed_key, &signed, signed_before, &mut changed)?
    {
        return Ok(None);
    }
    if let Some(base) = &settings.public_url {
        for (key, list) in catalogue::downloads(&catalogue, base) {
            let key: ObjectKey = key.parse()?;
            let before = to.get(&key)?;
            if !put(to, &key, list.as_bytes(), before, &mut changed)? {
                return Ok(None);
            }
        }
    }
    // Who lost the turn may have put something older over what the next one wrote, and writes it all again.
    let whole = turn.keep()? && write_site(to, written, &catalogue, &settings, turn, anew.site, &mut changed)?;
    Ok(whole.then_some(IndexPass { catalogue, changed }))
}

/// False when somebody else was quicker.
fn put(to: &dyn Place, key: &ObjectKey, bytes: &[u8], before: Option<Object>, changed: &mut bool) -> Result<bool> {
    if before.as_ref().is_some_and(|object| object.bytes == bytes) {
        return Ok(true);
    }
    *changed = true;
    Ok(to.replace(key, bytes, &expected(before))? == ReplaceOutcome::Done)
}

/// False when the turn was lost meanwhile.
fn write_site(
    to: &dyn Place,
    written: &WrittenEntries,
    catalogue: &Catalogue,
    settings: &IndexSettings,
    turn: &mut dyn Turn,
    anew: bool,
    changed: &mut bool,
) -> Result<bool> {
    let state_key: ObjectKey = SITE_STATE.parse()?;
    let state = site_state(catalogue, settings);
    if !anew && to.get(&state_key)?.is_some_and(|object| object.bytes == state.as_bytes()) {
        return Ok(true);
    }
    *changed = true;
    let mut of_site = SiteSettings { base_url: settings.public_url.clone(), ..SiteSettings::default() };
    if let Some(title) = &settings.title {
        of_site.title.clone_from(title);
    }
    let entries: Vec<ArtifactEntry> = written.entries.values().cloned().collect();
    for (index, (path, bytes)) in site(catalogue, &entries, &of_site).into_iter().enumerate() {
        if index % PAGES_OF_A_BEAT == PAGES_OF_A_BEAT - 1 && !turn.keep()? {
            return Ok(false);
        }
        to.replace(&path.parse()?, &bytes, &ExpectedState::Anything)?;
    }
    if !turn.keep()? {
        return Ok(false);
    }
    to.replace(&state_key, state.as_bytes(), &ExpectedState::Anything)?;
    Ok(true)
}

fn site_state(catalogue: &Catalogue, settings: &IndexSettings) -> String {
    let settings = serde_json::to_string(settings).expect("plain data with text keys");
    let rows = catalogue.entries.iter().chain(catalogue.retracted.iter().map(|row| &row.entry));
    let artifacts: BTreeSet<Digest> = rows.map(|row| row.artifact.sha256).collect();
    let mut text = format!("{}\n", Digest::of(catalogue.to_text() + &settings));
    artifacts.iter().for_each(|sha256| text.push_str(&format!("{sha256}\n")));
    text
}

fn expected(before: Option<Object>) -> ExpectedState {
    before.map_or(ExpectedState::Absent, |object| ExpectedState::State(object.tag))
}

/// Longer with each pass up to a limit, and not the same in any two processes.
fn pause(pass: u32) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let chance = RandomState::new().hash_one(pass) % 100;
    Duration::from_millis(u64::from(pass.min(40)) * 10 + chance)
}

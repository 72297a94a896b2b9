//! Retracting entries, and restoring them.
//!
//! Each is one small object for each entry, which the next of its kind replaces; of the two the later counts. So
//! nothing is deleted, and every publisher derives the same index from both.

use catalogue::{EntryId, Moment, ReadError, Restoration, Retraction, object_keys};

use crate::publish::PublishError;
use objects::{ExpectedState, Object, ObjectKey, Place, ReplaceOutcome};

/// Attempts against other publishers that change the same entry.
const ATTEMPTS: u32 = 20;

type Result<T> = std::result::Result<T, PublishError>;

/// Takes an entry out of the index. Its objects stay. False if it is retracted already.
pub fn retract(to: &dyn Place, id: &EntryId, at: Moment, reason: &str) -> Result<bool> {
    let reason = reason.trim();
    if !reason.chars().any(char::is_alphanumeric) {
        return Err(PublishError::NoReason { reason: reason.to_owned() });
    }
    for _ in 0..ATTEMPTS {
        let now = EntryNotices::read(to, id)?;
        if now.is_retracted() {
            return Ok(false);
        }
        // Clocks differ: the newer notice must have the later time.
        let at = now.restored().map_or(at, |restored| restored.max(at));
        let text = Retraction::new(id.clone(), at, reason.to_owned()).to_text();
        if now.replace(to, NoticeKind::Retraction, &text)? {
            return Ok(true);
        }
    }
    Err(PublishError::NoticeBusy { entry: id.to_string() })
}

/// Puts an entry back into the index. False if it is not retracted.
pub fn restore(to: &dyn Place, id: &EntryId, at: Moment) -> Result<bool> {
    for _ in 0..ATTEMPTS {
        let now = EntryNotices::read(to, id)?;
        let Some((retraction, _)) = now.retraction.as_ref().filter(|_| now.is_retracted()) else { return Ok(false) };
        // In the same second the retraction counts.
        let later = Moment::from_unix_seconds(retraction.at.unix_seconds() + 1);
        let at = later.map_or(at, |later| later.max(at));
        let text = Restoration::new(id.clone(), at).to_text();
        if now.replace(to, NoticeKind::Restoration, &text)? {
            return Ok(true);
        }
    }
    Err(PublishError::NoticeBusy { entry: id.to_string() })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NoticeKind {
    Retraction,
    Restoration,
}

/// The present notices about one entry, each with the state of its object.
struct EntryNotices {
    retraction_key: ObjectKey,
    restoration_key: ObjectKey,
    retraction: Option<(Retraction, Object)>,
    restoration: Option<(Restoration, Object)>,
}

impl EntryNotices {
    fn read(from: &dyn Place, id: &EntryId) -> Result<Self> {
        let retraction_key: ObjectKey = object_keys::retraction(id).parse()?;
        let restoration_key: ObjectKey = object_keys::restoration(id).parse()?;
        let retraction = stored(from, &retraction_key, Retraction::read)?;
        let restoration = stored(from, &restoration_key, Restoration::read)?;
        Ok(Self { retraction_key, restoration_key, retraction, restoration })
    }

    fn restored(&self) -> Option<Moment> {
        self.restoration.as_ref().map(|(notice, _)| notice.at)
    }

    fn is_retracted(&self) -> bool {
        let restoration = self.restoration.as_ref().map(|(notice, _)| notice);
        self.retraction.as_ref().is_some_and(|(notice, _)| notice.stands(restoration))
    }

    /// False if another publisher was faster.
    fn replace(&self, to: &dyn Place, kind: NoticeKind, text: &str) -> Result<bool> {
        let (key, object) = match kind {
            NoticeKind::Retraction => (&self.retraction_key, self.retraction.as_ref().map(|(_, object)| object)),
            NoticeKind::Restoration => (&self.restoration_key, self.restoration.as_ref().map(|(_, object)| object)),
        };
        let expected = object.map_or(ExpectedState::Absent, |object| ExpectedState::State(object.tag.clone()));
        Ok(to.replace(key, text.as_bytes(), &expected)? == ReplaceOutcome::Done)
    }
}

fn stored<T>(
    from: &dyn Place,
    key: &ObjectKey,
    read: fn(&[u8]) -> std::result::Result<T, ReadError>,
) -> Result<Option<(T, Object)>> {
    let Some(object) = from.get(key)? else { return Ok(None) };
    let failed = |source| PublishError::Stored { key: key.to_string(), place: from.place().to_owned(), source };
    let notice = read(&object.bytes).map_err(failed)?;
    Ok(Some((notice, object)))
}

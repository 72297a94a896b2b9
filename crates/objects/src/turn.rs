//! Whose turn it is to write what is derived: one publisher writes for all that wait.
//!
//! An optimisation that nothing relies on: what is written under a turn is still written conditionally, so two holders
//! at once do twice the work but no harm.

use std::hash::{BuildHasher as _, RandomState};

use crate::{ExpectedState, Object, ObjectKey, Place, ReplaceOutcome, Result, Turn, WaitingPublisher};

/// How often the same sign of a holder is read before it counts as dead: some seconds, more with a slow server.
const PATIENCE: u32 = 25;

/// Content of the object while no one has the turn. It is not deleted, since publishers need not have the right to.
const FREE: &[u8] = b"free\n";

/// Says whose turn it is.
const TURN: &str = "turn.txt";

/// Uses an object that its holder rewrites regularly, for places without locks.
pub struct ObjectTurn<'a> {
    to: &'a dyn Place,
    key: ObjectKey,
    /// A number unique to this holder.
    holder: u64,
    /// Changes with each sign, so that each is another state of the object.
    beat: u64,
}

impl<'a> ObjectTurn<'a> {
    /// See [`Place::try_turn`].
    pub fn take(to: &'a dyn Place, waiting: &mut WaitingPublisher) -> Result<Option<Self>> {
        by_object(to, TURN.parse().expect("a literal object key"), waiting)
    }
}

fn by_object<'a>(to: &'a dyn Place, key: ObjectKey, waiting: &mut WaitingPublisher) -> Result<Option<ObjectTurn<'a>>> {
    let expected = match to.get(&key)? {
        None => ExpectedState::Absent,
        Some(object) if object.bytes == FREE => ExpectedState::State(object.tag),
        Some(object) => {
            let same = waiting.seen.as_ref() == Some(&object.tag);
            waiting.looks = if same { waiting.looks + 1 } else { 1 };
            waiting.seen = Some(object.tag.clone());
            if waiting.looks < PATIENCE {
                return Ok(None);
            }
            ExpectedState::State(object.tag)
        }
    };
    let holder = RandomState::new().hash_one(key.as_str());
    let turn = ObjectTurn { to, key, holder, beat: 0 };
    let won = to.replace(&turn.key, turn.text().as_bytes(), &expected)? == ReplaceOutcome::Done;
    Ok(won.then_some(turn))
}

impl ObjectTurn<'_> {
    fn text(&self) -> String {
        format!("{:016x} {}\n", self.holder, self.beat)
    }

    /// The present object, if it is this holder's.
    fn own(&self) -> Result<Option<Object>> {
        let object = self.to.get(&self.key)?;
        Ok(object.filter(|object| object.bytes == self.text().as_bytes()))
    }
}

impl Turn for ObjectTurn<'_> {
    fn keep(&mut self) -> Result<bool> {
        let Some(object) = self.own()? else { return Ok(false) };
        self.beat += 1;
        let told = self.to.replace(&self.key, self.text().as_bytes(), &ExpectedState::State(object.tag))?;
        Ok(told == ReplaceOutcome::Done)
    }
}

impl Drop for ObjectTurn<'_> {
    /// If this fails, the next one waits until it counts as dead.
    fn drop(&mut self) {
        if let Ok(Some(object)) = self.own() {
            let _ = self.to.replace(&self.key, FREE, &ExpectedState::State(object.tag));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FolderPlace;

    #[test]
    fn a_turn_is_had_by_one_and_that_of_a_dead_holder_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let to = FolderPlace::new(folder.path().to_owned());
        let key: ObjectKey = "turn.txt".parse().unwrap();
        let take = |waiting: &mut WaitingPublisher| by_object(&to, key.clone(), waiting).unwrap();

        let mut waiting = WaitingPublisher::default();
        let mut first = take(&mut waiting).unwrap();
        // A holder that says something is never taken for dead.
        for _ in 0..3 * PATIENCE {
            assert!(take(&mut waiting).is_none());
            assert!(first.keep().unwrap());
        }
        drop(first);
        let mut killed = take(&mut waiting).unwrap();
        let looks = (1..).find(|_| {
            let taken = take(&mut waiting);
            let found = taken.is_some();
            // It stays the new holder's.
            std::mem::forget(taken);
            found
        });
        assert_eq!(looks, Some(PATIENCE));
        assert!(!killed.keep().unwrap(), "it was only slow, and hears of it");
        drop(killed);
        assert!(take(&mut waiting).is_none(), "who lost it does not give it back");
    }
}

//! Whose turn it is to write what is derived: one publisher does it for all that wait.
//!
//! Politeness, and nothing that anything relies on: what is written under a turn is written conditionally all the same,
//! so two that believe it is theirs do twice the work and no harm.

use std::hash::{BuildHasher as _, RandomState};

use crate::{Expected, Object, ObjectKey, Place, Replaced, Result, Tag};

/// Given back when dropped, or when others see for a while that its holder says nothing more.
pub trait Turn {
    /// Says that its holder is at work; to be called now and then. False when somebody has taken it over.
    fn keep(&mut self) -> Result<bool>;
}

/// What was seen by one who waits.
#[derive(Debug, Default)]
pub struct Waiting {
    seen: Option<Tag>,
    looks: u32,
}

/// How often the same word of a holder is read before it counts as dead: some seconds, more where a server is slow.
const PATIENCE: u32 = 25;

/// What the object says when it is nobody's turn. It is not deleted, which publishers need no right for.
const FREE: &[u8] = b"free\n";

/// Says whose turn it is.
const TURN: &str = "turn.txt";

/// By an object that its holder writes again and again, for places that know no locks.
pub struct ObjectTurn<'a> {
    to: &'a dyn Place,
    key: ObjectKey,
    /// A number that no other holder has.
    holder: u64,
    /// Another with each word, so that each is another state of the object.
    beat: u64,
}

impl<'a> ObjectTurn<'a> {
    /// See [`Place::try_turn`].
    pub fn take(to: &'a dyn Place, waiting: &mut Waiting) -> Result<Option<Self>> {
        by_object(to, TURN.parse().expect("a literal object key"), waiting)
    }
}

fn by_object<'a>(to: &'a dyn Place, key: ObjectKey, waiting: &mut Waiting) -> Result<Option<ObjectTurn<'a>>> {
    let expected = match to.get(&key)? {
        None => Expected::Absent,
        Some(object) if object.bytes == FREE => Expected::State(object.tag),
        Some(object) => {
            let same = waiting.seen.as_ref() == Some(&object.tag);
            waiting.looks = if same { waiting.looks + 1 } else { 1 };
            waiting.seen = Some(object.tag.clone());
            if waiting.looks < PATIENCE {
                return Ok(None);
            }
            Expected::State(object.tag)
        }
    };
    let holder = RandomState::new().hash_one(key.as_str());
    let turn = ObjectTurn { to, key, holder, beat: 0 };
    let won = to.replace(&turn.key, turn.text().as_bytes(), &expected)? == Replaced::Done;
    Ok(won.then_some(turn))
}

impl ObjectTurn<'_> {
    fn text(&self) -> String {
        format!("{:016x} {}\n", self.holder, self.beat)
    }

    /// What stands there, if it is this holder's word.
    fn own(&self) -> Result<Option<Object>> {
        let object = self.to.get(&self.key)?;
        Ok(object.filter(|object| object.bytes == self.text().as_bytes()))
    }
}

impl Turn for ObjectTurn<'_> {
    fn keep(&mut self) -> Result<bool> {
        let Some(object) = self.own()? else { return Ok(false) };
        self.beat += 1;
        let told = self.to.replace(&self.key, self.text().as_bytes(), &Expected::State(object.tag))?;
        Ok(told == Replaced::Done)
    }
}

impl Drop for ObjectTurn<'_> {
    /// If this fails, the next one waits until it counts as dead.
    fn drop(&mut self) {
        if let Ok(Some(object)) = self.own() {
            let _ = self.to.replace(&self.key, FREE, &Expected::State(object.tag));
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
        let take = |waiting: &mut Waiting| by_object(&to, key.clone(), waiting).unwrap();

        let mut waiting = Waiting::default();
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

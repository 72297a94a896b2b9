//! Looking after the store: what lies in it, whether it is still what it was, and what may go.
//!
//! Beside building, never part of it. Every removal is a rename into `tmp/` first, so a builder finds an entry whole
//! or not at all. `docs/store.md` has the rules for users.

mod entries;
mod info;
mod prune;
mod verify;

pub use entries::{Entry, entries};
pub use info::{Info, KindInfo, info};
pub use prune::{PruneRules, Pruned, RemovedEntry, prune};
pub use verify::{Damage, Verified, verify};

//! Maintenance of the store: what is in it, whether it is intact, and what may be removed.
//!
//! Never part of a build. Every removal is a rename into `tmp/` first, so a builder finds an entry whole
//! or not at all. `docs/store.md` has the rules for users.

mod entries;
mod info;
mod prune;
mod verify;

pub use entries::{Entry, entries};
pub use info::{Info, KindInfo, info};
pub use prune::{PruneRules, Pruned, RemovedEntry, prune};
pub use verify::{Damage, Verified, verify};

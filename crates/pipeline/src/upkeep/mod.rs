//! Maintenance of the store and of the remote store: what is in them, whether it is intact, and what may be removed.
//!
//! Never part of a build. Every removal is a rename into `tmp/` first, so a builder finds an entry whole
//! or not at all. `docs/store.md` has the rules for users.

mod entries;
mod info;
mod prune;
mod shared;
mod verify;

pub use entries::{StoreEntry, entries};
pub use info::{KindInfo, StoreSummary, info};
pub use prune::{PruneOutcome, PruneRules, RemovedEntry, prune};
pub use shared::{
    Amount, Pushed, Repair, SharedDamage, SharedPruned, SharedRemoval, SharedVerified, Upkeep, prune_shared, push,
    verify_shared,
};
pub use verify::{StoreDamage, VerifiedStore, verify};

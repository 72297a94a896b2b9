//! Maintenance of the store and of the remote store: what is in them, whether it is intact, and what may be removed.
//!
//! Never part of a build. Every removal is a rename into `tmp/` first, so a builder finds an entry whole
//! or not at all. `docs/store.md` has the rules for users.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use store_upkeep::{PruneRules, prune};
//!
//! // What nobody has used for ninety days would go; nothing does, for it is a dry run of an empty store.
//! let folder = std::env::temp_dir().join(format!("pydist-example-{}", std::process::id()));
//! let store = store::Store::open(folder.clone())?;
//! let rules = PruneRules {
//!     older_than: Some(Duration::from_secs(90 * 24 * 3600)),
//!     dry_run: true,
//!     ..PruneRules::default()
//! };
//! assert_eq!(prune(&store, &rules, SystemTime::now())?.freed, 0);
//! # std::fs::remove_dir_all(folder).unwrap();
//! # Ok::<_, store::StoreError>(())
//! ```

mod entries;
mod info;
mod prune;
mod shared;
mod verify;

pub use entries::{StoreEntry, entries};
pub use info::{KindInfo, StoreSummary, info};
pub use prune::{PruneOutcome, PruneRules, RemovedEntry, prune};
pub use shared::{
    Amount, GRACE, Pushed, Repair, SharedDamage, SharedPruned, SharedRemoval, SharedVerified, Upkeep, prune_shared,
    push, verify_shared,
};
pub use verify::{StoreDamage, VerifiedStore, verify};

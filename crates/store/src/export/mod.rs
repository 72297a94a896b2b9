//! An export: a remote store in a folder that is known to be whole, for machines without a network.
//!
//! Its objects lie where [`remote`](crate::remote) puts and looks for them. Beside them stands the manifest, which says
//! for which runtimes, platforms and hosts the folder serves and which objects these take ([`ExportManifest`]), and
//! `SHA256SUMS`. [`Growing`] adds to an export, [`Import`] reads one; both take nothing for granted that lies in the
//! folder: an object counts if it has the size and the digest that the manifest, or its own name, gives it.

mod export_place;
mod fault;
mod folder_lock;
mod format_1;
mod growing;
mod import;
mod made_with;
mod manifest;

pub use fault::{ExportError, ExportErrorKind};
pub use growing::{FinishedExport, Given, Growing};
pub use import::{Import, Wanted, refuse_as_remote_store};
pub use made_with::MadeWith;
pub use manifest::{
    EXPORT_FORMAT, ExportManifest, ExportedBuild, ExportedHost, ExportedObject, ExportedRuntime, MANIFEST, SUMS,
};

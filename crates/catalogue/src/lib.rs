//! Entries ↔ the catalogue: what has been published, which of it is offered, and how a reader finds it.
//!
//! The one idea: what publishers write is never changed, so any number of them can work at once. An [`ArtifactEntry`]
//! is written once for each published artifact; a [`Retraction`], [`Restoration`] or [`Promotion`] is another small
//! object about one entry. Everything that readers use is derived from these: [`Catalogue::derive`] gives the same
//! bytes for the same objects in whatever order they are read, so any publisher can write the catalogue again.
//!
//! ```
//! use catalogue::{Catalogue, Channel, BuildQuery};
//!
//! let catalogue = Catalogue::derive(&[], &[], &[]);
//! let again = Catalogue::read(catalogue.to_text().as_bytes())?;
//! assert_eq!(again, catalogue);
//!
//! let query = BuildQuery::new("3.12.10-atls".parse()?, "linux-x64".parse()?, Channel::Stable);
//! let missing = catalogue.look_up(&query).unwrap_err();
//! assert_eq!(missing.to_string(), "the catalogue has no runtime `3.12.10-atls`");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Other views of the same rows: [`downloads`] lists them for uv, [`site::site`] makes pages of them, an [`Edition`]
//! dates and counts them for signing. Nothing here reads a disk, a clock, a network or the environment.
//! `docs/formats/entry.md` and `docs/formats/catalogue.md` describe the formats.

// Words.
mod channel;
mod checked;
mod entry_id;
mod moment;
pub mod object_keys;

// What is published.
mod content;
mod entry;
mod notices;
mod settings;

// What is derived from it.
mod catalogue;
mod derive;
mod downloads;
mod edition;
mod look_up;

// As pages.
pub mod site;

// As text.
mod schema;
mod text;

pub use catalogue::{CATALOGUE_FORMAT, Catalogue, CatalogueRow, RetractedRow};
pub use channel::{Channel, ChannelError};
pub use checked::NativeVerdict;
pub use content::{CopiedFiles, InstalledPackage, PartSize, RuntimeContent};
pub use downloads::downloads;
pub use edition::{EDITION_FORMAT, Edition, SignedCatalogue};
pub use entry::{
    ArtifactEntry, ENTRY_FORMAT, EntryError, NpmPackage, PublishedArtifact, PublisherFacts, PythonRecord, Signatures,
    StoredObject,
};
pub use entry_id::{EntryId, EntryIdError};
pub use look_up::{BuildQuery, LookUpError, LookUpErrorKind};
pub use moment::{Moment, MomentError};
pub use notices::{NOTICE_FORMAT, Promotion, Restoration, Retraction};
pub use schema::{SchemaKind, schema};
pub use settings::{IndexSettings, SETTINGS_FORMAT, VALID_DAYS};
pub use text::ReadError;

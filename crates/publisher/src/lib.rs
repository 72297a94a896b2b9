//! Artifacts → a destination, and a catalogue of everything there.
//!
//! A destination is an [`objects::Place`]: a folder, or a bucket behind the S3 protocol. [`publish`] uploads
//! artifacts, their documents and one immutable entry for each; [`reindex`] derives the catalogue from all entries.
//! Objects go up before entries, entries before the index, so nothing ever points at a missing object.
//!
//! ```
//! use objects::FolderPlace;
//! use publisher::PublishConcern;
//!
//! # let folder = tempfile::tempdir()?;
//! let place = FolderPlace::new(folder.path().join("published"));
//! // A wrong address must not look like an empty destination.
//! assert!(publisher::expect_published(&place).is_err());
//! // Whatever speaks against publishing a runtime has an option of its own that allows it.
//! assert!(PublishConcern::ALL.iter().all(|concern| concern.option().starts_with("--")));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The crate `catalogue` defines entries and the catalogue. Nothing here prints or reads the clock.

// What goes along with an artifact.
mod envelope;
mod provenance;
mod sbom;
mod signature;

// What is done.
mod index;
pub mod platforma;
mod publish;
mod refusal;
mod signed_index;
mod upkeep;
mod withdrawal;

pub use envelope::{PAYLOAD_TYPE, opened, sealed};
pub use index::{WrittenEntries, index_artifacts, read_settings, reindex, write_settings};
pub use provenance::{PREDICATE_TYPE, ProvenanceBuilder, STATEMENT_TYPE, provenance};
pub use publish::{
    ExistingEntryPolicy, PublishCandidate, PublishError, PublishOptions, PublishOutcome, judge, publish, standing,
};
pub use refusal::{
    CommittedConfig, CommittedLock, CommittedRuntime, LockFault, PublishConcern, PublishRefusal, lock_rows, refusals,
};
pub use sbom::{purl, sbom};
pub use signature::{
    KeyPassword, SignatureError, Signer, new_key_pair, public_key_pem, verify_bytes, verify_plain, verify_signature,
};
pub use signed_index::IndexSigning;
pub use upkeep::{
    EntrySelection, Garbage, HeldSignatures, PublishedFault, VerifiedDestination, collect_garbage, expect_published,
    promote, rows, verify,
};
pub use withdrawal::{restore, retract};

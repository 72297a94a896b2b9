//! Trees ↔ archives: the artifact's format, and every rule of extraction, once.
//!
//! The one idea: an archive is a sequence of parts, and each part is compressed on its own, so that its bytes depend on
//! nothing but its entries and the options. Equal inputs therefore give equal bytes on every machine, a part can be
//! cached under the digest of its content ([`PartCache`]), and an update transfers only the parts that changed.
//! `docs/formats/artifact.md` describes the format, `docs/formats/manifest.md` the manifest beside it.
//!
//! In go [`TreeEntry`] lists grouped in [`PartSource`]s, out comes a file and its [`PackedArchive`] description;
//! [`extract`] is the way back. What [`extract`] would refuse is never packed: both directions judge names and links by
//! the same [`NameRules`]. Foreign archives are extracted into a staging folder and appear at their destination
//! complete or not at all.
//!
//! Four containers: `tar.zst`, `tar.gz`, `tar` and `zip`. Files can be taken from disk, from memory, or from inside
//! another zip ([`zip_members`], [`FileContent::Zipped`]): for a zip their compressed bytes are copied unchanged, for a
//! tar they are decompressed on the way.
//!
//! ```
//! use archive::{TreeEntry, ExtractOptions, NoCache, PackOptions, PartSource};
//!
//! let folder = tempfile::tempdir()?;
//! let archive = folder.path().join("greeting.tar.zst");
//! let part = PartSource::new("greetings", vec![TreeEntry::bytes("share/hello.txt".parse()?, *b"hello")]);
//! let packed = archive::pack(&archive, &[part], &PackOptions::default(), &NoCache)?;
//!
//! let options = ExtractOptions { expected: Some(packed.sha256), ..ExtractOptions::default() };
//! let extracted = archive::extract(&archive, &folder.path().join("tree"), &options)?;
//! assert_eq!((extracted.files, extracted.bytes), (1, 5));
//! assert_eq!(std::fs::read(folder.path().join("tree/share/hello.txt"))?, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here prints, reads the environment or asks the time.

// What is packed.
mod entry;
mod identity;
mod scan;

// Names, and entries together.
mod name_rules;
mod tree_record;

// Packing, from the inside out.
mod artifact_writer;
mod codec;
mod finished_part;
mod frames;
mod pack;
mod pack_error;
mod pack_options;
mod packed;
mod part_cache;
mod part_entries;
mod repack;
mod seek_table;
mod tar_header;
mod written_frame;

// Extracting, from the outside in.
mod copied_links;
mod destination_folder;
mod extract;
mod extract_error;
mod extract_options;
mod finish_stage;
mod judge;
mod source;
mod source_archive;
mod tar_names;
mod tar_stream;
mod writes;

// The manifest, and an archive against it.
mod manifest;
mod verify;

// Zips: what both ways share, writing, reading.
mod dos_time;
mod window;
mod zip_directory;
mod zip_header;
mod zip_local;
mod zip_member;

mod deflate;
mod zip_layout;
mod zip_links;
mod zip_output;
mod zip_pack;
mod zip_spool;

mod member_bytes;
mod zip_extract;
mod zip_members;

// What is in an archive.
mod listing;

// Shared by packing and extracting.
mod follower;
mod staged_names;
mod staging;
mod turnstile;

pub use entry::{EntryKind, FileContent, PartSource, TreeEntry};
pub use extract::extract;
pub use extract_error::{ExtractError, ExtractErrorKind};
pub use extract_options::{ExtractLimits, ExtractOptions, ExtractedTree, LinkHandling, TopFolder};
pub use identity::{EntryIdentity, identity_of};
pub use listing::{ListError, ListedEntry, ListedKind, ListingDepth, check, list};
pub use manifest::{ManifestError, StagedManifest, read_manifest, save_manifest, stage_manifest, write_manifest};
pub use member_bytes::member_bytes;
pub use name_rules::{EntryFault, NameRules};
pub use pack::{cache_parts, join_cached, pack, pack_beside};
pub use pack_error::{PackError, PackErrorKind};
pub use pack_options::{DEFAULT_MTIME, PackOptions};
pub use packed::{PackedArchive, PackedFile};
pub use part_cache::{NoCache, PART_FORMAT, PartCache, check_part, part_key};
pub use part_entries::{part_entries, tar_digest};
pub use repack::repack;
pub use scan::{ScanError, ScanErrorKind, scan};
pub use seek_table::{FrameSize, read_seek_table};
pub use source::format_of;
pub use source_archive::{SourceTree, extract_source};
pub use staged_names::sweep_artifacts;
pub use tar_names::tar_names;
pub use verify::{VerifyError, VerifyErrorKind, verify};
pub use zip_directory::ZipFault;
pub use zip_member::{MemberFault, ZipMember, ZipMethod};
pub use zip_members::{ZipError, ZipErrorKind, zip_members, zip_members_of};

/// What the crate `fetch` needs to assemble an artifact or a tree from parts that arrive one by one.
pub mod pieces {
    pub use crate::codec::end_parts;
    pub use crate::destination_folder::DestinationFolder;
    pub use crate::extract::{check_destination, extract_parts, settle, staging_beside};
    pub use crate::source::read_exact_at;
    pub use crate::staging::StagingFolder;
    pub use crate::tree_record::{NodeKind, TreeRecord};
    pub use crate::turnstile::thread_count;
    pub use crate::verify::check_places;
}

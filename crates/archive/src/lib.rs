//! Trees ↔ archives.
mod artifact_writer;
mod codec;
mod entry;
mod layout;
mod name_rules;
mod pack;
mod pack_error;
mod part_cache;
mod scan;
mod seek_table;
mod tar_header;
mod tree_record;
mod turnstile;

pub use entry::{Content, Entry, EntryKind, PartSource};
pub use name_rules::{EntryFault, NameRules};
pub use pack::{DEFAULT_MTIME, PackOptions, Packed, pack};
pub use pack_error::{PackError, PackErrorKind};
pub use part_cache::{NoCache, PART_FORMAT, PartCache, part_key};
pub use scan::{ScanError, ScanErrorKind, scan};
pub use seek_table::{FrameSize, read_seek_table};

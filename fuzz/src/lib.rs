//! What the targets share. Inputs stay small, and most of what an input spends is spent in `archive`.

mod arena;
mod tar_input;
mod zip_plan;

pub use arena::Arena;
pub use tar_input::{Wrapping, repair_checksums, with_seek_table};
pub use zip_plan::{ZipKind, ZipPlan, ZipRow};

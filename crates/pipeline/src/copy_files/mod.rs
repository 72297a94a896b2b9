//! `copyFiles`: files of the package folder that go into the prefix, after all distributions are installed.
//!
//! [`preview`] lists what would be copied and reads only the package folder; [`copy_files`] does it;
//! [`digest_of`] is its part of the build key. The rules, and why a target is always replaced
//! and never written through, are in `docs/checks.md`.
//!
//! Merging the configuration's lists and their order is left to `config-merger`: operations come here in the order
//! in which they act, a later one overwriting an earlier one.

mod error;
mod file_placer;
mod resolved_target;
mod source;

use std::path::{Path, PathBuf};

use config_merger::CopyTarget;
use rayon::prelude::*;
use vocab::{CopiedFile, Digest, TreeLayout, TreePath};

use store::Context;

pub use error::{CopyError, CopyErrorKind};
use resolved_target::ResolvedTarget;
use source::{SourceEntry, SourceKind, SourceLinks};

/// One entry of a `copyFiles` list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOperation {
    /// A file or a folder, below the package folder.
    pub from: TreePath,
    /// The content of a folder is merged into it, with or without a trailing slash. A file goes into it, under its
    /// own name, when it [is a folder](CopyTarget::is_folder); otherwise it is the file's new path.
    pub to: CopyTarget,
    /// Whether a missing source is only a note, not an error.
    pub optional: bool,
    /// Place of the entry in the configuration, for messages: a file and a JSON pointer.
    pub place: String,
}

/// What [`copy_files`] would do, in the order in which it would do it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyPreview {
    pub copies: Vec<PlannedCopy>,
    /// Indexes of optional operations without a source.
    pub absent: Vec<usize>,
}

/// One file or link to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCopy {
    /// Index of the operation that asks for it.
    pub operation: usize,
    /// On this machine's disk.
    pub source: PathBuf,
    /// Below the prefix.
    pub target: TreePath,
    pub kind: CopyKind,
}

/// What is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyKind {
    File {
        executable: bool,
    },
    /// A symbolic link, with its text, which leads to something inside the operation's source.
    Link {
        text: String,
    },
}

/// Reads the package folder and decides every copy; neither reads nor writes a prefix.
///
/// # Errors
/// Every fault of an operation's two paths, a missing source that is not optional, a link that leads out of its
/// source, something that is neither file, folder nor link.
pub fn preview(
    operations: &[CopyOperation],
    package_folder: &Path,
    layout: TreeLayout,
) -> Result<CopyPreview, CopyError> {
    let links = if layout.platform.is_windows() || cfg!(windows) { SourceLinks::Copied } else { SourceLinks::Kept };
    let mut result = CopyPreview::default();
    for (index, operation) in operations.iter().enumerate() {
        let failed = |kind| CopyError::new(operation, kind);
        let target = ResolvedTarget::new(operation, layout);
        let Some(entries) = source::list(operation, package_folder, links).map_err(failed)? else {
            result.absent.push(index);
            continue;
        };
        for entry in entries {
            let target = target.of(operation, &entry.path);
            let kind = planned_kind(&entry, &target, layout).map_err(failed)?;
            result.copies.push(PlannedCopy { operation: index, source: entry.source, target, kind });
        }
    }
    Ok(result)
}

/// A file that is a program by its first bytes becomes executable when it goes to the scripts folder: the bit is
/// easily lost where configurations are edited on Windows.
fn planned_kind(entry: &SourceEntry, target: &TreePath, layout: TreeLayout) -> Result<CopyKind, CopyErrorKind> {
    match &entry.kind {
        SourceKind::Link { text } => Ok(CopyKind::Link { text: text.clone() }),
        SourceKind::File { executable } => {
            let is_script = layout.is_among_programs(target);
            let executable = *executable || (is_script && source::looks_like_a_program(&entry.source)?);
            Ok(CopyKind::File { executable })
        }
    }
}

/// Copies into the prefix. The result has one row per path of the prefix, by path; the digest of a link is that of
/// its text.
///
/// Nothing is written through a symbolic link, and an existing file is unlinked and replaced, because its bytes may be
/// shared with the store. Missing optional sources are reported as notes.
///
/// # Errors
/// Those of [`preview`], which come before the first write; and a target that is a folder, lies below a file or
/// behind a link.
pub fn copy_files(
    context: &Context,
    operations: &[CopyOperation],
    package_folder: &Path,
    prefix: &Path,
    layout: TreeLayout,
) -> Result<Vec<CopiedFile>, CopyError> {
    let preview = preview(operations, package_folder, layout)?;
    for index in &preview.absent {
        let operation = &operations[*index];
        context.note(format!(
            "{}: `{}` does not exist and is optional, so it is not copied",
            operation.place, operation.from
        ));
    }
    let mut placer = file_placer::FilePlacer::new(prefix);
    for copy in &preview.copies {
        let failed = |kind| CopyError::new(&operations[copy.operation], kind);
        if context.is_cancelled() {
            return Err(failed(CopyErrorKind::Cancelled));
        }
        placer.place(copy).map_err(failed)?;
    }
    Ok(placer.finish())
}

/// Digest of everything that would be copied: both paths of each operation, and the path, content and executable
/// bit of each file below its source. The layout is not part of it.
///
/// # Errors
/// Those of [`preview`] that concern the source.
pub fn digest_of(operations: &[CopyOperation], package_folder: &Path) -> Result<Digest, CopyError> {
    let mut text = String::from("copyFiles 1\n");
    for operation in operations {
        let failed = |kind| CopyError::new(operation, kind);
        let entries = source::list(operation, package_folder, SourceLinks::Kept).map_err(failed)?;
        let rows: Vec<String> = entries
            .as_deref()
            .unwrap_or_default()
            .par_iter()
            .map(SourceEntry::digest_row)
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let header = serde_json::json!([operation.from.as_str(), operation.to, entries.is_some()]);
        text.push_str(&format!("{header}\n"));
        rows.iter().for_each(|row| text.push_str(row));
    }
    Ok(Digest::of(text))
}

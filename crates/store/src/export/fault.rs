//! Why an export cannot be read, trusted, or written.

use std::path::PathBuf;

use vocab::{Exit, Fault};

use super::manifest::{EXPORT_FORMAT, MANIFEST, SUMS};

/// What is wrong with an export. It is about the folder as a whole, so that all of it is said at once.
#[derive(Debug, thiserror::Error)]
#[error("the export `{}` cannot be used", dir.display())]
pub struct ExportError {
    pub dir: PathBuf,
    #[source]
    pub kind: ExportErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportErrorKind {
    #[error("it has no `{MANIFEST}`, so it is not an export, or writing it was interrupted")]
    Absent,
    #[error("it is an export, not a remote store; only `builder export --to` adds to it")]
    NotARemoteStore,
    /// The folder is not an export, and what it holds would be overwritten.
    #[error("it is not an export and holds {}, which an export would replace", quoted(names))]
    Foreign { names: Vec<&'static str> },
    #[error("cannot read `{name}`: {source}")]
    Read { name: String, source: std::io::Error },
    #[error("`{MANIFEST}` has format {found}; this pydist reads format {EXPORT_FORMAT}")]
    Newer { found: u64 },
    #[error("`{MANIFEST}` cannot be understood: {reason}")]
    Unreadable { reason: String },
    #[error("`{name}` cannot be used: {reason}")]
    NotAFile { name: String, reason: String },
    #[error("`{MANIFEST}` and `{SUMS}` do not agree: one of them was changed or cut")]
    Sums,
    /// What the manifest promises is not there, or is something else. One line for each object.
    #[error("{} of its files {} damaged or missing:\n{}", lines.len(), if lines.len() == 1 { "is" } else { "are" }, lines.join("\n"))]
    Damaged { lines: Vec<String>, command: String },
    /// It is sound and serves other runtimes. One line for each that it lacks.
    #[error("it does not serve this build:\n{}", lines.join("\n"))]
    Lacks {
        lines: Vec<String>,
        command: String,
        /// Whether something was exported with other settings.
        differs: bool,
    },
    #[error("cannot write `{name}`: {source}")]
    Write { name: String, source: std::io::Error },
    /// An object could not be written; the cause was reported by the place.
    #[error("{reason}")]
    Object { reason: String },
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl ExportError {
    /// The manifest itself cannot be trusted.
    pub(super) fn is_of_a_damaged_manifest(&self) -> bool {
        matches!(
            self.kind,
            ExportErrorKind::Unreadable { .. } | ExportErrorKind::Sums | ExportErrorKind::NotAFile { .. }
        )
    }
}

impl Fault for ExportError {
    fn code(&self) -> &'static str {
        match &self.kind {
            ExportErrorKind::Absent | ExportErrorKind::NotARemoteStore | ExportErrorKind::Read { .. } => {
                "E_EXPORT_READ"
            }
            ExportErrorKind::Foreign { .. } => "E_EXPORT_FOREIGN",
            ExportErrorKind::Newer { .. } => "E_EXPORT_FORMAT",
            ExportErrorKind::Unreadable { .. }
            | ExportErrorKind::Sums
            | ExportErrorKind::NotAFile { .. }
            | ExportErrorKind::Damaged { .. } => "E_EXPORT_DAMAGED",
            ExportErrorKind::Lacks { .. } => "E_EXPORT_LACKS",
            ExportErrorKind::Write { .. } | ExportErrorKind::Object { .. } => "E_EXPORT_WRITE",
        }
    }

    fn exit(&self) -> Exit {
        match &self.kind {
            ExportErrorKind::Absent
            | ExportErrorKind::NotARemoteStore
            | ExportErrorKind::Foreign { .. }
            | ExportErrorKind::Read { .. }
            | ExportErrorKind::Newer { .. } => Exit::Usage,
            ExportErrorKind::Unreadable { .. }
            | ExportErrorKind::Sums
            | ExportErrorKind::NotAFile { .. }
            | ExportErrorKind::Damaged { .. } => Exit::Trust,
            ExportErrorKind::Lacks { .. } | ExportErrorKind::Write { .. } | ExportErrorKind::Object { .. } => {
                Exit::Build
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let dir = self.dir.display();
        Some(match &self.kind {
            ExportErrorKind::Absent | ExportErrorKind::Read { .. } => {
                format!(
                    "check the path, or make the export where there is a network: `builder export VERSION --to {dir}`"
                )
            }
            ExportErrorKind::NotARemoteStore => format!("build from it with `--from {dir}`, or name another folder"),
            ExportErrorKind::Newer { .. } => "use the pydist that made the export, or a newer one".into(),
            ExportErrorKind::Unreadable { .. } | ExportErrorKind::Sums | ExportErrorKind::NotAFile { .. } => {
                "export again into the same folder: what is sound there stays".into()
            }
            ExportErrorKind::Damaged { command, .. } => {
                format!("export again into the same folder, which mends it: `{command}`")
            }
            ExportErrorKind::Foreign { .. } => "export into a folder of its own, which may be new or empty".into(),
            ExportErrorKind::Lacks { command, differs: false, .. } => {
                format!("where there is a network, run `{command}`")
            }
            ExportErrorKind::Lacks { command, .. } => {
                format!("build with what it was exported with, or export again with what is set here: `{command}`")
            }
            ExportErrorKind::Write { .. } | ExportErrorKind::Object { .. } => {
                "check the folder's permissions and the free space there, and export again: what has arrived stays"
                    .into()
            }
        })
    }
}

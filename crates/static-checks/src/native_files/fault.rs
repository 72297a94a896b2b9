//! What can be wrong with one native file.

use std::fmt;

use serde::{Deserialize, Serialize};
use vocab::{DistributionName, TreePath};

use super::symbol_version::SymbolVersion;

/// One fault of one native file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NativeFault {
    pub file: TreePath,
    /// Absent for files of the base interpreter and copied ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<DistributionName>,
    #[serde(flatten)]
    pub kind: NativeFaultKind,
}

/// What is wrong. Displayed as the predicate of a sentence whose subject is the file; whitelists match against that
/// text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum NativeFaultKind {
    /// `found` holds what it is for instead; empty when no platform key names it.
    #[error("is for {}, not for {expected}", if found.is_empty() { "another machine" } else { found.as_str() })]
    Architecture { expected: String, found: String },
    #[error("needs {library}, which is neither in the runtime nor provided by the system")]
    MissingLibrary { library: String },
    #[error("needs {library}, which is part of musl; only systems with glibc are supported")]
    OtherLibc { library: String },
    #[error("needs {symbols} {needed}, above the ceiling {ceiling}")]
    AboveCeiling { symbols: String, needed: SymbolVersion, ceiling: SymbolVersion },
    #[error("searches for libraries in `{entry}`, this runtime's path on the build machine")]
    BuildMachinePath { entry: String },
    #[error("searches for libraries in `{entry}`, outside the runtime")]
    SearchesOutside { entry: String },
    /// Mach-O: another place than where each Mac has its own libraries.
    #[error("needs {library}, a path that other machines lack")]
    AbsoluteLibrary { library: String },
    /// Mach-O: everything linked with it would look for it there.
    #[error("has the install name {name}, a path that other machines lack")]
    AbsoluteName { name: String },
    #[error("has no code signature; on Apple silicon, macOS kills programs that load it")]
    Unsigned,
    #[error("was changed after it was signed; on Apple silicon, macOS kills programs that load it")]
    StaleSignature,
    /// Python would take it for a module.
    #[error("is named like a module and is not a {system} binary")]
    NotABinary { system: String },
    /// A module without a file that this Python accepts.
    #[error("is for another Python (`{tag}`), and this module has no file for the runtime's Python")]
    OtherPython { tag: String },
    #[error("cannot be read: {reason}")]
    Damaged { reason: String },
}

impl fmt::Display for NativeFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.distribution {
            Some(name) => write!(formatter, "{name}: `{}` {}", self.file, self.kind),
            None => write!(formatter, "`{}` {}", self.file, self.kind),
        }
    }
}

impl NativeFaultKind {
    /// The part of the text that is the same on other machines, and that a failed import would also name, if any.
    pub(super) fn core(&self) -> String {
        match self {
            Self::MissingLibrary { library } | Self::AbsoluteLibrary { library } => library.clone(),
            Self::AboveCeiling { symbols, needed, .. } => format!("{symbols} {needed}"),
            Self::Damaged { .. } => "cannot be read".to_owned(),
            other => other.to_string(),
        }
    }
}

//! What the import check found, as plain data.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use static_checks::{DistributionException, Exceptions};
use vocab::{DistributionName, EmulatedImports, Exit, Fault, NativeSummary, NativeWarning, TreePath};

/// Rows are in the order of distributions, then modules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Modules that import.
    pub imported: u64,
    /// How many of them were remembered from an earlier check.
    pub cached: u64,
    /// Native files that are not modules, though they are named like one.
    pub not_modules: u64,
    pub allowed: Vec<AllowedFailure>,
    pub failures: Vec<ImportFailure>,
    /// Failures of modules that nothing imported needs.
    pub warnings: Vec<ImportFailure>,
    /// Faults of modules that do import.
    pub remarks: Vec<NativeWarning>,
    /// Wheels without a module to import.
    pub without_modules: Vec<DistributionName>,
    /// Distributions with at least one import and no failure.
    pub passed: BTreeSet<DistributionName>,
    /// Native files of the prefix that are loaded by what imports.
    pub loaded: BTreeSet<TreePath>,
    /// Top-level names that something tried to import, whether or not they are there, less those of the standard library.
    #[serde(skip)]
    pub asked: BTreeSet<String>,
    /// Whitelist entries for wheels of this runtime that were not needed.
    pub unused: Vec<UnusedEntry>,
    /// Source distributions beside wheels: nothing of them is installed, so nothing was checked.
    pub unchecked: Vec<String>,
    /// Whether unused entries are failures.
    pub strict: bool,
    /// Label of the emulator that ran the imports; absent for this machine itself.
    pub emulator: Option<String>,
    /// Modules that need no further look: imported, allowed to fail, or not modules at all.
    #[serde(skip)]
    pub settled: BTreeSet<String>,
}

/// A failure that the whitelist lets pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllowedFailure {
    pub distribution: DistributionName,
    pub module: String,
    pub error: String,
    pub reason: Option<String>,
    /// What the emulator lacks, if that is the cause.
    pub gap: Option<String>,
    /// True if the builder's own list allows it although something needs it, so no repository has decided it.
    pub is_accepted: bool,
}

impl AllowedFailure {
    /// How it fails, in one line.
    pub fn what(&self) -> String {
        format!("{}: {}", ImportFailureKind::Error, last_line(&self.error))
    }
}

/// One module that does not import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportFailure {
    pub distribution: DistributionName,
    pub wheel: String,
    /// Empty when the whole distribution could not be checked.
    pub module: String,
    #[serde(flatten)]
    pub kind: ImportFailureKind,
    /// The error's own text; may have several lines.
    pub error: String,
    /// A module that tries to import it and works without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried_by: Option<String>,
}

/// Why it does not import. Displayed as the predicate of a sentence whose subject is the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "failure", rename_all = "kebab-case")]
pub enum ImportFailureKind {
    #[error("does not import")]
    Error,
    /// `name` is a module that nothing in the runtime brings.
    #[error("missing dependency: {name}")]
    MissingDependency { name: String },
    /// The fault is the emulator's, not the runtime's.
    #[error("cannot be imported in the emulator, which lacks it: {gap}")]
    EmulatorGap { gap: String },
    #[error("crashes while it is imported")]
    Crash,
    #[error("takes too long to import")]
    TimedOut,
    #[error("is available only as source, so nothing of it is installed")]
    SourceOnly,
    #[error("its whitelist entry expired on {date}")]
    Expired { date: String },
}

/// A whitelist entry for a wheel of this runtime that no failure needed. Shipped entries never count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnusedEntry {
    /// The wheel file name or glob, as the whitelist has it.
    pub wheel: String,
    pub module: String,
}

impl ImportReport {
    /// # Errors
    /// When there are failures, or, in strict mode, unused whitelist entries.
    pub fn verdict(&self) -> Result<(), ImportFailures> {
        let unused = if self.strict { self.unused.clone() } else { Vec::new() };
        if self.failures.is_empty() && unused.is_empty() {
            return Ok(());
        }
        Err(ImportFailures { failures: self.failures.clone(), unused, exceptions: self.exceptions() })
    }

    /// Writes the counts of the import check into the static check's summary.
    pub fn add_to(&self, summary: &mut NativeSummary) {
        summary.imported = self.imported;
        summary.allowed = self.allowed.len() as u64;
        summary.emulated = self.emulator.clone().map(|by| EmulatedImports { by, gaps: self.gaps() });
    }

    /// Imports that the whitelist lets fail for what the emulator lacks.
    pub fn gaps(&self) -> u64 {
        self.allowed.iter().filter(|allowed| allowed.gap.is_some()).count() as u64
    }

    /// Whitelist entries for all failures.
    fn exceptions(&self) -> Exceptions {
        let exceptions =
            self.failures.iter().filter(|failure| !failure.module.is_empty()).map(|failure| DistributionException {
                distribution: failure.distribution.clone(),
                key: failure.module.clone(),
                error: failure.gap().map_or_else(|| core_of(&failure.error), str::to_owned),
                // A module that does not import natively either needs an entry without this; the user has to decide.
                emulated: self.emulator.is_some(),
            });
        exceptions.collect::<Vec<_>>().into()
    }
}

/// The last line, 100 characters at most: the part that is the same on other machines. Without the exception's type
/// where the rest says enough by itself: the `0` of `SystemExit: 0` is in many errors.
fn core_of(error: &str) -> String {
    let line = last_line(error);
    let is_type = |word: &str| word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let text = match line.split_once(": ") {
        Some((word, rest)) if is_type(word) && is_specific(rest) => rest,
        _ => line,
    };
    text.trim().chars().take(100).collect()
}

fn is_specific(text: &str) -> bool {
    text.chars().filter(|character| character.is_alphabetic()).count() >= 8
}

fn last_line(error: &str) -> &str {
    error.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default()
}

impl ImportFailure {
    /// What the emulator lacks, if that is the cause.
    pub fn gap(&self) -> Option<&str> {
        match &self.kind {
            ImportFailureKind::EmulatorGap { gap } => Some(gap),
            _ => None,
        }
    }

    /// How it fails and why, in one line, without its name.
    pub fn what(&self) -> String {
        let what = match last_line(&self.error) {
            "" => self.kind.to_string(),
            _ if self.gap().is_some() => self.kind.to_string(),
            line => format!("{}: {line}", self.kind),
        };
        let tried = self.tried_by.iter().map(|who| format!(" (`{who}` tries to import it and works without it)"));
        tried.fold(what, |what, tried| what + &tried)
    }
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.module.as_str() {
            "" => write!(formatter, "{}: {} {}", self.distribution, self.wheel, self.what()),
            module => write!(formatter, "{}: `{module}` {}", self.distribution, self.what()),
        }
    }
}

/// Native modules of the runtime do not import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFailures {
    pub failures: Vec<ImportFailure>,
    /// Only in strict mode.
    pub unused: Vec<UnusedEntry>,
    /// Whitelist entries that would let the failures pass.
    pub exceptions: Exceptions,
}

impl ImportFailures {
    /// The same failures with other entries to paste.
    pub fn with(self, exceptions: Exceptions) -> Self {
        Self { exceptions, ..self }
    }
}

impl std::error::Error for ImportFailures {}

impl fmt::Display for ImportFailures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.failures.len() + self.unused.len();
        write!(formatter, "{count} failure{} in the import check", if count == 1 { "" } else { "s" })?;
        for failure in &self.failures {
            write!(formatter, "\n  {failure}")?;
        }
        for entry in &self.unused {
            write!(formatter, "\n  the whitelist entry `{}` → `{}` is not needed", entry.wheel, entry.module)?;
        }
        Ok(())
    }
}

impl Fault for ImportFailures {
    fn code(&self) -> &'static str {
        "E_IMPORTS"
    }

    fn exit(&self) -> Exit {
        Exit::Check
    }

    fn hint(&self) -> Option<String> {
        if self.failures.is_empty() {
            return Some("remove the entries from `checker/whitelists/<platform>.json`".to_owned());
        }
        self.exceptions.advice().or_else(|| Some("build a wheel of it, or pin a version that has one".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snippet_keeps_what_is_the_same_on_other_machines() {
        let cases = [
            (
                "ImportError: libtbb.so.12: cannot open shared object file",
                "libtbb.so.12: cannot open shared object file",
            ),
            ("numba.core.errors.Unsupported: no\n\n", "numba.core.errors.Unsupported: no"),
            ("SystemExit: 0", "SystemExit: 0"),
            ("KeyError: 'HOME'", "KeyError: 'HOME'"),
            ("ImportError: libz.so.1: no", "libz.so.1: no"),
            ("first line\nRuntimeError: CUDA driver version is insufficient", "CUDA driver version is insufficient"),
            ("killed by SIGSEGV before the import was done", "killed by SIGSEGV before the import was done"),
            ("SystemExit: ", "SystemExit:"),
        ];
        for (error, core) in cases {
            assert_eq!(core_of(error), core, "for {error:?}");
        }
        assert_eq!(core_of(&format!("ImportError: {}", "é".repeat(300))).chars().count(), 100);
    }
}

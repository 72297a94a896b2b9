//! What the static check found, as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use vocab::{DistributionName, Exit, Fault, NativeFiles, NativeSummary, TreeLayout, TreePath};

use super::needs::Needs;
use super::symbol_version::SymbolVersion;
use crate::checks::whitelist::Whitelist;

/// Rows are sorted by path, so two reports can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeReport {
    pub whole: Looked,
    /// Those that have native files.
    pub distributions: BTreeMap<DistributionName, Looked>,
    /// What belongs to no distribution: the base interpreter and copied files.
    pub base: Looked,
    pub faults: Vec<NativeFault>,
    /// Does not make the runtime unusable, or was excused by the policy.
    pub warnings: Vec<NativeFault>,
    /// Faults that a whitelist entry allows.
    pub allowed: Vec<NativeFault>,
    /// Binaries of other systems, and launchers for other machines inside an installer: data, not code, here.
    pub foreign: u64,
}

/// A number of native files, and the highest versions that any of them needs of its system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    pub files: u64,
    pub needs: Needs,
}

impl Looked {
    pub(super) fn add(&mut self, needs: &Needs) {
        self.files += 1;
        self.needs.raise_to(needs);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NativeFault {
    pub file: TreePath,
    /// Absent for files of the base interpreter and copied ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<DistributionName>,
    #[serde(flatten)]
    pub kind: NativeFaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum NativeFaultKind {
    /// `found` holds what it is for instead; empty when no platform key names it.
    #[error("is for {}, not for {expected}", if found.is_empty() { "another machine" } else { found.as_str() })]
    Architecture { expected: String, found: String },
    #[error("needs {library}, which is nowhere")]
    MissingLibrary { library: String },
    #[error("needs {symbols} {needed}, above the ceiling {ceiling}")]
    AboveCeiling { symbols: String, needed: SymbolVersion, ceiling: SymbolVersion },
    #[error("searches libraries in `{entry}`, which is this runtime's place on the building machine")]
    BuildMachinePath { entry: String },
    #[error("searches libraries in `{entry}`, outside the runtime")]
    SearchesOutside { entry: String },
    /// Mach-O: another place than where each Mac has its own libraries.
    #[error("needs {library}, a place that other machines lack")]
    AbsoluteLibrary { library: String },
    /// Mach-O: whatever is linked with it would look for it there.
    #[error("has the name {name}, a place that other machines lack")]
    AbsoluteName { name: String },
    #[error("has no code signature, and macOS kills what runs such code on Apple's processors")]
    Unsigned,
    #[error("was changed after it was signed, and macOS kills what runs such code on Apple's processors")]
    StaleSignature,
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

impl NativeReport {
    /// Moves faults that the whitelist expects to `allowed`. The same entries cover the imports that fail for the same
    /// reason. `wheel_of` gives the file name of a distribution's wheel.
    pub fn allow(
        &mut self,
        whitelist: &Whitelist,
        layout: TreeLayout,
        wheel_of: &dyn Fn(&DistributionName) -> Option<String>,
    ) {
        let expected = |fault: &NativeFault| {
            let wheel = fault.distribution.as_ref().and_then(wheel_of);
            wheel.is_some_and(|wheel| whitelist.allows_fault(&wheel, fault, layout))
        };
        let (allowed, faults) = std::mem::take(&mut self.faults).into_iter().partition(expected);
        self.faults = faults;
        self.allowed.extend::<Vec<_>>(allowed);
    }

    /// # Errors
    /// When there are faults.
    pub fn verdict(&self) -> Result<(), NativeFaults> {
        if self.faults.is_empty() { Ok(()) } else { Err(NativeFaults { faults: self.faults.clone() }) }
    }

    /// For the distribution's row of the manifest. `None` for pure Python.
    pub fn files_of(&self, name: &DistributionName) -> Option<NativeFiles> {
        let looked = self.distributions.get(name)?;
        Some(NativeFiles { files: looked.files, needs: looked.needs.texts() })
    }

    /// The static part of the manifest's summary; imports are counted elsewhere.
    pub fn summary(&self) -> NativeSummary {
        NativeSummary { files: self.whole.files, needs: self.whole.needs.texts(), ..NativeSummary::default() }
    }
}

/// The runtime would not work on every machine it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeFaults {
    /// Never empty.
    pub faults: Vec<NativeFault>,
}

impl std::error::Error for NativeFaults {}

impl fmt::Display for NativeFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        write!(formatter, "{count} fault{} in native files", if count == 1 { "" } else { "s" })?;
        for fault in self.faults.iter().take(20) {
            write!(formatter, "\n  {fault}")?;
        }
        if count > 20 {
            write!(formatter, "\n  and {} more", count - 20)?;
        }
        Ok(())
    }
}

impl NativeFaults {
    fn any(&self, wanted: fn(&NativeFaultKind) -> bool) -> bool {
        self.faults.iter().any(|fault| wanted(&fault.kind))
    }

    fn lacks_a_library(&self) -> bool {
        self.any(|kind| matches!(kind, NativeFaultKind::MissingLibrary { .. }))
    }
}

impl Fault for NativeFaults {
    fn code(&self) -> &'static str {
        "E_NATIVE_FILES"
    }

    /// A library that is nowhere means that the prefix was put together wrongly.
    fn exit(&self) -> Exit {
        if self.lacks_a_library() { Exit::Build } else { Exit::Check }
    }

    fn hint(&self) -> Option<String> {
        let hint = if self.lacks_a_library() {
            "add the distribution that brings the library, copy it into the runtime with `copyFiles`, or, when the \
             file is never loaded, list it in `checker/whitelists/<platform>.json` with its reason"
        } else if self.any(|kind| matches!(kind, NativeFaultKind::AboveCeiling { .. })) {
            "pin a version that has a wheel for older systems, or raise the ceiling of the platform"
        } else if self.any(|kind| matches!(kind, NativeFaultKind::Architecture { .. })) {
            "the wheel does not keep what its tags promise; pin another version of it"
        } else if self
            .any(|kind| matches!(kind, NativeFaultKind::AbsoluteLibrary { .. } | NativeFaultKind::AbsoluteName { .. }))
        {
            "a wheel that was repaired with `delocate` has no such places; pin another version, or have it built here \
             (`buildWheel`)"
        } else if self.any(|kind| matches!(kind, NativeFaultKind::Unsigned | NativeFaultKind::StaleSignature)) {
            "sign it where it is made, `codesign --force --sign - FILE`; the wheel's maker should know"
        } else {
            return None;
        };
        Some(hint.to_owned())
    }
}

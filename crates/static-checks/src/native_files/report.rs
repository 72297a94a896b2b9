//! What the static check found, as plain data.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use vocab::{DistributionName, Exit, Fault, NativeFiles, NativeSummary, TreeLayout, TreePath};

use super::fault::{NativeFault, NativeFaultKind};
use super::needs::SystemNeeds;
use super::reach::{self, NativeFile, NativeRole, ReachEvidence};
use crate::exceptions::{DistributionException, Exceptions};
use crate::module_name::{is_test_helper, module_name_of};
use crate::system_libraries::windows;
use crate::whitelist::Whitelist;

/// Rows are sorted by path, so two reports can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeReport {
    pub whole: NeedsSummary,
    /// Those that have native files.
    pub distributions: BTreeMap<DistributionName, NeedsSummary>,
    /// Files that belong to no distribution: the base interpreter and copied files.
    pub base: NeedsSummary,
    pub faults: Vec<NativeFault>,
    /// Faults that do not make the runtime unusable, or that the policy excuses.
    pub warnings: Vec<NativeFault>,
    /// Faults of files that nothing needs; [`NativeReport::weigh`] moves them here.
    pub unneeded: Vec<NativeFault>,
    /// Faults that a whitelist entry allows.
    pub allowed: Vec<NativeFault>,
    /// Faults among `allowed` that only the builder's own list allows, so no repository has decided them.
    #[serde(default)]
    pub accepted: Vec<AcceptedFault>,
    /// Warnings that a whitelist entry allows. Their files are loaded all the same, so their needs count.
    #[serde(default)]
    pub allowed_warnings: Vec<NativeFault>,
    /// Files that need anything of the system.
    pub asking: Vec<FileNeeds>,
    /// Binaries of other systems, and launchers for other machines inside an installer: data, not code, here.
    pub foreign: u64,
    /// What the loader of this platform may be given, sorted by path.
    pub files: Vec<NativeFile>,
}

/// A number of native files, and the highest versions that any of them needs of its system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedsSummary {
    pub files: u64,
    pub needs: SystemNeeds,
}

/// A file and what it needs of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileNeeds {
    pub file: TreePath,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<DistributionName>,
    pub needs: SystemNeeds,
}

impl NeedsSummary {
    pub(super) fn add(&mut self, needs: &SystemNeeds) {
        self.files += 1;
        self.needs.raise_to(needs);
    }
}

/// A known fault of a widely used distribution, and why no runtime can change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedFault {
    pub fault: NativeFault,
    pub reason: String,
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
        let (allowed, faults): (Vec<_>, _) = std::mem::take(&mut self.faults).into_iter().partition(expected);
        self.faults = faults;
        let (expected_warnings, warnings): (Vec<_>, _) =
            std::mem::take(&mut self.warnings).into_iter().partition(expected);
        self.warnings = warnings;
        self.allowed_warnings.extend(expected_warnings);
        let accepted = |fault: &NativeFault| {
            let entry = whitelist.entry_for(&wheel_of(fault.distribution.as_ref()?)?, fault, layout)?;
            let reason = entry.expected.reason.clone().unwrap_or_default();
            entry.is_shipped.then(|| AcceptedFault { fault: fault.clone(), reason })
        };
        self.accepted.extend(allowed.iter().filter_map(accepted));
        self.allowed.extend(allowed);
        // Most distributions have no entry, and most files are theirs.
        let has_entries =
            |name: &&DistributionName| wheel_of(name).is_some_and(|wheel| whitelist.entries(&wheel).next().is_some());
        let excusable: BTreeSet<DistributionName> = self.distributions.keys().filter(has_entries).cloned().collect();
        if excusable.is_empty() {
            return;
        }
        for asking in &mut self.asking {
            let FileNeeds { file, distribution, needs } = asking;
            if distribution.as_ref().is_some_and(|name| excusable.contains(name)) {
                needs.retain_libraries(|library| {
                    let kind = NativeFaultKind::MissingLibrary { library: library.to_owned() };
                    !expected(&NativeFault { file: file.clone(), distribution: distribution.clone(), kind })
                });
            }
        }
        self.count_needs();
    }

    /// Recomputes the needs without files that have a fault: each is allowed or never loaded, or fails the build.
    fn count_needs(&mut self) {
        let faults = self.faults.iter().chain(&self.allowed).chain(&self.unneeded);
        let at_fault: BTreeSet<&TreePath> = faults.map(|fault| &fault.file).collect();
        let (mut whole, mut base) = (SystemNeeds::default(), SystemNeeds::default());
        let mut own: BTreeMap<&DistributionName, SystemNeeds> = BTreeMap::new();
        for asking in self.asking.iter().filter(|asking| !at_fault.contains(&asking.file)) {
            whole.raise_to(&asking.needs);
            asking.distribution.as_ref().map_or(&mut base, |name| own.entry(name).or_default()).raise_to(&asking.needs);
        }
        for (name, looked) in &mut self.distributions {
            looked.needs = own.remove(name).unwrap_or_default();
        }
        (self.whole.needs, self.base.needs) = (whole, base);
    }

    /// The allowed faults of libraries, once for each module that is loaded with one: its import fails for that fault.
    pub fn allowed_behind_modules(&self) -> Vec<NativeFault> {
        let of_module = |fault: &NativeFault| {
            let place = self.files.binary_search_by(|file| file.path.cmp(&fault.file));
            let users = place.map(|index| reach::users(&self.files, index)).unwrap_or_default();
            let modules = users.into_iter().filter(|file| file.role == NativeRole::Module && file.path != fault.file);
            let told = |module: &NativeFile| NativeFault {
                file: module.path.clone(),
                distribution: module.distribution.clone(),
                kind: fault.kind.clone(),
            };
            modules.map(told).collect::<Vec<_>>()
        };
        self.allowed.iter().flat_map(of_module).collect()
    }

    /// Turns all warnings into faults.
    pub fn refuse_warnings(&mut self) {
        self.faults.append(&mut self.warnings);
        self.faults.sort();
    }

    /// Turns into faults what only the builder's own list accepts in files that something needs.
    pub fn refuse_accepted(&mut self, evidence: &ReachEvidence<'_>) {
        if self.accepted.is_empty() {
            return;
        }
        let is_needed = needs(&self.files, evidence);
        let accepted = std::mem::take(&mut self.accepted).into_iter().map(|accepted| accepted.fault);
        self.faults.extend(accepted.filter(&is_needed));
        self.faults.sort();
    }

    /// Moves faults of files that nothing needs to `unneeded`, and drops them from `accepted`.
    pub fn weigh(&mut self, evidence: &ReachEvidence<'_>) {
        if self.faults.is_empty() && self.accepted.is_empty() {
            return;
        }
        let is_needed = needs(&self.files, evidence);
        let (faults, unneeded) = std::mem::take(&mut self.faults).into_iter().partition(&is_needed);
        self.accepted.retain(|accepted| is_needed(&accepted.fault));
        self.faults = faults;
        self.unneeded.extend::<Vec<_>>(unneeded);
        drop(is_needed);
        self.count_needs();
    }

    /// Files that are named like extension modules but, by their content, are not.
    pub fn libraries_named_like_modules(&self, layout: TreeLayout) -> BTreeSet<TreePath> {
        let is_one = |file: &&NativeFile| {
            let module = module_name_of(&file.path, layout);
            file.role != NativeRole::Module && module.is_some_and(|module| !is_test_helper(&module))
        };
        self.files.iter().filter(is_one).map(|file| file.path.clone()).collect()
    }

    /// # Errors
    /// When there are faults.
    pub fn verdict(&self) -> Result<(), NativeFaults> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(NativeFaults { faults: self.faults.clone(), exceptions: Exceptions::default() })
    }

    /// Whitelist entries for all faults, as [`NativeReport::allow`] understands them: one for all files of a
    /// distribution that have the same fault.
    pub fn exceptions(&self, layout: TreeLayout) -> Exceptions {
        let exception = |group: &FaultGroup<'_>| {
            Some(DistributionException {
                distribution: group.first.distribution.clone()?,
                key: group.key(layout),
                error: group.first.kind.core(),
                emulated: false,
            })
        };
        groups(&self.faults).iter().filter_map(exception).collect::<Vec<_>>().into()
    }

    /// The distribution's row of the manifest. `None` for pure Python.
    pub fn files_of(&self, name: &DistributionName) -> Option<NativeFiles> {
        let looked = self.distributions.get(name)?;
        Some(NativeFiles { files: looked.files, needs: looked.needs.texts() })
    }

    /// The static part of the manifest's summary; imports are counted elsewhere.
    pub fn summary(&self) -> NativeSummary {
        NativeSummary { files: self.whole.files, needs: self.whole.needs.texts(), ..NativeSummary::default() }
    }
}

/// Whether something needs the file of a fault.
fn needs<'a>(files: &'a [NativeFile], evidence: &'a ReachEvidence<'_>) -> impl Fn(&NativeFault) -> bool + 'a {
    let needed = reach::needed(files, evidence);
    move |fault| {
        // Wheels for any system have such files for the others.
        let is_portable = || fault.distribution.as_ref().is_some_and(evidence.is_portable);
        if matches!(fault.kind, NativeFaultKind::NotABinary { .. }) && is_portable() {
            return false;
        }
        let place = files.binary_search_by(|file| file.path.cmp(&fault.file));
        place.map_or(true, |index| needed[index])
    }
}

/// The runtime would not work on every machine it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeFaults {
    /// Never empty.
    pub faults: Vec<NativeFault>,
    /// Whitelist entries that would let the faults pass.
    pub exceptions: Exceptions,
}

impl std::error::Error for NativeFaults {}

impl fmt::Display for NativeFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        write!(formatter, "{count} fault{} in native files", if count == 1 { "" } else { "s" })?;
        let groups = groups(&self.faults);
        for group in groups.iter().take(20) {
            write!(formatter, "\n  {group}")?;
        }
        if groups.len() > 20 {
            write!(formatter, "\n  and {} more", groups.len() - 20)?;
        }
        Ok(())
    }
}

/// Files of one distribution with the same fault.
struct FaultGroup<'a> {
    first: &'a NativeFault,
    others: Vec<&'a TreePath>,
}

/// In the order of the first fault of each.
fn groups(faults: &[NativeFault]) -> Vec<FaultGroup<'_>> {
    let mut groups: Vec<FaultGroup<'_>> = Vec::new();
    let mut places: BTreeMap<(&Option<DistributionName>, &NativeFaultKind), usize> = BTreeMap::new();
    for fault in faults {
        match places.entry((&fault.distribution, &fault.kind)) {
            Entry::Occupied(place) => groups[*place.get()].others.push(&fault.file),
            Entry::Vacant(place) => {
                place.insert(groups.len());
                groups.push(FaultGroup { first: fault, others: Vec::new() });
            }
        }
    }
    groups
}

impl FaultGroup<'_> {
    /// As a key of a whitelist: the module, the file, or the folder with all the files.
    fn key(&self, layout: TreeLayout) -> String {
        let first = &self.first.file;
        let start = format!("{}/", layout.site_packages());
        let below = first.as_str().strip_prefix(&start).unwrap_or(first.as_str());
        if self.others.is_empty() {
            // Only with a slash does a key name a file.
            let place = if below.contains('/') { below } else { first.as_str() };
            return module_name_of(first, layout).unwrap_or_else(|| place.to_owned());
        }
        let holds_all = |folder: &&str| {
            let inside = |file: &&TreePath| {
                let path = file.as_str().strip_prefix(&start).unwrap_or(file.as_str());
                path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
            };
            self.others.iter().all(inside)
        };
        let folder = below.rmatch_indices('/').map(|(end, _)| &below[..end]).find(holds_all);
        folder.map_or_else(|| "*/*".to_owned(), |folder| format!("{folder}/*"))
    }
}

impl fmt::Display for FaultGroup<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.first)?;
        match self.others.as_slice() {
            [] => Ok(()),
            [other] => write!(formatter, "; the same holds for `{other}`"),
            [other, rest @ ..] => write!(formatter, "; the same holds for `{other}` and {} more", rest.len()),
        }
    }
}

impl NativeFaults {
    /// The same faults with entries to paste.
    pub fn with(self, exceptions: Exceptions) -> Self {
        Self { exceptions, ..self }
    }

    fn any(&self, wanted: fn(&NativeFaultKind) -> bool) -> bool {
        self.faults.iter().any(|fault| wanted(&fault.kind))
    }

    fn lacks_a_library(&self) -> bool {
        self.any(|kind| matches!(kind, NativeFaultKind::MissingLibrary { .. }))
    }

    /// What helps against the first kind of faults; `None` when nothing is known.
    pub fn way_out(&self) -> Option<&'static str> {
        let is_of_msvc = |kind: &NativeFaultKind| match kind {
            NativeFaultKind::MissingLibrary { library } => windows::is_redistributable(library),
            _ => false,
        };
        let way = if self.any(is_of_msvc) {
            "add `msvc-runtime` to the dependencies: it brings Microsoft's libraries for programs, such as MSVCP140.dll"
        } else if self.lacks_a_library() {
            "add the distribution that brings the library, or copy it into the runtime with `copyFiles`"
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
        Some(way)
    }
}

impl Fault for NativeFaults {
    fn code(&self) -> &'static str {
        "E_NATIVE_FILES"
    }

    /// A missing library means that the prefix was assembled wrongly.
    fn exit(&self) -> Exit {
        if self.lacks_a_library() { Exit::Build } else { Exit::Check }
    }

    fn hint(&self) -> Option<String> {
        let parts: Vec<String> =
            self.way_out().map(str::to_owned).into_iter().chain(self.exceptions.advice()).collect();
        (!parts.is_empty()).then(|| parts.join("\n"))
    }
}

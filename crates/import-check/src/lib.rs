//! The import check: the prefix's own interpreter imports the native modules of a finished prefix.
//!
//! A prefix, its distributions and a whitelist go in ([`ImportCheck`]); a report comes out ([`ImportReport`]) that
//! says which modules import, which fail, and which failures the whitelist accepts. A build fails on
//! [`ImportReport::verdict`]; an error of [`check_imports`] means that the check itself could not run.
//!
//! It runs prefixes of this machine's platform, and others in an [`emulator`]. What it promises: it writes nothing
//! into the prefix, and imports see neither the user's settings nor their site-packages. A module that has been
//! imported once is remembered in the store under everything that its success depends on, and what it compiled is kept
//! there, so an unchanged runtime is checked almost for free.
//!
//! An emulator's own gaps are not the runtime's fault, so they are told apart by the text of the error:
//!
//! ```
//! use import_check::emulator::{EmulatorKind, gap_in};
//!
//! let said = "OSError: [Errno 38] Function not implemented";
//! assert!(gap_in(EmulatorKind::Qemu, said).is_some());
//! // Anything unknown counts as a fault of the runtime.
//! assert_eq!(gap_in(EmulatorKind::Qemu, "ImportError: libfoo.so.1: cannot open shared object file"), None);
//! ```

mod attempt;
pub mod emulator;
mod hooks;
mod judge;
mod kept;
mod memory;
mod module_names;
mod opened;
mod order;
mod report;
mod requirements;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::civil::Date;
use vocab::{Digest, DistributionName, Fault, NativeWarning, TreePath};

use crate::emulator::{Emulator, EmulatorError};
use process::ProcessError;
use static_checks::module_name_of;
use static_checks::native_files::NativeFault;
use static_checks::whitelist::Whitelist;
use store::Context;
use vocab::TreeLayout;

use kept::KeptFolders;
use order::ImportOrder;
use requirements::RequirementGraph;
use run::{FastWay, ImportResults, ModuleFiles};

pub use report::{AllowedFailure, ImportFailure, ImportFailureKind, ImportFailures, ImportReport, UnusedEntry};

/// What to check.
pub struct ImportCheck<'a> {
    pub prefix: &'a Path,
    pub layout: TreeLayout,
    pub distributions: &'a [CheckedDistribution],
    pub whitelist: &'a Whitelist,
    /// What is in the prefix and not checked: wheels by digest, with their files.
    pub beside: &'a [(Digest, Vec<TreePath>)],
    /// Native files that are named like modules but are not modules.
    pub libraries: &'a BTreeSet<TreePath>,
    /// Faults that the static check let pass; their whitelist entries count as needed. Empty if it did not run.
    pub allowed_files: &'a [NativeFault],
    /// Whether whitelist entries that are not needed are failures.
    pub strict_whitelist: bool,
    /// Digest of everything in the prefix besides the wheels: the base interpreter and copied files.
    pub python_identity: Digest,
    /// Runs the prefix's interpreter; `None` means this machine itself.
    pub emulator: Option<&'a Emulator>,
    /// The date that the expiry of whitelist entries is compared with.
    pub today: Date,
}

/// A distribution of the runtime, as the check needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedDistribution {
    pub name: DistributionName,
    /// The wheel's file name; the sdist's if there is no wheel.
    pub file: String,
    pub sha256: Digest,
    /// Files that its `RECORD` lists, below the prefix.
    pub files: Vec<TreePath>,
    /// What its metadata requires (PEP 508).
    pub requires: Vec<String>,
    /// True if the configuration names it, false if only another distribution requires it.
    pub requested: bool,
    /// Why a module that it needs may be missing: it is shipped on purpose though something that it requires is not.
    pub incomplete: Option<String>,
}

impl ImportCheck<'_> {
    fn owner_of(&self, file: &TreePath) -> Option<&CheckedDistribution> {
        self.distributions.iter().find(|distribution| distribution.files.contains(file))
    }
}

impl CheckedDistribution {
    fn is_wheel(&self) -> bool {
        self.file.ends_with(".whl")
    }
}

/// Time limit of one import, unless the configuration's limit for external steps is shorter; longer in an emulator.
const IMPORT_LIMIT: Duration = Duration::from_secs(120);

/// The check could not run to its end. Failed imports are not errors; they are in the report.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot check the imports of `{}`", prefix.display())]
#[fault(transparent = kind)]
pub struct ImportCheckError {
    pub prefix: PathBuf,
    #[source]
    pub kind: ImportCheckErrorKind,
}

/// Why the check stopped. `code` is the exit code or signal in words.
#[derive(Debug, thiserror::Error, Fault)]
pub enum ImportCheckErrorKind {
    #[error("its interpreter does not run")]
    #[fault(transparent)]
    Process(#[source] ProcessError),
    #[error("its interpreter ended with {code} before all imports were tried: {stderr}")]
    #[fault("E_IMPORT_CHECK", Check)]
    Driver { code: String, stderr: String },
    #[error("its interpreter does not start: `{file}` of {distribution} ends it ({code})")]
    #[fault("E_IMPORT_CHECK", Check)]
    Hook { distribution: DistributionName, file: TreePath, code: String },
    #[error("its emulator cannot be used")]
    #[fault(transparent)]
    Emulator(#[source] EmulatorError),
    #[error("cannot use `{}`", path.display())]
    #[fault("E_CHECK_DISK", Build)]
    Disk { path: PathBuf, source: io::Error },
}

/// Imports every module that is not remembered to import. Failed imports are in the report: see
/// [`ImportReport::verdict`].
///
/// # Errors
/// The interpreter cannot be run, or the store's folders cannot be used.
pub fn check_imports(context: &Context, check: &ImportCheck<'_>) -> Result<ImportReport, ImportCheckError> {
    let failed = |kind| ImportCheckError { prefix: check.prefix.to_owned(), kind };
    let wanted: BTreeMap<usize, BTreeSet<String>> = check
        .distributions
        .iter()
        .enumerate()
        .filter(|(_, distribution)| distribution.is_wheel())
        .map(|(index, distribution)| (index, modules_of(check, distribution)))
        .collect();
    let all: BTreeSet<&str> = wanted.values().flatten().map(String::as_str).collect();
    let requirements = RequirementGraph::of(check.distributions);
    let memory = memory::CheckMemory::of(context, check, &requirements);
    let known = memory.recall();
    let mut report = judge::judge(check, &wanted, &known.attempts, &known.loaded);
    // A remembered result counts only if today's whitelist accepts it.
    let mut unknown: Vec<&str> = all.into_iter().filter(|module| !report.settled.contains(*module)).collect();
    if unknown.is_empty() {
        report.cached = report.imported;
        report.asked = known.names_asked_for().cloned().collect();
        return Ok(report);
    }
    let cached = report.imported;
    let order = ImportOrder::of(&requirements, &wanted);
    order.sort(&mut unknown);
    let fast = FastWay { order, kept: KeptFolders::of(context, check, &requirements) };
    let files = module_files(check, &unknown);
    let before = stamps(check.prefix);
    let ImportResults { mut attempts, said } = run::import(context, check, &unknown, &files, &fast).map_err(failed)?;
    let settled = known.attempts.iter().filter(|(module, _)| report.settled.contains(*module));
    attempts.extend(settled.map(|(module, attempt)| (module.clone(), attempt.clone())));
    report = judge::judge(check, &wanted, &attempts, &known.loaded);
    report.cached = cached;
    let asked = attempts.values().flat_map(|attempt| &attempt.asked);
    report.asked = asked.chain(known.names_asked_for()).cloned().collect();
    let after = stamps(check.prefix);
    // A hook that writes into the prefix fails this build later, and the next one too, so it must be seen doing it.
    let broken_hooks = hooks::warnings(check, &said);
    if after == before && broken_hooks.is_empty() {
        memory.remember(&attempts, &report.settled, &known, &wanted);
    }
    report.remarks.extend(broken_hooks.into_iter().chain(changed_files(check, &before, &after)));
    Ok(report)
}

/// Size and time of each file, which show whether it was replaced.
type FileStamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

fn stamps(prefix: &Path) -> FileStamps {
    let files = walkdir::WalkDir::new(prefix).into_iter().flatten().filter(|entry| !entry.file_type().is_dir());
    let stamp = |entry: walkdir::DirEntry| {
        let metadata = entry.metadata().ok()?;
        Some((entry.into_path(), (metadata.len(), metadata.modified().ok())))
    };
    files.filter_map(stamp).collect()
}

/// New files are reported elsewhere: no installed component owns them.
fn changed_files(check: &ImportCheck<'_>, before: &FileStamps, after: &FileStamps) -> Vec<NativeWarning> {
    let changed = before.iter().filter(|(path, stamp)| after.get(*path) != Some(stamp));
    let warning = |(path, _): (&PathBuf, _)| {
        let file = TreePath::relative(path, check.prefix)?;
        let what = if after.contains_key(path) { "changed" } else { "removed" };
        Some(NativeWarning {
            distribution: check.owner_of(&file).map(|owner| owner.name.clone()),
            subject: file.to_string(),
            text: format!("was {what} by something that was imported; a runtime must work where it is read-only"),
        })
    };
    changed.filter_map(warning).collect()
}

fn modules_of(check: &ImportCheck<'_>, distribution: &CheckedDistribution) -> BTreeSet<String> {
    let files: Vec<&TreePath> = distribution.files.iter().filter(|file| !check.libraries.contains(*file)).collect();
    module_names::modules_of(check.prefix, check.layout, &files)
}

/// Files that each module may be imported from.
fn module_files<'a>(check: &ImportCheck<'_>, modules: &[&'a str]) -> ModuleFiles<'a> {
    let mut files: ModuleFiles<'a> = modules.iter().map(|module| (*module, BTreeSet::new())).collect();
    for file in check.distributions.iter().flat_map(|distribution| &distribution.files) {
        if let Some(own) = module_name_of(file, check.layout).and_then(|module| files.get_mut(module.as_str())) {
            own.insert(file.to_string());
        }
    }
    files
}

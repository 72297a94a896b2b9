//! The checks of a staged prefix, in order: requirements, paths of this machine and binaries, imports. What imports load
//! decides which faults of binaries count, so both are judged together, at the end.

mod environments;
mod failures;
mod imports;
mod static_files;
mod warnings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use vocab::{DistributionName, Fault, PlatformKey, PythonVersion};

use crate::assemble::AssembledPrefix;
use crate::consistency::{self, InstalledMember, UnmetRequirement};
use crate::gather::GatheredWheel;
use crate::parts::CheckFindings;
use crate::prepare::PreparedPlatform;
use import_check::ImportReport;
use import_check::emulator::Emulator;
use interpreter::BaseTree;
use static_checks::native_files::{ImportedFiles, NativeReport, ReachEvidence};
use static_checks::paths::LeakedPath;
use static_checks::{Exceptions, Whitelist};

use crate::steps::TimedSteps;
use store::Context;

pub use self::environments::CheckedSubject;
use self::failures::verdict;
use self::imports::verify_imports;
use self::static_files::verify_static;

/// What is checked, and how strictly.
struct Verification<'a> {
    pub prepared: &'a PreparedPlatform,
    pub tree: &'a BaseTree,
    pub gathered: &'a [GatheredWheel],
    /// Beside them, as sources: where they are used they are built.
    pub shipped: &'a BTreeSet<DistributionName>,
    pub assembled: &'a AssembledPrefix,
    pub staging: &'a Path,
    /// `checker/whitelists/<platform key>.json` of the repository.
    pub whitelist: &'a Whitelist,
    /// Folders of this machine that nothing in the prefix may name.
    pub machine: &'a [PathBuf],
    pub strict: bool,
    /// Runs the prefix's interpreter where this machine cannot.
    pub emulator: Option<&'a Emulator>,
    pub today: Date,
}

impl Verification<'_> {
    /// The file name of a distribution's wheel.
    fn wheel_of(&self, name: &DistributionName) -> Option<String> {
        let gathered = self.gathered.iter().find(|gathered| gathered.name == *name)?;
        Some(gathered.wheel.contents.file_name.to_string())
    }
}

/// What makes a prefix unusable, besides the faults of the two checks.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Check)]
pub enum VerifyError {
    #[error("the prefix names paths of this machine: {}", shown(leaks))]
    #[fault("E_LEAKED_PATH", hint("a runtime with such a path works only here; check how those files are made"))]
    Leaked { leaks: Vec<LeakedPath> },
    #[error("--strict: {}", told(unmet))]
    #[fault("E_UNMET_REQUIREMENT", hint("add the missing distribution, or build without --strict"))]
    Unmet { unmet: Vec<UnmetRequirement> },
    #[error("{name} {version} requires Python `{requires_python}`, and the runtime has {python}")]
    #[fault("E_REQUIRES_PYTHON", hint("{}", resolve::REQUIRES_PYTHON_HINT))]
    RequiresPython { name: DistributionName, version: String, requires_python: String, python: PythonVersion },
}

fn shown(leaks: &[LeakedPath]) -> String {
    let first: Vec<String> = leaks.iter().take(5).map(ToString::to_string).collect();
    let more = if leaks.len() > 5 { format!(" and {} more", leaks.len() - 5) } else { String::new() };
    format!("{}{more}", first.join("; "))
}

fn told(unmet: &[UnmetRequirement]) -> String {
    unmet.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

fn sentence(unmet: &UnmetRequirement) -> String {
    let UnmetRequirement { parent, requirement, installed, required } = unmet;
    match installed {
        None => format!("`{parent}` requires `{requirement}`, which is not in the runtime"),
        Some(version) => format!("`{parent}` requires `{requirement}`, and {required} {version} is in the runtime"),
    }
}

/// Whether there is an import check: the prefix can run here and has packages.
fn imports(it: &Verification<'_>) -> bool {
    runs_here(it.tree, it.emulator) && it.assembled.installed.is_some()
}

fn runs_here(tree: &BaseTree, emulator: Option<&Emulator>) -> bool {
    PlatformKey::host() == Some(tree.layout.platform) || emulator.is_some()
}

fn verify(context: &Context, it: &Verification<'_>, steps: &mut TimedSteps) -> Result<CheckFindings, Box<dyn Fault>> {
    let runs_imports = imports(it);
    let native = steps.run(context, "check paths and binaries", || {
        let report = verify_static(context, it)?;
        if runs_imports {
            return Ok(StaticProgress::Open(Box::new(report)));
        }
        conclude(context, it, report, None).map(StaticProgress::Judged)
    })?;
    match native {
        StaticProgress::Judged(findings) => Ok(findings),
        StaticProgress::Open(report) => steps.run(context, "check imports", || {
            let imports = verify_imports(context, it, &report)?;
            conclude(context, it, *report, Some(imports))
        }),
    }
}

/// How far the static check is.
enum StaticProgress {
    Judged(CheckFindings),
    /// Imports will tell what counts.
    Open(Box<NativeReport>),
}

/// What both checks have found, weighed: an error, or what the manifest will tell.
fn conclude(
    context: &Context,
    it: &Verification<'_>,
    mut native: NativeReport,
    imports: Option<ImportReport>,
) -> Result<CheckFindings, Box<dyn Fault>> {
    let layout = it.tree.layout;
    let wheel_of = |name: &DistributionName| it.wheel_of(name);
    let imported =
        imports.as_ref().map(|report| ImportedFiles { loaded: report.loaded.clone(), passed: report.passed.clone() });
    let is_portable = |name: &DistributionName| wheel_of(name).is_some_and(|wheel| wheel.ends_with("-any.whl"));
    let evidence = ReachEvidence { os: layout.platform.os(), imported: imported.as_ref(), is_portable: &is_portable };
    if it.strict {
        native.refuse_accepted(&evidence);
    } else {
        native.weigh(&evidence);
    }
    let unneeded = warnings::unneeded(&native, imports.as_ref(), layout, it.machine);
    let accepted = warnings::accepted_lines(&native, imports.as_ref(), layout, it.machine);
    for line in warnings::lines(&unneeded, imports.is_some()).into_iter().chain(accepted) {
        context.warn("W_NATIVE", line, Some(layout.platform.to_string()), None);
    }
    let remarks = warnings::remarks(imports.as_ref(), it.machine);
    for remark in &remarks {
        context.warn("W_IMPORT", warnings::line_of(remark), Some(layout.platform.to_string()), None);
    }
    let beside = |exceptions: Exceptions| exceptions.beside(it.whitelist, &wheel_of, it.today);
    let of_native = native.verdict().map_err(|faults| faults.with(beside(native.exceptions(layout))));
    let of_imports = imports.as_ref().map_or(Ok(()), ImportReport::verdict);
    let of_imports = of_imports.map_err(|failures| {
        let exceptions = beside(failures.exceptions.clone());
        failures.with(exceptions)
    });
    verdict(of_native, of_imports)?;
    let distributions =
        it.gathered.iter().filter_map(|it| Some((it.wheel.contents.sha256, native.files_of(&it.name)?))).collect();
    let mut summary = native.summary();
    summary.warnings = unneeded;
    summary.warnings.extend(warnings::others(&native));
    summary.warnings.extend(warnings::accepted(&native, imports.as_ref(), layout, it.machine));
    summary.warnings.extend(remarks);
    summary.warnings.sort();
    let mut asked = BTreeSet::new();
    if let Some(report) = imports {
        report.add_to(&mut summary);
        asked = report.asked;
    }
    Ok(CheckFindings { native: summary, distributions, environments: Vec::new(), asked })
}

/// A rule that leaves something out names what it breaks.
fn verify_requirements(context: &Context, it: &Verification<'_>) -> Result<(), Box<dyn Fault>> {
    verify_python(it.prepared, it.gathered)?;
    let members: Vec<InstalledMember<'_>> = it.gathered.iter().map(GatheredWheel::member).collect();
    let mut unmet = unmet_requirements(it.prepared, &members);
    unmet.retain(|unmet| !it.shipped.contains(&unmet.required));
    if it.strict && !unmet.is_empty() {
        return Err(VerifyError::Unmet { unmet }.into());
    }
    tell_unmet(context, it.prepared, &unmet);
    Ok(())
}

/// Whether the wheels are for this Python.
pub(crate) fn verify_python(prepared: &PreparedPlatform, gathered: &[GatheredWheel]) -> Result<(), VerifyError> {
    for gathered in gathered {
        let metadata = &gathered.wheel.contents.metadata;
        let python = prepared.request.target.python;
        if let Some(requires_python) = metadata.requires_python.as_ref().filter(|text| resolve::excludes(text, python))
        {
            let (name, version) = (gathered.name.clone(), metadata.version.clone());
            return Err(VerifyError::RequiresPython {
                name,
                version,
                requires_python: requires_python.clone(),
                python,
            });
        }
    }
    Ok(())
}

/// What all of these require and the runtime lacks.
pub(crate) fn unmet_requirements(
    prepared: &PreparedPlatform,
    members: &[InstalledMember<'_>],
) -> Vec<UnmetRequirement> {
    let request = &prepared.request;
    let left_out = prepared.rows.left_out.iter().map(|row| &row.name);
    let told = left_out.chain(request.excluded.keys()).cloned().collect();
    consistency::unmet(members, &request.no_deps, &request.target, &told)
}

/// Warns of it.
pub(crate) fn tell_unmet(context: &Context, prepared: &PreparedPlatform, unmet: &[UnmetRequirement]) {
    for unmet in unmet {
        let why = prepared.config.skip_reason(&unmet.required, prepared.request.target.platform);
        let why = why.map(|reason| format!(" (skipped: {reason})")).unwrap_or_default();
        context.warn("W_UNMET_REQUIREMENT", format!("{}{why}", sentence(unmet)), Some(unmet.parent.to_string()), None);
    }
}

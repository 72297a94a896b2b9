//! From attempts to a report: what counts as a failure, and what the whitelist says about it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::attempt::{AttemptEnd, ImportAttempt, PackageImport};
use super::module_names::is_stray;
use super::order::package_of;
use super::report::{AllowedFailure, ImportFailure, ImportFailureKind, ImportReport, UnusedEntry};
use super::{CheckedDistribution, ImportCheck, opened, requirements};
use crate::emulator::gap_in;
use static_checks::module_name_of;
use static_checks::native_files::NativeFault;
use static_checks::whitelist::WhitelistEntry;
use vocab::{DistributionName, NativeWarning, TreePath};

/// `wanted` are the modules by index of the distribution. One without an attempt is a failure. `known` are files that
/// imports have loaded besides those of the attempts.
pub(crate) fn judge(
    check: &ImportCheck<'_>,
    wanted: &BTreeMap<usize, BTreeSet<String>>,
    attempts: &BTreeMap<String, ImportAttempt>,
    known: &[BTreeSet<TreePath>],
) -> ImportReport {
    let mut report = ImportReport {
        strict: check.strict_whitelist,
        emulator: check.emulator.map(|emulator| emulator.label.clone()),
        ..ImportReport::default()
    };
    let (nothing, mut unused, mut expected) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    report.loaded =
        attempts.values().flat_map(ImportAttempt::loaded_files).chain(known.iter().flatten().cloned()).collect();
    for (index, distribution) in check.distributions.iter().enumerate() {
        let mut entries: Vec<WhitelistEntry<'_>> = check.whitelist.entries(&distribution.file).collect();
        entries.retain(|entry| check.emulator.is_some() || !entry.expected.emulated);
        let allowed = Vec::from_iter(
            check.allowed_files.iter().filter(|fault| fault.distribution.as_ref() == Some(&distribution.name)),
        );
        let is_used = |entry: &&WhitelistEntry<'_>| allowed.iter().any(|fault| entry.allows_fault(fault, check.layout));
        let mut used: BTreeSet<&str> = entries.iter().filter(is_used).map(|entry| entry.module).collect();
        let modules = wanted.get(&index).unwrap_or(&nothing);
        let (before, mut imported) = (report.failures.len() + report.allowed.len(), 0);
        for module in modules {
            match attempts.get(module) {
                Some(attempt) if attempt.is_fine() || is_loaded(check, distribution, module, &report.loaded) => {
                    report.imported += 1;
                    imported += 1;
                    report.settled.insert(module.clone());
                }
                Some(attempt) if attempt.is_no_module(module) => {
                    report.not_modules += 1;
                    report.settled.insert(module.clone());
                }
                attempt => {
                    let attempt = attempt.cloned().unwrap_or_else(ImportAttempt::lost);
                    let failure = failure_of(check, distribution, module, &attempt);
                    if let Some(why) = &distribution.incomplete
                        && matches!(failure.kind, ImportFailureKind::MissingDependency { .. })
                    {
                        // Not settled: it is tried again whenever it is checked, and reported again.
                        expected.insert(expected_failure(&failure, why));
                        continue;
                    }
                    let entry = entries.iter().find(|entry| {
                        names(check, distribution, entry, module) && explains(check, entry, &failure, &allowed)
                    });
                    used.extend(entry.map(|entry| entry.module));
                    let entry = entry.copied().or_else(|| entry_behind(check, &failure));
                    let is_optional = is_optional(check, distribution, module, modules, attempts)
                        || is_integration(check, distribution, &failure) && attempts.contains_key(module);
                    excuse(check, failure, entry.as_ref(), is_optional, &mut report);
                }
            }
        }
        if imported > 0 && report.failures.len() + report.allowed.len() == before {
            report.passed.insert(distribution.name.clone());
        }
        // Keys with a slash name files for the static check, which alone knows whether they are needed. An entry for
        // native runs may be needed there, though not in an emulator.
        let rest = entries.iter().filter(|entry| {
            let told_here = entry.expected.emulated == check.emulator.is_some();
            told_here && !used.contains(entry.module) && !entry.names_files() && !entry.is_shipped
        });
        unused.extend(rest.map(|entry| UnusedEntry { wheel: entry.wheel.to_owned(), module: entry.module.to_owned() }));
    }
    judge_sources(check, &mut report);
    report.remarks = opened::warnings(check, wanted, attempts);
    report.remarks.extend(bad_exits(check, wanted, attempts));
    report.remarks.extend(expected);
    let has_none = |(index, _): &(&usize, &BTreeSet<String>)| check.distributions[**index].name.clone();
    report.without_modules = wanted.iter().filter(|(_, modules)| modules.is_empty()).map(|it| has_none(&it)).collect();
    report.unused = unused.into_iter().collect();
    report
}

/// Whether an import that succeeded has loaded the module's file: it imports after others, as many of mypy's do.
fn is_loaded(
    check: &ImportCheck<'_>,
    distribution: &CheckedDistribution,
    module: &str,
    loaded: &BTreeSet<TreePath>,
) -> bool {
    let is_of_it = |file: &&TreePath| module_name_of(file, check.layout).as_deref() == Some(module);
    distribution.files.iter().filter(|file| loaded.contains(*file)).any(|file| is_of_it(&file))
}

/// Whether the entry is one for the module, or for a file that it is imported from.
fn names(
    check: &ImportCheck<'_>,
    distribution: &CheckedDistribution,
    entry: &WhitelistEntry<'_>,
    module: &str,
) -> bool {
    let is_its_file = |file: &&TreePath| module_name_of(file, check.layout).as_deref() == Some(module);
    entry.names_module(module)
        || (entry.names_files()
            && distribution.files.iter().filter(is_its_file).any(|file| entry.names_file(file, check.layout)))
}

/// Whether the entry's text is in the failure, also where it has the words of the check of native files for it.
fn explains(
    check: &ImportCheck<'_>,
    entry: &WhitelistEntry<'_>,
    failure: &ImportFailure,
    allowed: &[&NativeFault],
) -> bool {
    let fits = |text: &str| entry.expected.matches(text);
    let is_fault_of_file = |fault: &&NativeFault| {
        module_name_of(&fault.file, check.layout).as_ref() == Some(&failure.module)
            && fault.kind.is_told_by(&failure.error)
            && entry.expected.matches_fault(&fault.kind)
    };
    fits(&failure.error) || failure.gap().is_some_and(fits) || allowed.iter().copied().any(|it| is_fault_of_file(&it))
}

/// The entry for a library that the module is loaded with, when its fault is what the import fails for.
fn entry_behind<'a>(check: &'a ImportCheck<'_>, failure: &ImportFailure) -> Option<WhitelistEntry<'a>> {
    let is_why = |fault: &&NativeFault| {
        module_name_of(&fault.file, check.layout).as_ref() == Some(&failure.module)
            && fault.kind.is_told_by(&failure.error)
    };
    let same = |why: &'a NativeFault| check.allowed_files.iter().filter(|fault| fault.kind == why.kind);
    check.allowed_files.iter().filter(is_why).flat_map(same).find_map(|fault| {
        let owner = check.distributions.iter().find(|it| fault.distribution.as_ref() == Some(&it.name))?;
        check.whitelist.entry_for(&owner.file, fault, check.layout)
    })
}

/// Whether a failure says nothing about what the distribution is for. True for an extension module if its packages
/// import without it and the loader takes its file, or another one of the distribution: then nothing imported loads
/// it. True for a top-level package with a name that wheels bring by accident. True for a pure module in a folder that
/// is not a package, if others import; packages there count, unless they lack another module, which an extra may
/// bring.
fn is_optional(
    check: &ImportCheck<'_>,
    distribution: &CheckedDistribution,
    module: &str,
    modules: &BTreeSet<String>,
    attempts: &BTreeMap<String, ImportAttempt>,
) -> bool {
    let is_fine = |other: &String| attempts.get(other).is_some_and(ImportAttempt::is_fine);
    // Nothing is known about a module that was not tried.
    let Some(attempt) = attempts.get(module) else { return false };
    match attempt.package {
        Some(PackageImport::LoadsIt | PackageImport::Loadable) => true,
        Some(PackageImport::NotLoaded) => {
            let has_to_import = is_package(check, distribution, module) && attempt.missing.is_none();
            !has_to_import && modules.iter().any(is_fine)
        }
        None => {
            let is_stray = |name: &str| is_stray(name) && distribution.name.as_str() != name;
            is_stray(module) && modules.iter().any(|other| !is_stray(other))
        }
    }
}

/// A warning for each package after whose import the interpreter ends badly.
fn bad_exits(
    check: &ImportCheck<'_>,
    wanted: &BTreeMap<usize, BTreeSet<String>>,
    attempts: &BTreeMap<String, ImportAttempt>,
) -> BTreeSet<NativeWarning> {
    let of_module = |index: usize, module: &String| {
        let left = attempts.get(module)?.left.as_ref()?;
        Some(NativeWarning {
            distribution: Some(check.distributions[index].name.clone()),
            subject: package_of(module).to_owned(),
            text: format!("imports, and then Python does not end well: {left}"),
        })
    };
    wanted.iter().flat_map(|(index, modules)| modules.iter().filter_map(|module| of_module(*index, module))).collect()
}

fn expected_failure(failure: &ImportFailure, why: &str) -> NativeWarning {
    NativeWarning {
        distribution: Some(failure.distribution.clone()),
        subject: failure.module.clone(),
        text: format!("does not import, as expected: {why}; {}", failure.kind),
    }
}

/// Whether it is a folder with `__init__.py`.
fn is_package(check: &ImportCheck<'_>, distribution: &CheckedDistribution, module: &str) -> bool {
    let place = format!("{}/{}/__init__.py", check.layout.site_packages(), module.replace('.', "/"));
    distribution.files.iter().any(|file| file.as_str() == place)
}

/// Whether a distribution that nobody requested lacks a module that its metadata does not require, though it has all
/// that it does require: it serves users of both, as matplotlib-inline does.
fn is_integration(check: &ImportCheck<'_>, distribution: &CheckedDistribution, failure: &ImportFailure) -> bool {
    let is_there = |name: &DistributionName| check.distributions.iter().any(|other| other.name == *name);
    matches!(failure.kind, ImportFailureKind::MissingDependency { .. })
        && !distribution.requested
        && requirements::unconditional(&distribution.requires).all(|name| is_there(&name))
}

fn excuse(
    check: &ImportCheck<'_>,
    failure: ImportFailure,
    entry: Option<&WhitelistEntry<'_>>,
    is_optional: bool,
    report: &mut ImportReport,
) {
    match entry {
        None if is_optional && !check.strict_whitelist => {
            report.settled.insert(failure.module.clone());
            report.warnings.push(failure);
        }
        None => report.failures.push(failure),
        // The repository's own list can still let it pass.
        Some(entry) if check.strict_whitelist && is_accepted(entry, &failure, is_optional) => {
            report.failures.push(failure);
        }
        Some(entry) => match entry.expected.expires {
            Some(date) if date < check.today => {
                let kind = ImportFailureKind::Expired { date: date.to_string() };
                report.failures.push(ImportFailure { kind, ..failure });
            }
            _ => {
                report.settled.insert(failure.module.clone());
                report.allowed.push(AllowedFailure {
                    gap: failure.gap().map(str::to_owned),
                    distribution: failure.distribution,
                    module: failure.module,
                    error: failure.error,
                    reason: entry.expected.reason.clone(),
                    is_accepted: entry.is_shipped && !is_optional,
                });
            }
        },
    }
}

/// Whether the builder's own list, and not the repository's, allows a failure of something that is needed.
fn is_accepted(entry: &WhitelistEntry<'_>, failure: &ImportFailure, is_optional: bool) -> bool {
    entry.is_shipped && !is_optional && failure.gap().is_none()
}

fn failure_of(
    check: &ImportCheck<'_>,
    distribution: &CheckedDistribution,
    module: &str,
    attempt: &ImportAttempt,
) -> ImportFailure {
    let gap = check.emulator.and_then(|emulator| gap_in(emulator.kind(), &attempt.error));
    let kind = match (attempt.ended, &attempt.missing) {
        _ if gap.is_some() => ImportFailureKind::EmulatorGap { gap: gap.unwrap_or_default() },
        (AttemptEnd::Timeout, _) => ImportFailureKind::TimedOut,
        (AttemptEnd::Crash, _) => ImportFailureKind::Crash,
        (_, Some(missing)) if !is_in_runtime(check, missing) => {
            ImportFailureKind::MissingDependency { name: missing.clone() }
        }
        _ => ImportFailureKind::Error,
    };
    ImportFailure {
        distribution: distribution.name.clone(),
        wheel: distribution.file.clone(),
        module: module.to_owned(),
        kind,
        error: attempt.error.clone(),
        tried_by: attempt.tried_by.clone(),
    }
}

/// Whether any distribution, the standard library or a copied file has the first part of the name. What is missing
/// below a package that is there is that package's own fault.
fn is_in_runtime(check: &ImportCheck<'_>, module: &str) -> bool {
    let name = module.split('.').next().unwrap_or(module);
    [check.layout.site_packages(), check.layout.stdlib()].iter().any(|folder| {
        let folder = folder.below(check.prefix);
        folder.join(name).is_dir() || folder.join(format!("{name}.py")).is_file()
    })
}

/// Source distributions among wheels (`--allow-sdist`) are the user's wish; nothing but them is an empty check that
/// must not pass.
fn judge_sources(check: &ImportCheck<'_>, report: &mut ImportReport) {
    let sources = || check.distributions.iter().filter(|distribution| !distribution.is_wheel());
    if sources().count() < check.distributions.len() {
        report.unchecked = sources().map(|distribution| distribution.file.clone()).collect();
        return;
    }
    report.failures.extend(sources().map(|distribution| ImportFailure {
        distribution: distribution.name.clone(),
        wheel: distribution.file.clone(),
        module: String::new(),
        kind: ImportFailureKind::SourceOnly,
        error: String::new(),
        tried_by: None,
    }));
}

//! Whether what a staged prefix holds can be imported.

use std::collections::BTreeMap;

use vocab::{Digest, DistributionName, Fault, TreePath};

use super::Verification;
use import_check::{CheckedDistribution, ImportCheck, ImportReport, check_imports};
use static_checks::native_files::{NativeFault, NativeReport};
use store::Context;

pub(super) fn verify_imports(
    context: &Context,
    it: &Verification<'_>,
    native: &NativeReport,
) -> Result<ImportReport, Box<dyn Fault>> {
    let all = it.assembled.installed.iter().flat_map(|all| &all.distributions);
    let beside: Vec<(Digest, Vec<TreePath>)> = all
        .clone()
        .zip(it.gathered)
        .filter(|(_, gathered)| gathered.extra)
        .map(|(installed, gathered)| {
            (gathered.wheel.contents.sha256, installed.files.iter().map(|file| file.path.clone()).collect())
        })
        .collect();
    let members: Vec<_> = it.gathered.iter().map(|it| (&it.name, &it.wheel.contents.metadata.requires[..])).collect();
    let incomplete = resolve::kept_dependants(&it.prepared.request, &it.prepared.rows.left_out, &members);
    let distributions: Vec<CheckedDistribution> = all
        .zip(it.gathered)
        .filter(|(_, gathered)| !gathered.extra)
        .map(|(installed, gathered)| CheckedDistribution {
            name: installed.name.clone(),
            file: gathered.wheel.contents.file_name.to_string(),
            sha256: gathered.wheel.contents.sha256,
            files: installed.files.iter().map(|file| file.path.clone()).collect(),
            requires: gathered.wheel.contents.metadata.requires.clone(),
            requested: gathered.requested,
            incomplete: incomplete.get(&installed.name).cloned(),
        })
        .collect();
    let copied: String = it.assembled.copied.iter().map(|file| format!("{} {}\n", file.sha256, file.path)).collect();
    let mut allowed_files: Vec<NativeFault> = native.allowed.iter().chain(&native.allowed_warnings).cloned().collect();
    allowed_files.extend(native.allowed_behind_modules());
    let check = ImportCheck {
        prefix: it.staging,
        layout: it.tree.layout,
        distributions: &distributions,
        beside: &beside,
        whitelist: it.whitelist,
        allowed_files: &allowed_files,
        libraries: &native.libraries_named_like_modules(it.tree.layout),
        strict_whitelist: it.strict,
        python_identity: Digest::of(format!("{}\n{copied}", it.tree.identity)),
        emulator: it.emulator,
        today: it.today,
    };
    let report = check_imports(context, &check)?;
    for unused in report.unused.iter().filter(|_| !it.strict) {
        context.note(format!("the whitelist entry for `{}` in `{}` was not needed", unused.module, unused.wheel));
    }
    tell_gaps(context, &report);
    tell_unchecked(context, &report);
    Ok(report)
}

/// What passes since there is nothing to try.
fn tell_unchecked(context: &Context, report: &ImportReport) {
    const SHOWN: usize = 5;
    let names = &report.without_modules;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(DistributionName::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if !shown.is_empty() {
        context.note(format!("nothing can be imported from {}{more}: only their files were checked", shown.join(", ")));
    }
}

/// By name and how often: what could not be tried, though nothing is wrong with the runtime.
fn tell_gaps(context: &Context, report: &ImportReport) {
    let Some(emulator) = &report.emulator else { return };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for gap in report.allowed.iter().filter_map(|allowed| allowed.gap.as_deref()) {
        *counts.entry(gap).or_default() += 1;
    }
    for (gap, count) in counts {
        let modules_need = if count == 1 { "module needs" } else { "modules need" };
        context.note(format!("{emulator} lacks something that {count} {modules_need}: {gap}"));
    }
}

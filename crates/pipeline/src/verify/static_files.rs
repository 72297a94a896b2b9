//! What a staged prefix shows without running any of it: paths of this machine, and its native files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config_merger::BaseSource;
use vocab::{DistributionName, Fault, TreePath};

use super::{Verification, VerifyError, verify_requirements, warnings};
use static_checks::native_files::{NativePolicy, NativeReport, SystemCeilings, check_native_files};
use static_checks::paths::leaked_paths;
use store::Context;

/// What is wrong, less what the whitelist lets pass; what of it counts is not decided yet.
pub(super) fn verify_static(context: &Context, it: &Verification<'_>) -> Result<NativeReport, Box<dyn Fault>> {
    verify_requirements(context, it)?;
    let mut report = looked_through(it)?;
    let system_base = it.prepared.base.source == BaseSource::System;
    report.allow(&it.whitelist.clone().on(it.today), it.tree.layout, &|name| it.wheel_of(name));
    if it.strict {
        report.refuse_warnings();
    }
    let hint = "the interpreter is this machine's own: the runtime runs only on systems at least as new";
    for (owner, line) in warnings::static_lines(&report) {
        let hint = (system_base && owner.is_none()).then(|| hint.to_owned());
        context.warn("W_NATIVE", line, Some(it.tree.layout.platform.to_string()), hint);
    }
    Ok(report)
}

/// Reads the tree. Nothing is kept of it: even 2,000 native files take a third of a second.
fn looked_through(it: &Verification<'_>) -> Result<NativeReport, Box<dyn Fault>> {
    let machine: Vec<&Path> = it.machine.iter().map(PathBuf::as_path).collect();
    let leaks = leaked_paths(it.staging, &machine)?;
    if !leaks.is_empty() {
        return Err(VerifyError::Leaked { leaks }.into());
    }
    let mut owners: BTreeMap<&TreePath, &DistributionName> = BTreeMap::new();
    if let Some(all) = &it.assembled.installed {
        for distribution in &all.distributions {
            owners.extend(distribution.files.iter().map(|file| (&file.path, &distribution.name)));
        }
    }
    let system_base = it.prepared.base.source == BaseSource::System;
    let excused = |_: &TreePath, owner: Option<&DistributionName>| system_base && owner.is_none();
    let target = it.prepared.request.target;
    let policy =
        NativePolicy { ceilings: SystemCeilings::for_system(target.platform, target.system), excused: &excused };
    let owner = |path: &TreePath| owners.get(path).map(|name| (*name).clone());
    Ok(check_native_files(it.staging, it.tree.layout, &policy, &owner)?)
}

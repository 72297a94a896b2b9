//! What a staged prefix shows without running any of it: paths of this machine, and its native files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use config_merger::BaseSource;
use vocab::{Digest, DistributionName, Fault, TreePath};

use super::{Verification, VerifyError, verify_requirements, warnings};
use static_checks::native_files::{Ceilings, NativePolicy, NativeReport, check_native_files};
use static_checks::paths::leaked_paths;
use store::Context;

/// What is wrong, less what the whitelist lets pass; what of it counts is not decided yet.
pub(super) fn verify_static(context: &Context, it: &Verification<'_>) -> Result<NativeReport, Box<dyn Fault>> {
    verify_requirements(context, it)?;
    let mut report = looked_through(context, it)?;
    let system_base = it.prepared.base.source == BaseSource::System;
    report.allow(&it.whitelist.clone().on(it.today), it.tree.layout, &|name| it.wheel_of(name));
    if it.strict {
        report.refuse_warnings();
    }
    let hint = "the interpreter is this machine's own: the runtime runs only on systems at least as new";
    for line in warnings::static_lines(&report) {
        let hint = system_base.then(|| hint.to_owned());
        context.warn("W_NATIVE", line, Some(it.tree.layout.platform.to_string()), hint);
    }
    Ok(report)
}

/// Reads the tree, unless one of the very same files was read before and named no path of this machine.
fn looked_through(context: &Context, it: &Verification<'_>) -> Result<NativeReport, Box<dyn Fault>> {
    const FACT: &str = "tree-check";
    const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);
    let (key, now) = (content_key(it).to_string(), SystemTime::now());
    let known = context.store.recall(FACT, &key, REMEMBERED, now);
    if let Some(report) = known.and_then(|known| serde_json::from_value(known).ok()) {
        return Ok(report);
    }
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
    let policy = NativePolicy { ceilings: Ceilings::for_system(target.platform, target.system), excused: &excused };
    let owner = |path: &TreePath| owners.get(path).map(|name| (*name).clone());
    let report = check_native_files(it.staging, it.tree.layout, &policy, &owner)?;
    if let Ok(value) = serde_json::to_value(&report) {
        // Forgotten, the tree is read again.
        let _ = context.store.remember(FACT, &key, &value, now);
    }
    Ok(report)
}

/// Raise it with every change of a rule or of the report, so that former results do not count.
const RULES: u32 = 9;

/// Digest of every file in the tree, its owner, and what is searched for.
fn content_key(it: &Verification<'_>) -> Digest {
    let mut text = format!(
        "{RULES}\n{}\n{}\n{:?}\n{:?}\n{:?}\n",
        env!("CARGO_PKG_VERSION"),
        it.tree.identity,
        it.tree.layout,
        it.prepared.base.source,
        it.prepared.request.target.system,
    );
    // The staging folder has the same name in every build of a prefix, and a file that names it must be found.
    let mut add = |row: &dyn std::fmt::Display| text.push_str(&format!("{row}\n"));
    it.machine.iter().for_each(|path| add(&path.display()));
    it.assembled.base_files.iter().for_each(|path| add(path));
    for distribution in it.assembled.installed.iter().flat_map(|all| &all.distributions) {
        add(&distribution.name);
        distribution.files.iter().for_each(|file| add(&format_args!("{} {}", file.sha256, file.path)));
    }
    it.assembled.wheelhouse.iter().for_each(|(path, sha256)| add(&format_args!("{sha256} {path}")));
    it.assembled.copied.iter().for_each(|file| add(&format_args!("{} {}", file.sha256, file.path)));
    Digest::of(text)
}

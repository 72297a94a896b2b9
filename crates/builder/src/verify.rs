//! The checks of a staged prefix, in order: paths of this machine, binaries, requirements, imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use config_merger::BaseSource;
use jiff::civil::Date;
use vocab::{Digest, DistributionName, Exit, Fault, PlatformKey, TreePath};

use crate::Context;
use crate::assemble::Assembled;
use crate::base::BaseTree;
use crate::checks::native_files::{NativePolicy, NativeReport, check_native_files};
use crate::checks::paths::{LeakedPath, leaked_paths};
use crate::checks::{CheckedDistribution, ImportCheck, Whitelist, check_imports};
use crate::consistency::{self, Member, Unmet};
use crate::finish::Findings;
use crate::gather::Gathered;
use crate::prepare::Prepared;
use crate::steps::Steps;

/// What is checked, and how strictly.
pub struct Verification<'a> {
    pub prepared: &'a Prepared,
    pub tree: &'a BaseTree,
    pub gathered: &'a [Gathered],
    pub assembled: &'a Assembled,
    pub staging: &'a Path,
    /// `checker/whitelists/<platform key>.json` of the repository.
    pub whitelist: &'a Whitelist,
    /// Folders of this machine that nothing in the prefix may name.
    pub machine: &'a [PathBuf],
    pub strict: bool,
    pub today: Date,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the prefix names paths of this machine: {}", shown(leaks))]
    Leaked { leaks: Vec<LeakedPath> },
    #[error("--strict: {}", told(unmet))]
    Unmet { unmet: Vec<Unmet> },
}

impl Fault for VerifyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Leaked { .. } => "E_LEAKED_PATH",
            Self::Unmet { .. } => "E_UNMET_REQUIREMENT",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Check
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Leaked { .. } => {
                "a runtime with such a path works only here; look at how those files are made".into()
            }
            Self::Unmet { .. } => "bring the missing distribution, or build without --strict".into(),
        })
    }
}

fn shown(leaks: &[LeakedPath]) -> String {
    let first: Vec<String> = leaks.iter().take(5).map(ToString::to_string).collect();
    let more = if leaks.len() > 5 { format!(" and {} more", leaks.len() - 5) } else { String::new() };
    format!("{}{more}", first.join("; "))
}

fn told(unmet: &[Unmet]) -> String {
    unmet.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

fn sentence(unmet: &Unmet) -> String {
    let Unmet { parent, requirement, installed, required } = unmet;
    match installed {
        None => format!("`{parent}` requires `{requirement}`, which is not in the runtime"),
        Some(version) => format!("`{parent}` requires `{requirement}`, and {required} {version} is in the runtime"),
    }
}

pub fn verify(context: &Context, it: &Verification<'_>, steps: &mut Steps) -> Result<Findings, Box<dyn Fault>> {
    steps.run(context, "check paths and binaries", || verify_static(context, it)).and_then(|mut findings| {
        if PlatformKey::host() == Some(it.tree.layout.platform) && it.assembled.installed.is_some() {
            steps.run(context, "check imports", || verify_imports(context, it, &mut findings))?;
        }
        Ok(findings)
    })
}

fn verify_static(context: &Context, it: &Verification<'_>) -> Result<Findings, Box<dyn Fault>> {
    verify_requirements(context, it)?;
    let mut report = looked_through(context, it)?;
    let system_base = it.prepared.base.source == BaseSource::System;
    let wheel_of = |name: &DistributionName| {
        it.gathered.iter().find(|gathered| gathered.name == *name).map(|it| it.wheel.contents.file_name.to_string())
    };
    report.allow(it.whitelist, it.tree.layout, &wheel_of);
    if let Some(first) = report.warnings.first() {
        let count = report.warnings.len();
        let more = if count > 1 { format!(", and {} more like it", count - 1) } else { String::new() };
        context.warn(
            "W_NATIVE",
            format!("`{}` {}{more}", first.file, first.kind),
            Some(it.tree.layout.platform.to_string()),
            system_base.then(|| {
                "the interpreter is this machine's own: the runtime runs only on systems at least as new".to_owned()
            }),
        );
    }
    report.verdict()?;
    let needs = it.gathered.iter().filter_map(|it| Some((it.name.clone(), report.needs_of(&it.name)?))).collect();
    Ok(Findings { native: report.summary(), allowed_files: report.allowed, needs })
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
    let policy = NativePolicy { excused: &excused, ..NativePolicy::default() };
    let owner = |path: &TreePath| owners.get(path).map(|name| (*name).clone());
    let report = check_native_files(it.staging, it.tree.layout, &policy, &owner)?;
    if let Ok(value) = serde_json::to_value(&report) {
        // Forgotten, the tree is read again.
        let _ = context.store.remember(FACT, &key, &value, now);
    }
    Ok(report)
}

/// Of every file in the tree, of whose it is, and of what is looked for.
fn content_key(it: &Verification<'_>) -> Digest {
    let mut text = format!(
        "{}\n{}\n{:?}\n{:?}\n",
        env!("CARGO_PKG_VERSION"),
        it.tree.identity,
        it.tree.layout,
        it.prepared.base.source
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

/// A rule that leaves something out names what it breaks.
fn verify_requirements(context: &Context, it: &Verification<'_>) -> Result<(), Box<dyn Fault>> {
    let members: Vec<Member<'_>> = it
        .gathered
        .iter()
        .map(|gathered| Member {
            name: &gathered.name,
            version: &gathered.wheel.contents.metadata.version,
            requires: &gathered.wheel.contents.metadata.requires,
        })
        .collect();
    let target = it.prepared.request.target;
    let exempt: BTreeSet<DistributionName> = it.prepared.request.no_deps.clone();
    let unmet = consistency::unmet(&members, &exempt, target.platform, target.python);
    if it.strict && !unmet.is_empty() {
        return Err(VerifyError::Unmet { unmet }.into());
    }
    for unmet in &unmet {
        let why = it.prepared.config.skip_reason(&unmet.required, target.platform);
        let why = why.map(|reason| format!(" (skipped: {reason})")).unwrap_or_default();
        context.warn("W_UNMET_REQUIREMENT", format!("{}{why}", sentence(unmet)), Some(unmet.parent.to_string()), None);
    }
    Ok(())
}

fn verify_imports(context: &Context, it: &Verification<'_>, findings: &mut Findings) -> Result<(), Box<dyn Fault>> {
    let Some(all) = &it.assembled.installed else { return Ok(()) };
    let distributions: Vec<CheckedDistribution> = all
        .distributions
        .iter()
        .zip(it.gathered)
        .map(|(installed, gathered)| CheckedDistribution {
            name: installed.name.clone(),
            file: gathered.wheel.contents.file_name.to_string(),
            sha256: gathered.wheel.contents.sha256,
            files: installed.files.iter().map(|file| file.path.clone()).collect(),
            requires: gathered.wheel.contents.metadata.requires.clone(),
        })
        .collect();
    let copied: String = it.assembled.copied.iter().map(|file| format!("{} {}\n", file.sha256, file.path)).collect();
    let check = ImportCheck {
        prefix: it.staging,
        layout: it.tree.layout,
        distributions: &distributions,
        whitelist: it.whitelist,
        allowed_files: &findings.allowed_files,
        strict_whitelist: it.strict,
        python_identity: Digest::of(format!("{}\n{copied}", it.tree.identity)),
        today: it.today,
    };
    let report = check_imports(context, &check)?;
    for unused in report.unused.iter().filter(|_| !it.strict) {
        context.note(format!("the whitelist entry for `{}` in `{}` was not needed", unused.module, unused.wheel));
    }
    report.verdict()?;
    report.add_to(&mut findings.native);
    Ok(())
}

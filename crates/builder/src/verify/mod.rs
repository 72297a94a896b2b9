//! The checks of a staged prefix, in order: requirements, paths of this machine and binaries, imports.

mod import_check;
mod static_files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use vocab::{DistributionName, Exit, Fault, PlatformKey, PythonVersion};

use crate::Context;
use crate::assemble::Assembled;
use crate::base::BaseTree;
use crate::checks::Whitelist;
use crate::checks::paths::LeakedPath;
use crate::consistency::{self, Member, Unmet};
use crate::emulator::Emulator;
use crate::finish::Findings;
use crate::gather::Gathered;
use crate::prepare::Prepared;
use crate::resolve;
use crate::steps::Steps;

use self::import_check::verify_imports;
use self::static_files::verify_static;

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
    /// Runs the prefix's interpreter where this machine cannot.
    pub emulator: Option<&'a Emulator>,
    pub today: Date,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the prefix names paths of this machine: {}", shown(leaks))]
    Leaked { leaks: Vec<LeakedPath> },
    #[error("--strict: {}", told(unmet))]
    Unmet { unmet: Vec<Unmet> },
    #[error("{name} {version} requires Python `{requires_python}`, and the runtime has {python}")]
    RequiresPython { name: DistributionName, version: String, requires_python: String, python: PythonVersion },
}

impl Fault for VerifyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Leaked { .. } => "E_LEAKED_PATH",
            Self::Unmet { .. } => "E_UNMET_REQUIREMENT",
            Self::RequiresPython { .. } => "E_REQUIRES_PYTHON",
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
            Self::RequiresPython { .. } => resolve::REQUIRES_PYTHON_HINT.into(),
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

/// Whether there is an import check: the prefix can run here and has packages.
pub fn imports(it: &Verification<'_>) -> bool {
    let runs_here = PlatformKey::host() == Some(it.tree.layout.platform) || it.emulator.is_some();
    runs_here && it.assembled.installed.is_some()
}

pub fn verify(context: &Context, it: &Verification<'_>, steps: &mut Steps) -> Result<Findings, Box<dyn Fault>> {
    steps.run(context, "check paths and binaries", || verify_static(context, it)).and_then(|mut findings| {
        if imports(it) {
            steps.run(context, "check imports", || verify_imports(context, it, &mut findings))?;
        }
        Ok(findings)
    })
}

/// A rule that leaves something out names what it breaks.
fn verify_requirements(context: &Context, it: &Verification<'_>) -> Result<(), Box<dyn Fault>> {
    for gathered in it.gathered {
        let metadata = &gathered.wheel.contents.metadata;
        let python = it.prepared.request.target.python;
        if let Some(requires_python) = metadata.requires_python.as_ref().filter(|text| resolve::excludes(text, python))
        {
            let (name, version) = (gathered.name.clone(), metadata.version.clone());
            return Err(VerifyError::RequiresPython {
                name,
                version,
                requires_python: requires_python.clone(),
                python,
            }
            .into());
        }
    }
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
    let left_out = it.prepared.rows.left_out.iter().map(|row| &row.name);
    let told = left_out.chain(&it.prepared.request.excluded).cloned().collect();
    let unmet = consistency::unmet(&members, &exempt, &target, &told);
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

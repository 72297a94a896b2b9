//! What is checked of a build: the staged prefix itself, or, of a wheelhouse, what its wheels become when they are
//! installed: all of them together, or those of each requirement where each was resolved for itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use config_merger::Layout;
use jiff::civil::Date;
use vocab::{CheckedEnvironment, DistributionName, Event, Fault, NativeSummary};

use super::{Verification, runs_here, verify};
use crate::assemble::{AssembledPrefix, PrefixPieces};
use crate::gather::GatheredWheel;
use crate::overlay::Overlay;
use crate::parts::CheckFindings;
use crate::prefix_folder::PrefixFolder;
use crate::prepare::PreparedPlatform;
use crate::steps::TimedSteps;
use import_check::emulator::Emulator;
use static_checks::Whitelist;
use store::Context;

/// What was put together, and how strictly it is checked.
pub struct CheckedSubject<'a> {
    pub prepared: &'a PreparedPlatform,
    pub pieces: &'a PrefixPieces<'a>,
    pub assembled: &'a AssembledPrefix,
    pub staging: &'a Path,
    /// Where wheels are installed that are only checked so.
    pub prefix: &'a PrefixFolder,
    /// `checker/whitelists/<platform key>.json` of the repository.
    pub whitelist: &'a Whitelist,
    /// Folders of this machine that nothing in the prefix may name, beside the prefix itself.
    pub machine: &'a [PathBuf],
    pub strict: bool,
    /// Runs the prefix's interpreter where this machine cannot.
    pub emulator: Option<&'a Emulator>,
    pub today: Date,
}

/// Wheels that are installed together.
struct WheelEnvironment {
    /// That bring just these; none where all wheels are one environment.
    requirements: Vec<DistributionName>,
    wheels: Vec<GatheredWheel>,
}

/// A fault of what one requirement brings.
#[derive(Debug, thiserror::Error, Fault)]
#[error("`{requirement}` and its dependencies, installed alone: {fault}")]
#[fault(transparent = fault)]
struct EnvironmentFault {
    requirement: DistributionName,
    fault: Box<dyn Fault>,
}

impl CheckedSubject<'_> {
    /// Whether modules will be imported.
    pub fn imports(&self) -> bool {
        let overlaid = self.pieces.layout == Layout::Wheelhouse && !self.pieces.wheels.is_empty();
        runs_here(self.pieces.tree, self.emulator) && (self.assembled.installed.is_some() || overlaid)
    }

    /// Checks the prefix; for a wheelhouse, each of its environments on its own.
    pub fn findings(&self, context: &Context, steps: &mut TimedSteps) -> Result<CheckFindings, Box<dyn Fault>> {
        if self.pieces.layout != Layout::Wheelhouse || self.pieces.wheels.is_empty() {
            return self.verify(context, self.pieces.wheels, self.assembled, self.staging, steps);
        }
        let environments = environments(self.pieces.wheels);
        if let [WheelEnvironment { requirements, .. }] = &environments[..]
            && requirements.is_empty()
        {
            return self.installed(context, self.pieces, steps);
        }
        steps.run(context, "check each requirement", || self.each(&told_once(context), &environments))
    }

    fn each(&self, context: &Context, environments: &[WheelEnvironment]) -> Result<CheckFindings, Box<dyn Fault>> {
        let mut findings = CheckFindings::default();
        let (step, total) = ("check each requirement", environments.len());
        for (done, environment) in environments.iter().enumerate() {
            context.tell(Event::Progress { step, done, total });
            let pieces = PrefixPieces { wheels: &environment.wheels, ..*self.pieces };
            let found = self.installed(context, &pieces, &mut TimedSteps::default());
            let found = found.map_err(|fault| match environment.requirements.first() {
                Some(requirement) => EnvironmentFault { requirement: requirement.clone(), fault }.into(),
                None => fault,
            })?;
            add(&mut findings, environment, found);
        }
        findings.environments.sort_by(|one, other| one.requirement.cmp(&other.requirement));
        Ok(findings)
    }

    /// In an overlay, which is removed afterwards. What an earlier one had in common with it is known from there.
    fn installed(
        &self,
        context: &Context,
        pieces: &PrefixPieces<'_>,
        steps: &mut TimedSteps,
    ) -> Result<CheckFindings, Box<dyn Fault>> {
        let overlay = steps.run(context, "install for the checks", || Overlay::of(context, pieces, self.prefix))?;
        self.verify(context, pieces.wheels, &overlay.assembled, overlay.root(), steps)
    }

    fn verify(
        &self,
        context: &Context,
        wheels: &[GatheredWheel],
        assembled: &AssembledPrefix,
        root: &Path,
        steps: &mut TimedSteps,
    ) -> Result<CheckFindings, Box<dyn Fault>> {
        let machine: Vec<PathBuf> = std::iter::once(root.to_owned()).chain(self.machine.iter().cloned()).collect();
        let shipped: BTreeSet<DistributionName> = self.pieces.sources.iter().map(|it| it.name.clone()).collect();
        let verification = Verification {
            prepared: self.prepared,
            tree: self.pieces.tree,
            gathered: wheels,
            shipped: &shipped,
            assembled,
            staging: root,
            whitelist: self.whitelist,
            machine: &machine,
            strict: self.strict,
            emulator: self.emulator,
            today: self.today,
        };
        verify(context, &verification, steps)
    }
}

/// Requirements that bring the very same wheels share one.
fn environments(wheels: &[GatheredWheel]) -> Vec<WheelEnvironment> {
    let requirements: BTreeSet<&DistributionName> = wheels.iter().flat_map(|it| &it.brought_by).collect();
    if requirements.is_empty() {
        return vec![WheelEnvironment { requirements: Vec::new(), wheels: wheels.to_vec() }];
    }
    let mut by_wheels: BTreeMap<Vec<usize>, Vec<DistributionName>> = BTreeMap::new();
    for requirement in requirements {
        let brings = |(index, it): (usize, &GatheredWheel)| it.brought_by.contains(requirement).then_some(index);
        let own: Vec<usize> = wheels.iter().enumerate().filter_map(brings).collect();
        by_wheels.entry(own).or_default().push(requirement.clone());
    }
    let environment = |(own, requirements): (Vec<usize>, Vec<DistributionName>)| {
        let requested = |it: &GatheredWheel| requirements.contains(&it.name);
        let own = own.into_iter().map(|index| &wheels[index]);
        let wheels = own.map(|it| GatheredWheel { requested: requested(it), ..it.clone() }).collect();
        WheelEnvironment { requirements, wheels }
    };
    by_wheels.into_iter().map(environment).collect()
}

/// A finding in several environments is reported in the first; steps are reported for all of them together.
fn told_once(context: &Context) -> Context {
    let told = Mutex::new(HashSet::new());
    let listener = Arc::clone(&context.listener);
    context.with_listener(Arc::new(move |event| {
        let is_new = match &event {
            Event::StepStarted { .. } | Event::StepFinished { .. } | Event::StepFailed { .. } => false,
            Event::Note { text } | Event::Warning { text, .. } => {
                told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone())
            }
            _ => true,
        };
        if is_new {
            listener(event);
        }
    }))
}

fn add(findings: &mut CheckFindings, environment: &WheelEnvironment, found: CheckFindings) {
    let CheckFindings { native, distributions, .. } = found;
    let files: Vec<String> = environment.wheels.iter().map(|it| it.wheel.contents.file_name.to_string()).collect();
    findings.environments.extend(environment.requirements.iter().map(|requirement| CheckedEnvironment {
        requirement: requirement.clone(),
        files: files.clone(),
        imported: native.imported,
        allowed: native.allowed,
    }));
    let mut new = distributions;
    let of_wheels: u64 = new.values().map(|it| it.files).sum();
    new.retain(|wheel, _| !findings.distributions.contains_key(wheel));
    let of_new: u64 = new.values().map(|it| it.files).sum();
    let is_first = findings.native.files == 0;
    // The interpreter's own are in every one.
    findings.native.files += of_new + if is_first { native.files.saturating_sub(of_wheels) } else { 0 };
    findings.distributions.append(&mut new);
    add_summary(&mut findings.native, native);
}

fn add_summary(all: &mut NativeSummary, own: NativeSummary) {
    all.imported += own.imported;
    all.allowed += own.allowed;
    match (&mut all.emulated, own.emulated) {
        (Some(all), Some(own)) => all.gaps += own.gaps,
        (all, own) => *all = all.take().or(own),
    }
    for (provider, version) in own.needs {
        let highest = all.needs.entry(provider).or_default();
        if numbers(&version) > numbers(highest) || highest.is_empty() {
            *highest = version;
        }
    }
    all.warnings.extend(own.warnings);
    all.warnings.sort();
    all.warnings.dedup();
}

/// The numbers of a version such as `2.17`; `any` has none.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_environments_add_up_and_the_highest_need_counts() {
        let summary = |imported, glibc: &str| NativeSummary {
            imported,
            needs: [("glibc".to_owned(), glibc.to_owned()), ("libz.so.1".to_owned(), "any".to_owned())].into(),
            ..NativeSummary::default()
        };
        let mut all = NativeSummary::default();
        for (imported, glibc) in [(2, "2.9"), (3, "2.17"), (0, "2.4")] {
            add_summary(&mut all, summary(imported, glibc));
        }
        assert_eq!((all.imported, all.needs["glibc"].as_str(), all.needs["libz.so.1"].as_str()), (5, "2.17", "any"));
    }
}

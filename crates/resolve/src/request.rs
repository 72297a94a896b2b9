//! What the resolver is asked for one platform: the configuration with every rule that needs no index applied.
//! Pure; the same configuration gives the same request on every machine.

use std::collections::{BTreeMap, BTreeSet};

use config_merger::{
    BuildWheel, Config, Dependants, Layout, Registries, Requirement, RequirementSource, Scope, SourcePolicy,
};
use serde::Serialize;
use vocab::{Digest, DistributionName, PlatformKey, RuleOutcome, RuleRecord, VersionString};

use wheel::WheelTarget;

use crate::{LockedDistribution, LockedSource};

/// The number in every inputs digest: raise it when this crate resolves differently.
const RESOLUTION_FORMAT: u32 = 2;

/// What one platform of a runtime consists of, as far as the configuration decides it.
#[derive(Clone, Debug)]
pub struct Request {
    pub runtime: VersionString,
    pub target: WheelTarget,
    /// In the order of the configuration; none of them is in `excluded`.
    pub requirements: Vec<Requirement>,
    /// Not installed even if another distribution requires it, and why.
    pub excluded: BTreeMap<DistributionName, String>,
    /// Built from source though a wheel may exist, and why.
    pub forced: BTreeMap<DistributionName, String>,
    pub build_wheel: BTreeMap<DistributionName, BuildWheel>,
    /// Distributions to install without their requirements.
    pub no_deps: BTreeSet<DistributionName>,
    pub policy: SourcePolicy,
    pub registries: Registries,
    /// Their sources are shipped as they are, unless `buildWheel` says otherwise.
    pub shipped_sources: BTreeSet<DistributionName>,
    /// What requires something that is left out is left out as well.
    pub leaves_out_dependants: bool,
    /// It is kept in a wheelhouse, though it cannot be installed from there alone.
    pub keeps_dependants: bool,
    /// What the rules above have already decided, by name.
    pub decided: Vec<RuleRecord>,
    /// Its one requirement is one of several that are resolved each for itself.
    pub is_alone: bool,
}

impl Request {
    /// Applies the rules skip → buildWheel → forceSource, in this order, to the packages of `platform`.
    pub fn new(config: &Config, platform: PlatformKey) -> Self {
        let packages = &config.packages;
        let mut decided = Vec::new();
        let on_platform = |reasons: &config_merger::RuleReasons| -> BTreeMap<DistributionName, String> {
            let here = |(name, by_platform): (&DistributionName, &BTreeMap<PlatformKey, String>)| {
                by_platform.get(&platform).map(|reason| (name.clone(), reason.clone()))
            };
            reasons.iter().filter_map(here).collect()
        };
        let skipped = on_platform(&packages.skip);
        let policy = config.policy(platform);
        let mut forced = on_platform(&packages.force_source);
        for name in &policy.force_no_binary_list {
            forced.entry(name.clone()).or_insert_with(|| "it is in forceNoBinaryList".to_owned());
        }
        forced.retain(|name, _| !skipped.contains_key(name));
        let build_wheel: BTreeMap<_, _> = packages
            .build_wheel
            .iter()
            .filter_map(|(name, by_platform)| Some((name.clone(), by_platform.get(&platform)?.clone())))
            .filter(|(name, _)| !skipped.contains_key(name))
            .collect();

        let own = packages.platform_specific.get(&platform).map_or(&[][..], |own| &own.dependencies);
        let applicable = config.dependencies_for(platform);
        for requirement in packages.dependencies.iter().chain(own) {
            let applies = applicable.iter().any(|kept| kept.name == requirement.name);
            if !applies && !decided.iter().any(|row: &RuleRecord| row.name == requirement.name) {
                decided.push(RuleRecord {
                    name: requirement.name.clone(),
                    outcome: RuleOutcome::NotApplicable,
                    reason: format!("the marker of `{}` is false on {platform}", requirement.text),
                });
            }
        }
        decided.extend(config.left_aside.iter().map(|name| RuleRecord {
            name: name.clone(),
            outcome: RuleOutcome::NotApplicable,
            reason: "it is a shared dependency, and the version's own list is empty".to_owned(),
        }));
        let mut requirements = Vec::new();
        for requirement in applicable {
            if let Some(reason) = skipped.get(&requirement.name) {
                decided.push(RuleRecord {
                    name: requirement.name,
                    outcome: RuleOutcome::Skipped,
                    reason: reason.clone(),
                });
                continue;
            }
            if let Some(former) = &requirement.overridden {
                let now = match &requirement.source {
                    RequirementSource::Index { specifier } => specifier.to_string(),
                    _ => requirement.text.clone(),
                };
                let reason = format!("`{}` became `{now}`", if former.is_empty() { "any version" } else { former });
                decided.push(RuleRecord { name: requirement.name.clone(), outcome: RuleOutcome::Overridden, reason });
            }
            if packages.no_deps.contains(&requirement.name) {
                let reason = "it is in noDeps".to_owned();
                decided.push(RuleRecord {
                    name: requirement.name.clone(),
                    outcome: RuleOutcome::WithoutDependencies,
                    reason,
                });
            }
            requirements.push(requirement);
        }
        decided.sort();
        let is_wheelhouse = config.layout == Layout::Wheelhouse;
        let shipped_sources = if is_wheelhouse { policy.ship_source_list.clone() } else { BTreeSet::new() };
        let leaves_out_dependants = is_wheelhouse && policy.dependants == Dependants::LeaveOut;
        let keeps_dependants = is_wheelhouse && policy.dependants == Dependants::Keep;
        Self {
            runtime: config.version.clone(),
            target: WheelTarget { platform, python: config.version.python(), system: config.ceiling(platform) },
            requirements,
            excluded: skipped,
            forced,
            build_wheel,
            no_deps: packages.no_deps.clone(),
            policy,
            registries: config.registries.clone(),
            shipped_sources,
            leaves_out_dependants,
            keeps_dependants,
            decided,
            is_alone: false,
        }
    }

    /// The same request for one requirement and its dependencies.
    pub(crate) fn alone(&self, requirement: &Requirement) -> Self {
        let policy = SourcePolicy { scope: Scope::Joint, ..self.policy.clone() };
        Self { requirements: vec![requirement.clone()], policy, decided: Vec::new(), is_alone: true, ..self.clone() }
    }

    /// Whether this distribution is built here whatever the index has: a rule says so, or it does not come from an
    /// index.
    pub fn is_built(&self, name: &DistributionName) -> bool {
        self.forced.contains_key(name)
            || self.build_wheel.contains_key(name)
            || self.requirements.iter().any(|requirement| requirement.name == *name && builds(&requirement.source))
    }

    /// The git requirements that nothing allows; each is an error before anything is downloaded.
    pub fn refused_git(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter().filter(|requirement| {
            let ruled = self.forced.contains_key(&requirement.name) || self.build_wheel.contains_key(&requirement.name);
            requirement.is_git() && !ruled && !self.policy.allows_source(&requirement.name)
        })
    }

    /// Whether a locked row becomes a wheel only when it is built here.
    pub fn builds(&self, row: &LockedDistribution) -> bool {
        row.source.is_built() && !self.ships(row)
    }

    /// Whether its source is shipped as it is.
    pub fn ships(&self, row: &LockedDistribution) -> bool {
        matches!(row.source, LockedSource::Sdist { .. })
            && self.shipped_sources.contains(&row.name)
            && !self.build_wheel.contains_key(&row.name)
    }

    /// Whether the configuration itself names the distribution for this platform.
    pub fn is_requested(&self, name: &DistributionName) -> bool {
        self.requirements.iter().any(|requirement| requirement.name == *name)
    }

    /// It comes from a URL, a path or a repository of its own, and from no index.
    pub fn is_direct(&self, name: &DistributionName) -> bool {
        let own = |it: &Requirement| it.name == *name && !matches!(it.source, RequirementSource::Index { .. });
        self.requirements.iter().any(own)
    }

    /// Digest of everything that decides what a resolution finds, except the indexes themselves. A lock with the same
    /// digest is fresh. `paths` are the digests of local sources, by requirement text. Reasons do not count.
    pub fn inputs(&self, paths: &BTreeMap<String, Digest>) -> Digest {
        #[derive(Serialize)]
        struct LockInputs<'a> {
            format: u32,
            python: String,
            platform: PlatformKey,
            system: (u16, u16),
            requirements: Vec<&'a str>,
            excluded: Vec<&'a DistributionName>,
            forced: Vec<&'a DistributionName>,
            build_wheel: BTreeMap<&'a DistributionName, (&'a [String], &'a [String])>,
            no_deps: &'a BTreeSet<DistributionName>,
            policy: (bool, bool, Option<bool>, [&'a BTreeSet<DistributionName>; 2]),
            #[serde(skip_serializing_if = "Option::is_none")]
            default: Option<&'a str>,
            additional: &'a [String],
            pinned: &'a BTreeMap<DistributionName, String>,
            paths: &'a BTreeMap<String, Digest>,
            #[serde(skip_serializing_if = "is_empty")]
            shipped_sources: &'a BTreeSet<DistributionName>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            each: bool,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            leaves_out_dependants: bool,
        }
        let inputs = LockInputs {
            format: RESOLUTION_FORMAT,
            // The patch release counts: `python_full_version` may stand in a marker.
            python: self.target.python.to_string(),
            platform: self.target.platform,
            system: self.target.system.map_or((0, 0), |system| (system.major, system.minor)),
            requirements: self.requirements.iter().map(|requirement| requirement.text.as_str()).collect(),
            excluded: self.excluded.keys().collect(),
            forced: self.forced.keys().collect(),
            build_wheel: self
                .build_wheel
                .iter()
                .map(|(name, rule)| (name, (&rule.build_requires[..], &rule.config_settings[..])))
                .collect(),
            no_deps: &self.no_deps,
            policy: (
                self.policy.seed,
                self.policy.allow_source_all,
                self.policy.strict_missing,
                [&self.policy.allow_source_list, &self.policy.only_binary_list],
            ),
            default: self.registries.default.as_deref(),
            additional: &self.registries.additional,
            pinned: &self.registries.pinned,
            paths,
            shipped_sources: &self.shipped_sources,
            each: self.policy.scope == Scope::Each,
            leaves_out_dependants: self.leaves_out_dependants,
        };
        let text = serde_json::to_string(&inputs).expect("plain data with text keys");
        Digest::of(text)
    }
}

fn builds(source: &RequirementSource) -> bool {
    match source {
        RequirementSource::Index { .. } => false,
        RequirementSource::Git { .. } => true,
        RequirementSource::Path { path, .. } => !path.as_str().ends_with(".whl"),
        RequirementSource::Url { url } => !url.split(['?', '#']).next().unwrap_or_default().ends_with(".whl"),
    }
}

fn is_empty(names: &&BTreeSet<DistributionName>) -> bool {
    names.is_empty()
}

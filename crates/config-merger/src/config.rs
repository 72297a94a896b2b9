//! What a runtime shall be: the merged, checked configuration, as plain data.
//!
//! Serialised, it is the canonical form: a document with the keys of `shared-config.json`, defaults written out,
//! which merged again gives the same bytes. The types here hold no rules of merging.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use vocab::{DistributionName, PlatformKey, SystemVersion, VersionString};

use crate::{Applies, CopyFile, Policy, PythonSettings, Requirement};

/// Per distribution and platform, why a rule holds there. No reason is empty.
pub type Reasons = BTreeMap<DistributionName, BTreeMap<PlatformKey, String>>;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    #[serde(skip)]
    pub version: VersionString,
    pub registries: Registries,
    pub packages: Packages,
    pub build: BuildSettings,
    pub python: PythonSettings,
    /// The oldest system that the runtime must run on: glibc on Linux, macOS. Every platform but Windows has one.
    pub oldest_system: BTreeMap<PlatformKey, SystemVersion>,
    #[serde(skip_serializing_if = "Runners::is_empty")]
    pub runners: Runners,
    pub layout: Layout,
    /// A file could not be read and an empty document stood in for it, as `--lenient-config` allows.
    #[serde(skip)]
    pub degraded: bool,
    /// Shared dependencies that an empty list of the version replaces.
    #[serde(skip)]
    pub left_aside: BTreeSet<DistributionName>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registries {
    /// Index URLs (http, https or file) asked after the default index, in this order; none twice.
    pub additional: Vec<String>,
    /// Hosts beside this machine that may be asked without encryption.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow_http: BTreeSet<String>,
    /// These distributions are taken from this index and no other. Each URL is one of `additional`, in the same
    /// spelling.
    pub pinned: BTreeMap<DistributionName, String>,
}

impl Registries {
    /// Of the additional index that a distribution is pinned to.
    pub fn place_of(&self, name: &DistributionName) -> Option<usize> {
        let url = self.pinned.get(name)?;
        self.additional.iter().position(|additional| additional == url)
    }
}

/// On which machines the jobs of a CI system run, where not on its usual ones: labels or tags, several with commas
/// between them; for Kubernetes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runners {
    pub github: BTreeMap<PlatformKey, String>,
    pub gitlab: BTreeMap<PlatformKey, String>,
    pub kubernetes: BTreeMap<PlatformKey, String>,
}

impl Runners {
    fn is_empty(&self) -> bool {
        self.github.is_empty() && self.gitlab.is_empty() && self.kubernetes.is_empty()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Packages {
    /// In the order of the file that gave them; for every platform.
    pub dependencies: Vec<Requirement>,
    pub skip: Reasons,
    pub force_source: Reasons,
    pub copy_files: Vec<CopyFile>,
    /// A platform without an entry has nothing of its own.
    pub platform_specific: BTreeMap<PlatformKey, PlatformPackages>,
    /// Installed without what they depend on.
    pub no_deps: BTreeSet<DistributionName>,
    pub build_wheel: BTreeMap<DistributionName, BTreeMap<PlatformKey, BuildWheel>>,
    /// `None` where no file has the key. With none in `platform_specific` either, the first policy holds: a source
    /// is always tried after a missing wheel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Already applied to every requirement; kept as a record.
    pub overrides: BTreeMap<DistributionName, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformPackages {
    /// Added to the general list.
    pub dependencies: Vec<Requirement>,
    pub copy_files: Vec<CopyFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// When a source may stand in for a missing wheel. An unset switch inherits: the platform's from the general one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_source_all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_missing: Option<bool>,
    pub allow_source_list: BTreeSet<DistributionName>,
    pub force_no_binary_list: BTreeSet<DistributionName>,
    pub only_binary_list: BTreeSet<DistributionName>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ship_source_list: BTreeSet<DistributionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependants: Option<Dependants>,
}

impl Resolution {
    /// Whether it says anything of sources. The keys about wheelhouses alone leave the first policy in force.
    pub(crate) fn is_about_sources(&self) -> bool {
        let Self { allow_source_list, force_no_binary_list, only_binary_list, .. } = self;
        let lists = [allow_source_list, force_no_binary_list, only_binary_list];
        let says_something = self.allow_source_all.is_some()
            || self.strict_missing.is_some()
            || lists.iter().any(|list| !list.is_empty());
        says_something || (self.scope.is_none() && self.dependants.is_none() && self.ship_source_list.is_empty())
    }
}

/// What has to agree on one version of each distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All requirements together.
    #[default]
    Joint,
    /// Each requirement with what it requires. Two requirements may bring different versions; only for a wheelhouse.
    Each,
}

/// What becomes of a distribution that requires one which is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dependants {
    /// Left out with it.
    #[default]
    LeaveOut,
    /// Kept, with a warning.
    Keep,
}

/// A wheel that is compiled on the building machine and shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildWheel {
    pub reason: String,
    /// PEP 508 requirements of the build; empty means the build back end's own.
    pub build_requires: Vec<String>,
    /// `KEY=VALUE` for the build back end; `{packageRoot}` stands for the package folder, with `/`.
    pub config_settings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildSettings {
    pub enable_logging: bool,
    pub parallel_downloads: bool,
    /// For each external step, in seconds; 0 is no limit.
    pub timeout: u64,
    /// The same for building from source, which gets longer where nothing is configured.
    #[serde(skip)]
    pub compile_timeout: u64,
    /// Names of environment variables that build back ends get beside those that every one gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pass_environment: Vec<String>,
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self {
            enable_logging: true,
            parallel_downloads: false,
            timeout: 300,
            compile_timeout: 720,
            pass_environment: Vec::new(),
        }
    }
}

/// What the finished folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// A ready-to-use `site-packages`.
    #[default]
    Installed,
    /// A flat `packages/` folder of wheels.
    Wheelhouse,
    Both,
}

impl Config {
    /// The highest glibc or macOS version that anything in the runtime may ask for. `None` on Windows, whose wheels
    /// tell none.
    pub fn ceiling(&self, platform: PlatformKey) -> Option<SystemVersion> {
        self.oldest_system.get(&platform).copied()
    }

    /// Whether a requirement's marker holds on the platform's oldest system.
    pub fn applies(&self, requirement: &Requirement, platform: PlatformKey) -> Applies {
        requirement.applies(platform, self.version.python(), self.ceiling(platform))
    }

    /// The general list and the platform's own, with what is left by the markers there. A distribution named in
    /// both comes once, with the extras of both.
    pub fn dependencies_for(&self, platform: PlatformKey) -> Vec<Requirement> {
        let own = self.packages.platform_specific.get(&platform).map_or(&[][..], |own| &own.dependencies);
        let mut chosen: Vec<Requirement> = Vec::new();
        let mut index_of: HashMap<&DistributionName, usize> = HashMap::new();
        for requirement in self.packages.dependencies.iter().chain(own) {
            if self.applies(requirement, platform) != Applies::Yes {
                continue;
            }
            match index_of.get(&requirement.name) {
                Some(&index) => chosen[index].unite_extras(requirement, &self.version),
                None => {
                    index_of.insert(&requirement.name, chosen.len());
                    chosen.push(requirement.clone());
                }
            }
        }
        chosen
    }

    /// The general operations, then the platform's own.
    pub fn copy_files_for(&self, platform: PlatformKey) -> impl Iterator<Item = &CopyFile> {
        let own = self.packages.platform_specific.get(&platform).map_or(&[][..], |own| &own.copy_files);
        self.packages.copy_files.iter().chain(own)
    }

    pub fn skip_reason(&self, name: &DistributionName, platform: PlatformKey) -> Option<&str> {
        reason(&self.packages.skip, name, platform)
    }

    /// From `forceSource` alone; a name in `forceNoBinaryList` is in the [`Policy`].
    pub fn force_source_reason(&self, name: &DistributionName, platform: PlatformKey) -> Option<&str> {
        reason(&self.packages.force_source, name, platform)
    }

    pub fn build_wheel_for(&self, name: &DistributionName, platform: PlatformKey) -> Option<&BuildWheel> {
        self.packages.build_wheel.get(name)?.get(&platform)
    }

    pub fn policy(&self, platform: PlatformKey) -> Policy {
        Policy::effective(&self.packages, platform)
    }

    /// Git requirements of this platform that no rule allows; each is an error before any download.
    pub fn refused_git(&self, platform: PlatformKey) -> Vec<Requirement> {
        let policy = self.policy(platform);
        let mut requirements = self.dependencies_for(platform);
        requirements.retain(|requirement| {
            let name = &requirement.name;
            requirement.is_git()
                && self.skip_reason(name, platform).is_none()
                && self.build_wheel_for(name, platform).is_none()
                && self.force_source_reason(name, platform).is_none()
                && !policy.forces_source(name)
                && !policy.allows_source(name)
        });
        requirements
    }
}

fn reason<'a>(reasons: &'a Reasons, name: &DistributionName, platform: PlatformKey) -> Option<&'a str> {
    Some(reasons.get(name)?.get(&platform)?.as_str())
}

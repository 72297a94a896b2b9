//! What a runtime is to be: the merged, checked configuration, as plain data.
//!
//! Serialised, it is the canonical form: a document with the keys of `shared-config.json`, defaults written out,
//! which merged again gives the same bytes. The types here hold no rules of merging.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use vocab::{Digest, DistributionName, PlatformKey, SystemVersion, VersionString};

use crate::{CopyFile, MarkerAnswer, PythonSettings, Requirement};

/// Why a rule holds, by distribution and platform. No reason is empty.
pub type RuleReasons = BTreeMap<DistributionName, BTreeMap<PlatformKey, String>>;

/// Everything that is configured for one runtime, complete and checked by [`load`](crate::load).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The runtime that this is the configuration of. Not part of the canonical output.
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
    /// A file could not be read and was treated as empty, as `--lenient-config` allows.
    #[serde(skip)]
    pub degraded: bool,
    /// Shared dependencies that the version's empty list replaces.
    #[serde(skip)]
    pub left_aside: BTreeSet<DistributionName>,
}

/// Where distributions are looked up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registries {
    /// URL (http, https or file) of the default index. `None`: the user's, or else uv's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Index URLs (http, https or file) asked after the default index, in this order; none twice.
    pub additional: Vec<String>,
    /// Hosts other than this machine that may be requested without encryption.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow_http: BTreeSet<String>,
    /// These distributions are taken from this index and no other. Each URL is one of `additional`, in the same
    /// spelling.
    pub pinned: BTreeMap<DistributionName, String>,
}

impl Registries {
    /// Position in `additional` of the index that a distribution is pinned to.
    pub fn place_of(&self, name: &DistributionName) -> Option<usize> {
        let url = self.pinned.get(name)?;
        self.additional.iter().position(|additional| additional == url)
    }
}

/// On which machines the jobs of a CI system run if not on its usual ones: labels or tags, several separated by commas;
/// for Kubernetes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runners {
    /// Labels for `runs-on`.
    pub github: BTreeMap<PlatformKey, String>,
    /// Tags.
    pub gitlab: BTreeMap<PlatformKey, String>,
    /// Images.
    pub kubernetes: BTreeMap<PlatformKey, String>,
}

impl Runners {
    fn is_empty(&self) -> bool {
        self.github.is_empty() && self.gitlab.is_empty() && self.kubernetes.is_empty()
    }
}

/// What is installed, and by which rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Packages {
    /// In the order of the file that gave them; for every platform.
    pub dependencies: Vec<Requirement>,
    /// Distributions to leave out.
    pub skip: RuleReasons,
    /// Distributions to build from source although a wheel may exist.
    pub force_source: RuleReasons,
    /// Copied on every platform, in this order.
    pub copy_files: Vec<CopyFile>,
    /// A platform without an entry has no additions.
    pub platform_specific: BTreeMap<PlatformKey, PlatformPackages>,
    /// Installed without their dependencies.
    pub no_deps: BTreeSet<DistributionName>,
    /// Distributions whose wheel is compiled on the building machine.
    pub build_wheel: BTreeMap<DistributionName, BTreeMap<PlatformKey, BuildWheel>>,
    /// `None` if no file has the key. If `platform_specific` has none either, the default policy holds: a missing wheel
    /// is always built from source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Already applied to every requirement; kept as a record.
    pub overrides: BTreeMap<DistributionName, String>,
}

/// What one platform has in addition to the general rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformPackages {
    /// Added to the general list.
    pub dependencies: Vec<Requirement>,
    /// Copied after the general ones.
    pub copy_files: Vec<CopyFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// When a missing wheel may be built from source. An unset switch inherits: the platform's from the general one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// Any missing wheel may be built from source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_source_all: Option<bool>,
    /// Something that cannot be found is an error. `None` counts as `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_missing: Option<bool>,
    /// These may be built from source if no wheel fits.
    pub allow_source_list: BTreeSet<DistributionName>,
    /// These are always built from source.
    pub force_no_binary_list: BTreeSet<DistributionName>,
    /// These are never built from source.
    pub only_binary_list: BTreeSet<DistributionName>,
    /// These may be shipped as source archives if no wheel fits.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ship_source_list: BTreeSet<DistributionName>,
    /// `None`: the general one, and in that [`Scope::Joint`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// `None`: the general one, and in that [`Dependants::LeaveOut`].
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

/// A wheel that is compiled on the building machine and shipped in the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildWheel {
    pub reason: String,
    /// PEP 508 requirements of the build; empty means the build back end's own.
    pub build_requires: Vec<String>,
    /// `KEY=VALUE` for the build back end; `{packageRoot}` stands for the package folder, with `/`.
    pub config_settings: Vec<String>,
}

/// How the build is run; nothing here changes the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildSettings {
    /// Keep a detailed log of the build.
    pub enable_logging: bool,
    /// Download several files at once.
    pub parallel_downloads: bool,
    /// Limit for each external step, in seconds; 0: no limit.
    pub timeout: u64,
    /// The same for building from source, whose default is longer.
    #[serde(skip)]
    pub compile_timeout: u64,
    /// Names of environment variables that build back ends receive in addition to the standard ones.
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

/// What the finished folder contains.
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
    /// Digest of what decides the runtime, as its manifest has it: all but `build` and `runners`, which say how and
    /// where to work. Parallel downloads or another time limit give the same runtime (P14).
    pub fn runtime_digest(&self) -> Digest {
        let mut canonical = serde_json::to_value(self).expect("plain data with text keys");
        if let Some(document) = canonical.as_object_mut() {
            document.remove("build");
            document.remove("runners");
        }
        Digest::of(canonical.to_string())
    }

    /// The highest glibc or macOS version that anything in the runtime may require. `None` on Windows, whose wheels
    /// state no version.
    pub fn ceiling(&self, platform: PlatformKey) -> Option<SystemVersion> {
        self.oldest_system.get(&platform).copied()
    }

    /// Whether a requirement's marker holds on the platform's oldest system.
    pub fn applies(&self, requirement: &Requirement, platform: PlatformKey) -> MarkerAnswer {
        requirement.applies(platform, self.version.python(), self.ceiling(platform))
    }

    /// The general list and the platform's own, without requirements whose marker is false there. A distribution in
    /// both appears once, with the extras of both.
    pub fn dependencies_for(&self, platform: PlatformKey) -> Vec<Requirement> {
        let own = self.packages.platform_specific.get(&platform).map_or(&[][..], |own| &own.dependencies);
        let mut chosen: Vec<Requirement> = Vec::new();
        let mut index_of: HashMap<&DistributionName, usize> = HashMap::new();
        for requirement in self.packages.dependencies.iter().chain(own) {
            if self.applies(requirement, platform) != MarkerAnswer::Yes {
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

    /// The reason of the `skip` rule for this platform, if there is one.
    pub fn skip_reason(&self, name: &DistributionName, platform: PlatformKey) -> Option<&str> {
        reason(&self.packages.skip, name, platform)
    }

    /// From `forceSource` alone; a name in `forceNoBinaryList` is in the [`SourcePolicy`](crate::SourcePolicy).
    pub fn force_source_reason(&self, name: &DistributionName, platform: PlatformKey) -> Option<&str> {
        reason(&self.packages.force_source, name, platform)
    }

    /// The `buildWheel` rule for this platform, if there is one.
    pub fn build_wheel_for(&self, name: &DistributionName, platform: PlatformKey) -> Option<&BuildWheel> {
        self.packages.build_wheel.get(name)?.get(&platform)
    }
}

fn reason<'a>(reasons: &'a RuleReasons, name: &DistributionName, platform: PlatformKey) -> Option<&'a str> {
    Some(reasons.get(name)?.get(&platform)?.as_str())
}

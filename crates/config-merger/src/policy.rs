//! Whether a missing wheel may be built from source, on one platform.

use std::collections::BTreeSet;

use vocab::{DistributionName, PlatformKey};

use crate::{Config, Dependants, Packages, Resolution, Scope};

/// The general `resolution` and the platform's own combined, with nothing left unset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourcePolicy {
    /// No `resolution` says anything about sources: if a wheel is missing, the source is always tried, as if
    /// `allow_source_all` were set.
    pub seed: bool,
    pub allow_source_all: bool,
    /// `None` if no file sets it. Only `false` in a file allows something to be missing.
    pub strict_missing: Option<bool>,
    /// Also what the platform's own list adds.
    pub allow_source_list: BTreeSet<DistributionName>,
    pub force_no_binary_list: BTreeSet<DistributionName>,
    pub only_binary_list: BTreeSet<DistributionName>,
    /// Their sources are shipped as they are.
    pub ship_source_list: BTreeSet<DistributionName>,
    pub scope: Scope,
    pub dependants: Dependants,
}

impl Config {
    /// The general `resolution` with the platform's own applied.
    pub fn policy(&self, platform: PlatformKey) -> SourcePolicy {
        SourcePolicy::effective(&self.packages, platform)
    }
}

impl SourcePolicy {
    fn effective(packages: &Packages, platform: PlatformKey) -> Self {
        let of_platforms = packages.platform_specific.values().filter_map(|platform| platform.resolution.as_ref());
        let nowhere = !packages.resolution.iter().chain(of_platforms).any(Resolution::is_about_sources);
        let none = Resolution::default();
        let general = packages.resolution.as_ref().unwrap_or(&none);
        let own = packages.platform_specific.get(&platform).and_then(|own| own.resolution.as_ref()).unwrap_or(&none);
        Self {
            seed: nowhere,
            allow_source_all: nowhere || own.allow_source_all.or(general.allow_source_all).unwrap_or(false),
            scope: own.scope.or(general.scope).unwrap_or_default(),
            dependants: own.dependants.or(general.dependants).unwrap_or_default(),
            strict_missing: own.strict_missing.or(general.strict_missing),
            allow_source_list: &general.allow_source_list | &own.allow_source_list,
            force_no_binary_list: &general.force_no_binary_list | &own.force_no_binary_list,
            only_binary_list: &general.only_binary_list | &own.only_binary_list,
            ship_source_list: &general.ship_source_list | &own.ship_source_list,
        }
    }

    /// Whether its wheels are ignored.
    pub fn forces_source(&self, name: &DistributionName) -> bool {
        self.force_no_binary_list.contains(name)
    }

    /// Whether its source may be taken if no wheel fits. `onlyBinaryList` wins over what allows it.
    pub fn allows_source(&self, name: &DistributionName) -> bool {
        let lists = [&self.allow_source_list, &self.ship_source_list];
        !self.only_binary_list.contains(name) && (self.allow_source_all || lists.iter().any(|list| list.contains(name)))
    }
}

//! Entries that are valid one by one but contradict each other.

use std::collections::{BTreeMap, HashMap};

use vocab::{DistributionName, PlatformKey};

use crate::places::ValuePlaces;
use crate::report::FindingReport;
use crate::{BaseSource, Config, FindingCode, Layout, MarkerAnswer, Requirement, Scope, TextPlace};
use vocab::quoted::shown;

pub(crate) fn check(config: &Config, places: &ValuePlaces, fallback: &TextPlace, report: &mut FindingReport) {
    let mut check = ConflictCheck { config, places, fallback, report };
    check.two_versions();
    check.only_binary();
    check.skipped_rules();
    check.kernel_markers();
    check.resolved_alone();
    check.shipped_sources();
    check.unused_sources();
}

/// A branch or a tag can move, so the same configuration could give another runtime tomorrow.
pub(crate) fn check_commits(config: &Config, report: &mut FindingReport) {
    let packages = &config.packages;
    let own = packages.platform_specific.values().flat_map(|own| &own.dependencies);
    for requirement in packages.dependencies.iter().chain(own).filter(|one| one.source.is_loose_git()) {
        report.fault(
            FindingCode::Requirement,
            requirement.place.clone(),
            format!("{} names no commit", shown(&requirement.text)),
            Some("write the 40 digits of the commit after the `@`".into()),
        );
    }
}

struct ConflictCheck<'a> {
    config: &'a Config,
    places: &'a ValuePlaces,
    fallback: &'a TextPlace,
    report: &'a mut FindingReport,
}

impl ConflictCheck<'_> {
    /// A distribution that is requested in two ways on one platform.
    fn two_versions(&mut self) {
        let packages = &self.config.packages;
        // Keyed by where the two stand in the lists, so that one pair is reported once.
        let mut pairs: BTreeMap<(usize, usize), (Vec<PlatformKey>, &Requirement, &Requirement)> = BTreeMap::new();
        for platform in PlatformKey::ALL {
            let own = packages.platform_specific.get(&platform).map_or(&[][..], |own| &own.dependencies);
            let own = own.iter().enumerate().map(|(index, own)| (offset(platform) + index, own));
            let mut first_of: HashMap<&DistributionName, (usize, &Requirement)> = HashMap::new();
            for (index, requirement) in packages.dependencies.iter().enumerate().chain(own) {
                if self.config.applies(requirement, platform) != MarkerAnswer::Yes
                    || self.config.skip_reason(&requirement.name, platform).is_some()
                {
                    continue;
                }
                let (first_index, first) = *first_of.entry(&requirement.name).or_insert((index, requirement));
                if first.source != requirement.source {
                    let pair = pairs.entry((first_index, index)).or_insert((Vec::new(), first, requirement));
                    pair.0.push(platform);
                }
            }
        }
        for (platforms, first, second) in pairs.into_values() {
            self.report.fault(
                FindingCode::Conflict,
                second.place.clone(),
                format!(
                    "{} and {} ({}) cannot both hold on {}",
                    shown(&second.text),
                    shown(&first.text),
                    first.place,
                    listed(&platforms)
                ),
                Some("keep one of them, or tell them apart by markers such as `sys_platform == \"linux\"`".into()),
            );
        }
    }

    /// `onlyBinaryList` against every rule that wants a source.
    fn only_binary(&mut self) {
        let mut forced: BTreeMap<(DistributionName, &'static str), Vec<PlatformKey>> = BTreeMap::new();
        let mut allowed: BTreeMap<DistributionName, Vec<PlatformKey>> = BTreeMap::new();
        for platform in PlatformKey::ALL {
            let policy = self.config.policy(platform);
            for name in &policy.only_binary_list {
                if self.config.skip_reason(name, platform).is_some() {
                    continue;
                }
                let rules = [
                    ("forceSource", self.config.force_source_reason(name, platform).is_some()),
                    ("forceNoBinaryList", policy.forces_source(name)),
                    ("buildWheel", self.config.build_wheel_for(name, platform).is_some()),
                ];
                for (rule, _) in rules.iter().filter(|(_, holds)| *holds) {
                    forced.entry((name.clone(), rule)).or_default().push(platform);
                }
                if policy.allow_source_list.contains(name) {
                    allowed.entry(name.clone()).or_default().push(platform);
                }
            }
        }
        for ((name, rule), platforms) in forced {
            let text = format!("`{name}` is in `onlyBinaryList` and in `{rule}` on {}", listed(&platforms));
            let hint = Some("keep one of the two".into());
            self.report.fault(FindingCode::Conflict, self.list_place("onlyBinaryList", &name), text, hint);
        }
        for (name, platforms) in allowed {
            let text = format!(
                "`{name}` is in `allowSourceList` and in `onlyBinaryList` on {}; the latter holds",
                listed(&platforms)
            );
            let hint = Some("keep one of the two".into());
            self.report.warning(FindingCode::Conflict, self.list_place("allowSourceList", &name), text, hint);
        }
    }

    /// A `skip` rule makes other rules for the same distribution and platform ineffective.
    fn skipped_rules(&mut self) {
        for (name, reasons) in &self.config.packages.skip {
            for (rule, holds) in [
                ("forceSource", &|platform| self.config.force_source_reason(name, platform).is_some()),
                ("buildWheel", &|platform| self.config.build_wheel_for(name, platform).is_some()),
            ] as [(&str, &dyn Fn(PlatformKey) -> bool); 2]
            {
                let platforms: Vec<PlatformKey> = reasons.keys().copied().filter(|platform| holds(*platform)).collect();
                let Some(first) = platforms.first() else { continue };
                let place = self.place(&format!("/packages/{rule}/{name}/{first}"));
                let text = format!("`{name}` is skipped on {}, so this rule has no effect there", listed(&platforms));
                self.report.warning(FindingCode::Conflict, place, text, Some("remove one of the two".into()));
            }
        }
    }

    /// A marker about something that is known only where the runtime is used.
    fn kernel_markers(&mut self) {
        let packages = &self.config.packages;
        let mut unknown: Vec<(&Requirement, Vec<PlatformKey>)> = Vec::new();
        for platform in PlatformKey::ALL {
            let own = packages.platform_specific.get(&platform).map_or(&[][..], |own| &own.dependencies);
            for requirement in packages.dependencies.iter().chain(own) {
                if self.config.applies(requirement, platform) != MarkerAnswer::Unknown {
                    continue;
                }
                match unknown.iter_mut().find(|(other, _)| std::ptr::eq(*other, requirement)) {
                    Some((_, platforms)) => platforms.push(platform),
                    None => unknown.push((requirement, vec![platform])),
                }
            }
        }
        for (requirement, platforms) in unknown {
            let text = format!(
                "{} is not installed on {}: its kernel cannot be known beforehand",
                shown(&requirement.text),
                listed(&platforms)
            );
            let hint = "leave `platform_release` and `platform_version` out of the marker".to_owned();
            self.report.warning(FindingCode::Requirement, requirement.place.clone(), text, Some(hint));
        }
    }

    /// In one `site-packages` there is one version of each distribution.
    fn resolved_alone(&mut self) {
        let config = self.config;
        let alone = |platform: &PlatformKey| config.policy(*platform).scope == Scope::Each;
        let platforms: Vec<PlatformKey> = PlatformKey::ALL.into_iter().filter(alone).collect();
        let Some(first) = platforms.first().filter(|_| config.layout != Layout::Wheelhouse) else { return };
        let own = format!("/packages/platformSpecific/{first}/resolution/scope");
        let place = self.places.get(&own).or_else(|| self.places.get("/packages/resolution/scope"));
        let text = format!(
            "requirements that are resolved each for itself (on {}) cannot be installed into one runtime",
            listed(&platforms)
        );
        let hint = "write `\"layout\": \"wheelhouse\"`, or leave the scope at `joint`";
        self.report.fault(FindingCode::Conflict, place.unwrap_or(self.fallback).clone(), text, Some(hint.into()));
    }

    /// What is installed has to be built.
    fn shipped_sources(&mut self) {
        if self.config.layout == Layout::Wheelhouse {
            return;
        }
        let lists = PlatformKey::ALL.map(|platform| self.config.policy(platform).ship_source_list);
        if let Some(name) = lists.iter().flatten().next() {
            let text = format!("`{name}` is in `shipSourceList`, and sources can only be shipped in a wheelhouse");
            let hint = "write `\"layout\": \"wheelhouse\"`, or move it to `allowSourceList`";
            self.report.fault(FindingCode::Conflict, self.list_place("shipSourceList", name), text, Some(hint.into()));
        }
    }

    /// What `python` says of a source that `sources` leaves out.
    fn unused_sources(&mut self) {
        let python = &self.config.python;
        let released = BaseSource::PythonBuildStandalone;
        let keys = [
            ("tag", released, python.tag.is_some()),
            ("flavor", released, python.flavor.is_some()),
            ("releases", released, !python.releases.is_empty()),
            ("downloads", released, python.downloads.is_some()),
            ("archives", BaseSource::Archive, !python.archives.is_empty()),
        ];
        for (key, source, _) in keys.iter().filter(|(_, source, given)| *given && !python.sources.contains(source)) {
            let text = format!("`{key}` has no effect: `sources` does not have `{}`", source.as_str());
            let hint = format!("add `{}` to `sources`, or remove `{key}`", source.as_str());
            self.report.warning(FindingCode::Conflict, self.place(&format!("/python/{key}")), text, Some(hint));
        }
    }

    fn place(&self, pointer: &str) -> TextPlace {
        self.places.get(pointer).unwrap_or(self.fallback).clone()
    }

    /// The pointer of a name in a list of `resolution`, the general one or a platform's.
    fn list_place(&self, list: &str, name: &DistributionName) -> TextPlace {
        let general = format!("/packages/resolution/{list}");
        let own = PlatformKey::ALL.map(|key| format!("/packages/platformSpecific/{key}/resolution/{list}"));
        let mut lists = std::iter::once(&general).chain(&own);
        let found = lists.find_map(|list| self.places.get_item(list, name.as_str()));
        found.unwrap_or(self.fallback).clone()
    }
}

/// The platforms' own lists are counted from here, beyond any general list.
fn offset(platform: PlatformKey) -> usize {
    (platform as usize + 1) << 24
}

fn listed(platforms: &[PlatformKey]) -> String {
    if platforms.len() == PlatformKey::ALL.len() {
        return "every platform".into();
    }
    platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ")
}

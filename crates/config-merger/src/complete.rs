//! From a merged layer to the complete configuration: defaults, duplicates, checks across keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vocab::{DistributionName, PlatformKey, SystemVersion, VersionString, default_ceiling, unencrypted_host};

use crate::layer::{
    ArchiveLayer, BuildLayer, BuildWheelLayer, ByName, ByPlatform, CopyFileLayer, Layer, Name, PackagesLayer,
    PlatformLayer, PythonLayer, ReasonsLayer, RegistriesLayer, ReleaseLayer, RequirementText, ResolutionLayer,
    RunnersLayer, SystemVersionText,
};
use crate::merge::index_url_key;
use crate::places::ValuePlaces;
use crate::read_layer::copy_key;
use crate::report::FindingReport;
use crate::requirement_text::parse;
use crate::{
    ArchiveSource, BuildSettings, BuildWheel, Config, ConfigFinding, CopyFile, FindingCode, Packages, PinnedRelease,
    PlatformPackages, PythonSettings, Registries, Requirement, Resolution, RuleReasons, Runners, TextPlace,
};
use vocab::quoted::shown;

/// What is needed besides the layer itself.
pub(crate) struct Completion<'a> {
    pub version: &'a VersionString,
    pub places: &'a ValuePlaces,
    /// For faults without a place of their own.
    pub fallback: &'a TextPlace,
    pub report: &'a mut FindingReport,
}

impl Completion<'_> {
    /// The layer must come from a merge of layers that were read without fault.
    pub(crate) fn config(&mut self, layer: Layer) -> Config {
        Config {
            version: self.version.clone(),
            registries: self.registries(layer.registries.unwrap_or_default()),
            packages: self.packages(layer.packages.unwrap_or_default()),
            build: build(&layer.build.unwrap_or_default()),
            python: python(layer.python.unwrap_or_default()),
            oldest_system: oldest_system(layer.oldest_system),
            runners: runners(layer.runners.unwrap_or_default()),
            layout: layer.layout.unwrap_or_default(),
            degraded: false,
            left_aside: BTreeSet::new(),
        }
    }

    fn place(&self, pointer: &str) -> TextPlace {
        self.places.get(pointer).unwrap_or(self.fallback).clone()
    }

    fn item_place(&self, list: &str, text: &str) -> TextPlace {
        self.places.get_item(list, text).unwrap_or(self.fallback).clone()
    }

    fn registries(&mut self, layer: RegistriesLayer) -> Registries {
        let additional: Vec<String> = layer.additional.unwrap_or_default().into_iter().map(|url| url.0).collect();
        let allow_http: BTreeSet<String> =
            layer.allow_http.unwrap_or_default().into_iter().map(|host| host.0).collect();
        let default = layer.default.map(|url| url.0);
        let places = default.iter().map(|url| (url, self.place("/registries/default")));
        let others = additional.iter().map(|url| (url, self.item_place("/registries/additional", url)));
        let places: Vec<_> = places.chain(others).collect();
        for (url, place) in places {
            if let Some(host) = unencrypted_host(url).filter(|host| !allow_http.contains(host)) {
                self.report.fault(
                    FindingCode::Value,
                    place,
                    format!("{} is asked without encryption, so anybody on the way can answer for it", shown(url)),
                    Some(format!("write `https://…`, or name `{host}` in `registries.allowHttp`")),
                );
            }
        }
        let spelling: HashMap<String, &String> = additional.iter().map(|url| (index_url_key(url), url)).collect();
        // An index that was refused is not reported missing as well.
        let refused = |finding: &ConfigFinding| {
            finding.place.as_ref().is_some_and(|place| place.pointer.starts_with("/registries"))
        };
        let whole = !self.report.faults.iter().any(refused);
        let mut pinned = BTreeMap::new();
        for (name, url) in named(layer.pinned) {
            match spelling.get(&index_url_key(&url.0)) {
                Some(spelling) => {
                    pinned.insert(name, (*spelling).clone());
                }
                None if !whole => {}
                None => self.report.fault(
                    FindingCode::Conflict,
                    self.place(&format!("/registries/pinned/{name}")),
                    format!("{} is not one of `registries.additional`", shown(&url.0)),
                    Some("add it there, or remove it here".into()),
                ),
            }
        }
        Registries { default, additional, allow_http, pinned }
    }

    fn packages(&mut self, layer: PackagesLayer) -> Packages {
        let platform_specific = by_platform(layer.platform_specific)
            .into_iter()
            .map(|(platform, layer)| (platform, self.platform_packages(platform, layer)))
            .filter(|(_, own)| *own != PlatformPackages::default())
            .collect();
        Packages {
            dependencies: self.requirements(layer.dependencies, "/packages/dependencies"),
            skip: reasons(layer.skip),
            force_source: reasons(layer.force_source),
            copy_files: self.copy_files(layer.copy_files, "/packages/copyFiles"),
            platform_specific,
            no_deps: names(layer.no_deps),
            build_wheel: named(layer.build_wheel)
                .map(|(name, rules)| (name, by_platform(Some(rules))))
                .filter(|(_, rules)| !rules.is_empty())
                .map(|(name, rules)| (name, rules.into_iter().map(|(key, rule)| (key, build_wheel(rule))).collect()))
                .collect(),
            resolution: layer.resolution.map(resolution),
            overrides: named(layer.overrides).collect(),
        }
    }

    fn platform_packages(&mut self, platform: PlatformKey, layer: PlatformLayer) -> PlatformPackages {
        let pointer = format!("/packages/platformSpecific/{platform}");
        PlatformPackages {
            dependencies: self.requirements(layer.dependencies, &format!("{pointer}/dependencies")),
            copy_files: self.copy_files(layer.copy_files, &format!("{pointer}/copyFiles")),
            resolution: layer.resolution.map(resolution),
        }
    }

    /// Requirements that differ only in their extras become one.
    fn requirements(&mut self, texts: Option<Vec<RequirementText>>, list: &str) -> Vec<Requirement> {
        let mut requirements: Vec<Requirement> = Vec::new();
        let mut index_of: HashMap<String, usize> = HashMap::new();
        for text in texts.unwrap_or_default() {
            let place = self.item_place(list, &text.0);
            let mut requirement = match parse(&text.0, self.version) {
                Ok(parsed) => parsed.requirement,
                Err(complaint) => {
                    self.report.fault(FindingCode::Requirement, place, complaint.text, complaint.hint);
                    continue;
                }
            };
            requirement.place = place;
            let without_extras = Requirement { extras: Vec::new(), ..requirement.clone() }.with_text(self.version).text;
            match index_of.get(&without_extras) {
                Some(&index) => requirements[index].unite_extras(&requirement, self.version),
                None => {
                    index_of.insert(without_extras, requirements.len());
                    requirements.push(requirement);
                }
            }
        }
        requirements
    }

    fn copy_files(&mut self, layers: Option<Vec<CopyFileLayer>>, list: &str) -> Vec<CopyFile> {
        let mut files = Vec::new();
        for layer in layers.unwrap_or_default() {
            let place = self.item_place(list, &copy_key(&layer.from, &layer.to));
            match (layer.from.parse(), layer.to.parse()) {
                (Ok(from), Ok(to)) => files.push(CopyFile { from, to, optional: layer.optional, place }),
                _ => self.report.fault(FindingCode::Value, place, "no path that can be copied", None),
            }
        }
        files
    }
}

/// The entries that were not withdrawn with `null`.
fn named<T>(entries: Option<ByName<Option<T>>>) -> impl Iterator<Item = (DistributionName, T)> {
    let entries = entries.map(|entries| entries.0).unwrap_or_default();
    entries.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value?)))
}

fn by_platform<T>(entries: Option<ByPlatform<Option<T>>>) -> BTreeMap<PlatformKey, T> {
    let entries = entries.map(|entries| entries.0).unwrap_or_default();
    entries.into_iter().filter_map(|(platform, value)| Some((platform, value?))).collect()
}

/// Written out for every platform that has such a version.
fn oldest_system(layer: Option<ByPlatform<Option<SystemVersionText>>>) -> BTreeMap<PlatformKey, SystemVersion> {
    let own = by_platform(layer);
    let chosen = |platform| {
        let given = own.get(&platform).and_then(|text: &SystemVersionText| text.0.parse().ok());
        Some((platform, given.or(default_ceiling(platform))?))
    };
    PlatformKey::ALL.into_iter().filter_map(chosen).collect()
}

fn runners(layer: RunnersLayer) -> Runners {
    Runners {
        github: by_platform(layer.github),
        gitlab: by_platform(layer.gitlab),
        kubernetes: by_platform(layer.kubernetes),
    }
}

fn reasons(layer: Option<ReasonsLayer>) -> RuleReasons {
    named(layer)
        .map(|(name, reasons)| (name, by_platform(Some(reasons))))
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(name, reasons)| (name, reasons.into_iter().map(|(key, reason)| (key, reason.0)).collect()))
        .collect()
}

fn names(names: Option<Vec<Name>>) -> BTreeSet<DistributionName> {
    names.unwrap_or_default().iter().filter_map(|name| name.0.parse().ok()).collect()
}

fn resolution(layer: ResolutionLayer) -> Resolution {
    Resolution {
        allow_source_all: layer.allow_source_all,
        strict_missing: layer.strict_missing,
        allow_source_list: names(layer.allow_source_list),
        force_no_binary_list: names(layer.force_no_binary_list),
        only_binary_list: names(layer.only_binary_list),
        ship_source_list: names(layer.ship_source_list),
        scope: layer.scope,
        dependants: layer.dependants,
    }
}

fn build_wheel(layer: BuildWheelLayer) -> BuildWheel {
    BuildWheel { reason: layer.reason.0, build_requires: layer.build_requires, config_settings: layer.config_settings }
}

fn build(layer: &BuildLayer) -> BuildSettings {
    let default = BuildSettings::default();
    BuildSettings {
        enable_logging: layer.enable_logging.unwrap_or(default.enable_logging),
        parallel_downloads: layer.parallel_downloads.unwrap_or(default.parallel_downloads),
        timeout: layer.timeout.unwrap_or(default.timeout),
        compile_timeout: layer.timeout.unwrap_or(default.compile_timeout),
        pass_environment: layer.pass_environment.clone().unwrap_or_default(),
    }
}

fn python(layer: PythonLayer) -> PythonSettings {
    let source = |it: ArchiveLayer| Some(ArchiveSource { url: it.url, sha256: it.sha256.parse().ok()? });
    let archive = |(platform, archive)| Some((platform, source(archive)?));
    let release = |(platform, it): (PlatformKey, ReleaseLayer)| {
        Some((platform, PinnedRelease { tag: it.tag, asset: it.asset, sha256: it.sha256.parse().ok()? }))
    };
    let releases = layer.releases.map(|releases| releases.0).unwrap_or_default().into_iter();
    let releases = releases.filter_map(|(version, rows)| {
        let rows: BTreeMap<_, _> = by_platform(rows).into_iter().filter_map(release).collect();
        (!rows.is_empty()).then_some((version.parse().ok()?, rows))
    });
    PythonSettings {
        sources: layer.sources.unwrap_or_else(|| PythonSettings::default().sources),
        tag: layer.tag,
        flavor: layer.flavor,
        archives: by_platform(layer.archives).into_iter().filter_map(archive).collect(),
        releases: releases.collect(),
        downloads: layer.downloads.and_then(source),
    }
}

//! `builder outdated`: what could be newer, for each version and platform that its lock has rows for.
//!
//! Three questions. Would a new resolution with the present configuration change the lock? Which release would be
//! taken without an exact pin? Is there a newer patch release of Python in the table? Only the first is something that
//! `builder lock` does; the other two are decisions for a person, reported as information.

use std::collections::{BTreeMap, BTreeSet};

use config_merger::{Config, LoadOptions, PythonSettings, Repository, RequirementSource};
use jiff::civil::Date;
use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use serde::Serialize;
use vocab::{DistributionName, Fault, PlatformKey, PythonVersion, VersionString};

use crate::resolver_python;
use interpreter::ReleaseTable;
use resolve::registries::{self, IndexPages};
use resolve::{
    self, Lock, LockedDistribution, MissingRule, PlatformLock, PreferredVersions, Request, ResolveError,
    ResolveSettings, Uv,
};
use store::Context;
use vocab::few_at_once;

/// What could be newer in one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutdatedVersion {
    pub version: VersionString,
    /// The newest patch release of the minor version in the table, if it is newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<NewerPython>,
    /// Sorted by name; platforms with the same versions share a row.
    pub packages: Vec<OutdatedPackage>,
    /// Platforms whose pins could not be loosened together, with the resolver's first line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<UnknownPins>,
}

/// A newer patch release of the same minor version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewerPython {
    pub newest: PythonVersion,
    /// Platforms for which the table has it.
    pub platforms: Vec<PlatformKey>,
}

/// One distribution that could be newer, with the platforms on which the versions are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutdatedPackage {
    pub name: DistributionName,
    /// True if the configuration names it, false if only another distribution requires it.
    pub requested: bool,
    /// The requirements for which this is so, where each is resolved alone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub brought_by: BTreeSet<DistributionName>,
    pub platforms: Vec<PlatformKey>,
    #[serde(flatten)]
    pub versions: VersionStep,
}

/// Present and newer versions of one package on one platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VersionStep {
    /// Version in the lock. Absent for what a new lock would add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<String>,
    pub newer: NewerWithin,
    /// How big the step is.
    pub change: ChangedNumber,
}

/// What a newer version would take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "within", content = "version")]
pub enum NewerWithin {
    /// The configuration allows it: `builder lock` takes it. `None` for what a new lock would no longer have.
    Range(Option<String>),
    /// The configuration pins another; it fits together with everything else.
    Pin(String),
}

/// Which number of the version changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangedNumber {
    Major,
    Minor,
    Patch,
    /// Another file of the same version, a local version, an older release, something added or removed.
    Other,
}

/// A platform for which newer versions of pins could not be determined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownPins {
    pub platform: PlatformKey,
    pub reason: String,
}

impl OutdatedVersion {
    /// Whether `builder lock` would change the lock.
    pub fn lock_is_behind(&self) -> bool {
        self.packages.iter().any(|row| matches!(row.versions.newer, NewerWithin::Range(_)))
    }

    /// Whether there is nothing newer.
    pub fn is_empty(&self) -> bool {
        self.python.is_none() && self.packages.is_empty()
    }
}

/// Platforms without rows in the lock are skipped.
pub fn outdated(
    context: &Context,
    repository: &Repository,
    version: &VersionString,
    platforms: &[PlatformKey],
) -> Result<OutdatedVersion, Box<dyn Fault>> {
    let config = config_merger::load(repository, version, &LoadOptions::default())?.config;
    let context = &context.with_default_index(config.registries.default.as_deref());
    let folder = repository.root().join(version.folder_name());
    let mut found = OutdatedVersion {
        version: version.clone(),
        python: newer_python(version.python(), platforms, &config.python),
        packages: Vec::new(),
        unknown: Vec::new(),
    };
    let Some(lock) = Lock::read(&folder, version)? else {
        context.note(format!("{version}: no lock yet; the first build writes one"));
        return Ok(found);
    };
    let uv = resolver_python::resolver(context, repository, &config)?;
    let asker = OutdatedAsker { context, repository, uv: &uv, config: &config };
    let locked: Vec<(Request, &PlatformLock)> = lock
        .platforms
        .iter()
        .filter(|(platform, _)| platforms.contains(platform))
        .map(|(platform, rows)| (Request::new(&config, *platform), rows))
        .collect();
    let requests: Vec<&Request> = locked.iter().map(|(request, _)| request).collect();
    let mut rows: BTreeMap<(FoundStep, bool), Vec<PlatformKey>> = BTreeMap::new();
    for ((request, locked), answers) in locked.iter().zip(asker.answers(&requests)) {
        let platform = request.target.platform;
        let answers = answers?;
        for row in within_range(locked, &answers.anew) {
            let is_requested = request.is_requested(&row.name);
            rows.entry((row, is_requested)).or_default().push(platform);
        }
        match answers.loosened {
            Some(Ok(newest)) => {
                for row in beyond_pins(request, &answers.anew, &newest) {
                    rows.entry((row, true)).or_default().push(platform);
                }
            }
            Some(Err(reason)) => found.unknown.push(UnknownPins { platform, reason }),
            None => {}
        }
    }
    let row = |((FoundStep { name, brought_by, versions }, requested), platforms)| OutdatedPackage {
        name,
        requested,
        brought_by,
        platforms,
        versions,
    };
    found.packages = rows.into_iter().map(row).collect();
    Ok(found)
}

/// The table of Python releases was not renewed for long, so newer ones are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgedTable {
    /// The date of its newest release.
    pub day: Date,
    pub days: i32,
}

/// Upstream releases every few weeks.
const AGED: i32 = 90;

/// `None` if the builder's table is young.
pub fn aged_table(today: Date) -> Option<AgedTable> {
    age_of(ReleaseTable::embedded(), today)
}

/// `None` also where the age is unknown.
fn age_of(table: &ReleaseTable, today: Date) -> Option<AgedTable> {
    let day = Date::strptime("%Y%m%d", table.newest_day()?).ok()?;
    let days = today.since((jiff::Unit::Day, day)).ok()?.get_days();
    (days > AGED).then_some(AgedTable { day, days })
}

fn newer_python(python: PythonVersion, platforms: &[PlatformKey], settings: &PythonSettings) -> Option<NewerPython> {
    let own = ReleaseTable::of(settings);
    let known = ReleaseTable::embedded().0.iter().chain(&own.0);
    let of_series = known.filter(|(known, _)| known.same_series(python) && **known > python);
    let newest = of_series.max_by_key(|(known, _)| **known)?;
    let has = |platform: &&PlatformKey| newest.1.contains_key(platform);
    let platforms: Vec<_> = platforms.iter().filter(has).copied().collect();
    (!platforms.is_empty()).then_some(NewerPython { newest: *newest.0, platforms })
}

struct OutdatedAsker<'a> {
    context: &'a Context,
    repository: &'a Repository,
    uv: &'a Uv,
    config: &'a Config,
}

/// What the resolver says for one platform.
struct ResolverAnswers {
    anew: PlatformLock,
    /// The versions with exact pins turned into lower bounds, or why there is no solution; `None` without exact pins.
    loosened: Option<Result<PlatformLock, String>>,
}

impl OutdatedAsker<'_> {
    /// Resolves like `builder lock`: the first platform alone and with fresh indexes, then the others, keeping its
    /// versions where they fit.
    fn answers(&self, requests: &[&Request]) -> Vec<Result<ResolverAnswers, ResolveError>> {
        let Some((first, others)) = requests.split_first() else { return Vec::new() };
        let refresh = !self.context.offline;
        let mut answers =
            vec![self.of_platform(first, refresh, &PreferredVersions::default(), &PreferredVersions::default())];
        let (anew, loosened) = match &answers[0] {
            Ok(answer) => (
                PreferredVersions::of(&answer.anew),
                answer.loosened.as_ref().and_then(|it| it.as_ref().ok()).map(PreferredVersions::of),
            ),
            Err(_) => Default::default(),
        };
        let loosened = loosened.unwrap_or_default();
        answers.extend(few_at_once(others.len(), others, |request| self.of_platform(request, false, &anew, &loosened)));
        answers
    }

    fn of_platform(
        &self,
        request: &Request,
        refresh: bool,
        anew: &PreferredVersions,
        loosened: &PreferredVersions,
    ) -> Result<ResolverAnswers, ResolveError> {
        let anew = self.resolve(request, refresh, anew)?;
        let loosened = match self.without_pins(request).map(|open| self.resolve(&open, false, loosened)) {
            None => None,
            Some(Ok(rows)) => Some(Ok(rows)),
            Some(Err(error)) if error.is_refusal() => {
                Some(Err(error.kind.to_string().lines().next().unwrap_or_default().to_owned()))
            }
            Some(Err(error)) => return Err(error),
        };
        Ok(ResolverAnswers { anew, loosened })
    }

    fn resolve(
        &self,
        request: &Request,
        refresh: bool,
        preferred: &PreferredVersions,
    ) -> Result<PlatformLock, ResolveError> {
        let silent = registries::unreachable(self.context, &request.registries, false);
        let pages = IndexPages::new(self.context, self.uv, &request.registries, &silent);
        let repository = self.repository.root();
        let settings = ResolveSettings {
            uv: self.uv,
            repository,
            logs: None,
            missing: MissingRule::default(),
            no_build: false,
            refresh,
            pages: &pages,
            preferred,
            locked: None,
        };
        Ok(resolve::resolve(self.context, request, &settings)?.rows)
    }

    fn without_pins(&self, request: &Request) -> Option<Request> {
        let mut request = request.clone();
        let mut any = false;
        for requirement in &mut request.requirements {
            let pin = resolve::exact_pin(requirement).and_then(|pin| pin.parse::<Version>().ok());
            // An override is a decision of its own, and a local version (`+cu126`) is not ordered with the others.
            let overridden = self.config.packages.overrides.contains_key(&requirement.name);
            let Some(pin) = pin.filter(|pin| !overridden && !pin.is_local()) else { continue };
            if let Ok(bound) = VersionSpecifier::from_version(Operator::GreaterThanEqual, pin) {
                requirement.source = RequirementSource::Index { specifier: VersionSpecifiers::from(bound) };
                any = true;
            }
        }
        any.then_some(request)
    }
}

/// One change on one platform.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FoundStep {
    name: DistributionName,
    brought_by: BTreeSet<DistributionName>,
    versions: VersionStep,
}

/// What a new lock would have instead.
fn within_range(locked: &PlatformLock, anew: &PlatformLock) -> Vec<FoundStep> {
    let by_name = |rows: &PlatformLock| {
        let mut all: BTreeMap<DistributionName, Vec<LockedDistribution>> = BTreeMap::new();
        rows.distributions.iter().for_each(|row| all.entry(row.name.clone()).or_default().push(row.clone()));
        all
    };
    let (before, after) = (by_name(locked), by_name(anew));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let of_name = |name: &DistributionName| {
        let of = |rows: &BTreeMap<_, Vec<_>>| rows.get(name).cloned().unwrap_or_default();
        changes(name, &of(&before), &of(&after))
    };
    names.into_iter().flat_map(of_name).collect()
}

fn changes(name: &DistributionName, before: &[LockedDistribution], after: &[LockedDistribution]) -> Vec<FoundStep> {
    let row = |older: Option<&LockedDistribution>, newer: Option<&LockedDistribution>, brought_by| {
        let locked = older.and_then(|row| row.version.clone());
        let newer = newer.map(|row| row.version.clone().unwrap_or_default());
        let change = change(locked.as_deref(), newer.as_deref());
        FoundStep {
            name: name.clone(),
            brought_by,
            versions: VersionStep { locked, newer: NewerWithin::Range(newer), change },
        }
    };
    let requirements: BTreeSet<&DistributionName> = before.iter().chain(after).flat_map(|it| &it.brought_by).collect();
    if requirements.is_empty() {
        let (older, newer) = (before.first(), after.first());
        return if older == newer { Vec::new() } else { vec![row(older, newer, BTreeSet::new())] };
    }
    // Each for itself: what a requirement brings now, and what it would bring.
    let is_same = |one: &LockedDistribution, other: &LockedDistribution| {
        (&one.version, &one.source, one.registry) == (&other.version, &other.source, other.registry)
    };
    let mut by_rows: Vec<(Option<&LockedDistribution>, Option<&LockedDistribution>, BTreeSet<DistributionName>)> =
        Vec::new();
    for requirement in requirements {
        let brought = |rows: &'_ [LockedDistribution]| rows.iter().position(|row| row.brought_by.contains(requirement));
        let (older, newer) = (brought(before).map(|it| &before[it]), brought(after).map(|it| &after[it]));
        if older.zip(newer).is_some_and(|(older, newer)| is_same(older, newer)) {
            continue;
        }
        match by_rows.iter_mut().find(|it| (it.0, it.1) == (older, newer)) {
            Some(known) => known.2.insert(requirement.clone()),
            None => {
                by_rows.push((older, newer, BTreeSet::from([requirement.clone()])));
                true
            }
        };
    }
    by_rows.into_iter().map(|(older, newer, brought_by)| row(older, newer, brought_by)).collect()
}

/// Releases newer than exact pins.
fn beyond_pins(request: &Request, anew: &PlatformLock, newest: &PlatformLock) -> Vec<FoundStep> {
    // Others may bring another version of it.
    let own = |row: &&LockedDistribution, name: &DistributionName| {
        row.name == *name && (row.brought_by.is_empty() || row.brought_by.contains(name))
    };
    let version = |rows: &PlatformLock, name: &DistributionName| {
        rows.distributions.iter().find(|row| own(row, name)).and_then(|row| row.version.clone())
    };
    let pinned = request.requirements.iter().filter(|requirement| resolve::exact_pin(requirement).is_some());
    pinned
        .filter_map(|requirement| {
            let (locked, newest) = (version(anew, &requirement.name)?, version(newest, &requirement.name)?);
            let (differs, change) = (locked != newest, change(Some(&locked), Some(&newest)));
            let versions = VersionStep { locked: Some(locked), newer: NewerWithin::Pin(newest), change };
            let found = FoundStep { name: requirement.name.clone(), brought_by: BTreeSet::new(), versions };
            differs.then_some(found)
        })
        .collect()
}

/// By the first number that differs (PEP 440's release segment).
fn change(before: Option<&str>, after: Option<&str>) -> ChangedNumber {
    let parse = |text: Option<&str>| text?.parse::<Version>().ok();
    let (Some(before), Some(after)) = (parse(before), parse(after)) else { return ChangedNumber::Other };
    if after <= before {
        return ChangedNumber::Other;
    }
    let number = |version: &Version, index: usize| version.release().get(index).copied().unwrap_or(0);
    let differs = |index: usize| number(&before, index) != number(&after, index);
    if before.epoch() != after.epoch() || differs(0) {
        ChangedNumber::Major
    } else if differs(1) {
        ChangedNumber::Minor
    } else {
        ChangedNumber::Patch
    }
}

#[cfg(test)]
mod tests {
    use config_merger::PinnedRelease;
    use resolve::LockedSource;
    use vocab::Digest;

    use super::*;

    #[test]
    fn a_table_without_a_release_of_the_last_ninety_days_has_aged() {
        let of = |path: &str, today: &str| {
            let release = interpreter::PinnedAsset { path: path.to_owned(), sha256: Digest::of(path), url: None };
            let rows = [("3.12.10".parse().unwrap(), [(PlatformKey::LinuxX64, release)].into())].into();
            age_of(&ReleaseTable(rows), today.parse().unwrap()).map(|aged| (aged.day.to_string(), aged.days))
        };
        let cases = [
            ("20260814/a.tar.gz", "2026-11-12", None),
            ("20260814/a.tar.gz", "2026-11-13", Some(("2026-08-14".to_owned(), 91))),
            ("20260814T1200/a.tar.gz", "2027-08-14", Some(("2026-08-14".to_owned(), 365))),
            // A clock that goes wrong, tags that are not days.
            ("20260814/a.tar.gz", "2020-01-01", None),
            ("20269999/a.tar.gz", "2030-01-01", None),
            ("own/a.tar.gz", "2030-01-01", None),
        ];
        for (path, today, expected) in cases {
            assert_eq!(of(path, today), expected, "for {path} on {today}");
        }
        assert!(ReleaseTable::embedded().newest_day().is_some_and(|day| day >= "20260814"));
    }

    #[test]
    fn a_newer_python_of_the_users_own_counts() {
        let release = PinnedRelease { tag: "1".into(), asset: "a.tar.gz".into(), sha256: Digest::of("a") };
        let rows = [("3.12.99".parse().unwrap(), [(PlatformKey::LinuxX64, release)].into())].into();
        let own = PythonSettings { releases: rows, ..PythonSettings::default() };
        let found = newer_python("3.12.10".parse().unwrap(), &PlatformKey::ALL, &own).unwrap();
        assert_eq!((found.newest.to_string(), found.platforms), ("3.12.99".to_owned(), vec![PlatformKey::LinuxX64]));
    }

    #[test]
    fn a_change_is_named_by_the_first_number_that_differs() {
        let cases = [
            // (before, after, change)
            (Some("2.2.6"), Some("3.0"), ChangedNumber::Major),
            (Some("2.2.6"), Some("2.10.0"), ChangedNumber::Minor),
            (Some("2.2.6"), Some("2.2.7"), ChangedNumber::Patch),
            (Some("2.2"), Some("2.2.0.1"), ChangedNumber::Patch),
            (Some("1!1.0"), Some("2!1.0"), ChangedNumber::Major),
            (Some("2.2.6"), Some("2.2.5"), ChangedNumber::Other),
            (Some("2.2.6"), Some("2.2.6"), ChangedNumber::Other),
            (Some("2.2.6"), None, ChangedNumber::Other),
            (None, Some("1.0"), ChangedNumber::Other),
        ];
        for (before, after, expected) in cases {
            assert_eq!(change(before, after), expected, "from {before:?} to {after:?}");
        }
    }

    #[test]
    fn several_versions_of_one_name_are_told_for_the_requirements_that_bring_them() {
        let row = |text: &str| {
            let (name, brought_by) = text.split_once(' ').unwrap();
            let (name, version) = name.split_once('=').unwrap();
            let sha256 = Digest::of(format!("{name} {version}"));
            let file = format!("{name}-{version}-py3-none-any.whl").parse().unwrap();
            LockedDistribution {
                name: name.parse().unwrap(),
                version: Some(version.to_owned()),
                source: LockedSource::Wheel { file, sha256, size: None },
                registry: None,
                brought_by: brought_by.split_whitespace().map(|name| name.parse().unwrap()).collect(),
            }
        };
        let rows = |texts: &[&str]| PlatformLock {
            inputs: Digest::of("inputs"),
            uv: "0".to_owned(),
            alone: BTreeMap::new(),
            distributions: texts.iter().map(|text| row(text)).collect(),
            left_out: Vec::new(),
        };
        let locked = rows(&["numpy=1.26.4 a b", "numpy=2.2.0 c", "six=1.16 a"]);
        let told = |anew: &[&str]| -> Vec<String> {
            let words = |row: FoundStep| {
                let by: Vec<_> = row.brought_by.iter().map(ToString::to_string).collect();
                let NewerWithin::Range(newer) = row.versions.newer else { panic!("a range") };
                let newer = newer.unwrap_or_default();
                format!("{} {}>{newer} {}", row.name, row.versions.locked.unwrap_or_default(), by.join(" "))
            };
            within_range(&locked, &rows(anew)).into_iter().map(words).collect()
        };
        assert_eq!(told(&["numpy=1.26.4 a b", "numpy=2.2.0 c", "six=1.16 a"]), [""; 0]);
        assert_eq!(told(&["numpy=1.26.4 a b", "numpy=2.3.0 c", "six=1.16 a"]), ["numpy 2.2.0>2.3.0 c"]);
        // Nothing new comes in, and yet another version is what `b` brings.
        assert_eq!(told(&["numpy=1.26.4 a", "numpy=2.2.0 b c", "six=1.16 a"]), ["numpy 1.26.4>2.2.0 b"]);
        let both = ["numpy 1.26.4>2.3.0 a b", "numpy 2.2.0>2.3.0 c", "six 1.16> a"];
        assert_eq!(told(&["numpy=2.3.0 a b c"]), both);
    }

    #[test]
    fn the_newest_patch_release_of_the_series_is_told() {
        let newest = |python: &str| {
            newer_python(python.parse().unwrap(), &PlatformKey::ALL, &PythonSettings::default())
                .map(|it| it.newest.to_string())
        };
        assert_eq!(newest("3.12.10").as_deref(), Some("3.12.14"));
        assert_eq!(newest("3.12.14"), None);
        assert_eq!(newest("3.99.0"), None);
    }
}

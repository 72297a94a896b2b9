//! Rules that do nothing: rules for packages, and whitelist entries for wheels, that no lock has.
//!
//! A rule is judged by the locks of every version that has it, so a rule of the shared file only if all versions are
//! checked. If rows are missing or stale, nothing is known and nothing is reported. Only the resolver knows whether a
//! `skip` of something that is not requested keeps anything out; see `wheels_now.rs`.

use std::collections::{BTreeMap, BTreeSet};

use config_merger::Repository;
use jiff::civil::Date;
use serde_json::Value;
use vocab::{DistributionName, PlatformKey};

use super::{SurveyFindings, SurveyedPlatform, SurveyedVersion};
use resolve::LockedSource;
use static_checks::Whitelist;

/// The answer of one platform of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RuleVerdict {
    Acts,
    Idle,
    Unknown,
}

/// The kinds of rule, by key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RuleKind {
    Skip,
    ForceSource,
    BuildWheel,
    NoDeps,
    AllowSourceList,
    ForceNoBinaryList,
    OnlyBinaryList,
    ShipSourceList,
    Pinned,
}

impl RuleKind {
    const ALL: [Self; 9] = [
        Self::Skip,
        Self::ForceSource,
        Self::BuildWheel,
        Self::NoDeps,
        Self::AllowSourceList,
        Self::ForceNoBinaryList,
        Self::OnlyBinaryList,
        Self::ShipSourceList,
        Self::Pinned,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::ForceSource => "forceSource",
            Self::BuildWheel => "buildWheel",
            Self::NoDeps => "noDeps",
            Self::AllowSourceList => "resolution.allowSourceList",
            Self::ForceNoBinaryList => "resolution.forceNoBinaryList",
            Self::OnlyBinaryList => "resolution.onlyBinaryList",
            Self::ShipSourceList => "resolution.shipSourceList",
            Self::Pinned => "registries.pinned",
        }
    }

    /// Below `packages`, but for the registries.
    fn pointer(self) -> String {
        match self {
            Self::Pinned => "/registries/pinned".to_owned(),
            _ => format!("/packages/{}", self.key().replace('.', "/")),
        }
    }

    /// What the configuration says for this platform.
    fn names(self, version: &SurveyedVersion, platform: &SurveyedPlatform) -> BTreeSet<DistributionName> {
        let packages = &version.config.packages;
        let key = platform.request.target.platform;
        let policy = &platform.request.policy;
        let of = |reasons: &config_merger::RuleReasons| -> BTreeSet<DistributionName> {
            reasons.iter().filter(|(_, by)| by.contains_key(&key)).map(|(name, _)| name.clone()).collect()
        };
        match self {
            Self::Skip => of(&packages.skip),
            Self::ForceSource => of(&packages.force_source),
            Self::BuildWheel => {
                let here = packages.build_wheel.iter().filter(|(_, by)| by.contains_key(&key));
                here.map(|(name, _)| name.clone()).collect()
            }
            Self::NoDeps => packages.no_deps.clone(),
            Self::AllowSourceList => policy.allow_source_list.clone(),
            Self::ForceNoBinaryList => policy.force_no_binary_list.clone(),
            Self::OnlyBinaryList => policy.only_binary_list.clone(),
            Self::ShipSourceList => policy.ship_source_list.clone(),
            Self::Pinned => version.config.registries.pinned.keys().cloned().collect(),
        }
    }

    fn verdict(self, name: &DistributionName, platform: &SurveyedPlatform) -> RuleVerdict {
        let request = &platform.request;
        if self == Self::Skip {
            // A requested distribution that is skipped has a row; any other may still be required by something.
            return if request.decided.iter().any(|row| row.name == *name) {
                RuleVerdict::Acts
            } else {
                RuleVerdict::Unknown
            };
        }
        let Some(rows) = &platform.rows else { return RuleVerdict::Unknown };
        if rows.left_out.iter().any(|row| row.name == *name) {
            return RuleVerdict::Acts;
        }
        let row = rows.distributions.iter().find(|row| row.name == *name);
        let acts = match self {
            Self::AllowSourceList => row.is_some_and(|row| !matches!(row.source, LockedSource::Wheel { .. })),
            _ => row.is_some(),
        };
        if acts { RuleVerdict::Acts } else { RuleVerdict::Idle }
    }

    fn why(self) -> &'static str {
        match self {
            Self::AllowSourceList => "no lock builds it from source",
            _ => "no lock has it",
        }
    }
}

pub(super) fn remark(repository: &Repository, surveyed: &[SurveyedVersion], whole: bool, checked: &mut SurveyFindings) {
    let shared = shared_document(repository);
    for kind in RuleKind::ALL {
        let in_shared = shared_names(&shared, kind);
        // By place and name, how each platform answers.
        let mut verdicts: BTreeMap<(String, DistributionName), BTreeMap<PlatformKey, Vec<RuleVerdict>>> =
            BTreeMap::new();
        for version in surveyed {
            for platform in &version.platforms {
                for name in kind.names(version, platform) {
                    let common = in_shared.contains(&name);
                    if common && !whole {
                        continue;
                    }
                    let place = if common {
                        "shared-config.json".to_owned()
                    } else {
                        format!("{}/config.json", version.config.version.folder_name())
                    };
                    let verdict = kind.verdict(&name, platform);
                    let key = platform.request.target.platform;
                    verdicts.entry((place, name)).or_default().entry(key).or_default().push(verdict);
                }
            }
        }
        for ((place, name), by_platform) in verdicts {
            if let Some(where_idle) = idle(kind, &by_platform) {
                let text = format!("`{}` of `{name}` does nothing{where_idle}: {}", kind.key(), kind.why());
                checked.remark("W_RULE_IDLE", text, place, "remove it, unless something planned needs it");
            }
        }
    }
}

/// Where the rule is idle, as the end of the sentence; `None` if it acts or nothing is known.
fn idle(kind: RuleKind, by_platform: &BTreeMap<PlatformKey, Vec<RuleVerdict>>) -> Option<String> {
    let acts = |verdicts: &Vec<RuleVerdict>| verdicts.contains(&RuleVerdict::Acts);
    let all_idle = |verdicts: &&Vec<RuleVerdict>| verdicts.iter().all(|verdict| *verdict == RuleVerdict::Idle);
    // Rules of the first three kinds are written for each platform, all others for all at once.
    if !matches!(kind, RuleKind::Skip | RuleKind::ForceSource | RuleKind::BuildWheel) {
        let verdicts: Vec<&Vec<RuleVerdict>> = by_platform.values().collect();
        return verdicts.iter().all(all_idle).then(String::new);
    }
    let idle: Vec<&str> =
        by_platform.iter().filter(|(_, it)| !acts(it) && all_idle(it)).map(|(key, _)| key.as_str()).collect();
    (!idle.is_empty()).then(|| format!(" on {}", idle.join(", ")))
}

/// Entries for wheels that no lock has, on platforms whose locks are all known.
pub(super) fn remark_whitelists(
    whitelists: &[(PlatformKey, Whitelist)],
    surveyed: &[SurveyedVersion],
    checked: &mut SurveyFindings,
) {
    for (key, whitelist) in whitelists {
        let here: Vec<&SurveyedPlatform> = surveyed
            .iter()
            .flat_map(|version| &version.platforms)
            .filter(|it| it.request.target.platform == *key)
            .collect();
        let Some(rows) = here.iter().map(|platform| platform.rows.as_ref()).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let mut wheels = Vec::new();
        let mut built = BTreeSet::new();
        for row in rows.iter().flat_map(|rows| &rows.distributions) {
            match &row.source {
                LockedSource::Wheel { file, .. } => wheels.push(file.as_str()),
                // Its wheel's name is not known before it is built.
                _ => drop(built.insert(row.name.clone())),
            }
        }
        for pattern in whitelist.unused(&wheels) {
            // A name, or the beginning of a wheel's file name.
            let mut names = [Some(pattern), pattern.split('-').next()].into_iter().flatten();
            let is_built = |name: &str| name.parse::<DistributionName>().is_ok_and(|name| built.contains(&name));
            if !names.any(is_built) {
                let text = format!("no lock has a wheel that `{pattern}` names");
                checked.remark("W_WHITELIST_IDLE", text, format!("checker/whitelists/{key}.json"), "remove the entry");
            }
        }
    }
}

pub(super) fn remark_expired(whitelists: &[(PlatformKey, Whitelist)], today: Date, checked: &mut SurveyFindings) {
    for (key, whitelist) in whitelists {
        for entry in whitelist.all() {
            if let Some(expires) = entry.expected.expires.filter(|expires| *expires < today) {
                let text = format!("the entry for `{}` of `{}` expired on {expires}", entry.module, entry.wheel);
                let hint = "check whether it still fails, then remove the entry or extend its date";
                checked.remark("W_WHITELIST_EXPIRED", text, format!("checker/whitelists/{key}.json"), hint);
            }
        }
    }
}

/// The file as written; its faults were reported when it was loaded.
fn shared_document(repository: &Repository) -> Value {
    let text = vocab::read_regular_text(&repository.root().join("shared-config.json")).unwrap_or_default();
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default()
}

fn shared_names(shared: &Value, kind: RuleKind) -> BTreeSet<DistributionName> {
    let pointer = kind.pointer();
    let own = PlatformKey::ALL
        .map(|platform| pointer.replace("/packages/", &format!("/packages/platformSpecific/{platform}/")));
    let values = std::iter::once(&pointer).chain(&own).filter_map(|pointer| shared.pointer(pointer));
    let names = values.flat_map(|value| match value {
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    });
    names.filter_map(|name| name.parse().ok()).collect()
}

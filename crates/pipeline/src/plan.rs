//! Everything that is decided before the first download: one row for each distribution, with its reason. Plain
//! data, made without disk or network, printed by `builder plan` and `--dry-run`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use vocab::{Digest, DistributionName, PlatformKey, PythonVersion, RuleOutcome, RuleRecord, TreePath, VersionString};

use resolve::{LockedSource, Overlap, PlatformLock, Request, WhyBuilt};

/// What a build of one platform would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuildPlan {
    pub runtime: VersionString,
    pub platform: PlatformKey,
    /// Or, in words, what each source answered that has none.
    #[serde(serialize_with = "base_as_json")]
    pub base: Result<PlannedBase, String>,
    /// By name; several versions of one where requirements are resolved each for itself.
    pub rows: Vec<PlanRow>,
}

/// The interpreter that the runtime will stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedBase {
    pub source: String,
    pub requested: PythonVersion,
    pub actual: PythonVersion,
    pub stand_in: bool,
    pub origin: String,
}

/// One distribution and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanRow {
    pub name: DistributionName,
    /// Absent for what is not installed, and for a local folder whose version only its build tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub action: PlanAction,
    /// Named in the configuration, rather than required by another distribution.
    pub requested: bool,
    /// The requirements that bring it, where each is resolved alone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub brought_by: BTreeSet<DistributionName>,
    /// Why this and not the usual wheel; empty for the usual wheel.
    pub reason: String,
    /// Size of the file to download, or of the repository's own, in bytes; absent where the index does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The store has the file already.
    pub in_store: bool,
}

/// What happens to a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanAction {
    /// A wheel from an index.
    Wheel,
    /// Built here: no wheel fits.
    Source,
    /// Built here though a wheel may exist.
    Forced,
    /// Built here by a `buildWheel` rule.
    BuildWheel,
    /// Its source is shipped as it is.
    ShippedSource,
    /// Built here from a repository.
    Git,
    /// A wheel in the configuration's own repository.
    LocalWheel,
    /// Built here from a file or folder of the configuration's own repository.
    Path,
    Skipped,
    NotApplicable,
    LeftOut,
    Missing,
    /// To be compiled on its own platform, which this machine is not.
    NeedsNativeRunner,
}

impl PlanAction {
    /// As the table shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wheel => "wheel",
            Self::Source => "source",
            Self::Forced => "source, forced",
            Self::BuildWheel => "build wheel",
            Self::ShippedSource => "source, shipped",
            Self::Git => "git",
            Self::LocalWheel => "local wheel",
            Self::Path => "path",
            Self::Skipped => "skipped",
            Self::NotApplicable => "not applicable",
            Self::LeftOut => "left out",
            Self::Missing => "missing",
            Self::NeedsNativeRunner => "native runner",
        }
    }

    /// Whether it comes from somewhere else than the repository.
    fn is_fetched(self) -> bool {
        !matches!(self, Self::LocalWheel | Self::Path)
    }

    /// Whether the runtime has the distribution in the end.
    pub fn installs(self) -> bool {
        !matches!(self, Self::Skipped | Self::NotApplicable | Self::LeftOut | Self::Missing | Self::NeedsNativeRunner)
    }
}

impl BuildPlan {
    /// `native` has by index a record for each row that is left to a native runner; `in_store` tells whether the store
    /// has the file with a digest, `local_size` how large a file of the repository is.
    pub fn new(
        request: &Request,
        rows: &PlatformLock,
        native: &BTreeMap<usize, RuleRecord>,
        base: Result<PlannedBase, String>,
        in_store: &dyn Fn(&Digest) -> bool,
        local_size: &dyn Fn(&TreePath) -> Option<u64>,
    ) -> Self {
        let mut planned: Vec<PlanRow> = rows
            .distributions
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let (action, reason) = match native.get(&index) {
                    Some(record) => (PlanAction::NeedsNativeRunner, record.reason.clone()),
                    None if request.ships(row) => {
                        let why = request.why_built(&row.name).reason();
                        (PlanAction::ShippedSource, format!("{why}; built where it is used"))
                    }
                    None => how(request, &row.name, &row.source),
                };
                let (size, in_store) = match &row.source {
                    LockedSource::Wheel { sha256, size, .. } | LockedSource::Sdist { sha256, size, .. } => {
                        (*size, in_store(sha256))
                    }
                    LockedSource::Path { path, .. } if !action.is_fetched() => (local_size(path), false),
                    LockedSource::Git { .. } | LockedSource::Path { .. } => (None, false),
                };
                PlanRow {
                    name: row.name.clone(),
                    version: row.version.clone(),
                    action,
                    requested: request.is_requested(&row.name),
                    brought_by: row.brought_by.clone(),
                    reason,
                    size,
                    in_store,
                }
            })
            .collect();
        let installed: BTreeSet<&DistributionName> = rows.distributions.iter().map(|row| &row.name).collect();
        for row in request.decided.iter().chain(&rows.left_out) {
            let action = match row.outcome {
                RuleOutcome::Skipped => PlanAction::Skipped,
                RuleOutcome::NotApplicable => PlanAction::NotApplicable,
                RuleOutcome::LeftOut => PlanAction::LeftOut,
                RuleOutcome::Missing => PlanAction::Missing,
                // These say something of a row that is installed.
                _ => continue,
            };
            if !installed.contains(&row.name) {
                planned.push(PlanRow {
                    name: row.name.clone(),
                    version: None,
                    action,
                    requested: true,
                    brought_by: BTreeSet::new(),
                    reason: row.reason.clone(),
                    size: None,
                    in_store: false,
                });
            }
        }
        planned.sort_by(|one, other| one.name.cmp(&other.name));
        Self { runtime: request.runtime.clone(), platform: request.target.platform, base, rows: planned }
    }

    /// Names that more than one index has.
    pub fn note(&mut self, overlaps: &[Overlap]) {
        for overlap in overlaps {
            for row in self.rows.iter_mut().filter(|row| row.name == overlap.name) {
                let texts = [std::mem::take(&mut row.reason), overlap.note()];
                row.reason = texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
            }
        }
    }

    /// What `dependants: keep` keeps, with what it lacks.
    pub fn note_kept(&mut self, kept: &BTreeMap<DistributionName, String>) {
        for row in self.rows.iter_mut().filter(|row| row.action.installs()) {
            if let Some(why) = kept.get(&row.name) {
                let texts = [std::mem::take(&mut row.reason), format!("kept, and cannot be imported: {why}")];
                row.reason = texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
            }
        }
    }

    /// Bytes that have to be downloaded, as far as the indexes tell.
    pub fn download_size(&self) -> u64 {
        let is_fetched = |row: &&PlanRow| row.action.installs() && row.action.is_fetched() && !row.in_store;
        self.rows.iter().filter(is_fetched).filter_map(|row| row.size).sum()
    }

    /// Bytes of all files that are installed, packed as they are, as far as the indexes tell.
    pub fn packed_size(&self) -> u64 {
        self.rows.iter().filter(|row| row.action.installs()).filter_map(|row| row.size).sum()
    }

    /// Everything that the configuration asks for can be made on this machine.
    pub fn is_whole(&self) -> bool {
        self.base.is_ok() && self.count(|action| action == PlanAction::NeedsNativeRunner) == 0
    }

    /// Requirements are resolved each for itself.
    pub fn is_each(&self) -> bool {
        self.rows.iter().any(|row| !row.brought_by.is_empty())
    }

    /// The number of rows with a chosen action.
    pub fn count(&self, chosen: impl Fn(PlanAction) -> bool) -> usize {
        self.rows.iter().filter(|row| chosen(row.action)).count()
    }
}

/// An interpreter as an object, or what is wrong as a string.
fn base_as_json<S: Serializer>(base: &Result<PlannedBase, String>, serializer: S) -> Result<S::Ok, S::Error> {
    match base {
        Ok(base) => base.serialize(serializer),
        Err(reason) => serializer.serialize_str(reason),
    }
}

fn how(request: &Request, name: &DistributionName, source: &LockedSource) -> (PlanAction, String) {
    let why = request.why_built(name);
    if let WhyBuilt::BuildWheel(reason) = why {
        return (PlanAction::BuildWheel, reason.to_owned());
    }
    match source {
        LockedSource::Git { repository, commit, .. } => {
            (PlanAction::Git, format!("{repository} at {}", commit.get(..12).unwrap_or(commit)))
        }
        LockedSource::Path { path, .. } if path.as_str().ends_with(".whl") => {
            (PlanAction::LocalWheel, path.to_string())
        }
        LockedSource::Path { path, .. } => (PlanAction::Path, path.to_string()),
        LockedSource::Sdist { .. } => match why.rule() {
            Some(reason) => (PlanAction::Forced, reason.to_owned()),
            None if PlatformKey::host() == Some(request.target.platform) => {
                (PlanAction::Source, why.reason().to_owned())
            }
            None => {
                let reason =
                    format!("{}; built here if it is pure Python, else it needs a native runner", why.reason());
                (PlanAction::Source, reason)
            }
        },
        LockedSource::Wheel { .. } => {
            let said = request.decided.iter().filter(|row| row.name == *name);
            let notes: Vec<&str> = said.map(|row| row.reason.as_str()).collect();
            (PlanAction::Wheel, notes.join("; "))
        }
    }
}

/// As tables show it: `numpy, pandas and 7 more`. The JSON has all.
pub fn brought_by(requirements: &BTreeSet<DistributionName>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = requirements.iter().map(DistributionName::as_str).collect();
    if names.len() <= SHOWN + 1 {
        return names.join(", ");
    }
    format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN)
}

//! What one version needs on one platform: any machine, a machine of that platform, or more than any machine has.
//! Decided from configuration and lock; no network, no interpreter.

use config_merger::{Config, RequirementSource};
use serde::Serialize;
use vocab::{DistributionName, PlatformKey};

use interpreter::{KnownBase, known};
use resolve::{LockedSource, PlatformLock, Request};

/// Where a runtime can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineNeed {
    /// Wheels alone, and an interpreter that any machine can have.
    Anywhere,
    /// A machine of the platform, for these reasons; never empty.
    ItsPlatform(Vec<MachineReason>),
    /// No source has the interpreter; the reason in words, and what helps.
    Nowhere { reason: String, hint: &'static str },
}

/// Why a machine of the platform is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachineReason {
    /// `None` for the base interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<DistributionName>,
    pub text: String,
}

impl std::fmt::Display for MachineReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.package {
            Some(package) => write!(formatter, "{package}: {}", self.text),
            None => formatter.write_str(&self.text),
        }
    }
}

/// `rows` only where they are fresh; without them, what has no wheel is not known.
pub fn need(config: &Config, request: &Request, rows: Option<&PlatformLock>) -> MachineNeed {
    let platform = request.target.platform;
    let mut reasons = match known(config.version.python(), platform, &config.python) {
        KnownBase::Anywhere { .. } => Vec::new(),
        KnownBase::OnItsPlatform => {
            let text =
                format!("no source has Python {} as a file, only a machine may have it", config.version.python());
            vec![MachineReason { package: None, text }]
        }
        KnownBase::Nowhere { asked, hint } => {
            let said: Vec<String> =
                asked.iter().map(|(source, answer)| format!("{} {answer}", source.as_str())).collect();
            let reason = format!("no source has Python {}: {}", config.version.python(), said.join("; "));
            return MachineNeed::Nowhere { reason, hint };
        }
    };
    match rows {
        Some(rows) => reasons.extend(locked_sources(request, rows)),
        None => reasons.extend(configured_sources(request, platform)),
    }
    if reasons.is_empty() { MachineNeed::Anywhere } else { MachineNeed::ItsPlatform(reasons) }
}

/// All rows of the lock that are not finished wheels.
fn locked_sources<'a>(request: &'a Request, rows: &'a PlatformLock) -> impl Iterator<Item = MachineReason> + 'a {
    rows.distributions.iter().filter_map(|row| {
        let why = request.why_built(&row.name);
        let from_rule = why.rule().map(str::to_owned);
        let text = match &row.source {
            _ if request.ships(row) => return None,
            LockedSource::Wheel { .. } => return None,
            LockedSource::Path { path, .. } if path.as_str().ends_with(".whl") => return None,
            LockedSource::Sdist { .. } => why.reason().to_owned(),
            LockedSource::Git { repository, .. } => from_rule.unwrap_or_else(|| format!("built from {repository}")),
            LockedSource::Path { path, .. } => from_rule.unwrap_or_else(|| format!("built from {path}")),
        };
        Some(MachineReason { package: Some(row.name.clone()), text })
    })
}

/// What the configuration says will be built, whatever the indexes have.
fn configured_sources(request: &Request, platform: PlatformKey) -> impl Iterator<Item = MachineReason> + '_ {
    request.requirements.iter().filter(|it| request.is_built(&it.name)).map(move |requirement| {
        let rule = request.why_built(&requirement.name).rule();
        let text = rule.map(str::to_owned).unwrap_or_else(|| match &requirement.source {
            RequirementSource::Index { .. } => format!("built from source on {platform}"),
            _ => format!("built from {}", requirement.text),
        });
        MachineReason { package: Some(requirement.name.clone()), text }
    })
}

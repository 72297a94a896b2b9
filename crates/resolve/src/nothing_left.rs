//! A runtime without any of the distributions that its configuration lists is a failure, whatever may be left out.

use vocab::{DistributionName, Exit, Fault, Outcome, PlatformKey, RuleRecord};

use crate::Request;

/// Everything that the configuration lists was left out.
#[derive(Debug, thiserror::Error)]
#[error("nothing that the configuration lists would be in the runtime for {platform}: {rows}")]
pub struct NothingLeft {
    pub platform: PlatformKey,
    /// `demo (no wheel fits …)`, with commas between them.
    pub rows: String,
}

impl Fault for NothingLeft {
    fn code(&self) -> &'static str {
        "E_NOTHING_LEFT"
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }

    fn hint(&self) -> Option<String> {
        Some("the policy may leave some distributions out, but not all of them; skip them where that is meant".into())
    }
}

/// What was left out while resolving, and while building.
pub fn check<'a>(request: &Request, left_out: impl IntoIterator<Item = &'a RuleRecord>) -> Result<(), NothingLeft> {
    let lacking = |row: &&RuleRecord| {
        matches!(row.outcome, Outcome::LeftOut | Outcome::Missing) && request.is_requested(&row.name)
    };
    let rows: Vec<&RuleRecord> = left_out.into_iter().filter(lacking).collect();
    let has = |name: &DistributionName| rows.iter().any(|row| row.name == *name);
    if rows.is_empty() || !request.requirements.iter().all(|requirement| has(&requirement.name)) {
        return Ok(());
    }
    let rows: Vec<String> = rows.iter().map(|row| format!("{} ({})", row.name, row.reason)).collect();
    Err(NothingLeft { platform: request.target.platform, rows: rows.join(", ") })
}

//! A runtime without any of the distributions that its configuration lists is a failure, whatever may be left out.

use vocab::{DistributionName, Fault, PlatformKey, RuleOutcome, RuleRecord};

use crate::Request;

/// Everything that the configuration lists was left out.
#[derive(Debug, thiserror::Error, Fault)]
#[error("nothing that the configuration lists would be in the runtime for {platform}: {rows}")]
#[fault(
    "E_NOTHING_LEFT",
    Build,
    hint("the policy may leave out some distributions, but not all of them; skip those that are meant to be absent")
)]
pub struct NothingLeft {
    pub platform: PlatformKey,
    /// `demo (no wheel fits …)`, with commas between them.
    pub rows: String,
}

/// What was left out while resolving, and while building.
pub fn check<'a>(request: &Request, left_out: impl IntoIterator<Item = &'a RuleRecord>) -> Result<(), NothingLeft> {
    let lacking = |row: &&RuleRecord| {
        matches!(row.outcome, RuleOutcome::LeftOut | RuleOutcome::Missing) && request.is_requested(&row.name)
    };
    let rows: Vec<&RuleRecord> = left_out.into_iter().filter(lacking).collect();
    let has = |name: &DistributionName| rows.iter().any(|row| row.name == *name);
    if rows.is_empty() || !request.requirements.iter().all(|requirement| has(&requirement.name)) {
        return Ok(());
    }
    let rows: Vec<String> = rows.iter().map(|row| format!("{} ({})", row.name, row.reason)).collect();
    Err(NothingLeft { platform: request.target.platform, rows: rows.join(", ") })
}

//! What a verification of a baked runtime found, step by step.

use serde::{Deserialize, Serialize};

/// What a verification did, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyReport {
    pub outcome: VerifyOutcome,
    /// In the order in which they were taken.
    pub steps: Vec<VerifyStep>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyOutcome {
    Passed,
    Failed,
    /// This machine cannot run the platform.
    #[default]
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyStep {
    pub name: String,
    pub passed: bool,
    /// What was looked at, or what is wrong.
    pub details: Vec<String>,
}

impl VerifyReport {
    /// `ok imports: 2 modules …`, a line for each step.
    pub fn lines(&self) -> Vec<String> {
        let of = |step: &VerifyStep| {
            let word = if step.passed { "ok" } else { "FAILED" };
            format!("{word} {}: {}", step.name, step.details.join("; "))
        };
        self.steps.iter().map(of).collect()
    }
}

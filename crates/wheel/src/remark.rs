//! Unusual facts about a wheel that are accepted.

use serde::{Deserialize, Serialize};

/// Completes a sentence that begins with "the wheel `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    pub kind: RemarkKind,
    pub text: String,
}

/// What a remark is about; decides the code of the warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkKind {
    /// Its RECORD disagrees with it.
    Record,
    /// A script is missing, or has another name than its author may expect.
    Scripts,
}

impl Remark {
    /// A remark about scripts.
    pub fn scripts(text: impl Into<String>) -> Self {
        Self { kind: RemarkKind::Scripts, text: text.into() }
    }
}

impl RemarkKind {
    /// For the list of warning codes.
    pub const ALL: [Self; 2] = [Self::Record, Self::Scripts];

    /// Code of the warning.
    pub fn code(self) -> &'static str {
        match self {
            Self::Record => "W_WHEEL_RECORD",
            Self::Scripts => "W_WHEEL_SCRIPTS",
        }
    }
}

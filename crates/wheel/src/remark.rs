//! What is odd about a wheel, and let pass.

use serde::{Deserialize, Serialize};

/// A sentence to go on from "the wheel `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    pub kind: RemarkKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkKind {
    /// Its RECORD disagrees with it.
    Record,
    /// A script is missing, or called otherwise than its author may expect.
    Scripts,
}

impl Remark {
    pub fn scripts(text: impl Into<String>) -> Self {
        Self { kind: RemarkKind::Scripts, text: text.into() }
    }
}

impl RemarkKind {
    pub const ALL: [Self; 2] = [Self::Record, Self::Scripts];

    /// Of the warning.
    pub fn code(self) -> &'static str {
        match self {
            Self::Record => "W_WHEEL_RECORD",
            Self::Scripts => "W_WHEEL_SCRIPTS",
        }
    }
}

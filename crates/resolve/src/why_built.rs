//! Why something is built from its source: `buildWheel` comes before `forceSource`, and without a rule no wheel fits.

use vocab::DistributionName;

use crate::Request;

/// Why a locked distribution is built rather than installed from a wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyBuilt<'a> {
    /// With the rule's reason.
    BuildWheel(&'a str),
    /// The same; `forceNoBinaryList`, too.
    Forced(&'a str),
    NoWheel,
}

impl<'a> WhyBuilt<'a> {
    /// `None` where no rule says so.
    pub fn rule(self) -> Option<&'a str> {
        match self {
            Self::BuildWheel(reason) | Self::Forced(reason) => Some(reason),
            Self::NoWheel => None,
        }
    }

    /// In words.
    pub fn reason(self) -> &'a str {
        self.rule().unwrap_or("no wheel fits")
    }
}

impl Request {
    /// Why a distribution is built. Ask only about one that is.
    pub fn why_built(&self, name: &DistributionName) -> WhyBuilt<'_> {
        match (self.build_wheel.get(name), self.forced.get(name)) {
            (Some(rule), _) => WhyBuilt::BuildWheel(&rule.reason),
            (None, Some(reason)) => WhyBuilt::Forced(reason),
            (None, None) => WhyBuilt::NoWheel,
        }
    }
}

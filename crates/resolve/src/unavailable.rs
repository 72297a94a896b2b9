//! What is not available: each distribution with the indexes that were asked for it and their answers.

use std::error::Error;
use std::fmt;

use config_merger::SourcePolicy;
use store::download::{self, HOW_TO_GIVE_CREDENTIALS};
use vocab::{DistributionName, Exit, Fault, RuleOutcome};

use crate::registries::{IndexPages, IndexStanding, Registry};

/// What happens if a distribution is not available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingRule {
    /// It ends the build, unless the policy says `strictMissing: false`.
    #[default]
    Policy,
    /// It is left out.
    Allow,
    /// It ends the build, whatever the policy says.
    Refuse,
}

impl MissingRule {
    /// Whether a distribution that is not available may be left out.
    pub fn allows(self, policy: &SourcePolicy) -> bool {
        match self {
            Self::Policy => policy.strict_missing == Some(false),
            Self::Allow => true,
            Self::Refuse => false,
        }
    }

    /// A distribution that only its own platform can compile fails a build elsewhere, unless the policy is silent
    /// about it.
    pub fn refuses_native_runner(self, policy: &SourcePolicy) -> bool {
        match self {
            Self::Policy => policy.strict_missing == Some(true),
            Self::Allow => false,
            Self::Refuse => true,
        }
    }
}

/// One distribution that is not available, and what each index answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnavailableDistribution {
    pub name: DistributionName,
    /// URLs and what was answered, in the order in which they were asked.
    pub answers: Vec<(String, String)>,
    /// Whether an index refused to say if it has it (401, 403).
    pub refused: bool,
    /// Whether an index has it, but no file that fits.
    pub known: bool,
    /// The first index that did not answer, without credentials, and why.
    pub silent: Option<(String, String)>,
}

impl UnavailableDistribution {
    pub(super) fn new(name: DistributionName, answers: &[(Registry, IndexStanding)], pages: &IndexPages<'_>) -> Self {
        let mut it = Self { name, answers: Vec::new(), refused: false, known: false, silent: None };
        for (registry, standing) in answers {
            let url = pages.url_of(*registry);
            let answer = match standing {
                IndexStanding::Has(page) => {
                    it.known = true;
                    let newest = page.files.iter().map(|file| &file.version).max();
                    match newest {
                        Some(newest) => format!("has no file that fits, up to version {newest}"),
                        None => "has no file of it".to_owned(),
                    }
                }
                IndexStanding::Absent if url.starts_with("file:") => "does not have it".to_owned(),
                IndexStanding::Absent => "answered 404".to_owned(),
                IndexStanding::Refused(status) => {
                    it.refused = true;
                    format!("answered {status}")
                }
                IndexStanding::Silent(reason) => {
                    it.silent.get_or_insert_with(|| (url.clone(), reason.clone()));
                    format!("cannot be reached ({reason})")
                }
            };
            it.answers.push((url, answer));
        }
        it
    }

    fn answers(&self) -> String {
        let answers: Vec<String> = self.answers.iter().map(|(url, answer)| format!("{url} {answer}")).collect();
        answers.join("; ")
    }

    /// Why it is left out.
    pub(super) fn reason(&self) -> (RuleOutcome, String) {
        match &self.silent {
            Some((url, reason)) if !self.known && self.answers.len() == 1 => {
                (RuleOutcome::Missing, format!("its index {url} cannot be reached: {reason}"))
            }
            Some((url, reason)) if !self.known => {
                (RuleOutcome::Missing, format!("no other index has it, and {url} cannot be reached: {reason}"))
            }
            _ => (RuleOutcome::LeftOut, format!("no wheel and no source: {}", self.answers())),
        }
    }
}

impl fmt::Display for UnavailableDistribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not available: {}", self.name, self.answers())
    }
}

/// All unavailable distributions of one resolution; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllUnavailable(pub Vec<UnavailableDistribution>);

impl fmt::Display for AllUnavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&texts.join("\n"))
    }
}

/// What kept distributions from being found; if there are several causes, the first in this order.
enum Obstacle {
    Refused,
    Silent,
    Absent,
}

impl AllUnavailable {
    fn obstacle(&self) -> Obstacle {
        let any = |test: fn(&UnavailableDistribution) -> bool| self.0.iter().any(test);
        if any(|it| it.refused) {
            Obstacle::Refused
        } else if any(|it| it.silent.is_some()) {
            Obstacle::Silent
        } else {
            Obstacle::Absent
        }
    }
}

impl Error for AllUnavailable {}

impl Fault for AllUnavailable {
    fn code(&self) -> &'static str {
        match self.obstacle() {
            Obstacle::Refused => "E_REGISTRY_REFUSED",
            Obstacle::Silent => "E_REGISTRY_UNREACHABLE",
            Obstacle::Absent => "E_RESOLVE",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }

    fn hint(&self) -> Option<String> {
        let names: Vec<String> = self.0.iter().map(|it| format!("`{}`", it.name)).collect();
        let names = names.join(", ");
        Some(match self.obstacle() {
            Obstacle::Refused => format!(
                "{HOW_TO_GIVE_CREDENTIALS}; if the index refuses everything that it does not have, check the spelling, \
                 too"
            ),
            Obstacle::Silent => {
                let silent = self.0.iter().find_map(|it| it.silent.as_ref());
                match silent.and_then(|(_, reason)| download::tls_advice(reason)) {
                    Some(advice) => format!("{advice}; --allow-missing builds without {names}"),
                    None => {
                        format!(
                            "check the spelling, or try again when it answers; --allow-missing builds without {names}"
                        )
                    }
                }
            }
            Obstacle::Absent => format!("check the spelling and the version; --allow-missing builds without {names}"),
        })
    }
}

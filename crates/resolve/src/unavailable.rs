//! What is not available: each distribution with the indexes that were asked for it and their answers.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use config_merger::{RequirementSource, SourcePolicy};
use vocab::{DistributionName, Exit, Fault, RuleOutcome};

use super::{ResolutionSearch, ResolveErrorKind, UvError};
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
    fn reason(&self) -> (RuleOutcome, String) {
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
            Obstacle::Refused => "put the index's user and password into ~/.netrc; if it refuses everything that it \
                                  does not have, check the spelling, too"
                .to_owned(),
            Obstacle::Silent => {
                format!("check the spelling, or try again when it answers; --allow-missing builds without {names}")
            }
            Obstacle::Absent => format!("check the spelling and the version; --allow-missing builds without {names}"),
        })
    }
}

impl ResolutionSearch<'_> {
    /// The resolver found no solution even with sources: finds out which distributions are to blame, and leaves them
    /// out where that is allowed.
    pub(super) fn leave_out_unknown(&mut self, reason: &str) -> Result<(), ResolveErrorKind> {
        let refused = || ResolveErrorKind::Uv(UvError::Refused { reason: reason.to_owned() });
        // Offline uv finds nothing that its cache lacks, which says nothing about the index.
        if self.context.offline {
            return Err(refused());
        }
        let direct = self.request.requirements.iter().filter(|it| matches!(it.source, RequirementSource::Index { .. }));
        let mut names: BTreeSet<DistributionName> = direct.map(|requirement| requirement.name.clone()).collect();
        names.extend(named_in(reason));
        names.retain(|name| !self.left_out.contains_key(name));
        let pages = self.settings.pages;
        let asked = names.iter().flat_map(|name| {
            pages.asked_for(name).into_iter().map(|registry| (registry, name.clone())).collect::<Vec<_>>()
        });
        pages.ask(&asked.collect::<Vec<_>>());
        let blamed: Vec<UnavailableDistribution> = names.iter().filter_map(|name| self.unavailable(name)).collect();
        // The resolver explains best why existing files do not fit.
        let allowed = self.settings.missing.allows(&self.request.policy);
        if blamed.is_empty() || (!allowed && blamed.iter().all(|it| it.known && !it.refused)) {
            return Err(refused());
        }
        self.leave_out_unavailable(blamed)
    }

    /// An index that does not answer excuses what no other index knows; one that refuses an answer excuses nothing.
    pub(super) fn leave_out_unavailable(
        &mut self,
        blamed: Vec<UnavailableDistribution>,
    ) -> Result<(), ResolveErrorKind> {
        let (refused, others): (Vec<_>, Vec<_>) = blamed.into_iter().partition(|it| it.refused);
        if !refused.is_empty() {
            return Err(ResolveErrorKind::Unavailable(AllUnavailable(refused)));
        }
        if !others.is_empty() && !self.settings.missing.allows(&self.request.policy) {
            return Err(ResolveErrorKind::Unavailable(AllUnavailable(others)));
        }
        for it in others {
            let (outcome, reason) = it.reason();
            self.leave_out(&it.name, outcome, reason);
        }
        Ok(())
    }
}

/// Distributions that the resolver's own words blame.
fn named_in(reason: &str) -> BTreeSet<DistributionName> {
    let words: Vec<&str> = reason.split_whitespace().collect();
    let phrases: [&[&str]; 5] = [
        &["no", "versions", "of"],
        &["no", "version", "of"],
        &["all", "versions", "of"],
        &["was", "not", "found"],
        &["has", "no", "usable"],
    ];
    let mut names = BTreeSet::new();
    for (at, window) in words.windows(3).enumerate() {
        let Some(phrase) = phrases.iter().position(|phrase| *phrase == window) else { continue };
        let word = if phrase < 3 { words.get(at + 3) } else { at.checked_sub(1).and_then(|before| words.get(before)) };
        let name = word.and_then(|word| word.split(['=', '<', '>', '!', '~', '[', ',']).next());
        names.extend(name.and_then(|name| name.parse().ok()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_words_name_what_is_to_blame() {
        let reason = "Because only-here was not found in the package registry and there are no versions of demo, and \
                      because stub==1.0 has no usable wheels and parent>=2 depends on other, we can conclude that all \
                      versions of third<3 cannot be used.";
        let names: Vec<String> = named_in(reason).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["demo", "only-here", "stub", "third"]);
        assert!(named_in("was not found").is_empty());
    }
}

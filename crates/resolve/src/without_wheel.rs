//! Which distributions have no wheel that fits, found out without running any of their code.
//!
//! A source that no policy allows must not run, and looking at what a source requires may run its `setup.py`. So the
//! resolver is never asked with sources of just anything allowed: it refuses, and its refusal names what it would
//! have had to build.

use std::collections::BTreeSet;

use config_merger::RequirementSource;
use vocab::DistributionName;

use super::pylock::AnsweredDistribution;
use super::{ResolutionSearch, ResolveErrorKind, exact_pin};

/// The text before a name in the pinned resolver's refusals.
const SIGNS: [&str; 2] = ["Wheels are required for `", "Building source distributions for `"];

/// The names that the resolver says it would have to build.
pub(crate) fn named_in(refusal: &str) -> BTreeSet<DistributionName> {
    let after = |sign: &&'static str| refusal.split(*sign).skip(1);
    SIGNS.iter().flat_map(after).filter_map(|rest| rest.split('`').next()?.parse().ok()).collect()
}

impl ResolutionSearch<'_> {
    /// Those of the configuration's pins that only have a source: all of them by one question, where a refusal names
    /// one at a time. Other requirements may have an older wheel, which only a whole resolution finds.
    pub(super) fn pins_without_wheel(&self) -> Result<BTreeSet<DistributionName>, ResolveErrorKind> {
        let mut question = self.question(self.widest());
        let pins = self.request.requirements.iter().filter(|requirement| {
            matches!(requirement.source, RequirementSource::Index { .. })
                && exact_pin(requirement).is_some()
                && !self.left_out.contains_key(&requirement.name)
                && !self.is_built(&requirement.name)
        });
        let pins: Vec<_> = pins.collect();
        question.requirements = pins.iter().map(|it| it.for_resolver(self.settings.repository)).collect();
        // Given their requirements, the resolver runs none of them.
        question.no_deps = pins.iter().map(|requirement| requirement.name.clone()).collect();
        question.without_dependencies = true;
        question.from_source.clear();
        question.sources_allowed = true;
        if pins.is_empty() {
            return Ok(BTreeSet::new());
        }
        let answers: Vec<AnsweredDistribution> = self.ask(&question)?.unwrap_or_default();
        Ok(answers.into_iter().filter(|answer| self.lacks_wheel(answer)).map(|answer| answer.name).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_would_have_to_be_built() {
        let refusal = "No solution found\n  cause: Because aa==1.0 has no usable wheels …\n\
                       hint: Wheels are required for `aa` because building from source is disabled for all packages\n\
                       hint: Wheels are required for `B_b` because building from source is disabled for all packages\n\
                       cause: Building source distributions for `cc` is disabled";
        let names: Vec<String> = named_in(refusal).into_iter().map(|name| name.to_string()).collect();
        assert_eq!(names, ["aa", "b-b", "cc"]);
        assert!(named_in("nope was not found in the package registry").is_empty());
    }
}

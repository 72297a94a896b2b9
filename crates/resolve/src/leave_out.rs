//! What goes when the resolver finds no solution: which distributions are to blame, and whether they may be left out.

use std::collections::BTreeSet;

use config_merger::RequirementSource;
use vocab::DistributionName;

use super::{AllUnavailable, ResolutionSearch, ResolveErrorKind, UnavailableDistribution, UvError};

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

//! Which index is used for which distribution.
//!
//! The resolver sees the default index and a shelf: pages of exactly those distributions that come from an additional
//! index, because they are pinned to it, or because the default index has no file of them that fits. So no index can
//! replace what an earlier one has, and the origin of every file is known. One question about all indexes together
//! shows which distributions need the shelf.

use std::sync::Arc;

use config_merger::RequirementSource;
use pep440_rs::{Version, VersionSpecifiers};
use vocab::DistributionName;

use super::unavailable::UnavailableDistribution;
use super::{AnswerSource, AnsweredDistribution, ResolutionSearch, ResolveErrorKind};
use crate::registries::{IndexPage, IndexStanding, Registry};

/// What a page must have for its index to be used.
enum WantedVersion<'a> {
    /// Any file that the configuration asks for.
    Specifier(Option<&'a VersionSpecifiers>),
    /// The version that a resolution over all indexes took: only the resolver knows what requires it.
    Version(Option<Version>),
}

impl WantedVersion<'_> {
    fn allows(&self, version: &Version) -> bool {
        match self {
            Self::Specifier(specifier) => specifier.is_none_or(|specifier| specifier.contains(version)),
            Self::Version(wanted) => wanted.as_ref() == Some(version),
        }
    }
}

impl ResolutionSearch<'_> {
    /// Pinned distributions are on the shelf from the beginning, with an empty page if their index lacks them: no
    /// other index is asked for them.
    pub(super) fn shelve_pinned(&mut self) -> Result<(), ResolveErrorKind> {
        let pages = self.settings.pages;
        let asked: Vec<_> =
            pages.pinned().iter().map(|(name, place)| (Registry::Additional(*place), name.clone())).collect();
        pages.ask(&asked);
        let mut unavailable = Vec::new();
        for (name, place) in pages.pinned() {
            let standing = pages.of(Registry::Additional(*place), name);
            let page = match &standing {
                IndexStanding::Has(page) => Arc::clone(page),
                _ => Arc::default(),
            };
            self.shelf.put(name.clone(), *place, page);
            if !matches!(standing, IndexStanding::Has(_)) && self.specifier(name).is_some() {
                unavailable.extend(self.unavailable(name));
            }
        }
        self.leave_out_unavailable(unavailable)
    }

    /// Puts on the shelf what no earlier index has; `answers` are what a resolution over all indexes took. True if
    /// there was anything.
    pub(super) fn shelve(&mut self, answers: &[AnsweredDistribution]) -> bool {
        let pages = self.settings.pages;
        let from_index = |answer: &&AnsweredDistribution| {
            matches!(answer.source, AnswerSource::Wheel(_) | AnswerSource::Sdist(_))
                && self.shelf.place_of(&answer.name).is_none()
                && !self.request.is_direct(&answer.name)
        };
        let answers: Vec<&AnsweredDistribution> = answers.iter().filter(from_index).collect();
        let everywhere = answers.iter().flat_map(|answer| {
            pages.open().map(|place| (Registry::Additional(place), answer.name.clone())).collect::<Vec<_>>()
        });
        pages.ask(&everywhere.collect::<Vec<_>>());
        let elsewhere = |name| pages.open().any(|place| pages.of(Registry::Additional(place), name).page().is_some());
        let answers: Vec<&AnsweredDistribution> =
            answers.into_iter().filter(|answer| elsewhere(&answer.name)).collect();
        let default: Vec<_> = answers.iter().map(|answer| (Registry::Default, answer.name.clone())).collect();
        pages.ask(&default);

        for by_version in [false, true] {
            let mut found = Vec::new();
            for answer in &answers {
                let wanted = if by_version {
                    WantedVersion::Version(answer.version.as_ref().and_then(|version| version.parse().ok()))
                } else {
                    WantedVersion::Specifier(self.specifier(&answer.name))
                };
                // Nothing is known unless the default index answers.
                let passed_over = match pages.of(Registry::Default, &answer.name) {
                    IndexStanding::Has(page) => !self.fits(&answer.name, &page, &wanted),
                    IndexStanding::Absent => true,
                    IndexStanding::Refused(_) | IndexStanding::Silent(_) => false,
                };
                let mut open = pages.open().filter(|_| passed_over);
                found.extend(open.find_map(|place| match pages.of(Registry::Additional(place), &answer.name) {
                    IndexStanding::Has(page) if self.fits(&answer.name, &page, &wanted) => {
                        Some((answer.name.clone(), place, page))
                    }
                    _ => None,
                }));
            }
            if !found.is_empty() {
                found.into_iter().for_each(|(name, place, page)| self.shelf.put(name, place, page));
                return true;
            }
        }
        false
    }

    /// A wheel, or a source for what is built.
    fn fits(&self, name: &DistributionName, page: &IndexPage, wanted: &WantedVersion<'_>) -> bool {
        let target = &self.request.target;
        let built = self.is_built(name);
        page.files.iter().any(|file| {
            let of_kind = if built { file.is_sdist() } else { target.rank(&file.file_name).is_some() };
            of_kind && file.is_for(target.python) && wanted.allows(&file.version)
        })
    }

    /// The requirement in the configuration. `None` if only other distributions require it.
    pub(super) fn specifier(&self, name: &DistributionName) -> Option<&VersionSpecifiers> {
        self.request.requirements.iter().find_map(|requirement| match &requirement.source {
            RequirementSource::Index { specifier } if requirement.name == *name => Some(specifier),
            _ => None,
        })
    }

    /// As in the lock: the place of its additional index, counted from 1.
    pub(super) fn registry_of(&self, name: &DistributionName) -> Option<usize> {
        self.shelf.place_of(name).filter(|_| !self.request.is_direct(name)).map(|place| place + 1)
    }

    /// Any wheel or source that the configuration asks for and the policy allows.
    pub(super) fn has_any(&self, name: &DistributionName, page: &IndexPage) -> bool {
        let wanted = WantedVersion::Specifier(self.specifier(name));
        let source = self.is_built(name) || self.request.policy.allows_source(name);
        self.fits(name, page, &wanted)
            || (source && page.files.iter().any(|file| file.is_sdist() && wanted.allows(&file.version)))
    }

    /// Empty, or what to report about a distribution that none of its indexes has.
    pub(super) fn unavailable(&self, name: &DistributionName) -> Option<UnavailableDistribution> {
        let pages = self.settings.pages;
        let asked = pages.asked_for(name);
        pages.ask(&asked.iter().map(|registry| (*registry, name.clone())).collect::<Vec<_>>());
        let answers: Vec<_> = asked.into_iter().map(|registry| (registry, pages.of(registry, name))).collect();
        if answers.iter().any(|(_, standing)| standing.page().is_some_and(|page| self.has_any(name, page))) {
            return None;
        }
        Some(UnavailableDistribution::new(name.clone(), &answers, pages))
    }
}

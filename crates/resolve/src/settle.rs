//! What uv's answer leaves open: files that are not for the runtime's Python, and requirements that depend on the
//! kernel. Each is put right by asking again with what was learnt.

use config_merger::{MarkerAnswer, RequirementSource};
use pep440_rs::Version;
use vocab::{DistributionName, RuleOutcome, RuleRecord};

use super::file_metadata::{FileMetadata, urls};
use super::pylock::AnsweredDistribution;
use super::requires_python::excludes;
use super::{ResolutionSearch, ResolveErrorKind, exact_pin};

impl ResolutionSearch<'_> {
    /// Whether the answer stands. If not, the next question asks for something else.
    pub(super) fn settle(
        &mut self,
        answers: &[AnsweredDistribution],
        metadata: &[Option<FileMetadata>],
    ) -> Result<bool, ResolveErrorKind> {
        let known = || answers.iter().zip(metadata).filter_map(|(answer, known)| Some((answer, known.as_ref()?)));
        for (answer, metadata) in known() {
            self.refuse_file_urls(&answer.name, metadata)?;
        }
        let mut fits = true;
        for (answer, metadata) in known() {
            fits &= self.fits_python(answer, metadata)?;
        }
        self.unknown_to_kernel.clear();
        if !fits {
            // Other versions may require something else.
            self.added.clear();
            return Ok(false);
        }
        let before = self.added.len();
        for (answer, metadata) in known().filter(|(answer, _)| !self.request.no_deps.contains(&answer.name)) {
            self.apply_to_kernel(answer, metadata, answers);
        }
        Ok(self.added.len() == before)
    }

    /// uv treats `Requires-Python` only as a lower bound.
    fn fits_python(
        &mut self,
        answer: &AnsweredDistribution,
        metadata: &FileMetadata,
    ) -> Result<bool, ResolveErrorKind> {
        let python = self.request.target.python;
        let Some(requires_python) = metadata.requires_python.as_deref().filter(|text| excludes(text, python)) else {
            return Ok(true);
        };
        let requirement = self.request.requirements.iter().find(|requirement| requirement.name == answer.name);
        let is_open = requirement
            .is_none_or(|it| matches!(it.source, RequirementSource::Index { .. }) && exact_pin(it).is_none());
        let version = match &answer.version {
            Some(version) if is_open => version.clone(),
            version => {
                return Err(ResolveErrorKind::RequiresPython {
                    name: answer.name.clone(),
                    version: version.clone().unwrap_or_default(),
                    requires_python: requires_python.to_owned(),
                    python,
                });
            }
        };
        let standing = self.standing(&answer.name);
        let others = standing.page().map(|page| page.versions_not_for(python)).unwrap_or_default();
        let versions = self.not_for_python.entry(answer.name.clone()).or_default();
        versions.extend(others.iter().map(Version::to_string).chain([version]));
        Ok(false)
    }

    /// uv compares the kernel's release or version as if it were an empty text.
    fn apply_to_kernel(
        &mut self,
        answer: &AnsweredDistribution,
        metadata: &FileMetadata,
        answers: &[AnsweredDistribution],
    ) {
        let target = &self.request.target;
        let lines = metadata.particular();
        for requirement in lines.filter_map(|line| config_merger::requirement_of_metadata(line)) {
            let name = &requirement.name;
            let is_met = answers.iter().find(|other| other.name == *name).is_some_and(|other| {
                let version = other.version.as_deref().and_then(|version| version.parse::<Version>().ok());
                let RequirementSource::Index { specifier } = &requirement.source else { return true };
                version.is_none_or(|version| specifier.contains(&version))
            });
            let is_decided = self.request.excluded.contains_key(name) || self.left_out.contains_key(name);
            if is_met || is_decided {
                continue;
            }
            match requirement.applies(target.platform, target.python, target.system) {
                MarkerAnswer::No => {}
                MarkerAnswer::Yes => {
                    self.added
                        .entry(name.clone())
                        .or_insert_with(|| requirement.for_resolver(self.settings.repository));
                }
                MarkerAnswer::Unknown => {
                    let marker = requirement.marker.try_to_string().unwrap_or_default();
                    let reason = format!(
                        "`{}` requires it only where {marker}, which is not known of {}; list it in `dependencies` if \
                         it is needed",
                        answer.name, target.platform
                    );
                    let row = RuleRecord { name: name.clone(), outcome: RuleOutcome::NotApplicable, reason };
                    self.unknown_to_kernel.entry(name.clone()).or_insert(row);
                }
            }
        }
    }

    /// A file on this machine. In a lock it would have no name that another machine could look up.
    pub(super) fn refuse_file_urls(
        &self,
        parent: &DistributionName,
        metadata: &FileMetadata,
    ) -> Result<(), ResolveErrorKind> {
        let of_file = urls(metadata).filter(|(_, url)| url.starts_with("file:"));
        for (name, url) in of_file.filter_map(|(name, url)| Some((name.parse::<DistributionName>().ok()?, url))) {
            let is_decided = self.request.excluded.contains_key(&name) || self.request.no_deps.contains(parent);
            if !is_decided && !self.request.is_requested(&name) {
                return Err(ResolveErrorKind::FileUrl { parent: parent.clone(), name, url });
            }
        }
        Ok(())
    }

    /// Local wheels among the requirements, with their metadata.
    pub(super) fn local_wheels(&self) -> Vec<(&DistributionName, FileMetadata)> {
        let requirements = self.request.requirements.iter();
        let wheels = requirements.filter_map(|requirement| match &requirement.source {
            RequirementSource::Path { path, .. } if path.as_str().ends_with(".whl") => {
                let metadata = FileMetadata::of_wheel(&path.below(self.settings.repository))?;
                Some((&requirement.name, metadata))
            }
            _ => None,
        });
        wheels.collect()
    }

    /// What the configuration lists by path and a local wheel names by another file's URL: the former holds.
    pub(super) fn overrides(&self) -> Vec<String> {
        let local = self.local_wheels();
        let named: Vec<DistributionName> = local
            .iter()
            .flat_map(|(_, metadata)| urls(metadata))
            .filter(|(_, url)| url.starts_with("file:"))
            .filter_map(|(name, _)| name.parse().ok())
            .collect();
        let listed = self.request.requirements.iter().filter(|requirement| named.contains(&requirement.name));
        listed.map(|requirement| requirement.for_resolver(self.settings.repository)).collect()
    }
}

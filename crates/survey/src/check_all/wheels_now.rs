//! Rules that the indexes have overtaken: a `skip` or `forceSource` of something that has a fitting wheel by now, and a
//! `skip` of something that nothing requires. The resolver is asked, as a build would.

use std::collections::BTreeSet;

use config_merger::{Repository, RequirementSource};
use vocab::{DistributionName, Fault, RuleOutcome};

use super::{SurveyFindings, SurveyedPlatform, SurveyedVersion};
use crate::resolver_python;
use resolve::registries::{self, IndexPages};
use resolve::{
    self, AnswerSource, AnsweredDistribution, MissingRule, PreferredVersions, ResolveError, ResolveErrorKind,
    ResolveSettings, Uv, UvError, UvQuestion,
};
use store::Context;

pub(super) fn remark(
    context: &Context,
    repository: &Repository,
    surveyed: &[SurveyedVersion],
    checked: &mut SurveyFindings,
) {
    for version in surveyed {
        let folder = version.config.version.folder_name();
        if let Err(fault) = of_version(context, repository, version, checked) {
            checked.faults.push((folder, fault));
        }
    }
}

fn of_version(
    context: &Context,
    repository: &Repository,
    version: &SurveyedVersion,
    checked: &mut SurveyFindings,
) -> Result<(), Box<dyn Fault>> {
    let ruled =
        |platform: &SurveyedPlatform| !platform.request.forced.is_empty() || !platform.request.excluded.is_empty();
    if !version.platforms.iter().any(ruled) {
        return Ok(());
    }
    let context = &context.with_default_index(version.config.registries.default.as_deref());
    let uv = resolver_python::resolver(context, repository, &version.config)?;
    for platform in version.platforms.iter().filter(|platform| ruled(platform)) {
        let asker = WheelAsker { context, repository, uv: &uv, version, platform };
        for (rule, name) in asker.rules() {
            if let Some((version, file)) = asker.wheel_of(&name)? {
                asker.tell_wheel(rule, &name, &version, &file, checked);
            }
        }
        for name in asker.needless_skips()? {
            let text = format!("`skip` of `{name}` does nothing on {}: nothing requires it", asker.key());
            checked.remark("W_RULE_IDLE", text, asker.place(), "remove it, unless something planned needs it");
        }
    }
    Ok(())
}

struct WheelAsker<'a> {
    context: &'a Context,
    repository: &'a Repository,
    uv: &'a Uv,
    version: &'a SurveyedVersion,
    platform: &'a SurveyedPlatform,
}

impl WheelAsker<'_> {
    fn key(&self) -> vocab::PlatformKey {
        self.platform.request.target.platform
    }

    fn place(&self) -> String {
        self.version.config.version.folder_name()
    }

    /// Rules for packages that are requested, or that the lock has.
    fn rules(&self) -> Vec<(&'static str, DistributionName)> {
        let request = &self.platform.request;
        let locked = |name: &&DistributionName| {
            let rows = self.platform.rows.iter().flat_map(|rows| &rows.distributions);
            request.is_requested(name) || rows.clone().any(|row| row.name == **name)
        };
        let forced = request.forced.keys().filter(locked).map(|name| ("forceSource", name.clone()));
        let skipped = request.decided.iter().filter(|row| row.outcome == RuleOutcome::Skipped);
        forced.chain(skipped.map(|row| ("skip", row.name.clone()))).collect()
    }

    /// The wheel that fits what the configuration asks for; without one, the nearest newer version's.
    fn wheel_of(&self, name: &DistributionName) -> Result<Option<(String, String)>, Box<dyn Fault>> {
        let config = &self.version.config;
        let asked = config.dependencies_for(self.key()).into_iter().find(|requirement| requirement.name == *name);
        let locked = self.platform.rows.iter().flat_map(|rows| &rows.distributions).find(|row| row.name == *name);
        let locked = locked.and_then(|row| row.version.clone());
        let mut lines = Vec::new();
        match &asked {
            // A git or local source was chosen for itself, not for want of a wheel.
            Some(requirement) if !matches!(requirement.source, RequirementSource::Index { .. }) => return Ok(None),
            Some(requirement) => lines.push(requirement.for_resolver(self.repository.root())),
            None => lines.extend(locked.as_ref().map(|version| format!("{name}=={version}"))),
        }
        let exact = asked.as_ref().and_then(resolve::exact_pin).or(locked);
        lines.extend(exact.map(|version| format!("{name}>={version}")));
        for line in lines {
            if let Some(found) = self.ask(line, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn ask(&self, line: String, name: &DistributionName) -> Result<Option<(String, String)>, Box<dyn Fault>> {
        let request = &self.platform.request;
        let failed = |kind| ResolveError::new(request, kind);
        let silent = registries::unreachable(self.context, &request.registries, false);
        let pages = IndexPages::new(self.context, self.uv, &request.registries, &silent);
        let constraint = pages.constraint(name, &pages.asked_for(name), request.target.python);
        let question = UvQuestion {
            requirements: vec![line],
            constraints: constraint.into_iter().collect(),
            without_dependencies: true,
            registries: pages.open_urls(),
            everywhere: true,
            ..UvQuestion::default()
        };
        let scratch =
            self.context.store.scratch_dir("wheels-").map_err(|error| failed(ResolveErrorKind::Store(error)))?;
        match self.uv.compile(self.context, scratch.path(), &request.target, &question) {
            Ok(text) => {
                let answers = resolve::read_answers(&text, &request.target).map_err(|error| failed(error.into()))?;
                let wheel = |answer: AnsweredDistribution| match answer.source {
                    AnswerSource::Wheel(file) if answer.name == *name => {
                        Some((answer.version?, file.file_name.to_string()))
                    }
                    _ => None,
                };
                Ok(answers.into_iter().find_map(wheel))
            }
            Err(UvError::Refused { .. }) => Ok(None),
            Err(error) => Err(failed(error.into()).into()),
        }
    }

    fn tell_wheel(&self, rule: &str, name: &DistributionName, version: &str, file: &str, checked: &mut SurveyFindings) {
        let key = self.key();
        let config = &self.version.config;
        let asked = config.dependencies_for(key).into_iter().find(|requirement| requirement.name == *name);
        let fits = asked.as_ref().and_then(resolve::exact_pin).is_none_or(|pin| pin == version);
        let text = if fits {
            format!("`{rule}` of `{name}` on {key}: {version} has a wheel now, `{file}`")
        } else {
            format!(
                "`{rule}` of `{name}` on {key}: {version} has a wheel, `{file}`; the version that is asked for has none"
            )
        };
        let reason = match rule {
            "skip" => config.skip_reason(name, key),
            _ => self.platform.request.forced.get(name).map(String::as_str),
        };
        let hint = format!("check whether its reason still holds: {}", reason.unwrap_or_default());
        checked.remark("W_RULE_OVERTAKEN", text, self.place(), &hint);
    }

    /// Skips of what is not asked for, and that a resolution without them does not bring.
    fn needless_skips(&self) -> Result<BTreeSet<DistributionName>, Box<dyn Fault>> {
        let request = &self.platform.request;
        let unrequested = |name: &&DistributionName| !request.decided.iter().any(|row| row.name == **name);
        let mut needless: BTreeSet<_> = request.excluded.keys().filter(unrequested).cloned().collect();
        if needless.is_empty() {
            return Ok(needless);
        }
        let mut open = request.clone();
        open.excluded.retain(|name, _| !needless.contains(name));
        let silent = registries::unreachable(self.context, &request.registries, false);
        let pages = IndexPages::new(self.context, self.uv, &request.registries, &silent);
        let settings = ResolveSettings {
            uv: self.uv,
            repository: self.repository.root(),
            logs: None,
            missing: MissingRule::default(),
            no_build: false,
            refresh: false,
            pages: &pages,
            preferred: &PreferredVersions::default(),
            locked: None,
        };
        match resolve::resolve(self.context, &open, &settings) {
            Ok(resolved) => needless.retain(|name| {
                !resolved.rows.distributions.iter().any(|row| row.name == *name)
                    && !resolved.rows.left_out.iter().any(|row| row.name == *name)
            }),
            // Without the rule nothing fits together: that is what it does.
            Err(error) if error.is_refusal() => needless.clear(),
            Err(error) => return Err(error.into()),
        }
        Ok(needless)
    }
}

//! What a baked runtime has to hold: the requirements of the job's wheel, of the pip commands in setup.py and of the
//! requirements file, one line for each distribution.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config_merger::{MarkerAnswer, Requirement, RequirementSource, requirement_of_metadata};
use vocab::DistributionName;
use wheel::WheelTarget;

use crate::code;
use crate::commands::CommandPlan;
use crate::finding::Finding;
use crate::job_folder::inside;
use crate::requirement_lines::{self, PlacedLine, RequirementLines};
use crate::secrets::without_secrets;

/// All that is to be resolved together.
#[derive(Debug, Default)]
pub(crate) struct JobRequirements {
    /// PEP 508, one for each distribution, by name.
    pub lines: Vec<String>,
    /// Where each was asked for, in whose words.
    pub origins: BTreeMap<DistributionName, Vec<String>>,
    pub without_dependencies: BTreeSet<DistributionName>,
    pub index: Option<String>,
    pub extra_indexes: Vec<String>,
    pub findings: Vec<Finding>,
    /// Constraints on what nothing names.
    pub idle_constraints: Vec<String>,
}

/// One distribution, gathered from all places.
#[derive(Default)]
struct Wanted {
    extras: BTreeSet<String>,
    specifiers: BTreeSet<String>,
    url: Option<String>,
    origins: Vec<String>,
}

/// `source` is the unpacked source archive, from which commands read their files; `job` is the job folder's copy, which the
/// requirements file of the configuration is relative to.
pub(crate) fn collect(
    requires: &[String],
    plan: &CommandPlan,
    source: &Path,
    requirements_file: Option<(&Path, &str)>,
    target: &WheelTarget,
) -> JobRequirements {
    let mut all = Collection { target, wanted: BTreeMap::new(), result: JobRequirements::default() };
    for line in requires {
        all.add(line, "setup.py");
    }
    for install in &plan.pip {
        let unsupported = [
            (!install.find_links.is_empty(), "--find-links is not followed"),
            (install.no_index, "--no-index is not followed"),
            (install.pre, "--pre is not followed; name the version"),
        ];
        for (_, reason) in unsupported.iter().filter(|(is, _)| *is) {
            all.refuse("pip install", reason);
        }
        let mut lines = RequirementLines::default();
        for text in &install.requirements {
            lines.requirements.push(PlacedLine { text: text.clone(), file: "a pip command".to_owned(), line: 0 });
        }
        for file in &install.files {
            append(&mut lines, requirement_lines::read(&|path| text_below(source, path), file));
        }
        for file in &install.constraints {
            let read = requirement_lines::read(&|path| text_below(source, path), file);
            lines.constraints.extend(read.requirements);
            lines.refused.extend(read.refused);
        }
        lines.index = install.index.clone().or(lines.index);
        lines.extra_indexes.extend(install.extra_indexes.iter().cloned());
        let names = all.take(lines);
        if install.no_deps {
            all.result.without_dependencies.extend(names);
        }
    }
    if let Some((job, file)) = requirements_file {
        all.take(requirement_lines::read(&|path| text_below(job, path), file));
    }
    all.finished()
}

fn text_below(root: &Path, path: &str) -> Option<String> {
    vocab::read_regular_text(&root.join(inside(path)?)).ok()
}

fn append(lines: &mut RequirementLines, more: RequirementLines) {
    lines.requirements.extend(more.requirements);
    lines.constraints.extend(more.constraints);
    lines.refused.extend(more.refused);
    lines.extra_indexes.extend(more.extra_indexes);
    lines.index = more.index.or(lines.index.take());
}

struct Collection<'a> {
    target: &'a WheelTarget,
    wanted: BTreeMap<DistributionName, Wanted>,
    result: JobRequirements,
}

impl Collection<'_> {
    fn refuse(&mut self, what: &str, reason: &str) {
        let (argv, reason) = (format!("`{}`", without_secrets(what)), without_secrets(reason));
        self.result.findings.push(Finding::new(code::KJ051, [("argv", argv.as_str()), ("reason", reason.as_str())]));
    }

    fn take(&mut self, lines: RequirementLines) -> Vec<DistributionName> {
        let mut names = Vec::new();
        for line in &lines.requirements {
            names.extend(self.add(&line.text, &line.file));
        }
        for line in &lines.constraints {
            match requirement_of_metadata(&line.text).filter(|it| self.applies(it)) {
                Some(it) if self.wanted.contains_key(&it.name) => self.join(&it, &line.file, &line.text),
                Some(_) => self.result.idle_constraints.push(line.text.clone()),
                None => {}
            }
        }
        for (line, reason) in &lines.refused {
            self.refuse(&line.text, reason);
        }
        self.result.extra_indexes.extend(lines.extra_indexes);
        self.result.index = lines.index.or(self.result.index.take());
        names
    }

    /// Adds one line. The name, if it holds on the target.
    fn add(&mut self, line: &str, origin: &str) -> Option<DistributionName> {
        if let Some(requirement) = requirement_of_metadata(line) {
            if self.applies(&requirement) {
                self.join(&requirement, origin, line);
                return Some(requirement.name);
            }
            return None;
        }
        let (text, marker) = line.split_once(" ;").unwrap_or((line, ""));
        let parsed = text.split_once('@').and_then(|(head, url)| {
            let (name, extras) = head.split_once('[').unwrap_or((head, ""));
            let extras: Vec<String> =
                extras.trim().trim_end_matches(']').split(',').map(|it| it.trim().to_owned()).collect();
            Some((name.trim().parse::<DistributionName>().ok()?, extras, url.trim().to_owned()))
        });
        let Some((name, extras, url)) = parsed.filter(|(.., url)| url.contains("://")) else {
            // What no metadata can say, such as a path, and requirements of extras, which nobody has asked for.
            if !line.contains("extra ==") {
                self.refuse(line, "it names no distribution of an index");
            }
            return None;
        };
        let holds = marker.trim().is_empty()
            || requirement_of_metadata(&format!("{name} ;{marker}")).is_some_and(|it| self.applies(&it));
        if !holds {
            return None;
        }
        let wanted = self.wanted.entry(name.clone()).or_default();
        wanted.extras.extend(extras.into_iter().filter(|it| !it.is_empty()));
        wanted.url = Some(url);
        wanted.origins.push(format!("{} ({origin})", without_secrets(line)));
        Some(name)
    }

    fn applies(&self, requirement: &Requirement) -> bool {
        let WheelTarget { platform, python, system } = *self.target;
        requirement.applies(platform, python, system) == MarkerAnswer::Yes
    }

    fn join(&mut self, requirement: &Requirement, origin: &str, line: &str) {
        let wanted = self.wanted.entry(requirement.name.clone()).or_default();
        wanted.extras.extend(requirement.extras.iter().map(|it| it.as_ref().to_owned()));
        if let RequirementSource::Index { specifier } = &requirement.source {
            wanted.specifiers.extend(specifier.iter().map(|it| it.to_string().replace(' ', "")));
        }
        wanted.origins.push(format!("{} ({origin})", line.split(';').next().unwrap_or(line).trim()));
    }

    fn finished(self) -> JobRequirements {
        let mut result = self.result;
        for (name, wanted) in self.wanted {
            let extras: Vec<String> = wanted.extras.into_iter().collect();
            let head = if extras.is_empty() { name.to_string() } else { format!("{name}[{}]", extras.join(",")) };
            let specifiers: Vec<String> = wanted.specifiers.into_iter().collect();
            result.lines.push(match wanted.url {
                Some(url) => format!("{head} @ {url}"),
                None => format!("{head}{}", specifiers.join(",")),
            });
            result.origins.insert(name, wanted.origins);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::PipInstall;

    #[test]
    fn klio_6_and_19_all_places_are_united_by_distribution() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("job.txt"), "Tiny_Dep==1.0\nbig; sys_platform == 'win32'\n").unwrap();
        std::fs::write(folder.path().join("limits.txt"), "tiny-dep<2\nnobody<1\n").unwrap();
        let plan = CommandPlan {
            pip: vec![PipInstall {
                files: vec!["job.txt".into(), "none.txt".into()],
                requirements: vec!["late @ https://u:p@x.example/late-1.0-py3-none-any.whl".into(), "./x.whl".into()],
                constraints: vec!["limits.txt".into()],
                extra_indexes: vec!["https://x.example/simple".into()],
                ..PipInstall::default()
            }],
            ..CommandPlan::default()
        };
        let target = WheelTarget::new(vocab::PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        let requires = ["tiny-dep[fast]>=0.5".to_owned(), "extra-one ; extra == 'x'".to_owned()];
        let found = collect(&requires, &plan, folder.path(), None, &target);
        let expected = ["late @ https://u:p@x.example/late-1.0-py3-none-any.whl", "tiny-dep[fast]<2,==1.0,>=0.5"];
        assert_eq!(found.lines, expected);
        let name: DistributionName = "tiny-dep".parse().unwrap();
        assert_eq!(
            found.origins[&name],
            ["tiny-dep[fast]>=0.5 (setup.py)", "Tiny_Dep==1.0 (job.txt)", "tiny-dep<2 (limits.txt)"]
        );
        assert_eq!(found.extra_indexes, ["https://x.example/simple"]);
        assert_eq!(found.idle_constraints, ["nobody<1"]);
        let messages: Vec<_> = found.findings.iter().map(|it| it.message.as_str()).collect();
        assert!(messages.len() == 2 && messages.iter().any(|it| it.contains("none.txt")), "{messages:?}");
        assert!(!format!("{:?}{messages:?}", found.origins).contains("u:p@"));
    }
}

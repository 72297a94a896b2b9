//! Every requirement that a job writes down, with its place: in setup.py, in the files that pip reads, and in those of the
//! configuration. What they come to is the resolver's.

use std::collections::BTreeSet;

use vocab::DistributionName;

use crate::commands::CommandPlan;
use crate::effective_config::EffectiveConfig;
use crate::job_folder::{JobFolder, inside};
use crate::requirement_lines;
use crate::setup_facts::SetupCall;

/// One exact version of one distribution, without a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) file: String,
    /// Absent for what setup.py gave setup().
    pub(crate) line: Option<usize>,
}

impl Pin {
    /// `tinydep==1.0 (job-requirements.txt:3)`
    pub(crate) fn shown(&self) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}=={} ({}{line})", self.name, self.version, self.file)
    }

    fn of(text: &str, file: &str, line: Option<usize>) -> Option<Self> {
        if text.contains([';', ',', '*', '@']) {
            return None;
        }
        let (name, version) = text.split_once("==")?;
        let name = name.split('[').next().unwrap_or_default().trim();
        let name: DistributionName = name.parse().ok()?;
        let version = version.trim_start_matches('=').split_whitespace().next()?;
        Some(Self { name: name.to_string(), version: version.to_owned(), file: file.to_owned(), line })
    }
}

/// The text of a file of the job.
fn text_of(folder: &JobFolder, file: &str) -> Option<String> {
    if folder.has_file(file) { vocab::read_regular_text(&folder.root().join(file)).ok() } else { None }
}

/// The lines of a requirements file of the job, with their numbers; none if there is no such file.
pub(crate) fn lines(folder: &JobFolder, file: &str) -> Vec<(usize, String)> {
    text_of(folder, file).map(|text| requirement_lines::logical(&text)).unwrap_or_default()
}

/// Such a file with all that it names and that are there.
pub(crate) fn with_named(folder: &JobFolder, file: &str) -> BTreeSet<String> {
    let mut files = requirement_lines::read(&|name| text_of(folder, name), file).files;
    files.insert(file.to_owned());
    files
}

/// The files that pip or Beam installs from, relative to the job folder; each once.
pub(crate) fn files(plan: &CommandPlan, configs: &[EffectiveConfig]) -> Vec<String> {
    let of_pip = plan.pip.iter().flat_map(|it| &it.files);
    let of_configs = configs.iter().filter_map(|it| it.packaging.requirements_file.as_ref());
    let mut files = Vec::new();
    for file in of_pip.chain(of_configs).filter_map(|it| inside(it)) {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// The pins of the job, those of setup.py first.
pub(crate) fn pins(
    folder: &JobFolder,
    setup: &SetupCall,
    plan: &CommandPlan,
    configs: &[EffectiveConfig],
    script: &str,
) -> Vec<Pin> {
    let of_script = setup.install_requires.iter().chain(plan.pip.iter().flat_map(|it| &it.requirements));
    let mut pins: Vec<Pin> = of_script.filter_map(|text| Pin::of(text, script, None)).collect();
    for file in files(plan, configs) {
        let asked = requirement_lines::read(&|path| text_of(folder, path), &file);
        pins.extend(asked.requirements.iter().filter_map(|it| Pin::of(&it.text, &it.file, Some(it.line))));
    }
    pins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_versions_without_markers_are_pins() {
        let cases = [
            ("Apache_Beam[gcp]==2.35.0", Some("apache-beam==2.35.0 (x)")),
            ("a === 1.0 --hash=sha256:0", Some("a==1.0 (x)")),
            ("a==1.*", None),
            ("a==1; python_version < '3'", None),
            ("a>=1", None),
            ("a @ https://x.example/a==1.whl", None),
            ("--find-links==x", None),
        ];
        for (text, pin) in cases {
            assert_eq!(Pin::of(text, "x", None).map(|it| it.shown()).as_deref(), pin, "for {text}");
        }
    }
}

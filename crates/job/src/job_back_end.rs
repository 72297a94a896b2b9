//! Which build back end makes a job's archive (PEP 517), and what of the findings differs with it.

use serde_json::{Value, json};
use source_build::BackEnd;

use crate::code;
use crate::command_checks::release;
use crate::finding::Finding;
use crate::job_folder::JobFolder;

/// From this release on Beam takes pyproject.toml.
const TAKES_PROJECTS: (u64, u64) = (2, 66);

/// The back end that pyproject.toml names, or setuptools.
#[derive(Clone, Debug)]
pub struct JobBackEnd {
    /// `setup.py` or `pyproject.toml`, whichever is the setup file.
    pub script: &'static str,
    pub(crate) requires: Vec<String>,
    module: String,
    /// Relative to the job folder.
    path: Vec<String>,
}

impl JobBackEnd {
    pub(crate) fn of(folder: &JobFolder, script: &'static str) -> Result<Self, Box<Finding>> {
        if !folder.has_file("pyproject.toml") {
            return Ok(Self { script, requires: Vec::new(), module: String::new(), path: Vec::new() });
        }
        let back_end = BackEnd::of(folder.root()).map_err(|error| {
            let reason = error.to_string();
            Box::new(Finding::new(code::KJ030, [("exception", reason.as_str())]).in_file("pyproject.toml"))
        })?;
        let path = back_end.path.iter().filter_map(|it| it.strip_prefix(folder.root()).ok());
        let path = path.map(|it| it.to_string_lossy().replace('\\', "/")).collect();
        Ok(Self { script, requires: back_end.requires, module: back_end.module, path })
    }

    /// Whether setuptools itself answers, so that its own objects can be asked.
    pub(crate) fn is_setuptools(&self) -> bool {
        self.module.is_empty() || (self.module.starts_with("setuptools.build_meta") && self.path.is_empty())
    }

    /// Its part of each question; see `pydist_main.py`.
    pub(crate) fn question(&self) -> Value {
        json!({ "backend": self.module, "backend_path": self.path, "script": self.script, "direct": self.is_setuptools() })
    }

    /// KJ066 and KJ067. `beam`: the release that the job names.
    pub(crate) fn findings(&self, beam: Option<&str>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let is_old = |beam: &&str| release(beam).is_some_and(|it| it < TAKES_PROJECTS);
        if self.script != "setup.py"
            && let Some(beam) = beam.filter(is_old)
        {
            findings.push(Finding::new(code::KJ067, [("beam", beam)]).in_file(self.script));
        }
        let name = |line: &String| {
            line.split(['<', '>', '=', '~', '!', '[', ';', ' ', '@']).next().unwrap_or_default().to_owned()
        };
        let others: Vec<String> =
            self.requires.iter().map(name).filter(|it| !["setuptools", "wheel"].contains(&it.as_str())).collect();
        if !others.is_empty() {
            let requires = others.join(", ");
            findings.push(Finding::new(code::KJ066, [("requires", requires.as_str())]).in_file("pyproject.toml"));
        }
        findings
    }

    /// Advice that holds for setup.py alone is put in the words of the file that the job has.
    pub(crate) fn fit(&self, finding: &mut Finding) {
        if self.script == "setup.py" && self.is_setuptools() {
            return;
        }
        let words = [
            ("setup.py failed before setup()", "its build back end failed"),
            ("MANIFEST.in removes it from the source archive", "the source archive lacks it"),
        ];
        for (from, to) in words.into_iter().take(if self.is_setuptools() { 1 } else { 2 }) {
            finding.message = finding.message.replacen(from, to, 1);
        }
        let advised =
            [code::KJ032, code::KJ033, code::KJ034, code::KJ035, code::KJ036, code::KJ039, code::KJ044, code::KJ063];
        if !advised.contains(&finding.code) {
            return;
        }
        if self.is_setuptools() {
            let words = [("py_modules", "py-modules"), ("install_requires", "project.dependencies")];
            for (from, to) in words {
                finding.help = finding.help.replace(from, to);
            }
        } else if finding.code == code::KJ063 {
            "add it to the dependencies in pyproject.toml".clone_into(&mut finding.help);
        } else {
            "make the build back end include it, in pyproject.toml".clone_into(&mut finding.help);
        }
    }
}

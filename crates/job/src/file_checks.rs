//! Whether the files that the job needs reach its workers: data files, MANIFEST.in, imports, paths in the code.

use std::collections::BTreeSet;

use crate::code;
use crate::finding::Finding;
use crate::job_folder::{JobFile, JobFolder, inside};
use crate::level::Level;
use crate::setup_facts::{SetupCall, SetupFacts};

/// What setup.py and the folder say about files.
pub(crate) struct FileChecks<'a> {
    pub(crate) folder: &'a JobFolder,
    pub(crate) facts: &'a SetupFacts,
    pub(crate) setup: &'a SetupCall,
    /// `setup.py`
    pub(crate) script: &'a str,
    /// Files that the commands of setup.py name, such as requirements files of pip.
    pub(crate) named: &'a BTreeSet<String>,
}

impl FileChecks<'_> {
    /// KJ035 to KJ043, KJ049, KJ073.
    pub(crate) fn all(&self) -> Vec<Finding> {
        let mut findings = [self.data_files(), self.manifest(), self.needed(), self.imports(), self.paths()].concat();
        if !self.folder.leftovers().is_empty() {
            let list = self.folder.leftovers().join(", ");
            findings.push(Finding::new(code::KJ049, [("list", list.as_str())]));
        }
        findings
    }

    fn data_files(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for entry in &self.setup.data_files {
            let what = if entry.dest.starts_with('/') {
                Some(("is absolute and would land inside site-packages", Level::Warning))
            } else if inside(&entry.dest).is_none() {
                Some(("climbs out of the prefix", Level::Error))
            } else {
                None
            };
            if let Some((what, level)) = what {
                let values = [("dest", entry.dest.as_str()), ("what", what)];
                findings.push(Finding::new(code::KJ038, values).at_level(level));
            }
            findings.extend(entry.sources.iter().filter_map(|source| self.data_file(source)));
        }
        findings.into_iter().map(|it| if it.file.is_some() { it } else { it.in_file(self.script) }).collect()
    }

    fn data_file(&self, source: &str) -> Option<Finding> {
        let outside = || Some(Finding::new(code::KJ037, [("src", source)]));
        let bad = |what| Some(Finding::new(code::KJ036, [("src", source), ("what", what)]));
        let Some(path) = inside(source) else { return outside() };
        match self.folder.files().get(&path) {
            Some(JobFile::Regular { .. }) if self.setup.archive.contains(&path) || self.setup.archive.is_empty() => {
                None
            }
            Some(JobFile::Regular { .. }) => self.removed(source, &path),
            Some(JobFile::Outside) => outside(),
            Some(JobFile::Broken) => bad("a broken link"),
            Some(JobFile::Special) => bad("neither a file nor a directory"),
            None if path == crate::config::RUN_EFFECTIVE => None,
            None if self.folder.has_folder(&path) || self.folder.root().join(&path).is_dir() => bad("a directory"),
            None if source.contains(['*', '?', '[']) => bad("a pattern"),
            None => bad("missing"),
        }
    }

    /// KJ039, at the rule that removes the file if there is one.
    fn removed(&self, source: &str, path: &str) -> Option<Finding> {
        let rule = self.setup.rules.iter().rfind(|rule| rule.removed.iter().any(|it| it == path));
        let finding = Finding::new(code::KJ039, [("src", source)]);
        Some(match rule.and_then(|rule| rule.line) {
            Some(line) => finding.in_file("MANIFEST.in").in_line(line),
            None => finding,
        })
    }

    fn manifest(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for rule in &self.setup.rules {
            let mut add = |finding: Finding| {
                findings.push(Finding { line: rule.line, ..finding.in_file("MANIFEST.in") });
            };
            for warning in &rule.warnings {
                add(Finding::new(code::KJ042, [("what", warning.trim_start_matches("warning: "))]));
            }
            if rule.removed.iter().any(|it| it == self.script) && !self.setup.archive.contains(self.script) {
                add(Finding::new(code::KJ043, []));
            }
        }
        findings
    }

    /// KJ040 and KJ041: what installing reads, and the archive lacks.
    fn needed(&self) -> Vec<Finding> {
        if self.setup.archive.is_empty() {
            return Vec::new();
        }
        let has_manifest = self.folder.has_file("MANIFEST.in");
        let code = if has_manifest { code::KJ040 } else { code::KJ041 };
        let needed: BTreeSet<&String> = self.facts.opened.iter().chain(self.named).collect();
        let lacking = needed.into_iter().filter(|it| !self.setup.archive.contains(*it));
        lacking.map(|file| Finding::new(code, [("file", file.as_str())]).in_file(self.script)).collect()
    }

    /// Files of packaged modules and packages.
    fn packaged(&self) -> BTreeSet<String> {
        let modules = self.setup.py_modules.iter().map(|module| self.setup.module_file(module));
        let folder = |package: &String| self.setup.module_file(package).trim_end_matches(".py").to_owned();
        let folders: BTreeSet<String> = self.setup.packages.iter().map(folder).collect();
        let is_in_package = |file: &str| file.rsplit_once('/').is_some_and(|(parent, _)| folders.contains(parent));
        let files = self.facts.modules.iter().map(|it| it.file.clone()).filter(|file| is_in_package(file));
        modules.chain(files).collect()
    }

    fn imports(&self) -> Vec<Finding> {
        let packaged = self.packaged();
        let mut findings = Vec::new();
        if !self.setup.ambiguous.is_empty() {
            return findings;
        }
        for module in self.facts.modules.iter().filter(|it| packaged.contains(&it.file)) {
            for import in module.imports.iter().filter(|it| !it.optional) {
                let name = import.name.split('.').next().unwrap_or_default();
                let (file, package) = (format!("{name}.py"), format!("{name}/__init__.py"));
                let is_ours = self.folder.has_file(&file) || self.folder.has_file(&package);
                let is_packed = packaged.contains(&file) || packaged.contains(&package);
                if is_ours && !is_packed {
                    let finding = Finding::new(code::KJ035, [("m", name)]);
                    findings.push(finding.in_file(module.file.clone()).in_line(import.line));
                }
            }
        }
        findings
    }

    /// KJ073: paths that hold for one kind of worker only.
    fn paths(&self) -> Vec<Finding> {
        let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let names: BTreeSet<String> =
            self.setup.data_files.iter().flat_map(|it| &it.sources).map(|source| base(source)).collect();
        let packaged = self.packaged();
        let mut findings = Vec::new();
        for module in self.facts.modules.iter().filter(|it| packaged.contains(&it.file)) {
            for path in module.paths.iter().filter(|it| names.contains(&base(&it.text))) {
                let finding = Finding::new(code::KJ073, [("literal", path.text.as_str())]);
                findings.push(finding.in_file(module.file.clone()).in_line(path.line));
            }
        }
        findings
    }
}

//! What two jobs would both install, if they were put into one environment.

use std::collections::BTreeMap;

use vocab::Digest;

use crate::check::CheckReport;
use crate::code;
use crate::finding::Finding;
use crate::job_folder::JobFolder;

/// KJ080 for each path that two jobs install with different contents. Nothing is installed for that.
pub fn shared_paths(jobs: &[(&JobFolder, &CheckReport)]) -> Vec<Finding> {
    let mut owners: BTreeMap<String, (String, Option<Digest>)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (folder, report) in jobs {
        let folder_name = folder.root().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_alone = |name: &String| jobs.iter().filter(|(_, other)| other.name.as_ref() == Some(name)).count() == 1;
        // Copies of one job have one name.
        let name = report.name.clone().filter(is_alone).unwrap_or(folder_name);
        for (path, source) in installed(report) {
            let content = folder.files().get(&source).and_then(|_| {
                let file = vocab::open_regular(&folder.root().join(&source)).ok()?;
                Digest::of_reader(file).ok().map(|(digest, _)| digest)
            });
            match owners.get(&path) {
                Some((_, known)) if known.is_some() && *known == content => {}
                Some((other, _)) => {
                    let (a, b) = (format!("`{other}`"), format!("`{name}`"));
                    let values = [("a", a.as_str()), ("b", b.as_str()), ("path", path.as_str())];
                    findings.push(Finding::new(code::KJ080, values));
                }
                None => drop(owners.insert(path, (name.clone(), content))),
            }
        }
    }
    findings.sort();
    findings
}

/// Paths below site-packages, or below `{prefix}/` for data files; with the files of the job that lie there.
fn installed(report: &CheckReport) -> BTreeMap<String, String> {
    let mut installed = BTreeMap::new();
    let Some((facts, setup)) = report.facts.as_ref().and_then(|facts| Some((facts, facts.setup.as_ref()?))) else {
        return installed;
    };
    for module in &setup.py_modules {
        installed.insert(format!("{}.py", module.replace('.', "/")), setup.module_file(module));
    }
    for package in &setup.packages {
        let file = setup.module_file(package);
        let folder = file.trim_end_matches(".py");
        let target = package.replace('.', "/");
        let own =
            facts.modules.iter().filter(|it| it.file.rsplit_once('/').is_some_and(|(parent, _)| parent == folder));
        for module in own {
            let base = module.file.rsplit('/').next().unwrap_or_default();
            installed.insert(format!("{target}/{base}"), module.file.clone());
        }
    }
    for entry in &setup.data_files {
        let Some(dest) = crate::job_folder::inside(&entry.dest) else { continue };
        for source in entry.sources.iter().filter_map(|it| crate::job_folder::inside(it)) {
            let base = source.rsplit('/').next().unwrap_or_default();
            let path = if dest.is_empty() { base.to_owned() } else { format!("{dest}/{base}") };
            installed.insert(format!("{{prefix}}/{path}"), source.clone());
        }
    }
    installed
}

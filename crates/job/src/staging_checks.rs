//! Whether what a configuration names beside the setup file can be staged: extra packages, other files, the SDK.

use crate::code;
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::job_folder::{JobFile, JobFolder, inside};
use crate::level::Level;
use crate::staged_packages::is_fetched;

/// Names that Beam's stager takes for packages.
const PACKAGES: [&str; 4] = [".tar", ".tar.gz", ".whl", ".zip"];
/// Values of `sdk_location` with which Beam stages nothing.
const NO_SDK: [&str; 2] = ["default", "container"];

/// KJ068 for everything that `stage` leaves out.
pub(crate) fn check(folder: &JobFolder, configs: &[EffectiveConfig]) -> Vec<Finding> {
    configs.iter().flat_map(|config| of_one(folder, config)).collect()
}

fn of_one(folder: &JobFolder, config: &EffectiveConfig) -> Vec<Finding> {
    let packaging = &config.packaging;
    let mut findings = Vec::new();
    let mut add = |key: &str, path: &str, (level, why): (Level, &str)| {
        let finding = Finding::new(code::KJ068, [("key", key), ("path", path), ("why", why)]);
        let line = config.line_of_option(key);
        findings.push(Finding { line, ..finding.at_level(level).in_file(config.source.clone()) });
    };
    for path in &packaging.extra_packages {
        if !PACKAGES.iter().any(|ending| path.ends_with(ending)) {
            add("extra_packages", path, (Level::Error, "Beam takes .tar, .tar.gz, .whl and .zip alone"));
        } else if let Some(why) = left_out(folder, path) {
            add("extra_packages", path, why);
        }
    }
    for path in &packaging.files_to_stage {
        if let Some(why) = left_out(folder, path) {
            add("files_to_stage", path, why);
        }
    }
    let sdk = config.pipeline_options.get("sdk_location").and_then(|it| it.as_str()).unwrap_or(NO_SDK[0]);
    if !NO_SDK.contains(&sdk) {
        add("sdk_location", sdk, (Level::Warning, "Beam stages its SDK itself, at submission"));
    }
    findings
}

/// Why a file is not staged, and how bad that is. `None` if it will be.
fn left_out(folder: &JobFolder, path: &str) -> Option<(Level, &'static str)> {
    if path.contains("://") {
        let bucket = (Level::Warning, "Beam fetches it at submission, with the user's credentials");
        return (!is_fetched(path)).then_some(bucket);
    }
    let known = inside(path).and_then(|path| folder.files().get(&path).cloned());
    match known {
        Some(JobFile::Regular { .. }) => None,
        None if folder.root().join(path).is_dir() => Some((Level::Error, "it is a folder")),
        None if !folder.root().join(path).is_file() => Some((Level::Error, "there is no such file")),
        Some(JobFile::Broken) => Some((Level::Error, "it is a broken link")),
        Some(JobFile::Special) => Some((Level::Error, "it is not a file")),
        Some(JobFile::Outside) | None => Some((Level::Warning, "it lies outside the job directory")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigRequest, load};

    fn told(options: &str) -> Vec<String> {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("job");
        std::fs::create_dir_all(root.join("wheels")).unwrap();
        for file in ["job/wheels/own.whl", "job/notes.txt", "other.whl"] {
            std::fs::write(outer.path().join(file), "").unwrap();
        }
        let text = format!("job_name: x\njob_config: {{}}\npipeline_options:\n  runner: direct\n  {options}\n");
        std::fs::write(root.join("klio-job.yaml"), text).unwrap();
        let (configs, findings) = load(&root, &ConfigRequest::default());
        assert!(findings.iter().all(|it| it.level != Level::Error), "{findings:?}");
        let findings = check(&JobFolder::open(&root, None).unwrap(), &configs);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_named_and_not_staged_is_a_finding_with_its_line() {
        let start = "KJ068]: klio-job.yaml:5: ";
        let beams = "is not staged: Beam fetches it at submission, with the user's credentials";
        let rows = [
            ("extra_packages: [wheels/own.whl, 'https://x.example/a-1.tar.gz']", vec![]),
            ("files_to_stage: [./notes.txt, 'http://x.example/a', 'file:///tmp/a']", vec![]),
            ("sdk_location: container", vec![]),
            (
                "extra_packages: ['gs://bucket/a-1.tar.gz', 's3://ada:hunter2@bucket/b.whl']",
                vec![
                    format!("warning[{start}gs://bucket/a-1.tar.gz of `extra_packages` {beams}"),
                    format!("warning[{start}s3://bucket/b.whl of `extra_packages` {beams}"),
                ],
            ),
            (
                "files_to_stage: ['gs://bucket/model']",
                vec![format!("warning[{start}gs://bucket/model of `files_to_stage` {beams}")],
            ),
            (
                "files_to_stage: [nowhere, ../other.whl, wheels]",
                vec![
                    format!("error[{start}nowhere of `files_to_stage` is not staged: there is no such file"),
                    format!(
                        "warning[{start}../other.whl of `files_to_stage` is not staged: it lies outside the job directory"
                    ),
                    format!("error[{start}wheels of `files_to_stage` is not staged: it is a folder"),
                ],
            ),
            (
                "extra_packages: notes.txt",
                vec![format!(
                    "error[{start}notes.txt of `extra_packages` is not staged: Beam takes .tar, .tar.gz, .whl and .zip alone"
                )],
            ),
            (
                "sdk_location: gs://bucket/apache_beam.whl",
                vec![format!(
                    "warning[{start}gs://bucket/apache_beam.whl of `sdk_location` is not staged: Beam stages its SDK itself, at \
                     submission"
                )],
            ),
        ];
        for (options, expected) in rows {
            assert_eq!(told(options), expected, "for {options}");
        }
    }
}

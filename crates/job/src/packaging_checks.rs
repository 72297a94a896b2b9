//! Whether the configurations say how the job is packaged, and agree on it.

use crate::code;
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::job_folder::{JobFolder, inside};
use crate::level::Level;

/// KJ020 to KJ028. `allowed`: setup files and FnAPI may stand together.
pub(crate) fn check(folder: &JobFolder, configs: &[EffectiveConfig], allowed: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for config in configs {
        let own = of_one(folder, config, allowed);
        findings.extend(own.into_iter().map(|it| in_config(it, config)));
    }
    if let Some((first, others)) = configs.split_first() {
        for other in others {
            let (a, b) = (&first.packaging, &other.packaging);
            let pairs = [
                ("setup_file", a.setup_file == b.setup_file),
                ("requirements_file", a.requirements_file == b.requirements_file),
                ("extra_packages", a.extra_packages == b.extra_packages),
                ("experiments", a.is_fnapi() == b.is_fnapi()),
            ];
            for (key, _) in pairs.iter().filter(|(_, equal)| !equal) {
                let values = [("a", first.source.as_str()), ("b", other.source.as_str()), ("key", key)];
                findings.push(Finding::new(code::KJ028, values));
            }
        }
    }
    findings
}

/// At the line of the option that the finding is about.
fn in_config(finding: Finding, config: &EffectiveConfig) -> Finding {
    let option = match finding.code {
        code::KJ020 => "pipeline_options",
        code::KJ025 | code::KJ026 | code::KJ027 => "pipeline_options.requirements_file",
        _ => "pipeline_options.setup_file",
    };
    Finding { line: config.lines.get(option).copied(), ..finding.in_file(config.source.clone()) }
}

fn of_one(folder: &JobFolder, config: &EffectiveConfig, allowed: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let packaging = &config.packaging;
    let level = if allowed { Level::Warning } else { Level::Error };
    match &packaging.setup_file {
        Some(path) if path.is_empty() => findings.push(Finding::new(code::KJ020, [])),
        None => findings.push(Finding::new(code::KJ020, [])),
        Some(path) => findings.extend(setup_file(folder, path)),
    }
    if packaging.is_fnapi() && packaging.setup_file.is_some() {
        findings.push(Finding::new(code::KJ024, []).at_level(level));
    }
    if let Some(path) = &packaging.requirements_file {
        if packaging.is_fnapi() {
            findings.push(Finding::new(code::KJ025, []).at_level(level));
        }
        if !inside(path).is_some_and(|path| folder.has_file(&path)) {
            findings.push(Finding::new(code::KJ027, [("path", path.as_str())]));
        }
        findings.push(Finding::new(code::KJ026, []));
    }
    findings
}

fn setup_file(folder: &JobFolder, path: &str) -> Option<Finding> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let values = |key: &'static str, text| [(key, text)];
    let relative = inside(path);
    let exists = match &relative {
        Some(relative) => folder.has_file(relative),
        None => folder.root().join(path).is_file(),
    };
    if !exists && !path.contains('/') {
        return Some(Finding::new(code::KJ021, values("path", path)));
    }
    if !["setup.py", "pyproject.toml"].contains(&name) {
        return Some(Finding::new(code::KJ022, values("name", name)));
    }
    if relative.as_deref() != Some(name) {
        return Some(Finding::new(code::KJ023, values("path", path)));
    }
    (!exists).then(|| Finding::new(code::KJ021, values("path", path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigRequest, load};

    /// The findings on configurations with these options, in a job with these files; `allowed` as in [`check`].
    fn told(options: &[&str], files: &[&str], allowed: bool) -> Vec<String> {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("job");
        for file in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let names: Vec<_> = (0..options.len()).map(|index| format!("{index}.yaml").into()).collect();
        for (name, options) in std::iter::zip(&names, options) {
            let text = format!("job_name: x\npipeline_options: {{runner: direct, {options}}}\njob_config: {{}}\n");
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join(name), text).unwrap();
        }
        let (configs, mut findings) = load(&root, &ConfigRequest { files: names, ..ConfigRequest::default() });
        findings.extend(check(&JobFolder::open(&root, None).unwrap(), &configs, allowed));
        let mut told: Vec<_> = findings.iter().map(ToString::to_string).collect();
        told.sort();
        told
    }

    #[test]
    fn klio_12_to_23_how_a_job_is_packaged_is_checked_from_its_configuration() {
        const SETUP: &str = "setup_file: setup.py";
        const NO_SETUP: &str = "error[KJ020]: 0.yaml:2: pipeline_options.setup_file is not set, so workers would receive none \
                                of the job's modules";
        const ALONE: &str = "warning[KJ026]: 0.yaml:2: requirements_file alone does not install the job; its entries are \
                             staged, but belong in setup.py";
        let exclude = |what: &str, level: &str| {
            let setup = "[KJ024]: 0.yaml:2: setup_file and the beam_fn_api experiment exclude each other in Klio";
            let others =
                "[KJ025]: 0.yaml:2: requirements_file and the beam_fn_api experiment exclude each other in Klio";
            format!("{level}{}", if what == "setup_file" { setup } else { others })
        };
        let fnapi = format!("{SETUP}, experiments: [beam_fn_api]");
        // (case, options, files, whether FnAPI is allowed, findings)
        type Row<'a> = (&'a str, &'a str, &'a [&'a str], bool, Vec<String>);
        let rows: Vec<Row<'_>> = vec![
            ("1", SETUP, &["setup.py"], false, vec![]),
            ("12", SETUP, &[], false, vec!["error[KJ021]: 0.yaml:2: setup file setup.py does not exist".into()]),
            ("12 empty", "setup_file: ''", &["setup.py"], false, vec![NO_SETUP.into()]),
            ("13 batch", "streaming: no", &["setup.py"], false, vec![NO_SETUP.into()]),
            ("13 streaming", "streaming: yes", &["setup.py"], false, vec![NO_SETUP.into()]),
            (
                "14",
                "setup_file: job_setup.py",
                &["job_setup.py"],
                false,
                vec![
                    "error[KJ022]: 0.yaml:2: setup file must be named setup.py or pyproject.toml, not job_setup.py"
                        .into(),
                ],
            ),
            (
                "15 sub",
                "setup_file: sub/setup.py",
                &["sub/setup.py"],
                false,
                vec!["error[KJ023]: 0.yaml:2: setup file sub/setup.py must be in the root of the job directory".into()],
            ),
            (
                "15 above",
                "setup_file: ../setup.py",
                &["../setup.py"],
                false,
                vec!["error[KJ023]: 0.yaml:2: setup file ../setup.py must be in the root of the job directory".into()],
            ),
            ("15 here", "setup_file: ./setup.py", &["setup.py"], false, vec![]),
            ("J3", "setup_file: pyproject.toml", &["pyproject.toml"], false, vec![]),
            ("16", &fnapi, &["setup.py"], false, vec![exclude("setup_file", "error")]),
            ("16 allowed", &fnapi, &["setup.py"], true, vec![exclude("setup_file", "warning")]),
            (
                "18",
                "experiments: [beam_fn_api], requirements_file: r.txt",
                &["r.txt"],
                false,
                vec![NO_SETUP.into(), exclude("requirements_file", "error"), ALONE.into()],
            ),
            ("20", "requirements_file: r.txt", &["r.txt"], false, vec![NO_SETUP.into(), ALONE.into()]),
            (
                "21",
                "setup_file: setup.py, requirements_file: r.txt",
                &["setup.py"],
                false,
                vec!["error[KJ027]: 0.yaml:2: requirements file r.txt does not exist".into(), ALONE.into()],
            ),
        ];
        for (case, options, files, allowed, expected) in rows {
            assert_eq!(told(&[options], files, allowed), expected, "case {case}");
        }
    }

    #[test]
    fn klio_31_configurations_that_disagree_are_refused() {
        let (a, b) = ("setup_file: setup.py", "setup_file: pyproject.toml, extra_packages: [x.whl]");
        assert_eq!(
            told(&[a, b, a], &["setup.py", "pyproject.toml"], false),
            [
                "error[KJ028]: configs 0.yaml and 1.yaml disagree on `extra_packages`",
                "error[KJ028]: configs 0.yaml and 1.yaml disagree on `setup_file`",
            ]
        );
    }
}

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
        findings.extend(own.into_iter().map(|it| it.in_file(config.source.clone())));
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

fn of_one(folder: &JobFolder, config: &EffectiveConfig, allowed: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let packaging = &config.packaging;
    let level = if allowed { Level::Warning } else { Level::Error };
    match &packaging.setup_file {
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

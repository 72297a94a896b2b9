//! What is wrong with setup.py and what it gives setup(), as far as the probe tells.

use vocab::PythonVersion;

use crate::code;
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::job_back_end::JobBackEnd;
use crate::level::Level;
use crate::secrets::without_secrets;
use crate::setup_facts::{SetupCall, SetupFacts, SetupFailure};

/// KJ030 to KJ034, KJ044 to KJ048, KJ063.
pub(crate) fn check(facts: &SetupFacts, back_end: &JobBackEnd, python: PythonVersion) -> Vec<Finding> {
    let script = back_end.script;
    let mut findings = Vec::new();
    let failed = facts.failure.as_ref();
    findings.extend(failed.map(|failure| of_failure(failure, script)));
    findings.extend(distutils(facts, script, python));
    let Some(setup) = &facts.setup else {
        if failed.is_none() {
            findings.push(Finding::new(code::KJ031, []).in_file(script));
        }
        return findings;
    };
    let of_setup = [names(setup), modules(facts, setup), hidden(setup), classes(setup)].concat();
    findings.extend(of_setup.into_iter().map(|it| if it.file.is_some() { it } else { it.in_file(script) }));
    if let Some(spec) = setup.python_requires.as_deref().filter(|spec| resolve::excludes(spec, python)) {
        let v = python.minor_version();
        findings.push(Finding::new(code::KJ048, [("spec", spec), ("v", v.as_str())]).in_file(script));
    }
    findings
}

/// For a setup.py that gave no answer.
pub(crate) fn no_answer(reason: &str, script: &str) -> Finding {
    Finding::new(code::KJ030, [("exception", without_secrets(reason).as_str())]).in_file(script)
}

/// KJ029: the configuration that is packed is not the one that counts.
pub(crate) fn shipped_config(setup: &SetupCall, configs: &[EffectiveConfig], script: &str) -> Option<Finding> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_config =
        |path: &str| path.ends_with(".yaml") && path.starts_with("klio-job") && path != crate::config::RUN_EFFECTIVE;
    let sources = setup.data_files.iter().flat_map(|it| &it.sources).map(|it| name(it));
    let shipped: Vec<String> = sources.filter(|it| is_config(it)).collect();
    let selected: Vec<String> = configs.iter().map(|it| name(&it.source)).collect();
    let [only] = shipped.as_slice() else { return None };
    if selected.is_empty() || selected.contains(only) {
        return None;
    }
    let values = [("shipped", only.as_str()), ("selected", selected[0].as_str())];
    Some(Finding::new(code::KJ029, values).in_file(script))
}

fn of_failure(failure: &SetupFailure, script: &str) -> Finding {
    let exception = without_secrets(&failure.exception);
    let finding = Finding::new(code::KJ030, [("exception", exception.as_str())]);
    let finding = finding.in_file(failure.file.clone().unwrap_or_else(|| script.to_owned()));
    let help = match failure.kind.as_deref() {
        Some("ModuleNotFoundError" | "ImportError") if !exception.contains("distutils") => {
            "import only the standard library and setuptools in it, or name the rest in build-system.requires"
                .to_owned()
        }
        _ => finding.help.clone(),
    };
    Finding { line: failure.line, help, ..finding }
}

fn distutils(facts: &SetupFacts, script: &str, python: PythonVersion) -> Option<Finding> {
    if (python.major, python.minor) < (3, 12) {
        return None;
    }
    let module = facts.modules.iter().find(|it| it.file == script)?;
    let import = module.imports.iter().find(|it| it.name.split('.').next() == Some("distutils") && !it.optional)?;
    let failed = facts.failure.as_ref().is_some_and(|it| it.exception.contains("distutils"));
    let v = python.minor_version();
    let level = if failed { Level::Error } else { Level::Warning };
    Some(Finding::new(code::KJ047, [("v", v.as_str())]).at_level(level).in_file(script).in_line(import.line))
}

fn names(setup: &SetupCall) -> Vec<Finding> {
    let (name, version) = setup.identity();
    let missing = |given: &Option<String>, key, value: &str| {
        given.is_none().then(|| Finding::new(code::KJ044, [("name", key), ("value", value)]))
    };
    let missing = [missing(&setup.name, "name", &name), missing(&setup.version, "version", &version)];
    let mut findings: Vec<Finding> = missing.into_iter().flatten().collect();
    let brings_beam = |line: &String| {
        let end = line.find(|it: char| !(it.is_ascii_alphanumeric() || "-_.".contains(it))).unwrap_or(line.len());
        let name = line[..end].to_ascii_lowercase().replace(['_', '.'], "-");
        ["apache-beam", "klio", "klio-exec"].contains(&name.as_str())
    };
    if !setup.install_requires.iter().any(brings_beam) {
        findings.push(Finding::new(code::KJ063, []));
    }
    findings
}

fn modules(facts: &SetupFacts, setup: &SetupCall) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !setup.ambiguous.is_empty() {
        let list = setup.ambiguous.join(", ");
        findings.push(Finding::new(code::KJ033, [("list", list.as_str())]));
        return findings;
    }
    let exists = |file: &String| facts.modules.iter().any(|it| it.file == *file);
    for module in &setup.py_modules {
        if !exists(&setup.module_file(module)) {
            findings.push(Finding::new(code::KJ032, [("m", module.as_str())]));
        }
    }
    let has_run = exists(&"run.py".to_owned());
    if has_run && !setup.py_modules.iter().any(|it| it == "run") {
        findings.push(Finding::new(code::KJ034, []));
    }
    let run = facts.modules.iter().find(|it| it.file == "run.py");
    if run.is_some_and(|run| !run.defines.iter().any(|it| it == "run" || it == "run_basic")) {
        findings.push(Finding::new(code::KJ071, []).at_level(Level::Warning).in_file("run.py"));
    }
    findings
}

/// KJ080 as a warning: top-level names of the standard library.
fn hidden(setup: &SetupCall) -> Vec<Finding> {
    let finding = |name: &String| {
        let values = [("a", "the job"), ("b", "the standard library"), ("path", name.as_str())];
        let finding = Finding::new(code::KJ080, values).at_level(Level::Warning);
        Finding { message: format!("the job's module `{name}` hides one of the standard library"), ..finding }
    };
    setup.standard.iter().map(finding).collect()
}

fn classes(setup: &SetupCall) -> Vec<Finding> {
    let never = setup.never_run.iter().map(|it| Finding::new(code::KJ045, [("c", it.class.as_str())]));
    let undefined = setup.undefined.iter().map(|it| Finding::new(code::KJ046, [("c", it.as_str())]));
    let problems = setup.problems.iter().map(|it| {
        let (class, reason) = (it.class.clone().unwrap_or_default(), without_secrets(&it.exception));
        let reason = format!("it raised {reason}");
        let finding = Finding::new(code::KJ051, [("argv", class.as_str()), ("reason", reason.as_str())]);
        let finding = finding.at_level(Level::Warning);
        Finding { file: it.file.clone(), line: it.line, ..finding }
    });
    never.chain(undefined).chain(problems).collect()
}

//! All checks of a job, from its folder to the report.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use store::Context;
use vocab::PythonVersion;

use crate::code::{self, Code};
use crate::command_checks;
use crate::commands::CommandPlan;
use crate::config::{self, ConfigRequest};
use crate::config_text;
use crate::effective_config::EffectiveConfig;
use crate::file_checks::FileChecks;
use crate::finding::{Finding, has_errors, judged};
use crate::job_error::JobError;
use crate::job_folder::{JobFolder, inside};
use crate::level::Level;
use crate::packaging_checks;
use crate::setup_checks;
use crate::setup_facts::SetupFacts;
use crate::workplace::{Reply, Workplace};

/// For setup.py, unless the caller says otherwise.
pub const SETUP_LIMIT: Duration = Duration::from_secs(120);

/// What is asked of a check.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    pub config: ConfigRequest,
    /// Of the target. Its minor version counts.
    pub python: PythonVersion,
    /// A setup file and FnAPI may stand together: a warning.
    pub allow_fnapi: bool,
    /// OS packages are errors.
    pub refuse_system_packages: bool,
    pub strict: bool,
    pub allowed: Vec<Code>,
    pub limit: Duration,
}

/// What a check found. Nothing in it is secret.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// Name and version, if setup() was called.
    pub name: Option<String>,
    pub version: Option<String>,
    pub python: String,
    pub configs: Vec<EffectiveConfig>,
    pub commands: CommandPlan,
    pub findings: Vec<Finding>,
    /// Whether code of the job was shut in.
    pub sandboxed: bool,
    #[serde(skip)]
    pub facts: Option<SetupFacts>,
}

impl CheckReport {
    pub fn has_errors(&self) -> bool {
        has_errors(&self.findings)
    }
}

/// Checks the job. The place is for going on with it; absent if setup.py was not asked, because no setup file is known.
///
/// # Errors
/// If the checks cannot be made; what is wrong with the job is in the report.
pub fn check(
    context: &Context,
    folder: &JobFolder,
    request: &CheckRequest,
) -> Result<(CheckReport, Option<Workplace>), JobError> {
    let (configs, mut findings) = config::load(folder.root(), &request.config);
    findings.extend(packaging_checks::check(folder, &configs, request.allow_fnapi));
    for config in &configs {
        if let Some(file) = config.packaging.requirements_file.as_deref().and_then(inside) {
            findings.extend(command_checks::requirements_file(folder, &file));
        }
    }
    let script = ["setup.py", "pyproject.toml"].into_iter().find(|it| folder.has_file(it));
    let mut report = CheckReport {
        name: None,
        version: None,
        python: request.python.minor_version(),
        configs,
        commands: CommandPlan::default(),
        findings: Vec::new(),
        sandboxed: true,
        facts: None,
    };
    let mut place = None;
    if let Some(script) = script {
        let made = Workplace::make(context, folder, request.python, &[])?;
        effective_file(&made, folder, &report.configs)?;
        match made.ask(context, &json!({"ask": "probe"}), request.limit)? {
            Reply::Answer(answer) => match serde_json::from_value::<SetupFacts>(answer) {
                Ok(facts) => of_facts(folder, &mut report, facts, script, made.python, &mut findings),
                Err(error) => {
                    findings.push(setup_checks::no_answer(&format!("its answer is strange: {error}"), script));
                }
            },
            Reply::Ended { code, output } => {
                let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                let root = made.copy().display().to_string();
                let output = output.replace(&root, ".").replace('\n', "; ");
                findings.push(setup_checks::no_answer(&format!("it ended Python with {code} {output}"), script));
            }
            Reply::TimedOut => {
                let seconds = request.limit.as_secs();
                findings.push(setup_checks::no_answer(&format!("it did not end within {seconds} s"), script));
            }
        }
        report.sandboxed = made.sandboxed.get();
        if !report.sandboxed {
            findings.push(Finding::new(code::KJ056, []));
        }
        place = Some(made);
    }
    if request.refuse_system_packages {
        let system = findings.iter_mut().filter(|it| it.code == code::KJ052);
        system.for_each(|it| it.level = Level::Error);
    }
    report.findings = judged(findings, request.strict, &request.allowed);
    Ok((report, place))
}

/// Jobs of some versions of Klio pack a file that Klio writes before: it is written into the copy.
fn effective_file(place: &Workplace, folder: &JobFolder, configs: &[EffectiveConfig]) -> Result<(), JobError> {
    let ([config], false) = (configs, folder.has_file(config::RUN_EFFECTIVE)) else { return Ok(()) };
    let path = place.copy().join(config::RUN_EFFECTIVE);
    std::fs::write(&path, config_text::to_yaml(config)).map_err(JobError::disk("write", &path))
}

fn of_facts(
    folder: &JobFolder,
    report: &mut CheckReport,
    facts: SetupFacts,
    script: &str,
    python: PythonVersion,
    findings: &mut Vec<Finding>,
) {
    findings.extend(setup_checks::check(&facts, script, python));
    let plan = CommandPlan::of(&facts.calls);
    if let Some(setup) = &facts.setup {
        let named = command_checks::named_files(&plan);
        findings.extend(FileChecks { folder, facts: &facts, setup, script, named: &named }.all());
        findings.extend(command_checks::check(folder, &plan, setup, &report.configs, script));
        findings.extend(setup_checks::shipped_config(setup, &report.configs, script));
        let (name, version) = setup.identity();
        (report.name, report.version) = (Some(name), Some(version));
    }
    (report.commands, report.facts) = (plan, Some(facts));
}

/// How many findings there are of each level.
pub fn counted(findings: &[Finding]) -> BTreeMap<Level, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.level).or_default() += 1;
    }
    counts
}

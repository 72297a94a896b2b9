//! All checks of a job, from its folder to the report.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use store::Context;
use vocab::{Fault as _, PythonVersion};

use crate::agreement::Agreement;
use crate::asked_python::Reply;
use crate::code::{self, Code};
use crate::command_checks;
use crate::commands::{CommandPlan, CommandRule};
use crate::config::{self, ConfigRequest};
use crate::config_text;
use crate::effective_config::EffectiveConfig;
use crate::file_checks::FileChecks;
use crate::finding::{Finding, has_errors, judged};
use crate::job_back_end::JobBackEnd;
use crate::job_error::JobError;
use crate::job_folder::{JobFolder, inside};
use crate::job_indexes::JobIndexes;
use crate::level::Level;
use crate::packaging_checks;
use crate::requirements;
use crate::secrets::shown_without_secrets;
use crate::setup_checks;
use crate::setup_facts::SetupFacts;
use crate::staging_checks;
use crate::workplace::Workplace;

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
    /// What other programs are that setup.py starts.
    pub commands: CommandRule,
    pub indexes: JobIndexes,
    pub strict: bool,
    /// Never one that [is final](Code::is_final).
    pub allowed: Vec<Code>,
    /// For setup.py, each time that it runs.
    pub limit: Duration,
    /// Keep the bytes of the source archive that the build back end made.
    pub raw_sdist: bool,
}

/// What a check found. Nothing in it is secret.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    /// Name and version, if setup() was called.
    #[serde(serialize_with = "shown_without_secrets")]
    pub name: Option<String>,
    #[serde(serialize_with = "shown_without_secrets")]
    pub version: Option<String>,
    pub python: String,
    #[serde(serialize_with = "shown_without_secrets")]
    pub configs: Vec<EffectiveConfig>,
    #[serde(serialize_with = "shown_without_secrets")]
    pub commands: CommandPlan,
    #[serde(serialize_with = "shown_without_secrets")]
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
    findings.extend(staging_checks::check(folder, &configs));
    findings.extend(command_checks::given_indexes(&request.indexes));
    let script = script(folder, &configs);
    let back_end = match script.map(|script| JobBackEnd::of(folder, script)).transpose() {
        Ok(back_end) => back_end,
        Err(finding) => {
            findings.push(*finding);
            None
        }
    };
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
    let mut facts = None;
    if let Some(back_end) = back_end {
        let mut context = context.clone();
        context.default_index = request.indexes.default.clone().or(context.default_index);
        match Workplace::make(&context, folder, request.python, &back_end, &request.indexes.additional()) {
            Ok(mut made) => {
                effective_file(&mut made, folder, &report.configs)?;
                facts = probed(&context, &made, request, &mut findings)?;
                report.sandboxed = made.sandboxed.get();
                if !report.sandboxed {
                    findings.push(Finding::new(code::KJ056, []));
                }
                place = Some(made);
            }
            Err(error) => findings.push(unsolvable(error, &back_end)?),
        }
    }
    of_facts(folder, request, &mut report, facts, place.as_ref(), &mut findings);
    if request.refuse_system_packages {
        let system = findings.iter_mut().filter(|it| it.code == code::KJ052);
        system.for_each(|it| it.level = Level::Error);
    }
    report.findings = judged(findings, request.strict, &request.allowed);
    Ok((report, place))
}

/// What the back end requires cannot be had: a fault of the job. Other errors stay errors.
fn unsolvable(error: JobError, back_end: &JobBackEnd) -> Result<Finding, JobError> {
    if back_end.requires.is_empty() || error.code() != "E_RESOLVE" {
        return Err(error);
    }
    let reqs = back_end.requires.join(", ");
    let mut cause: &dyn std::error::Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let explanation = cause.to_string().replace('\n', " ");
    let finding = Finding::new(code::KJ060, [("reqs", reqs.as_str()), ("explanation", explanation.as_str())]);
    Ok(finding.in_file("pyproject.toml"))
}

/// The file that the configuration names, or else the one that is there.
fn script(folder: &JobFolder, configs: &[EffectiveConfig]) -> Option<&'static str> {
    let known = ["setup.py", "pyproject.toml"];
    let named = configs.iter().find_map(|it| it.packaging.setup_file.as_deref().and_then(inside));
    let named = known.into_iter().find(|it| named.as_deref() == Some(it) && folder.has_file(it));
    named.or_else(|| known.into_iter().find(|it| folder.has_file(it)))
}

/// What the setup file says; why it says nothing is a finding.
fn probed(
    context: &Context,
    place: &Workplace,
    request: &CheckRequest,
    findings: &mut Vec<Finding>,
) -> Result<Option<SetupFacts>, JobError> {
    let script = place.back_end().script;
    let reason = match place.ask(context, &json!({"ask": "probe"}), request.limit)? {
        Reply::Answer(answer) => match serde_json::from_value::<SetupFacts>(answer) {
            Ok(facts) => return Ok(Some(facts)),
            Err(error) => format!("its answer is not understood: {error}"),
        },
        Reply::Ended { code, output } => {
            let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            let (copy, work) = (place.copy().display().to_string(), AsRef::<Path>::as_ref(place).display().to_string());
            let output = output.replace(&copy, ".").replace(&work, "..").replace('\n', "; ");
            format!("it ended Python with {code} {output}").trim_end().to_owned()
        }
        Reply::TimedOut => format!("it did not end within {} s", request.limit.as_secs()),
    };
    findings.push(setup_checks::no_answer(&reason, script));
    Ok(None)
}

/// Jobs of some versions of Klio pack a file that Klio writes before: it is written into the copy.
fn effective_file(place: &mut Workplace, folder: &JobFolder, configs: &[EffectiveConfig]) -> Result<(), JobError> {
    let ([config], false) = (configs, folder.has_file(config::RUN_EFFECTIVE)) else { return Ok(()) };
    place.generate(config::RUN_EFFECTIVE, config_text::to_yaml(config))
}

/// What follows from the facts, and what follows from the files alone.
fn of_facts(
    folder: &JobFolder,
    request: &CheckRequest,
    report: &mut CheckReport,
    facts: Option<SetupFacts>,
    place: Option<&Workplace>,
    findings: &mut Vec<Finding>,
) {
    let back_end = place.map(Workplace::back_end);
    let script = back_end.map_or("setup.py", |it| it.script);
    let plan = CommandPlan::of(facts.as_ref().map_or(&[], |it| &it.calls));
    let setup = facts.as_ref().and_then(|it| it.setup.clone()).unwrap_or_default();
    for file in requirements::files(&plan, &report.configs) {
        findings.extend(command_checks::requirements_file(folder, &file));
    }
    let pins = requirements::pins(folder, &setup, &plan, &report.configs, script);
    let agreement =
        Agreement { folder, configs: &report.configs, python: &request.python.minor_version(), pins: &pins };
    findings.extend(agreement.check());
    let beam = agreement.beam();
    findings.extend(back_end.into_iter().flat_map(|it| it.findings(beam.as_deref())));
    let (Some(facts), Some(place)) = (facts, place) else { return };
    findings.extend(setup_checks::check(&facts, place.back_end(), place.python));
    findings.extend(command_checks::commands(&plan, request.commands, &report.configs, beam.as_deref(), script));
    for requirements in std::iter::once(&setup.install_requires).chain(plan.pip.iter().map(|it| &it.requirements)) {
        findings.extend(command_checks::addresses(requirements, script));
    }
    if facts.setup.is_some() {
        let named = command_checks::named_files(folder, &plan);
        findings.extend(FileChecks { folder, facts: &facts, setup: &setup, script, named: &named }.all());
        findings.extend(setup_checks::shipped_config(&setup, &report.configs, script));
        let (name, version) = setup.identity();
        (report.name, report.version) = (Some(name), Some(version));
    }
    for finding in findings.iter_mut() {
        place.back_end().fit(finding);
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

//! `builder job …`: checks and stages Klio and Beam jobs, independent of any repository.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cli::Printer;
use job::code::{self, Code, UnknownCode};
use job::{
    CheckReport, CheckRequest, CommandRule, ConfigRequest, Finding, IndexStrategy, JobError, JobFolder, JobIndexes,
    Level, PackageSettings, Workplace,
};
use serde_json::json;
use store::download::{DownloadSettings, Downloader};
use store::{Context, Store};
use vocab::{Environment, Exit, Fault, Work};

use crate::arguments::GlobalArguments;
use crate::job_arguments::{JobCheckArguments, JobStageArguments, JobsCheckArguments};
use crate::session::store_root;

/// The code of a finding that does not exist.
#[derive(Debug, thiserror::Error, Fault)]
#[error(transparent)]
#[fault("E_JOB_CODE", Usage, hint("docs/job-codes.md lists all codes"))]
struct CodeFault(#[from] UnknownCode);

/// Store and downloads of a job; it needs no repository.
pub(crate) fn context(
    global: &GlobalArguments,
    environment: &Environment,
    printer: &Arc<Printer>,
    cancelled: &Arc<AtomicBool>,
) -> Result<Context, Box<dyn Fault>> {
    let listener = Arc::clone(printer);
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(Context {
        store: Store::open(store_root(global, environment)?)?,
        downloader: Downloader::new(DownloadSettings::of(environment)),
        remote: None,
        default_index: None,
        work: Work {
            environment: environment.clone(),
            jobs: global.jobs.map_or(processors, usize::from),
            offline: false,
            timeout: None,
            cancelled: Arc::clone(cancelled),
            listener: Arc::new(move |event| listener.tell(event)),
        },
    })
}

/// The folder, the request, what was found, and where code of the job runs.
pub(crate) type Checked = (JobFolder, CheckRequest, CheckReport, Option<Workplace>);

pub(crate) fn checked(
    context: &Context,
    arguments: &JobCheckArguments,
    out: Option<&PathBuf>,
) -> Result<Checked, Box<dyn Fault>> {
    let mut context = context.clone();
    context.work.offline = arguments.offline;
    let codes = arguments.allow.iter().map(|text| text.parse::<Code>().map_err(CodeFault::from));
    let allowed = codes.collect::<Result<Vec<Code>, _>>()?;
    if let Some(code) = allowed.iter().copied().find(|code| code.is_final()) {
        return Err(JobError::NotAllowed { code }.into());
    }
    let absolute = |path: &String| match std::path::absolute(path) {
        Ok(folder) if !path.contains("://") => folder.display().to_string(),
        _ => path.clone(),
    };
    let folder = JobFolder::open(&arguments.folder, out.map(PathBuf::as_path)).map_err(JobError::from)?;
    let request = CheckRequest {
        config: ConfigRequest {
            files: arguments.config.clone(),
            templates: arguments.template.clone(),
            overrides: arguments.r#override.clone(),
            set_json: arguments.set_json.clone(),
        },
        python: job::target_python(arguments.python.as_deref(), &folder)?,
        allow_fnapi: arguments.fnapi_conflict == "warn",
        refuse_system_packages: arguments.system_packages == "error",
        commands: match arguments.commands.as_str() {
            "record" => CommandRule::Record,
            "deny" => CommandRule::Deny,
            _ => CommandRule::Translate,
        },
        indexes: JobIndexes {
            default: arguments.index_url.clone(),
            additional: arguments.extra_index_url.clone(),
            find_links: arguments.find_links.iter().map(absolute).collect(),
        },
        strict: arguments.strict,
        allowed,
        limit: job::SETUP_LIMIT,
        raw_sdist: false,
    };
    let (report, place) = job::check(&context, &folder, &request)?;
    Ok((folder, request, report, place))
}

pub(crate) fn check(
    context: &Context,
    arguments: &JobsCheckArguments,
    printer: &Printer,
    json: bool,
) -> Result<Exit, Box<dyn Fault>> {
    let mut jobs = vec![checked(context, &arguments.check, None)?];
    for folder in &arguments.with {
        let other = JobCheckArguments { folder: folder.clone(), ..arguments.check.clone() };
        jobs.push(checked(context, &other, None)?);
    }
    // Of several jobs each says which one a finding is about.
    if jobs.len() > 1 {
        let folders = std::iter::once(&arguments.check.folder).chain(&arguments.with);
        for ((_, _, report, _), folder) in std::iter::zip(&mut jobs, folders) {
            for file in report.findings.iter_mut().filter_map(|it| it.file.as_mut()) {
                *file = format!("{}/{file}", folder.display());
            }
        }
    }
    let pairs: Vec<_> = jobs.iter().map(|(folder, _, report, _)| (folder, report)).collect();
    let request = &jobs[0].1;
    let shared = job::judged(job::shared_paths(&pairs), request.strict, &request.allowed);
    let mut exits: Vec<Exit> = jobs.iter().map(|(_, _, report, _)| exit(report)).collect();
    if job::has_errors(&shared) {
        exits.push(Exit::Build);
    }
    if json && jobs.len() > 1 {
        let reports: Vec<_> = jobs.iter().map(|(_, _, report, _)| report).collect();
        printer.json("jobs", &json!({"jobs": reports, "findings": shared}));
    } else {
        for (_, _, report, _) in &jobs {
            show(report, printer, json);
        }
        printer.data(&listed(&shared));
    }
    if arguments.check.keep_work {
        jobs.into_iter().filter_map(|(_, _, _, place)| place).for_each(|place| keep(place, printer, json));
    }
    let worst = [Exit::Usage, Exit::Build].into_iter().find(|it| exits.contains(it));
    Ok(worst.unwrap_or(Exit::Done))
}

fn keep(place: Workplace, printer: &Printer, json: bool) {
    let folder = place.keep();
    if json {
        printer.json("kept", &json!({"folder": folder}));
    } else {
        printer.say(&format!("kept {}", folder.display()));
    }
}

pub(crate) fn stage(
    context: &Context,
    arguments: &JobStageArguments,
    printer: &Printer,
    json: bool,
) -> Result<Exit, Box<dyn Fault>> {
    let (folder, mut request, report, place) = checked(context, &arguments.check, arguments.out.as_ref())?;
    request.raw_sdist = arguments.raw_sdist;
    let Some(place) = place.filter(|_| !report.has_errors()) else {
        show(&report, printer, json);
        return Ok(exit(&report));
    };
    let out = out_of(&folder, &report, arguments.out.as_ref())?;
    let strategy = if arguments.index_strategy == "best" { IndexStrategy::Best } else { IndexStrategy::First };
    let packages = PackageSettings { strategy, indexes: request.indexes.clone(), ..PackageSettings::default() };
    let mut context = context.clone();
    context.work.offline = arguments.check.offline;
    context.default_index = request.indexes.default.clone();
    let _held = job::hold_results(&context, &out)?;
    let staged = job::stage(&context, &folder, &report, &place, &request, &packages, &out)?;
    if json {
        printer.json("staged", &json!({"report": report, "staged": staged}));
    } else {
        show(&report, printer, false);
        let lines =
            staged.files.iter().map(|it| format!("{}  {}\n", it.sha256, staged.folder.join(&it.name).display()));
        printer.data(&lines.collect::<String>());
        for what in &staged.left_out {
            printer.say(&vocab::foreign_text::printable(&format!(
                "not staged: {what}; add it to the staging folder yourself"
            )));
        }
    }
    if arguments.check.keep_work {
        keep(place, printer, json);
    }
    Ok(if staged.left_out.is_empty() { Exit::Done } else { Exit::Partial })
}

/// The folder for results, which must not lie in the job's.
pub(crate) fn out_of(folder: &JobFolder, report: &CheckReport, given: Option<&PathBuf>) -> Result<PathBuf, JobError> {
    let name = report.configs.first().map(|it| it.job_name.clone()).unwrap_or_default();
    let name = name.replace(['/', '\\'], "_");
    let name = if name.trim_matches('.').is_empty() { "job".to_owned() } else { name };
    let out = given.cloned().unwrap_or_else(|| PathBuf::from("pydist-out").join(name));
    let out = std::path::absolute(&out).unwrap_or(out);
    if out.starts_with(folder.root()) { Err(JobError::OutInside { path: out }) } else { Ok(out) }
}

pub(crate) fn explain(text: &str, printer: &Printer, json: bool) -> Result<Exit, Box<dyn Fault>> {
    let row = text.parse::<Code>().map_err(CodeFault::from)?.row();
    if json {
        let code = row.code.to_string();
        printer.json(
            "code",
            &json!({"code": code, "level": row.level, "message": row.message, "help": row.help, "when": row.when}),
        );
        return Ok(Exit::Done);
    }
    let mut lines = format!("{}: {}\n{}\n", row.code, row.level, row.message);
    for text in [row.help, row.when].into_iter().filter(|text| !text.is_empty()) {
        lines.push_str(&format!("\n{text}\n"));
    }
    printer.data(&lines);
    Ok(Exit::Done)
}

pub(crate) fn exit(report: &CheckReport) -> Exit {
    let is_usage = |finding: &Finding| finding.code == code::KJ008;
    let any = |codes: &[Code]| report.findings.iter().any(|it| it.level == Level::Error && codes.contains(&it.code));
    if report.findings.iter().any(is_usage) {
        Exit::Usage
    } else if any(&[code::KJ064]) {
        Exit::Trust
    } else if any(&[code::KJ050, code::KJ070, code::KJ071, code::KJ072]) {
        Exit::Check
    } else if report.has_errors() {
        Exit::Build
    } else {
        Exit::Done
    }
}

fn listed(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!("{finding}\n"));
        if !finding.help.is_empty() {
            text.push_str(&format!("  help: {}\n", finding.help));
        }
    }
    vocab::foreign_text::printable(&text)
}

/// Findings outside of any report.
pub(crate) fn show_findings(findings: &[Finding], printer: &Printer, json: bool) {
    if json {
        printer.json("findings", &json!({"findings": findings}));
    } else {
        printer.data(&listed(findings));
    }
}

pub(crate) fn show(report: &CheckReport, printer: &Printer, json: bool) {
    if json {
        printer.json("job", report);
        return;
    }
    printer.data(&listed(&report.findings));
    let counts = job::counted(&report.findings);
    let count = |level, what: &str| {
        let count: usize = counts.get(&level).copied().unwrap_or_default();
        (count > 0).then(|| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
    };
    let parts = [count(Level::Error, "error"), count(Level::Warning, "warning"), count(Level::Note, "note")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let closing = if parts.is_empty() { "no problems found".to_owned() } else { parts.join(", ") };
    printer.say(&format!("{} checked, {closing}", report.name.as_deref().unwrap_or("job")));
}

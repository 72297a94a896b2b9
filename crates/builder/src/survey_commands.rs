//! The subcommands that change nothing: `check`, `matrix`, `outdated`, `diff`.

use survey::check_all::{CheckRequest, check_all};
use survey::compare;
use survey::matrix::{self, CiSystem, JobMatrix, MatrixRequest, PublishedKeys};
use survey::outdated::{OutdatedVersion, aged_table, outdated as look};
use vocab::{Exit, Fault, PlatformKey};

use crate::asked_platforms::AskedPlatforms;
use crate::session::{BuilderSession, UsageError};
use crate::survey_arguments::{CheckArguments, DiffArguments, MatrixArguments, OutdatedArguments};
use crate::survey_tables;

/// More jobs than the CI system accepts.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the matrix has {jobs} jobs, GitHub takes {} at most", matrix::github::MOST_JOBS)]
#[fault("E_MATRIX_SIZE", Usage, hint("name the versions of one run, or leave out what is published with --published"))]
struct TooManyJobs {
    jobs: usize,
}

/// `builder check`
pub fn check(session: &BuilderSession<'_>, arguments: &CheckArguments) -> Result<Exit, Box<dyn Fault>> {
    let versions = session.versions(&arguments.versions)?;
    let context = session.survey_context(&versions, &arguments.downloads, !arguments.online)?;
    let published = arguments.published.as_deref().map(PublishedKeys::read).transpose()?;
    let checked = check_all(
        &context,
        &session.repository,
        &CheckRequest {
            versions: &versions,
            online: arguments.online,
            published: published.as_ref(),
            today: jiff::Zoned::now().date(),
            source_date_epoch: session.source_date_epoch()?,
        },
    );
    let remarks = checked.remarks.len();
    for remark in checked.remarks {
        session.printer.tell(remark);
    }
    for (_, fault) in &checked.faults {
        session.printer.fault(fault.as_ref());
    }
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let found = [(checked.faults.len(), "error"), (remarks, "warning")];
    let found = found.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what));
    let found: Vec<String> = found.collect();
    let closing = if found.is_empty() { "no problems found".to_owned() } else { found.join(", ") };
    session.printer.say(&format!("{} checked, {closing}", counted(versions.len(), "version")));
    let of_remarks = if arguments.strict && remarks > 0 { Exit::Check } else { Exit::Done };
    Ok(checked.faults.iter().map(|(_, fault)| fault.exit()).next().unwrap_or(of_remarks))
}

/// `builder outdated`
pub fn outdated(session: &BuilderSession<'_>, arguments: &OutdatedArguments) -> Result<Exit, Box<dyn Fault>> {
    let versions = session.versions(&arguments.versions)?;
    let platforms = platforms(&arguments.platform)?;
    let context = session.survey_context(&versions, &arguments.downloads, false)?;
    let mut all: Vec<OutdatedVersion> = Vec::new();
    for version in &versions {
        let found = look(&context, &session.repository, version, &platforms)?;
        for unknown in &found.unknown {
            let text =
                format!("{version} for {}: the pins cannot be loosened together: {}", unknown.platform, unknown.reason);
            session.warn("W_PINS", text, None);
        }
        all.push(found);
    }
    if let Some(aged) = aged_table(jiff::Zoned::now().date()) {
        let text = format!(
            "the table of Python releases in this builder ends with {}, {} days ago: newer ones are not reported",
            aged.day, aged.days
        );
        let hint = "update pydist, or name newer releases in `python.releases` or `python.downloads`";
        session.warn("W_TABLE_AGED", text, Some(hint.to_owned()));
    }
    if session.global.show.json {
        session.printer.json("outdated", &serde_json::json!({ "versions": all }));
    } else if all.iter().all(OutdatedVersion::is_empty) {
        session.printer.say("nothing is newer");
    } else {
        let table = survey_tables::outdated(&all);
        session.printer.data(&table.render(session.printer.settings().width));
        session.printer.summarize(&table.markdown());
    }
    Ok(if all.iter().any(OutdatedVersion::lock_is_behind) { Exit::Check } else { Exit::Done })
}

/// `builder diff`
pub fn diff(session: &BuilderSession<'_>, arguments: &DiffArguments) -> Result<Exit, Box<dyn Fault>> {
    let read = |label: &str| compare::read(&session.repository, label);
    let comparison = compare::compare(&read(&arguments.before)?, &read(&arguments.after)?);
    if session.global.show.json {
        session.printer.json("diff", &comparison);
    } else if arguments.markdown {
        session.printer.data(&survey_tables::diff_markdown(&comparison));
    } else {
        session.printer.data(&survey_tables::diff_text(&comparison, session.printer.settings().width));
    }
    Ok(Exit::Done)
}

/// `builder matrix`
pub fn matrix(session: &BuilderSession<'_>, arguments: &MatrixArguments) -> Result<Exit, Box<dyn Fault>> {
    let system = CiSystem::from(arguments.format);
    let published = arguments.published.as_deref().map(PublishedKeys::read).transpose()?.unwrap_or_default();
    let matrix = matrix::matrix(
        &session.repository,
        &MatrixRequest {
            versions: &session.versions(&arguments.versions)?,
            platforms: &platforms(&arguments.platform)?,
            system,
            runners: &arguments.runner.iter().cloned().collect(),
            published: &published,
            native: arguments.native,
            source_date_epoch: session.source_date_epoch()?,
        },
    )?;
    if system == CiSystem::Github && matrix.jobs.len() > matrix::github::MOST_JOBS {
        return Err(TooManyJobs { jobs: matrix.jobs.len() }.into());
    }
    tell_gaps(session, &matrix);
    if session.global.show.json {
        session.printer.json("matrix", &matrix);
    } else {
        session.printer.data(&match system {
            CiSystem::Github => matrix::github::render(&matrix),
            CiSystem::Gitlab => matrix::gitlab::render(&matrix),
            CiSystem::Kubernetes => matrix::kubernetes::render(&matrix),
        });
        let (jobs, up_to_date) = (matrix.jobs.len(), matrix.up_to_date.len());
        session.printer.say(&format!("jobs: {jobs}, published already: {up_to_date}"));
    }
    Ok(if matrix.impossible.is_empty() { Exit::Done } else { Exit::Partial })
}

/// What no job of the matrix does, and what it does not know.
fn tell_gaps(session: &BuilderSession<'_>, matrix: &JobMatrix) {
    for row in &matrix.impossible {
        let text = format!("no job builds {} for {}: {}", row.version, row.platform, row.reason);
        session.warn("W_NO_JOB", text, row.hint.clone());
    }
    let mut versions: Vec<_> = matrix.unlocked.iter().map(|cell| &cell.version).collect();
    versions.dedup();
    for version in versions {
        let cells = matrix.unlocked.iter().filter(|cell| cell.version == *version);
        let platforms: Vec<&str> = cells.map(|cell| cell.platform.as_str()).collect();
        let text = format!(
            "the lock of {version} has no fresh rows for {}: what has no wheel there is not known, and --locked will fail",
            platforms.join(", ")
        );
        // What has fresh rows keeps them.
        let hint = format!("run `builder lock {version} --platform {}` and commit it", platforms.join(","));
        session.warn("W_LOCK_STALE", text, Some(hint));
    }
}

/// All platforms if none is named. A version has those of them that it is made for.
fn platforms(asked: &[String]) -> Result<Vec<PlatformKey>, UsageError> {
    if asked.is_empty() {
        return Ok(PlatformKey::ALL.to_vec());
    }
    Ok(AskedPlatforms::parse(asked)?.of(&PlatformKey::ALL))
}

//! Which source gives the base interpreter, and which release that is.
//!
//! Asks cheap questions only: a table, a `HEAD` request, `go list`, the CPythons of this machine. An exact match
//! from a later source beats a stand-in from an earlier one, so all sources are asked before a stand-in is taken;
//! among stand-ins the order of the sources decides. One source that offers several stand-ins gives the nearest
//! newer patch release, else the nearest older one: what works with 3.10.11 is more likely to work with 3.10.16
//! than with 3.10.6. Behind an export nothing is asked: what was chosen when it was made is taken again.

use config_merger::BaseSource;

use super::error::{BaseError, BaseErrorKind};
use super::request::{BaseChoice, BaseRequest, BaseSupply};
use super::source_answer::SourceAnswer;
use super::{archive_source, go_module, standalone, system};
use store::Context;

/// Decides where the interpreter comes from; see the module's text for the rules.
///
/// # Errors
/// When no source has the release or (if allowed) another patch release of the same minor version.
pub fn choose(context: &Context, request: &BaseRequest) -> Result<BaseChoice, BaseError> {
    let failed = |kind| BaseError { python: request.python, platform: request.platform, kind };
    let mut asked: Vec<(BaseSource, String)> = Vec::new();
    let mut stand_in: Option<BaseChoice> = exported(context, request);
    // A stand-in that is not allowed here is still what the error names.
    if let Some(choice) = stand_in.take_if(|choice| !choice.stand_in || request.allow_stand_in) {
        return Ok(choice);
    }
    for &source in &request.sources {
        if context.is_cancelled() {
            return Err(failed(BaseErrorKind::Cancelled));
        }
        match ask(context, request, source) {
            SourceAnswer::Lacks(reason) => asked.push((source, reason)),
            SourceAnswer::Refused(kind) => return Err(failed(kind)),
            SourceAnswer::Has { version, origin, supply } => {
                asked.push((source, format!("has {version} ({origin})")));
                let exact = version == request.python;
                let choice = BaseChoice {
                    platform: request.platform,
                    source,
                    requested: request.python,
                    actual: version,
                    stand_in: !exact,
                    origin,
                    asked: Vec::new(),
                    supply,
                    question: request.question(),
                    go_modules: request.go_modules.clone(),
                };
                if exact {
                    return Ok(BaseChoice { asked, ..choice });
                }
                stand_in.get_or_insert(choice);
            }
        }
    }
    match stand_in {
        Some(choice) if request.allow_stand_in => Ok(BaseChoice { asked, ..choice }),
        Some(choice) => {
            Err(failed(BaseErrorKind::OnlyStandIn { offered: choice.actual, source_name: choice.source, asked }))
        }
        None => {
            let nearest = standalone::nearest(request);
            Err(failed(BaseErrorKind::NoSource { asked, nearest }))
        }
    }
}

/// What was chosen when the export was made that stands behind the store, if one does.
fn exported(context: &Context, request: &BaseRequest) -> Option<BaseChoice> {
    let chosen = context.remote.as_deref()?.interpreter(&request.question())?;
    let source = request.sources.iter().find(|source| source.as_str() == chosen.source)?;
    Some(BaseChoice {
        platform: request.platform,
        source: *source,
        requested: request.python,
        actual: chosen.actual,
        stand_in: chosen.actual != request.python,
        origin: chosen.origin.clone(),
        asked: Vec::new(),
        supply: BaseSupply::Exported { digest: chosen.digest },
        question: request.question(),
        go_modules: request.go_modules.clone(),
    })
}

fn ask(context: &Context, request: &BaseRequest, source: BaseSource) -> SourceAnswer {
    match source {
        BaseSource::PythonBuildStandalone => standalone::ask(context, request),
        BaseSource::Archive => archive_source::ask(context, request),
        BaseSource::GoModule => go_module::ask(context, request),
        BaseSource::System => system::ask(context, request),
    }
}

//! Which source gives the base interpreter, and which release that is.
//!
//! Asks cheap questions only: a table, a `HEAD` request, `go list`, the CPythons of this machine. An exact match
//! from a later source beats a stand-in from an earlier one, so all sources are asked before a stand-in is taken;
//! among stand-ins the order of the sources decides. One source that offers several stand-ins gives the nearest
//! newer patch release, else the nearest older one: what works with 3.10.11 is more likely to work with 3.10.16
//! than with 3.10.6.

use config_merger::BaseSource;

use super::error::{BaseError, BaseErrorKind};
use super::request::{BaseChoice, BaseRequest};
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
    let mut stand_in: Option<BaseChoice> = None;
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

fn ask(context: &Context, request: &BaseRequest, source: BaseSource) -> SourceAnswer {
    match source {
        BaseSource::PythonBuildStandalone => standalone::ask(context, request),
        BaseSource::Archive => archive_source::ask(context, request),
        BaseSource::GoModule => go_module::ask(context, request),
        BaseSource::System => system::ask(context, request),
    }
}

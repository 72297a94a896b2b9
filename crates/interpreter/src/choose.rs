//! Which source gives the base interpreter, and which release that is.
//!
//! Asks cheap questions only: a table, a `HEAD` request, `go list`, the CPythons of this machine. An exact match
//! from a later source beats a stand-in from an earlier one, so all sources are asked before a stand-in is taken;
//! among stand-ins the order of the sources decides. One source that offers several stand-ins gives the nearest
//! newer patch release, else the nearest older one: what works with 3.10.11 is more likely to work with 3.10.16
//! than with 3.10.6.

use config_merger::BaseSource;
use vocab::PythonVersion;

use super::error::{BaseError, BaseErrorKind};
use super::request::{BaseChoice, BaseRequest, Supply};
use super::{archive_source, go_module, standalone, system};
use store::Context;

/// The answer of one source.
pub(super) enum Answer {
    Has {
        version: PythonVersion,
        origin: String,
        supply: Supply,
    },
    /// The reason, for the message.
    Lacks(String),
}

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
            Answer::Lacks(reason) => asked.push((source, reason)),
            Answer::Has { version, origin, supply } => {
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

fn ask(context: &Context, request: &BaseRequest, source: BaseSource) -> Answer {
    match source {
        BaseSource::PythonBuildStandalone => standalone::ask(context, request),
        BaseSource::Archive => archive_source::ask(context, request),
        BaseSource::GoModule => go_module::ask(context, request),
        BaseSource::System => system::ask(context, request),
    }
}

/// The best stand-in for `wanted`: the release itself, else the nearest newer patch release of the same minor
/// version, else the nearest older one.
pub(super) fn nearest_stand_in(
    wanted: PythonVersion,
    offered: impl IntoIterator<Item = PythonVersion>,
) -> Option<PythonVersion> {
    offered
        .into_iter()
        .filter(|version| version.same_series(wanted))
        .min_by_key(|version| (version.patch < wanted.patch, version.patch.abs_diff(wanted.patch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_the_nearest_newer_patch_release_else_the_nearest_older() {
        let cases = [
            // (wanted, offered, taken)
            ("3.10.11", "3.10.6 3.10.13 3.10.16", Some("3.10.13")),
            ("3.10.11", "3.10.6 3.10.10", Some("3.10.10")),
            ("3.10.11", "3.10.16 3.10.11", Some("3.10.11")),
            ("3.12.10", "3.12.1", Some("3.12.1")),
            ("3.12.10", "3.13.0 3.11.7", None),
        ];
        for (wanted, offered, taken) in cases {
            let offered = offered.split(' ').map(|text| text.parse().unwrap());
            let found = nearest_stand_in(wanted.parse().unwrap(), offered);
            assert_eq!(found, taken.map(|text| text.parse().unwrap()), "for {wanted}");
        }
    }
}

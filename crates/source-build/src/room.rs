//! A throw-away environment for callers that ask a source's code something else than a wheel: made and filled as that of a
//! build is, on the same base interpreter, from the same verified files.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use store::Context;

use super::requirement_supply::SupplyRule;
use super::uv_runner::{UvRunner, back_end_environment};
use super::{BuildTools, SourceBuild, SourceBuildError, SourceBuildErrorKind, compile};

/// An environment that code of a source may run in.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its interpreter.
    pub python: PathBuf,
    /// All variables of programs in it: nothing of the user's but what back ends may see. Home and temporary files are
    /// folders below the one for work.
    pub environment: Vec<(OsString, OsString)>,
}

/// Makes it below `work`, with `build.build_requires` and what they require. Requirements that are all exact pins keep the
/// answer that they had, so that no index is asked again.
///
/// # Errors
/// As for [`build_wheel`](super::build_wheel); nothing of the source has run.
pub fn make_room(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    work: &Path,
) -> Result<Room, SourceBuildError> {
    let log = build.logs.join(format!("wheel-build-{}.log", build.name));
    let made = || -> Result<Room, SourceBuildErrorKind> {
        let mut uv = compile::uv_runner(context, build, tools, work, &log)?;
        let python = uv.make_environment()?;
        let is_pin = |line: &String| line.contains("==") && !line.contains(['*', ';', ',', '<', '>', '~', '!']);
        let rule = if build.build_requires.iter().all(is_pin) { SupplyRule::AsBefore } else { SupplyRule::Anew };
        uv.install(&python, &build.build_requires, rule)?;
        furnished(&uv, python, work)
    };
    made().map_err(|kind| SourceBuildError::new(build, &log, kind))
}

/// The same with an environment that is there, in a folder of its own: nothing is made or installed.
///
/// # Errors
/// If folders cannot be made below `work`.
pub fn enter_room(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    environment: &Path,
    work: &Path,
) -> Result<Room, SourceBuildError> {
    let log = build.logs.join(format!("wheel-build-{}.log", build.name));
    let entered = || -> Result<Room, SourceBuildErrorKind> {
        let mut uv = compile::uv_runner(context, build, tools, work, &log)?;
        let python = uv.enter(environment);
        furnished(&uv, python, work)
    };
    entered().map_err(|kind| SourceBuildError::new(build, &log, kind))
}

fn furnished(uv: &UvRunner<'_>, python: PathBuf, work: &Path) -> Result<Room, SourceBuildErrorKind> {
    let home = work.join("home");
    fs::create_dir_all(&home).map_err(|error| SourceBuildErrorKind::disk("create", &home, error))?;
    Ok(Room { environment: back_end_environment(uv, &home), python })
}

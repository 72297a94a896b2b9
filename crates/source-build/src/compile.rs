//! The build itself: an environment of its own, what it requires, and the call of the back end, all by uv.
//!
//! uv installs from folders of verified files alone ([`supply`](super::requirement_supply)); it is told of no index.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use vocab::Digest;

use super::back_end::{self, BackEnd};
use super::requirement_supply::{SupplyRule, supply};
use super::uv_runner::UvRunner;
use super::{BuildTools, SourceBuild, SourceBuildErrorKind};
use store::Context;
use wheel::WheelFileName;

/// 1980-01-01, the earliest time a zip can hold.
const EPOCH: &str = "315532800";

/// Runs uv for this build, whose programs get a folder of their own for temporary files below `work`.
pub(super) fn uv_runner<'a>(
    context: &'a Context,
    build: &'a SourceBuild<'a>,
    tools: &'a BuildTools<'a>,
    work: &'a Path,
    log: &'a Path,
) -> Result<UvRunner<'a>, SourceBuildErrorKind> {
    let temporary = work.join("temporary");
    fs::create_dir_all(&temporary).map_err(|error| SourceBuildErrorKind::disk("create", &temporary, error))?;
    let environment = environment(context, build, work, &temporary);
    Ok(UvRunner { context, build, tools, work, environment, log })
}

/// The environment of one build, below a folder for its work.
pub(super) struct BuildEnvironment<'a> {
    uv: UvRunner<'a>,
    python: PathBuf,
    settings: Vec<String>,
    /// Keys of the sets of build requirements that are in it.
    pub(super) sets: Vec<Digest>,
}

impl<'a> BuildEnvironment<'a> {
    /// Makes it and installs what the build requires; of the source, nothing runs but the question what that is.
    pub(super) fn make(mut uv: UvRunner<'a>, source: &Path) -> Result<Self, SourceBuildErrorKind> {
        let build = uv.build;
        let settings: Vec<String> = build
            .config_settings
            .iter()
            .map(|setting| with_package_root(setting, build.package_root, cfg!(windows)))
            .collect();
        let python = uv.make_environment()?;
        let mut sets = Vec::new();
        if build.build_requires.is_empty() {
            let back_end = BackEnd::of(source)?;
            sets.extend(uv.install(&python, &back_end.requires, SupplyRule::Anew)?);
            let here = back_end.further_requires(&uv, &python, source, &settings)?;
            let elsewhere = back_end.further_requires_without_programs(&uv, &python, source, &settings);
            // Together, so that what is there already still fits.
            let all = |further: Vec<String>| -> Vec<String> {
                let further = further.into_iter().filter(|it| !back_end.requires.contains(it));
                back_end.requires.iter().cloned().chain(further).collect()
            };
            let (here, elsewhere) = (all(here), elsewhere.map(all));
            sets.extend(install_further(&uv, &python, &back_end.requires, &here, elsewhere.as_deref())?);
        } else {
            sets.extend(uv.install(&python, &build.build_requires, SupplyRule::Anew)?);
        }
        Ok(Self { uv, python, settings, sets })
    }

    /// The wheel, in a folder below the one for work.
    pub(super) fn compile(&self, source: &Path) -> Result<PathBuf, SourceBuildErrorKind> {
        let output = self.uv.work.join("dist");
        fs::create_dir(&output).map_err(|error| SourceBuildErrorKind::disk("create", &output, error))?;
        let arguments = back_end::build_arguments(&self.python, &output, source, &self.settings);
        self.uv.run_foreign("the build", self.uv.tools.uv.program(), self.uv.work, arguments, &[])?;
        only_wheel(&output)
    }
}

/// Installs what the back end asks for `here` beyond `first`, and keeps what it asks for `elsewhere`, on a machine without
/// this one's programs (ninja, cmake, patchelf): such a machine may have nothing but an export of this one. Without a
/// network that set serves, too, if the one for here is not at hand: it has more, and nothing else.
fn install_further(
    uv: &UvRunner<'_>,
    python: &Path,
    first: &[String],
    here: &[String],
    elsewhere: Option<&[String]>,
) -> Result<Vec<Digest>, SourceBuildErrorKind> {
    let elsewhere = elsewhere.filter(|elsewhere| *elsewhere != here && *elsewhere != first);
    if here == first && (elsewhere.is_none() || uv.context.offline) {
        return Ok(Vec::new());
    }
    let mut sets = Vec::new();
    if here != first {
        match (uv.install(python, here, SupplyRule::Anew), elsewhere) {
            (Ok(set), _) => sets.extend(set),
            (Err(SourceBuildErrorKind::Lacking { missing }), Some(elsewhere)) if uv.context.offline => {
                let lacking = |_| SourceBuildErrorKind::Lacking { missing };
                sets.extend(uv.install(python, elsewhere, SupplyRule::Anew).map_err(lacking)?);
                return Ok(sets);
            }
            (Err(error), _) => return Err(error),
        }
    }
    if let Some(elsewhere) = elsewhere {
        match supply(uv.context, uv.build, uv.tools, elsewhere, SupplyRule::Anew) {
            Ok(supplied) => sets.push(supplied.key),
            Err(_) if uv.context.is_cancelled() => return Err(SourceBuildErrorKind::Cancelled),
            // It is of no use here.
            Err(error) => uv.context.note(format!(
                "what {} requires to be built on a machine with fewer programs is not kept: {}",
                uv.build.name,
                vocab::with_causes(&error)
            )),
        }
    }
    Ok(sets)
}

/// The wheel is of the distribution, and the version, that was to be built.
pub(super) fn check_name(build: &SourceBuild<'_>, wheel: &Path) -> Result<(), SourceBuildErrorKind> {
    let file_name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = file_name.parse::<WheelFileName>().ok();
    let version = told.as_ref().map(|told| told.version.as_str()).unwrap_or_default();
    let same_version = build.version.as_ref().is_none_or(|expected| {
        // Compared as PEP 440 does: `1.0` and `1.0.0` are one version.
        let parse = |text: &str| pep440_rs::Version::from_str(text).ok();
        expected == version || parse(expected).is_some_and(|expected| parse(version) == Some(expected))
    });
    if told.as_ref().is_some_and(|told| told.name == build.name) && same_version {
        return Ok(());
    }
    let expected = match &build.version {
        Some(version) => format!("{} {version}", build.name),
        None => build.name.to_string(),
    };
    Err(SourceBuildErrorKind::OtherDistribution { file_name, expected })
}

pub(super) fn only_wheel(folder: &Path) -> Result<PathBuf, SourceBuildErrorKind> {
    let entries = fs::read_dir(folder).map_err(|error| SourceBuildErrorKind::disk("list", folder, error))?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    let mut wheels: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_wheel).collect();
    match (wheels.pop(), wheels.len()) {
        (Some(wheel), 0) => Ok(wheel),
        (wheel, others) => Err(SourceBuildErrorKind::NotOneWheel { found: others + usize::from(wheel.is_some()) }),
    }
}

/// `{packageRoot}` with forward slashes: settings pass through shells and back ends that eat backslashes.
fn with_package_root(setting: &str, package_root: &Path, windows: bool) -> String {
    let root = package_root.to_string_lossy();
    let root = if windows { root.trim_start_matches(r"\\?\").replace('\\', "/") } else { root.into_owned() };
    setting.replace("{packageRoot}", &root)
}

/// What holds for all that runs in a build.
fn environment(context: &Context, build: &SourceBuild<'_>, work: &Path, temporary: &Path) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let mut set = |name: &str, value: &str| variables.push((name.into(), value.into()));
    set("PYTHONDONTWRITEBYTECODE", "1");
    set("PYTHONHASHSEED", "0");
    set("PYTHONHOME", "");
    set("PYTHONPATH", "");
    set("PYTHONNOUSERSITE", "1");
    set("SOURCE_DATE_EPOCH", context.environment.text("SOURCE_DATE_EPOCH").unwrap_or(EPOCH));
    if cfg!(target_os = "linux") {
        set("LC_ALL", "C.UTF-8");
    }
    if cfg!(target_os = "macos")
        && let Some(system) = build.system
    {
        let users = context.environment.text("MACOSX_DEPLOYMENT_TARGET");
        set("MACOSX_DEPLOYMENT_TARGET", &users.map_or_else(|| system.to_string(), str::to_owned));
    }
    if cfg!(unix) {
        for name in ["CFLAGS", "CXXFLAGS"] {
            set(name, &compiler_flags(context.environment.text(name), work));
        }
    }
    for name in ["TMPDIR", "TMP", "TEMP"] {
        variables.push((name.into(), temporary.into()));
    }
    variables
}

/// Neither debug data nor this machine's paths get into the binaries. A build back end may take the variable in
/// place of the interpreter's own flags rather than beside them, so the ones that matter are said again.
fn compiler_flags(users: Option<&str>, work: &Path) -> String {
    let mut flags = format!("{} -g0", users.unwrap_or("-O3 -DNDEBUG -fwrapv"));
    let work = work.to_string_lossy();
    // The variable has no quoting that every back end understands.
    if !work.contains(char::is_whitespace) {
        flags.push_str(&format!(" -ffile-prefix-map={work}=/pydist-build"));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p12_the_package_root_is_written_with_forward_slashes() {
        let cases = [
            // (package root, on Windows, the setting)
            (r"C:\repo\python-3.12.10", true, "--flags=-IC:/repo/python-3.12.10/include"),
            (r"\\?\C:\repo", true, "--flags=-IC:/repo/include"),
            ("/repo/python-3.12.10", false, "--flags=-I/repo/python-3.12.10/include"),
        ];
        for (root, windows, setting) in cases {
            let given = "--flags=-I{packageRoot}/include";
            assert_eq!(with_package_root(given, Path::new(root), windows), setting);
        }
    }
}

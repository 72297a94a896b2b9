//! The build itself: an environment of its own, what it requires, and the call of the back end, all by uv.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::back_end::{self, BackEnd};
use super::{SourceBuild, SourceBuildErrorKind, error};
use process::{Invocation, ProcessErrorKind};
use resolve::uv_settings::{self, SettingsHandover};
use store::Context;
use store::EntryKind;
use wheel::WheelFileName;

/// 1980-01-01, the earliest time a zip can hold.
const EPOCH: &str = "315532800";

/// The wheel, in a folder below `work`.
pub(super) fn compile(
    context: &Context,
    build: &SourceBuild<'_>,
    work: &Path,
    source: &Path,
    log: &Path,
) -> Result<PathBuf, SourceBuildErrorKind> {
    let output = work.join("dist");
    let temporary = work.join("temporary");
    for folder in [&output, &temporary] {
        fs::create_dir(folder).map_err(|error| SourceBuildErrorKind::disk("create", folder, error))?;
    }
    let environment = environment(context, build, work, &temporary);
    let mut uv = UvRunner { context, build, work, environment, log };
    let settings: Vec<String> = build
        .config_settings
        .iter()
        .map(|setting| with_package_root(setting, build.package_root, cfg!(windows)))
        .collect();
    let python = uv.make_environment()?;
    if build.build_requires.is_empty() {
        let back_end = BackEnd::of(source)?;
        uv.install(&python, &back_end.requires)?;
        let further = back_end.further_requires(&uv, &python, source, &settings)?;
        uv.install(&python, &further)?;
    } else {
        uv.install(&python, &build.build_requires)?;
    }
    let arguments = back_end::build_arguments(&python, &output, source, &settings);
    uv.run_foreign("the build", uv.build.uv, work, arguments)?;
    only_wheel(&output)
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

/// Runs uv for one build.
pub(super) struct UvRunner<'a> {
    pub(super) context: &'a Context,
    pub(super) build: &'a SourceBuild<'a>,
    pub(super) work: &'a Path,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) log: &'a Path,
}

impl UvRunner<'_> {
    /// Makes the environment of the build and enters it. The result is its interpreter.
    fn make_environment(&mut self) -> Result<PathBuf, SourceBuildErrorKind> {
        let folder = self.work.join("environment");
        let mut make = words(["venv", "--no-project", "--python"]);
        make.extend([self.build.python.into(), folder.clone().into()]);
        self.run("making its environment", make, &[])?;

        let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let python = programs.join(if cfg!(windows) { "python.exe" } else { "python" });
        // Requirements such as cmake and ninja are programs.
        let path = self.context.environment.path("PATH").map(Path::as_os_str).unwrap_or_default();
        let folders = std::iter::once(programs).chain(std::env::split_paths(path));
        if let Ok(joined) = std::env::join_paths(folders) {
            self.environment.push(("PATH".into(), joined));
        }
        self.environment.push(("VIRTUAL_ENV".into(), folder.into()));
        Ok(python)
    }

    fn install(&self, python: &Path, requirements: &[String]) -> Result<(), SourceBuildErrorKind> {
        if requirements.is_empty() {
            return Ok(());
        }
        // Copied: what the back end does to a file of its environment must not reach the store.
        let mut install = words(["pip", "install", "--link-mode", "copy", "--python"]);
        install.push(python.into());
        if !self.build.build_constraints.is_empty() {
            let path = self.work.join("constraints.txt");
            let text = self.build.build_constraints.join("\n") + "\n";
            fs::write(&path, text).map_err(|error| SourceBuildErrorKind::disk("write", &path, error))?;
            install.extend([OsString::from("--constraints"), path.into()]);
        }
        install.push("--".into());
        install.extend(requirements.iter().map(OsString::from));
        self.run(error::REQUIREMENTS_STEP, install, requirements)
    }

    /// uv itself, which fetches these requirements, if any, from the indexes of the build. Tools come from the user's.
    pub(super) fn run(
        &self,
        step: &'static str,
        arguments: Vec<OsString>,
        requirements: &[String],
    ) -> Result<(), SourceBuildErrorKind> {
        // Neither the user's settings nor those of a folder above may influence the result.
        let mut settings = uv_settings::settings(self.context);
        if !requirements.is_empty() {
            settings.extend(self.build.index_settings.clone());
        }
        let settings = SettingsHandover::new(&settings, self.work)
            .map_err(|error| SourceBuildErrorKind::disk("write to", self.work, error))?;
        let arguments = with_common_options(arguments, &settings, self.context.offline);
        let mut invocation = with_fixed_umask(self.build.uv, self.work).args(arguments);
        invocation.stdin.clone_from(&settings.stdin);
        invocation.clear_environment = true;
        invocation.environment = uv_settings::environment(self.context, requirements.iter());
        invocation.environment.extend(self.environment.iter().cloned());
        invocation = invocation.env("UV_CACHE_DIR", downloads(self.context));
        self.run_invocation(step, invocation)
    }

    /// Code of the source, with nothing of the user's but what `back_end` lets pass.
    pub(super) fn run_foreign(
        &self,
        step: &'static str,
        program: &Path,
        folder: &Path,
        arguments: Vec<OsString>,
    ) -> Result<(), SourceBuildErrorKind> {
        let home = self.work.join("home");
        fs::create_dir_all(&home).map_err(|error| SourceBuildErrorKind::disk("create", &home, error))?;
        let mut invocation = with_fixed_umask(program, folder).args(arguments);
        invocation.clear_environment = true;
        invocation.environment = back_end::environment(self, &home);
        // uv, which calls the back end, makes its folders in here, so that the back end does not learn where the store
        // is.
        invocation = invocation.env("UV_CACHE_DIR", self.work.join("uv-cache"));
        self.run_invocation(step, invocation)
    }

    /// A failure carries the end of the log.
    fn run_invocation(&self, step: &'static str, invocation: Invocation) -> Result<(), SourceBuildErrorKind> {
        let mut invocation = invocation.timeout(self.build.timeout);
        invocation.log = Some(self.log.to_owned());
        let program = format!("{} {step}", self.build.name);
        let finished =
            process::run_telling(self.context, &invocation, &program).map_err(|program| match program.kind {
                ProcessErrorKind::TimedOut { .. } => {
                    SourceBuildErrorKind::Stopped { step, program, tail: error::tail(self.log) }
                }
                _ => program.into(),
            })?;
        if finished.succeeded() {
            return Ok(());
        }
        Err(SourceBuildErrorKind::Failed { step, code: finished.code, tail: error::tail(self.log) })
    }
}

/// What builds require and the tools that repair wheels, as uv keeps them: in the store, so that it suffices offline.
fn downloads(context: &Context) -> PathBuf {
    const NAME: &str = "uv-cache";
    context.store.mark_used(EntryKind::Tools, NAME);
    context.store.tool(NAME)
}

/// Puts the options that every call of uv gets before its command.
fn with_common_options(mut arguments: Vec<OsString>, settings: &SettingsHandover, offline: bool) -> Vec<OsString> {
    let mut common = words(["--no-python-downloads", "--no-progress", "--color", "never"]);
    common.extend(settings.arguments());
    if offline {
        common.push("--offline".into());
    }
    common.append(&mut arguments);
    common
}

pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Files in a wheel carry the modes they have on disk, and those must not depend on the user.
#[cfg(unix)]
fn with_fixed_umask(program: &Path, folder: &Path) -> Invocation {
    Invocation::new("/bin/sh", folder).args(["-c", "umask 022 && exec \"$@\"", "sh"]).arg(program)
}

#[cfg(not(unix))]
fn with_fixed_umask(program: &Path, folder: &Path) -> Invocation {
    Invocation::new(program, folder)
}

/// What holds for all that runs in a build.
pub(super) fn environment(
    context: &Context,
    build: &SourceBuild<'_>,
    work: &Path,
    temporary: &Path,
) -> Vec<(OsString, OsString)> {
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

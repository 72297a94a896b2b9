//! How uv and what it calls are run for one build.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use process::{Invocation, ProcessErrorKind};
use resolve::uv_settings::{self, passed_variables, passes_to_back_ends};
use store::Context;
use vocab::Digest;

use super::requirement_supply::{SupplyRule, supply};
use super::{BuildTools, SourceBuild, SourceBuildErrorKind, error};

/// Runs uv for one build.
pub(super) struct UvRunner<'a> {
    pub(super) context: &'a Context,
    pub(super) build: &'a SourceBuild<'a>,
    pub(super) tools: &'a BuildTools<'a>,
    pub(super) work: &'a Path,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) log: &'a Path,
}

impl UvRunner<'_> {
    /// Makes the environment of the build and enters it. The result is its interpreter.
    pub(super) fn make_environment(&mut self) -> Result<PathBuf, SourceBuildErrorKind> {
        let folder = self.work.join("environment");
        let mut make = words(["venv", "--no-project", "--python"]);
        make.extend([self.build.python.into(), folder.clone().into()]);
        self.run("making its environment", make)?;
        Ok(self.enter(&folder))
    }

    /// Enters an environment that is there. The result is its interpreter.
    pub(super) fn enter(&mut self, folder: &Path) -> PathBuf {
        let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let python = programs.join(if cfg!(windows) { "python.exe" } else { "python" });
        // Requirements such as cmake and ninja are programs.
        let path = self.context.environment.path("PATH").map(Path::as_os_str).unwrap_or_default();
        let folders = std::iter::once(programs).chain(std::env::split_paths(path));
        if let Ok(joined) = std::env::join_paths(folders) {
            self.environment.push(("PATH".into(), joined));
        }
        self.environment.push(("VIRTUAL_ENV".into(), folder.into()));
        python
    }

    /// Installs into the environment of the build. The key of the set; `None` if nothing is required on this machine.
    pub(super) fn install(
        &self,
        python: &Path,
        requirements: &[String],
        rule: SupplyRule,
    ) -> Result<Option<Digest>, SourceBuildErrorKind> {
        if requirements.is_empty() {
            return Ok(None);
        }
        let supplied = supply(self.context, self.build, self.tools, requirements, rule)?;
        let pins = supplied.pins();
        if !pins.is_empty() {
            // Copied: what the back end does to a file of its environment must not reach another one.
            let mut install = words(["pip", "install", "--link-mode", "copy", "--no-deps", "--no-index", "--python"]);
            install.extend([python.into(), "--find-links".into(), supplied.lay_out(self.context, self.work)?.into()]);
            install.push("--".into());
            install.extend(pins.iter().map(OsString::from));
            self.run(error::REQUIREMENTS_STEP, install)?;
        }
        Ok(Some(supplied.key))
    }

    /// uv itself, without any index: what it installs lies in a folder.
    pub(super) fn run(&self, step: &'static str, arguments: Vec<OsString>) -> Result<(), SourceBuildErrorKind> {
        // Neither the user's settings nor those of a folder above may influence the result.
        let mut common = words(["--no-python-downloads", "--no-progress", "--color", "never", "--no-config"]);
        common.extend(arguments);
        let mut invocation = with_fixed_umask(self.tools.uv.program(), self.work).args(common);
        invocation.clear_environment = true;
        invocation.environment = uv_settings::environment(self.context, std::iter::empty());
        invocation.environment.extend(self.environment.iter().cloned());
        for (name, folder) in [("UV_CACHE_DIR", "uv-cache"), ("UV_TOOL_DIR", "uv-tools")] {
            invocation = invocation.env(name, self.work.join(folder));
        }
        self.run_invocation(step, invocation)
    }

    /// Code of the source, with nothing of the user's but what `back_end` lets pass. `variables` take the place of others.
    pub(super) fn run_foreign(
        &self,
        step: &'static str,
        program: &Path,
        folder: &Path,
        arguments: Vec<OsString>,
        variables: &[(OsString, OsString)],
    ) -> Result<(), SourceBuildErrorKind> {
        let home = self.work.join("home");
        fs::create_dir_all(&home).map_err(|error| SourceBuildErrorKind::disk("create", &home, error))?;
        let mut invocation = with_fixed_umask(program, folder).args(arguments);
        invocation.clear_environment = true;
        invocation.environment = back_end_environment(self, &home);
        // uv, which calls the back end, makes its folders in here.
        invocation = invocation.env("UV_CACHE_DIR", self.work.join("uv-cache"));
        invocation.environment.extend(variables.iter().cloned());
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

/// The environment that a back end starts with. `home` is an empty folder in place of the user's.
pub(super) fn back_end_environment(uv: &UvRunner<'_>, home: &Path) -> Vec<(OsString, OsString)> {
    let user = &uv.context.environment;
    let passed = uv.build.pass_environment.iter().map(String::as_str);
    let names = passed_variables().map(|name: &str| name);
    let names = names.filter(|name| user.text(name).is_none_or(|value| passes_to_back_ends(name, value))).chain(passed);
    let mut variables: Vec<(OsString, OsString)> =
        names.filter_map(|name| Some((name.into(), user.path(name)?.as_os_str().to_owned()))).collect();
    // The programs of Rust look for their compiler below the home folder.
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let Some(folder) = user.path("HOME").map(|home| home.join(folder)) else { continue };
        if user.path(name).is_none() && folder.is_dir() {
            variables.push((name.into(), folder.into()));
        }
    }
    for name in ["HOME", "USERPROFILE"] {
        variables.push((name.into(), home.into()));
    }
    variables.extend(uv.environment.iter().cloned());
    variables
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

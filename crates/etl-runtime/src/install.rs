//! Installs what the plan says is missing: packages of the system first, because a Python package may need them, then
//! distributions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use process::{Invocation, ProcessError, run_telling};
use resolve::{AnsweredQuestions, Uv, UvError};
use store::Context;
use vocab::{DistributionName, Fault, Work};

use crate::plan::{OsStep, Plan};
use crate::runtime_facts::RuntimeFacts;

/// How long an index may take to accept a connection, in seconds, unless UV_HTTP_CONNECT_TIMEOUT says otherwise. A pod
/// that cannot reach one shall say so before a target loses patience.
const CONNECT_SECONDS: &str = "4";

/// Something could not be installed.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum InstallError {
    #[error("OS_PACKAGES: `{command}` failed with {}, so {} cannot be installed", ending(*code), names.join(", "))]
    #[fault("E_ETL_OS_PACKAGES", hint("its output is above; another image may have them already"))]
    OsPackages { command: String, code: Option<i32>, names: Vec<String> },
    #[error("OS_PACKAGES: {} cannot be installed", names.join(", "))]
    #[fault("E_ETL_OS_PACKAGES")]
    OsProgram { names: Vec<String>, source: ProcessError },
    #[error("PACKAGES: {} cannot be installed: {reason}", names.join(", "))]
    #[fault("E_ETL_INSTALL", hint("check the names, the network and which index uv uses (UV_DEFAULT_INDEX)"))]
    Packages { names: Vec<String>, reason: String },
    #[error("PACKAGES: {} cannot be installed", names.join(", "))]
    #[fault("E_ETL_INSTALL")]
    NoUv { names: Vec<String>, source: Box<UvError> },
    #[error("PACKAGES: {} cannot be installed", names.join(", "))]
    #[fault("E_ETL_INSTALL")]
    Process { names: Vec<String>, source: ProcessError },
    #[error("cannot write `{}`", path.display())]
    #[fault("E_ETL_WORK", hint("name a folder that this user may write with --work or ETL_WORK"))]
    Write { path: PathBuf, source: io::Error },
}

fn ending(code: Option<i32>) -> String {
    code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
}

/// Calls the system's package manager.
pub fn os_packages(step: &OsStep, work: &Work, folder: &Path) -> Result<(), InstallError> {
    let names = &step.packages;
    for call in &step.calls {
        let mut invocation = Invocation::new(&step.program, folder).args(call);
        for (name, value) in step.manager.environment() {
            invocation = invocation.env(name, value);
        }
        let program = step.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let finished = run_telling(work, &invocation, &program)
            .map_err(|source| InstallError::OsProgram { names: names.clone(), source })?;
        if !finished.succeeded() {
            let command = format!("{program} {}", call.first().map_or("", String::as_str));
            for line in finished.stderr_text().lines().chain(finished.stdout_text().lines()) {
                work.note(line);
            }
            return Err(InstallError::OsPackages { command, code: finished.code, names: names.clone() });
        }
    }
    Ok(())
}

/// Installs into the plan's overlay what the runtime lacks; an overlay that is there is complete.
///
/// The runtime's own distributions bind the versions, except those that PACKAGES names, so that what runs the server
/// is not replaced by accident; what is in the runtime at that version is not installed again.
pub fn packages(plan: &Plan, runtime: &RuntimeFacts, context: &Context) -> Result<(), InstallError> {
    let Some(overlay) = plan.overlay.as_deref().filter(|overlay| !overlay.is_dir()) else { return Ok(()) };
    let names = plan.missing();
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Write { path, source }
    };
    let work = overlay.parent().unwrap_or(overlay);
    fs::create_dir_all(work).map_err(write(work))?;
    let uv = Uv::find(context, &runtime.interpreter, &AnsweredQuestions::default())
        .map_err(|source| InstallError::NoUv { names: names.clone(), source: Box::new(source) })?;
    let scratch = tempfile::Builder::new().prefix(".overlay-").tempdir_in(work).map_err(write(work))?;
    let installer = Installer { uv: &uv, runtime, context, folder: scratch.path(), names: &names };

    let locked = installer.resolve()?;
    let lacking: Vec<&str> = locked.lines().filter(|line| !is_installed(line, runtime)).collect();
    let target = scratch.path().join("site");
    fs::create_dir_all(&target).map_err(write(&target))?;
    installer.install(&lacking.join("\n"), &target)?;
    take_place(&target, overlay).map_err(write(overlay))
}

/// Two pods of one user may install the same at once; the first wins.
fn take_place(from: &Path, to: &Path) -> io::Result<()> {
    match disk::rename(from, to) {
        Err(_) if to.is_dir() => Ok(()),
        other => other,
    }
}

/// Whether the runtime has just what `name==version` says.
fn is_installed(line: &str, runtime: &RuntimeFacts) -> bool {
    let Some((name, version)) = line.split_once("==") else { return false };
    let (Ok(name), Ok(version)) = (name.trim().parse::<DistributionName>(), version.trim().parse()) else {
        return false;
    };
    runtime.installed.get(&name).is_some_and(|installed| installed.version == version)
}

struct Installer<'a> {
    uv: &'a Uv,
    runtime: &'a RuntimeFacts,
    context: &'a Context,
    folder: &'a Path,
    names: &'a [String],
}

impl Installer<'_> {
    /// `name==version` lines.
    fn resolve(&self) -> Result<String, InstallError> {
        let asked: Vec<DistributionName> = self
            .names
            .iter()
            .filter_map(|line| config_merger::requirement_of_metadata(line))
            .map(|requirement| requirement.name)
            .collect();
        let bound = self.runtime.installed.iter().filter(|(name, _)| !asked.contains(name));
        let bound: String = bound.map(|(name, installed)| format!("{name}=={}\n", installed.version)).collect();
        let constraints = self.folder.join("runtime.txt");
        fs::write(&constraints, bound).map_err(|source| InstallError::Write { path: constraints.clone(), source })?;
        let words = ["pip", "compile", "-", "--no-header", "--no-annotate", "--no-progress"];
        let invocation = self.invocation(&words).arg("--constraint").arg(&constraints);
        self.run(&Invocation { stdin: (self.names.join("\n") + "\n").into_bytes(), ..invocation })
    }

    fn install(&self, locked: &str, target: &Path) -> Result<(), InstallError> {
        let list = self.folder.join("locked.txt");
        fs::write(&list, locked).map_err(|source| InstallError::Write { path: list.clone(), source })?;
        let invocation = self.invocation(&["pip", "install", "--no-deps", "--no-progress"]);
        self.run(&invocation.arg("--target").arg(target).arg("--requirement").arg(&list)).map(drop)
    }

    fn invocation(&self, words: &[&str]) -> Invocation {
        let mut invocation = Invocation::new(self.uv.program(), self.folder).args(["--color", "never"]).args(words);
        invocation = invocation.arg("--python").arg(&self.runtime.interpreter).env("UV_NO_PROGRESS", "1");
        let defaults = [("UV_HTTP_CONNECT_TIMEOUT", CONNECT_SECONDS), ("UV_HTTP_RETRIES", "1")];
        for (name, value) in defaults {
            if self.context.environment.text(name).is_none() {
                invocation = invocation.env(name, value);
            }
        }
        invocation
    }

    /// What it printed on standard output.
    fn run(&self, invocation: &Invocation) -> Result<String, InstallError> {
        let names = self.names.to_vec();
        let finished = run_telling(self.context, invocation, "uv")
            .map_err(|source| InstallError::Process { names: names.clone(), source })?;
        if finished.succeeded() {
            return Ok(finished.stdout_text());
        }
        let reason = process::words_of(&finished.stderr_text());
        Err(InstallError::Packages { names, reason: process::shortened(&reason) })
    }
}

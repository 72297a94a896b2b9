//! Installs what the plan says is missing: packages of the system first, because a Python package may need them, then
//! distributions.

use std::path::Path;

use config_merger::Requirement;
use process::{Invocation, ProcessError, run_telling};
use store::{Context, Store};
use vocab::{Fault, Work, with_causes};

use crate::delta::{NoWheels, OverlayError, WheelsFor, fill_overlay, lacking_wheels};
use crate::plan::OsStep;
use crate::runtime_facts::RuntimeFacts;

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
    #[error(transparent)]
    #[fault(transparent)]
    Overlay(OverlayError),
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

/// Installs into `overlay` what the runtime lacks for PACKAGES, as a delta is installed, but from the index. `warm` is a store that can only be read.
pub fn packages(
    packages: &[Requirement],
    overlay: &Path,
    runtime: &RuntimeFacts,
    context: &Context,
    warm: Option<&Store>,
) -> Result<(), InstallError> {
    let wheels = lacking_wheels(packages, WheelsFor::ThisMachine, runtime, context, warm)
        .map_err(|NoWheels { names, reason }| InstallError::Packages { names, reason })?;
    fill_overlay(&wheels.files, overlay, runtime, context).map_err(|error| match error {
        OverlayError::Write { .. } => InstallError::Overlay(error),
        error => {
            let names = wheels.files.iter().map(|file| file.name.to_string()).collect();
            InstallError::Packages { names, reason: with_causes(&error) }
        }
    })
}

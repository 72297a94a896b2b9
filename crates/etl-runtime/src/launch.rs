//! Writes the entry module and becomes the interpreter that runs it.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use disk::FileBeside;
use process::{Companion, Invocation, ProcessError};
use vocab::{Digest, DistributionName, Fault, Work};

use crate::facts::Facts;
use crate::plan::Plan;

/// The entry module and what it imports, by file name.
const MODULES: [(&str, &str); 6] = [
    ("server.py", include_str!("../python/server.py")),
    ("guarded_requests.py", include_str!("../python/guarded_requests.py")),
    ("import_ahead.py", include_str!("../python/import_ahead.py")),
    ("lazy_packages.py", include_str!("../python/lazy_packages.py")),
    ("pickled_code.py", include_str!("../python/pickled_code.py")),
    CLIENT_MODULE,
];

/// The module that registers classes; a class whose pickle refers to it finds it here.
pub const CLIENT_MODULE: (&str, &str) = ("pydist_etl.py", include_str!("../python/pydist_etl.py"));

/// The server was not started.
#[derive(Debug, thiserror::Error, Fault)]
pub enum LaunchError {
    #[error("cannot write `{}`", path.display())]
    #[fault("E_ETL_WORK", Build, hint("name a folder that this user may write with --work or ETL_WORK"))]
    Write { path: PathBuf, source: io::Error },
    #[error("the server was not started")]
    #[fault(transparent = source)]
    Process { source: ProcessError },
}

/// Writes the modules below `work`; the folder is named by their content. Returns it.
pub fn write_modules(work: &Path) -> Result<PathBuf, LaunchError> {
    let all: String = MODULES.iter().map(|(_, text)| *text).collect();
    let folder = work.join(format!("server-{}", Digest::of(all).short()));
    for module in MODULES {
        write_module(&folder, module)?;
    }
    Ok(folder)
}

/// Writes one module into a folder, which is made if necessary.
pub fn write_module(folder: &Path, (name, text): (&str, &str)) -> Result<PathBuf, LaunchError> {
    let path = folder.join(name);
    if std::fs::read(&path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(path);
    }
    let write = || {
        let beside = FileBeside::beside(&path, ".module-")?;
        beside.as_file().write_all(text.as_bytes())?;
        beside.replace(&path)
    };
    write().map_err(|source| LaunchError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// Settings of glibc's `malloc`. By its own, what objects of a MiB took goes back to the kernel after each request and comes
/// again page by page, which costs a fifth to a third of the processor time. Two arenas keep what threads hold small.
const ALLOCATOR: [(&str, &str); 3] =
    [("MALLOC_MMAP_THRESHOLD_", "8388608"), ("MALLOC_TRIM_THRESHOLD_", "16777216"), ("MALLOC_ARENA_MAX", "2")];

/// How the interpreter is started: `modules` is what [`write_modules`] returned.
pub fn invocation(plan: &Plan, modules: &Path, work: &Work) -> Invocation {
    let server = &plan.server;
    let roots: Vec<&Path> = server.fqn_roots.iter().map(PathBuf::as_path).collect();
    let joined = |paths: &[&Path]| {
        let mut text = OsString::new();
        for (position, path) in paths.iter().enumerate() {
            if position > 0 {
                text.push(":");
            }
            text.push(path);
        }
        text
    };
    let former = work.environment.path("PYTHONPATH");
    let path: Vec<&Path> = plan.overlay.as_deref().into_iter().chain([modules]).chain(former).collect();
    let unset = ALLOCATOR.into_iter().filter(|(name, _)| work.environment.path(name).is_none());
    unset
        .fold(Invocation::new(&plan.python, modules), |invocation, (name, value)| invocation.env(name, value))
        .arg("server.py")
        .env("PYTHONUNBUFFERED", "1")
        .env("PYTHONPATH", joined(&path))
        .env("NUM_WORKERS", server.workers.to_string())
        .env("ETL_PORT", server.port.to_string())
        .env("ETL_LOAD_TIMEOUT", server.load_limit_seconds.to_string())
        .env("ETL_PRELOAD", if server.preload { "true" } else { "false" })
        .env("ETL_FQN_ROOTS", joined(&roots))
}

/// Starts the process that will serve, before the packages of `plan` are installed: it imports what serves from the runtime,
/// and waits for them. `None` if there is nothing to wait for, or if it cannot be started, which [`launch`] reports.
pub fn begin_ahead(plan: &Plan, facts: &Facts, work: &Work) -> Option<Companion> {
    let is_awaited = plan.overlay.as_ref().is_some_and(|overlay| !overlay.is_dir());
    let sdk: DistributionName = "aistore".parse().ok()?;
    // Packages of the system may replace what a runtime has loaded by then.
    if !is_awaited || plan.os_packages.is_some() || !plan.server.preload || !facts.runtime.installed.contains_key(&sdk)
    {
        return None;
    }
    let modules = write_modules(&facts.work).ok()?;
    let without = Plan { overlay: None, ..plan.clone() };
    process::accompany(work, &invocation(&without, &modules, work).arg("ahead")).ok()
}

/// Becomes the server, or what watches over the one that was begun ahead. Returns only if that fails.
pub fn launch(
    plan: &Plan,
    folder: &Path,
    begun: Option<Companion>,
    work: &Work,
) -> Result<std::convert::Infallible, LaunchError> {
    let modules = write_modules(folder)?;
    let invocation = invocation(plan, &modules, work);
    let source = match begun.zip(plan.overlay.as_deref()).and_then(|(begun, overlay)| told(begun, overlay)) {
        Some(begun) => {
            let number = begun.id().to_string();
            begun.replace(work, &invocation.arg("supervise").arg(number))
        }
        None => process::replace(work, &invocation),
    };
    Err(LaunchError::Process { source })
}

/// It knows where the packages are; `None` if it has ended.
fn told(mut begun: Companion, overlay: &Path) -> Option<Companion> {
    let mut message = overlay.as_os_str().as_encoded_bytes().to_vec();
    message.push(0);
    begun.tell(&message).ok().map(|()| begun)
}

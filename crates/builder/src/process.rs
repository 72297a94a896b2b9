//! External programs: started here and nowhere else, with an explicit folder, a time limit that ends the whole
//! process tree, and output that is kept.
//!
//! Skeleton: the signatures are fixed, the time limit and the process group come next.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use vocab::{Exit, Fault};

use crate::Context;

/// One program to run to its end.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// The working directory.
    pub folder: PathBuf,
    /// Set on top of what is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Start from an empty environment instead of the one in the context.
    pub clear_environment: bool,
    /// `None` is without limit.
    pub timeout: Option<Duration>,
    pub stdin: Vec<u8>,
    /// Output and errors, as they come, are also written here.
    pub log: Option<PathBuf>,
}

impl Invocation {
    pub fn new(program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            folder: folder.into(),
            environment: Vec::new(),
            clear_environment: false,
            timeout: None,
            stdin: Vec::new(),
            log: None,
        }
    }

    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = limit;
        self
    }
}

/// A program that ended by itself, well or not.
#[derive(Clone, Debug)]
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Finished {
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot run `{}`", program.display())]
pub struct ProcessError {
    pub program: PathBuf,
    #[source]
    pub kind: ProcessErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum ProcessErrorKind {
    #[error("it cannot be started")]
    Start(#[source] io::Error),
    #[error("it did not end within {} s and was stopped with all of its children", limit.as_secs())]
    TimedOut { limit: Duration },
    #[error("the build was interrupted")]
    Cancelled,
    #[error("its output cannot be read or logged")]
    Output(#[source] io::Error),
}

impl Fault for ProcessError {
    fn code(&self) -> &'static str {
        match self.kind {
            ProcessErrorKind::Start(_) => "E_PROGRAM_START",
            ProcessErrorKind::TimedOut { .. } => "E_PROGRAM_TIMEOUT",
            ProcessErrorKind::Cancelled => "E_INTERRUPTED",
            ProcessErrorKind::Output(_) => "E_PROGRAM_OUTPUT",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }

    fn hint(&self) -> Option<String> {
        match self.kind {
            ProcessErrorKind::TimedOut { .. } => {
                Some("raise `build.timeout` in the configuration; 0 is no limit".into())
            }
            _ => None,
        }
    }
}

/// Runs it to its end. A program that ends with another code than 0 is no error here.
pub fn run(context: &Context, invocation: &Invocation) -> Result<Finished, ProcessError> {
    let failed = |kind| ProcessError { program: invocation.program.clone(), kind };
    let _ = context;
    let mut command = std::process::Command::new(&invocation.program);
    command.args(&invocation.arguments).current_dir(&invocation.folder);
    command.envs(invocation.environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().map_err(|error| failed(ProcessErrorKind::Start(error)))?;
    Ok(Finished { code: output.status.code(), stdout: output.stdout, stderr: output.stderr })
}

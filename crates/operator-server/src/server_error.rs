//! Why there is no server, or no result.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use process::{ProcessError, ProgramEnd};
use vocab::Fault;

use crate::frame::FrameError;
use crate::message::{FailureKind, OperatorFailure};

/// A server was not started.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum ServerError {
    #[error("cannot write the server's program to `{}`", path.display())]
    #[fault("E_SERVER_FILES", hint("set `loader.cacheDir` to a folder that can be written"))]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    #[fault(transparent)]
    Program(#[from] ProcessError),
    #[error("no port from {low} to {high} is free on 127.0.0.1")]
    #[fault(
        "E_SERVER_PORTS",
        hint("end a server, or widen the range with pysdk.pel.server.minPort and pysdk.pel.server.maxPort")
    )]
    Ports { low: u16, high: u16 },
    #[error("`{}` did not become a server within {} s{}", python.display(), limit.as_secs(), shown(last_lines))]
    #[fault("E_SERVER_START", hint("run this interpreter by hand; loader.startTimeout raises the limit"))]
    Slow { python: PathBuf, limit: Duration, last_lines: Vec<String> },
    #[error("`{}` ended before it became a server, with {}{}", python.display(), words_of(*end), shown(last_lines))]
    #[fault("E_SERVER_START", hint("run this interpreter by hand: a damaged runtime is the usual cause"))]
    Ended { python: PathBuf, end: ProgramEnd, last_lines: Vec<String> },
    #[error("the server does not speak protocol {expected}: {reason}")]
    #[fault("E_SERVER_PROTOCOL", hint("it is started from a file that this program wrote; remove the cache folder"))]
    Protocol { expected: u64, reason: String },
    #[error("{crashes} servers of this runtime crashed within {} s", within.as_secs())]
    #[fault("E_SERVER_FAILED", hint("look at the errors before this one; a new start of the host tries again"))]
    Failed { crashes: usize, within: Duration },
    #[error("as many servers run as are allowed ({limit}), and each is at work or holds objects")]
    #[fault("E_SERVER_LIMIT", hint("wait for one to end, or raise loader.maxServers"))]
    Limit { limit: usize },
    #[error("the start was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

/// A call has no result.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum RunError {
    #[error("{}", failure.message)]
    #[fault("E_OPERATOR_USER", Usage)]
    User { failure: OperatorFailure },
    #[error("{}", with_place(failure))]
    #[fault("E_OPERATOR", hint("the traceback shows where in the extension"))]
    Python { failure: OperatorFailure },
    #[error("{}", with_place(failure))]
    #[fault("E_EXT_IMPORT", hint("the extension's module does not import on this runtime: compare what both ask for"))]
    Load { failure: OperatorFailure },
    #[error("{}", failure.message)]
    #[fault(
        "E_SERIALIZE",
        hint("change what the operator takes or returns; docs/formats/operator-protocol.md lists what can cross")
    )]
    Serialize { failure: OperatorFailure },
    #[error("{}", failure.message)]
    #[fault("E_HANDLE_LOST", hint("run again from the operator that made the object"))]
    HandleLost { failure: OperatorFailure },
    #[error("the server ended during the call, with {}{}", words_of(*end), shown(last_lines))]
    #[fault(
        "E_SERVER_CRASHED",
        hint("the call was not repeated, since it may have had effects; the next one starts a new server")
    )]
    Crashed { end: ProgramEnd, last_lines: Vec<String> },
    #[error("the server broke the protocol")]
    #[fault("E_SERVER_PROTOCOL", hint("an extension may have written to the server's connection; call again"))]
    Protocol(#[source] FrameError),
    #[error("a message of the server makes no sense: {reason}")]
    #[fault("E_SERVER_PROTOCOL", hint("an extension may have written to the server's connection; call again"))]
    Message { reason: String },
    #[error("the call took longer than {} s and was ended", limit.as_secs())]
    #[fault("E_RUN_TIMEOUT", Interrupted, hint("raise loader.runTimeout; 0 is no limit"))]
    TimedOut { limit: Duration },
    #[error("the call was cancelled")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
    #[error("cannot {what} `{}`", path.display())]
    #[fault("E_RUN_FILES", hint("make room for it, or allow the access"))]
    Disk { what: &'static str, path: PathBuf, source: io::Error },
    #[error("input `{port}` is an object of another server")]
    #[fault(
        "E_HANDLE_FOREIGN",
        Usage,
        hint("objects stay in the server that made them: run both operators on the same runtime")
    )]
    ForeignHandle {
        port: String,
        /// Process number of the server that has it.
        owner: u32,
    },
    #[error("input `{port}` is an object of a server that has ended")]
    #[fault("E_HANDLE_LOST", hint("run again from the operator that made the object"))]
    LostWithServer { port: String },
    #[error("the value of `{port}` is larger than {largest} bytes")]
    #[fault("E_RUN_BODY", hint("raise loader.maxBody"))]
    TooLarge { port: String, largest: u64 },
}

pub(crate) fn words_of(end: ProgramEnd) -> String {
    match (end.code, end.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

fn shown(last_lines: &[String]) -> String {
    const MOST: usize = 50;
    let begin = last_lines.len().saturating_sub(MOST);
    last_lines[begin..].iter().map(|line| format!("\n  {line}")).collect()
}

/// The exception and where in the operator it was raised.
fn with_place(failure: &OperatorFailure) -> String {
    let place = failure.traceback.last().map(|last| match last.line {
        Some(line) => format!(" ({} line {line})", last.file),
        None => format!(" ({})", last.file),
    });
    format!("{}: {}{}", failure.class, failure.message, place.unwrap_or_default())
}

impl RunError {
    pub(crate) fn of_failure(failure: OperatorFailure) -> Self {
        match failure.kind {
            FailureKind::User => Self::User { failure },
            FailureKind::Python => Self::Python { failure },
            FailureKind::Load => Self::Load { failure },
            FailureKind::Serialize => Self::Serialize { failure },
            FailureKind::HandleLost => Self::HandleLost { failure },
            FailureKind::Cancelled => Self::Cancelled,
            FailureKind::Protocol => Self::Message { reason: failure.message },
        }
    }
}

//! What a server says: the headers of its frames.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The first answer of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Welcome {
    pub protocol: u64,
    pub pid: u32,
    /// `3.12.10`.
    pub python: String,
    /// As `sys.platform` says.
    pub platform: String,
    /// Forms of tables that it can send and take, the best first.
    pub codecs: Vec<String>,
}

/// A message of the server, by its member `t`. Unknown ones are [`Other`](Self::Other) and ignored, unknown members as
/// well.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "t")]
pub enum ServerMessage {
    #[serde(rename = "WELCOME")]
    Welcome(Welcome),
    #[serde(rename = "LOADED")]
    Loaded {
        run: u64,
        /// Where the module lies.
        file: Option<String>,
        /// Pipes on which a line says that those of the run are over.
        #[serde(default)]
        marks: usize,
    },
    #[serde(rename = "LOG")]
    Log {
        /// A level of Python's `logging`: 10 is debug, 40 an error.
        level: i64,
        logger: String,
        text: String,
    },
    #[serde(rename = "PROGRESS")]
    Progress {
        /// From 0 to 1.
        fraction: f64,
        text: String,
    },
    #[serde(rename = "BODY")]
    Body { id: u64, part: u64, last: bool },
    #[serde(rename = "RESULT")]
    Result {
        run: u64,
        outputs: Vec<OutputHeader>,
        #[serde(default)]
        marks: usize,
    },
    #[serde(rename = "ERROR")]
    Error {
        run: Option<u64>,
        #[serde(default)]
        marks: usize,
        /// Of a cancelled run: false if something that it started may still be there.
        swept: Option<bool>,
        #[serde(flatten)]
        failure: OperatorFailure,
    },
    #[serde(rename = "BYE")]
    Bye { reason: String },
    #[serde(rename = "PONG")]
    Pong {},
    #[serde(other)]
    Other,
}

/// One output of a call as the server describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct OutputHeader {
    pub port: String,
    /// `table`, `file`, `bytes`, `object`, `handle`, `list` or `none`.
    pub form: String,
    /// Number of the body that holds its content.
    pub body: Option<u64>,
    pub codec: Option<String>,
    pub rows: Option<u64>,
    #[serde(default)]
    pub columns: Vec<Value>,
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub handle: Option<String>,
    #[serde(default)]
    pub items: Vec<OutputHeader>,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorFailure {
    pub kind: FailureKind,
    /// Name of the exception's class.
    #[serde(rename = "type")]
    pub class: String,
    pub message: String,
    /// Frames of the operator alone, outermost first.
    #[serde(default)]
    pub traceback: Vec<TracebackLine>,
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The operator refused its input: the message is for the user.
    User,
    /// An exception.
    Python,
    /// The extension's module does not import.
    Load,
    /// A value cannot cross the boundary.
    Serialize,
    Cancelled,
    /// An object that a former call left in the server is not there.
    HandleLost,
    Protocol,
}

/// One frame of a traceback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracebackLine {
    pub file: String,
    pub line: Option<u64>,
    pub function: String,
    /// The source line; empty if it is not known.
    pub text: String,
}

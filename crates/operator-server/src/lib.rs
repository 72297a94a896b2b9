//! A long-lived Python process on a runtime, which runs the operators of extensions: started, asked, ended.
//!
//! The server is `python/operator_server.py`, standard library only, so that any CPython from 3.8 on can run it. The
//! protocol, PDL1, is described in `docs/formats/operator-protocol.md`; [`frame`] has its frames, [`message`] its
//! messages. This crate knows neither extension zips nor how a runtime is chosen.
//!
//! What holds: only the host that started a server can talk to it (a token, given on standard input); a server ends
//! with its host; a call is never repeated by itself, since it may have had effects.
//!
//! ```
//! use operator_server::frame::{read_frame, write_frame};
//!
//! let mut bytes = Vec::new();
//! write_frame(&mut bytes, &serde_json::json!({ "t": "PING" }), b"")?;
//! let frame = read_frame(&mut bytes.as_slice())?.expect("one frame");
//! assert_eq!((frame.header.as_slice(), frame.body.len()), (br#"{"t":"PING"}"#.as_slice(), 0));
//! # Ok::<(), operator_server::FrameError>(())
//! ```

mod call;
pub mod frame;
mod heard;
mod imports;
mod launch;
pub mod message;
mod outputs;
mod redact;
mod server;
mod server_error;
mod server_pool;

pub use call::{Call, Content, InputForm, InputValue, OutputForm, OutputValue, RunEvent};
pub use frame::FrameError;
pub use imports::{ImportFolder, ImportOutlook, LoadRequest};
pub use launch::{BYTE_CODE_FOLDER, ServerSettings, TableCodec, server_environment};
pub use message::{FailureKind, OperatorFailure, TracebackLine, Welcome};
pub use server::{OperatorServer, Patience};
pub use server_error::{RunError, ServerError};
pub use server_pool::{PoolSettings, RunningServer, ServerKey, ServerLease, ServerPool};

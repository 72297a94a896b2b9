//! `pydist extension serve`: a host of another language asks on standard input and is answered on standard output, in lines
//! of JSON. `docs/formats/host-protocol.md` describes them.

mod host_error;
mod line_reader;
mod message;
mod session;
mod values;

pub use session::{ServeRequest, serve};

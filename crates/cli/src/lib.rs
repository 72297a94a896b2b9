//! The frame of this project's programs, and what they show: events as bars, plain lines or JSON, errors with cause and
//! hint, tables, exit codes.
//!
//! Data goes to stdout, everything else to stderr. Nothing here decides anything about a build; it is told what
//! happened ([`vocab::Event`]) and how to show it ([`PrinterSettings`]).
//!
//! ```
//! use cli::{Mode, ShowOptions, Terminal};
//!
//! let in_ci = |name: &str| (name == "CI").then(|| "true".to_owned());
//! let terminal = Terminal { stderr: true, width: Some(80) };
//! assert_eq!(cli::settings(&in_ci, terminal, &ShowOptions::default()).mode, Mode::Plain);
//! ```

mod bars;
mod build;
mod command_pages;
mod completion;
mod fault_text;
mod github;
mod given_quantity;
mod lines;
pub mod markdown;
mod outlet;
mod paint;
mod printer;
mod program;
mod quantity;
mod settings;
mod table;
mod transfer_options;

pub use build::Build;
pub use fault_text::{fault_json, render_fault};
#[doc(hidden)]
pub use git_version::git_version;
pub use given_quantity::{QuantityError, parse_duration, parse_size};
pub use printer::{Printer, finish};
pub use program::{CommandLine, Process, run};
pub use quantity::{bytes, duration, rate};
pub use settings::{ColorChoice, Mode, PrinterSettings, ShowOptions, Terminal, settings};
pub use table::Table;
pub use transfer_options::TransferOptions;

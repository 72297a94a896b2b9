//! What a program of this project shows: events as bars, plain lines or JSON, errors with cause and hint, tables,
//! exit codes.
//!
//! Data goes to stdout, everything else to stderr. Nothing here decides anything about a build; it is told what
//! happened ([`vocab::Event`]) and how to show it ([`PrinterSettings`]).
//!
//! ```
//! use cli::{Flags, Mode, Terminal};
//!
//! let in_ci = |name: &str| (name == "CI").then(|| "true".to_owned());
//! let terminal = Terminal { stderr: true, width: Some(80) };
//! assert_eq!(cli::settings(&in_ci, terminal, &Flags::default()).mode, Mode::Plain);
//! ```

mod bars;
mod clean;
mod fault_text;
mod github;
mod lines;
mod paint;
mod printer;
mod quantity;
mod settings;
mod table;

pub use fault_text::{fault_json, render_fault};
pub use printer::{Printer, finish};
pub use quantity::{bytes, duration, rate};
pub use settings::{ColorChoice, Flags, Mode, PrinterSettings, Terminal, settings};
pub use table::Table;

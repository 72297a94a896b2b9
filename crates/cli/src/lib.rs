//! The frame of this project's programs, and their output: events as bars, plain lines or JSON, errors with cause and
//! hint, tables, exit codes.
//!
//! The one idea: a program's `main.rs` gives its arguments and one function to [`run`], and everything around that
//! function is the same for all programs. Options for output, interrupts, `--version`, completions and man pages come
//! from the [`CommandLine`]; the function returns an [`Exit`](vocab::Exit) or a [`Fault`](vocab::Fault), which becomes
//! the exit code and the error text. The only writer is the [`Printer`]: data goes to stdout, everything else to
//! stderr, and nothing in foreign text can control the terminal or a CI runner.
//!
//! ```
//! use cli::{ShowMode, ShowOptions, Terminal};
//!
//! let in_ci = |name: &str| (name == "CI").then(|| "true".to_owned());
//! let terminal = Terminal { stderr: true, width: Some(80) };
//! let settings = cli::settings(&in_ci, terminal, &ShowOptions::default());
//! assert_eq!(settings.mode, ShowMode::Plain); // no moving bars in a CI log
//!
//! let mut table = cli::Table::new(["name", "size"]).right(1);
//! table.row(["numpy", &cli::bytes(20_100_000)]);
//! assert_eq!(table.markdown().lines().last(), Some("| numpy | 20.1 MB |"));
//! ```
//!
//! Nothing here decides anything about a build: [`vocab::Event`]s say what happened, [`PrinterSettings`] how to show
//! it.

mod bars;
mod build;
mod command_line;
mod command_pages;
mod completion;
mod fault_text;
mod github;
mod given_quantity;
mod image_options;
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

pub use build::ProgramBuild;
pub use command_line::CommandLine;
pub use command_pages::{faulty_examples, similar_command};
pub use fault_text::{fault_json, render_fault};
#[doc(hidden)]
pub use git_version::git_version;
pub use given_quantity::{QuantityError, parse_duration, parse_size};
pub use image_options::{BaseOptions, ImageOptions};
pub use printer::{Printer, finish};
pub use program::{Process, run};
pub use quantity::{bytes, duration, rate};
pub use settings::{ColorChoice, PrinterSettings, ShowMode, ShowOptions, Terminal, settings};
pub use table::Table;
pub use transfer_options::TransferOptions;

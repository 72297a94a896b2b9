//! A published runtime on this machine: chosen from a catalogue, verified before anything of it is opened, fetched by
//! parts, installed beside the one before it.
//!
//! ```
//! use loader::Home;
//!
//! let home = Home::new("/opt/runtimes");
//! let folder = home.folder(&"3.12.10-atls".parse()?, &vocab::Digest::of("build"));
//! assert!(folder.to_string_lossy().starts_with("/opt/runtimes/3.12.10-atls-"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here prints or reads the environment; the program `pydist` does.

mod get;
mod get_error;
mod home;
mod install_record;
mod kept_catalogue;
mod offer;
mod trust;

pub use get::{Got, Installed, Request, get};
pub use get_error::{GetError, GetErrorKind};
pub use home::Home;
pub use install_record::Damage;
pub use trust::{PublicKey, TrustError};

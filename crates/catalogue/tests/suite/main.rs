//! All tests of the catalogue, as one program.

mod common;
mod derive;
mod downloads;
mod formats;
mod look_up;
mod site;

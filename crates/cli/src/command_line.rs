//! The arguments of a program, and what its parser cannot do alone.

use clap::Parser;

use crate::ShowOptions;

/// The arguments of a program of this project.
pub trait CommandLine: Parser {
    /// Where the flattened [`ShowOptions`] are.
    fn show(&self) -> &ShowOptions;

    /// Words an error of the parser better than it can.
    fn explained(error: clap::Error) -> clap::Error {
        error
    }

    /// Refuses combinations that the parser cannot.
    fn checked(self) -> Result<Self, clap::Error> {
        Ok(self)
    }
}

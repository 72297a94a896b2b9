//! Whose the files of a prefix were before wheels came.

use std::fmt;

use vocab::DistributionName;

/// The owner of a file that was in the prefix before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormerOwner {
    Interpreter,
    /// A distribution that came with the interpreter, such as pip.
    Distribution(DistributionName),
}

impl fmt::Display for FormerOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interpreter => formatter.write_str("the interpreter"),
            Self::Distribution(name) => write!(formatter, "`{name}`, which came with the interpreter"),
        }
    }
}

//! Failures of both checks, reported together: a library that is missing also fails the imports that need it.

use std::fmt;

use vocab::{Exit, Fault};

use import_check::ImportFailures;
use static_checks::native_files::NativeFaults;

/// Failures of both checks, as one error.
#[derive(Debug)]
pub(crate) struct CheckFailures {
    native: NativeFaults,
    imports: ImportFailures,
}

/// # Errors
/// If either check has failures.
pub(crate) fn verdict(
    native: Result<(), NativeFaults>,
    imports: Result<(), ImportFailures>,
) -> Result<(), Box<dyn Fault>> {
    match (native, imports) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(native), Ok(())) => Err(native.into()),
        (Ok(()), Err(imports)) => Err(imports.into()),
        (Err(native), Err(imports)) => Err(CheckFailures { native, imports }.into()),
    }
}

impl std::error::Error for CheckFailures {}

impl fmt::Display for CheckFailures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.native, self.imports)
    }
}

impl Fault for CheckFailures {
    /// That of the cause.
    fn code(&self) -> &'static str {
        self.native.code()
    }

    fn exit(&self) -> Exit {
        self.native.exit()
    }

    fn hint(&self) -> Option<String> {
        let exceptions = self.native.exceptions.and(&self.imports.exceptions);
        let parts: Vec<String> =
            self.native.way_out().map(str::to_owned).into_iter().chain(exceptions.advice()).collect();
        (!parts.is_empty()).then(|| parts.join("\n"))
    }
}

//! An error with its causes, in one text.

use std::error::Error;

/// The error and what caused it, separated by colons, outermost first. A cause that the text ends with already, because the error
/// above it names it, is not repeated. For messages that have no source of their own.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot read")]
        Silent(#[source] io::Error),
        #[error("cannot read: {0}")]
        Telling(#[source] io::Error),
    }

    #[test]
    fn a_cause_is_told_once() {
        for error in [Outer::Silent(io::Error::other("gone")), Outer::Telling(io::Error::other("gone"))] {
            assert_eq!(with_causes(&error), "cannot read: gone");
        }
    }
}

//! What a command learns while it prepares one version and need not ask again for the next.

use interpreter::GoModules;
use resolve::AnsweredQuestions;

/// Shared by all versions of a command.
#[derive(Debug, Default)]
pub struct AskedOnce {
    /// Questions to the resolver, with their answers.
    pub resolver: AnsweredQuestions,
    /// Which releases the Go module of interpreters has, and those that were verified.
    pub go_modules: GoModules,
}

//! Programs that a machine may lack.

/// Whether the tests were told to do without a program: `scripts/test` names in `PYDIST_TESTS_WITHOUT`, between blanks, what it
/// could not set up, and its last lines say so. What is missing and not named there is a failure.
pub fn is_left_out(program: &str) -> bool {
    std::env::var("PYDIST_TESTS_WITHOUT").unwrap_or_default().split_whitespace().any(|name| name == program)
}

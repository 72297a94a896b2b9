//! Text of a hostile manifest, and what output must not contain of it.

use vocab::foreign_text::is_hidden;

/// Commands to a CI runner, terminal escapes, reversed and hidden text, ends of Markdown's fences, HTML.
pub const HOSTILE_TEXT: &str = "x\n::set-output name=a::b\n    ##[error]y \u{1b}[31m\u{9b}2J\u{202e}\u{200b}\r```\n\
                                ![](http://127.0.0.1/)<script>";

/// Asserts that the output of a program in a GitHub job controls no terminal and gives the runner only its own
/// commands.
pub fn assert_harmless(text: &str) {
    let hidden = text.chars().find(|character| is_hidden(*character));
    assert_eq!(hidden, None, "{text:?}");
    let mut commands = text.lines().filter(|line| line.trim_start().starts_with("::"));
    let ours = |line: &str| line.starts_with("::warning ") || line.starts_with("::error ");
    assert!(!text.contains("##[") && commands.all(ours), "{text}");
}

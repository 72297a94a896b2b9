//! Text as a hostile manifest has it, and what must not become of it.

use vocab::foreign_text::is_hidden;

/// Commands to a CI runner, escapes of a terminal, reversed and hidden text, ends of Markdown's fences, HTML.
pub const HOSTILE_TEXT: &str = "x\n::set-output name=a::b\n    ##[error]y \u{1b}[31m\u{9b}2J\u{202e}\u{200b}\r```\n\
                                ![](http://127.0.0.1/)<script>";

/// What a program printed in a GitHub job controls no terminal and gives the runner no commands but its own.
pub fn assert_harmless(text: &str) {
    let hidden = text.chars().find(|character| is_hidden(*character));
    assert_eq!(hidden, None, "{text:?}");
    let mut commands = text.lines().filter(|line| line.trim_start().starts_with("::"));
    let ours = |line: &str| line.starts_with("::warning ") || line.starts_with("::error ");
    assert!(!text.contains("##[") && commands.all(ours), "{text}");
}

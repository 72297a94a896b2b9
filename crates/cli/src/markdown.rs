//! Foreign text in Markdown: job summaries, comments on pull requests.

use vocab::foreign_text::{printable, printable_line};

/// Makes one line that creates no link, image, tag or table. Code in single backticks stays code, since it cannot
/// extend past the line.
pub fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable_line(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '\\' | '|' | '[' | ']' => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    // A run of backticks opens a fence only at the start of a line.
    if escaped.trim_start().starts_with("```") { format!("\\{}", escaped.trim_start()) } else { escaped }
}

/// Keeps lines unchanged, in a fence that nothing in them can close.
pub fn fenced(text: &str) -> String {
    let text = printable(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack 7
    #[test]
    fn foreign_text_stays_text() {
        let cases = [
            // (text, Markdown)
            ("no wheel fits | `really`", "no wheel fits \\| `really`"),
            ("![](http://127.0.0.1/x.png) <b>", "!\\[\\](http://127.0.0.1/x.png) &lt;b>"),
            ("```\n# heading", "\\``` # heading"),
            ("C:\\x\u{202e}", "C:\\\\x"),
        ];
        for (foreign, markdown) in cases {
            assert_eq!(text(foreign), markdown, "for {foreign:?}");
        }
    }

    /// attack 7
    #[test]
    fn no_reason_leaves_the_fence_of_a_summary() {
        assert_eq!(fenced("a\nb\n"), "```text\na\nb\n```");
        assert_eq!(fenced("x ```\n![](http://h)\n"), "````text\nx ```\n![](http://h)\n````");
    }
}

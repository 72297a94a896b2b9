//! Text from outside without anything that moves a cursor or changes a colour.

/// Escape sequences and control characters are dropped; line breaks stay, a tab becomes a space.
pub(crate) fn clean(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain
        .chars()
        .filter_map(|character| match character {
            '\n' => Some('\n'),
            '\t' => Some(' '),
            // These reorder what stands around them on the screen.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            other if other.is_control() => None,
            other => Some(other),
        })
        .collect()
}

/// As [`clean`], on one line.
pub(crate) fn clean_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_controls_a_terminal() {
        assert_eq!(clean("\x1b[31mred\x1b[0m\r\x07 a\tb\nc\u{202e}d"), "red a b\ncd");
        assert_eq!(clean_line("a\nb"), "a b");
    }
}

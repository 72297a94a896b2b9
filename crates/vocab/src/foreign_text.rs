//! Text that somebody else wrote (a manifest, a build log, a reason), made fit to be shown.
//!
//! One rule holds for everything that is shown: nothing moves a cursor, changes a colour, reorders its surroundings or
//! hides. The printer of the programs applies it to all of their output, the catalogue's site to every page, so a
//! caller cannot forget it. A caller only chooses [`printable_line`] where a line break in foreign text would start a
//! line of its own.

use anstream::adapter::strip_str;

/// Removes escape sequences, control characters, and characters that reorder text or are invisible. Line breaks stay; a
/// tab becomes a space.
pub fn printable(text: &str) -> String {
    let seen = |character| match character {
        '\t' => Some(' '),
        other => (!is_hidden(other)).then_some(other),
    };
    strip_str(text).to_string().chars().filter_map(seen).collect()
}

/// Like [`printable`], on one line: breaks become spaces.
pub fn printable_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

/// Whether a character controls a terminal, reorders its neighbours, or shows nothing. False for line breaks.
pub fn is_hidden(character: char) -> bool {
    let unseen = matches!(character,
        // Joiners, marks of direction, separators of lines that no terminal breaks at.
        '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}'
        // Embedding, override and isolation of direction.
        | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Invisible operators, the byte order mark, tags.
        | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    unseen || (character.is_control() && character != '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack 7
    #[test]
    fn nothing_is_left_that_controls_a_terminal_or_reorders_a_line() {
        let cases = [
            // (text, shown)
            ("\x1b[31mred\x1b[0m\r\x07 a\tb\nc\u{202e}d", "red a b\ncd"),
            ("\x1b]0;title\x07after", "after"),
            ("\u{9b}31mred", "31mred"),
            ("a\u{200b}b\u{2028}c\u{feff}d\u{e0041}e", "abcde"),
            ("\u{2066}x\u{2069}\u{61c}", "x"),
            ("Grüße, 数値-π 🐍", "Grüße, 数値-π 🐍"),
        ];
        for (text, shown) in cases {
            assert_eq!(printable(text), shown, "for {text:?}");
        }
        assert_eq!(printable_line("a\nb"), "a b");
    }
}

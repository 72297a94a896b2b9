//! The last stage before text leaves a program. Whatever a command prints, none of it controls the terminal, and in a
//! GitHub job the runner takes no line for a command.

use vocab::foreign_text::{is_hidden, printable};

use crate::ShowMode;

/// What a command prints, for people or as plain data. Tabs stay: completions of some shells consist of them.
pub(crate) fn text(text: &str, in_github: bool) -> String {
    let shown = text.split('\t').map(printable).collect::<Vec<_>>().join("\t");
    if in_github { without_commands(&shown) } else { shown }
}

/// One line of JSON with the same meaning, in which every hidden character is written as `\u….`.
pub(crate) fn json(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for character in line.chars() {
        if is_hidden(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(character);
        }
    }
    // Runners find the older form of commands anywhere in a line.
    shown.replace("##[", "#\\u0023[")
}

/// `mode` decides whether `data` is lines of JSON.
pub(crate) fn data(data: &str, mode: ShowMode, in_github: bool) -> String {
    if mode == ShowMode::Json { data.lines().map(|line| json(line) + "\n").collect() } else { text(data, in_github) }
}

/// GitHub's runner treats a line as a command if it begins with `::` after spaces, or contains `##[` anywhere.
pub(crate) fn without_commands(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace("##[", "# #[");
        match line.trim_start().strip_prefix("::") {
            Some(rest) => format!("{}: :{rest}", &line[..line.len() - line.trim_start().len()]),
            None => line,
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack 7
    #[test]
    fn no_line_commands_the_runner() {
        let cases = [
            // (text, shown)
            ("::error::x", ": :error::x"),
            ("because\n    ::set-output name=a::b\n", "because\n    : :set-output name=a::b\n"),
            ("a ##[add-mask]b", "a # #[add-mask]b"),
            ("std::vec and ## [1.0]", "std::vec and ## [1.0]"),
            ("\u{1b}[0m::warning::x", ": :warning::x"),
        ];
        for (foreign, shown) in cases {
            assert_eq!(text(foreign, true), shown, "for {foreign:?}");
        }
        assert_eq!(text("::x\ta\u{1b}[31m", false), "::x\ta");
    }

    /// attack 7
    #[test]
    fn json_keeps_its_meaning_and_hides_nothing() {
        let value = serde_json::json!({ "reason": "\u{202e}\u{9b}31m ##[group] \u{e0041} ü" });
        let line = json(&value.to_string());
        assert!(!line.chars().any(is_hidden) && !line.contains("##["), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}

//! The output of a program, shortened for a message to its beginning and its end, because the reason may be in either.
//! The whole belongs in a log.

/// Lines kept from the beginning of a longer text.
const FIRST: usize = 5;
/// Lines kept from its end.
const LAST: usize = 30;

/// All of it without the program's own `error:` and without blank lines.
pub fn words_of(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let text = lines.join("\n");
    let text = text.trim_start_matches("error: ").trim_start_matches("  × ").to_owned();
    if text.is_empty() { "it gave no reason".to_owned() } else { text }
}

/// The first lines, the number of omitted ones, and the last ones.
pub fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(left_out) = lines.len().checked_sub(FIRST + LAST + 1).filter(|left_out| *left_out > 0) else {
        return text.to_owned();
    };
    // One more than the subtraction says: the line with the count takes the place of one.
    let (first, last) = (&lines[..FIRST], &lines[lines.len() - LAST..]);
    format!("{}\n… {} lines …\n{}", first.join("\n"), left_out + 1, last.join("\n"))
}

/// Whether [`shortened`] would omit lines.
pub fn is_long(text: &str) -> bool {
    text.lines().count() > FIRST + LAST + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_text_is_kept() {
        // Case field-reason-cut-off: the reason is the last line of a traceback.
        let text: Vec<String> = (1..=100).map(|number| format!("line {number}")).collect();
        let short = shortened(&text.join("\n"));
        let lines: Vec<&str> = short.lines().collect();
        assert_eq!((lines[0], lines[4], lines[5], lines[6]), ("line 1", "line 5", "… 65 lines …", "line 71"));
        assert_eq!((lines.len(), *lines.last().unwrap()), (36, "line 100"));
        assert_eq!(shortened("a\nb"), "a\nb");
        let just_fits = text[..36].join("\n");
        assert_eq!(shortened(&just_fits), just_fits);
        assert!(!is_long(&just_fits) && is_long(&text[..37].join("\n")));
    }

    #[test]
    fn a_programs_own_prefix_and_blank_lines_are_dropped() {
        assert_eq!(words_of("error: it failed\n\n  cause: x\n"), "it failed\n  cause: x");
        assert_eq!(words_of("\n"), "it gave no reason");
    }
}

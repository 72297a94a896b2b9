//! What is wrong with a job, or worth knowing about it.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::code::Code;
use crate::level::Level;
use crate::secrets::without_secrets;

/// One finding. Findings are ordered by code, file and line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    #[serde(serialize_with = "code_text")]
    pub code: Code,
    pub level: Level,
    /// Relative to the job folder, with `/`. Absent if the finding is of the command line, or of the job as a whole.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<usize>,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// What to do. Empty if the message says it all.
    pub help: String,
}

impl Finding {
    /// The code's own level and text, in which `values` take the places of `{name}`.
    pub fn new<'a>(code: Code, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values: Vec<(&str, &str)> = values.into_iter().collect();
        let row = code.row();
        Self {
            code,
            level: row.level,
            file: None,
            line: None,
            message: filled(row.message, &values),
            help: filled(row.help, &values),
        }
    }

    #[must_use]
    pub fn at_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    #[must_use]
    pub fn in_file(self, file: impl Into<String>) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    #[must_use]
    pub fn in_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{}]: ", self.level, self.code)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(formatter, "{file}:{line}: ")?,
            (Some(file), None) => write!(formatter, "{file}: ")?,
            _ => {}
        }
        formatter.write_str(&self.message)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn code_text<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

/// Sorted, each once. `--strict` makes errors of warnings, and `--allow` takes the level of a code down to a note.
pub fn judged(mut findings: Vec<Finding>, strict: bool, allowed: &[Code]) -> Vec<Finding> {
    for finding in &mut findings {
        if allowed.contains(&finding.code) {
            finding.level = Level::Note;
        } else if strict && finding.level == Level::Warning {
            finding.level = Level::Error;
        }
    }
    let key = |it: &Finding| (it.code, it.file.clone(), it.line, it.message.clone());
    findings.sort_by_key(key);
    findings.dedup();
    findings
}

/// Whether any of them is an error.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Error)
}

/// In bytes: a finding is read by people.
const LONGEST_VALUE: usize = 6000;

fn push_short(text: &mut String, value: &str) {
    let end = (0..=LONGEST_VALUE.min(value.len())).rev().find(|end| value.is_char_boundary(*end)).unwrap_or_default();
    text.push_str(&value[..end]);
    if end < value.len() {
        text.push('…');
    }
}

/// What values hold is not looked through again; passwords in them are cut out.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        text.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        match values.iter().find(|(name, _)| *name == &from[1..end]) {
            Some((_, value)) => push_short(&mut text, &without_secrets(value)),
            None => text.push_str(&from[..=end]),
        }
        rest = &from[end + 1..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn values_are_not_looked_through_for_further_names() {
        assert_eq!(filled("a {x} b {y}", &[("x", "{y}"), ("y", "2")]), "a {y} b 2");
        assert_eq!(filled("open {x", &[("x", "1")]), "open {x");
        assert_eq!(filled("{x}", &[("x", &"ü".repeat(LONGEST_VALUE))]).len(), LONGEST_VALUE + "…".len());
    }

    #[test]
    fn strict_raises_warnings_and_allow_lowers_a_code() {
        let warning = Finding::new(code::KJ063, []);
        let error = Finding::new(code::KJ031, []);
        let judged = judged(vec![warning.clone(), error, warning], true, &[code::KJ031]);
        let levels: Vec<_> = judged.iter().map(|it| (it.code.to_string(), it.level)).collect();
        assert_eq!(levels, [("KJ031".to_owned(), Level::Note), ("KJ063".to_owned(), Level::Error)]);
    }
}

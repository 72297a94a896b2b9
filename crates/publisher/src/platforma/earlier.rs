//! What an earlier run has left about a platform's archive, and whether it says what this one would say.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde_json::Value;
use vocab::quoted::{escaped, shown, without_passwords};

/// The file of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarlierFile {
    Absent,
    /// Its members are those of this run, however they are written.
    Same,
    Differs(FileDifference),
}

/// Why the file of an earlier run does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDifference {
    pub file: PathBuf,
    /// What follows the file's name in a sentence.
    pub what: String,
}

impl fmt::Display for FileDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.file.display(), self.what)
    }
}

impl EarlierFile {
    /// What lies in `file`; `expected` is what this run would write there.
    pub(super) fn read(file: PathBuf, expected: &str) -> Self {
        let what = match vocab::read_regular_text(&file) {
            Ok(text) => difference(&text, expected),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Absent,
            Err(error) => Some(format!("cannot be read: {error}")),
        };
        what.map_or(Self::Same, |what| Self::Differs(FileDifference { file, what }))
    }
}

/// The first member in which the text is not the expected one. Blanks, line ends and the order of members do not count.
fn difference(text: &str, expected: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Ok(Value::Object(said)) = serde_json::from_str(text) else { return Some("is not a JSON object".to_owned()) };
    let Ok(Value::Object(expected)) = serde_json::from_str(expected) else { return None };
    let differs = expected.iter().find(|(key, value)| said.get(*key) != Some(*value));
    if let Some((key, value)) = differs {
        let value = quoted(value);
        return Some(match said.get(key) {
            Some(other) => format!("has {} as `{key}`, this run {value}", quoted(other)),
            None => format!("lacks `{key}`, which is {value} in this run"),
        });
    }
    said.keys().find(|key| !expected.contains_key(*key)).map(|key| format!("has {}, which this run lacks", shown(key)))
}

/// Whole: two keys often differ at their ends.
fn quoted(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("`{}`", escaped(&without_passwords(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_members_say_is_compared() {
        let expected = r#"{"type":"environment","platform":"linux-x64","uploadPath":"a-1"}"#;
        let cases = [
            (
                "{\r\n  \"uploadPath\": \"a-1\",\r\n  \"type\": \"environment\",\r\n  \"platform\": \"linux-x64\"\r\n}",
                None,
            ),
            (
                "\u{feff}{\"type\":\"environment\",\"platform\":\"linux-\\u00784\\u0034\",\"uploadPath\":\"a-1\"}",
                Some("has `linux-x44` as `platform`, this run `linux-x64`"),
            ),
            (
                r#"{"type":"environment","platform":"linux-x64","uploadPath":"a-0"}"#,
                Some("has `a-0` as `uploadPath`, this run `a-1`"),
            ),
            (
                r#"{"type":"environment","platform":"linux-x64"}"#,
                Some("lacks `uploadPath`, which is `a-1` in this run"),
            ),
            (
                r#"{"type":"environment","platform":"linux-x64","uploadPath":"a-1","registryURL":"x"}"#,
                Some("has `registryURL`, which this run lacks"),
            ),
            ("{", Some("is not a JSON object")),
            ("[]", Some("is not a JSON object")),
        ];
        for (text, told) in cases {
            assert_eq!(difference(text, expected).as_deref(), told, "{text}");
        }
    }
}

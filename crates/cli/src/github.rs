//! GitHub Actions: annotations in the log, and the job's summary.
//! Source: "Workflow commands for GitHub Actions" in GitHub's documentation.

use vocab::foreign_text::printable;

use crate::outlet::without_commands;

/// `kind` is `error`, `warning` or `notice`; `place` is used where it is `path`, `path:line` or `path:line:column`.
pub(crate) fn annotation(kind: &str, title: &str, text: &str, place: Option<&str>) -> String {
    let mut properties = Vec::new();
    if let Some(place) = place.and_then(FilePlace::parse) {
        properties.push(format!("file={}", escaped_property(&place.path)));
        if let Some(line) = place.line {
            properties.push(format!("line={line}"));
        }
        if let Some(column) = place.column {
            properties.push(format!("col={column}"));
        }
    }
    properties.push(format!("title={}", escaped_property(title)));
    format!("::{kind} {}::{}", properties.join(","), escaped(text))
}

struct FilePlace {
    path: String,
    line: Option<u32>,
    column: Option<u32>,
}

impl FilePlace {
    /// `None` if it is not a file, such as a distribution or a platform.
    fn parse(place: &str) -> Option<Self> {
        let mut numbers = Vec::new();
        let mut path = place.split_whitespace().next()?;
        while let Some((rest, number)) = path.rsplit_once(':')
            && let Ok(number) = number.parse()
            && numbers.len() < 2
        {
            numbers.insert(0, number);
            path = rest;
        }
        let looks_like_a_file = path.contains('/') || path.ends_with(".json") || path.ends_with(".toml");
        looks_like_a_file.then(|| Self {
            path: path.to_owned(),
            line: numbers.first().copied(),
            column: numbers.get(1).copied(),
        })
    }
}

fn escaped(text: &str) -> String {
    without_commands(&printable(text)).replace('%', "%25").replace('\n', "%0A")
}

fn escaped_property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_stands_on_one_line_and_points_at_its_file() {
        let cases = [
            // (place, annotation)
            (Some("shared-config.json:3:7"), "::error file=shared-config.json,line=3,col=7,title=E_X::100%25%0Asure"),
            (
                Some("python-3.12.10/config.json:4"),
                "::error file=python-3.12.10/config.json,line=4,title=E_X::100%25%0Asure",
            ),
            (Some("numpy"), "::error title=E_X::100%25%0Asure"),
            (Some("linux-x64"), "::error title=E_X::100%25%0Asure"),
            (None, "::error title=E_X::100%25%0Asure"),
        ];
        for (place, expected) in cases {
            assert_eq!(annotation("error", "E_X", "100%\nsure", place), expected, "for {place:?}");
        }
    }
}

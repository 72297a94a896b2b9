//! Checks the text of a marker before the parser of PEP 508 does.
//!
//! That parser ignores comparisons it finds meaningless, and panics on some that PEP 508 allows
//! (`python_version ~= '3.0'`). Here each comparison must be one that means something.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};
use vocab::DistributionName;

use crate::complaint::{Complaint, complain};
use vocab::quoted::shown;

/// Limit for `and` and `or` in a marker. People write two or three; a tool has been seen to write 13. Each can double
/// the size of the canonical form: 16 take half a second at worst.
const MAX_JOINTS: usize = 16;

const MAX_PARENTHESES: usize = 50;

/// Larger than any real version; the parser adds 1 to some of these.
const MAX_SEGMENT: u64 = 1_000_000;

const VERSION_KEYS: [&str; 3] = ["python_version", "python_full_version", "implementation_version"];

/// The dotted ones are from before PEP 508 and still in use.
const TEXT_KEYS: [&str; 14] = [
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_system",
    "platform_release",
    "platform_version",
    "platform_python_implementation",
    "implementation_name",
    "os.name",
    "sys.platform",
    "platform.machine",
    "platform.version",
    "platform.python_implementation",
    "python_implementation",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MarkerToken<'a> {
    Word(&'a str),
    Quoted(&'a str),
    /// `==`, `<` and the like.
    Sign(&'a str),
    Open,
    Close,
}

/// Whether the whole is well-formed is left to the parser.
pub(crate) fn check(marker: &str) -> Result<(), Complaint> {
    let tokens = tokens(marker);
    let joints = tokens.iter().filter(|token| matches!(token, MarkerToken::Word("and" | "or"))).count();
    if joints > MAX_JOINTS || tokens.iter().filter(|token| **token == MarkerToken::Open).count() > MAX_PARENTHESES {
        return complain("a marker with too many comparisons", "simplify the marker");
    }
    for (index, token) in tokens.iter().enumerate() {
        let (operator, left) = match token {
            MarkerToken::Sign(sign) => (*sign, index.checked_sub(1)),
            MarkerToken::Word("in") if index > 0 && tokens[index - 1] == MarkerToken::Word("not") => {
                ("not in", index.checked_sub(2))
            }
            MarkerToken::Word("in") => ("in", index.checked_sub(1)),
            _ => continue,
        };
        let left = left.and_then(|left| tokens.get(left));
        match (left, tokens.get(index + 1)) {
            (Some(MarkerToken::Word(key)), Some(MarkerToken::Quoted(value))) => comparison(key, operator, value)?,
            (Some(MarkerToken::Quoted(value)), Some(MarkerToken::Word(key))) => comparison(key, operator, value)?,
            _ => {
                return complain(
                    format!("`{operator}` compares no name with a quoted text in the marker {}", shown(marker)),
                    "for example `sys_platform == 'linux'`",
                );
            }
        }
    }
    Ok(())
}

fn comparison(key: &str, operator: &str, value: &str) -> Result<(), Complaint> {
    if VERSION_KEYS.contains(&key) {
        return version_comparison(key, operator, value);
    }
    if key == "extra" {
        let good = matches!(operator, "==" | "!=") && value.parse::<DistributionName>().is_ok();
        return if good { Ok(()) } else { meaningless(key, operator, value) };
    }
    if !TEXT_KEYS.contains(&key) {
        let names = TEXT_KEYS[..8].iter().chain(&VERSION_KEYS).copied();
        let nearest =
            names.min_by_key(|name| strsim::damerau_levenshtein(name, &key.chars().take(60).collect::<String>()));
        let hint = format!("did you mean `{}`?", nearest.unwrap_or_default());
        return Err(Complaint { text: format!("markers know no {}", shown(key)), hint: Some(hint) });
    }
    match operator {
        "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in" => Ok(()),
        _ => meaningless(key, operator, value),
    }
}

fn version_comparison(key: &str, operator: &str, value: &str) -> Result<(), Complaint> {
    let small = |version: &Version| version.release().iter().all(|segment| *segment <= MAX_SEGMENT);
    if matches!(operator, "in" | "not in") {
        let mut versions = value.split_whitespace().map(Version::from_str);
        let good = !value.trim().is_empty() && versions.all(|version| version.as_ref().is_ok_and(small));
        return if good { Ok(()) } else { meaningless(key, operator, value) };
    }
    let Ok(specifier) = VersionSpecifier::from_str(&format!("{operator}{value}")) else {
        return meaningless(key, operator, value);
    };
    let release = specifier.version().release();
    let significant = release.iter().rposition(|segment| *segment != 0).map_or(0, |last| last + 1);
    if !small(specifier.version()) || operator == "===" {
        return meaningless(key, operator, value);
    }
    // The parser drops trailing zeros, and `~=` needs two numbers.
    if operator == "~=" && significant < 2 {
        return complain(
            format!("`{key} ~= {}` cannot be used here", shown(value)),
            &format!("write `{key} >= '{value}' and {key} == '{}.*'`", release.first().copied().unwrap_or(0)),
        );
    }
    Ok(())
}

fn meaningless(key: &str, operator: &str, value: &str) -> Result<(), Complaint> {
    complain(
        format!("the comparison `{key} {operator}` {} means nothing", shown(value)),
        "versions are compared with versions, everything else with a text",
    )
}

/// A quoted text that is not closed extends to the end of the marker.
fn tokens(marker: &str) -> Vec<MarkerToken<'_>> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (MarkerToken::Open, 1),
            ')' => (MarkerToken::Close, 1),
            '\'' | '"' => {
                let inside = &rest[1..];
                let end = inside.find(first).unwrap_or(inside.len());
                (MarkerToken::Quoted(&inside[..end]), (end + 2).min(rest.len()))
            }
            _ if is_sign(first) => {
                let end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
                (MarkerToken::Sign(&rest[..end]), end)
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || is_sign(c) || matches!(c, '(' | ')' | '\'' | '"');
                let end = rest.find(ends).unwrap_or(rest.len());
                (MarkerToken::Word(&rest[..end]), end)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_sign(character: char) -> bool {
    matches!(character, '<' | '=' | '>' | '~' | '!')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comparisons_that_mean_something_are_let_through() {
        let cases = [
            // (marker, accepted)
            ("sys_platform == 'linux' and (python_version<\"3.13\"or 'x' in os_name)", true),
            ("python_version not in '3.8 3.9'", true),
            ("'3.9' <= python_version", true),
            ("python_version ~= '3.8'", true),
            ("python_version == '3.*'", true),
            ("extra == 'test'", true),
            ("sys.platform != 'win32'", true),
            ("python_version ~= '3.0'", false), // `~= 3` for the parser, which then panics
            ("python_full_version ~= '3.0.0'", false),
            ("python_version > '3.18446744073709551615'", false),
            ("python_version == 'x'", false),
            ("python_version in ''", false),
            ("os_name ~= 'x'", false),
            ("'x' ~= os_name", false),
            ("os_name === 'x'", false),
            ("os_name == sys_platform", false),
            ("'a' == 'b'", false),
            ("extra == 'x.'", false),
            ("extra in 'x'", false),
            ("platform == 'x'", false),
            ("== 'x'", false),
            ("os_name ==", false),
        ];
        for (marker, accepted) in cases {
            assert_eq!(check(marker).is_ok(), accepted, "for {marker}");
        }
    }
}

//! `Requires-Python`: which files are not for the runtime's Python, and how their versions are kept out.

use std::fmt::Display;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use vocab::{DistributionName, PythonVersion};

/// Whether a file with this `Requires-Python` is not for `python`. What is not understood excludes nothing, as with pip.
pub fn excludes(requires_python: &str, python: PythonVersion) -> bool {
    let specifiers = VersionSpecifiers::from_str(requires_python);
    let python = Version::from_str(&python.to_string());
    matches!((specifiers, python), (Ok(specifiers), Ok(python)) if !specifiers.contains(&python))
}

/// A PEP 508 line that keeps these versions out.
pub fn without_versions<T: Display>(name: &DistributionName, versions: impl IntoIterator<Item = T>) -> String {
    let others: Vec<String> = versions.into_iter().map(|version| format!("!={version}")).collect();
    format!("{name}{}", others.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_count() {
        let cases = [
            // (Requires-Python, excludes 3.12.10)
            (">=3.8", false),
            (">=3.8,<3.12", true),
            (">=3.8, <4", false),
            ("<3.12.11", false),
            ("!=3.12.*", true),
            (">=3.13", true),
            ("", false),
            (">=3.6.*", false),
            ("anything", false),
        ];
        for (text, expected) in cases {
            assert_eq!(excludes(text, "3.12.10".parse().unwrap()), expected, "for {text:?}");
        }
    }
}

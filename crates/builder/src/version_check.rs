//! Whether a Python version is one that runtimes are built for. Warnings only: the base sources have the last word.

use vocab::PythonVersion;

/// The oldest and newest series that the rules here were written for.
const SERIES: ((u16, u16), (u16, u16)) = ((3, 9), (3, 14));

/// What a release engineer should know before the build, if anything.
pub fn check(python: PythonVersion) -> Option<String> {
    let series = (python.major, python.minor);
    let ((_, oldest), (_, newest)) = SERIES;
    (series < SERIES.0 || series > SERIES.1)
        .then(|| format!("Python {python} is outside 3.{oldest} to 3.{newest}, for which the build rules were written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_outside_the_supported_series_are_told() {
        for (text, told) in
            [("3.8.20", true), ("3.9.0", false), ("3.14.6", false), ("3.15.0", true), ("2.7.18", true), ("4.0.0", true)]
        {
            assert_eq!(check(text.parse().unwrap()).is_some(), told, "for {text}");
        }
    }
}

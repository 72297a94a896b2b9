//! Whether a Python version is one that runtimes are built for. Only warns: the sources decide.

use config_merger::PythonSettings;
use vocab::{PlatformKey, PythonVersion};

use crate::ReleaseTable;

/// The oldest and newest minor version that the build rules were written for.
const MINOR_VERSIONS: ((u16, u16), (u16, u16)) = ((3, 9), (3, 14));

/// A warning if `python` is outside the supported minor versions, or has no pinned release for `platform`; that names
/// the nearest release. `None` if there is nothing to say, and where the configuration has releases of its own.
pub fn check(python: PythonVersion, platform: PlatformKey, settings: &PythonSettings) -> Option<String> {
    let minor = (python.major, python.minor);
    let ((_, oldest), (_, newest)) = MINOR_VERSIONS;
    if minor < MINOR_VERSIONS.0 || minor > MINOR_VERSIONS.1 {
        return Some(format!(
            "Python {python} is outside 3.{oldest} to 3.{newest}, for which the build rules were written"
        ));
    }
    let table = ReleaseTable::embedded();
    let own = ReleaseTable::of(settings);
    if settings.downloads.is_some() || [&own, table].iter().any(|it| it.release(python, platform).is_some()) {
        return None;
    }
    let nearest = table.nearest(python, platform).map(|nearest| format!("; the nearest is {nearest}"));
    Some(format!("no release of Python {python} for {platform} is in the pinned table{}", nearest.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t4_versions_outside_the_series_and_the_table_are_told() {
        let cases = [
            // (text, what is told; empty for nothing)
            ("3.8.20", "outside"),
            ("2.7.18", "outside"),
            ("3.15.0", "outside"),
            ("4.0.0", "outside"),
            ("3.10.1", "the nearest is 3.10.2"),
            ("3.12.10", ""),
            ("3.14.6", ""),
        ];
        for (text, told) in cases {
            let said = check(text.parse().unwrap(), PlatformKey::LinuxX64, &PythonSettings::default());
            assert_eq!(said.is_some(), !told.is_empty(), "for {text}: {said:?}");
            assert!(said.unwrap_or_default().contains(told), "for {text}");
        }
    }
}

//! Windows opens no path of 260 characters or more, unless its registry allows it. So an archive whose files would get such
//! paths is refused before anything of it is written.

use std::path::Path;

use archive::{ExtractOptions, ListingDepth, list};
use process::Invocation;
use vocab::Work;

use super::distribution_error::DistributionErrorKind;

/// One less than Windows' limit, which counts the end of a text.
const LONGEST: usize = 259;

/// Looks at every name of the archive. `wrapper` says whether a single folder around everything would be taken off.
pub(super) fn check(
    archive: &Path,
    target: &Path,
    options: &ExtractOptions<'_>,
    wrapper: &dyn Fn(&str) -> bool,
    work: &Work,
) -> Result<(), DistributionErrorKind> {
    let Ok(entries) = list(archive, ListingDepth::Names, options) else {
        // Extraction says why it cannot be read.
        return Ok(());
    };
    let names: Vec<String> = entries.into_iter().map(|entry| entry.path.trim_end_matches('/').to_owned()).collect();
    let base = length(&target.display().to_string()) + 1;
    let Some((longest, name)) = longest(&names, wrapper) else { return Ok(()) };
    if base + longest <= LONGEST || are_long_paths_enabled(work) {
        return Ok(());
    }
    let folder = target.file_name().map_or(0, |name| length(&name.to_string_lossy()) + 1);
    let usable = LONGEST.saturating_sub(longest + 1 + folder);
    Err(DistributionErrorKind::PathTooLong { path: target.join(name), length: base + longest, usable })
}

/// As Windows counts.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn longest<'a>(names: &'a [String], wrapper: &dyn Fn(&str) -> bool) -> Option<(usize, &'a str)> {
    let top = |name: &'a String| name.split('/').next().unwrap_or_default();
    let first = names.first().map(top)?;
    let is_wrapped = wrapper(first) && names.iter().all(|name| top(name) == first);
    let inside = |name: &'a String| if is_wrapped { name.split_once('/').map_or("", |(_, rest)| rest) } else { name };
    names.iter().map(inside).map(|name| (length(name), name)).max()
}

/// On another system: as a Windows that was never told to.
fn are_long_paths_enabled(work: &Work) -> bool {
    if !cfg!(windows) {
        return false;
    }
    let folder = std::env::temp_dir();
    let key = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem";
    let invocation = Invocation::new("reg", &folder).args(["query", key, "/v", "LongPathsEnabled"]);
    process::run(work, &invocation).is_ok_and(|finished| String::from_utf8_lossy(&finished.stdout).contains("0x1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts_without_the_folder_that_is_taken_off() {
        let names = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let is_wrapper = |name: &str| name == "k-1";
        let cases = [
            (names(&["k-1", "k-1/bin/python", "k-1/a"]), Some((10, "bin/python"))),
            (names(&["k-1/bin/python", "other/a"]), Some((14, "k-1/bin/python"))),
            (names(&["other/ü😀"]), Some((9, "other/ü😀"))),
            (names(&[]), None),
        ];
        for (given, expected) in cases {
            assert_eq!(longest(&given, &is_wrapper), expected, "for {given:?}");
        }
    }
}

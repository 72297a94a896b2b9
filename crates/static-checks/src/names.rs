//! Whether the target's file system can hold the names of a finished prefix, and how long its paths are. Pure.
//!
//! A build on Linux for Windows or macOS would not notice otherwise: `a` and `A` are two files there. Each wheel is
//! checked before it is installed; this checks everything together.

use std::collections::HashMap;

use archive::NameRules;
use vocab::{Fault, PlatformKey, TreePath, refused_by_windows};

/// Windows gives programs 260 characters for a whole path by default; this leaves 59 of them for
/// the folder of the runtime.
pub const LONG_PATH: usize = 200;

/// A name that the target cannot hold. `owner` says in words which distribution or setting brought the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[fault(
    "E_NAME",
    Build,
    hint("skip the distribution on this platform, use another version, or rename the file of copyFiles")
)]
pub enum NameFault {
    #[error("`{path}` of {owner} cannot be stored on {platform}: {reason}")]
    Refused { path: TreePath, owner: String, platform: PlatformKey, reason: &'static str },
    #[error("`{path}` of {owner} and `{other}` of {other_owner} are the same name on {platform}")]
    Clash { path: TreePath, owner: String, other: TreePath, other_owner: String, platform: PlatformKey },
}

/// Checks all names, and gives the longest path with its length in UTF-16 units, as Windows counts. `None` without
/// paths.
///
/// Each of `paths` comes with its owner in words, for messages.
pub fn check_names<'a>(
    paths: impl IntoIterator<Item = (&'a TreePath, &'a str)>,
    platform: PlatformKey,
) -> Result<Option<(&'a TreePath, usize)>, NameFault> {
    let rules = NameRules::of_platform(platform);
    let mut longest: Option<(&TreePath, usize)> = None;
    let mut taken: HashMap<String, (TreePath, &str)> = HashMap::new();
    for (path, owner) in paths {
        if let Some(reason) = refused_by_windows(path).filter(|_| platform.is_windows()) {
            return Err(NameFault::Refused { path: path.clone(), owner: owner.to_owned(), platform, reason });
        }
        let length = path.as_str().encode_utf16().count();
        if longest.is_none_or(|(_, longest)| length > longest) {
            longest = Some((path, length));
        }
        // Folders clash too: two spellings would become one folder, which an unpacker must refuse.
        let mut place = Some(path.clone());
        while let Some(at) = place.filter(|at| !at.is_root()) {
            place = at.parent();
            let key = rules.key(at.as_str()).into_owned();
            match taken.get(&key) {
                Some((other, _)) if *other == at => break,
                Some((other, other_owner)) => {
                    return Err(NameFault::Clash {
                        path: at,
                        owner: owner.to_owned(),
                        other: other.clone(),
                        other_owner: (*other_owner).to_owned(),
                        platform,
                    });
                }
                None => drop(taken.insert(key, (at, owner))),
            }
        }
    }
    Ok(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(platform: PlatformKey, paths: &[(&str, &str)]) -> Result<usize, String> {
        let paths: Vec<(TreePath, &str)> = paths.iter().map(|(path, owner)| (path.parse().unwrap(), *owner)).collect();
        check_names(paths.iter().map(|(path, owner)| (path, *owner)), platform)
            .map(|longest| longest.map_or(0, |(_, length)| length))
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn names_that_are_one_on_the_target_are_refused_with_both_owners() {
        let paths = [("bin/x", "the interpreter"), ("Bin/y", "`demo`")];
        assert_eq!(told(PlatformKey::LinuxX64, &paths), Ok(5));
        for platform in [PlatformKey::MacosxAarch64, PlatformKey::WindowsX64] {
            let expected = format!("`Bin` of `demo` and `bin` of the interpreter are the same name on {platform}");
            assert_eq!(told(platform, &paths), Err(expected));
        }
        let same = [("Lib/a.py", "the interpreter"), ("Lib/a.py", "copyFiles")];
        assert_eq!(told(PlatformKey::WindowsX64, &same), Ok(8));
    }

    #[test]
    fn a_name_that_windows_cannot_hold_is_refused_there_alone() {
        let paths = [("share/aux.h", "copyFiles")];
        assert_eq!(told(PlatformKey::MacosxX64, &paths), Ok(11));
        assert_eq!(
            told(PlatformKey::WindowsX64, &paths).unwrap_err(),
            "`share/aux.h` of copyFiles cannot be stored on windows-x64: its name belongs to a device on Windows"
        );
    }

    #[test]
    fn lengths_are_counted_as_windows_does() {
        assert_eq!(told(PlatformKey::WindowsX64, &[("a/é", "x"), ("b/\u{1f40d}", "x")]), Ok(4));
    }
}

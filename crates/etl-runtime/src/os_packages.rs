//! `OS_PACKAGES`: names for the system's package manager, checked before it is started.

use std::path::{Path, PathBuf};

use serde::Serialize;
use vocab::{Environment, Fault};

/// A name, with a version if one was asked for, that no package manager takes for an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OsPackage(String);

impl OsPackage {
    /// As the package manager is given it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An item that could mean something else to a package manager.
#[derive(Debug, thiserror::Error, Fault)]
#[error("OS_PACKAGES: `{item}` is not the name of a package")]
#[fault(
    "E_ETL_OS_PACKAGE_NAME",
    Usage,
    hint("write lower-case names, with a version as in `ffmpeg=7.1`, between commas")
)]
pub struct OsPackageNameError {
    pub item: String,
}

/// The names between commas; blank ones are dropped.
pub fn parse(text: &str) -> Result<Vec<OsPackage>, OsPackageNameError> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            if is_name(item) {
                Ok(OsPackage(item.to_owned()))
            } else {
                Err(OsPackageNameError { item: item.to_owned() })
            }
        })
        .collect()
}

fn is_name(item: &str) -> bool {
    let (name, version) = match item.find(['=', '~']) {
        Some(at) => (&item[..at], Some(&item[at + 1..])),
        None => (item, None),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_version = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | ':' | '~' | '_' | '-'))
    };
    name.starts_with(plain)
        && name.chars().all(|c| plain(c) || matches!(c, '+' | '.' | '_' | '-'))
        && version.is_none_or(is_version)
}

/// Which package manager this system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageManager {
    Apk,
    AptGet,
}

impl PackageManager {
    /// The first on PATH, with its program.
    pub fn find(environment: &Environment, folder: &Path) -> Option<(Self, PathBuf)> {
        let paths = environment.path("PATH")?;
        [(Self::Apk, "apk"), (Self::AptGet, "apt-get")]
            .into_iter()
            .find_map(|(manager, name)| Some((manager, which::which_in(name, Some(paths), folder).ok()?)))
    }

    /// The arguments of each call, in order.
    pub fn calls(self, packages: &[OsPackage]) -> Vec<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let with_names = |mut words: Vec<String>| {
            words.extend(packages.iter().map(|package| package.as_str().to_owned()));
            words
        };
        match self {
            Self::Apk => vec![with_names(words(&["add", "--no-cache"]))],
            Self::AptGet => {
                vec![words(&["update"]), with_names(words(&["install", "-y", "--no-install-recommends"]))]
            }
        }
    }

    /// Variables for its calls.
    pub fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Apk => &[],
            Self::AptGet => &[("DEBIAN_FRONTEND", "noninteractive")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // case 55
    #[test]
    fn what_a_package_manager_could_take_for_something_else_is_refused() {
        for item in ["--root=/x", "a;b", "-y", "A", "a b", "a=", "a=$(x)", "../a", "a/b", "=1", "ä"] {
            let error = parse(&format!("ffmpeg, {item}")).unwrap_err();
            assert_eq!(error.to_string(), format!("OS_PACKAGES: `{item}` is not the name of a package"));
            assert_eq!(error.exit(), vocab::Exit::Usage);
        }
        let names: Vec<_> = parse("ffmpeg, libstdc++6=12.2.0-14,, g++~13 ").unwrap();
        assert_eq!(
            names.iter().map(OsPackage::as_str).collect::<Vec<_>>(),
            ["ffmpeg", "libstdc++6=12.2.0-14", "g++~13"]
        );
        assert_eq!(parse(" , ").unwrap(), []);
    }

    // cases 54 and 56
    #[test]
    fn each_package_manager_has_its_calls() {
        let packages = parse("a,b").unwrap();
        assert_eq!(PackageManager::Apk.calls(&packages), [["add", "--no-cache", "a", "b"]]);
        assert_eq!(
            PackageManager::AptGet.calls(&packages),
            [vec!["update"], vec!["install", "-y", "--no-install-recommends", "a", "b"]]
        );
    }
}

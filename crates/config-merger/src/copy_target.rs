//! One entry of `copyFiles`: what is copied from the package folder, and its destination.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocab::{TreeLayout, TreePath};

use crate::TextPlace;

/// One entry of `copyFiles`, either general or a platform's own.
#[derive(Clone, Debug, Serialize)]
pub struct CopyFile {
    /// Below the package folder `python-<version string>`; a file or a folder.
    pub from: TreePath,
    pub to: CopyTarget,
    /// If the source is missing, that is a note instead of an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Where the entry was written. Not part of the canonical output.
    #[serde(skip)]
    pub place: TextPlace,
}

impl PartialEq for CopyFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.from, &self.to, self.optional) == (&other.from, &other.to, other.optional)
    }
}

type FolderOf = fn(TreeLayout) -> TreePath;

/// The folders that placeholders stand for, by their names. `{bin}` is the same on every platform: the one folder that
/// users put on `PATH`.
const PLACEHOLDERS: [(&str, FolderOf); 3] =
    [("{site-packages}", TreeLayout::site_packages), ("{python}", TreeLayout::stdlib), ("{bin}", TreeLayout::bin)];

/// The text with something else in place of each placeholder.
fn replaced(text: &str, by: impl Fn(FolderOf) -> String) -> String {
    PLACEHOLDERS.iter().fold(text.to_owned(), |text, (name, folder)| text.replace(name, &by(*folder)))
}

/// A path below the prefix in which placeholders stand for folders that differ by platform. Ends with `/` if a file is to
/// be put into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CopyTarget(String);

impl CopyTarget {
    /// Canonical: with placeholders, without `.` and doubled slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a file that is copied here goes into the folder and keeps its name: true for the root, and for paths
    /// that end with a slash or a placeholder, since these are folders.
    pub fn is_folder(&self) -> bool {
        self.0.is_empty() || self.0.ends_with(['/', '}'])
    }

    /// The path below the prefix.
    pub fn resolve(&self, layout: TreeLayout) -> TreePath {
        let text = replaced(&self.0, |folder| folder(layout).to_string());
        text.parse().expect(
            "no placeholder stands for `..`, a drive or a leading slash, so what `from_str` accepted stays a path",
        )
    }
}

impl fmt::Display for CopyTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The text is not a destination inside the runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyTargetError {
    #[error("`{text}` is not a path inside the runtime: {reason}")]
    Path { text: String, reason: &'static str },
    #[error("`{placeholder}` is not a placeholder; use {}", known())]
    Placeholder { placeholder: String },
}

/// `{site-packages}, {python} or {bin}`
fn known() -> String {
    let [first @ .., last] = PLACEHOLDERS.map(|(name, _)| name);
    format!("{} or {last}", first.join(", "))
}

impl FromStr for CopyTarget {
    type Err = CopyTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The public repository of these configurations writes `<site-packages>`.
        let text = text.replace("<site-packages>", "{site-packages}");
        let plain = replaced(&text, |_| "s".to_owned());
        if let Some(start) = plain.find(['{', '}', '<', '>']) {
            let rest: String = plain[start..].chars().take(40).collect();
            let end = rest.find(['}', '>']).map_or(rest.len(), |end| end + 1);
            return Err(CopyTargetError::Placeholder { placeholder: rest[..end].to_owned() });
        }
        let path: TreePath = plain.parse().map_err(|error: vocab::TreePathError| CopyTargetError::Path {
            text: text.clone(),
            reason: error.reason,
        })?;
        // Only the spelling is normalised; the placeholders stay.
        let mut canonical: Vec<&str> = text.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
        debug_assert_eq!(canonical.len(), path.segments().count());
        if text.ends_with('/') && !canonical.is_empty() {
            canonical.push("");
        }
        Ok(Self(canonical.join("/")))
    }
}

impl TryFrom<String> for CopyTarget {
    type Error = CopyTargetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CopyTarget> for String {
    fn from(target: CopyTarget) -> Self {
        target.0
    }
}

#[cfg(test)]
mod tests {
    use vocab::PlatformKey;

    use super::*;

    #[test]
    fn t5_t6_placeholders_are_the_folders_of_the_platform() {
        let cases = [
            // (text, platform, place)
            ("{site-packages}/", PlatformKey::LinuxX64, "lib/python3.10/site-packages"),
            ("{site-packages}/", PlatformKey::WindowsX64, "Lib/site-packages"),
            ("<site-packages>/x", PlatformKey::MacosxX64, "lib/python3.10/site-packages/x"),
            ("<site-packages>", PlatformKey::WindowsX64, "Lib/site-packages"),
            ("share/{bin}/{bin}", PlatformKey::LinuxX64, "share/bin/bin"),
            ("{python}/a/{python}", PlatformKey::LinuxX64, "lib/python3.10/a/lib/python3.10"),
            ("./{bin}//tool", PlatformKey::WindowsX64, "bin/tool"),
            ("", PlatformKey::LinuxX64, ""),
        ];
        for (text, platform, place) in cases {
            let target: CopyTarget = text.parse().unwrap();
            let layout = TreeLayout { platform, python: "3.10.11".parse().unwrap() };
            assert_eq!(target.resolve(layout).as_str(), place, "for {text:?}");
            assert_eq!(target.to_string().parse(), Ok(target), "for {text:?}");
        }
    }

    #[test]
    fn t8_targets_outside_the_runtime_and_unknown_placeholders_are_refused() {
        for text in ["../../x", "C:\\x", "/etc", "{site-packages}/../..", "{lib}/x", "<python>/x", "a\0b"] {
            assert!(text.parse::<CopyTarget>().is_err(), "for {text:?}");
        }
    }
}

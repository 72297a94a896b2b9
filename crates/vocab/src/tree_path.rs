//! Paths below the root of a tree: a prefix, an archive, a wheel, a package folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Relative, `/`-separated on every platform, never leaving its root: no `..`, no drive, no backslash, no NUL.
/// `.` and doubled or trailing slashes are dropped; the root itself is the empty path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreePath(String);

impl TreePath {
    /// Normalised: no leading or trailing `/`. Empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root itself, whose text is empty.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names between the slashes, none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last segment, empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())))
    }

    /// `below` is taken relative to `self`. If either is the root, the result is the other.
    pub fn join(&self, below: &Self) -> Self {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, below.0)),
        }
    }

    /// Whether this is `folder` or lies in it. Whole segments are compared: `libs/a` does not start with `lib`.
    pub fn starts_with(&self, folder: &Self) -> bool {
        folder.is_root()
            || self.0 == folder.0
            || self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The corresponding path on this machine's disk, in the folder `root`.
    pub fn below(&self, root: &Path) -> PathBuf {
        let mut path = PathBuf::with_capacity(root.as_os_str().len() + 1 + self.0.len());
        path.push(root);
        if cfg!(windows) {
            path.extend(self.segments());
        } else if !self.is_root() {
            path.push(&self.0);
        }
        path
    }

    /// The tree path of `path`, which must lie in the folder `root`; `None` if it does not, or is not UTF-8. The disk
    /// is not read.
    pub fn relative(path: &Path, root: &Path) -> Option<Self> {
        let mut text = String::new();
        for component in path.strip_prefix(root).ok()?.components() {
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(component.as_os_str().to_str()?);
        }
        text.parse().ok()
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The text could leave the tree or mean another file on another system; `reason` names the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path inside the tree: {reason}")]
pub struct TreePathError {
    pub text: String,
    pub reason: &'static str,
}

impl FromStr for TreePath {
    type Err = TreePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| Err(TreePathError { text: text.to_owned(), reason });
        if text.starts_with('/') || text.starts_with('\\') {
            return refuse("it is absolute");
        }
        if text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic() {
            return refuse("it names a drive");
        }
        if text.contains('\\') {
            return refuse("it holds a backslash; write `/`");
        }
        if text.contains('\0') {
            return refuse("it holds a NUL character");
        }
        if is_normal(text) {
            return Ok(Self(text.to_owned()));
        }
        let mut kept: Vec<&str> = Vec::new();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => return refuse("it leaves its root with `..`"),
                name => kept.push(name),
            }
        }
        Ok(Self(kept.join("/")))
    }
}

/// Whether nothing would be dropped of it.
fn is_normal(text: &str) -> bool {
    text.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

impl TryFrom<String> for TreePath {
    type Error = TreePathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TreePath> for String {
    fn from(path: TreePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t8_a_path_that_could_leave_its_root_is_refused() {
        let cases = [
            // (text, its canonical form; `None` when refused)
            ("bin/", Some("bin")),
            ("./a//b/.", Some("a/b")),
            ("", Some("")),
            ("../../x", None),
            ("a/../b", None),
            ("C:\\x", None),
            ("c:/x", None),
            ("/etc", None),
            ("\\\\host\\share", None),
            ("a\\b", None),
            ("a\0b", None),
        ];
        for (text, canonical) in cases {
            let parsed = text.parse::<TreePath>().ok();
            assert_eq!(parsed.as_ref().map(TreePath::as_str), canonical, "for {text:?}");
        }
    }

    #[test]
    fn joining_and_prefixes_go_by_whole_segments() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        assert_eq!(path("a").join(&path("b/c")), path("a/b/c"));
        assert_eq!(path("").join(&path("b")), path("b"));
        assert!(path("a/b").starts_with(&path("a")));
        assert!(!path("ab").starts_with(&path("a")));
        assert_eq!(path("a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(path("")));
        assert_eq!(path("").parent(), None);
    }
}

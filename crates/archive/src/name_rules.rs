//! Which names an archive may hold: those that stay inside the tree on every system, and further limits for file
//! systems that treat two spellings as one file, or give some names a meaning of their own.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use vocab::{Os, PlatformKey, TreePath};

/// What the target's file system can distinguish. Stricter rules include the laxer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameRules {
    /// Linux: `a` and `A` are two files, `X::Y` is a name.
    CaseSensitive,
    /// macOS: no two names that differ only in case.
    CaseInsensitive,
    /// Windows: also no device names, no `:`, no trailing dot or space.
    Windows,
}

impl NameRules {
    /// The rules of the system that this program was compiled for.
    pub fn of_host() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::CaseInsensitive
        } else {
            Self::CaseSensitive
        }
    }

    /// The rules of the default file systems of the platform.
    pub fn of_platform(platform: PlatformKey) -> Self {
        match platform.os() {
            Os::Linux => Self::CaseSensitive,
            Os::Macos => Self::CaseInsensitive,
            Os::Windows => Self::Windows,
        }
    }

    /// The path of an entry with this name, or why no archive for this system may hold it.
    pub fn check(self, name: &str) -> Result<TreePath, EntryFault> {
        checked_path(name.as_bytes(), self)
    }

    /// A key that is equal for two paths exactly when they are one file.
    pub fn key(self, path: &str) -> Cow<'_, str> {
        self.folded(path).map_or(Cow::Borrowed(path), Cow::Owned)
    }

    /// [`Self::key`], or `None` when that is the path itself, as it is for most.
    pub(crate) fn folded(self, path: &str) -> Option<String> {
        let plain = |text: &str| match self {
            Self::CaseSensitive => text.is_ascii(),
            _ => text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()),
        };
        if plain(path) {
            return None;
        }
        Some(match self {
            Self::CaseSensitive => path.nfc().collect(),
            // Upper before lower, so that letters with several lower-case forms (`ς`, `σ`) become one.
            _ => path.nfc().collect::<String>().to_uppercase().to_lowercase().nfc().collect(),
        })
    }
}

/// Why a path or a link cannot be in an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    #[error("its name is absolute")]
    Absolute,
    #[error("its name leaves the tree with `..`")]
    Parent,
    #[error("its name has an empty component")]
    EmptyComponent,
    #[error("its name is empty")]
    Unnamed,
    #[error("its name is not UTF-8")]
    NotUtf8,
    #[error("its name contains a control character")]
    Control,
    #[error("its name begins with a drive letter")]
    Drive,
    #[error("its name contains a backslash")]
    Backslash,
    #[error("its name has more than {} components", MAX_DEPTH)]
    TooDeep,
    #[error("a component of its name is longer than {} bytes", MAX_COMPONENT)]
    LongComponent,
    #[error("`{component}` is not a file name on Windows")]
    NotOnWindows { component: String },
    #[error("it occurs twice")]
    Duplicate,
    #[error("`{other}` is the same name on the target's file system")]
    Clash { other: TreePath },
    #[error("it lies below `{other}`, which is not a directory")]
    BelowFile { other: TreePath },
    #[error("it lies below the symbolic link `{other}`")]
    BelowLink { other: TreePath },
    #[error("it links to `{target}`, which is not a path inside the tree")]
    LinkOut { target: String },
    #[error("it links to `{target}`, which leads back to itself")]
    LinkLoop { target: String },
    #[error("it links to `{target}`, which is not in the archive, and links are copied here")]
    LinkDangling { target: String },
    #[error("it is a hard link to `{target}`, which is not a file that came before it")]
    HardLink { target: String },
    #[error("it is a {kind}")]
    Special { kind: &'static str },
}

const MAX_DEPTH: usize = 32;
const MAX_COMPONENT: usize = 255;

/// The path of an entry named `raw`. Drops a leading `./` and one trailing `/`, which tar writers like.
pub(crate) fn checked_path(raw: &[u8], rules: NameRules) -> Result<TreePath, EntryFault> {
    let text = std::str::from_utf8(raw).map_err(|_| EntryFault::NotUtf8)?;
    if text.is_empty() {
        return Err(EntryFault::Unnamed);
    }
    check_text(text)?;
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    for component in trimmed.split('/') {
        match component {
            "" => return Err(EntryFault::EmptyComponent),
            ".." => return Err(EntryFault::Parent),
            _ if component.len() > MAX_COMPONENT => return Err(EntryFault::LongComponent),
            _ if rules == NameRules::Windows && !is_windows_name(component) => {
                return Err(EntryFault::NotOnWindows { component: component.to_owned() });
            }
            _ => {}
        }
    }
    let path: TreePath = trimmed.parse().map_err(|_| EntryFault::Drive)?;
    // What followed `./` is now at the beginning.
    check_text(path.as_str())?;
    if path.segments().count() > MAX_DEPTH {
        return Err(EntryFault::TooDeep);
    }
    Ok(path)
}

/// The path of `name` in `folder`. A component like `a:` is a valid path below a folder, but not on its own; so a name
/// is never parsed alone. `None` if it cannot be in that folder.
pub(crate) fn child(folder: &TreePath, name: &str) -> Option<TreePath> {
    let path: TreePath = if folder.is_root() { name.parse() } else { format!("{folder}/{name}").parse() }.ok()?;
    (path.parent().as_ref() == Some(folder)).then_some(path)
}

/// The rules that names of entries and targets of links share.
pub(crate) fn check_text(text: &str) -> Result<(), EntryFault> {
    if text.starts_with('/') || text.starts_with("\\\\") {
        return Err(EntryFault::Absolute);
    }
    if text.contains(char::is_control) {
        return Err(EntryFault::Control);
    }
    let bytes = text.as_bytes();
    if bytes.get(1) == Some(&b':') && bytes[0].is_ascii_alphabetic() {
        return Err(EntryFault::Drive);
    }
    if text.contains('\\') {
        return Err(EntryFault::Backslash);
    }
    Ok(())
}

fn is_windows_name(component: &str) -> bool {
    if component == "." {
        return true;
    }
    let stem = component.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let device = match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        // The superscript digits are device numbers too.
        _ => ["COM", "LPT"].iter().any(|port| {
            let mut digits = stem.strip_prefix(port).unwrap_or_default().chars();
            matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
        }),
    };
    !device && !component.ends_with(['.', ' ']) && !component.contains(['<', '>', ':', '"', '|', '?', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_the_target() {
        use NameRules::{CaseSensitive, Windows};
        let deep = vec!["d"; MAX_DEPTH + 1].join("/");
        let long = "n".repeat(MAX_COMPONENT + 1);
        let cases: [(&str, NameRules, Result<&str, EntryFault>); 23] = [
            ("./bin/", CaseSensitive, Ok("bin")),
            ("./", CaseSensitive, Ok("")),
            ("man3/X::Y.3", CaseSensitive, Ok("man3/X::Y.3")),
            ("man3/X::Y.3", Windows, Err(EntryFault::NotOnWindows { component: "X::Y.3".into() })),
            ("", CaseSensitive, Err(EntryFault::Unnamed)),
            ("/etc/passwd", CaseSensitive, Err(EntryFault::Absolute)),
            ("\\\\host\\share", CaseSensitive, Err(EntryFault::Absolute)),
            ("a/../../x", CaseSensitive, Err(EntryFault::Parent)),
            ("..", CaseSensitive, Err(EntryFault::Parent)),
            ("a//b", CaseSensitive, Err(EntryFault::EmptyComponent)),
            ("a\nb", CaseSensitive, Err(EntryFault::Control)),
            ("a\0b", CaseSensitive, Err(EntryFault::Control)),
            ("C:/x", CaseSensitive, Err(EntryFault::Drive)),
            ("./C:/x", CaseSensitive, Err(EntryFault::Drive)),
            ("a/C:/x", CaseSensitive, Ok("a/C:/x")), // only a name on Linux
            ("a/C:/x", Windows, Err(EntryFault::NotOnWindows { component: "C:".into() })),
            ("..\\x", CaseSensitive, Err(EntryFault::Backslash)),
            (&deep, CaseSensitive, Err(EntryFault::TooDeep)),
            (&long, CaseSensitive, Err(EntryFault::LongComponent)),
            ("a/nul.txt", Windows, Err(EntryFault::NotOnWindows { component: "nul.txt".into() })),
            ("com1", Windows, Err(EntryFault::NotOnWindows { component: "com1".into() })),
            ("lib/aux.py", CaseSensitive, Ok("lib/aux.py")),
            ("a./b", Windows, Err(EntryFault::NotOnWindows { component: "a.".into() })),
        ];
        for (text, rules, expected) in cases {
            let path = checked_path(text.as_bytes(), rules);
            assert_eq!(path.as_ref().map(TreePath::as_str), expected.as_ref().copied(), "for {text:?}");
        }
        assert_eq!(checked_path(b"\xff", CaseSensitive), Err(EntryFault::NotUtf8));
        for name in ["com10", "console", "auxiliary.py", "nul2"] {
            assert!(checked_path(name.as_bytes(), Windows).is_ok(), "for {name:?}");
        }
    }

    #[test]
    fn spellings_of_one_file_fold_to_one() {
        let same = |rules: NameRules, left: &str, right: &str| {
            let fold = |text: &str| rules.key(text).into_owned();
            fold(left) == fold(right)
        };
        assert!(same(NameRules::CaseSensitive, "e\u{301}", "\u{e9}"));
        assert!(!same(NameRules::CaseSensitive, "A", "a"));
        assert!(same(NameRules::CaseInsensitive, "Lib/A.py", "lib/a.PY"));
        assert!(same(NameRules::Windows, "É", "e\u{301}"));
        assert!(same(NameRules::Windows, "σ", "ς"));
    }
}

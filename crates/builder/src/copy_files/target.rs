//! Where an operation's files go: placeholders, and whether `to` names a file or a folder.

use vocab::TreePath;

use super::{CopyErrorKind, CopyOperation};
use vocab::TreeLayout;

/// `to` with its placeholders filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    path: TreePath,
    /// A file goes into `path` rather than becoming it.
    is_folder: bool,
}

impl Target {
    /// The target of `below`, which is relative to the operation's source; empty when the source is a file.
    pub fn of(&self, operation: &CopyOperation, below: &TreePath) -> Result<TreePath, CopyErrorKind> {
        if below.is_root() && self.is_folder {
            let name = operation.from.file_name().parse().map_err(CopyErrorKind::Target)?;
            return Ok(self.path.join(&name));
        }
        Ok(self.path.join(below))
    }
}

pub fn resolve(operation: &CopyOperation, layout: TreeLayout) -> Result<Target, CopyErrorKind> {
    let expanded = expand(&operation.to, layout)?;
    let path: TreePath = expanded.parse().map_err(CopyErrorKind::Target)?;
    let is_folder = path.is_root() || operation.to.ends_with(['/', '}', '>']);
    Ok(Target { path, is_folder })
}

fn expand(to: &str, layout: TreeLayout) -> Result<String, CopyErrorKind> {
    let mut text = to.to_owned();
    let site_packages = layout.site_packages();
    for (placeholder, path) in [
        ("{site-packages}", site_packages.as_str()),
        ("<site-packages>", site_packages.as_str()),
        ("{bin}", layout.scripts().as_str()),
        ("{python}", layout.stdlib().as_str()),
    ] {
        text = text.replace(placeholder, path);
    }
    // A misspelt placeholder would otherwise become a folder of that name, silently.
    for (open, close) in [('{', '}'), ('<', '>')] {
        if let Some((_, rest)) = text.split_once(open) {
            let name = rest.split_once(close).map_or(rest, |(name, _)| name);
            return Err(CopyErrorKind::Placeholder { placeholder: format!("{open}{name}{close}") });
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(to: &str, from: &str, below: &str, platform: &str) -> Result<String, String> {
        let layout = TreeLayout { platform: platform.parse().unwrap(), python: "3.10.11".parse().unwrap() };
        let operation = CopyOperation {
            from: from.parse().unwrap(),
            to: to.to_owned(),
            optional: false,
            place: "config.json /packages/copyFiles/0".to_owned(),
        };
        let target = resolve(&operation, layout).map_err(|kind| kind.to_string())?;
        target.of(&operation, &below.parse().unwrap()).map(|path| path.to_string()).map_err(|kind| kind.to_string())
    }

    #[test]
    fn t5_t6_placeholders_follow_the_platform_in_both_spellings() {
        let cases = [
            // (to, platform, target of `a.py` below a folder source)
            ("{site-packages}/", "linux-x64", "lib/python3.10/site-packages/a.py"),
            ("{site-packages}/", "windows-x64", "Lib/site-packages/a.py"),
            ("<site-packages>/", "linux-x64", "lib/python3.10/site-packages/a.py"),
            ("<site-packages>", "windows-x64", "Lib/site-packages/a.py"),
            ("{bin}/tools", "macosx-aarch64", "bin/tools/a.py"),
            ("{python}/encodings", "linux-aarch64", "lib/python3.10/encodings/a.py"),
            ("share/{bin}/{bin}", "linux-x64", "share/bin/bin/a.py"),
            ("", "linux-x64", "a.py"),
        ];
        for (to, platform, expected) in cases {
            assert_eq!(target_of(to, "files", "a.py", platform).as_deref(), Ok(expected), "for {to:?}");
        }
    }

    #[test]
    fn a_file_goes_into_a_folder_that_is_written_as_one() {
        let cases = [
            // (to, target of the file `files/tool`)
            ("bin/", "bin/tool"),
            ("{bin}", "bin/tool"),
            ("", "tool"),
            (".", "tool"),
            ("bin/renamed", "bin/renamed"),
        ];
        for (to, expected) in cases {
            assert_eq!(target_of(to, "files/tool", "", "linux-x64").as_deref(), Ok(expected), "for {to:?}");
        }
    }

    #[test]
    fn t8_a_target_outside_the_runtime_or_with_an_unknown_placeholder_is_refused() {
        for to in ["../../x", "C:\\x", "c:/x", "/etc", "bin/../../x", "a\\b", "{site_packages}/", "<bin>/x", "{bin/x"] {
            assert!(target_of(to, "files", "a.py", "linux-x64").is_err(), "for {to:?}");
        }
    }
}

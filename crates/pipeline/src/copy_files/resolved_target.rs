//! Where an operation's files go.

use vocab::{TreeLayout, TreePath};

use super::CopyOperation;

/// `to` on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedTarget {
    path: TreePath,
    /// A file goes into `path` rather than becoming it.
    is_folder: bool,
}

impl ResolvedTarget {
    /// Resolves the placeholders of `to` for this layout.
    pub(crate) fn new(operation: &CopyOperation, layout: TreeLayout) -> Self {
        Self { path: operation.to.resolve(layout), is_folder: operation.to.is_folder() }
    }

    /// The target of `below`, which is relative to the operation's source; empty when the source is a file.
    pub(crate) fn of(&self, operation: &CopyOperation, below: &TreePath) -> TreePath {
        if below.is_root() && self.is_folder {
            let name = operation.from.file_name().parse().expect("the last name of a tree path is one itself");
            return self.path.join(&name);
        }
        self.path.join(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(to: &str, from: &str, below: &str) -> String {
        let layout = TreeLayout { platform: vocab::PlatformKey::LinuxX64, python: "3.10.11".parse().unwrap() };
        let operation = CopyOperation {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            optional: false,
            place: "config.json /packages/copyFiles/0".to_owned(),
        };
        ResolvedTarget::new(&operation, layout).of(&operation, &below.parse().unwrap()).to_string()
    }

    #[test]
    fn a_file_below_a_folder_source_stands_as_deep_below_the_target() {
        for (to, expected) in [("{bin}/tools", "bin/tools/deep/a.py"), ("", "deep/a.py")] {
            assert_eq!(target_of(to, "files", "deep/a.py"), expected, "for {to:?}");
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
            assert_eq!(target_of(to, "files/tool", ""), expected, "for {to:?}");
        }
    }
}

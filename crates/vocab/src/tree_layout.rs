//! Where things lie inside a prefix, by platform and Python version. The one place that knows `lib/python3.12`.

use crate::{PlatformKey, PythonVersion, TreePath};

/// The folders of one runtime, relative to its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeLayout {
    pub platform: PlatformKey,
    pub python: PythonVersion,
}

impl TreeLayout {
    /// `bin/python3.12`, or `bin/python.exe` on Windows.
    pub fn interpreter(self) -> TreePath {
        if self.platform.is_windows() {
            tree_path("bin/python.exe")
        } else {
            tree_path(&format!("bin/python{}", self.python.series()))
        }
    }

    /// Console scripts, the same folder as the interpreter.
    pub fn scripts(self) -> TreePath {
        tree_path("bin")
    }

    /// The standard library: `lib/python3.12`, `Lib` on Windows.
    pub fn stdlib(self) -> TreePath {
        if self.platform.is_windows() {
            tree_path("Lib")
        } else {
            tree_path(&format!("lib/python{}", self.python.series()))
        }
    }

    pub fn site_packages(self) -> TreePath {
        self.stdlib().join(&tree_path("site-packages"))
    }

    /// Where a wheel's `.data/headers` go, below which each distribution has a folder of its own name.
    pub fn headers(self) -> TreePath {
        if self.platform.is_windows() {
            tree_path("include")
        } else {
            tree_path(&format!("include/python{}", self.python.series()))
        }
    }
}

fn tree_path(text: &str) -> TreePath {
    text.parse().expect("a literal path inside the tree")
}

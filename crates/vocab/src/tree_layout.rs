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

    /// Where the file `path` of a wheel's `.data/data` goes. On Windows, where names that differ in case alone are one,
    /// the tree's own folders keep their spelling, and `Scripts` is the scripts folder.
    pub fn data(self, path: &TreePath) -> TreePath {
        const OWN: [&str; 5] = ["Lib", "DLLs", "libs", "include", "tcl"];
        let Some((first, rest)) = path.as_str().split_once('/').filter(|_| self.platform.is_windows()) else {
            return path.clone();
        };
        if ["Scripts", "bin"].iter().any(|name| first.eq_ignore_ascii_case(name)) {
            return self.scripts().join(&tree_path(rest));
        }
        match OWN.iter().find(|own| first.eq_ignore_ascii_case(own)) {
            Some(own) => tree_path(&format!("{own}/{rest}")),
            None => path.clone(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_files_go_into_the_folders_that_the_tree_has() {
        let cases = [
            // (path below .data/data, on Linux, on Windows)
            ("share/doc/x.txt", "share/doc/x.txt", "share/doc/x.txt"),
            ("Scripts/x.dll", "Scripts/x.dll", "bin/x.dll"),
            ("lib/site-packages/x.pth", "lib/site-packages/x.pth", "Lib/site-packages/x.pth"),
            ("Library/bin/x.dll", "Library/bin/x.dll", "Library/bin/x.dll"),
            ("lib", "lib", "lib"),
        ];
        for (path, linux, windows) in cases {
            let at = |platform| {
                let layout = TreeLayout { platform, python: "3.12.10".parse().expect("a version") };
                layout.data(&tree_path(path)).to_string()
            };
            assert_eq!(at(PlatformKey::LinuxX64), linux, "for {path}");
            assert_eq!(at(PlatformKey::WindowsX64), windows, "for {path}");
        }
    }
}

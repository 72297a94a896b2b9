//! Where files lie in a prefix, by platform and Python version. The only place that knows `lib/python3.12`.

use crate::{PlatformKey, PythonVersion, TreePath};

/// The folders of one runtime, relative to its prefix.
///
/// ```
/// let python = "3.12.10".parse()?;
/// let linux = vocab::TreeLayout { platform: vocab::PlatformKey::LinuxX64, python };
/// assert_eq!(linux.site_packages().as_str(), "lib/python3.12/site-packages");
/// let windows = vocab::TreeLayout { platform: vocab::PlatformKey::WindowsX64, python };
/// assert_eq!(windows.interpreter().as_str(), "python.exe");
/// # Ok::<(), vocab::VersionStringError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeLayout {
    pub platform: PlatformKey,
    pub python: PythonVersion,
}

/// Where Python looks for modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModuleFolder {
    /// `lib/python3.12`, `Lib` on Windows
    StandardLibrary,
    /// `site-packages`
    Site,
}

/// What Windows, or a shell there, starts by its name.
const SCRIPT_ENDINGS: [&str; 8] = [".exe", ".com", ".bat", ".cmd", ".ps1", ".py", ".pyw", ".sh"];

impl TreeLayout {
    /// `bin/python3.12`; on Windows `python.exe` at the root, where tools look for it.
    pub fn interpreter(self) -> TreePath {
        if self.platform.is_windows() {
            tree_path("python.exe")
        } else {
            tree_path(&format!("bin/python{}", self.python.minor_version()))
        }
    }

    /// Where installers put scripts, as Python's `sysconfig` defines it.
    pub fn scripts(self) -> TreePath {
        tree_path(if self.platform.is_windows() { "Scripts" } else { "bin" })
    }

    /// The one folder that users put on `PATH`: it has the interpreter and every script on every platform.
    pub fn bin(self) -> TreePath {
        tree_path("bin")
    }

    /// Whether `path` is the scripts folder, [`bin`](Self::bin), in one of them, or beside the interpreter: users start
    /// programs there.
    pub fn is_among_programs(self, path: &TreePath) -> bool {
        let beside = path.parent() == self.interpreter().parent();
        beside || path.starts_with(&self.scripts()) || path.starts_with(&self.bin())
    }

    /// On Windows, the file in `bin` that stands in for `path`: programs and scripts of the scripts folder may have one
    /// that starts them, and libraries beside the interpreter have a copy for the interpreter in `bin`. No `RECORD`
    /// lists it; it belongs to the distribution that owns `path`.
    pub fn stand_in(self, path: &TreePath) -> Option<TreePath> {
        if !self.platform.is_windows() {
            return None;
        }
        let name = path.file_name().to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        let rest = match path.as_str().split_once('/') {
            // Without an extension it may be a shell script, depending on its content.
            Some(("Scripts", rest)) if ends(&SCRIPT_ENDINGS) || !name.contains('.') => rest,
            None if ends(&[".dll"]) => path.as_str(),
            _ => return None,
        };
        Some(self.bin().join(&tree_path(rest)))
    }

    /// The standard library: `lib/python3.12`, `Lib` on Windows.
    pub fn stdlib(self) -> TreePath {
        if self.platform.is_windows() {
            tree_path("Lib")
        } else {
            tree_path(&format!("lib/python{}", self.python.minor_version()))
        }
    }

    /// `lib/python3.12/site-packages`, on Windows `Lib/site-packages`. Pure and native wheels share it (purelib is
    /// platlib).
    pub fn site_packages(self) -> TreePath {
        self.stdlib().join(&tree_path("site-packages"))
    }

    /// Where the file `path` of a wheel's `.data/data` goes. On Windows, where names that differ only in case are the
    /// same, the tree's own folders keep their spelling.
    pub fn data(self, path: &TreePath) -> TreePath {
        const OWN: [&str; 7] = ["Lib", "DLLs", "Scripts", "bin", "libs", "include", "tcl"];
        let Some((first, rest)) = path.as_str().split_once('/').filter(|_| self.platform.is_windows()) else {
            return path.clone();
        };
        match OWN.iter().find(|own| first.eq_ignore_ascii_case(own)) {
            Some(own) => tree_path(&format!("{own}/{rest}")),
            None => path.clone(),
        }
    }

    /// Whether the interpreter is started through this path, or finds its library through this file: a distribution
    /// that installs it decides which interpreter runs. Not every such file exists in every tree.
    pub fn starts_interpreter(self, path: &TreePath) -> bool {
        // Only Windows and macOS treat `Python` as `python`; elsewhere the difference helps nobody.
        let path = path.as_str().to_lowercase();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let is = |place: &TreePath| place.as_str().eq_ignore_ascii_case(folder);
        let beside =
            is(&self.scripts()) || is(&self.bin()) || self.interpreter().parent().is_some_and(|place| is(&place));
        let library = format!("python{}{}.zip", self.python.major, self.python.minor);
        let library_place = if self.platform.is_windows() { beside } else { folder == "lib" };
        name == "pyvenv.cfg" && (beside || folder.is_empty())
            || name == library && library_place
            || beside && (name.ends_with("._pth") || self.names_interpreter(name))
    }

    /// `python`, `python3`, `python3.12` and the same with `pythonw`, with any extension that makes a program of it on
    /// some system.
    fn names_interpreter(self, name: &str) -> bool {
        const ENDINGS: [&str; 6] = [".exe", ".com", ".bat", ".cmd", ".py", ".pyw"];
        let mut stem = name;
        while let Some(shorter) = ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending)) {
            stem = shorter;
        }
        let Some(rest) = stem.strip_prefix("python") else { return false };
        let number = rest.strip_prefix('w').unwrap_or(rest);
        number.is_empty() || number == self.python.major.to_string() || number == self.python.minor_version()
    }

    /// The top-level module that `path` belongs to, under the name that Python imports, and the folder it is in: `json`
    /// for `lib/python3.12/json/decoder.py` and for `lib/python3.12/json.abi3.so`. `None` outside of the module
    /// folders.
    pub fn top_level_module(self, path: &TreePath) -> Option<(ModuleFolder, &str)> {
        use ModuleFolder::{Site, StandardLibrary};
        let mut folders = vec![(Site, self.site_packages()), (StandardLibrary, self.stdlib())];
        if self.platform.is_windows() {
            folders.push((StandardLibrary, tree_path("DLLs")));
        }
        let text = path.as_str();
        folders.into_iter().find_map(|(kind, folder)| {
            let (start, rest) = text.split_at_checked(folder.as_str().len())?;
            let rest = rest.strip_prefix('/').filter(|_| start.eq_ignore_ascii_case(folder.as_str()))?;
            Some((kind, rest.split(['/', '.']).next()?))
        })
    }

    /// Where a wheel's `.data/headers` go; each distribution has its own folder there.
    pub fn headers(self) -> TreePath {
        if self.platform.is_windows() {
            tree_path("include")
        } else {
            tree_path(&format!("include/python{}", self.python.minor_version()))
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
    fn what_starts_the_interpreter_is_known_whatever_its_ending_and_case() {
        let cases = [
            // (path, on Linux, on Windows)
            ("bin/python", true, true),
            ("bin/python3", true, true),
            ("bin/python3.12", true, true),
            ("bin/python3.11", false, false),
            ("bin/python3.12-config", false, false),
            ("bin/Python", true, true),
            ("bin/pythonw.exe", true, true),
            ("bin/python.exe.exe", true, true),
            ("bin/python3.py", true, true),
            ("bin/python.com", true, true),
            ("bin/pythonic", false, false),
            ("bin/sub/python", false, false),
            ("share/python", false, false),
            ("pyvenv.cfg", true, true),
            ("bin/pyvenv.cfg", true, true),
            ("share/pyvenv.cfg", false, false),
            ("lib/python312.zip", true, false),
            ("python312.zip", false, true),
            ("bin/python312._pth", true, true),
            ("python.exe", false, true),
            ("scripts/python3.exe", false, true),
            ("python.exe/x", false, false),
        ];
        for (path, linux, windows) in cases {
            for (platform, expected) in [(PlatformKey::LinuxX64, linux), (PlatformKey::WindowsX64, windows)] {
                let layout = TreeLayout { platform, python: "3.12.10".parse().expect("a version") };
                assert_eq!(layout.starts_interpreter(&tree_path(path)), expected, "for {path} on {platform}");
            }
        }
    }

    #[test]
    fn a_module_is_named_by_what_python_would_import() {
        use ModuleFolder::{Site, StandardLibrary};
        let cases = [
            // (path, on Linux, on Windows)
            ("lib/python3.12/json/decoder.py", Some((StandardLibrary, "json")), Some((StandardLibrary, "python3"))),
            ("lib/python3.12/json.abi3.so", Some((StandardLibrary, "json")), Some((StandardLibrary, "python3"))),
            ("lib/python3.12/site-packages/pip/x.py", Some((Site, "pip")), Some((StandardLibrary, "python3"))),
            ("Lib/json/x.py", None, Some((StandardLibrary, "json"))),
            ("DLLs/json.pyd", None, Some((StandardLibrary, "json"))),
            ("lib/site-packages/pip.py", None, Some((Site, "pip"))),
            ("lib/libx.so", None, Some((StandardLibrary, "libx"))),
            ("share/json.py", None, None),
        ];
        for (path, linux, windows) in cases {
            for (platform, expected) in [(PlatformKey::LinuxX64, linux), (PlatformKey::WindowsX64, windows)] {
                let layout = TreeLayout { platform, python: "3.12.10".parse().expect("a version") };
                assert_eq!(layout.top_level_module(&tree_path(path)), expected, "for {path} on {platform}");
            }
        }
    }

    #[test]
    fn data_files_go_into_the_folders_that_the_tree_has() {
        let cases = [
            // (path below .data/data, on Linux, on Windows)
            ("share/doc/x.txt", "share/doc/x.txt", "share/doc/x.txt"),
            ("scripts/x.dll", "scripts/x.dll", "Scripts/x.dll"),
            ("Bin/x.exe", "Bin/x.exe", "bin/x.exe"),
            ("x.dll", "x.dll", "x.dll"),
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

    #[test]
    fn programs_stand_in_the_folders_for_path_and_beside_the_interpreter() {
        let cases = [
            // (path, on Linux, on Windows)
            ("bin/tool", true, true),
            ("bin/sub/tool", true, true),
            ("python.exe", false, true),
            ("Scripts/tool.exe", false, true),
            ("binary/tool", false, false),
            ("Lib/site-packages/pip/t64.exe", false, false),
        ];
        for (path, linux, windows) in cases {
            for (platform, expected) in [(PlatformKey::LinuxX64, linux), (PlatformKey::WindowsX64, windows)] {
                let layout = TreeLayout { platform, python: "3.12.10".parse().expect("a version") };
                assert_eq!(layout.is_among_programs(&tree_path(path)), expected, "for {path} on {platform}");
            }
        }
    }

    #[test]
    fn bin_has_something_for_programs_and_for_libraries_beside_the_interpreter() {
        let cases = [
            // (path, on Windows)
            ("Scripts/idna.exe", Some("bin/idna.exe")),
            ("Scripts/sub/Tool.EXE", Some("bin/sub/Tool.EXE")),
            ("Scripts/x.bat", Some("bin/x.bat")),
            ("Scripts/x.dll", None),
            ("Scripts/x.py", Some("bin/x.py")),
            ("Scripts/x.PS1", Some("bin/x.PS1")),
            ("Scripts/x", Some("bin/x")),
            ("Scripts/x.json", None),
            ("msvcp140.dll", Some("bin/msvcp140.dll")),
            ("LICENSE.txt", None),
            ("DLLs/x.dll", None),
            ("bin/x.exe", None),
        ];
        for (path, expected) in cases {
            let stand_in = |platform| {
                let layout = TreeLayout { platform, python: "3.12.10".parse().expect("a version") };
                layout.stand_in(&tree_path(path))
            };
            assert_eq!(stand_in(PlatformKey::WindowsX64), expected.map(tree_path), "for {path}");
            assert_eq!(stand_in(PlatformKey::LinuxX64), None, "for {path}");
        }
    }
}

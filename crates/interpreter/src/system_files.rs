//! Which files of an installed CPython are CPython's own and worth having.

use std::fs;
use std::path::{Path, PathBuf};

use vocab::TreePath;

use super::disk::{Result, at, entries, name_of};
use super::request::SystemPython;

/// Folders of the standard library that hold tests or foreign distributions, by their path below it.
const LEFT_FOLDERS: [&str; 2] = ["site-packages", "test"];
/// Folder names that mean tests wherever they are.
const TEST_FOLDERS: [&str; 4] = ["__pycache__", "idle_test", "test", "tests"];
/// Extension modules for CPython's own tests and examples, and `nis`, which needs the libraries of a service that
/// only a machine set up for it has.
const LEFT_EXTENSIONS: [&str; 6] = ["_ctypes_test", "_xxtestfuzz", "nis", "xxlimited", "xxlimited_35", "xxsubtype"];
/// Extension modules that programs do without: databases of the dbm family, password hashing.
const OPTIONAL_EXTENSIONS: [&str; 3] = ["_crypt", "_dbm", "_gdbm"];

/// One file or link of the installation.
#[derive(Clone, Debug)]
pub(super) struct TakenFile {
    pub(super) source: PathBuf,
    pub(super) path: TreePath,
    /// Relative, for a symbolic link to a neighbour.
    pub(super) link: Option<String>,
}

/// Whether an extension module may be left out if one of its libraries cannot be found.
pub(super) fn is_optional(file_name: &str) -> bool {
    OPTIONAL_EXTENSIONS.contains(&module_of(file_name))
}

/// `_ssl` of `_ssl.cpython-312-x86_64-linux-gnu.so`.
fn module_of(file_name: &str) -> &str {
    file_name.split('.').next().unwrap_or(file_name)
}

/// Everything to take, sorted by path. No file is read.
pub(super) fn taken(python: &SystemPython) -> Result<Vec<TakenFile>> {
    let minor = python.version.minor_version();
    let mut listing = SystemListing { prefix: &python.prefix, taken: Vec::new(), real_folder: None };
    for path in entries(&python.prefix.join("bin"))? {
        if is_own_program(&name_of(&path), &minor) {
            listing.take_found(&path)?;
        }
    }
    listing.take_all(&python.prefix.join("include").join(format!("python{minor}")), &|_, _| true)?;
    let lib = python.prefix.join("lib");
    let has_tcl = entries(&lib)?.iter().any(|path| path.is_dir() && name_of(path).starts_with("tcl"));
    for path in entries(&lib)? {
        let name = name_of(&path);
        let is_folder = path.is_dir();
        if !is_folder && (name.starts_with(&format!("libpython{minor}.so")) || name == "libpython3.so") {
            listing.take_found(&path)?;
        } else if is_folder && ["tcl", "tk", "itcl", "thread"].iter().any(|part| name.starts_with(part)) && has_tcl {
            // Trees of python-build-standalone, as uv installs them, bring their own Tcl.
            listing.take_all(&path, &|_, _| true)?;
        }
    }
    for path in entries(&lib.join("pkgconfig"))? {
        if name_of(&path).starts_with(&format!("python-{minor}")) || name_of(&path).starts_with("python3") {
            listing.take_found(&path)?;
        }
    }
    let stdlib = lib.join(format!("python{minor}"));
    listing.take_all(&stdlib, &|path, is_folder| is_library_file(path, is_folder, has_tcl))?;
    listing.take_all(&python.prefix.join("share").join("terminfo"), &|_, _| true)?;
    listing.taken.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(listing.taken)
}

/// `python`, `python3` and `python3.X` with their `-config`, and the scripts of the standard library. pip's are made
/// anew.
fn is_own_program(name: &str, minor: &str) -> bool {
    let Some(stem) = ["python", "pydoc", "idle", "2to3"].into_iter().find_map(|stem| name.strip_prefix(stem)) else {
        return false;
    };
    let version = stem.strip_suffix("-config").unwrap_or(stem).trim_start_matches('-');
    ["", "3", minor].contains(&version)
}

/// `path` is below the standard library.
fn is_library_file(path: &TreePath, is_folder: bool, has_tcl: bool) -> bool {
    let name = path.file_name();
    if is_folder {
        return !(LEFT_FOLDERS.contains(&path.as_str()) || TEST_FOLDERS.contains(&name));
    }
    let extension_module = path.segments().next() == Some("lib-dynload");
    let module = module_of(name);
    let left = extension_module
        && (LEFT_EXTENSIONS.contains(&module)
            || module.starts_with("_test")
            // Without Tcl's own scripts, which are elsewhere on this machine, it does not start.
            || (module == "_tkinter" && !has_tcl));
    let static_library = name.ends_with(".a") || (name.ends_with(".o") && name.starts_with("python"));
    !left && !static_library && !name.ends_with(".pyc") && name != "EXTERNALLY-MANAGED"
}

struct SystemListing<'a> {
    prefix: &'a Path,
    taken: Vec<TakenFile>,
    /// The folder looked at last, as it is named and as it is.
    real_folder: Option<(PathBuf, PathBuf)>,
}

impl SystemListing<'_> {
    /// Everything below `folder` that `wanted` (path below it, whether a folder) lets through.
    fn take_all(&mut self, folder: &Path, wanted: &dyn Fn(&TreePath, bool) -> bool) -> Result<()> {
        let mut pending: Vec<PathBuf> = entries(folder)?;
        while let Some(path) = pending.pop() {
            let Some(below) = TreePath::relative(&path, folder) else { continue };
            let found = fs::symlink_metadata(&path).map_err(at("look at", &path))?;
            if found.is_dir() {
                if wanted(&below, true) {
                    pending.extend(entries(&path)?);
                }
            } else if wanted(&below, false) {
                self.take(&path, &found)?;
            }
        }
        Ok(())
    }

    fn take_found(&mut self, source: &Path) -> Result<()> {
        let found = fs::symlink_metadata(source).map_err(at("look at", source))?;
        self.take(source, &found)
    }

    /// Links to a neighbour stay links; others, inside or outside, are taken as what they lead to. Dangling links,
    /// links to folders, sockets and the like are skipped.
    fn take(&mut self, source: &Path, found: &fs::Metadata) -> Result<()> {
        let Some(path) = TreePath::relative(source, self.prefix) else { return Ok(()) };
        if found.is_file() {
            let source = self.real_folder(source)?.join(path.file_name());
            self.taken.push(TakenFile { source, path, link: None });
        } else if found.is_symlink() && source.is_file() {
            let target = fs::read_link(source).map_err(at("look at", source))?;
            let neighbour = target.to_str().filter(|target| !target.contains('/'));
            let link = neighbour.map(str::to_owned);
            let source = match link {
                Some(_) => path.below(self.prefix),
                None => fs::canonicalize(source).map_err(at("look at", source))?,
            };
            self.taken.push(TakenFile { source, path, link });
        }
        Ok(())
    }

    /// The folder of `source` without links. Resolved once for each folder: an interpreter has thousands of files,
    /// and this runs in every build.
    fn real_folder(&mut self, source: &Path) -> Result<PathBuf> {
        let folder = source.parent().unwrap_or(self.prefix);
        if let Some((known, real)) = &self.real_folder
            && known == folder
        {
            return Ok(real.clone());
        }
        let real = fs::canonicalize(folder).map_err(at("look at", folder))?;
        self.real_folder = Some((folder.to_owned(), real.clone()));
        Ok(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cpythons_own_files_are_taken() {
        let cases = [
            // (path below the standard library, taken)
            ("os.py", true),
            ("unittest/mock.py", true),
            ("lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so", true),
            ("lib-dynload/_testcapi.cpython-312-x86_64-linux-gnu.so", false),
            ("lib-dynload/_tkinter.cpython-312-x86_64-linux-gnu.so", false),
            ("lib-dynload/nis.cpython-312-x86_64-linux-gnu.so", false),
            ("config-3.12-x86_64-linux-gnu/libpython3.12.a", false),
            ("config-3.12-x86_64-linux-gnu/Makefile", true),
        ];
        for (path, is_taken) in cases {
            assert_eq!(is_library_file(&path.parse().unwrap(), false, false), is_taken, "for {path}");
        }
        for folder in ["site-packages", "test", "idlelib/idle_test", "lib2to3/tests", "__pycache__"] {
            assert!(!is_library_file(&folder.parse().unwrap(), true, false), "for {folder}");
        }
        for (program, own) in [
            ("python", true),
            ("python3.12", true),
            ("python3.12-config", true),
            ("2to3-3.12", true),
            ("pydoc3", true),
            ("python3.11", false),
            ("python3.12-gdb.py", false),
            ("pip", false),
            ("pytest", false),
        ] {
            assert_eq!(is_own_program(program, "3.12"), own, "for {program}");
        }
    }
}

//! Brings a tree of any source into the one shape that a base interpreter has here.

use std::path::Path;

use super::build_settings::settle_build_settings;
use super::disk::{Result, at, create_folder, entries, name_of, remove, rename, set_executable, walk};
use super::paths_in_text::OldPrefix;
use super::records::settle_records;
use super::request::SystemPython;
use super::scripts::settle_scripts;
use super::upstream_libraries::settle_upstream_libraries;
use vocab::TreeLayout;

/// Absolute folders that the tree's text files still name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BuildPaths {
    /// Longest first, where one holds another.
    pub(super) prefixes: Vec<OldPrefix>,
    /// Where it was compiled.
    pub(super) compiled_in: Vec<OldPrefix>,
}

impl BuildPaths {
    /// Of every tree of python-build-standalone.
    pub(super) fn standalone() -> Self {
        Self { prefixes: vec![OldPrefix::new("/install")], compiled_in: Vec::new() }
    }

    pub(super) fn of(python: &SystemPython) -> Self {
        let mut prefixes = vec![python.prefix.to_string_lossy().into_owned(), python.built_for.clone()];
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        prefixes.dedup();
        Self {
            prefixes: prefixes.iter().map(|prefix| OldPrefix::new(prefix)).collect(),
            compiled_in: python.built_in.iter().map(|folder| OldPrefix::new(folder)).collect(),
        }
    }
}

/// Works on the tree in place.
pub(super) fn normalise(tree: &Path, layout: TreeLayout, paths: &BuildPaths) -> Result<()> {
    if layout.platform.is_windows() {
        settle_windows(tree)?;
    }
    drop_useless(tree, layout)?;
    settle_upstream_libraries(tree, layout)?;
    if !layout.platform.is_windows() {
        settle_build_settings(tree, layout, paths)?;
        settle_scripts(tree, layout, &paths.prefixes)?;
    }
    settle_records(tree, layout)?;
    settle_modes(tree)
}

/// The programs and the libraries that they load from their own folder go to `bin/`, so that `bin/` is the folder of
/// the interpreter on every platform. CPython looks upwards from its program for `Lib\os.py` and finds the rest.
fn settle_windows(tree: &Path) -> Result<()> {
    let bin = tree.join("bin");
    create_folder(&bin)?;
    for path in entries(tree)? {
        let name = name_of(&path).to_ascii_lowercase();
        let library = (name.starts_with("python3") || name.starts_with("vcruntime")) && name.ends_with(".dll");
        let program = name.starts_with("python") && name.ends_with(".exe");
        if path.is_file() && (library || program) {
            rename(&path, &bin.join(name))?;
        }
    }
    // Launchers of upstream hold the path of the folder they were made in.
    remove(&tree.join("Scripts"))
}

/// Bytecode (its content depends on times), the mark by which distributions forbid pip to install, and what only
/// the building of CPython itself needs.
fn drop_useless(tree: &Path, layout: TreeLayout) -> Result<()> {
    for entry in walk(tree)? {
        let name = entry.file_name().to_string_lossy();
        let bytecode = entry.file_type().is_dir() && name == "__pycache__";
        let stray_bytecode = entry.file_type().is_file() && name.ends_with(".pyc");
        if bytecode || stray_bytecode {
            remove(entry.path())?;
        }
    }
    remove(&layout.stdlib().below(tree).join("EXTERNALLY-MANAGED"))
}

/// 0755 for folders and what may be executed, 0644 for everything else.
fn settle_modes(tree: &Path) -> Result<()> {
    for entry in walk(tree)? {
        if entry.file_type().is_dir() {
            set_executable(entry.path(), true)?;
        } else if entry.file_type().is_file() {
            let executable = super::disk::is_executable(entry.path());
            set_executable(entry.path(), executable)?;
        }
    }
    std::fs::metadata(tree).map_err(at("look at", tree))?;
    set_executable(tree, true)
}

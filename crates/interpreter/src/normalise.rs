//! Brings a tree of any source into the one shape that a base interpreter has here.

use std::path::Path;

use super::build_settings::{BuildPaths, settle_build_settings};
use super::certificates::settle_certificates;
use super::disk::{CopiedLinks, Result, at, remove, set_executable, walk};
use super::mach_o::settle_install_names;
use super::programs::is_program;
use super::records::settle_records;
use super::scripts::settle_scripts;
use super::upstream_libraries::settle_upstream_libraries;
use super::windows::settle_windows;
use vocab::{Os, TreeLayout};

/// Works on the tree in place. `links` are those that this system does not make.
pub(super) fn normalise(tree: &Path, layout: TreeLayout, paths: &BuildPaths, links: &mut CopiedLinks) -> Result<()> {
    if layout.platform.is_windows() {
        settle_windows(tree, layout)?;
        // Copies are wanted there.
        links.clear();
    }
    drop_useless(tree, layout)?;
    settle_upstream_libraries(tree, layout)?;
    if !layout.platform.is_windows() {
        settle_build_settings(tree, layout, paths)?;
        settle_scripts(tree, layout, &paths.prefixes, links)?;
    }
    if layout.platform.os() == Os::Macos {
        settle_install_names(tree)?;
    }
    settle_certificates(tree, layout)?;
    settle_records(tree, layout)?;
    settle_modes(tree, layout)
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

/// 0755 for folders and programs, 0644 for everything else: decided by paths and first bytes, and so the same on a
/// host that keeps no modes.
fn settle_modes(tree: &Path, layout: TreeLayout) -> Result<()> {
    for entry in walk(tree)? {
        if entry.file_type().is_dir() {
            set_executable(entry.path(), true)?;
        } else if entry.file_type().is_file() {
            set_executable(entry.path(), is_program(entry.path(), tree, layout)?)?;
        }
    }
    std::fs::metadata(tree).map_err(at("look at", tree))?;
    set_executable(tree, true)
}

//! Files that are named like extension modules and cannot be imported as such: files that are not binaries of the
//! system, and modules for other Pythons only. Imports show this too, where they are run; elsewhere only this check
//! does.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{Os, TreeLayout, TreePath};

use super::ReadFile;
use super::facts::{BinaryFacts, NativeBinary};
use super::fault::NativeFaultKind;
use crate::module_name::{is_test_helper, module_name_of};

/// What is wrong with a module's file.
pub(crate) struct ModuleFault {
    pub path: TreePath,
    pub kind: NativeFaultKind,
    /// Python takes the file, and fails.
    pub is_taken: bool,
}

/// Faults among all files of a prefix, sorted by path; `binaries` are those that could be read as such. A module with
/// one right file has no fault: wheels may serve several Pythons or systems.
pub(crate) fn faults(paths: &BTreeSet<TreePath>, binaries: &[ReadFile], layout: TreeLayout) -> Vec<ModuleFault> {
    let os = layout.platform.os();
    let binary_of = |path: &TreePath| {
        let place = binaries.binary_search_by(|(other, _)| other.cmp(path)).ok()?;
        Some(&binaries[place].1)
    };
    let mut modules: BTreeMap<String, Vec<(&TreePath, ModuleTag)>> = BTreeMap::new();
    for path in paths {
        if let Some((module, tag)) = module_of(path, layout) {
            modules.entry(module).or_default().push((path, tag));
        }
    }
    let mut faults = Vec::new();
    for files in modules.into_values() {
        // A damaged binary has a fault of its own.
        let is_right = |path: &TreePath| binary_of(path).is_some_and(|it| it.as_ref().map_or(true, |it| it.os == os));
        let fits = |tag: &ModuleTag| !matches!(tag, ModuleTag::Other(_));
        if files.iter().any(|(path, tag)| fits(tag) && is_right(path)) {
            continue;
        }
        let is_taken = |path: &TreePath, tag: &ModuleTag| match tag {
            ModuleTag::Own => true,
            ModuleTag::None => {
                is_in_package(path, paths) && is_no_library(path, binary_of(path).and_then(|it| it.as_ref().ok()))
            }
            ModuleTag::Other(_) => false,
        };
        let taken = files.iter().filter(|(path, tag)| is_taken(path, tag)).map(|(path, _)| ModuleFault {
            path: (*path).clone(),
            kind: NativeFaultKind::NotABinary { system: name_of(os).to_owned() },
            is_taken: true,
        });
        let before = faults.len();
        faults.extend(taken);
        let has_fallback = files.iter().any(|(path, tag)| fits(tag) || has_python_code(path, paths));
        if let Some((path, ModuleTag::Other(tag))) = files.first().filter(|_| faults.len() == before && !has_fallback) {
            let kind = NativeFaultKind::OtherPython { tag: tag.clone() };
            faults.push(ModuleFault { path: (*path).clone(), kind, is_taken: false });
        }
    }
    faults.sort_by(|one, other| one.path.cmp(&other.path));
    faults
}

/// Which Python a module's file is for, by its name.
enum ModuleTag {
    /// For this Python on this system.
    Own,
    /// `core.so`, which may also be a library or data.
    None,
    Other(String),
}

fn module_of(path: &TreePath, layout: TreeLayout) -> Option<(String, ModuleTag)> {
    let ending = if layout.platform.is_windows() { ".pyd" } else { ".so" };
    let stem = path.as_str().strip_suffix(ending)?;
    let tagged = stem.rsplit_once('.').filter(|(_, tag)| is_tag(tag));
    let plain = format!("{}{ending}", tagged.map_or(stem, |(rest, _)| rest)).parse().ok()?;
    let module = module_name_of(&plain, layout).filter(|module| !is_test_helper(module))?;
    let tag = match tagged {
        None => ModuleTag::None,
        Some((_, tag)) if module_name_of(path, layout).is_some() && is_of_system(tag, layout.platform.os()) => {
            ModuleTag::Own
        }
        Some((_, tag)) => ModuleTag::Other(tag.to_owned()),
    };
    Some((module, tag))
}

fn is_tag(text: &str) -> bool {
    let is_numbered = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    !text.contains('/')
        && (["cpython-", "pypy", "abi3"].iter().any(|start| text.starts_with(start))
            || text.strip_prefix("cp").is_some_and(is_numbered))
}

/// `cpython-312-darwin`, `cp312-win_amd64`; a tag may name no system.
fn is_of_system(tag: &str, os: Os) -> bool {
    let rest = tag.strip_prefix("cpython-").unwrap_or(tag);
    match (rest.split_once('-'), os) {
        (None, _) => true,
        (Some((_, system)), Os::Linux) => system.contains("linux"),
        (Some((_, system)), Os::Macos) => system.contains("darwin"),
        (Some((_, system)), Os::Windows) => system.starts_with("win"),
    }
}

/// Whether the folder is a package, or site-packages itself. Others hold data, most often.
fn is_in_package(path: &TreePath, paths: &BTreeSet<TreePath>) -> bool {
    let folder = path.parent().unwrap_or_default();
    folder.file_name() == "site-packages" || has(&folder, "__init__.py", paths)
}

/// Whether a file without a tag can be nothing but a module. Libraries and their linker scripts also end in `.so`; a
/// binary of another system is recognised by the function that Python calls.
fn is_no_library(path: &TreePath, binary: Option<&NativeBinary>) -> bool {
    match binary.map(|binary| &binary.facts) {
        _ if path.as_str().ends_with(".pyd") => true,
        Some(BinaryFacts::Elf(facts)) => facts.defines == Some(true),
        Some(_) => false,
        None => !path.file_name().starts_with("lib"),
    }
}

/// `core.py` or `core/__init__.py`, which Python takes where no file of `core` fits.
fn has_python_code(path: &TreePath, paths: &BTreeSet<TreePath>) -> bool {
    let name = path.file_name().split('.').next().unwrap_or_default();
    let folder = path.parent().unwrap_or_default();
    has(&folder, &format!("{name}.py"), paths) || has(&folder, &format!("{name}/__init__.py"), paths)
}

fn has(folder: &TreePath, rest: &str, paths: &BTreeSet<TreePath>) -> bool {
    rest.parse().is_ok_and(|rest| paths.contains(&folder.join(&rest)))
}

fn name_of(os: Os) -> &'static str {
    match os {
        Os::Linux => "Linux",
        Os::Macos => "macOS",
        Os::Windows => "Windows",
    }
}

//! What trees of python-build-standalone carry from their own build: search paths of the machine they were made on,
//! and, in trimmed trees, a `libpython3.so` without the library that it forwards to.

use std::path::Path;

use vocab::{Os, TreePath};

use super::disk::{Result, at, entries, name_of, read, remove, walk, write};
use super::elf::{is_elf, parse, set_search_path};
use super::system_copy::relative_search_path;
use vocab::TreeLayout;

/// Linux alone: elsewhere library names are settled differently.
pub(super) fn settle_upstream_libraries(tree: &Path, layout: TreeLayout) -> Result<()> {
    if layout.platform.os() != Os::Linux {
        return Ok(());
    }
    let lib = tree.join("lib");
    let real = format!("libpython{}.so.1.0", layout.python.minor_version());
    if !lib.join(&real).exists() {
        for path in entries(&lib)? {
            let name = name_of(&path);
            if name.starts_with("libpython") && name.contains(".so") {
                remove(&path)?;
            }
        }
    }
    for entry in walk(tree)?.iter().filter(|entry| entry.file_type().is_file()) {
        let path = TreePath::relative(entry.path(), tree);
        let Some(path) = path.filter(|path| path.file_name().contains(".so")) else { continue };
        let mut bytes = read(entry.path())?;
        if !is_elf(&bytes) {
            continue;
        }
        // A file that this cannot read or rewrite is left to the check of the finished prefix, which names it.
        let Ok(elf) = parse(&bytes) else { continue };
        let foreign = elf.search.iter().any(|folder| folder.starts_with('/'));
        if foreign && set_search_path(&mut bytes, &relative_search_path(&path)).is_ok() {
            let mode = std::fs::metadata(entry.path()).map_err(at("look at", entry.path()))?.permissions();
            write(entry.path(), &bytes)?;
            std::fs::set_permissions(entry.path(), mode).map_err(at("write", entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_stand_in_for_a_library_that_was_trimmed_goes() {
        let tree = tempfile::tempdir().unwrap();
        let lib = tree.path().join("lib");
        fs::create_dir(&lib).unwrap();
        let layout = TreeLayout { platform: vocab::PlatformKey::LinuxX64, python: "3.14.6".parse().unwrap() };
        fs::write(lib.join("libpython3.so"), "").unwrap();
        fs::write(lib.join("libtcl9.0.so"), "").unwrap();
        settle_upstream_libraries(tree.path(), layout).unwrap();
        assert!(!lib.join("libpython3.so").exists() && lib.join("libtcl9.0.so").exists());

        for name in ["libpython3.so", "libpython3.14.so.1.0"] {
            fs::write(lib.join(name), "").unwrap();
        }
        settle_upstream_libraries(tree.path(), layout).unwrap();
        assert!(lib.join("libpython3.so").exists());
    }
}

//! What a finished tree holds: its own version, and which parts of a usual CPython it lacks.

use std::fs::File;
use std::path::Path;

use vocab::TreePath;
use zip::ZipArchive;

use super::certificates;
use super::disk::{Result, entries, name_of, read};
use vocab::TreeLayout;

/// The file by which CPython itself recognises its standard library.
pub(super) fn landmark(layout: TreeLayout) -> TreePath {
    below(&layout.stdlib(), "os.py")
}

/// The release noted in the tree's headers or build details, as text. `None` when it has neither.
pub(super) fn version_in(tree: &Path, layout: TreeLayout) -> Result<Option<String>> {
    // Another minor version has its headers in another folder.
    let mut headers = vec![layout.headers().below(tree)];
    if !layout.platform.is_windows() {
        let others = entries(&tree.join("include"))?;
        headers.extend(others.into_iter().filter(|folder| name_of(folder).starts_with("python3.")));
    }
    for folder in headers {
        let header = folder.join("patchlevel.h");
        if header.is_file() {
            return Ok(defined_version(&String::from_utf8_lossy(&read(&header)?)));
        }
    }
    let details = below(&layout.stdlib(), "build-details.json").below(tree);
    if details.is_file() {
        let details: Option<serde_json::Value> = serde_json::from_slice(&read(&details)?).ok();
        return Ok(details.as_ref().and_then(detailed_version));
    }
    Ok(None)
}

/// The value of `PY_VERSION` in `patchlevel.h`.
fn defined_version(header: &str) -> Option<String> {
    let line = header.lines().find_map(|line| line.trim().strip_prefix("#define PY_VERSION "))?;
    line.trim().strip_prefix('"')?.split('"').next().map(str::to_owned)
}

/// The version in `build-details.json` (PEP 739).
fn detailed_version(details: &serde_json::Value) -> Option<String> {
    let part = |name| details.pointer(&format!("/language/version_info/{name}"))?.as_u64();
    Some(format!("{}.{}.{}", part("major")?, part("minor")?, part("micro")?))
}

/// Sorted names of parts that the files show to be missing: `certificates`, `ensurepip`, `headers`, `idlelib`,
/// `lib2to3`, `terminfo`, `test`, `tkinter`. [`super::trial`] finds others where the tree runs.
///
/// `ensurepip` is absent as well where a small one of ours takes its place, which lets `-m venv` work but cannot
/// bring a pip that the tree does not have.
pub(super) fn absent_parts(tree: &Path, layout: TreeLayout) -> Vec<String> {
    let stdlib = layout.stdlib().below(tree);
    let headers = layout.headers().below(tree);
    let mut absent = Vec::new();
    let mut expect = |name: &str, there: bool| {
        if !there {
            absent.push(name.to_owned());
        }
    };
    expect("certificates", certificates::are_there(tree, layout));
    expect("ensurepip", stdlib.join("ensurepip").join("_bundled").is_dir());
    expect("headers", headers.join("Python.h").is_file());
    expect("idlelib", stdlib.join("idlelib").is_dir());
    if layout.python.minor < 13 {
        expect("lib2to3", stdlib.join("lib2to3").is_dir());
    }
    expect("terminfo", layout.platform.is_windows() || has_terminfo(tree));
    expect("test", stdlib.join("test").is_dir());
    expect("tkinter", stdlib.join("tkinter").is_dir() && has_tcl_scripts(tree));
    absent
}

/// Descriptions of terminals; without them the system's are used.
fn has_terminfo(tree: &Path) -> bool {
    // In folders named by the first letter, or by its code on file systems without case.
    ["x", "78"].iter().any(|folder| tree.join("share/terminfo").join(folder).join("xterm").is_file())
}

/// Whether Tcl and Tk can start: both need scripts of the same version beside them, or, since Tcl 9, inside of them.
fn has_tcl_scripts(tree: &Path) -> bool {
    let folders = ["lib", "tcl", "share/tcltk"].map(|folder| entries(&tree.join(folder)).unwrap_or_default());
    let has =
        |script: &str| folders.iter().flatten().any(|folder| folder.join(script).is_file() || holds(folder, script));
    has("init.tcl") && has("tk.tcl")
}

/// Whether a library of Tcl has the script in an archive at its end.
fn holds(library: &Path, script: &str) -> bool {
    let name = name_of(library);
    if !["libtcl", "tcl", "libtk", "tk"].iter().any(|start| name.starts_with(start)) || !library.is_file() {
        return false;
    }
    let Some(archive) = File::open(library).ok().and_then(|file| ZipArchive::new(file).ok()) else { return false };
    archive.file_names().flatten().any(|name| name.rsplit('/').next() == Some(script))
}

fn below(folder: &TreePath, name: &str) -> TreePath {
    folder.join(&name.parse().expect("a plain file name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_client_tkinter_without_scripts() {
        let tree = tempfile::tempdir().unwrap();
        let file = |path: &str, content: &[u8]| {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        file("lib/libtcl9.0.so", b"\x7fELF");
        file("lib/libtcl9tk9.0.so", b"\x7fELF");
        file("lib/itcl4.3.5/libtcl9itcl4.3.5.so", b"\x7fELF");
        assert!(!has_tcl_scripts(tree.path()), "libraries alone do not start");
        file("lib/tcl9.0/init.tcl", b"");
        assert!(!has_tcl_scripts(tree.path()), "Tk's are missing");
        file("lib/tk9.0/tk.tcl", b"");
        assert!(has_tcl_scripts(tree.path()));
    }

    #[test]
    fn scripts_inside_of_a_library_count() {
        use std::io::Write as _;
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("lib")).unwrap();
        for (library, script) in [("libtcl9.0.so", "tcl_library/init.tcl"), ("libtcl9tk9.0.so", "tk_library/tk.tcl")] {
            assert!(!has_tcl_scripts(tree.path()), "before {library}");
            let mut file = File::create(tree.path().join("lib").join(library)).unwrap();
            file.write_all(b"\x7fELF and code").unwrap();
            let mut archive = zip::ZipWriter::new(file);
            archive.start_file(script, zip::write::SimpleFileOptions::default()).unwrap();
            archive.finish().unwrap();
        }
        assert!(has_tcl_scripts(tree.path()));
    }

    #[test]
    fn the_version_is_read_from_headers_and_from_build_details() {
        let header = "/* x */\n#define PY_MICRO_VERSION 10\n#define PY_VERSION              \"3.12.10\"\n";
        assert_eq!(defined_version(header).as_deref(), Some("3.12.10"));
        assert_eq!(defined_version("#define PY_VERSION_HEX 1"), None);
        let details = serde_json::json!({"language": {"version_info": {"major": 3, "minor": 14, "micro": 6}}});
        assert_eq!(detailed_version(&details).as_deref(), Some("3.14.6"));
    }
}

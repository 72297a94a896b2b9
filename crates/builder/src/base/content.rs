//! What a finished tree holds: its own version, and which parts of a usual CPython it lacks.

use std::path::Path;

use vocab::TreePath;

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

/// Sorted names of missing parts: `ensurepip`, `headers`, `idlelib`, `lib2to3`, `test`, `tkinter`.
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
    expect("ensurepip", stdlib.join("ensurepip").join("_bundled").is_dir());
    expect("headers", headers.join("Python.h").is_file());
    expect("idlelib", stdlib.join("idlelib").is_dir());
    if layout.python.minor < 13 {
        expect("lib2to3", stdlib.join("lib2to3").is_dir());
    }
    expect("test", stdlib.join("test").is_dir());
    let extensions = if layout.platform.is_windows() { tree.join("DLLs") } else { stdlib.join("lib-dynload") };
    let tkinter = entries(&extensions)
        .is_ok_and(|found| found.iter().any(|path| path.is_file() && name_of(path).starts_with("_tkinter.")));
    // python-build-standalone links it into the interpreter in some releases; its Tcl is there all the same.
    let built_in = tree.join("lib").join("tcl8.6").is_dir();
    expect("tkinter", stdlib.join("tkinter").is_dir() && (tkinter || built_in));
    absent
}

fn below(folder: &TreePath, name: &str) -> TreePath {
    folder.join(&name.parse().expect("a plain file name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_headers_and_from_build_details() {
        let header = "/* x */\n#define PY_MICRO_VERSION 10\n#define PY_VERSION              \"3.12.10\"\n";
        assert_eq!(defined_version(header).as_deref(), Some("3.12.10"));
        assert_eq!(defined_version("#define PY_VERSION_HEX 1"), None);
        let details = serde_json::json!({"language": {"version_info": {"major": 3, "minor": 14, "micro": 6}}});
        assert_eq!(detailed_version(&details).as_deref(), Some("3.14.6"));
    }
}

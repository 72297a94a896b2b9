//! Which files of an interpreter's tree are executable.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::disk::{Result, at};
use vocab::{TreeLayout, TreePath};

/// Decided by the path and the first bytes, since not every host and not every source keeps the mode: files of the
/// scripts folder, native files, and scripts beside the standard library's own modules. On Windows programs only.
pub(super) fn is_program(path: &Path, tree: &Path, layout: TreeLayout) -> Result<bool> {
    let Some(place) = TreePath::relative(path, tree) else { return Ok(false) };
    if layout.platform.is_windows() {
        return Ok(place.as_str().to_ascii_lowercase().ends_with(".exe"));
    }
    if place.starts_with(&layout.scripts()) {
        return Ok(true);
    }
    let mut start = Vec::with_capacity(4);
    let file = File::open(path).map_err(at("read", path))?;
    file.take(4).read_to_end(&mut start).map_err(at("read", path))?;
    let native = matches!(start[..], [0x7f, b'E', b'L', b'F'] | [0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe]);
    Ok(native || (start.starts_with(b"#!") && !place.as_str().ends_with(".py")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_place_and_content() {
        let tree = tempfile::tempdir().unwrap();
        let cases: [(&str, &[u8], bool, bool); 7] = [
            // (path, content, executable on Linux, on Windows)
            ("bin/python3.12", b"", true, false),
            ("bin/python.exe", b"MZ", true, true),
            ("lib/libpython3.12.so.1.0", b"\x7fELF", true, false),
            ("lib/libpython3.12.dylib", b"\xcf\xfa\xed\xfe", true, false),
            ("lib/python3.12/config-3.12/install-sh", b"#!/bin/sh", true, false),
            ("lib/python3.12/base64.py", b"#! /usr/bin/env python3", false, false),
            ("DLLs/_ssl.pyd", b"MZ", false, false),
        ];
        for (path, content, linux, windows) in cases {
            let place = tree.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, content).unwrap();
            for (platform, expected) in
                [(vocab::PlatformKey::LinuxX64, linux), (vocab::PlatformKey::WindowsX64, windows)]
            {
                let layout = TreeLayout { platform, python: "3.12.10".parse().unwrap() };
                assert_eq!(is_program(&place, tree.path(), layout).unwrap(), expected, "for {path} on {platform}");
            }
        }
    }
}

//! pip as the one distribution of a base interpreter.
//!
//! Sources bring pip as the content of a wheel: the go module has it unpacked, a system CPython has the wheel inside
//! its ensurepip. Every file is compared with pip's own RECORD and installed with scripts that move with the tree.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;

use vocab::TreePath;

use super::disk::{Result, create_folder, entries, name_of, read, set_executable, write};
use super::error::BaseErrorKind;
use super::scripts::launcher;
use vocab::TreeLayout;
use vocab::record_format::{ListedDigest, RecordRow, record_lines};

/// What a wheel holds, or an installed distribution: `pip/…` and `pip-<version>.dist-info/…`.
pub(super) type PipFiles = BTreeMap<TreePath, Vec<u8>>;

/// Files of `.dist-info` that an earlier installation wrote, or that are written here.
const OF_INSTALLATION: [&str; 4] = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];

pub(super) const SCRIPT: &str =
    "import sys\nfrom pip._internal.cli.main import main\nif __name__ == '__main__':\n    sys.exit(main())\n";

/// Installs pip into the tree, with the scripts `pip`, `pip3` and `pip3.X` (on Windows they are
/// programs, made when the tree is settled).
pub(super) fn install(tree: &Path, layout: TreeLayout, files: PipFiles) -> Result<()> {
    let info = dist_info(&files)?;
    let files = checked(files, &info)?;
    let site_packages = layout.site_packages();
    let mut rows: BTreeMap<String, RecordRow> = BTreeMap::new();
    let mut add = |path: String, bytes: &[u8]| rows.insert(path.clone(), RecordRow::of(path, bytes));
    for (path, bytes) in &files {
        let place = site_packages.join(path).below(tree);
        put(&place, bytes, false)?;
        add(path.to_string(), bytes);
    }
    if !layout.platform.is_windows() {
        let minor = layout.python.minor_version();
        let script = format!("{}{SCRIPT}", launcher(&format!("python{minor}")));
        let up = "../".repeat(site_packages.segments().count());
        for name in ["pip".to_owned(), "pip3".to_owned(), format!("pip{minor}")] {
            put(&tree.join("bin").join(&name), script.as_bytes(), true)?;
            add(format!("{up}bin/{name}"), script.as_bytes());
        }
    }
    for (name, content) in [("INSTALLER", "pip\n"), ("REQUESTED", "")] {
        put(&site_packages.join(&info).below(tree).join(name), content.as_bytes(), false)?;
        add(format!("{info}/{name}"), content.as_bytes());
    }
    let own = RecordRow { path: format!("{info}/RECORD"), content: None };
    let record: String = rows.values().chain([&own]).map(RecordRow::line).collect();
    put(&site_packages.join(&info).below(tree).join("RECORD"), record.as_bytes(), false)
}

/// A small ensurepip of ours, for a tree that has pip and no ensurepip: with it `python -m venv` works.
pub(super) fn install_ensurepip(tree: &Path, layout: TreeLayout) -> Result<()> {
    let folder = layout.stdlib().below(tree).join("ensurepip");
    put(&folder.join("__init__.py"), include_bytes!("ensurepip/__init__.py"), false)?;
    put(&folder.join("__main__.py"), include_bytes!("ensurepip/__main__.py"), false)
}

/// The pip inside a CPython's own ensurepip. `None` when that has none (`--with-ensurepip=no`, distributions).
pub(super) fn bundled_wheel(stdlib: &Path) -> Result<Option<PipFiles>> {
    let bundled = entries(&stdlib.join("ensurepip").join("_bundled"))?;
    let is_pip = |path: &&std::path::PathBuf| {
        let name = name_of(path);
        name.starts_with("pip-") && name.ends_with(".whl")
    };
    bundled.iter().find(is_pip).map(|wheel| unzip(&name_of(wheel), read(wheel)?)).transpose()
}

pub(super) fn unzip(name: &str, bytes: Vec<u8>) -> Result<PipFiles> {
    let damaged =
        |error: &dyn std::error::Error| BaseErrorKind::Pip { file: name.to_owned(), reason: error.to_string() };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let mut files = PipFiles::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let path: TreePath = name.parse().map_err(|error| damaged(&error))?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| damaged(&error))?;
        files.insert(path, content);
    }
    Ok(files)
}

/// `pip-26.1.2.dist-info`.
fn dist_info(files: &PipFiles) -> Result<TreePath> {
    files
        .keys()
        .filter_map(|path| path.segments().next())
        .find(|top| top.starts_with("pip-") && top.ends_with(".dist-info"))
        .and_then(|top| top.parse().ok())
        .ok_or_else(|| refused("RECORD", "is not there"))
}

/// The files of pip itself: exactly those of its RECORD, with the digests given there.
fn checked(mut files: PipFiles, info: &TreePath) -> Result<PipFiles> {
    let record = files.get(&join(info, "RECORD")).ok_or_else(|| refused("RECORD", "is not there"))?.clone();
    let mut kept = PipFiles::new();
    for line in record_lines(&record) {
        let line = line.map_err(|reason| refused("RECORD", &reason))?;
        let name = line.path.as_str();
        // Scripts and bytecode belong to the installation that this came from.
        if name.starts_with("..") || name.ends_with(".pyc") {
            continue;
        }
        let path: TreePath = name.parse().map_err(|_| refused(name, "has no place in a wheel"))?;
        if path.parent().as_ref() == Some(info) && OF_INSTALLATION.contains(&path.file_name()) {
            continue;
        }
        let bytes = files.remove(&path).ok_or_else(|| refused(name, "is missing"))?;
        // pip says of each of its own files what it is.
        let listed = line.listed();
        if matches!(listed.digest, ListedDigest::None | ListedDigest::Weak) {
            return Err(refused(name, "has no digest in its RECORD"));
        }
        if let Some(difference) = listed.disagreement(&bytes) {
            return Err(refused(name, difference));
        }
        kept.insert(path, bytes);
    }
    Ok(kept)
}

fn refused(file: &str, reason: &str) -> BaseErrorKind {
    BaseErrorKind::Pip { file: file.to_owned(), reason: reason.to_owned() }
}

fn join(folder: &TreePath, name: &str) -> TreePath {
    folder.join(&name.parse().expect("a plain file name"))
}

fn put(place: &Path, bytes: &[u8], executable: bool) -> Result<()> {
    if let Some(parent) = place.parent() {
        create_folder(parent)?;
    }
    write(place, bytes)?;
    set_executable(place, executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(content: &str, recorded: &str) -> PipFiles {
        let record = format!(
            "../../bin/pip,sha256=x,1\npip/__pycache__/a.pyc,,\n{}pip-1.dist-info/INSTALLER,sha256=x,4\n\
             pip-1.dist-info/RECORD,,\n",
            RecordRow::of("pip/a.py", recorded.as_bytes()).line()
        );
        [("pip/a.py", content), ("pip/extra.py", ""), ("pip-1.dist-info/RECORD", record.as_str())]
            .into_iter()
            .map(|(path, text)| (path.parse().unwrap(), text.as_bytes().to_vec()))
            .collect()
    }

    fn layout() -> TreeLayout {
        TreeLayout { platform: vocab::PlatformKey::LinuxX64, python: "3.12.1".parse().unwrap() }
    }

    #[test]
    fn pip_is_installed_with_scripts_and_a_record_of_exactly_what_is_there() {
        let tree = tempfile::tempdir().unwrap();
        install(tree.path(), layout(), wheel("x = 1\n", "x = 1\n")).unwrap();
        let site_packages = layout().site_packages().below(tree.path());
        let record = std::fs::read_to_string(site_packages.join("pip-1.dist-info/RECORD")).unwrap();
        let names: Vec<&str> = record.lines().map(|line| line.split(',').next().unwrap()).collect();
        let expected = [
            "../../../bin/pip",
            "../../../bin/pip3",
            "../../../bin/pip3.12",
            "pip-1.dist-info/INSTALLER",
            "pip-1.dist-info/REQUESTED",
            "pip/a.py",
            "pip-1.dist-info/RECORD",
        ];
        assert_eq!(names, expected);
        for name in names {
            assert!(site_packages.join(name).is_file(), "for {name}");
        }
        assert!(!site_packages.join("pip/extra.py").exists());
    }

    #[test]
    fn a_file_that_differs_from_its_record_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let with_record = |change: &dyn Fn(String) -> String| {
            let mut files = wheel("x = 1\n", "x = 1\n");
            let record = files.get_mut(&"pip-1.dist-info/RECORD".parse().unwrap()).unwrap();
            *record = change(String::from_utf8(record.clone()).unwrap()).into_bytes();
            files
        };
        let row = RecordRow::of("pip/a.py", b"x = 1\n").line();
        let cases = [
            (wheel("x = 2\n", "x = 1\n"), "`pip/a.py` does not match the digest in its RECORD"),
            (with_record(&|text| text.replace(",6\n", ",7\n")), "`pip/a.py` has another size than its RECORD says"),
            (with_record(&|text| text.replace(&row, "pip/a.py,,\n")), "`pip/a.py` has no digest in its RECORD"),
        ];
        for (files, expected) in cases {
            let error = install(tree.path(), layout(), files).unwrap_err();
            assert_eq!(error.to_string(), format!("the pip that comes with it is damaged: {expected}"));
        }
    }

    #[test]
    fn a_digest_may_be_written_as_wheels_may_write_it() {
        let tree = tempfile::tempdir().unwrap();
        let mut files = wheel("x = 1\n", "x = 1\n");
        let hexadecimal = format!("pip/a.py,sha256={},6\n", vocab::Digest::of("x = 1\n"));
        files.insert("pip-1.dist-info/RECORD".parse().unwrap(), hexadecimal.into_bytes());
        install(tree.path(), layout(), files).unwrap();
    }
}

//! What a tree for Windows needs beyond the place of its files.
//!
//! Nothing tells the interpreter where its library is, no `._pth` and no `pyvenv.cfg`: CPython looks upwards from the
//! program's folder for `Lib\os.py` (3.10's `PC/getpathp.c`, `Modules/getpath.py` since 3.11), takes that folder as
//! prefix, and puts its `DLLs` and `Lib` on `sys.path`. A `._pth` would switch `PYTHONPATH`, user folders and virtual
//! environments off; what is found by looking works in those, too, whether their `home` is the root or `bin`.
//!
//! Why there are interpreters in both, and what `bin` does for `Scripts`: `docs/windows.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use vocab::TreePath;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::disk::{Result, at, create_folder, entries, name_of, read, remove, rename, walk, write};
use super::error::BaseErrorKind;
use super::pip::{self, PipFiles};
use vocab::TreeLayout;
use vocab::record_format::RecordRow;
use wheel::windows_launcher::WindowsLaunchers;

pub(super) fn settle_windows(tree: &Path, layout: TreeLayout) -> Result<()> {
    replace_links(tree)?;
    settle_programs(tree)?;
    patch_installed_pip(tree, layout)?;
    patch_bundled_pip(tree, layout)?;
    make_pip_programs(tree, layout)
}

/// Few Windows users have the right to make links, and programs see a copy where they would follow one.
fn replace_links(tree: &Path) -> Result<()> {
    for entry in walk(tree)?.iter().filter(|entry| entry.path_is_symlink()) {
        let meant = fs::canonicalize(entry.path()).map_err(at("follow", entry.path()))?;
        let inside = fs::canonicalize(tree).is_ok_and(|tree| meant.starts_with(tree));
        if !inside || !meant.is_file() {
            let source = std::io::Error::other("on Windows only a link to a file of the tree can become a copy");
            return Err(at("replace the link", entry.path())(source));
        }
        remove(entry.path())?;
        copy(&meant, entry.path())?;
    }
    Ok(())
}

/// The interpreters and the libraries that they load from their own folder are at the root, and again in `bin`, so
/// that this is the folder for `PATH` on every platform. There `python3.exe` is the name that scripts written for
/// other systems call.
fn settle_programs(tree: &Path) -> Result<()> {
    let bin = tree.join("bin");
    create_folder(&bin)?;
    for path in entries(tree)? {
        let name = name_of(&path).to_ascii_lowercase();
        let library = (name.starts_with("python3") || name.starts_with("vcruntime")) && name.ends_with(".dll");
        let program = name.starts_with("python") && name.ends_with(".exe");
        if path.is_file() && (library || program) {
            let settled = tree.join(&name);
            if path != settled {
                rename(&path, &settled)?;
            }
            copy(&settled, &bin.join(name))?;
        }
    }
    let (python, python3) = (bin.join("python.exe"), bin.join("python3.exe"));
    if python.is_file() && !python3.exists() {
        copy(&python, &python3)?;
    }
    // Launchers of upstream hold the path of the folder they were made in.
    remove(&tree.join("Scripts"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(at("copy to", to))
}

/// In pip's own folder of code, which a wheel and an installation have alike.
const APPDIRS: &str = "pip/_internal/utils/appdirs.py";

/// How pip asks for the machine-wide folder of settings.
const ASKS: &str = "    dirval = _appdirs.site_config_dir(appname, appauthor=False, multipath=True)\n";

/// The same, for accounts that have no such folder.
const ASKS_GENTLY: &str = "    try:\n        \
    dirval = _appdirs.site_config_dir(appname, appauthor=False, multipath=True)\n    \
    except FileNotFoundError:\n        \
    # Changed by pydist: an account whose registry lacks \"Common AppData\" has no machine-wide settings.\n        \
    if sys.platform != \"win32\":\n            \
    raise\n        \
    return []\n";

/// Without this no command of pip works for a Windows account whose registry lacks the folder (pip issues 13567,
/// 12532, 13708, 13723). `None` where the code is another, because that pip asks in another way.
fn patched(code: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(code).ok()?;
    // A checkout on Windows may have other line ends; they stay.
    let (asks, gently) = if text.contains("\r\n") {
        (ASKS.replace('\n', "\r\n"), ASKS_GENTLY.replace('\n', "\r\n"))
    } else {
        (ASKS.to_owned(), ASKS_GENTLY.to_owned())
    };
    text.contains(&asks).then(|| text.replacen(&asks, &gently, 1).into_bytes())
}

/// Its RECORD is settled with the others'.
fn patch_installed_pip(tree: &Path, layout: TreeLayout) -> Result<()> {
    let code = layout.site_packages().join(&tree_path(APPDIRS)).below(tree);
    if !code.is_file() {
        return Ok(());
    }
    patched(&read(&code)?).map_or(Ok(()), |patched| write(&code, patched))
}

/// The wheel from which `python -m venv` installs pip.
fn patch_bundled_pip(tree: &Path, layout: TreeLayout) -> Result<()> {
    for path in entries(&layout.stdlib().below(tree).join("ensurepip").join("_bundled"))? {
        let name = name_of(&path);
        if !(name.starts_with("pip-") && name.ends_with(".whl")) {
            continue;
        }
        let mut files = pip::unzip(&name, read(&path)?)?;
        if let Some(code) = files.get(&tree_path(APPDIRS)).and_then(|code| patched(code)) {
            files.insert(tree_path(APPDIRS), code);
            settle_wheel_record(&name, &mut files)?;
            write(&path, zipped(&files))?;
        }
    }
    Ok(())
}

fn settle_wheel_record(wheel: &str, files: &mut PipFiles) -> Result<()> {
    let refused = |reason: &str| BaseErrorKind::Pip { file: wheel.to_owned(), reason: reason.to_owned() };
    let record = files.keys().find(|path| path.as_str().ends_with(".dist-info/RECORD")).cloned();
    let record = record.ok_or_else(|| refused("has no RECORD"))?;
    let text = String::from_utf8(files[&record].clone()).map_err(|_| refused("has a RECORD that is not UTF-8"))?;
    let row = RecordRow::of(APPDIRS, &files[&tree_path(APPDIRS)]).line();
    let own = format!("{APPDIRS},");
    let lines = text.lines().map(|line| if line.starts_with(&own) { row.clone() } else { format!("{line}\n") });
    files.insert(record, lines.collect::<String>().into_bytes());
    Ok(())
}

/// Sorted, deflated, with one time: the same bytes for the same files.
fn zipped(files: &PipFiles) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .system(System::Unix);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        archive
            .start_file(path.as_str(), options)
            .and_then(|()| Ok(archive.write_all(content)?))
            .expect("memory can be written, and pip is smaller than a zip may be");
    }
    archive.finish().expect("memory can be written").into_inner()
}

/// `pip.exe`, `pip3.exe` and `pip3.X.exe`, as on the other platforms, where pip brings the launchers for them.
fn make_pip_programs(tree: &Path, layout: TreeLayout) -> Result<()> {
    let site_packages = layout.site_packages().below(tree);
    let Some(launchers) = WindowsLaunchers::of_pip(tree, layout) else { return Ok(()) };
    let info = entries(&site_packages)?.into_iter().find(|path| {
        let name = name_of(path);
        name.starts_with("pip-") && name.ends_with(".dist-info") && path.join("RECORD").is_file()
    });
    let Some(info) = info else { return Ok(()) };
    let program = launchers.program("..\\", pip::SCRIPT.as_bytes(), false);
    let mut rows = BTreeMap::new();
    create_folder(&layout.scripts().below(tree))?;
    for name in ["pip".to_owned(), "pip3".to_owned(), format!("pip{}", layout.python.minor_version())] {
        let place = layout.scripts().join(&tree_path(&format!("{name}.exe")));
        write(&place.below(tree), &program)?;
        rows.insert(format!("../../{place}"), RecordRow::of(format!("../../{place}"), &program));
        let forwarder = layout.stand_in(&place).zip(launchers.forwarder(&place, &program));
        if let Some((place, forwarder)) = forwarder {
            write(&place.below(tree), forwarder)?;
        }
    }
    let record = info.join("RECORD");
    let mut text = String::from_utf8_lossy(&read(&record)?).into_owned();
    text.extend(rows.values().map(RecordRow::line));
    write(&record, text)
}

fn tree_path(text: &str) -> TreePath {
    text.parse().expect("a literal path inside the tree")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> TreeLayout {
        TreeLayout { platform: vocab::PlatformKey::WindowsX64, python: "3.12.10".parse().unwrap() }
    }

    fn put(tree: &Path, path: &str, content: impl AsRef<[u8]>) {
        let place = tree_path(path).below(tree);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
    }

    #[test]
    fn the_interpreter_and_its_own_libraries_stand_at_the_root_and_in_bin() {
        let tree = tempfile::tempdir().unwrap();
        for name in ["python.exe", "pythonw.exe", "python312.dll", "Python3.dll", "vcruntime140.dll", "LICENSE.txt"] {
            put(tree.path(), name, name);
        }
        put(tree.path(), "Scripts/pip.exe", "C:\\build\\python.exe");
        settle_windows(tree.path(), layout()).unwrap();
        let names =
            |folder: &Path| -> Vec<String> { entries(folder).unwrap().iter().map(|path| name_of(path)).collect() };
        assert_eq!(
            names(&tree.path().join("bin")),
            ["python.exe", "python3.dll", "python3.exe", "python312.dll", "pythonw.exe", "vcruntime140.dll"]
        );
        assert_eq!(
            names(tree.path()),
            ["LICENSE.txt", "bin", "python.exe", "python3.dll", "python312.dll", "pythonw.exe", "vcruntime140.dll"]
        );
    }

    #[test]
    fn pip_asks_gently_for_a_folder_that_an_account_may_lack_also_from_ensurepips_wheel() {
        let tree = tempfile::tempdir().unwrap();
        let code = format!("import sys\n\ndef site_config_dirs(appname):\n{ASKS}    return [dirval]\n");
        put(tree.path(), &format!("Lib/site-packages/{APPDIRS}"), &code);
        let record = format!("{APPDIRS},sha256=old,1\npip-1.dist-info/RECORD,,\n");
        let wheel: PipFiles = [(APPDIRS, code.as_str()), ("pip-1.dist-info/RECORD", record.as_str())]
            .into_iter()
            .map(|(path, text)| (tree_path(path), text.as_bytes().to_vec()))
            .collect();
        let place = "Lib/ensurepip/_bundled/pip-1-py3-none-any.whl";
        put(tree.path(), place, zipped(&wheel));
        settle_windows(tree.path(), layout()).unwrap();

        let installed = read(&tree.path().join("Lib/site-packages").join(APPDIRS)).unwrap();
        assert!(String::from_utf8_lossy(&installed).contains(ASKS_GENTLY));
        let bundled = pip::unzip("pip", read(&tree.path().join(place)).unwrap()).unwrap();
        assert_eq!(bundled[&tree_path(APPDIRS)], installed);
        let record = RecordRow::of(APPDIRS, &installed).line() + "pip-1.dist-info/RECORD,,\n";
        assert_eq!(String::from_utf8_lossy(&bundled[&tree_path("pip-1.dist-info/RECORD")]), record);
    }

    #[cfg(unix)]
    #[test]
    fn links_become_copies_and_one_that_leads_out_is_an_error() {
        let tree = tempfile::tempdir().unwrap();
        put(tree.path(), "DLLs/a.dll", "a");
        std::os::unix::fs::symlink("a.dll", tree.path().join("DLLs/b.dll")).unwrap();
        settle_windows(tree.path(), layout()).unwrap();
        let copy = tree.path().join("DLLs/b.dll");
        assert!(copy.symlink_metadata().unwrap().is_file() && read(&copy).unwrap() == b"a");
        std::os::unix::fs::symlink("/etc/passwd", tree.path().join("DLLs/c.dll")).unwrap();
        assert!(settle_windows(tree.path(), layout()).is_err());
    }
}

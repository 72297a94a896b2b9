//! File operations whose errors name the path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vocab::TreePath;

use super::error::BaseErrorKind;

pub(super) type Result<T> = std::result::Result<T, BaseErrorKind>;

/// Turns an I/O error into one that says what was tried, and where.
pub(super) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BaseErrorKind {
    let path = path.to_owned();
    move |source| BaseErrorKind::Disk { action, path, source }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(at("read", path))
}

/// Replaces the content; the mode of an existing file stays.
pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, bytes).map_err(at("write", path))
}

pub(super) fn create_folder(path: &Path) -> Result<()> {
    disk::make_folders(path).map_err(at("create", path))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    disk::rename(from, to).map_err(at("rename to", to))
}

/// Removes a file, a link or a whole folder; does nothing if it does not exist.
pub(super) fn remove(path: &Path) -> Result<()> {
    let outcome = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    outcome.map_err(at("remove", path))
}

/// Entries of a folder, sorted; none if it does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at("list", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in listing {
        found.push(entry.map_err(at("list", folder))?.path());
    }
    found.sort();
    Ok(found)
}

/// Everything below `folder`, folders before their content, sorted by name.
pub(super) fn walk(folder: &Path) -> Result<Vec<walkdir::DirEntry>> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        found.push(entry.map_err(|error| BaseErrorKind::Disk {
            action: "list",
            path: error.path().unwrap_or(folder).to_owned(),
            source: error.into(),
        })?);
    }
    Ok(found)
}

/// The last part of a path as text; what is not UTF-8 is shown as well as possible.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Paths and targets of links that copies replace, because the system has no links.
pub(super) type CopiedLinks = Vec<(TreePath, String)>;

/// Makes the symbolic link `place` → `target`. Where the system has none (Windows), copies the file meant.
pub(super) fn symlink(target: &str, place: &Path) -> Result<()> {
    #[cfg(unix)]
    let outcome = std::os::unix::fs::symlink(target, place);
    #[cfg(not(unix))]
    let outcome = fs::copy(place.with_file_name(target), place).map(drop);
    outcome.map_err(at("link", place))
}

/// Sets the mode 0755 or 0644. Does nothing on systems without modes.
pub(super) fn set_executable(path: &Path, executable: bool) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at("set the mode of", path))?;
    }
    #[cfg(not(unix))]
    let _ = (path, executable);
    Ok(())
}

pub(super) fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o100 != 0)
    }
    #[cfg(not(unix))]
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("exe"))
}

//! The modes of what is installed: 0755 for folders and programs, 0644 for other files. They are part of the format, so
//! the umask of the process that installs neither adds to them nor takes away. Systems without modes keep theirs. Folders
//! that users share are readable for all of them.

use std::fs;
use std::io;
use std::path::Path;

/// Like [`fs::create_dir`], with mode 0755.
pub fn make_folder(path: &Path) -> io::Result<()> {
    make_masked_folder(path)?;
    // The umask only removes bits, so the mode is set explicitly.
    set_mode(path, 0o755)
}

/// Like [`fs::create_dir_all`]. Each folder created here gets mode 0755; existing ones keep theirs.
pub fn make_folders(path: &Path) -> io::Result<()> {
    make_missing(path, make_folder)
}

/// Gives a file 0755 if it is `executable`, else 0644.
pub fn set_file_mode(path: &Path, executable: bool) -> io::Result<()> {
    set_mode(path, if executable { 0o755 } else { 0o644 })
}

/// Like [`fs::create_dir_all`], for folders that several users share. Everybody may read those created here, whatever the
/// umask of this process: the bits of 0755 are added to what it leaves. Existing ones keep their mode.
pub fn make_shared_folders(path: &Path) -> io::Result<()> {
    make_missing(path, |folder| fs::create_dir(folder).and_then(|()| add_mode(folder, 0o755)))
}

/// Makes the folder and those above it that are missing; another process may make some of them meanwhile.
fn make_missing(path: &Path, make: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
        make_missing(parent, make)?;
    }
    match make(path) {
        Err(_) if path.is_dir() => Ok(()),
        other => other,
    }
}

/// Lets everybody read the file, whatever the umask of the process that wrote it.
pub fn share_file(path: &Path) -> io::Result<()> {
    add_mode(path, 0o644)
}

#[cfg(unix)]
fn add_mode(path: &Path, bits: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & bits == bits { Ok(()) } else { set_mode(path, mode | bits) }
}

/// What lies in a folder has its rights from the folder.
#[cfg(not(unix))]
fn add_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// Mode 0755 minus the umask.
pub fn make_masked_folder(path: &Path) -> io::Result<()> {
    #[allow(unused_mut, reason = "only Unix has modes to set")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path)
}

#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
pub fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

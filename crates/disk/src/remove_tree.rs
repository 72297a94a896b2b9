//! Removing trees whose files are read-only, as files shared with the store are.

use std::fs;
use std::io;
use std::path::Path;

/// Includes read-only files and folders. An absent path is fine. If it is a link, only the link is removed.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let is_folder = || fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) if is_folder() => {
            make_writable(path);
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

/// On Unix the folders must be writable; on Windows the files must be, too, which takes the read-only mark off
/// every hard link of the file: they are all set again when the store next links them.
fn make_writable(root: &Path) {
    for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_symlink() || (cfg!(unix) && !metadata.is_dir()) {
            continue;
        }
        let mut permissions = metadata.permissions();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            permissions.set_mode(permissions.mode() | 0o700);
        }
        #[cfg(not(unix))]
        permissions.set_readonly(false);
        let _ = fs::set_permissions(entry.path(), permissions);
    }
}

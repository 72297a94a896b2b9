//! What users added to an installed tree, brought into the one that takes its place.

use std::fs;
use std::io;
use std::path::Path;

use tree_table::TreeDamage;
use vocab::TreePath;

use crate::GetErrorKind;

/// Brings what was added to the tree at `from` into the new one at `to`. What the new one has itself stays there.
pub(crate) fn carry_over(added: &[TreeDamage], from: &Path, to: &Path) -> Result<(), GetErrorKind> {
    for TreeDamage { path, .. } in added {
        let target = path.below(to);
        if *path == TreePath::default() || fs::symlink_metadata(&target).is_ok() {
            continue;
        }
        carry(&path.below(from), &target).map_err(|source| GetErrorKind::Write { path: target, source })?;
    }
    Ok(())
}

fn carry(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_dir() {
        fs::create_dir_all(to)?;
        for item in fs::read_dir(from)? {
            let item = item?;
            carry(&item.path(), &to.join(item.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if metadata.is_symlink() {
        return carry_link(from, to);
    }
    // The former tree goes, so both names may be of one file.
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(|_| ()))
}

#[cfg(unix)]
fn carry_link(from: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(fs::read_link(from)?, to)
}

/// Links need a privilege here; the file that it leads to is copied.
#[cfg(not(unix))]
fn carry_link(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to).map(|_| ())
}

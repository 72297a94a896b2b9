//! Copies in place of symbolic links, for systems where links need privileges.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vocab::TreePath;

use crate::destination_folder::DestinationFolder;
use crate::extract_error::ExtractErrorKind;
use crate::name_rules::{EntryFault, child};
use crate::tree_record::{NodeKind, ResolvedLink, TreeRecord};

/// Links to folders are copied one after the other as they become complete; more than this would take long.
const MAX_FOLDERS: usize = 1000;

/// Copies at most `budget` bytes.
pub(crate) fn copy_links(
    place: &DestinationFolder,
    record: &TreeRecord,
    links: Vec<ResolvedLink>,
    mut budget: u64,
) -> Result<(), ExtractErrorKind> {
    let mut folders = Vec::new();
    for link in links {
        match record.kind_of(&link.place) {
            Some(NodeKind::File) => copy_file(&place.path(&link.place), place.path(&link.path), &mut budget)?,
            Some(NodeKind::Directory) => folders.push(link),
            // It leads to the tree itself.
            None if link.place.is_root() => folders.push(link),
            _ => {
                let fault = EntryFault::LinkDangling { target: link.target };
                return Err(ExtractErrorKind::Entry { entry: link.path.to_string(), fault });
            }
        }
    }
    if folders.len() > MAX_FOLDERS {
        return Err(ExtractErrorKind::Limit { what: "links to folders", limit: MAX_FOLDERS as u64 });
    }
    while !folders.is_empty() {
        // A folder can be copied when no link in it is still to come; a folder that holds the link itself never can.
        let waits = |link: &ResolvedLink| folders.iter().any(|other| other.path.starts_with(&link.place));
        let Some(ready) = folders.iter().position(|link| !waits(link)) else {
            let link = folders.swap_remove(0);
            let fault = EntryFault::LinkLoop { target: link.target };
            return Err(ExtractErrorKind::Entry { entry: link.path.to_string(), fault });
        };
        let link = folders.remove(ready);
        copy_folder(place, &link.place, &link.path, &mut budget)?;
    }
    Ok(())
}

fn copy_file(from: &Path, to: PathBuf, budget: &mut u64) -> Result<(), ExtractErrorKind> {
    let copy = || -> io::Result<Option<u64>> {
        let metadata = fs::metadata(from)?;
        let Some(left) = budget.checked_sub(metadata.len()) else { return Ok(None) };
        fs::copy(from, &to)?;
        let times = fs::FileTimes::new().set_modified(metadata.modified()?);
        fs::OpenOptions::new().write(true).open(&to)?.set_times(times)?;
        Ok(Some(left))
    };
    match copy() {
        Ok(Some(left)) => {
            *budget = left;
            Ok(())
        }
        Ok(None) => {
            Err(ExtractErrorKind::Limit { what: "bytes of copied links than were left, which are", limit: *budget })
        }
        Err(source) => Err(ExtractErrorKind::Write { path: to, source }),
    }
}

/// No links are left in `from`, and `to` is not in it.
fn copy_folder(
    place: &DestinationFolder,
    from: &TreePath,
    to: &TreePath,
    budget: &mut u64,
) -> Result<(), ExtractErrorKind> {
    let mut pending = vec![(from.clone(), to.clone())];
    while let Some((from, to)) = pending.pop() {
        place.directory(to.as_str())?;
        let failed = |source| ExtractErrorKind::Write { path: place.path(&from), source };
        for item in fs::read_dir(place.path(&from)).map_err(failed)? {
            let item = item.map_err(failed)?;
            let name = item.file_name();
            let below = |folder: &TreePath| name.to_str().and_then(|name| child(folder, name));
            let (Some(inner), Some(copy)) = (below(&from), below(&to)) else {
                return Err(failed(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "something else was put into the folder",
                )));
            };
            if item.file_type().map_err(failed)?.is_dir() {
                pending.push((inner, copy));
            } else {
                copy_file(&item.path(), place.path(&copy), budget)?;
            }
        }
    }
    Ok(())
}

//! A tree from two sources: extracted parts, and parts of a prefix. All entries are judged together, as if they came
//! from one archive, so nothing is written over another part's file or through a link.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use vocab::{TreePath, side_by_side};

use super::prefix::ReusedPart;
use super::{FetchErrorKind, FetchWatch, tree_fault};
use archive::EntryFault;
use archive::pieces::DestinationFolder;
use archive::pieces::thread_count;
use archive::pieces::{NodeKind, TreeRecord};
use archive::{EntryKind, ExtractErrorKind, FileContent, NameRules, TreeEntry, scan};
use vocab::INNER_MANIFEST;

/// Copies the files of `parts` into `tree`, where everything else has been extracted.
pub(super) fn place(tree: &Path, parts: &[ReusedPart], watch: &FetchWatch<'_>) -> Result<(), FetchErrorKind> {
    let in_tree = |kind| tree_fault(tree, kind);
    let mut record = TreeRecord::new(NameRules::of_host());
    let extracted = scan(tree)?;
    for entry in &extracted {
        add(&mut record, entry, &mut |_| {}).map_err(|fault| in_tree(refusal(&entry.path, fault)))?;
    }
    let place = DestinationFolder::new(tree).map_err(in_tree)?;
    let mut folders: Vec<String> = Vec::new();
    let mut files: Vec<(&TreeEntry, &Path)> = Vec::new();
    for entry in parts.iter().flat_map(|part| &part.entries) {
        add(&mut record, entry, &mut |folder| folders.push(folder.to_owned()))
            .map_err(|fault| in_tree(refusal(&entry.path, fault)))?;
        if let EntryKind::File { content: FileContent::Disk(from), .. } = &entry.kind {
            files.push((entry, from));
        }
    }
    let links = record.resolved_links().map_err(|(path, fault)| in_tree(refusal(&path, fault)))?;
    for folder in &folders {
        place.directory(folder).map_err(in_tree)?;
    }
    let time = time_of(tree);
    side_by_side(
        thread_count(0),
        files.len(),
        || (),
        |(), index| {
            watch.check()?;
            let (entry, from) = files[index];
            let to = entry.path.below(tree);
            copy(from, &to, entry, time).map_err(|source| FetchErrorKind::Write { path: to, source })
        },
    )?;
    // Links come last: until here none was in the way of a file.
    let there: BTreeSet<&TreePath> = extracted.iter().map(|entry| &entry.path).collect();
    let links: Vec<_> = links.into_iter().filter(|link| !there.contains(&link.path)).collect();
    place.links(&links).map_err(in_tree)?;
    let empty = parts.iter().flat_map(|part| &part.entries).filter(|entry| entry.kind == EntryKind::Directory);
    for entry in empty.filter(|_| cfg!(unix)) {
        let path = entry.path.below(tree);
        set_time(&path, time).map_err(|source| FetchErrorKind::Write { path, source })?;
    }
    Ok(())
}

fn refusal(path: &TreePath, fault: EntryFault) -> ExtractErrorKind {
    ExtractErrorKind::Entry { entry: path.to_string(), fault }
}

fn add(record: &mut TreeRecord, entry: &TreeEntry, made: &mut dyn FnMut(&str)) -> Result<(), EntryFault> {
    match &entry.kind {
        EntryKind::Directory => record.add(&entry.path, NodeKind::Directory, made),
        EntryKind::File { .. } => record.add(&entry.path, NodeKind::File, made),
        EntryKind::Symlink { target } => record.add_link(&entry.path, target.clone(), made),
    }
}

/// All entries of an artifact have one time; it is taken from the inner manifest, which is never reused.
fn time_of(tree: &Path) -> Option<SystemTime> {
    fs::metadata(tree.join(INNER_MANIFEST)).and_then(|metadata| metadata.modified()).ok()
}

/// Makes a copy that shares at most disk blocks with the original. Nothing may exist at `to`.
fn copy(from: &Path, to: &Path, entry: &TreeEntry, time: Option<SystemTime>) -> io::Result<()> {
    reflink_copy::reflink_or_copy(from, to)?;
    let executable = matches!(entry.kind, EntryKind::File { executable: true, .. });
    make_own(to, executable)?;
    match time {
        Some(_) => set_time(to, time),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn make_own(path: &Path, executable: bool) -> io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// The copy of a read-only file is read-only, too.
#[cfg(not(unix))]
fn make_own(path: &Path, _: bool) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.readonly() {
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions)?;
    }
    Ok(())
}

fn set_time(path: &Path, time: Option<SystemTime>) -> io::Result<()> {
    let Some(time) = time else { return Ok(()) };
    let file = if path.is_dir() { File::open(path)? } else { File::options().write(true).open(path)? };
    file.set_times(FileTimes::new().set_modified(time))
}

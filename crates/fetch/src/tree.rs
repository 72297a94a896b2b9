//! A tree from two sources: extracted parts, and parts of a prefix. All entries are judged together, as if they came
//! from one archive, so nothing is written over another part's file or through a link.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use vocab::{TreePath, side_by_side};

use super::prefix::ReusedPart;
use super::share::{ReuseMode, ReusedBytes, ReusedFile, is_edited_in_place, set_time};
use super::{FetchErrorKind, FetchWatch, tree_fault};
use archive::EntryFault;
use archive::pieces::DestinationFolder;
use archive::pieces::thread_count;
use archive::pieces::{NodeKind, TreeRecord};
use archive::{EntryKind, ExtractErrorKind, FileContent, NameRules, TreeEntry, scan};
use vocab::INNER_MANIFEST;

/// Brings the files of `parts` into `tree`, where everything else has been extracted. Gives the bytes that are now in
/// both trees and on disk once.
pub(super) fn place(
    tree: &Path,
    parts: &[ReusedPart],
    mode: ReuseMode,
    watch: &FetchWatch<'_>,
) -> Result<u64, FetchErrorKind> {
    let in_tree = |kind| tree_fault(tree, kind);
    let mut record = TreeRecord::new(NameRules::of_host());
    let extracted = scan(tree)?;
    for entry in &extracted {
        add(&mut record, entry, &mut |_| {}).map_err(|fault| in_tree(refusal(&entry.path, fault)))?;
    }
    let place = DestinationFolder::new(tree).map_err(in_tree)?;
    let mut folders: Vec<String> = Vec::new();
    let mut files: Vec<(&ReusedPart, &TreeEntry, &Path)> = Vec::new();
    for (part, entry) in parts.iter().flat_map(|part| part.entries.iter().map(move |entry| (part, entry))) {
        add(&mut record, entry, &mut |folder| folders.push(folder.to_owned()))
            .map_err(|fault| in_tree(refusal(&entry.path, fault)))?;
        if let EntryKind::File { content: FileContent::Disk(from), .. } = &entry.kind {
            files.push((part, entry, from));
        }
    }
    let links = record.resolved_links().map_err(|(path, fault)| in_tree(refusal(&path, fault)))?;
    for folder in &folders {
        place.directory(folder).map_err(in_tree)?;
    }
    let time = time_of(tree);
    let may_clone = AtomicBool::new(true);
    let shared = side_by_side(
        thread_count(0),
        files.len(),
        || (),
        |(), index| {
            watch.check()?;
            let (part, entry, from) = files[index];
            let to = entry.path.below(tree);
            let looked_at = part.digests.get(&entry.path).map(|file| (file.size, file.modified));
            let size = looked_at.map_or(0, |(size, _)| size);
            let file = ReusedFile {
                from,
                to: &to,
                executable: matches!(entry.kind, EntryKind::File { executable: true, .. }),
                may_share: mode == ReuseMode::Shared && !is_edited_in_place(part.kind, &entry.path, size),
                looked_at,
                may_clone: &may_clone,
            };
            match file.bring(time) {
                Ok(ReusedBytes::Shared) => Ok(size),
                Ok(ReusedBytes::Copied) => Ok(0),
                Err(source) => Err(FetchErrorKind::Write { path: to, source }),
            }
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
    Ok(shared.into_iter().sum())
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

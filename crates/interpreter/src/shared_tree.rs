//! Finished interpreters on their way between machines, through the remote store.
//!
//! One object holds the table of a tree's files and the tree, so that it is there as a whole or not at all. What
//! arrives is compared with its table before it takes its place in the store, as a damaged tree of the store would
//! be. A source that has nothing to download, such as a Go module, is shared in this way, too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archive::{ExtractErrorKind, ExtractOptions, NoCache, PackOptions, PartSource, TreeEntry};
use store::Context;
use vocab::{Digest, PartKind, TreePath};

use super::file_table::FileTable;
use super::request::BaseTree;

const TABLE: &str = "files.json";
const TREE: &str = "tree";

/// Below a scratch folder.
const UNPACKED: &str = "unpacked";

/// Whether the remote store has the tree with this identity.
fn is_shared(context: &Context, identity: &Digest) -> bool {
    context.remote.as_deref().is_some_and(|remote| remote.has_base(&context.near(), identity))
}

/// Whether the finished tree is in the store or the remote store, so that its source need not be asked.
pub(super) fn is_at_hand(context: &Context, identity: &Digest) -> bool {
    context.store.base(identity).is_dir() || is_shared(context, identity)
}

/// Fetches the tree into the store. False if the remote store has none that can be used; a damaged one is reported
/// there.
pub(super) fn bring(context: &Context, identity: &Digest, place: &Path) -> bool {
    let Some(remote) = context.remote.as_deref() else { return false };
    remote.bring_base(&context.near(), identity, |object| unpack(context, object, place)).is_some()
}

/// The error is the reason why the object cannot be used.
fn unpack(context: &Context, object: &Path, place: &Path) -> Result<(), String> {
    let scratch = context.store.scratch_dir("base-").map_err(|error| told(&error))?;
    let table = unpack_checked(object, scratch.path()).map_err(|error| told(&error))??;
    let tree = scratch.path().join(UNPACKED).join(TREE);
    table.seal(&tree)?;
    table.write(&place.with_extension("json")).map_err(|error| told(&error))?;
    let staged = context.store.stage_dir().map_err(|error| told(&error))?;
    // Windows renames onto nothing that exists.
    fs::remove_dir(staged.path()).and_then(|()| disk::rename(&tree, staged.path())).map_err(|error| told(&error))?;
    context.store.publish_dir(staged, place).map_err(|error| told(&error))?;
    Ok(())
}

/// Unpacks the object below `scratch` and compares its tree with its table. The outer error is one of this machine, the
/// inner one is what is wrong with the object.
fn unpack_checked(object: &Path, scratch: &Path) -> io::Result<Result<FileTable, String>> {
    let unpacked = scratch.join(UNPACKED);
    if let Err(error) = archive::extract(object, &unpacked, &ExtractOptions::default()) {
        return match error.kind {
            ExtractErrorKind::Read { source } | ExtractErrorKind::Write { source, .. } => Err(source),
            ExtractErrorKind::DestinationExists { .. } => Err(io::ErrorKind::AlreadyExists.into()),
            _ => Ok(Err(told(&error))),
        };
    }
    let compared = || {
        let table = FileTable::read(&unpacked.join(TABLE))?.ok_or("it has no table of its files that is known here")?;
        table.verify(&unpacked.join(TREE))?;
        Ok(table)
    };
    Ok(compared())
}

fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Whether a copy of an object of the remote store holds what its table says; the inner error is the reason why not.
///
/// # Errors
/// This machine cannot tell, for example because its disk is full.
pub fn check_shared(context: &Context, object: &Path) -> io::Result<Result<(), String>> {
    let scratch = context.store.scratch_dir("base-")?;
    Ok(unpack_checked(object, scratch.path())?.map(drop))
}

/// A tree of the store, packed as the remote store keeps it. The file lives as long as this.
pub struct PackedTree {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
    pub sha256: Digest,
}

/// Packs the tree with this identity after it was compared with its table. The error is the reason why that failed.
pub fn pack_checked(context: &Context, identity: &Digest) -> Result<PackedTree, String> {
    let (root, table) = (context.store.base(identity), context.store.base_table(identity));
    FileTable::read(&table)?.ok_or("there is no table of its files")?.verify(&root)?;
    pack(context, &root, &table).map_err(|error| told(&*error))
}

fn pack(context: &Context, root: &Path, table: &Path) -> Result<PackedTree, Box<dyn std::error::Error>> {
    let entries = entries(root, table)?;
    let folder = context.store.scratch_dir("base-")?;
    let path = folder.path().join("base.tar.zst");
    let packed = archive::pack(&path, &[PartSource::new(PartKind::BASE, entries)], &PackOptions::default(), &NoCache)?;
    Ok(PackedTree { _folder: folder, path, sha256: packed.sha256 })
}

/// Gives the tree to the remote store, if there is one that takes something and does not have it. Call it with a tree
/// that was compared with its table. What fails is reported by the remote store and fails no build.
pub fn offer(context: &Context, tree: &BaseTree) {
    let Some(remote) = context.remote.as_deref().filter(|remote| remote.takes_more()) else { return };
    if remote.has_base(&context.near(), &tree.identity) {
        return;
    }
    match pack(context, &tree.root, &context.store.base_table(&tree.identity)) {
        Ok(packed) => {
            remote.offer_base(&context.near(), &tree.identity, &packed.path, &packed.sha256);
        }
        Err(error) => context.note(format!("the interpreter {} is not shared: {error}", tree.record.actual)),
    }
}

/// Empty folders as they are; files and links as the table has them, which knows both on every system.
fn entries(tree: &Path, table: &Path) -> Result<Vec<TreeEntry>, Box<dyn std::error::Error>> {
    let text = fs::read(table)?;
    let files = FileTable::read(table)?.ok_or("there is no table of its files")?;
    let below = |path: &TreePath| format!("{TREE}/{path}").parse::<TreePath>();
    let mut entries = vec![TreeEntry::bytes(TABLE.parse()?, text)];
    for entry in archive::scan(tree)? {
        if entry.kind == archive::EntryKind::Directory {
            entries.push(TreeEntry::directory(below(&entry.path)?));
        }
    }
    let programs: std::collections::BTreeSet<&TreePath> = files.programs().collect();
    for (path, sha256) in files.digests() {
        let content = archive::FileContent::Disk(path.below(tree));
        let entry = TreeEntry::file(below(path)?, content, programs.contains(path));
        entries.push(TreeEntry { sha256: Some(*sha256), ..entry });
    }
    for (path, target) in files.links() {
        entries.push(TreeEntry::symlink(below(path)?, target));
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(entries)
}

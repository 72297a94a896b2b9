//! Copies in place of symbolic links: most programs that read zips know no links, and some treat a link as a small file
//! that contains its target. With copies all of them see the same tree.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::Bound;

use vocab::{Digest, TreePath};

use crate::name_rules::{EntryFault, NameRules, checked_path};
use crate::pack_error::PackErrorKind;
use crate::tree_record::ResolvedLink;
use crate::{EntryKind, FileContent, PartSource, TreeEntry};

/// Links to folders that contain links to folders multiply; readers accept this many entries.
const MAX_ENTRIES: usize = 500_000;

/// A part as it is in a zip.
pub(crate) struct ZipPart<'a> {
    pub name: &'a str,
    /// Sorted by path.
    pub rows: Vec<ZipRow<'a>>,
    /// Determines the part's bytes, which the part's own identity does only if no link leads out of the part.
    pub identity: Option<Digest>,
    pub copied_from: Option<Digest>,
}

impl ZipPart<'_> {
    /// Whether no file is copied from another zip. Copying from a zip costs no more than from a cache.
    pub(crate) fn is_own(&self) -> bool {
        let is_zipped =
            |row: &ZipRow<'_>| matches!(row.file, Some(ZipFile { content: FileContent::Zipped { .. }, .. }));
        !self.rows.iter().any(is_zipped)
    }
}

pub(crate) struct ZipRow<'a> {
    pub path: TreePath,
    /// Absent for a folder.
    pub file: Option<ZipFile<'a>>,
}

#[derive(Clone, Copy)]
pub(crate) struct ZipFile<'a> {
    pub content: &'a FileContent,
    pub executable: bool,
    /// Absent if unknown.
    pub sha256: Option<Digest>,
}

/// `links` are all links of all parts.
pub(crate) fn zip_parts<'a>(
    parts: &'a [PartSource],
    links: &[ResolvedLink],
    names: NameRules,
) -> Result<Vec<ZipPart<'a>>, PackErrorKind> {
    let mut tree = PackedTree::default();
    if !links.is_empty() {
        for (part, source) in parts.iter().enumerate() {
            tree.entries.extend(source.entries.iter().map(|entry| (entry.path.as_str(), (part, entry))));
        }
        tree.places.extend(links.iter().map(|link| (&link.path, link)));
    }
    let mut left = MAX_ENTRIES;
    let copied = parts.iter().enumerate().map(|(part, source)| {
        let mut copier = LinkCopier { tree: &tree, part, names, own: true, open: Vec::new(), rows: Vec::new(), left };
        let mut places = String::new();
        for entry in &source.entries {
            let refuse = |fault| match fault {
                LinkRefusal::Entry(fault) => {
                    PackErrorKind::Entry { part: source.name.clone(), path: entry.path.clone(), fault }
                }
                LinkRefusal::TooMany => PackErrorKind::TooMany { limit: MAX_ENTRIES },
            };
            copier.entry(entry, entry.path.clone()).map_err(refuse)?;
            if let (EntryKind::Symlink { .. }, Some(link)) = (&entry.kind, tree.places.get(&entry.path)) {
                writeln!(places, "{}\t{}", link.place, entry.path).expect("writing to a string cannot fail");
            }
        }
        let LinkCopier { mut rows, own, left: rest, .. } = copier;
        left = rest;
        rows.sort_by(|one, other| one.path.cmp(&other.path));
        let identity = source.identity.filter(|_| own).map(|identity| with_places(&identity, &places));
        Ok(ZipPart { name: &source.name, rows, identity, copied_from: source.copied_from })
    });
    copied.collect()
}

/// Where a link leads can depend on other parts' links even when it ends in its own part, so it goes into the digest.
fn with_places(identity: &Digest, places: &str) -> Digest {
    if places.is_empty() { *identity } else { Digest::of(format!("pydist links\n{identity}\n{places}")) }
}

/// Everything that is packed, whatever its part.
#[derive(Default)]
struct PackedTree<'a, 'l> {
    entries: BTreeMap<&'a str, (usize, &'a TreeEntry)>,
    places: HashMap<&'l TreePath, &'l ResolvedLink>,
}

struct LinkCopier<'a, 't> {
    tree: &'t PackedTree<'a, 't>,
    part: usize,
    names: NameRules,
    /// Nothing has been copied from another part.
    own: bool,
    /// Links that are being copied, outermost first.
    open: Vec<TreePath>,
    rows: Vec<ZipRow<'a>>,
    left: usize,
}

enum LinkRefusal {
    Entry(EntryFault),
    TooMany,
}

impl<'a> LinkCopier<'a, '_> {
    /// Puts `entry` at `path`, which is its own but below a link.
    fn entry(&mut self, entry: &'a TreeEntry, path: TreePath) -> Result<(), LinkRefusal> {
        match &entry.kind {
            EntryKind::Directory => self.row(path, None),
            EntryKind::File { content, executable } => {
                self.row(path, Some(ZipFile { content, executable: *executable, sha256: entry.sha256 }))
            }
            EntryKind::Symlink { target } => {
                let Some(link) = self.tree.places.get(&entry.path) else { return Ok(()) };
                if self.open.contains(&entry.path) {
                    return Err(LinkRefusal::Entry(EntryFault::LinkLoop { target: target.clone() }));
                }
                self.open.push(entry.path.clone());
                let copied = self.place(link, &path);
                self.open.pop();
                copied
            }
        }
    }

    fn row(&mut self, path: TreePath, file: Option<ZipFile<'a>>) -> Result<(), LinkRefusal> {
        self.left = self.left.checked_sub(1).ok_or(LinkRefusal::TooMany)?;
        self.rows.push(ZipRow { path, file });
        Ok(())
    }

    /// Places what the link leads to at `path`.
    fn place(&mut self, link: &ResolvedLink, path: &TreePath) -> Result<(), LinkRefusal> {
        if let Some((part, entry)) = self.tree.entries.get(link.place.as_str())
            && entry.kind != EntryKind::Directory
        {
            self.own &= *part == self.part;
            return self.entry(entry, path.clone());
        }
        let below = if link.place.is_root() { String::new() } else { format!("{}/", link.place) };
        let inside = self
            .tree
            .entries
            .range::<str, _>((Bound::Included(&*below), Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(&below));
        let mut is_there = link.place.is_root() || self.tree.entries.contains_key(link.place.as_str());
        if let Some((part, _)) = self.tree.entries.get(link.place.as_str()) {
            self.own &= *part == self.part;
        }
        self.row(path.clone(), None)?;
        for (inner, (part, entry)) in inside {
            is_there = true;
            self.own &= *part == self.part;
            let copy = format!("{path}/{}", &inner[below.len()..]);
            let copy = checked_path(copy.as_bytes(), self.names).map_err(LinkRefusal::Entry)?;
            self.entry(entry, copy)?;
        }
        let dangling = || LinkRefusal::Entry(EntryFault::LinkDangling { target: link.target.clone() });
        if is_there { Ok(()) } else { Err(dangling()) }
    }
}

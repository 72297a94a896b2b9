//! Trees to pack, and what came out of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use archive::{EntryKind, PackOptions, TreeEntry, scan};

/// Path → what is there: a directory, `x` or `-` with the content of a file, a link's target.
pub type Tree = BTreeMap<String, Node>;

/// What is at one path of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Directory,
    File { executable: bool, content: Vec<u8> },
    Symlink(String),
}

/// A file that is not executable.
pub fn file(content: impl AsRef<[u8]>) -> Node {
    Node::File { executable: false, content: content.as_ref().to_vec() }
}

/// An executable file.
pub fn program(content: impl AsRef<[u8]>) -> Node {
    Node::File { executable: true, content: content.as_ref().to_vec() }
}

/// What a small runtime has: programs, links, empty files, long and foreign names, a file longer than a frame.
pub fn sample() -> Tree {
    static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| noise(20 << 20));
    let long = format!("lib/{}/{}.py", "long".repeat(40), "name".repeat(30));
    let deep = format!("lib/{}/x", vec!["deep"; 28].join("/"));
    let mut tree = Tree::from([
        ("bin".to_owned(), Node::Directory),
        ("bin/python3".to_owned(), program("#!/bin/sh\nexit 0\n")),
        ("bin/python".to_owned(), Node::Symlink("python3".to_owned())),
        ("lib/empty.py".to_owned(), file("")),
        ("lib/Fänger ünd Söhne/日本語.txt".to_owned(), file("ok")),
        ("lib/up".to_owned(), Node::Symlink("../bin".to_owned())),
        ("lib/nothing".to_owned(), Node::Directory),
        ("lib/large.bin".to_owned(), file(&*LARGE)),
        (long, file("long")),
        (deep, file("deep")),
    ]);
    let folders: Vec<_> = tree.keys().flat_map(|path| parents(path)).collect();
    for folder in folders {
        tree.entry(folder).or_insert(Node::Directory);
    }
    tree
}

/// What a zip makes of `tree`: each link is a copy of what it leads to. `None` when there is no such thing, or no end.
pub fn without_links(tree: &Tree) -> Option<Tree> {
    let mut copy = Tree::new();
    for (path, node) in tree {
        put(tree, path, node, path, &mut copy, 0)?;
    }
    Some(copy)
}

fn put(tree: &Tree, path: &str, node: &Node, at: &str, copy: &mut Tree, depth: usize) -> Option<()> {
    if depth > 20 || copy.len() > 10_000 {
        return None;
    }
    let Node::Symlink(_) = node else {
        copy.insert(at.to_owned(), node.clone());
        return Some(());
    };
    let place = followed(tree, path, 0)?;
    if let Some(node @ Node::File { .. }) = tree.get(&place) {
        copy.insert(at.to_owned(), node.clone());
        return Some(());
    }
    let below = if place.is_empty() { String::new() } else { format!("{place}/") };
    let is_there = place.is_empty() || tree.contains_key(&place);
    copy.insert(at.to_owned(), is_there.then_some(Node::Directory)?);
    for (inner, node) in tree.iter().filter(|(inner, _)| inner.starts_with(&below)) {
        put(tree, inner, node, &format!("{at}/{}", &inner[below.len()..]), copy, depth + 1)?;
    }
    Some(())
}

/// Where `path` is when every link on the way, and `path` itself, is followed.
fn followed(tree: &Tree, path: &str, depth: usize) -> Option<String> {
    let mut at = String::new();
    for name in path.split('/') {
        match name {
            "" | "." => continue,
            ".." => {
                at = at.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
                continue;
            }
            _ => {}
        }
        let next = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        at = match tree.get(&next) {
            Some(Node::Symlink(target)) if depth < 30 => followed(tree, &format!("{at}/{target}"), depth + 1)?,
            Some(Node::Symlink(_)) => return None,
            _ => next,
        };
    }
    Some(at)
}

fn parents(path: &str) -> Vec<String> {
    path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect()
}

/// Bytes that do not compress, the same each time.
pub fn noise(size: usize) -> Vec<u8> {
    noise_of(0x9E37_79B9_7F4A_7C15, size)
}

/// Other bytes for each seed but 0.
pub fn noise_of(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = vec![0; size];
    // Unoptimised, as tests are, a loop takes a fraction of what iterators put together do.
    for byte in &mut bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state as u8;
    }
    bytes
}

/// Makes the tree on disk. Folders above a path have to come before it, as they do in a sorted map that lists them.
#[cfg(unix)]
pub fn write_tree(tree: &Tree, root: &Path) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    fs::create_dir_all(root).unwrap();
    for (path, node) in tree {
        let place = root.join(path);
        match node {
            Node::Directory => fs::create_dir_all(&place).unwrap(),
            Node::Symlink(target) => symlink(target, &place).unwrap(),
            Node::File { executable, content } => {
                fs::write(&place, content).unwrap();
                let mode = if *executable { 0o755 } else { 0o644 };
                fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// What is on disk below `root`. The inverse of [`write_tree`].
pub fn read_tree(root: &Path) -> Tree {
    let node = |entry: &TreeEntry| match &entry.kind {
        EntryKind::Directory => Node::Directory,
        EntryKind::Symlink { target } => Node::Symlink(target.clone()),
        EntryKind::File { executable, .. } => {
            Node::File { executable: *executable, content: fs::read(entry.path.below(root)).unwrap() }
        }
    };
    scan(root).unwrap().iter().map(|entry| (entry.path.to_string(), node(entry))).collect()
}

/// The tree as entries that need no disk.
pub fn entries(tree: &Tree) -> Vec<TreeEntry> {
    let entry = |(path, node): (&String, &Node)| {
        let path = path.parse().unwrap();
        match node {
            Node::Directory => TreeEntry::directory(path),
            Node::Symlink(target) => TreeEntry::symlink(path, target.as_str()),
            Node::File { executable, content } => {
                TreeEntry::file(path, archive::FileContent::Bytes(content.as_slice().into()), *executable)
            }
        }
    };
    tree.iter().map(entry).collect()
}

/// Packing that is quick: the lowest level, on all processors.
pub fn options(format: vocab::ArtifactFormat) -> PackOptions<'static> {
    PackOptions { format, level: 1, ..PackOptions::default() }
}

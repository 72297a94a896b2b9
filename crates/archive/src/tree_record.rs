//! What a tree contains so far: the rules that take more than one entry to judge.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use vocab::TreePath;

use crate::name_rules::{EntryFault, NameRules, check_text, child};

/// Grows entry by entry, in packing and extraction alike, so that nothing is packed that would be refused.
pub struct TreeRecord {
    rules: NameRules,
    /// Keyed by folded path.
    nodes: HashMap<String, RecordedNode>,
    links: BTreeMap<TreePath, String>,
}

struct RecordedNode {
    kind: NodeKind,
    /// The original spelling, where that is not the key.
    spelling: Option<Box<str>>,
}

/// What is at a path. Hard links are files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Directory,
    File,
    Symlink,
}

impl TreeRecord {
    /// Empty; `rules` decide which spellings are one file.
    pub fn new(rules: NameRules) -> Self {
        Self { rules, nodes: HashMap::new(), links: BTreeMap::new() }
    }

    /// Adds `path`. Calls `new_directory` for each directory that it newly needs, outermost first, including `path`
    /// itself if it is one. A directory may be added again; nothing else may.
    pub fn add(
        &mut self,
        path: &TreePath,
        kind: NodeKind,
        new_directory: &mut dyn FnMut(&str),
    ) -> Result<(), EntryFault> {
        let text = path.as_str();
        // The innermost known directory, so that a file in a known folder needs one look-up.
        let mut known = 0;
        for (at, _) in text.rmatch_indices('/') {
            if self.is_known_directory(&text[..at])? {
                known = at;
                break;
            }
        }
        for (at, _) in text.match_indices('/').filter(|(at, _)| *at > known) {
            self.insert(&text[..at], NodeKind::Directory);
            new_directory(&text[..at]);
        }
        match self.find(text) {
            None => {
                self.insert(text, kind);
                if kind == NodeKind::Directory {
                    new_directory(text);
                }
                Ok(())
            }
            Some((_, other)) if other != text => Err(EntryFault::Clash { other: tree_path(&other) }),
            Some((NodeKind::Directory, _)) if kind == NodeKind::Directory => Ok(()),
            Some(_) => Err(EntryFault::Duplicate),
        }
    }

    /// Adds a symbolic link. Its text is judged here, its way through other links in
    /// [`resolved_links`](Self::resolved_links).
    pub fn add_link(
        &mut self,
        path: &TreePath,
        target: String,
        new_directory: &mut dyn FnMut(&str),
    ) -> Result<(), EntryFault> {
        if target.is_empty() || check_text(&target).is_err() {
            return Err(EntryFault::LinkOut { target });
        }
        self.add(path, NodeKind::Symlink, new_directory)?;
        // Judged by its text at once; through other links when all are known.
        follow(path, &target, &BTreeMap::new())?;
        self.links.insert(path.clone(), target);
        Ok(())
    }

    /// What is at `path`, if anything, under this or an equal spelling.
    pub fn kind_of(&self, path: &TreePath) -> Option<NodeKind> {
        self.find(path.as_str()).map(|(kind, _)| kind)
    }

    /// Every link, by path, with the place it leads to when all links on the way are followed. A link that leaves the
    /// tree or leads to itself is a fault.
    pub fn resolved_links(&self) -> Result<Vec<ResolvedLink>, (TreePath, EntryFault)> {
        let resolve = |(path, target): (&TreePath, &String)| match follow(path, target, &self.links) {
            Ok(place) => Ok(ResolvedLink { path: path.clone(), target: target.clone(), place }),
            Err(fault) => Err((path.clone(), fault)),
        };
        self.links.iter().map(resolve).collect()
    }

    /// An error if `text` exists and is not a directory, or has another spelling.
    fn is_known_directory(&self, text: &str) -> Result<bool, EntryFault> {
        let Some((kind, other)) = self.find(text) else { return Ok(false) };
        match kind {
            NodeKind::Directory if other != text => Err(EntryFault::Clash { other: tree_path(&other) }),
            NodeKind::Directory => Ok(true),
            NodeKind::File => Err(EntryFault::BelowFile { other: tree_path(&other) }),
            NodeKind::Symlink => Err(EntryFault::BelowLink { other: tree_path(&other) }),
        }
    }

    /// What exists under the name `text`, and its spelling.
    fn find<'a>(&'a self, text: &'a str) -> Option<(NodeKind, Cow<'a, str>)> {
        let key = self.rules.key(text);
        let node = self.nodes.get(key.as_ref())?;
        Some((node.kind, node.spelling.as_deref().map_or(key, Cow::Borrowed)))
    }

    fn insert(&mut self, text: &str, kind: NodeKind) {
        match self.rules.folded(text) {
            None => self.nodes.insert(text.to_owned(), RecordedNode { kind, spelling: None }),
            Some(folded) => {
                let spelling = (folded != text).then(|| text.into());
                self.nodes.insert(folded, RecordedNode { kind, spelling })
            }
        };
    }
}

fn tree_path(text: &str) -> TreePath {
    text.parse().unwrap_or_default()
}

/// A link that stays inside the tree, and where it finally leads.
pub struct ResolvedLink {
    pub path: TreePath,
    /// As the archive states it.
    pub target: String,
    /// The path where all links on the way end; it need not exist.
    pub place: TreePath,
}

/// More links than this on the way count as a loop; operating systems have the same limit.
const MAX_LINKS: usize = 40;

/// Where the link at `path` leads. Component by component, because `a/..` is not the folder of `a` when `a` is a link:
/// `x/up -> ..` and `y -> x/up/..` each look harmless, and together lead out of the tree.
fn follow(path: &TreePath, target: &str, links: &BTreeMap<TreePath, String>) -> Result<TreePath, EntryFault> {
    let mut at = path.parent().unwrap_or_default();
    let mut ahead: Vec<&str> = target.rsplit('/').collect();
    let mut followed = 0;
    while let Some(component) = ahead.pop() {
        match component {
            "" | "." => {}
            ".." => at = at.parent().ok_or_else(|| EntryFault::LinkOut { target: target.to_owned() })?,
            name => {
                let next = child(&at, name).ok_or_else(|| EntryFault::LinkOut { target: target.to_owned() })?;
                let Some(onward) = links.get(&next) else {
                    at = next;
                    continue;
                };
                followed += 1;
                if followed > MAX_LINKS {
                    return Err(EntryFault::LinkLoop { target: target.to_owned() });
                }
                ahead.extend(onward.rsplit('/'));
            }
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(rules: NameRules, rows: &[(&str, &str)]) -> Result<Vec<String>, EntryFault> {
        let mut record = TreeRecord::new(rules);
        let mut directories = Vec::new();
        for (path, kind) in rows {
            let path = path.parse().unwrap();
            let mut made = |text: &str| directories.push(text.to_owned());
            match *kind {
                "directory" => record.add(&path, NodeKind::Directory, &mut made)?,
                "file" => record.add(&path, NodeKind::File, &mut made)?,
                target => record.add_link(&path, target.to_owned(), &mut made)?,
            }
        }
        record.resolved_links().map_err(|(_, fault)| fault)?;
        Ok(directories)
    }

    #[test]
    fn each_directory_is_told_once_and_before_what_is_in_it() {
        let rows = [("a/b/c", "file"), ("a", "directory"), ("a/b/d", "file"), ("a/e", "directory")];
        assert_eq!(record(NameRules::CaseSensitive, &rows).unwrap(), ["a", "a/b", "a/e"]);
    }

    #[test]
    fn entries_are_judged_together() {
        use NameRules::{CaseInsensitive, CaseSensitive};
        type Rows = &'static [(&'static str, &'static str)];
        let cases: &[(NameRules, Rows, &str)] = &[
            // (rules, entries; what is wrong with the last, "" for nothing)
            (CaseSensitive, &[("a", "file"), ("a", "file")], "it occurs twice"),
            (CaseSensitive, &[("a/b", "file"), ("a", "file")], "it occurs twice"),
            (CaseSensitive, &[("a", "file"), ("a/b", "file")], "below `a`, which is not a directory"),
            (CaseSensitive, &[("a", "b"), ("a/c/d", "file")], "below the symbolic link `a`"),
            (CaseSensitive, &[("a/c", "file"), ("a", "b")], "it occurs twice"),
            (CaseSensitive, &[("a", "file"), ("A", "file")], ""),
            (CaseInsensitive, &[("a", "file"), ("A", "file")], "`a` is the same name"),
            (CaseInsensitive, &[("A", "file"), ("a", "file")], "`A` is the same name"),
            (CaseInsensitive, &[("lib/a", "file"), ("Lib/b", "file")], "`lib` is the same name"),
            (CaseInsensitive, &[("Lib", "b"), ("lib/x", "file")], "below the symbolic link `Lib`"),
            (CaseSensitive, &[("e\u{301}", "file"), ("\u{e9}", "file")], "is the same name"),
            (CaseSensitive, &[("a/b", "../c")], ""),
            (CaseSensitive, &[("a", ".")], ""),
            (CaseSensitive, &[("a/b", "../../c")], "not a path inside"),
            (CaseSensitive, &[("a", "/etc")], "not a path inside"),
            (CaseSensitive, &[("a", "C:x")], "not a path inside"),
            (CaseSensitive, &[("a", "b\\c")], "not a path inside"),
            (CaseSensitive, &[("a", "b"), ("b", "a")], "back to itself"),
            (CaseSensitive, &[("x/up", ".."), ("y", "x/up/..")], "not a path inside"),
            (CaseSensitive, &[("x/up", ".."), ("y", "x/up/x")], ""),
            (CaseSensitive, &[("x/u:", ".."), ("y", "x/u:/..")], "not a path inside"),
            (CaseSensitive, &[("x/u:", "v:w"), ("x/v:w", "file")], "not a path inside"),
        ];
        for (rules, rows, expected) in cases {
            let message = record(*rules, rows).err().map_or(String::new(), |fault| fault.to_string());
            assert!(message.contains(expected) && message.is_empty() == expected.is_empty(), "{rows:?}: {message}");
        }
    }
}

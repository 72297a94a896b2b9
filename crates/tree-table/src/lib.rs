//! Whether a tree is as it was put into place.
//!
//! The one idea: a table of every file, link and empty folder is made when the tree is put there, and stored beside it,
//! since the tree itself equals the artifact to the last byte. Checking the tree compares each file's presence, size,
//! time and executable bit with the table. A file that differs only in its time may have been copied, so its digest
//! decides: the BLAKE3 where the table has it, else the SHA-256. The builder's "up to date" and `pydist`'s "installed" mean this, and nothing less.
//!
//! ```
//! use tree_table::{CompareDepth, TreeTable};
//!
//! let tree = tempfile::tempdir()?;
//! std::fs::write(tree.path().join("a.py"), "1")?;
//! let table = TreeTable::of(tree.path(), vocab::DigestKinds::Blake3)?;
//! std::fs::write(tree.path().join("a.py"), "22")?;
//! std::fs::write(tree.path().join("b.py"), "3")?;
//! let told = |damage: &[tree_table::TreeDamage]| damage.iter().map(ToString::to_string).collect::<Vec<_>>();
//! assert_eq!(told(&table.compare(tree.path(), CompareDepth::Quick).damage), ["`a.py` has another size"]);
//! assert_eq!(told(&table.added(tree.path())), ["`b.py` was added"]);
//! # Ok::<(), std::io::Error>(())
//! ```

mod stamp;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use archive::{EntryKind, scan};
use serde::{Deserialize, Serialize};
use vocab::{Blake3, ContentDigests, Digest, DigestBuffer, DigestKinds, TreePath, side_by_side};

pub use stamp::FileStamp;

/// Every file, link and empty folder of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeTable {
    files: Vec<FileRow>,
    links: Vec<LinkRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    folders: Vec<TreePath>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    path: TreePath,
    size: u64,
    /// See [`FileStamp`].
    modified: u64,
    executable: bool,
    /// One of the two at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<Blake3>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkRow {
    path: TreePath,
    target: String,
}

/// How closely a tree is compared with its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareDepth {
    /// Presence, size, time.
    Quick,
    /// The digest of every file.
    Digests,
}

/// One path at which the tree is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeDamage {
    pub path: TreePath,
    /// Completes a sentence that begins with the path.
    pub what: &'static str,
}

impl fmt::Display for TreeDamage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.path, self.what)
    }
}

/// The first few in one line, and how many there are besides.
pub fn first_few(damage: &[TreeDamage]) -> String {
    let mut text: Vec<String> = damage.iter().take(NAMED).map(ToString::to_string).collect();
    if damage.len() > NAMED {
        text.push(format!("and {} more files", damage.len() - NAMED));
    }
    text.join(", ")
}

const NAMED: usize = 5;

/// A tree beside its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComparedTree {
    /// Sorted by path.
    pub damage: Vec<TreeDamage>,
    /// Files that have another time and the same content: a table made anew need not read them again.
    pub touched: usize,
}

/// Rows that a thread takes at a time.
const ROWS: usize = 256;
/// Where files are read, a thread takes a larger one alone.
const ALONE: u64 = 64 << 10;
/// No file system rounds times by more.
const ROUNDED: Duration = Duration::from_secs(2);

impl TreeTable {
    /// Reads the tree at `root`.
    pub fn of(root: &Path, kinds: DigestKinds) -> io::Result<Self> {
        Self::with_digests(root, kinds, &|_| None)
    }

    /// Reads only the files whose digests are not `known`, and computes those of `kinds`.
    pub fn with_digests(
        root: &Path,
        kinds: DigestKinds,
        known: &dyn Fn(&TreePath) -> Option<ContentDigests>,
    ) -> io::Result<Self> {
        let mut table = Self::default();
        let mut found = Vec::new();
        for entry in scan(root).map_err(io::Error::other)? {
            match entry.kind {
                EntryKind::Directory => table.folders.push(entry.path),
                EntryKind::Symlink { target } => table.links.push(LinkRow { path: entry.path, target }),
                EntryKind::File { executable, .. } => {
                    let digests = known(&entry.path);
                    found.push((entry.path, executable, digests));
                }
            }
        }
        let row = |buffer: &mut DigestBuffer, index: usize| -> io::Result<FileRow> {
            let (path, executable, known) = &found[index];
            let place = path.below(root);
            let stamp = FileStamp::of(&fs::symlink_metadata(&place)?);
            let ContentDigests { sha256, blake3 } = known.map_or_else(|| digests(&place, kinds, buffer), Ok)?;
            let FileStamp { size, modified } = stamp;
            Ok(FileRow { path: path.clone(), size, modified, executable: *executable, sha256, blake3 })
        };
        table.files = side_by_side(threads(), found.len(), DigestBuffer::default, row)?;
        let filled = table.filled_folders();
        table.folders.retain(|folder| !filled.contains(folder));
        Ok(table)
    }

    /// Digests of the files, by path.
    pub fn digests(&self) -> impl Iterator<Item = (&TreePath, ContentDigests)> {
        self.files.iter().map(|row| (&row.path, row.digests()))
    }

    /// The same, to look paths up in.
    pub fn digests_by_path(self) -> HashMap<TreePath, ContentDigests> {
        self.files.into_iter().map(|row| (row.path.clone(), row.digests())).collect()
    }

    /// How many files and links it lists.
    pub fn len(&self) -> usize {
        self.files.len() + self.links.len()
    }

    /// Whether it lists nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.folders.is_empty()
    }

    /// What has changed or gone. What was added is not damage here; see [`TreeTable::added`].
    pub fn compare(&self, root: &Path, look: CompareDepth) -> ComparedTree {
        let rows = self.in_pieces(look);
        let compared = |buffer: &mut DigestBuffer, index: usize| -> Result<_, Infallible> {
            let mut piece = ComparedTree::default();
            for row in &rows[index] {
                match row.compare(root, look, buffer) {
                    Ok(touched) => piece.touched += usize::from(touched),
                    Err(what) => piece.damage.push(TreeDamage { path: row.path.clone(), what }),
                }
            }
            Ok(piece)
        };
        let Ok(pieces) = side_by_side(threads(), rows.len(), DigestBuffer::default, compared);
        let mut all = ComparedTree::default();
        for piece in pieces {
            all.touched += piece.touched;
            all.damage.extend(piece.damage);
        }
        for row in &self.links {
            let what = match fs::read_link(row.path.below(root)) {
                Ok(target) if same_target(&target, &row.target) => continue,
                Ok(_) => "leads elsewhere",
                Err(_) => "is missing or not a link",
            };
            all.damage.push(TreeDamage { path: row.path.clone(), what });
        }
        for path in &self.folders {
            if !fs::symlink_metadata(path.below(root)).is_ok_and(|metadata| metadata.is_dir()) {
                all.damage.push(TreeDamage { path: path.clone(), what: "is missing or not a folder" });
            }
        }
        all.damage.sort_by(|left, right| left.path.cmp(&right.path));
        all
    }

    /// What a thread takes at a time. Where files are read, the largest come first, so that no thread is left with one at the
    /// end.
    fn in_pieces(&self, look: CompareDepth) -> Vec<Vec<&FileRow>> {
        let mut rows: Vec<&FileRow> = self.files.iter().collect();
        let mut large = 0;
        if look == CompareDepth::Digests {
            rows.sort_by_key(|row| Reverse(row.size));
            large = rows.partition_point(|row| row.size > ALONE);
        }
        let (large, small) = rows.split_at(large);
        large.chunks(1).chain(small.chunks(ROWS)).map(<[_]>::to_vec).collect()
    }

    /// Whether a file is as it was: by size and time, and by its digest where the time differs. False for what is not a file
    /// of the table.
    pub fn is_unchanged(&self, root: &Path, path: &TreePath) -> bool {
        let row = self.files.iter().find(|row| row.path == *path);
        row.is_some_and(|row| row.compare(root, CompareDepth::Quick, &mut DigestBuffer::default()).is_ok())
    }

    /// Whether a file may have been written since `time`, or since the table was made of it. Some file systems round times.
    pub fn was_written_since(&self, root: &Path, time: SystemTime) -> bool {
        let time = time.checked_sub(ROUNDED).map_or(0, stamp::nanoseconds);
        let is_new = self.files.iter().any(|row| row.modified >= time);
        is_new || self.compare(root, CompareDepth::Quick) != ComparedTree::default()
    }

    /// What is in the tree and not in the table, but for the `__pycache__` folders that Python writes by itself; sorted
    /// by path. Of an added folder only the folder is named.
    pub fn added(&self, root: &Path) -> Vec<TreeDamage> {
        let listed: HashSet<&TreePath> =
            self.files.iter().map(|row| &row.path).chain(self.links.iter().map(|row| &row.path)).collect();
        let mut folders = self.filled_folders();
        folders.extend(self.folders.iter().cloned());
        let mut added = Vec::new();
        let mut pending = vec![TreePath::default()];
        while let Some(folder) = pending.pop() {
            let Ok(items) = fs::read_dir(folder.below(root)) else {
                added.push(TreeDamage { path: folder, what: "cannot be listed" });
                continue;
            };
            for item in items.flatten() {
                let name = item.file_name();
                let path = name.to_str().and_then(|name| name.parse().ok()).map(|name| folder.join(&name));
                let Some(path) = path else {
                    added.push(TreeDamage { path: folder.clone(), what: "holds a file whose name no runtime has" });
                    continue;
                };
                if item.file_type().is_ok_and(|kind| kind.is_dir()) {
                    if folders.contains(&path) {
                        pending.push(path);
                    } else if name != BYTE_CODE {
                        added.push(TreeDamage { path, what: "was added" });
                    }
                } else if !listed.contains(&path) && folder.file_name() != BYTE_CODE {
                    added.push(TreeDamage { path, what: "was added" });
                }
            }
        }
        added.sort_by(|left, right| left.path.cmp(&right.path));
        added
    }

    /// All folders that something listed lies in.
    fn filled_folders(&self) -> HashSet<TreePath> {
        let mut filled = HashSet::new();
        let links = self.links.iter().map(|row| &row.path);
        for path in self.files.iter().map(|row| &row.path).chain(links).chain(&self.folders) {
            let mut above = path.parent();
            while let Some(folder) = above {
                above = folder.parent();
                if !filled.insert(folder) {
                    break;
                }
            }
        }
        filled
    }
}

/// Python's folder of byte code; packages put caches of their own into it.
const BYTE_CODE: &str = "__pycache__";

impl FileRow {
    fn digests(&self) -> ContentDigests {
        ContentDigests { sha256: self.sha256, blake3: self.blake3 }
    }

    /// Whether it was only touched, or what has changed.
    fn compare(&self, root: &Path, look: CompareDepth, buffer: &mut DigestBuffer) -> Result<bool, &'static str> {
        let place = self.path.below(root);
        let metadata = fs::symlink_metadata(&place).map_err(|_| "is missing")?;
        if !metadata.is_file() {
            return Err("is not a file any more");
        }
        let now = FileStamp::of(&metadata);
        if now.size != self.size {
            return Err("has another size");
        }
        if is_executable(&metadata) != self.executable {
            return Err("has another executable bit");
        }
        let touched = now.modified != self.modified;
        if touched || look == CompareDepth::Digests {
            let kinds = self.digests().quickest().ok_or("has no digest in the record")?;
            let actual = digests(&place, kinds, buffer).map_err(|_| "cannot be read")?;
            if !actual.agree(&self.digests()) {
                return Err("was changed");
            }
        }
        Ok(touched)
    }
}

fn digests(place: &Path, kinds: DigestKinds, buffer: &mut DigestBuffer) -> io::Result<ContentDigests> {
    ContentDigests::of_reader(File::open(place)?, kinds, buffer)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// As [`scan`] reads it.
fn same_target(target: &Path, expected: &str) -> bool {
    target.to_str().is_some_and(|text| text == expected || (cfg!(windows) && text.replace('\\', "/") == expected))
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

/// Files have no such bit on this system.
#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn tree() -> (tempfile::TempDir, TreeTable) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("bin/tool", "one"), ("lib/a.py", "two"), ("lib/b.py", "three")] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(folder.path().join("share")).unwrap();
        let table = TreeTable::of(folder.path(), DigestKinds::Blake3).unwrap();
        (folder, table)
    }

    fn told(table: &TreeTable, root: &Path, look: CompareDepth) -> Vec<String> {
        table.compare(root, look).damage.iter().map(ToString::to_string).collect()
    }

    fn added(table: &TreeTable, root: &Path) -> Vec<String> {
        table.added(root).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_damage_is_named_and_what_was_added_is_none() {
        let (folder, table) = tree();
        let root = folder.path();
        fs::create_dir(root.join("lib/__pycache__")).unwrap();
        fs::write(root.join("lib/__pycache__/a.pyc"), "later").unwrap();
        assert_eq!(told(&table, root, CompareDepth::Digests), Vec::<String>::new());
        fs::remove_file(root.join("bin/tool")).unwrap();
        fs::remove_dir(root.join("share")).unwrap();
        fs::write(root.join("lib/a.py"), "longer").unwrap();
        fs::write(root.join("lib/b.py"), "eerht").unwrap();
        let file = File::options().write(true).open(root.join("lib/b.py")).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        let expected = [
            "`bin/tool` is missing",
            "`lib/a.py` has another size",
            "`lib/b.py` was changed",
            "`share` is missing or not a folder",
        ];
        assert_eq!(told(&table, root, CompareDepth::Quick), expected);
    }

    #[test]
    fn what_was_added_is_named_but_what_python_writes_by_itself() {
        let (folder, table) = tree();
        let root = folder.path();
        for path in ["lib/__pycache__/a.pyc", "bin/__pycache__/deep/kernel.nbi"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "later").unwrap();
        }
        assert_eq!(added(&table, root), Vec::<String>::new());
        for path in ["lib/c.py", "lib/demo/__init__.py", "share/note", "sitecustomize.py"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "later").unwrap();
        }
        fs::create_dir(root.join("empty")).unwrap();
        let expected = ["empty", "lib/c.py", "lib/demo", "share/note", "sitecustomize.py"];
        assert_eq!(added(&table, root), expected.map(|path| format!("`{path}` was added")));
        assert_eq!(told(&table, root, CompareDepth::Digests), Vec::<String>::new());
    }

    #[test]
    fn digests_are_compared_where_the_time_differs_or_all_are_asked_for() {
        let (folder, table) = tree();
        let path = folder.path().join("lib/a.py");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let set = |text: &str, time| {
            fs::write(&path, text).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        set("two", UNIX_EPOCH);
        let copied = table.compare(folder.path(), CompareDepth::Quick);
        assert_eq!(copied, ComparedTree { damage: Vec::new(), touched: 1 }, "it was only copied");
        set("owt", time);
        assert_eq!(
            told(&table, folder.path(), CompareDepth::Quick),
            Vec::<String>::new(),
            "size and time are the same"
        );
        assert_eq!(told(&table, folder.path(), CompareDepth::Digests), ["`lib/a.py` was changed"]);
    }

    #[test]
    fn every_file_is_read_however_many_there_are_and_whatever_their_sizes() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..3 * ROWS {
            let size = if index % 60 == 0 { [65_536, 65_537, 200_000][index / 60 % 3] } else { index % 7 };
            fs::write(folder.path().join(index.to_string()), vec![7_u8; size]).unwrap();
        }
        let kinds = [DigestKinds::Sha256, DigestKinds::Blake3, DigestKinds::Both];
        let tables = kinds.map(|kinds| TreeTable::of(folder.path(), kinds).unwrap());
        for table in &tables {
            for look in [CompareDepth::Quick, CompareDepth::Digests] {
                assert_eq!(table.compare(folder.path(), look), ComparedTree::default());
            }
        }
        let mut changed: Vec<String> = (0..3 * ROWS).step_by(5).map(|index| index.to_string()).collect();
        for name in &changed {
            let path = folder.path().join(name);
            let (time, mut bytes) = (fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap());
            match bytes.last_mut() {
                Some(last) => *last ^= 1,
                None => bytes.push(1),
            }
            fs::write(&path, bytes).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        changed.sort();
        for table in tables {
            let damage = table.compare(folder.path(), CompareDepth::Digests).damage;
            assert_eq!(damage.iter().map(|damage| damage.path.to_string()).collect::<Vec<_>>(), changed);
        }
    }

    #[test]
    fn a_row_without_a_digest_says_nothing_of_its_file() {
        let (folder, table) = tree();
        let mut text = serde_json::to_value(&table).unwrap();
        for row in text["files"].as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("blake3").unwrap();
        }
        let table: TreeTable = serde_json::from_value(text).unwrap();
        let damage = told(&table, folder.path(), CompareDepth::Digests);
        assert_eq!(damage[0], "`bin/tool` has no digest in the record");
        assert_eq!(damage.len(), 3);
    }

    #[test]
    fn one_file_is_compared_alone() {
        let (folder, table) = tree();
        let is_unchanged = |path: &str| table.is_unchanged(folder.path(), &path.parse().unwrap());
        assert_eq!(["lib/a.py", "lib", "share", "other"].map(is_unchanged), [true, false, false, false]);
        fs::write(folder.path().join("lib/a.py"), "owt").unwrap();
        File::options().write(true).open(folder.path().join("lib/a.py")).unwrap().set_modified(UNIX_EPOCH).unwrap();
        assert_eq!(["lib/a.py", "lib/b.py"].map(is_unchanged), [false, true]);
    }

    #[test]
    fn what_was_written_since_a_time_or_since_the_table_was_made_is_noticed() {
        let (folder, _) = tree();
        let now = SystemTime::now();
        let path = |name: &str| folder.path().join(name);
        let set = |name: &str, time| File::options().write(true).open(path(name)).unwrap().set_modified(time).unwrap();
        let is_written = |table: &TreeTable| table.was_written_since(folder.path(), now);
        assert!(is_written(&TreeTable::of(folder.path(), DigestKinds::Blake3).unwrap()), "at this moment");
        for name in ["bin/tool", "lib/a.py", "lib/b.py"] {
            set(name, UNIX_EPOCH);
        }
        let table = TreeTable::of(folder.path(), DigestKinds::Blake3).unwrap();
        assert!(!is_written(&table));
        fs::write(path("lib/a.py"), "two").unwrap();
        assert!(is_written(&table), "the same content");
        set("lib/a.py", UNIX_EPOCH);
        assert!(!is_written(&table));
        fs::remove_file(path("lib/a.py")).unwrap();
        assert!(is_written(&table));
    }

    #[test]
    fn a_known_digest_is_taken_and_its_file_not_read() {
        let (folder, _) = tree();
        let known = ContentDigests::from(Digest::of("known"));
        let of_tool = |path: &TreePath| (path.as_str() == "bin/tool").then_some(known);
        for kinds in [DigestKinds::Sha256, DigestKinds::Blake3, DigestKinds::Both] {
            let table = TreeTable::with_digests(folder.path(), kinds, &of_tool).unwrap();
            let digests: Vec<ContentDigests> = table.digests().map(|(_, digests)| digests).collect();
            assert_eq!(digests, [known, ContentDigests::of(b"two", kinds), ContentDigests::of(b"three", kinds)]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_and_executable_bits_are_part_of_it() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let (folder, _) = tree();
        symlink("tool", folder.path().join("bin/link")).unwrap();
        let table = TreeTable::of(folder.path(), DigestKinds::Blake3).unwrap();
        fs::set_permissions(folder.path().join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(folder.path().join("bin/link")).unwrap();
        symlink("../lib/a.py", folder.path().join("bin/link")).unwrap();
        symlink("tool", folder.path().join("bin/other")).unwrap();
        let expected = ["`bin/link` leads elsewhere", "`bin/tool` has another executable bit"];
        assert_eq!(told(&table, folder.path(), CompareDepth::Quick), expected);
        assert_eq!(added(&table, folder.path()), ["`bin/other` was added"]);
        fs::remove_dir_all(folder.path().join("lib")).unwrap();
        symlink("bin", folder.path().join("lib")).unwrap();
        assert_eq!(added(&table, folder.path()), ["`bin/other` was added", "`lib` was added"]);
    }

    #[test]
    fn a_table_is_read_again_as_it_was_and_takes_little_room() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..100 {
            fs::write(folder.path().join(format!("{index}.py")), "x").unwrap();
        }
        let table = TreeTable::of(folder.path(), DigestKinds::Blake3).unwrap();
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<TreeTable>(&text).unwrap(), table);
        assert!(text.len() < 100 * 200, "{} bytes", text.len());
    }
}

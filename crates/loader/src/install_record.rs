//! What was installed, from which manifest, and who signed it: stored beside the tree, since the tree itself equals the
//! artifact to the last byte.
//!
//! Checking a tree compares each file's presence, size, time and executable bit with the record. A file that differs
//! only in its time may have been copied, so its digest decides. Files that were added later (bytecode, distributions
//! that pip installed) are not in the record and do not count as damage.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use archive::{EntryKind, scan};
use catalogue::Moment;
use serde::{Deserialize, Serialize};
use vocab::{Digest, PlatformKey, TreePath};

/// A record with another number is ignored: the tree is compared with its manifest and installed again.
pub(crate) const RECORD_FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstallRecord {
    pub format: u32,
    pub platform: PlatformKey,
    pub build_key: Digest,
    /// When the build was published, according to the catalogue.
    pub created: Moment,
    pub manifest_sha256: Digest,
    /// The key that signed the manifest, in minisign's one-line form. Absent if no key was given.
    pub verified_by: Option<String>,
    /// A minisign signature file, of any key. Absent if none was fetched.
    pub signature: Option<String>,
    /// Unchanged.
    pub manifest: String,
    pub tree: TreeTable,
}

/// Every file and link of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreeTable {
    files: Vec<FileRow>,
    links: Vec<LinkRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    path: TreePath,
    size: u64,
    /// In nanoseconds since 1970.
    modified: u64,
    executable: bool,
    sha256: Digest,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkRow {
    path: TreePath,
    target: String,
}

/// How closely a tree is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Presence, size, time.
    Quick,
    /// The digest of every file.
    Digests,
}

/// One file that is not as it was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub path: TreePath,
    /// Completes a sentence that begins with the path.
    pub what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.path, self.what)
    }
}

impl InstallRecord {
    /// The manifest that the tree came from.
    pub(crate) fn is_of(&self, manifest_sha256: &Digest, build_key: &Digest) -> bool {
        self.format == RECORD_FORMAT && self.manifest_sha256 == *manifest_sha256 && self.build_key == *build_key
    }
}

impl TreeTable {
    /// Reads the tree at `root`.
    pub(crate) fn of(root: &Path) -> io::Result<Self> {
        let mut table = Self::default();
        let mut found = Vec::new();
        for entry in scan(root).map_err(io::Error::other)? {
            match entry.kind {
                EntryKind::Directory => {}
                EntryKind::Symlink { target } => table.links.push(LinkRow { path: entry.path, target }),
                EntryKind::File { .. } => found.push(entry.path),
            }
        }
        let digests = digests(root, &found.iter().collect::<Vec<_>>());
        for (path, sha256) in found.into_iter().zip(digests) {
            let metadata = fs::symlink_metadata(path.below(root))?;
            table.files.push(FileRow {
                path,
                size: metadata.len(),
                modified: modified(&metadata),
                executable: is_executable(&metadata),
                sha256: sha256?,
            });
        }
        Ok(table)
    }

    /// What has changed, sorted by path.
    pub(crate) fn damage(&self, root: &Path, look: Look) -> Vec<Damage> {
        let mut damage = Vec::new();
        let mut suspects = Vec::new();
        for row in &self.files {
            match row.compare(root) {
                Compared::Changed(what) => damage.push(Damage { path: row.path.clone(), what }),
                Compared::Same if look == Look::Quick => {}
                Compared::Same | Compared::Touched => suspects.push(row),
            }
        }
        for row in &self.links {
            let what = match fs::read_link(row.path.below(root)) {
                Ok(target) if same_target(&target, &row.target) => continue,
                Ok(_) => "leads elsewhere",
                Err(_) => "is missing or not a link",
            };
            damage.push(Damage { path: row.path.clone(), what });
        }
        let paths: Vec<&TreePath> = suspects.iter().map(|row| &row.path).collect();
        for (row, digest) in suspects.iter().zip(digests(root, &paths)) {
            let what = match digest {
                Ok(actual) if actual == row.sha256 => continue,
                Ok(_) => "was changed",
                Err(_) => "cannot be read",
            };
            damage.push(Damage { path: row.path.clone(), what });
        }
        damage.sort_by(|left, right| left.path.cmp(&right.path));
        damage
    }
}

enum Compared {
    Same,
    /// Only its time differs.
    Touched,
    Changed(&'static str),
}

impl FileRow {
    fn compare(&self, root: &Path) -> Compared {
        let Ok(metadata) = fs::symlink_metadata(self.path.below(root)) else {
            return Compared::Changed("is missing");
        };
        if !metadata.is_file() {
            Compared::Changed("is not a file any more")
        } else if metadata.len() != self.size {
            Compared::Changed("has another size")
        } else if is_executable(&metadata) != self.executable {
            Compared::Changed("has another executable bit")
        } else if modified(&metadata) != self.modified {
            Compared::Touched
        } else {
            Compared::Same
        }
    }
}

/// As [`scan`] reads it.
fn same_target(target: &Path, expected: &str) -> bool {
    target.to_str().is_some_and(|text| text == expected || (cfg!(windows) && text.replace('\\', "/") == expected))
}

fn modified(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

/// Files have no such bit on this system.
#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

/// In the order of `paths`, with as many threads as there are processors.
fn digests(root: &Path, paths: &[&TreePath]) -> Vec<io::Result<Digest>> {
    let digest = |path: &TreePath| File::open(path.below(root)).and_then(Digest::of_reader).map(|(digest, _)| digest);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(paths.len().max(1));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index) else { return done };
            done.push((index, digest(path)));
        }
    };
    let mut all: Vec<(usize, io::Result<Digest>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|it| it.join().unwrap_or_else(|it| std::panic::resume_unwind(it)));
        joined.flatten().collect()
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, digest)| digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, TreeTable) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("bin/tool", "one"), ("lib/a.py", "two"), ("lib/b.py", "three")] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let table = TreeTable::of(folder.path()).unwrap();
        (folder, table)
    }

    fn told(table: &TreeTable, root: &Path, look: Look) -> Vec<String> {
        table.damage(root, look).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_damage_is_named_and_what_was_added_is_none() {
        let (folder, table) = tree();
        let root = folder.path();
        fs::create_dir(root.join("lib/__pycache__")).unwrap();
        fs::write(root.join("lib/__pycache__/a.pyc"), "later").unwrap();
        assert_eq!(told(&table, root, Look::Digests), Vec::<String>::new());
        fs::remove_file(root.join("bin/tool")).unwrap();
        fs::write(root.join("lib/a.py"), "longer").unwrap();
        fs::write(root.join("lib/b.py"), "eerht").unwrap();
        let file = File::options().write(true).open(root.join("lib/b.py")).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        let expected = ["`bin/tool` is missing", "`lib/a.py` has another size", "`lib/b.py` was changed"];
        assert_eq!(told(&table, root, Look::Quick), expected);
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
        assert_eq!(told(&table, folder.path(), Look::Quick), Vec::<String>::new(), "it was only copied");
        set("owt", time);
        assert_eq!(told(&table, folder.path(), Look::Quick), Vec::<String>::new(), "size and time are the same");
        assert_eq!(told(&table, folder.path(), Look::Digests), ["`lib/a.py` was changed"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_executable_bits_are_part_of_it() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let (folder, _) = tree();
        symlink("tool", folder.path().join("bin/link")).unwrap();
        let table = TreeTable::of(folder.path()).unwrap();
        fs::set_permissions(folder.path().join("bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(folder.path().join("bin/link")).unwrap();
        symlink("../lib/a.py", folder.path().join("bin/link")).unwrap();
        let expected = ["`bin/link` leads elsewhere", "`bin/tool` has another executable bit"];
        assert_eq!(told(&table, folder.path(), Look::Quick), expected);
    }

    #[test]
    fn a_table_is_read_again_as_it_was_and_takes_little_room() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..100 {
            fs::write(folder.path().join(format!("{index}.py")), "x").unwrap();
        }
        let table = TreeTable::of(folder.path()).unwrap();
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<TreeTable>(&text).unwrap(), table);
        assert!(text.len() < 100 * 200, "{} bytes", text.len());
    }
}

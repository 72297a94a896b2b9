//! How much of the disk builds take, where files that several builds share count once.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// Sizes of files, added up. A file with several names counts once in [`total`](Self::total), and is freed when the
/// last of them goes. Windows does not say here which files are one, so there each name counts.
#[derive(Debug, Default)]
pub struct DiskUse {
    /// Bytes by folder of files with one name.
    plain: Vec<u64>,
    /// By device and number.
    linked: HashMap<(u64, u64), LinkedFile>,
}

#[derive(Debug)]
struct LinkedFile {
    size: u64,
    names: u64,
    /// How many of the names are in which folder.
    seen: HashMap<usize, u64>,
}

impl DiskUse {
    /// Reads the folders; they are known by their position from then on. What cannot be read counts for nothing.
    pub fn of<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut all = Self::default();
        for (index, folder) in folders.into_iter().enumerate() {
            all.plain.push(0);
            all.add(index, folder);
        }
        all
    }

    fn add(&mut self, index: usize, root: &Path) {
        let mut pending = vec![root.to_owned()];
        while let Some(folder) = pending.pop() {
            for item in fs::read_dir(&folder).into_iter().flatten().flatten() {
                // Of a link itself, not of what it leads to.
                let Ok(metadata) = item.metadata() else { continue };
                if metadata.is_dir() {
                    pending.push(item.path());
                } else if metadata.is_file() {
                    match disk::names_of(&metadata) {
                        Some((id, names)) if names > 1 => {
                            let fresh = LinkedFile { size: metadata.len(), names, seen: HashMap::new() };
                            *self.linked.entry(id).or_insert(fresh).seen.entry(index).or_default() += 1;
                        }
                        _ => self.plain[index] += metadata.len(),
                    }
                }
            }
        }
    }

    /// Of one folder, each of its files once.
    pub fn size(&self, folder: usize) -> u64 {
        let linked = self.linked.values().filter(|file| file.seen.contains_key(&folder));
        self.plain[folder] + linked.map(|file| file.size).sum::<u64>()
    }

    /// Of all folders, each file once.
    pub fn total(&self) -> u64 {
        self.plain.iter().sum::<u64>() + self.linked.values().map(|file| file.size).sum::<u64>()
    }

    /// What the disk gains if exactly these folders go.
    pub fn freed(&self, folders: &[usize]) -> u64 {
        let plain: u64 = folders.iter().map(|folder| self.plain[*folder]).sum();
        let is_freed =
            |file: &&LinkedFile| folders.iter().filter_map(|folder| file.seen.get(folder)).sum::<u64>() >= file.names;
        plain + self.linked.values().filter(is_freed).map(|file| file.size).sum::<u64>()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_shared_file_counts_once_and_is_freed_with_its_last_name() {
        let root = tempfile::tempdir().unwrap();
        let place = |path: &str| root.path().join(path);
        for folder in ["one/lib", "two", "three"] {
            fs::create_dir_all(place(folder)).unwrap();
        }
        fs::write(place("one/lib/a"), "12345").unwrap();
        fs::write(place("one/own"), "1").unwrap();
        fs::hard_link(place("one/lib/a"), place("one/lib/again")).unwrap();
        fs::hard_link(place("one/lib/a"), place("two/a")).unwrap();
        fs::write(place("two/own"), "12").unwrap();
        fs::write(place("outside"), "1234567").unwrap();
        fs::hard_link(place("outside"), place("three/a")).unwrap();
        std::os::unix::fs::symlink(place("one"), place("three/link")).unwrap();
        let folders = [place("one"), place("two"), place("three"), place("missing")];
        let used = DiskUse::of(folders.iter().map(std::path::PathBuf::as_path));
        assert_eq!([used.size(0), used.size(1), used.size(2), used.size(3)], [6, 7, 7, 0]);
        assert_eq!(used.total(), 5 + 1 + 2 + 7);
        assert_eq!((used.freed(&[0]), used.freed(&[1]), used.freed(&[0, 1]), used.freed(&[2])), (1, 2, 8, 0));
    }
}

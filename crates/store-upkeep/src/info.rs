//! How much is in the store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::entries::{StoreEntry, entries, list};
use disk::names_of;
use store::{EntryKind, Store, StoreError};

/// What is in the store, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreSummary {
    pub location: PathBuf,
    /// The kinds of entries, then `memory` and `tmp`.
    pub kinds: Vec<KindInfo>,
    /// In bytes, each file once however many names it has.
    pub bytes: u64,
    /// What removing every entry would free, in bytes, without files that prefixes share with the store.
    pub freeable: u64,
}

/// Number, size and age of one kind of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindInfo {
    pub kind: &'static str,
    /// Number of entries; of files for `memory`, of sessions for `tmp`.
    pub count: usize,
    pub bytes: u64,
    pub freeable: u64,
    /// Seconds since the last use of the least recently used entry. Absent if uses are not recorded.
    pub oldest_use_seconds: Option<u64>,
}

/// Measures the store. Reads no content; entries may change meanwhile.
pub fn info(store: &Store, now: SystemTime) -> Result<StoreSummary, StoreError> {
    let all = entries(store)?;
    let mut measure = SizeMeasure::default();
    let mut kinds = Vec::new();
    for kind in EntryKind::ALL {
        let of_kind: Vec<&StoreEntry> = all.iter().filter(|entry| entry.kind == kind).collect();
        for entry in &of_kind {
            measure.add(kinds.len(), &entry.path);
        }
        if kind == EntryKind::Blobs {
            for (path, _) in super::entries::partial_blobs(store)? {
                measure.add(kinds.len(), &path);
            }
        }
        let ages = of_kind.iter().filter_map(|entry| now.duration_since(entry.last_used?).ok());
        let oldest_use_seconds = ages.max().map(|age| age.as_secs());
        kinds.push(KindInfo { kind: kind.as_str(), count: of_kind.len(), bytes: 0, freeable: 0, oldest_use_seconds });
    }
    for kind in ["memory", "tmp"] {
        let folder = store.root().join(kind);
        measure.add(kinds.len(), &folder);
        let count = if kind == "tmp" {
            list(&folder)?.iter().filter(|path| path.is_dir()).count()
        } else {
            walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file()).count()
        };
        kinds.push(KindInfo { kind, count, bytes: 0, freeable: 0, oldest_use_seconds: None });
    }
    measure.fill(&mut kinds);
    let (bytes, freeable) = (kinds.iter().map(|it| it.bytes).sum(), kinds.iter().map(|it| it.freeable).sum());
    Ok(StoreSummary { location: store.root().to_owned(), kinds, bytes, freeable })
}

/// Adds files up, those with several names once.
#[derive(Default)]
struct SizeMeasure {
    /// By group: bytes, and those that have no other name.
    plain: HashMap<usize, (u64, u64)>,
    /// By device and number.
    linked: HashMap<(u64, u64), LinkedFile>,
}

struct LinkedFile {
    group: usize,
    size: u64,
    names: u64,
    seen: u64,
}

impl SizeMeasure {
    fn add(&mut self, group: usize, path: &Path) {
        for entry in walkdir::WalkDir::new(path).into_iter().flatten() {
            // What vanishes meanwhile counts for nothing.
            let Ok(metadata) = entry.metadata() else { continue };
            if !metadata.is_file() {
                continue;
            }
            match names_of(&metadata) {
                Some((id, names)) if names > 1 => {
                    let fresh = LinkedFile { group, size: metadata.len(), names, seen: 0 };
                    self.linked.entry(id).or_insert(fresh).seen += 1;
                }
                _ => {
                    let (bytes, freeable) = self.plain.entry(group).or_default();
                    *bytes += metadata.len();
                    *freeable += metadata.len();
                }
            }
        }
    }

    fn fill(self, kinds: &mut [KindInfo]) {
        for (group, (bytes, freeable)) in self.plain {
            kinds[group].bytes += bytes;
            kinds[group].freeable += freeable;
        }
        for linked in self.linked.into_values() {
            kinds[linked.group].bytes += linked.size;
            if linked.seen >= linked.names {
                kinds[linked.group].freeable += linked.size;
            }
        }
    }
}

//! Removes what has not been used for long.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::Serialize;

use super::entries::{StoreEntry, entries, facts, partial_blobs};
use disk::names_of;
use store::{EntryKind, LockOutcome, SPARED, Store, StoreError, bury};

/// A download that nobody went on with is begun anew.
const PARTIAL_KEPT: Duration = Duration::from_secs(24 * 3600);

/// What to remove. Both rules apply if both are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneRules {
    /// In bytes, of what nothing but the store holds; entries go until the others fit, in the order of [`prune`].
    pub max_size: Option<u64>,
    /// Entries that were not used for this long go.
    pub older_than: Option<Duration>,
    /// Only report what would be removed.
    pub dry_run: bool,
}

/// What was removed; with `dry_run`, what would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PruneOutcome {
    /// In the order of their removal.
    pub removed: Vec<RemovedEntry>,
    /// Given back to the file system, in bytes: not what prefixes share with the store.
    pub freed: u64,
    /// What removing the remaining entries would free, in bytes.
    pub remaining: u64,
    /// Entries that stay although a rule applies, because builders are at work and the entries were used recently.
    pub spared: usize,
    /// Abandoned downloads.
    pub partial_downloads: usize,
    pub facts: usize,
}

/// One removed entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovedEntry {
    pub kind: &'static str,
    pub name: String,
    pub bytes: u64,
    /// Since its last use, in seconds.
    pub unused_seconds: u64,
}

struct MeasuredEntry {
    entry: StoreEntry,
    age: Duration,
    /// All of it, and what has no other name.
    bytes: u64,
    own: u64,
}

impl MeasuredEntry {
    fn order(&self) -> impl Ord + use<'_> {
        const DAY: u64 = 24 * 3600;
        let StoreEntry { kind, name, path, .. } = &self.entry;
        let needed_by_all = match kind {
            EntryKind::Bases => true,
            // Where earlier builders kept what builds from source require; nothing uses it any more.
            EntryKind::Tools => name != "uv-cache",
            _ => false,
        };
        let made_here = matches!(kind, EntryKind::Imports | EntryKind::Parts | EntryKind::Wheels);
        let days = Reverse(self.age.as_secs() / DAY);
        (needed_by_all, days, !made_here, Reverse(self.age), path)
    }
}

/// Never takes what a running builder uses: see [`store::Removal`].
///
/// Order: the least recently used first; of what was last used on the same day, first what can be made again without
/// network; interpreters and tools after everything else, because every build needs them. For `max_size`, entries that
/// free nothing stay: prefixes have all of their files.
pub fn prune(store: &Store, rules: &PruneRules, now: SystemTime) -> Result<PruneOutcome, StoreError> {
    let removal = store.begin_removal()?;
    let mut own = entries(store)?;
    own.retain(|entry| !entry.behind_link);
    let mut measured: Vec<MeasuredEntry> = own.into_par_iter().map(|entry| measure(entry, now)).collect();
    measured.sort_by(|one, other| one.order().cmp(&other.order()));
    let mut remaining: u64 = measured.iter().map(|it| it.own).sum();
    let youngest = if removal.is_exclusive() { now } else { now - SPARED };
    let mut pruned =
        PruneOutcome { removed: Vec::new(), freed: 0, remaining: 0, spared: 0, partial_downloads: 0, facts: 0 };
    let mut graves = Vec::new();
    for it in measured {
        let too_old = rules.older_than.is_some_and(|limit| it.age >= limit);
        let too_much = it.own > 0 && rules.max_size.is_some_and(|limit| remaining > limit);
        if !too_old && !too_much {
            continue;
        }
        let StoreEntry { kind, name, path, last_used, .. } = &it.entry;
        // A clock that was set back must not keep something for ever.
        let since = if removal.is_exclusive() { now.max(last_used.unwrap_or(now)) } else { youngest };
        // Readers cannot mark what they use.
        if removal.has_readers() || last_used.is_some_and(|time| time > since) {
            pruned.spared += 1;
            continue;
        }
        if !rules.dry_run {
            match store.move_away(*kind, name, path, since)? {
                Some(grave) => graves.push(grave),
                // Used since it was looked at.
                None => {
                    pruned.spared += 1;
                    continue;
                }
            }
            if *kind == EntryKind::Bases {
                let _ = fs::remove_file(path.with_extension("json"));
            }
        }
        remaining -= it.own;
        pruned.freed += it.own;
        pruned.removed.push(RemovedEntry {
            kind: kind.as_str(),
            name: name.clone(),
            bytes: it.bytes,
            unused_seconds: it.age.as_secs(),
        });
    }
    // Builders may start again; what is in `tmp/` is out of their sight.
    drop(removal);
    graves.par_iter().for_each(|grave| bury(grave));
    pruned.remaining = remaining;
    prune_partial_blobs(store, rules, now, &mut pruned)?;
    prune_facts(store, rules, now, &mut pruned)?;
    Ok(pruned)
}

fn measure(entry: StoreEntry, now: SystemTime) -> MeasuredEntry {
    let (mut bytes, mut own) = (0, 0);
    for found in walkdir::WalkDir::new(&entry.path).into_iter().flatten() {
        let Ok(metadata) = found.metadata() else { continue };
        if metadata.is_file() {
            bytes += metadata.len();
            if names_of(&metadata).is_none_or(|(_, names)| names == 1) {
                own += metadata.len();
            }
        }
    }
    MeasuredEntry { age: age_of(entry.last_used, now), bytes, own, entry }
}

fn age_of(time: Option<SystemTime>, now: SystemTime) -> Duration {
    time.and_then(|time| now.duration_since(time).ok()).unwrap_or_default()
}

/// Each under its lock, so that none is taken from a download that goes on. Beside those that nobody went on with, the
/// rules hold for them as for entries: what filled a disk can be freed.
fn prune_partial_blobs(
    store: &Store,
    rules: &PruneRules,
    now: SystemTime,
    pruned: &mut PruneOutcome,
) -> Result<(), StoreError> {
    let mut partial = Vec::new();
    for (path, digest) in partial_blobs(store)? {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        partial.push((age_of(metadata.modified().ok(), now), metadata.len(), path, digest));
    }
    partial.sort_by_key(|row| std::cmp::Reverse(row.0));
    let mut total = pruned.remaining + partial.iter().map(|(_, size, ..)| size).sum::<u64>();
    for (age, size, path, digest) in partial {
        let too_old = age >= rules.older_than.unwrap_or(PARTIAL_KEPT).min(PARTIAL_KEPT);
        let too_much = rules.max_size.is_some_and(|limit| total > limit);
        if !too_old && !too_much {
            continue;
        }
        let LockOutcome::Held(_lock) = store.lock("blob", &digest, || true)? else { continue };
        if rules.dry_run || fs::remove_file(&path).is_ok() {
            total -= size;
            pruned.freed += size;
            pruned.partial_downloads += 1;
        }
    }
    Ok(())
}

fn prune_facts(
    store: &Store,
    rules: &PruneRules,
    now: SystemTime,
    pruned: &mut PruneOutcome,
) -> Result<(), StoreError> {
    for (folder, path) in facts(store)? {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let limit = lifetime(&folder).min(rules.older_than.unwrap_or(Duration::MAX));
        if age_of(metadata.modified().ok(), now) < limit {
            continue;
        }
        if rules.dry_run || fs::remove_file(&path).is_ok() {
            pruned.freed += metadata.len();
            pruned.facts += 1;
        }
    }
    Ok(())
}

/// How long a fact of this kind is valid.
fn lifetime(folder: &Path) -> Duration {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let lifetimes = [
        pipeline::gather::URL_LIFETIME,
        pipeline::settled::SETTLED_LIFETIME,
        resolve::registries::FACT_LIFETIME,
        resolve::registries::PAGE_LIFETIME,
        interpreter::PROBE_LIFETIME,
        resolve::NEAREST_LIFETIME,
        resolve::OVERLAP_LIFETIME,
    ];
    let kind: PathBuf = folder.file_name().unwrap_or_default().into();
    lifetimes.into_iter().find(|(name, _)| kind == Path::new(name)).map_or(YEAR, |(_, lifetime)| lifetime)
}

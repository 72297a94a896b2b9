//! Reads every entry and compares it with its digests.

use std::fs::{self, File};
use std::io::BufReader;
use std::sync::Mutex;
use std::sync::PoisonError;

use rayon::prelude::*;
use serde::Serialize;
use vocab::{Digest, Event};

use super::entries::{StoreEntry, entries, facts};
use source_build::RequirementSet;
use store::Context;
use store::{EntryKind, Store, StoreError};

/// The result of verifying the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedStore {
    /// Entries and facts that were read.
    pub checked: usize,
    /// In bytes.
    pub read: u64,
    /// Entries without recorded digests: tools, what import checks compiled, and bases of older builders.
    pub unrecorded: usize,
    pub damaged: Vec<StoreDamage>,
    /// The user asked to stop before all were read.
    pub interrupted: bool,
}

/// One damaged entry or fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreDamage {
    pub kind: &'static str,
    pub name: String,
    pub reason: String,
    /// The next build gets or makes it again.
    pub removed: bool,
}

/// What was found of one entry.
enum EntryFinding {
    /// In bytes.
    Sound(u64),
    Unrecorded,
}

/// In parallel. With `keep` damaged entries stay.
pub fn verify(context: &Context, keep: bool) -> Result<VerifiedStore, StoreError> {
    let all = entries(&context.store)?;
    let pool = wheel::thread_pool(context)
        .map_err(|error| StoreError::new("start threads for", context.store.root(), error))?;
    let total = all.len();
    let progress = Mutex::new(0);
    let findings: Vec<Option<Result<EntryFinding, String>>> = pool.install(|| {
        // One by one: a large entry must not hold up a whole share of small ones.
        all.par_iter()
            .with_max_len(1)
            .map(|entry| {
                if context.is_cancelled() {
                    return None;
                }
                let finding = look_at(&context.store, entry);
                let mut done = progress.lock().unwrap_or_else(PoisonError::into_inner);
                *done += 1;
                context.tell(Event::Progress { step: "verify", done: *done, total });
                Some(finding)
            })
            .collect()
    });
    let mut verified =
        VerifiedStore { checked: 0, read: 0, unrecorded: 0, damaged: Vec::new(), interrupted: context.is_cancelled() };
    for (entry, finding) in all.iter().zip(findings) {
        match finding {
            None => {}
            Some(Ok(EntryFinding::Unrecorded)) => verified.unrecorded += 1,
            Some(Ok(EntryFinding::Sound(bytes))) => {
                verified.checked += 1;
                verified.read += bytes;
            }
            // Pruned meanwhile.
            Some(Err(_)) if fs::symlink_metadata(&entry.path).is_err() => {}
            Some(Err(reason)) => {
                verified.checked += 1;
                if !keep {
                    context.store.discard(&entry.path)?;
                    if entry.kind == EntryKind::Bases {
                        let _ = fs::remove_file(entry.path.with_extension("json"));
                    }
                }
                let (kind, name) = (entry.kind.as_str(), entry.name.clone());
                verified.damaged.push(StoreDamage { kind, name, reason, removed: !keep });
            }
        }
    }
    look_at_facts(&context.store, keep, &mut verified)?;
    Ok(verified)
}

fn look_at(store: &Store, entry: &StoreEntry) -> Result<EntryFinding, String> {
    if matches!(entry.kind, EntryKind::Tools | EntryKind::Imports) {
        return Ok(EntryFinding::Unrecorded);
    }
    let name: Digest = entry.name.parse().map_err(|_| "its name is not a digest".to_owned())?;
    let path = &entry.path;
    let bytes = match entry.kind {
        EntryKind::Blobs => {
            let (actual, size) = File::open(path)
                .and_then(|file| Digest::of_reader(BufReader::with_capacity(1 << 18, file)))
                .map_err(|error| format!("it cannot be read: {error}"))?;
            if actual != name {
                return Err(format!("its content has the digest {actual}"));
            }
            size
        }
        EntryKind::Wheels => {
            let contents = wheel::verify_unpacked(path)?;
            if contents.sha256 != name {
                return Err(format!("it is of the wheel {}", contents.sha256));
            }
            contents.entries.iter().map(|entry| entry.size).sum()
        }
        EntryKind::Bases => match interpreter::FileTable::read(&store.base_table(&name))? {
            None => return Ok(EntryFinding::Unrecorded),
            Some(table) => table.verify(path)?,
        },
        EntryKind::Built => source_build::verify_built(path)?.size,
        EntryKind::Requirements => {
            let text = fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
            RequirementSet::parse(&text, &name)?;
            text.len() as u64
        }
        EntryKind::Parts => match archive::check_part(path, &name) {
            Some(size) => size,
            None => return Err("it is damaged, or another part".to_owned()),
        },
        EntryKind::Tools | EntryKind::Imports => 0,
    };
    Ok(EntryFinding::Sound(bytes))
}

/// Facts have no digest; one that is not JSON is useless.
fn look_at_facts(store: &Store, keep: bool, verified: &mut VerifiedStore) -> Result<(), StoreError> {
    for (_, path) in facts(store)? {
        let Ok(bytes) = fs::read(&path) else { continue };
        verified.checked += 1;
        verified.read += bytes.len() as u64;
        if serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
            continue;
        }
        let name = path.strip_prefix(store.root().join("memory")).unwrap_or(&path);
        let removed = !keep && fs::remove_file(&path).is_ok();
        let reason = "it is not JSON".to_owned();
        verified.damaged.push(StoreDamage { kind: "memory", name: name.display().to_string(), reason, removed });
    }
    Ok(())
}

//! Which installed builds a new one can take files from, and how much of it they have.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use vocab::{Artifact, Digest, Manifest};

use crate::Home;

/// How many builds are searched beside those of the same version. Each is listed as a whole.
const MOST_OTHERS: usize = 4;

/// Builds to take files from: `first`, then those that have most of what these lack. A part of one that is `damaged` may be
/// lacking, so others are searched for all of its parts.
pub(crate) fn builds_to_reuse(
    home: &Home,
    first: Vec<PathBuf>,
    damaged: Option<&Path>,
    wanted: &Manifest,
) -> Vec<PathBuf> {
    let Some(artifact) = &wanted.artifact else { return first };
    let mut lacking = LackingParts::of(artifact);
    for folder in first.iter().filter(|folder| damaged != Some(folder.as_path())) {
        home.manifest_of(folder).iter().for_each(|manifest| lacking.take(manifest));
    }
    let mut others: Vec<(PathBuf, Manifest)> = Vec::new();
    for folder in home.builds() {
        if first.contains(&folder) || !home.has(&folder) {
            continue;
        }
        // Another platform's files are never the same.
        let manifest = home.manifest_of(&folder).filter(|manifest| manifest.platform == wanted.platform);
        others.extend(manifest.map(|manifest| (folder, manifest)));
    }
    let mut chosen = first;
    for _ in 0..MOST_OTHERS {
        let best = (0..others.len()).max_by_key(|index| lacking.covered(&others[*index].1));
        let Some(best) = best.filter(|index| lacking.covered(&others[*index].1) > 0) else { break };
        let (folder, manifest) = others.swap_remove(best);
        lacking.take(&manifest);
        chosen.push(folder);
    }
    chosen
}

/// Bytes of the artifact that have to be transferred where these builds are installed and unchanged.
pub(crate) fn bytes_to_fetch(home: &Home, folders: &[PathBuf], artifact: &Artifact) -> u64 {
    let mut lacking = LackingParts::of(artifact);
    for folder in folders {
        home.manifest_of(folder).iter().for_each(|manifest| lacking.take(manifest));
    }
    let sizes = artifact.parts.iter().filter(|part| part.identity.is_none_or(|it| lacking.0.contains_key(&it)));
    sizes.map(|part| part.size).sum()
}

/// Unpacked sizes of parts, by identity.
struct LackingParts(HashMap<Digest, u64>);

impl LackingParts {
    fn of(artifact: &Artifact) -> Self {
        let known = artifact.parts.iter().filter_map(|part| Some((part.identity?, part.uncompressed_size)));
        Self(known.collect())
    }

    fn identities(manifest: &Manifest) -> impl Iterator<Item = Digest> {
        manifest.artifact.iter().flat_map(|artifact| &artifact.parts).filter_map(|part| part.identity)
    }

    fn covered(&self, manifest: &Manifest) -> u64 {
        Self::identities(manifest).filter_map(|identity| self.0.get(&identity)).sum()
    }

    fn take(&mut self, manifest: &Manifest) {
        for identity in Self::identities(manifest) {
            self.0.remove(&identity);
        }
    }
}

/// Whether one of the folders that failed is among those to reuse; it is left out the next time.
pub(crate) fn without(folders: &[PathBuf], failed: Option<&Path>) -> Vec<PathBuf> {
    match failed.filter(|failed| folders.iter().any(|folder| folder == failed)) {
        Some(failed) => folders.iter().filter(|folder| *folder != failed).cloned().collect(),
        None => Vec::new(),
    }
}

//! What imports compile, kept in the store for the next check: bytecode, and the functions that numba compiles.
//!
//! Only the fast way of importing sees it. What does not succeed there is tried again from the sources alone, so
//! nothing that is kept makes a check fail; and all that is kept is dropped then, since it may be damaged. What makes
//! a check pass has to be right, so byte code is kept under the digest of its wheel, and numba's functions under
//! those of every distribution that could go into them. That leaves out pure Python without numba: numba can take a
//! number from there into a function, but the import that brings the number is made each time. `--strict` keeps and
//! uses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use vocab::{Digest, TreePath};

use super::requirements::RequirementGraph;
use super::{CheckedDistribution, ImportCheck};
use store::Context;
use store::EntryKind;

/// In the words of `import_driver.py`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct KeptFolders {
    /// Folder of sources → folder of its bytecode. `None`: nothing below that folder is kept, unless another row says
    /// so.
    bytecode: BTreeMap<PathBuf, Option<PathBuf>>,
    /// By folder of sources.
    compiled: BTreeMap<PathBuf, PathBuf>,
}

impl KeptFolders {
    /// The folders of the store for these distributions, marked as used. Empty with `strict_whitelist`, which uses and
    /// keeps nothing.
    pub(crate) fn of(context: &Context, check: &ImportCheck<'_>, requirements: &RequirementGraph) -> Self {
        if check.strict_whitelist {
            return Self::default();
        }
        let place = |what: &str, digests: &[Digest]| {
            let layout = (check.layout.platform, check.layout.python);
            let key = Digest::of(serde_json::json!([what, layout, check.python_identity, digests]).to_string());
            context.store.mark_used(EntryKind::Imports, &key.to_string());
            context.store.imports(&key)
        };
        let mut kept = Self::default();
        let mut keep = |folder: &TreePath, place: Option<PathBuf>| {
            kept.bytecode.insert(folder.below(check.prefix), place);
        };
        keep(&check.layout.stdlib(), Some(place("byte code 1", &[])));
        keep(&check.layout.site_packages(), None);
        for (folder, owner) in folders(check) {
            let Some(owner) = owner else { continue };
            let path = check.layout.site_packages().join(&folder);
            keep(&path, Some(place("byte code 1", &[owner.sha256]).join(folder.as_str())));
        }
        if let Some(numba) = NumbaUsers::in_runtime(check, requirements) {
            let place = place("numba 1", &numba.digests(check));
            let below = |folder: &TreePath| (folder.below(check.prefix), folder.below(&place));
            kept.compiled = numba.source_folders(check).into_iter().map(|folder| below(&folder)).collect();
        }
        kept
    }

    /// A store that cannot be written keeps nothing new, and loses nothing.
    pub(crate) fn forget(&self, context: &Context) {
        for place in self.bytecode.values().flatten().chain(self.compiled.values()) {
            let _ = context.store.discard(place);
        }
    }
}

/// Folders at the top of site-packages. Without an owner where several distributions put files.
fn folders<'a>(check: &'a ImportCheck<'_>) -> BTreeMap<TreePath, Option<&'a CheckedDistribution>> {
    let start = format!("{}/", check.layout.site_packages());
    let mut folders = BTreeMap::new();
    for distribution in check.distributions {
        let below = distribution.files.iter().filter_map(|file| file.as_str().strip_prefix(&start));
        let tops = below.filter_map(|path| path.split_once('/')).filter_map(|(top, _)| top.parse().ok());
        for top in tops {
            let owner = folders.entry(top).or_insert(Some(distribution));
            if owner.is_some_and(|owner| owner.name != distribution.name) {
                *owner = None;
            }
        }
    }
    folders
}

/// Which distributions lead to numba, by index.
struct NumbaUsers {
    users: Vec<bool>,
}

impl NumbaUsers {
    fn in_runtime(check: &ImportCheck<'_>, requirements: &RequirementGraph) -> Option<Self> {
        let numba = check.distributions.iter().position(|distribution| distribution.name.as_str() == "numba")?;
        let uses = |index| requirements.reached([index]).contains(&numba);
        Some(Self { users: (0..check.distributions.len()).map(uses).collect() })
    }

    /// Digests of everything that can become part of a function that numba compiles, sorted.
    fn digests(&self, check: &ImportCheck<'_>) -> Vec<Digest> {
        let goes_in = |(distribution, uses): &(&CheckedDistribution, &bool)| {
            let ends = |ending| distribution.files.iter().any(|file| file.as_str().ends_with(ending));
            **uses || [".so", ".pyd", ".pth"].into_iter().any(ends)
        };
        let found = check.distributions.iter().zip(&self.users).filter(goes_in);
        let mut digests: Vec<Digest> = found.map(|(distribution, _)| distribution.sha256).collect();
        digests.sort();
        digests
    }

    /// Folders with such functions.
    fn source_folders(&self, check: &ImportCheck<'_>) -> BTreeSet<TreePath> {
        let users = check.distributions.iter().zip(&self.users).filter(|(_, uses)| **uses);
        let sources = users.flat_map(|(it, _)| &it.files).filter(|file| file.as_str().ends_with(".py"));
        sources.filter_map(TreePath::parent).collect()
    }
}

//! How imports went that were fine, kept in the store as a small file for each distribution.
//!
//! Kept are successes, and failures that the whitelist let pass; any other failure may be the machine's (a missing
//! library, a full disk) and is tried again.
//!
//! What an import can depend on is taken to be: the interpreter and what was copied, the distribution itself, all that
//! it requires and what that requires in turn; and every distribution with a `.pth` file, which acts on all. So a
//! changed pin has only those imported again that could notice. What only an extra asks for is used where it is found
//! and done without where it is not; counting it would tie most of a runtime to each of its small tools. `--strict`
//! counts everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use archive::FileBeside;
use serde::{Deserialize, Serialize};
use vocab::{Digest, TreePath};

use super::requirements::Requirements;
use super::run::{self, Attempt};
use super::{CheckedDistribution, ImportCheck};
use crate::Context;

pub struct Memory {
    folder: PathBuf,
    /// By index of the distribution.
    paths: Vec<PathBuf>,
}

#[derive(Default, Serialize, Deserialize)]
struct Remembered {
    attempts: BTreeMap<String, Attempt>,
    /// Native files of the prefix that the successful ones load.
    loaded: BTreeSet<TreePath>,
}

/// What is known of all distributions.
pub struct Recalled {
    pub attempts: BTreeMap<String, Attempt>,
    /// By index of the distribution.
    pub loaded: Vec<BTreeSet<TreePath>>,
}

impl Memory {
    pub fn of(context: &Context, check: &ImportCheck<'_>, requirements: &Requirements) -> Self {
        let folder = context.store.root().join("memory").join("checks");
        let acts_on_all = |index: &usize| check.strict_whitelist || has_pth(&check.distributions[*index]);
        let everywhere: Vec<usize> = (0..check.distributions.len()).filter(acts_on_all).collect();
        let path = |index| {
            let mut wheels: Vec<String> = requirements
                .reached(everywhere.iter().copied().chain([index]))
                .into_iter()
                .map(|index| check.distributions[index].sha256.to_string())
                .collect();
            wheels.sort();
            let parts = serde_json::json!([
                "import check 5",
                Digest::of(run::DRIVER),
                check.layout.platform,
                check.layout.python,
                check.python_identity,
                check.distributions[index].sha256,
                wheels,
                check.emulator.map(|emulator| &emulator.version),
            ]);
            folder.join(format!("imports-{}.json", Digest::of(parts.to_string())))
        };
        let paths = (0..check.distributions.len()).map(path).collect();
        Self { folder, paths }
    }

    /// Anything unreadable is nothing known.
    pub fn recall(&self) -> Recalled {
        let read = |path: &PathBuf| serde_json::from_slice::<Remembered>(&fs::read(path).ok()?).ok();
        let rows = self.paths.iter().map(|path| read(path).unwrap_or_default());
        let (attempts, loaded): (Vec<_>, Vec<_>) = rows.map(|row| (row.attempts, row.loaded)).unzip();
        Recalled { attempts: attempts.into_iter().flatten().collect(), loaded }
    }

    /// Of all attempts those that are `settled`; `wanted` are the modules by index of the distribution, `loaded` what was
    /// recalled. A store that cannot be written costs time at the next
    /// build and nothing else, so that is no error.
    pub fn remember(
        &self,
        attempts: &BTreeMap<String, Attempt>,
        settled: &BTreeSet<String>,
        loaded: &[BTreeSet<TreePath>],
        wanted: &BTreeMap<usize, BTreeSet<String>>,
    ) {
        for (index, modules) in wanted {
            let own: BTreeMap<String, Attempt> = modules
                .iter()
                .filter(|module| settled.contains(*module))
                .filter_map(|module| Some((module.clone(), attempts.get(module)?.clone())))
                .collect();
            let names = own.keys().flat_map(|module| run::packages_of(module).chain([module.as_str()]));
            let mut loaded = loaded.get(*index).cloned().unwrap_or_default();
            loaded.extend(names.filter_map(|name| attempts.get(name)).flat_map(Attempt::loaded_files));
            let remembered = Remembered { attempts: own, loaded };
            if !remembered.attempts.is_empty() {
                let _ = self.write(&self.paths[*index], &remembered);
            }
        }
    }

    fn write(&self, path: &Path, remembered: &Remembered) -> std::io::Result<()> {
        let mut file = FileBeside::within(&self.folder, ".import-")?;
        file.write_all(&serde_json::to_vec(remembered)?)?;
        file.replace(path)
    }
}

fn has_pth(distribution: &CheckedDistribution) -> bool {
    distribution.files.iter().any(|file| file.as_str().ends_with(".pth"))
}

//! Results of imports that need no further look, kept in the store as a small file for each distribution.
//!
//! Kept are successes, and failures that the whitelist let pass; any other failure may be the machine's (a missing
//! library, a full disk) and is tried again.
//!
//! What an import can depend on is taken to be: the interpreter and what was copied, the distribution itself, all that
//! it requires and what that requires in turn; and every distribution with a `.pth` file, which acts on all. So a
//! changed pin has only those imported again that could notice. Distributions that only an extra requires do not
//! count: that would tie most of a runtime to each of its small tools. Instead, every name that an import really
//! looked for, required or not, is remembered with the wheels that had it, or that none had it, and has to give the
//! same answer now. `--strict` counts everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use disk::FileBeside;
use serde::{Deserialize, Serialize};
use vocab::{Digest, TreePath};

use super::attempt::ImportAttempt;
use super::order::packages_of;
use super::requirements::RequirementGraph;
use super::run;
use super::{ImportCheck, hooks};
use store::Context;

/// The remembered results of the distributions of one check.
pub(crate) struct CheckMemory {
    folder: PathBuf,
    /// By index of the distribution.
    paths: Vec<PathBuf>,
    /// Top-level names of site-packages → digests of the wheels that have files for them, sorted.
    wheels: BTreeMap<String, Vec<Digest>>,
}

#[derive(Default, Serialize, Deserialize)]
struct RememberedImports {
    attempts: BTreeMap<String, ImportAttempt>,
    /// Native files of the prefix that the successful ones load.
    loaded: BTreeSet<TreePath>,
    /// Top-level names that were looked for → digests of the wheels that had files for them; empty if none had.
    asked: BTreeMap<String, Vec<Digest>>,
}

/// Runtimes that differ in other distributions share a file; it keeps this many of them.
const VARIANTS: usize = 8;

/// What is remembered about all distributions.
pub(crate) struct RecalledImports {
    pub attempts: BTreeMap<String, ImportAttempt>,
    /// By index of the distribution.
    pub loaded: Vec<BTreeSet<TreePath>>,
    /// Top-level names that were looked for, by index of the distribution.
    asked: Vec<BTreeSet<String>>,
}

impl RecalledImports {
    pub fn names_asked_for(&self) -> impl Iterator<Item = &String> {
        self.asked.iter().flatten()
    }
}

impl CheckMemory {
    /// Computes the paths of the results; reads nothing. With `strict_whitelist`, each depends on every distribution.
    pub(crate) fn of(context: &Context, check: &ImportCheck<'_>, requirements: &RequirementGraph) -> Self {
        let folder = context.store.root().join("memory").join("checks");
        let acts_on_all =
            |index: &usize| check.strict_whitelist || hooks::of(&check.distributions[*index]).next().is_some();
        let everywhere: Vec<usize> = (0..check.distributions.len()).filter(acts_on_all).collect();
        let path = |index| {
            let mut wheels: Vec<String> = requirements
                .reached(everywhere.iter().copied().chain([index]))
                .into_iter()
                .map(|index| check.distributions[index].sha256.to_string())
                .collect();
            wheels.sort();
            let parts = serde_json::json!([
                "import check 6",
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
        Self { folder, paths, wheels: wheels_by_name(check) }
    }

    /// Reads what is remembered. An unreadable file counts as empty.
    pub(crate) fn recall(&self) -> RecalledImports {
        let mut recalled = RecalledImports { attempts: BTreeMap::new(), loaded: Vec::new(), asked: Vec::new() };
        for path in &self.paths {
            let variants = read(path);
            let known = variants.into_iter().find(|known| known.asked.iter().all(|(name, had)| *had == self.had(name)));
            let known = known.unwrap_or_default();
            recalled.attempts.extend(known.attempts);
            recalled.loaded.push(known.loaded);
            recalled.asked.push(known.asked.into_keys().collect());
        }
        recalled
    }

    fn had(&self, name: &str) -> &[Digest] {
        self.wheels.get(name).map_or(&[], Vec::as_slice)
    }

    /// Writes the attempts that are `settled`; `wanted` are the modules by index of the distribution. Failing to write
    /// is not an error: it only costs time at the next build.
    pub(crate) fn remember(
        &self,
        attempts: &BTreeMap<String, ImportAttempt>,
        settled: &BTreeSet<String>,
        recalled: &RecalledImports,
        wanted: &BTreeMap<usize, BTreeSet<String>>,
    ) {
        for (index, modules) in wanted {
            let own: BTreeMap<String, ImportAttempt> = modules
                .iter()
                .filter(|module| settled.contains(*module))
                .filter_map(|module| Some((module.clone(), attempts.get(module)?.clone())))
                .collect();
            let names = own.keys().flat_map(|module| packages_of(module).chain([module.as_str()]));
            let tried: Vec<&ImportAttempt> = names.filter_map(|name| attempts.get(name)).collect();
            let mut loaded = recalled.loaded.get(*index).cloned().unwrap_or_default();
            loaded.extend(tried.iter().flat_map(|attempt| attempt.loaded_files()));
            let asked = tried.iter().flat_map(|attempt| &attempt.asked);
            let asked = asked.chain(recalled.asked.get(*index).into_iter().flatten());
            let asked = asked.map(|name| (name.clone(), self.had(name).to_vec())).collect();
            let remembered = RememberedImports { attempts: own, loaded, asked };
            if !remembered.attempts.is_empty() {
                let _ = self.write(&self.paths[*index], remembered);
            }
        }
    }

    /// The newest comes first.
    fn write(&self, path: &Path, remembered: RememberedImports) -> std::io::Result<()> {
        let others = read(path).into_iter().filter(|other| other.asked != remembered.asked);
        let others: Vec<RememberedImports> = others.take(VARIANTS - 1).collect();
        let mut file = FileBeside::within(&self.folder, ".import-")?;
        file.write_all(&serde_json::to_vec(&Vec::from_iter(std::iter::once(remembered).chain(others)))?)?;
        file.replace(path)
    }
}

fn read(path: &Path) -> Vec<RememberedImports> {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn wheels_by_name(check: &ImportCheck<'_>) -> BTreeMap<String, Vec<Digest>> {
    let start = format!("{}/", check.layout.site_packages());
    let mut wheels: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
    let checked = check.distributions.iter().map(|distribution| (distribution.sha256, &distribution.files));
    for (sha256, files) in checked.chain(check.beside.iter().map(|(sha256, files)| (*sha256, files))) {
        let below = files.iter().filter_map(|file| file.as_str().strip_prefix(&start));
        let names: BTreeSet<&str> = below.filter_map(|path| path.split(['/', '.']).next()).collect();
        for name in names {
            wheels.entry(name.to_owned()).or_default().insert(sha256);
        }
    }
    wheels.into_iter().map(|(name, wheels)| (name, wheels.into_iter().collect())).collect()
}

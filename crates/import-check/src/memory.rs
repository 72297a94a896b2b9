//! How imports went that were fine, kept in the store as a small file for each distribution.
//!
//! Kept are successes, and failures that the whitelist let pass; any other failure may be the machine's (a missing
//! library, a full disk) and is tried again.
//!
//! What an import can depend on is taken to be: the interpreter and what was copied, the distribution itself, all that
//! it requires and what that requires in turn; and every distribution with a `.pth` file, which acts on all. So a
//! changed pin has only those imported again that could notice. What only an extra asks for is used where it is found
//! and done without where it is not; counting it would tie most of a runtime to each of its small tools. What was really
//! asked for, required or not, is remembered with the wheels that had it then, and has to be the same; so has what
//! nothing had. `--strict` counts everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use archive::FileBeside;
use serde::{Deserialize, Serialize};
use vocab::{Digest, TreePath};

use super::requirements::Requirements;
use super::run::{self, Attempt};
use super::{ImportCheck, hooks};
use store::Context;

pub struct Memory {
    folder: PathBuf,
    /// By index of the distribution.
    paths: Vec<PathBuf>,
    /// By name at the top of site-packages, the wheels that have files for it, sorted.
    wheels: BTreeMap<String, Vec<Digest>>,
}

#[derive(Default, Serialize, Deserialize)]
struct Remembered {
    attempts: BTreeMap<String, Attempt>,
    /// Native files of the prefix that the successful ones load.
    loaded: BTreeSet<TreePath>,
    /// The names at the top that were asked for, and the wheels that had files for them; none for what was not found.
    asked: BTreeMap<String, Vec<Digest>>,
}

/// Runtimes that have something besides in different versions share a file; this many of them stay known.
const VARIANTS: usize = 8;

/// What is known of all distributions.
pub struct Recalled {
    pub attempts: BTreeMap<String, Attempt>,
    /// By index of the distribution.
    pub loaded: Vec<BTreeSet<TreePath>>,
    /// The same, of what was asked for.
    asked: Vec<BTreeSet<String>>,
}

impl Memory {
    pub fn of(context: &Context, check: &ImportCheck<'_>, requirements: &Requirements) -> Self {
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

    /// Anything unreadable is nothing known.
    pub fn recall(&self) -> Recalled {
        let mut recalled = Recalled { attempts: BTreeMap::new(), loaded: Vec::new(), asked: Vec::new() };
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

    /// Of all attempts those that are `settled`; `wanted` are the modules by index of the distribution. A store that
    /// cannot be written costs time at the next build and nothing else, so that is no error.
    pub fn remember(
        &self,
        attempts: &BTreeMap<String, Attempt>,
        settled: &BTreeSet<String>,
        recalled: &Recalled,
        wanted: &BTreeMap<usize, BTreeSet<String>>,
    ) {
        for (index, modules) in wanted {
            let own: BTreeMap<String, Attempt> = modules
                .iter()
                .filter(|module| settled.contains(*module))
                .filter_map(|module| Some((module.clone(), attempts.get(module)?.clone())))
                .collect();
            let names = own.keys().flat_map(|module| run::packages_of(module).chain([module.as_str()]));
            let tried: Vec<&Attempt> = names.filter_map(|name| attempts.get(name)).collect();
            let mut loaded = recalled.loaded.get(*index).cloned().unwrap_or_default();
            loaded.extend(tried.iter().flat_map(|attempt| attempt.loaded_files()));
            let asked = tried.iter().flat_map(|attempt| &attempt.asked);
            let asked = asked.chain(recalled.asked.get(*index).into_iter().flatten());
            let asked = asked.map(|name| (name.clone(), self.had(name).to_vec())).collect();
            let remembered = Remembered { attempts: own, loaded, asked };
            if !remembered.attempts.is_empty() {
                let _ = self.write(&self.paths[*index], remembered);
            }
        }
    }

    /// The newest comes first.
    fn write(&self, path: &Path, remembered: Remembered) -> std::io::Result<()> {
        let others = read(path).into_iter().filter(|other| other.asked != remembered.asked);
        let others: Vec<Remembered> = others.take(VARIANTS - 1).collect();
        let mut file = FileBeside::within(&self.folder, ".import-")?;
        file.write_all(&serde_json::to_vec(&Vec::from_iter(std::iter::once(remembered).chain(others)))?)?;
        file.replace(path)
    }
}

fn read(path: &Path) -> Vec<Remembered> {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn wheels_by_name(check: &ImportCheck<'_>) -> BTreeMap<String, Vec<Digest>> {
    let start = format!("{}/", check.layout.site_packages());
    let mut wheels: BTreeMap<String, BTreeSet<Digest>> = BTreeMap::new();
    for distribution in check.distributions {
        let below = distribution.files.iter().filter_map(|file| file.as_str().strip_prefix(&start));
        let names: BTreeSet<&str> = below.filter_map(|path| path.split(['/', '.']).next()).collect();
        for name in names {
            wheels.entry(name.to_owned()).or_default().insert(distribution.sha256);
        }
    }
    wheels.into_iter().map(|(name, wheels)| (name, wheels.into_iter().collect())).collect()
}

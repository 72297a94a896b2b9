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
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vocab::{Digest, DistributionName};

use super::run::{self, Attempt};
use super::{CheckedDistribution, ImportCheck};
use crate::Context;

pub struct Memory {
    folder: PathBuf,
    /// By index of the distribution.
    paths: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    attempts: BTreeMap<String, Attempt>,
}

impl Memory {
    pub fn of(context: &Context, check: &ImportCheck<'_>) -> Self {
        let folder = context.store.root().join("memory").join("checks");
        let names: BTreeMap<&DistributionName, usize> =
            check.distributions.iter().enumerate().map(|(index, distribution)| (&distribution.name, index)).collect();
        let acts_on_all = |index: &usize| check.strict_whitelist || has_pth(&check.distributions[*index]);
        let everywhere: Vec<usize> = (0..check.distributions.len()).filter(acts_on_all).collect();
        let path = |index| {
            let mut wheels: Vec<String> = reached(check, &names, &everywhere, index)
                .into_iter()
                .map(|index| check.distributions[index].sha256.to_string())
                .collect();
            wheels.sort();
            let parts = serde_json::json!([
                "import check 2",
                Digest::of(run::DRIVER),
                check.layout.platform,
                check.layout.python,
                check.python_identity,
                check.distributions[index].sha256,
                wheels,
            ]);
            folder.join(format!("imports-{}.json", Digest::of(parts.to_string())))
        };
        let paths = (0..check.distributions.len()).map(path).collect();
        Self { folder, paths }
    }

    /// Anything unreadable is nothing known.
    pub fn recall(&self) -> BTreeMap<String, Attempt> {
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).ok()?;
            Some(serde_json::from_slice::<Remembered>(&bytes).ok()?.attempts)
        };
        self.paths.iter().filter_map(read).flatten().collect()
    }

    /// `wanted` are the modules by index of the distribution. A store that cannot be written costs time at the next
    /// build and nothing else, so that is no error.
    pub fn remember(&self, attempts: &BTreeMap<String, Attempt>, wanted: &BTreeMap<usize, BTreeSet<String>>) {
        for (index, modules) in wanted {
            let own = modules.iter().filter_map(|module| Some((module.clone(), attempts.get(module)?.clone())));
            let remembered = Remembered { attempts: own.collect() };
            if !remembered.attempts.is_empty() {
                let _ = self.write(&self.paths[*index], &remembered);
            }
        }
    }

    fn write(&self, path: &PathBuf, remembered: &Remembered) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&serde_json::to_vec(remembered)?)?;
        file.persist(path)?;
        Ok(())
    }
}

/// The distribution itself, and all that it leads to.
fn reached(
    check: &ImportCheck<'_>,
    names: &BTreeMap<&DistributionName, usize>,
    everywhere: &[usize],
    index: usize,
) -> BTreeSet<usize> {
    let (mut reached, mut pending) = (BTreeSet::new(), vec![index]);
    pending.extend(everywhere);
    while let Some(index) = pending.pop() {
        if reached.insert(index) {
            let required = check.distributions[index].requires.iter().filter_map(|line| name_of(line));
            pending.extend(required.filter_map(|name| names.get(&name).copied()));
        }
    }
    reached
}

/// Of a requirement, whatever system its marker is for. `None` for what only an extra asks for.
fn name_of(requirement: &str) -> Option<DistributionName> {
    let marker = requirement.split_once(';').map_or("", |(_, marker)| marker);
    if marker.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "extra") {
        return None;
    }
    let text = requirement.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn has_pth(distribution: &CheckedDistribution) -> bool {
    distribution.files.iter().any(|file| file.as_str().ends_with(".pth"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_requirement_is_read_whatever_follows_it() {
        let cases = [
            ("numpy>=2 ; python_version >= '3.9'", Some("numpy")),
            ("  Typing_Extensions", Some("typing-extensions")),
            ("zope.interface (>=4)", Some("zope-interface")),
            ("pyarrow[x]; sys_platform == 'win32'", Some("pyarrow")),
            ("pyarrow[x]; extra == 'parquet'", None),
            ("pyarrow ; python_version>'3'and'x'==extra", None),
            ("", None),
            ("@ file:///x", None),
        ];
        for (line, name) in cases {
            assert_eq!(name_of(line).as_ref().map(DistributionName::as_str), name, "for {line:?}");
        }
    }
}

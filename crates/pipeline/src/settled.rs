//! What a runtime comes to without the wheels that the caller of its build gives, as a build with some found it: its parts, its
//! paths, what was checked. Kept in the store, so that the artifact with another such wheel is made without putting the prefix
//! together again; `added.rs` does that.
//!
//! The key is the build key without those wheels, with the date, since entries of whitelists expire, and the folders that no file may
//! name. It covers all that the checks depended on. Nothing is kept of a build whose given wheels were part of what was found.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use archive::{EntryKind, PartSource};
use config_merger::Layout;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vocab::{Digest, DistributionName, Fault, Manifest, PartKind, TreeLayout, TreePath};

use crate::artifacts::PartRow;
use crate::assemble::AssembledPrefix;
use crate::build_key::{KeyInputs, build_key};
use crate::consistency::InstalledMember;
use crate::gather::{GatherOutcome, GatheredWheel};
use crate::known_paths::KnownPaths;
use crate::options::BuildOptions;
use crate::parts::size_of;
use interpreter::BaseTree;
use store::Context;

/// Changes with what is kept, and with what follows from it.
const FORMAT: u32 = 2;
const FACT: &str = "settled-runtime";
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Kind and lifetime of the remembered facts, for pruning the store.
pub const SETTLED_LIFETIME: (&str, Duration) = (FACT, REMEMBERED);

/// The warnings about requirements depend on the given wheels as well, and are found anew.
const UNMET: &str = "W_UNMET_REQUIREMENT";

/// A runtime without given wheels and without what was copied into it.
#[derive(Clone, Debug)]
pub(crate) struct SettledRuntime {
    /// The interpreter's and those of locked wheels, in order.
    pub parts: Vec<PartRow>,
    /// Of these parts.
    pub known: KnownPaths,
    /// How many regular files and links, and the sum of their sizes in bytes.
    pub files: u64,
    pub size: u64,
    /// What is installed, with what it requires.
    pub members: Vec<SettledMember>,
    /// Top-level names that imports looked for: with a module of such a name they might end in another way.
    pub asked: BTreeSet<String>,
    /// Of the build that it was found in, as far as others share it: without given distributions and copied files.
    pub manifest: Manifest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SettledMember {
    pub name: DistributionName,
    pub version: String,
    pub requires: Vec<String>,
}

impl SettledMember {
    fn of(gathered: &GatheredWheel) -> Self {
        let InstalledMember { name, version, requires } = gathered.member();
        Self { name: name.clone(), version: version.to_owned(), requires: requires.to_vec() }
    }

    pub fn member(&self) -> InstalledMember<'_> {
        InstalledMember { name: &self.name, version: &self.version, requires: &self.requires }
    }
}

/// As it is kept. Paths hold no line breaks.
#[derive(Serialize, Deserialize)]
struct KeptRuntime {
    parts: Vec<PartRow>,
    files_and_links: String,
    empty_folders: String,
    files: u64,
    size: u64,
    members: Vec<SettledMember>,
    asked: BTreeSet<String>,
    manifest: Manifest,
}

/// It goes into manifests without being looked at again.
#[derive(Serialize, Deserialize)]
struct CheckedRuntime {
    runtime: Value,
    check: Digest,
}

fn check_of(key: &Digest, runtime: &Value) -> Digest {
    Digest::of(format!("{key}\n{runtime}\n"))
}

/// The key of the runtime without given wheels. `None` for builds that want more than artifacts, or are not simple. `machine`: folders
/// that nothing may name.
pub(crate) fn key(
    context: &Context,
    options: &BuildOptions,
    inputs: &KeyInputs<'_>,
    tree: &BaseTree,
    machine: &[PathBuf],
    today: Date,
) -> Result<Option<Digest>, Box<dyn Fault>> {
    let is_wanted = options.artifacts_only && !options.strict && !inputs.extra.is_empty() && context.remote.is_none();
    let is_simple = inputs.config.layout == Layout::Installed && !tree.layout.platform.is_windows();
    if !is_wanted || !is_simple || inputs.emulator.is_some() {
        return Ok(None);
    }
    // The repository may be a throw-away folder.
    let machine: Vec<&PathBuf> = machine.iter().filter(|it| *it != inputs.repository).collect();
    let inputs = KeyInputs { extra: Vec::new(), ..inputs.clone() };
    let build_key = build_key(&inputs, tree.identity)?;
    Ok(Some(Digest::of(format!("settled runtime {FORMAT}\n{build_key}\n{today}\n{machine:?}\n"))))
}

impl SettledRuntime {
    pub fn recall(context: &Context, key: &Digest) -> Option<Self> {
        let known = context.store.recall(FACT, &key.to_string(), REMEMBERED, SystemTime::now())?;
        let CheckedRuntime { runtime, check } = serde_json::from_value(known).ok()?;
        let sound = check == check_of(key, &runtime);
        let kept: KeptRuntime = serde_json::from_value(runtime).ok().filter(|_| sound)?;
        let paths = |text: &str| text.lines().map(str::parse).collect::<Result<BTreeSet<TreePath>, _>>().ok();
        Some(Self {
            known: KnownPaths { files: paths(&kept.files_and_links)?, empty_folders: paths(&kept.empty_folders)? },
            parts: kept.parts,
            files: kept.files,
            size: kept.size,
            members: kept.members,
            asked: kept.asked,
            manifest: kept.manifest,
        })
    }

    pub fn remember(self, context: &Context, key: &Digest) {
        let lines = |paths: &BTreeSet<TreePath>| paths.iter().map(|path| format!("{path}\n")).collect::<String>();
        let kept = KeptRuntime {
            files_and_links: lines(&self.known.files),
            empty_folders: lines(&self.known.empty_folders),
            parts: self.parts,
            files: self.files,
            size: self.size,
            members: self.members,
            asked: self.asked,
            manifest: self.manifest,
        };
        let runtime = serde_json::to_value(kept).expect("plain data with text keys");
        let checked = CheckedRuntime { check: check_of(key, &runtime), runtime };
        let value = serde_json::to_value(checked).expect("plain data with text keys");
        // Forgotten, it is found again.
        let _ = context.store.remember(FACT, &key.to_string(), &value, SystemTime::now());
    }

    /// What of a finished build would be the same with other given wheels. `None` if that cannot be told apart.
    pub fn of(
        parts: &[PartSource],
        gathering: &GatherOutcome,
        assembled: &AssembledPrefix,
        manifest: &Manifest,
        asked: &BTreeSet<String>,
        tree: &BaseTree,
    ) -> Option<Self> {
        let (given, locked): (Vec<&GatheredWheel>, Vec<&GatheredWheel>) =
            gathering.wheels.iter().partition(|gathered| gathered.extra);
        let is_given = |name: &DistributionName| given.iter().any(|gathered| gathered.name == *name);
        let all = assembled.installed.as_ref()?;
        let replaced = all.removed.iter().any(is_given) || assembled.copied.iter().any(|file| file.overwrote);
        let told = all.remarks.iter().any(|(name, _)| is_given(name));
        let named = manifest.native.warnings.iter().filter_map(|it| it.distribution.as_ref()).any(is_given);
        let native = named || manifest.distributions.iter().any(|it| is_given(&it.name) && it.native.is_some());
        if replaced || told || native || !manifest.environments.is_empty() || !gathering.sources.is_empty() {
            return None;
        }
        let mut settled = Self {
            parts: Vec::new(),
            known: KnownPaths::default(),
            files: 0,
            size: 0,
            members: locked.iter().map(|gathered| SettledMember::of(gathered)).collect(),
            asked: asked.clone(),
            manifest: Manifest { copied_files: Vec::new(), artifact: None, ..manifest.clone() },
        };
        settled.manifest.distributions.retain(|it| !is_given(&it.name));
        settled.manifest.warnings.retain(|it| it.code != UNMET);
        let of_given: BTreeSet<String> = given.iter().map(|it| it.wheel.contents.file_name.to_string()).collect();
        let mut added = Vec::new();
        for part in parts {
            if PartKind::of(&part.name) > PartKind::Distribution || of_given.contains(&part.name) {
                added.extend(part.entries.iter().map(|entry| entry.path.clone()));
                continue;
            }
            settled.parts.push(PartRow { content: part.name.clone(), identity: part.identity? });
            for entry in &part.entries {
                if entry.kind == EntryKind::Directory {
                    settled.known.empty_folders.insert(entry.path.clone());
                } else {
                    settled.known.files.insert(entry.path.clone());
                    settled.files += 1;
                    settled.size += size_of(entry);
                }
            }
        }
        // A folder of the interpreter with nothing in it belongs to its part, unless something was put there.
        let fills = settled.known.new_folders(&added).iter().any(|folder| folder.below(&tree.root).is_dir());
        (!fills && settled.stands_apart(&added, tree.layout)).then_some(settled)
    }

    /// Whether these files change nothing of what was found in it.
    pub fn stands_apart(&self, added: &[TreePath], layout: TreeLayout) -> bool {
        let is_asked =
            |path: &TreePath| layout.top_level_module(path).is_some_and(|(_, name)| self.asked.contains(name));
        self.known.stands_apart(added, layout) && !added.iter().any(is_asked)
    }
}

//! What an export says about itself: `pydist-export.json` and `SHA256SUMS` (docs/formats/export.md).
//!
//! Goals: equal exports have equal bytes, so there is no date and every list is sorted; a reader of an older format
//! refuses a newer one; objects are named once, with what they are checked against; what one host needs is not asked
//! of another.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use vocab::{Digest, PlatformKey, VersionString};

use super::made_with::MadeWith;
use crate::remote::ChosenInterpreter;

/// Raise it when a reader of the former format would go wrong.
pub const EXPORT_FORMAT: u32 = 2;

/// Names of the two files beside the objects.
pub const MANIFEST: &str = "pydist-export.json";

/// The manifest that is to take its place as soon as the sums are those of it.
pub(super) const NEXT_MANIFEST: &str = "pydist-export.json.next";
pub const SUMS: &str = "SHA256SUMS";

/// The content of [`MANIFEST`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportManifest {
    pub format: u32,
    /// Version of the program that wrote it.
    pub pydist: String,
    /// By host: the objects of the tools that run there.
    pub hosts: BTreeMap<PlatformKey, ExportedHost>,
    /// Sorted by version and platform; none twice.
    pub runtimes: Vec<ExportedRuntime>,
    /// By key below the folder.
    pub objects: BTreeMap<String, ExportedObject>,
}

/// A machine that builds from the export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedHost {
    /// Keys of objects: its uv, and what else works for the builder there.
    pub objects: BTreeSet<String>,
}

/// One runtime for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedRuntime {
    pub version: VersionString,
    pub platform: PlatformKey,
    /// Digest of the locked rows.
    pub lock: Digest,
    /// By the machine that can build it from here.
    pub hosts: BTreeMap<PlatformKey, ExportedBuild>,
}

/// What one kind of machine takes to build a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedBuild {
    /// Absent in what format 1 had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<MadeWith>,
    /// By the digest of the question that chose it.
    pub interpreters: BTreeMap<Digest, ChosenInterpreter>,
    /// Keys of the objects that a build takes.
    pub objects: BTreeSet<String>,
}

/// What an object is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedObject {
    /// In bytes.
    pub size: u64,
    pub sha256: Digest,
}

impl ExportManifest {
    /// The text of the file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with text keys") + "\n"
    }

    /// The text of [`SUMS`], as `sha256sum -c` reads it, for this manifest with this text.
    pub fn sums(&self, text: &[u8]) -> String {
        let objects = self.objects.iter().map(|(key, object)| format!("{}  {key}\n", object.sha256));
        objects.chain([format!("{}  {MANIFEST}\n", Digest::of(text))]).collect()
    }

    /// The row of one runtime.
    pub fn runtime(&self, version: &VersionString, platform: PlatformKey) -> Option<&ExportedRuntime> {
        self.runtimes.iter().find(|row| row.version == *version && row.platform == platform)
    }

    /// Puts a row in the place of an earlier one. Hosts of an earlier one of the same lock stay, unless it has them too.
    pub fn add(&mut self, mut row: ExportedRuntime) {
        if let Some(index) =
            self.runtimes.iter().position(|it| it.version == row.version && it.platform == row.platform)
        {
            let former = self.runtimes.remove(index);
            if former.lock == row.lock {
                for (host, build) in former.hosts {
                    row.hosts.entry(host).or_insert(build);
                }
            }
        }
        self.runtimes.push(row);
        self.runtimes.sort_by(|one, other| {
            (one.version.to_string(), one.platform).cmp(&(other.version.to_string(), other.platform))
        });
    }

    /// Forgets the builds and hosts that take an object which is not there. The result names the builds.
    pub(super) fn drop_what_lacks(&mut self, is_there: impl Fn(&str, &ExportedObject) -> bool) -> Vec<String> {
        let there = self.objects.iter().filter(|(key, object)| is_there(key, object));
        let there: BTreeSet<&String> = there.map(|(key, _)| key).collect();
        let is_whole = |objects: &BTreeSet<String>| objects.iter().all(|key| there.contains(key));
        let mut lost = Vec::new();
        for row in &mut self.runtimes {
            let before: Vec<PlatformKey> = row.hosts.keys().copied().collect();
            row.hosts.retain(|_, build| is_whole(&build.objects));
            let gone: Vec<&str> =
                before.iter().filter(|host| !row.hosts.contains_key(host)).map(|host| host.as_str()).collect();
            let name = format!("{} for {}", row.version, row.platform);
            match &gone[..] {
                [] => {}
                _ if row.hosts.is_empty() => lost.push(name),
                gone => lost.push(format!("{name} on {}", gone.join(", "))),
            }
        }
        self.runtimes.retain(|row| !row.hosts.is_empty());
        self.hosts.retain(|_, host| is_whole(&host.objects));
        lost
    }

    /// Forgets objects that nothing in the export takes.
    pub fn drop_unused(&mut self) {
        let of_hosts = self.hosts.values().flat_map(|host| &host.objects);
        let of_builds = self.runtimes.iter().flat_map(|row| row.hosts.values()).flat_map(|build| &build.objects);
        let used: BTreeSet<&String> = of_builds.chain(of_hosts).collect();
        self.objects.retain(|key, _| used.contains(key));
    }
}

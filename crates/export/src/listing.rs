//! What a company's mirror must hold, by name, version and digest, without a download and without any host.

use std::collections::BTreeSet;

use interpreter::{BaseChoice, BaseError};
use resolve::{LockedSource, UV_VERSION, pinned_uv};
use serde::Serialize;
use store::Context;
use vocab::{Digest, PlatformKey, PythonVersion};
use wheel::windows_launcher;

use pipeline::prepare::PreparedPlatform;

/// One file, or for a repository one commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ListedFile {
    /// `interpreter`, `distribution`, or `tool`.
    pub kind: &'static str,
    pub name: String,
    pub version: String,
    pub file: String,
    /// Absent for what has no file of its own: a commit, a copied interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// The interpreters that work on these machines for the builder, whatever they build: uv needs one for runtimes of other
/// platforms.
///
/// # Errors
/// No source has one for a machine.
pub fn interpreters_of_hosts(
    context: &Context,
    prepared: &[PreparedPlatform],
    hosts: &[PlatformKey],
) -> Result<Vec<BaseChoice>, BaseError> {
    // All platforms of a version ask the same.
    let python = prepared.first().map(|it| &it.host);
    python.into_iter().flat_map(|python| hosts.iter().map(|host| python.on(*host).choice(context))).collect()
}

/// Sorted, each once. `others` are the interpreters that no runtime stands on.
pub fn list<'a>(
    prepared: impl Iterator<Item = &'a PreparedPlatform>,
    others: &[BaseChoice],
    hosts: &[PlatformKey],
) -> BTreeSet<ListedFile> {
    let mut files: BTreeSet<ListedFile> = others.iter().map(interpreter).collect();
    for it in prepared {
        files.insert(interpreter(&it.base));
        for row in &it.rows.distributions {
            let (file, sha256) = match &row.source {
                LockedSource::Wheel { file, sha256, .. } | LockedSource::Sdist { file, sha256, .. } => {
                    (file.to_string(), Some(*sha256))
                }
                LockedSource::Git { commit, .. } => (format!("commit {commit}"), None),
                // It is in the repository.
                LockedSource::Path { .. } => continue,
            };
            files.insert(ListedFile {
                kind: "distribution",
                name: row.name.to_string(),
                version: row.version.clone().unwrap_or_default(),
                file,
                sha256,
            });
            if it.request.builds(row) {
                files.extend(hosts.iter().flat_map(|host| repair_tools(*host, it.base.actual)));
            }
        }
        if it.request.target.platform.is_windows() {
            files.extend(tool(
                windows_launcher::pinned().name,
                windows_launcher::pinned().version,
                &windows_launcher::pinned().digests,
            ));
        }
    }
    for host in hosts {
        files.extend(pinned_uv(*host).into_iter().flat_map(|uv| tool(uv.name, UV_VERSION, &uv.digests[..1])));
    }
    files
}

fn interpreter(base: &BaseChoice) -> ListedFile {
    ListedFile {
        kind: "interpreter",
        name: "CPython".to_owned(),
        version: base.actual.to_string(),
        file: base.origin.clone(),
        sha256: base.source_sha256(),
    }
}

fn tool(name: &str, version: &str, digests: &[String]) -> Vec<ListedFile> {
    let file = |text: &String| ListedFile {
        kind: "tool",
        name: name.to_owned(),
        version: version.to_owned(),
        file: String::new(),
        sha256: text.parse().ok(),
    };
    digests.iter().map(file).collect()
}

/// Pinned by version; what they require themselves, and what a source requires to be built, its index decides.
fn repair_tools(host: PlatformKey, python: PythonVersion) -> Vec<ListedFile> {
    let split = |text: &str| text.split_once("==").map(|(name, version)| (name.to_owned(), version.to_owned()));
    let tools = source_build::repair_tools(host, python).split(' ').filter_map(split);
    tools.map(|(name, version)| ListedFile { kind: "tool", name, version, file: String::new(), sha256: None }).collect()
}

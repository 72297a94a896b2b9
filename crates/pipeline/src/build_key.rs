//! The build key: a digest of all that a runtime's bytes come from, and of what it is checked against. Equal keys mean
//! equal artifacts, so a build with a known key has nothing to do.

use std::path::Path;

use config_merger::{Config, Layout, RequirementSource};
use serde::Serialize;
use vocab::{Digest, Fault, PlatformKey, RuleRecord, VersionString};

use crate::copy_files::{self, CopyOperation};
use interpreter::{KnownBase, known};
use resolve::Request;
use resolve::work_tree::WorkTree;
use static_checks::Whitelist;

/// Raise it whenever equal inputs would give another runtime than before.
const RUNTIME_FORMAT: u32 = 5;

/// What is known before the first download, except the interpreter.
#[derive(Clone)]
pub struct KeyInputs<'a> {
    pub config: &'a Config,
    pub request: &'a Request,
    /// Digest of the locked rows.
    pub lock: Digest,
    /// Wheels that are not locked.
    pub extra: Vec<Digest>,
    /// What is locked or requested but not installed.
    pub left_out: &'a [RuleRecord],
    /// Its root.
    pub repository: &'a Path,
    /// Seconds since 1970, for every entry of the artifact.
    pub source_date_epoch: u64,
    /// Whether warnings are errors.
    pub strict: bool,
    /// What runs the imports of another platform, with its version.
    pub emulator: Option<&'a str>,
}

/// `base` is the identity of the interpreter's finished tree.
pub fn build_key(inputs: &KeyInputs<'_>, base: Digest) -> Result<Digest, Box<dyn Fault>> {
    #[derive(Serialize)]
    struct BuildKeyInputs<'a> {
        format: u32,
        builder: &'a str,
        /// Number of the format of parts.
        parts: u32,
        runtime: &'a VersionString,
        /// It is in the manifest inside the artifact, so equal keys need equal ones.
        config: Digest,
        base: Digest,
        lock: Digest,
        #[serde(skip_serializing_if = "<[Digest]>::is_empty")]
        extra: &'a [Digest],
        requested: Vec<&'a str>,
        rules: Vec<&'a RuleRecord>,
        layout: Layout,
        copies: Digest,
        /// Older builders did not check wheelhouses.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        checked_as_installed: bool,
        /// The repository's, and what is shipped.
        whitelist: [Digest; 2],
        mtime: u64,
        strict: bool,
        /// Commits of local sources whose version comes from git.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        commits: Vec<String>,
        /// What the import check says depends on it.
        #[serde(skip_serializing_if = "Option::is_none")]
        emulator: Option<&'a str>,
    }
    let KeyInputs { config, request, repository, .. } = inputs;
    let platform = request.target.platform;
    let folder = repository.join(config.version.folder_name());
    let key = BuildKeyInputs {
        format: RUNTIME_FORMAT,
        builder: env!("CARGO_PKG_VERSION"),
        parts: archive::PART_FORMAT,
        runtime: &config.version,
        config: config.runtime_digest(),
        base,
        lock: inputs.lock,
        extra: &inputs.extra,
        requested: request.requirements.iter().map(|it| it.name.as_str()).collect(),
        rules: request.decided.iter().chain(inputs.left_out).collect(),
        layout: config.layout,
        checked_as_installed: config.layout == Layout::Wheelhouse,
        copies: copy_files::digest_of(&copy_operations(config, platform), &folder)?,
        whitelist: [
            Digest::of(vocab::read_regular(&Whitelist::path(repository, platform)).unwrap_or_default()),
            Whitelist::shipped_digest(),
        ],
        mtime: inputs.source_date_epoch,
        strict: inputs.strict,
        commits: commits(request, repository),
        emulator: inputs.emulator,
    };
    Ok(Digest::of(serde_json::to_string(&key).expect("plain data with text keys")))
}

/// The lock has the tags, and not the commits, which would make it stale with each of its own.
fn commits(request: &Request, repository: &Path) -> Vec<String> {
    let paths = request.requirements.iter().filter_map(|requirement| match &requirement.source {
        RequirementSource::Path { path, .. } => Some(path.below(repository)),
        _ => None,
    });
    paths.filter_map(|path| Some(WorkTree::read_by(&path)?.commit)).collect()
}

/// The keys that a build would have, one for each source that gives exactly the release as a pinned file. Empty if
/// only a machine of the platform knows.
pub fn predicted_keys(inputs: &KeyInputs<'_>) -> Result<Vec<Digest>, Box<dyn Fault>> {
    let config = inputs.config;
    match known(config.version.python(), inputs.request.target.platform, &config.python) {
        KnownBase::Anywhere { trees } => trees.into_iter().map(|tree| build_key(inputs, tree)).collect(),
        KnownBase::OnItsPlatform | KnownBase::Nowhere { .. } => Ok(Vec::new()),
    }
}

pub(crate) fn copy_operations(config: &Config, platform: PlatformKey) -> Vec<CopyOperation> {
    config
        .copy_files_for(platform)
        .map(|copy| CopyOperation {
            from: copy.from.clone(),
            to: copy.to.clone(),
            optional: copy.optional,
            place: copy.place.to_string(),
        })
        .collect()
}

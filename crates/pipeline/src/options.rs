//! The options of a build as plain data: the command line and the environment, read once.

use std::path::PathBuf;

use vocab::{ArtifactFormat, PlatformKey};

use resolve::MissingRule;
use store::Scrutiny;

/// The options of one build, without those of the store and the network, which are in the [`Context`](store::Context).
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Stop after the plan.
    pub dry_run: bool,
    /// Build exactly the lock's rows, or fail.
    pub locked: bool,
    /// Resolve even when the lock is fresh.
    pub refresh: bool,
    /// The version is made for these platforms alone: resolved anew, the lock keeps rows of no other.
    pub sole_platforms: bool,
    /// Another patch release of Python may take the place of the one asked for.
    pub allow_stand_in: bool,
    /// Whether warnings, unreachable indexes and unused whitelist entries are errors.
    pub strict: bool,
    pub missing: MissingRule,
    /// Run no code of any source, neither to build it nor to learn what it requires.
    pub no_build: bool,
    /// Run the import check of foreign prefixes in an emulator.
    pub emulate: bool,
    pub lenient_config: bool,
    /// Artifacts and manifests go here.
    pub out: PathBuf,
    /// Nobody needs the prefix: it need not be put together where its artifact can be made without.
    pub artifacts_only: bool,
    /// How thoroughly unpacked entries of the store are checked.
    pub scrutiny: Scrutiny,
    /// Formats of the artifacts, each with its manifest; never empty.
    pub formats: Vec<ArtifactFormat>,
    /// 1 to 22; formats with fewer levels use their highest. `None` means each format's default.
    pub level: Option<i32>,
    /// Seconds since 1970, for every entry of the artifact.
    pub source_date_epoch: u64,
    pub python_mirror: Option<String>,
    /// The machine that an export is to serve, if not this one: a wheel of pure Python that was built here is given
    /// under the key under which that machine will look for it, and not under this machine's. `None` in a build.
    pub for_host: Option<PlatformKey>,
    /// `TEST_RUN=true`: neither network nor Python; an empty prefix with a stub goes through the last steps.
    pub test_run: bool,
}

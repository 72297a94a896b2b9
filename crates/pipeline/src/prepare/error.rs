//! What can be wrong before anything is downloaded.

use vocab::{Fault, PlatformKey, RuleOutcome, RuleRecord};

use resolve::NO_BUILD_HINT;

/// Why a platform cannot be built, known before anything is downloaded.
#[derive(Debug, thiserror::Error, Fault)]
pub enum PrepareError {
    #[error("`{package}` may not be installed from git: `{requirement}` at {place}")]
    #[fault(
        "E_GIT_SOURCE",
        Usage,
        hint("allow it with `forceSource`, or with `allowSourceList` in `packages.resolution`")
    )]
    GitRefused { package: String, requirement: String, place: String },
    #[error("--strict: {registry} cannot be reached ({reason}), so {packages} would be left out on {platform}")]
    #[fault("E_REGISTRY_UNREACHABLE", Build, hint("make the index reachable, or build without --strict"))]
    Registry { registry: String, reason: String, packages: String, platform: PlatformKey },
    #[error("--strict: `{package}` would be left out on {platform}: {reason}")]
    #[fault("E_REGISTRY_UNREACHABLE", Build, hint("run `builder lock` where its index can be reached"))]
    Missing { package: String, reason: String, platform: PlatformKey },
    #[error("`{package}` would be left out on {platform}: {reason}{}", beside(others))]
    #[fault(
        "E_NO_WHEEL",
        Build,
        hint(
            "allow its source with `packages.resolution.allowSourceList`, or skip `{package}` here; \
             --allow-missing builds without it"
        )
    )]
    LeftOut { package: String, reason: String, others: Vec<String>, platform: PlatformKey },
    #[error("`{package}` would be left out on {platform}: {reason}{}", beside(others))]
    #[fault(
        "E_NO_WHEEL",
        Build,
        hint(
            "skip `{package}`, too, or ship it nevertheless with `\"dependants\": \"keep\"` in `packages.resolution`; \
             without --fail-on-missing it is left out with a warning"
        )
    )]
    RequiresSkipped { package: String, reason: String, others: Vec<String>, platform: PlatformKey },
    #[error("--strict: `{package}` is installed from git at {reference}, which is not a commit")]
    #[fault("E_GIT_SOURCE", Usage, hint("write the 40 digits of the commit after the `@`"))]
    LooseGit { package: String, reference: String },
    #[error("this machine's platform is not supported")]
    #[fault("E_PLATFORM_HOST", Usage)]
    NoHost,
    #[error("--no-build: code of {packages} would have to run for {platform}")]
    #[fault("E_NO_BUILD", Build, hint("{NO_BUILD_HINT}"))]
    NoBuild { packages: String, platform: PlatformKey },
    #[error("`{package}` has to be compiled on {platform} itself: {reason}")]
    #[fault(
        "E_NATIVE_RUNNER",
        Build,
        hint("run the builder on a {platform} machine, or pin a version of `{package}` that has a wheel there"),
        another_machine
    )]
    NativeRunner { package: String, reason: String, platform: PlatformKey },
}

impl PrepareError {
    /// `others` are left out beside it.
    pub(crate) fn left_out(row: &RuleRecord, others: Vec<String>, platform: PlatformKey) -> Self {
        let (package, reason) = (row.name.to_string(), row.reason.clone());
        // A rule's own row is never missing, so this is the row of something that depends on it.
        if row.outcome == RuleOutcome::Skipped {
            Self::RequiresSkipped { package, reason, others, platform }
        } else {
            Self::LeftOut { package, reason, others, platform }
        }
    }
}

fn beside(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; and so would `{}`", others.join("`, `")) }
}

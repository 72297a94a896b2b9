//! What can be wrong before anything is downloaded.

use vocab::{Exit, Fault, PlatformKey};

use resolve::NO_BUILD_HINT;

/// Why a platform cannot be built, known before anything is downloaded.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("`{package}` may not be installed from git: `{requirement}` at {place}")]
    GitRefused { package: String, requirement: String, place: String },
    #[error("--strict: {registry} cannot be reached ({reason}), so {packages} would be left out on {platform}")]
    Registry { registry: String, reason: String, packages: String, platform: PlatformKey },
    #[error("--strict: `{package}` would be left out on {platform}: {reason}")]
    Missing { package: String, reason: String, platform: PlatformKey },
    #[error("`{package}` would be left out on {platform}: {reason}")]
    LeftOut { package: String, reason: String, platform: PlatformKey },
    #[error("--strict: `{package}` is installed from git at {reference}, which is no commit")]
    LooseGit { package: String, reference: String },
    #[error("this machine is none of the five platforms")]
    NoHost,
    #[error("--no-build: code of {packages} would have to be run for {platform}")]
    NoBuild { packages: String, platform: PlatformKey },
    #[error("`{package}` has to be compiled on {platform} itself: {reason}")]
    NativeRunner { package: String, reason: String, platform: PlatformKey },
}

impl Fault for PrepareError {
    fn code(&self) -> &'static str {
        match self {
            Self::GitRefused { .. } | Self::LooseGit { .. } => "E_GIT_SOURCE",
            Self::Registry { .. } | Self::Missing { .. } => "E_REGISTRY_UNREACHABLE",
            Self::LeftOut { .. } => "E_NO_WHEEL",
            Self::NoBuild { .. } => "E_NO_BUILD",
            Self::NoHost => "E_PLATFORM_HOST",
            Self::NativeRunner { .. } => "E_NATIVE_RUNNER",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::GitRefused { .. } | Self::LooseGit { .. } | Self::NoHost => Exit::Usage,
            Self::Registry { .. }
            | Self::Missing { .. }
            | Self::LeftOut { .. }
            | Self::NoBuild { .. }
            | Self::NativeRunner { .. } => Exit::Build,
        }
    }

    fn is_for_another_machine(&self) -> bool {
        matches!(self, Self::NativeRunner { .. })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::GitRefused { .. } => {
                "allow it with `forceSource`, or with `allowSourceList` in `packages.resolution`".into()
            }
            Self::Registry { .. } => "make the registry reachable, or build without --strict".into(),
            Self::Missing { .. } => "run `builder lock` where its registry can be reached".into(),
            Self::LeftOut { package, .. } => {
                format!(
                    "allow its source with `packages.resolution.allowSourceList`, or skip `{package}` here; \
                     --allow-missing builds without it"
                )
            }
            Self::LooseGit { .. } => "write the 40 digits of the commit after the `@`".into(),
            Self::NativeRunner { package, platform, .. } => {
                format!(
                    "run the builder on a {platform} machine, or pin a version of `{package}` that has a wheel there"
                )
            }
            Self::NoBuild { .. } => NO_BUILD_HINT.into(),
            Self::NoHost => return None,
        })
    }
}

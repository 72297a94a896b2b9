//! Which build of a program is running, for `--version`. None of it enters a build key or a manifest.

use std::fmt;

/// Identifies the running program; made by [`build!`](crate::build!) in its `main.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramBuild {
    /// The crate's version.
    pub version: &'static str,
    /// `674cb7e 2026-11-24` in a release, `674cb7e` or `674cb7e-modified` in another optimised build, and empty if the
    /// commit is unknown.
    pub commit: &'static str,
    /// `x86_64-unknown-linux-gnu`
    pub target: &'static str,
}

impl ProgramBuild {
    /// The target triple that this was compiled for.
    pub const TARGET: &'static str = env!("PYDIST_TARGET");
}

impl fmt::Display for ProgramBuild {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.commit.is_empty() { "" } else { ", " };
        write!(formatter, "{} ({}{separator}{})", self.version, self.commit, self.target)
    }
}

/// The build of the program that calls this in its `main.rs`: only that file is compiled again when the commit changes.
///
/// The commit is `PYDIST_COMMIT` when that is set while compiling, else what git says of the sources.
#[macro_export]
macro_rules! build {
    () => {
        $crate::ProgramBuild {
            version: env!("CARGO_PKG_VERSION"),
            commit: match option_env!("PYDIST_COMMIT") {
                Some(commit) => commit,
                None => $crate::commit!(),
            },
            target: $crate::ProgramBuild::TARGET,
        }
    };
}

/// Empty when built from an archive of the sources.
#[cfg(not(debug_assertions))]
#[doc(hidden)]
#[macro_export]
macro_rules! commit {
    () => {
        $crate::git_version!(args = ["--always", "--abbrev=7", "--exclude=*", "--dirty=-modified"], fallback = "")
    };
}

/// During development, linking everything again at each commit would cost more than the commit is worth.
#[cfg(debug_assertions)]
#[doc(hidden)]
#[macro_export]
macro_rules! commit {
    () => {
        "development build"
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_as_much_as_is_known() {
        let cases = [
            ("674cb7e 2026-11-24", "0.1.0 (674cb7e 2026-11-24, aarch64-apple-darwin)"),
            ("674cb7e-modified", "0.1.0 (674cb7e-modified, aarch64-apple-darwin)"),
            ("", "0.1.0 (aarch64-apple-darwin)"),
        ];
        for (commit, expected) in cases {
            let build = ProgramBuild { version: "0.1.0", commit, target: "aarch64-apple-darwin" };
            assert_eq!(build.to_string(), expected);
        }
    }

    #[test]
    fn the_target_is_a_triple_of_this_platform() {
        assert!(ProgramBuild::TARGET.starts_with(std::env::consts::ARCH), "{}", ProgramBuild::TARGET);
    }
}

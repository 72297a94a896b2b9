//! The five platforms a runtime can be built for, and their one spelling.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `{os}-{arch}`: `linux-x64`, `linux-aarch64`, `macosx-x64`, `macosx-aarch64` or `windows-x64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PlatformKey {
    LinuxX64,
    LinuxAarch64,
    MacosxX64,
    MacosxAarch64,
    WindowsX64,
}

/// Systems, without their architecture: what decides file formats and layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Os {
    Linux,
    Macos,
    Windows,
}

/// Processor architectures, by their names in platform keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    X64,
    Aarch64,
}

impl PlatformKey {
    /// In the order in which tables and help texts list them.
    pub const ALL: [Self; 5] =
        [Self::LinuxX64, Self::LinuxAarch64, Self::MacosxX64, Self::MacosxAarch64, Self::WindowsX64];

    /// The key, as configuration files and file names spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LinuxX64 => "linux-x64",
            Self::LinuxAarch64 => "linux-aarch64",
            Self::MacosxX64 => "macosx-x64",
            Self::MacosxAarch64 => "macosx-aarch64",
            Self::WindowsX64 => "windows-x64",
        }
    }

    /// The system that the key names.
    pub fn os(self) -> Os {
        match self {
            Self::LinuxX64 | Self::LinuxAarch64 => Os::Linux,
            Self::MacosxX64 | Self::MacosxAarch64 => Os::Macos,
            Self::WindowsX64 => Os::Windows,
        }
    }

    /// The architecture that the key names.
    pub fn arch(self) -> Arch {
        match self {
            Self::LinuxX64 | Self::MacosxX64 | Self::WindowsX64 => Arch::X64,
            Self::LinuxAarch64 | Self::MacosxAarch64 => Arch::Aarch64,
        }
    }

    /// Short for comparing [`os`](Self::os): on Windows layout, names and links differ.
    pub fn is_windows(self) -> bool {
        self.os() == Os::Windows
    }

    /// The platform of this machine, fixed when the program was compiled. `None` when it is not one of the five.
    pub fn host() -> Option<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Some(Self::LinuxX64),
            ("linux", "aarch64") => Some(Self::LinuxAarch64),
            ("macos", "x86_64") => Some(Self::MacosxX64),
            ("macos", "aarch64") => Some(Self::MacosxAarch64),
            ("windows", "x86_64") => Some(Self::WindowsX64),
            _ => None,
        }
    }

    /// The target triple that python-build-standalone uses in its file names.
    pub fn triple(self) -> &'static str {
        match self {
            Self::LinuxX64 => "x86_64-unknown-linux-gnu",
            Self::LinuxAarch64 => "aarch64-unknown-linux-gnu",
            Self::MacosxX64 => "x86_64-apple-darwin",
            Self::MacosxAarch64 => "aarch64-apple-darwin",
            Self::WindowsX64 => "x86_64-pc-windows-msvc",
        }
    }

    /// The key that `text` most likely means, aliases of other systems included. For hints, not for reading input.
    pub fn nearest(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let arm = ["arm", "aarch"].iter().any(|part| lower.contains(part));
        let os_names: [(&str, Self, Self); 6] = [
            ("mac", Self::MacosxX64, Self::MacosxAarch64),
            ("darwin", Self::MacosxX64, Self::MacosxAarch64),
            ("osx", Self::MacosxX64, Self::MacosxAarch64),
            ("win", Self::WindowsX64, Self::WindowsX64),
            ("linux", Self::LinuxX64, Self::LinuxAarch64),
            ("ubuntu", Self::LinuxX64, Self::LinuxAarch64),
        ];
        for (name, x64, aarch64) in os_names {
            if lower.contains(name) {
                return if arm { aarch64 } else { x64 };
            }
        }
        let mut nearest = Self::LinuxX64;
        for key in Self::ALL {
            if strsim::damerau_levenshtein(&lower, key.as_str()) < strsim::damerau_levenshtein(&lower, nearest.as_str())
            {
                nearest = key;
            }
        }
        nearest
    }
}

impl fmt::Display for PlatformKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The text is not one of the five keys; `nearest` is offered in the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a platform key; did you mean `{nearest}`? The keys are linux-x64, linux-aarch64, macosx-x64, macosx-aarch64, windows-x64"
)]
pub struct PlatformKeyError {
    pub text: String,
    pub nearest: PlatformKey,
}

impl FromStr for PlatformKey {
    type Err = PlatformKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|key| key.as_str() == text)
            .ok_or_else(|| PlatformKeyError { text: text.to_owned(), nearest: Self::nearest(text) })
    }
}

impl TryFrom<String> for PlatformKey {
    type Error = PlatformKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PlatformKey> for String {
    fn from(key: PlatformKey) -> Self {
        key.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_survives_display_and_parse() {
        for key in PlatformKey::ALL {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn aliases_are_refused_with_the_key_that_was_meant() {
        let cases = [
            ("macos-arm64", PlatformKey::MacosxAarch64),
            ("linux-arm64", PlatformKey::LinuxAarch64),
            ("win-x64", PlatformKey::WindowsX64),
            ("darwin-x64", PlatformKey::MacosxX64),
            ("linux-amd64", PlatformKey::LinuxX64),
            ("Linux-x64", PlatformKey::LinuxX64),
            ("inux-aarch46", PlatformKey::LinuxAarch64),
        ];
        for (text, nearest) in cases {
            assert_eq!(
                text.parse::<PlatformKey>(),
                Err(PlatformKeyError { text: text.into(), nearest }),
                "for {text:?}"
            );
        }
    }
}

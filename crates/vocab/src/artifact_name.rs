//! `pydist-KEY-VERSION-OS-ARCH.EXT`, the names that extension loaders look for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Arch, Os, PlatformKey, PythonVersion, VersionString};

/// How an artifact is packed; its text is the file name extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ArtifactFormat {
    /// Zstandard in independent frames with a seek table; the default.
    #[default]
    #[serde(rename = "tar.zst")]
    TarZst,
    /// One gzip member.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// Uncompressed.
    #[serde(rename = "tar")]
    Tar,
    /// Deflated files with copies in place of links.
    #[serde(rename = "zip")]
    Zip,
}

impl ArtifactFormat {
    /// The default first.
    pub const ALL: [Self; 4] = [Self::TarZst, Self::TarGz, Self::Tar, Self::Zip];

    /// The file name's extension, without the leading dot. The inverse of parsing an [`ArtifactName`].
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarZst => "tar.zst",
            Self::TarGz => "tar.gz",
            Self::Tar => "tar",
            Self::Zip => "zip",
        }
    }
}

/// The parts of an artifact's name. KEY is the variant or `python`; VERSION is the Python that is really inside, which
/// for a stand-in differs from the requested one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactName {
    /// The variant or `python`; never empty.
    pub key: String,
    /// The Python that is really inside.
    pub python: PythonVersion,
    pub platform: PlatformKey,
    pub format: ArtifactFormat,
}

impl ArtifactName {
    /// `actual` is the Python that was found, which may be another patch release than `version` asks for.
    pub fn new(version: &VersionString, actual: PythonVersion, platform: PlatformKey, format: ArtifactFormat) -> Self {
        Self { key: version.artifact_key().to_owned(), python: actual, platform, format }
    }

    /// The name of the manifest that lies beside the artifact.
    pub fn manifest_name(&self) -> String {
        manifest_name(&self.to_string())
    }
}

/// What follows an artifact's own name in the name of its manifest.
pub const MANIFEST_SUFFIX: &str = ".json";

/// The name of the manifest that lies beside an artifact, by the artifact's name or the path of its URL.
pub fn manifest_name(artifact: &str) -> String {
    format!("{artifact}{MANIFEST_SUFFIX}")
}

/// The manifest that lies beside an artifact.
pub fn manifest_beside(artifact: &Path) -> PathBuf {
    let mut name = artifact.as_os_str().to_owned();
    name.push(MANIFEST_SUFFIX);
    name.into()
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let os = match self.platform.os() {
            Os::Linux => "linux",
            Os::Macos => "macos",
            Os::Windows => "windows",
        };
        let arch = match self.platform.arch() {
            Arch::X64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        };
        write!(formatter, "pydist-{}-{}-{os}-{arch}.{}", self.key, self.python, self.format.extension())
    }
}

/// The text matches no artifact name. Only names that pydist itself would write are accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an artifact name: expected pydist-KEY-VERSION-OS-ARCH.EXT")]
pub struct ArtifactNameError {
    pub text: String,
}

impl FromStr for ArtifactName {
    type Err = ArtifactNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ArtifactNameError { text: text.to_owned() })
    }
}

/// Reads from the right, because a variant may itself hold `-` and `.`.
fn parse(text: &str) -> Option<ArtifactName> {
    let rest = text.strip_prefix("pydist-")?;
    let format = ArtifactFormat::ALL.into_iter().find(|format| rest.ends_with(&format!(".{}", format.extension())))?;
    let rest = rest.strip_suffix(format.extension())?.strip_suffix('.')?;
    let (rest, arch) = rest.rsplit_once('-')?;
    let (rest, os) = rest.rsplit_once('-')?;
    let (key, python) = rest.rsplit_once('-')?;
    let platform = match (os, arch) {
        ("linux", "x86_64") => PlatformKey::LinuxX64,
        ("linux", "aarch64") => PlatformKey::LinuxAarch64,
        ("macos", "x86_64") => PlatformKey::MacosxX64,
        ("macos", "aarch64") => PlatformKey::MacosxAarch64,
        ("windows", "x86_64") => PlatformKey::WindowsX64,
        _ => return None,
    };
    let key = (!key.is_empty()).then(|| key.to_owned())?;
    Some(ArtifactName { key, python: python.parse().ok()?, platform, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_display_and_parse() {
        for version in ["3.12.10", "3.12.10-atls", "3.12.10-torch-cuda.1"] {
            for platform in PlatformKey::ALL {
                for format in ArtifactFormat::ALL {
                    let version: VersionString = version.parse().unwrap();
                    let name = ArtifactName::new(&version, version.python(), platform, format);
                    assert_eq!(name.to_string().parse(), Ok(name));
                }
            }
        }
    }

    #[test]
    fn other_names_are_refused() {
        for text in ["", "pydist-python-3.12-linux-x86_64.tar.zst", "pydist-3.12.10-linux-x86_64.zip", "x.tar.zst"] {
            assert!(text.parse::<ArtifactName>().is_err(), "for {text:?}");
        }
    }
}

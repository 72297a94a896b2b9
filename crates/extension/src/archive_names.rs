//! Names of archives that hold a distribution. Names are never taken apart, since keys and versions may hold `-`: those
//! that are expected are made, in the order in which they count.

use serde::Serialize;
use vocab::{Arch, ArtifactFormat, Os, PlatformKey};

use crate::DistributionId;

/// The system and processor that a distribution must be for, in the words of archive names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// `linux`, `macos` or `windows`.
    pub os: &'static str,
    /// Every name of the processor, ours first: `aarch64` is also `arm64`. Empty for a processor without a name.
    pub processors: &'static [&'static str],
}

impl Machine {
    /// The machine that this program was compiled for.
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "windows" => "windows",
            "macos" => "macos",
            _ => "linux",
        };
        let processors: &[&str] = match (os, std::env::consts::ARCH) {
            (_, "x86_64") => &["x86_64"],
            ("macos", "aarch64") => &["aarch64", "arm64"],
            (_, "aarch64") => &["aarch64"],
            (_, "powerpc64") => &["ppc64le"],
            _ => &[],
        };
        Self { os, processors }
    }

    /// Machines of a platform.
    pub fn of(platform: PlatformKey) -> Self {
        let os = match platform.os() {
            Os::Linux => "linux",
            Os::Macos => "macos",
            Os::Windows => "windows",
        };
        let processors: &[&str] = match (platform.os(), platform.arch()) {
            (_, Arch::X64) => &["x86_64"],
            (Os::Macos, Arch::Aarch64) => &["aarch64", "arm64"],
            (_, Arch::Aarch64) => &["aarch64"],
        };
        Self { os, processors }
    }

    /// The name of conda's folder for it. Absent where conda has none.
    pub fn conda_subdir(&self) -> Option<&'static str> {
        match (self.os, *self.processors.first()?) {
            ("linux", "x86_64") => Some("linux-64"),
            ("linux", "aarch64") => Some("linux-aarch64"),
            ("linux", "ppc64le") => Some("linux-ppc64le"),
            ("macos", "x86_64") => Some("osx-64"),
            ("macos", "aarch64") => Some("osx-arm64"),
            ("windows", "x86_64") => Some("win-64"),
            _ => None,
        }
    }
}

/// Endings in the order in which they count.
pub const ARCHIVE_FORMATS: [ArtifactFormat; 4] =
    [ArtifactFormat::Tar, ArtifactFormat::TarGz, ArtifactFormat::Zip, ArtifactFormat::TarZst];

/// One name that an archive may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveName {
    /// The file's name.
    pub file: String,
    /// Without the ending; names of one stem are the same archive in several formats.
    pub stem: String,
    pub format: ArtifactFormat,
    /// Two hyphens, where a version would be: what the vendor's pattern gives if it is filled in literally.
    pub is_literal: bool,
}

/// Names with a processor, then those without.
///
/// ```
/// use extension::{Machine, archive_names};
///
/// let windows = Machine::of(vocab::PlatformKey::WindowsX64);
/// let names = archive_names(&"custom:1.0.0".parse()?, &windows);
/// assert_eq!(names[2].file, "pydist-custom-1.0.0-windows-x86_64.zip");
/// assert_eq!(names[6].file, "pydist-custom-1.0.0-windows.zip");
/// # Ok::<(), extension::EnvironmentIdError>(())
/// ```
pub fn archive_names(id: &DistributionId, machine: &Machine) -> Vec<ArchiveName> {
    let base = format!("pydist-{}", id.folder_name());
    let os = machine.os;
    let mut stems: Vec<(String, bool)> =
        machine.processors.iter().map(|processor| (format!("{base}-{os}-{processor}"), false)).collect();
    stems.push((format!("{base}-{os}"), false));
    if id.version().is_none() {
        stems.push((format!("{base}--{os}"), true));
    }
    let named = |(stem, is_literal): (String, bool)| {
        ARCHIVE_FORMATS.map(|format| ArchiveName {
            file: format!("{stem}.{}", format.extension()),
            stem: stem.clone(),
            format,
            is_literal,
        })
    };
    stems.into_iter().flat_map(named).collect()
}

/// What stands for the version in the name of an archive of `key` for this machine; `None` if the name is of something
/// else.
pub(crate) fn version_in_name<'a>(file: &'a str, key: &str, machine: &Machine) -> Option<&'a str> {
    let rest = file.strip_prefix("pydist-")?.strip_prefix(key)?.strip_prefix('-')?;
    let format = ARCHIVE_FORMATS.into_iter().find(|format| rest.ends_with(&format!(".{}", format.extension())))?;
    let stem = rest.strip_suffix(format.extension())?.strip_suffix('.')?;
    let with_processor =
        machine.processors.iter().find_map(|processor| stem.strip_suffix(processor)?.strip_suffix('-'));
    with_processor.unwrap_or(stem).strip_suffix(machine.os)?.strip_suffix('-')
}

/// Folders and archives of conda packages for `id`, in the resource folder.
pub(crate) fn channel_names(id: &DistributionId, machine: &Machine) -> Vec<String> {
    let stem = format!("pydist-channel-{}-{}", id.folder_name(), machine.os);
    let files = ["tar", "tar.gz", "zip"].map(|ending| format!("{stem}.{ending}"));
    std::iter::once(stem).chain(files).collect()
}

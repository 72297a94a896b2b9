//! Which wheels fit a target, and which of several fits best (PEP 425, PEP 600).
//!
//! The order is that of the installers' tag lists: the most specific interpreter first, then the stable ABI, then
//! generic tags; within those the newest platform that is still allowed. A wheel above the ceiling never fits.

use std::cmp::Reverse;

use vocab::{Arch, Os, PlatformKey, PythonVersion, SystemVersion, default_ceiling, is_too_new};

/// A platform and the oldest system that the runtime must run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WheelTarget {
    pub platform: PlatformKey,
    pub python: PythonVersion,
    /// The highest glibc or macOS version that a wheel may require. `None` on Windows, whose wheels state none.
    pub system: Option<SystemVersion>,
}

/// How well a wheel fits. Smaller is better; ranks of different targets must not be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WheelRank {
    interpreter: u32,
    platform: u32,
    /// Among otherwise equal wheels the one with the higher build tag is taken; no build tag is the lowest.
    build: Reverse<Option<BuildTag>>,
}

impl WheelRank {
    /// Whether both wheels, of one target, fit the interpreter equally well.
    pub fn is_for_the_interpreter_of(&self, other: &Self) -> bool {
        self.interpreter == other.interpreter
    }
}

/// The digits at its start as a number, then the rest as a text (PEP 427).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BuildTag(u64, String);

impl BuildTag {
    /// `None` if it does not begin with a digit.
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        // Numbers too large for any real file name are all equal.
        (end > 0).then(|| Self(text[..end].parse().unwrap_or(u64::MAX), text[end..].to_owned()))
    }
}

impl WheelTarget {
    /// With the default ceilings: glibc 2.28, macOS 13.0.
    pub fn new(platform: PlatformKey, python: PythonVersion) -> Self {
        Self { platform, python, system: default_ceiling(platform) }
    }

    /// Without a ceiling, for what shall run on machines of any age.
    pub fn of_any_age(platform: PlatformKey, python: PythonVersion) -> Self {
        let newest = default_ceiling(platform).map(|_| SystemVersion::new(u16::MAX, u16::MAX));
        Self { platform, python, system: newest }
    }

    fn ceiling(&self) -> (u16, u16) {
        self.system.map_or((0, 0), |system| (system.major, system.minor))
    }

    /// The value that uv reads as the oldest macOS; `None` elsewhere, where [`Self::uv_platform`] contains the version.
    pub fn deployment_target(&self) -> Option<String> {
        self.system.filter(|_| self.platform.os() == Os::Macos).map(|system| system.to_string())
    }

    /// uv's name for this target in `--python-platform`.
    pub fn uv_platform(&self) -> String {
        match self.platform {
            PlatformKey::LinuxX64 => format!("x86_64-manylinux_{}_{}", self.ceiling().0, self.ceiling().1),
            PlatformKey::LinuxAarch64 => format!("aarch64-manylinux_{}_{}", self.ceiling().0, self.ceiling().1),
            PlatformKey::MacosxX64 | PlatformKey::MacosxAarch64 | PlatformKey::WindowsX64 => {
                self.platform.triple().to_owned()
            }
        }
    }

    /// Whether a wheel with one of these platform tags is for this platform, however new a system it needs.
    pub fn is_for(platform: PlatformKey, platform_tags: &[String]) -> bool {
        let target = Self::of_any_age(platform, PythonVersion { major: 3, minor: 0, patch: 0 });
        platform_tags.iter().any(|tag| target.platform_rank(tag).is_some())
    }

    /// Rank of a wheel by its file name. `None` if the wheel does not fit, or the name is not a wheel's.
    pub fn rank(&self, file_name: &str) -> Option<WheelRank> {
        let stem = file_name.strip_suffix(".whl")?;
        let mut parts = stem.rsplitn(4, '-');
        let (platforms, abis, pythons) = (parts.next()?, parts.next()?, parts.next()?);
        let build = parts.next()?.split('-').nth(2).and_then(BuildTag::parse);
        let mut best: Option<(u32, u32)> = None;
        for python in pythons.split('.') {
            for abi in abis.split('.') {
                for platform in platforms.split('.') {
                    let rank = self.interpreter_rank(python, abi, platform == "any").zip(self.platform_rank(platform));
                    if let Some(rank) = rank {
                        best = Some(best.map_or(rank, |best| best.min(rank)));
                    }
                }
            }
        }
        best.map(|(interpreter, platform)| WheelRank { interpreter, platform, build: Reverse(build) })
    }

    fn interpreter_rank(&self, python: &str, abi: &str, any: bool) -> Option<u32> {
        let minor = u32::from(self.python.minor);
        let major = u32::from(self.python.major);
        let (kind, number) = python.split_at(python.find(|c: char| c.is_ascii_digit())?);
        let (tag_major, tag_minor) = number.split_at(1);
        let tag_major: u32 = tag_major.parse().ok()?;
        let tag_minor: Option<u32> = if tag_minor.is_empty() { None } else { Some(tag_minor.parse().ok()?) };
        if tag_major != major || tag_minor.is_some_and(|tag_minor| tag_minor > minor) {
            return None;
        }
        let age = tag_minor.map(|tag_minor| minor - tag_minor);
        let exact = format!("cp{major}{minor}");
        match (kind, abi) {
            ("cp", abi) if age == Some(0) && abi == exact => Some(0),
            ("cp", "abi3") => age.map(|age| 1 + age),
            ("cp", "none") if age == Some(0) => Some(if any { 300 } else { 100 }),
            ("py", "none") => {
                // py312, then py3, then py311 and older.
                let order = match age {
                    Some(0) => 1,
                    None => 2,
                    Some(age) => 2 + age,
                };
                Some(if any { 300 } else { 100 } + order)
            }
            _ => None,
        }
    }

    fn platform_rank(&self, tag: &str) -> Option<u32> {
        let need = self.platform_need(tag)?;
        let Some(version) = need.system else { return Some(need.order) };
        let ceiling = self.system?;
        let number = |version: SystemVersion| u32::from(version.major) * 100 + u32::from(version.minor.min(99));
        // The newest first; of one version there are two orders.
        let age = number(ceiling).saturating_sub(number(version));
        (!is_too_new(&version, &ceiling)).then_some(age * 2 + need.order)
    }

    /// The system that a wheel with this platform tag needs, if the tag names one. `None` if the tag is not for this
    /// platform, whatever its ceiling.
    pub fn needed_system(&self, tag: &str) -> Option<Option<SystemVersion>> {
        self.platform_need(tag).map(|need| need.system)
    }

    fn platform_need(&self, tag: &str) -> Option<PlatformNeed> {
        let versioned = |(major, minor), order| PlatformNeed { system: Some(SystemVersion::new(major, minor)), order };
        if tag == "any" {
            return Some(PlatformNeed { system: None, order: 0 });
        }
        match self.platform.os() {
            Os::Windows => (tag == "win_amd64").then_some(PlatformNeed { system: None, order: 0 }),
            Os::Linux => {
                let arch = match self.platform.arch() {
                    Arch::X64 => "x86_64",
                    Arch::Aarch64 => "aarch64",
                };
                let head = tag.strip_suffix(arch)?.strip_suffix('_')?;
                let glibc = match head {
                    "linux" => return Some(PlatformNeed { system: None, order: OF_UNKNOWN_AGE }),
                    "manylinux1" => (2, 5),
                    "manylinux2010" => (2, 12),
                    "manylinux2014" => (2, 17),
                    other => pair(other.strip_prefix("manylinux_")?)?,
                };
                Some(versioned(glibc, 0))
            }
            Os::Macos => {
                let rest = tag.strip_prefix("macosx_")?;
                let (version, arch) = rest.match_indices('_').nth(1).map(|(at, _)| (&rest[..at], &rest[at + 1..]))?;
                let order = match (self.platform.arch(), arch) {
                    (Arch::Aarch64, "arm64") | (Arch::X64, "x86_64") => 0,
                    (_, "universal2") | (Arch::X64, "intel" | "fat64" | "fat3" | "universal") => 1,
                    _ => return None,
                };
                Some(versioned(pair(version)?, order))
            }
        }
    }
}

/// The rank of a Linux wheel whose tag names no glibc: after all that do.
const OF_UNKNOWN_AGE: u32 = u32::MAX;

/// What one platform tag says.
struct PlatformNeed {
    system: Option<SystemVersion>,
    /// Among wheels that need the same version, the smaller one is taken: those for one processor before those for
    /// several.
    order: u32,
}

fn pair(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.split_once('_')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(platform: PlatformKey, wheels: &[&'a str]) -> Option<&'a str> {
        let target = WheelTarget::new(platform, "3.12.10".parse().unwrap());
        let ranked = wheels.iter().filter_map(|wheel| Some((target.rank(wheel)?, *wheel)));
        ranked.min().map(|(_, wheel)| wheel)
    }

    #[test]
    fn p20_of_two_wheels_that_fit_the_more_specific_one_is_taken() {
        let cases: [(PlatformKey, &[&str], Option<&str>); 9] = [
            (
                PlatformKey::LinuxX64,
                &[
                    "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                    "a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
                ],
                Some("a-1-cp312-cp312-manylinux_2_28_x86_64.whl"),
            ),
            (
                PlatformKey::LinuxX64,
                &[
                    "a-1-cp39-abi3-manylinux_2_17_x86_64.whl",
                    "a-1-cp311-abi3-manylinux_2_17_x86_64.whl",
                    "a-1-py3-none-any.whl",
                ],
                Some("a-1-cp311-abi3-manylinux_2_17_x86_64.whl"),
            ),
            (PlatformKey::LinuxX64, &["a-1-py2.py3-none-any.whl"], Some("a-1-py2.py3-none-any.whl")),
            (
                PlatformKey::LinuxX64,
                &["a-1-cp313-cp313-manylinux_2_17_x86_64.whl", "a-1-cp312-cp312t-manylinux_2_17_x86_64.whl"],
                None,
            ),
            // Above the ceiling of glibc 2.28, for musl, for another processor.
            (PlatformKey::LinuxX64, &["a-1-cp312-cp312-manylinux_2_34_x86_64.whl"], None),
            (
                PlatformKey::LinuxX64,
                &["a-1-cp312-cp312-musllinux_1_2_x86_64.whl", "a-1-cp312-cp312-manylinux_2_17_aarch64.whl"],
                None,
            ),
            (
                PlatformKey::MacosxAarch64,
                &[
                    "a-1-cp312-cp312-macosx_11_0_arm64.whl",
                    "a-1-cp312-cp312-macosx_10_9_universal2.whl",
                    "a-1-cp312-cp312-macosx_14_0_arm64.whl",
                ],
                Some("a-1-cp312-cp312-macosx_11_0_arm64.whl"),
            ),
            (
                PlatformKey::MacosxX64,
                &["a-1-cp312-cp312-macosx_11_0_arm64.whl", "a-1-cp312-abi3-macosx_10_12_x86_64.whl"],
                Some("a-1-cp312-abi3-macosx_10_12_x86_64.whl"),
            ),
            (
                PlatformKey::WindowsX64,
                &["a-1-cp312-cp312-win32.whl", "a-1-1local-cp312-cp312-win_amd64.whl"],
                Some("a-1-1local-cp312-cp312-win_amd64.whl"),
            ),
        ];
        for (platform, wheels, expected) in cases {
            assert_eq!(best(platform, wheels), expected, "of {wheels:?} on {platform}");
            let mut reversed = wheels.to_vec();
            reversed.reverse();
            assert_eq!(best(platform, &reversed), expected, "of {reversed:?} on {platform}");
        }
    }

    #[test]
    fn build_tags_are_ordered_as_a_number_and_a_text() {
        let ordered = ["", "-0", "-1", "-1a", "-1abc", "-2", "-10", "-10b", "-99999999999999999999"];
        for pair in ordered.windows(2) {
            let [lower, higher] = [pair[0], pair[1]].map(|build| format!("a-1{build}-py3-none-any.whl"));
            assert_eq!(best(PlatformKey::LinuxX64, &[&lower, &higher]), Some(&*higher), "of {lower} and {higher}");
        }
        // Only of files that are equal in all other respects.
        let files = ["a-1-9-py3-none-any.whl", "a-1-1-cp312-cp312-manylinux_2_17_x86_64.whl"];
        assert_eq!(best(PlatformKey::LinuxX64, &files), Some(files[1]));
    }

    #[test]
    fn names_that_are_no_wheels_do_not_fit() {
        let target = WheelTarget::new(PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        for name in ["", "a.whl", "a-1.tar.gz", "a-1-cp-none-any.whl", "a-1-é-none-any.whl", "cp312-cp312-any.whl"] {
            assert_eq!(target.rank(name), None, "for {name:?}");
        }
    }
}

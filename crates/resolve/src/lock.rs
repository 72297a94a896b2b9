//! `python-<version string>/lock.json`: exactly what a runtime is made of, for each platform.
//!
//! Goals of the format: names, versions and digests, never a URL, so it holds whatever index or mirror serves the
//! files; one platform's rows change without touching another's; rows are sorted by name, one file per line group,
//! so that a changed pin is a small diff. Written by `builder`, never by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use config_merger::Registries;
use disk::FileBeside;
use serde::{Deserialize, Serialize};
use vocab::typed_json::{self, TypedJsonError};
use vocab::{Digest, DistributionName, Fault, FileName, PlatformKey, RuleRecord, TreePath, VersionString};

/// The number in `format` of what is written. Formats 1, in which no row tells its registry, and 2, in which every
/// resolution is joint, are read as well.
pub const LOCK_FORMAT: u32 = 3;

const OLDEST_FORMAT: u64 = 1;

/// Name of the file in the folder of a version.
pub const LOCK_FILE: &str = "lock.json";

/// While it is written.
const STAGED: &str = ".lock-";

/// What a runtime consists of, by platform. Only the platforms that were resolved have rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub format: u32,
    pub runtime: VersionString,
    pub platforms: BTreeMap<PlatformKey, PlatformLock>,
}

/// The rows of one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformLock {
    /// Inputs digest of the request that this answers; another digest means that the configuration has changed since.
    pub inputs: Digest,
    /// The resolver's version.
    pub uv: String,
    /// Inputs digests of requirements that were resolved alone and completely: like `inputs`, for that requirement.
    /// Empty for a joint resolution.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alone: BTreeMap<DistributionName, Digest>,
    /// By name, none twice. Where requirements were resolved alone, by name and version.
    pub distributions: Vec<LockedDistribution>,
    /// Asked for and not among `distributions` because no index gave it, by name. A row whose outcome is `missing`
    /// makes the lock incomplete: it is resolved again as soon as the index can be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<RuleRecord>,
}

/// One distribution, at exactly one version and file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedDistribution {
    pub name: DistributionName,
    /// Absent for a local folder whose version only a build determines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub source: LockedSource,
    /// The place in `registries.additional` of its index, counted from 1. Absent for the default index, and for what
    /// does not come from an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<usize>,
    /// The requirements that bring it, where each was resolved alone; empty for a joint resolution.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub brought_by: BTreeSet<DistributionName>,
}

/// What is installed or built, named so that any index or mirror that has it will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LockedSource {
    /// `size` in bytes, absent if the index does not state it.
    Wheel {
        file: FileName,
        sha256: Digest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    Sdist {
        file: FileName,
        sha256: Digest,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    /// `commit` has 40 hexadecimal digits.
    Git {
        repository: String,
        commit: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subdirectory: Option<String>,
    },
    /// Below the repository's root; the digest is of the file, or of the folder's content.
    Path { path: TreePath, sha256: Digest },
}

impl LockedSource {
    /// Whether it has to be built.
    pub fn is_built(&self) -> bool {
        match self {
            Self::Wheel { .. } => false,
            Self::Sdist { .. } | Self::Git { .. } => true,
            Self::Path { path, .. } => !path.as_str().ends_with(".whl"),
        }
    }
}

impl PlatformLock {
    /// Digest of the rows alone: equal digests build equal runtimes.
    pub fn digest(&self) -> Digest {
        Digest::of(serde_json::to_string(&self.distributions).expect("plain data with text keys"))
    }

    /// Name and version of everything that came from an index, since only that can be asked for by version.
    pub fn rows_of_indexes(&self) -> impl Iterator<Item = &LockedDistribution> {
        let from_index =
            |row: &&LockedDistribution| matches!(row.source, LockedSource::Wheel { .. } | LockedSource::Sdist { .. });
        self.distributions.iter().filter(from_index)
    }

    /// The rows that one requirement brings, all of them for a joint resolution.
    pub fn brought_by(&self, requirement: &DistributionName) -> Self {
        let own = |row: &&LockedDistribution| row.brought_by.is_empty() || row.brought_by.contains(requirement);
        let distributions = self.distributions.iter().filter(own).cloned().collect();
        Self { distributions, left_out: Vec::new(), alone: BTreeMap::new(), ..self.clone() }
    }

    /// What was not available, without what rules of the configuration keep out.
    pub fn lacking(&self) -> impl Iterator<Item = &RuleRecord> {
        self.left_out.iter().filter(|row| row.outcome != vocab::RuleOutcome::Skipped)
    }

    /// Whether nothing was left out because an index did not answer.
    pub fn is_complete(&self) -> bool {
        !self.left_out.iter().any(|row| row.outcome == vocab::RuleOutcome::Missing)
    }

    /// Each row comes from a registry that the configuration has, and a pinned one from its own. `direct` are those
    /// that have a place of their own.
    pub fn require_registries(
        &self,
        registries: &Registries,
        direct: &dyn Fn(&DistributionName) -> bool,
        platform: PlatformKey,
    ) -> Result<(), LockErrorKind> {
        let from_index =
            |row: &&LockedDistribution| matches!(row.source, LockedSource::Wheel { .. } | LockedSource::Sdist { .. });
        let wrong = self.distributions.iter().filter(from_index).filter(|row| !direct(&row.name)).find(|row| {
            let pinned = registries.place_of(&row.name).map(|place| place + 1);
            let known = row.registry.is_none_or(|place| (1..=registries.additional.len()).contains(&place));
            !known || (pinned.is_some() && pinned != row.registry)
        });
        wrong.map_or(Ok(()), |row| Err(LockErrorKind::Registry { platform, name: row.name.clone() }))
    }

    /// The error that an incomplete lock is.
    pub fn require_complete(&self, platform: PlatformKey) -> Result<(), LockErrorKind> {
        let missing = self.left_out.iter().filter(|row| row.outcome == vocab::RuleOutcome::Missing);
        let names: Vec<String> = missing.map(|row| format!("`{}`", row.name)).collect();
        if names.is_empty() { Ok(()) } else { Err(LockErrorKind::Missing { platform, names: names.join(", ") }) }
    }
}

/// Why a lock cannot be used, with its path.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot use the lock `{}`", path.display())]
#[fault(transparent = kind)]
pub struct LockError {
    pub path: PathBuf,
    #[source]
    pub kind: LockErrorKind,
}

/// What is wrong with the lock, or with the request that it has to answer.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum LockErrorKind {
    #[error("it cannot be read")]
    #[fault("E_LOCK_FILE", Build)]
    Read(#[source] io::Error),
    #[error("it cannot be written")]
    #[fault("E_LOCK_FILE", Build)]
    Write(#[source] io::Error),
    #[error("it is not a lock")]
    #[fault("E_LOCK_MALFORMED", hint("restore it from version control, or delete it and run `builder lock`"))]
    Malformed(#[source] TypedJsonError),
    #[error("its format is {actual}, this builder reads 1 to {LOCK_FORMAT}")]
    #[fault("E_LOCK_FORMAT", hint("use the builder that wrote it, or run `builder lock` again"))]
    Format { actual: u64 },
    #[error("it is the lock of {actual}, not of {expected}")]
    #[fault("E_LOCK_MALFORMED", hint("restore it from version control, or delete it and run `builder lock`"))]
    Runtime { expected: VersionString, actual: VersionString },
    #[error("--locked was given and it has no rows for {platform}")]
    #[fault("E_LOCK_STALE", hint("{LOCK_IT}"))]
    Absent { platform: PlatformKey },
    #[error("--locked was given and the configuration has changed since the rows for {platform} were written")]
    #[fault("E_LOCK_STALE", hint("{LOCK_IT}"))]
    Stale { platform: PlatformKey },
    #[error("the configuration has changed since the rows for {platform} were written")]
    #[fault("E_LOCK_STALE", hint("{LOCK_IT}"))]
    Outdated { platform: PlatformKey },
    #[error("it lacks what was not available for {platform} when it was written: {names}")]
    #[fault(
        "E_LOCK_INCOMPLETE",
        hint("run `builder lock` where every index answers and commit it; --allow-missing builds without them")
    )]
    Missing { platform: PlatformKey, names: String },
    #[error("its row of `{name}` for {platform} is from another index than the configuration says")]
    #[fault("E_LOCK_REGISTRY", hint("restore it from version control, or run `builder lock` and review the change"))]
    Registry { platform: PlatformKey, name: DistributionName },
}

impl Lock {
    /// A lock without rows, of the newest format.
    pub fn new(runtime: VersionString) -> Self {
        Self { format: LOCK_FORMAT, runtime, platforms: BTreeMap::new() }
    }

    /// Reads the lock in `folder`. `None` if it has none yet.
    pub fn read(folder: &Path, runtime: &VersionString) -> Result<Option<Self>, LockError> {
        let path = folder.join(LOCK_FILE);
        let failed = |kind| LockError { path: path.clone(), kind };
        let text = match vocab::read_regular(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(LockErrorKind::Read(error))),
        };
        Self::parse(&path, &text, runtime).map(Some)
    }

    /// Reads the text of a lock; `path` is for messages.
    pub fn parse(path: &Path, text: &[u8], runtime: &VersionString) -> Result<Self, LockError> {
        #[derive(Deserialize)]
        struct LockHead {
            format: u64,
        }
        let failed = |kind| LockError { path: path.to_owned(), kind };
        let malformed = |error| failed(LockErrorKind::Malformed(error));
        let document = typed_json::parse(text).map_err(malformed)?;
        let head: LockHead = document.read().map_err(malformed)?;
        if !(OLDEST_FORMAT..=u64::from(LOCK_FORMAT)).contains(&head.format) {
            return Err(failed(LockErrorKind::Format { actual: head.format }));
        }
        let mut lock: Self = document.read().map_err(malformed)?;
        lock.format = LOCK_FORMAT;
        if lock.runtime != *runtime {
            return Err(failed(LockErrorKind::Runtime { expected: runtime.clone(), actual: lock.runtime }));
        }
        Ok(lock)
    }

    /// Writes the lock beside the old one, then renames it. A lock with the same text is not touched.
    pub fn write(&self, folder: &Path) -> Result<(), LockError> {
        let path = folder.join(LOCK_FILE);
        let text = self.to_text();
        if fs::read(&path).is_ok_and(|former| former == text.as_bytes()) {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            let mut beside = FileBeside::within(folder, STAGED)?;
            beside.write_all(text.as_bytes())?;
            beside.replace(&path)?;
            // Left by builders that were killed here.
            disk::sweep(folder, &[STAGED]);
            Ok(())
        };
        write().map_err(|error| LockError { path: path.clone(), kind: LockErrorKind::Write(error) })
    }

    /// The text of the file: equal for equal rows, with a line break at its end.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with text keys");
        text.push('\n');
        text
    }
}

const LOCK_IT: &str = "run `builder lock` for this version, review the change and commit it";

#[cfg(test)]
mod tests {
    use vocab::Exit;

    use super::*;

    fn sample() -> Lock {
        let numpy = LockedDistribution {
            name: "numpy".parse().unwrap(),
            version: Some("2.2.6".into()),
            source: LockedSource::Wheel {
                file: "numpy-2.2.6-cp312-cp312-manylinux_2_17_x86_64.whl".parse().unwrap(),
                sha256: Digest::of("numpy"),
                size: Some(16),
            },
            registry: None,
            brought_by: BTreeSet::new(),
        };
        let mut lock = Lock::new("3.12.10".parse().unwrap());
        let rows = PlatformLock {
            inputs: Digest::of("inputs"),
            uv: "0.13.9".into(),
            alone: BTreeMap::new(),
            distributions: vec![numpy],
            left_out: vec![],
        };
        lock.platforms.insert(PlatformKey::LinuxX64, rows);
        lock
    }

    #[test]
    fn a_lock_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let lock = sample();
        assert_eq!(Lock::read(folder.path(), &lock.runtime).unwrap(), None);
        lock.write(folder.path()).unwrap();
        assert_eq!(Lock::read(folder.path(), &lock.runtime).unwrap(), Some(lock.clone()));
        assert!(!lock.to_text().contains("://"), "a lock holds no URL");
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [LOCK_FILE], "nothing else is left in the folder");
    }

    #[test]
    fn locks_of_every_format_number_are_read() {
        let fixtures = [
            include_str!("../../../fixtures/lock/format-1.json"),
            include_str!("../../../fixtures/lock/format-2.json"),
            include_str!("../../../fixtures/lock/format-3.json"),
        ];
        for text in fixtures {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(LOCK_FILE), text).unwrap();
            let lock = Lock::read(folder.path(), &"3.12.10-slim".parse().unwrap()).unwrap().unwrap();
            assert_eq!(lock.platforms[&PlatformKey::LinuxX64].distributions.len(), 3);
            let of_today = text.replace("\"format\": 1", "\"format\": 3").replace("\"format\": 2", "\"format\": 3");
            assert_eq!(lock.to_text(), of_today, "what is written has format 3");
        }
    }

    #[test]
    fn attack_3_a_row_of_another_registry_than_the_configuration_says_is_refused() {
        let rows = |registry| {
            let mut lock = sample();
            let mut rows = lock.platforms.remove(&PlatformKey::LinuxX64).unwrap();
            rows.distributions[0].registry = registry;
            rows
        };
        let urls = ["https://one.example/", "https://two.example/"].map(str::to_owned);
        let registries = |pin: Option<usize>| Registries {
            additional: urls.to_vec(),
            pinned: pin.map(|place| ("numpy".parse().unwrap(), urls[place].clone())).into_iter().collect(),
            ..Registries::default()
        };
        let cases = [
            // (the row's registry, the place of the pin, whether it is accepted)
            (None, None, true),
            (Some(1), None, true),
            (Some(2), Some(1), true),
            (Some(1), Some(1), false),
            (None, Some(1), false),
            (Some(0), None, false),
            (Some(3), None, false),
        ];
        for (registry, pin, accepted) in cases {
            let result = rows(registry).require_registries(&registries(pin), &|_| false, PlatformKey::LinuxX64);
            assert_eq!(result.is_ok(), accepted, "for {registry:?} with {pin:?}");
        }
    }

    #[test]
    fn a_lock_that_cannot_be_used_says_why() {
        let lock = sample();
        let cases = [
            // (text, code)
            (lock.to_text().replace("\"format\": 3", "\"format\": 4"), "E_LOCK_FORMAT"),
            (lock.to_text().replace("\"3.12.10\"", "\"3.12.11\""), "E_LOCK_MALFORMED"),
            (lock.to_text().replace("\"wheel\"", "\"egg\""), "E_LOCK_MALFORMED"),
            ("{".to_owned(), "E_LOCK_MALFORMED"),
            ("[]".to_owned(), "E_LOCK_MALFORMED"),
            (String::new(), "E_LOCK_MALFORMED"),
        ];
        for (text, code) in cases {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(LOCK_FILE), &text).unwrap();
            let error = Lock::read(folder.path(), &lock.runtime).unwrap_err();
            assert_eq!((error.code(), error.exit()), (code, Exit::Usage), "for {text:?}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_named_with_its_place() {
        let text = sample().to_text();
        let cases = [
            ("[]".to_owned(), "line 1, column 1: an object is expected, not a list"),
            (
                text.replace("\"format\": 3", "\"format\": \"3\""),
                "line 2, column 13, /format: a whole number, 0 or more, is expected, not the string `3`",
            ),
            (
                text.replace("\"platforms\": {", "\"platforms\": [], \"other\": {"),
                "line 4, column 16, /platforms: an object is expected, not a list",
            ),
            (
                text.replace("\"numpy\"", "[\"numpy\"]"),
                "line 10, column 19, /platforms/linux-x64/distributions/0/name: a string is expected, not a list",
            ),
        ];
        for (text, message) in cases {
            let error = Lock::parse(Path::new("lock.json"), text.as_bytes(), &sample().runtime).unwrap_err();
            assert_eq!(std::error::Error::source(&error.kind).unwrap().to_string(), message, "for {text}");
            assert!(error.hint().is_some_and(|hint| hint.contains("builder lock")), "{error}");
        }
    }
}

//! Reading an export: whether it is whole, and whether it serves what is asked of it, before a build takes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use vocab::typed_json::{self, TypedJsonError};
use vocab::{Digest, PlatformKey, VersionString, few_at_once};

use super::export_place::{ExportPlace, look_at, read_file};
use super::fault::{ExportError, ExportErrorKind};
use super::folder_lock::LOCK;
use super::format_1::ManifestOfFormat1;
use super::made_with::MadeWith;
use super::manifest::{EXPORT_FORMAT, ExportManifest, ExportedBuild, ExportedObject, MANIFEST, NEXT_MANIFEST, SUMS};
use crate::Store;
use crate::remote::{RemoteSettings, RemoteStore};

/// Files that are read at the same time.
const READ_AT_ONCE: usize = 4;

/// How often the two files are read that have to agree.
const LOOKS: usize = 3;

/// An export whose manifest is sound. Its objects are looked at by [`Self::require`].
#[derive(Debug)]
pub struct Import {
    root: PathBuf,
    manifest: ExportManifest,
}

/// A build that an export is to serve.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub version: VersionString,
    pub platform: PlatformKey,
    /// Digest of the locked rows; `None` where there are none, which the build reports itself.
    pub lock: Option<Digest>,
    pub made_with: MadeWith,
}

impl Import {
    /// Reads the manifest. Writes nothing, so that the folder may be on a read-only file system.
    pub fn open(root: &Path) -> Result<Self, ExportError> {
        // An export that is written just then may have put one of the two files between two looks.
        let mut read = Self::read(root);
        for _ in 1..LOOKS {
            match &read {
                Err(error) if matches!(error.kind, ExportErrorKind::Sums) => read = Self::read(root),
                _ => break,
            }
        }
        read
    }

    fn read(root: &Path) -> Result<Self, ExportError> {
        let failed = |kind| ExportError { dir: root.to_owned(), kind };
        let read = |name: &str| match read_file(root, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(failed(ExportErrorKind::NotAFile { name: name.to_owned(), reason: error.to_string() }))
            }
            Err(source) => Err(failed(ExportErrorKind::Read { name: name.to_owned(), source })),
            Ok(bytes) => Ok(Some(bytes)),
        };
        let former = match read(MANIFEST)? {
            Some(bytes) => parse(&bytes).map(|manifest| (manifest, bytes)),
            None => Err(ExportErrorKind::Absent),
        };
        let sums = read(SUMS)?;
        let fits = |manifest: &ExportManifest, bytes: &[u8]| sums.as_deref() == Some(manifest.sums(bytes).as_bytes());
        let manifest = match former {
            Ok((manifest, bytes)) if fits(&manifest, &bytes) => manifest,
            // Whoever wrote it may have been interrupted between the sums and the manifest.
            former => match read(NEXT_MANIFEST)?.and_then(|next| Some((parse(&next).ok()?, next))) {
                Some((next, bytes)) if fits(&next, &bytes) => next,
                _ => return Err(failed(former.err().unwrap_or(ExportErrorKind::Sums))),
            },
        };
        Ok(Self { root: root.to_owned(), manifest })
    }

    pub(super) fn into_manifest(self) -> ExportManifest {
        self.manifest
    }

    /// The manifest.
    pub fn manifest(&self) -> &ExportManifest {
        &self.manifest
    }

    /// The export as a remote store that is only read, and that knows which interpreters were chosen for these builds on
    /// `host`.
    pub fn remote<'w>(
        &self,
        given: &'static str,
        wanted: impl Iterator<Item = &'w Wanted>,
        host: PlatformKey,
    ) -> RemoteStore {
        let settings =
            RemoteSettings { address: self.root.display().to_string(), given, read_only: true, strict: true };
        let place = ExportPlace::to_read(&self.root, self.manifest.objects.clone());
        let mut interpreters = BTreeMap::new();
        for it in wanted {
            let Some(build) = self.build(it, host) else { continue };
            for (question, chosen) in &build.interpreters {
                // What a runtime stands on comes before what only works for another one.
                if chosen.platform == it.platform || !interpreters.contains_key(question) {
                    interpreters.insert(*question, chosen.clone());
                }
            }
        }
        RemoteStore::new(Box::new(place), &settings).with_interpreters(interpreters)
    }

    fn build(&self, wanted: &Wanted, host: PlatformKey) -> Option<&ExportedBuild> {
        self.manifest.runtime(&wanted.version, wanted.platform)?.hosts.get(&host)
    }

    /// Whether `host` can build all of `wanted` from the export and what `store` has. Reads every object that the store
    /// lacks.
    ///
    /// # Errors
    /// Names everything that is missing, damaged or meant for something else, at once.
    pub fn require(&self, wanted: &[Wanted], host: PlatformKey, store: &Store) -> Result<(), ExportError> {
        let lines: Vec<String> = wanted.iter().filter_map(|it| self.lack(it, host)).collect();
        let command = self.command(wanted, host);
        let failed = |kind| ExportError { dir: self.root.clone(), kind };
        if !lines.is_empty() {
            let differs = wanted.iter().any(|it| self.differences(it, host).is_some());
            return Err(failed(ExportErrorKind::Lacks { lines, command, differs }));
        }
        let builds = wanted.iter().filter_map(|it| self.build(it, host));
        let of_host = self.manifest.hosts.get(&host).into_iter().flat_map(|it| &it.objects);
        let keys: BTreeSet<&String> = builds.flat_map(|build| &build.objects).chain(of_host).collect();
        let needed: Vec<&String> = keys.into_iter().filter(|key| !is_in_store(store, key)).collect();
        let damaged = few_at_once(READ_AT_ONCE, &needed, |key| self.damage(key));
        let lines: Vec<String> = damaged.into_iter().flatten().collect();
        if lines.is_empty() { Ok(()) } else { Err(failed(ExportErrorKind::Damaged { lines, command })) }
    }

    /// Why it does not serve this build.
    fn lack(&self, wanted: &Wanted, host: PlatformKey) -> Option<String> {
        let Wanted { version, platform, lock, .. } = wanted;
        let reason = match self.manifest.runtime(version, *platform) {
            None => {
                let others: Vec<&str> = self
                    .manifest
                    .runtimes
                    .iter()
                    .filter(|row| row.version == *version)
                    .map(|row| row.platform.as_str())
                    .collect();
                match &others[..] {
                    [] => "is not in it".to_owned(),
                    others => format!("is not in it; it has {version} for {}", others.join(", ")),
                }
            }
            Some(row) if lock.is_some_and(|lock| lock != row.lock) => {
                "was exported with another lock or configuration".to_owned()
            }
            Some(row) if !row.hosts.contains_key(&host) => {
                let hosts: Vec<&str> = row.hosts.keys().map(|host| host.as_str()).collect();
                format!("can be built from it on {}, and this machine is {host}", hosts.join(", "))
            }
            Some(_) => self.differences(wanted, host)?,
        };
        Some(format!("  {version} for {platform} {reason}"))
    }

    /// What it was made with is otherwise here, although the lock is the same.
    fn differences(&self, wanted: &Wanted, host: PlatformKey) -> Option<String> {
        let differences = self.build(wanted, host)?.made_with.as_ref()?.differences(&wanted.made_with);
        (!differences.is_empty()).then(|| format!("was exported with other settings: {}", differences.join("; ")))
    }

    /// What is wrong with a listed object.
    fn damage(&self, key: &str) -> Option<String> {
        let Some(expected) = self.manifest.objects.get(key) else {
            return Some(format!("  {key} is not described in `{MANIFEST}`"));
        };
        let reason = match look_at(&self.root, key) {
            Ok(found) if found == *expected => return None,
            Ok(ExportedObject { size, .. }) if size != expected.size => {
                format!("has {size} bytes, {} are expected", expected.size)
            }
            Ok(found) => format!("has the SHA-256 {}, {} is expected", found.sha256, expected.sha256),
            Err(reason) => reason,
        };
        Some(format!("  {key}: {reason}"))
    }

    /// The command that exports what is wanted.
    fn command(&self, wanted: &[Wanted], host: PlatformKey) -> String {
        let mut versions: Vec<String> = wanted.iter().map(|it| it.version.to_string()).collect();
        versions.dedup();
        let platforms: BTreeSet<&str> = wanted.iter().map(|it| it.platform.as_str()).collect();
        let platforms: Vec<&str> = platforms.into_iter().collect();
        format!(
            "builder export {} --platform {} --for-host {} --to {}",
            versions.join(" "),
            platforms.join(","),
            host,
            self.root.display()
        )
    }
}

/// Whether a folder may serve as a remote store: in an export whatever is put there or removed would contradict the
/// manifest. Other places may.
///
/// # Errors
/// It is an export.
pub fn refuse_as_remote_store(settings: &RemoteSettings) -> Result<(), ExportError> {
    match objects::PlaceAddress::parse(&settings.address, settings.given) {
        Ok(objects::PlaceAddress::Folder(dir)) if [MANIFEST, LOCK].iter().any(|it| dir.join(it).is_file()) => {
            Err(ExportError { dir, kind: ExportErrorKind::NotARemoteStore })
        }
        _ => Ok(()),
    }
}

/// The format is looked at first: a newer one may have anything in it.
fn parse(bytes: &[u8]) -> Result<ExportManifest, ExportErrorKind> {
    let unreadable = |error: TypedJsonError| ExportErrorKind::Unreadable { reason: error.to_string() };
    let document = typed_json::parse(bytes).map_err(unreadable)?;
    let value: serde_json::Value = document.read().map_err(unreadable)?;
    let manifest: ExportManifest = match value["format"].as_u64() {
        Some(found) if found > u64::from(EXPORT_FORMAT) => return Err(ExportErrorKind::Newer { found }),
        Some(found) if found == u64::from(EXPORT_FORMAT) => document.read().map_err(unreadable)?,
        Some(1) => document.read::<ManifestOfFormat1>().map_err(unreadable)?.into(),
        _ => return Err(ExportErrorKind::Unreadable { reason: "it has no format number that is known".to_owned() }),
    };
    let odd = |key: &&String| key.parse::<objects::ObjectKey>().is_err();
    match manifest.objects.keys().find(odd) {
        Some(key) => Err(ExportErrorKind::Unreadable { reason: format!("`{key}` is not an object's name") }),
        None => Ok(manifest),
    }
}

/// Whether the store has what this object holds. Whether that is sound the build finds out.
fn is_in_store(store: &Store, key: &str) -> bool {
    let mut names = key.rsplit('/');
    let Some(Ok(digest)) = names.next().map(str::parse::<Digest>) else { return false };
    match key.split('/').nth(1) {
        Some("blobs") => store.blob(&digest).is_file(),
        Some("bases") => store.base(&digest).is_dir(),
        Some("built") => store.built(&digest).is_dir(),
        Some("requirements") => store.requirements(&digest).is_file(),
        _ => false,
    }
}

//! From locked rows to unpacked wheels in the store: fetched by digest, built where the plan says so.

mod dependants;
mod extra;
mod workshop;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use config_merger::Layout;
use vocab::{Digest, DistributionName, Exit, Fault, FileName, RuleRecord, TreePath, WheelOrigin};

pub(crate) use self::extra::extra_wheels;
use self::workshop::Workshop;
use crate::consistency::InstalledMember;
use crate::options::BuildOptions;
use crate::prepare::{PreparedPlatform, URL_FACT, URL_REMEMBERED};
use crate::steps::TimedSteps;
use interpreter::BaseTree;
use resolve::nothing_left;
use resolve::registries::{self, IndexPages};
use resolve::{self, LockedDistribution, LockedSource, Uv};
use source_build::BuiltWheel;
use store::Context;
use store::download::{self, FetchRequest};
use store::{BlobState, EntryKind, Scrutiny, StoreError};
use wheel::{self, RemarkKind, UnpackError, UnpackErrorKind, UnpackedWheel, WheelBlob, WheelFileName};

/// With `parallelDownloads`. Over HTTP/2 they are one connection; other servers get as many connections as this.
const DOWNLOADS_AT_ONCE: usize = 16;

/// Kind and lifetime of the remembered facts, for pruning the store.
pub const URL_LIFETIME: (&str, Duration) = (URL_FACT, URL_REMEMBERED);

/// One distribution, ready to be installed.
#[derive(Clone, Debug)]
pub struct GatheredWheel {
    pub name: DistributionName,
    pub requested: bool,
    /// The requirements that bring it, where each was resolved for itself.
    pub brought_by: BTreeSet<DistributionName>,
    pub origin: WheelOrigin,
    /// Given by the caller of the build, and not locked. See [`BuildRun::extra`](crate::build::BuildRun::extra).
    pub extra: bool,
    /// The wheel file itself.
    pub blob: PathBuf,
    pub wheel: UnpackedWheel,
}

impl GatheredWheel {
    /// With what its metadata requires.
    pub fn member(&self) -> InstalledMember<'_> {
        let metadata = &self.wheel.contents.metadata;
        InstalledMember { name: &self.name, version: &metadata.version, requires: &metadata.requires }
    }
}

/// Why the wheels of a lock could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    #[error("no index has `{file}` of {name} {version} any more, or its content has changed")]
    Unlocated { name: DistributionName, version: String, file: String },
    #[error(
        "--offline: {} not in the store: {}",
        if files.len() == 1 { "this file is".to_owned() } else { format!("these {} files are", files.len()) },
        files.join(", ")
    )]
    Absent { files: Vec<String> },
    #[error("`{name}` has changed since it was locked: the lock says {expected}, `{path}` is {actual}")]
    PathChanged { name: DistributionName, path: TreePath, expected: Digest, actual: Digest },
    #[error("`{file}` is not a wheel's file name")]
    FileName { file: String },
    #[error("--strict: the wheel `{wheel}`: {text}")]
    Remark { wheel: Box<WheelFileName>, kind: RemarkKind, text: String },
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

impl Fault for GatherError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unlocated { .. } => "E_FILE_GONE",
            Self::Absent { .. } => "E_OFFLINE",
            Self::PathChanged { .. } => "E_LOCAL_SOURCE",
            Self::FileName { .. } => "E_WHEEL_NAME",
            Self::Remark { kind: RemarkKind::Record, .. } => "E_WHEEL_RECORD",
            Self::Remark { kind: RemarkKind::Scripts, .. } => "E_WHEEL",
            Self::Read { .. } => "E_READ",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::PathChanged { .. } | Self::Remark { .. } => Exit::Trust,
            _ => Exit::Build,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unlocated { .. } => "run `builder lock` to resolve again, or use a store that has the file".into(),
            Self::Absent { .. } => {
                "run once without `--offline`, or name a remote store that has them with --remote-store".into()
            }
            Self::PathChanged { .. } => "run `builder lock`, review the change and commit it".into(),
            Self::FileName { .. } => "a local wheel keeps the name that its build gave it".into(),
            Self::Remark { .. } => "take another version, or build without --strict".into(),
            Self::Read { .. } => return None,
        })
    }
}

/// A source that is shipped as it is.
#[derive(Clone, Debug)]
pub struct ShippedSource {
    pub name: DistributionName,
    pub version: String,
    pub file: FileName,
    pub sha256: Digest,
    pub blob: PathBuf,
    pub requested: bool,
    pub brought_by: BTreeSet<DistributionName>,
}

/// What was gathered, and what was left out on the way because its source did not build and the policy lets it.
pub struct GatherOutcome {
    /// By name; by name and version where requirements were resolved each for itself.
    pub wheels: Vec<GatheredWheel>,
    /// The same.
    pub sources: Vec<ShippedSource>,
    pub left_out: Vec<RuleRecord>,
}

/// Fetches and builds the wheels of one platform, and unpacks them in the store. Sources that do not build are left
/// out if the policy allows it.
pub fn gather(
    context: &Context,
    repository: &Path,
    prepared: &PreparedPlatform,
    tree: &BaseTree,
    options: &BuildOptions,
    steps: &mut TimedSteps,
) -> Result<GatherOutcome, Box<dyn Fault>> {
    let request = &prepared.request;
    steps.run(context, "fetch", || fetch(context, repository, prepared))?;

    let rows = || prepared.rows.distributions.iter().enumerate();
    let mut builds = BuiltWheels::new();
    let mut left_out = Vec::new();
    if rows().any(|(_, row)| request.builds(row)) {
        steps.run(context, "build from source", || -> Result<(), Box<dyn Fault>> {
            let workshop = Workshop::new(context, repository, prepared, tree, options)?;
            for (index, row) in rows().filter(|(_, row)| request.builds(row)) {
                let built = match workshop.build(row) {
                    Ok(wheel) => Some(wheel),
                    Err(unbuilt) => {
                        left_out.push(workshop.tolerate(row, unbuilt)?);
                        None
                    }
                };
                builds.insert(index, built);
            }
            Ok(())
        })?;
    }
    nothing_left::check(request, prepared.rows.left_out.iter().chain(&left_out))?;
    let wheels = steps.run(context, "unpack", || unpack(context, repository, prepared, &builds, options.scrutiny))?;
    let mut gathering = GatherOutcome { wheels, sources: shipped(context, prepared), left_out };
    dependants::leave_out(context, prepared, options.missing, &mut gathering)?;
    nothing_left::check(request, prepared.rows.left_out.iter().chain(&gathering.left_out))?;
    tell_remarks(context, &gathering.wheels, options.strict)?;
    Ok(gathering)
}

/// What the wheels that were built from a source required to be built, in the store: digests of all of it. For builds that
/// are made again elsewhere.
pub struct GatheredRequirements {
    pub objects: BTreeSet<Digest>,
    /// Sources whose requirements are not all there, with the reason.
    pub lacking: Vec<(DistributionName, Box<dyn Fault>)>,
}

/// Has what the built wheels of a platform required in the store. Call it after [`gather`].
///
/// # Errors
/// The interpreter that builds here cannot be had.
pub fn gather_requirements(
    context: &Context,
    repository: &Path,
    prepared: &PreparedPlatform,
    tree: &BaseTree,
    options: &BuildOptions,
) -> Result<GatheredRequirements, Box<dyn Fault>> {
    let mut gathered = GatheredRequirements { objects: BTreeSet::new(), lacking: Vec::new() };
    let rows: Vec<&LockedDistribution> =
        prepared.rows.distributions.iter().filter(|row| prepared.request.builds(row)).collect();
    if rows.is_empty() {
        return Ok(gathered);
    }
    let workshop = Workshop::new(context, repository, prepared, tree, options)?;
    for row in rows {
        match workshop.supply_requirements(row) {
            Ok(objects) => gathered.objects.extend(objects),
            Err(fault) => gathered.lacking.push((row.name.clone(), fault)),
        }
    }
    Ok(gathered)
}

/// By index among the rows; `None` is left out.
type BuiltWheels = BTreeMap<usize, Option<BuiltWheel>>;

fn shipped(context: &Context, prepared: &PreparedPlatform) -> Vec<ShippedSource> {
    let request = &prepared.request;
    let shipped = prepared.rows.distributions.iter().filter(|row| request.ships(row));
    let sources = shipped.filter_map(|row| {
        let LockedSource::Sdist { file, sha256, .. } = &row.source else { return None };
        context.note(format!("`{file}` is shipped unbuilt and not checked: it is built where it is used"));
        Some(ShippedSource {
            name: row.name.clone(),
            version: row.version.clone().unwrap_or_default(),
            file: file.clone(),
            sha256: *sha256,
            blob: context.store.blob(sha256),
            requested: request.is_requested(&row.name),
            brought_by: row.brought_by.clone(),
        })
    });
    sources.collect()
}

/// What is odd about the wheels. With `strict` the first of it is an error.
fn tell_remarks(context: &Context, wheels: &[GatheredWheel], strict: bool) -> Result<(), GatherError> {
    for gathered in wheels {
        let contents = &gathered.wheel.contents;
        for remark in &contents.remarks {
            let (wheel, kind, text) = (contents.file_name.clone(), remark.kind, remark.text.clone());
            if strict {
                return Err(GatherError::Remark { wheel: Box::new(wheel), kind, text });
            }
            let hint = "the file itself is the one that was locked; --strict makes this an error".to_owned();
            let text = format!("the wheel `{wheel}`: {text}");
            context.warn(kind.code(), text, Some(gathered.name.to_string()), Some(hint));
        }
    }
    Ok(())
}

/// Every locked file that the store lacks.
fn fetch(context: &Context, repository: &Path, prepared: &PreparedPlatform) -> Result<(), Box<dyn Fault>> {
    let rows = &prepared.rows.distributions;
    let mut lacking: Vec<&LockedDistribution> = Vec::new();
    for row in rows {
        if lacks(context, prepared, row)? {
            lacking.push(row);
        }
    }
    let at_once = if prepared.config.build.parallel_downloads { DOWNLOADS_AT_ONCE } else { 1 };
    give(context, rows.iter().filter(|row| !lacking.iter().any(|other| std::ptr::eq(*row, *other))), at_once);
    if !lacking.is_empty() && context.remote.is_some() {
        // Before any index is asked where the files are.
        let files: Vec<(Digest, &str)> =
            lacking.iter().filter_map(|row| file_of(row)).map(|(file, digest, _)| (digest, file)).collect();
        download::bring_all(context, &files, at_once);
        let all = lacking.len();
        lacking.retain(|row| file_of(row).is_some_and(|(_, digest, _)| !context.store.blob(&digest).is_file()));
        context.note(format!("{} of {all} files came from the remote store", all - lacking.len()));
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let mut urls = BTreeMap::new();
    for row in &lacking {
        if let Some((_, digest, _)) = file_of(row)
            && let Some(url) = context.store.recall(URL_FACT, &digest.to_string(), URL_REMEMBERED, SystemTime::now())
            && let Some(url) = url.as_str()
        {
            urls.insert(digest, url.to_owned());
        }
    }
    let remembered = !urls.is_empty();
    complete_urls(context, repository, prepared, &lacking, &mut urls)?;
    if context.offline {
        all_local(&lacking, &urls)?;
    }
    let requests = requests_of(&lacking, &urls)?;
    match download::fetch_all(context, &requests, at_once) {
        Ok(_) => Ok(()),
        // Files move; the index knows where to.
        Err(error) if remembered && error.is_gone() => {
            for (digest, _) in std::mem::take(&mut urls) {
                context.store.forget(URL_FACT, &digest.to_string());
            }
            complete_urls(context, repository, prepared, &lacking, &mut urls)?;
            download::fetch_all(context, &requests_of(&lacking, &urls)?, at_once)?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives the remote store, if there is one, those of the files that the store had before this run.
fn give<'r>(context: &Context, rows: impl Iterator<Item = &'r LockedDistribution>, at_once: usize) {
    let Some(remote) = context.remote.as_deref().filter(|remote| remote.takes_more()) else { return };
    let files: Vec<Digest> = rows.filter_map(|row| file_of(row)).map(|(_, digest, _)| digest).collect();
    vocab::few_at_once(at_once, &files, |sha256| {
        remote.give_blob(&context.near(), &context.store.blob(sha256), sha256);
    });
}

/// What is read as it is, an sdist or a wheel for a wheelhouse, is held to its digest; a wheel is held to its
/// digest when it is unpacked.
fn lacks(context: &Context, prepared: &PreparedPlatform, row: &LockedDistribution) -> Result<bool, StoreError> {
    let Some((file, sha256, _)) = file_of(row) else { return Ok(false) };
    context.store.mark_used(EntryKind::Blobs, &sha256.to_string());
    let is_sdist = matches!(row.source, LockedSource::Sdist { .. });
    if !is_sdist && prepared.config.layout == Layout::Installed {
        return Ok(!context.store.blob(&sha256).is_file());
    }
    Ok(match context.store.verify_blob(&sha256)? {
        BlobState::Sound { .. } => false,
        BlobState::Absent => true,
        BlobState::Removed { .. } => {
            context.note(format!("`{file}` was damaged in the store and is fetched again"));
            true
        }
    })
}

/// Asks the resolver where the rest is.
fn complete_urls(
    context: &Context,
    repository: &Path,
    prepared: &PreparedPlatform,
    lacking: &[&LockedDistribution],
    urls: &mut BTreeMap<Digest, String>,
) -> Result<(), Box<dyn Fault>> {
    let unknown: Vec<&LockedDistribution> = lacking
        .iter()
        .copied()
        .filter(|row| file_of(row).is_some_and(|(_, digest, _)| !urls.contains_key(&digest)))
        .collect();
    if unknown.is_empty() || context.offline {
        return Ok(());
    }
    let uv = Uv::find(context, &prepared.host.interpreter(context)?, &prepared.answered)?;
    let registries = &prepared.request.registries;
    let silent = registries::unreachable(context, registries, false);
    let pages = IndexPages::new(context, &uv, registries, &silent);
    let found = resolve::locate(context, &uv, &prepared.request, repository, &unknown, &pages)?;
    for (digest, url) in &found {
        let _ = context.store.remember(URL_FACT, &digest.to_string(), &url.as_str().into(), SystemTime::now());
    }
    urls.extend(found);
    Ok(())
}

/// Without a network, all files that are out of reach are reported at once.
fn all_local(lacking: &[&LockedDistribution], urls: &BTreeMap<Digest, String>) -> Result<(), GatherError> {
    let files = lacking.iter().filter_map(|row| file_of(row));
    let absent = files.filter(|(_, digest, _)| !urls.get(digest).is_some_and(|url| download::is_local(url)));
    let files: Vec<String> = absent.map(|(file, ..)| file.to_owned()).collect();
    if files.is_empty() { Ok(()) } else { Err(GatherError::Absent { files }) }
}

fn requests_of(
    lacking: &[&LockedDistribution],
    urls: &BTreeMap<Digest, String>,
) -> Result<Vec<FetchRequest>, GatherError> {
    let mut requests = Vec::with_capacity(lacking.len());
    for row in lacking {
        let Some((file, sha256, size)) = file_of(row) else { continue };
        let unlocated = || GatherError::Unlocated {
            name: row.name.clone(),
            version: row.version.clone().unwrap_or_default(),
            file: file.to_owned(),
        };
        let url = urls.get(&sha256).ok_or_else(unlocated)?;
        requests.push(FetchRequest { url: url.clone(), file_name: file.to_owned(), sha256, size, largest: None });
    }
    Ok(requests)
}

fn file_of(row: &LockedDistribution) -> Option<(&str, Digest, Option<u64>)> {
    match &row.source {
        LockedSource::Wheel { file, sha256, size } | LockedSource::Sdist { file, sha256, size } => {
            Some((file.as_str(), *sha256, *size))
        }
        LockedSource::Git { .. } | LockedSource::Path { .. } => None,
    }
}

fn unpack(
    context: &Context,
    repository: &Path,
    prepared: &PreparedPlatform,
    builds: &BuiltWheels,
    scrutiny: Scrutiny,
) -> Result<Vec<GatheredWheel>, Box<dyn Fault>> {
    let mut blobs = Vec::new();
    let mut origins = Vec::new();
    for (index, row) in prepared.rows.distributions.iter().enumerate() {
        if prepared.request.ships(row) {
            continue;
        }
        let built = match builds.get(&index) {
            Some(None) => continue,
            Some(Some(built)) => Some(built),
            None => None,
        };
        let (blob, origin) = match (&row.source, built) {
            (LockedSource::Sdist { file, sha256, .. }, Some(built)) => (
                blob(built.path.clone(), &built.file_name, built.sha256)?,
                WheelOrigin::Sdist { file: file.to_string(), sha256: *sha256 },
            ),
            (LockedSource::Git { repository, commit, .. }, Some(built)) => (
                blob(built.path.clone(), &built.file_name, built.sha256)?,
                WheelOrigin::Git { repository: repository.clone(), commit: commit.clone() },
            ),
            (LockedSource::Path { path, sha256 }, Some(built)) => (
                blob(built.path.clone(), &built.file_name, built.sha256)?,
                WheelOrigin::Path { path: path.clone(), sha256: *sha256 },
            ),
            (LockedSource::Path { path, sha256 }, None) => {
                unchanged(&row.name, path, sha256, repository)?;
                let blob = blob(path.below(repository), path.file_name(), *sha256)?;
                (blob, WheelOrigin::Path { path: path.clone(), sha256: *sha256 })
            }
            (LockedSource::Wheel { file, sha256, .. }, _) => {
                (blob(context.store.blob(sha256), file, *sha256)?, WheelOrigin::Wheel)
            }
            (LockedSource::Sdist { .. } | LockedSource::Git { .. }, None) => {
                unreachable!("a build that failed without being left out has ended the command")
            }
        };
        blobs.push(blob);
        origins.push((row, origin));
    }
    let wheels = match wheel::unpack_all(context, &blobs, scrutiny) {
        // All damaged files of the store have been found and removed by now.
        Err(UnpackError { kind: UnpackErrorKind::Damaged { .. }, .. }) => {
            fetch(context, repository, prepared)?;
            wheel::unpack_all(context, &blobs, scrutiny)?
        }
        wheels => wheels?,
    };
    let gathered = origins.into_iter().zip(blobs).zip(wheels).map(|(((row, origin), blob), wheel)| GatheredWheel {
        requested: prepared.request.is_requested(&row.name),
        name: row.name.clone(),
        brought_by: row.brought_by.clone(),
        origin,
        extra: false,
        blob: blob.path,
        wheel,
    });
    Ok(gathered.collect())
}

fn blob(path: PathBuf, file: &str, sha256: Digest) -> Result<WheelBlob, GatherError> {
    let file_name: WheelFileName = file.parse().map_err(|_| GatherError::FileName { file: file.to_owned() })?;
    Ok(WheelBlob { path, sha256, file_name })
}

/// The local source is the one that was locked.
fn unchanged(
    name: &DistributionName,
    path: &TreePath,
    expected: &Digest,
    repository: &Path,
) -> Result<(), Box<dyn Fault>> {
    let actual = resolve::path_digest(name, path, repository)
        .map_err(|_| GatherError::Read { path: path.below(repository), source: std::io::ErrorKind::NotFound.into() })?;
    if actual != *expected {
        return Err(
            GatherError::PathChanged { name: name.clone(), path: path.clone(), expected: *expected, actual }.into()
        );
    }
    Ok(())
}

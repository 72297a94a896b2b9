//! One side of a comparison: a lock, a manifest, an artifact with its manifest beside it, or a version's lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config_merger::{LoadOptions, Repository};
use serde::Serialize;
use vocab::typed_json::{self, TypedJsonError};
use vocab::{DistributionName, Fault, Manifest, PlatformKey, RuleOutcome, RuleRecord, WheelOrigin, manifest_beside};

use crate::versions_side_by_side::OneVersion;
use resolve::{Lock, LockedSource, PlatformLock, Request, WhyBuilt};

/// One side, by platform.
#[derive(Clone, Debug)]
pub struct ComparedSide {
    /// As it was asked for.
    pub label: String,
    pub platforms: BTreeMap<PlatformKey, SideContent>,
}

/// What a side states about one platform.
#[derive(Clone, Debug, Default)]
pub struct SideContent {
    pub base: Option<String>,
    /// More than one of a name where each requirement is resolved alone.
    pub packages: BTreeMap<DistributionName, Vec<SidePackage>>,
    pub rules: BTreeSet<RuleRecord>,
    /// Whether `rules` is complete, rather than only about what is left out.
    pub all_rules: bool,
    pub sizes: BTreeMap<&'static str, u64>,
    /// Only for an artifact.
    pub manifest: Option<Box<Manifest>>,
}

/// One distribution, or the base interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SidePackage {
    /// Absent for a local folder whose version only its build tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `wheel`, `source`, `git`, `path` or `base`.
    pub origin: &'static str,
    /// The file or, of a repository, the commit.
    pub file: String,
    /// In bytes, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The place of its additional registry, counted from 1; absent for the default index. A manifest does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<usize>,
    #[serde(skip)]
    pub tells_registry: bool,
    /// The requirements that bring it, where each is resolved alone.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub brought_by: BTreeSet<DistributionName>,
    /// Digest of the file or folder it comes from; of a repository, the commit.
    #[serde(skip)]
    pub source: String,
    /// Digest of the wheel that was built of it; a lock does not know it.
    #[serde(skip)]
    pub built: Option<String>,
}

impl SidePackage {
    /// The same is installed, as far as both sides tell.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let built = self.built.as_ref().zip(other.built.as_ref()).is_none_or(|(one, other)| one == other);
        let registry = !self.tells_registry || !other.tells_registry || self.registry == other.registry;
        (&self.version, self.origin, &self.source) == (&other.version, other.origin, &other.source) && built && registry
    }
}

impl OneVersion for SidePackage {
    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn brought_by(&self) -> &BTreeSet<DistributionName> {
        &self.brought_by
    }
}

fn by_name(
    packages: impl Iterator<Item = (DistributionName, SidePackage)>,
) -> BTreeMap<DistributionName, Vec<SidePackage>> {
    let mut all: BTreeMap<_, Vec<SidePackage>> = BTreeMap::new();
    packages.for_each(|(name, package)| all.entry(name).or_default().push(package));
    all
}

/// Why a side cannot be read, with its label.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot compare `{label}`")]
#[fault(transparent = kind)]
pub struct SideError {
    pub label: String,
    #[source]
    pub kind: SideErrorKind,
}

/// What is wrong with the file, the version or the lock.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(
    "E_DIFF",
    Usage,
    hint("give two version strings, two lock.json, two manifests, or two artifacts with their manifests beside them")
)]
pub enum SideErrorKind {
    #[error("`{}` cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is not JSON", path.display())]
    Json { path: PathBuf, source: TypedJsonError },
    #[error("`{}` is neither a lock nor a manifest", path.display())]
    Neither { path: PathBuf },
    #[error("{version} has no lock")]
    #[fault(hint("run `builder lock {version}`"))]
    NoLock { version: String },
}

/// A path is taken before a version string of the same text.
pub fn read(repository: &Repository, label: &str) -> Result<ComparedSide, Box<dyn Fault>> {
    let path = Path::new(label);
    let failed = |kind| SideError { label: label.to_owned(), kind };
    if path.is_file() {
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let document = if is_json { path.to_owned() } else { manifest_beside(path) };
        return from_file(label, &document);
    }
    if path.components().count() > 1 && !path.is_dir() {
        let source = io::ErrorKind::NotFound.into();
        return Err(failed(SideErrorKind::Read { path: path.to_owned(), source }).into());
    }
    let version = repository.version(label)?;
    let lock = Lock::read(&repository.root().join(version.folder_name()), &version)?;
    let lock = lock.ok_or_else(|| failed(SideErrorKind::NoLock { version: version.to_string() }))?;
    // The configuration has the rules that acted.
    let config = config_merger::load(repository, &version, &LoadOptions::default())?.config;
    let mut side = of_lock(label, &lock);
    for (platform, content) in &mut side.platforms {
        content.rules.extend(rules(&Request::new(&config, *platform), &lock.platforms[platform]));
        content.all_rules = true;
    }
    Ok(side)
}

fn from_file(label: &str, path: &Path) -> Result<ComparedSide, Box<dyn Fault>> {
    let failed = |kind| SideError { label: label.to_owned(), kind };
    let text = fs::read(path).map_err(|source| failed(SideErrorKind::Read { path: path.to_owned(), source }))?;
    let document: serde_json::Value =
        typed_json::read(&text).map_err(|source| failed(SideErrorKind::Json { path: path.to_owned(), source }))?;
    if document.get("build_key").is_some() {
        let manifest = archive::read_manifest(&text)?;
        let platforms = BTreeMap::from([(manifest.platform, of_manifest(manifest))]);
        return Ok(ComparedSide { label: label.to_owned(), platforms });
    }
    let runtime = document.get("runtime").and_then(serde_json::Value::as_str).and_then(|text| text.parse().ok());
    match runtime.filter(|_| document.get("platforms").is_some()) {
        Some(runtime) => Ok(of_lock(label, &Lock::parse(path, &text, &runtime)?)),
        None => Err(failed(SideErrorKind::Neither { path: path.to_owned() }).into()),
    }
}

fn of_lock(label: &str, lock: &Lock) -> ComparedSide {
    let platforms = lock.platforms.iter().map(|(platform, rows)| {
        let packages = by_name(rows.distributions.iter().map(|row| (row.name.clone(), of_row(row))));
        let download = packages.values().flatten().filter_map(|package| package.size).sum();
        let content = SideContent {
            rules: rows.left_out.iter().cloned().collect(),
            sizes: BTreeMap::from([("download", download)]),
            packages,
            ..SideContent::default()
        };
        (*platform, content)
    });
    ComparedSide { label: label.to_owned(), platforms: platforms.collect() }
}

fn of_row(row: &resolve::LockedDistribution) -> SidePackage {
    let (origin, file, source, size) = match &row.source {
        LockedSource::Wheel { file, sha256, size } => ("wheel", file.to_string(), sha256.to_string(), *size),
        LockedSource::Sdist { file, sha256, size } => ("source", file.to_string(), sha256.to_string(), *size),
        LockedSource::Git { repository, commit, .. } => {
            ("git", format!("{repository} at {commit}"), commit.clone(), None)
        }
        LockedSource::Path { path, sha256 } => ("path", path.to_string(), sha256.to_string(), None),
    };
    SidePackage {
        version: row.version.clone(),
        origin,
        file,
        size,
        registry: row.registry,
        tells_registry: true,
        brought_by: row.brought_by.clone(),
        source,
        built: None,
    }
}

fn of_manifest(manifest: Manifest) -> SideContent {
    let base = &manifest.base;
    let stand_in = if base.stand_in { format!(", a stand-in for {}", base.requested) } else { String::new() };
    let packages = manifest.distributions.iter().map(|row| {
        let (origin, file, source) = match &row.origin {
            WheelOrigin::Wheel => ("wheel", row.file.clone(), row.sha256.to_string()),
            WheelOrigin::Sdist { file, sha256 } => ("source", file.clone(), sha256.to_string()),
            WheelOrigin::Git { repository, commit } => ("git", format!("{repository} at {commit}"), commit.clone()),
            WheelOrigin::Path { path, sha256 } => ("path", path.to_string(), sha256.to_string()),
            WheelOrigin::Base => ("base", row.file.clone(), row.sha256.to_string()),
        };
        let built = (origin != "wheel").then(|| row.sha256.to_string());
        let version = Some(row.version.clone());
        let size = Some(row.size);
        let brought_by = row.brought_by.clone();
        let package = SidePackage {
            version,
            origin,
            file,
            size,
            registry: None,
            tells_registry: false,
            brought_by,
            source,
            built,
        };
        (row.name.clone(), package)
    });
    let mut sizes = BTreeMap::from([("files", manifest.files), ("installed", manifest.installed_size)]);
    sizes.extend(manifest.artifact.as_ref().map(|artifact| ("packed", artifact.size)));
    SideContent {
        base: Some(format!("{} {} ({}){stand_in}", base.source, base.actual, base.origin)),
        packages: by_name(packages),
        rules: manifest.rules.iter().cloned().collect(),
        all_rules: true,
        sizes,
        manifest: Some(Box::new(manifest)),
    }
}

/// As a manifest would tell them, as far as a lock decides.
fn rules(request: &Request, rows: &PlatformLock) -> Vec<RuleRecord> {
    let mut rules = request.decided.clone();
    for row in &rows.distributions {
        let why = request.why_built(&row.name);
        let outcome = match (why, &row.source) {
            (WhyBuilt::BuildWheel(_), _) => RuleOutcome::BuiltWheel,
            (WhyBuilt::Forced(_), LockedSource::Sdist { .. }) => RuleOutcome::Forced,
            (WhyBuilt::NoWheel, LockedSource::Sdist { .. }) => RuleOutcome::FromSource,
            _ => continue,
        };
        rules.push(RuleRecord { name: row.name.clone(), outcome, reason: why.reason().to_owned() });
    }
    rules
}

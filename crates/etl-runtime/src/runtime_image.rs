//! An image that serves ETL classes: a runtime, packages in it, this program.
//!
//! Packages are installed where the runtime has its own, as layers over it: in a pod they are in the runtime, and nothing is
//! fetched or installed at its start. A distribution of the runtime that another version replaces is hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archive::{EntryKind, ExtractOptions, FileContent, PartSource, TreeEntry};
use config_merger::Requirement;
use image::{BaseImage, CompiledTree, ImageRequest, ImageSettings, LayerCompression, RuntimeSource, WrittenImage};
use store::{Context, PartStore};
use vocab::{Fault, Manifest, Os, PlatformKey, TreePath, manifest_beside};

use crate::delta::{install_wheels, wheels_for};
use crate::runtime_facts::RuntimeFacts;
use crate::settings::PORT;

/// Where the runtime is, and the folder of this program.
const PREFIX: &str = "opt/pydist/python";
const PROGRAMS: &str = "opt/pydist/bin";

/// What an image is made of.
pub struct RuntimeImage<'a> {
    /// An artifact, or a folder with one.
    pub runtime: &'a Path,
    /// Its minor version, if that is known.
    pub python: Option<&'a str>,
    pub packages: &'a [Requirement],
    pub base: Option<BaseImage>,
    /// `etl-runtime` for the image's platform.
    pub program: Option<&'a Path>,
    /// This program, which serves where it was made for the same platform.
    pub own_program: Option<&'a Path>,
    pub user: Option<String>,
    /// Whether modules are compiled beforehand, where the runtime is for this machine's platform.
    pub byte_code: bool,
    pub compression: LayerCompression,
    pub mtime: u64,
}

/// There is no runtime or no program for the image.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum RuntimeImageError {
    #[error("cannot read `{}`", path.display())]
    #[fault("E_ETL_IMAGE", Build)]
    Read { path: PathBuf, source: io::Error },
    #[error("the manifest `{}` cannot be read", path.display())]
    #[fault(transparent = source)]
    Manifest { path: PathBuf, source: Box<archive::ManifestError> },
    #[error("`{}` holds {} runtimes{wanted} for Linux, and one is needed", path.display(), found.len())]
    #[fault("E_ETL_IMAGE", hint("name the artifact itself with --runtime"))]
    NotOne { path: PathBuf, wanted: String, found: Vec<String> },
    #[error("`{}` has Python {found}, and Python {wanted} was asked for", path.display())]
    #[fault("E_ETL_IMAGE", hint("name another runtime, or leave --python away"))]
    Python { path: PathBuf, wanted: String, found: String },
    #[error("packages for {platform} cannot be installed into an image here")]
    #[fault("E_ETL_IMAGE", hint("run it on that platform, or let the pods have a delta"))]
    Packages { platform: PlatformKey },
    #[error("there is no `etl-runtime` for {platform} here")]
    #[fault("E_ETL_IMAGE", hint("name it with --program"))]
    Program { platform: PlatformKey },
}

/// Writes the image layout.
pub fn write(request: &RuntimeImage<'_>, target: &Path, context: &Context) -> Result<WrittenImage, Box<dyn Fault>> {
    let (artifact, manifest) = chosen(request)?;
    let platform = manifest.platform;
    let is_own = PlatformKey::host() == Some(platform);
    let program = request.program.or(request.own_program.filter(|_| is_own));
    let program = program.ok_or(RuntimeImageError::Program { platform })?;
    let (prefix, place) = (path(PREFIX), path(PROGRAMS).join(&path("etl-runtime")));
    let scratch = context.store.scratch_dir("image-").map_err(|source| read(context.store.root(), source))?;
    let mut extra = Vec::new();
    if !request.packages.is_empty() && !is_own {
        return Err(RuntimeImageError::Packages { platform }.into());
    }
    if request.byte_code && !is_own {
        context
            .note(format!("modules for {platform} cannot be compiled here, so each pod compiles them when it starts"));
    }
    if is_own && (request.byte_code || !request.packages.is_empty()) {
        let tree = scratch.path().join("runtime");
        let expected = manifest.artifact.as_ref().map(|artifact| artifact.sha256);
        archive::extract(&artifact, &tree, &ExtractOptions { expected, ..ExtractOptions::default() })?;
        let runtime = RuntimeFacts::of_interpreter(&tree.join("bin/python3"))?;
        extra = package_layers(request.packages, &tree, &runtime, context)?;
        if request.byte_code {
            let (interpreter, layout) = (runtime.interpreter.as_path(), runtime.layout);
            let compiled = CompiledTree { tree: &tree, interpreter, layout, prefix: &prefix, own: None };
            extra.extend(image::byte_code_layers(context, compiled)?);
        }
    }
    extra.push(PartSource::new("program", vec![TreeEntry::file(place, FileContent::Disk(program.to_owned()), true)]));
    let request = ImageRequest {
        platform,
        base: request.base.clone(),
        runtime: Some(RuntimeSource { archive: &artifact, manifest: &manifest, prefix: &prefix, last: None }),
        extra,
        settings: settings(request.user.clone(), &manifest),
        compression: request.compression,
        mtime: request.mtime,
        name: Some(manifest.base.actual.minor_version()),
    };
    Ok(image::write(target, &request, &PartStore::new(context))?)
}

fn settings(user: Option<String>, manifest: &Manifest) -> ImageSettings {
    let environment = [("ETL_PYTHON", format!("/{PREFIX}/bin/python3")), ("PYTHONUNBUFFERED", "1".to_owned())];
    ImageSettings {
        user,
        entrypoint: vec![format!("/{PROGRAMS}/etl-runtime")],
        environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
        labels: [("org.opencontainers.image.version".to_owned(), manifest.runtime.to_string())].into(),
        ports: [PORT].into(),
        path_first: vec![format!("/{PROGRAMS}"), format!("/{PREFIX}/bin")],
        ..ImageSettings::default()
    }
}

fn path(text: &str) -> TreePath {
    text.parse().expect("letters between slashes")
}

fn read(path: &Path, source: io::Error) -> RuntimeImageError {
    RuntimeImageError::Read { path: path.to_owned(), source }
}

/// The artifact with its manifest. In a folder, the only one for Linux of the wanted version.
fn chosen(request: &RuntimeImage<'_>) -> Result<(PathBuf, Manifest), RuntimeImageError> {
    if !request.runtime.is_dir() {
        let manifest = manifest_of(&manifest_beside(request.runtime))?;
        let found = manifest.base.actual.minor_version();
        return match request.python.filter(|wanted| *wanted != found) {
            None => Ok((request.runtime.to_owned(), manifest)),
            Some(wanted) => {
                Err(RuntimeImageError::Python { path: request.runtime.to_owned(), wanted: wanted.to_owned(), found })
            }
        };
    }
    let mut found = Vec::new();
    for item in fs::read_dir(request.runtime).map_err(|source| read(request.runtime, source))? {
        let artifact = item.map_err(|source| read(request.runtime, source))?.path();
        let name = artifact.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let is_of_linux = name.is_some_and(|name: vocab::ArtifactName| {
            name.platform.os() == Os::Linux && request.python.is_none_or(|wanted| name.python.minor_version() == wanted)
        });
        if is_of_linux {
            found.push(artifact);
        }
    }
    found.sort();
    match <[PathBuf; 1]>::try_from(found) {
        Ok([artifact]) => {
            let manifest = manifest_of(&manifest_beside(&artifact))?;
            Ok((artifact, manifest))
        }
        Err(found) => Err(RuntimeImageError::NotOne {
            path: request.runtime.to_owned(),
            wanted: request.python.map_or(String::new(), |wanted| format!(" with Python {wanted}")),
            found: found.iter().map(|path| path.display().to_string()).collect(),
        }),
    }
}

fn manifest_of(path: &Path) -> Result<Manifest, RuntimeImageError> {
    let bytes = fs::read(path).map_err(|source| read(path, source))?;
    archive::read_manifest(&bytes)
        .map_err(|source| RuntimeImageError::Manifest { path: path.to_owned(), source: Box::new(source) })
}

/// The layers that the packages add to the runtime, after which they are installed in `tree`.
fn package_layers(
    packages: &[Requirement],
    tree: &Path,
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<Vec<PartSource>, Box<dyn Fault>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let files = wheels_for(packages, runtime, context)?.files;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let entries = |folder: &Path| -> Result<BTreeMap<TreePath, TreeEntry>, Box<dyn Fault>> {
        let all = archive::scan(folder)?.into_iter().filter(|entry| entry.kind != EntryKind::Directory);
        Ok(all.map(|entry| (entry.path.clone(), entry)).collect())
    };
    let before: BTreeSet<TreePath> = entries(tree)?.into_keys().collect();
    let installed = install_wheels(&files, tree, &before, runtime, context)?;
    let after = entries(tree)?;
    let prefix = path(PREFIX);
    let mut layers: Vec<PartSource> = replaced(&before, &after, tree, &prefix).into_iter().collect();
    let rows = files.iter().zip(&installed.distributions).map(|(file, distribution)| {
        let made = distribution.files.iter().filter_map(|made| after.get(&made.path));
        let entries = made.map(|entry| TreeEntry { path: prefix.join(&entry.path), ..entry.clone() });
        (PartSource::new(file.name.as_str(), entries.collect()), file.size)
    });
    layers.extend(image::package_layers(rows.collect()));
    Ok(layers)
}

/// Hides what another version of a distribution took away; that version's own files are in a layer above.
fn replaced(
    before: &BTreeSet<TreePath>,
    after: &BTreeMap<TreePath, TreeEntry>,
    tree: &Path,
    prefix: &TreePath,
) -> Option<PartSource> {
    let mut hidden = BTreeSet::new();
    for gone in before.iter().filter(|path| !after.contains_key(*path)) {
        // The highest folder that went with it.
        let mut highest = gone.clone();
        while let Some(folder) = highest.parent().filter(|folder| !folder.below(tree).exists()) {
            highest = folder;
        }
        hidden.insert(prefix.join(&highest));
    }
    let entries: Vec<TreeEntry> = hidden.iter().filter_map(image::whiteout).collect();
    (!entries.is_empty()).then(|| PartSource::new("replaced packages", entries))
}

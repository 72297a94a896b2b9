//! The image of a worker as an OCI layout, without Docker: the baked runtime over a base that has Beam's boot program.

use std::collections::BTreeSet;
use std::path::Path;

use archive::{ExtractOptions, PartSource, TreeEntry};
use image::{BaseImage, CompiledTree, ImageRequest, ImageSettings, LayerCompression, RuntimeSource, WrittenImage};
use store::{Context, PartStore};
use vocab::{Distribution, Fault, Manifest, Os, PlatformKey, TreeLayout, TreePath, manifest_beside};

use crate::code;
use crate::finding::Finding;
use crate::job_error::JobError;
use crate::job_manifest::JobManifest;
use crate::worker::{BOOT, DEFAULT_ENVIRONMENT, PREFIX};

/// The layer of the byte code of the job's modules.
const BYTE_CODE: &str = "byte code of the job";

/// How the image is made.
#[derive(Clone, Debug)]
pub struct WorkerImage {
    /// Absent: our own layers alone, to be stacked on a system by other means.
    pub base: Option<BaseImage>,
    /// Whether modules are compiled beforehand, where the runtime is for this machine's platform.
    pub byte_code: bool,
    /// Links data files below `/usr/local`, for jobs with fixed paths.
    pub data_prefix_compat: bool,
    pub compression: LayerCompression,
    /// Seconds since 1970, for every entry.
    pub epoch: u64,
}

/// KJ075, if the base lacks what starts workers.
///
/// # Errors
/// If the base cannot be read.
pub fn check_base(base: &BaseImage, platform: PlatformKey) -> Result<Vec<Finding>, Box<dyn Fault>> {
    let path: TreePath = BOOT.trim_start_matches('/').parse().expect("letters between slashes");
    if base.has_file(platform, &path)? {
        return Ok(Vec::new());
    }
    let layout = base.layout.display().to_string();
    Ok(vec![Finding::new(code::KJ075, [("base", layout.as_str()), ("boot", BOOT)])])
}

/// Writes the image of a baked job to `target`, which must be absent or an empty folder. `archive` is the runtime; the two
/// manifests lie beside it.
pub fn write_image(
    context: &Context,
    archive: &Path,
    request: &WorkerImage,
    target: &Path,
) -> Result<WrittenImage, Box<dyn Fault>> {
    let job = JobManifest::beside(archive)?;
    let path = manifest_beside(archive);
    let bytes = vocab::read_regular(&path).map_err(JobError::disk("read", &path))?;
    let manifest: Manifest = archive::read_manifest(&bytes)?;
    let prefix: TreePath = PREFIX.trim_start_matches('/').parse().expect("letters between slashes");
    // What changes with each version of the job is in two layers at the top.
    let wheel = manifest.distributions.iter().find(|it| job.job.package.parse().is_ok_and(|name| it.name == name));
    let mut extra = Vec::new();
    // Layers are read from it until the image is written.
    let scratch = context.store.scratch_dir("image-").map_err(JobError::disk("write", context.store.root()))?;
    let is_own = PlatformKey::host() == Some(manifest.platform);
    if request.byte_code && is_own && manifest.platform.os() == Os::Linux {
        let tree = scratch.path().join("runtime");
        let expected = manifest.artifact.as_ref().map(|artifact| artifact.sha256);
        archive::extract(archive, &tree, &ExtractOptions { expected, ..ExtractOptions::default() })?;
        let layout = TreeLayout { platform: manifest.platform, python: manifest.base.actual };
        let interpreter = layout.interpreter().below(&tree);
        let sources = wheel.map(|wheel| sources_of(wheel, layout, &tree)).unwrap_or_default();
        let own = Some((BYTE_CODE, &sources));
        let compiled = CompiledTree { tree: &tree, interpreter: &interpreter, layout, prefix: &prefix, own };
        extra.extend(image::byte_code_layers(context, compiled)?);
    } else if request.byte_code {
        context.note(format!(
            "modules for {} cannot be compiled here, so each worker compiles them when it starts",
            manifest.platform
        ));
    }
    if request.data_prefix_compat && !job.data_files.is_empty() {
        let links = job.data_files.iter().map(|file| link(&prefix, &file.path));
        extra.push(PartSource::new("links to data files", links.collect::<Result<_, _>>()?));
    }
    let packages: Vec<&str> = job.system_packages.iter().map(|package| package.name.as_str()).collect();
    if !packages.is_empty() {
        context.note(format!("the base has to have the OS packages that the job installs: {}", packages.join(", ")));
    }
    let image = ImageRequest {
        platform: manifest.platform,
        base: request.base.clone(),
        runtime: Some(RuntimeSource {
            archive,
            manifest: &manifest,
            prefix: &prefix,
            last: wheel.map(|it| it.file.as_str()),
        }),
        extra,
        settings: settings(&job),
        compression: request.compression,
        mtime: request.epoch,
        name: Some(job.job.version.clone()),
    };
    Ok(image::write(target, &image, &PartStore::new(context))?)
}

/// As [`write_image`], in place of the image that is at `target`.
pub fn write_image_anew(
    context: &Context,
    archive: &Path,
    request: &WorkerImage,
    target: &Path,
) -> Result<WrittenImage, Box<dyn Fault>> {
    let out = target.parent().unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new().prefix(".image-").tempdir_in(out).map_err(JobError::disk("write", out))?;
    let made = beside.path().join("image");
    let written = write_image(context, archive, request, &made)?;
    if target.exists() {
        disk::remove_tree(target).map_err(JobError::disk("replace", target))?;
    }
    disk::rename(&made, target).map_err(JobError::disk("write", target))?;
    Ok(written)
}

/// Modules of the job's wheel, as its RECORD lists them.
fn sources_of(wheel: &Distribution, layout: TreeLayout, tree: &Path) -> BTreeSet<TreePath> {
    let site = layout.site_packages();
    let stem = wheel.file.split('-').take(2).collect::<Vec<_>>().join("-");
    let record = site.below(tree).join(format!("{stem}.dist-info")).join("RECORD");
    let text = vocab::read_regular_text(&record).unwrap_or_default();
    let paths = text.lines().filter_map(|line| line.split(',').next()?.parse::<TreePath>().ok());
    paths.map(|path| site.join(&path)).collect()
}

fn settings(job: &JobManifest) -> ImageSettings {
    let (name, value) = DEFAULT_ENVIRONMENT;
    let labels =
        [("org.opencontainers.image.title", &job.job.name), ("org.opencontainers.image.version", &job.job.version)];
    ImageSettings {
        entrypoint: vec![BOOT.to_owned()],
        environment: [(name.to_owned(), value.to_owned())].into(),
        labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect(),
        path_first: vec![format!("{PREFIX}/bin")],
        ..ImageSettings::default()
    }
}

/// `/usr/local/PATH`, where older workers had the prefix.
fn link(prefix: &TreePath, path: &str) -> Result<TreeEntry, JobError> {
    let text = format!("usr/local/{path}");
    let place: TreePath = text.parse().map_err(|_| JobError::DataPath { path: path.to_owned() })?;
    let up = "../".repeat(text.split('/').count() - 1);
    Ok(TreeEntry::symlink(place, format!("{up}{prefix}/{path}")))
}

//! The steps of writing an image, and the documents over its layers.

use std::path::Path;

use archive::pieces::{check_destination, settle, staging_beside};
use archive::{DEFAULT_MTIME, PartCache, PartSource};
use serde::Serialize;
use serde_json::{Map, Value, json};
use vocab::{ArtifactFormat, Digest, Os, PlatformKey};

use crate::base_image::{BaseImage, ReadBase};
use crate::blobs::{Blobs, write_file};
use crate::error::{ImageError, ImageErrorKind};
use crate::layers::{FinishedLayer, LayerCompression, RuntimeSource, entries_of, finish, groups};
use crate::oci::{
    CONFIG, Descriptor, INDEX, INDEX_FILE, ImageIndex, ImageManifest, ImagePlatform, LAYOUT, LAYOUT_FILE, MANIFEST,
    REF_NAME, spelled,
};
use crate::settings::ImageSettings;

/// What an image is made of, from the bottom up.
#[derive(Clone, Debug)]
pub struct ImageRequest<'a> {
    /// Linux.
    pub platform: PlatformKey,
    /// Without one, nothing of ours that needs a C library will start.
    pub base: Option<BaseImage>,
    pub runtime: Option<RuntimeSource<'a>>,
    /// Each becomes a layer; paths are below the root of the image.
    pub extra: Vec<PartSource>,
    pub settings: ImageSettings,
    pub compression: LayerCompression,
    /// The time of every entry and of the image itself, in seconds since 1970: `SOURCE_DATE_EPOCH` if that is set.
    pub mtime: u64,
    /// Its name in the layout: `3.12`.
    pub name: Option<String>,
}

impl ImageRequest<'_> {
    /// An image without anything.
    pub fn new(platform: PlatformKey) -> Self {
        Self {
            platform,
            base: None,
            runtime: None,
            extra: Vec::new(),
            settings: ImageSettings::default(),
            compression: LayerCompression::default(),
            mtime: DEFAULT_MTIME,
            name: None,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenImage {
    /// The manifest's digest: what registries call the digest of the image.
    pub digest: Digest,
    /// Without those of the base.
    pub layers: Vec<ImageLayer>,
    /// All layers as they are sent, in bytes.
    pub size: u64,
}

/// One layer of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageLayer {
    /// What it holds: `base`, a wheel's file name, `small packages`, `metadata`, or the name of what was given.
    pub content: String,
    pub digest: Digest,
    /// Packed, in bytes.
    pub size: u64,
}

/// Writes the image as an OCI image layout to `target`, which must be absent or an empty folder and appears when everything
/// is there. `cache` keeps layers from one image to the next.
pub fn write(target: &Path, request: &ImageRequest<'_>, cache: &dyn PartCache) -> Result<WrittenImage, ImageError> {
    write_inner(target, request, cache).map_err(|kind| ImageError { target: target.to_owned(), kind: Box::new(kind) })
}

fn write_inner(
    target: &Path,
    request: &ImageRequest<'_>,
    cache: &dyn PartCache,
) -> Result<WrittenImage, ImageErrorKind> {
    check(request)?;
    check_destination(target).map_err(|kind| ImageErrorKind::of_target(kind, target))?;
    let base = request.base.as_ref().map(|base| base.read(request.platform)).transpose()?;
    let staging = staging_beside(target).map_err(|kind| ImageErrorKind::of_target(kind, target))?;
    let layout = staging.tree();
    disk::make_folder(&layout).map_err(ImageErrorKind::write(&layout))?;
    let blobs = Blobs::new(&layout)?;
    if let Some(base) = &base {
        for layer in &base.layers {
            if let Some(digest) = layer.sha256() {
                blobs.copy(&base.blob(&digest), &digest)?;
            }
        }
    }
    let layers = layers_of(request, &blobs, cache)?;
    let image = documents(request, base.as_ref(), &layers, &blobs)?;
    write_file(&layout.join(LAYOUT_FILE), LAYOUT.as_bytes())?;
    write_file(&layout.join(INDEX_FILE), &text(&index_of(request, image.clone())))?;
    settle(&layout, target).map_err(|kind| ImageErrorKind::of_target(kind, target))?;
    let below = base.iter().flat_map(|base| &base.layers).map(|layer| layer.size);
    let size = below.chain(layers.iter().map(|layer| layer.descriptor.size)).sum();
    let row =
        |layer: FinishedLayer| ImageLayer { content: layer.content, digest: layer.digest, size: layer.descriptor.size };
    let digest = image.sha256().ok_or(ImageErrorKind::Setting { what: image.digest, reason: "it is not a SHA-256" })?;
    Ok(WrittenImage { digest, layers: layers.into_iter().map(row).collect(), size })
}

/// What can be said before anything is written.
fn check(request: &ImageRequest<'_>) -> Result<(), ImageErrorKind> {
    let platform = request.platform;
    if platform.os() != Os::Linux {
        return Err(ImageErrorKind::Platform { platform });
    }
    request.settings.check()?;
    let Some(runtime) = &request.runtime else { return Ok(()) };
    if runtime.manifest.platform != platform {
        return Err(ImageErrorKind::OtherPlatform { runtime: runtime.manifest.platform, image: platform });
    }
    let refuse = |reason| Err(ImageErrorKind::Artifact { path: runtime.archive.to_owned(), reason });
    match &runtime.manifest.artifact {
        None => refuse("its manifest describes no artifact"),
        Some(artifact) if artifact.format == ArtifactFormat::Zip => refuse("a zip holds no links and no tar"),
        Some(_) => Ok(()),
    }
}

fn layers_of(
    request: &ImageRequest<'_>,
    blobs: &Blobs,
    cache: &dyn PartCache,
) -> Result<Vec<FinishedLayer>, ImageErrorKind> {
    let how = (request.compression, request.mtime);
    let mut layers = Vec::new();
    if let Some(runtime) = &request.runtime
        && let Some(described) = &runtime.manifest.artifact
    {
        for (content, parts) in groups(&described.parts, runtime.last) {
            // One group at a time is on the disk: gone when its layer is packed.
            let spool = tempfile::tempdir_in(blobs.folder()).map_err(ImageErrorKind::write(blobs.folder()))?;
            let entries = entries_of(runtime, described, &parts, spool.path())?;
            if !entries.is_empty() {
                layers.push(finish(blobs, content, entries, how, cache)?);
            }
            spool.close().map_err(ImageErrorKind::write(blobs.folder()))?;
        }
    }
    for part in &request.extra {
        layers.push(finish(blobs, part.name.clone(), part.entries.clone(), how, cache)?);
    }
    Ok(layers)
}

/// Writes configuration and manifest; the result describes the manifest.
fn documents(
    request: &ImageRequest<'_>,
    base: Option<&ReadBase>,
    layers: &[FinishedLayer],
    blobs: &Blobs,
) -> Result<Descriptor, ImageErrorKind> {
    let created = jiff::Timestamp::from_second(i64::try_from(request.mtime).unwrap_or(i64::MAX))
        .map_err(|_| ImageErrorKind::Setting { what: "the time".to_owned(), reason: "it lies after the year 9999" })?
        .to_string();
    let platform = ImagePlatform::of(request.platform);
    let diff_ids = base.iter().flat_map(|base| &base.diff_ids).chain(layers.iter().map(|layer| &layer.diff_id));
    let history = base.iter().flat_map(|base| &base.history).cloned().chain(
        layers.iter().map(|layer| json!({"created": created, "created_by": format!("pydist: {}", layer.content)})),
    );
    let config = request.settings.over(base.map_or_else(Map::new, |base| base.config.clone()));
    let config = json!({
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids.collect::<Vec<_>>()},
        "history": history.collect::<Vec<Value>>(),
    });
    let config = blobs.put(CONFIG, &text(&config))?;
    let below = base.iter().flat_map(|base| &base.layers).cloned();
    let annotations = base.map(|base| ("org.opencontainers.image.base.digest".to_owned(), spelled(&base.manifest)));
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: MANIFEST.to_owned(),
        config,
        layers: below.chain(layers.iter().map(|layer| layer.descriptor.clone())).collect(),
        annotations: annotations.into_iter().collect(),
    };
    blobs.put(MANIFEST, &text(&manifest))
}

fn index_of(request: &ImageRequest<'_>, mut image: Descriptor) -> ImageIndex {
    image.platform = Some(ImagePlatform::of(request.platform));
    image.annotations.extend(request.name.iter().map(|name| (REF_NAME.to_owned(), name.clone())));
    ImageIndex { schema_version: 2, media_type: INDEX.to_owned(), manifests: vec![image] }
}

fn text(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("plain data with text keys")
}

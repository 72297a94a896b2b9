//! The image that another stands on: read from an OCI image layout on disk, every document compared with its digest.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use vocab::{Digest, PlatformKey, TreePath};

use crate::blobs::BLOBS;
use crate::error::ImageErrorKind;
use crate::oci::{
    DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, INDEX_FILE, ImageIndex, ImageManifest, ImagePlatform,
    LAYOUT_FILE, MANIFEST, REF_NAME,
};

/// No document of an image is larger.
const LARGEST: u64 = 4 << 20;
/// An index in an index is legal; a longer row is a circle, or a joke.
const DEEPEST: usize = 4;

/// Before the name of what a layer hides.
const WHITEOUT: &str = ".wh.";
/// After it, in a folder of which nothing below is seen.
const OPAQUE: &str = ".wh..opq";

/// Where the base is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The folder with `oci-layout` in it.
    pub layout: PathBuf,
    /// Which image of it, by the name it has there; the only one for the platform if absent.
    pub name: Option<String>,
}

/// What an image takes from its base.
pub(crate) struct ReadBase {
    layout: PathBuf,
    pub layers: Vec<Descriptor>,
    pub diff_ids: Vec<String>,
    pub history: Vec<Value>,
    /// How its containers start.
    pub config: Map<String, Value>,
    pub manifest: Digest,
}

impl ReadBase {
    /// Where a layer of it lies.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.layout.join(BLOBS).join(digest.to_string())
    }
}

/// What a layer says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Gone,
    Here,
}

impl BaseImage {
    /// Whether the image has this file, by the names in its layers.
    ///
    /// # Errors
    /// If the layout has no such image, or a layer of it cannot be read.
    pub fn has_file(&self, platform: PlatformKey, path: &TreePath) -> Result<bool, ImageErrorKind> {
        let base = self.read(platform)?;
        // The uppermost layer that says anything decides; a program that was added last is found first.
        for layer in base.layers.iter().rev() {
            let blob = base.blob(&layer.sha256().expect("layers were read"));
            let mut said = Said::Nothing;
            let read =
                archive::tar_names(&blob, &mut |name, is_folder| match said_of(name, is_folder, path.as_str()) {
                    Said::Here => said = Said::Here,
                    Said::Gone if said == Said::Nothing => said = Said::Gone,
                    _ => {}
                });
            read.map_err(ImageErrorKind::Part)?;
            if said != Said::Nothing {
                return Ok(said == Said::Here);
            }
        }
        Ok(false)
    }

    pub(crate) fn read(&self, platform: PlatformKey) -> Result<ReadBase, ImageErrorKind> {
        let layout = Layout { folder: &self.layout };
        if !self.layout.join(LAYOUT_FILE).is_file() {
            return Err(layout.refuse(format!("it has no file `{LAYOUT_FILE}`, so it is not an OCI image layout")));
        }
        let index: ImageIndex = layout.parse(INDEX_FILE, &layout.bytes(INDEX_FILE)?)?;
        let named = index.manifests.into_iter().filter(|it| match &self.name {
            Some(name) => it.annotations.get(REF_NAME) == Some(name),
            None => true,
        });
        let (manifest, descriptor) = layout.manifest(named.collect(), platform, self.name.as_deref())?;
        let config: Value = layout.document(&manifest.config)?;
        let wanted = ImagePlatform::of(platform);
        for (key, wanted) in [("architecture", &wanted.architecture), ("os", &wanted.os)] {
            let found = config.get(key).and_then(Value::as_str).unwrap_or("nothing");
            if found != wanted {
                return Err(layout.refuse(format!("its {key} is {found}, {wanted} is needed")));
            }
        }
        let texts = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let diff_ids = texts(config.pointer("/rootfs/diff_ids"));
        if diff_ids.len() != manifest.layers.len() {
            let counts = (manifest.layers.len(), diff_ids.len());
            return Err(layout.refuse(format!("its manifest has {} layers, its configuration {}", counts.0, counts.1)));
        }
        let layers = manifest.layers.into_iter().map(|layer| layout.layer(layer)).collect::<Result<_, _>>()?;
        Ok(ReadBase {
            layout: self.layout.clone(),
            layers,
            diff_ids,
            history: config.get("history").and_then(Value::as_array).cloned().unwrap_or_default(),
            config: config.get("config").and_then(Value::as_object).cloned().unwrap_or_default(),
            manifest: descriptor,
        })
    }
}

/// What one name of a layer says about the file `wanted`. A whiteout, or a folder that is made anew, hides what is below.
fn said_of(name: &[u8], is_folder: bool, wanted: &str) -> Said {
    let Ok(name) = std::str::from_utf8(name) else { return Said::Nothing };
    let name = name.trim_start_matches("./").trim_matches('/');
    if name == wanted {
        return if is_folder { Said::Gone } else { Said::Here };
    }
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let is_above = |folder: &str| {
        folder.is_empty() || wanted.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let hides = match last.strip_prefix(WHITEOUT) {
        Some(OPAQUE) => is_above(folder),
        Some(hidden) if folder.is_empty() => is_above(hidden),
        Some(hidden) => is_above(&format!("{folder}/{hidden}")),
        None => false,
    };
    if hides { Said::Gone } else { Said::Nothing }
}

struct Layout<'a> {
    folder: &'a Path,
}

impl Layout<'_> {
    fn refuse(&self, reason: String) -> ImageErrorKind {
        ImageErrorKind::Base { path: self.folder.to_owned(), reason }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, ImageErrorKind> {
        let path = self.folder.join(name);
        let size =
            std::fs::metadata(&path).map_err(|source| self.refuse(format!("`{name}` cannot be read: {source}")))?;
        if size.len() > LARGEST {
            return Err(self.refuse(format!("`{name}` has more than {LARGEST} bytes")));
        }
        std::fs::read(&path).map_err(|source| self.refuse(format!("`{name}` cannot be read: {source}")))
    }

    fn parse<T: DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Result<T, ImageErrorKind> {
        vocab::typed_json::read(bytes).map_err(|error| self.refuse(format!("`{name}`: {error}")))
    }

    fn sha256(&self, descriptor: &Descriptor) -> Result<Digest, ImageErrorKind> {
        descriptor.sha256().ok_or_else(|| self.refuse(format!("`{}` is not a SHA-256", descriptor.digest)))
    }

    fn document<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, ImageErrorKind> {
        let expected = self.sha256(descriptor)?;
        let name = format!("{BLOBS}/{expected}");
        let bytes = self.bytes(&name)?;
        let actual = Digest::of(&bytes);
        if actual != expected {
            return Err(ImageErrorKind::BaseDamaged { path: self.folder.join(name), expected, actual });
        }
        self.parse(&name, &bytes)
    }

    /// The one manifest for the platform, with its digest.
    fn manifest(
        &self,
        mut candidates: Vec<Descriptor>,
        platform: PlatformKey,
        name: Option<&str>,
    ) -> Result<(ImageManifest, Digest), ImageErrorKind> {
        let wanted = ImagePlatform::of(platform);
        for _ in 0..DEEPEST {
            candidates.retain(|it| it.platform.as_ref().is_none_or(|platform| *platform == wanted));
            let called = name.map_or(String::new(), |name| format!(" called `{name}`"));
            let descriptor = match candidates.as_slice() {
                [] => return Err(self.refuse(format!("it has no image{called} for {platform}"))),
                [one] => one.clone(),
                several => {
                    let names: Vec<&str> =
                        several.iter().filter_map(|it| it.annotations.get(REF_NAME)).map(String::as_str).collect();
                    let count = several.len();
                    let reason =
                        format!("it has {count} images for {platform}; name one of them: {}", names.join(", "));
                    return Err(self.refuse(reason));
                }
            };
            match descriptor.media_type.as_str() {
                INDEX | DOCKER_INDEX => candidates = self.document::<ImageIndex>(&descriptor)?.manifests,
                MANIFEST | DOCKER_MANIFEST => return Ok((self.document(&descriptor)?, self.sha256(&descriptor)?)),
                other => return Err(self.refuse(format!("it has a `{other}` where an image is expected"))),
            }
        }
        Err(self.refuse("its indexes lead from one to the next without an end".to_owned()))
    }

    /// By OCI's names: Docker's mean the same bytes.
    fn layer(&self, mut layer: Descriptor) -> Result<Descriptor, ImageErrorKind> {
        self.sha256(&layer)?;
        layer.media_type = match layer.media_type.as_str() {
            "application/vnd.docker.image.rootfs.diff.tar.gzip" => "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.docker.image.rootfs.diff.tar.zstd" => "application/vnd.oci.image.layer.v1.tar+zstd",
            oci if oci.starts_with("application/vnd.oci.image.layer.v1.tar") => oci,
            other => return Err(self.refuse(format!("it has a layer of the type `{other}`"))),
        }
        .to_owned();
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_layer_say_whether_a_file_is_there() {
        let cases = [
            ("opt/apache/beam/boot", false, Said::Here),
            ("./opt/apache/beam/boot", false, Said::Here),
            ("/opt/apache/beam/boot", false, Said::Here),
            ("opt/apache/beam/boot/", true, Said::Gone),
            ("opt/apache/beam/", true, Said::Nothing),
            ("opt/apache/beam/boot2", false, Said::Nothing),
            ("opt/apache/beam/.wh.boot", false, Said::Gone),
            ("opt/apache/.wh.beam", false, Said::Gone),
            ("opt/apache/.wh.bea", false, Said::Nothing),
            (".wh.opt", false, Said::Gone),
            ("opt/apache/.wh..wh..opq", false, Said::Gone),
            ("opt/other/.wh..wh..opq", false, Said::Nothing),
            (".wh..wh..opq", false, Said::Gone),
        ];
        for (name, is_folder, expected) in cases {
            assert_eq!(said_of(name.as_bytes(), is_folder, "opt/apache/beam/boot"), expected, "for {name}");
        }
    }
}

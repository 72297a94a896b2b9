//! An artifact's parts → an OCI image layout in a folder, written without Docker.
//!
//! The one idea: an image is a row of layers, and a runtime is a row of parts, so that a layer is a group of parts. A new
//! runtime with one other package is a new image with one other layer, and a registry, a node and a cache keep the rest.
//! Equal inputs give equal bytes, so equal digests, on every machine; `docs/formats/image.md` says what is in them, and
//! why a layer is not the artifact's own bytes.
//!
//! Whatever else an image needs, a program or a job, comes as entries ([`ImageRequest::extra`]), a layer for each group.
//! What starts is glibc's, so an image stands on a base: the layers and the settings of another layout ([`BaseImage`]).
//!
//! ```
//! use archive::{NoCache, PartSource, TreeEntry};
//! use image::{ImageRequest, ImageSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let notice = TreeEntry::bytes("opt/notice.txt".parse()?, *b"hello");
//! let request = ImageRequest {
//!     extra: vec![PartSource::new("notice", vec![notice])],
//!     settings: ImageSettings { user: Some("1000".to_owned()), ..ImageSettings::default() },
//!     ..ImageRequest::new(vocab::PlatformKey::LinuxX64)
//! };
//! let image = image::write(&folder.path().join("layout"), &request, &NoCache)?;
//! assert_eq!(image.layers.len(), 1);
//! assert!(folder.path().join("layout/blobs/sha256").join(image.digest.to_string()).is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Byte code of its modules is made by the runtime's own interpreter ([`byte_code_layers`]). Nothing here prints, reads the
//! environment, asks the time or reaches a network.

mod base_image;
mod blobs;
mod byte_code;
mod error;
mod layers;
mod oci;
mod settings;
mod write;

pub use base_image::BaseImage;
pub use byte_code::{ByteCodeError, CompiledTree, byte_code_layers, compile_modules};
pub use error::{ImageError, ImageErrorKind};
pub use layers::{LayerCompression, MOST_LAYERS, MOST_PACKAGE_LAYERS, RuntimeSource, package_layers, whiteout};
pub use settings::ImageSettings;
pub use write::{ImageLayer, ImageRequest, WrittenImage, write};

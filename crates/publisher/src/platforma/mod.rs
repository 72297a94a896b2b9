//! Publishing for Platforma: archives where its backend looks for them, and the files that its packages carry.
//!
//! A release is a package of the workspace with an artifact for each of its `roots`. Its archives go to the registry that
//! `package.json` names, its descriptors into the package's own `dist/`, from where npm takes them. `docs/publishing.md`
//! is the page for users.

mod catalogue_package;
mod descriptor;
mod earlier;
mod error;
mod missing_platforms;
mod package;
mod registry;
mod release;
mod run;

pub use catalogue_package::{CatalogueFiles, write_catalogue_files};
pub use earlier::{EarlierFile, FileDifference};
pub use error::PlatformaError;
pub use missing_platforms::MissingPlatforms;
pub use package::PlatformaPackage;
pub use registry::PlatformaRegistry;
pub use release::{PlatformaRelease, releases};
pub use run::{ReleaseOptions, ReleaseOutcome, ReleasedArchive, publish_release};

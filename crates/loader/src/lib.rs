//! Extensions on this machine: their Python distributions made ready, their operators run.
//!
//! The one idea: `extension` decides which distribution an extension needs, and an [`ExtensionHost`] makes it so, from an
//! archive, a folder, or what `installer` has installed. An [`OperatorHost`] keeps the Python servers that run operators.
//!
//! Nothing here prints or reads the environment; the program `pydist` does, which also gets, lists and removes runtimes by
//! way of `installer`.

mod bundle;
mod clean;
pub mod distribution;
mod even_zip;
mod extension_build;
mod extension_host;
mod loading;
mod operator_error;
mod operator_host;

pub use bundle::{BUNDLE_FORMAT, Bundle, BundleError, BundleRequest, bundle};
pub use clean::{Needless, needless};
pub use extension_build::{BuildError, BuildRequest, BuiltExtension, asked_by_folder, build};
pub use extension_host::{AskedDistribution, ExtensionHost, HostRequest, UnknownExtension};
pub use loading::{ExtensionStage, ExtensionState};
pub use operator_error::OperatorError;
pub use operator_host::{OperatorHost, OperatorRequest};

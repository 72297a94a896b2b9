//! Installs a published runtime on this machine: chosen from a catalogue, verified before anything of it is opened,
//! fetched by parts, installed beside the previous one.
//!
//! The one idea: trust goes from the key inwards. A public key vouches for the catalogue and the manifest, the
//! manifest's digests vouch for every part, and the installed tree can be compared with a record at any time. A
//! [`GetRequest`] goes in, [`get()`] returns the [`InstalledRuntime`] folder. A build appears in its [`Home`] complete
//! or not at all; the previous build stays, so that programs running from it continue, and a catalogue older than one
//! that was seen before is refused.
//!
//! ```
//! use installer::Home;
//!
//! let home = Home::new("/opt/runtimes");
//! let folder = home.folder(&"3.12.10-atls".parse()?, &vocab::Digest::of("build"));
//! assert!(folder.to_string_lossy().starts_with("/opt/runtimes/3.12.10-atls-"));
//! assert_eq!(home.current(&"3.12.10-atls".parse()?), None); // nothing is installed yet
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is installed is listed, verified, repaired, updated and removed here, too; [`Sources`] remembers where runtimes
//! come from, and with which keys. Nothing here prints or reads the environment; the program `pydist` does.

mod carry_over;
mod get;
mod get_error;
mod get_job;
mod home;
mod install_record;
mod installed;
mod installed_choice;
mod installed_default;
mod installed_error;
mod installed_remove;
mod installed_repair;
mod installed_size;
mod installed_use;
mod installed_verify;
mod kept_catalogue;
mod offer;
mod offer_request;
mod reusable;
mod sources;
mod trust;
mod update;

pub use get::{InstallOutcome, InstalledRuntime, get};
pub use get_error::{GetError, GetErrorKind, NotOffered};
pub use get_job::GetRequest;
pub use home::Home;
pub use install_record::InstallSource;
pub use installed::{BuildState, HomeRemains, Installed, InstalledBuild, RecordFault};
pub use installed_choice::{AskedVersion, RequestOrigin};
pub use installed_default::DefaultRuntime;
pub use installed_error::InstalledError;
pub use installed_remove::{HeldHome, PrunePlan, users_in_words};
pub use installed_repair::{RepairRequest, repair};
pub use installed_size::DiskUse;
pub use installed_use::{RuntimeUse, RuntimeUser, users_of};
pub use installed_verify::BuildVerdict;
pub use offer::{OfferError, OfferedBuild, on_offer};
pub use offer_request::OfferRequest;
pub use sources::{
    ChosenSource, GivenSource, KnownSource, NamedBy, SOURCES_FORMAT, SourceError, Sources, sources_schema,
};
pub use tree_table::{CompareDepth, TreeDamage};
pub use trust::{PublicKey, TrustError, signer_of};
pub use update::{UpdateError, UpdatePlan, UpdateRequest, plan_update, updatable, update};

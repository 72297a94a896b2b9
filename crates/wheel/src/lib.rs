//! Wheels: from a downloaded file to files in a prefix, following PEP 427 and the specifications based on it.
//!
//! The one idea: everything is decided before anything is written. [`unpack`] inflates a wheel into the store once per
//! machine and compares it with its digest, and every file with its RECORD. [`install_all`] takes unpacked wheels,
//! decides places, clashes and RECORDs for all of them together, and only then lays them out by reflink, hard link or
//! copy. So the result depends on the input alone and not on the timing of threads, and a wheel that would replace a
//! file of the interpreter is refused in time. Scripts find their interpreter relative to themselves: the prefix can be
//! moved.
//!
//! Which wheels fit a platform, and which fits best, is decided by [`WheelTarget::rank`]:
//!
//! ```
//! use vocab::PlatformKey;
//! use wheel::WheelTarget;
//!
//! let target = WheelTarget::new(PlatformKey::LinuxX64, "3.12.10".parse()?);
//! let compiled = target.rank("numpy-2.2.6-cp312-cp312-manylinux_2_17_x86_64.whl");
//! let pure = target.rank("numpy-2.2.6-py3-none-any.whl");
//! assert!(compiled.is_some() && compiled < pure); // smaller is better
//! assert!(target.rank("numpy-2.2.6-cp312-cp312-manylinux_2_39_x86_64.whl").is_none()); // too new a glibc
//! # Ok::<(), vocab::VersionStringError>(())
//! ```
//!
//! Choosing versions is up to the resolver, making wheels to `source-build`. Byte code is not compiled.

mod clash;
mod entry_points;
mod file_name;
mod former;
mod former_owner;
mod guard;
mod install;
mod install_error;
mod install_request;
mod launcher;
mod link;
mod metadata;
mod placement;
mod record_check;
mod remark;
mod script;
mod tags;
mod texts;
mod unpack;
mod unpack_error;
mod unpacked;
pub mod windows_launcher;
mod zip_table;

use std::io;

use store::Context;

pub use entry_points::EntryPoint;
pub use file_name::{WheelFileName, WheelFileNameError};
pub use former_owner::FormerOwner;
pub use install::{InstallDestination, InstalledAll, InstalledDistribution, InstalledFile, install, install_all};
pub use install_error::{InstallError, InstallErrorKind};
pub use install_request::{InstallRequest, WheelToInstall};
pub use link::{LinkMethod, place};
pub use metadata::{LARGEST_METADATA, WheelMetadata};
pub use remark::{Remark, RemarkKind};
pub use tags::{WheelRank, WheelTarget};
pub use unpack::{WheelBlob, seal, unpack, unpack_all};
pub use unpack_error::{UnpackError, UnpackErrorKind};
pub use unpacked::{UnpackedWheel, WheelContents, WheelEntry, stamp, verify_unpacked};

/// For work that keeps processors busy: at most as many threads as the context allows.
pub fn thread_pool(context: &Context) -> io::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(context.jobs.max(1)).build().map_err(io::Error::other)
}

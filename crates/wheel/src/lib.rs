//! Wheels: from a downloaded file to files in a prefix, as PEP 427 and the specifications that grew from it say.
//!
//! Two steps with the store between them. [`unpack`] inflates a wheel once per machine and holds it to its digest,
//! and every file to its RECORD. [`install_all`] lays unpacked wheels out in a prefix by reflink, hard link or copy, makes their
//! scripts relocatable and writes their RECORDs; its result depends on its input only, not on the order of threads.
//!
//! Which wheels these are is the resolver's matter, and making wheels the source build's. Byte code is not compiled.

mod clash;
mod entry_points;
mod file_name;
mod former;
mod guard;
mod install;
mod install_error;
mod launcher;
mod link;
mod metadata;
mod placement;
mod record_check;
mod record_format;
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
pub use guard::Owner;
pub use install::{
    Destination, InstallRequest, Installed, InstalledAll, InstalledFile, WheelToInstall, install, install_all,
};
pub use install_error::{InstallError, InstallErrorKind};
pub use link::{LinkMethod, place};
pub use metadata::{LARGEST_METADATA, WheelMetadata};
pub use remark::{Remark, RemarkKind};
pub use tags::{Rank, Target};
pub use unpack::{WheelBlob, seal, unpack, unpack_all};
pub use unpack_error::{UnpackError, UnpackErrorKind};
pub use unpacked::{Contents, Entry, UnpackedWheel, stamp, verify_unpacked};

/// As many threads as the context allows.
fn thread_pool(context: &Context) -> io::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(context.jobs.max(1)).build().map_err(io::Error::other)
}

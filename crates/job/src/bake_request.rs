//! How a job is to be baked, as plain data.

use std::path::PathBuf;

use jiff::civil::Date;
use vocab::PlatformKey;

/// What is asked of a bake, beyond what a check is asked.
#[derive(Clone, Debug)]
pub struct BakeRequest {
    pub platform: PlatformKey,
    /// Install exactly what it says, or fail.
    pub lock: Option<PathBuf>,
    /// Resolve anew even if the lock is fresh.
    pub update_lock: bool,
    /// Seconds since 1970, for every entry of the runtime.
    pub epoch: u64,
    /// Links data files where jobs with fixed paths look for them, in the worker image.
    pub data_prefix_compat: bool,
    pub today: Date,
}

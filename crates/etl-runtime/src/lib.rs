//! Serves an AIStore ETL class on a prebuilt Python runtime.
//!
//! A target starts a pod with a pickled class and lists of packages in its environment ([`Settings`]). What the runtime
//! has and the system offers are [`Facts`]; [`plan`](plan::plan) decides from both, without touching anything, what is installed
//! from where and how the server starts. Then [`install`] installs it and [`launch`] replaces this program by the
//! interpreter, with the entry module `python/server.py`, which serves by the SDK's own classes.
//!
//! ```
//! use etl_runtime::package_list;
//!
//! let items = package_list::split("numpy, pillow[a,b]>=9,<12,, ");
//! assert_eq!(items, ["numpy", "pillow[a,b]>=9,<12"]);
//! ```

pub mod delta;
pub mod facts;
pub mod install;
pub mod launch;
mod mounts;
pub mod os_packages;
pub mod package_list;
pub mod patience;
pub mod plan;
pub mod runtime_facts;
pub mod runtime_image;
pub mod settings;

pub use facts::Facts;
pub use plan::Plan;
pub use runtime_facts::RuntimeFacts;
pub use settings::{SettingError, Settings};

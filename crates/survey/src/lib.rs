//! The whole repository at a glance: which CI jobs it needs ([`matrix`]), what is out of date ([`check_all`],
//! [`outdated`]), what differs between two runtimes ([`compare`]), and a new version's folder ([`new_version`]).
//!
//! Configurations, locks, and what is published go in; plain data comes out, sorted, so that equal repositories give
//! equal answers. Nothing here builds. Only [`outdated`] and the online part of [`check_all`] ask an index.
//!
//! ```
//! use config_merger::Repository;
//! use survey::compare;
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = |name: &str| folder.path().join(name).display().to_string();
//! let lock = |version: &str| {
//!     let wheel = format!("demo-{version}-py3-none-any.whl");
//!     serde_json::json!({ "format": 2, "runtime": "3.12.10", "platforms": { "linux-x64": {
//!         "inputs": "0".repeat(64), "uv": "0.13.9", "distributions": [{ "name": "demo", "version": version,
//!             "source": { "kind": "wheel", "file": wheel, "sha256": "1".repeat(64) } }] } } })
//! };
//! std::fs::write(file("before.json"), lock("1.0").to_string())?;
//! std::fs::write(file("after.json"), lock("1.1").to_string())?;
//!
//! let repository = Repository::at(folder.path());
//! let read = |name| compare::read(&repository, &file(name)).expect("it is a lock");
//! let comparison = compare::compare(&read("before.json"), &read("after.json"));
//! assert_eq!(comparison.platforms[0].packages.len(), 1);
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod check_all;
pub mod compare;
pub mod matrix;
mod new_package;
pub mod new_version;
pub mod outdated;
pub mod resolver_python;
mod versions_side_by_side;

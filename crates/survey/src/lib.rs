//! The whole repository at a glance: which CI jobs it needs ([`matrix`]), what has aged ([`check_all`], [`outdated`]),
//! what differs between two runtimes ([`compare`]), and a new version's folder ([`new_version`]).

pub mod check_all;
pub mod compare;
pub mod matrix;
mod new_package;
pub mod new_version;
pub mod outdated;
pub mod repository_packages;
pub mod resolver_python;

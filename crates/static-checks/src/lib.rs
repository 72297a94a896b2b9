//! What can be said of a prefix without running anything in it.

pub mod system_libraries;

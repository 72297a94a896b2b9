//! Which libraries are the system's own, for each system. What a build collects and what a check accepts ask here.

pub mod linux;
pub mod macos;
pub mod windows;

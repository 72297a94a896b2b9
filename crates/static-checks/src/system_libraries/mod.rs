//! Which libraries are the system's own, for each system. What a build collects and what a check accepts ask here.

pub mod linux;
pub mod macos;
pub mod windows;

/// Lines of a committed list, which has comments.
fn rows(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

//! Which libraries each system provides itself. Builds that collect libraries and checks that accept them use this
//! list.

pub mod linux;
pub mod macos;
pub mod windows;

/// Lines of a committed list, which has comments.
fn rows(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

//! The ceiling, `oldestSystem` in configurations: a runtime must run on that version of its system, so nothing in it may
//! need a newer one. Default and comparison stand here alone; what is compared is found out where files are read.

use crate::{Os, PlatformKey, SystemVersion};

/// The ceiling unless the configuration has another. glibc 2.28, macOS 13.0; `None` for Windows, whose wheels state no
/// version.
pub fn default_ceiling(platform: PlatformKey) -> Option<SystemVersion> {
    match platform.os() {
        Os::Linux => Some(SystemVersion::new(2, 28)),
        Os::Macos => Some(SystemVersion::new(13, 0)),
        Os::Windows => None,
    }
}

/// Whether something that needs this version of a system, or of one of its libraries, is too new for a runtime with that
/// ceiling. What needs exactly the ceiling is not.
pub fn is_too_new<V: Ord>(needed: &V, ceiling: &V) -> bool {
    needed > ceiling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_the_ceiling_itself_is_not_too_new() {
        let ceiling = default_ceiling(PlatformKey::LinuxX64).unwrap();
        for (needed, too_new) in [((2, 5), false), ((2, 28), false), ((2, 29), true), ((3, 0), true)] {
            let needed = SystemVersion::new(needed.0, needed.1);
            assert_eq!(is_too_new(&needed, &ceiling), too_new, "for {needed}");
        }
        assert_eq!(default_ceiling(PlatformKey::WindowsX64), None);
    }
}

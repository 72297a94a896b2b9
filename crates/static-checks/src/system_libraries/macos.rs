//! macOS: by place. Source: these two folders are sealed with the system and belong to Apple alone (System Integrity
//! Protection), so whatever is found there comes with macOS; `/usr/local` and `/Library` are the user's. Since macOS 11
//! most of these libraries are in the cache of dyld alone, and no file shows them.

/// True for libraries that every Mac has.
pub fn is_system_path(path: &str) -> bool {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_below = below("/usr/lib") || below("/System/Library");
    is_below && !path.split('/').any(|segment| segment == "..")
}

/// Swift's own libraries, which code names without a place since they also come with old programs.
pub fn is_system_runtime(name: &str) -> bool {
    name.starts_with("libswift") && name.ends_with(".dylib")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_mac_has_is_told_by_its_place() {
        let cases = [
            ("/usr/lib/libSystem.B.dylib", true),
            ("/usr/lib/swift/libswiftCore.dylib", true),
            ("/usr/lib/swift", true),
            ("/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate", true),
            ("/usr/lib/../local/lib/libz.dylib", false),
            ("/usr/library/libz.dylib", false),
            ("/usr/local/lib/libz.dylib", false),
            ("/Library/Frameworks/Python.framework/Versions/3.12/Python", false),
            ("libz.dylib", false),
        ];
        for (path, expected) in cases {
            assert_eq!(is_system_path(path), expected, "for {path}");
        }
    }
}

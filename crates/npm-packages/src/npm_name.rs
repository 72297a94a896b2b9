//! npm's rules for names and versions. Both become parts of paths, so nothing else is accepted.

/// npm's own limit.
const LONGEST: usize = 214;

/// `name` or `@scope/name` of lower-case letters, digits, `-`, `.`, `_` and `~`.
pub fn is_npm_name(text: &str) -> bool {
    let part = |part: &str| {
        let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._~".contains(c);
        !part.is_empty() && !part.starts_with(['.', '_']) && part.chars().all(is_fine)
    };
    let parts = match text.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(text),
    };
    parts && text.len() <= LONGEST
}

/// A version by SemVer 2: three numbers, perhaps `-` and a pre-release, perhaps `+` and a build.
pub fn is_npm_version(text: &str) -> bool {
    let words = |words: &str| {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        words.split('.').all(|word| !word.is_empty() && word.chars().all(is_fine))
    };
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, release) = text.split_once('-').map_or((text, None), |(core, release)| (core, Some(release)));
    let number = |part: &str| {
        let padded = part.len() > 1 && part.starts_with('0');
        !part.is_empty() && !padded && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    core.split('.').count() == 3 && core.split('.').all(number) && release.is_none_or(words) && build.is_none_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_npms_and_no_paths() {
        for name in ["runenv", "@pydist/runenv-python-3.12.10", "a_b~c", "@a.b/c"] {
            assert!(is_npm_name(name), "{name}");
        }
        let long = "a".repeat(LONGEST + 1);
        for name in ["", "@scope", "@scope/", "../x", "@a/../b", "@a/b/c", "Python", "a b", ".hidden", "a\\b", &long] {
            assert!(!is_npm_name(name), "{name}");
        }
        for version in ["0.1.0", "1.2.3-rc.1", "1.2.3+build.5", "1.0.0-a-b"] {
            assert!(is_npm_version(version), "{version}");
        }
        for version in ["", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-../x", "1.2.3-a/b", "^1.2.3"] {
            assert!(!is_npm_version(version), "{version}");
        }
    }
}

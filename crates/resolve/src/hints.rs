//! uv's hints in words that can be followed here: users do not call uv, so its options and settings do not help them.

use std::collections::BTreeSet;

use vocab::{DistributionName, SystemVersion, is_too_new};

use wheel::WheelTarget;

const HINT: &str = "hint: ";

/// Hints that only a user of uv itself could follow.
const FOREIGN: [&str; 6] = ["`--", "=--", "uv pip", "tool.uv", "pyproject.toml", "exclude-newer"];

/// A refusal of the pinned uv, blank lines left out, with its hints translated; those of which nothing is left that
/// can be done here are dropped.
pub(crate) fn in_our_words(refusal: &str, target: &WheelTarget) -> String {
    let mut parts = Vec::new();
    for line in without_long_lists(refusal).lines() {
        match parts.last_mut() {
            Some(last) if !line.starts_with(HINT) => *last = format!("{last}\n{line}"),
            _ => parts.push(line.to_owned()),
        }
    }
    let translated = parts.iter().filter_map(|part| match part.strip_prefix(HINT) {
        Some(hint) => translate(hint, target).map(|hint| format!("{HINT}{hint}")),
        None => Some(part.clone()),
    });
    translated.collect::<Vec<_>>().join("\n")
}

fn translate(hint: &str, target: &WheelTarget) -> Option<String> {
    let quoted: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
    let name = quoted.first().copied().unwrap_or_default();
    if hint.contains("--index-strategy") {
        let index = hint.split_once(" was found on ").and_then(|(_, rest)| rest.split_once(", ")).map(|(url, _)| url);
        let index = index.map(|url| format!(", {url},")).unwrap_or_default();
        return Some(format!(
            "`{name}` is taken from the first index that has it{index} and that one lacks this version: name another in \
             `registries.pinned`, or list the default index first in `registries.additional`"
        ));
    }
    if hint.contains("declare it as a build dependency") {
        let name = name.split('@').next().unwrap_or_default();
        let needed = quoted.get(1).copied().unwrap_or_default();
        return Some(format!(
            "`{name}` needs `{needed}` for its build and does not say so: list both in a rule of \
             `packages.buildWheel`, `{needed}` in its `buildRequires`"
        ));
    }
    if hint.starts_with("Wheels are required for `") {
        return Some(format!("Wheels are required for `{name}`: nothing in the configuration has its source built"));
    }
    if hint.contains("--prerelease") {
        let example = hint.split_once("(e.g., ").and_then(|(_, rest)| rest.split_once(')')).map(|(version, _)| version);
        let example = example.map(|version| format!(", such as `{name}>={version}`")).unwrap_or_default();
        return Some(format!("`{name}` has only pre-releases that fit: name one in its requirement{example}"));
    }
    if hint.starts_with("Wheels are available for `") {
        return Some(match too_new(&quoted[1.min(quoted.len())..], target) {
            Some((tag, system)) => format!(
                "{hint}\n{HINT}`{tag}` needs a newer system than `oldestSystem` has for {}, {}: write {system} there, or \
                 ask for an older version",
                target.platform,
                target.system.map(|system| system.to_string()).unwrap_or_default(),
            ),
            None => hint.to_owned(),
        });
    }
    (!FOREIGN.iter().any(|sign| hint.contains(sign))).then(|| hint.to_owned())
}

/// The tag for this platform that asks for the least, and the system that it asks for; `None` if that is old enough.
fn too_new(tags: &[&str], target: &WheelTarget) -> Option<(String, SystemVersion)> {
    let ceiling = target.system?;
    let own = tags.iter().filter_map(|tag| Some((target.needed_system(tag)?, (*tag).to_owned())));
    // One without a version asks for an old system or for none.
    let own: Option<Vec<_>> = own.map(|(system, tag)| Some((system?, tag))).collect();
    let (system, tag) = own?.into_iter().min()?;
    is_too_new(&system, &ceiling).then_some((tag, system))
}

/// uv gives each version of a distribution a line, of some a hundred. Only the ends of a long list are kept.
fn without_long_lists(refusal: &str) -> String {
    const FEW: usize = 6;
    let lines: Vec<&str> = refusal.lines().collect();
    let mut kept = Vec::new();
    for list in lines.chunk_by(|one, next| pinned_name(one).is_some() && pinned_name(one) == pinned_name(next)) {
        match list {
            [first, middle @ .., last] if list.len() > FEW => {
                let indent = &first[..first.len() - first.trim_start().len()];
                let between = format!("{indent}… {} more between …", middle.len());
                kept.extend([(*first).to_owned(), between, (*last).to_owned()]);
            }
            _ => kept.extend(list.iter().map(|line| (*line).to_owned())),
        }
    }
    kept.join("\n")
}

/// Name and version of a line that is only `name==version`.
fn pinned_name(line: &str) -> Option<&str> {
    let (name, version) = line.trim().split_once("==")?;
    (!name.contains(' ') && !version.contains(' ')).then_some(name)
}

/// Lists a few versions; of many, gives their number and the ends of their range.
pub(super) fn named_versions(name: &DistributionName, versions: &BTreeSet<String>) -> String {
    const FEW: usize = 4;
    let mut versions: Vec<&String> = versions.iter().collect();
    versions.sort_by_cached_key(|version| version.parse::<pep440_rs::Version>().ok());
    match versions[..] {
        [first, .., last] if versions.len() > FEW => {
            format!("{} versions of {name} from {first} to {last}", versions.len())
        }
        _ => versions.iter().map(|version| format!("{name} {version}")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use vocab::PlatformKey;

    use super::*;

    #[test]
    fn of_a_long_list_of_versions_the_ends_are_told() {
        let list: String = (0..9).map(|minor| format!("          demo==1.{minor}\n")).collect();
        let refusal =
            format!("Because only the following versions of demo are available:\n{list}          demo>=2\nand");
        let told = without_long_lists(&refusal);
        let expected = "Because only the following versions of demo are available:\n          demo==1.0\n          … 7 \
                        more between …\n          demo==1.8\n          demo>=2\nand";
        assert_eq!(told, expected);
        let short = "versions:\n  a==1\n  a==2\n  b==1\n  b==2\n  c==1\n  c==2\n  d==1";
        assert_eq!(without_long_lists(short), short);
    }

    #[test]
    fn versions_are_told_in_their_own_order_and_many_as_a_range() {
        let name: DistributionName = "demo".parse().unwrap();
        let versions = |all: &[&str]| all.iter().map(|version| (*version).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(named_versions(&name, &versions(&["1.10", "1.9"])), "demo 1.9, demo 1.10");
        let many = versions(&["6.1.0", "6.10.0", "6.2.0", "6.9.0", "6.0.0a1"]);
        assert_eq!(named_versions(&name, &many), "5 versions of demo from 6.0.0a1 to 6.10.0");
    }

    /// Hints as uv 0.13.9 writes them, and what becomes of each.
    #[test]
    fn cases_field_hints_nobody_can_follow_and_platform_3_14_6_onnx() {
        let cases = [
            (
                "`six` was found on http://127.0.0.1:8971/index, but not at the requested version (six==1.17.0). A \
                 compatible version may be available on a subsequent index (e.g., https://default.example/simple). By \
                 default, uv will only consider versions that are published on the first index that contains a given \
                 package, to avoid dependency confusion attacks. If all indexes are equally trusted, use \
                 `--index-strategy unsafe-best-match` to consider all versions from all indexes, regardless of the order \
                 in which they were defined.",
                "hint: `six` is taken from the first index that has it, http://127.0.0.1:8971/index, and that one lacks \
                 this version: name another in `registries.pinned`, or list the default index first in \
                 `registries.additional`",
            ),
            (
                "This error likely indicates that `scikit-bio@0.5.6` depends on `numpy`, but doesn't declare it as a \
                 build dependency. If `scikit-bio` is a first-party package, consider adding `numpy` to its \
                 `build-system.requires`. Otherwise, either add it to your `pyproject.toml` \
                 under:\n[tool.uv.extra-build-dependencies]\nscikit-bio = [\"numpy\"]\nor `uv pip install numpy` into \
                 the environment and re-run with `--no-build-isolation`.",
                "hint: `scikit-bio` needs `numpy` for its build and does not say so: list both in a rule of \
                 `packages.buildWheel`, `numpy` in its `buildRequires`",
            ),
            (
                "Wheels are available for `onnxruntime` (v1.32.0) on the following platforms: \
                 `manylinux_2_28_aarch64`, `manylinux_2_28_x86_64`, `macosx_14_0_arm64`, `win_amd64`, `win_arm64`",
                "hint: Wheels are available for `onnxruntime` (v1.32.0) on the following platforms: \
                 `manylinux_2_28_aarch64`, `manylinux_2_28_x86_64`, `macosx_14_0_arm64`, `win_amd64`, \
                 `win_arm64`\nhint: `macosx_14_0_arm64` needs a newer system than `oldestSystem` has for \
                 macosx-aarch64, 13.0: write 14.0 there, or ask for an older version",
            ),
            (
                "Wheels are available for `demo` (v1.0) on the following platform: `win_amd64`",
                "hint: Wheels are available for `demo` (v1.0) on the following platform: `win_amd64`",
            ),
            (
                "Wheels are required for `pycosat` because building from source is disabled for all packages (i.e., \
                 with `--no-build`)",
                "hint: Wheels are required for `pycosat`: nothing in the configuration has its source built",
            ),
            (
                "Packages were unavailable because the network was disabled. When the network is disabled, registry \
                 packages may only be read from the cache.",
                "hint: Packages were unavailable because the network was disabled. When the network is disabled, \
                 registry packages may only be read from the cache.",
            ),
            (
                "Pre-releases are available for `demo` in the requested range (e.g., 2.0a1), but pre-releases weren't \
                 enabled (try: `--prerelease=allow`)",
                "hint: `demo` has only pre-releases that fit: name one in its requirement, such as `demo>=2.0a1`",
            ),
            ("`demo` was filtered by `exclude-newer-package`", ""),
            ("Use `--find-links <uri>` to look further", ""),
        ];
        let target = WheelTarget::new(PlatformKey::MacosxAarch64, "3.14.6".parse().unwrap());
        for (hint, expected) in cases {
            let refusal = format!("No solution found\n  cause: it is so\nhint: {hint}");
            let expected = format!("No solution found\n  cause: it is so\n{expected}");
            assert_eq!(in_our_words(&refusal, &target), expected.trim_end());
        }
    }

    #[test]
    fn every_hint_is_translated_by_itself() {
        let target = WheelTarget::new(PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        let refusal = "No solution\nhint: keep this\nhint: use `--no-sources`\n[tool.uv]\nhint: and this";
        assert_eq!(in_our_words(refusal, &target), "No solution\nhint: keep this\nhint: and this");
    }
}

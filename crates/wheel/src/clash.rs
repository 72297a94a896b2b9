//! Which wheel wins a path that several install. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use archive::NameRules;
use vocab::{Digest, DistributionName, FileClash, TreePath};

use super::install_error::InstallErrorKind;

/// What a wheel wants to install.
pub(super) struct InstallClaim<'a> {
    pub name: &'a DistributionName,
    /// Named in the configuration, rather than required by another distribution.
    pub requested: bool,
    pub files: BTreeMap<&'a TreePath, Digest>,
}

/// One per claim, in the order of the input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClashVerdict {
    /// Sorted by path.
    pub clashes: Vec<FileClash>,
    /// Paths that are not created for this claim, because another's file is there.
    pub not_made: Vec<HashSet<TreePath>>,
    /// Those of them whose content differs from this claim's own, so that its RECORD must not list them.
    pub not_owned: Vec<HashSet<TreePath>>,
}

/// The error with the index of the claim at fault.
pub(super) type ClaimRefusal = (usize, InstallErrorKind);

/// A requested distribution beats a required one; among equals the alphabetically first wins. Equal content is not a
/// clash. `rules` are the platform's.
pub(super) fn settle(claims: &[InstallClaim<'_>], rules: NameRules) -> Result<ClashVerdict, ClaimRefusal> {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|index| (!claims[*index].requested, claims[*index].name));
    let mut verdict = ClashVerdict {
        not_made: vec![HashSet::new(); claims.len()],
        not_owned: vec![HashSet::new(); claims.len()],
        ..ClashVerdict::default()
    };
    let mut taken: HashMap<String, (usize, &TreePath, Digest)> = HashMap::new();
    for index in order {
        for (path, digest) in &claims[index].files {
            let key = rules.key(path.as_str()).into_owned();
            match taken.get(&key) {
                None => {
                    taken.insert(key, (index, path, *digest));
                }
                Some((holder, other, _)) if *holder == index => {
                    let (path, other) = ((*path).clone(), (*other).clone());
                    return Err((index, InstallErrorKind::CaseClash { path, other }));
                }
                Some((_, other, held)) if held == digest && other == path => {
                    verdict.not_made[index].insert((*path).clone());
                }
                Some((holder, _, _)) => {
                    verdict.not_made[index].insert((*path).clone());
                    verdict.not_owned[index].insert((*path).clone());
                    let (kept, dropped) = (claims[*holder].name.clone(), claims[index].name.clone());
                    verdict.clashes.push(FileClash { path: (*path).clone(), kept, dropped });
                }
            }
        }
    }
    files_and_folders(claims, &taken, rules)?;
    verdict.clashes.sort_by(|one, other| (&one.path, &one.dropped).cmp(&(&other.path, &other.dropped)));
    Ok(verdict)
}

/// Refuses a file where another one needs a folder.
fn files_and_folders(
    claims: &[InstallClaim<'_>],
    taken: &HashMap<String, (usize, &TreePath, Digest)>,
    rules: NameRules,
) -> Result<(), ClaimRefusal> {
    let mut seen: HashSet<TreePath> = HashSet::new();
    let mut faults: Vec<(TreePath, usize, usize)> = Vec::new();
    let mut placed: Vec<_> = taken.values().map(|(index, path, _)| (*path, *index)).collect();
    placed.sort();
    for (path, index) in placed {
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
            parent = folder.parent();
            if let Some((holder, file, _)) = taken.get(&*rules.key(folder.as_str())) {
                faults.push(((*file).clone(), *holder, index));
            }
            if !seen.insert(folder) {
                break;
            }
        }
    }
    match faults.into_iter().min_by(|one, other| (&one.0, claims[one.2].name).cmp(&(&other.0, claims[other.2].name))) {
        Some((path, holder, index)) => {
            Err((holder, InstallErrorKind::FileAndFolder { path, other: claims[index].name.clone() }))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use archive::NameRules::{CaseInsensitive, CaseSensitive};

    use super::*;

    /// `name! path=content …`, with `!` for requested.
    fn settled(wheels: &[&str], rules: NameRules) -> Result<ClashVerdict, String> {
        type Parsed = (DistributionName, bool, Vec<(TreePath, Digest)>);
        let parsed: Vec<Parsed> = wheels
            .iter()
            .map(|wheel| {
                let mut words = wheel.split(' ');
                let name = words.next().unwrap();
                let files = words.map(|word| word.split_once('=').unwrap());
                let files = files.map(|(path, content)| (path.parse().unwrap(), Digest::of(content))).collect();
                (name.trim_end_matches('!').parse().unwrap(), name.ends_with('!'), files)
            })
            .collect();
        let claims: Vec<InstallClaim<'_>> = parsed
            .iter()
            .map(|(name, requested, files)| InstallClaim {
                name,
                requested: *requested,
                files: files.iter().map(|(path, digest)| (path, *digest)).collect(),
            })
            .collect();
        settle(&claims, rules).map_err(|(index, kind)| format!("{}: {kind}", claims[index].name))
    }

    fn shown(wheels: &[&str], rules: NameRules) -> Vec<String> {
        let verdict = settled(wheels, rules).unwrap();
        verdict.clashes.iter().map(|clash| format!("{} {}>{}", clash.path, clash.kept, clash.dropped)).collect()
    }

    #[test]
    fn a_requested_wheel_beats_a_required_one_then_the_alphabet_decides() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["b x=1", "a x=2"], &["x a>b"]),
            (&["b! x=1", "a x=2"], &["x b>a"]),
            (&["b! x=1", "a! x=2"], &["x a>b"]),
            (&["b x=1", "a x=1"], &[]),
            (&["c x=1", "b x=2", "a! y=1"], &["x b>c"]),
        ];
        for (wheels, expected) in cases {
            assert_eq!(shown(wheels, CaseSensitive), expected, "for {wheels:?}");
            let reversed: Vec<&str> = wheels.iter().rev().copied().collect();
            assert_eq!(shown(&reversed, CaseSensitive), expected, "for {reversed:?}");
        }
    }

    #[test]
    fn equal_content_is_made_once_and_owned_by_both() {
        let verdict = settled(&["b x=1", "a x=1"], CaseSensitive).unwrap();
        assert_eq!((verdict.not_made[0].len(), verdict.not_made[1].len()), (1, 0));
        assert!(verdict.not_owned.iter().all(HashSet::is_empty));
    }

    #[test]
    fn where_case_is_ignored_names_that_differ_in_case_clash() {
        assert!(shown(&["a X=1", "b x=2"], CaseSensitive).is_empty());
        assert_eq!(shown(&["a X=1", "b x=2"], CaseInsensitive), ["x a>b"]);
        // Letters with several lower-case forms, and those that are written in two ways.
        assert_eq!(shown(&["a ΣΣ=1", "b σς=2"], CaseInsensitive), ["σς a>b"]);
        assert_eq!(shown(&["a \u{e9}=1", "b e\u{301}=2"], CaseSensitive), ["e\u{301} a>b"]);
        let own = settled(&["a X=1 x=2"], CaseInsensitive).unwrap_err();
        assert_eq!(own, "a: its files `x` and `X` would be the same file on this platform");
    }

    #[test]
    fn a_file_cannot_be_where_another_wheel_needs_a_folder() {
        let fault = settled(&["a x/y/z=1", "b x=2"], CaseSensitive).unwrap_err();
        assert_eq!(fault, "b: it has a file where `a` needs a folder: `x`");
    }
}

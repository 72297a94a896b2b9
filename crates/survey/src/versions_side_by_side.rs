//! Which of the versions that two sides have of one distribution belong together. Where each requirement is resolved
//! alone, a runtime holds several.

use std::collections::BTreeSet;

use pep440_rs::Version;
use vocab::DistributionName;

/// One version of a distribution on one side.
pub(crate) trait OneVersion {
    fn version(&self) -> Option<&str>;
    /// The requirements that bring it; none where all are resolved together.
    fn brought_by(&self) -> &BTreeSet<DistributionName>;
}

/// Whether two versions are a pair.
type BelongTogether<'a, T> = &'a dyn Fn(&T, &T) -> bool;

/// Pairs them: first those that are `same`, then those of the same version, then those that a requirement brings on
/// both sides, then the others in ascending order. What is left over has no counterpart.
pub(crate) fn pairs<'a, T: OneVersion>(
    before: &'a [T],
    after: &'a [T],
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let (mut older, mut newer) = (ascending(before), ascending(after));
    let mut pairs = Vec::new();
    let same_version = |one: &T, other: &T| one.version() == other.version();
    let same_requirement = |one: &T, other: &T| !one.brought_by().is_disjoint(other.brought_by());
    let belongs: [BelongTogether<'_, T>; 4] = [&same, &same_version, &same_requirement, &|_, _| true];
    for belong in belongs {
        older.retain(|one| {
            let Some(place) = newer.iter().position(|other| belong(one, other)) else { return true };
            pairs.push((Some(*one), Some(newer.remove(place))));
            false
        });
    }
    pairs.extend(older.into_iter().map(|one| (Some(one), None)));
    pairs.extend(newer.into_iter().map(|other| (None, Some(other))));
    pairs.sort_by_key(|(one, other)| one.or(*other).and_then(parsed));
    pairs
}

fn ascending<T: OneVersion>(versions: &[T]) -> Vec<&T> {
    let mut sorted: Vec<&T> = versions.iter().collect();
    sorted.sort_by_key(|one| parsed(*one));
    sorted
}

fn parsed<T: OneVersion>(one: &T) -> Option<Version> {
    one.version()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(&'static str, BTreeSet<DistributionName>);

    impl OneVersion for One {
        fn version(&self) -> Option<&str> {
            Some(self.0)
        }

        fn brought_by(&self) -> &BTreeSet<DistributionName> {
            &self.1
        }
    }

    #[test]
    fn each_version_is_compared_with_the_one_that_took_its_place() {
        type Case = (&'static [&'static str], &'static [&'static str], &'static [(&'static str, &'static str)]);
        // Each side as `version requirement`.
        let cases: [Case; 7] = [
            (&["1.26"], &["2.2"], &[("1.26", "2.2")]),
            (&["1.26", "2.2"], &["1.26", "2.3"], &[("1.26", "1.26"), ("2.2", "2.3")]),
            (&["1.26", "2.2"], &["2.2"], &[("1.26", ""), ("2.2", "2.2")]),
            (&["1.26"], &["1.26", "2.2"], &[("1.26", "1.26"), ("", "2.2")]),
            (&["1.9", "1.10"], &["1.11", "1.9.1"], &[("1.9", "1.9.1"), ("1.10", "1.11")]),
            // As text the other way round; by what brings them the order does not matter.
            (&["1.9 a", "1.10 b"], &["3.0 a", "2.0 b"], &[("1.9", "3.0"), ("1.10", "2.0")]),
            (&[], &["1.0"], &[("", "1.0")]),
        ];
        for (before, after, expected) in cases {
            let side = |words: &[&'static str]| -> Vec<One> {
                let one = |word: &&'static str| {
                    let (version, by) = word.split_once(' ').unwrap_or((word, ""));
                    One(version, by.split_whitespace().map(|name| name.parse().unwrap()).collect())
                };
                words.iter().map(one).collect()
            };
            let (before, after) = (side(before), side(after));
            let found = pairs(&before, &after, |one, other| one.0 == other.0);
            let text = |one: Option<&One>| one.map_or("", |one| one.0);
            let found: Vec<_> = found.into_iter().map(|(one, other)| (text(one), text(other))).collect();
            assert_eq!(found, expected);
        }
    }
}

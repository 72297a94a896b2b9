//! The catalogue depends on what was written and on nothing else.

use catalogue::{ArtifactEntry, Catalogue, Channel, Promotion, Restoration, Retraction};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::common::{entry, moment};

fn rows(catalogue: &Catalogue) -> Vec<String> {
    let row = |row: &catalogue::CatalogueRow| {
        let format = row.artifact.format.extension();
        format!("{} {} {format} {} {}", row.runtime, row.platform, row.created.date(), row.channel)
    };
    let retracted = catalogue.retracted.iter().map(|it| format!("{}: retracted, {}", row(&it.entry), it.reason));
    catalogue.entries.iter().map(row).chain(retracted).collect()
}

fn everything() -> (Vec<ArtifactEntry>, Vec<Retraction>, Vec<Promotion>) {
    let entries: Vec<ArtifactEntry> = [
        "3.12.10 linux-x64 a tar.zst 3 candidate",
        "3.12.10 linux-x64 a zip 3 stable",
        "3.12.10 linux-x64 b tar.zst 9 candidate",
        "3.12.10-atls linux-x64 a tar.zst 5 candidate",
        "3.12.10-atls macosx-aarch64 a tar.zst 5 stable",
        "3.9.2 windows-x64 a zip 1 stable",
        // One id twice: somebody built it again, later.
        "3.9.2 windows-x64 a zip 2 stable",
    ]
    .map(entry)
    .into();
    let retractions = vec![
        Retraction::new(entries[0].id(), moment(20), "it cannot import numpy".into()),
        Retraction::new(entries[0].id(), moment(21), "said again".into()),
    ];
    let promotions = vec![
        Promotion::new(entries[3].id(), moment(6), Channel::Stable),
        Promotion::new(entries[4].id(), moment(6), Channel::Stable),
        Promotion::new(entries[4].id(), moment(7), Channel::Candidate),
    ];
    (entries, retractions, promotions)
}

#[test]
fn rows_are_sorted_and_say_what_was_last_decided() {
    let (entries, retractions, promotions) = everything();
    let catalogue = Catalogue::derive(&entries, &retractions, &promotions);
    insta::assert_snapshot!(rows(&catalogue).join("\n"), @r"
    3.9.2 windows-x64 zip 2026-11-01 stable
    3.12.10 linux-x64 tar.zst 2026-11-09 candidate
    3.12.10 linux-x64 zip 2026-11-03 stable
    3.12.10-atls linux-x64 tar.zst 2026-11-05 stable
    3.12.10-atls macosx-aarch64 tar.zst 2026-11-05 candidate
    3.12.10 linux-x64 tar.zst 2026-11-03 candidate: retracted, it cannot import numpy
    ");
}

#[test]
fn what_was_retracted_is_found_by_digest_with_its_reason() {
    let (entries, retractions, promotions) = everything();
    let catalogue = Catalogue::derive(&entries, &retractions, &promotions);
    let (row, reason) = catalogue.by_digest(&entries[0].artifact.sha256).unwrap();
    assert_eq!((row.id(), reason), (entries[0].id(), Some("it cannot import numpy")));
    let (row, reason) = catalogue.by_digest(&entries[1].artifact.sha256).unwrap();
    assert_eq!((row.id(), reason), (entries[1].id(), None));
    assert_eq!(catalogue.by_digest(&vocab::Digest::of("other")), None);
}

#[test]
fn what_is_said_about_an_entry_that_is_not_there_has_no_effect() {
    let (entries, _, _) = everything();
    let absent = entry("3.13.1 linux-x64 a zip 1 stable").id();
    let with = Catalogue::derive(
        &entries,
        &[Retraction::new(absent.clone(), moment(1), "gone".into())],
        &[Promotion::new(absent, moment(1), Channel::Stable)],
    );
    assert_eq!(with, Catalogue::derive(&entries, &[], &[]));
}

#[test]
fn case_client_retract_empty_reason_a_later_restoration_takes_a_retraction_back() {
    let (first, second) =
        (entry("3.12.10 linux-x64 a zip 1 stable").id(), entry("3.12.10 linux-x64 b zip 1 stable").id());
    let cases = [
        // (days of restorations of the same entry, days of those of another, whether a retraction of day 6 stands)
        (vec![], vec![7], true),
        (vec![5], vec![], true),
        (vec![6], vec![], true),
        (vec![7], vec![], false),
        (vec![7, 5], vec![], false),
    ];
    let retraction = Retraction::new(first.clone(), moment(6), "it cannot import numpy".into());
    for (own, other, stands) in cases {
        let own = own.iter().map(|day| Restoration::new(first.clone(), moment(*day)));
        let other = other.iter().map(|day| Restoration::new(second.clone(), moment(*day)));
        let all: Vec<Restoration> = own.chain(other).collect();
        assert_eq!(retraction.stands(&all), stands, "for {all:?}");
    }
}

/// Some of `all`, some of them twice, in any order.
fn mixed<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    let number = all.len();
    (subsequence(all, 0..=number), any::<prop::sample::Selector>()).prop_flat_map(|(some, selector)| {
        let mut twice = some.clone();
        if !some.is_empty() {
            twice.push(selector.select(some.iter()).clone());
        }
        (Just(some), Just(twice).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_repetition_changes_a_byte(
        (entries, entries_mixed) in mixed(everything().0),
        (retractions, retractions_mixed) in mixed(everything().1),
        (promotions, promotions_mixed) in mixed(everything().2),
    ) {
        let plain = Catalogue::derive(&entries, &retractions, &promotions);
        let mixed = Catalogue::derive(&entries_mixed, &retractions_mixed, &promotions_mixed);
        prop_assert_eq!(plain.to_text(), mixed.to_text());
        prop_assert_eq!(Catalogue::read(plain.to_text().as_bytes()).unwrap(), plain);
    }

    #[test]
    fn every_entry_is_listed_once_offered_or_retracted(
        (entries, entries_mixed) in mixed(everything().0),
        (retractions, _) in mixed(everything().1),
    ) {
        let catalogue = Catalogue::derive(&entries_mixed, &retractions, &[]);
        let mut listed: Vec<_> = catalogue.entries.iter().map(catalogue::CatalogueRow::id).collect();
        listed.extend(catalogue.retracted.iter().map(|row| row.entry.id()));
        let mut expected: Vec<_> = entries.iter().map(ArtifactEntry::id).collect();
        for ids in [&mut listed, &mut expected] {
            ids.sort();
        }
        expected.dedup();
        prop_assert_eq!(listed, expected);
        let withdrawn = |id| retractions.iter().any(|retraction| retraction.entry == id);
        prop_assert!(catalogue.entries.iter().all(|row| !withdrawn(row.id())));
        prop_assert!(catalogue.retracted.iter().all(|row| withdrawn(row.entry.id())));
    }
}

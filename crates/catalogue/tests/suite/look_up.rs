//! What a reader gets, and what is said where there is nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use catalogue::{BuildQuery, Catalogue, Channel, Retraction};
use vocab::{ArtifactFormat, Exit, Fault};

use crate::common::{entry, moment};

fn catalogue() -> Catalogue {
    let entries = [
        "3.12.10 linux-x64 a tar.zst 3 stable",
        "3.12.10 linux-x64 a zip 3 stable",
        "3.12.10 linux-x64 b tar.zst 9 candidate",
        "3.12.10 macosx-x64 b zip 9 candidate",
        "3.12.10-atls linux-x64 a tar.zst 5 stable",
        "3.10.11 linux-x64 a tar.zst 5 stable",
    ]
    .map(entry);
    let bad = Retraction::new(entries[5].id(), moment(6), "it holds a broken OpenSSL".into());
    Catalogue::derive(&entries, &[bad], &[])
}

fn query(words: &str) -> BuildQuery {
    let words: Vec<&str> = words.split(' ').collect();
    let mut query = BuildQuery::new(words[0].parse().unwrap(), words[1].parse().unwrap(), words[2].parse().unwrap());
    if let Some(format) = words.get(3) {
        query.formats = vec![serde_json::from_value((*format).into()).unwrap()];
    }
    query
}

#[test]
fn the_newest_build_of_the_channel_is_found_in_the_smallest_format() {
    let cases = [
        // (asked for, day and format of what is found)
        ("3.12.10 linux-x64 stable", "2026-11-03 tar.zst"),
        ("3.12.10 linux-x64 stable zip", "2026-11-03 zip"),
        ("3.12.10 linux-x64 candidate", "2026-11-09 tar.zst"), // newer than the stable one
        ("3.12.10 macosx-x64 candidate", "2026-11-09 zip"),
        ("3.12.10-atls linux-x64 candidate", "2026-11-05 tar.zst"), // what is stable was a candidate
    ];
    for (asked, expected) in cases {
        let catalogue = catalogue();
        let found = catalogue.look_up(&query(asked)).unwrap();
        let found = format!("{} {}", found.created.date(), found.artifact.format.extension());
        assert_eq!(found, expected, "for {asked}");
    }
}

#[test]
fn what_is_missing_is_told_with_what_there_is() {
    let asked = [
        "3.12.10-atsl linux-x64 stable",
        "3.12.10-atls windows-x64 stable",
        "3.12.10 macosx-x64 stable",
        "3.12.10 linux-x64 stable tar.gz",
        "3.10.11 linux-x64 stable",
    ];
    let told = asked.map(|words| {
        let error = catalogue().look_up(&query(words)).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        format!("{}: {error}; {}", error.code(), error.hint().unwrap())
    });
    insta::assert_snapshot!(told.join("\n"), @r"
    E_CATALOGUE_MISSING: the catalogue has no runtime `3.12.10-atsl`; there are 3.12.10-atls, 3.12.10
    E_CATALOGUE_MISSING: the catalogue has no 3.12.10-atls for windows-x64; there is one for linux-x64
    E_CATALOGUE_MISSING: the catalogue has 3.12.10 for macosx-x64 only as a candidate, not in the channel stable; ask for the channel candidate, or wait until it is promoted
    E_CATALOGUE_MISSING: the catalogue has 3.12.10 for linux-x64 in no format that was asked for; there is tar.zst, zip
    E_CATALOGUE_RETRACTED: every 3.10.11 for linux-x64 was retracted, the last one because: it holds a broken OpenSSL; choose another version
    ");
    let empty = Catalogue::derive(&[], &[], &[]).look_up(&query(asked[0])).unwrap_err();
    assert_eq!(empty.hint().as_deref(), Some("the catalogue is empty"));
    assert_eq!(
        BuildQuery::new("3.1.2".parse().unwrap(), "linux-x64".parse().unwrap(), Channel::Stable).formats[0],
        ArtifactFormat::TarZst
    );
}

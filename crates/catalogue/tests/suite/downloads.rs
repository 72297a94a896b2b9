//! The lists that uv reads.

use catalogue::{Catalogue, downloads};

use crate::common::entry;

#[test]
fn each_variant_has_a_list_of_what_is_stable_and_readable() {
    let entries = [
        "3.12.10 linux-x64 a tar.zst 3 stable",
        "3.12.10 linux-x64 a tar 3 stable",
        "3.12.10 linux-x64 a zip 3 stable",
        "3.12.10 linux-x64 a tar.gz 3 stable",
        "3.12.10 linux-x64 b zip 9 candidate", // newer, and not stable
        "3.12.10 macosx-aarch64 a tar 4 stable",
        "3.12.10 windows-x64 a tar.zst 4 stable", // uv would read its first frame only
        "3.12.10 macosx-x64 a zip 4 stable",
        "3.12.10 macosx-x64 a tar 4 stable",
        "3.12.10-atls linux-aarch64 a zip 5 stable",
        "3.12.10-slim linux-x64 a zip 5 candidate",
    ]
    .map(entry);
    let lists = downloads(&Catalogue::derive(&entries, &[], &[]), "https://runtimes.example/p/");
    let rows: Vec<String> = lists
        .iter()
        .flat_map(|(list, text)| {
            let rows: serde_json::Value = serde_json::from_str(text).unwrap();
            let row = |(key, row): (&String, &serde_json::Value)| {
                let url = row["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                format!("{list} {key} {url} {}", row["build"])
            };
            rows.as_object().unwrap().iter().map(row).collect::<Vec<_>>()
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    downloads.json cpython-3.12.9-darwin-aarch64-none pydist-python-3.12.9-macos-aarch64.tar "20261104"
    downloads.json cpython-3.12.9-darwin-x86_64-none pydist-python-3.12.9-macos-x86_64.zip "20261104"
    downloads.json cpython-3.12.9-linux-x86_64-gnu pydist-python-3.12.9-linux-x86_64.tar.gz "20261103"
    downloads/atls.json cpython-3.12.9-linux-aarch64-gnu pydist-atls-3.12.9-linux-aarch64.zip "20261105"
    "#);
}

#[test]
fn the_release_that_was_asked_for_stands_before_a_stand_in() {
    // Both are 3.12.9 to uv.
    let mut exact = entry("3.12.9 linux-x64 a zip 1 stable");
    exact.python.stand_in = false;
    let stand_in = entry("3.12.10 linux-x64 a zip 9 stable");
    let lists = downloads(&Catalogue::derive(&[stand_in, exact.clone()], &[], &[]), "https://runtimes.example");
    let list: serde_json::Value = serde_json::from_str(&lists["downloads.json"]).unwrap();
    let row = &list["cpython-3.12.9-linux-x86_64-gnu"];
    assert_eq!(row["url"], format!("https://runtimes.example/{}", exact.artifact.key));
    assert_eq!(row["sha256"], exact.artifact.sha256.to_string());
}

#[test]
fn an_empty_catalogue_has_an_empty_list() {
    let lists = downloads(&Catalogue::derive(&[], &[], &[]), "https://runtimes.example");
    assert_eq!(lists.into_iter().collect::<Vec<_>>(), [("downloads.json".to_owned(), "{}\n".to_owned())]);
}

//! Lists of Pythons that uv installs from: `uv python install --python-downloads-json-url <base>/downloads.json`.
//!
//! uv names an interpreter by implementation, version, system and processor and has no variants, so each variant has a
//! list of its own. Of our formats it reads tar.gz, zip and tar. Of a compressed tar it reads the first member only
//! (seen with uv 0.13.9): our tar.gz has only one, our tar.zst has many. A runtime in none of the three formats is not
//! listed.

use std::collections::BTreeMap;

use serde::Serialize;
use vocab::{Arch, ArtifactFormat, Digest, Os, PlatformKey};

use crate::{Catalogue, CatalogueRow, Channel, object_keys};

/// The formats that uv can read, the best first: a tar.gz is half the size of a zip, which contains copies in place of
/// links, and installs with links.
const FORMATS: [ArtifactFormat; 3] = [ArtifactFormat::TarGz, ArtifactFormat::Zip, ArtifactFormat::Tar];

/// A row of uv's list. Source: `crates/uv-python/download-metadata.json` of uv.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct UvDownload {
    name: &'static str,
    arch: UvProcessor,
    os: &'static str,
    libc: &'static str,
    major: u16,
    minor: u16,
    patch: u16,
    prerelease: &'static str,
    url: String,
    sha256: Digest,
    variant: Option<&'static str>,
    /// uv compares it as text to decide whether something newer exists.
    build: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct UvProcessor {
    family: &'static str,
    variant: Option<&'static str>,
}

/// Object key → text, always including `downloads.json`. `base` is the URL of the destination's prefix: uv needs full
/// URLs. Lists only stable runtimes; of rows that uv cannot distinguish, the one that is not a stand-in, then the
/// newest.
pub fn downloads(catalogue: &Catalogue, base: &str) -> BTreeMap<String, String> {
    let mut lists: BTreeMap<String, BTreeMap<String, (&CatalogueRow, UvDownload)>> = BTreeMap::new();
    lists.insert(object_keys::DOWNLOADS.to_owned(), BTreeMap::new());
    let offered = catalogue.entries.iter().filter(|row| row.channel == Channel::Stable);
    for row in offered.filter(|row| rank(row).is_some()) {
        let (key, download) = download(row, base);
        let list = lists.entry(key_of_list(row)).or_default();
        if list.get(&key).is_none_or(|(kept, _)| preference(row) < preference(kept)) {
            list.insert(key, (row, download));
        }
    }
    let text = |list: BTreeMap<String, (&CatalogueRow, UvDownload)>| {
        let list: BTreeMap<String, UvDownload> = list.into_iter().map(|(key, (_, download))| (key, download)).collect();
        crate::text::to_text(&list)
    };
    lists.into_iter().map(|(key, list)| (key, text(list))).collect()
}

/// The list that has a runtime for uv; `None` if uv cannot read its format.
pub(crate) fn list_of(row: &CatalogueRow) -> Option<String> {
    rank(row).map(|_| key_of_list(row))
}

fn key_of_list(row: &CatalogueRow) -> String {
    match row.runtime.variant() {
        None => object_keys::DOWNLOADS.to_owned(),
        Some(variant) => format!("{}{variant}.json", object_keys::DOWNLOADS_FOLDER),
    }
}

fn rank(row: &CatalogueRow) -> Option<usize> {
    FORMATS.iter().position(|format| *format == row.artifact.format)
}

/// The smallest is listed.
fn preference(row: &CatalogueRow) -> impl Ord + use<> {
    (row.python.stand_in, std::cmp::Reverse(row.created), row.build_key, rank(row))
}

/// uv's words for a platform: system, processor, C library.
fn words(platform: PlatformKey) -> (&'static str, &'static str, &'static str) {
    let (os, libc) = match platform.os() {
        Os::Linux => ("linux", "gnu"),
        Os::Macos => ("darwin", "none"),
        Os::Windows => ("windows", "none"),
    };
    let family = match platform.arch() {
        Arch::X64 => "x86_64",
        Arch::Aarch64 => "aarch64",
    };
    (os, family, libc)
}

/// uv's name for this interpreter, also the name of the folder that it creates.
pub(crate) fn uv_key(row: &CatalogueRow) -> String {
    let (os, family, libc) = words(row.platform);
    format!("cpython-{}-{os}-{family}-{libc}", row.python.actual)
}

fn download(row: &CatalogueRow, base: &str) -> (String, UvDownload) {
    let (os, family, libc) = words(row.platform);
    let python = row.python.actual;
    let download = UvDownload {
        name: "cpython",
        arch: UvProcessor { family, variant: None },
        os,
        libc,
        major: python.major,
        minor: python.minor,
        patch: python.patch,
        prerelease: "",
        url: object_keys::url(base, &row.artifact.key),
        sha256: row.artifact.sha256,
        variant: None,
        build: row.created.date().replace('-', ""),
    };
    (uv_key(row), download)
}

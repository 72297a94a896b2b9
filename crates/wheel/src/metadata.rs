//! `METADATA` and `WHEEL`: e-mail headers (core metadata, PEP 566 and later; PEP 427).

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use mailparse::MailHeader;
use serde::{Deserialize, Serialize};

/// The used part of a wheel's METADATA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WheelMetadata {
    /// As its author spells it.
    pub name: String,
    pub version: String,
    /// `License-Expression`, else a `License` of one line, else the licence classifiers' last words, else the first
    /// line of a longer `License`.
    pub licence: Option<String>,
    /// Requirements (PEP 508), in the order of the file.
    pub requires: Vec<String>,
    /// `Requires-Python` as its author wrote it. Absent in stores of older builders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_python: Option<String>,
}

/// Limit for a METADATA file, in bytes.
pub const LARGEST_METADATA: u64 = 8 << 20;

impl WheelMetadata {
    /// Reads the METADATA of a wheel file. `None` if that fails; installing the wheel reports why.
    pub fn of_file(wheel: &Path) -> Option<Self> {
        let mut archive = zip::ZipArchive::new(BufReader::new(File::open(wheel).ok()?)).ok()?;
        let is_metadata = |name: &&str| name.ends_with(".dist-info/METADATA") && name.matches('/').count() == 1;
        let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        let name = names.iter().map(String::as_str).find(is_metadata)?.to_owned();
        let mut bytes = Vec::new();
        archive.by_name(&name).ok()?.take(LARGEST_METADATA).read_to_end(&mut bytes).ok()?;
        Self::parse(&bytes)
    }

    /// `None` if it has no name or version, or no headers at all.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let headers = mailparse::parse_headers(bytes).ok()?.0;
        let all = |key: &str| values(&headers, key);
        Some(Self {
            name: all("Name").into_iter().next()?,
            version: all("Version").into_iter().next()?,
            licence: licence(&headers),
            requires: all("Requires-Dist"),
            requires_python: all("Requires-Python").into_iter().next(),
        })
    }
}

/// The major number of `Wheel-Version` in a WHEEL file. `None` if there is none.
pub(super) fn wheel_format(bytes: &[u8]) -> Option<u32> {
    let headers = mailparse::parse_headers(bytes).ok()?.0;
    values(&headers, "Wheel-Version").first()?.split('.').next()?.parse().ok()
}

/// Leaves out empty values and `UNKNOWN`, which old tools wrote for nothing.
fn values(headers: &[MailHeader<'_>], key: &str) -> Vec<String> {
    headers
        .iter()
        .filter(|header| header.get_key_ref().eq_ignore_ascii_case(key))
        .map(|header| String::from_utf8_lossy(header.get_value_raw()).trim().to_owned())
        .filter(|value| !value.is_empty() && value != "UNKNOWN")
        .collect()
}

fn licence(headers: &[MailHeader<'_>]) -> Option<String> {
    if let Some(expression) = values(headers, "License-Expression").into_iter().next() {
        return Some(expression);
    }
    let text = values(headers, "License").into_iter().next();
    if let Some(line) = text.as_deref().filter(|text| !text.contains('\n')) {
        return Some(line.to_owned());
    }
    let classified: Vec<String> = values(headers, "Classifier")
        .iter()
        .filter_map(|line| line.strip_prefix("License ::"))
        .filter_map(|line| line.rsplit("::").next())
        .map(|last| last.trim().to_owned())
        .filter(|last| last != "OSI Approved")
        .collect();
    if !classified.is_empty() {
        return Some(classified.join(", "));
    }
    text?.lines().next().map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_licence_is_the_most_exact_thing_the_metadata_says() {
        let cases = [
            ("License-Expression: MIT\nLicense: other", Some("MIT")),
            ("License: BSD 3-Clause", Some("BSD 3-Clause")),
            ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", Some("MIT License")),
            (
                "License: Long text\n        of many lines\nClassifier: License :: OSI Approved :: BSD License",
                Some("BSD License"),
            ),
            ("License: Long text\n        of many lines", Some("Long text")),
            ("Summary: nothing", None),
        ];
        for (lines, licence) in cases {
            let text = format!("Metadata-Version: 2.1\nName: x\nVersion: 1\n{lines}\n\nLicense: in the description\n");
            let metadata = WheelMetadata::parse(text.as_bytes()).unwrap();
            assert_eq!(metadata.licence.as_deref(), licence, "for {lines:?}");
        }
    }

    #[test]
    fn requirements_keep_their_order_and_markers() {
        let text = "Name: x\nVersion: 1\nRequires-Dist: b>=2 ; extra == \"y\"\nRequires-Dist: a\n";
        assert_eq!(WheelMetadata::parse(text.as_bytes()).unwrap().requires, ["b>=2 ; extra == \"y\"", "a"]);
        assert!(WheelMetadata::parse(b"Version: 1\n").is_none());
        assert_eq!(wheel_format(b"Wheel-Version: 1.9\nGenerator: x\n"), Some(1));
    }
}

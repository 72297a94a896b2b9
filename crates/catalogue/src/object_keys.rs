//! Where everything is stored at a destination: keys relative to its prefix, `/`-separated.
//!
//! Objects below `artifacts/` and `entries/` are written once, `settings.json` by hand. `catalogue.json`,
//! `catalogue.signed.json`, `downloads.json`, `downloads/` and `site/` are derived and can be written again at any
//! time.

use vocab::{Digest, TreePath};

use crate::EntryId;

/// What readers without a key fetch first: [`crate::Catalogue`].
pub const CATALOGUE: &str = "catalogue.json";
/// The signed counterpart, if the destination is signed: [`crate::SignedCatalogue`].
pub const SIGNED_CATALOGUE: &str = "catalogue.signed.json";
/// For uv: the runtimes without a variant.
pub const DOWNLOADS: &str = "downloads.json";
/// For uv: one file for each variant.
pub const DOWNLOADS_FOLDER: &str = "downloads/";
/// Settings that all publishers share: [`crate::IndexSettings`].
pub const SETTINGS: &str = "settings.json";
/// One object for each published artifact, see [`entry`].
pub const ENTRIES: &str = "entries/";
/// At most one object for each entry, see [`retraction`].
pub const RETRACTIONS: &str = "retractions/";
/// At most one object for each entry, see [`restoration`].
pub const RESTORATIONS: &str = "restorations/";
/// At most one object for each entry, see [`promotion`].
pub const PROMOTIONS: &str = "promotions/";
/// Packed runtimes and what belongs to each, by digest, see [`artifact`].
pub const ARTIFACTS: &str = "artifacts/";
/// The pages, written again with each publication, see [`crate::site`].
pub const SITE: &str = "site/";

/// Manifest of an artifact, there as on disks; this and the following are appended to the artifact's name.
pub use vocab::MANIFEST_SUFFIX;
/// The artifact's digest, in the form that `sha256sum -c` reads.
pub const DIGEST_SUFFIX: &str = ".sha256";
/// Bill of materials, CycloneDX as JSON.
pub const SBOM_SUFFIX: &str = ".cdx.json";
/// Provenance: an in-toto statement, or a DSSE envelope with one.
pub const PROVENANCE_SUFFIX: &str = ".intoto.jsonl";
/// minisign signature of the artifact; of the manifest, appended to the manifest's name.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// `artifacts/<first two digits>/<sha256>/<file>`. `file` is the artifact's plain name, with a suffix or without.
pub fn artifact(sha256: &Digest, file: &str) -> String {
    let digits = sha256.to_string();
    format!("{ARTIFACTS}{}/{digits}/{file}", &digits[..2])
}

/// Whether [`artifact`] produces keys of this form. Other objects below `artifacts/` are not ours to remove.
pub fn is_artifact(key: &str) -> bool {
    let rest = key.strip_prefix(ARTIFACTS).unwrap_or_default();
    let [two, sha256, file] = rest.split('/').collect::<Vec<_>>()[..] else { return false };
    !file.is_empty() && sha256.parse::<Digest>().is_ok() && two.len() == 2 && sha256.starts_with(two)
}

/// Key of an entry.
pub fn entry(id: &EntryId) -> String {
    format!("{ENTRIES}{id}.json")
}

/// Key of the retraction of an entry.
pub fn retraction(id: &EntryId) -> String {
    format!("{RETRACTIONS}{id}.json")
}

/// Key of the restoration of an entry.
pub fn restoration(id: &EntryId) -> String {
    format!("{RESTORATIONS}{id}.json")
}

/// Key of the promotion of an entry.
pub fn promotion(id: &EntryId) -> String {
    format!("{PROMOTIONS}{id}.json")
}

/// The id in the key of an entry or of a notice about one. `None` for any other key.
pub fn id_of(key: &str) -> Option<EntryId> {
    let folders = [ENTRIES, RETRACTIONS, RESTORATIONS, PROMOTIONS];
    let rest = folders.iter().find_map(|folder| key.strip_prefix(folder))?;
    rest.strip_suffix(".json")?.parse().ok()
}

/// `base` and `key` as one URL, with characters escaped that have a meaning in URLs. A `/` at the end of `base` is
/// optional; its query stays at the end.
pub fn url(base: &str, key: &TreePath) -> String {
    let segments: Vec<String> = key.segments().map(escaped).collect();
    let (path, query) = base.split_at(base.find('?').unwrap_or(base.len()));
    format!("{}/{}{query}", path.trim_end_matches('/'), segments.join("/"))
}

/// One segment of a path. Source: RFC 3986, 2.3 (unreserved characters).
pub(crate) fn escaped(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_1_an_artifacts_key_is_told_from_what_somebody_put_beside_it() {
        let digest = Digest::of("abc");
        let ours = artifact(&digest, "a.zip.json");
        let cases = [
            (ours.as_str(), true),
            ("artifacts/letter.txt", false),
            ("artifacts/ba/notes/letter.txt", false),
            (&ours.replace("/ba/", "/bb/"), false),
            (&format!("{ours}/more"), false),
            (&ours.replace("artifacts/", "entries/"), false),
        ];
        for (key, expected) in cases {
            assert_eq!(is_artifact(key), expected, "for {key}");
        }
    }

    #[test]
    fn each_object_has_one_place() {
        let digest = Digest::of("abc");
        let id: EntryId = format!("3.12.10-atls/linux-x64/{digest}-tar.zst").parse().unwrap();
        assert_eq!(artifact(&digest, "a.zip.json"), format!("artifacts/ba/{digest}/a.zip.json"));
        assert_eq!(entry(&id), format!("entries/3.12.10-atls/linux-x64/{digest}-tar.zst.json"));
        for key in [entry(&id), retraction(&id), restoration(&id), promotion(&id)] {
            assert_eq!(id_of(&key), Some(id.clone()), "for {key}");
        }
        for key in [CATALOGUE, "entries/x.json", "artifacts/ba/x.json", &entry(&id)[1..]] {
            assert_eq!(id_of(key), None, "for {key}");
        }
    }

    #[test]
    fn what_means_something_in_a_url_is_escaped() {
        let key: TreePath = "artifacts/ba/a b+#?%ä.zip".parse().unwrap();
        assert_eq!(url("https://x.example/p/", &key), "https://x.example/p/artifacts/ba/a%20b%2B%23%3F%25%C3%A4.zip");
        assert_eq!(url("..", &"site/a.css".parse().unwrap()), "../site/a.css");
    }
}

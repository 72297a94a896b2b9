//! A list of Pythons in the format of uv's `--python-downloads-json-url`, as `python.downloads` names it, pinned by its
//! digest.

use std::collections::BTreeMap;

use config_merger::ArchiveSource;
use serde::Deserialize;
use store::Context;
use store::download::{self, FetchRequest};
use url::Url;
use vocab::{Digest, PlatformKey, PythonVersion};

use super::error::BaseErrorKind;
use super::mirror::UPSTREAM;
use super::release_table::{PinnedAsset, ReleaseTable};

/// uv's own has 3 MB.
const LARGEST: u64 = 64 << 20;

/// What is read of a row. Others have members that matter to uv alone.
#[derive(Deserialize)]
struct Row {
    name: String,
    arch: Arch,
    os: String,
    libc: String,
    major: u16,
    minor: u16,
    patch: u16,
    #[serde(default)]
    prerelease: Option<String>,
    url: String,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    build: Option<String>,
}

#[derive(Deserialize)]
struct Arch {
    family: String,
    #[serde(default)]
    variant: Option<String>,
}

/// The releases of the list: the newest build of each Python first, then the one before it, and so on. It is fetched into
/// the store once; its digest is checked.
pub(super) fn releases(context: &Context, list: &ArchiveSource) -> Result<Vec<ReleaseTable>, BaseErrorKind> {
    let request = FetchRequest {
        url: list.url.clone(),
        file_name: "python-downloads.json".to_owned(),
        sha256: list.sha256,
        size: None,
        largest: Some(LARGEST),
    };
    let path = download::fetch(context, &request).map_err(|error| BaseErrorKind::Download(Box::new(error)))?;
    let disk = |source| BaseErrorKind::Disk { action: "read", path: path.clone(), source };
    let refused = |reason| BaseErrorKind::List { url: download::without_secrets(&list.url), reason };
    // One that the store had for something else.
    if path.metadata().map_err(disk)?.len() > LARGEST {
        return Err(refused(format!("it is larger than {LARGEST} bytes")));
    }
    read(&std::fs::read(&path).map_err(disk)?).map_err(refused)
}

/// Rows of other implementations, variants and platforms are passed over, as are those without digest.
fn read(text: &[u8]) -> Result<Vec<ReleaseTable>, String> {
    let rows: BTreeMap<String, Row> = vocab::typed_json::read(text).map_err(|error| error.to_string())?;
    let mut builds: BTreeMap<_, Vec<(String, PinnedAsset)>> = BTreeMap::new();
    for (key, row) in rows {
        let is_empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        let is_plain =
            row.name == "cpython" && is_empty(&row.variant) && is_empty(&row.arch.variant) && is_empty(&row.prerelease);
        let (Some(platform), Some(sha256), true) = (platform(&row), &row.sha256, is_plain) else { continue };
        let sha256: Digest = sha256.parse().map_err(|_| format!("its row `{key}`: `{sha256}` is not a SHA-256"))?;
        let build = row.build.clone().unwrap_or_default();
        let release = release(&row.url, &build, sha256).map_err(|reason| format!("its row `{key}`: {reason}"))?;
        let python = PythonVersion { major: row.major, minor: row.minor, patch: row.patch };
        builds.entry((python, platform)).or_default().push((build, release));
    }
    let mut tables = Vec::new();
    for ((python, platform), mut releases) in builds {
        // The first of two with the same build stays in front.
        releases.sort_by(|(one, _), (other, _)| other.cmp(one));
        for (age, (_, release)) in releases.into_iter().enumerate() {
            if tables.len() == age {
                tables.push(ReleaseTable::default());
            }
            tables[age].0.entry(python).or_default().insert(platform, release);
        }
    }
    Ok(tables)
}

fn platform(row: &Row) -> Option<PlatformKey> {
    Some(match (row.os.as_str(), row.arch.family.as_str(), row.libc.as_str()) {
        ("linux", "x86_64", "gnu") => PlatformKey::LinuxX64,
        ("linux", "aarch64", "gnu") => PlatformKey::LinuxAarch64,
        ("darwin", "x86_64", "none") => PlatformKey::MacosxX64,
        ("darwin", "aarch64", "none") => PlatformKey::MacosxAarch64,
        ("windows", "x86_64", "none") => PlatformKey::WindowsX64,
        _ => return None,
    })
}

/// Upstream's files are taken from its mirror, if there is one, as uv does.
fn release(text: &str, build: &str, sha256: Digest) -> Result<PinnedAsset, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https" | "file") {
        return Err(format!("`{text}` has the scheme `{}`; use https, http or file", url.scheme()));
    }
    let plain = |text: &str| text.replace("%2B", "+").replace("%2b", "+");
    let of_upstream = text.strip_prefix(UPSTREAM).and_then(|rest| rest.strip_prefix('/')).map(plain);
    let name = || url.path_segments().and_then(|mut all| all.next_back().map(plain)).unwrap_or_default();
    let path =
        of_upstream.clone().unwrap_or_else(|| format!("{}/{}", if build.is_empty() { "-" } else { build }, name()));
    let is_word = |word: &str| {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.+".contains(letter);
        !word.is_empty() && word.chars().all(is_plain) && !word.contains("..")
    };
    if path.split('/').count() != 2 || !path.split('/').all(is_word) {
        return Err(format!("`{text}` does not end with the name of a file"));
    }
    let url = of_upstream.is_none().then(|| text.to_owned());
    Ok(PinnedAsset { path, sha256, url })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    fn row(url: &str, sha256: Value, build: &str) -> Value {
        json!({
            "name": "cpython", "arch": { "family": "x86_64", "variant": null }, "os": "linux", "libc": "gnu",
            "major": 3, "minor": 14, "patch": 9, "prerelease": "", "url": url, "sha256": sha256, "variant": null,
            "build": build, "member of a later uv": 1,
        })
    }

    #[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    fn of(rows: Value) -> Result<Vec<(String, Option<String>)>, String> {
        let tables = read(rows.to_string().as_bytes())?;
        let shown = |release: &PinnedAsset| (release.path.clone(), release.url.clone());
        Ok(tables.iter().flat_map(|table| table.0.values().flat_map(|rows| rows.values().map(shown))).collect())
    }

    #[test]
    fn rows_of_upstream_follow_the_mirror_and_others_keep_their_url() {
        let digest = json!("a".repeat(64));
        let upstream =
            format!("{UPSTREAM}/20261103/cpython-3.14.9%2B20261103-x86_64-unknown-linux-gnu-install_only.tar.gz");
        let path = "20261103/cpython-3.14.9+20261103-x86_64-unknown-linux-gnu-install_only.tar.gz".to_owned();
        assert_eq!(of(json!({ "a": row(&upstream, digest.clone(), "20261103") })), Ok(vec![(path.clone(), None)]));
        let own = "https://files.example.org/p/base%2B1.tar.gz";
        let expected = Ok(vec![("7/base+1.tar.gz".to_owned(), Some(own.to_owned()))]);
        assert_eq!(of(json!({ "a": row(own, digest.clone(), "7") })), expected);
        // Two rows for one Python and platform: the newer build first, wherever it stands; the older is not forgotten.
        let older = ("20260101/base+1.tar.gz".to_owned(), Some(own.to_owned()));
        for keys in [["a", "b"], ["b", "a"]] {
            let rows = json!({
                keys[0]: row(own, digest.clone(), "20260101"), keys[1]: row(&upstream, digest.clone(), "20261103"),
            });
            assert_eq!(of(rows), Ok(vec![(path.clone(), None), older.clone()]));
        }
    }

    #[test]
    fn rows_that_are_not_for_us_are_passed_over() {
        let plain = row(&format!("{UPSTREAM}/1/a.tar.gz"), json!("a".repeat(64)), "1");
        for (key, value) in [
            ("name", json!("pypy")),
            ("variant", json!("freethreaded")),
            ("prerelease", json!("rc1")),
            ("libc", json!("musl")),
            ("os", json!("plan9")),
            ("arch", json!({ "family": "x86_64", "variant": "v3" })),
            ("sha256", Value::Null),
        ] {
            let mut row = plain.clone();
            row[key] = value.clone();
            assert_eq!(of(json!({ "a": row })), Ok(Vec::new()), "for {key}: {value}");
        }
        assert_eq!(of(json!({ "a": plain })).unwrap().len(), 1);
    }

    #[test]
    fn hostile_rows_are_refused_by_name() {
        let digest = || json!("a".repeat(64));
        let cases = [
            (row("ftp://files.example.org/a.tar.gz", digest(), "1"), "has the scheme `ftp`"),
            (row("a.tar.gz", digest(), "1"), "is not a URL"),
            (row(&format!("{UPSTREAM}/../x/a.tar.gz"), digest(), "1"), "does not end with the name of a file"),
            (row(&format!("{UPSTREAM}/1/..%2Fa.tar.gz"), digest(), "1"), "does not end with the name of a file"),
            (row("https://files.example.org/", digest(), "1"), "does not end with the name of a file"),
            (row("https://files.example.org/a.tar.gz", digest(), "../1"), "does not end with the name of a file"),
            (row("https://files.example.org/a.tar.gz", json!("abc"), "1"), "`abc` is not a SHA-256"),
        ];
        for (row, expected) in cases {
            let error = of(json!({ "a": row })).unwrap_err();
            assert!(error.starts_with("its row `a`: ") && error.contains(expected), "{error}");
        }
        let cases = [
            ("", "line 1, column 1: the file is empty"),
            ("[]", "line 1, column 1: an object is expected, not a list"),
            ("{", "line 1, column 1: not JSON: EOF while parsing an object"),
            ("null", "line 1, column 1: an object is expected, not null"),
            (r#"{"a": []}"#, "line 1, column 7, /a: an object is expected, not a list"),
            (r#"{"a": {"name": "cpython"}}"#, "line 1, column 7, /a: `arch` is missing"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()).unwrap_err(), expected, "for {text}");
        }
    }
}

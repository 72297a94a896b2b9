//! RECORD: what a wheel or an installed distribution consists of (PEP 376, PEP 427).
//!
//! Goals of the written form: sorted by path, one line each, so that equal content gives equal bytes.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vocab::{Digest, TreePath};

/// One row of a wheel's RECORD that names a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub algorithm: Algorithm,
    /// As long as the algorithm says.
    pub digest: Vec<u8>,
    /// In bytes. Some tools leave it out.
    pub size: Option<u64>,
}

/// The ones that PEP 427 allows: SHA-256 or better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// By path below the wheel's root. Rows without digest are left out: RECORD itself, its signatures, and those of
/// files that then turn out to have none. The error says what is wrong with which row.
pub(super) fn parse(bytes: &[u8]) -> Result<HashMap<TreePath, Expected>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut rows = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| format!("it is not a CSV file: {error}"))?;
        let field = |index: usize| row.get(index).unwrap_or_default().trim();
        let (text, hash, size) = (field(0), field(1), field(2));
        if hash.is_empty() {
            continue;
        }
        let path: TreePath = text.parse().map_err(|error| format!("{error}"))?;
        let expected = expected(hash, size).ok_or_else(|| format!("its row for `{path}` holds no usable digest"))?;
        if rows.get(&path).is_some_and(|earlier| *earlier != expected) {
            return Err(format!("it has two different rows for `{path}`"));
        }
        rows.insert(path, expected);
    }
    Ok(rows)
}

fn expected(hash: &str, size: &str) -> Option<Expected> {
    let (name, text) = hash.split_once('=')?;
    let (algorithm, length) = match name.to_ascii_lowercase().as_str() {
        "sha256" => (Algorithm::Sha256, 32),
        "sha384" => (Algorithm::Sha384, 48),
        "sha512" => (Algorithm::Sha512, 64),
        _ => return None,
    };
    let digest = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok().filter(|bytes| bytes.len() == length)?;
    let size = if size.is_empty() { None } else { Some(size.parse().ok()?) };
    Some(Expected { algorithm, digest, size })
}

/// A row to write. `None` for RECORD itself, which cannot hold its own digest.
pub(super) struct Row {
    /// Relative to `site-packages`, so `../../../bin/x` for a script.
    pub path: String,
    pub content: Option<(Digest, u64)>,
}

pub(super) fn write(mut rows: Vec<Row>) -> Vec<u8> {
    rows.sort_by(|one, other| one.path.cmp(&other.path));
    let mut text = Vec::with_capacity(rows.len() * 120);
    for row in rows {
        if row.path.contains([',', '"', '\n', '\r']) {
            text.push(b'"');
            text.extend_from_slice(row.path.replace('"', "\"\"").as_bytes());
            text.push(b'"');
        } else {
            text.extend_from_slice(row.path.as_bytes());
        }
        match row.content {
            Some((digest, size)) => {
                let digest = URL_SAFE_NO_PAD.encode(digest.as_bytes());
                text.extend_from_slice(format!(",sha256={digest},{size}\n").as_bytes());
            }
            None => text.extend_from_slice(b",,\n"),
        }
    }
    text
}

/// `path` as seen from `folder`, both below the same root.
pub(super) fn relative_to(path: &TreePath, folder: &TreePath) -> String {
    if let Some(rest) = path.as_str().strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/')) {
        return rest.to_owned();
    }
    let shared = path.segments().zip(folder.segments()).take_while(|(one, other)| one == other).count();
    let up = folder.segments().count() - shared;
    let down: Vec<&str> = path.segments().skip(shared).collect();
    format!("{}{}", "../".repeat(up), down.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let digest = Digest::of("content");
        let rows = [("b/x, \"y\".py", Some((digest, 7))), ("a.py", Some((digest, 7))), ("x.dist-info/RECORD", None)];
        let text = write(rows.map(|(path, content)| Row { path: path.into(), content }).into());
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.len(), 2);
        let row = &parsed[&"b/x, \"y\".py".parse().unwrap()];
        assert_eq!(
            (row.digest.as_slice(), row.size, row.algorithm),
            (&digest.as_bytes()[..], Some(7), Algorithm::Sha256)
        );
        assert!(text.starts_with(b"a.py,sha256="));
    }

    #[test]
    fn a_row_with_a_weak_or_broken_digest_is_refused() {
        for row in [
            "a.py,md5=abc,3",
            "a.py,sha256=abc,3",
            "a.py,nothing,3",
            "../a.py,sha256=x,1",
            "a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,x",
        ] {
            assert!(parse(row.as_bytes()).is_err(), "for {row:?}");
        }
    }

    #[test]
    fn paths_outside_the_folder_go_up_first() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        let site = path("lib/python3.12/site-packages");
        assert_eq!(relative_to(&path("lib/python3.12/site-packages/a/b.py"), &site), "a/b.py");
        assert_eq!(relative_to(&path("bin/x"), &site), "../../../bin/x");
        assert_eq!(relative_to(&path("lib/python3.12/site-packages-2/x"), &site), "../site-packages-2/x");
    }
}

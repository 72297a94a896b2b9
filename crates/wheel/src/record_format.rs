//! RECORD: the files of a wheel or an installed distribution (PEP 376, PEP 427).
//!
//! Goals of the written form: sorted by path, one line each, so that equal content gives equal bytes.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vocab::{Digest, TreePath};

/// One row of a wheel's RECORD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedFile {
    pub digest: ListedDigest,
    /// In bytes. Some tools omit it.
    pub size: Option<u64>,
    /// What is wrong with the row itself.
    pub flaw: Option<&'static str>,
    /// Written as `/a.py`: some tools confused the wheel's root with the machine's.
    pub absolute: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListedDigest {
    None,
    /// As long as the algorithm requires.
    Known(DigestAlgorithm, Vec<u8>),
    /// From an algorithm that PEP 427 does not allow, such as MD5.
    Weak,
    /// Not a possible digest.
    Malformed,
}

/// The ones that PEP 427 allows: SHA-256 or better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// Path, digest and size of each row as they are written there: `sha256=…` and decimal digits, or empty. The error says
/// why a row cannot be read.
pub fn record_rows(record: &[u8]) -> impl Iterator<Item = Result<[String; 3], String>> {
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    reader.into_records().map(|row| {
        let row = row.map_err(|error| format!("it is not a CSV file: {error}"))?;
        Ok([0, 1, 2].map(|index| row.get(index).unwrap_or_default().to_owned()))
    })
}

/// Keyed by path below the wheel's root. The error says what is wrong with which row.
pub(super) fn parse(bytes: &[u8]) -> Result<HashMap<TreePath, ListedFile>, String> {
    let mut rows: HashMap<TreePath, ListedFile> = HashMap::new();
    for row in record_rows(bytes) {
        let row = row?;
        let [text, hash, size] = row.each_ref().map(|field| field.trim());
        let inside = text.trim_start_matches('/');
        let path: TreePath = match inside.parse() {
            Ok(path) => path,
            // Such a row has no consequence.
            Err(_) if hash.is_empty() => continue,
            Err(error) => return Err(error.to_string()),
        };
        let digest = listed_digest(hash);
        // A folder, or byte code that is to be compiled.
        if path.is_root() {
            continue;
        }
        let mut flaw = None;
        let size = match size.parse() {
            Ok(size) => Some(size),
            Err(_) => {
                flaw = (!size.is_empty()).then_some("has a size that is not a number");
                None
            }
        };
        let listed = ListedFile { digest, size, flaw, absolute: inside.len() != text.len() };
        match rows.get_mut(&path) {
            Some(earlier) if *earlier == listed => {}
            Some(earlier) => {
                // No file has two digests at once; two sizes or an empty digest are merely unusual.
                if earlier.digest == ListedDigest::None {
                    earlier.digest = listed.digest;
                } else if listed.digest != ListedDigest::None && earlier.digest != listed.digest {
                    earlier.digest = ListedDigest::Malformed;
                }
                earlier.flaw = Some("is listed twice, each time differently");
            }
            None => {
                rows.insert(path, listed);
            }
        }
    }
    Ok(rows)
}

fn listed_digest(hash: &str) -> ListedDigest {
    if hash.is_empty() {
        return ListedDigest::None;
    }
    let Some((name, text)) = hash.split_once('=') else { return ListedDigest::Malformed };
    let (algorithm, length) = match name.to_ascii_lowercase().as_str() {
        "sha256" => (DigestAlgorithm::Sha256, 32),
        "sha384" => (DigestAlgorithm::Sha384, 48),
        "sha512" => (DigestAlgorithm::Sha512, 64),
        _ => return ListedDigest::Weak,
    };
    let text = text.trim_end_matches('=');
    // Some tools write it in hexadecimal.
    let bytes = if text.len() == 2 * length { from_hex(text) } else { URL_SAFE_NO_PAD.decode(text).ok() };
    match bytes.filter(|bytes| bytes.len() == length) {
        Some(bytes) => ListedDigest::Known(algorithm, bytes),
        None => ListedDigest::Malformed,
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A row to write. The digest is `None` for RECORD itself, which cannot contain its own.
pub struct RecordRow {
    /// Relative to `site-packages`, so `../../../bin/x` for a script.
    pub path: String,
    /// Digest, and size in bytes.
    pub content: Option<(Digest, u64)>,
}

impl RecordRow {
    /// The row of a file with this content.
    pub fn of(path: impl Into<String>, bytes: &[u8]) -> Self {
        Self { path: path.into(), content: Some((Digest::of(bytes), bytes.len() as u64)) }
    }

    /// The row with its line break.
    pub fn line(&self) -> String {
        let path = if self.path.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", self.path.replace('"', "\"\""))
        } else {
            self.path.clone()
        };
        match &self.content {
            Some((digest, size)) => format!("{path},{},{size}\n", record_digest(digest)),
            None => format!("{path},,\n"),
        }
    }
}

/// A digest as RECORD has it.
pub fn record_digest(digest: &Digest) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(digest.as_bytes()))
}

pub(super) fn write(mut rows: Vec<RecordRow>) -> Vec<u8> {
    rows.sort_by(|one, other| one.path.cmp(&other.path));
    rows.iter().map(RecordRow::line).collect::<String>().into_bytes()
}

/// `path` relative to `folder`, both below the same root.
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
        let text = write(rows.map(|(path, content)| RecordRow { path: path.into(), content }).into());
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.len(), 3);
        let row = &parsed[&"b/x, \"y\".py".parse().unwrap()];
        let expected = ListedDigest::Known(DigestAlgorithm::Sha256, digest.as_bytes().to_vec());
        assert_eq!((&row.digest, row.size), (&expected, Some(7)));
        assert!(text.starts_with(b"a.py,sha256="));
    }

    #[test]
    fn rows_are_read_as_far_as_they_can_be() {
        let row = |text: &str| parse(text.as_bytes()).map(|rows| rows[&"a.py".parse().unwrap()].clone());
        let digest = |text: &str| row(text).unwrap().digest;
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let known = ListedDigest::Known(DigestAlgorithm::Sha256, Digest::of("").as_bytes().to_vec());
        assert_eq!(digest("a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"), known);
        assert_eq!(digest(&format!("a.py,sha256={empty},0")), known);
        assert_eq!(digest("a.py,md5=abc,3"), ListedDigest::Weak);
        assert_eq!(digest("a.py,,"), ListedDigest::None);
        for text in ["a.py,sha256=abc,3", "a.py,nothing,3", &format!("a.py,sha256={empty},0\na.py,sha256=abc,0")] {
            assert_eq!(digest(text), ListedDigest::Malformed, "for {text:?}");
        }
        assert!(row("a.py,,x").unwrap().flaw.is_some() && row("/a.py,,").unwrap().absolute);
        assert!(row("../a.py,sha256=x,1").is_err());
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

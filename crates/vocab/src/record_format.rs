//! RECORD: the files of a wheel or an installed distribution (PEP 376, PEP 427). The one reader and writer, and whether a
//! file is the one that its row lists; what follows from a row that does not fit is up to who reads.
//!
//! Goals of the written form: sorted by path, one line each, so that equal content gives equal bytes.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha384, Sha512};

use crate::{Digest, TreePath};

/// What one row of a RECORD says about its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFile {
    pub digest: ListedDigest,
    /// In bytes. Some tools omit it.
    pub size: Option<u64>,
    /// What is wrong with the row itself.
    pub flaw: Option<&'static str>,
    /// Written as `/a.py`: some tools confused the wheel's root with the machine's.
    pub absolute: bool,
}

impl ListedFile {
    /// How this content differs from what is listed; `None` if digest and size, as far as they are listed, are its own.
    pub fn disagreement(&self, content: &[u8]) -> Option<&'static str> {
        let mut check = DigestCheck::new(&self.digest);
        check.update(content);
        if !check.fits(&Digest::of(content)) {
            return Some("does not match the digest in its RECORD");
        }
        let other_size = self.size.is_some_and(|size| size != content.len() as u64);
        other_size.then_some("has another size than its RECORD says").or(self.flaw)
    }
}

/// The digest in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedDigest {
    /// The field is empty.
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
pub enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// One row as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Relative to the folder that holds `.dist-info`; of an installed distribution it may begin with `../`.
    pub path: String,
    /// `sha256=…`, or empty.
    digest: String,
    /// Decimal digits, or empty.
    size: String,
}

impl RecordLine {
    /// What the row says about its file.
    pub fn listed(&self) -> ListedFile {
        let size = self.size.parse().ok();
        let flaw = (size.is_none() && !self.size.is_empty()).then_some("has a size that is not a number");
        ListedFile { digest: listed_digest(&self.digest), size, flaw, absolute: self.path.starts_with('/') }
    }

    /// The file's path, with that of the folder it is relative to in front. `None` if it leads out of the root that
    /// `folder` is below.
    pub fn path_below(&self, folder: &TreePath) -> Option<TreePath> {
        if self.path.starts_with('/') {
            return None;
        }
        let mut kept: Vec<&str> = folder.segments().collect();
        for segment in self.path.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(kept.pop()?),
                name => kept.push(name),
            }
        }
        kept.join("/").parse().ok().filter(|path: &TreePath| !path.is_root())
    }
}

/// The rows in their order. The error says why a row cannot be read; others may follow it.
pub fn record_lines(record: &[u8]) -> impl Iterator<Item = Result<RecordLine, String>> {
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    reader.into_records().map(|row| {
        let row = row.map_err(|error| format!("it is not a CSV file: {error}"))?;
        let [path, digest, size] = [0, 1, 2].map(|index| row.get(index).unwrap_or_default().trim().to_owned());
        Ok(RecordLine { path, digest, size })
    })
}

/// What the RECORD of a wheel lists, by path below the wheel's root. The error says what is wrong with which row.
pub fn wheel_record(bytes: &[u8]) -> Result<HashMap<TreePath, ListedFile>, String> {
    let mut rows: HashMap<TreePath, ListedFile> = HashMap::new();
    for line in record_lines(bytes) {
        let line = line?;
        let path: TreePath = match line.path.trim_start_matches('/').parse() {
            Ok(path) => path,
            // Such a row has no consequence.
            Err(_) if line.digest.is_empty() => continue,
            Err(error) => return Err(error.to_string()),
        };
        // A folder, or byte code that is to be compiled.
        if path.is_root() {
            continue;
        }
        let listed = line.listed();
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

/// Compares content, piece by piece, with the digest that is listed for it.
pub struct DigestCheck<'a> {
    listed: &'a ListedDigest,
    stronger: StrongerDigest,
}

/// The digest in RECORD if it is not SHA-256, which everybody computes anyway.
enum StrongerDigest {
    No,
    Sha384(Sha384),
    Sha512(Sha512),
}

impl<'a> DigestCheck<'a> {
    pub fn new(listed: &'a ListedDigest) -> Self {
        let stronger = match listed {
            ListedDigest::Known(DigestAlgorithm::Sha384, _) => StrongerDigest::Sha384(Sha384::new()),
            ListedDigest::Known(DigestAlgorithm::Sha512, _) => StrongerDigest::Sha512(Sha512::new()),
            _ => StrongerDigest::No,
        };
        Self { listed, stronger }
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.stronger {
            StrongerDigest::No => {}
            StrongerDigest::Sha384(state) => state.update(bytes),
            StrongerDigest::Sha512(state) => state.update(bytes),
        }
    }

    /// Whether RECORD has the digest of all pieces, whose SHA-256 is known, or none that could be compared.
    pub fn fits(self, sha256: &Digest) -> bool {
        let actual = match self.stronger {
            StrongerDigest::No => sha256.as_bytes().to_vec(),
            StrongerDigest::Sha384(state) => state.finalize().to_vec(),
            StrongerDigest::Sha512(state) => state.finalize().to_vec(),
        };
        match self.listed {
            ListedDigest::None | ListedDigest::Weak => true,
            ListedDigest::Malformed => false,
            ListedDigest::Known(_, digest) => *digest == actual,
        }
    }
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
fn record_digest(digest: &Digest) -> String {
    format!("sha256={}", URL_SAFE_NO_PAD.encode(digest.as_bytes()))
}

/// A whole RECORD of these rows.
pub fn write_record(mut rows: Vec<RecordRow>) -> Vec<u8> {
    rows.sort_by(|one, other| one.path.cmp(&other.path));
    rows.iter().map(RecordRow::line).collect::<String>().into_bytes()
}

/// `path` relative to `folder`, both below the same root.
pub fn relative_to(path: &TreePath, folder: &TreePath) -> String {
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
        let text = write_record(rows.map(|(path, content)| RecordRow { path: path.into(), content }).into());
        let parsed = wheel_record(&text).unwrap();
        assert_eq!(parsed.len(), 3);
        let row = &parsed[&"b/x, \"y\".py".parse().unwrap()];
        let expected = ListedDigest::Known(DigestAlgorithm::Sha256, digest.as_bytes().to_vec());
        assert_eq!((&row.digest, row.size), (&expected, Some(7)));
        assert!(text.starts_with(b"a.py,sha256="));
    }

    #[test]
    fn rows_are_read_as_far_as_they_can_be() {
        let row = |text: &str| wheel_record(text.as_bytes()).map(|rows| rows[&"a.py".parse().unwrap()].clone());
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
    fn a_path_is_seen_from_the_root_of_its_folder() {
        let folder: TreePath = "lib/python3.12/site-packages".parse().unwrap();
        let cases = [
            ("a/b.py", Some("lib/python3.12/site-packages/a/b.py")),
            ("../../../bin/x", Some("bin/x")),
            ("a/../b.py", Some("lib/python3.12/site-packages/b.py")),
            ("../../..", None),
            ("../../../../etc/passwd", None),
            ("/etc/passwd", None),
            ("c\\d", None),
        ];
        for (text, expected) in cases {
            let line = format!("{text},,\n");
            let line = record_lines(line.as_bytes()).next().unwrap().unwrap();
            assert_eq!(line.path_below(&folder).as_ref().map(TreePath::as_str), expected, "for {text:?}");
        }
    }

    #[test]
    fn content_is_compared_with_whatever_its_row_lists() {
        let sha512 = "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg_SpIdNs6c5H0NE8XYXysP-DGNKHfuwvY7kxvUdBeoGlODJ6-SfaPg";
        let cases = [
            // (row of a file without content, what is wrong with it)
            (RecordRow::of("a", b"").line(), None),
            (format!("a,sha512={sha512},0\n"), None),
            ("a,,\n".to_owned(), None),
            (RecordRow::of("a", b"x").line(), Some("does not match the digest in its RECORD")),
            (RecordRow::of("a", b"").line().replace(",0", ",1"), Some("has another size than its RECORD says")),
            ("a,sha256=short,0\n".to_owned(), Some("does not match the digest in its RECORD")),
            ("a,,many\n".to_owned(), Some("has a size that is not a number")),
        ];
        for (row, expected) in cases {
            let listed = record_lines(row.as_bytes()).next().unwrap().unwrap().listed();
            assert_eq!(listed.disagreement(b""), expected, "for {row:?}");
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

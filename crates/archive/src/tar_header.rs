//! The header blocks of one tar entry, the same bytes on every machine.
//!
//! Plain ustar where it can say everything. Where it cannot (a name of other than ASCII, one that does not fit 100
//! bytes or 155 + 100, a file of 8 GiB) a pax `x` header goes before. Pax rather than GNU's `L` and `K` because
//! only pax defines the encoding of names (UTF-8): Windows' own `tar` would read GNU names in the code page of the
//! system. GNU tar, libarchive (the `tar` of macOS and Windows) and Python's `tarfile` all read both.

use crate::{EntryKind, TreeEntry};

pub(crate) const BLOCK: usize = 512;

const NAME: usize = 100;
const PREFIX: usize = 155;
/// Eleven octal digits end here, for sizes and times.
const OCTAL_LIMIT: u64 = 1 << 33;

/// `size` is that of the file's content, 0 for other entries; `mtime` in seconds since 1970.
pub(crate) fn header_of(entry: &TreeEntry, size: u64, mtime: u64) -> Vec<u8> {
    let mtime = mtime.min(OCTAL_LIMIT - 1);
    let (kind, mode, link) = match &entry.kind {
        EntryKind::Directory => (b'5', 0o755, ""),
        EntryKind::File { executable: true, .. } => (b'0', 0o755, ""),
        EntryKind::File { executable: false, .. } => (b'0', 0o644, ""),
        EntryKind::Symlink { target } => (b'2', 0o777, target.as_str()),
    };
    let slash = if kind == b'5' { "/" } else { "" };
    let path = format!("{}{slash}", entry.path);

    let mut records = Vec::new();
    let place = split(&path);
    if place.is_none() {
        push_record(&mut records, "path", &path);
    }
    if !(link.is_ascii() && link.len() <= NAME) {
        push_record(&mut records, "linkpath", link);
    }
    let size_fits = size < OCTAL_LIMIT;
    if !size_fits {
        push_record(&mut records, "size", &size.to_string());
    }

    let mut bytes = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        let name = format!("PaxHeaders/{}", entry.path.file_name());
        let length = records.len() as u64;
        bytes.extend(block(&HeaderFields {
            prefix: "",
            name: cut(&name),
            link: "",
            kind: b'x',
            mode: 0o644,
            size: length,
            mtime,
        }));
        bytes.extend(records);
        bytes.resize(padded(bytes.len() as u64) as usize, 0);
    }
    let (prefix, name) = place.unwrap_or(("", cut(&path)));
    let size = if size_fits { size } else { 0 };
    bytes.extend(block(&HeaderFields { prefix, name, link: cut(link), kind, mode, size, mtime }));
    bytes
}

/// `size` rounded up to whole blocks.
pub(crate) fn padded(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64)
}

struct HeaderFields<'a> {
    prefix: &'a str,
    name: &'a str,
    link: &'a str,
    kind: u8,
    mode: u64,
    size: u64,
    mtime: u64,
}

fn block(fields: &HeaderFields<'_>) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, fields.name.as_bytes());
    put(100, octal(fields.mode, 7).as_bytes());
    put(108, octal(0, 7).as_bytes()); // user
    put(116, octal(0, 7).as_bytes()); // group
    put(124, octal(fields.size, 11).as_bytes());
    put(136, octal(fields.mtime, 11).as_bytes());
    put(148, b"        "); // the checksum counts itself as spaces
    put(156, &[fields.kind]);
    put(157, fields.link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, octal(0, 7).as_bytes()); // device numbers
    put(337, octal(0, 7).as_bytes());
    put(345, fields.prefix.as_bytes());
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn octal(value: u64, digits: usize) -> String {
    format!("{value:0digits$o}")
}

/// The prefix and the name of a path that ustar can hold.
fn split(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= NAME {
        return Some(("", path));
    }
    let fits = |at: &usize| *at <= PREFIX && path.len() - at - 1 <= NAME && at + 1 < path.len();
    let at = path.rmatch_indices('/').map(|(at, _)| at).find(fits)?;
    Some((&path[..at], &path[at + 1..]))
}

/// As much of `text` as fits the name field, for readers that know no pax.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(NAME);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too.
fn push_record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend(format!("{length} {key}={value}\n").into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pax_record_counts_its_own_length() {
        let cases = [
            (1, "9 path=x\n"),
            (2, "11 path=xx\n"), // with one digit it would be ten bytes long, which needs two
        ];
        for (length, expected) in cases {
            let mut records = Vec::new();
            push_record(&mut records, "path", &"x".repeat(length));
            assert_eq!(String::from_utf8(records).unwrap(), expected);
        }
        for length in 80..110 {
            let mut records = Vec::new();
            push_record(&mut records, "path", &"x".repeat(length));
            let stated: usize = std::str::from_utf8(&records).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(stated, records.len());
        }
    }

    #[test]
    fn plain_names_need_one_block_and_others_a_pax_header() {
        let cases = [
            // (path, blocks)
            ("bin/python".to_owned(), 1),
            ("a".repeat(100), 1),
            (format!("{}/{}", "a".repeat(155), "b".repeat(100)), 1),
            ("a".repeat(101), 3),
            (format!("{}/{}", "a".repeat(156), "b".repeat(10)), 3),
            ("é".to_owned(), 3),
        ];
        for (path, blocks) in cases {
            let entry = TreeEntry::bytes(path.parse().unwrap(), *b"");
            assert_eq!(header_of(&entry, 0, 0).len(), blocks * BLOCK, "for {path:?}");
        }
        let entry = TreeEntry::bytes("big".parse().unwrap(), *b"");
        assert_eq!(header_of(&entry, OCTAL_LIMIT, 0).len(), 3 * BLOCK);
    }
}

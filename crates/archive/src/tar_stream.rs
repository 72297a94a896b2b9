//! A tar archive, read as it arrives in chunks of any size. Opens and judges nothing: names are returned as they are.
//!
//! Reads ustar, pax (`x`, `g`) and GNU's long names (`L`, `K`), applied before an entry is returned. Fed rather than
//! pulled, so that decoding can use several threads.

use std::collections::HashMap;
use std::ops::Range;

use crate::tar_header::{BLOCK, padded};

/// Names and pax headers longer than this are refused; real ones have some hundred bytes.
const MAX_EXTENSION: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TarMember {
    pub name: Vec<u8>,
    pub kind: MemberKind,
    /// The owner's bit.
    pub executable: bool,
    /// In seconds since 1970.
    pub mtime: u64,
    /// Size of the content that follows, in bytes.
    pub size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemberKind {
    Directory,
    File,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    /// What it is, in words.
    Special(&'static str),
}

pub(crate) enum TarItem {
    Member(TarMember),
    /// A range of the last member's content, as its place in the chunk.
    Content(Range<usize>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TarFault {
    #[error("the block at byte {at} of the tar is not a header: its checksum is wrong")]
    Checksum { at: u64 },
    #[error("the header at byte {at} of the tar has a malformed {field}")]
    Field { at: u64, field: &'static str },
    #[error("the tar ends at byte {at}, before its end-of-archive mark")]
    Truncated { at: u64 },
}

pub(crate) struct TarStream {
    /// Bytes of tar taken in.
    at: u64,
    state: TarState,
    /// A header or an extension that is not complete yet.
    partial: Vec<u8>,
    next: HeaderOverrides,
    global: HeaderOverrides,
}

#[derive(Clone, Copy, PartialEq)]
enum TarState {
    Header,
    Content {
        left: u64,
        padding: u64,
    },
    Extension {
        kind: u8,
        left: u64,
        padding: u64,
    },
    Padding {
        left: u64,
    },
    /// After the first zero block, whatever follows.
    End,
}

/// What extensions say instead of the header.
#[derive(Clone, Default)]
struct HeaderOverrides {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    mtime: Option<u64>,
    sparse: bool,
}

impl TarStream {
    pub(crate) fn new() -> Self {
        Self {
            at: 0,
            state: TarState::Header,
            partial: Vec::new(),
            next: HeaderOverrides::default(),
            global: HeaderOverrides::default(),
        }
    }

    /// Passes what `chunk` holds to `sink`, in order.
    pub(crate) fn feed<E: From<TarFault>>(
        &mut self,
        chunk: &[u8],
        sink: &mut dyn FnMut(TarItem) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = 0;
        while at < chunk.len() {
            let rest = &chunk[at..];
            let taken = match self.state {
                TarState::Header => self.header(rest, sink)?,
                TarState::Content { left, padding } => {
                    let taken = shorter(left, rest);
                    self.state = match left - taken as u64 {
                        0 => after(padding),
                        left => TarState::Content { left, padding },
                    };
                    sink(TarItem::Content(at..at + taken))?;
                    taken
                }
                TarState::Extension { kind, left, padding } => self.extension(kind, left, padding, rest)?,
                TarState::Padding { left } => {
                    let taken = shorter(left, rest);
                    self.state = after(left - taken as u64);
                    taken
                }
                TarState::End => rest.len(),
            };
            at += taken;
            self.at += taken as u64;
        }
        Ok(())
    }

    /// Must be called when there are no more chunks.
    pub(crate) fn finish(&self) -> Result<(), TarFault> {
        if self.state == TarState::End { Ok(()) } else { Err(TarFault::Truncated { at: self.at }) }
    }

    fn header<E: From<TarFault>>(
        &mut self,
        rest: &[u8],
        sink: &mut dyn FnMut(TarItem) -> Result<(), E>,
    ) -> Result<usize, E> {
        let taken = (BLOCK - self.partial.len()).min(rest.len());
        self.partial.extend_from_slice(&rest[..taken]);
        if self.partial.len() < BLOCK {
            return Ok(taken);
        }
        let block = std::mem::take(&mut self.partial);
        if block.iter().all(|byte| *byte == 0) {
            self.state = TarState::End;
            return Ok(taken);
        }
        let header = HeaderBlock { block: &block, at: self.at + taken as u64 - BLOCK as u64 };
        header.check()?;
        let kind = block[156];
        if matches!(kind, b'x' | b'g' | b'L' | b'K') {
            let left = header.number(124..136, "size")?;
            if left > MAX_EXTENSION {
                return Err(header.malformed("size").into());
            }
            self.state = TarState::Extension { kind, left, padding: padded(left) - left };
            if left == 0 {
                self.extension(kind, 0, 0, &[])?;
            }
            return Ok(taken);
        }
        let overrides = std::mem::take(&mut self.next);
        let member = header.member(overrides, &self.global)?;
        self.state = match member.size {
            0 => TarState::Header,
            left => TarState::Content { left, padding: padded(left) - left },
        };
        sink(TarItem::Member(member))?;
        Ok(taken)
    }

    fn extension(&mut self, kind: u8, left: u64, padding: u64, rest: &[u8]) -> Result<usize, TarFault> {
        let taken = shorter(left, rest);
        self.partial.extend_from_slice(&rest[..taken]);
        let left = left - taken as u64;
        if left > 0 {
            self.state = TarState::Extension { kind, left, padding };
            return Ok(taken);
        }
        let body = std::mem::take(&mut self.partial);
        let text = || body.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        match kind {
            b'L' => self.next.name = Some(text()),
            b'K' => self.next.link = Some(text()),
            b'g' => pax(&body, &mut self.global).ok_or(TarFault::Field { at: self.at, field: "pax header" })?,
            _ => pax(&body, &mut self.next).ok_or(TarFault::Field { at: self.at, field: "pax header" })?,
        }
        self.state = after(padding);
        Ok(taken)
    }
}

fn shorter(left: u64, rest: &[u8]) -> usize {
    rest.len().min(usize::try_from(left).unwrap_or(usize::MAX))
}

fn after(padding: u64) -> TarState {
    if padding == 0 { TarState::Header } else { TarState::Padding { left: padding } }
}

struct HeaderBlock<'a> {
    block: &'a [u8],
    /// Position of its first byte in the tar.
    at: u64,
}

impl HeaderBlock<'_> {
    fn check(&self) -> Result<(), TarFault> {
        let stated = self.number(148..156, "checksum")?;
        let bytes = self.block.iter().enumerate();
        let sum = bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum::<u64>();
        if stated == sum { Ok(()) } else { Err(TarFault::Checksum { at: self.at }) }
    }

    fn member(&self, own: HeaderOverrides, global: &HeaderOverrides) -> Result<TarMember, TarFault> {
        let named_directory = |name: &[u8]| name.ends_with(b"/");
        let name = own.name.or_else(|| global.name.clone()).unwrap_or_else(|| self.name());
        let link = own.link.or_else(|| global.link.clone()).unwrap_or_else(|| self.text(157..257).to_vec());
        let size = match own.size.or(global.size) {
            Some(size) => size,
            None => self.number(124..136, "size")?,
        };
        // A size that is too large to be rounded up to blocks is invalid.
        size.checked_add(BLOCK as u64).ok_or_else(|| self.malformed("size"))?;
        let kind = match self.block[156] {
            _ if own.sparse => MemberKind::Special("sparse file"),
            // Archives from before 1988 mark directories by their names.
            0 if named_directory(&name) => MemberKind::Directory,
            0 | b'0' | b'7' => MemberKind::File,
            b'1' => MemberKind::HardLink(link),
            b'2' => MemberKind::Symlink(link),
            b'3' => MemberKind::Special("character device"),
            b'4' => MemberKind::Special("block device"),
            b'5' => MemberKind::Directory,
            b'6' => MemberKind::Special("named pipe"),
            b'S' => MemberKind::Special("sparse file"),
            _ => MemberKind::Special("entry of a kind that is not known"),
        };
        let size = if matches!(kind, MemberKind::File) { size } else { 0 };
        let mtime = match own.mtime.or(global.mtime) {
            Some(mtime) => mtime,
            None => self.number(136..148, "time")?,
        };
        let executable = self.number(100..108, "mode")? & 0o100 != 0;
        Ok(TarMember { name, kind, executable, mtime, size })
    }

    fn name(&self) -> Vec<u8> {
        let (prefix, name) = (self.text(345..500), self.text(0..100));
        let posix = &self.block[257..263] == b"ustar\0";
        if posix && !prefix.is_empty() { [prefix, b"/", name].concat() } else { name.to_vec() }
    }

    fn text(&self, range: Range<usize>) -> &[u8] {
        self.block[range].split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Octal digits between blanks, or, with the highest bit set, a big-endian number.
    fn number(&self, range: Range<usize>, field: &'static str) -> Result<u64, TarFault> {
        let bytes = &self.block[range];
        if bytes[0] & 0x80 != 0 {
            // The next bit says that it is negative, which nothing here can be.
            let first = u64::from(bytes[0] & 0x7F);
            let mut rest = bytes[1..].iter().map(|byte| u64::from(*byte));
            let value = rest.try_fold(first, |value, byte| value.checked_mul(256).map(|high| high | byte));
            return value.filter(|_| bytes[0] & 0x40 == 0).ok_or_else(|| self.malformed(field));
        }
        let text = std::str::from_utf8(self.text_of(bytes)).map_err(|_| self.malformed(field))?.trim_matches(' ');
        if text.is_empty() {
            return Ok(0);
        }
        // `from_str_radix` would take a sign.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.malformed(field));
        }
        u64::from_str_radix(text, 8).map_err(|_| self.malformed(field))
    }

    fn text_of<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn malformed(&self, field: &'static str) -> TarFault {
        TarFault::Field { at: self.at, field }
    }
}

/// `LENGTH KEY=VALUE\n` and so on. `None` when `body` is not that.
fn pax(mut body: &[u8], into: &mut HeaderOverrides) -> Option<()> {
    let mut values = HashMap::new();
    while !body.is_empty() {
        let space = body.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&body[..space]).ok()?.parse().ok()?;
        let record = body.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        values.insert(&record[..equals], &record[equals + 1..]);
        body = &body[length..];
    }
    let number = |value: &&[u8]| {
        // Times may have a fraction and may be negative; neither matters here.
        let whole = std::str::from_utf8(value).ok()?.split('.').next().unwrap_or_default();
        whole.parse::<i128>().ok().map(|number| number.clamp(0, i128::from(u64::MAX)) as u64)
    };
    if let Some(path) = values.get(&b"path"[..]) {
        into.name = Some(path.to_vec());
    }
    if let Some(link) = values.get(&b"linkpath"[..]) {
        into.link = Some(link.to_vec());
    }
    if let Some(size) = values.get(&b"size"[..]) {
        into.size = Some(std::str::from_utf8(size).ok()?.parse().ok()?);
    }
    if let Some(mtime) = values.get(&b"mtime"[..]) {
        into.mtime = Some(number(mtime)?);
    }
    into.sparse |= values.keys().any(|key| key.starts_with(b"GNU.sparse."));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_header::header_of;
    use crate::{FileContent, TreeEntry};

    fn members(bytes: &[u8], chunk: usize) -> Result<Vec<(TarMember, Vec<u8>)>, TarFault> {
        let mut found: Vec<(TarMember, Vec<u8>)> = Vec::new();
        let mut stream = TarStream::new();
        for chunk in bytes.chunks(chunk) {
            stream.feed(chunk, &mut |item| -> Result<(), TarFault> {
                match item {
                    TarItem::Member(member) => found.push((member, Vec::new())),
                    TarItem::Content(range) => found.last_mut().unwrap().1.extend_from_slice(&chunk[range]),
                }
                Ok(())
            })?;
        }
        stream.finish()?;
        Ok(found)
    }

    fn tar() -> Vec<u8> {
        let long = format!("{}/é", "n".repeat(250));
        let mut bytes = Vec::new();
        for (path, content) in [("a", "x".repeat(511)), (&long, "y".repeat(512)), ("c", String::new())] {
            let content = content.into_bytes();
            let entry =
                TreeEntry::file(path.parse().unwrap(), FileContent::Bytes(content.as_slice().into()), path == "a");
            bytes.extend(header_of(&entry, content.len() as u64, 7));
            bytes.extend(&content);
            bytes.resize(padded(bytes.len() as u64) as usize, 0);
        }
        bytes.extend(header_of(&TreeEntry::symlink("l".parse().unwrap(), "é".repeat(80)), 0, 7));
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    #[test]
    fn the_size_of_chunks_does_not_matter() {
        let whole = members(&tar(), usize::MAX).unwrap();
        assert_eq!(whole.len(), 4);
        assert_eq!((whole[0].0.executable, whole[0].0.mtime, whole[0].1.len()), (true, 7, 511));
        assert!(whole[1].0.name.ends_with("/é".as_bytes()) && whole[1].1.len() == 512);
        assert_eq!(whole[3].0.kind, MemberKind::Symlink("é".repeat(80).into_bytes()));
        for chunk in [1, 7, 511, 512, 513, 4096] {
            assert_eq!(members(&tar(), chunk).unwrap(), whole, "chunks of {chunk}");
        }
    }

    #[test]
    fn numbers_in_binary_are_read_in_fields_of_every_length() {
        let cases: [(usize, &[u8], Option<u64>); 5] = [
            // (where the field begins, its bytes, the number)
            (100, &[0x80, 0, 0, 0, 0, 0, 1, 0xED], Some(0o755)),
            (100, &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], None), // negative
            (124, &[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0], Some(1 << 33)),
            (124, &[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], None), // more than 64 bits
            (148, &[0x80, 0, 0, 0, 0, 0, 0, 7], Some(7)),
        ];
        for (at, bytes, expected) in cases {
            let mut block = [0; BLOCK];
            block[at..at + bytes.len()].copy_from_slice(bytes);
            let header = HeaderBlock { block: &block, at: 0 };
            assert_eq!(header.number(at..at + bytes.len(), "field").ok(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_tar_cut_anywhere_is_truncated() {
        let tar = tar();
        for length in 0..tar.len() - 512 {
            assert!(matches!(members(&tar[..length], 4096), Err(TarFault::Truncated { .. })), "cut to {length}");
        }
    }
}

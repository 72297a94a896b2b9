//! Install names of macOS libraries: one that is absolute becomes `@rpath/<name>`, and the file is signed anew.
//!
//! Both happen in place. The new name is not longer than the old one, and an ad-hoc signature is nothing but
//! hashes of the file's pages, which are made again: nothing moves, so nothing else can break. A certificate's
//! signature cannot be made again and is an error. (The crates that edit Mach-O, `arwen` and the alpha
//! `arwen-codesign`, would bring a second reader of object files for one text and one row of hashes.)

use std::ops::Range;
use std::path::Path;

use vocab::Digest;

use super::disk::{Result, read, walk, write};
use super::error::BaseErrorKind;

/// Only files that have such a name are written.
pub(super) fn settle_install_names(tree: &Path) -> Result<()> {
    for entry in walk(tree)? {
        if !entry.file_type().is_file() || !starts_as_mach_o(entry.path())? {
            continue;
        }
        let mut bytes = read(entry.path())?;
        let failed = |reason| BaseErrorKind::MachO {
            file: entry.path().strip_prefix(tree).unwrap_or(entry.path()).to_string_lossy().replace('\\', "/"),
            reason,
        };
        if settle_install_name(&mut bytes).map_err(failed)? {
            write(entry.path(), &bytes)?;
        }
    }
    Ok(())
}

/// 64-bit and little-endian, as all that macOS still runs; files for several machines have other first bytes, and
/// python-build-standalone has none of them.
const MAGIC: [u8; 4] = [0xcf, 0xfa, 0xed, 0xfe];

fn starts_as_mach_o(path: &Path) -> Result<bool> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).map_err(super::disk::at("read", path))?;
    let mut start = Vec::with_capacity(MAGIC.len());
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(super::disk::at("read", path))?;
    Ok(start == MAGIC)
}

/// True when something was changed. The reason, when it must be and cannot.
fn settle_install_name(bytes: &mut [u8]) -> std::result::Result<bool, String> {
    const ID_DYLIB: u32 = 0xd;
    const CODE_SIGNATURE: u32 = 0x1d;
    let commands = commands(bytes).ok_or("its load commands are damaged")?;
    let Some((_, id)) = commands.iter().find(|(kind, _)| *kind == ID_DYLIB) else { return Ok(false) };
    let place = name_in(bytes, id).ok_or("its install name is damaged")?;
    let Some(name) = portable_name(&bytes[place.clone()]) else { return Ok(false) };
    // What stays free is filled with NUL, as the linker does.
    bytes[place.clone()].fill(0);
    bytes[place.start..place.start + name.len()].copy_from_slice(&name);
    if let Some((_, command)) = commands.iter().find(|(kind, _)| *kind == CODE_SIGNATURE) {
        let signature = linkedit(bytes, command).ok_or("its signature is not inside the file")?;
        refresh(bytes, signature)?;
    }
    Ok(true)
}

/// `@rpath/<name>` for an absolute name outside the system's folders.
fn portable_name(name: &[u8]) -> Option<Vec<u8>> {
    let foreign = name.starts_with(b"/") && !name.starts_with(b"/usr/lib/") && !name.starts_with(b"/System/");
    let file_name = name.rsplit(|byte| *byte == b'/').next()?;
    let new = [b"@rpath/", file_name].concat();
    (foreign && new.len() <= name.len()).then_some(new)
}

/// Kind and place of each. Source: `mach-o/loader.h`.
fn commands(bytes: &[u8]) -> Option<Vec<(u32, Range<usize>)>> {
    let count = little(bytes, 16)?;
    let mut commands = Vec::new();
    let mut at = 32;
    for _ in 0..count {
        let (kind, size) = (little(bytes, at)?, usize::try_from(little(bytes, at + 4)?).ok()?);
        let end = at.checked_add(size).filter(|end| size >= 8 && *end <= bytes.len())?;
        commands.push((kind, at..end));
        at = end;
    }
    Some(commands)
}

/// Without the NUL at its end.
fn name_in(bytes: &[u8], command: &Range<usize>) -> Option<Range<usize>> {
    let start = command.start.checked_add(usize::try_from(little(bytes, command.start + 8)?).ok()?)?;
    let text = bytes.get(start..command.end)?;
    let length = text.iter().position(|byte| *byte == 0)?;
    Some(start..start + length)
}

fn linkedit(bytes: &[u8], command: &Range<usize>) -> Option<Range<usize>> {
    let start = usize::try_from(little(bytes, command.start + 8)?).ok()?;
    let end = start.checked_add(usize::try_from(little(bytes, command.start + 12)?).ok()?)?;
    (end <= bytes.len()).then_some(start..end)
}

/// Makes the hashes of the pages again. Source: `cs_blobs.h` of Darwin's kernel: a table of blobs, one of which, the
/// code directory, has a hash for each page of the file up to the signature.
fn refresh(bytes: &mut [u8], signature: Range<usize>) -> std::result::Result<(), String> {
    const EMBEDDED: u32 = 0xfade_0cc0;
    const DIRECTORY_SLOT: u32 = 0;
    const CERTIFICATE_SLOT: u32 = 0x1_0000;
    let damaged = || "its signature is damaged".to_owned();
    let blob = &bytes[signature.clone()];
    if big(blob, 0) != Some(EMBEDDED) {
        return Err(damaged());
    }
    let mut directory = None;
    for index in 0..big(blob, 8).ok_or_else(damaged)? {
        let row = 12 + 8 * usize::try_from(index).map_err(|_| damaged())?;
        let (slot, offset) = big(blob, row).zip(big(blob, row + 4)).ok_or_else(damaged)?;
        match slot {
            DIRECTORY_SLOT => directory = usize::try_from(offset).ok(),
            // An empty wrapper is what an ad-hoc signature may have there.
            CERTIFICATE_SLOT if big(blob, usize::try_from(offset).map_err(|_| damaged())? + 4) != Some(8) => {
                return Err("it is signed by a certificate, and would not be any more".to_owned());
            }
            0x1000..=0x1004 => return Err("its signature has hashes of several kinds".to_owned()),
            _ => {}
        }
    }
    let hashes = page_hashes(blob, directory.ok_or_else(damaged)?).ok_or_else(damaged)??;
    if hashes.limit > signature.start {
        return Err(damaged());
    }
    let start = signature.start + hashes.start;
    for (index, from) in (0..hashes.limit).step_by(hashes.page).enumerate() {
        let digest = Digest::of(&bytes[from..hashes.limit.min(from + hashes.page)]);
        let at = start + index * HASH_SIZE;
        bytes.get_mut(at..at + HASH_SIZE).ok_or_else(damaged)?.copy_from_slice(digest.as_bytes());
    }
    Ok(())
}

/// SHA-256's.
const HASH_SIZE: usize = 32;

struct PageHashes {
    /// Offset of the first hash from the signature's beginning.
    start: usize,
    /// Bytes of the file that are hashed.
    limit: usize,
    /// In bytes.
    page: usize,
}

/// `None` when the directory is damaged, an error when it is of a kind that is not written here.
fn page_hashes(blob: &[u8], directory: usize) -> Option<std::result::Result<PageHashes, String>> {
    const DIRECTORY: u32 = 0xfade_0c02;
    const SHA256: u8 = 2;
    let table = blob.get(directory..)?;
    let number = |at| usize::try_from(big(table, at)?).ok();
    if big(table, 0)? != DIRECTORY {
        return None;
    }
    let (offset, count, limit) = (number(16)?, number(28)?, number(32)?);
    let (size, kind, page) = (*table.get(36)?, *table.get(37)?, *table.get(39)?);
    if usize::from(size) != HASH_SIZE || kind != SHA256 || !(9..=20).contains(&page) {
        return Some(Err("its signature has hashes of another kind than SHA-256".to_owned()));
    }
    let page = 1_usize << page;
    let start = directory.checked_add(offset)?;
    let complete = count == limit.div_ceil(page) && count.checked_mul(HASH_SIZE)?.checked_add(start)? <= blob.len();
    complete.then_some(Ok(PageHashes { start, limit, page }))
}

fn little(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "/install/lib/libpython3.12.dylib";

    /// As small as a signed library can be: header, two commands, a page and a half of content, the signature.
    fn library(name: &str, slots: &[u32]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let room = (name.len() + 1).next_multiple_of(8);
        let (content, blobs) = (6000_usize, slots.len());
        let directory = 12 + 8 * blobs;
        let mut put = |number: usize| bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
        for number in [0, 0, 6, 2, 24 + room + 16, 0, 0] {
            put(number);
        }
        for number in [0xd, 24 + room, 24, 0, 0, 0] {
            put(number);
        }
        bytes.extend(name.as_bytes());
        bytes.resize(32 + 24 + room, 0);
        let mut put = |number: usize| bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
        for number in [0x1d, 16, content, directory + 44 + 2 * HASH_SIZE] {
            put(number);
        }
        bytes.resize(content, 7);
        let mut put = |number: u32| bytes.extend(number.to_be_bytes());
        put(0xfade_0cc0);
        put(u32::try_from(directory + 44 + 64).unwrap());
        put(u32::try_from(blobs).unwrap());
        for slot in slots {
            put(*slot);
            put(u32::try_from(directory).unwrap());
        }
        for number in [0xfade_0c02, 108, 0x2_0400, 0x2_0002, 44, 40, 0, 2, 6000] {
            put(number);
        }
        bytes.extend([32, 2, 0, 12, 0, 0, 0, 0]);
        bytes.extend([0; 2 * HASH_SIZE]);
        bytes
    }

    #[test]
    fn an_absolute_install_name_becomes_relative_and_every_page_is_hashed_again() {
        let mut bytes = library(NAME, &[0]);
        let length = bytes.len();
        assert_eq!(settle_install_name(&mut bytes), Ok(true));
        assert_eq!(bytes.len(), length);
        let id = commands(&bytes).unwrap().remove(0).1;
        assert_eq!(&bytes[name_in(&bytes, &id).unwrap()], b"@rpath/libpython3.12.dylib");
        let hashes = [Digest::of(&bytes[..4096]), Digest::of(&bytes[4096..6000])];
        assert_eq!(&bytes[length - 2 * HASH_SIZE..], [*hashes[0].as_bytes(), *hashes[1].as_bytes()].concat());
        assert_eq!(settle_install_name(&mut bytes), Ok(false));
    }

    #[test]
    fn names_of_the_system_and_relative_ones_stay() {
        for name in ["/usr/lib/libz.1.dylib", "/System/Library/x", "@rpath/libtcl9.0.dylib", "libitcl4.dylib"] {
            let mut bytes = library(name, &[0]);
            let before = bytes.clone();
            assert_eq!(settle_install_name(&mut bytes), Ok(false), "for {name}");
            assert_eq!(bytes, before);
        }
    }

    #[test]
    fn what_cannot_be_signed_again_is_an_error_and_damage_is_no_panic() {
        let told = |slots: &[u32]| settle_install_name(&mut library(NAME, slots)).unwrap_err();
        assert_eq!(told(&[0, 0x1_0000]), "it is signed by a certificate, and would not be any more");
        assert_eq!(told(&[0, 0x1000]), "its signature has hashes of several kinds");
        let whole = library(NAME, &[0]);
        for length in 0..whole.len() {
            let _ = settle_install_name(&mut whole[..length].to_vec());
        }
        for at in (0..140).chain(6000..6064) {
            let mut bytes = whole.clone();
            bytes[at] = 0xff;
            let _ = settle_install_name(&mut bytes);
        }
    }
}

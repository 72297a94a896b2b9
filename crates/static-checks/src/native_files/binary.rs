//! Which format a file has, and its facts, read by that format's reader.
//!
//! Only headers are read, a few kilobytes through a small cache, so a library of 600 MB costs no more than one of
//! 6 KB. The rules of each format say what the facts mean.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use object::read::ReadCache;

use super::facts::{BinaryDamage, NativeBinary};
use super::{elf, macho, pe};

/// Reads the file's headers. `None` if it is not a binary in any of the three formats. For an ELF file it also looks
/// whether it defines `function`.
pub(crate) fn read(path: &Path, function: Option<&str>) -> io::Result<Option<Result<NativeBinary, BinaryDamage>>> {
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    let mut filled = 0;
    while filled < magic.len() {
        match file.read(&mut magic[filled..])? {
            0 => return Ok(None),
            count => filled += count,
        }
    }
    let cache = ReadCache::new(file);
    Ok(match magic {
        [0x7f, b'E', b'L', b'F'] => Some(elf::read(&cache, function)),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe] | [0xfe, 0xed, 0xfa, 0xcf | 0xce] => Some(macho::read(&cache)),
        [0xca, 0xfe, 0xba, 0xbe | 0xbf] => macho::read_fat(&cache),
        [b'M', b'Z', ..] => pe::read(&cache),
        _ => None,
    })
}

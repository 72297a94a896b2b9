//! The facts that the checks need, read from one file.
//!
//! Only headers are read, a few kilobytes through a small cache, so a library of 600 MB costs no more than one of
//! 6 KB. The rules of each format say what the facts mean.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use object::read::ReadCache;
use vocab::{Arch, Os};

use super::elf::{self, ElfFacts};
use super::macho::{self, MachoSlice};
use super::pe::{self, PeFacts};

/// What one binary says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binary {
    /// Whose format it is.
    pub os: Os,
    /// Several for a fat Mach-O file. Empty when it is for machines that no platform key names.
    pub archs: Vec<Arch>,
    /// A program, started by the system, rather than a library, loaded by one.
    pub is_program: bool,
    /// A relocatable object or debug data, which is input for tools and never loaded.
    pub is_object: bool,
    pub facts: Facts,
}

/// What the headers say, by format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Facts {
    /// For a machine that no platform key names, or an object file.
    Unread,
    Elf(ElfFacts),
    /// One of each architecture that a platform key names.
    Macho(Vec<MachoSlice>),
    Pe(PeFacts),
}

/// Reads the file's headers. `None` if it is not a binary in any of the three formats. For an ELF file it also looks
/// whether it defines `function`.
pub(crate) fn read(path: &Path, function: Option<&str>) -> io::Result<Option<Result<Binary, Damage>>> {
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

/// Why a binary cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Damage(pub String);

impl Damage {
    /// `text` completes the sentence "cannot be read: …".
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<object::Error> for Damage {
    fn from(error: object::Error) -> Self {
        Self(error.to_string())
    }
}

//! What an ELF file needs and where it looks for it; and the same written anew, in place.

use std::collections::BTreeSet;

use memchr::memmem;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DynamicTag};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, Sym as _};
use object::{Endianness, Object as _, ObjectSection as _};

/// The dynamic section of a 64-bit file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ElfDynamic {
    pub(super) machine: u16,
    pub(super) needed: Vec<String>,
    /// Folders to search, as written: `$ORIGIN` is the file's own. What `DT_RUNPATH` has, else `DT_RPATH`.
    pub(super) search: Vec<String>,
    /// `search` also applies to the libraries of this file's libraries.
    pub(super) is_inherited: bool,
    pub(super) has_search_entry: bool,
}

pub(super) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Reads the dynamic section; the error is the reason in words.
pub(super) fn parse(bytes: &[u8]) -> Result<ElfDynamic, String> {
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(|error| error.to_string())?;
    let table = file.elf_dynamic_table().map_err(|error| error.to_string())?;
    let mut elf = ElfDynamic { machine: file.elf_header().e_machine(file.endian()).0, ..ElfDynamic::default() };
    let (mut rpath, mut runpath) = (None, None);
    for entry in &table {
        if ![DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME].contains(&entry.tag) {
            continue;
        }
        let text = table.string(entry).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(text).into_owned();
        match entry.tag {
            DT_NEEDED => elf.needed.push(text),
            DT_RPATH => rpath = Some(text),
            DT_RUNPATH => runpath = Some(text),
            _ => {}
        }
    }
    elf.has_search_entry = rpath.is_some() || runpath.is_some();
    elf.is_inherited = runpath.is_none();
    let search = runpath.or(rpath).unwrap_or_default();
    elf.search = search.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned).collect();
    Ok(elf)
}

/// Why the search path was not written; the file is as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The file has no entry to rewrite.
    NoEntry,
    /// The present path is too short, or something else uses a part of its text.
    Occupied {
        present: String,
    },
    Unreadable(String),
}

/// Replaces the search path by `wanted`, as `DT_RPATH`: unlike `DT_RUNPATH` it holds for what is loaded later, too,
/// so that one entry in the program serves all libraries beside it.
pub(super) fn set_search_path(bytes: &mut [u8], wanted: &str) -> Result<(), NoRoom> {
    for write in writes(bytes, wanted)? {
        bytes[write.at..write.at + write.bytes.len()].copy_from_slice(&write.bytes);
    }
    Ok(())
}

struct ElfWrite {
    at: usize,
    bytes: Vec<u8>,
}

fn writes(bytes: &[u8], wanted: &str) -> Result<Vec<ElfWrite>, NoRoom> {
    let unreadable = |error: object::Error| NoRoom::Unreadable(error.to_string());
    let lacks = |name: &str| NoRoom::Unreadable(format!("it has no section {name}"));
    let file = ElfFile64::<Endianness>::parse(bytes).map_err(unreadable)?;
    let endian = file.endian();
    let table = file.elf_dynamic_table().map_err(unreadable)?;
    let place = |name: &str| {
        let range = file.section_by_name(name).and_then(|section| section.file_range()).ok_or_else(|| lacks(name))?;
        usize::try_from(range.0).map_err(|_| lacks(name))
    };
    let (entries_at, strings_at) = (place(".dynamic")?, place(".dynstr")?);

    // Where texts of the string table begin that are not search paths.
    let mut others = BTreeSet::new();
    let mut writes = Vec::new();
    let mut paths = BTreeSet::new();
    for (index, entry) in table.dynamics().iter().enumerate() {
        let (tag, value): (DynamicTag, u64) = (entry.d_tag(endian), entry.d_val(endian));
        if tag == object::elf::DT_NULL {
            break;
        }
        match tag {
            DT_RPATH | DT_RUNPATH => {
                paths.insert(value);
                let little = endian == Endianness::Little;
                let tag = if little { DT_RPATH.0.to_le_bytes() } else { DT_RPATH.0.to_be_bytes() };
                writes.push(ElfWrite { at: entries_at + index * size_of_val(entry), bytes: tag.to_vec() });
            }
            DT_NEEDED | DT_SONAME => drop(others.insert(value)),
            _ => {}
        }
    }
    for symbol in file.elf_dynamic_symbol_table().iter() {
        others.insert(u64::from(symbol.st_name(endian)));
    }
    if paths.is_empty() {
        return Err(NoRoom::NoEntry);
    }
    for start in paths {
        let text = u32::try_from(start).ok().and_then(|start| table.strings().get(start).ok());
        let text = text.ok_or_else(|| NoRoom::Unreadable("a search path is outside the string table".to_owned()))?;
        let end = start + text.len() as u64;
        // A linker lets one text begin inside another that ends alike.
        if wanted.len() > text.len() || others.range(start..end).next().is_some() {
            return Err(NoRoom::Occupied { present: String::from_utf8_lossy(text).into_owned() });
        }
        let mut padded = wanted.as_bytes().to_vec();
        padded.resize(text.len(), 0);
        let at = usize::try_from(start).map_or(usize::MAX, |start| strings_at.saturating_add(start));
        if at.saturating_add(padded.len()) > bytes.len() {
            return Err(NoRoom::Unreadable("a search path is outside the file".to_owned()));
        }
        writes.push(ElfWrite { at, bytes: padded });
    }
    Ok(writes)
}

/// Overwrites every mention of `folder` by a text of the same length that names nothing, so that no program falls
/// back on it: CPython has its configured prefix compiled in, debug information the folder of the sources.
///
/// The last part of the name stays, with the `/` before it. A linker keeps one text for two that end alike, and the
/// prefix `…/3.12.1` is where CPython then finds its own version number.
pub(super) fn blank_folder(bytes: &mut [u8], folder: &str) {
    let needle = folder.as_bytes();
    let parent_length = folder.rfind('/').unwrap_or(0);
    if parent_length < 2 {
        return;
    }
    let mut blank = b"/pydist".to_vec();
    blank.truncate(parent_length);
    blank.resize(parent_length, b'_');
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+');
    let mut at = 0;
    while let Some(found) = memmem::find(&bytes[at..], needle) {
        let start = at + found;
        let end = start + needle.len();
        if !bytes.get(end).is_some_and(is_name) {
            bytes[start..start + parent_length].copy_from_slice(&blank);
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_blanked_but_for_its_own_name_and_longer_names_are_let_be() {
        let mut bytes = b"\0/home/x/3.12.1/lib\0/home/x/3.12.1\0/home/x/3.12.10\0".to_vec();
        blank_folder(&mut bytes, "/home/x/3.12.1");
        assert_eq!(bytes, b"\0/pydist/3.12.1/lib\0/pydist/3.12.1\0/home/x/3.12.10\0");
        let mut bytes = b"/opt/lib\0/opt\0".to_vec();
        blank_folder(&mut bytes, "/opt");
        assert_eq!(bytes, b"/opt/lib\0/opt\0");
    }

    #[test]
    fn what_is_no_elf_is_told_and_not_touched() {
        assert!(parse(b"#!/bin/sh\n").is_err());
        assert!(parse(b"\x7fELF").is_err());
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        assert!(matches!(set_search_path(&mut bytes, "$ORIGIN"), Err(NoRoom::Unreadable(_))));
    }
}

//! ELF: needed libraries, search paths and needed symbol versions, read from the program headers, as the dynamic
//! loader does; section headers may be stripped.

mod export;
pub(crate) mod rules;

use object::elf::{self, FileHeader32, FileHeader64, Vernaux, Verneed};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, ReadRef};
use vocab::{Arch, Os};

use super::facts::{BinaryDamage, BinaryFacts, ElfFacts, NativeBinary, NeededVersion};
use export::SymbolTables;

/// Far above anything real; a damaged file must not make us allocate gigabytes.
const MAX_HEADERS: usize = 4096;
const MAX_DYNAMIC_SIZE: u64 = 1 << 20;
const MAX_NAMES: usize = 1 << 12;
/// Each is searched for each needed library.
const MAX_FOLDERS: usize = 256;

const TEXT_TAGS: [elf::DynamicTag; 4] = [elf::DT_NEEDED, elf::DT_SONAME, elf::DT_RPATH, elf::DT_RUNPATH];

/// `function` is one that the file may define.
pub(crate) fn read<'data, R: ReadRef<'data>>(data: R, function: Option<&str>) -> Result<NativeBinary, BinaryDamage> {
    match FileHeader64::<Endianness>::parse(data) {
        Ok(header) => read_64(header, data, function),
        Err(_) => {
            let header = FileHeader32::<Endianness>::parse(data)?;
            let kind = header.e_type(header.endian()?);
            Ok(binary(Vec::new(), kind, false, None))
        }
    }
}

fn binary(archs: Vec<Arch>, kind: elf::FileType, is_program: bool, facts: Option<ElfFacts>) -> NativeBinary {
    let is_program = is_program || kind == elf::ET_EXEC;
    let facts = facts.map_or(BinaryFacts::Unread, BinaryFacts::Elf);
    NativeBinary { os: Os::Linux, archs, is_program, is_object: kind == elf::ET_REL, facts }
}

fn read_64<'data, R: ReadRef<'data>>(
    header: &FileHeader64<Endianness>,
    data: R,
    function: Option<&str>,
) -> Result<NativeBinary, BinaryDamage> {
    let endian = header.endian()?;
    let kind = header.e_type(endian);
    let arch = match (header.e_machine(endian), header.is_little_endian()) {
        (elf::EM_X86_64, true) => Arch::X64,
        (elf::EM_AARCH64, true) => Arch::Aarch64,
        _ => return Ok(binary(Vec::new(), kind, false, None)),
    };
    if kind == elf::ET_REL {
        return Ok(binary(vec![arch], kind, false, None));
    }
    let reader = ElfReader::new(header, endian, data)?;
    Ok(binary(vec![arch], kind, reader.has_interpreter, Some(reader.facts(function)?)))
}

type ElfSegment = <FileHeader64<Endianness> as FileHeader>::ProgramHeader;

struct ElfReader<'data, R> {
    data: R,
    endian: Endianness,
    segments: &'data [ElfSegment],
    has_interpreter: bool,
    /// Offset and size in the file.
    dynamic: Option<(u64, u64)>,
}

impl<'data, R: ReadRef<'data>> ElfReader<'data, R> {
    fn new(header: &FileHeader64<Endianness>, endian: Endianness, data: R) -> Result<Self, BinaryDamage> {
        if usize::from(header.e_phnum(endian)) > MAX_HEADERS {
            return Err(BinaryDamage("it has too many program headers".to_owned()));
        }
        let segments = header.program_headers(endian, data)?;
        let of_kind = |kind| segments.iter().find(|segment| segment.p_type(endian) == kind);
        Ok(Self {
            data,
            endian,
            segments,
            has_interpreter: of_kind(elf::PT_INTERP).is_some(),
            dynamic: of_kind(elf::PT_DYNAMIC).map(|segment| segment.file_range(endian)),
        })
    }

    fn facts(&self, function: Option<&str>) -> Result<ElfFacts, BinaryDamage> {
        let Some((offset, size)) = self.dynamic else { return Ok(ElfFacts::default()) };
        if size > MAX_DYNAMIC_SIZE {
            return Err(BinaryDamage(format!("its dynamic section claims {size} bytes")));
        }
        let count = size as usize / size_of::<elf::Dyn64<Endianness>>();
        let entries: &[elf::Dyn64<Endianness>] = self
            .data
            .read_slice_at(offset, count)
            .map_err(|()| BinaryDamage("its dynamic section is cut off".to_owned()))?;
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| (entry.tag(self.endian), entry.val(self.endian)))
            .take_while(|(tag, _)| *tag != elf::DT_NULL)
            .collect();
        if entries.iter().filter(|(tag, _)| TEXT_TAGS.contains(tag)).count() > MAX_NAMES {
            return Err(BinaryDamage("its list of needed libraries does not end".to_owned()));
        }
        let value = |tag| entries.iter().find(|(other, _)| *other == tag).map(|(_, value)| *value);
        let Some(strings) = value(elf::DT_STRTAB).and_then(|address| self.offset_of(address)) else {
            return Ok(ElfFacts::default());
        };
        let texts = |tag| {
            let matching = entries.iter().filter(move |(other, _)| *other == tag);
            matching.map(|(_, value)| self.text(strings, *value)).collect::<Result<Vec<_>, _>>()
        };
        let paths = |tag| texts(tag).map(|texts| split_paths(&texts));
        let (rpath, runpath) = (paths(elf::DT_RPATH)?, paths(elf::DT_RUNPATH)?);
        if rpath.len() + runpath.len() > MAX_FOLDERS {
            return Err(BinaryDamage::new("its list of search paths does not end"));
        }
        let versions = match value(elf::DT_VERNEED).and_then(|address| self.offset_of(address)) {
            Some(first) => self.versions(first, value(elf::DT_VERNEEDNUM).unwrap_or(0), strings)?,
            None => Vec::new(),
        };
        let tables = SymbolTables {
            symbols: value(elf::DT_SYMTAB),
            gnu_hash: value(elf::DT_GNU_HASH),
            hash: value(elf::DT_HASH),
        };
        let defines = function.and_then(|function| self.defines(&tables, strings, function));
        let (soname, needed) = (texts(elf::DT_SONAME)?.pop(), texts(elf::DT_NEEDED)?);
        Ok(ElfFacts { soname, needed, rpath, runpath, versions, defines })
    }

    fn versions(&self, first: u64, count: u64, strings: u64) -> Result<Vec<NeededVersion>, BinaryDamage> {
        let cut_off = |()| BinaryDamage::new("its list of needed versions is cut off");
        let mut rows_left = MAX_NAMES;
        let mut count_row = || {
            rows_left = rows_left.checked_sub(1)?;
            Some(())
        };
        let endless = || BinaryDamage::new("its list of needed versions does not end");
        let mut versions = Vec::new();
        let mut need_offset = first;
        for _ in 0..count {
            count_row().ok_or_else(endless)?;
            let need: &Verneed<Endianness> = self.data.read_at(need_offset).map_err(cut_off)?;
            let library = self.text(strings, need.vn_file.get(self.endian).into())?;
            let mut name_offset = need_offset.saturating_add(need.vn_aux.get(self.endian).into());
            for _ in 0..need.vn_cnt.get(self.endian) {
                count_row().ok_or_else(endless)?;
                let name: &Vernaux<Endianness> = self.data.read_at(name_offset).map_err(cut_off)?;
                if name.vna_flags.get(self.endian) & elf::VER_FLG_WEAK != elf::VER_FLG_WEAK {
                    let version = self.text(strings, name.vna_name.get(self.endian).into())?;
                    versions.push(NeededVersion { library: library.clone(), version });
                }
                name_offset = name_offset.saturating_add(name.vna_next.get(self.endian).into());
            }
            match need.vn_next.get(self.endian) {
                0 => break,
                next => need_offset = need_offset.saturating_add(next.into()),
            }
        }
        Ok(versions)
    }

    /// The place in the file of what will be at `address` in memory.
    fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments.iter().filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD).find_map(|segment| {
            let (offset, size) = segment.file_range(self.endian);
            let inside = address.checked_sub(segment.p_vaddr(self.endian)).filter(|inside| *inside < size)?;
            offset.checked_add(inside)
        })
    }

    fn text(&self, strings: u64, index: u64) -> Result<String, BinaryDamage> {
        let cut_off = || BinaryDamage("its table of names is cut off".to_owned());
        let start = strings.checked_add(index).ok_or_else(cut_off)?;
        let end = self.data.len().map_err(|()| cut_off())?;
        let bytes = self.data.read_bytes_at_until(start..end, 0).map_err(|()| cut_off())?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

fn split_paths(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|text| text.split(':')).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

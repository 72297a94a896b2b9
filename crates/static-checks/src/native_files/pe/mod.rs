//! PE: imported libraries and the oldest Windows, from the headers and the import tables.
//!
//! The tables are read row by row. Reading the section that holds them, as libraries do, would cost as much memory as
//! a header claims.

pub(crate) mod rules;

use object::read::coff::SectionTable;
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader};
use object::{LittleEndian, ReadRef, pe};
use vocab::{Arch, Os};

use super::facts::{BinaryDamage, BinaryFacts, NativeBinary, PeFacts};
use super::symbol_version::SymbolVersion;

/// Far above anything real; a table that does not end must.
const MAX_IMPORTS: u64 = 4096;
const MAX_NAME: u64 = 512;

/// `None` if the file only begins with `MZ`: a DOS program, or a text.
pub(crate) fn read<'data, R: ReadRef<'data>>(data: R) -> Option<Result<NativeBinary, BinaryDamage>> {
    let dos = pe::ImageDosHeader::parse(data).ok()?;
    let at = dos.nt_headers_offset().into();
    let signature: [u8; 4] = data.read_bytes_at(at, 4).ok()?.try_into().ok()?;
    if u32::from_le_bytes(signature) != pe::IMAGE_NT_SIGNATURE {
        return None;
    }
    Some(read_headers(data, at))
}

fn read_headers<'data, R: ReadRef<'data>>(data: R, at: u64) -> Result<NativeBinary, BinaryDamage> {
    // The file header lies at the same place for 32 and 64 bits.
    let header: &pe::ImageFileHeader =
        data.read_at(at + 4).map_err(|()| BinaryDamage::new("its headers are cut off"))?;
    let arch = match header.machine.get(LittleEndian) {
        pe::IMAGE_FILE_MACHINE_AMD64 => Some(Arch::X64),
        pe::IMAGE_FILE_MACHINE_ARM64 => Some(Arch::Aarch64),
        _ => None,
    };
    let facts = match arch {
        Some(_) => BinaryFacts::Pe(PeReader::new(data, at)?.facts()?),
        None => BinaryFacts::Unread,
    };
    let is_library = header.characteristics.get(LittleEndian) & pe::IMAGE_FILE_DLL == pe::IMAGE_FILE_DLL;
    Ok(NativeBinary {
        os: Os::Windows,
        archs: arch.into_iter().collect(),
        is_program: !is_library,
        is_object: false,
        facts,
    })
}

struct PeReader<'data, R> {
    data: R,
    headers: &'data pe::ImageNtHeaders64,
    /// Address of the import table and of the delayed one; 0 where there is none.
    tables: (u32, u32),
    sections: SectionTable<'data>,
}

impl<'data, R: ReadRef<'data>> PeReader<'data, R> {
    fn new(data: R, at: u64) -> Result<Self, BinaryDamage> {
        let mut offset = at;
        let (headers, directories) = pe::ImageNtHeaders64::parse(data, &mut offset)?;
        let sections = headers.sections(data, offset)?;
        let file_size = data.len().map_err(|()| BinaryDamage::new("its size is unknown"))?;
        let is_whole = |section: &pe::ImageSectionHeader| {
            let start = u64::from(section.pointer_to_raw_data.get(LittleEndian));
            start == 0 || start + u64::from(section.size_of_raw_data.get(LittleEndian)) <= file_size
        };
        if !sections.iter().all(is_whole) {
            return Err(BinaryDamage::new("a section of it is cut off"));
        }
        let table = |index| directories.get(index).map_or(0, |row| row.virtual_address.get(LittleEndian));
        let tables = (table(pe::IMAGE_DIRECTORY_ENTRY_IMPORT), table(pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT));
        Ok(Self { data, headers, tables, sections })
    }

    fn facts(&self) -> Result<PeFacts, BinaryDamage> {
        let header = self.headers.optional_header();
        let system = (header.major_operating_system_version(), header.minor_operating_system_version());
        let subsystem = (header.major_subsystem_version(), header.minor_subsystem_version());
        let (major, minor) = system.max(subsystem);
        Ok(PeFacts {
            imports: self.imports()?,
            delayed: self.delayed()?,
            minimum: SymbolVersion::of_system(&[major.into(), minor.into()]),
        })
    }

    fn imports(&self) -> Result<Vec<String>, BinaryDamage> {
        self.names(self.tables.0, |row: &pe::ImageImportDescriptor| row.name.get(LittleEndian))
    }

    fn delayed(&self) -> Result<Vec<String>, BinaryDamage> {
        let base = self.headers.optional_header().image_base();
        self.names(self.tables.1, |row: &pe::ImageDelayloadDescriptor| {
            let name = row.dll_name_rva.get(LittleEndian);
            // Old linkers wrote addresses in memory rather than relative ones, and said so by an absent bit.
            if row.attributes.get(LittleEndian) & 1 == 1 { name } else { name.wrapping_sub(base as u32) }
        })
    }

    /// A table ends with a row of zeros.
    fn names<Row: object::Pod>(&self, table: u32, name: impl Fn(&Row) -> u32) -> Result<Vec<String>, BinaryDamage> {
        let mut names = Vec::new();
        if table == 0 {
            return Ok(names);
        }
        let cut_off = || BinaryDamage::new("its list of imports is cut off");
        let start = self.offset_of(table).ok_or_else(cut_off)?;
        let row_size = size_of::<Row>() as u64;
        for index in 0..MAX_IMPORTS {
            let bytes = self.data.read_bytes_at(start + index * row_size, row_size).map_err(|()| cut_off())?;
            if bytes.iter().all(|byte| *byte == 0) {
                return Ok(names);
            }
            let (row, _) = object::pod::from_bytes::<Row>(bytes).map_err(|()| cut_off())?;
            names.push(self.text(name(row)).ok_or_else(cut_off)?);
        }
        Err(BinaryDamage::new("its list of imports does not end"))
    }

    fn text(&self, address: u32) -> Option<String> {
        let start = self.offset_of(address)?;
        let end = self.data.len().ok()?.min(start + MAX_NAME);
        let bytes = self.data.read_bytes_at_until(start..end, 0).ok()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The place in the file of what will be at `address`, relative to the image, in memory.
    fn offset_of(&self, address: u32) -> Option<u64> {
        self.sections.pe_file_range_at(address).map(|(offset, _)| offset.into())
    }
}

//! The facts that the checks need, read from one file.
//!
//! Only headers are read, a few kilobytes through a small cache, so a library of 600 MB costs no more than one of
//! 6 KB. ELF is read in full depth; of Mach-O and PE only kind and architecture, the rest has its place here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use object::read::ReadCache;
use object::read::macho::{FatArch, MachHeader, MachOFatFile32, MachOFatFile64};
use object::read::pe::ImageNtHeaders;
use object::{Endianness, FileKind, LittleEndian, ReadRef, macho, pe};
use vocab::{Arch, Os};

use super::elf::{self, ElfFacts};

/// What one binary says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Whose format it is.
    pub os: Os,
    /// Several for a fat Mach-O file. Empty when it is for machines that no platform key names.
    pub archs: Vec<Arch>,
    /// A program, started by the system, rather than a library, loaded by one.
    pub is_program: bool,
    /// A relocatable object, which is input for a linker and never loaded.
    pub is_object: bool,
    /// Absent for other formats than ELF, and for ELF files of foreign machines.
    pub elf: Option<ElfFacts>,
}

/// Reads the file's headers. `None` when it is no binary of any of the three formats.
pub fn read(path: &Path) -> io::Result<Option<Result<Binary, Damage>>> {
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
        [0x7f, b'E', b'L', b'F'] => Some(elf::read(&cache)),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe] | [0xfe, 0xed, 0xfa, 0xcf | 0xce] => Some(read_macho(&cache)),
        // Java classes begin like a fat Mach-O; their next number is far too large for a count of architectures.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf] => read_fat_macho(&cache),
        [b'M', b'Z', ..] => read_pe(&cache),
        _ => None,
    })
}

/// Why a binary cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub String);

impl From<object::Error> for Damage {
    fn from(error: object::Error) -> Self {
        Self(error.to_string())
    }
}

fn read_macho<'data, R: ReadRef<'data>>(data: R) -> Result<Binary, Damage> {
    let (cpu, kind) = match FileKind::parse(data)? {
        FileKind::MachO64 => {
            let header = macho::MachHeader64::<Endianness>::parse(data, 0)?;
            let endian = header.endian()?;
            (header.cputype(endian), header.filetype(endian))
        }
        _ => {
            let header = macho::MachHeader32::<Endianness>::parse(data, 0)?;
            let endian = header.endian()?;
            (header.cputype(endian), header.filetype(endian))
        }
    };
    Ok(Binary {
        os: Os::Macos,
        archs: arch_of_cpu(cpu).into_iter().collect(),
        is_program: kind == macho::MH_EXECUTE,
        is_object: kind == macho::MH_OBJECT,
        elf: None,
    })
}

fn read_fat_macho<'data, R: ReadRef<'data>>(data: R) -> Option<Result<Binary, Damage>> {
    let cpus: Vec<macho::CpuType> = match FileKind::parse(data) {
        Ok(FileKind::MachOFat32) => MachOFatFile32::parse(data).ok()?.arches().iter().map(FatArch::cputype).collect(),
        Ok(FileKind::MachOFat64) => MachOFatFile64::parse(data).ok()?.arches().iter().map(FatArch::cputype).collect(),
        _ => return None,
    };
    let archs = cpus.into_iter().filter_map(arch_of_cpu).collect();
    Some(Ok(Binary { os: Os::Macos, archs, is_program: false, is_object: false, elf: None }))
}

fn arch_of_cpu(cpu: macho::CpuType) -> Option<Arch> {
    match cpu {
        macho::CPU_TYPE_X86_64 => Some(Arch::X64),
        macho::CPU_TYPE_ARM64 => Some(Arch::Aarch64),
        _ => None,
    }
}

/// `None` when the file only begins with the two letters: a DOS program, or a text.
fn read_pe<'data, R: ReadRef<'data>>(data: R) -> Option<Result<Binary, Damage>> {
    let dos = pe::ImageDosHeader::parse(data).ok()?;
    let headers = data.read_at::<pe::ImageNtHeaders32>(dos.nt_headers_offset().into()).ok()?;
    if headers.signature() != pe::IMAGE_NT_SIGNATURE {
        return None;
    }
    // The file header lies at the same place for 32 and 64 bits.
    let header = headers.file_header();
    let arch = match header.machine.get(LittleEndian) {
        pe::IMAGE_FILE_MACHINE_AMD64 => Some(Arch::X64),
        pe::IMAGE_FILE_MACHINE_ARM64 => Some(Arch::Aarch64),
        _ => None,
    };
    let is_library = header.characteristics.get(LittleEndian) & pe::IMAGE_FILE_DLL == pe::IMAGE_FILE_DLL;
    Some(Ok(Binary {
        os: Os::Windows,
        archs: arch.into_iter().collect(),
        is_program: !is_library,
        is_object: false,
        elf: None,
    }))
}

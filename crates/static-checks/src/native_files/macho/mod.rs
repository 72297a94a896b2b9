//! Mach-O: the load commands that dyld and the kernel of macOS act on. Thin files, and fat ones slice by slice.

pub(crate) mod rules;
mod signature;

use object::read::macho::{
    FatArch, LoadCommandData, LoadCommandVariant, MachHeader, MachOFatFile32, MachOFatFile64, Segment,
};
use object::{BigEndian, Endianness, ReadRef, macho};
use vocab::{Arch, Os};

use super::facts::{BinaryDamage, BinaryFacts, CodeSignature, MachoLibrary, MachoSlice, NativeBinary};
use super::symbol_version::SymbolVersion;

/// Far above anything real: the commands of a library are some kilobytes.
const MAX_COMMANDS_SIZE: u32 = 1 << 20;
const MAX_LIBRARIES: usize = 1 << 12;
/// Each is searched for each needed library.
const MAX_RPATHS: usize = 256;
/// Java classes begin like a fat file, and their next number is at least 45; no fat file has half as many slices.
const MAX_SLICES: u32 = 20;

/// Reads a thin file: one slice.
pub(crate) fn read<'data, R: ReadRef<'data>>(data: R) -> Result<NativeBinary, BinaryDamage> {
    let size = data.len().map_err(|()| BinaryDamage::new("its size is unknown"))?;
    Ok(binary(vec![FatSlice::read(data, 0, size)?]))
}

/// `None` for a Java class.
pub(crate) fn read_fat<'data, R: ReadRef<'data>>(data: R) -> Option<Result<NativeBinary, BinaryDamage>> {
    let count = data.read_at::<macho::FatHeader>(0).map(|header| header.nfat_arch.get(BigEndian));
    match count {
        Ok(count) if count > MAX_SLICES => None,
        Ok(_) => Some(fat_slices(data).map(binary)),
        Err(()) => Some(Err(BinaryDamage::new("its fat header is cut off"))),
    }
}

fn fat_slices<'data, R: ReadRef<'data>>(data: R) -> Result<Vec<FatSlice>, BinaryDamage> {
    match MachOFatFile64::parse(data) {
        Ok(file) => slices(data, file.arches()),
        Err(_) => slices(data, MachOFatFile32::parse(data)?.arches()),
    }
}

fn slices<'data, R: ReadRef<'data>, A: FatArch>(data: R, rows: &[A]) -> Result<Vec<FatSlice>, BinaryDamage> {
    let file_size = data.len().map_err(|()| BinaryDamage::new("its size is unknown"))?;
    let slice = |row: &A| {
        let (offset, size) = row.file_range();
        if offset.checked_add(size).is_none_or(|end| end > file_size) {
            return Err(BinaryDamage::new("a slice of it is cut off"));
        }
        if data.read_bytes_at(offset, 8) == Ok(b"!<arch>\n") {
            // A library for linkers.
            return Ok(FatSlice { arch: arch_of(row.cputype()), kind: macho::MH_OBJECT, facts: None });
        }
        let slice = FatSlice::read(data, offset, size)?;
        if slice.arch != arch_of(row.cputype()) {
            return Err(BinaryDamage::new("a slice of it is for another machine than its fat header says"));
        }
        Ok(slice)
    };
    rows.iter().map(slice).collect()
}

fn binary(slices: Vec<FatSlice>) -> NativeBinary {
    let all = |wanted: fn(&FatSlice) -> bool| !slices.is_empty() && slices.iter().all(wanted);
    NativeBinary {
        os: Os::Macos,
        archs: slices.iter().filter_map(|slice| slice.arch).collect(),
        is_program: all(|slice| slice.kind == macho::MH_EXECUTE),
        is_object: all(|slice| [macho::MH_OBJECT, macho::MH_DSYM].contains(&slice.kind)),
        facts: BinaryFacts::Macho(slices.into_iter().filter_map(|slice| slice.facts).collect()),
    }
}

fn arch_of(cpu: macho::CpuType) -> Option<Arch> {
    match cpu {
        macho::CPU_TYPE_X86_64 => Some(Arch::X64),
        macho::CPU_TYPE_ARM64 => Some(Arch::Aarch64),
        _ => None,
    }
}

struct FatSlice {
    arch: Option<Arch>,
    kind: macho::FileType,
    facts: Option<MachoSlice>,
}

impl FatSlice {
    fn read<'data, R: ReadRef<'data>>(data: R, offset: u64, size: u64) -> Result<Self, BinaryDamage> {
        if let Ok(header) = macho::MachHeader32::<Endianness>::parse(data, offset) {
            return Ok(Self { arch: None, kind: header.filetype(header.endian()?), facts: None });
        }
        let header = macho::MachHeader64::<Endianness>::parse(data, offset)?;
        let endian = header.endian()?;
        let (arch, kind) = (arch_of(header.cputype(endian)), header.filetype(endian));
        let facts = match arch {
            Some(arch) if ![macho::MH_OBJECT, macho::MH_DSYM].contains(&kind) => {
                Some(MachoReader { data, offset, size, endian }.facts(header, arch)?)
            }
            _ => None,
        };
        Ok(Self { arch, kind, facts })
    }
}

struct MachoReader<R> {
    data: R,
    /// Range of the slice in the file.
    offset: u64,
    size: u64,
    endian: Endianness,
}

impl<'data, R: ReadRef<'data>> MachoReader<R> {
    fn facts(&self, header: &macho::MachHeader64<Endianness>, arch: Arch) -> Result<MachoSlice, BinaryDamage> {
        let endian = self.endian;
        let commands_size = header.sizeofcmds(endian);
        if commands_size > MAX_COMMANDS_SIZE || u64::from(commands_size) > self.size {
            return Err(BinaryDamage(format!("its load commands claim {commands_size} bytes")));
        }
        let mut slice = MachoSlice {
            arch,
            is_program: header.filetype(endian) == macho::MH_EXECUTE,
            minimum: None,
            other_system: None,
            install_name: None,
            libraries: Vec::new(),
            rpaths: Vec::new(),
            signature: CodeSignature::Absent,
        };
        let mut commands = header.load_commands(endian, self.data, self.offset)?;
        while let Some(command) = commands.next()? {
            self.take(command, &mut slice)?;
            if slice.libraries.len() > MAX_LIBRARIES || slice.rpaths.len() > MAX_RPATHS {
                return Err(BinaryDamage::new("its list of libraries or search paths does not end"));
            }
        }
        Ok(slice)
    }

    fn take(&self, command: LoadCommandData<'data, Endianness>, slice: &mut MachoSlice) -> Result<(), BinaryDamage> {
        let endian = self.endian;
        let text = |text| Ok::<_, BinaryDamage>(String::from_utf8_lossy(command.string(endian, text)?).into_owned());
        match command.variant()? {
            LoadCommandVariant::Dylib(library) => {
                let flags = command.dylib_use_flags(endian, library)?;
                let is_weak = command.cmd() == macho::LC_LOAD_WEAK_DYLIB
                    || flags.is_some_and(|flags| flags & macho::DYLIB_USE_WEAK_LINK == macho::DYLIB_USE_WEAK_LINK);
                slice.libraries.push(MachoLibrary { name: text(library.dylib.name)?, is_weak });
            }
            LoadCommandVariant::IdDylib(own) => slice.install_name = Some(text(own.dylib.name)?),
            LoadCommandVariant::Rpath(rpath) => slice.rpaths.push(text(rpath.path)?),
            LoadCommandVariant::BuildVersion(build, _) => {
                match other_system(build.platform.get(endian)) {
                    // Code for macOS and for Catalyst at once has a command for each.
                    None => (slice.minimum, slice.other_system) = (Some(version(build.minos.get(endian))), None),
                    Some(name) if slice.minimum.is_none() => slice.other_system = Some(name),
                    Some(_) => {}
                }
            }
            LoadCommandVariant::VersionMin(minimum) if command.cmd() == macho::LC_VERSION_MIN_MACOSX => {
                slice.minimum = Some(version(minimum.version.get(endian)));
            }
            LoadCommandVariant::VersionMin(_) => slice.other_system = Some("iOS or a relative of it"),
            LoadCommandVariant::LinkeditData(part) if command.cmd() == macho::LC_CODE_SIGNATURE => {
                let (at, size) = (part.dataoff.get(endian).into(), part.datasize.get(endian).into());
                slice.signature = signature::read(self.data, self.offset, self.size, at, size)?;
            }
            LoadCommandVariant::Segment64(segment, _) => {
                let (at, size) = segment.file_range(endian);
                if at.checked_add(size).is_none_or(|end| end > self.size) {
                    return Err(BinaryDamage::new("a segment of it is cut off"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn version(packed: macho::Version) -> SymbolVersion {
    SymbolVersion::of_system(&[packed.major().into(), packed.minor().into(), packed.update().into()])
}

fn other_system(platform: macho::Platform) -> Option<&'static str> {
    match platform {
        macho::PLATFORM_MACOS => None,
        macho::PLATFORM_IOS | macho::PLATFORM_IOSSIMULATOR => Some("iOS"),
        _ => Some("another system"),
    }
}

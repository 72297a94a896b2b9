//! Small PE files: headers and one section with the import tables.

/// `IMAGE_FILE_MACHINE_AMD64`
pub const AMD64: u16 = 0x8664;
/// `IMAGE_FILE_MACHINE_ARM64`
pub const ARM64: u16 = 0xaa64;
/// `IMAGE_FILE_MACHINE_I386`
pub const I386: u16 = 0x014c;

/// A 64-bit PE file. The default is an x86-64 library without imports.
#[derive(Clone)]
pub struct PeFile<'a> {
    pub machine: u16,
    pub is_library: bool,
    pub imports: &'a [&'a str],
    pub delayed: &'a [&'a str],
    /// Versions of the system and of the subsystem.
    pub versions: [(u16, u16); 2],
}

const HEADERS_AT: usize = 128;
const OPTIONAL_SIZE: usize = 240;
/// Place of the only section, in memory and in the file.
const ADDRESS: usize = 0x1000;
const OFFSET: usize = 0x200;

impl Default for PeFile<'_> {
    fn default() -> Self {
        Self { machine: AMD64, is_library: true, imports: &[], delayed: &[], versions: [(6, 0), (6, 0)] }
    }
}

impl PeFile<'_> {
    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let (imports_size, delayed_size) = (20 * (self.imports.len() + 1), 32 * (self.delayed.len() + 1));
        let mut names = Vec::new();
        let mut name = |text: &str| {
            let address = ADDRESS + imports_size + delayed_size + names.len();
            names.extend(text.as_bytes());
            names.push(0);
            address as u32
        };
        let mut section: Vec<u8> = self.imports.iter().flat_map(|import| words(&[1, 0, 0, name(import), 1])).collect();
        section.resize(imports_size, 0);
        section.extend(self.delayed.iter().flat_map(|import| words(&[1, name(import), 1, 1, 1, 0, 0, 0])));
        section.resize(imports_size + delayed_size, 0);
        section.extend(names);

        let mut bytes = vec![0; HEADERS_AT];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60] = HEADERS_AT as u8;
        bytes.extend(b"PE\0\0");
        let flags = if self.is_library { 0x2022 } else { 0x0022 };
        bytes.extend(halves(&[self.machine, 1, 0, 0, 0, 0, 0, 0, OPTIONAL_SIZE as u16, flags]));
        bytes.extend(self.optional_header(imports_size));
        bytes.extend(b".rdata\0\0");
        let size = section.len() as u32;
        bytes.extend(words(&[size, ADDRESS as u32, size, OFFSET as u32, 0, 0, 0, 0x4000_0040]));
        bytes.resize(OFFSET, 0);
        bytes.extend(section);
        bytes
    }

    fn optional_header(&self, imports_size: usize) -> Vec<u8> {
        let mut bytes = halves(&[0x20b]);
        bytes.resize(24, 0);
        bytes.extend(0x1_8000_0000_u64.to_le_bytes());
        bytes.extend(words(&[0x1000, 0x200]));
        let [system, subsystem] = self.versions;
        bytes.extend(halves(&[system.0, system.1, 0, 0, subsystem.0, subsystem.1]));
        bytes.resize(108, 0);
        bytes.extend(words(&[16]));
        bytes.resize(OPTIONAL_SIZE, 0);
        let mut directory = |index: usize, at: usize| {
            bytes[112 + 8 * index..][..4].copy_from_slice(&(at as u32).to_le_bytes());
        };
        if !self.imports.is_empty() {
            directory(1, ADDRESS);
        }
        if !self.delayed.is_empty() {
            directory(13, ADDRESS + imports_size);
        }
        bytes
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halves(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}

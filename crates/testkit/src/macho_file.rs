//! Small Mach-O files: load commands, a page of nothing, and an ad-hoc signature that fits.

use sha2::{Digest as _, Sha256};

/// `CPU_TYPE_*` of Apple's `machine.h`.
pub mod cpu {
    /// `CPU_TYPE_X86_64`
    pub const X86_64: u32 = 0x0100_0007;
    /// `CPU_TYPE_ARM64`
    pub const ARM64: u32 = 0x0100_000c;
    /// `CPU_TYPE_I386`, which no platform key names
    pub const I386: u32 = 7;
}

/// `MH_*` of Apple's `loader.h`.
pub mod kind {
    /// `MH_EXECUTE`
    pub const PROGRAM: u32 = 2;
    /// `MH_DYLIB`
    pub const LIBRARY: u32 = 6;
    /// `MH_BUNDLE`, as extension modules are
    pub const BUNDLE: u32 = 8;
}

/// Load commands that name a library.
pub mod load {
    /// `LC_LOAD_DYLIB`
    pub const LIBRARY: u32 = 0xc;
    /// `LC_LOAD_WEAK_DYLIB`
    pub const WEAK: u32 = 0x8000_0018;
    /// `LC_REEXPORT_DYLIB`
    pub const REEXPORT: u32 = 0x8000_001f;
}

/// How the file states the oldest system.
#[derive(Clone, Copy)]
pub enum MachoMinimum {
    Untold,
    /// `LC_BUILD_VERSION` for a platform: 1 is macOS, 2 iOS.
    Build(u32, u16, u8),
    /// `LC_VERSION_MIN_MACOSX`
    Old(u16, u8),
}

/// A thin 64-bit Mach-O file. [`fat`] puts several into one.
#[derive(Clone)]
pub struct MachoFile<'a> {
    pub cpu: u32,
    pub kind: u32,
    /// Empty for none.
    pub install_name: &'a str,
    /// Load command and name.
    pub libraries: &'a [(u32, &'a str)],
    pub rpaths: &'a [&'a str],
    pub minimum: MachoMinimum,
    pub is_signed: bool,
}

/// Size of the code, a multiple of the signed pages. The signature follows.
const CODE_SIZE: usize = 2 * PAGE;
const PAGE: usize = 4096;

impl Default for MachoFile<'_> {
    fn default() -> Self {
        Self {
            cpu: cpu::ARM64,
            kind: kind::BUNDLE,
            install_name: "",
            libraries: &[],
            rpaths: &[],
            minimum: MachoMinimum::Build(1, 11, 0),
            is_signed: true,
        }
    }
}

impl MachoFile<'_> {
    /// The file, with a valid signature if `is_signed`.
    pub fn bytes(&self) -> Vec<u8> {
        let signature_size = signature(&[0; CODE_SIZE]).len();
        let mut commands = vec![segment("__TEXT", 0, CODE_SIZE)];
        if !self.install_name.is_empty() {
            commands.push(named(0xd, 24, self.install_name));
        }
        commands.extend(self.libraries.iter().map(|(command, name)| named(*command, 24, name)));
        commands.extend(self.rpaths.iter().map(|path| named(0x8000_001c, 12, path)));
        let packed = |major: u16, minor: u8| u32::from(major) << 16 | u32::from(minor) << 8;
        match self.minimum {
            MachoMinimum::Untold => {}
            MachoMinimum::Build(platform, major, minor) => {
                commands.push(words(&[0x32, 24, platform, packed(major, minor), 0, 0]));
            }
            MachoMinimum::Old(major, minor) => commands.push(words(&[0x24, 16, packed(major, minor), 0])),
        }
        if self.is_signed {
            commands.push(segment("__LINKEDIT", CODE_SIZE, signature_size));
            commands.push(words(&[0x1d, 16, CODE_SIZE as u32, signature_size as u32]));
        }
        let size: usize = commands.iter().map(Vec::len).sum();
        let mut bytes = words(&[0xfeed_facf, self.cpu, 0, self.kind, commands.len() as u32, size as u32, 0, 0]);
        bytes.extend(commands.concat());
        assert!(bytes.len() <= CODE_SIZE, "too many load commands for a small file");
        bytes.resize(CODE_SIZE, 0);
        if self.is_signed {
            bytes.extend(signature(&bytes));
        }
        bytes
    }
}

/// Puts slices, each with its processor, into one file.
pub fn fat(slices: &[(u32, &[u8])]) -> Vec<u8> {
    let align = |size: usize| size.next_multiple_of(PAGE);
    let mut header: Vec<u32> = vec![0xcafe_babe, slices.len() as u32];
    let mut at = PAGE;
    for (cpu, bytes) in slices {
        header.extend([*cpu, 0, at as u32, bytes.len() as u32, 12]);
        at += align(bytes.len());
    }
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    for (_, bytes) in slices {
        file.resize(align(file.len()), 0);
        file.extend_from_slice(bytes);
    }
    file
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A command that ends with a text, which begins at `at`.
fn named(command: u32, at: usize, text: &str) -> Vec<u8> {
    let size = (at + text.len() + 1).next_multiple_of(8);
    let mut bytes = words(&[command, size as u32, at as u32]);
    bytes.resize(at, 0);
    bytes.extend(text.as_bytes());
    bytes.resize(size, 0);
    bytes
}

fn segment(name: &str, at: usize, size: usize) -> Vec<u8> {
    let mut bytes = words(&[0x19, 72]);
    bytes.extend(name.as_bytes());
    bytes.resize(24, 0);
    bytes.extend([at, size, at, size].iter().flat_map(|word| (*word as u64).to_le_bytes()));
    bytes.extend(words(&[7, 5, 0, 0]));
    bytes
}

/// A super blob with one code directory (version 2.0), all numbers big-endian.
fn signature(code: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"small\0";
    const HEADER: usize = 44;
    let pages: Vec<_> = code.chunks(PAGE).map(Sha256::digest).collect();
    let digests_at = HEADER + NAME.len();
    let size = digests_at + 32 * pages.len();
    let mut directory: Vec<u8> = [
        0xfade_0c02,
        size as u32,
        0x0002_0001,
        2, // ad hoc
        digests_at as u32,
        HEADER as u32,
        0,
        pages.len() as u32,
        code.len() as u32,
    ]
    .iter()
    .flat_map(|word: &u32| word.to_be_bytes())
    .collect();
    directory.extend([32, 2, 0, 12]);
    directory.resize(HEADER, 0);
    directory.extend(NAME);
    pages.iter().for_each(|page| directory.extend_from_slice(page));
    let words = [0xfade_0cc0, (20 + directory.len()) as u32, 1, 0, 20];
    let mut blob: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
    blob.extend(directory);
    blob
}

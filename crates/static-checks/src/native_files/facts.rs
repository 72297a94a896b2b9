//! What binaries say about themselves, as far as the checks need it. The rules of each format say what it means.

use vocab::{Arch, Os};

use super::symbol_version::SymbolVersion;

/// What one binary says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NativeBinary {
    /// Whose format it is.
    pub os: Os,
    /// Several for a fat Mach-O file. Empty when it is for machines that no platform key names.
    pub archs: Vec<Arch>,
    /// A program, started by the system, rather than a library, loaded by one.
    pub is_program: bool,
    /// A relocatable object or debug data, which is input for tools and never loaded.
    pub is_object: bool,
    pub facts: BinaryFacts,
}

/// What the headers say, by format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BinaryFacts {
    /// For a machine that no platform key names, or an object file.
    Unread,
    Elf(ElfFacts),
    /// One of each architecture that a platform key names.
    Macho(Vec<MachoSlice>),
    Pe(PeFacts),
}

/// From the dynamic section; all of it empty for a static program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ElfFacts {
    pub soname: Option<String>,
    /// `DT_NEEDED`, in the loader's order.
    pub needed: Vec<String>,
    /// `DT_RPATH`, split at `:`. Also searched for the libraries of everything that this file loads.
    pub rpath: Vec<String>,
    /// `DT_RUNPATH`, split at `:`. When there is one, no `DT_RPATH` counts.
    pub runpath: Vec<String>,
    pub versions: Vec<NeededVersion>,
    /// Whether it defines the function that was asked for. Absent if none was, or if its tables cannot answer.
    pub defines: Option<bool>,
}

/// `GLIBC_2.17` of `libc.so.6`. Versions that the loader may miss without an error are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NeededVersion {
    pub library: String,
    pub version: String,
}

/// What the code for one architecture says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachoSlice {
    pub arch: Arch,
    pub is_program: bool,
    /// `LC_BUILD_VERSION` or, from older linkers, `LC_VERSION_MIN_MACOSX`. Absent in files of before 2007.
    pub minimum: Option<SymbolVersion>,
    /// Set if it is for a system other than macOS: `iOS`, `another system`.
    pub other_system: Option<&'static str>,
    /// `LC_ID_DYLIB`: the name that files linked with it get. Absent for programs and bundles.
    pub install_name: Option<String>,
    /// In dyld's order.
    pub libraries: Vec<MachoLibrary>,
    /// `LC_RPATH`; also searched for the libraries of everything that this file loads.
    pub rpaths: Vec<String>,
    pub signature: CodeSignature,
}

/// A library that a slice is linked with, by the install name it was linked under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MachoLibrary {
    pub name: String,
    /// dyld goes on without it.
    pub is_weak: bool,
}

/// Whether the kernel would accept the code signature, as far as the first page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeSignature {
    Absent,
    Fits,
    /// The load commands were changed after they were signed.
    Stale,
}

/// What a PE file imports and which Windows it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PeFacts {
    /// Loaded with the file.
    pub imports: Vec<String>,
    /// Loaded when something of theirs is called.
    pub delayed: Vec<String>,
    /// The higher one of the versions of system and subsystem.
    pub minimum: SymbolVersion,
}

/// Why a binary cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BinaryDamage(pub String);

impl BinaryDamage {
    /// `text` completes the sentence "cannot be read: …".
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<object::Error> for BinaryDamage {
    fn from(error: object::Error) -> Self {
        Self(error.to_string())
    }
}

//! How artifacts are packed.

use vocab::ArtifactFormat;

use crate::name_rules::NameRules;

/// 1980-01-01T00:00:00Z, the earliest time that zip can store, too.
pub const DEFAULT_MTIME: u64 = 315_532_800;

/// How to pack. `threads` and `progress` do not affect the bytes; everything else does.
#[derive(Clone, Copy)]
pub struct PackOptions<'a> {
    pub format: ArtifactFormat,
    /// The compressor's own level: 1 to 22 for zstd, 0 to 9 for gzip and zip.
    pub level: i32,
    /// The time of every entry, in seconds since 1970: `SOURCE_DATE_EPOCH` if that is set.
    pub mtime: u64,
    /// Two names that the target would treat as one are refused.
    pub names: NameRules,
    /// 0: as many as the machine has processors. Each needs about 30 MB at level 3 and 100 MB at level 19.
    pub threads: usize,
    /// Receives the number of tar bytes in each finished frame; for a zip, of file bytes.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Default for PackOptions<'_> {
    fn default() -> Self {
        Self {
            format: ArtifactFormat::TarZst,
            level: 3,
            mtime: DEFAULT_MTIME,
            names: NameRules::CaseSensitive,
            threads: 0,
            progress: &|_| {},
        }
    }
}

//! How an archive is extracted, what is refused, and what came of it.

use std::collections::HashMap;

use vocab::{ContentDigests, Digest, DigestKinds, TreePath};

use crate::name_rules::NameRules;

/// How to extract, and what to refuse. The default trusts no archive: it keeps links that stay inside and sets
/// [`ExtractLimits`].
#[derive(Clone, Copy)]
pub struct ExtractOptions<'a> {
    pub top_folder: TopFolder,
    /// Compared with the digest of the whole file while it is extracted.
    pub expected: Option<Digest>,
    /// Whether both digests of the whole file are asked for. With this or `expected` an archive that is written to while it is
    /// extracted is refused.
    pub archive_digest: bool,
    /// Names that this file system cannot hold are refused.
    pub names: NameRules,
    pub links: LinkHandling,
    /// Whatever exceeds them is refused.
    pub limits: ExtractLimits,
    /// Which digests of every file are taken of its bytes while it is written.
    pub digests: Option<DigestKinds>,
    /// 0: as many as the machine has processors.
    pub threads: usize,
    /// Receives the number of archive bytes that each finished chunk took; their sum is at most the archive's size.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Default for ExtractOptions<'_> {
    fn default() -> Self {
        Self {
            top_folder: TopFolder::Keep,
            expected: None,
            archive_digest: false,
            names: NameRules::of_host(),
            links: if cfg!(windows) { LinkHandling::Copy } else { LinkHandling::Keep },
            limits: ExtractLimits::default(),
            digests: None,
            threads: 0,
            progress: &|_| {},
        }
    }
}

/// What happens to the single folder at the archive's top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopFolder {
    /// It is extracted like any other folder.
    Keep,
    /// Its content becomes the destination's. No or several folders are an error that lists what is there.
    StripSingle,
}

/// What happens to symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkHandling {
    /// On Windows, where links need a privilege, this is [`LinkHandling::Copy`].
    Keep,
    /// Each is replaced by a copy of its target, which must be in the archive.
    Copy,
}

/// Limits against archives made to fill a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtractLimits {
    /// Total of all files, in bytes.
    pub bytes: u64,
    /// Files, directories and links together.
    pub entries: u64,
    /// The largest accepted expansion. For a tar: how many times larger than the archive, checked once the tar exceeds
    /// 10 MiB. For a zip: how many times larger than its compressed bytes each file may be.
    pub ratio: u64,
}

impl Default for ExtractLimits {
    fn default() -> Self {
        Self { bytes: 20 << 30, entries: 500_000, ratio: 1000 }
    }
}

/// What was extracted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtractedTree {
    pub files: u64,
    /// Those named in the archive, and those on the way to others.
    pub directories: u64,
    pub links: u64,
    /// Links that became copies: each path, and its target as the archive states it.
    pub copied_links: Vec<(TreePath, String)>,
    /// Total of all files, in bytes.
    pub bytes: u64,
    /// The folder that was stripped, with [`TopFolder::StripSingle`].
    pub top_folder: Option<String>,
    /// With [`ExtractOptions::archive_digest`], of the very file that was extracted; with [`ExtractOptions::expected`] its
    /// SHA-256.
    pub archive_digest: Option<ContentDigests>,
    /// With [`ExtractOptions::digests`], of the files that the archive holds; not of links that became copies.
    pub digests: HashMap<TreePath, ContentDigests>,
}

//! What goes into an archive: entries, and the parts they are grouped into.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vocab::{Digest, DigestWriter, TreePath};

use crate::zip_member::MemberReader;
use crate::{EntryIdentity, ZipMember, identity_of};

/// One directory, file or link of a tree. Owner, group and times are not here because they are never packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Below the top of the archive.
    pub path: TreePath,
    pub kind: EntryKind,
    /// Expected digest of a file's bytes, if known: packing then refuses other bytes.
    pub sha256: Option<Digest>,
}

/// What an entry is, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Directory,
    /// A regular file; `executable` becomes mode 0755, otherwise 0644.
    File {
        content: FileContent,
        executable: bool,
    },
    /// `target` is relative to the link's own folder, `/`-separated, and stays inside the tree.
    Symlink {
        target: String,
    },
}

/// Where a file's bytes are while it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// Must not change while packing; a change of its size is noticed and refused.
    Disk(PathBuf),
    /// In memory, shared with clones of the entry.
    Bytes(Arc<[u8]>),
    /// Compressed inside a zip, for example a wheel. For a zip its compressed bytes are copied unchanged; for a tar it
    /// is decompressed on the way, and its size and CRC-32 are checked. See [`crate::zip_members`].
    Zipped { archive: Arc<Path>, member: ZipMember },
}

impl FileContent {
    /// In bytes, uncompressed. Queries the disk only for [`FileContent::Disk`].
    pub fn size(&self) -> io::Result<u64> {
        match self {
            Self::Disk(path) => Ok(fs::metadata(path)?.len()),
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::Zipped { member, .. } => Ok(member.size),
        }
    }

    /// Digest of the uncompressed bytes, all of which are read for it.
    pub fn digest(&self) -> io::Result<Digest> {
        match self {
            Self::Disk(path) => Ok(Digest::of_reader(File::open(path)?)?.0),
            Self::Bytes(bytes) => Ok(Digest::of(bytes)),
            Self::Zipped { archive, member } => {
                let (file, mut reader) = (File::open(archive)?, MemberReader::new(*member));
                let (mut writer, mut buffer) = (DigestWriter::new(io::sink()), vec![0; 1 << 16]);
                loop {
                    let length = (member.size - writer.size()).min(buffer.len() as u64) as usize;
                    reader.fill(&file, &mut buffer[..length]).map_err(io::Error::from)?;
                    writer.write_all(&buffer[..length])?;
                    if writer.size() == member.size {
                        return Ok(writer.finish().1);
                    }
                }
            }
        }
    }
}

impl TreeEntry {
    /// Directories on the way to other entries need no entry of their own.
    pub fn directory(path: TreePath) -> Self {
        Self { path, kind: EntryKind::Directory, sha256: None }
    }

    /// A file without an expected digest. `executable` becomes mode 0755, otherwise 0644.
    pub fn file(path: TreePath, content: FileContent, executable: bool) -> Self {
        Self { path, kind: EntryKind::File { content, executable }, sha256: None }
    }

    /// A file from memory, not executable, without an expected digest.
    pub fn bytes(path: TreePath, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::file(path, FileContent::Bytes(bytes.into()), false)
    }

    /// `target` is relative to the link's own folder. It is judged when packed, not here.
    pub fn symlink(path: TreePath, target: impl Into<String>) -> Self {
        Self { path, kind: EntryKind::Symlink { target: target.into() }, sha256: None }
    }

    /// `None` for a file whose digest is not known.
    fn identity(&self) -> Option<EntryIdentity<'_>> {
        Some(match &self.kind {
            EntryKind::Directory => EntryIdentity::Directory,
            EntryKind::Symlink { target } => EntryIdentity::Symlink { target },
            EntryKind::File { executable, .. } => EntryIdentity::File { sha256: self.sha256?, executable: *executable },
        })
    }
}

/// A named group of entries, compressed on its own. Its bytes depend on nothing but its entries and the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSource {
    /// Becomes [`vocab::Part::content`]: `base`, a wheel's file name, `copied-files` or `metadata`.
    pub name: String,
    /// Determines the entries and their content completely, for example the digest of a wheel file and of the layout it
    /// is installed in. Absent if there is no such digest: the part is then compressed again each time.
    pub identity: Option<Digest>,
    /// Digest of the archive that [`FileContent::Zipped`] entries are copied from, if it is the same for all: with
    /// `identity` it determines the bytes of the part in a zip. An archive with another digest is refused.
    pub copied_from: Option<Digest>,
    /// In any order; they are sorted when packed.
    pub entries: Vec<TreeEntry>,
}

impl PartSource {
    /// A part without an identity, which is never cached.
    pub fn new(name: impl Into<String>, entries: Vec<TreeEntry>) -> Self {
        Self { name: name.into(), identity: None, copied_from: None, entries }
    }

    /// Computes the identity from the entries, if the digests of all files are known. A part cached under it is
    /// guaranteed to have been made from exactly these bytes.
    pub fn identified(name: impl Into<String>, entries: Vec<TreeEntry>) -> Self {
        let rows: Option<Vec<_>> = entries.iter().map(|entry| Some((&entry.path, entry.identity()?))).collect();
        let identity = rows.map(identity_of);
        Self { identity, ..Self::new(name, entries) }
    }
}

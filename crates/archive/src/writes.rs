//! What is to be written of an archive, once it is judged.

use std::ops::Range;

use vocab::TreePath;

/// A range of a chunk that belongs to a file.
pub(crate) struct FileWrite {
    pub path: TreePath,
    pub range: Range<usize>,
    pub target: WriteTarget,
}

pub(crate) enum WriteTarget {
    /// The bytes are the whole file.
    Whole { executable: bool, mtime: u64 },
    /// They belong at this offset of a file that exists already.
    Piece { offset: u64 },
}

/// A file written in pieces; it gets its mode and time when all are there.
#[derive(Clone)]
pub(crate) struct LateFile {
    pub path: TreePath,
    pub executable: bool,
    pub mtime: u64,
}

impl FileWrite {
    pub(crate) fn into_file(self) -> Option<LateFile> {
        match self.target {
            WriteTarget::Whole { executable, mtime } => Some(LateFile { path: self.path, executable, mtime }),
            WriteTarget::Piece { .. } => None,
        }
    }

    pub(crate) fn whole(file: LateFile, range: Range<usize>) -> Self {
        let LateFile { path, executable, mtime } = file;
        Self { path, range, target: WriteTarget::Whole { executable, mtime } }
    }
}

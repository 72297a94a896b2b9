//! What lies below an operation's `from`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vocab::{Digest, TreePath};

use super::{CopyErrorKind, CopyOperation};

/// What becomes of symbolic links inside the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceLinks {
    Kept,
    /// Replaced by what they lead to: on Windows a link needs rights that a user may not have.
    Copied,
}

/// One file or link below the source of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceEntry {
    /// Relative to the operation's source; empty when that is a file itself.
    pub path: TreePath,
    /// On this machine's disk.
    pub source: PathBuf,
    pub kind: SourceKind,
}

/// What it is. The text of a link is as on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    File { executable: bool },
    Link { text: String },
}

impl SourceEntry {
    /// One line of the text that the build key's digest is made of.
    pub(crate) fn digest_row(&self) -> Result<String, CopyErrorKind> {
        let row = match &self.kind {
            SourceKind::Link { text } => serde_json::json!([self.path.as_str(), "link", text]),
            SourceKind::File { executable } => {
                let read = |source| CopyErrorKind::Read { path: self.source.clone(), source };
                let (digest, _) = Digest::of_reader(File::open(&self.source).map_err(read)?).map_err(read)?;
                serde_json::json!([self.path.as_str(), if *executable { "program" } else { "file" }, digest])
            }
        };
        Ok(format!("{row}\n"))
    }
}

/// Everything to copy, sorted by path, without `__pycache__` folders. `None` when the source is missing and
/// optional.
pub(crate) fn list(
    operation: &CopyOperation,
    package_folder: &Path,
    links: SourceLinks,
) -> Result<Option<Vec<SourceEntry>>, CopyErrorKind> {
    let named = operation.from.below(package_folder);
    let resolved = match fs::canonicalize(&named) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound && operation.optional => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CopyErrorKind::SourceMissing { path: named });
        }
        Err(source) => return Err(CopyErrorKind::Read { path: named, source }),
    };
    let folder = fs::canonicalize(package_folder)
        .map_err(|source| CopyErrorKind::Read { path: package_folder.to_owned(), source })?;
    if !resolved.starts_with(&folder) {
        return Err(CopyErrorKind::SourceOutside { path: named });
    }
    let mut lister = SourceLister { root: resolved.clone(), links, entries: Vec::new() };
    lister.visit(&resolved, &TreePath::default())?;
    let mut entries = lister.entries;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Some(entries))
}

struct SourceLister {
    /// Canonical.
    root: PathBuf,
    links: SourceLinks,
    entries: Vec<SourceEntry>,
}

impl SourceLister {
    fn visit(&mut self, source: &Path, path: &TreePath) -> Result<(), CopyErrorKind> {
        let read = |error| CopyErrorKind::Read { path: source.to_owned(), source: error };
        let metadata = fs::symlink_metadata(source).map_err(read)?;
        if metadata.is_symlink() {
            self.visit_link(source, path)
        } else if metadata.is_dir() {
            self.visit_folder(source, path)
        } else if metadata.is_file() {
            let kind = SourceKind::File { executable: is_executable(&metadata) };
            self.entries.push(SourceEntry { path: path.clone(), source: source.to_owned(), kind });
            Ok(())
        } else {
            Err(CopyErrorKind::NotAFile { path: source.to_owned() })
        }
    }

    fn visit_folder(&mut self, source: &Path, path: &TreePath) -> Result<(), CopyErrorKind> {
        let read = |error| CopyErrorKind::Read { path: source.to_owned(), source: error };
        for entry in fs::read_dir(source).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            if name == "__pycache__" {
                continue;
            }
            let below: TreePath = name
                .to_str()
                .and_then(|name| name.parse().ok())
                .ok_or_else(|| CopyErrorKind::Name { path: entry.path() })?;
            self.visit(&entry.path(), &path.join(&below))?;
        }
        Ok(())
    }

    /// Only links that lead to something inside the source may be there at all: any other would be dangling, or
    /// would show the building machine's files, wherever the runtime is unpacked.
    fn visit_link(&mut self, source: &Path, path: &TreePath) -> Result<(), CopyErrorKind> {
        let target =
            fs::read_link(source).map_err(|error| CopyErrorKind::Read { path: source.to_owned(), source: error })?;
        let text = target.to_str().ok_or_else(|| CopyErrorKind::Name { path: source.to_owned() })?.to_owned();
        let leaves = || CopyErrorKind::LinkLeaves { path: source.to_owned(), text: text.clone() };
        if target.is_absolute() {
            return Err(leaves());
        }
        let resolved = fs::canonicalize(source)
            .map_err(|_| CopyErrorKind::LinkDangles { path: source.to_owned(), text: text.clone() })?;
        if !resolved.starts_with(&self.root) {
            return Err(leaves());
        }
        match self.links {
            SourceLinks::Kept => {
                let kind = SourceKind::Link { text: text.replace('\\', "/") };
                self.entries.push(SourceEntry { path: path.clone(), source: source.to_owned(), kind });
                Ok(())
            }
            SourceLinks::Copied => {
                // The link's own folder, without following it; its parents are real, or were resolved on the way.
                let lies_in = source.parent().unwrap_or(source);
                if lies_in.starts_with(&resolved) {
                    return Err(CopyErrorKind::LinkLoops { path: source.to_owned() });
                }
                self.visit(&resolved, path)
            }
        }
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

/// Windows keeps no such bit; programs are recognised by their first bytes instead.
#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

/// ELF, Mach-O (thin or fat) or a script with a shebang line.
pub(crate) fn looks_like_a_program(path: &Path) -> Result<bool, CopyErrorKind> {
    let read = |source| CopyErrorKind::Read { path: path.to_owned(), source };
    let mut start = Vec::with_capacity(4);
    File::open(path).map_err(read)?.take(4).read_to_end(&mut start).map_err(read)?;
    let binary = [
        *b"\x7fELF",
        [0xfe, 0xed, 0xfa, 0xce],
        [0xfe, 0xed, 0xfa, 0xcf],
        [0xce, 0xfa, 0xed, 0xfe],
        [0xcf, 0xfa, 0xed, 0xfe],
        [0xca, 0xfe, 0xba, 0xbe],
        [0xca, 0xfe, 0xba, 0xbf],
    ];
    Ok(start.starts_with(b"#!") || binary.iter().any(|magic| start == magic))
}

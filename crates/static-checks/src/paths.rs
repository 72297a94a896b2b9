//! Absolute paths of the building machine inside a finished prefix: a runtime that holds one works only here, or
//! reveals the names of this machine's folders.
//!
//! It reads the files that a build writes or changes: everything below the scripts folder, what pip's
//! metadata says about an installation (`RECORD`, `direct_url.json`), configuration for compilers
//! (`_sysconfigdata*`, `Makefile`, `*.pc`, `*.cmake`, `*.la`), `*.pth`, `pyvenv.cfg` and bytecode. Other content of
//! wheels is the same on every machine, so it is not read; nor are ELF and Mach-O files, whose search paths the check
//! of native files reads.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use rayon::prelude::*;
use serde::Serialize;
use vocab::{Fault, TreePath};

/// Larger files are not configuration.
const MAX_SIZE: u64 = 4 << 20;

/// A file that holds a path of the building machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeakedPath {
    pub file: TreePath,
    /// Line of the first occurrence, counted from 1.
    pub line: usize,
    /// The needle that was found.
    pub path: PathBuf,
}

impl fmt::Display for LeakedPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` line {}: {}", self.file, self.line, self.path.display())
    }
}

/// A file or folder of the prefix that cannot be read.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot check `{}` for paths of this machine", path.display())]
#[fault("E_CHECK_DISK", Build)]
pub struct PathCheckError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// Every file that holds one of `needles` (absolute folders: staging, store, home), sorted. A needle is found only
/// as a whole path or the beginning of one: `/root` is not in `/rootfs`.
///
/// # Errors
/// When the prefix cannot be read.
pub fn leaked_paths(prefix: &Path, needles: &[&Path]) -> Result<Vec<LeakedPath>, PathCheckError> {
    let needles: Vec<PathNeedle<'_>> =
        needles.iter().filter(|path| path.is_absolute()).copied().map(PathNeedle::new).collect();
    let mut candidates = Vec::new();
    for entry in walkdir::WalkDir::new(prefix) {
        let failed = |error: walkdir::Error| PathCheckError {
            path: error.path().unwrap_or(prefix).to_owned(),
            source: error.into(),
        };
        let entry = entry.map_err(failed)?;
        let Some(path) = TreePath::relative(entry.path(), prefix) else { continue };
        if entry.file_type().is_file() && is_looked_at(&path) {
            candidates.push(path);
        }
    }
    let mut leaks: Vec<LeakedPath> = candidates
        .into_par_iter()
        .map(|file| {
            let path = file.below(prefix);
            leaks_of(&file, &path, &needles).map_err(|source| PathCheckError { path, source })
        })
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    leaks.sort();
    Ok(leaks)
}

fn is_looked_at(path: &TreePath) -> bool {
    let name = path.file_name();
    let endings = [".pc", ".la", ".cmake", ".pth", ".pyc", ".egg-link", "-config", "-config.py"];
    let in_scripts = path.segments().next().is_some_and(|first| ["bin", "Scripts"].contains(&first));
    in_scripts
        || ["RECORD", "direct_url.json", "Makefile", "pyvenv.cfg", "build-details.json"].contains(&name)
        || name.starts_with("_sysconfigdata")
        || name.starts_with("_sysconfig_vars")
        || endings.iter().any(|ending| name.ends_with(ending))
}

fn leaks_of(file: &TreePath, path: &Path, needles: &[PathNeedle<'_>]) -> io::Result<Vec<LeakedPath>> {
    let mut input = File::open(path)?;
    if input.metadata()?.len() > MAX_SIZE {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    input.by_ref().take(MAX_SIZE).read_to_end(&mut bytes)?;
    let native = [b"\x7fELF".as_slice(), b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];
    if native.iter().any(|magic| bytes.starts_with(magic)) {
        return Ok(Vec::new());
    }
    let found = needles.iter().filter_map(|needle| needle.find(&bytes).map(|offset| (needle, offset)));
    Ok(found
        .map(|(needle, offset)| LeakedPath {
            file: file.clone(),
            line: 1 + memchr::memchr_iter(b'\n', &bytes[..offset]).count(),
            path: needle.path.to_owned(),
        })
        .collect())
}

struct PathNeedle<'a> {
    path: &'a Path,
    /// As the machine writes it, with forward slashes, and as JSON writes backslashes.
    finders: Vec<Finder<'static>>,
}

impl<'a> PathNeedle<'a> {
    fn new(path: &'a Path) -> Self {
        let text = path.to_string_lossy();
        let text = text.trim_end_matches(['/', '\\']);
        let mut spellings = vec![text.to_owned(), text.replace('\\', "/"), text.replace('\\', "\\\\")];
        // The root folder is part of every path.
        spellings.retain(|spelling| !spelling.is_empty());
        spellings.sort();
        spellings.dedup();
        let finders = spellings.iter().map(|spelling| Finder::new(spelling.as_bytes()).into_owned()).collect();
        Self { path, finders }
    }

    /// The offset of the first occurrence that is a path.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        let is_name =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte));
        let whole = |finder: &Finder<'_>, offset: usize| {
            let before = offset.checked_sub(1).and_then(|index| bytes.get(index));
            !is_name(before) && !is_name(bytes.get(offset + finder.needle().len()))
        };
        let first = |finder: &Finder<'static>| finder.find_iter(bytes).find(|offset| whole(finder, *offset));
        self.finders.iter().filter_map(first).min()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_whole_paths_in_files_that_a_build_writes_are_found() {
        let prefix = tempfile::tempdir().unwrap();
        let files = [
            // (file, content, line where the leak is)
            ("bin/pip", "#!/home/ci/store/bin/python\n", Some(1)),
            ("bin/tool", "#!/bin/sh\nexec /home/circus/x\n", None),
            ("bin/other", "#!/bin/sh\nexec ./home/ci\n", None),
            ("bin/native", "\x7fELF /home/ci/store", None),
            ("lib/python3.12/_sysconfigdata__linux.py", "a = 1\nprefix = '/home/ci'\n", Some(2)),
            ("lib/pkgconfig/python.pc", "prefix=/install\n", None),
            ("lib/python3.12/site-packages/x-1.dist-info/direct_url.json", "{\"url\": \"file:///home/ci/x\"}", Some(1)),
            ("lib/python3.12/site-packages/x/data.py", "'/home/ci'", None),
        ];
        for (file, content, _) in files {
            let path = prefix.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let leaks =
            leaked_paths(prefix.path(), &[Path::new("/home/ci/"), Path::new("relative"), Path::new("/")]).unwrap();
        let found: Vec<_> = leaks.iter().map(|leak| (leak.file.as_str(), Some(leak.line))).collect();
        let mut expected: Vec<_> =
            files.iter().filter(|(_, _, line)| line.is_some()).map(|(file, _, line)| (*file, *line)).collect();
        expected.sort();
        assert_eq!(found, expected);
    }
}

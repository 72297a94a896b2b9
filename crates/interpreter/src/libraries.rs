//! Shared libraries that a tree needs from the machine it was found on.
//!
//! Reads `DT_NEEDED` itself and follows it from library to library; `ldd` would run what it looks at, and only on
//! its own platform. Search order: the file's own `DT_RPATH`/`DT_RUNPATH`, what it inherits from the program, then
//! the folders of `/etc/ld.so.conf` and the loader's defaults. The environment (`LD_LIBRARY_PATH`) is ignored: it will
//! differ where the tree runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use vocab::TreePath;

use super::disk::{Result, entries, name_of, read};
use super::elf::{self, ElfDynamic};
use super::error::BaseErrorKind;
use static_checks::system_libraries::linux::is_kept_out;

/// One native file of the tree, where it is on this machine.
#[derive(Clone, Debug)]
pub(super) struct Native {
    pub(super) source: PathBuf,
    pub(super) path: TreePath,
    /// It may be left out where it cannot work.
    pub(super) optional: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CollectedLibraries {
    /// Name by which it is needed → file on this machine.
    pub(super) libraries: BTreeMap<String, PathBuf>,
    /// Optional files that cannot work, with the library that each lacks.
    pub(super) left_out: BTreeMap<TreePath, String>,
}

/// Everything that `natives` need and the tree does not bring (by file name), the needs of the needed included.
/// `program` is the interpreter among them.
pub(super) fn collect(natives: &[Native], program: &TreePath) -> Result<CollectedLibraries> {
    let own: BTreeSet<&str> = natives.iter().map(|native| native.path.file_name()).collect();
    let standard = standard_folders(Path::new("/"));
    let inherited = match natives.iter().find(|native| native.path == *program) {
        Some(native) => {
            let elf = parse(&native.source)?;
            if elf.is_inherited { expanded(&elf, &native.source) } else { Vec::new() }
        }
        None => Vec::new(),
    };
    let mut collected = CollectedLibraries::default();
    for native in natives {
        match follow(native, &own, &inherited, &standard) {
            Ok(found) => collected.libraries.extend(found),
            Err(BaseErrorKind::MissingLibrary { library, .. }) if native.optional => {
                collected.left_out.insert(native.path.clone(), library);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(collected)
}

/// What one file needs, directly and by others.
fn follow(
    native: &Native,
    own: &BTreeSet<&str>,
    inherited: &[PathBuf],
    standard: &[PathBuf],
) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut pending = VecDeque::from([(native.source.clone(), inherited.to_vec())]);
    while let Some((file, inherited)) = pending.pop_front() {
        let elf = parse(&file)?;
        let mut search = expanded(&elf, &file);
        let passed_on = if elf.is_inherited { [&search[..], &inherited[..]].concat() } else { inherited.clone() };
        if elf.is_inherited {
            search.extend(inherited);
        }
        search.extend_from_slice(standard);
        for name in &elf.needed {
            if is_kept_out(name) || own.contains(name.as_str()) || found.contains_key(name) {
                continue;
            }
            let library = find(name, &search, elf.machine).ok_or_else(|| BaseErrorKind::MissingLibrary {
                file: if file == native.source { native.path.to_string() } else { name_of(&file) },
                library: name.clone(),
            })?;
            found.insert(name.clone(), library.clone());
            pending.push_back((library, passed_on.clone()));
        }
    }
    Ok(found)
}

fn parse(file: &Path) -> Result<ElfDynamic> {
    elf::parse(&read(file)?).map_err(|reason| BaseErrorKind::Elf { file: file.display().to_string(), reason })
}

fn find(name: &str, folders: &[PathBuf], machine: u16) -> Option<PathBuf> {
    // A needed name with a slash is a path of its own, and no search.
    let candidates: Vec<PathBuf> =
        if name.contains('/') { vec![name.into()] } else { folders.iter().map(|folder| folder.join(name)).collect() };
    candidates.into_iter().find(|candidate| {
        fs::read(candidate).is_ok_and(|bytes| elf::parse(&bytes).is_ok_and(|elf| elf.machine == machine))
    })
}

/// The search folders of a file on this machine's disk.
fn expanded(elf: &ElfDynamic, file: &Path) -> Vec<PathBuf> {
    // `$ORIGIN` is the folder of the file itself, not that of a link to it.
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let origin = real.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    elf.search.iter().map(|folder| folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin).into()).collect()
}

/// The loader's own folders, in its order. Source: `man ld.so`, `man ldconfig`.
fn standard_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    read_loader_settings(root, &root.join("etc/ld.so.conf"), 0, &mut folders);
    for folder in ["lib64", "usr/lib64", "lib", "usr/lib"] {
        folders.push(root.join(folder));
    }
    // Debian's folder by architecture, which its settings also name.
    for folder in ["lib", "usr/lib"] {
        folders.push(root.join(folder).join(format!("{}-linux-gnu", std::env::consts::ARCH)));
    }
    folders
}

/// Lines are folders, or `include` and a pattern of further files.
fn read_loader_settings(root: &Path, file: &Path, depth: usize, folders: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    if depth > 8 {
        return;
    }
    let within_root = |path: &str| root.join(path.trim_start_matches('/'));
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include").map(str::trim) {
            Some(pattern) => {
                let pattern = within_root(pattern);
                let glob = globset::Glob::new(&name_of(&pattern)).map(|glob| glob.compile_matcher());
                let (Ok(glob), Some(folder)) = (glob, pattern.parent()) else { continue };
                for path in entries(folder).unwrap_or_default() {
                    if glob.is_match(name_of(&path)) {
                        read_loader_settings(root, &path, depth + 1, folders);
                    }
                }
            }
            None if line.starts_with('/') => folders.push(within_root(line)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_asked_for_its_folders_in_its_own_settings() {
        let root = tempfile::tempdir().unwrap();
        let settings = root.path().join("etc/ld.so.conf.d");
        fs::create_dir_all(&settings).unwrap();
        fs::write(root.path().join("etc/ld.so.conf"), "include /etc/ld.so.conf.d/*.conf\n/opt/late\n").unwrap();
        fs::write(settings.join("b.conf"), "# a comment\n/opt/b # another\n").unwrap();
        fs::write(settings.join("a.conf"), "/opt/a\n").unwrap();
        fs::write(settings.join("c.off"), "/opt/c\n").unwrap();
        let folders = standard_folders(root.path());
        let expected: Vec<PathBuf> = ["opt/a", "opt/b", "opt/late"].map(|folder| root.path().join(folder)).into();
        assert_eq!(folders[..3], expected);
        assert!(folders.contains(&root.path().join("usr/lib")));
    }
}

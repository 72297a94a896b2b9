//! The files of a prefix, indexed as the rules of the formats need them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use vocab::{Os, TreeLayout, TreePath};

/// What is known about the whole prefix.
pub(crate) struct PrefixFiles<'a> {
    prefix: &'a Path,
    os: Os,
    /// Every file and link.
    paths: BTreeSet<TreePath>,
    /// Libraries by file name and by the name they give themselves; in small letters on Windows.
    names: HashMap<String, BTreeSet<TreePath>>,
    /// By package, whether its Python code names folders of libraries.
    adding: Mutex<HashMap<TreePath, bool>>,
}

/// Where one entry of a search path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SearchFolder {
    Inside(TreePath),
    /// It names this prefix by its place on the building machine.
    BuildMachine,
    /// An absolute path, or one that climbs out of the prefix or depends on the working directory.
    Outside,
}

/// Where one needed library is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FoundLibrary {
    /// Over a search path, at this place of the prefix.
    InPrefix(TreePath),
    /// Provided by the system.
    OnSystem,
    /// Inside the prefix, but on no search path: works when something loads it first.
    Elsewhere,
    /// At a fixed place of the machine it was built on.
    Absolute,
    Nowhere,
}

impl<'a> PrefixFiles<'a> {
    /// `paths` are all files and links. Reads no disk; libraries are known by file name until [`Self::add_name`].
    pub(crate) fn new(prefix: &'a Path, os: Os, paths: BTreeSet<TreePath>) -> Self {
        let mut files = Self { prefix, os, paths: BTreeSet::new(), names: HashMap::new(), adding: Mutex::default() };
        for path in paths.iter().filter(|path| is_library_name(os, path.file_name())) {
            files.add_name(path.file_name(), path);
        }
        files.paths = paths;
        files
    }

    /// A name under which loaders also know the file: a soname, the end of an install name.
    pub(crate) fn add_name(&mut self, name: &str, path: &TreePath) {
        self.names.entry(self.folded(name)).or_default().insert(path.clone());
    }

    /// Files that loaders know under this name; the case is ignored on Windows.
    pub(crate) fn places_of(&self, name: &str) -> impl Iterator<Item = &TreePath> {
        self.names.get(&self.folded(name)).into_iter().flatten()
    }

    /// Whether [`Self::places_of`] has any.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains_key(&self.folded(name))
    }

    fn folded(&self, name: &str) -> String {
        if self.os == Os::Windows { name.to_lowercase() } else { name.to_owned() }
    }

    /// The list knows no paths through linked folders (`lib64` for `lib`), so a miss asks the disk.
    pub(crate) fn exists(&self, path: &TreePath) -> bool {
        self.paths.contains(path) || (self.has_name(path.file_name()) && path.below(self.prefix).exists())
    }

    /// Whether the file's package names folders of libraries for Windows. Few files need this, so its code is read
    /// only then.
    pub(crate) fn adds_folders(&self, file: &TreePath, layout: TreeLayout) -> bool {
        let depth = layout.site_packages().segments().count() + 1;
        let Some(package) = file.segments().take(depth).collect::<Vec<_>>().join("/").parse::<TreePath>().ok() else {
            return false;
        };
        if !file.starts_with(&layout.site_packages()) || package == *file {
            return false;
        }
        let mut adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        *adding.entry(package.clone()).or_insert_with(|| {
            let code = self.paths.iter().filter(|path| path.starts_with(&package) && path.as_str().ends_with(".py"));
            let names_folder = |bytes: Vec<u8>| {
                ["add_dll_directory", "WinDLL", "LoadLibrary", "CDLL"]
                    .iter()
                    .any(|call| memchr::memmem::find(&bytes, call.as_bytes()).is_some())
            };
            code.filter_map(|path| fs::read(path.below(self.prefix)).ok()).any(names_folder)
        })
    }

    /// True for a path of the building machine that leads into the prefix.
    pub(crate) fn is_below_prefix(&self, path: &str) -> bool {
        !self.prefix.as_os_str().is_empty() && Path::new(path).starts_with(self.prefix)
    }
}

fn is_library_name(os: Os, name: &str) -> bool {
    match os {
        Os::Linux => name.contains(".so"),
        Os::Macos => name.contains(".so") || name.contains(".dylib"),
        Os::Windows => name.rsplit_once('.').is_some_and(|(_, ending)| {
            ["dll", "pyd", "exe", "drv", "ocx"].iter().any(|known| ending.eq_ignore_ascii_case(known))
        }),
    }
}

/// `rest` from `folder` on, with `.` and `..`; `None` when it climbs out of the prefix. Links are not followed, as a
/// prefix has none between folders that libraries lie in.
pub(crate) fn walk(folder: &TreePath, rest: &str) -> Option<TreePath> {
    let mut segments: Vec<&str> = folder.segments().collect();
    for segment in rest.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    segments.join("/").parse().ok()
}

/// The folder a file lies in.
pub(crate) fn folder_of(file: &TreePath) -> TreePath {
    file.parent().unwrap_or_default()
}

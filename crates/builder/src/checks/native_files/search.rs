//! Where the dynamic loader would find a library that an ELF file of the prefix needs.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use vocab::TreePath;

use super::elf::ElfFacts;
use super::system_libraries::is_system_library;

/// What is known about the whole prefix.
pub struct SearchSpace<'a> {
    pub prefix: &'a Path,
    /// Files and links by their own name, and libraries by their soname.
    names: HashMap<String, BTreeSet<TreePath>>,
    paths: BTreeSet<TreePath>,
    /// Folders of the interpreter's `DT_RPATH`, which count for everything it loads.
    interpreter: Vec<TreePath>,
}

/// The answer for one needed library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Over a search path, inside the prefix.
    InPrefix,
    /// The system's to provide.
    OnSystem,
    /// Inside the prefix, but on no search path: works when something loads it first.
    Elsewhere,
    Nowhere,
}

/// Where one entry of a search path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchFolder {
    Inside(TreePath),
    /// It names this prefix by its place on the building machine.
    BuildMachine,
    /// An absolute path, or one that climbs out of the prefix or depends on the working directory.
    Outside,
}

impl<'a> SearchSpace<'a> {
    pub fn new(prefix: &'a Path, paths: BTreeSet<TreePath>) -> Self {
        let mut names: HashMap<String, BTreeSet<TreePath>> = HashMap::new();
        for path in &paths {
            if path.file_name().contains(".so") {
                names.entry(path.file_name().to_owned()).or_default().insert(path.clone());
            }
        }
        Self { prefix, names, paths, interpreter: Vec::new() }
    }

    pub fn add_soname(&mut self, soname: &str, path: &TreePath) {
        self.names.entry(soname.to_owned()).or_default().insert(path.clone());
    }

    pub fn set_interpreter(&mut self, path: &TreePath, facts: &ElfFacts) {
        // The loader ignores DT_RPATH in a file that also has DT_RUNPATH, and passes no DT_RUNPATH on.
        if facts.runpath.is_empty() {
            self.interpreter = self.folders(path, &facts.rpath);
        }
    }

    pub fn find(&self, file: &TreePath, is_program: bool, facts: &ElfFacts, library: &str) -> Found {
        // With a slash in it, the loader takes the name for a path and searches nothing; `$ORIGIN` counts there, too.
        if library.contains('/') {
            return match self.folder(file, library) {
                SearchFolder::Inside(place) if self.exists(&place) => Found::InPrefix,
                _ => Found::Nowhere,
            };
        }
        let folders = if facts.runpath.is_empty() {
            let mut folders = self.folders(file, &facts.rpath);
            if !is_program {
                folders.extend(self.interpreter.iter().cloned());
            }
            folders
        } else {
            self.folders(file, &facts.runpath)
        };
        let Ok(name) = library.parse::<TreePath>() else { return Found::Nowhere };
        if folders.iter().any(|folder| self.exists(&folder.join(&name))) {
            Found::InPrefix
        } else if is_system_library(library) {
            Found::OnSystem
        } else if self.names.contains_key(library) {
            Found::Elsewhere
        } else {
            Found::Nowhere
        }
    }

    fn folders(&self, file: &TreePath, entries: &[String]) -> Vec<TreePath> {
        let inside = |entry: &String| match self.folder(file, entry) {
            SearchFolder::Inside(folder) => Some(folder),
            SearchFolder::BuildMachine | SearchFolder::Outside => None,
        };
        entries.iter().filter_map(inside).collect()
    }

    /// `$ORIGIN` is the folder of `file`. Links are not followed, as the prefix has none between folders that
    /// libraries lie in.
    pub fn folder(&self, file: &TreePath, entry: &str) -> SearchFolder {
        let Some(rest) = entry.strip_prefix("$ORIGIN").or_else(|| entry.strip_prefix("${ORIGIN}")) else {
            let at_prefix = !self.prefix.as_os_str().is_empty() && Path::new(entry).starts_with(self.prefix);
            return if at_prefix { SearchFolder::BuildMachine } else { SearchFolder::Outside };
        };
        let origin = file.parent().unwrap_or_default();
        let mut segments: Vec<&str> = origin.segments().collect();
        for segment in rest.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    if segments.pop().is_none() {
                        return SearchFolder::Outside;
                    }
                }
                name => segments.push(name),
            }
        }
        segments.join("/").parse().map_or(SearchFolder::Outside, SearchFolder::Inside)
    }

    /// The list knows no paths through linked folders (`lib64` for `lib`), so a miss asks the disk.
    fn exists(&self, path: &TreePath) -> bool {
        self.paths.contains(path) || (self.names.contains_key(path.file_name()) && path.below(self.prefix).exists())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn facts(rpath: &[&str], runpath: &[&str]) -> ElfFacts {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        ElfFacts { rpath: owned(rpath), runpath: owned(runpath), ..ElfFacts::default() }
    }

    fn space() -> SearchSpace<'static> {
        let paths = ["lib/libssl.so.3", "pkg.libs/libblas-1a2b.so.0", "pkg/core.so", "deep/libfar.so.1"];
        let mut space = SearchSpace::new(Path::new("/build/staging"), paths.map(path).into());
        space.set_interpreter(&path("bin/python3.12"), &facts(&["$ORIGIN/../lib"], &[]));
        space
    }

    #[test]
    fn libraries_are_found_as_the_loader_finds_them() {
        let libs = "$ORIGIN/../pkg.libs";
        let cases = [
            // (rpath, runpath, library, answer)
            (vec![], vec![libs], "libblas-1a2b.so.0", Found::InPrefix),
            (vec!["${ORIGIN}/../pkg.libs"], vec![], "libblas-1a2b.so.0", Found::InPrefix),
            // A DT_RPATH beside a DT_RUNPATH does not count, nor does the interpreter's.
            (vec![libs], vec!["$ORIGIN"], "libblas-1a2b.so.0", Found::Elsewhere),
            (vec![], vec!["$ORIGIN"], "libssl.so.3", Found::Elsewhere),
            (vec![], vec![], "libssl.so.3", Found::InPrefix),
            (vec![], vec![], "libc.so.6", Found::OnSystem),
            (vec![], vec![], "libfar.so.1", Found::Elsewhere),
            (vec![], vec![], "libfoo.so.1", Found::Nowhere),
            // A path, as python-build-standalone's own interpreters have it.
            (vec![], vec![], "$ORIGIN/../lib/libssl.so.3", Found::InPrefix),
            (vec![], vec![], "$ORIGIN/../lib/libfar.so.1", Found::Nowhere),
            (vec![], vec![], "/usr/lib/libssl.so.3", Found::Nowhere),
        ];
        for (rpath, runpath, library, answer) in cases {
            let found = space().find(&path("pkg/core.so"), false, &facts(&rpath, &runpath), library);
            assert_eq!(found, answer, "for {library} with {rpath:?} and {runpath:?}");
        }
        let program = space().find(&path("bin/tool"), true, &facts(&[], &[]), "libssl.so.3");
        assert_eq!(program, Found::Elsewhere, "a program does not get the interpreter's search path");
    }

    #[test]
    fn search_paths_that_leave_the_prefix_are_told_from_those_that_do_not() {
        let cases = [
            ("$ORIGIN", SearchFolder::Inside(path("pkg"))),
            ("$ORIGIN/../lib/.", SearchFolder::Inside(path("lib"))),
            ("$ORIGIN/../../lib", SearchFolder::Outside),
            ("/usr/local/cuda/lib64", SearchFolder::Outside),
            ("lib", SearchFolder::Outside),
            ("/build/staging/lib", SearchFolder::BuildMachine),
        ];
        for (entry, expected) in cases {
            assert_eq!(space().folder(&path("pkg/core.so"), entry), expected, "for {entry:?}");
        }
    }
}

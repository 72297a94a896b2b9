//! What the dynamic loader of Linux would make of an ELF file of the prefix.

use std::collections::BTreeSet;

use vocab::TreePath;

use super::ElfFacts;
use crate::native_files::fault::NativeFaultKind;
use crate::native_files::judgement::{FileJudgement, JudgedFile};
use crate::native_files::needs::{SystemNeeds, SystemProvider};
use crate::native_files::prefix_files::{FoundLibrary, PrefixFiles, SearchFolder, folder_of, walk};
use crate::system_libraries::linux::{comes_with_libc, is_of_musl, is_promised};

/// What is known about the whole prefix.
pub(crate) struct ElfSpace<'a> {
    files: &'a PrefixFiles<'a>,
    /// Folders of the interpreter's `DT_RPATH`, which count for everything it loads.
    interpreter: Vec<TreePath>,
}

/// Applies the rules of the Linux loader to one file. `is_program`: it is started by the system, so it does not
/// inherit the interpreter's search path.
pub(crate) fn judge(
    facts: &ElfFacts,
    is_program: bool,
    subject: &JudgedFile<'_>,
    space: &ElfSpace<'_>,
) -> FileJudgement {
    let mut judgement = FileJudgement::default();
    for entry in facts.rpath.iter().chain(&facts.runpath) {
        let entry = entry.clone();
        match space.folder(subject.path, &entry) {
            SearchFolder::Inside(_) => {}
            SearchFolder::BuildMachine => judgement.faults.push(NativeFaultKind::BuildMachinePath { entry }),
            SearchFolder::Outside => judgement.warnings.push(NativeFaultKind::SearchesOutside { entry }),
        }
    }
    let mut of_system = BTreeSet::new();
    for library in &facts.needed {
        match space.find(subject.path, is_program, facts, library) {
            FoundLibrary::InPrefix(place) => judgement.links.push(place),
            FoundLibrary::Elsewhere => judgement.links.extend(space.files.places_of(library).cloned()),
            FoundLibrary::OnSystem => {
                of_system.insert(library.as_str());
                if !comes_with_libc(library) {
                    judgement.needs.add_library(library);
                }
            }
            FoundLibrary::Nowhere | FoundLibrary::Absolute if is_of_musl(library) => {
                judgement.faults.push(NativeFaultKind::OtherLibc { library: library.clone() });
            }
            FoundLibrary::Nowhere | FoundLibrary::Absolute => {
                judgement.faults.push(NativeFaultKind::MissingLibrary { library: library.clone() });
            }
        }
    }
    // A library that the prefix brings along has all its own symbols.
    for needed in facts.versions.iter().filter(|needed| of_system.contains(needed.library.as_str())) {
        judgement.needs.raise_to(&needs_of(&needed.version));
    }
    judgement
}

/// What one symbol version requires.
fn needs_of(version: &str) -> SystemNeeds {
    let mut needs = SystemNeeds::default();
    // Not a number: the loader's support for compact relocations, new in glibc 2.36.
    let version = if version == "GLIBC_ABI_DT_RELR" { "GLIBC_2.36" } else { version };
    for (prefix, provider) in [("GLIBC_", SystemProvider::Glibc), ("GLIBCXX_", SystemProvider::Glibcxx)] {
        if let Some(number) = version.strip_prefix(prefix).and_then(|number| number.parse().ok()) {
            needs.raise(provider, number);
        }
    }
    needs
}

impl<'a> ElfSpace<'a> {
    /// Call [`Self::set_interpreter`] before judging, or the search path of the interpreter is not used.
    pub(crate) fn new(files: &'a PrefixFiles<'a>) -> Self {
        Self { files, interpreter: Vec::new() }
    }

    /// Notes the search path that modules inherit from the interpreter at `path`.
    pub(crate) fn set_interpreter(&mut self, path: &TreePath, facts: &ElfFacts) {
        // The loader ignores DT_RPATH in a file that also has DT_RUNPATH, and passes no DT_RUNPATH on.
        if facts.runpath.is_empty() {
            self.interpreter = self.folders(path, &facts.rpath);
        }
    }

    fn find(&self, file: &TreePath, is_program: bool, facts: &ElfFacts, library: &str) -> FoundLibrary {
        // With a slash in it, the loader takes the name for a path and searches nothing; `$ORIGIN` counts there, too.
        if library.contains('/') {
            return match self.folder(file, library) {
                SearchFolder::Inside(place) if self.files.exists(&place) => FoundLibrary::InPrefix(place),
                _ => FoundLibrary::Nowhere,
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
        let Ok(name) = library.parse::<TreePath>() else { return FoundLibrary::Nowhere };
        let mut places = folders.iter().map(|folder| folder.join(&name));
        if let Some(place) = places.find(|place| self.files.exists(place)) {
            FoundLibrary::InPrefix(place)
        } else if is_promised(library) {
            FoundLibrary::OnSystem
        } else if self.files.has_name(library) {
            FoundLibrary::Elsewhere
        } else {
            FoundLibrary::Nowhere
        }
    }

    fn folders(&self, file: &TreePath, entries: &[String]) -> Vec<TreePath> {
        let inside = |entry: &String| match self.folder(file, entry) {
            SearchFolder::Inside(folder) => Some(folder),
            SearchFolder::BuildMachine | SearchFolder::Outside => None,
        };
        entries.iter().filter_map(inside).collect()
    }

    /// `$ORIGIN` is the folder of `file`.
    fn folder(&self, file: &TreePath, entry: &str) -> SearchFolder {
        match entry.strip_prefix("$ORIGIN").or_else(|| entry.strip_prefix("${ORIGIN}")) {
            Some(rest) => walk(&folder_of(file), rest).map_or(SearchFolder::Outside, SearchFolder::Inside),
            None if self.files.is_below_prefix(entry) => SearchFolder::BuildMachine,
            None => SearchFolder::Outside,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vocab::Os;

    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn facts(rpath: &[&str], runpath: &[&str]) -> ElfFacts {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        ElfFacts { rpath: owned(rpath), runpath: owned(runpath), ..ElfFacts::default() }
    }

    fn files() -> PrefixFiles<'static> {
        let paths = ["lib/libssl.so.3", "pkg.libs/libblas-1a2b.so.0", "pkg/core.so", "deep/libfar.so.1"];
        PrefixFiles::new(Path::new("/build/staging"), Os::Linux, paths.map(path).into())
    }

    fn space<'a>(files: &'a PrefixFiles<'a>) -> ElfSpace<'a> {
        let mut space = ElfSpace::new(files);
        space.set_interpreter(&path("bin/python3.12"), &facts(&["$ORIGIN/../lib"], &[]));
        space
    }

    #[test]
    fn libraries_are_found_as_the_loader_finds_them() {
        let libs = "$ORIGIN/../pkg.libs";
        let at = |place| FoundLibrary::InPrefix(path(place));
        let cases = [
            // (rpath, runpath, library, answer)
            (vec![], vec![libs], "libblas-1a2b.so.0", at("pkg.libs/libblas-1a2b.so.0")),
            (vec!["${ORIGIN}/../pkg.libs"], vec![], "libblas-1a2b.so.0", at("pkg.libs/libblas-1a2b.so.0")),
            // A DT_RPATH beside a DT_RUNPATH does not count, nor does the interpreter's.
            (vec![libs], vec!["$ORIGIN"], "libblas-1a2b.so.0", FoundLibrary::Elsewhere),
            (vec![], vec!["$ORIGIN"], "libssl.so.3", FoundLibrary::Elsewhere),
            (vec![], vec![], "libssl.so.3", at("lib/libssl.so.3")),
            (vec![], vec![], "libc.so.6", FoundLibrary::OnSystem),
            (vec![], vec![], "libfar.so.1", FoundLibrary::Elsewhere),
            (vec![], vec![], "libfoo.so.1", FoundLibrary::Nowhere),
            // A path, as python-build-standalone's own interpreters have it.
            (vec![], vec![], "$ORIGIN/../lib/libssl.so.3", at("lib/libssl.so.3")),
            (vec![], vec![], "$ORIGIN/../lib/libfar.so.1", FoundLibrary::Nowhere),
            (vec![], vec![], "/usr/lib/libssl.so.3", FoundLibrary::Nowhere),
        ];
        for (rpath, runpath, library, answer) in cases {
            let found = space(&files()).find(&path("pkg/core.so"), false, &facts(&rpath, &runpath), library);
            assert_eq!(found, answer, "for {library} with {rpath:?} and {runpath:?}");
        }
        let program = space(&files()).find(&path("bin/tool"), true, &facts(&[], &[]), "libssl.so.3");
        assert_eq!(program, FoundLibrary::Elsewhere, "a program does not get the interpreter's search path");
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
            assert_eq!(space(&files()).folder(&path("pkg/core.so"), entry), expected, "for {entry:?}");
        }
    }
}

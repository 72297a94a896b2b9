//! What dyld and the kernel of macOS would make of a Mach-O file of the prefix.

use vocab::{Arch, TreePath};

use super::{CodeSignature, MachoSlice};
use crate::native_files::fault::NativeFaultKind;
use crate::native_files::judgement::{FileJudgement, JudgedFile};
use crate::native_files::needs::SystemProvider;
use crate::native_files::prefix_files::{FoundLibrary, PrefixFiles, SearchFolder, folder_of, walk};
use crate::system_libraries::macos;

/// What is known about the whole prefix.
pub(crate) struct MachoSpace<'a> {
    files: &'a PrefixFiles<'a>,
    /// What `@executable_path` is for all that the interpreter loads.
    interpreter_folder: TreePath,
    /// Folders of the interpreter's `LC_RPATH`, which count for everything it loads.
    interpreter_rpaths: Vec<TreePath>,
}

/// Applies the rules of dyld and the kernel to one slice.
pub(crate) fn judge(slice: &MachoSlice, subject: &JudgedFile<'_>, space: &MachoSpace<'_>) -> FileJudgement {
    let mut judgement = FileJudgement::default();
    if let Some(system) = slice.other_system {
        let expected = subject.layout.platform.as_str().to_owned();
        judgement.faults.push(NativeFaultKind::Architecture { expected, found: system.to_owned() });
        return judgement;
    }
    if let Some(minimum) = &slice.minimum {
        judgement.needs.raise(SystemProvider::Macos, minimum.clone());
    }
    // Wheels are full of search paths of the machines they were built on, which most of them never use.
    let is_searched = slice.libraries.iter().any(|library| library.name.starts_with("@rpath/"));
    for entry in &slice.rpaths {
        match space.folder(subject.path, slice.is_program, entry) {
            SearchFolder::Inside(_) => {}
            SearchFolder::Outside if macos::is_system_path(entry) || !is_searched => {}
            SearchFolder::BuildMachine => {
                judgement.faults.push(NativeFaultKind::BuildMachinePath { entry: entry.clone() });
            }
            SearchFolder::Outside => {
                judgement.warnings.push(NativeFaultKind::SearchesOutside { entry: entry.clone() });
            }
        }
    }
    for library in &slice.libraries {
        let name = library.name.clone();
        match space.find(subject.path, slice, &library.name) {
            FoundLibrary::InPrefix(place) => judgement.links.push(place),
            FoundLibrary::Elsewhere => judgement.links.extend(space.files.places_of(leaf_of(&name)).cloned()),
            FoundLibrary::OnSystem => {}
            // If such a file exists, it is loaded, weak or not.
            FoundLibrary::Absolute => judgement.faults.push(NativeFaultKind::AbsoluteLibrary { library: name }),
            FoundLibrary::Nowhere => {
                let weight = if library.is_weak { &mut judgement.warnings } else { &mut judgement.faults };
                weight.push(NativeFaultKind::MissingLibrary { library: name });
            }
        }
    }
    if let Some(name) = slice.install_name.as_ref().filter(|name| is_place_of_a_machine(name)) {
        let kind = NativeFaultKind::AbsoluteName { name: name.clone() };
        // Names are copied into what is linked with a library, and nothing is ever linked with a module.
        let is_module = !subject.path.file_name().ends_with(".dylib");
        if is_module { &mut judgement.warnings } else { &mut judgement.faults }.push(kind);
    }
    // Macs with Intel's processors run code without a signature.
    if slice.arch == Arch::Aarch64 {
        match slice.signature {
            CodeSignature::Fits => {}
            CodeSignature::Absent => judgement.faults.push(NativeFaultKind::Unsigned),
            CodeSignature::Stale => judgement.faults.push(NativeFaultKind::StaleSignature),
        }
    }
    judgement
}

/// `/DLC/…` is not a real path: the tool `delocate` gives such names to the libraries that it puts into wheels, to
/// distinguish two with the same file name.
fn is_place_of_a_machine(name: &str) -> bool {
    name.starts_with('/') && !name.starts_with("/DLC/")
}

/// The file name in it.
fn leaf_of(library: &str) -> &str {
    library.rsplit('/').next().unwrap_or(library)
}

impl<'a> MachoSpace<'a> {
    /// Call [`Self::set_interpreter`] before judging, or the search path of the interpreter is not used.
    pub(crate) fn new(files: &'a PrefixFiles<'a>, interpreter: &TreePath) -> Self {
        Self { files, interpreter_folder: folder_of(interpreter), interpreter_rpaths: Vec::new() }
    }

    /// Notes the search path that modules inherit from the interpreter at `path`.
    pub(crate) fn set_interpreter(&mut self, path: &TreePath, slice: &MachoSlice) {
        self.interpreter_rpaths = self.folders(path, slice);
    }

    fn find(&self, file: &TreePath, slice: &MachoSlice, library: &str) -> FoundLibrary {
        let at = |place: Option<TreePath>| {
            place.filter(|place| self.files.exists(place)).map_or(FoundLibrary::Nowhere, FoundLibrary::InPrefix)
        };
        if let Some(name) = library.strip_prefix("@rpath/") {
            return self.find_by_rpath(file, slice, name);
        }
        if library.starts_with('@') {
            return at(self.expanded(file, slice.is_program, library));
        }
        match library.starts_with('/') {
            true if macos::is_system_path(library) => FoundLibrary::OnSystem,
            true => FoundLibrary::Absolute,
            // Depends on the working directory.
            false => FoundLibrary::Nowhere,
        }
    }

    fn find_by_rpath(&self, file: &TreePath, slice: &MachoSlice, name: &str) -> FoundLibrary {
        let own = self.folders(file, slice);
        let inherited = if slice.is_program { &[][..] } else { &self.interpreter_rpaths[..] };
        let mut places = own.iter().chain(inherited).filter_map(|folder| walk(folder, name));
        let leaf = leaf_of(name);
        if let Some(place) = places.find(|place| self.files.exists(place)) {
            FoundLibrary::InPrefix(place)
        } else if macos::is_system_runtime(leaf) && slice.rpaths.iter().any(|rpath| macos::is_system_path(rpath)) {
            FoundLibrary::OnSystem
        } else if self.files.has_name(leaf) {
            // dyld takes what has been loaded under the same name before it searches.
            FoundLibrary::Elsewhere
        } else {
            FoundLibrary::Nowhere
        }
    }

    fn folders(&self, file: &TreePath, slice: &MachoSlice) -> Vec<TreePath> {
        let inside = |entry: &String| match self.folder(file, slice.is_program, entry) {
            SearchFolder::Inside(folder) => Some(folder),
            SearchFolder::BuildMachine | SearchFolder::Outside => None,
        };
        slice.rpaths.iter().filter_map(inside).collect()
    }

    fn folder(&self, file: &TreePath, is_program: bool, entry: &str) -> SearchFolder {
        if self.files.is_below_prefix(entry) {
            return SearchFolder::BuildMachine;
        }
        self.expanded(file, is_program, entry).map_or(SearchFolder::Outside, SearchFolder::Inside)
    }

    fn expanded(&self, file: &TreePath, is_program: bool, text: &str) -> Option<TreePath> {
        let (variable, rest) = text.split_once('/').unwrap_or((text, ""));
        match variable {
            "@loader_path" => walk(&folder_of(file), rest),
            "@executable_path" if is_program => walk(&folder_of(file), rest),
            "@executable_path" => walk(&self.interpreter_folder, rest),
            _ => None,
        }
    }
}

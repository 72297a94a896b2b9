//! What the loader of Windows would make of a PE file of the prefix.
//!
//! Python loads its modules with the module's own folder and the interpreter's folder searched, and with those
//! that Python code has named (`os.add_dll_directory`): `PATH` has no say, so a library among the scripts is found by
//! programs there alone. Names are the same in any case of letters.

use vocab::TreePath;

use super::PeFacts;
use crate::native_files::fault::NativeFaultKind;
use crate::native_files::judgement::{FileJudgement, JudgedFile};
use crate::native_files::needs::SystemProvider;
use crate::native_files::prefix_files::{FoundLibrary, PrefixFiles, folder_of};
use crate::system_libraries::windows::is_system_library;

/// Applies the rules of Windows' loader to one file.
pub(crate) fn judge(facts: &PeFacts, subject: &JudgedFile<'_>, files: &PrefixFiles<'_>) -> FileJudgement {
    let mut judgement = FileJudgement::default();
    judgement.needs.raise(SystemProvider::Windows, facts.minimum.clone());
    let searched = [folder_of(subject.path), folder_of(&subject.layout.interpreter())];
    for library in &facts.imports {
        match find(library, &searched, subject, files) {
            FoundLibrary::InPrefix(place) => judgement.links.push(place),
            FoundLibrary::Elsewhere => judgement.links.extend(made_known(library, subject, files).cloned()),
            FoundLibrary::OnSystem => {}
            FoundLibrary::Nowhere | FoundLibrary::Absolute => {
                judgement.faults.push(NativeFaultKind::MissingLibrary { library: library.clone() });
            }
        }
    }
    for library in
        facts.delayed.iter().filter(|library| find(library, &searched, subject, files) == FoundLibrary::Nowhere)
    {
        judgement.warnings.push(NativeFaultKind::MissingLibrary { library: library.clone() });
    }
    judgement
}

/// In the folder of the file itself or of the interpreter, or else in one that Python code makes known.
fn find(library: &str, searched: &[TreePath], subject: &JudgedFile<'_>, files: &PrefixFiles<'_>) -> FoundLibrary {
    let is_searched = |place: &TreePath| {
        let folder = folder_of(place);
        searched.iter().any(|searched| searched.as_str().eq_ignore_ascii_case(folder.as_str()))
    };
    if let Some(place) = files.places_of(library).find(|place| is_searched(place)) {
        FoundLibrary::InPrefix(place.clone())
    } else if is_system_library(library) {
        FoundLibrary::OnSystem
    } else if made_known(library, subject, files).next().is_some() {
        FoundLibrary::Elsewhere
    } else {
        FoundLibrary::Nowhere
    }
}

/// The places of a library in folders that Python code makes known before the module is loaded: those of packages, as
/// wheels that were put together with `delvewheel` have all theirs in `<name>.libs`; others, such as conda's `Library/bin`,
/// where the code of the package does it. Nobody does it for the folders of scripts.
fn made_known<'a>(
    library: &str,
    subject: &JudgedFile<'_>,
    files: &'a PrefixFiles<'_>,
) -> impl Iterator<Item = &'a TreePath> {
    let (path, layout) = (subject.path.clone(), subject.layout);
    files.places_of(library).filter(move |place| {
        let lies_below = |folder: TreePath| place.starts_with(&folder);
        if lies_below(layout.scripts()) || lies_below(layout.bin()) {
            return false;
        }
        lies_below(layout.site_packages()) || files.adds_folders(&path, layout)
    })
}

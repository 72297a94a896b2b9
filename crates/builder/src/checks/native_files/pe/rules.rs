//! What the loader of Windows would make of a PE file of the prefix.
//!
//! Python loads its modules with the module's own folder and the interpreter's folder searched, and with those
//! that Python code has named (`os.add_dll_directory`): `PATH` has no say. Names are the same in any case of letters.

use vocab::TreePath;

use super::PeFacts;
use crate::checks::native_files::judgement::{Judgement, Subject};
use crate::checks::native_files::needs::Provider;
use crate::checks::native_files::prefix_files::{Found, PrefixFiles, folder_of};
use crate::checks::native_files::report::NativeFaultKind;
use crate::system_libraries::windows::is_system_library;

pub fn judge(facts: &PeFacts, subject: &Subject<'_>, files: &PrefixFiles<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    judgement.needs.raise(Provider::Windows, facts.minimum.clone());
    let searched = [folder_of(subject.path), folder_of(&subject.layout.interpreter())];
    for library in &facts.imports {
        match find(library, &searched, files) {
            Found::InPrefix(place) => judgement.links.push(place),
            Found::Elsewhere => judgement.links.extend(files.places_of(library).cloned()),
            Found::OnSystem => {}
            Found::Nowhere | Found::Absolute => {
                judgement.faults.push(NativeFaultKind::MissingLibrary { library: library.clone() });
            }
        }
    }
    for library in facts.delayed.iter().filter(|library| find(library, &searched, files) == Found::Nowhere) {
        judgement.warnings.push(NativeFaultKind::MissingLibrary { library: library.clone() });
    }
    judgement
}

/// A library in some other folder is one that Python code makes known first: wheels that were put together with
/// `delvewheel` have all theirs in such a folder, `<name>.libs`.
fn find(library: &str, searched: &[TreePath], files: &PrefixFiles<'_>) -> Found {
    let is_searched = |place: &TreePath| {
        let folder = folder_of(place);
        searched.iter().any(|searched| searched.as_str().eq_ignore_ascii_case(folder.as_str()))
    };
    if let Some(place) = files.places_of(library).find(|place| is_searched(place)) {
        Found::InPrefix(place.clone())
    } else if is_system_library(library) {
        Found::OnSystem
    } else if files.has_name(library) {
        Found::Elsewhere
    } else {
        Found::Nowhere
    }
}

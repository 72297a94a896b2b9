//! Which extensions a server has imported, and from where.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// An extension's module to import.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    pub version: String,
    /// Where to import from: first the extension itself, then those that it depends on. Not empty.
    pub folders: Vec<ImportFolder>,
}

/// The folder of an unpacked extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFolder {
    /// Namespace of the extension.
    pub extension: String,
    /// Name of the module in it.
    pub module: String,
    pub path: PathBuf,
}

/// What an import would do in a server that has imported others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutlook {
    /// It was imported already.
    Done,
    Possible,
    /// The server has another version of one of the extensions, and cannot have both.
    Outdated,
    /// Another extension's module has the same name.
    Clash {
        module: String,
        /// Its namespace.
        other: String,
    },
}

/// What one server has imported.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// Namespaces of the extensions whose modules were imported.
    loaded: BTreeSet<String>,
    /// All folders that it imports from.
    folders: Vec<ImportFolder>,
}

impl Imports {
    pub(crate) fn outlook(&self, request: &LoadRequest) -> ImportOutlook {
        for folder in &request.folders {
            for known in self.folders.iter().filter(|known| known.path != folder.path) {
                if known.extension == folder.extension {
                    return ImportOutlook::Outdated;
                }
                if known.module == folder.module {
                    return ImportOutlook::Clash { module: known.module.clone(), other: known.extension.clone() };
                }
            }
        }
        let is_loaded = request.folders.first().is_some_and(|own| self.loaded.contains(&own.extension));
        if is_loaded { ImportOutlook::Done } else { ImportOutlook::Possible }
    }

    /// An import that fails may have imported some of it.
    pub(crate) fn begin(&mut self, request: &LoadRequest) {
        for folder in &request.folders {
            if !self.folders.contains(folder) {
                self.folders.push(folder.clone());
            }
        }
    }

    pub(crate) fn done(&mut self, request: &LoadRequest) {
        self.loaded.extend(request.folders.first().map(|own| own.extension.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(folders: &[(&str, &str, &str)]) -> LoadRequest {
        let folder = |&(extension, module, path): &(&str, &str, &str)| ImportFolder {
            extension: extension.to_owned(),
            module: module.to_owned(),
            path: PathBuf::from(path),
        };
        LoadRequest { version: "1".to_owned(), folders: folders.iter().map(folder).collect() }
    }

    #[test]
    fn one_server_has_one_version_of_an_extension_and_one_module_of_a_name() {
        let clash = |module: &str, other: &str| ImportOutlook::Clash { module: module.into(), other: other.into() };
        let mut imports = Imports::default();
        let first = request(&[("a", "mod", "/a1"), ("help", "helper", "/h1")]);
        assert_eq!(imports.outlook(&first), ImportOutlook::Possible);
        imports.begin(&first);
        assert_eq!(imports.outlook(&first), ImportOutlook::Possible, "it may have failed");
        imports.done(&first);
        let cases = [
            (request(&[("a", "mod", "/a1"), ("help", "helper", "/h1")]), ImportOutlook::Done),
            (request(&[("help", "helper", "/h1")]), ImportOutlook::Possible),
            (request(&[("a", "mod", "/a2")]), ImportOutlook::Outdated),
            (request(&[("b", "other", "/b"), ("help", "helper", "/h2")]), ImportOutlook::Outdated),
            (request(&[("b", "mod", "/b")]), clash("mod", "a")),
            (request(&[("b", "other", "/b"), ("c", "helper", "/c")]), clash("helper", "help")),
        ];
        for (asked, expected) in cases {
            assert_eq!(imports.outlook(&asked), expected, "for {asked:?}");
        }
    }
}

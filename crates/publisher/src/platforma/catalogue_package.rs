//! The package that refers to all versions: it carries the descriptors that its entry points name.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use npm_packages::{CATALOGUE, EntryPointKind, PACKAGE_FILE, read_version_package};
use vocab::{Fault, VersionString};

use super::PlatformaError;
use super::descriptor::software_path;
use super::run::write_text;

/// What became of the entry points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueFiles {
    pub written: Vec<PathBuf>,
    /// Entry points whose package has no descriptor here.
    pub absent: Vec<String>,
}

/// Writes `catalogue/dist/tengo/software/<entry point>.sw.json` for every entry point that refers to a package of this
/// repository: a copy of that package's descriptor. Nothing where there is no catalogue.
pub fn write_catalogue_files(repository: &Path) -> Result<CatalogueFiles, Box<dyn Fault>> {
    let mut files = CatalogueFiles::default();
    let Some(catalogue) = npm_packages::PackageJson::read(repository, &format!("{CATALOGUE}/{PACKAGE_FILE}"))? else {
        return Ok(files);
    };
    let descriptors = descriptors(repository)?;
    for entry_point in catalogue.entry_points.iter().flatten() {
        let EntryPointKind::Reference(reference) = &entry_point.kind else { continue };
        let id = &entry_point.id.value;
        let (own, path) = (descriptors.get(&reference.value), repository.join(CATALOGUE).join(software_path(id)));
        match own.and_then(|path| vocab::read_regular_text(path).ok()) {
            Some(text) => files.written.push(write_text(&path, &text)?),
            None => {
                if own.is_some() {
                    // A copy of a former one would lead to archives of another version.
                    let _ = fs::remove_file(path);
                }
                files.absent.push(id.clone());
            }
        }
    }
    Ok(files)
}

/// By what a catalogue writes to refer to them; they need not be there.
fn descriptors(repository: &Path) -> Result<BTreeMap<String, PathBuf>, Box<dyn Fault>> {
    let unreadable = |source: io::Error| PlatformaError::Repository { path: repository.to_owned(), source };
    let mut found = BTreeMap::new();
    for version in VersionString::folders_in(repository).map_err(unreadable)? {
        let Some(package) = read_version_package(repository, &version)? else { continue };
        if let (Some(reference), Some(environment)) = (package.reference(), package.environment()) {
            found.insert(reference, repository.join(version.folder_name()).join(software_path(&environment.id)));
        }
    }
    Ok(found)
}

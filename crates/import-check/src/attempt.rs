//! One attempt to import a module, and what it showed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use vocab::TreePath;

/// How one import went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImportAttempt {
    pub ended: AttemptEnd,
    #[serde(default)]
    pub error: String,
    /// Name of the module that was not found, if that was the error.
    #[serde(default)]
    pub missing: Option<String>,
    /// Native files of the prefix that were loaded then. Empty for a remembered attempt.
    #[serde(default, skip_serializing)]
    pub loaded: BTreeSet<String>,
    /// Files of extension modules that something tried to import in vain → the error. Empty for a remembered attempt.
    #[serde(default, skip_serializing)]
    pub failed: BTreeMap<String, String>,
    /// Top-level names that something tried to import, found or not. Empty for a remembered attempt.
    #[serde(default, skip_serializing)]
    pub asked: BTreeSet<String>,
    /// Files outside the prefix that were loaded, and of them those of the interpreter. Unless it is remembered.
    #[serde(default, skip_serializing)]
    pub outside: BTreeSet<String>,
    #[serde(default, skip_serializing)]
    pub interpreter: BTreeSet<String>,
    /// Names of libraries of this machine that were opened although nothing is linked with them → their paths.
    #[serde(default)]
    pub opened: BTreeMap<String, String>,
    /// How an interpreter ends badly after importing the outermost package.
    #[serde(default)]
    pub left: Option<String>,
    /// If it fails, a module that tried to import it and imports all the same.
    #[serde(default)]
    pub tried_by: Option<String>,
    /// How its package imports, if the module alone does not.
    #[serde(default)]
    pub package: Option<PackageImport>,
}

/// What the enclosing packages show about a module that fails alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PackageImport {
    /// One of them loads the module's file: it is made to be imported in that way.
    LoadsIt,
    /// All of them import and none loads the module's file, which the loader takes, as the failed attempt shows.
    Loadable,
    /// All of them import and none loads the module's file, which nothing has loaded.
    NotLoaded,
}

/// How an attempt ended. `Crash` is any end of the process, `Timeout` the limit of one import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AttemptEnd {
    Imported,
    Error,
    Crash,
    Timeout,
}

impl ImportAttempt {
    /// True for a library that is only named like the module: it was loaded, and more cannot be expected. If a module
    /// that it imports is itself not a module, the attempt fails.
    pub(crate) fn is_no_module(&self, module: &str) -> bool {
        let name = module.rsplit('.').next().unwrap_or(module);
        self.error.contains(&format!("does not define module export function (PyInit_{name})"))
    }

    /// True if it imports, alone or with its package.
    pub(crate) fn is_fine(&self) -> bool {
        self.ended == AttemptEnd::Imported || self.package == Some(PackageImport::LoadsIt)
    }

    /// Native files that it needs; none unless [`Self::is_fine`]. Files that failed to load without consequence do not
    /// count.
    pub(crate) fn loaded_files(&self) -> impl Iterator<Item = TreePath> {
        let needed = self.loaded.iter().filter(|file| self.is_fine() && !self.failed.contains_key(*file));
        needed.filter_map(|file| file.parse().ok())
    }

    pub(crate) fn has_loaded(&self, files: Option<&BTreeSet<String>>) -> bool {
        let is_loaded = |file: &String| self.loaded.contains(file) && !self.failed.contains_key(file);
        self.ended == AttemptEnd::Imported && files.is_some_and(|files| files.iter().any(is_loaded))
    }

    /// Whether it imports though it tried to load one of these files in vain.
    pub(crate) fn does_without(&self, files: &BTreeSet<String>) -> bool {
        self.ended == AttemptEnd::Imported && files.iter().any(|file| self.failed.contains_key(file))
    }

    /// Compares the failed import of a module with these files to the imports of its packages. `None` if one of those
    /// fails or there is none.
    pub(crate) fn package_import(&self, packages: &[&Self], files: Option<&BTreeSet<String>>) -> Option<PackageImport> {
        if packages.iter().any(|package| package.has_loaded(files)) {
            Some(PackageImport::LoadsIt)
        } else if packages.is_empty() || packages.iter().any(|package| package.ended != AttemptEnd::Imported) {
            None
        } else if files.is_some_and(|files| !files.is_disjoint(&self.loaded)) {
            Some(PackageImport::Loadable)
        } else {
            Some(PackageImport::NotLoaded)
        }
    }

    /// Stands for a module that the driver never reached, because it was killed.
    pub(crate) fn lost() -> Self {
        Self { error: "the check ended before it was tried".to_owned(), ..Self::of(AttemptEnd::Crash) }
    }

    pub(crate) fn of(ended: AttemptEnd) -> Self {
        Self {
            ended,
            error: String::new(),
            missing: None,
            loaded: BTreeSet::new(),
            failed: BTreeMap::new(),
            asked: BTreeSet::new(),
            outside: BTreeSet::new(),
            interpreter: BTreeSet::new(),
            opened: BTreeMap::new(),
            left: None,
            tried_by: None,
            package: None,
        }
    }
}

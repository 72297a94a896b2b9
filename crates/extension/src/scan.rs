//! All extensions of the folders that are searched: which are active, which are not, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};

use vocab::side_by_side;

use crate::dependencies::settle_dependencies;
use crate::extension_error::{ExtensionError, ExtensionErrorKind};
use crate::extension_set::{ActiveExtension, ExtensionSet, SignatureStatus, version_of};
use crate::read_extension::{ExtensionWarning, read_extension};
use crate::settings::{AllowedExtension, LoaderSettings};

/// What is asked of extensions besides being well-formed.
pub struct ScanRules<'a> {
    pub allow_list: Option<&'a [AllowedExtension]>,
    pub enforce_signing: bool,
    /// Reads the zip's bytes and the signature beside it, and nothing else of the zip.
    pub signature: &'a (dyn Fn(&Path) -> SignatureStatus + Sync),
    /// Absent: unknown, and every extension will do.
    pub host_version: Option<&'a str>,
}

impl<'a> ScanRules<'a> {
    /// The rules of the settings.
    pub fn of(settings: &'a LoaderSettings, signature: &'a (dyn Fn(&Path) -> SignatureStatus + Sync)) -> Self {
        Self {
            allow_list: settings.allow_list.as_deref(),
            enforce_signing: settings.enforce_signing.value,
            signature,
            host_version: settings.host_version.value.as_deref(),
        }
    }
}

/// Reads every zip of the folders, not of folders in them. A folder that does not exist has none.
pub fn scan_extensions(folders: &[PathBuf], rules: &ScanRules<'_>) -> ExtensionSet {
    let mut set = ExtensionSet::default();
    let mut paths = Vec::new();
    for folder in folders {
        match zips_in(folder) {
            Ok(found) => paths.extend(found),
            Err(error) => set.unread.push((folder.clone(), error)),
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let read = |(): &mut (), index: usize| -> Result<_, Infallible> { Ok(read_one(&paths[index], rules)) };
    let Ok(found) = side_by_side(threads, paths.len(), || (), read);
    let mut by_namespace: BTreeMap<String, Vec<ActiveExtension>> = BTreeMap::new();
    for result in found {
        match result {
            Ok(active) => {
                set.warnings.extend(active.extension.warnings.iter().cloned());
                by_namespace.entry(active.extension.namespace().to_owned()).or_default().push(active);
            }
            Err(error) => set.unavailable.push(error),
        }
    }
    for (namespace, several) in by_namespace {
        choose(&namespace, several, &mut set);
    }
    settle_dependencies(&mut set, rules.host_version);
    set.unavailable.sort_by(|left, right| left.path.cmp(&right.path));
    set
}

fn zips_in(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let items = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        other => other?,
    };
    let mut found = BTreeSet::new();
    for item in items {
        let item = item?;
        let name = item.file_name().to_string_lossy().to_lowercase();
        if name.starts_with('.') || !name.ends_with(".zip") {
            continue;
        }
        // Follows links; a file of no bytes is one that is being copied.
        if std::fs::metadata(item.path()).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0) {
            found.insert(item.path());
        }
    }
    Ok(found)
}

fn read_one(path: &Path, rules: &ScanRules<'_>) -> Result<ActiveExtension, ExtensionError> {
    let refused = |kind| ExtensionError { path: path.to_owned(), kind };
    let signature = (rules.signature)(path);
    if rules.enforce_signing {
        match &signature {
            SignatureStatus::Trusted(_) => {}
            SignatureStatus::Unsigned => return Err(refused(ExtensionErrorKind::Unsigned)),
            SignatureStatus::UnknownKey => return Err(refused(ExtensionErrorKind::UnknownKey)),
            SignatureStatus::BadSignature(reason) => {
                return Err(refused(ExtensionErrorKind::BadSignature { reason: reason.clone() }));
            }
        }
    }
    let extension = read_extension(path)?;
    let (namespace, version) = (extension.namespace(), extension.version());
    if rules.allow_list.is_some_and(|list| !list.iter().any(|allowed| allows(allowed, namespace, version))) {
        let (namespace, version) = (namespace.to_owned(), version.to_owned());
        return Err(refused(ExtensionErrorKind::NotAllowed { namespace, version }));
    }
    Ok(ActiveExtension { extension, signature })
}

fn allows(allowed: &AllowedExtension, namespace: &str, version: &str) -> bool {
    allowed.namespace == namespace.strip_prefix("py_").unwrap_or(namespace)
        && allowed.version.as_ref().is_none_or(|only| version_of(only) == version_of(version))
}

/// The highest version is active; of equal ones the first by file name, then by path.
fn choose(namespace: &str, mut several: Vec<ActiveExtension>, set: &mut ExtensionSet) {
    let place =
        |it: &ActiveExtension| (it.extension.path.file_name().map(ToOwned::to_owned), it.extension.path.clone());
    several.sort_by_key(place);
    // The last of the highest, in an order in which equal ones stand backwards.
    several.reverse();
    several.sort_by_key(|it| version_of(it.extension.version()));
    let Some(active) = several.pop() else { return };
    for other in several {
        let by = active.extension.path.clone();
        if version_of(other.extension.version()) == version_of(active.extension.version()) {
            let kind = ExtensionErrorKind::Duplicate { namespace: namespace.to_owned(), other: by };
            set.unavailable.push(ExtensionError { path: other.extension.path, kind });
        } else {
            let text =
                format!("{} {} is shadowed by {}", namespace, other.extension.version(), active.extension.version());
            set.warnings.push(ExtensionWarning { code: "W_EXT_SHADOWED", text, path: other.extension.path.clone() });
            set.shadowed.push((other.extension, by));
        }
    }
    set.active.insert(namespace.to_owned(), active);
}

//! Byte code of a delta's modules: what is not compiled when it is baked, each pod compiles at its start.

use std::fs;
use std::path::Path;

use archive::{EntryKind, ExtractOptions, TreeEntry};
use store::Context;
use vocab::{TreePath, with_causes};

use super::ByteCodeFile;

const CACHE: &str = "__pycache__";

/// Why an archive is refused, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ByteCodeFault(String);

/// Lays the byte code of a wheel beside its modules in `site`, by way of a folder in `staging` on the same disk.
///
/// Nothing but byte code of modules that are there: an archive cannot bring modules of its own.
pub(super) fn lay_in(file: &ByteCodeFile, staging: &Path, site: &Path, context: &Context) -> Result<(), ByteCodeFault> {
    let unpacked = staging.join(format!("byte-code-{}", file.sha256.short()));
    let options = ExtractOptions { expected: Some(file.sha256), ..ExtractOptions::default() };
    archive::extract(&context.store.blob(&file.sha256), &unpacked, &options)
        .map_err(|error| ByteCodeFault(with_causes(&error)))?;
    for entry in archive::scan(&unpacked).map_err(|error| ByteCodeFault(with_causes(&error)))? {
        if entry.kind == EntryKind::Directory {
            continue;
        }
        let refuse = |why: &str| ByteCodeFault(format!("`{}` {why}", entry.path));
        let module =
            module_of(&entry.path).filter(|_| is_byte_code(&entry)).ok_or_else(|| refuse("is no byte code"))?;
        if !module.below(site).is_file() {
            return Err(refuse("belongs to no module"));
        }
        let target = entry.path.below(site);
        // A wheel may bring its own.
        if target.exists() {
            continue;
        }
        let folder = target.parent().unwrap_or(site);
        let moved = fs::create_dir_all(folder).and_then(|()| fs::rename(entry.path.below(&unpacked), &target));
        moved.map_err(|error| ByteCodeFault(format!("`{}`: {error}", target.display())))?;
    }
    Ok(())
}

pub(super) fn is_byte_code(entry: &TreeEntry) -> bool {
    matches!(entry.kind, EntryKind::File { .. }) && entry.path.as_str().ends_with(".pyc")
}

/// `a/b.py` of `a/__pycache__/b.cpython-312.pyc`.
pub(super) fn module_of(path: &TreePath) -> Option<TreePath> {
    let (folder, name) = path.as_str().rsplit_once('/')?;
    let stem = name.strip_suffix(".pyc")?.rsplit_once('.')?.0;
    let folder = folder.strip_suffix(CACHE).filter(|folder| folder.is_empty() || folder.ends_with('/'))?;
    format!("{folder}{stem}.py").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_code_leads_to_its_module() {
        for (path, module) in [
            ("a/__pycache__/b.cpython-312.pyc", Some("a/b.py")),
            ("__pycache__/b.c.cpython-39.pyc", Some("b.c.py")),
            ("a/b.pyc", None),
            ("a/__pycache__/b.pyc", None),
            ("a/__pycache__/b.py", None),
            ("a__pycache__/b.cpython-312.pyc", None),
        ] {
            let found = module_of(&path.parse().unwrap());
            assert_eq!(found.as_ref().map(TreePath::as_str), module, "{path}");
        }
    }
}

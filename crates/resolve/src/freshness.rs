//! What counts as a fresh lock: rows that answer the very request of today. The request's own part of the rule is
//! [`Request::inputs`]; here is that of its local sources.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use config_merger::RequirementSource;
use vocab::{Digest, DistributionName, TreePath};

use crate::work_tree::WorkTree;
use crate::{PlatformLock, Request, ResolveError, ResolveErrorKind};

/// The question's local sources, by requirement text.
pub fn path_digests(request: &Request, repository: &Path) -> Result<BTreeMap<String, Digest>, ResolveErrorKind> {
    let mut digests = BTreeMap::new();
    for requirement in &request.requirements {
        if let RequirementSource::Path { path, .. } = &requirement.source {
            digests.insert(requirement.text.clone(), path_digest(&requirement.name, path, repository)?);
        }
    }
    Ok(digests)
}

/// Digest of a file's bytes; for a folder, of its sorted file paths and their digests. Where its version comes from
/// git, the repository's tags count, too; commits do not, or a lock could not be committed.
pub fn path_digest(name: &DistributionName, path: &TreePath, repository: &Path) -> Result<Digest, ResolveErrorKind> {
    let place = path.below(repository);
    let missing = || ResolveErrorKind::NoPath { name: name.clone(), path: path.clone() };
    let of_file = |place: &Path| -> io::Result<Digest> { Ok(Digest::of_reader(std::fs::File::open(place)?)?.0) };
    if place.is_file() {
        return of_file(&place).map_err(ResolveErrorKind::Store);
    }
    if !place.is_dir() {
        return Err(missing());
    }
    let mut lines = String::new();
    let walk = walkdir::WalkDir::new(&place)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.file_name() != "__pycache__" && entry.file_name() != ".git");
    for entry in walk {
        let entry = entry.map_err(|error| ResolveErrorKind::Store(error.into()))?;
        if entry.file_type().is_file() {
            let inner = TreePath::relative(entry.path(), &place).ok_or_else(missing)?;
            let digest = of_file(entry.path()).map_err(ResolveErrorKind::Store)?;
            lines.push_str(&format!("{digest} {inner}\n"));
        }
    }
    if let Some(tree) = WorkTree::read_by(&place) {
        lines.push_str(&format!("{} tags\n", tree.tags));
    }
    Ok(Digest::of(lines))
}

/// Whether rows of a lock answer this very request, whose local sources lie in `repository`.
pub fn is_fresh(rows: &PlatformLock, request: &Request, repository: &Path) -> Result<bool, ResolveError> {
    let paths = path_digests(request, repository).map_err(|kind| ResolveError::new(request, kind))?;
    Ok(rows.inputs == request.inputs(&paths))
}

/// The locked rows that one requirement brings, where they answer the same question: it was resolved alone and
/// nothing of it is left out. `alone` is its request, see [`Request::alone`].
pub(crate) fn fresh_alone(
    rows: &PlatformLock,
    alone: &Request,
    repository: &Path,
) -> Result<Option<PlatformLock>, ResolveErrorKind> {
    let [requirement] = &alone.requirements[..] else { return Ok(None) };
    let Some(inputs) = rows.alone.get(&requirement.name) else { return Ok(None) };
    let is_same = *inputs == alone.inputs(&path_digests(alone, repository)?);
    Ok(is_same.then(|| PlatformLock { inputs: *inputs, ..rows.brought_by(&requirement.name) }))
}

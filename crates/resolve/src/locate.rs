//! Where the files of a lock are, which has no URLs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config_merger::RequirementSource;
use vocab::Digest;

use super::{LockedDistribution, LockedSource, Request, ResolveError, ResolveErrorKind, Uv, UvQuestion, pylock};
use crate::registries::{IndexPages, IndexStanding, PageFile, Registry};
use store::Context;

/// Where the files of locked rows are today: asked for by exact version, without dependencies. The caller checks
/// the digests when they arrive.
pub fn locate(
    context: &Context,
    uv: &Uv,
    request: &Request,
    repository: &Path,
    rows: &[&LockedDistribution],
    pages: &IndexPages<'_>,
) -> Result<BTreeMap<Digest, String>, ResolveError> {
    let (elsewhere, rows): (Vec<_>, Vec<_>) = rows.iter().copied().partition(|row| row.registry.is_some());
    let mut found = on_pages(&elsewhere, pages);
    if rows.is_empty() {
        return Ok(found);
    }
    let failed = |kind| ResolveError::new(request, kind);
    let scratch = context.store.scratch_dir("locate-").map_err(|error| failed(ResolveErrorKind::Store(error)))?;
    let mut question = UvQuestion { without_dependencies: true, ..UvQuestion::default() };
    let mut expected: BTreeSet<Digest> = BTreeSet::new();
    for row in rows {
        let Some(version) = &row.version else { continue };
        match &row.source {
            LockedSource::Wheel { sha256, .. } => expected.insert(*sha256),
            LockedSource::Sdist { sha256, .. } => {
                question.from_source.push(row.name.clone());
                expected.insert(*sha256)
            }
            LockedSource::Git { .. } | LockedSource::Path { .. } => continue,
        };
        // Only its place is needed; given its requirements, the resolver does not run its source.
        question.no_deps.push(row.name.clone());
        question.no_deps_versions.insert(row.name.clone(), version.clone());
        let direct = request.requirements.iter().find(|requirement| {
            requirement.name == row.name && matches!(requirement.source, RequirementSource::Url { .. })
        });
        question.requirements.push(match direct {
            Some(requirement) => requirement.for_resolver(repository),
            None => format!("{}=={version}", row.name),
        });
    }
    let text = uv.compile(context, scratch.path(), &request.target, &question).map_err(|error| failed(error.into()))?;
    let urls = pylock::all_files(&text).map_err(|error| failed(error.into()))?;
    found.extend(urls.into_iter().filter(|(digest, _)| expected.contains(digest)));
    Ok(found)
}

/// Rows of an additional index are looked up on its own pages only.
fn on_pages(rows: &[&LockedDistribution], pages: &IndexPages<'_>) -> BTreeMap<Digest, String> {
    let place = |row: &LockedDistribution| Some(Registry::Additional(row.registry?.checked_sub(1)?));
    let asked: Vec<_> = rows.iter().filter_map(|row| Some((place(row)?, row.name.clone()))).collect();
    pages.ask(&asked);
    let mut found = BTreeMap::new();
    for row in rows {
        let (LockedSource::Wheel { file, sha256, .. } | LockedSource::Sdist { file, sha256, .. }) = &row.source else {
            continue;
        };
        let same = |it: &&PageFile| it.file_name == **file && it.sha256.is_none_or(|digest| digest == *sha256);
        if let Some(IndexStanding::Has(page)) = place(row).map(|place| pages.of(place, &row.name)) {
            found.extend(page.files.iter().find(same).map(|it| (*sha256, it.url.clone())));
        }
    }
    found
}

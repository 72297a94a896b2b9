//! Taking out a distribution that another version of it replaces: the base interpreter brings some of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use vocab::{DistributionName, TreePath};

use super::install_error::InstallErrorKind;
use vocab::TreeLayout;

/// The installed distributions below `prefix` whose names are among `names`: their name and `.dist-info` folder.
pub(super) fn find(
    prefix: &Path,
    layout: TreeLayout,
    names: &BTreeSet<&DistributionName>,
) -> Result<Vec<(DistributionName, TreePath)>, InstallErrorKind> {
    let site = layout.site_packages();
    let folder = site.below(prefix);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(InstallErrorKind::Io { action: "list", path: folder, source }),
    };
    let mut found: Vec<(DistributionName, TreePath)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let file_name = entry.file_name().into_string().ok()?;
            let (name, _) = file_name.strip_suffix(".dist-info")?.split_once('-')?;
            let name: DistributionName = name.parse().ok()?;
            names.contains(&name).then_some(())?;
            Some((name, site.join(&file_name.parse().ok()?)))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Removes what its RECORD lists, its `.dist-info` folder, and the folders that are empty then. Rows that lead out
/// of the prefix are left alone.
pub(super) fn remove(prefix: &Path, layout: TreeLayout, dist_info: &TreePath) -> Result<(), InstallErrorKind> {
    let failed = |action, path: &Path, source| InstallErrorKind::Io { action, path: path.to_owned(), source };
    let record = dist_info.below(prefix).join("RECORD");
    let bytes = match fs::read(&record) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed("read", &record, error)),
    };
    let mut folders = BTreeSet::new();
    for path in listed(&bytes, layout) {
        let file = path.below(prefix);
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => return Err(failed("remove", &file, error)),
        }
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| *folder != layout.site_packages() && !folder.is_root()) {
            parent = folder.parent();
            folders.insert(folder);
        }
    }
    let folder = dist_info.below(prefix);
    match fs::remove_dir_all(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("remove", &folder, error)),
    }
    // The deepest first. One that still holds something is somebody else's too.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir_all(folder.below(prefix).join("__pycache__"));
        let _ = fs::remove_dir(folder.below(prefix));
    }
    Ok(())
}

fn listed(record: &[u8], layout: TreeLayout) -> Vec<TreePath> {
    let site = layout.site_packages();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let rows = reader.records().filter_map(Result::ok);
    rows.filter_map(|row| resolved(&site, row.get(0)?)).collect()
}

/// `../../../bin/pip` seen from `site-packages`.
fn resolved(site: &TreePath, text: &str) -> Option<TreePath> {
    let mut folder = site.clone();
    let mut rest = text;
    while let Some(tail) = rest.strip_prefix("../") {
        folder = folder.parent()?;
        rest = tail;
    }
    Some(folder.join(&rest.parse().ok()?)).filter(|path| !path.is_root())
}

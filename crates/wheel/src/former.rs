//! Removing a distribution that another version of it replaces: the base interpreter includes some.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use vocab::{DistributionName, TreePath};

use super::install_error::InstallErrorKind;
use vocab::TreeLayout;
use vocab::record_format::record_lines;

/// A distribution that is in the prefix before anything is installed.
pub(super) struct FormerDistribution {
    pub name: DistributionName,
    pub dist_info: TreePath,
    /// What its RECORD lists below the prefix, and the corresponding files in `bin` on Windows.
    pub files: Vec<TreePath>,
}

/// All of them, by name.
pub(super) fn find(prefix: &Path, layout: TreeLayout) -> Result<Vec<FormerDistribution>, InstallErrorKind> {
    let site = layout.site_packages();
    let failed = |action, path: &Path, source| InstallErrorKind::Io { action, path: path.to_owned(), source };
    let folder = site.below(prefix);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", &folder, error)),
    };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let file_name = entry.file_name();
        let named = || {
            let (name, _) = file_name.to_str()?.strip_suffix(".dist-info")?.split_once('-')?;
            Some((name.parse().ok()?, site.join(&file_name.to_str()?.parse().ok()?)))
        };
        let Some((name, dist_info)) = named() else { continue };
        let record = dist_info.below(prefix).join("RECORD");
        let bytes = match fs::read(&record) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed("read", &record, error)),
        };
        found.push(FormerDistribution { name, dist_info, files: listed(&bytes, layout) });
    }
    found.sort_by(|one, other| (&one.name, &one.dist_info).cmp(&(&other.name, &other.dist_info)));
    Ok(found)
}

/// Removes what its RECORD lists, its `.dist-info` folder, and the folders that are then empty. Rows that lead out of
/// the prefix are ignored.
pub(super) fn remove(prefix: &Path, layout: TreeLayout, former: &FormerDistribution) -> Result<(), InstallErrorKind> {
    let failed = |action, path: &Path, source| InstallErrorKind::Io { action, path: path.to_owned(), source };
    let mut folders = BTreeSet::new();
    for path in &former.files {
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
    let folder = former.dist_info.below(prefix);
    match fs::remove_dir_all(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("remove", &folder, error)),
    }
    // Deepest first. A folder that still contains something belongs to others as well.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir_all(folder.below(prefix).join("__pycache__"));
        let _ = fs::remove_dir(folder.below(prefix));
    }
    Ok(())
}

fn listed(record: &[u8], layout: TreeLayout) -> Vec<TreePath> {
    let site = layout.site_packages();
    let listed = record_lines(record).flatten().filter_map(|line| line.path_below(&site));
    listed.flat_map(|path| [layout.stand_in(&path), Some(path)]).flatten().collect()
}

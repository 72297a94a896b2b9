//! `.pth` files of distributions, whose lines run whenever an interpreter starts.

use vocab::{NativeWarning, TreePath};

use super::{CheckedDistribution, ImportCheck};

/// The distribution's `.pth` files, also those in folders where `site` does not look.
pub(crate) fn of(distribution: &CheckedDistribution) -> impl Iterator<Item = &TreePath> {
    distribution.files.iter().filter(|file| file.as_str().ends_with(".pth"))
}

/// The `.pth` files of the prefix that `site` reads, in its order.
pub(crate) fn all<'a>(check: &'a ImportCheck<'_>) -> Vec<(&'a CheckedDistribution, &'a TreePath)> {
    let site_packages = check.layout.site_packages();
    let all = check.distributions.iter().flat_map(|it| of(it).map(move |file| (it, file)));
    let mut all: Vec<_> = all.filter(|(_, file)| file.parent().as_ref() == Some(&site_packages)).collect();
    all.sort_by_key(|(_, file)| *file);
    all
}

/// Warnings from what Python's `site` prints about lines that failed: the file's name, then the error, indented.
pub(crate) fn warnings(check: &ImportCheck<'_>, said: &str) -> Vec<NativeWarning> {
    let mut warnings: Vec<NativeWarning> = Vec::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        let Some((_, place)) = line.split_once("Error processing line ") else { continue };
        let name = place.trim_end_matches(':').rsplit(['/', '\\']).next().unwrap_or_default();
        let Some((distribution, file)) = all(check).into_iter().find(|(_, file)| file.file_name() == name) else {
            continue;
        };
        let error = lines.by_ref().map_while(|line| (line.is_empty() || line.starts_with(' ')).then_some(line.trim()));
        let error = error.filter(|line| !line.is_empty()).last().unwrap_or_default();
        let warning = NativeWarning {
            distribution: Some(distribution.name.clone()),
            subject: file.to_string(),
            text: format!("fails each time that Python starts: {error}"),
        };
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

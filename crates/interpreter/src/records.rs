//! RECORD files of the distributions that come with an interpreter, after its files were changed.

use std::collections::BTreeSet;
use std::path::Path;

use super::disk::{Result, entries, name_of, read, write};
use super::error::BaseErrorKind;
use vocab::TreeLayout;
use vocab::record_format::{RecordRow, record_lines};

/// Rewrites each RECORD to what is there: rows of vanished files go, changed scripts get their new digest.
pub(super) fn settle_records(tree: &Path, layout: TreeLayout) -> Result<()> {
    let site_packages = layout.site_packages().below(tree);
    for folder in entries(&site_packages)? {
        let record = folder.join("RECORD");
        if name_of(&folder).ends_with(".dist-info") && record.is_file() {
            settle(&site_packages, &record, &format!("{}/RECORD", name_of(&folder)))?;
        }
    }
    Ok(())
}

fn settle(site_packages: &Path, record: &Path, own_name: &str) -> Result<()> {
    let damaged =
        |reason: String| BaseErrorKind::Pip { file: own_name.to_owned(), reason: format!("cannot be read: {reason}") };
    let bytes = read(record)?;
    let mut lines = BTreeSet::new();
    for line in record_lines(&bytes) {
        let name = line.map_err(damaged)?.path;
        let place = site_packages.join(&name);
        if name != own_name && place.is_file() {
            lines.insert(RecordRow::of(name, &read(&place)?).line());
        }
    }
    let own = RecordRow { path: own_name.to_owned(), content: None };
    let text: String = lines.into_iter().chain([own.line()]).collect();
    if text.as_bytes() != bytes { write(record, text) } else { Ok(()) }
}

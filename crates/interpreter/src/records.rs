//! RECORD files of the distributions that come with an interpreter, after its files were changed.

use std::collections::BTreeSet;
use std::path::Path;

use super::disk::{Result, entries, name_of, read, write};
use super::error::BaseErrorKind;
use super::pip::row;
use vocab::TreeLayout;

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
    let damaged = |error: &dyn std::error::Error| BaseErrorKind::Pip {
        file: own_name.to_owned(),
        reason: format!("cannot be read: {error}"),
    };
    let bytes = read(record)?;
    let mut lines = BTreeSet::new();
    for fields in csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&bytes[..]).records() {
        let fields = fields.map_err(|error| damaged(&error))?;
        let name = fields.get(0).unwrap_or_default();
        let place = site_packages.join(name);
        if name == own_name || !place.is_file() {
            continue;
        }
        let quoted =
            if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() };
        lines.insert(format!("{quoted},{}\n", row(&read(&place)?)));
    }
    let text: String = lines.into_iter().chain([format!("{own_name},,\n")]).collect();
    if text.as_bytes() != bytes { write(record, text) } else { Ok(()) }
}

//! Collects findings while a merge goes on, so that one run tells all of them.

use std::sync::Arc;

use crate::source_file::SourceFile;
use crate::{Faults, Finding, FindingCode, Place};

/// A file that is wrong throughout is not listed throughout.
const MAX_FAULTS: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub faults: Vec<Finding>,
    pub warnings: Vec<Finding>,
    pub notes: Vec<String>,
}

impl Report {
    pub fn fault(&mut self, code: FindingCode, place: Place, text: impl Into<String>, hint: Option<String>) {
        self.faults.push(Finding { code, place: Some(place), text: text.into(), hint });
    }

    pub fn warning(&mut self, code: FindingCode, place: Place, text: impl Into<String>, hint: Option<String>) {
        self.warnings.push(Finding { code, place: Some(place), text: text.into(), hint });
    }

    pub fn append(&mut self, other: Self) {
        self.faults.extend(other.faults);
        self.warnings.extend(other.warnings);
        self.notes.extend(other.notes);
    }

    /// The warnings and notes; or, where there is a fault (with `strict`: or a warning), all of these.
    pub fn finish(mut self, strict: bool, sources: &[&SourceFile]) -> Result<(Vec<Finding>, Vec<String>), Faults> {
        if strict {
            self.faults.append(&mut self.warnings);
        }
        let order = |list: &mut Vec<Finding>| {
            let rank = |finding: &Finding| {
                let file = finding.place.as_ref().map(|place| &place.file);
                sources.iter().position(|source| Some(&source.name) == file)
            };
            list.sort_by_cached_key(|finding| {
                (rank(finding), finding.place.as_ref().map(|place| (place.line, place.column)), finding.text.clone())
            });
            list.dedup();
        };
        order(&mut self.faults);
        order(&mut self.warnings);
        if self.faults.is_empty() {
            return Ok((self.warnings, self.notes));
        }
        let unlisted = self.faults.len().saturating_sub(MAX_FAULTS);
        self.faults.truncate(MAX_FAULTS);
        let sources = sources.iter().map(|source| (Arc::clone(&source.name), Arc::clone(&source.text)));
        Err(Faults { findings: self.faults, unlisted, sources: sources.collect() })
    }
}

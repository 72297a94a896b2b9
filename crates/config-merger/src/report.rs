//! Collects findings during a merge, so that one run reports all of them.

use std::sync::Arc;

use crate::{ConfigFaults, ConfigFinding, FindingCode, TextPlace};
use vocab::SourceFile;

/// A file that is wrong throughout gets only this many listed.
const MAX_LISTED: usize = 500;

/// And only this many kept in memory.
const MAX_KEPT: usize = 20_000;

#[derive(Debug, Default)]
pub(crate) struct FindingReport {
    pub faults: Vec<ConfigFinding>,
    pub warnings: Vec<ConfigFinding>,
    pub notes: Vec<String>,
    /// Number of findings that were not kept.
    dropped: usize,
}

impl FindingReport {
    /// Counts faults beyond the limit instead of keeping them.
    pub(crate) fn fault(&mut self, code: FindingCode, place: TextPlace, text: impl Into<String>, hint: Option<String>) {
        if self.faults.len() < MAX_KEPT {
            self.faults.push(ConfigFinding { code, place: Some(place), text: text.into(), hint });
        } else {
            self.dropped += 1;
        }
    }

    /// Drops warnings beyond the limit.
    pub(crate) fn warning(
        &mut self,
        code: FindingCode,
        place: TextPlace,
        text: impl Into<String>,
        hint: Option<String>,
    ) {
        if self.warnings.len() < MAX_KEPT {
            self.warnings.push(ConfigFinding { code, place: Some(place), text: text.into(), hint });
        }
    }

    /// Adds everything that `other` collected.
    pub(crate) fn append(&mut self, other: Self) {
        self.faults.extend(other.faults);
        self.warnings.extend(other.warnings);
        self.notes.extend(other.notes);
        self.dropped += other.dropped;
    }

    /// Returns warnings and notes; or, if there is a fault (with `strict` also a warning), everything as
    /// [`ConfigFaults`].
    pub(crate) fn finish(
        mut self,
        strict: bool,
        sources: &[&SourceFile],
    ) -> Result<(Vec<ConfigFinding>, Vec<String>), ConfigFaults> {
        if strict {
            self.faults.append(&mut self.warnings);
        }
        let order = |list: &mut Vec<ConfigFinding>| {
            let rank = |finding: &ConfigFinding| {
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
        if let Some(more @ 1..) = self.warnings.len().checked_sub(MAX_LISTED) {
            self.warnings.truncate(MAX_LISTED);
            self.notes.push(format!("there are {more} more warnings"));
        }
        if self.faults.is_empty() {
            return Ok((self.warnings, self.notes));
        }
        let unlisted = self.faults.len().saturating_sub(MAX_LISTED) + self.dropped;
        self.faults.truncate(MAX_LISTED);
        let sources = sources.iter().map(|source| (Arc::clone(&source.name), Arc::clone(&source.text)));
        let sources = sources.collect();
        Err(ConfigFaults { findings: self.faults, unlisted, warnings: self.warnings, sources })
    }
}

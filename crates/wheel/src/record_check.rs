//! Where a wheel and its RECORD disagree: what is accepted, as by pip and uv, and what is not.
//!
//! The file as a whole is the one that was locked. So a careless RECORD is the fault of the tool that wrote it, and
//! worth a remark. Code that differs from its author's RECORD was changed afterwards.

use std::collections::{HashMap, HashSet};

use vocab::TreePath;
use vocab::record_format::{ListedDigest, ListedFile};

use super::unpack_error::UnpackErrorKind;
use super::zip_table::WheelMember;
use super::{Remark, RemarkKind};

pub(super) struct RecordDoubts {
    /// `NAME-VERSION.dist-info/`
    metadata: String,
    /// One clause each.
    facts: Vec<String>,
}

/// Further ones are only counted.
const TOLD: usize = 5;

impl RecordDoubts {
    pub(super) fn new(stem: &str) -> Self {
        Self { metadata: format!("{stem}.dist-info/"), facts: Vec::new() }
    }

    /// Everything except the digests, which are known when the files have been inflated.
    pub(super) fn cross_check(
        &mut self,
        members: &[WheelMember],
        rows: &HashMap<TreePath, ListedFile>,
    ) -> Result<(), UnpackErrorKind> {
        let mut members: Vec<&WheelMember> = members.iter().collect();
        members.sort_by(|one, other| one.path.cmp(&other.path));
        for member in &members {
            let path = &member.path;
            let Some(row) = rows.get(path) else {
                self.facts.push(format!("`{path}` is not in its RECORD"));
                continue;
            };
            if row.absolute {
                self.facts.push(format!("its RECORD calls `{path}` `/{path}`"));
            }
            if let Some(flaw) = row.flaw {
                self.facts.push(format!("`{path}` {flaw}"));
            }
            if let Some(size) = row.size.filter(|size| *size != member.size) {
                self.facts.push(format!("`{path}` has {} bytes, its RECORD says {size}", member.size));
            }
            match row.digest {
                ListedDigest::None => self.facts.push(format!("`{path}` has no digest in its RECORD")),
                ListedDigest::Weak => self.facts.push(format!("`{path}` has a digest that says nothing in its RECORD")),
                ListedDigest::Known(..) | ListedDigest::Malformed => {}
            }
        }
        let present: HashSet<&TreePath> = members.iter().map(|member| &member.path).collect();
        let mut absent: Vec<_> = rows.iter().filter(|(path, _)| !present.contains(path)).collect();
        absent.sort_by_key(|(path, _)| *path);
        for (path, row) in absent {
            // It may be a folder, or byte code that was never packed.
            if row.digest == ListedDigest::None {
                continue;
            }
            if row.absolute {
                let reason = format!("its row for `/{path}` leads out of the wheel");
                return Err(UnpackErrorKind::Record { reason });
            }
            self.facts.push(format!("`{path}` is in its RECORD and not in the wheel"));
        }
        Ok(())
    }

    /// Files whose content has another digest than RECORD says.
    pub(super) fn of_digests<'a>(&mut self, paths: impl Iterator<Item = &'a TreePath>) -> Result<(), UnpackErrorKind> {
        let mut paths: Vec<&TreePath> = paths.collect();
        paths.sort();
        for path in paths {
            if !path.as_str().starts_with(&self.metadata) {
                return Err(UnpackErrorKind::Mismatch { path: path.to_string() });
            }
            self.facts.push(format!("`{path}` does not match the digest in its RECORD"));
        }
        Ok(())
    }

    pub(super) fn into_remark(self) -> Option<Remark> {
        if self.facts.is_empty() {
            return None;
        }
        let mut text = self.facts.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
        if let Some(more) = self.facts.len().checked_sub(TOLD).filter(|more| *more > 0) {
            text.push_str(&format!("; and {more} more of the kind"));
        }
        Some(Remark { kind: RemarkKind::Record, text })
    }
}

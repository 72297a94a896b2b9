//! Whether installed builds are as they were installed: every file is read and compared with the record.

use tree_table::{CompareDepth, TreeDamage};

use crate::InstalledBuild;
use crate::installed::{BuildState, RecordFault};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildVerdict {
    pub state: BuildState,
    /// How many files and links it consists of.
    pub files: usize,
    /// Not damage: byte code that Python wrote is left out, what pip installed is listed.
    pub added: Vec<TreeDamage>,
}

impl BuildVerdict {
    /// Reads every file of `build`.
    pub fn of(build: &InstalledBuild) -> Self {
        let state = build.state(CompareDepth::Digests);
        let added = match (&state, build.record()) {
            (BuildState::Intact | BuildState::Damaged(_), Ok(record)) => record.tree.added(&build.folder),
            _ => Vec::new(),
        };
        Self { state, files: build.file_count(), added }
    }

    /// Whether it can be relied upon.
    pub fn is_intact(&self) -> bool {
        self.state == BuildState::Intact
    }
}

impl BuildState {
    /// In a few words; `None` if all is well.
    pub fn words(&self) -> Option<String> {
        Some(match self {
            Self::Intact => return None,
            Self::Damaged(damage) if damage.len() == 1 => "1 file damaged".to_owned(),
            Self::Damaged(damage) => format!("{} files damaged", damage.len()),
            Self::Gone => "its folder is gone".to_owned(),
            Self::Unknown(RecordFault::Missing) => "not installed by pydist".to_owned(),
            Self::Unknown(RecordFault::Unreadable) => "its record cannot be read".to_owned(),
        })
    }
}

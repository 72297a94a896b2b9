//! What decides, beside the lock, which objects a build takes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Recorded when an export is made and compared before a build takes anything from it: with other settings the build
/// would look for objects that nobody put there. Each value stands under the name that a user knows it by, such as
/// `python.sources` or `CFLAGS`; what is not set is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeWith {
    /// Which interpreter it is.
    pub settings: BTreeMap<String, String>,
    /// What becomes of a source. Absent where nothing is built from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<BTreeMap<String, String>>,
}

impl MadeWith {
    /// What is otherwise here, with both values.
    pub fn differences(&self, here: &Self) -> Vec<String> {
        let mut lines = differences(&self.settings, &here.settings);
        if let (Some(exported), Some(here)) = (&self.building, &here.building) {
            lines.extend(differences(exported, here));
        }
        lines
    }
}

fn differences(exported: &BTreeMap<String, String>, here: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = exported.keys().chain(here.keys()).collect();
    let shown = |value: Option<&String>| value.map_or("not set".to_owned(), |value| format!("`{value}`"));
    let differ = names.into_iter().filter(|name| exported.get(*name) != here.get(*name));
    differ
        .map(|name| format!("`{name}` was {}, and is {} here", shown(exported.get(name)), shown(here.get(name))))
        .collect()
}

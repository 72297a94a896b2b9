//! Versions that are taken again where they still fit.

use std::collections::BTreeMap;

use vocab::DistributionName;

use crate::PlatformLock;

/// Versions to prefer, from locked rows: of all rows together, and of each requirement that was resolved alone. Rows
/// added last count most.
#[derive(Clone, Debug, Default)]
pub struct PreferredVersions {
    all: BTreeMap<DistributionName, String>,
    alone: BTreeMap<DistributionName, BTreeMap<DistributionName, String>>,
}

impl PreferredVersions {
    /// The versions of these rows.
    pub fn of(rows: &PlatformLock) -> Self {
        let mut preferred = Self::default();
        preferred.add(rows);
        preferred
    }

    /// Adds rows, whose versions count more than earlier ones.
    pub fn add(&mut self, rows: &PlatformLock) {
        for (row, version) in rows.rows_of_indexes().filter_map(|row| Some((row, row.version.as_ref()?))) {
            self.all.insert(row.name.clone(), version.clone());
            for requirement in &row.brought_by {
                self.alone.entry(requirement.clone()).or_default().insert(row.name.clone(), version.clone());
            }
        }
    }

    /// The versions of all rows together, by name.
    pub fn of_all(&self) -> &BTreeMap<DistributionName, String> {
        &self.all
    }

    /// `None` where nothing is known of the requirement alone.
    pub fn of_requirement(&self, name: &DistributionName) -> Option<&BTreeMap<DistributionName, String>> {
        self.alone.get(name)
    }
}

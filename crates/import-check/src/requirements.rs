//! Which distribution of a runtime leads to which, by what their metadata requires.

use std::collections::{BTreeMap, BTreeSet};

use vocab::DistributionName;

use super::CheckedDistribution;

/// By index of the distribution.
pub(crate) struct RequirementGraph {
    direct: Vec<BTreeSet<usize>>,
}

impl RequirementGraph {
    /// Reads `requires` of each distribution; requirements that are not in the runtime are dropped.
    pub(crate) fn of(distributions: &[CheckedDistribution]) -> Self {
        let names: BTreeMap<&DistributionName, usize> =
            distributions.iter().enumerate().map(|(index, distribution)| (&distribution.name, index)).collect();
        let direct = |distribution: &CheckedDistribution| -> BTreeSet<usize> {
            let required = distribution.requires.iter().filter_map(|line| name_of(line));
            required.filter_map(|name| names.get(&name).copied()).collect()
        };
        Self { direct: distributions.iter().map(direct).collect() }
    }

    /// Indexes of the distributions that this one requires itself.
    pub(crate) fn direct(&self, index: usize) -> impl Iterator<Item = usize> {
        self.direct[index].iter().copied()
    }

    /// These distributions and everything that they require, directly or not.
    pub(crate) fn reached(&self, from: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let (mut reached, mut pending) = (BTreeSet::new(), Vec::from_iter(from));
        while let Some(index) = pending.pop() {
            if reached.insert(index) {
                pending.extend(self.direct(index));
            }
        }
        reached
    }
}

/// The names of what is required whatever the system is and without any extra.
pub(crate) fn unconditional(requirements: &[String]) -> impl Iterator<Item = DistributionName> {
    requirements.iter().filter(|line| !line.contains(';')).filter_map(|line| name_of(line))
}

/// Name in a requirement, whatever system its marker is for. `None` for one that only an extra asks for.
fn name_of(requirement: &str) -> Option<DistributionName> {
    let marker = requirement.split_once(';').map_or("", |(_, marker)| marker);
    if marker.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "extra") {
        return None;
    }
    let text = requirement.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_requirement_is_read_whatever_follows_it() {
        let cases = [
            ("numpy>=2 ; python_version >= '3.9'", Some("numpy")),
            ("  Typing_Extensions", Some("typing-extensions")),
            ("zope.interface (>=4)", Some("zope-interface")),
            ("pyarrow[x]; sys_platform == 'win32'", Some("pyarrow")),
            ("pyarrow[x]; extra == 'parquet'", None),
            ("pyarrow ; python_version>'3'and'x'==extra", None),
            ("", None),
            ("@ file:///x", None),
        ];
        for (line, name) in cases {
            assert_eq!(name_of(line).as_ref().map(DistributionName::as_str), name, "for {line:?}");
        }
    }
}

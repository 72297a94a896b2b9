//! In which order packages are imported: those first that most others build on.
//!
//! Two packages that are imported side by side compile what both need twice, byte code and numba's functions; one that
//! waits for the other finds it done. What is imported in a process, and in which order there, does not change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::requirements::RequirementGraph;

/// The order of top-level packages: `numpy`, `sklearn`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ImportOrder {
    /// Package → packages whose import it waits for.
    pub after: BTreeMap<String, BTreeSet<String>>,
}

impl ImportOrder {
    /// `wanted` are the modules to import, by index of the distribution.
    pub(crate) fn of(requirements: &RequirementGraph, wanted: &BTreeMap<usize, BTreeSet<String>>) -> Self {
        let packages = |index: usize| wanted.get(&index).into_iter().flatten().map(|module| package_of(module));
        let mut after: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for index in wanted.keys() {
            for package in packages(*index) {
                let needed = requirements.direct(*index).flat_map(packages).filter(|needed| *needed != package);
                after.entry(package.to_owned()).or_default().extend(needed.map(str::to_owned));
            }
        }
        after.retain(|_, needed| !needed.is_empty());
        Self { after }
    }

    /// Modules of packages that others wait for come first; otherwise the order stays.
    pub(crate) fn sort(&self, modules: &mut [&str]) {
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        for package in self.after.keys() {
            for needed in self.reached(package) {
                *waiting.entry(needed).or_default() += 1;
            }
        }
        modules.sort_by_key(|module| std::cmp::Reverse(waiting.get(package_of(module)).copied()));
    }

    fn reached<'a>(&'a self, package: &'a str) -> BTreeSet<&'a str> {
        let (mut reached, mut pending) = (BTreeSet::new(), vec![package]);
        while let Some(package) = pending.pop() {
            let needed = self.after.get(package).into_iter().flatten().map(String::as_str);
            pending.extend(needed.filter(|needed| reached.insert(*needed)));
        }
        reached
    }
}

/// The top-level package: `numpy` for `numpy.linalg.lapack_lite`.
pub(crate) fn package_of(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// The packages that a module lies in, the outermost first.
pub(crate) fn packages_of(module: &str) -> impl Iterator<Item = &str> {
    module.match_indices('.').map(|(end, _)| &module[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wait_for_comes_first_and_circles_do_no_harm() {
        let after = [("top", ["middle"]), ("middle", ["base"]), ("left", ["right"]), ("right", ["left"])];
        let set = |names: [&str; 1]| names.map(str::to_owned).into();
        let order = ImportOrder { after: after.map(|(name, needed)| (name.to_owned(), set(needed))).into() };
        let mut modules = ["apart", "base.b", "base.a", "left", "middle", "right", "top.x"];
        order.sort(&mut modules);
        assert_eq!(modules, ["base.b", "base.a", "left", "right", "middle", "apart", "top.x"]);
    }
}

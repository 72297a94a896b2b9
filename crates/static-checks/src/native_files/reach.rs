//! Which native files count: those that an importable module needs. Pure.
//!
//! Where imports were run, that is what they loaded; elsewhere every extension module that has an importable name.
//! What these need inside the prefix is also needed. If neither touches any library of a distribution, it opens its
//! libraries itself, as lightgbm does with `ctypes`: then all of them count, unless its import passed without them.
//! Files that belong to no distribution (the interpreter, copied files) and scripts always count.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use vocab::{DistributionName, Os, TreePath};

/// How a native file comes to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NativeRole {
    /// An extension module, imported by its name.
    Module,
    /// A library, loaded because something needs or opens it.
    Library,
    /// A program among the scripts, which people start.
    Script,
    /// A program elsewhere, which only code starts.
    Program,
}

/// A native file that is for the platform's operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeFile {
    pub path: TreePath,
    /// Absent for files of the base interpreter and copied ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<DistributionName>,
    pub role: NativeRole,
    /// The files that are loaded with it, by their place in the list of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<usize>,
}

/// What imports have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedFiles {
    /// Files of the prefix that were loaded by imports that succeeded.
    pub loaded: BTreeSet<TreePath>,
    /// Distributions with at least one import and no failure.
    pub passed: BTreeSet<DistributionName>,
}

/// What is known in addition to the files themselves.
pub struct ReachEvidence<'a> {
    pub os: Os,
    /// `None` where no imports were run.
    pub imported: Option<&'a ImportedFiles>,
    /// Whether a distribution's wheel is for any platform: such a one brings libraries for several and takes what fits.
    pub is_portable: &'a dyn Fn(&DistributionName) -> bool,
}

/// For each of the files, whether something needs it.
pub(crate) fn needed(files: &[NativeFile], evidence: &ReachEvidence<'_>) -> Vec<bool> {
    let fold = |path: &TreePath| match evidence.os {
        Os::Windows => path.as_str().to_lowercase(),
        Os::Linux | Os::Macos => path.to_string(),
    };
    let loaded: Option<BTreeSet<String>> = evidence.imported.map(|imported| imported.loaded.iter().map(fold).collect());
    let is_root = |file: &&NativeFile| {
        let is_imported = match &loaded {
            Some(loaded) => loaded.contains(&fold(&file.path)),
            None => file.role == NativeRole::Module,
        };
        file.distribution.is_none() || file.role == NativeRole::Script || is_imported
    };
    let mut reached = vec![false; files.len()];
    let indices = |wanted: &dyn Fn(&&NativeFile) -> bool| -> Vec<usize> {
        files.iter().enumerate().filter(|(_, file)| wanted(file)).map(|(index, _)| index).collect()
    };
    reach(files, indices(&is_root), &mut reached);
    let is_opened = |file: &NativeFile| matches!(file.role, NativeRole::Module | NativeRole::Library);
    let touched: BTreeSet<&DistributionName> = files
        .iter()
        .zip(&reached)
        .filter(|(file, reached)| **reached && is_opened(file))
        .filter_map(|(file, _)| file.distribution.as_ref())
        .collect();
    let opens_its_own = |name: &DistributionName| {
        let passed = evidence.imported.is_some_and(|imported| imported.passed.contains(name));
        !touched.contains(name) && !passed && !(evidence.is_portable)(name)
    };
    let opened = indices(&|file| is_opened(file) && file.distribution.as_ref().is_some_and(opens_its_own));
    reach(files, opened, &mut reached);
    reached
}

/// The files that are loaded with the one at `index`, themselves or through others; itself included.
pub(crate) fn users(files: &[NativeFile], index: usize) -> Vec<&NativeFile> {
    let mut uses = vec![false; files.len()];
    let mut pending = vec![index];
    while let Some(index) = pending.pop() {
        if uses.get_mut(index).is_some_and(|it| !std::mem::replace(it, true)) {
            pending.extend((0..files.len()).filter(|other| files[*other].links.contains(&index)));
        }
    }
    files.iter().zip(uses).filter(|(_, uses)| *uses).map(|(file, _)| file).collect()
}

fn reach(files: &[NativeFile], mut pending: Vec<usize>, reached: &mut [bool]) {
    while let Some(index) = pending.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            pending.extend(files[index].links.iter().filter(|link| **link < files.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "lib/python3.12/site-packages";

    fn name(text: &str) -> DistributionName {
        text.parse().unwrap()
    }

    /// The first folder is the distribution; `base` is none.
    fn files(rows: &[(&str, NativeRole, &[usize])]) -> Vec<NativeFile> {
        let file = |(path, role, links): &(&str, NativeRole, &[usize])| {
            let owner = path.split('/').next().filter(|owner| *owner != "base");
            let path = format!("{SITE}/{path}").parse().unwrap();
            NativeFile { path, distribution: owner.map(name), role: *role, links: links.to_vec() }
        };
        rows.iter().map(file).collect()
    }

    fn needed_of(files: &[NativeFile], imported: Option<&ImportedFiles>) -> Vec<String> {
        let is_portable = |name: &DistributionName| name.as_str() == "portable";
        let evidence = ReachEvidence { os: Os::Linux, imported, is_portable: &is_portable };
        let rows = files.iter().zip(needed(files, &evidence)).filter(|(_, needed)| *needed);
        rows.map(|(file, _)| file.path.as_str()[SITE.len() + 1..].to_owned()).collect()
    }

    fn imported(loaded: &[&str], passed: &[&str]) -> ImportedFiles {
        let path = |path: &&str| format!("{SITE}/{path}").parse().unwrap();
        ImportedFiles {
            loaded: loaded.iter().map(path).collect(),
            passed: passed.iter().map(|passed| name(passed)).collect(),
        }
    }

    #[test]
    fn without_imports_modules_count_with_all_that_they_lead_to() {
        let files = files(&[
            ("base/libpython.so", NativeRole::Library, &[]),
            ("pkg/core.so", NativeRole::Module, &[2]),
            ("pkg/libmiddle.so", NativeRole::Library, &[3]),
            ("other/libfar.so", NativeRole::Library, &[2]),
            ("pkg/libplugin.so", NativeRole::Library, &[]),
            ("pkg/helper", NativeRole::Program, &[]),
            ("tool/tool", NativeRole::Script, &[]),
            ("tool/program", NativeRole::Program, &[]),
        ]);
        let expected = ["base/libpython.so", "pkg/core.so", "pkg/libmiddle.so", "other/libfar.so", "tool/tool"];
        assert_eq!(needed_of(&files, None), expected);
    }

    #[test]
    fn users_of_a_library_are_those_that_lead_to_it() {
        let files = files(&[
            ("pkg/core.so", NativeRole::Module, &[1]),
            ("pkg/libmiddle.so", NativeRole::Library, &[2]),
            ("pkg/libfar.so", NativeRole::Library, &[1]),
            ("pkg/other.so", NativeRole::Module, &[]),
        ]);
        let paths: Vec<&str> = users(&files, 2).iter().map(|file| &file.path.as_str()[SITE.len() + 1..]).collect();
        assert_eq!(paths, ["pkg/core.so", "pkg/libmiddle.so", "pkg/libfar.so"]);
    }

    #[test]
    fn a_distribution_that_opens_its_libraries_itself_needs_all_of_them() {
        let files = files(&[
            ("gbm/lib_gbm.so", NativeRole::Library, &[]),
            ("gbm/run", NativeRole::Program, &[]),
            ("portable/for_x64.so", NativeRole::Library, &[]),
        ]);
        assert_eq!(needed_of(&files, None), ["gbm/lib_gbm.so"]);
        let cases = [
            // (loaded, distributions whose imports passed, needed)
            (vec!["gbm/lib_gbm.so"], vec!["gbm"], vec!["gbm/lib_gbm.so"]),
            (vec![], vec!["gbm"], vec![]),
            // Its import fails, perhaps for want of this very file.
            (vec![], vec![], vec!["gbm/lib_gbm.so"]),
        ];
        for (loaded, passed, needed) in cases {
            assert_eq!(needed_of(&files, Some(&imported(&loaded, &passed))), needed, "for {loaded:?} and {passed:?}");
        }
    }

    #[test]
    fn where_imports_were_run_what_they_loaded_decides() {
        let files = files(&[
            ("pkg/core.so", NativeRole::Module, &[2]),
            ("pkg/bridge.so", NativeRole::Module, &[]),
            ("pkg/libneeded.so", NativeRole::Library, &[]),
        ]);
        let imported = imported(&["pkg/core.so"], &[]);
        assert_eq!(needed_of(&files, Some(&imported)), ["pkg/core.so", "pkg/libneeded.so"]);
    }
}

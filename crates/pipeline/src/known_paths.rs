//! The paths of a runtime, and whether more files change anything about them.

use std::collections::BTreeSet;

use vocab::{DistributionName, ModuleFolder, TreeLayout, TreePath};

/// What a tree has, without most of its folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownPaths {
    /// Files and links.
    pub files: BTreeSet<TreePath>,
    pub empty_folders: BTreeSet<TreePath>,
}

impl KnownPaths {
    /// Whether none of these files changes what is known of the others: neither a path nor a folder in the other's place, nor a
    /// module beside one of the same name, nor anything that Python or a loader of libraries acts on.
    pub fn stands_apart(&self, added: &[TreePath], layout: TreeLayout) -> bool {
        let folders = self.folders();
        let modules: BTreeSet<_> = self.files.iter().filter_map(|path| layout.top_level_module(path)).collect();
        // The standard library comes before everything else, so that what is added to it hides modules of wheels.
        let hides = |path: &TreePath| {
            layout.top_level_module(path).is_some_and(|(folder, _)| folder == ModuleFolder::StandardLibrary)
        };
        let has = |path: &TreePath| self.files.contains(path) || self.empty_folders.contains(path);
        added.iter().all(|path| {
            let is_taken = has(path) || folders.contains(path) || ancestors(path).any(|folder| has(&folder));
            let is_beside = layout.top_level_module(path).is_some_and(|module| modules.contains(&module));
            !(is_taken || is_beside || hides(path) || acts_on_others(path))
        })
    }

    /// The folders of these files that nothing else is in.
    pub fn new_folders(&self, added: &[TreePath]) -> BTreeSet<TreePath> {
        let folders = self.folders();
        added.iter().flat_map(ancestors).filter(|folder| !folders.contains(folder)).collect()
    }

    /// Whether a distribution of this name is there.
    pub fn has_distribution(&self, name: &DistributionName, layout: TreeLayout) -> bool {
        let site = layout.site_packages();
        let is_it = |path: &TreePath| {
            let info = path.parent().filter(|folder| folder.parent().as_ref() == Some(&site));
            let named = info.as_ref().and_then(|info| info.file_name().strip_suffix(".dist-info")?.split_once('-'));
            named.is_some_and(|(found, _)| found.parse::<DistributionName>().is_ok_and(|found| found == *name))
        };
        self.files.iter().any(is_it)
    }

    fn folders(&self) -> BTreeSet<TreePath> {
        let mut folders = BTreeSet::new();
        for path in &self.files {
            for folder in ancestors(path) {
                if !folders.insert(folder) {
                    break;
                }
            }
        }
        folders
    }
}

/// Lines that run at each start of Python, and what loaders of libraries know by its name.
fn acts_on_others(path: &TreePath) -> bool {
    let name = path.file_name().to_lowercase();
    let endings = [".pth", ".dll", ".pyd", ".exe", ".dylib"];
    let at_start =
        ["sitecustomize", "usercustomize"].iter().any(|module| path.segments().any(|it| it.starts_with(module)));
    at_start || name.contains(".so") || endings.iter().any(|ending| name.ends_with(ending))
}

/// The folders that it lies in, the innermost first, without the root.
fn ancestors(path: &TreePath) -> impl Iterator<Item = TreePath> + use<> {
    std::iter::successors(path.parent(), TreePath::parent).take_while(|folder| !folder.is_root())
}

#[cfg(test)]
mod tests {
    use vocab::PlatformKey;

    use super::*;

    const SITE: &str = "lib/python3.12/site-packages";

    fn known() -> (KnownPaths, TreeLayout) {
        let layout = TreeLayout { platform: PlatformKey::LinuxX64, python: "3.12.10".parse().unwrap() };
        let paths = ["bin/python", "share/doc", "lib/python3.12/json/decoder.py"].map(str::to_owned).into_iter();
        let of_site = ["pip/__init__.py", "pip-1.0.dist-info/RECORD", "deep/core.so", "single.py"];
        let files = paths.chain(of_site.map(|path| format!("{SITE}/{path}"))).map(|path| path.parse().unwrap());
        let empty_folders = BTreeSet::from(["var".parse().unwrap()]);
        (KnownPaths { files: files.collect(), empty_folders }, layout)
    }

    #[test]
    fn files_stand_apart_unless_they_meet_or_change_what_is_there() {
        let (known, layout) = known();
        let site = |path: &str| format!("{SITE}/{path}");
        let cases = [
            (site("run.py"), true),
            (site("job/deep/__init__.py"), true),
            (site("job-1.0.dist-info/RECORD"), true),
            ("model.h5".to_owned(), true),
            ("share/klio/job/config.yaml".to_owned(), true),
            // The same path; a file in the place of a folder, and the other way round.
            (site("single.py"), false),
            ("lib".to_owned(), false),
            ("share/doc/job.txt".to_owned(), false),
            ("bin/python/x".to_owned(), false),
            // An empty folder belongs to the interpreter's part.
            ("var/job.txt".to_owned(), false),
            ("var".to_owned(), false),
            // Modules that would be imported instead, or lie in another distribution's package.
            (site("pip.py"), false),
            (site("single/__init__.py"), false),
            (site("deep/job.py"), false),
            ("lib/python3.12/json.py".to_owned(), false),
            // In the standard library it would be imported instead of a wheel's.
            ("lib/python3.12/single.py".to_owned(), false),
            ("lib/python3.12/new.py".to_owned(), false),
            // What acts by its name.
            (site("job.pth"), false),
            (site("sitecustomize.py"), false),
            (site("_job.cpython-312-x86_64-linux-gnu.so"), false),
            ("lib/libjob.so.1".to_owned(), false),
        ];
        for (path, apart) in cases {
            assert_eq!(known.stands_apart(&[path.parse().unwrap()], layout), apart, "for {path}");
        }
    }

    #[test]
    fn distributions_are_known_by_their_folders() {
        let (known, layout) = known();
        let has = |name: &str| known.has_distribution(&name.parse().unwrap(), layout);
        assert_eq!((has("Pip"), has("single"), has("json")), (true, false, false));
    }

    #[test]
    fn folders_that_nothing_else_is_in_are_new() {
        let (known, _) = known();
        let added = ["share/klio/job/x".parse().unwrap(), "lib/x".parse().unwrap()];
        let new: Vec<_> = known.new_folders(&added).into_iter().map(|folder| folder.to_string()).collect();
        assert_eq!(new, ["share/klio", "share/klio/job"]);
    }
}

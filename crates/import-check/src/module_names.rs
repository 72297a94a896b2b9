//! Which modules of a distribution are imported by the check.
//!
//! Native modules are recognised by their file names. Besides, and in a distribution without any, the packages and
//! modules at the top count, by `top_level.txt` or by the files themselves. Below a folder without `__init__.py`,
//! which several distributions may share, the first packages and modules count. Other pure Python modules are not
//! imported one by one: they cannot lack a library or an architecture.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use static_checks::{is_identifier, is_test_helper, module_name_of};
use vocab::{TreeLayout, TreePath};

use super::order::package_of;

/// A name at the top of site-packages that wheels bring by accident: what a repository has beside its packages.
pub(crate) fn is_stray(name: &str) -> bool {
    let top = name.split('.').next().unwrap_or(name);
    STRAY.contains(&top) || top.starts_with("test_") || top.ends_with("_tests")
}

const STRAY: [&str; 18] = [
    "benchmark",
    "benchmarks",
    "conftest",
    "demo",
    "demos",
    "doc",
    "docs",
    "example",
    "examples",
    "noxfile",
    "sample",
    "samples",
    "script",
    "scripts",
    "setup",
    "test",
    "tests",
    "tools",
];

/// Modules to import, sorted, of a distribution whose files (below the prefix) are `files`.
pub(crate) fn modules_of(prefix: &Path, layout: TreeLayout, files: &[&TreePath]) -> BTreeSet<String> {
    let native: BTreeSet<String> =
        files.iter().filter_map(|file| module_name_of(file, layout)).filter(|module| !is_test_helper(module)).collect();
    let is_imported_with = |top: &String| {
        native
            .iter()
            .any(|module| module.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    let tops: Vec<String> =
        top_level_modules(prefix, layout, files, &native).into_iter().filter(|top| !is_imported_with(top)).collect();
    native.into_iter().chain(tops).collect()
}

/// The names in `top_level.txt` that the distribution has files for, since the list is often out of date. Back ends
/// other than setuptools write no such list; then the top of site-packages decides. The same holds below names of the
/// list that are not packages, or only the shared tops of some (`namespace_packages.txt`).
fn top_level_modules(
    prefix: &Path,
    layout: TreeLayout,
    files: &[&TreePath],
    native: &BTreeSet<String>,
) -> BTreeSet<String> {
    let start = format!("{}/", layout.site_packages());
    let below: BTreeSet<&str> = files.iter().filter_map(|file| file.as_str().strip_prefix(&start)).collect();
    let lines_of = |wanted: &str| -> Vec<String> {
        let is_it = |path: &&&str| {
            path.split_once('/').is_some_and(|(info, file)| info.ends_with(".dist-info") && file == wanted)
        };
        let list = below.iter().find(is_it).map(|list| prefix.join(&start).join(list));
        let text = list.and_then(|list| fs::read_to_string(list).ok()).unwrap_or_default();
        text.lines().map(|line| line.trim().to_owned()).collect()
    };
    let has_files = |name: &String| {
        let is_code = |rest: &str| [".py", ".so", ".pyd"].iter().any(|ending| rest.ends_with(ending));
        let is_of_it = |rest: &str| rest.starts_with('/') || rest.starts_with('.') && is_code(rest);
        below.iter().any(|path| path.strip_prefix(name.as_str()).is_some_and(is_of_it))
    };
    let mut listed: BTreeSet<String> = lines_of("top_level.txt").into_iter().collect();
    listed.retain(|name| is_identifier(name) && has_files(name));
    let shared_tops = lines_of("namespace_packages.txt");
    let recorded = recorded_modules(&below, &shared_tops, native);
    let names: BTreeSet<String> = if listed.is_empty() {
        recorded
    } else {
        let is_whole = |name: &String| {
            let has = |file: &str| below.contains(format!("{name}{file}").as_str());
            !shared_tops.contains(name) && (has("/__init__.py") || has(".py")) || !is_top_of_any(&recorded, name)
        };
        let (whole, shared): (BTreeSet<String>, BTreeSet<String>) = listed.into_iter().partition(is_whole);
        let below_shared = recorded.into_iter().filter(|module| shared.contains(package_of(module)));
        whole.into_iter().chain(below_shared).collect()
    };
    names.into_iter().filter(|name| !is_test_helper(name)).collect()
}

fn is_top_of_any(modules: &BTreeSet<String>, name: &str) -> bool {
    modules.iter().any(|module| package_of(module) == name)
}

/// At most this many modules of folders that are not packages are imported per distribution: each is an import of its
/// own.
const LONE_MODULES: usize = 24;

/// Single modules and packages; of folders without `__init__.py`, and of `shared_tops`, the packages below them, and
/// modules where none is native: those beside native ones are often found by other means than their folder's name.
fn recorded_modules(below: &BTreeSet<&str>, shared_tops: &[String], native: &BTreeSet<String>) -> BTreeSet<String> {
    let is_package = |folder: &str| {
        below.contains(format!("{folder}/__init__.py").as_str()) && !shared_tops.contains(&folder.replace('/', "."))
    };
    let (mut modules, mut lone) = (BTreeSet::new(), BTreeSet::new());
    let mut shared = BTreeSet::new();
    for path in below.iter().filter_map(|path| path.strip_suffix(".py")) {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !folders.split('/').all(|folder| folder.is_empty() || is_identifier(folder)) {
            continue;
        }
        let package =
            folders.match_indices('/').map(|(end, _)| &folders[..end]).chain([folders]).find(|it| is_package(it));
        match package {
            Some(package) => modules.insert(package.replace('/', ".")),
            None if folders.is_empty() => {
                is_identifier(name) && !name.starts_with("__") && modules.insert(name.to_owned())
            }
            None => {
                let top = folders.split('/').next().unwrap_or(folders);
                let is_stray = is_stray(top) || is_stray(name) || name.starts_with("__") || !is_identifier(name);
                if !is_stray && !is_top_of_any(native, top) {
                    lone.insert(format!("{}.{name}", folders.replace('/', ".")));
                }
                shared.insert(top.to_owned())
            }
        };
    }
    modules.extend(lone.into_iter().take(LONE_MODULES));
    let unused: Vec<String> = shared.into_iter().filter(|folder| !is_top_of_any(&modules, folder)).collect();
    modules.extend(unused);
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(platform: &str) -> TreeLayout {
        TreeLayout { platform: platform.parse().unwrap(), python: "3.12.10".parse().unwrap() }
    }

    #[test]
    fn c6_test_helpers_are_skipped() {
        let site = "lib/python3.12/site-packages";
        let names = ["numpy/_core/_umath_tests", "numpy/_core/_multiarray_tests", "a/tests/x", "a/test/y", "a__mypyc"];
        let mut files: Vec<TreePath> = names.iter().map(|name| format!("{site}/{name}.so").parse().unwrap()).collect();
        let modules_of = |files: &[TreePath]| {
            modules_of(Path::new("nowhere"), layout("linux-x64"), &files.iter().collect::<Vec<_>>())
        };
        assert!(modules_of(&files).is_empty());
        files.push(format!("{site}/numpy/_core/_simd.so").parse().unwrap());
        let modules = modules_of(&files);
        assert_eq!(modules.into_iter().collect::<Vec<_>>(), ["numpy._core._simd"]);
    }

    /// Modules of a pure distribution with these files of site-packages, and this `top_level.txt`, if any.
    fn top_level(files: &[&str], list: Option<&str>) -> Vec<String> {
        let prefix = tempfile::tempdir().unwrap();
        let site = "lib/python3.12/site-packages";
        let info = format!("{site}/pkg-1.0.dist-info");
        let mut paths = vec![format!("{info}/METADATA")];
        paths.extend(files.iter().map(|file| format!("{site}/{file}")));
        if let Some(list) = list {
            fs::create_dir_all(prefix.path().join(&info)).unwrap();
            fs::write(prefix.path().join(&info).join("top_level.txt"), list).unwrap();
            paths.push(format!("{info}/top_level.txt"));
        }
        let paths: Vec<TreePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let modules = modules_of(prefix.path(), layout("linux-x64"), &paths.iter().collect::<Vec<_>>());
        modules.into_iter().collect()
    }

    #[test]
    fn without_native_modules_the_top_level_names_are_taken_that_have_files() {
        assert_eq!(top_level(&["pkg/__init__.py", "single.py"], Some("pkg\ngone\nsingle\n\n")), ["pkg", "single"]);
    }

    /// case field-top-level-tests
    #[test]
    fn without_a_list_of_top_level_names_the_record_tells_them() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["pkg/__init__.py", "pkg/deep/__init__.py", "pkg/deep/x.py", "single.py"], &["pkg", "single"]),
            (&["google/cloud/a/__init__.py", "google/b/__init__.py"], &["google.b", "google.cloud.a"]),
            (&["shared/one.py", "shared/__main__.py"], &["shared.one"]),
            (&["shared/__main__.py", "shared/setup.py"], &["shared"]),
            (&["docs/conf.py", "pkg/__init__.py"], &["docs", "pkg"]),
            (&["pkg/__init__.py", "tests/test_x.py"], &["pkg", "tests"]),
            (&["__main__.py", "two-words.py", "pkg-data/x.py", "data/x.txt"], &[]),
            (&["pkg/__init__.pyi", "pkg.pth"], &[]),
        ];
        for (files, modules) in cases {
            assert_eq!(top_level(files, None), modules, "for {files:?}");
        }
        assert_eq!(top_level(&["pkg/__init__.py"], Some("gone\n")), ["pkg"]);
    }

    #[test]
    fn below_a_shared_folder_its_first_packages_and_modules_are_taken_also_where_a_list_names_the_folder() {
        let files = ["google/b/__init__.py", "google/b/inner/__init__.py", "google/one.py", "pkg/__init__.py"];
        assert_eq!(top_level(&files, Some("google\npkg\n")), ["google.b", "google.one", "pkg"]);
        let many: Vec<String> = (0..99).map(|number| format!("shared/m{number}.py")).collect();
        assert_eq!(top_level(&many.iter().map(String::as_str).collect::<Vec<_>>(), None).len(), LONE_MODULES);
    }

    #[test]
    fn pure_packages_beside_native_modules_are_taken_too() {
        let files = [
            "_p1.so",
            "p1/__init__.py",
            "p2/__init__.py",
            "p2/core.so",
            "ns/x/core.so",
            "ns/y/__init__.py",
            "ns/lib/tool.py",
        ];
        let expected = ["_p1", "ns.x.core", "ns.y", "p1", "p2.core"];
        assert_eq!(top_level(&files, None), expected);
        assert_eq!(top_level(&files, Some("_p1\np1\np2\nns\n")), expected);
    }
}

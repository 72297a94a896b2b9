//! Which modules of a distribution are imported by the check.
//!
//! Native modules are told by their file names; a distribution without any is checked by the names in its
//! `top_level.txt`. Pure Python modules are not imported one by one: they cannot lack a library or an architecture.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use globset::{Glob, GlobSet, GlobSetBuilder};
use vocab::{PythonVersion, TreePath};

use vocab::TreeLayout;

/// Test helpers and build leftovers that are not made to be imported by themselves.
const SKIPPED: [&str; 12] = [
    "*._tests",
    "*._tests.*",
    "*.tests",
    "*.tests.*",
    "*._umath_tests",
    "*._multiarray_tests",
    "*.test",
    "*.test.*",
    "*__mypyc",
    "*__mypyc.*",
    "*._cffi_*",
    "*_cffi_*",
];

static SKIPPED_SET: LazyLock<GlobSet> = LazyLock::new(|| {
    let mut set = GlobSetBuilder::new();
    for pattern in SKIPPED {
        set.add(Glob::new(pattern).expect("a literal glob"));
    }
    set.build().expect("literal globs")
});

/// Modules to import, sorted, of a distribution whose files (below the prefix) are `files`.
pub fn modules_of(prefix: &Path, layout: TreeLayout, files: &[TreePath]) -> BTreeSet<String> {
    let native: BTreeSet<String> = files
        .iter()
        .filter_map(|file| module_name_of(file, layout))
        .filter(|module| !SKIPPED_SET.is_match(module))
        .collect();
    if native.is_empty() { top_level_modules(prefix, layout, files) } else { native }
}

/// The module that a native file of site-packages would be imported as, whether it is one or not:
/// `numpy._core._multiarray_umath` for `…/numpy/_core/_multiarray_umath.cpython-312-x86_64-linux-gnu.so`.
pub fn module_name_of(file: &TreePath, layout: TreeLayout) -> Option<String> {
    let site_packages = layout.site_packages();
    let below = file.as_str().strip_prefix(site_packages.as_str())?.strip_prefix('/')?;
    let stem = below.strip_suffix(".so").or_else(|| below.strip_suffix(".pyd"))?;
    let (folders, name) = stem.rsplit_once('/').map_or(("", stem), |(folders, name)| (folders, name));
    if folders.split('/').any(|folder| [".dist-info", ".data", ".libs"].iter().any(|end| folder.ends_with(end))) {
        return None;
    }
    let name = without_tag(name, layout.python)?;
    let mut parts: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty()).collect();
    if name != "__init__" {
        parts.push(name);
    }
    // `lib.1.2.so` and folders with a dot cannot be reached by any module name.
    (!parts.is_empty() && parts.iter().all(|part| is_identifier(part))).then(|| parts.join("."))
}

/// The file name without the tag of its Python. `None` when that is another Python's.
fn without_tag(name: &str, python: PythonVersion) -> Option<&str> {
    let Some((stem, tag)) = name.rsplit_once('.') else { return Some(name) };
    if tag.starts_with("abi3") {
        return Some(stem);
    }
    let own = format!("{}{}", python.major, python.minor);
    for prefix in ["cpython-", "cp"] {
        if let Some(rest) = tag.strip_prefix(prefix) {
            let version = rest.split('-').next().unwrap_or(rest);
            // `cp312t` and `cpython-312d` are other builds of the same Python, with other binaries.
            return (version == own).then_some(stem);
        }
    }
    if tag.starts_with("pypy") { None } else { Some(name) }
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

/// Only names that the distribution has files for: the list is often out of date.
fn top_level_modules(prefix: &Path, layout: TreeLayout, files: &[TreePath]) -> BTreeSet<String> {
    let Some(list) = files.iter().find(|file| {
        file.file_name() == "top_level.txt"
            && file.parent().is_some_and(|parent| parent.as_str().ends_with(".dist-info"))
    }) else {
        return BTreeSet::new();
    };
    let Ok(text) = fs::read_to_string(list.below(prefix)) else { return BTreeSet::new() };
    let site_packages = layout.site_packages();
    let has_files = |name: &&str| {
        let start = format!("{site_packages}/{name}");
        files.iter().any(|file| {
            file.as_str().strip_prefix(&start).is_some_and(|rest| rest.starts_with('/') || rest.starts_with('.'))
        })
    };
    text.lines()
        .map(str::trim)
        .filter(|name| is_identifier(name) && !SKIPPED_SET.is_match(name))
        .filter(has_files)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(platform: &str) -> TreeLayout {
        TreeLayout { platform: platform.parse().unwrap(), python: "3.12.10".parse().unwrap() }
    }

    #[test]
    fn module_names_come_from_file_names() {
        let cases = [
            // (file below site-packages, module)
            ("numpy/_core/_multiarray_umath.cpython-312-x86_64-linux-gnu.so", Some("numpy._core._multiarray_umath")),
            ("polars/polars.abi3.so", Some("polars.polars")),
            ("_cffi_backend.cpython-312-darwin.so", Some("_cffi_backend")),
            ("pkg/core.cp312-win_amd64.pyd", Some("pkg.core")),
            ("pkg/core.pyd", Some("pkg.core")),
            ("pkg/__init__.cpython-312-x86_64-linux-gnu.so", Some("pkg")),
            // Another Python's, or another build of this one.
            ("pkg/core.cpython-311-x86_64-linux-gnu.so", None),
            ("pkg/core.cp312t-win_amd64.pyd", None),
            ("pkg/core.pypy310-pp73-x86_64-linux-gnu.so", None),
            ("numpy.libs/libopenblas.so", None),
            ("pkg-1.0.data/platlib/core.so", None),
            ("pkg/libcore.so.1", None),
            ("pkg/libcore.1.so", None),
            ("pkg/two-words.so", None),
            ("pkg/core.py", None),
        ];
        for (file, module) in cases {
            let path = format!("lib/python3.12/site-packages/{file}").parse().unwrap();
            assert_eq!(module_name_of(&path, layout("linux-x64")).as_deref(), module, "for {file}");
        }
        let elsewhere = "lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so".parse().unwrap();
        assert_eq!(module_name_of(&elsewhere, layout("linux-x64")), None);
    }

    #[test]
    fn c6_test_helpers_are_skipped() {
        let site = "lib/python3.12/site-packages";
        let names = ["numpy/_core/_umath_tests", "numpy/_core/_multiarray_tests", "a/tests/x", "a/test/y", "a__mypyc"];
        let mut files: Vec<TreePath> = names.iter().map(|name| format!("{site}/{name}.so").parse().unwrap()).collect();
        assert!(modules_of(Path::new("nowhere"), layout("linux-x64"), &files).is_empty());
        files.push(format!("{site}/numpy/_core/_simd.so").parse().unwrap());
        let modules = modules_of(Path::new("nowhere"), layout("linux-x64"), &files);
        assert_eq!(modules.into_iter().collect::<Vec<_>>(), ["numpy._core._simd"]);
    }

    #[test]
    fn without_native_modules_the_top_level_names_are_taken_that_have_files() {
        let prefix = tempfile::tempdir().unwrap();
        let site = "lib/python3.12/site-packages";
        let info = format!("{site}/pkg-1.0.dist-info");
        fs::create_dir_all(prefix.path().join(&info)).unwrap();
        fs::write(prefix.path().join(&info).join("top_level.txt"), "pkg\ngone\nsingle\n\n").unwrap();
        let files: Vec<TreePath> =
            [format!("{site}/pkg/__init__.py"), format!("{site}/single.py"), format!("{info}/top_level.txt")]
                .iter()
                .map(|file| file.parse().unwrap())
                .collect();
        let modules = modules_of(prefix.path(), layout("linux-x64"), &files);
        assert_eq!(modules.into_iter().collect::<Vec<_>>(), ["pkg", "single"]);
    }
}

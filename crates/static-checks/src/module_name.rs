//! Which module a native file is, by its place and name.

use std::sync::LazyLock;

use globset::{Glob, GlobSet, GlobSetBuilder};
use vocab::{PythonVersion, TreeLayout, TreePath};

/// Test helpers and build leftovers that are not meant to be imported on their own.
const SKIPPED: [&str; 10] = [
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
];

static SKIPPED_SET: LazyLock<GlobSet> = LazyLock::new(|| {
    let mut set = GlobSetBuilder::new();
    for pattern in SKIPPED {
        set.add(Glob::new(pattern).expect("a literal glob"));
    }
    set.build().expect("literal globs")
});

/// Whether only tests or tools load the module, so that it need not import on its own.
pub fn is_test_helper(module: &str) -> bool {
    SKIPPED_SET.is_match(module)
}

/// The module that a native file of site-packages would be imported as, whether it really is one or not; `None` if no
/// module name can reach it: `numpy._core._multiarray_umath` for
/// `…/numpy/_core/_multiarray_umath.cpython-312-x86_64-linux-gnu.so`.
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

/// Whether `text` can be a part of a module's name.
pub fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(platform: &str) -> TreeLayout {
        TreeLayout { platform: platform.parse().unwrap(), python: "3.12.10".parse().unwrap() }
    }

    #[test]
    fn what_cffi_makes_is_no_test_helper() {
        for module in ["_cffi_backend", "_argon2_cffi_bindings._ffi", "pkg._cffi_lib"] {
            assert!(!is_test_helper(module), "for {module}");
        }
        assert!(is_test_helper("numpy.core._umath_tests"));
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
}

//! Whose import decides about a native file.

use std::fs;

use import_check::ImportFailure;
use vocab::Exit;

use crate::support::{BROKEN, Runtime, exit_of, extension, extension_path, failures, remarks, warnings};

/// case field-cv2-import-order
#[test]
fn a_module_that_only_its_package_loads_is_judged_by_the_packages_import() {
    let mut runtime = Runtime::new();
    // The package loads it by its own name, after which it is not imported once more; so does cv2.
    let code = b"import importlib.machinery, importlib.util, os, sys\npath = os.path.join(os.path.dirname(__file__), '_zoneinfo.so')\nloader = importlib.machinery.ExtensionFileLoader('_zoneinfo', path)\nspec = importlib.util.spec_from_file_location('_zoneinfo', path, loader=loader)\nloader.create_module(spec)\nsys.modules['zoneinfo'] = None\n";
    runtime.install("cv", &[("cv/__init__.py", code), ("cv/_zoneinfo.so", &extension("_zoneinfo"))]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.imported, warnings(&report)), (Exit::Done, 1, vec![]), "{report:?}");
    let inner = runtime.layout.site_packages().join(&"cv/_zoneinfo.so".parse().unwrap());
    assert!(report.loaded.contains(&inner) && report.passed.contains(&"cv".parse().unwrap()), "{report:?}");
    let again = runtime.check();
    assert_eq!((again.cached, again.loaded), (1, report.loaded), "both are remembered");
}

#[test]
fn a_module_that_another_import_loads_is_fine() {
    let by_its_file: &[u8] = b"import importlib.machinery, importlib.util, os\npath = os.path.join(os.path.dirname(os.path.dirname(__file__)), '_zoneinfo.so')\nloader = importlib.machinery.ExtensionFileLoader('_zoneinfo', path)\nloader.create_module(importlib.util.spec_from_file_location('_zoneinfo', path, loader=loader))\n";
    // As mypyc's modules are, which share one library.
    let without_its_file: &[u8] = b"import os, sys, types\nmodule = types.ModuleType('pkg._zoneinfo')\nmodule.__file__ = os.path.join(os.path.dirname(os.path.dirname(__file__)), '_zoneinfo.so')\nsys.modules['pkg._zoneinfo'] = module\n";
    let (works, fails) = (extension("_json"), extension("_zoneinfo"));
    for code in [by_its_file, without_its_file] {
        let mut runtime = Runtime::new();
        let files: [(&str, &[u8]); 4] = [
            ("pkg/__init__.py", BROKEN),
            ("pkg/_zoneinfo.so", &fails),
            ("pkg/user/__init__.py", code),
            ("pkg/user/_json.so", &works),
        ];
        runtime.install("mypy", &files);
        for cached in [0, 2] {
            let report = runtime.check();
            assert_eq!((report.imported, report.cached, warnings(&report)), (2, cached, vec![]), "{report:?}");
        }
    }
}

/// An extension module serves as one.
#[cfg(target_os = "linux")]
#[test]
fn a_library_of_this_machine_that_an_import_opens_is_told_with_where_it_lies() {
    let mut runtime = Runtime::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let library = elsewhere.path().join("libpydist_magic.so.1");
    fs::copy(extension_path("_json"), &library).unwrap();
    let code = format!("import ctypes\nctypes.PyDLL({:?})\n", library.to_str().unwrap());
    runtime.install("magic", &[("magic.py", code.as_bytes())]);
    runtime.install("user", &[("user.py", b"import magic\n")]);
    runtime.install("libs", &[("libs/__init__.py", b""), ("libs/hidden/libpydist_magic.so.1", b"-")]);
    runtime.install("libc", &[("libc_user.py", b"import ctypes, ssl\nctypes.CDLL('libc.so.6')\n")]);
    runtime.distributions[1].requires = vec!["magic".to_owned()];
    for cached in [0, 4] {
        let report = runtime.check();
        assert_eq!((failures(&report), report.cached), (vec![], cached));
        let said = remarks(&report);
        assert_eq!(said.len(), 1, "{said:?}");
        let opens = format!("magic: magic opens libpydist_magic.so.1 of this machine (`{}`)", library.display());
        assert!(said[0].starts_with(&opens), "{said:?}");
        assert!(said[0].contains("libs/hidden/libpydist_magic.so.1` of the runtime is not where"), "{said:?}");
    }
}

/// Libraries of cffi, such as cryptography's, are no modules and say that they are.
#[test]
fn what_only_says_that_it_is_a_module_is_left_in_peace() {
    let mut runtime = Runtime::new();
    let code = b"import sys\nclass Library:\n    __slots__ = ()\n    __class__ = type(sys)\nsys.modules['pkg.lib'] = Library()\n";
    runtime.install("pkg", &[("pkg/__init__.py", code), ("pkg/_json.so", &extension("_json"))]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.imported, warnings(&report)), (Exit::Done, 1, vec![]), "{report:?}");
}

#[test]
fn a_module_that_imports_what_is_none_fails() {
    let text = "dynamic module does not define module export function (PyInit__core)";
    let code = format!("raise ImportError('{text}')\n");
    let mut runtime = Runtime::new();
    runtime.install("pkg", &[("pkg/__init__.py", code.as_bytes()), ("pkg/_json.so", &extension("_json"))]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.not_modules), (Exit::Check, 0), "{report:?}");
}

/// case platform-3.10.11-pil, case field-ipykernel-debugpy
#[test]
fn what_nothing_that_imports_needs_is_a_warning() {
    let (works, fails) = (extension("_json"), extension("_zoneinfo"));
    /// Files, warnings, failures.
    type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a [&'a str], &'a [&'a str]);
    let cases: [Case<'_>; 5] = [
        // The loader takes it, and it fails by itself.
        (&[("pkg/__init__.py", BROKEN), ("pkg/_zoneinfo.so", &fails)], &["pkg._zoneinfo"], &[]),
        // The loader refuses it, and the distribution has another module that works.
        (&[("pkg/__init__.py", b""), ("pkg/_json.so", &works), ("pkg/pool.so", b"none")], &["pkg.pool"], &[]),
        // It is all that there is.
        (&[("pkg/__init__.py", b""), ("pkg/core.so", b"none")], &[], &["pkg.core"]),
        // Its own package fails.
        (
            &[
                ("pkg/__init__.py", b""),
                ("pkg/_json.so", &works),
                ("pkg/deep/__init__.py", b"1/0"),
                ("pkg/deep/_json.so", &works),
            ],
            &[],
            &["pkg.deep._json"],
        ),
        // Nothing is around it.
        (&[("pkg/__init__.py", b""), ("pkg/_json.so", &works), ("core.so", b"none")], &[], &["core"]),
    ];
    for (files, expected, failed) in cases {
        let mut runtime = Runtime::new();
        runtime.install("dist", files);
        let report = runtime.check();
        let names = |failures: &[ImportFailure]| failures.iter().map(|it| it.module.clone()).collect::<Vec<_>>();
        let names_of_files: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        assert_eq!(names(&report.warnings), expected, "for {names_of_files:?}: {report:?}");
        assert_eq!(names(&report.failures), failed, "for {names_of_files:?}: {report:?}");
        runtime.strict = true;
        let report = runtime.check();
        assert_eq!((report.warnings.len(), report.failures.len()), (0, expected.len() + failed.len()), "--strict");
    }
}

#[test]
fn pure_packages_beside_native_modules_and_below_shared_folders_have_to_import() {
    let native = extension("_json");
    /// Files, failures, warnings.
    type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a [&'a str], &'a [&'a str]);
    let cases: [Case<'_>; 5] = [
        // What an extra brings.
        (&[("ns/good/__init__.py", b""), ("ns/_more/__init__.py", b"import ns.extra")], &[], &["ns._more"]),
        (&[("_json.so", &native), ("p1/__init__.py", b"1/0")], &["p1"], &[]),
        (&[("ns/good/__init__.py", b""), ("ns/bad/__init__.py", b"1/0")], &["ns.bad"], &[]),
        (&[("ns/bad.py", b"1/0")], &["ns.bad"], &[]),
        // Single modules there may well be for another system.
        (&[("ns/good.py", b""), ("ns/bad.py", b"1/0")], &[], &["ns.bad"]),
    ];
    for (files, failed, warned) in cases {
        let mut runtime = Runtime::new();
        runtime.install("dist", files);
        let report = runtime.check();
        let names = |failures: &[ImportFailure]| failures.iter().map(|it| it.module.clone()).collect::<Vec<_>>();
        assert_eq!(names(&report.failures), failed, "{report:?}");
        assert_eq!(names(&report.warnings), warned, "{report:?}");
    }
}

#[test]
fn what_a_package_tries_and_does_without_is_a_warning_with_its_reason() {
    let tries = b"import sys\nsys.modules['zoneinfo'] = None\ntry:\n    from . import _zoneinfo\nexcept ImportError:\n    pass\n";
    let (works, fails) = (extension("_json"), extension("_zoneinfo"));
    // (its file, part of the reason): the loader takes it and it fails by itself, or the loader refuses it.
    for (file, reason) in [(fails.as_slice(), "zoneinfo"), (b"none".as_slice(), "too short")] {
        let mut runtime = Runtime::new();
        runtime.install("dist", &[("pkg/__init__.py", tries), ("pkg/_zoneinfo.so", file), ("pkg/_json.so", &works)]);
        for cached in [0, 1] {
            let report = runtime.check();
            assert_eq!((exit_of(&report), report.imported, report.cached), (Exit::Done, 1, cached), "{report:?}");
            assert_eq!(warnings(&report), ["dist: pkg._zoneinfo"]);
            let said = report.warnings[0].what();
            assert!(said.contains(reason) && said.contains("`pkg` tries to import it and works without"), "{said}");
            assert!(!report.loaded.iter().any(|file| file.as_str().ends_with("_zoneinfo.so")), "{report:?}");
        }
    }
}

#[test]
fn a_second_try_that_succeeds_counts() {
    let code = b"import sys\nsys.modules['zoneinfo'] = None\ntry:\n    from . import _zoneinfo\nexcept ImportError:\n    pass\ndel sys.modules['zoneinfo']\nfrom . import _zoneinfo\nsys.modules['zoneinfo'] = None\n";
    let mut runtime = Runtime::new();
    runtime.install("dist", &[("pkg/__init__.py", code), ("pkg/_zoneinfo.so", &extension("_zoneinfo"))]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.imported, warnings(&report)), (Exit::Done, 1, vec![]), "{report:?}");
}

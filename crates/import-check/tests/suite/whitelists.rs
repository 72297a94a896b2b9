//! What entries of whitelists accept, and which of them are named as not needed.

use static_checks::native_files::{NativeFault, NativeFaultKind};
use static_checks::whitelist::Whitelist;
use testkit::write;
use vocab::{Exit, Fault};

use crate::support::{BROKEN, Runtime, exit_of, extension, failures};

#[test]
fn c2_the_entry_under_the_exact_name_wins_over_a_glob() {
    let mut runtime = Runtime::new();
    runtime.install("bad", &[("bad.py", b"raise RuntimeError('no driver')\n")]);
    for (by_glob, by_name, exit) in [("no driver", "other", Exit::Check), ("other", "no driver", Exit::Done)] {
        runtime.allow(&format!(
            r#"{{"bad-*": {{"bad": "{by_glob}"}}, "bad-1.0-py3-none-any.whl": {{"bad": "{by_name}"}}}}"#
        ));
        assert_eq!(exit_of(&runtime.check()), exit, "for {by_name} by name");
    }
}

#[test]
fn c3_an_error_that_differs_only_in_case_is_accepted() {
    let mut runtime = Runtime::new();
    runtime.install("bad", &[("bad.py", b"raise RuntimeError('CUDA driver is insufficient')\n")]);
    runtime.allow(r#"{"bad-*": {"bad": "cuda DRIVER"}}"#);
    assert_eq!(exit_of(&runtime.check()), Exit::Done);
}

#[test]
fn c4_an_entry_that_is_not_needed_is_named_and_fails_a_strict_check() {
    let mut runtime = Runtime::new();
    runtime.install("good", &[("good.py", b"")]);
    runtime.allow(r#"{"good-*": {"good": "an old error"}, "absent-*": {"absent": "of another runtime"}}"#);
    for (strict, exit) in [(false, Exit::Done), (true, Exit::Check)] {
        runtime.strict = strict;
        let report = runtime.check();
        let unused: Vec<_> = report.unused.iter().map(|entry| entry.module.as_str()).collect();
        assert_eq!((exit_of(&report), unused), (exit, vec!["good"]), "strict: {strict}");
    }
}

#[test]
fn c4_an_entry_that_the_static_check_needs_is_not_unused() {
    let mut runtime = Runtime::new();
    runtime.strict = true;
    runtime.install("good", &[("good.py", b"")]);
    runtime.allow(r#"{"good-*": {"good.pool": "libgomp.so.1"}}"#);
    assert_eq!(exit_of(&runtime.check()), Exit::Check);
    runtime.allowed_files.push(NativeFault {
        file: runtime.layout.site_packages().join(&"good/pool.abi3.so".parse().unwrap()),
        distribution: Some("good".parse().unwrap()),
        kind: NativeFaultKind::MissingLibrary { library: "libgomp.so.1".to_owned() },
    });
    assert_eq!(exit_of(&runtime.check()), Exit::Done);
}

/// A library's entry also accepts the imports of modules that are linked with it, whoever's they are.
#[test]
fn an_entry_for_a_library_holds_for_the_import_of_what_is_linked_with_it() {
    let error = "raise ImportError('libgomp.so.1: cannot open shared object file: No such file or directory')\n";
    let mut runtime = Runtime::new();
    runtime.install("pool", &[("pool/__init__.py", b""), ("pool/tbb.py", error.as_bytes())]);
    runtime.install("lib", &[("lib/__init__.py", b""), ("lib/libx.so.1", b"")]);
    runtime.distributions[0].files.push(runtime.layout.site_packages().join(&"pool/tbb.so".parse().unwrap()));
    let site = runtime.layout.site_packages();
    let fault = |file: &str, owner: &str, library: &str| NativeFault {
        file: site.join(&file.parse().unwrap()),
        distribution: Some(owner.parse().unwrap()),
        kind: NativeFaultKind::MissingLibrary { library: library.to_owned() },
    };
    runtime.allow(r#"{ "lib": { "lib/libx.so.1": { "error": "libgomp.so.1", "reason": "of the machine" } } }"#);
    for (library, exit) in [("libgomp.so.1", Exit::Done), ("libtbb.so.12", Exit::Check)] {
        // As the static check has it: the library's own fault, and one for the module that is linked with it.
        runtime.allowed_files = vec![fault("lib/libx.so.1", "lib", library), fault("pool/tbb.so", "pool", library)];
        let report = runtime.check();
        assert_eq!(exit_of(&report), exit, "for {library}: {report:?}");
        if exit == Exit::Done {
            assert_eq!(report.allowed[0].reason.as_deref(), Some("of the machine"));
        }
    }
    runtime.allowed_files.clear();
    assert_eq!(exit_of(&runtime.check()), Exit::Check, "nothing is known of a link");
}

#[test]
fn case_seed_numba_public_whitelist_one_entry_holds_for_the_file_and_for_its_import() {
    let error = "raise ImportError('libtbb.so.12: cannot open shared object file: No such file or directory')\n";
    let mut runtime = Runtime::new();
    runtime.install("pool", &[("pool/__init__.py", b""), ("pool/tbb.py", error.as_bytes())]);
    let site = runtime.layout.site_packages();
    runtime.distributions[0].files.push(site.join(&"pool/tbb.so".parse().unwrap()));
    runtime.allowed_files.push(NativeFault {
        file: site.join(&"pool/tbb.so".parse().unwrap()),
        distribution: Some("pool".parse().unwrap()),
        kind: NativeFaultKind::MissingLibrary { library: "libtbb.so.12".to_owned() },
    });
    let cases = [
        // (module or file, text, exit)
        ("pool.tbb", "libtbb.so.12: cannot open shared object file: No such file or directory", Exit::Done),
        ("pool.*", "libtbb.so.12", Exit::Done),
        ("pool/tbb.so", "needs libtbb.so.12", Exit::Done),
        ("pool/tbb.so", "needs libgomp.so.1", Exit::Check),
        ("pool/other.so", "libtbb.so.12", Exit::Check),
    ];
    for (key, text, exit) in cases {
        runtime.allow(&serde_json::json!({ "pool": { key: text } }).to_string());
        assert_eq!(exit_of(&runtime.check()), exit, "for {key}: {text}");
    }
}

/// Two modules of scipy that import each other: one of them imports only after the other, as scipy does it.
#[test]
fn a_module_of_scipy_that_imports_after_another_is_known() {
    let mut runtime = Runtime::new();
    runtime.install(
        "scipy",
        &[
            ("scipy/__init__.py", b""),
            ("scipy/linalg/__init__.py", b""),
            ("scipy/linalg/_matfuncs_sqrtm.py", b"from ._matfuncs_sqrtm_triu import within_block_loop\n"),
            ("scipy/linalg/_matfuncs_sqrtm_triu.py", b"from . import _matfuncs_sqrtm\ndef within_block_loop(): pass\n"),
        ],
    );
    let site = runtime.layout.site_packages();
    runtime.distributions[0].files.push(site.join(&"scipy/linalg/_matfuncs_sqrtm_triu.so".parse().unwrap()));
    runtime.whitelist = Whitelist::default().with_shipped(runtime.layout.platform);
    let report = runtime.check();
    assert_eq!((failures(&report), report.warnings.len(), report.allowed.len()), (Vec::new(), 0, 1), "{report:?}");
}

#[test]
fn a_shipped_entry_is_never_called_unused() {
    let mut runtime = Runtime::new();
    runtime.strict = true;
    runtime.install("numba", &[("numba/__init__.py", b"")]);
    runtime.whitelist = Whitelist::default().with_shipped(runtime.layout.platform);
    assert_ne!(runtime.whitelist.entries("numba-1.0-py3-none-any.whl").count(), 0);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.unused.len()), (Exit::Done, 0));
}

#[test]
fn c5_a_whitelist_of_another_shape_is_a_usage_fault() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["[]", r#"{"a.whl": {"m": 1}}"#, r#"{"a.whl": 1}"#, "{"] {
        let error = Whitelist::read(&write(folder.path(), "linux-x64.json", text)).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "for {text}");
        assert!(error.to_string().contains("linux-x64.json"), "{error}");
    }
}

#[test]
fn an_expired_entry_no_longer_counts() {
    let mut runtime = Runtime::new();
    runtime.install("bad", &[("bad.py", b"raise RuntimeError('known')\n")]);
    for (expires, exit) in [("2026-06-15", Exit::Done), ("2026-06-14", Exit::Check)] {
        runtime.allow(&format!(r#"{{"bad-*": {{"bad": {{"error": "known", "expires": "{expires}"}}}}}}"#));
        assert_eq!(exit_of(&runtime.check()), exit, "for {expires}");
    }
}

#[test]
fn a_whitelist_entry_silences_a_warning() {
    let mut runtime = Runtime::new();
    runtime.install("dist", &[("pkg/__init__.py", BROKEN), ("pkg/_zoneinfo.so", &extension("_zoneinfo"))]);
    runtime.allow(r#"{"dist-*": {"pkg._zoneinfo": ""}}"#);
    let report = runtime.check();
    assert_eq!((report.warnings.len(), report.allowed.len(), report.unused.len()), (0, 1, 0), "{report:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_only_the_builders_own_list_lets_fail_is_marked_where_something_needs_it() {
    let mut runtime = Runtime::new();
    let code = b"raise ImportError('libcufft.so.11: cannot open shared object file')\n";
    runtime.install(
        "cupy_cuda12x",
        &[("cupy/__init__.py", b""), ("cupy/cuda/__init__.py", code), ("cupy/cuda/cufft.so", b"-")],
    );
    let shipped = Whitelist::default().with_shipped(runtime.layout.platform);
    runtime.whitelist = shipped.clone();
    let marks = |runtime: &Runtime| {
        let report = runtime.check();
        assert_eq!(failures(&report), [""; 0]);
        report.allowed.iter().map(|allowed| allowed.is_accepted).collect::<Vec<_>>()
    };
    assert_eq!(marks(&runtime), [true]);
    runtime.allow(r#"{"cupy-cuda*": {"cupy.cuda.cufft": "libcufft"}}"#);
    assert_eq!(marks(&runtime), [false], "whoever builds the runtime has decided it");
    runtime.strict = true;
    assert_eq!(marks(&runtime), [false], "also with --strict");
    runtime.whitelist = shipped;
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.failures.len(), report.allowed.len()), (Exit::Check, 1, 0));
    assert!(report.verdict().unwrap_err().hint().unwrap().contains("libcufft.so.11"));
}

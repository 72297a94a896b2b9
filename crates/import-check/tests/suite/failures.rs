//! What fails a check, and whom it blames.

use vocab::{Exit, Fault};

use crate::support::{Runtime, exit_of, failures, warnings};

#[test]
fn c1_nothing_to_check_passes() {
    let report = Runtime::new().check();
    assert_eq!((exit_of(&report), report.imported), (Exit::Done, 0));
}

#[test]
fn c1_a_failure_that_is_not_listed_fails_the_check_and_can_be_pasted_into_the_list() {
    let mut runtime = Runtime::new();
    runtime.install("bad", &[("bad/__init__.py", b""), ("bad/core.so", b"this is no library")]);
    let report = runtime.check();
    assert_eq!(exit_of(&report), Exit::Check);
    assert!(failures(&report)[0].starts_with("bad: `bad.core` does not import: ImportError: "), "{report:?}");
    let hint = report.verdict().unwrap_err().hint().unwrap();
    assert!(hint.contains(r#""bad": {"#), "{hint}");

    let snippet = &hint[hint.find('{').unwrap()..];
    runtime.allow(&snippet.replace("\"reason\": \"\"", "\"reason\": \"a test\""));
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.allowed.len()), (Exit::Done, 1), "{snippet}");
}

#[test]
fn c1_only_source_distributions_fail_and_beside_wheels_they_are_named() {
    let mut runtime = Runtime::new();
    runtime.install("source", &[]);
    runtime.distributions[0].file = "source-1.0.tar.gz".to_owned();
    let report = runtime.check();
    assert_eq!(exit_of(&report), Exit::Check);
    assert_eq!(
        failures(&report),
        ["source: source-1.0.tar.gz is available only as source, so nothing of it is installed"]
    );
    runtime.install("good", &[("good.py", b"")]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.unchecked), (Exit::Done, vec!["source-1.0.tar.gz".to_owned()]));
}

#[test]
fn c6_a_broken_test_helper_is_not_imported() {
    let mut runtime = Runtime::new();
    runtime.install(
        "numpy",
        &[("numpy/__init__.py", b""), ("numpy/_core/__init__.py", b""), ("numpy/_core/_umath_tests.so", b"broken")],
    );
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.imported), (Exit::Done, 1), "{:?}", failures(&report));
}

#[test]
fn a_module_that_nothing_brings_is_a_missing_dependency() {
    let mut runtime = Runtime::new();
    runtime.install("needs", &[("needs.py", b"import not_in_this_runtime.part\n")]);
    runtime.install("whole", &[("whole/__init__.py", b"")]);
    runtime.install("broken", &[("broken.py", b"import whole.gone\n")]);
    let report = runtime.check();
    assert_eq!(
        failures(&report),
        [
            "needs: `needs` missing dependency: not_in_this_runtime: ModuleNotFoundError: No module named \
             'not_in_this_runtime'",
            "broken: `broken` does not import: ModuleNotFoundError: No module named 'whole.gone'",
        ]
    );
}

/// What is shipped on purpose without something that it requires fails as expected: for what is missing, and for that alone.
#[test]
fn a_missing_dependency_of_something_incomplete_is_expected_and_named() {
    let mut runtime = Runtime::new();
    runtime.install("needs", &[("needs.py", b"import not_in_this_runtime.part\n")]);
    runtime.install("broken", &[("broken.py", b"raise OSError('it does not load')\n")]);
    for distribution in &mut runtime.distributions {
        distribution.incomplete = Some("it requires `gone`, which is skipped (no GPU)".to_owned());
    }
    // What it remembers must not change what it says.
    for _ in 0..2 {
        let report = runtime.check();
        assert_eq!(failures(&report), ["broken: `broken` does not import: OSError: it does not load"]);
        let remarks: Vec<String> = report.remarks.iter().map(|it| format!("{}: {}", it.subject, it.text)).collect();
        assert_eq!(
            remarks,
            ["needs: does not import, as expected: it requires `gone`, which is skipped (no GPU); missing \
                 dependency: not_in_this_runtime"]
        );
    }
}

#[test]
fn a_wheel_in_which_nothing_can_be_imported_is_named() {
    let mut runtime = Runtime::new();
    runtime.install("good", &[("good.py", b"")]);
    runtime.install("data-only", &[("share-of-data/x.txt", b"")]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.without_modules), (Exit::Done, vec!["data-only".parse().unwrap()]));
}

/// case field-top-level-tests
#[test]
fn case_field_top_level_tests_what_a_wheel_ships_by_accident_fails_no_check() {
    let broken = b"import pytest_of_nobody\n";
    // Not `test`, which this machine's standard library has.
    for name in ["tests", "examples", "docs", "scripts", "setup"] {
        let mut runtime = Runtime::new();
        let file = format!("{name}/__init__.py");
        runtime.install("htl", &[("htl/__init__.py", b""), (&file, broken)]);
        let report = runtime.check();
        assert_eq!((exit_of(&report), warnings(&report)), (Exit::Done, vec![format!("htl: {name}")]));
        runtime.strict = true;
        assert_eq!(exit_of(&runtime.check()), Exit::Check);
        // All that there is, or what the distribution is for.
        for distribution in ["only", name] {
            let mut runtime = Runtime::new();
            runtime.install(distribution, &[(&file, broken)]);
            assert_eq!(exit_of(&runtime.check()), Exit::Check, "{name} of {distribution}");
        }
    }
}

#[test]
fn what_came_along_may_lack_what_its_metadata_does_not_ask_for() {
    let cases = [
        // (requested, requires, exit)
        (true, "", Exit::Check),
        (false, "", Exit::Done),
        (false, "there>=1", Exit::Done),
        (false, "not_in_this_runtime; sys_platform == 'win32'", Exit::Done),
        // Left out by a rule.
        (false, "not_in_this_runtime", Exit::Check),
    ];
    for (requested, requires, exit) in cases {
        let mut runtime = Runtime::new();
        runtime.install("there", &[("there.py", b"")]);
        runtime.install("integration", &[("integration.py", b"import not_in_this_runtime\n")]);
        runtime.distributions[1].requested = requested;
        runtime.distributions[1].requires = vec![requires.to_owned()];
        assert_eq!(exit_of(&runtime.check()), exit, "for {requires:?}, requested: {requested}");
    }
}

#[test]
fn a_failing_package_answers_for_its_modules() {
    let mut runtime = Runtime::new();
    runtime.install(
        "pkg",
        &[("pkg/__init__.py", b"raise RuntimeError('no driver')\n"), ("pkg/a.so", b"-"), ("pkg/deep/b.so", b"-")],
    );
    let report = runtime.check();
    assert_eq!(
        failures(&report),
        [
            "pkg: `pkg.a` does not import: RuntimeError: no driver",
            "pkg: `pkg.deep.b` does not import: RuntimeError: no driver",
        ]
    );
}

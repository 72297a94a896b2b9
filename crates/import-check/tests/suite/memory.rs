//! What is remembered between checks: results, byte code, what numba compiles.

use std::fs;

use vocab::{Digest, Exit};

use crate::support::{Runtime, exit_of, extension, failures, kept_files, remarks};

#[test]
fn c1_modules_that_import_pass_and_the_second_check_remembers_them() {
    let mut runtime = Runtime::new();
    runtime.install("good", &[("good/__init__.py", b"import json\n")]);
    runtime.install("single", &[("single.py", b"import good\n")]);
    let before = runtime.listing();
    let first = runtime.check();
    assert_eq!((exit_of(&first), first.imported, first.cached), (Exit::Done, 2, 0));
    assert_eq!(runtime.listing(), before, "nothing is written into the prefix");
    let second = runtime.check();
    assert_eq!((second.imported, second.cached), (2, 2));
}

#[test]
fn a_changed_distribution_has_those_imported_again_that_could_notice() {
    let mut runtime = Runtime::new();
    for name in ["base", "middle", "top", "apart"] {
        runtime.install(name, &[(&format!("{name}.py"), b"")]);
    }
    runtime.distributions[1].requires =
        vec!["base >= 1 ; python_version > '3'".to_owned(), "apart; extra == 'x'".to_owned()];
    runtime.distributions[2].requires = vec!["Middle".to_owned()];
    assert_eq!(runtime.check().cached, 0);
    let mut cached_after = |index: usize| {
        runtime.distributions[index].sha256 = Digest::of(format!("another {index}"));
        let cached = runtime.check().cached;
        assert_eq!(runtime.check().cached, 4, "all of it is known now");
        cached
    };
    // (what is changed, how many modules are known nevertheless)
    for (index, cached) in [(0, 1), (1, 2), (2, 3), (3, 3)] {
        assert_eq!(cached_after(index), cached, "distribution {index}");
    }
    runtime.strict = true;
    assert_eq!(runtime.check().cached, 0, "--strict counts everything");
    runtime.strict = false;
    runtime.install("hook", &[("hook.pth", b""), ("hook.py", b"")]);
    assert_eq!(runtime.check().cached, 0, "a .pth file acts on every import");
}

#[test]
fn what_is_imported_without_being_required_is_imported_again_with_its_user_when_it_changes_or_goes() {
    let mut runtime = Runtime::new();
    runtime.install("user", &[("user.py", b"import other\ntry:\n    import absent\nexcept ImportError:\n    pass\n")]);
    runtime.install("other", &[("other.py", b"import deep\n")]);
    runtime.install("deep", &[("deep.py", b"")]);
    runtime.install("apart", &[("apart.py", b"")]);
    let cached = |runtime: &Runtime| runtime.check().cached;
    assert_eq!((cached(&runtime), cached(&runtime)), (0, 4));
    let first = runtime.distributions[2].sha256;
    runtime.distributions[2].sha256 = Digest::of("another deep");
    assert_eq!((cached(&runtime), cached(&runtime)), (1, 4), "what is imported by what is imported counts, too");
    runtime.distributions[2].sha256 = first;
    assert_eq!(cached(&runtime), 4, "what was known before is not forgotten");
    runtime.install("absent", &[("absent.py", b"")]);
    assert_eq!((cached(&runtime), cached(&runtime)), (3, 5), "what was not there before may do harm");
    let gone = runtime.distributions.remove(1);
    fs::remove_file(runtime.prefix().join(gone.files[0].as_str())).unwrap();
    let report = runtime.check();
    let failure = "user: `user` missing dependency: other: ModuleNotFoundError: No module named 'other'";
    assert_eq!((failures(&report), report.cached), (vec![failure.to_owned()], 3));
}

#[test]
fn what_is_imported_of_a_wheel_that_is_not_checked_counts_as_well() {
    let mut runtime = Runtime::new();
    runtime.install("user", &[("user.py", b"import job\n")]);
    runtime.install("job", &[("job.py", b"")]);
    let job = runtime.distributions.pop().unwrap();
    runtime.beside.push((job.sha256, job.files.clone()));
    for cached in [0, 1] {
        let report = runtime.check();
        assert_eq!((report.imported, report.cached, report.asked.contains("job")), (1, cached, true));
    }
    runtime.beside.clear();
    fs::remove_file(runtime.prefix().join(job.files[0].as_str())).unwrap();
    let failure = "user: `user` missing dependency: job: ModuleNotFoundError: No module named 'job'";
    assert_eq!(failures(&runtime.check()), [failure]);
}

#[test]
fn byte_code_is_kept_and_one_of_another_wheel_never_taken() {
    let mut runtime = Runtime::new();
    runtime.install("good", &[("good/__init__.py", b"x = 1\n")]);
    assert_eq!(runtime.check().imported, 1);
    assert_eq!(kept_files(&runtime, "good/__init__.pyc").len(), 1);
    // The same size and time, by which Python tells whether byte code is stale.
    let source = runtime.prefix().join(runtime.distributions[0].files[0].as_str());
    let written = fs::metadata(&source).unwrap().modified().unwrap();
    fs::write(&source, b"1 / 0\n").unwrap();
    fs::File::options().write(true).open(&source).unwrap().set_modified(written).unwrap();
    runtime.distributions[0].sha256 = Digest::of("another wheel");
    let report = runtime.check();
    assert_eq!(failures(&report), ["good: `good` does not import: ZeroDivisionError: division by zero"]);
    assert_eq!(kept_files(&runtime, "good/__init__.pyc").len(), 2);
}

#[test]
fn damaged_byte_code_fails_no_check_and_is_dropped() {
    let mut runtime = Runtime::new();
    runtime.install("base", &[("base.py", b"")]);
    runtime.install("top", &[("top/__init__.py", b"import base\n")]);
    runtime.distributions[1].requires = vec!["base".to_owned()];
    assert_eq!(runtime.check().imported, 2);
    let kept = kept_files(&runtime, "top/__init__.pyc");
    let mut bytes = fs::read(&kept[0]).unwrap();
    bytes[16..].fill(b'?');
    fs::write(&kept[0], bytes).unwrap();
    runtime.distributions[0].sha256 = Digest::of("another base");
    let report = runtime.check();
    assert_eq!((failures(&report), report.imported, report.cached), (Vec::new(), 2, 0));
    assert!(kept_files(&runtime, "top/__init__.pyc").is_empty());
}

#[test]
fn a_strict_check_keeps_nothing() {
    let mut runtime = Runtime::new();
    runtime.strict = true;
    runtime.install("good", &[("good/__init__.py", b"")]);
    assert_eq!((runtime.check().imported, kept_files(&runtime, "")), (1, Vec::new()));
}

#[test]
fn what_numba_compiles_is_kept_until_something_changes_that_goes_into_it() {
    let mut runtime = Runtime::new();
    // It names the folder as numba does.
    let code = b"import hashlib, os\nhere = os.path.dirname(os.path.abspath(__file__))\nname = os.path.basename(here) + '_' + hashlib.sha1(here.encode()).hexdigest()\nfolder = os.path.join(os.environ['NUMBA_CACHE_DIR'], name)\nos.makedirs(folder, exist_ok=True)\nopen(os.path.join(folder, 'compiled'), 'w').close()\n";
    runtime.install("numba", &[("numba/__init__.py", code)]);
    runtime.install("user", &[("user.py", b"import numba\n")]);
    runtime.install("native", &[("native/__init__.py", b""), ("native/tests/x.so", b"-")]);
    runtime.install("pure", &[("pure.py", b"")]);
    runtime.distributions[1].requires = vec!["numba".to_owned(), "pure".to_owned()];
    let mut changes = 0;
    let mut folders_after = |name: &str| {
        if let Some(changed) = runtime.distributions.iter_mut().find(|it| it.name.as_str() == name) {
            changes += 1;
            changed.sha256 = Digest::of(format!("another {name} {changes}"));
        }
        assert_eq!(failures(&runtime.check()), [""; 0]);
        kept_files(&runtime, "site-packages/numba/compiled").len()
    };
    // (what is changed, folders that there are then; a native one makes none itself, as nothing here requires it)
    let cases = [("nothing", 1), ("pure", 1), ("native", 1), ("pure", 2), ("user", 3), ("numba", 4)];
    for (name, folders) in cases {
        assert_eq!(folders_after(name), folders, "{name} changed");
    }
}

#[test]
fn a_failure_that_was_allowed_is_remembered_and_judged_anew() {
    let mut runtime = Runtime::new();
    let code =
        b"import os, sys\nopen(os.path.join(sys.prefix, '..', 'count'), 'a').write('x')\nraise RuntimeError('known')\n";
    runtime.install("bad", &[("bad.py", code)]);
    let attempts = |runtime: &Runtime| fs::read(runtime.root.path().join("count")).unwrap().len();
    runtime.allow(r#"{"bad-*": {"bad": "known"}}"#);
    assert_eq!(exit_of(&runtime.check()), Exit::Done);
    let once = attempts(&runtime);
    assert_eq!((exit_of(&runtime.check()), attempts(&runtime)), (Exit::Done, once));
    runtime.allow("{}");
    assert_eq!(exit_of(&runtime.check()), Exit::Check);
    assert!(attempts(&runtime) > once, "what is not allowed any more is tried again");
}

#[test]
fn what_writes_into_the_prefix_is_imported_at_each_check() {
    let mut runtime = Runtime::new();
    let code = b"import os\nopen(os.path.join(os.path.dirname(__file__), 'written.txt'), 'w').close()\n";
    runtime.install("pkg", &[("pkg/__init__.py", code), ("pkg/_json.so", &extension("_json"))]);
    let written =
        runtime.prefix().join(runtime.layout.site_packages().join(&"pkg/written.txt".parse().unwrap()).as_str());
    for _ in 0..2 {
        let report = runtime.check();
        assert_eq!((exit_of(&report), report.cached), (Exit::Done, 0), "{report:?}");
        fs::remove_file(&written).unwrap();
    }
}

#[test]
fn what_replaces_its_own_file_is_seen_and_imported_at_each_check() {
    let mut runtime = Runtime::new();
    let code = b"import os\npath = os.path.join(os.path.dirname(__file__), 'state.txt')\ntext = open(path).read()\nopen(path, 'w').write(text + 'x')\n";
    runtime.install("pkg", &[("pkg/__init__.py", code), ("pkg/state.txt", b""), ("apart.py", b"")]);
    for _ in 0..2 {
        let report = runtime.check();
        assert_eq!((exit_of(&report), report.cached), (Exit::Done, 0), "{report:?}");
        let said = remarks(&report);
        assert!(said.len() == 1 && said[0].starts_with("pkg: lib/"), "{said:?}");
        assert!(said[0].contains("pkg/state.txt was changed by something that was imported"), "{said:?}");
    }
}

//! The import check, spec 2.8, cases C1 to C6, with a real interpreter: a virtual environment of the `python3` on
//! PATH, into which small packages are written by hand.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use import_check::{CheckedDistribution, ImportCheck, ImportCheckError, ImportFailure, ImportReport, check_imports};
use static_checks::native_files::{NativeFault, NativeFaultKind};
use static_checks::whitelist::Whitelist;
use store::Context;
use testkit::write;
use vocab::{Digest, Environment, Exit, Fault, NativeWarning, TreeLayout, TreePath};

struct Runtime {
    root: tempfile::TempDir,
    layout: TreeLayout,
    distributions: Vec<CheckedDistribution>,
    whitelist: Whitelist,
    allowed_files: Vec<NativeFault>,
    strict: bool,
    timeout: Option<Duration>,
}

impl Runtime {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let python = which::which("python3").expect("these tests need a `python3` on PATH");
        let made = Command::new(&python).args(["-m", "venv", "--without-pip"]).arg(root.path().join("prefix")).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let version = "import platform; print(platform.python_version())";
        let answer = Command::new(python).args(["-c", version]).output().unwrap();
        let version = String::from_utf8(answer.stdout).unwrap();
        let platform = vocab::PlatformKey::host().expect("a platform that has a key");
        let layout = TreeLayout { platform, python: version.trim().parse().unwrap() };
        Self {
            root,
            layout,
            distributions: Vec::new(),
            whitelist: Whitelist::default(),
            allowed_files: Vec::new(),
            strict: false,
            timeout: None,
        }
    }

    fn prefix(&self) -> PathBuf {
        self.root.path().join("prefix")
    }

    /// Installs `files` (below site-packages) as `<name>-1.0-py3-none-any.whl`, all names importable.
    fn install(&mut self, name: &str, files: &[(&str, &[u8])]) {
        let site = self.layout.site_packages();
        let mut paths: Vec<TreePath> = Vec::new();
        let names: BTreeSet<&str> = files.iter().filter_map(|(path, _)| path.split(['/', '.']).next()).collect();
        let top_level = names.into_iter().collect::<Vec<_>>().join("\n");
        let info = format!("{name}-1.0.dist-info/top_level.txt");
        for (path, content) in files.iter().copied().chain([(info.as_str(), top_level.as_bytes())]) {
            let path = site.join(&path.parse().unwrap());
            write(&self.prefix(), path.as_str(), content);
            paths.push(path);
        }
        self.distributions.push(CheckedDistribution {
            name: name.parse().unwrap(),
            file: format!("{name}-1.0-py3-none-any.whl"),
            sha256: Digest::of(name),
            files: paths,
            requires: Vec::new(),
            requested: true,
        });
    }

    fn allow(&mut self, text: &str) {
        self.whitelist = Whitelist::read(&write(self.root.path(), "whitelist.json", text)).unwrap();
    }

    fn check(&self) -> ImportReport {
        self.try_check().unwrap()
    }

    fn try_check(&self) -> Result<ImportReport, ImportCheckError> {
        let environment = Environment::new(std::env::vars_os());
        let mut context = Context::quiet(self.root.path().join("store")).in_environment(environment);
        context.work.timeout = self.timeout;
        let check = ImportCheck {
            prefix: &self.prefix(),
            layout: self.layout,
            distributions: &self.distributions,
            whitelist: &self.whitelist,
            libraries: &BTreeSet::new(),
            allowed_files: &self.allowed_files,
            strict_whitelist: self.strict,
            python_identity: Digest::of("python"),
            emulator: None,
            today: "2026-06-15".parse().unwrap(),
        };
        check_imports(&context, &check)
    }

    fn listing(&self) -> BTreeSet<PathBuf> {
        walkdir::WalkDir::new(self.prefix()).into_iter().map(|entry| entry.unwrap().into_path()).collect()
    }
}

fn exit_of(report: &ImportReport) -> Exit {
    report.verdict().map_or_else(|error| error.exit(), |()| Exit::Done)
}

fn failures(report: &ImportReport) -> Vec<String> {
    report.failures.iter().map(ToString::to_string).collect()
}

#[test]
fn c1_nothing_to_check_passes() {
    let report = Runtime::new().check();
    assert_eq!((exit_of(&report), report.imported), (Exit::Done, 0));
}

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

/// The files below `imports/` of the store, by name.
fn kept_files(runtime: &Runtime, ending: &str) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(runtime.root.path().join("store/imports")).into_iter().flatten();
    let files = all.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    files.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
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
fn a_package_is_imported_after_those_that_it_requires() {
    let mut runtime = Runtime::new();
    let slow = b"import os, time\ntime.sleep(0.4)\nopen(os.path.join(os.environ['HOME'], 'done'), 'w').close()\n";
    let fast = b"import os\nassert os.path.exists(os.path.join(os.environ['HOME'], 'done'))\n";
    runtime.install("z_base", &[("z_base/__init__.py", slow)]);
    runtime.install("a_top", &[("a_top/__init__.py", fast)]);
    runtime.install("left", &[("left.py", b"")]);
    runtime.install("right", &[("right.py", b"")]);
    runtime.distributions[1].requires = vec!["z-base".to_owned()];
    runtime.distributions[2].requires = vec!["right".to_owned()];
    runtime.distributions[3].requires = vec!["left".to_owned()];
    let report = runtime.check();
    assert_eq!((failures(&report), report.imported), (Vec::new(), 4));
    // Tried a second time, all byte code would have been dropped.
    assert_ne!(kept_files(&runtime, ".pyc").len(), 0);
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
    assert_eq!(failures(&report), ["source: source-1.0.tar.gz is only there as source, so nothing of it is installed"]);
    runtime.install("good", &[("good.py", b"")]);
    let report = runtime.check();
    assert_eq!((exit_of(&report), report.unchecked), (Exit::Done, vec!["source-1.0.tar.gz".to_owned()]));
}

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
fn c5_a_whitelist_of_another_shape_is_a_usage_fault() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["[]", r#"{"a.whl": {"m": 1}}"#, r#"{"a.whl": 1}"#, "{"] {
        let error = Whitelist::read(&write(folder.path(), "linux-x64.json", text)).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "for {text}");
        assert!(error.to_string().contains("linux-x64.json"), "{error}");
    }
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
fn an_error_names_no_place_of_the_prefix_since_other_runtimes_may_remember_it() {
    let mut runtime = Runtime::new();
    runtime.install("bad", &[("bad.py", b"raise RuntimeError(f'cannot open {__file__}')\n")]);
    let said = failures(&runtime.check()).join("\n");
    assert!(said.contains("cannot open lib"), "{said}");
    assert!(!said.contains(runtime.prefix().to_str().unwrap()), "{said}");
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

#[test]
fn every_import_is_alone_and_however_it_ends_the_others_go_on() {
    let mut runtime = Runtime::new();
    runtime.timeout = Some(Duration::from_secs(5));
    let marks = b"import builtins\nassert not hasattr(builtins, 'seen'), 'not alone'\nbuiltins.seen = True\n";
    runtime.install("marks", &[("marks_a.py", marks), ("marks_b.py", marks), ("marks_c.py", marks)]);
    runtime.install("ends", &[
        ("aborts.py", b"import os\nprint('no such device')\nos.abort()\n"),
        ("exits.py", b"import sys\nsys.exit('wrong machine')\n"),
        ("vanishes.py", b"import os\nos._exit(0)\n"),
        ("hangs.py", b"import time, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\ntime.sleep(600)\n"),
    ]);
    let report = runtime.check();
    assert_eq!(report.imported, 3, "{:?}", failures(&report));
    let mut told = failures(&report);
    told.sort();
    assert!(told[0].starts_with("ends: `aborts` crashes while it is imported: killed by SIGABRT"), "{told:?}");
    assert_eq!(told[1], "ends: `exits` does not import: SystemExit: wrong machine");
    assert_eq!(told[2], "ends: `hangs` takes too long to import: did not end within 5 s");
    assert_eq!(told[3], "ends: `vanishes` crashes while it is imported: ended with code 0 before the import was done");
}

#[test]
fn the_users_environment_is_not_seen() {
    let mut runtime = Runtime::new();
    let code = b"import os\nfor name in ('HOME', 'MPLCONFIGDIR', 'NUMBA_CACHE_DIR', 'XDG_CACHE_HOME', 'USERPROFILE'):\n    assert 'import-check-' in os.environ[name], name\nassert 'CARGO_MANIFEST_DIR' not in os.environ\nopen(os.path.join(os.environ['HOME'], 'x'), 'w').close()\n";
    runtime.install("looks", &[("looks.py", code)]);
    let report = runtime.check();
    assert_eq!(failures(&report), [""; 0]);
    let left = fs::read_dir(runtime.root.path().join("store/tmp")).unwrap().count();
    assert_eq!(left, 0, "the folder that was home is removed");
}

#[test]
fn what_the_check_itself_needs_is_not_there_for_the_modules() {
    let mut runtime = Runtime::new();
    let code = b"import sys\nseen = {'json', 're', 'enum', 'signal', 'importlib.util', 'threading', 'select'}.intersection(sys.modules)\nassert not seen, seen\n";
    runtime.install("top", &[("top/__init__.py", code), ("top/_json.so", &extension("_json"))]);
    runtime.install("lazy", &[("lazy.py", b"import importlib\nimportlib.util.find_spec('x')\n")]);
    let told = failures(&runtime.check());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("has no attribute 'util'"), "{told:?}");
}

/// An extension module of this machine's Python. `_json` imports in any package, `_zoneinfo` only with [`BROKEN`] undone.
fn extension(name: &str) -> Vec<u8> {
    fs::read(extension_path(name)).expect("this Python has it as a file")
}

fn extension_path(name: &str) -> PathBuf {
    let code = format!("import {name}; print({name}.__file__)");
    let answer = Command::new(which::which("python3").unwrap()).args(["-c", &code]).output().unwrap();
    String::from_utf8(answer.stdout).unwrap().trim().into()
}

/// A package in which `_zoneinfo` is loaded and then fails.
const BROKEN: &[u8] = b"import sys\nsys.modules['zoneinfo'] = None\n";

fn warnings(report: &ImportReport) -> Vec<String> {
    report.warnings.iter().map(|failure| format!("{}: {}", failure.distribution, failure.module)).collect()
}

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

fn remarks(report: &ImportReport) -> Vec<String> {
    let owner = |it: &NativeWarning| it.distribution.as_ref().map(ToString::to_string).unwrap_or_default();
    report.remarks.iter().map(|it| format!("{}: {} {}", owner(it), it.subject, it.text)).collect()
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

#[test]
fn a_pth_file_that_fails_is_told_at_each_check_with_whose_it_is() {
    let mut runtime = Runtime::new();
    runtime.install("good", &[("good.py", b"")]);
    runtime.install("hook", &[("hook_of.pth", b"import sys; 1/0\n"), ("hook.py", b"")]);
    for _ in 0..2 {
        let report = runtime.check();
        assert_eq!((failures(&report), report.imported), (vec![], 2));
        let said = remarks(&report);
        assert!(said.len() == 1 && said[0].starts_with("hook: lib/"), "{said:?}");
        let text = "hook_of.pth fails each time that Python starts: ZeroDivisionError: division by zero";
        assert!(said[0].ends_with(text), "{said:?}");
    }
}

#[test]
fn a_pth_file_that_ends_the_interpreter_is_named_and_no_package_is_blamed() {
    for (code, how) in [("os._exit(0)", "code 0"), ("os._exit(3)", "code 3"), ("sys.exit(4)", "code 4")] {
        let mut runtime = Runtime::new();
        runtime.install("good", &[("good.py", b"")]);
        runtime.install("fine", &[("fine.pth", b"import os\n"), ("fine.py", b"")]);
        runtime.install("ends", &[("ends.pth", format!("import os, sys; {code}\n").as_bytes())]);
        let error = runtime.try_check().unwrap_err();
        let said = error.kind.to_string();
        assert!(said.ends_with(&format!("ends.pth` of ends ends it ({how})")), "{said}");
        assert_eq!(error.exit(), Exit::Check);
    }
}

#[test]
fn what_ends_python_badly_after_it_was_imported_is_told() {
    let mut runtime = Runtime::new();
    let aborts = b"import atexit, os\natexit.register(os.abort)\n";
    // Only in a process that was forked.
    let forked = b"import atexit, os, sys\nif sys.argv[1] != '--one': atexit.register(os.abort)\n";
    runtime.install("bad", &[("bad.py", aborts)]);
    runtime.install("native", &[("native/__init__.py", aborts), ("native/_json.so", &extension("_json"))]);
    runtime.install("good", &[("good.py", b"import atexit\natexit.register(print)\n"), ("forked.py", forked)]);
    for cached in [0, 4] {
        let report = runtime.check();
        assert_eq!((failures(&report), report.cached), (vec![], cached));
        let text = "imports, and then Python does not end well: killed by SIGABRT";
        let said = remarks(&report);
        assert!(said.len() == 2, "{said:?}");
        assert!(said[0].starts_with(&format!("bad: bad {text}")), "{said:?}");
        assert!(said[1].starts_with(&format!("native: native {text}")), "{said:?}");
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
            assert!(said.contains(reason) && said.contains("`pkg` tries to import it and goes on without"), "{said}");
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
fn what_imports_load_is_told_whoever_imports_it_first() {
    let mut runtime = Runtime::new();
    let file = extension("_json");
    runtime.install("lib", &[("lib/__init__.py", b"import lib._json\n"), ("lib/_json.so", &file)]);
    runtime.install("user", &[("user.py", b"import lib\n")]);
    runtime.install("lazy", &[("lazy/__init__.py", b""), ("lazy/opened.so.1", &file)]);
    let report = runtime.check();
    let loaded: Vec<&str> = report.loaded.iter().map(TreePath::file_name).collect();
    assert_eq!((exit_of(&report), loaded), (Exit::Done, vec!["_json.so"]), "{report:?}");
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

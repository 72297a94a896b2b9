//! Each import is alone, and what it shows does not depend on its neighbours, the user or the place.

use std::fs;
use std::time::Duration;

use vocab::{Exit, TreePath};

use crate::support::{Runtime, exit_of, extension, failures, kept_files};

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
fn an_error_names_no_place_of_the_prefix_since_other_runtimes_may_remember_it() {
    let mut runtime = Runtime::new();
    runtime.install("bad", &[("bad.py", b"raise RuntimeError(f'cannot open {__file__}')\n")]);
    let said = failures(&runtime.check()).join("\n");
    assert!(said.contains("cannot open lib"), "{said}");
    assert!(!said.contains(runtime.prefix().to_str().unwrap()), "{said}");
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
fn what_its_package_has_imported_takes_no_process_of_its_own() {
    let mut runtime = Runtime::new();
    let forks = runtime.root.path().join("forks");
    let code = format!(
        "import os\nos.register_at_fork(after_in_child=lambda: open({forks:?}, 'a').write('.'))\nimport pkg._json\n"
    );
    let file = extension("_json");
    let files = [("pkg/_json.so", &*file), ("pkg/later/__init__.py", b""), ("pkg/later/_json.so", &*file)];
    runtime.install("pkg", &[&[("pkg/__init__.py", code.as_bytes())], &files[..]].concat());
    let report = runtime.check();
    assert_eq!((report.imported, failures(&report)), (2, vec![]));
    assert_eq!(fs::read_to_string(forks).unwrap(), "..", "for `pkg.later` and `pkg.later._json`");
}

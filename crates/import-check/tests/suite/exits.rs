//! What ends Python: `.pth` files at its start, and what was imported at its end.

use vocab::{Exit, Fault};

use crate::support::{Runtime, extension, failures, remarks};

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

//! Payloads that are no class, do harm while they are loaded, or come from another Python.

use crate::support::{PYTHONS, Pod, UPPER, pickled, printed, sdk};

/// A pickle that runs `code` when it is loaded.
fn running(python: &std::path::Path, code: &str) -> String {
    let script = "
import base64, os, pickle
class Code:
    def __reduce__(self):
        return exec, (os.environ['CODE'],)
print(base64.b64encode(pickle.dumps(Code())).decode(), end='')
";
    printed(python, script, &[("CODE", code)])
}

// case 48
#[test]
fn what_is_no_class_of_a_server_ends_with_exit_code_1() {
    let Some(python) = sdk("3.12") else { return };
    let pickle = |value: &str| {
        printed(
            &python,
            &format!("import base64, pickle; print(base64.b64encode(pickle.dumps({value})).decode(), end='')"),
            &[],
        )
    };
    let cases = [
        ("aGVsbG8=".to_owned(), "ETL_CLASS_PAYLOAD: the class cannot be deserialized"),
        (pickle("5"), "ETL_CLASS_PAYLOAD: 5 is not a subclass of ETLServer"),
        (pickle("int"), "is not a subclass of ETLServer"),
        (pickle("object()"), "is not a subclass of ETLServer"),
    ];
    for (payload, line) in cases {
        let (code, said) = Pod::new(&python, &payload).ended();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(line), "{said}");
    }
    let (code, said) = Pod::new(&python, &pickled(&python, "flask", "class Nothing(Base): pass")).ended();
    assert!(code == Some(1) && said.contains("Nothing cannot be instantiated: TypeError"), "{said}");
}

#[test]
fn a_pickle_that_does_harm_is_reported_with_what_it_printed_and_leaves_nothing() {
    let Some(python) = sdk("3.12") else { return };
    let cases = [
        ("print('loading'); raise ValueError('no')", "cannot be deserialized: ValueError: no"),
        ("print('loading'); import sys; sys.exit(0)", "the class called exit(0) while it was loaded"),
        ("print('loading', flush=True); import os; os._exit(0)", "ended its process while it was loaded (exit code 0)"),
        ("print('loading', flush=True); import ctypes; ctypes.string_at(0)", "while it was loaded (SIGSEGV)"),
        ("print('loading', flush=True); import time; time.sleep(600)", "was not loaded within 5 s (ETL_LOAD_TIMEOUT)"),
    ];
    for (code, line) in cases {
        let marked = format!("import subprocess; subprocess.Popen(['sleep', '4711.25']); {code}");
        let (exit, said) = Pod::new(&python, &running(&python, &marked)).set("ETL_LOAD_TIMEOUT", "5").ended();
        assert_eq!(exit, Some(1), "{said}");
        assert!(said.contains("error: ETL_CLASS_PAYLOAD: ") && said.contains(line), "{said}");
        assert!(said.contains("loading"), "{said}");
        assert_eq!(sleepers(), 0, "{code}");
    }
    fn sleepers() -> usize {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.starts_with("sleep\0") && line.contains("4711.25")).count()
    }
}

// case 68: never a crash, and never at the first request only
#[test]
fn a_class_of_another_python_is_refused_before_its_code_runs() {
    let mut versions = Vec::new();
    for minor in PYTHONS {
        versions.extend(sdk(minor).map(|python| (minor, python)));
    }
    let payloads: Vec<String> = versions.iter().map(|(_, python)| pickled(python, "threaded", UPPER)).collect();
    for (runtime, python) in &versions {
        for ((maker, _), payload) in versions.iter().zip(&payloads) {
            let script = "
import base64, os, pickled_code
class Refused(Exception): pass
try:
    pickled_code.check(base64.b64decode(os.environ['PAYLOAD']), Refused)
    print('fits', end='')
except Refused as refused:
    print(refused, end='')
";
            let said = printed(python, script, &[("PAYLOAD", payload)]);
            if maker == runtime {
                assert_eq!(said, "fits", "{maker} on {runtime}");
            } else {
                assert!(said.contains("the class was pickled by Python 3."), "{maker} on {runtime}: {said}");
                assert!(said.contains(&format!("this runtime has Python {runtime} (function `transform`)")), "{said}");
            }
        }
    }
    let Some(python) = sdk("3.12") else { return };
    for ((maker, _), payload) in versions.iter().zip(&payloads).filter(|((maker, _), _)| *maker != "3.12") {
        let (code, said) = Pod::new(&python, payload).ended();
        assert!(
            code == Some(1) && said.contains("error: ETL_CLASS_PAYLOAD: the class was pickled by"),
            "{maker}: {said}"
        );
    }
}

/// Code that its own Python wrote is never refused: every function of the standard library reads as what it is.
#[test]
fn code_of_the_same_python_always_fits() {
    let script = "
import glob, importlib.machinery, os, sys, pickled_code, types
names = 'argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames filename name'.split()
if sys.version_info >= (3, 11): names += 'qualname firstlineno linetable exceptiontable'.split()
else: names += ['firstlineno', 'linetable' if sys.version_info >= (3, 10) else 'lnotab']
names += 'freevars cellvars'.split()
refused = seen = 0
def look(code):
    global refused, seen
    seen += 1
    refused += not pickled_code.fits([getattr(code, 'co_' + name) for name in names])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType): look(constant)
for path in glob.glob(os.path.dirname(os.__file__) + '/*.py'):
    # Its byte code, where it was compiled before.
    look(importlib.machinery.SourceFileLoader('module', path).get_code('module'))
print(seen > 1000, refused)
";
    for minor in PYTHONS {
        let Some(python) = sdk(minor) else { continue };
        assert_eq!(printed(&python, script, &[]), "True 0\n", "{minor}");
    }
}

/// Modules of the SDK that a class may import first, in an order that is not the SDK's own; before and after a server.
/// Those that stand in a circle, and some others.
#[test]
fn modules_of_the_sdk_can_be_imported_in_any_order() {
    let script = "
import os, sys, lazy_packages
lazy_packages.install_sdk()
def import_all(names):
    for name in names: __import__('aistore.sdk.' + name)
    from aistore.sdk.etl.webserver.flask_server import FlaskServer
    from aistore import Client
    from aistore.sdk import Bucket
    from aistore.sdk.bucket import Bucket as Same
    assert Bucket is Same and Client is sys.modules['aistore.sdk.client'].Client, 'two copies'
    import aistore.sdk.etl
    aistore.sdk.etl.ETLConfig
def works(names):
    pid = os.fork()
    if pid == 0:
        try:
            import_all(names)
            os._exit(0)
        except BaseException as error:
            print(names, repr(error), file=sys.stderr)
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0
# What the SDK imports of others is imported once, before all orders.
there, back = os.pipe()
if os.fork() == 0:
    import_all([])
    os.write(back, ' '.join(name for name in sys.modules if name.split('.')[0] != 'aistore').encode())
    os._exit(0)
os.close(back)
with open(there, encoding='utf-8') as names: foreign = names.read().split()
for name in foreign:
    try: __import__(name)
    except ImportError: pass
assert 'requests' in sys.modules and not [name for name in sys.modules if name.startswith('aistore.sdk.b')]
circle = ['bucket', 'client', 'multiobj', 'multiobj.object_group', 'retry_manager', 'job', 'dsort', 'etl.etl']
server = 'etl.webserver.http_multi_threaded_server'
print([name for name in circle if not works([name])], works([server]), works([server, 'multiobj']), works([]))
";
    for minor in PYTHONS {
        let Some(python) = sdk(minor) else { continue };
        assert_eq!(printed(&python, script, &[]), "[] True True True\n", "{minor}");
    }
}

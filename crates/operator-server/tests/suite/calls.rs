//! Calls: parameters, output, errors, logs.

use std::time::Duration;

use operator_server::{Call, InputForm, RunError, RunEvent};
use serde_json::json;
use vocab::Fault;

use crate::support::{Host, bytes, call, environment_with, with_input};

const OPERATORS: &str = r#"
import enum, io, logging, os, sys, time
from typing import Dict, List, Optional, Tuple
from pydist_operator import UserError, progress


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def shown(number: int, real: float, text: str, colour: Colour, pair: Tuple[int, str], many: List[int], named: Dict[str, float], absent: Optional[int] = None, **more):
    return io.BytesIO(repr((number, real, text, colour, pair, many, named, absent, more)).encode())


def refuses(limit: int):
    raise UserError(f"the limit {limit} is too small")


def fails():
    return len(3)


def talks(secret=None):
    print("before")
    print("to stderr", file=sys.stderr)
    logging.getLogger("demo.part").warning("careful: %s", 7)
    os.write(1, b"\xff raw\n")
    progress(0.5, "half")
    print("after", end="")
    return io.BytesIO(b"done")


def shouts(lines: int):
    for number in range(lines):
        print(number)
    print("x" * (1 << 20))
    return io.BytesIO(b"done")


def leaks(connection):
    logging.getLogger().error("the password is %s", connection["auth.password"])
    print(connection)
    print(connection["auth.password"])
    raise RuntimeError("cannot log in with " + connection["auth.password"])


def looks():
    return io.BytesIO(repr(sorted(os.environ) + [os.getcwd(), sys.stdin.read()]).encode())


def exits():
    sys.exit(4)
"#;

#[test]
fn parameters_have_the_types_of_the_annotations() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let parameters = json!({
        "number": "9007199254740993", "real": "Infinity", "text": "ü'\n", "colour": "BLUE", "pair": [1, "a"],
        "many": [1, 2], "named": { "b": 1, "a": 2 }, "absent": null,
    });
    let shown = Call { seed: Some(5), ..call("shown", &parameters) };
    let text = String::from_utf8(bytes(host.run(&mut server, shown).unwrap())).unwrap();
    assert_eq!(
        text,
        "(9007199254740993, inf, \"ü'\\n\", <Colour.BLUE: 2>, (1, 'a'), [1, 2], {'b': 1.0, 'a': 2.0}, None, {'random_seed': 5})"
    );
}

#[test]
fn an_operators_own_refusal_is_its_message_and_a_fault_has_its_place() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let error = host.run(&mut server, call("refuses", &json!({ "limit": 3 }))).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("E_OPERATOR_USER", "the limit 3 is too small"));
    let error = host.run(&mut server, call("fails", &json!({}))).unwrap_err();
    let RunError::Python { failure } = &error else { panic!("{error:?}") };
    assert_eq!(error.code(), "E_OPERATOR");
    assert_eq!((failure.class.as_str(), failure.traceback.len()), ("TypeError", 1), "{failure:?}");
    assert_eq!(failure.traceback[0].function, "fails");
    assert!(error.to_string().ends_with("(ops.py line 21)"), "{error}");
    // `sys.exit` ends the call and not the server.
    let error = host.run(&mut server, call("exits", &json!({}))).unwrap_err();
    assert!(matches!(&error, RunError::Python { failure } if failure.class == "SystemExit"), "{error:?}");
    assert!(server.is_alive());
}

#[test]
fn pel_68_what_an_operator_prints_disturbs_nothing_and_comes_before_its_result() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    for _ in 0..3 {
        host.events.clear();
        assert_eq!(bytes(host.run(&mut server, call("talks", &json!({}))).unwrap()), b"done");
        let mut lines = host.lines();
        lines.sort_unstable();
        assert_eq!(lines, ["after", "before", "careful: 7", "to stderr", "\u{fffd} raw"], "{:?}", host.events);
        assert!(host.events.contains(&RunEvent::Progress { fraction: 0.5, text: "half".to_owned() }));
    }
}

#[test]
fn pel_67_very_many_lines_are_cut_and_counted() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    assert_eq!(bytes(host.run(&mut server, call("shouts", &json!({ "lines": 100_000 }))).unwrap()), b"done");
    assert_eq!(host.lines().len(), 10_000);
    assert_eq!(host.events.last(), Some(&RunEvent::Truncated { after: 10_000 }));
    host.events.clear();
    host.run(&mut server, call("shouts", &json!({ "lines": 1 }))).unwrap();
    let longest = host.lines().into_iter().map(str::len).max();
    assert_eq!(longest, Some((8 << 10) + '…'.len_utf8()), "a long line is cut");
}

#[test]
fn pel_66_a_secret_of_a_connection_shows_nowhere() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let values = json!({ "host": "db", "auth.password": "s3cret-word" }).as_object().cloned().unwrap();
    let connection = InputForm::Connection { values, secrets: vec!["auth.password".to_owned()] };
    let error = host.run(&mut server, with_input(call("leaks", &json!({})), "connection", connection)).unwrap_err();
    let told = format!("{error:?} {error} {:?}", host.events);
    assert!(!told.contains("s3cret-word"), "{told}");
    assert!(error.to_string().contains("cannot log in with ****"), "{error}");
    assert!(host.lines().contains(&"Connection({'host': 'db', 'auth.password': '****'})"), "{:?}", host.events);
}

#[test]
fn pel_63_the_hosts_environment_does_not_reach_operators() {
    let mut host = Host::new(OPERATORS);
    host.work.environment =
        environment_with(&[("PYTHONPATH", "/junk"), ("PYTHONHOME", "/junk"), ("CONDA_PREFIX", "/junk")]);
    let mut server = host.loaded();
    let text = String::from_utf8(bytes(host.run(&mut server, call("looks", &json!({}))).unwrap())).unwrap();
    assert!(!text.contains("CONDA") && !text.contains("'PYTHONPATH'") && text.contains("PYTHONNOUSERSITE"), "{text}");
    // The token came on standard input, which operators find empty.
    assert!(text.ends_with("'']"), "{text}");
    let left = std::fs::read_dir(host.root().join("scratch")).unwrap().count();
    assert_eq!(left, 0, "folders of runs are removed");
}

#[test]
fn a_module_that_does_not_import_is_named_with_its_line() {
    let mut host = Host::new("import json\nimport no_such_module\n");
    let mut server = host.start();
    let error = host.load(&mut server).unwrap_err();
    assert_eq!(error.code(), "E_EXT_IMPORT");
    assert!(error.to_string().contains("no_such_module") && error.to_string().contains("line 2"), "{error}");
}

/// As on systems without /proc: what the call started ends with its server.
#[cfg(target_os = "linux")]
#[test]
fn pel_62_where_a_server_does_not_see_its_children_it_ends_with_them_unless_it_holds_objects() {
    let source = r"
import subprocess, sys, time
server = sys.modules.get('pydist_operator_server') or sys.modules['__main__']
server.sees_processes = lambda: False
def sleeps():
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    print(child.pid)
    time.sleep(600)
def waits():
    time.sleep(600)
def keeps():
    return object()
";
    let mut host = Host::new(source);
    let mut server = host.loaded();
    let limited = |function: &str| Call { limit: Some(Duration::from_secs(2)), ..call(function, &json!({})) };
    let ended = |id| crate::support::eventually("the end of what the call started", || !crate::support::is_alive(id));
    let error = host.run(&mut server, limited("waits")).unwrap_err();
    assert_eq!((error.code(), server.is_alive()), ("E_RUN_TIMEOUT", true), "it has no children");
    let error = host.run(&mut server, limited("sleeps")).unwrap_err();
    assert_eq!((error.code(), server.is_alive()), ("E_RUN_TIMEOUT", false));
    ended(host.lines().iter().find_map(|line| line.parse().ok()).unwrap());
    let mut server = host.loaded();
    host.events.clear();
    host.run(&mut server, call("keeps", &json!({}))).unwrap();
    let error = host.run(&mut server, limited("sleeps")).unwrap_err();
    assert_eq!((error.code(), server.is_alive()), ("E_RUN_TIMEOUT", true), "its objects are still wanted");
    let child: u32 = host.lines().iter().find_map(|line| line.parse().ok()).unwrap();
    assert!(crate::support::is_alive(child));
    server.stop();
    ended(child);
}

#[test]
fn pel_62_an_endless_call_is_cancelled_with_everything_it_started() {
    let source = r"
import subprocess, sys, time
def sleeps():
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    print(child.pid)
    time.sleep(600)
def spins():
    while True:
        pass
def stubborn():
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    print(child.pid)
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass
";
    let mut host = Host::new(source);
    let mut server = host.loaded();
    for function in ["sleeps", "spins"] {
        let limited = Call { limit: Some(Duration::from_secs(2)), ..call(function, &json!({})) };
        let error = host.run(&mut server, limited).unwrap_err();
        assert_eq!(error.code(), "E_RUN_TIMEOUT", "{function}: {error:?}");
        assert!(server.is_alive(), "a call that stops leaves its server alone");
        #[cfg(target_os = "linux")]
        if function == "sleeps" {
            let child: u32 = host.lines().iter().find_map(|line| line.parse().ok()).unwrap();
            crate::support::eventually("the end of what the call started", || !crate::support::is_alive(child));
            assert!(server.is_alive());
        }
    }
    server.patience.cancel = Duration::from_millis(200);
    host.events.clear();
    let limited = Call { limit: Some(Duration::from_secs(1)), ..call("stubborn", &json!({})) };
    let error = host.run(&mut server, limited).unwrap_err();
    assert_eq!(error.code(), "E_RUN_TIMEOUT", "{error:?}");
    assert!(!server.is_alive(), "one that does not stop is killed");
    #[cfg(target_os = "linux")]
    {
        let child: u32 = host.lines().iter().find_map(|line| line.parse().ok()).unwrap();
        crate::support::eventually("the end of what the call started", || !crate::support::is_alive(child));
    }
}

//! The process that serves begins while packages are installed.

use std::fs;

use super::ScriptPod;
use super::installing::{overlay, with_uv};

/// A runtime with the SDK, whose interpreter writes down what it hears when it begins ahead, to the end.
fn with_sdk(pod: ScriptPod) -> ScriptPod {
    let metadata = "runtime/lib/python3.12/site-packages/aistore-2.0.0.dist-info/METADATA";
    testkit::write(pod.root(), metadata, "Name: aistore\nVersion: 2.0.0\n");
    let heard = pod.root().join("heard");
    let body = format!("case $2 in ahead) echo \"$PYTHONPATH\" >'{0}-path'; cat >'{0}' ;; esac", heard.display());
    pod.script_doing("runtime/bin/python3", "server", &body);
    pod
}

fn begun(calls: &[String]) -> (usize, usize) {
    let count = |role: &str| calls.iter().filter(|call| call.starts_with(&format!("server server.py {role}"))).count();
    (count("ahead"), count("supervise"))
}

#[test]
fn what_serves_begins_before_packages_are_there_and_hears_where_they_are() {
    let pod = with_sdk(with_uv(ScriptPod::new().set("PACKAGES", "demo")));
    let run = pod.run(&[]);
    assert_eq!((run.code, begun(&run.calls)), (Some(0), (1, 1)), "{:?} {}", run.calls, run.stderr);
    let heard = fs::read_to_string(pod.root().join("heard")).unwrap();
    assert_eq!(heard, format!("{}\0", overlay(&pod).display()));
    let path = fs::read_to_string(pod.root().join("heard-path")).unwrap();
    assert!(path.contains("/work/server-") && !path.contains("overlay-"), "{path}");
    assert_eq!(pod.run(&[]).calls, ["server server.py"], "nothing to wait for");
}

#[test]
fn it_hears_nothing_if_packages_cannot_be_installed() {
    let uv = "case $1 in --version) echo 'uv 0.13.9' ;; *) echo 'error: the index is away' >&2; exit 2 ;; esac";
    let pod = with_sdk(ScriptPod::new().set("PACKAGES", "demo").with("uv", uv));
    let run = pod.run(&[]);
    assert_eq!((run.code, begun(&run.calls)), (Some(1), (1, 0)), "{:?} {}", run.calls, run.stderr);
    assert_eq!(fs::read_to_string(pod.root().join("heard")).unwrap(), "", "the end of its input alone");
}

#[test]
fn nothing_begins_ahead_of_packages_of_the_system_or_for_a_server_of_its_own() {
    let pod = || with_sdk(with_uv(ScriptPod::new().set("PACKAGES", "demo").with("apk", "")));
    for (name, value) in [("OS_PACKAGES", "a"), ("ETL_PRELOAD", "no"), ("PACKAGES", "six")] {
        let run = pod().set(name, value).run(&[]);
        assert_eq!((run.code, begun(&run.calls)), (Some(0), (0, 0)), "{name}: {:?} {}", run.calls, run.stderr);
    }
    let run = pod().run(&["--dry-run"]);
    assert_eq!((run.code, run.calls.len()), (Some(0), 0), "{:?}", run.calls);
}

//! When distributions are made ready: all at once while a host goes on, before it hears anything, or not at all.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::serve::Served;
use crate::site::Site;

/// The archive of a Python that takes its time when it is asked about itself, and else is that of this machine.
fn slow_python(site: &Site) {
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *operator-server*) ;; *) sleep 2 ;; esac\nexec '{python}' \"$@\"\n");
    let os = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    site.tar(&format!("res/pydist-slow-1-{os}.tar.gz"), &[("bin/python3", script.as_bytes())]);
}

#[test]
fn pel_54_loading_may_be_waited_for_and_need_not_be() {
    let site = Site::new();
    site.extension("lacking.zip", "lacking", "lacking:1", &[]);
    let descriptor = json!({
        "extension": { "name": "Slow", "namespace": "slow", "version": "1", "module": "slow", "environment": "slow:1" },
        "operators": { "nothing": {} },
    });
    let module = b"def nothing():\n    return None\n";
    site.zip("ext/slow.zip", &[("extension.json", descriptor.to_string().as_bytes()), ("slow/__init__.py", module)]);
    slow_python(&site);
    let states = |answer: &Value| -> Vec<(String, String)> {
        let rows = answer["result"]["extensions"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        rows.iter().map(|row| (text(row, "extension"), text(row, "state"))).collect()
    };
    let loaded = [("lacking", "unavailable"), ("slow", "ready")].map(|(one, two)| (one.to_owned(), two.to_owned()));

    // Not waited for: what needs no distribution is answered first, and the one that is lacking keeps nothing back.
    let mut host = Served::start(&site, &[]);
    host.send(&json!({ "id": "load", "method": "load" }));
    host.await_event(&json!("load"), "state");
    assert!(host.ask(&json!({ "id": 1, "method": "hello" })).get("result").is_some());
    assert!(!site.path("dists/slow-1").exists(), "it is not there yet");
    // A call waits for the distribution.
    assert!(host.run(2, "slow:nothing", json!({})).get("result").is_some());
    let answer = host.answer(&json!("load"));
    assert_eq!(states(&answer), loaded, "{answer}");
    assert_eq!(answer["result"]["extensions"][0]["error"]["code"], "E_DIST_NO_ENVYML", "{answer}");
    assert!(host.ended());

    // Waited for: the first answer says that everything is ready that can be.
    fs::remove_dir_all(site.path("dists")).unwrap();
    let mut host = Served::start(&site, &["-D", "pysdk.pel.forceSynchronousLoading=true"]);
    assert!(host.ask(&json!({ "id": 1, "method": "hello" })).get("result").is_some());
    assert!(site.path("dists/slow-1").is_dir(), "it was waited for");
    assert_eq!(states(&host.ask(&json!({ "id": 2, "method": "load" }))), loaded);
    assert!(host.ended());

    // Without registration nothing is prepared.
    let mut host = Served::start(&site, &["-D", "pysdk.pel.skipPythonDistRegistration=true"]);
    let registered = [("lacking", "registered"), ("slow", "registered")];
    let answer = host.ask(&json!({ "id": 1, "method": "load" }));
    assert_eq!(states(&answer), registered.map(|(one, two)| (one.to_owned(), two.to_owned())));
    assert!(host.ended());
}

//! A distribution that is replaced while servers run on it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::serve::{Served, eventually_gone, run};
use crate::site::Site;

/// Operators look at the tree that their Python came from.
const MODULE: &str = r#"
import io, os, pathlib, time

def build():
    return io.BytesIO(pathlib.Path(os.environ["TREE"], "build.txt").read_bytes() + b" %d" % os.getpid())

def waits(path: str):
    while not os.path.exists(path):
        time.sleep(0.01)
    return build()
"#;

fn site() -> Site {
    let site = Site::new();
    let output = json!([{ "name": "result" }]);
    let descriptor = json!({
        "extension": { "name": "Seer", "namespace": "seer", "version": "1", "module": "seer", "environment": "upd:1.0.0" },
        "operators": {
            "build": { "outputs": output },
            "waits": { "parameters": [{ "name": "path", "type": "string" }], "outputs": output },
        },
    });
    let files = [("extension.json", descriptor.to_string()), ("seer/__init__.py", MODULE.to_owned())];
    site.zip("ext/seer.zip", &files.each_ref().map(|(name, text)| (*name, text.as_bytes())));
    site
}

/// The archive of a distribution that is the Python of this machine.
fn pack(site: &Site, build: &str) {
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let script = format!("#!/bin/sh\nexport TREE=\"${{0%/*}}/..\"\nexec '{python}' \"$@\"\n");
    let os = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    let archive = format!("res/pydist-upd-1.0.0-{os}.tar.gz");
    site.tar(&archive, &[("bin/python3", script.as_bytes()), ("build.txt", build.as_bytes())]);
}

/// Trees that wait for their place.
fn waiting(site: &Site) -> usize {
    let items = fs::read_dir(site.path("dists")).unwrap();
    items.filter(|item| item.as_ref().unwrap().file_name().to_string_lossy().starts_with(".next-")).count()
}

fn build_of(text: &str) -> &str {
    text.split(' ').next().unwrap()
}

#[test]
fn l10_old_servers_finish_on_the_old_tree_and_new_ones_start_on_the_new() {
    let site = site();
    pack(&site, "one");
    let mut host = Served::start(&site, &[]);
    let first = host.result(&site, 1, "seer:build", json!({}));
    assert_eq!(build_of(&first), "one");
    let (go, out) = (site.path("go"), site.path("out/2.txt"));
    host.send(&run(
        2,
        "seer:waits",
        json!({
            "parameters": { "path": go }, "outputs": { "result": { "path": out } },
        }),
    ));

    pack(&site, "two");
    let second = host.result(&site, 3, "seer:build", json!({}));
    assert_eq!(build_of(&second), "two");
    assert_eq!(fs::read_to_string(site.path("dists/upd-1.0.0/build.txt")).unwrap(), "one", "it is in use");
    assert_eq!(waiting(&site), 1);
    // Another program runs on the new one, too, and moves nothing.
    let folder = site.run(&["prepare", "seer"]).1;
    assert_eq!(fs::read_to_string(Path::new(&folder).join("build.txt")).unwrap(), "two");

    fs::write(&go, "").unwrap();
    assert!(host.answer(&json!(2)).get("result").is_some());
    assert_eq!(fs::read_to_string(&out).unwrap(), first, "the former server, on the former tree");
    eventually_gone(first.split(' ').next_back().unwrap());
    assert_eq!(host.result(&site, 4, "seer:build", json!({})), second, "the same server");

    // A third build while the second is used; then nobody uses any.
    pack(&site, "three");
    assert_eq!(build_of(&host.result(&site, 5, "seer:build", json!({}))), "three");
    assert!(host.ended());
    // The lock of a process that has ended goes with it.
    for _ in 0..100 {
        if site.run(&["prepare", "seer"]).1 == site.path("dists/upd-1.0.0").display().to_string() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(fs::read_to_string(site.path("dists/upd-1.0.0/build.txt")).unwrap(), "three");
    pack(&site, "four");
    site.run(&["prepare", "seer"]);
    assert_eq!(fs::read_to_string(site.path("dists/upd-1.0.0/build.txt")).unwrap(), "four");
    assert_eq!(waiting(&site), 0, "nothing is left");
    site.assert_tidy();
}

#[test]
fn a_build_that_waits_is_the_newest_one_although_its_archive_is_gone() {
    let site = site();
    pack(&site, "one");
    let mut host = Served::start(&site, &[]);
    let (go, out) = (site.path("go"), site.path("out/1.txt"));
    let answered = json!({ "parameters": { "path": go }, "outputs": { "result": { "path": out } } });
    host.send(&run(1, "seer:waits", answered));
    while !site.path("dists/upd-1.0.0").is_dir() || waiting(&site) == 0 {
        // As soon as its server runs, a new build has to wait.
        pack(&site, "two");
        site.run(&["prepare", "seer"]);
        thread::sleep(Duration::from_millis(50));
        if fs::read_to_string(site.path("dists/upd-1.0.0/build.txt")).is_ok_and(|text| text == "two") {
            pack(&site, "one");
            site.run(&["prepare", "seer"]);
        }
    }
    // The server may have started on either, between two installations; what waits came after it.
    let used = fs::read_to_string(site.path("dists/upd-1.0.0/build.txt")).unwrap();
    let newest = if used == "one" { "two" } else { "one" };
    for item in fs::read_dir(site.path("res")).unwrap() {
        fs::remove_file(item.unwrap().path()).unwrap();
    }
    let row = &site.json(&["prepare", "seer"])[0];
    assert_eq!(row["mode"], "local", "{row}");
    let folder = row["folder"].as_str().unwrap();
    assert!(folder.contains(".next-upd-1.0.0@"), "{folder}");
    assert_eq!(fs::read_to_string(Path::new(folder).join("build.txt")).unwrap(), newest);

    fs::write(&go, "").unwrap();
    assert!(host.answer(&json!(1)).get("result").is_some());
    assert!(host.ended());
    for _ in 0..100 {
        if site.run(&["prepare", "seer"]).1 == site.path("dists/upd-1.0.0").display().to_string() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(fs::read_to_string(site.path("dists/upd-1.0.0/build.txt")).unwrap(), newest);
    assert_eq!(waiting(&site), 0);
}

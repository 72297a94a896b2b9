//! A runtime of ours from a catalogue's list, installed by the real uv and run.

use std::fs;
use std::path::Path;
use std::process::Command;

use catalogue::{Catalogue, downloads};
use serde_json::json;
use testkit::{HttpServer, WheelBuilder};

use crate::support::{Bench, output, publish};

#[test]
fn uv_installs_a_runtime_by_its_version_and_runs_it_with_its_packages() {
    let wheel = WheelBuilder::new("tool", "1.0").file("tool.py", "answer = 42\n").build();
    let bench = Bench::of(json!({ "dependencies": ["tool"] }), [wheel]);
    let run = bench.build_with(&["--format", "tar.gz,zip,tar"]);
    for artifact in run.product()["artifacts"].as_array().unwrap() {
        let server = HttpServer::start();
        let entry = publish(&server, Path::new(artifact.as_str().unwrap()));
        let lists = downloads(&Catalogue::derive(&[entry], &[], &[]), &server.url("/p"));
        server.put("/p/downloads.json", lists["downloads.json"].as_bytes());

        let folder = bench.path("uv");
        let mut uv = Command::new("uv");
        uv.args(["python", "install", "3.14.6", "--no-bin", "--no-config", "--no-cache", "--install-dir"]).arg(&folder);
        uv.args(["--python-downloads-json-url", &server.url("/p/downloads.json")]).env("NO_PROXY", "127.0.0.1");
        output(&mut uv);

        let installed = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let installed: Vec<_> = installed.filter(|path| path.join("bin/python3.14").is_file()).collect();
        let name = installed[0].file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("cpython-3.14.6-"), "{name}");
        // uv unpacks no links from a zip, so there copies stand in their places.
        let is_link = installed[0].join("bin/python3").is_symlink();
        assert_eq!(is_link, !artifact.as_str().unwrap().ends_with(".zip"), "{artifact}");
        let script = "import sys, ssl, tool; print(sys.version.split()[0], tool.answer, sys.prefix)";
        let told = output(Command::new(installed[0].join("bin/python3.14")).args(["-I", "-c", script]));
        assert_eq!(told, format!("3.14.6 42 {}", installed[0].display()));
        fs::remove_dir_all(&folder).unwrap();
    }
}

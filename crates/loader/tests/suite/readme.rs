//! What the README says about extensions, run as it is written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use catalogue::Channel;

use crate::Place;

#[test]
fn the_commands_of_the_readme_build_an_extension_and_run_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").filter_map(|block| block.split("```").next());
    let block = blocks.into_iter().find(|block| block.contains("pydist extension build")).unwrap();
    assert_eq!(block.lines().count(), 3, "{block}");

    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let mut place = Place::new();
    place.runtime = "3.12.10-slim";
    place.program = Some(("bin/python3".to_owned(), format!("#!/bin/sh\nexec '{python}' \"$@\"\n")));
    place.publish("one", 1, Channel::Stable, false);
    let folder = place.folder.path();
    for name in ["README.md", "examples"] {
        symlink(root.join(name), folder.join(name)).unwrap();
    }
    for line in block.lines() {
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("pydist"), "{line}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(words).current_dir(folder).env_clear().env("HOME", folder.join("user")).env("COLUMNS", "400");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let counts = fs::read_to_string(folder.join("counts.csv")).unwrap();
    assert!(counts.starts_with("word,count") && counts.contains("\r\npydist,"), "{counts}");
}

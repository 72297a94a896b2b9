//! The fixtures are what they claim to be: the real `uv`, expected on PATH, resolves against the index and
//! installs from it.

use std::path::Path;
use std::process::Command;

use testkit::{FixtureIndex, WheelBuilder};

fn uv(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("uv")
        .args(arguments)
        .args(["--no-config", "--no-python-downloads", "--cache-dir", "cache", "--color", "never"])
        .current_dir(folder)
        .output()
        .expect("`uv` is on PATH; put the pinned version there before running the tests");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "uv {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn index() -> FixtureIndex {
    let mut index = FixtureIndex::new();
    index
        .add(WheelBuilder::new("demo", "1.0").requires("other>=2").console_script("demo", "demo:main").build())
        .add_yanked(WheelBuilder::new("demo", "1.1").build(), "broken")
        .add(WheelBuilder::new("demo", "1.2").requires_python(">=3.99").build())
        .add(WheelBuilder::new("other", "2.0").build())
        .add(WheelBuilder::new("other", "3.0").tag("cp312-cp312-win_amd64").build());
    index
}

#[test]
fn uv_resolves_against_the_served_index() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.txt"), "demo\n").unwrap();
    let served = index().serve();
    let url = served.simple_url();
    let compile = ["pip", "compile", "in.txt", "--no-header", "--no-annotate", "--python-version", "3.12"];
    let lock = uv(folder.path(), &[&compile[..], &["--default-index", &url]].concat());
    assert_eq!(lock, "demo==1.0\nother==2.0\n");
    let lock = uv(folder.path(), &[&compile[..], &["--default-index", &url, "--python-platform", "windows"]].concat());
    assert_eq!(lock, "demo==1.0\nother==3.0\n");
}

#[test]
fn uv_installs_from_the_index_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    index().write_to(&folder.path().join("index"));
    let url = format!("file://{}/index/simple", folder.path().display());
    uv(folder.path(), &["pip", "install", "--target", "site", "--default-index", &url, "demo"]);
    assert!(folder.path().join("site/demo/__init__.py").is_file());
    assert!(folder.path().join("site/other-2.0.dist-info/RECORD").is_file());
}

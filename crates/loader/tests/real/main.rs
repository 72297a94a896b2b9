//! Distributions with the Pythons of this machine: 3.8 to 3.13 as folders, one as an archive.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod bombs;
mod examples;
mod hdf5_tables;
mod in_place;
mod java_host;
mod many_runs;
#[path = "../../../operator-server/tests/real/virtual_env.rs"]
mod virtual_env;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::is_left_out;

const MINOR_VERSIONS: [&str; 6] = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"];

/// The newest patch release that pyenv has.
fn of_pyenv(minor: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")))?;
    let patch = |folder: &Path| -> Option<u32> {
        folder.file_name()?.to_str()?.strip_prefix(minor)?.strip_prefix('.')?.parse().ok()
    };
    let folders = fs::read_dir(root.join("versions")).ok()?.flatten().map(|item| item.path());
    folders.filter(|folder| folder.join("bin/python3").exists() && patch(folder).is_some()).max_by_key(|it| patch(it))
}

/// What [`virtual_env`] asks for.
mod support {
    use std::path::PathBuf;
    use std::process::Command;

    /// The Python of this machine, and not a script that leads to it.
    pub fn python() -> PathBuf {
        let output =
            Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().into()
    }
}

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::Builder::new().prefix("ü 日本's & 😀 ").tempdir().unwrap());
        for folder in ["res", "dists"] {
            fs::create_dir(site.0.path().join(folder)).unwrap();
        }
        site
    }

    fn prepare(&self, words: &[&str]) -> (Vec<Value>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(["extension", "prepare", "--json"]).args(words).env("COLUMNS", "400");
        // Nothing of it may reach the Python.
        command.env("PYTHONHOME", "/nonexistent").env("PYTHONPATH", "/nonexistent").env("CONDA_PREFIX", "/nonexistent");
        command.env("PYSDK_PEL_DIST_LOC", self.0.path().join("dists"));
        command.env("PYSDK_PEL_RESOURCE_LOC", self.0.path().join("res"));
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_kind = |kind: &str| lines.iter().filter(|line| line["event"] == kind).cloned().collect();
        (of_kind("ready"), text)
    }
}

/// PEL 64, as far as distributions go: the paths hold blanks, accents, other alphabets and signs of the shell.
#[test]
fn pel_64_pythons_of_this_machine_are_distributions_in_any_path() {
    let site = Site::new();
    let mut tried = 0;
    for minor in MINOR_VERSIONS {
        let Some(folder) = of_pyenv(minor) else {
            assert!(minor == "3.8" || is_left_out(&format!("python-{minor}")), "pyenv has no {minor}");
            continue;
        };
        std::os::unix::fs::symlink(&folder, site.0.path().join("dists").join(format!("py-{minor}"))).unwrap();
        let (ready, text) = site.prepare(&[&format!("py:{minor}")]);
        assert_eq!(ready.len(), 1, "{text}");
        let version = ready[0]["facts"]["version"].as_str().unwrap();
        assert!(version.starts_with(&format!("{minor}.")), "{version}");
        assert_eq!(ready[0]["mode"], "local");
        tried += 1;
    }
    assert!(tried > 0 || is_left_out("python-3.12"));
}

/// The archive of a Python of this machine as a distribution, `KEY-3.12`; false where there is none.
fn pack_python(site: &Site, key: &str) -> bool {
    let Some(python) = of_pyenv("3.12") else {
        assert!(is_left_out("python-3.12"), "pyenv has no 3.12");
        return false;
    };
    let archive = site.0.path().join(format!("res/pydist-{key}-3.12-linux.tar.gz"));
    let name = python.file_name().unwrap();
    let renamed = format!("--transform=s,^{},{key}-3.12,", name.to_str().unwrap());
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(python.parent().unwrap()).args(["-I", "gzip -1", "--exclude=site-packages", "--exclude=test"]);
    tar.args(["--exclude=__pycache__", "--exclude=*.a", &renamed, "-cf"]).arg(&archive);
    tar.args(["bin", "lib"].map(|folder| Path::new(name).join(folder)));
    assert!(tar.status().unwrap().success());
    if cfg!(target_os = "macos") {
        fs::rename(&archive, site.0.path().join(format!("res/pydist-{key}-3.12-macos.tar.gz"))).unwrap();
    }
    true
}

/// PEL 64: distribution, extension, cache, folders of calls, files in and out.
#[test]
fn pel_64_installed_from_an_archive_it_runs_with_files_in_and_out_in_any_path() {
    let site = Site::new();
    if !pack_python(&site, "slim") {
        return;
    }
    let path = |below: &str| site.0.path().join(below);
    let source = path("src");
    fs::create_dir(&source).unwrap();
    let original = examples::root().join("examples/extensions/text-tools");
    let toml = fs::read_to_string(original.join("extension.toml")).unwrap().replace("3.12.10-slim", "slim:3.12");
    fs::write(source.join("extension.toml"), toml).unwrap();
    fs::create_dir(source.join("text_tools")).unwrap();
    fs::copy(original.join("text_tools/__init__.py"), source.join("text_tools/__init__.py")).unwrap();
    let pydist = |verb: &str, words: &[&std::ffi::OsStr]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(["extension", verb]).args(words).current_dir(site.0.path()).env("COLUMNS", "400");
        for (key, folder) in [("DIST_LOC", "dists"), ("RESOURCE_LOC", "res"), ("EXT_LOC", "ext")] {
            command.env(format!("PYSDK_PEL_{key}"), path(folder));
        }
        command.env("PYDIST_LOADER_CACHE_DIR", path("cache"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    };
    pydist("build", &[source.as_os_str(), "--out".as_ref(), path("ext").as_os_str()]);
    assert!(path("dists/slim-3.12/bin/python3").exists(), "building has installed it");
    let (text, counts) = (path("in ü 日本's & 😀.txt"), path("out ü 日本's & 😀.csv"));
    fs::write(&text, "ü ü 日本").unwrap();
    let file = |port: &str, path: &Path| {
        let mut word = std::ffi::OsString::from(format!("{port}="));
        word.push(path);
        word
    };
    let (input, output) = (file("texts", &text), file("counts", &counts));
    pydist("run", &["text_tools:count_words".as_ref(), "--in".as_ref(), &input, "--out".as_ref(), &output]);
    assert_eq!(fs::read_to_string(&counts).unwrap(), "word,count\r\nü,2\r\n日本,1\r\n");
    assert_eq!(fs::read_dir(path("cache/runs")).unwrap().count(), 0, "folders of calls are gone");
}

#[test]
fn a_real_python_is_installed_from_its_archive_and_repaired() {
    let site = Site::new();
    if !pack_python(&site, "real") {
        return;
    }
    let installed = site.0.path().join("dists/real-3.12");
    let (ready, text) = site.prepare(&["real:3.12"]);
    assert_eq!((&ready[0]["installed"], &ready[0]["mode"]), (&true.into(), &"archive".into()), "{text}");
    assert_eq!(Path::new(ready[0]["facts"]["prefix"].as_str().unwrap()), installed.canonicalize().unwrap());
    assert_eq!(site.prepare(&["real:3.12"]).0[0]["installed"], false);
    fs::write(installed.join("lib/python3.12/json/__init__.py"), "raise SystemExit(1)").unwrap();
    let (ready, text) = site.prepare(&["real:3.12"]);
    assert_eq!(ready[0]["installed"], true, "{text}");
    assert!(text.contains("W_DIST_REPAIRED") && text.contains("json/__init__.py"), "{text}");
}

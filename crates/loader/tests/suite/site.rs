//! A machine with folders for extensions, archives and distributions, and archives of a Python that is a shell script.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

/// Answers as a Python does that is asked about itself.
pub const PYTHON: &str = "#!/bin/sh\necho '{\"version\": \"3.12.1\", \"system\": \"linux\", \"processor\": \"x86_64\", \
                          \"prefix\": \"/x\"}'\n";

pub struct Site(pub tempfile::TempDir);

impl Site {
    pub fn new() -> Self {
        Self::in_folder("")
    }

    /// In a folder whose name begins so.
    pub fn in_folder(prefix: &str) -> Self {
        let site = Self(tempfile::Builder::new().prefix(prefix).tempdir().unwrap());
        for folder in ["ext", "res", "home"] {
            fs::create_dir(site.path(folder)).unwrap();
        }
        site
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub fn write(&self, below: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `pydist extension …` with the folders of this site and no environment.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.arg("extension").args(words).env_clear().env("HOME", self.path("home")).env("COLUMNS", "400");
        for (key, folder) in [("EXT_LOC", "ext"), ("RESOURCE_LOC", "res"), ("DIST_LOC", "dists")] {
            command.env(format!("PYSDK_PEL_{key}"), self.path(folder));
        }
        command
    }

    pub fn run(&self, words: &[&str]) -> (i32, String, String) {
        told(&self.command(words).output().unwrap())
    }

    /// Lines of `--json`.
    pub fn json(&self, words: &[&str]) -> Vec<Value> {
        let output = self.command(words).arg("--json").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn extension(&self, name: &str, namespace: &str, environment: &str, more: &[(&str, &[u8])]) -> PathBuf {
        let descriptor = json!({
            "extension": {
                "name": "Sample", "namespace": namespace, "version": "1.0.0", "module": "mod",
                "environment": environment, "dependencies": [],
            },
            "operators": { "run": { "parameters": [{ "type": "integer", "name": "count", "default": 1 }] } },
        });
        let descriptor = descriptor.to_string();
        let mut files = vec![("extension.json", descriptor.as_bytes()), ("mod/__init__.py", b"")];
        files.extend(more);
        self.zip(&format!("ext/{name}"), &files)
    }

    pub fn zip(&self, below: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        self.write(below, zip.finish().unwrap().into_inner())
    }

    /// Ends in `.tar` or `.tar.gz`.
    pub fn tar(&self, below: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            header.set_mtime(1_700_000_000);
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        let mut bytes = tar.into_inner().unwrap();
        if below.ends_with(".gz") {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        self.write(below, bytes)
    }

    /// Whether only what was finished is there.
    pub fn assert_tidy(&self) {
        let names = |folder: &Path| -> Vec<String> {
            let items = fs::read_dir(folder).into_iter().flatten();
            items.map(|item| item.unwrap().file_name().to_string_lossy().into_owned()).collect()
        };
        let left: Vec<_> = names(&self.path("dists")).into_iter().filter(|name| name.starts_with(".stage")).collect();
        assert_eq!(left, [""; 0]);
    }
}

/// Exit code, standard output, standard error.
pub fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The exit code is `code`, nothing was printed as a result, and every word stands in the error.
pub fn assert_refused((code, stdout, stderr): &(i32, String, String), expected: i32, words: &[&str]) {
    assert_eq!((*code, stdout.as_str()), (expected, ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in: {stderr}");
    }
}

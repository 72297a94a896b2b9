//! A pydist repository in a temporary folder: `shared-config.json` and `python-<version>/` folders.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Deleted when dropped.
pub struct TestRepository {
    folder: tempfile::TempDir,
}

impl TestRepository {
    /// A repository with an empty shared configuration and no version.
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().expect("temporary folders can be made") };
        repository.shared(&json!({}));
        repository
    }

    /// The folder of the repository.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces `shared-config.json`.
    pub fn shared(&self, config: &Value) -> &Self {
        self.file("shared-config.json", pretty(config))
    }

    /// `python-<version>/config.json`, and a `package.json` as the workspace has it.
    pub fn version(&self, version: &str, config: &Value) -> &Self {
        let package = json!({
            "name": format!("pydist-python-{version}"),
            "description": format!("Python {version} for tests"),
            "scripts": { "build": format!("cargo run -p builder -- {version}") },
        });
        self.file(&format!("python-{version}/package.json"), pretty(&package))
            .file(&format!("python-{version}/config.json"), pretty(config))
    }

    /// Any file, relative to the repository; folders are made.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("it lies in the repository")).expect("folders can be made");
        fs::write(path, content).expect("the file can be written");
        self
    }

    /// A path below the repository; need not exist.
    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }
}

impl Default for TestRepository {
    fn default() -> Self {
        Self::new()
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_its_two_files() {
        let repository = TestRepository::new();
        repository.version("3.12.10", &json!({ "packages": {} }));
        for path in ["shared-config.json", "python-3.12.10/config.json", "python-3.12.10/package.json"] {
            let text = fs::read_to_string(repository.at(path)).unwrap();
            assert!(serde_json::from_str::<Value>(&text).unwrap().is_object(), "for {path}");
        }
    }
}

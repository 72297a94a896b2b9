//! Extension zips for tests.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

/// Extensions are written into it.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A zip of these files.
    pub fn zip(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let path = self.path().join(name);
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    /// An extension of this descriptor, with its module.
    pub fn extension(&self, name: &str, descriptor: &Value, more: &[(&str, &[u8])]) -> PathBuf {
        let module = descriptor["extension"]["module"].as_str().unwrap_or("mod");
        let text = descriptor.to_string();
        let init = format!("{module}/__init__.py");
        let mut files = vec![("extension.json", text.as_bytes()), (&*init, b"def run(x):\n    return x\n")];
        files.extend(more);
        self.zip(name, &files)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

pub fn descriptor(namespace: &str, version: &str) -> Value {
    json!({
        "extension": {
            "name": "Sample", "namespace": namespace, "version": version, "module": format!("mod_{namespace}"),
            "environment": "custom:1.0.0", "license": "MIT", "sdk_version": "1.1.0", "dependencies": [],
        },
        "operators": {
            "run": {
                "name": "Run", "implementation": "run",
                "parameters": [
                    { "type": "integer", "name": "count", "description": "How many.", "categories": null, "default": 3 },
                    {
                        "type": "category", "name": "kind", "categories": ["A", "B"], "optional": true,
                        "conditions": [["!=", "count", 0]],
                    },
                ],
                "inputs": [{ "name": "x", "type": "pandas.DataFrame" }],
                "outputs": [{ "name": "result", "type": "pandas.DataFrame" }],
            },
        },
    })
}

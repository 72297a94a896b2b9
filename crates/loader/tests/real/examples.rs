//! The extensions of `examples/`, built, on a Python with what they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub struct Examples(tempfile::TempDir);

impl Examples {
    pub fn new() -> Self {
        let python = crate::virtual_env::python_with("newest-with-arrow", &["pandas", "pyarrow"]);
        Self::on(&python, &["text-tools", "table-tools"])
    }

    /// Some of them on this Python, in folders whose names hold blanks, accents, other alphabets and signs of the shell.
    pub fn on(python: &Path, names: &[&str]) -> Self {
        let examples = Self(tempfile::Builder::new().prefix("ü 日本's & 😀 ").tempdir().unwrap());
        let environment = python.parent().unwrap().parent().unwrap();
        fs::create_dir(examples.path().join("dists")).unwrap();
        for name in ["3.12.10", "3.12.10-slim", "3.12.10-hdf5"] {
            std::os::unix::fs::symlink(environment, examples.path().join("dists").join(name)).unwrap();
        }
        for name in names {
            let folder = root().join("examples/extensions").join(name);
            let mut command = examples.command("build");
            command.arg(folder).arg("--out").arg(examples.path().join("ext"));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        examples
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Options of `pydist extension` for its folders.
    pub fn options(&self) -> Vec<String> {
        let option =
            |(key, folder): (&str, &str)| ["-D".to_owned(), format!("{key}={}", self.path().join(folder).display())];
        let folders = [
            ("pysdk.pel.extLoc", "ext"),
            ("pysdk.pel.distLoc", "dists"),
            ("pysdk.pel.resourceLoc", "res"),
            ("loader.cacheDir", "cache"),
        ];
        folders.into_iter().flat_map(option).collect()
    }

    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(["extension", verb]).args(self.options()).env("COLUMNS", "400");
        command
    }

    pub fn run(&self, operator: &str, words: &[String]) {
        let output = self.command("run").arg(operator).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Command lines of the servers that run with this cache. Linux alone can tell.
    pub fn servers(&self) -> Vec<String> {
        let cache = self.path().join("cache").display().to_string();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&cache) && line.contains("operator-server-")).collect()
    }
}

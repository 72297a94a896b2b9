//! A repository in a temporary folder with one runtime, 3.12.10.

use std::fs;
use std::path::Path;
use std::process::Command;

use config_merger::{Config, ConfigFaults, LoadOptions, LoadedConfig, Repository};
use serde_json::Value;

pub const STRICT: LoadOptions = LoadOptions { strict: true, lenient: false };
pub const LENIENT: LoadOptions = LoadOptions { strict: false, lenient: true };

pub struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    pub fn new(shared: &Value, own: &Value) -> Self {
        Self::empty().file("shared-config.json", pretty(shared)).file("python-3.12.10/config.json", pretty(own))
    }

    /// Only the folder of the runtime.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("python-3.12.10")).unwrap();
        Self { folder }
    }

    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn load(&self, options: LoadOptions) -> Result<LoadedConfig, ConfigFaults> {
        config_merger::load(&Repository::at(self.path()), &"3.12.10".parse().unwrap(), &options)
    }
}

/// What must load without a fault.
pub fn loaded(shared: &Value, own: &Value) -> LoadedConfig {
    Case::new(shared, own).load(LoadOptions::default()).unwrap_or_else(|faults| panic!("{faults}"))
}

pub fn merged(shared: &Value, own: &Value) -> Config {
    loaded(shared, own).config
}

/// What must not load.
pub fn faults(shared: &Value, own: &Value) -> ConfigFaults {
    Case::new(shared, own).load(LoadOptions::default()).expect_err("a fault")
}

/// The general list as text.
pub fn dependencies(config: &Config) -> Vec<&str> {
    config.packages.dependencies.iter().map(|requirement| requirement.text.as_str()).collect()
}

pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The real program: its exit code and both outputs as one text, the repository's place left out.
pub fn program(repository: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_config-merger"));
    command.current_dir(repository).args(arguments).env_clear();
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n").replace(".exe", "");
        let canonical = fs::canonicalize(repository).unwrap();
        text.replace(&*canonical.to_string_lossy(), "[REPOSITORY]")
            .replace(&*repository.to_string_lossy(), "[REPOSITORY]")
    };
    let code = output.status.code().expect("it ends by itself");
    let arguments = arguments.join(" ");
    let (out, err) = (text(output.stdout), text(output.stderr));
    format!("$ config-merger {arguments}\nexit code {code}\n--- stdout\n{out}--- stderr\n{err}")
}

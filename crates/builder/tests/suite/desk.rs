//! The builder on a small repository, as a person sees it: command, exit code, standard output and standard error. Needs
//! neither network, uv nor Python.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;
use testkit::TestRepository;
use vocab::PlatformKey;

/// A repository with two versions, and a store that stays empty.
pub struct Desk {
    pub repository: TestRepository,
    pub folder: tempfile::TempDir,
    /// What is said depends on the machine, so its platform is hidden.
    pub hides_host: bool,
}

impl Desk {
    pub fn new() -> Self {
        let repository = TestRepository::new();
        repository.version("3.12.10", &json!({ "packages": { "dependencies": ["demo==1.0"] } }));
        repository.version("3.12.10-atls", &json!({}));
        Self { repository, folder: tempfile::tempdir().unwrap(), hides_host: true }
    }

    /// The command line is split at blanks.
    pub fn run(&self, line: &str) -> String {
        self.run_with(line, &[])
    }

    /// As a snapshot shows it, with the folders of this machine named.
    pub fn run_with(&self, line: &str, environment: &[(&str, &str)]) -> String {
        let store = self.folder.path().join("store");
        let mut command = Command::new(env!("CARGO_BIN_EXE_builder"));
        command.args(line.split_whitespace()).current_dir(self.repository.path()).stdin(Stdio::null());
        // Nothing can be started: what is shown here comes from the builder alone.
        command.env_clear().env("PATH", self.folder.path()).env("PYDIST_STORE", &store).envs(environment.to_vec());
        #[cfg(windows)]
        command.env("SystemRoot", std::env::var_os("SystemRoot").unwrap_or_default());
        let output = command.output().unwrap();
        let mut text = format!("$ builder {line}\n");
        for (name, value) in environment {
            text.insert_str(2, &format!("{name}={value} "));
        }
        let _ = writeln!(text, "exit {}", output.status.code().unwrap());
        for (name, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            if !bytes.is_empty() {
                let _ = writeln!(text, "--- {name}\n{}", String::from_utf8(bytes).unwrap().trim_end());
            }
        }
        self.redacted(&text)
    }

    pub fn redacted(&self, text: &str) -> String {
        // In the words of this system.
        let absent = std::io::Error::from_raw_os_error(2).to_string();
        let text = text.replace(".exe", "").replace(&absent, "No such file or directory (os error 2)");
        // JSON doubles the backslash.
        let slashes = |text: &str| text.replace(r"\\", "/").replace('\\', "/");
        let mut text = if cfg!(windows) { slashes(&text) } else { text };
        for (folder, name) in [(self.repository.path(), "<repository>"), (self.folder.path(), "<folder>")] {
            let canonical = folder.canonicalize().unwrap();
            for path in [canonical.as_path(), folder] {
                let path = path.to_str().unwrap();
                text = text.replace(&if cfg!(windows) { slashes(path) } else { path.to_owned() }, name);
            }
        }
        let host = PlatformKey::host().unwrap();
        for place in if self.hides_host { &["for ", "on ", "pydist/"][..] } else { &[] } {
            text = text.replace(&format!("{place}{host}"), &format!("{place}<host>"));
        }
        text.lines().map(|line| without_what_varies(line) + "\n").collect()
    }

    pub fn shared(&self, text: &str) {
        self.repository.file("shared-config.json", text);
    }

    pub fn version(&self, text: &str) {
        self.repository.file("python-3.12.10/config.json", text);
    }
}

/// `done: read the configuration, 3 ms` takes another time each run; an artifact's name ends with the platform.
fn without_what_varies(line: &str) -> String {
    let cut = |at: &str, end: char, instead: &str| {
        let (head, rest) = line.split_once(at)?;
        Some(format!("{head}{at}{}{instead}", rest.split(end).next()?))
    };
    cut("  done: ", ',', "")
        .or_else(|| line.starts_with("artifact").then(|| cut("pydist-python-", '-', "-<platform>.tar.zst"))?)
        .unwrap_or_else(|| line.to_owned())
}

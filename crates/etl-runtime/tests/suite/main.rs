//! The program in a pod of scripts: what it checks, asks for and starts, with nothing but a shell behind it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod ahead;
mod decisions;
mod installing;
mod settings;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with a runtime whose interpreter, and a `PATH` whose programs, only write down how they were called.
pub struct ScriptPod {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    /// Of those that every pod has.
    unset: Vec<String>,
}

/// What a run of the program printed and how it ended.
pub struct PodRun {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Calls in their order: `apk add --no-cache a`.
    pub calls: Vec<String>,
}

impl Default for ScriptPod {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptPod {
    /// Python 3.12 with six 1.17.0, a payload and a target; no package manager and no uv.
    pub fn new() -> Self {
        let pod = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new(), unset: Vec::new() };
        let info = "runtime/lib/python3.12/site-packages/six-1.17.0.dist-info/METADATA";
        testkit::write(pod.root(), info, "Metadata-Version: 2.1\nName: six\nVersion: 1.17.0\n");
        pod.script("runtime/bin/python3", "server");
        fs::create_dir_all(pod.root().join("path")).unwrap();
        pod.set("ETL_CLASS_PAYLOAD", "aGVsbG8=").set("AIS_TARGET_URL", "http://target.example.com/v1")
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// Removes one of the variables that every pod of the tests has.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.unset.push(name.to_owned());
        self
    }

    /// Puts a program on `PATH`: it writes down its call, then does `body`.
    #[must_use]
    pub fn with(self, name: &str, body: &str) -> Self {
        self.script_doing(&format!("path/{name}"), name, body);
        self
    }

    fn script(&self, path: &str, name: &str) {
        self.script_doing(path, name, "");
    }

    fn script_doing(&self, path: &str, name: &str, body: &str) {
        let log = self.log();
        let text = format!("#!/bin/sh\necho {name} \"$@\" >>'{}'\n{body}\n", log.display());
        let path = testkit::write(self.root(), path, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.root().join("calls")
    }

    pub fn run(&self, arguments: &[&str]) -> PodRun {
        self.ran(&mut self.command(arguments))
    }

    fn ran(&self, command: &mut Command) -> PodRun {
        let _ = fs::remove_file(self.log());
        let output = command.output().unwrap();
        let calls = fs::read_to_string(self.log()).unwrap_or_default();
        let Output { status, stdout, stderr } = output;
        PodRun {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            calls: calls.lines().map(str::to_owned).collect(),
        }
    }

    /// With a folder below its own that cannot be written: for root a read-only mount, since root may write whatever the modes say.
    pub fn run_beside_read_only(&self, folder: &str) -> PodRun {
        let folder = self.root().join(folder);
        let command = self.command(&[]);
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut wrapped = if is_root {
            let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec env -i \"$@\"";
            let mut wrapped = Command::new("unshare");
            wrapped.args(["--mount", "sh", "-c", script]).arg(folder);
            wrapped
        } else {
            assert!(Command::new("chmod").args(["-R", "a-w"]).arg(folder).status().unwrap().success());
            let mut wrapped = Command::new("env");
            wrapped.arg("-i");
            wrapped
        };
        for (name, value) in command.get_envs() {
            wrapped.arg(format!("{}={}", name.display(), value.unwrap_or_default().display()));
        }
        wrapped.arg(command.get_program()).current_dir(self.root());
        self.ran(&mut wrapped)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl-runtime"));
        let path = format!("{}:/usr/bin:/bin", self.root().join("path").display());
        command.args(arguments).current_dir(self.root()).env_clear();
        // `apt-get` of this machine must not answer for the pod's.
        let tools = self.root().join("tools");
        let _ = fs::create_dir(&tools);
        for tool in ["sh", "mkdir", "cat", "echo"] {
            let found =
                ["/bin", "/usr/bin"].iter().map(|folder| Path::new(folder).join(tool)).find(|path| path.exists());
            let _ = std::os::unix::fs::symlink(found.unwrap(), tools.join(tool));
        }
        let path = path.replace("/usr/bin:/bin", &tools.display().to_string());
        command.env("PATH", path).env("HOME", self.root()).env("TMPDIR", self.root());
        command.env("ETL_PYTHON", self.root().join("runtime/bin/python3"));
        command.env("ETL_WORK", self.root().join("work"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        for name in &self.unset {
            command.env_remove(name);
        }
        command
    }
}

impl PodRun {
    /// The program refused: with this code, in a first line that begins so, and without starting anything.
    #[track_caller]
    pub fn refused(&self, code: i32, line: &str) {
        let first = self.stderr.lines().next().unwrap_or_default();
        assert!(first.contains(line), "{first}");
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.calls, [""; 0]);
    }
}

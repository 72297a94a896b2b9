//! The program as a user runs it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use testkit::S3Server;

/// A folder to work in, and the program in it.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub variables: Vec<(&'static str, String)>,
    pub to: String,
    /// Nothing is said of where to.
    pub unsaid: bool,
}

/// How it ended.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub told: String,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("published").display().to_string();
        Self { folder, variables: vec![("SOURCE_DATE_EPOCH", "1764000000".to_owned())], to, unsaid: false }
    }

    pub fn on(server: &str) -> Self {
        let mut bench = Self::new();
        bench.variables.extend(S3Server::variables_for(server, S3Server::SECRET));
        bench.to = format!("s3://{}/p", S3Server::BUCKET);
        bench
    }

    pub fn dist(&self) -> PathBuf {
        self.folder.path().join("dist")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_publisher"));
        // Nothing of this machine's own settings; home and folder are empty.
        command.env_clear().env("HOME", self.folder.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).args(arguments);
        if !self.unsaid {
            command.args(["--to", &self.to]);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        told(&self.command(arguments).output().unwrap())
    }

    pub fn good(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.out, run.told);
        run
    }

    /// Path of what the first row of the catalogue points at.
    pub fn path_of(&self, pointer: &str) -> PathBuf {
        let key = self.catalogue()["entries"][0].pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Path::new(&self.to).join(key)
    }

    /// What is signed.
    pub fn edition(&self) -> Value {
        let text = fs::read(Path::new(&self.to).join("catalogue.signed.json")).unwrap();
        let signed: Value = serde_json::from_slice(&text).unwrap();
        serde_json::from_str(signed["edition"].as_str().unwrap()).unwrap()
    }

    pub fn catalogue(&self) -> Value {
        serde_json::from_slice(&fs::read(Path::new(&self.to).join("catalogue.json")).unwrap()).unwrap()
    }
}

pub fn told(output: &Output) -> Run {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let run = Run { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), told: text(&output.stderr) };
    for secret in [S3Server::SECRET, S3Server::KEY, "correct-horse"] {
        assert!(!run.out.contains(secret) && !run.told.contains(secret), "a secret is told: {}{}", run.out, run.told);
    }
    run
}

pub fn files_below(folder: &Path) -> BTreeSet<String> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().filter(|it| it.file_type().is_file());
    files.map(|it| it.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned()).collect()
}

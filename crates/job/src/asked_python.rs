//! An interpreter that is asked about a job, in processes that shut themselves in where this machine can do that.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use process::{Invocation, ProcessErrorKind};
use serde_json::{Value, json};
use store::Context;

use crate::job_error::JobError;
use crate::kept_room;
use crate::question_server::{QuestionEnd, QuestionServer};

const SCRIPTS: [(&str, &str); 8] = [
    ("pydist_main.py", include_str!("../python/pydist_main.py")),
    ("pydist_server.py", include_str!("../python/pydist_server.py")),
    ("pydist_sandbox.py", include_str!("../python/pydist_sandbox.py")),
    ("pydist_commands.py", include_str!("../python/pydist_commands.py")),
    ("pydist_probe.py", include_str!("../python/pydist_probe.py")),
    ("pydist_back_end.py", include_str!("../python/pydist_back_end.py")),
    ("pydist_wheel.py", include_str!("../python/pydist_wheel.py")),
    ("pydist_verify.py", include_str!("../python/pydist_verify.py")),
];
/// What `pydist_main.py` ends with where there is no sandbox.
const NO_SANDBOX: i32 = 97;
/// In bytes.
const LARGEST_ANSWER: u64 = 64 << 20;

/// How a question ended.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Value),
    /// Python ended without one: the exit code, and the end of what was printed.
    Ended {
        code: Option<i32>,
        output: String,
    },
    TimedOut,
}

/// Our scripts and the questions, in a folder where code of a job cannot change them: they are read outside of the sandbox.
#[derive(Debug)]
pub(crate) struct AskedScripts {
    /// Without links.
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl AskedScripts {
    pub fn write(context: &Context) -> Result<Self, JobError> {
        let folder = context.store.scratch_dir("asked-").map_err(JobError::disk("write", context.store.root()))?;
        let root = fs::canonicalize(folder.path()).map_err(JobError::disk("read", folder.path()))?;
        for (name, text) in SCRIPTS {
            let path = root.join(name);
            fs::write(&path, text).map_err(JobError::disk("write", &path))?;
        }
        Ok(Self { root, _folder: folder })
    }

    pub fn folder(&self) -> &Path {
        &self.root
    }
}

/// An interpreter that is asked, and the folder where it may write.
pub(crate) struct AskedPython<'a> {
    pub python: &'a Path,
    pub environment: &'a [(OsString, OsString)],
    /// The folder of its environment, if that is kept; see [`kept_room`].
    pub kept: Option<&'a Path>,
    /// Of [`AskedScripts`].
    pub scripts: &'a Path,
    pub root: &'a Path,
    /// Its working directory.
    pub folder: &'a Path,
    /// What it must not be able to change, where there is a sandbox.
    pub shielded: &'a [PathBuf],
    /// What answers in its place, and what of the environment that imports beforehand.
    pub server: Option<(&'a QuestionServer, &'static str)>,
}

impl AskedPython<'_> {
    /// Starts what answers in its place, if anything does.
    pub fn start_server(&self, context: &Context) -> Result<(), JobError> {
        let Some((server, imports)) = self.server else { return Ok(()) };
        Ok(server.start(context, &self.serving(imports))?)
    }

    fn serving(&self, imports: &str) -> Invocation {
        // The folder of a question is made anew between two.
        self.invocation(self.scripts).args(["--serve", imports])
    }

    /// Our program in this interpreter, with arguments still to come.
    fn invocation(&self, folder: &Path) -> Invocation {
        let mut invocation = Invocation::new(self.python, folder)
            .args(["-I", "-B"])
            .args(self.kept.into_iter().flat_map(kept_room::byte_code))
            .arg(self.scripts.join("pydist_main.py"));
        invocation.clear_environment = true;
        invocation.environment = self.environment.to_vec();
        invocation
    }

    /// Whether a reply says that this machine has no sandbox. Code of a job can end so as well.
    pub fn has_no_sandbox(reply: &Reply) -> bool {
        matches!(reply, Reply::Ended { code: Some(NO_SANDBOX), .. })
    }

    /// Asks one question; see `pydist_main.py`.
    pub fn ask(&self, context: &Context, mut question: Value, limit: Duration) -> Result<Reply, JobError> {
        let (asked, answer) = (self.scripts.join("question.json"), self.root.join("answer.json"));
        if let Value::Object(question) = &mut question {
            question.insert("writable".to_owned(), json!([self.root]));
            question.insert("shielded".to_owned(), json!(self.shielded));
            question.insert("folder".to_owned(), json!(self.folder));
            question.insert("answer".to_owned(), json!(answer));
        }
        fs::write(&asked, question.to_string()).map_err(JobError::disk("write", &asked))?;
        let _ = fs::remove_file(&answer);
        let (code, output) = match self.server {
            Some((server, imports)) => match server.ask(context, &self.serving(imports), &asked, limit)? {
                QuestionEnd::Ended { code, output } => (code, output),
                QuestionEnd::TimedOut => return Ok(Reply::TimedOut),
            },
            None => {
                let invocation = self.invocation(self.folder).arg(&asked).timeout(Some(limit));
                match process::run(context, &invocation) {
                    Ok(finished) => (finished.code, format!("{}{}", finished.stdout_text(), finished.stderr_text())),
                    Err(error) if matches!(error.kind, ProcessErrorKind::TimedOut { .. }) => {
                        return Ok(Reply::TimedOut);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let lines: Vec<&str> = output.lines().collect();
        let ended = Reply::Ended { code, output: lines[lines.len().saturating_sub(40)..].join("\n") };
        if code != Some(0) {
            return Ok(ended);
        }
        // Written by code of the job, as far as that goes: a link or a pipe is not read, and not more than is due.
        let is_link = fs::symlink_metadata(&answer).is_ok_and(|it| it.file_type().is_symlink());
        let text = |path: &Path| -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            vocab::open_regular(path)?.take(LARGEST_ANSWER).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let read = text(&answer).ok().filter(|_| !is_link).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(read.map_or(ended, Reply::Answer))
    }
}

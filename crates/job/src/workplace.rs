//! Where code of a job runs: a copy of its folder, an environment of ours, a time limit, and a sandbox if this machine has
//! one. Everything lies in a throw-away folder.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use resolve::{AnsweredQuestions, Uv};
use serde_json::{Value, json};
use source_build::{BuildTools, SourceBuild, SourceInput};
use store::Context;
use vocab::{DistributionName, PythonVersion};

use crate::asked_python::{AskedPython, AskedScripts, Reply};
use crate::job_back_end::JobBackEnd;
use crate::job_copy::JobCopy;
use crate::job_error::JobError;
use crate::job_folder::JobFolder;
use crate::kept_room::{self, EnteredRoom};
use crate::question_server::QuestionServer;
use crate::target_python;

/// A place for the code of one job. Dropped, it is gone.
#[derive(Debug)]
pub struct Workplace {
    /// Ends before its folder goes.
    server: QuestionServer,
    scripts: AskedScripts,
    folder: tempfile::TempDir,
    /// Without links.
    root: PathBuf,
    room: EnteredRoom,
    /// In its place where nothing shuts code of the job in.
    own_room: OnceCell<EnteredRoom>,
    indexes: Vec<(String, bool)>,
    job: PathBuf,
    copy: JobCopy,
    back_end: JobBackEnd,
    /// Names and texts of files that are in the copy alone.
    generated: Vec<(String, String)>,
    /// The interpreter's own.
    pub python: PythonVersion,
    /// Whether code of the job was shut in. Known after the first question.
    pub sandboxed: std::cell::Cell<bool>,
}

impl Workplace {
    /// Copies the job and makes the environment, with setuptools and what the back end requires; nothing of the job runs.
    /// `indexes`: those beside the default one, and whether each is only a folder of files.
    pub fn make(
        context: &Context,
        job: &JobFolder,
        python: PythonVersion,
        back_end: &JobBackEnd,
        indexes: &[(String, bool)],
    ) -> Result<Self, JobError> {
        let store = context.store.root().to_owned();
        let folder = context.store.scratch_dir("job-").map_err(JobError::disk("write", &store))?;
        let root = fs::canonicalize(folder.path()).map_err(JobError::disk("read", folder.path()))?;
        let (room, python) = entered(context, python, back_end, indexes, &root, kept_room::enter)?;
        let place = Self {
            server: QuestionServer::default(),
            scripts: AskedScripts::write(context)?,
            job: job.root().to_owned(),
            copy: JobCopy::at(root.join("job")),
            python,
            back_end: back_end.clone(),
            generated: Vec::new(),
            room,
            own_room: OnceCell::new(),
            indexes: indexes.to_vec(),
            folder,
            root,
            sandboxed: true.into(),
        };
        // It imports while the job is copied and looked at.
        place.asked(&place.shielded(), |asked| asked.start_server(context))?;
        place.lay_out(job)?;
        Ok(place)
    }

    /// What makes the job's archive.
    pub(crate) fn back_end(&self) -> &JobBackEnd {
        &self.back_end
    }

    /// Keeps everything in the place; the path of its folder.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Adds a file that the job packs but does not hold.
    pub(crate) fn generate(&mut self, name: &str, text: String) -> Result<(), JobError> {
        let path = self.copy().join(name);
        fs::write(&path, &text).map_err(JobError::disk("write", &path))?;
        self.generated.push((name.to_owned(), text));
        Ok(())
    }

    /// Makes the copy anew: code of the job may have changed it.
    pub(crate) fn lay_out(&self, job: &JobFolder) -> Result<(), JobError> {
        let copy = self.copy();
        self.copy.lay_out(job).map_err(JobError::disk("copy the job to", &copy))?;
        for (name, text) in &self.generated {
            let path = copy.join(name);
            fs::write(&path, text).map_err(JobError::disk("write", &path))?;
        }
        Ok(())
    }

    /// Frees memory: what was remembered of each file of the copy.
    pub(crate) fn forget_copy(&self) {
        self.copy.forget();
    }

    /// The copy of the job.
    pub fn copy(&self) -> PathBuf {
        self.copy.root().to_owned()
    }

    /// A folder for what questions make.
    pub fn output(&self) -> PathBuf {
        self.root.join("output")
    }

    /// The program of its environment, of the target's minor version.
    pub fn interpreter(&self) -> &Path {
        &self.room().room.python
    }

    fn room(&self) -> &EnteredRoom {
        self.own_room.get().unwrap_or(&self.room)
    }

    /// A folder for what the source archive holds.
    pub(crate) fn unpacked(&self) -> PathBuf {
        self.root.join("unpacked")
    }

    /// Asks one question; see `pydist_main.py`.
    pub(crate) fn ask(&self, context: &Context, question: &Value, limit: Duration) -> Result<Reply, JobError> {
        let reply = self.ask_once(context, question, limit)?;
        let ended_so = AskedPython::has_no_sandbox;
        // Code of the job can end so as well, so that a question without any decides.
        if !ended_so(&reply) || !ended_so(&self.ask_once(context, &json!({"ask": "nothing"}), limit)?) {
            return Ok(reply);
        }
        self.sandboxed.set(false);
        if self.room.kept.is_some() {
            // Code of the job could change what other jobs are asked in.
            let (room, _) =
                entered(context, self.python, &self.back_end, &self.indexes, &self.root, kept_room::throw_away)?;
            let _ = self.own_room.set(room);
        }
        self.ask_once(context, question, limit)
    }

    fn ask_once(&self, context: &Context, question: &Value, limit: Duration) -> Result<Reply, JobError> {
        let mut whole = json!({"sandbox": self.sandboxed.get(), "output": self.output()});
        for part in [self.back_end.question(), question.clone()] {
            if let (Value::Object(whole), Value::Object(part)) = (&mut whole, part) {
                whole.extend(part);
            }
        }
        self.asked(&self.shielded(), |asked| asked.ask(context, whole, limit))
    }

    fn shielded(&self) -> Vec<PathBuf> {
        let scripts = self.scripts.folder().to_owned();
        self.room().kept.iter().chain([&self.job, &scripts]).cloned().collect()
    }

    fn asked<T>(&self, shielded: &[PathBuf], act: impl FnOnce(&AskedPython<'_>) -> T) -> T {
        let EnteredRoom { room, kept } = self.room();
        let imports = if self.back_end.is_setuptools() { "setuptools" } else { "" };
        // Code of a job that nothing shuts in could reach it.
        let is_served = cfg!(target_os = "linux") && kept.is_some() && self.sandboxed.get();
        act(&AskedPython {
            python: &room.python,
            environment: &room.environment,
            kept: kept.as_deref(),
            scripts: self.scripts.folder(),
            root: &self.root,
            folder: &self.copy(),
            shielded,
            server: is_served.then_some((&self.server, imports)),
        })
    }
}

/// How a room is had.
type Enter = fn(&Context, &SourceBuild<'_>, &BuildTools<'_>, &Path) -> Result<EnteredRoom, JobError>;

/// A room with home and temporary files below `root`, and its interpreter's own version.
fn entered(
    context: &Context,
    python: PythonVersion,
    back_end: &JobBackEnd,
    indexes: &[(String, bool)],
    root: &Path,
    enter: Enter,
) -> Result<(EnteredRoom, PythonVersion), JobError> {
    let base = target_python::base(context, python)?;
    let program = base.layout.interpreter().below(&base.root);
    let uv = Uv::find(context, &program, &AnsweredQuestions::default())?;
    let registries: Vec<String> = indexes.iter().map(|(address, _)| address.clone()).collect();
    let build = SourceBuild {
        name: "job".parse::<DistributionName>().expect("a valid name"),
        version: None,
        source: SourceInput::Folder { path: root },
        python: &program,
        layout: base.layout,
        system: None,
        base_identity: base.identity,
        base_has_headers: base.has_headers(),
        build_requires: target_python::build_requires(base.layout.python, &back_end.requires),
        build_constraints: Vec::new(),
        config_settings: Vec::new(),
        package_root: root,
        pass_environment: &[],
        registries: &registries,
        within: Vec::new(),
        timeout: context.timeout,
        logs: root,
    };
    let room = enter(context, &build, &BuildTools { uv: &uv, registries: indexes.to_vec() }, root)?;
    Ok((room, base.layout.python))
}

impl AsRef<Path> for Workplace {
    fn as_ref(&self) -> &Path {
        self.folder.path()
    }
}

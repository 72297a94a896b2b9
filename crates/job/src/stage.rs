//! What Beam's stager would upload: the source archive, normalised, with what the configuration adds to it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use store::Context;
use vocab::Digest;

use crate::check::{CheckReport, CheckRequest};
use crate::config_text;
use crate::job_error::JobError;
use crate::job_folder::{JobFolder, inside};
use crate::secrets::without_secrets;
use crate::workflow;
use crate::workplace::Workplace;

/// The name that Beam gives the archive.
pub const WORKFLOW: &str = "workflow.tar.gz";

/// What was staged.
#[derive(Debug, Serialize)]
pub struct Staged {
    pub folder: PathBuf,
    /// By name, in the order of Beam's stager.
    pub files: Vec<StagedFile>,
    /// The folder in the archive, `name-version`.
    pub top: String,
    pub members: usize,
    /// What Beam's stager would add and this does not yet: packages of a requirements file, files at addresses.
    pub left_out: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct StagedFile {
    pub name: String,
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

/// Makes the archive from the checked job, and lays everything out in `out/staged`, which is replaced as a whole.
///
/// # Errors
/// If the build back end fails, or the disk does.
pub fn stage(
    context: &Context,
    folder: &JobFolder,
    report: &CheckReport,
    place: &Workplace,
    request: &CheckRequest,
    out: &Path,
) -> Result<Staged, JobError> {
    fs::create_dir_all(out).map_err(JobError::disk("make", out))?;
    let staging = tempfile::Builder::new().prefix(".staged-").tempdir_in(out).map_err(JobError::disk("write", out))?;
    let mut names = Vec::new();
    let config = report.configs.first().map(|it| it.packaging.clone()).unwrap_or_default();
    let mut add = |from: &Path, name: &str| -> Result<(), JobError> {
        let to = staging.path().join(name);
        fs::copy(from, &to).map_err(JobError::disk("copy", from))?;
        names.push(name.to_owned());
        Ok(())
    };
    let local = |path: &str| inside(path).filter(|path| folder.has_file(path)).map(|path| place.copy().join(path));
    let mut left_out = Vec::new();
    if let Some(path) = config.requirements_file.as_deref().and_then(local) {
        add(&path, "requirements.txt")?;
        left_out.push("the distributions that requirements.txt names".to_owned());
    }
    let made = workflow::make(context, folder, place, request, &staging.path().join(WORKFLOW))?;
    add_existing(&mut names, WORKFLOW);
    let mut add = |from: &Path, name: &str| -> Result<(), JobError> {
        fs::copy(from, staging.path().join(name)).map_err(JobError::disk("copy", from))?;
        names.push(name.to_owned());
        Ok(())
    };
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    for path in &config.files_to_stage {
        match local(path) {
            Some(at) => add(&at, &base(path))?,
            None => left_out.push(without_secrets(path)),
        }
    }
    let mut extra = String::new();
    for path in &config.extra_packages {
        match local(path) {
            Some(at) => {
                add(&at, &base(path))?;
                extra.push_str(&format!("{}\n", base(path)));
            }
            None => left_out.push(without_secrets(path)),
        }
    }
    if !extra.is_empty() {
        let path = staging.path().join("extra_packages.txt");
        fs::write(&path, extra).map_err(JobError::disk("write", &path))?;
        names.push("extra_packages.txt".to_owned());
    }
    let files = sums(staging.path(), &names)?;
    configs(out, report)?;
    let target = out.join("staged");
    if target.exists() {
        disk::remove_tree(&target).map_err(JobError::disk("replace", &target))?;
    }
    let kept = staging.keep();
    disk::make_shared_folders(&kept).map_err(JobError::disk("share", &kept))?;
    disk::rename(&kept, &target).map_err(JobError::disk("write", &target))?;
    Ok(Staged { folder: target, files, top: made.top, members: made.members, left_out })
}

fn add_existing(names: &mut Vec<String>, name: &str) {
    names.push(name.to_owned());
}

/// The effective configurations, beside the staged files.
fn configs(out: &Path, report: &CheckReport) -> Result<(), JobError> {
    let folder = out.join("configs");
    fs::create_dir_all(&folder).map_err(JobError::disk("make", &folder))?;
    for config in &report.configs {
        let path = folder.join(config.source.rsplit('/').next().unwrap_or_default());
        let write = || -> io::Result<()> {
            let beside = disk::FileBeside::beside(&path, ".config-")?;
            beside.as_file().write_all(config_text::to_yaml(config).as_bytes())?;
            beside.replace(&path)
        };
        write().map_err(JobError::disk("write", &path))?;
    }
    Ok(())
}

fn sums(folder: &Path, names: &[String]) -> Result<Vec<StagedFile>, JobError> {
    let mut files = Vec::new();
    for name in names {
        let path = folder.join(name);
        let (sha256, size) = File::open(&path).and_then(Digest::of_reader).map_err(JobError::disk("read", &path))?;
        files.push(StagedFile { name: name.clone(), sha256, size });
    }
    let mut lines: Vec<String> = files.iter().map(|it| format!("{}  {}\n", it.sha256, it.name)).collect();
    lines.sort_by(|a, b| a[66..].cmp(&b[66..]));
    let path = folder.join("SHA256SUMS");
    fs::write(&path, lines.concat()).map_err(JobError::disk("write", &path))?;
    Ok(files)
}

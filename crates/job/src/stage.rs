//! What Beam's stager would upload: the source archive, normalised, with what the configuration adds to it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use archive::pieces::StagingFolder;
use serde::Serialize;
use store::Context;
use vocab::{Digest, Fault};

use crate::check::{CheckReport, CheckRequest};
use crate::config_text;
use crate::job_error::JobError;
use crate::job_folder::{JobFolder, inside};
use crate::secrets::without_secrets;
use crate::staged_packages::{self, PackageSettings, RequirementsFile};
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
    /// What Beam's stager would add with the user's credentials, or not find: files in buckets, files outside of the job.
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
/// If the build back end fails, a package cannot be had, or the disk fails.
pub fn stage(
    context: &Context,
    folder: &JobFolder,
    report: &CheckReport,
    place: &Workplace,
    request: &CheckRequest,
    packages: &PackageSettings,
    out: &Path,
) -> Result<Staged, Box<dyn Fault>> {
    let config = report.configs.first().map(|it| it.packaging.clone()).unwrap_or_default();
    fs::create_dir_all(out).map_err(JobError::disk("make", out))?;
    let target = out.join("staged");
    let beside = StagingFolder::beside(&target).map_err(JobError::disk("write", out))?;
    let mut staging =
        Staging { context, folder, copy: place.copy(), to: beside.tree(), names: Vec::new(), left_out: Vec::new() };
    fs::create_dir(&staging.to).map_err(JobError::disk("write", &staging.to))?;
    // In the order of Beam's stager.
    let mut extra_packages = config.extra_packages.clone();
    if let Some(path) = config.requirements_file.as_deref().and_then(inside).filter(|it| folder.has_file(it)) {
        let file = RequirementsFile::read(folder, &path)?;
        staging.text("requirements.txt", &file.text)?;
        for (name, blob) in file.fetch(context, (place.interpreter(), place.python), packages)? {
            staging.file(&blob, &name)?;
        }
        extra_packages.extend(file.local);
    }
    let made = workflow::make(context, folder, place, request, &staging.to.join(WORKFLOW))?;
    staging.names.push(WORKFLOW.to_owned());
    for path in &config.files_to_stage {
        staging.local_or_fetched(path)?;
    }
    let mut listed = String::new();
    for path in &extra_packages {
        if let Some(name) = staging.local_or_fetched(path)? {
            listed.push_str(&format!("{name}\n"));
        }
    }
    if !listed.is_empty() {
        staging.text("extra_packages.txt", &listed)?;
    }
    let Staging { to, names, left_out, .. } = staging;
    let files = sums(&to, &names)?;
    configs(out, report)?;
    if target.exists() {
        disk::remove_tree(&target).map_err(JobError::disk("replace", &target))?;
    }
    disk::make_shared_folders(&to).map_err(JobError::disk("share", &to))?;
    disk::rename(&to, &target).map_err(JobError::disk("write", &target))?;
    Ok(Staged { folder: target, files, top: made.top, members: made.members, left_out })
}

/// The folder that becomes `staged`.
struct Staging<'a> {
    context: &'a Context,
    folder: &'a JobFolder,
    /// The copy of the job.
    copy: PathBuf,
    to: PathBuf,
    names: Vec<String>,
    left_out: Vec<String>,
}

impl Staging<'_> {
    fn text(&mut self, name: &str, text: &str) -> Result<(), JobError> {
        let path = self.to.join(name);
        fs::write(&path, text).map_err(JobError::disk("write", &path))?;
        self.names.push(name.to_owned());
        Ok(())
    }

    fn file(&mut self, from: &Path, name: &str) -> Result<(), JobError> {
        let to = self.to.join(name);
        if self.names.iter().any(|it| it == name) || to.exists() {
            return Err(JobError::StagedTwice { name: name.to_owned() });
        }
        fs::copy(from, &to).map_err(JobError::disk("copy", from))?;
        disk::set_mode(&to, 0o644).map_err(JobError::disk("write", &to))?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// A file of the job folder, or at an address, under its last name. `None` if it was left out.
    fn local_or_fetched(&mut self, path: &str) -> Result<Option<String>, Box<dyn Fault>> {
        let name = path.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(local) = inside(path).filter(|path| self.folder.has_file(path)) {
            let (from, name) = (self.copy.join(&local), local.rsplit('/').next().unwrap_or_default().to_owned());
            self.file(&from, &name)?;
            return Ok(Some(name));
        }
        if staged_packages::is_fetched(path) && name.parse::<vocab::FileName>().is_ok() {
            let sha256 = staged_packages::at_address(self.context, path)?;
            self.file(&self.context.store.blob(&sha256), &name)?;
            return Ok(Some(name));
        }
        self.left_out.push(without_secrets(path));
        Ok(None)
    }
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

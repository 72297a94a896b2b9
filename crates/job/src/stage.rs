//! What Beam's stager would upload: the source archive, normalised, with what the configuration adds to it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::{Value, json};
use store::Context;
use vocab::Digest;

use crate::check::{CheckReport, CheckRequest};
use crate::config_text;
use crate::job_error::JobError;
use crate::job_folder::{JobFolder, inside};
use crate::secrets::without_secrets;
use crate::workplace::{Reply, Workplace};

/// The name that Beam gives the archive.
pub const WORKFLOW: &str = "workflow.tar.gz";
/// 1980-01-01, the earliest time that wheels can hold.
const EPOCH: u64 = 315_532_800;

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
    let made = sdist(context, folder, place, request)?;
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
    let archive = staging.path().join(WORKFLOW);
    let epoch = context.environment.text("SOURCE_DATE_EPOCH").and_then(|it| it.parse().ok()).unwrap_or(EPOCH);
    let (top, members) = normalised(&made, &archive, place.as_ref(), epoch)?;
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
    Ok(Staged { folder: target, files, top, members, left_out })
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

/// The archive as the build back end makes it.
fn sdist(
    context: &Context,
    folder: &JobFolder,
    place: &Workplace,
    request: &CheckRequest,
) -> Result<PathBuf, JobError> {
    let copy = place.copy();
    // The probe ran setuptools' `egg_info` and maybe more in it.
    disk::remove_tree(&copy)
        .and_then(|()| fs::create_dir(&copy))
        .and_then(|()| folder.copy_to(&copy))
        .map_err(JobError::disk("copy the job to", &copy))?;
    let output = place.output();
    fs::create_dir(&output).map_err(JobError::disk("make", &output))?;
    let question = json!({"ask": "sdist", "commands": "translate", "backend": "", "backend_path": []});
    let failed = |reason: String| JobError::Sdist { reason: without_secrets(&reason) };
    let answer = match place.ask(context, &question, request.limit)? {
        Reply::Answer(answer) => answer,
        Reply::Ended { output, .. } => return Err(failed(output)),
        Reply::TimedOut => return Err(failed(format!("it did not end within {} s", request.limit.as_secs()))),
    };
    if let Some(failure) = answer.get("failure").and_then(Value::as_str) {
        let lines = answer.get("lines").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        return Err(failed(format!("{failure}\n{}", lines.collect::<Vec<_>>().join("\n"))));
    }
    let name = answer.get("file").and_then(Value::as_str).unwrap_or_default();
    let fits = !name.is_empty() && !name.contains(['/', '\\']) && name.ends_with(".tar.gz");
    if fits { Ok(output.join(name)) } else { Err(failed(format!("it made `{name}` instead of a .tar.gz"))) }
}

/// A member, and where its bytes are in the plain tar.
struct Member {
    path: String,
    is_folder: bool,
    executable: bool,
    at: u64,
    size: u64,
}

/// Writes the archive anew: sorted, without owners, with one time. Gives its one folder and the number of its members.
fn normalised(from: &Path, to: &Path, work: &Path, epoch: u64) -> Result<(String, usize), JobError> {
    let failed = |reason: String| JobError::Sdist { reason };
    let plain = work.join("plain.tar");
    let unpack = || -> io::Result<File> {
        let mut target = File::options().read(true).write(true).create_new(true).open(&plain)?;
        io::copy(&mut flate2::read::MultiGzDecoder::new(BufReader::new(vocab::open_regular(from)?)), &mut target)?;
        Ok(target)
    };
    let mut tar = unpack().map_err(JobError::disk("unpack", from))?;
    let mut members = members(&mut tar).map_err(failed)?;
    members.sort_by(|a, b| a.path.cmp(&b.path));
    let tops: std::collections::BTreeSet<&str> = members.iter().filter_map(|it| it.path.split('/').next()).collect();
    let [top] = tops.iter().collect::<Vec<_>>()[..] else {
        return Err(failed(format!("it holds {} folders at its top; one is expected", tops.len())));
    };
    let top = (*top).to_owned();
    let mut write = || -> io::Result<()> {
        let file = File::create_new(to)?;
        // No name and no time in the header. What is compressed comes in pieces of one size, on which the bytes depend.
        let packed = GzBuilder::new().mtime(0).write(file, Compression::new(6));
        let mut builder = tar::Builder::new(BufWriter::with_capacity(64 << 10, packed));
        for member in &members {
            append(&mut builder, member, &mut tar, epoch)?;
        }
        let packed = builder.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        packed.finish()?.flush()
    };
    write().map_err(JobError::disk("write", to))?;
    Ok((top, members.len()))
}

fn members(tar: &mut File) -> Result<Vec<Member>, String> {
    let text = |error: io::Error| error.to_string();
    tar.seek(SeekFrom::Start(0)).map_err(text)?;
    let mut archive = tar::Archive::new(BufReader::new(&*tar));
    let mut members: std::collections::BTreeMap<String, Member> = std::collections::BTreeMap::new();
    for entry in archive.entries_with_seek().map_err(text)? {
        let entry = entry.map_err(text)?;
        let name = entry.path().map_err(text)?.to_string_lossy().into_owned();
        let kind = entry.header().entry_type();
        let path = inside(&name).filter(|it| !it.is_empty()).ok_or_else(|| format!("its member `{name}` leaves it"))?;
        if !kind.is_file() && !kind.is_dir() {
            return Err(format!("its member `{name}` is neither a file nor a folder"));
        }
        let member = Member {
            is_folder: kind.is_dir(),
            executable: entry.header().mode().map_err(text)? & 0o111 != 0,
            at: entry.raw_file_position(),
            size: entry.size(),
            path: path.clone(),
        };
        members.insert(path, member);
    }
    Ok(members.into_values().collect())
}

fn append<W: Write>(builder: &mut tar::Builder<W>, member: &Member, tar: &mut File, epoch: u64) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(if member.is_folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
    header.set_mode(if member.is_folder || member.executable { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch);
    header.set_size(if member.is_folder { 0 } else { member.size });
    let path = if member.is_folder { format!("{}/", member.path) } else { member.path.clone() };
    if header.set_path(&path).is_err() {
        builder.append_pax_extensions([("path", path.as_bytes())])?;
        let name = format!("long-name-{}", Digest::of(&path).short());
        header.set_path(name)?;
    }
    header.set_cksum();
    tar.seek(SeekFrom::Start(member.at))?;
    builder
        .append(&header, BufReader::with_capacity(64 << 10, tar.take(if member.is_folder { 0 } else { member.size })))
}

//! The source archive: made by the job's build back end, and packed anew so that its bytes depend on its files alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use archive::{ExtractErrorKind, ExtractLimits, NoCache, PackOptions, PartSource, SourceTree};
use serde_json::{Value, json};
use store::Context;
use vocab::ArtifactFormat;

use crate::asked_python::Reply;
use crate::check::CheckRequest;
use crate::job_error::JobError;
use crate::job_folder::JobFolder;
use crate::secrets::without_secrets;
use crate::workplace::Workplace;

/// What the back end may add to the files of a job, in bytes and in files, and how often it may pack each of them.
const ADDED: (u64, u64) = (1 << 30, 10_000);
const COPIES: u64 = 4;

/// The archive, as far as it is told.
#[derive(Debug)]
pub(crate) struct Workflow {
    /// The folder in it, `name-version`.
    pub top: String,
    pub members: usize,
}

/// Makes the archive at `target`, which must be absent.
///
/// # Errors
/// If the back end fails, or makes something else than a source archive of bounded size.
pub(crate) fn make(
    context: &Context,
    folder: &JobFolder,
    place: &Workplace,
    request: &CheckRequest,
    target: &Path,
) -> Result<Workflow, JobError> {
    let made = sdist(context, folder, place, request)?;
    place.forget_copy();
    if request.raw_sdist {
        let tree = extracted(&made, &place.unpacked(), limits(folder)?)?;
        let members = archive::scan(&place.unpacked())?.iter().filter(|it| below(it.path.as_str(), &tree.top)).count();
        fs::copy(&made, target).map_err(JobError::disk("copy", &made))?;
        return Ok(Workflow { top: tree.top, members });
    }
    let epoch = context.environment.source_date_epoch()?;
    let options = PackOptions {
        format: ArtifactFormat::TarGz,
        level: 6,
        mtime: epoch.unwrap_or(archive::DEFAULT_MTIME),
        // A second one takes 60 MiB, and saved no time for 100,000 files and 2 GiB on two processors.
        threads: 1,
        ..PackOptions::default()
    };
    packed_anew(&made, &place.unpacked(), limits(folder)?, target, &options)
}

/// By way of a folder, so that neither side is ever in memory as a whole.
fn packed_anew(
    made: &Path,
    unpacked: &Path,
    limits: ExtractLimits,
    target: &Path,
    options: &PackOptions<'_>,
) -> Result<Workflow, JobError> {
    let tree = extracted(made, unpacked, limits)?;
    // It is not needed any more; a job may be large.
    let _ = fs::remove_file(made);
    let entries: Vec<_> =
        archive::scan(unpacked)?.into_iter().filter(|it| below(it.path.as_str(), &tree.top)).collect();
    let members = entries.len();
    archive::pack(target, &[PartSource::new("job", entries)], options, &NoCache)?;
    Ok(Workflow { top: tree.top, members })
}

fn below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Packing takes time by itself: a second for 2 MiB, or for 200 files, is more than slow machines need.
fn time_limit(limit: Duration, (files, bytes): (u64, u64)) -> Duration {
    limit.saturating_add(Duration::from_secs((bytes >> 21).saturating_add(files / 200)))
}

/// A source archive holds the job's files and little more: whatever exceeds that was made to fill the disk.
fn limits(folder: &JobFolder) -> Result<ExtractLimits, JobError> {
    let (files, bytes) = folder.size().map_err(JobError::disk("read", folder.root()))?;
    Ok(ExtractLimits {
        bytes: ADDED.0.saturating_add(bytes.saturating_mul(COPIES)),
        entries: ADDED.1.saturating_add(files.saturating_mul(COPIES)),
        // Of data that is all zeros a tar is 1,030 times larger than its archive. The sum above is what counts.
        ratio: u64::MAX,
    })
}

fn extracted(made: &Path, to: &Path, limits: ExtractLimits) -> Result<SourceTree, JobError> {
    archive::extract_source(made, to, limits).map_err(|error| match error.kind {
        ExtractErrorKind::Read { source } => JobError::disk("read", made)(source),
        ExtractErrorKind::Write { path, source } => JobError::disk("write", &path)(source),
        kind => {
            let name = made.file_name().unwrap_or_default().to_string_lossy().into_owned();
            JobError::Archive { name, kind: Box::new(kind) }
        }
    })
}

/// The archive as the build back end makes it.
fn sdist(
    context: &Context,
    folder: &JobFolder,
    place: &Workplace,
    request: &CheckRequest,
) -> Result<PathBuf, JobError> {
    // The probe ran setuptools' `egg_info` and maybe more in it.
    place.lay_out(folder)?;
    let output = place.output();
    fs::create_dir(&output).map_err(JobError::disk("make", &output))?;
    let question = json!({"ask": "sdist", "commands": request.commands.as_str(), "keep": request.raw_sdist});
    let failed = |reason: String| JobError::Sdist { reason: without_secrets(&reason) };
    let limit = time_limit(request.limit, folder.size().map_err(JobError::disk("read", folder.root()))?);
    let answer = match place.ask(context, &question, limit)? {
        Reply::Answer(answer) => answer,
        Reply::Ended { output, .. } => return Err(failed(output)),
        Reply::TimedOut => return Err(failed(format!("it did not end within {} s", limit.as_secs()))),
    };
    if let Some(failure) = answer.get("failure").and_then(Value::as_str) {
        let lines = answer.get("lines").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        return Err(failed(format!("{failure}\n{}", lines.collect::<Vec<_>>().join("\n"))));
    }
    let name = answer.get("file").and_then(Value::as_str).unwrap_or_default();
    let fits = !name.is_empty() && !name.contains(['/', '\\']) && name.ends_with(".tar.gz");
    let made = output.join(name);
    // Code of the job may have put a link there, to a file of this machine, or a pipe, which has no end.
    let is_file = fs::symlink_metadata(&made).is_ok_and(|it| it.is_file());
    if fits && is_file { Ok(made) } else { Err(failed(format!("it made `{name}` instead of a .tar.gz"))) }
}

#[cfg(test)]
mod tests {
    use vocab::Fault as _;

    use super::*;

    fn job(files: &[(&str, usize)]) -> (tempfile::TempDir, JobFolder) {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in files {
            fs::write(folder.path().join(name), vec![b'x'; *size]).unwrap();
        }
        let job = JobFolder::open(folder.path(), None).unwrap();
        (folder, job)
    }

    /// A tar.gz with one file of zeros.
    fn bomb(path: &Path, size: u64) {
        let entry =
            archive::TreeEntry::file("j-1/x".parse().unwrap(), archive::FileContent::Disk(zeros(path, size)), false);
        let options = PackOptions { format: ArtifactFormat::TarGz, level: 1, ..PackOptions::default() };
        archive::pack(path, &[PartSource::new("x", vec![entry])], &options, &NoCache).unwrap();
    }

    fn zeros(beside: &Path, size: u64) -> PathBuf {
        let path = beside.with_extension("zeros");
        fs::File::create(&path).unwrap().set_len(size).unwrap();
        path
    }

    #[test]
    fn klio_w12_the_limit_grows_with_the_job() {
        let (_folder, small) = job(&[("setup.py", 10)]);
        let (_other, large) = job(&[("setup.py", 10), ("data", 5_000)]);
        let of = |job: &JobFolder| limits(job).map(|it| (it.bytes, it.entries)).unwrap();
        assert_eq!(of(&small), ((1 << 30) + 40, 10_004));
        assert_eq!(of(&large), ((1 << 30) + 20_040, 10_008));
    }

    #[test]
    fn klio_w12_a_large_job_has_more_time() {
        let limit = Duration::from_secs(120);
        assert_eq!(time_limit(limit, (10, 1000)), limit);
        assert_eq!(time_limit(limit, (100_000, 2 << 30)), Duration::from_secs(120 + 1024 + 500));
    }

    #[test]
    fn an_archive_that_would_fill_the_disk_is_refused_with_its_name_and_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j-1.tar.gz");
        bomb(&path, 40 << 20);
        let limits = ExtractLimits { bytes: 1 << 20, entries: 10, ratio: u64::MAX };
        let to = folder.path().join("to");
        let error = extracted(&path, &to, limits).unwrap_err();
        assert_eq!(error.code(), "E_JOB_ARCHIVE");
        assert_eq!(error.to_string(), "the source archive `j-1.tar.gz` is refused: it holds more than 1048576 bytes");
        assert!(!to.exists(), "nothing is left of it");
    }

    /// The same files, as two back ends would pack them.
    #[test]
    fn klio_2_and_w12_many_files_have_the_same_bytes_in_whatever_order_and_form_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut names: Vec<String> = (0..2_000).map(|at| format!("j-1/d{}/f{at}.py", at % 7)).collect();
        names.push(format!("j-1/{}/{}", "n".repeat(120), "é".repeat(100)));
        let tar = |path: &Path, names: &[String], with: &dyn Fn(&mut tar::Header)| {
            let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(
                fs::File::create(path).unwrap(),
                flate2::Compression::new(1),
            ));
            for name in names {
                let mut header = tar::Header::new_gnu();
                header.set_size(name.len() as u64);
                header.set_mode(0o640);
                with(&mut header);
                builder.append_data(&mut header, name, name.as_bytes()).unwrap();
            }
            builder.into_inner().unwrap().finish().unwrap();
        };
        tar(&at("a.tar.gz"), &names, &|header| header.set_mtime(1));
        names.reverse();
        tar(&at("b.tar.gz"), &names, &|header| header.set_uid(1000));
        let options = PackOptions { format: ArtifactFormat::TarGz, ..PackOptions::default() };
        let packed = ["a", "b"].map(|name| {
            let to = at(&format!("{name}.new"));
            let limits = ExtractLimits::default();
            let made = packed_anew(&at(&format!("{name}.tar.gz")), &at(name), limits, &to, &options).unwrap();
            // The folder at the top, seven in it and the one with a long name.
            assert_eq!((made.top.as_str(), made.members), ("j-1", 2_001 + 9));
            fs::read(to).unwrap()
        });
        assert!(packed[0] == packed[1]);
    }

    #[test]
    fn only_members_of_the_one_folder_are_packed() {
        assert!(below("j-1", "j-1") && below("j-1/x", "j-1"));
        assert!(!below("j-10/x", "j-1") && !below("x", "j-1"));
    }
}

//! Whether an archive is the one that its manifest describes. Decodes nothing.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use vocab::{Artifact, Digest, Fault, Manifest};

/// Compares sizes and digests of the whole and of each part. Parts are read on a second thread, beside the whole.
pub fn verify(archive: &Path, manifest: &Manifest) -> Result<(), VerifyError> {
    verify_inner(archive, manifest).map_err(|kind| VerifyError { archive: archive.to_owned(), kind })
}

fn verify_inner(archive: &Path, manifest: &Manifest) -> Result<(), VerifyErrorKind> {
    let artifact = manifest.artifact.as_ref().ok_or(VerifyErrorKind::NotPacked)?;
    check_places(artifact)?;
    let open = || File::open(archive).map_err(|source| VerifyErrorKind::Read { source });
    let (whole, parts) = (open()?, open()?);
    let size = whole.metadata().map_err(|source| VerifyErrorKind::Read { source })?.len();
    if size != artifact.size {
        return Err(VerifyErrorKind::Size { expected: artifact.size, actual: size });
    }
    std::thread::scope(|scope| {
        let parts = scope.spawn(|| check_parts(parts, artifact));
        let whole = check_whole(whole, artifact);
        // A part says more than the whole about where the damage is.
        parts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(whole)
    })
}

/// Checks that the parts follow each other and lie inside the file, before their offsets are used.
pub fn check_places(artifact: &Artifact) -> Result<(), VerifyErrorKind> {
    let mut end = 0;
    for part in &artifact.parts {
        let next = part.offset.checked_add(part.size).filter(|next| *next <= artifact.size && part.offset >= end);
        end = next.ok_or_else(|| VerifyErrorKind::Place { part: part.content.clone() })?;
    }
    Ok(())
}

fn check_whole(file: File, artifact: &Artifact) -> Result<(), VerifyErrorKind> {
    let (actual, _) = Digest::of_reader(file).map_err(|source| VerifyErrorKind::Read { source })?;
    if actual == artifact.sha256 {
        return Ok(());
    }
    Err(VerifyErrorKind::Digest { expected: artifact.sha256, actual })
}

fn check_parts(mut file: File, artifact: &Artifact) -> Result<(), VerifyErrorKind> {
    for part in &artifact.parts {
        let mut digest = || -> io::Result<Digest> {
            file.seek(SeekFrom::Start(part.offset))?;
            Ok(Digest::of_reader(io::Read::take(&file, part.size))?.0)
        };
        let actual = digest().map_err(|source| VerifyErrorKind::Read { source })?;
        if actual != part.sha256 {
            let part_name = part.content.clone();
            return Err(VerifyErrorKind::PartDigest { part: part_name, expected: part.sha256, actual });
        }
    }
    Ok(())
}

/// The file is not the described artifact, or could not be read.
#[derive(Debug, thiserror::Error, Fault)]
#[error("`{}` does not match its manifest", archive.display())]
#[fault(transparent = kind)]
pub struct VerifyError {
    pub archive: PathBuf,
    #[source]
    pub kind: VerifyErrorKind,
}

/// The first difference that was found.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Trust)]
pub enum VerifyErrorKind {
    #[error("the manifest describes no artifact: the runtime was not packed")]
    #[fault("E_MANIFEST_MALFORMED")]
    NotPacked,
    #[error("it cannot be read: {source}")]
    #[fault("E_ARCHIVE_READ", Build)]
    Read { source: io::Error },
    #[error("it has {actual} bytes, the manifest says {expected}")]
    #[fault("E_ARCHIVE_CHECKSUM", hint("{FETCH_BOTH}"))]
    Size { expected: u64, actual: u64 },
    #[error("its SHA-256 is {actual}, the manifest says {expected}")]
    #[fault("E_ARCHIVE_CHECKSUM", hint("{FETCH_BOTH}"))]
    Digest { expected: Digest, actual: Digest },
    #[error("the SHA-256 of its part `{part}` is {actual}, the manifest says {expected}")]
    #[fault("E_ARCHIVE_CHECKSUM", hint("{FETCH_BOTH}"))]
    PartDigest { part: String, expected: Digest, actual: Digest },
    #[error("the manifest puts part `{part}` outside the archive or into another part")]
    #[fault("E_MANIFEST_MALFORMED")]
    Place { part: String },
}

const FETCH_BOTH: &str = "delete the archive and its manifest, then fetch or build both again";

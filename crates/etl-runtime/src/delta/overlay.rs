//! An overlay: a folder for the path of imports with what a runtime lacks. It appears when everything is in it; one that is
//! there is complete.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use store::{Context, Scrutiny};
use vocab::{Fault, TreePath};
use wheel::{
    InstallDestination, InstallRequest, InstalledAll, UnpackedWheel, WheelBlob, WheelToInstall, install_all, unpack_all,
};

use super::DeltaFile;
use super::byte_code::{self, ByteCodeFault};
use crate::runtime_facts::RuntimeFacts;

/// Nothing was installed.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum OverlayError {
    #[error("`{file}` of a delta is not the name of a wheel")]
    #[fault("E_ETL_DELTA_DAMAGED", Trust, hint("bake it again"))]
    NotAWheel { file: String },
    #[error(transparent)]
    #[fault(transparent)]
    Unpack(#[from] wheel::UnpackError),
    #[error(transparent)]
    #[fault(transparent)]
    Install(#[from] wheel::InstallError),
    #[error("the byte code of `{file}` in a delta cannot be used: {reason}")]
    #[fault("E_ETL_DELTA_DAMAGED", Trust, hint("bake it again"))]
    ByteCode { file: String, reason: ByteCodeFault },
    #[error("cannot write `{}`", path.display())]
    #[fault("E_ETL_WORK", hint("name a folder that this user may write with --work or ETL_WORK"))]
    Write { path: PathBuf, source: io::Error },
}

/// Installs wheels of the store into `overlay`, with the byte code that they have.
pub fn fill_overlay(
    files: &[DeltaFile],
    overlay: &Path,
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<(), OverlayError> {
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| OverlayError::Write { path, source }
    };
    let work = overlay.parent().unwrap_or(overlay);
    fs::create_dir_all(work).map_err(write(work))?;
    let staging = tempfile::Builder::new().prefix(".overlay-").tempdir_in(work).map_err(write(work))?;
    install_wheels(files, staging.path(), &BTreeSet::new(), runtime, context)?;
    let site = runtime.layout.site_packages().below(staging.path());
    fs::create_dir_all(&site).map_err(write(&site))?;
    let lay_in = |(): &mut (), index: usize| {
        let file = &files[index];
        let Some(archive) = &file.byte_code else { return Ok(()) };
        let refuse = |reason| OverlayError::ByteCode { file: file.name.to_string(), reason };
        byte_code::lay_in(archive, staging.path(), &site, context).map_err(refuse)
    };
    vocab::side_by_side(context.jobs, files.len(), || (), lay_in)?;
    match disk::rename(&site, overlay) {
        // Another pod of this user was faster.
        Err(_) if overlay.is_dir() => Ok(()),
        other => other.map_err(write(overlay)),
    }
}

/// Installs wheels of the store into the folder of a runtime whose own files are `base`; the distributions are in the order
/// of `files`.
pub fn install_wheels(
    files: &[DeltaFile],
    prefix: &Path,
    base: &BTreeSet<TreePath>,
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<InstalledAll, OverlayError> {
    let wheels = unpack(files, context)?;
    let wheels: Vec<WheelToInstall<'_>> =
        wheels.iter().map(|wheel| WheelToInstall { wheel, request: InstallRequest::new(false) }).collect();
    let destination = InstallDestination { prefix, layout: runtime.layout, base, launchers: None };
    Ok(install_all(context, &wheels, &destination)?)
}

/// Has wheels of the store unpacked there.
pub(super) fn unpack(files: &[DeltaFile], context: &Context) -> Result<Vec<UnpackedWheel>, OverlayError> {
    let blob = |file: &DeltaFile| {
        let refuse = |_| OverlayError::NotAWheel { file: file.name.to_string() };
        let file_name = file.name.as_str().parse::<wheel::WheelFileName>().map_err(refuse)?;
        Ok(WheelBlob { path: context.store.blob(&file.sha256), sha256: file.sha256, file_name })
    };
    let blobs = files.iter().map(blob).collect::<Result<Vec<_>, OverlayError>>()?;
    Ok(unpack_all(context, &blobs, Scrutiny::Glance)?)
}

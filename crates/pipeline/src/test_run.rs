//! `TEST_RUN=true`: the last steps of a build without its costs, for trying out a pipeline. No network, no Python.

use std::fs;
use std::path::PathBuf;

use archive::{PackOptions, PartSource, TreeEntry};
use config_merger::Repository;
use vocab::{ArtifactName, Fault, PartKind, PlatformKey, VersionString};

use crate::artifacts::level_of;
use crate::options::BuildOptions;
use crate::prefix_folder::PrefixFolder;
use store::Context;
use store::PartStore;

const STUB: &str = "This is not a runtime: it was made with TEST_RUN=true, to try out the steps around the build.\n";

const STUB_FILE: &str = "README.txt";

/// The stub of a test run cannot be written.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot write the stub `{}`", path.display())]
#[fault("E_WRITE", Build)]
pub struct StubError {
    pub path: PathBuf,
    pub source: std::io::Error,
}

/// Makes a prefix that holds only a stub, and its artifact.
pub fn run(
    context: &Context,
    repository: &Repository,
    version: &VersionString,
    platform: PlatformKey,
    options: &BuildOptions,
) -> Result<(PathBuf, PathBuf), Box<dyn Fault>> {
    context.note("TEST_RUN=true: writing a stub instead of a runtime");
    let folder = repository.root().join(version.folder_name()).join("pydist");
    let prefix = PrefixFolder::hold(context, &folder, platform)?;
    let path = prefix.stage()?.join(STUB_FILE);
    fs::write(&path, STUB).map_err(|source| StubError { path, source })?;
    let format = options.formats.first().copied().unwrap_or_default();
    let name = ArtifactName::new(version, version.python(), platform, format);
    let target = options.out.join(name.to_string());
    let stub = TreeEntry::bytes(STUB_FILE.parse().expect("a literal path inside the tree"), STUB.as_bytes());
    let packing = PackOptions {
        format,
        level: level_of(format, options.level),
        mtime: options.source_date_epoch,
        ..PackOptions::default()
    };
    archive::pack(&target, &[PartSource::new(PartKind::METADATA, vec![stub])], &packing, &PartStore::new(context))?;
    prefix.publish()?;
    Ok((prefix.target().to_owned(), target))
}

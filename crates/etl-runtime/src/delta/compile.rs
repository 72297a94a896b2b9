//! Compiles the modules of a delta's wheels when it is baked: one archive of byte code for each wheel, so that a changed package
//! is its wheel and its byte code, and nothing of others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use archive::{NoCache, PackOptions, PartSource, TreeEntry};
use store::Context;
use vocab::{Digest, Fault, TreePath};

use super::byte_code::{is_byte_code, module_of};
use super::overlay::install_wheels;
use super::{ByteCodeFile, DeltaError, DeltaFile};
use crate::runtime_facts::RuntimeFacts;

/// Compiles the modules of wheels in the store with the runtime's interpreter, and puts an archive for each wheel into the
/// store. Equal wheels and an equal interpreter give equal archives.
pub(super) fn compile(
    files: &mut [DeltaFile],
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<(), Box<dyn Fault>> {
    let scratch = context.store.scratch_dir("byte-code-").map_err(|source| unwritable(context.store.root(), source))?;
    let installed = install_wheels(files, scratch.path(), &BTreeSet::new(), runtime, context)?;
    let site = runtime.layout.site_packages();
    let tree = site.below(scratch.path());
    fs::create_dir_all(&tree).map_err(|source| unwritable(&tree, source))?;
    image::compile_modules(context, &runtime.interpreter, &tree, &tree, "")?;
    let made: Vec<TreeEntry> = archive::scan(&tree)?.into_iter().filter(is_byte_code).collect();
    for (file, distribution) in files.iter_mut().zip(&installed.distributions) {
        let below = |path: &TreePath| TreePath::relative(&path.below(scratch.path()), &tree);
        let modules: BTreeSet<TreePath> = distribution.files.iter().filter_map(|file| below(&file.path)).collect();
        let own = made.iter().filter(|entry| module_of(&entry.path).is_some_and(|module| modules.contains(&module)));
        let own: Vec<TreeEntry> =
            own.filter(|entry| !modules.contains(&entry.path) && !is_of_tests(&entry.path)).cloned().collect();
        file.byte_code = if own.is_empty() { None } else { Some(keep(own, context)?) };
    }
    Ok(())
}

/// Puts an archive of these entries into the store.
fn keep(entries: Vec<TreeEntry>, context: &Context) -> Result<ByteCodeFile, Box<dyn Fault>> {
    let staged = context.store.stage_file()?;
    let options = PackOptions { threads: context.jobs, ..PackOptions::default() };
    archive::pack(staged.path(), &[PartSource::new("byte code", entries)], &options, &NoCache)?;
    let read = fs::File::open(staged.path()).and_then(Digest::of_reader);
    let (sha256, size) = read.map_err(|source| unwritable(staged.path(), source))?;
    context.store.publish_file(staged, &context.store.blob(&sha256))?;
    Ok(ByteCodeFile { size, sha256 })
}

fn unwritable(path: &Path, source: std::io::Error) -> DeltaError {
    DeltaError::Write { path: path.to_owned(), source }
}

/// Of large packages half of the byte code is that of their tests, which servers do not import.
fn is_of_tests(path: &TreePath) -> bool {
    path.segments().any(|segment| matches!(segment, "tests" | "test"))
}

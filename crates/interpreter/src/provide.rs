//! The chosen base interpreter as a finished tree in the store.

use std::path::Path;

use vocab::{BaseRecord, Digest, TreePath};

use super::base_identity::identity;
use super::build_settings::BuildPaths;
use super::disk::{CopiedLinks, Result, read};
use super::error::{BaseError, BaseErrorKind};
use super::file_table::FileTable;
use super::normalise::normalise;
use super::request::{BaseChoice, BaseSupply, BaseTree};
use super::{content, elf, go_module, shared_tree, system, trial, unpack};
use store::Context;
use store::download::{FetchRequest, fetch};
use store::{EntryKind, LockOutcome, Scrutiny};
use vocab::TreeLayout;

/// Gets the tree, or finds it in the store, in which case nothing is downloaded or started.
///
/// # Errors
/// Exit 4 when a digest does not match or an archive is unsafe. After any error the store holds no partial tree.
pub fn provide(context: &Context, choice: &BaseChoice) -> std::result::Result<BaseTree, BaseError> {
    provided(context, choice).map_err(|kind| BaseError { python: choice.requested, platform: choice.platform, kind })
}

/// Checks the store's tree before a build uses it, and makes it again if it was damaged since. Compares sizes and time
/// stamps and reads only files whose stamp changed; [`Scrutiny::Digests`] reads all of them.
pub fn mend(
    context: &Context,
    choice: &BaseChoice,
    tree: BaseTree,
    scrutiny: Scrutiny,
) -> std::result::Result<BaseTree, BaseError> {
    let table = context.store.base_table(&tree.identity);
    let looked_over = || match FileTable::read(&table)? {
        Some(files) => {
            let tidied = files.glance(&tree.root).and_then(|()| files.tidy(&tree.root))?;
            if scrutiny == Scrutiny::Digests {
                files.verify(&tree.root)?;
            }
            Ok(tidied)
        }
        None => FileTable::adopt(&tree.root, tree.layout, &table),
    };
    let reason = match looked_over() {
        Ok(tidied) => {
            if tidied {
                let text = format!("byte code was removed that a Python run left in `{}`", tree.root.display());
                context.note(text);
            }
            return Ok(tree);
        }
        Err(reason) => reason,
    };
    context.note(format!("the store's copy of the interpreter {} is made again: {reason}", choice.actual));
    let discard = || -> Result<()> {
        context.store.discard(&tree.root)?;
        super::disk::remove(&table)
    };
    discard().map_err(|kind| BaseError { python: choice.requested, platform: choice.platform, kind })?;
    provide(context, choice)
}

fn provided(context: &Context, choice: &BaseChoice) -> Result<BaseTree> {
    let source = source_digest(context, choice)?;
    let identity = identity(choice.source, &source, choice.platform);
    let place = context.store.base(&identity);
    context.store.mark_used(EntryKind::Bases, &identity.to_string());
    if !place.is_dir() {
        let held = match context.store.lock("base", &identity, || context.is_cancelled())? {
            LockOutcome::Held(lock) => lock,
            LockOutcome::GivenUp => return Err(BaseErrorKind::Cancelled),
        };
        // Another process may have made it while this one waited.
        if !place.is_dir() && !shared_tree::bring(context, &identity, &place) {
            make(context, choice, &place)?;
        }
        drop(held);
    }
    let layout = TreeLayout { platform: choice.platform, python: choice.actual };
    let record = BaseRecord {
        source: choice.source.as_str().to_owned(),
        requested: choice.requested,
        actual: choice.actual,
        stand_in: choice.stand_in,
        origin: choice.origin.clone(),
        digest: source,
        absent: content::absent_parts(&place, layout),
    };
    let mut tree = BaseTree { root: place, layout, identity, record };
    let failing = trial::failing_parts(context, &tree);
    tree.record.absent.extend(failing);
    tree.record.absent.sort();
    tree.record.absent.dedup();
    Ok(tree)
}

/// Digest of the archive or module as published; for an interpreter of this machine, of the files taken.
fn source_digest(context: &Context, choice: &BaseChoice) -> Result<Digest> {
    match &choice.supply {
        BaseSupply::Archive { sha256, .. } => Ok(*sha256),
        BaseSupply::GoModule { sum, .. } => Ok(*sum),
        BaseSupply::Exported { digest } => Ok(*digest),
        BaseSupply::System(python) => system::content_digest(context, python),
    }
}

fn make(context: &Context, choice: &BaseChoice, place: &Path) -> Result<()> {
    let layout = TreeLayout { platform: choice.platform, python: choice.actual };
    let staged = context.store.stage_dir()?;
    let tree = staged.path();
    let (mut links, paths) = match &choice.supply {
        BaseSupply::Archive { url, file_name, sha256 } => {
            let request = FetchRequest {
                url: url.clone(),
                file_name: file_name.clone(),
                sha256: *sha256,
                size: None,
                largest: None,
            };
            let archive = fetch(context, &request).map_err(|error| BaseErrorKind::Download(Box::new(error)))?;
            (unpack::unpack(context, &archive, tree)?, BuildPaths::standalone())
        }
        BaseSupply::GoModule { version, sum } => {
            (go_module::unpack(context, &choice.go_modules, (version, sum), layout, tree)?, BuildPaths::standalone())
        }
        BaseSupply::System(python) => {
            system::copy(context, python, layout, tree)?;
            // Always this machine's platform, which has links or needs none.
            (CopiedLinks::new(), BuildPaths::of(python))
        }
        // It comes as a finished tree or not at all.
        BaseSupply::Exported { .. } => return Err(BaseErrorKind::NotExported { origin: choice.origin.clone() }),
    };
    if context.is_cancelled() {
        return Err(BaseErrorKind::Cancelled);
    }
    normalise(tree, layout, &paths, &mut links)?;
    check_content(choice, tree, layout)?;
    tell_of_libcrypt(context, choice, tree, layout)?;
    FileTable::make(tree, layout, links)?.write(&place.with_extension("json"))?;
    context.store.publish_dir(staged, place)?;
    Ok(())
}

/// Checks what an archive claims to be, as far as its files show it.
fn check_content(choice: &BaseChoice, tree: &Path, layout: TreeLayout) -> Result<()> {
    let lacks = |path: TreePath| BaseErrorKind::NotCPython { origin: choice.origin.clone(), path: path.to_string() };
    match content::version_in(tree, layout)? {
        Some(found) if found != choice.actual.to_string() => {
            return Err(BaseErrorKind::OtherVersion { origin: choice.origin.clone(), found });
        }
        _ => {}
    }
    for needed in [layout.interpreter(), content::landmark(layout)] {
        if !needed.below(tree).is_file() {
            return Err(lacks(needed));
        }
    }
    Ok(())
}

/// Up to release 20230507 python-build-standalone's Linux interpreters need a library that newer distributions do not
/// install by default. The system has to provide it, like the C library.
fn tell_of_libcrypt(context: &Context, choice: &BaseChoice, tree: &Path, layout: TreeLayout) -> Result<()> {
    const LIBRARY: &str = "libcrypt.so.1";
    let bytes = read(&layout.interpreter().below(tree))?;
    if elf::parse(&bytes).is_ok_and(|elf| elf.needed.iter().any(|name| name == LIBRARY)) {
        // A note, because it is reported once, when the interpreter is new; each build reports what its runtime needs.
        context.note(format!(
            "{}: this interpreter runs only where `{LIBRARY}` is installed; on distributions without it install \
             libxcrypt-compat, or use a newer patch release",
            choice.origin
        ));
    }
    Ok(())
}

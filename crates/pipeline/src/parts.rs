//! Which files each part of an artifact holds, the order of the parts, and the manifest that lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::{EntryKind, FileContent, ManifestError, PartSource, TreeEntry};
use rayon::prelude::*;
use tree_table::TreeTable;
use vocab::INNER_MANIFEST;
use vocab::{
    BaseRecord, BuildTools, CheckedEnvironment, Digest, DigestKinds, Distribution, Fault, IF_REQUIRED, MANIFEST_FORMAT,
    Manifest, NativeFiles, NativeSummary, PartKind, RuleOutcome, RuleRecord, TreePath, WheelOrigin,
};

use crate::assemble::AssembledPrefix;
use crate::gather::{GatherOutcome, GatheredWheel};
use crate::plan::PlanAction;
use crate::prepare::PreparedPlatform;
use interpreter::{BaseTree, FileTable};
use resolve::UV_VERSION;
use store::Context;

/// What the checks found out about the finished tree.
#[derive(Clone, Debug, Default)]
pub struct CheckFindings {
    pub native: NativeSummary,
    /// By digest of the wheel, what its native files are like; without those that have none.
    pub distributions: BTreeMap<Digest, NativeFiles>,
    /// Where requirements were resolved each for itself.
    pub environments: Vec<CheckedEnvironment>,
    /// Top-level names that imports looked for.
    pub asked: BTreeSet<String>,
}

/// Everything in the manifest except the artifact and the warnings.
pub fn manifest(
    prepared: &PreparedPlatform,
    tree: &BaseTree,
    gathering: &GatherOutcome,
    assembled: &AssembledPrefix,
    findings: &CheckFindings,
    build_key: Digest,
) -> Manifest {
    let native = |gathered: &GatheredWheel| findings.distributions.get(&gathered.wheel.contents.sha256).cloned();
    let mut distributions: Vec<Distribution> =
        gathering.wheels.iter().map(|gathered| distribution(gathered, native(gathered))).collect();
    distributions.extend(gathering.sources.iter().map(|source| Distribution {
        name: source.name.clone(),
        version: source.version.clone(),
        file: source.file.to_string(),
        sha256: source.sha256,
        size: std::fs::metadata(&source.blob).map_or(0, |metadata| metadata.len()),
        origin: WheelOrigin::Sdist { file: source.file.to_string(), sha256: source.sha256 },
        requested: source.requested,
        brought_by: source.brought_by.clone(),
        licence: None,
        needs: None,
        native: None,
    }));
    distributions.sort_by(|one, other| one.name.cmp(&other.name));
    Manifest {
        format: MANIFEST_FORMAT,
        runtime: prepared.config.version.clone(),
        platform: prepared.request.target.platform,
        base: BaseRecord { ..tree.record.clone() },
        degraded: prepared.config.degraded,
        build_key,
        config: prepared.config_digest,
        lock: prepared.lock_digest,
        distributions,
        rules: rules(prepared, &gathering.left_out),
        copied_files: assembled.copied.clone(),
        clashes: assembled.installed.as_ref().map(|all| all.clashes.clone()).unwrap_or_default(),
        native: findings.native.clone(),
        environments: findings.environments.clone(),
        warnings: Vec::new(),
        tools: BuildTools { builder: env!("CARGO_PKG_VERSION").to_owned(), uv: UV_VERSION.to_owned() },
        installed_size: 0,
        files: 0,
        artifact: None,
    }
}

/// The row of an installed wheel.
pub(crate) fn distribution(gathered: &GatheredWheel, native: Option<NativeFiles>) -> Distribution {
    let contents = &gathered.wheel.contents;
    Distribution {
        name: gathered.name.clone(),
        version: contents.metadata.version.clone(),
        file: contents.file_name.to_string(),
        sha256: contents.sha256,
        size: contents.size,
        origin: gathered.origin.clone(),
        requested: gathered.requested,
        brought_by: gathered.brought_by.clone(),
        licence: contents.metadata.licence.clone(),
        needs: native.as_ref().and_then(oldest_system),
        native,
    }
}

/// The one version that says where a distribution runs.
fn oldest_system(native: &NativeFiles) -> Option<String> {
    ["glibc", "macos"].iter().find_map(|provider| native.needs.get(*provider).cloned())
}

/// Every rule that acted and everything that is not there, by name.
fn rules(prepared: &PreparedPlatform, left_out: &[RuleRecord]) -> Vec<RuleRecord> {
    let mut rules: BTreeSet<RuleRecord> = prepared.request.decided.iter().cloned().collect();
    rules.extend(prepared.rows.left_out.iter().cloned());
    rules.extend(left_out.iter().cloned());
    for row in &prepared.plan.rows {
        let outcome = match row.action {
            PlanAction::Forced => RuleOutcome::Forced,
            PlanAction::BuildWheel => RuleOutcome::BuiltWheel,
            PlanAction::Source => RuleOutcome::FromSource,
            PlanAction::ShippedSource => RuleOutcome::ShippedSource,
            _ => continue,
        };
        if !left_out.iter().any(|left| left.name == row.name) {
            rules.insert(RuleRecord { name: row.name.clone(), outcome, reason: row.reason.clone() });
        }
    }
    // Transitive skips: the rule acted if it kept something out that would have come, which only the resolver knows;
    // so every skip of this platform is recorded.
    for name in prepared.request.excluded.keys() {
        if !rules.iter().any(|row| row.name == *name && row.outcome == RuleOutcome::Skipped)
            && let Some(reason) = prepared.config.skip_reason(name, prepared.request.target.platform)
        {
            let reason = format!("{reason} {IF_REQUIRED}");
            rules.insert(RuleRecord { name: name.clone(), outcome: RuleOutcome::Skipped, reason });
        }
    }
    rules.into_iter().collect()
}

/// A file in the prefix that no distribution, copy or base owns.
#[derive(Debug, thiserror::Error, Fault)]
#[error("`{path}` in the finished prefix is not owned by any installed component")]
#[fault(
    "E_STRAY_FILE",
    Check,
    hint(
        "most likely a package writes there when it is imported, which fails where a runtime is read-only; the \
         path shows which: leave it out, or ask its authors to write elsewhere"
    )
)]
pub struct StrayFile {
    pub path: TreePath,
}

/// The staged tree as parts, in the order of [`PartKind`]. Every file has
/// an owner; one without is an error. Sizes are filled into the manifest, which becomes the last part.
pub fn parts(
    context: &Context,
    staging: &Path,
    tree: &BaseTree,
    gathering: &GatherOutcome,
    assembled: &AssembledPrefix,
    manifest: &mut Manifest,
) -> Result<Vec<PartSource>, Box<dyn Fault>> {
    let OwnedTree { mut parts, files, size } = owned(context, staging, tree, gathering, assembled)?;
    (manifest.files, manifest.installed_size) = (files, size);
    parts.push(metadata(manifest)?);
    debug_assert!(parts.is_sorted_by_key(|part| PartKind::of(&part.name)), "the order of the parts is fixed");
    Ok(parts)
}

/// A staged tree by owners.
pub(crate) struct OwnedTree {
    /// All but the manifest's. The interpreter's is the first.
    pub parts: Vec<PartSource>,
    /// How many files and links.
    pub files: u64,
    /// Sum of all regular files, in bytes.
    pub size: u64,
}

/// The part of the manifest inside.
pub(crate) fn metadata(manifest: &Manifest) -> Result<PartSource, ReadError> {
    let inner = archive::write_manifest(&inner_manifest(manifest));
    let path: TreePath = INNER_MANIFEST.parse().expect("a literal path inside the tree");
    let entries = vec![TreeEntry::bytes(path, inner.into_bytes())];
    Ok(PartSource::identified(PartKind::METADATA, with_digests(entries, |_| None)?))
}

/// The staged tree as parts, without that of the manifest.
pub(crate) fn owned(
    context: &Context,
    staging: &Path,
    tree: &BaseTree,
    gathering: &GatherOutcome,
    assembled: &AssembledPrefix,
) -> Result<OwnedTree, Box<dyn Fault>> {
    let mut by_path: BTreeMap<TreePath, TreeEntry> = BTreeMap::new();
    let mut empty_folders: BTreeSet<TreePath> = BTreeSet::new();
    for entry in archive::scan(staging)? {
        if let Some(parent) = entry.path.parent() {
            empty_folders.remove(&parent);
        }
        if matches!(entry.kind, EntryKind::Directory) {
            empty_folders.insert(entry.path.clone());
        }
        by_path.insert(entry.path.clone(), entry);
    }
    for (path, target) in &assembled.unmade_links {
        if let Some(parent) = path.parent() {
            empty_folders.remove(&parent);
        }
        by_path.insert(path.clone(), TreeEntry::symlink(path.clone(), target.clone()));
    }
    settle_programs(context, tree, assembled, &mut by_path);
    let folders: BTreeSet<TreePath> = by_path
        .values()
        .filter(|entry| matches!(entry.kind, EntryKind::Directory) && !empty_folders.contains(&entry.path))
        .map(|entry| entry.path.clone())
        .collect();
    by_path.retain(|path, _| !folders.contains(path));
    let files = by_path.values().filter(|entry| !matches!(entry.kind, EntryKind::Directory)).count() as u64;
    let size = by_path.values().map(size_of).sum();

    let mut parts = Vec::new();
    let mut take = |paths: &mut dyn Iterator<Item = &TreePath>| -> Vec<TreeEntry> {
        paths.filter_map(|path| by_path.remove(path)).collect()
    };
    // Taken first: a file that replaced one of a wheel is not in the wheel's part, whose identity covers the original.
    let copied = take(&mut assembled.copied.iter().map(|file| &file.path));
    let base = take(&mut assembled.base_files.iter().chain(&empty_folders));
    let base_digests = if base.is_empty() { BTreeMap::new() } else { base_digests(context, tree) };
    parts.push(PartSource::identified(PartKind::BASE, with_digests(base, |path| base_digests.get(path).copied())?));
    let wheels = gathering.wheels.iter().map(|it| it.wheel.contents.file_name.to_string());
    let sources = gathering.sources.iter().map(|it| it.file.to_string());
    for (index, file) in wheels.chain(sources).enumerate() {
        let mut digests: BTreeMap<&TreePath, Digest> = BTreeMap::new();
        // Sources stand only in a wheelhouse, in which nothing is installed.
        if let Some(installed) = assembled.installed.as_ref().and_then(|all| all.distributions.get(index)) {
            digests.extend(installed.files.iter().map(|it| (&it.path, it.sha256)));
        }
        let house = assembled.wheelhouse.iter().filter(|(path, _)| path.file_name() == file);
        digests.extend(house.map(|(path, digest)| (path, *digest)));
        let entries = take(&mut digests.keys().copied());
        parts.push(PartSource::identified(file, with_digests(entries, |path| digests.get(path).copied())?));
    }
    if !copied.is_empty() {
        parts.push(PartSource::identified(PartKind::COPIED_FILES, with_digests(copied, |_| None)?));
    }
    if let Some(path) = by_path.into_keys().next() {
        return Err(StrayFile { path }.into());
    }
    Ok(OwnedTree { parts, files, size })
}

/// The manifest as it stands in the prefix. Without the imports that were run: whether they are depends on the machine,
/// which the prefix and its artifact must not. The manifest beside the artifact has them.
fn inner_manifest(manifest: &Manifest) -> Manifest {
    let native =
        NativeSummary { imported: 0, allowed: 0, emulated: None, warnings: Vec::new(), ..manifest.native.clone() };
    Manifest { native, environments: Vec::new(), warnings: Vec::new(), ..manifest.clone() }
}

/// To its place in the prefix, which is for everybody to read.
pub fn write_inner_manifest(staging: &Path, manifest: &Manifest) -> Result<(), ManifestError> {
    let path = staging.join(INNER_MANIFEST);
    archive::save_manifest(&path, &inner_manifest(manifest))?;
    disk::set_file_mode(&path, false).map_err(|source| ManifestError::Write { path, source })
}

/// How the finished tree is left. Digests are those of the parts; what the artifact has and this system cannot make is
/// not in it.
pub fn tree_table(staging: &Path, parts: &[PartSource]) -> Result<TreeTable, ReadError> {
    let entries = parts.iter().flat_map(|part| &part.entries);
    let known: BTreeMap<&TreePath, Digest> = entries.filter_map(|entry| Some((&entry.path, entry.sha256?))).collect();
    TreeTable::with_digests(staging, DigestKinds::Sha256, &|path| known.get(path).copied().map(Into::into))
        .map_err(|source| ReadError { path: staging.to_owned(), source })
}

/// Which files of the interpreter and of the wheels are executable is known from their tables: a host without such
/// bits gives the same archive.
fn settle_programs(
    context: &Context,
    tree: &BaseTree,
    assembled: &AssembledPrefix,
    entries: &mut BTreeMap<TreePath, TreeEntry>,
) {
    let mut settle = |path: &TreePath, program: bool| {
        if let Some(TreeEntry { kind: EntryKind::File { executable, .. }, .. }) = entries.get_mut(path) {
            *executable = program;
        }
    };
    // A tree without a table comes from an older builder; then the modes of its files count.
    if !assembled.base_files.is_empty()
        && let Ok(Some(table)) = FileTable::read(&context.store.base_table(&tree.identity))
    {
        let programs: BTreeSet<&TreePath> = table.programs().collect();
        assembled.base_files.iter().for_each(|path| settle(path, programs.contains(path)));
    }
    let installed = assembled.installed.iter().flat_map(|all| &all.distributions);
    installed.flat_map(|it| &it.files).for_each(|file| settle(&file.path, file.executable));
}

/// The same parts, with files that stand unchanged in a wheel taken from the wheel: into a zip they are then copied
/// without being packed anew.
pub fn parts_from_wheels(
    parts: &[PartSource],
    gathered: &[GatheredWheel],
    assembled: &AssembledPrefix,
) -> Vec<PartSource> {
    let mut parts = parts.to_vec();
    let Some(all) = &assembled.installed else { return parts };
    parts.par_iter_mut().for_each(|part| {
        let of_part = |gathered: &GatheredWheel| gathered.wheel.contents.file_name.to_string() == part.name;
        let Some(index) = gathered.iter().position(of_part) else { return };
        let wheel: Arc<Path> = gathered[index].blob.as_path().into();
        // A wheel that cannot be copied from was unpacked all the same; its files are packed like any others.
        let Ok(members) = archive::zip_members(&wheel) else { return };
        part.copied_from = Some(gathered[index].wheel.contents.sha256);
        let files = &all.distributions[index].files;
        for entry in &mut part.entries {
            let EntryKind::File { content, .. } = &mut entry.kind else { continue };
            let Ok(found) = files.binary_search_by(|file| file.path.cmp(&entry.path)) else { continue };
            let member = files[found].source.as_ref().and_then(|source| members.get(source.as_str()));
            if let Some(member) = member {
                *content = FileContent::Zipped { archive: Arc::clone(&wheel), member: *member };
            }
        }
    });
    parts
}

/// Digests of the interpreter's files when it came into the store. Packing compares the present files with them.
fn base_digests(context: &Context, tree: &BaseTree) -> BTreeMap<TreePath, Digest> {
    match FileTable::read(&context.store.base_table(&tree.identity)) {
        Ok(Some(table)) => table.digests().map(|(path, sha256)| (path.clone(), *sha256)).collect(),
        // From an older builder: then the present content counts.
        _ => BTreeMap::new(),
    }
}

/// The entries with the digests of all files: those that are `known`, and those of what the others hold now.
fn with_digests(
    mut entries: Vec<TreeEntry>,
    known: impl Fn(&TreePath) -> Option<Digest> + Sync,
) -> Result<Vec<TreeEntry>, ReadError> {
    entries.par_iter_mut().try_for_each(|entry| {
        let EntryKind::File { content, .. } = &entry.kind else { return Ok(()) };
        let read = || {
            let path = match content {
                FileContent::Disk(path) => path.clone(),
                FileContent::Zipped { archive, .. } => archive.to_path_buf(),
                FileContent::Bytes(_) => PathBuf::new(),
            };
            content.digest().map_err(|source| ReadError { path, source })
        };
        entry.sha256 = Some(known(&entry.path).map_or_else(read, Ok)?);
        Ok(())
    })?;
    Ok(entries)
}

/// A file of the prefix that cannot be read while it is packed.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot read `{}`", path.display())]
#[fault("E_READ", Build)]
pub struct ReadError {
    pub path: PathBuf,
    pub source: io::Error,
}

pub(crate) fn size_of(entry: &TreeEntry) -> u64 {
    match &entry.kind {
        EntryKind::File { content, .. } => content.size().unwrap_or(0),
        EntryKind::Directory | EntryKind::Symlink { .. } => 0,
    }
}

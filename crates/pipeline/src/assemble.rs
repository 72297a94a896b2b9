//! A prefix from its pieces: the base interpreter, the wheels, the files of the package folder. It also records who
//! owns each file, from which the artifact's parts are made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config_merger::Layout;
use rayon::prelude::*;
use serde_json::json;
use vocab::{CopiedFile, Digest, DistributionName, Fault, TreePath, WheelOrigin};

use crate::copy_files::{self, CopyOperation};
use crate::gather::{GatheredWheel, ShippedSource};
use crate::steps::TimedSteps;
use interpreter::{BaseTree, FileTable};
use store::Context;
use wheel::windows_launcher::WindowsLaunchers;
use wheel::{self, InstallDestination, InstallError, InstallRequest, InstalledAll, LinkMethod, WheelToInstall};

/// The folder of wheels in a `wheelhouse` layout.
pub const WHEELHOUSE: &str = "packages";

/// A staged prefix and where its files came from.
pub struct AssembledPrefix {
    /// Paths of the base tree that are still there, links included.
    pub base_files: BTreeSet<TreePath>,
    /// Links of the base tree that this system cannot make: the archive has them, the staged prefix does not.
    pub unmade_links: BTreeMap<TreePath, String>,
    /// Absent for a wheelhouse; its wheels are installed into an [`overlay`].
    pub installed: Option<InstalledAll>,
    /// Wheel files in `packages/`, by path.
    pub wheelhouse: BTreeMap<TreePath, Digest>,
    pub copied: Vec<CopiedFile>,
    /// How files came from the store.
    pub method: LinkMethod,
}

/// A file operation that failed; `action` is a verb.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot {action} `{}`", path.display())]
#[fault("E_ASSEMBLE", Build, hint_with = Self::hint_text)]
pub struct AssembleError {
    pub action: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl AssembleError {
    fn hint_text(&self) -> Option<String> {
        (self.source.kind() == io::ErrorKind::StorageFull)
            .then(|| "free some space, or point --store-dir and the repository at a larger disk".to_owned())
    }
}

/// What is put together, and how.
pub struct PrefixPieces<'a> {
    pub tree: &'a BaseTree,
    pub wheels: &'a [GatheredWheel],
    /// For a wheelhouse.
    pub sources: &'a [ShippedSource],
    pub copies: &'a [CopyOperation],
    pub package_folder: &'a Path,
    pub layout: Layout,
    /// For scripts on Windows.
    pub launchers: Option<&'a WindowsLaunchers>,
}

/// Into `staging`, an empty folder.
pub fn assemble(
    context: &Context,
    pieces: &PrefixPieces<'_>,
    staging: &Path,
    steps: &mut TimedSteps,
) -> Result<AssembledPrefix, Box<dyn Fault>> {
    let unmade_links = unmade_links(context, pieces.tree);
    let (base_files, method) =
        steps.run(context, "lay out the interpreter", || lay_out_base(context, pieces.tree, &unmade_links, staging))?;
    let mut installed = None;
    if pieces.layout != Layout::Wheelhouse {
        let all = steps.run(context, "install", || install(context, pieces, staging, &base_files))?;
        for name in &all.removed {
            context.note(format!("the interpreter's own `{name}` was replaced with the configured one"));
        }
        installed = Some(all);
    }
    let mut wheelhouse = BTreeMap::new();
    if pieces.layout != Layout::Installed {
        wheelhouse = steps.run(context, "fill the wheelhouse", || fill_wheelhouse(pieces, staging, method))?;
    }
    let mut copied = Vec::new();
    if !pieces.copies.is_empty() {
        copied = steps.run(context, "copy files", || {
            copy_files::copy_files(context, pieces.copies, pieces.package_folder, staging, pieces.tree.layout)
        })?;
        for file in copied.iter().filter(|file| file.overwrote) {
            context.note(format!("copyFiles replaced `{}`", file.path));
        }
    }
    let mut assembled = AssembledPrefix { base_files, unmade_links, installed, wheelhouse, copied, method };
    assembled.settle_base(staging);
    Ok(assembled)
}

/// What wheels that are shipped as files become when they are installed, all of `pieces.wheels` into one prefix below
/// `root`, an empty folder: for the checks, never shipped.
pub fn overlay(context: &Context, pieces: &PrefixPieces<'_>, root: &Path) -> Result<AssembledPrefix, Box<dyn Fault>> {
    let unmade_links = unmade_links(context, pieces.tree);
    let (base_files, method) = lay_out_base(context, pieces.tree, &unmade_links, root)?;
    let installed = Some(install(context, pieces, root, &base_files)?);
    let mut copied = Vec::new();
    if !pieces.copies.is_empty() {
        copied = copy_files::copy_files(context, pieces.copies, pieces.package_folder, root, pieces.tree.layout)?;
    }
    let mut assembled =
        AssembledPrefix { base_files, unmade_links, installed, wheelhouse: BTreeMap::new(), copied, method };
    assembled.settle_base(root);
    Ok(assembled)
}

/// What the wheels of `pieces` and its copied files add to a prefix that has `known` paths, alone in `staging`. `None` if any of it
/// meets what is there, or if there is anything to report.
pub(crate) fn added(
    context: &Context,
    pieces: &PrefixPieces<'_>,
    staging: &Path,
    known: &BTreeSet<TreePath>,
) -> Option<AssembledPrefix> {
    let all = installed(context, pieces, staging, known).ok()?;
    let is_quiet = all.remarks.is_empty() && all.clashes.is_empty() && all.kept.is_empty() && all.removed.is_empty();
    if !is_quiet {
        return None;
    }
    let copied = copy_files::copy_files(context, pieces.copies, pieces.package_folder, staging, pieces.tree.layout);
    let copied = copied.ok().filter(|copied| !copied.iter().any(|file| file.overwrote))?;
    Some(AssembledPrefix {
        base_files: BTreeSet::new(),
        unmade_links: BTreeMap::new(),
        method: all.method,
        installed: Some(all),
        wheelhouse: BTreeMap::new(),
        copied,
    })
}

impl AssembledPrefix {
    /// Drops files of the base tree that a wheel or a copied file replaced.
    fn settle_base(&mut self, root: &Path) {
        let Self { base_files, unmade_links, installed, copied, .. } = self;
        let taken = |path: &TreePath| copied.iter().any(|file| file.path == *path);
        let stands =
            |path: &TreePath| unmade_links.contains_key(path) || fs::symlink_metadata(path.below(root)).is_ok();
        base_files.retain(|path| !taken(path) && stands(path));
        for path in installed.iter().flat_map(|all| &all.distributions).flat_map(|it| &it.files).map(|file| &file.path)
        {
            base_files.remove(path);
        }
        unmade_links.retain(|path, _| base_files.contains(path));
    }
}

/// Windows makes links for those who have the right to; trees for Windows have none.
fn unmade_links(context: &Context, tree: &BaseTree) -> BTreeMap<TreePath, String> {
    if cfg!(unix) {
        return BTreeMap::new();
    }
    let Ok(Some(table)) = FileTable::read(&context.store.base_table(&tree.identity)) else { return BTreeMap::new() };
    table.links().map(|(path, target)| (path.clone(), target.to_owned())).collect()
}

/// Files by the cheapest way, links. Gives what was laid out, and `unmade_links`.
fn lay_out_base(
    context: &Context,
    tree: &BaseTree,
    unmade_links: &BTreeMap<TreePath, String>,
    staging: &Path,
) -> Result<(BTreeSet<TreePath>, LinkMethod), AssembleError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| AssembleError { action, path, source }
    };
    let mut files = Vec::new();
    let mut method = None;
    for entry in walkdir::WalkDir::new(&tree.root).min_depth(1).sort_by_file_name() {
        let entry =
            entry.map_err(|error| AssembleError { action: "read", path: tree.root.clone(), source: error.into() })?;
        let path = TreePath::relative(entry.path(), &tree.root)
            .ok_or_else(|| failed("name", entry.path())(io::ErrorKind::InvalidFilename.into()))?;
        let target = path.below(staging);
        if entry.file_type().is_dir() {
            disk::make_folder(&target).map_err(failed("create", &target))?;
        } else {
            if method.is_none() && entry.file_type().is_file() {
                let probed = LinkMethod::probe(entry.path(), staging);
                method = Some(probed.map_err(|error| failed("probe", staging)(io::Error::other(error)))?);
            }
            files.push((path, entry.into_path(), target));
        }
    }
    let method = method.unwrap_or(LinkMethod::Copy);
    let place = |(path, source, target): &(TreePath, PathBuf, PathBuf)| -> Result<(), AssembleError> {
        if unmade_links.contains_key(path) {
            return Ok(());
        }
        let metadata = fs::symlink_metadata(source).map_err(failed("read", source))?;
        if metadata.is_symlink() {
            return copy_link(source, target).map_err(failed("link", target));
        }
        wheel::place(method, source, target, executable(&metadata)).map_err(failed("write", target))
    };
    let pool = wheel::thread_pool(context).map_err(failed("start threads for", staging))?;
    pool.install(|| files.par_iter().with_min_len(32).try_for_each(place))?;
    Ok((files.into_iter().map(|(path, _, _)| path).collect(), method))
}

#[cfg(unix)]
fn copy_link(source: &Path, target: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(fs::read_link(source)?, target)
}

/// Trees for Windows hold no links; one that got there stands for its content.
#[cfg(not(unix))]
fn copy_link(source: &Path, target: &Path) -> io::Result<()> {
    fs::copy(source, target).map(drop)
}

#[cfg(unix)]
fn executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn executable(_metadata: &fs::Metadata) -> bool {
    false
}

fn install(
    context: &Context,
    pieces: &PrefixPieces<'_>,
    staging: &Path,
    base: &BTreeSet<TreePath>,
) -> Result<InstalledAll, Box<dyn Fault>> {
    let all = installed(context, pieces, staging, base)?;
    for (name, remark) in &all.remarks {
        context.warn(remark.kind.code(), format!("`{name}`: {}", remark.text), None, None);
    }
    for (path, name) in &all.kept {
        context.note(format!("the interpreter's own `{path}` stays, in place of the one of `{name}`"));
    }
    refuse_clashes(pieces.wheels, &all)?;
    for clash in &all.clashes {
        context.warn(
            "W_FILE_CLASH",
            format!("`{}` and `{}` both bring `{}`; the first one is kept", clash.kept, clash.dropped, clash.path),
            Some(clash.dropped.to_string()),
            Some("skip one of the two".to_owned()),
        );
    }
    Ok(all)
}

fn installed(
    context: &Context,
    pieces: &PrefixPieces<'_>,
    staging: &Path,
    base: &BTreeSet<TreePath>,
) -> Result<InstalledAll, InstallError> {
    let wheels: Vec<WheelToInstall<'_>> = pieces
        .wheels
        .iter()
        .map(|gathered| WheelToInstall {
            wheel: &gathered.wheel,
            request: InstallRequest {
                direct_url: direct_url(&gathered.origin),
                ..InstallRequest::new(gathered.requested)
            },
        })
        .collect();
    let (layout, launchers) = (pieces.tree.layout, pieces.launchers);
    wheel::install_all(context, &wheels, &InstallDestination { prefix: staging, layout, base, launchers })
}

/// Files that a wheel which was given shares with another one, or with the interpreter.
#[derive(Debug, thiserror::Error, Fault)]
#[error("{}", clashes.iter().map(WheelClash::sentence).collect::<Vec<_>>().join("; "))]
#[fault("E_WHEEL_CLASH", Build, hint("rename one of the two files"))]
pub struct WheelClashes {
    /// Never empty.
    pub clashes: Vec<WheelClash>,
}

/// One path with two owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelClash {
    pub path: TreePath,
    pub given: DistributionName,
    /// Absent for the interpreter.
    pub other: Option<DistributionName>,
}

impl WheelClash {
    fn sentence(&self) -> String {
        let other = self.other.as_ref().map_or("the interpreter".to_owned(), |name| format!("`{name}`"));
        format!("`{}` and {other} both install `{}`", self.given, self.path)
    }
}

/// A locked wheel may lose a file to another one, with a warning; a given one may not, and wins none either.
fn refuse_clashes(wheels: &[GatheredWheel], all: &InstalledAll) -> Result<(), WheelClashes> {
    let is_given = |name: &DistributionName| wheels.iter().any(|wheel| wheel.extra && wheel.name == *name);
    let of_base = all.kept.iter().filter(|(_, name)| is_given(name));
    let mut clashes: Vec<WheelClash> =
        of_base.map(|(path, name)| WheelClash { path: path.clone(), given: name.clone(), other: None }).collect();
    for clash in &all.clashes {
        let (given, other) = match (is_given(&clash.dropped), is_given(&clash.kept)) {
            (true, _) => (&clash.dropped, &clash.kept),
            (_, true) => (&clash.kept, &clash.dropped),
            _ => continue,
        };
        clashes.push(WheelClash { path: clash.path.clone(), given: given.clone(), other: Some(other.clone()) });
    }
    if clashes.is_empty() { Ok(()) } else { Err(WheelClashes { clashes }) }
}

/// PEP 610, without what only this machine knows, such as a local path.
fn direct_url(origin: &WheelOrigin) -> Option<serde_json::Value> {
    match origin {
        WheelOrigin::Git { repository, commit } => {
            Some(json!({ "url": repository, "vcs_info": { "vcs": "git", "commit_id": commit } }))
        }
        WheelOrigin::Path { path, sha256 } => Some(json!({
            "url": format!("file:///{path}"),
            "archive_info": { "hashes": { "sha256": sha256.to_string() } },
        })),
        WheelOrigin::Wheel | WheelOrigin::Sdist { .. } | WheelOrigin::Base => None,
    }
}

fn fill_wheelhouse(
    pieces: &PrefixPieces<'_>,
    staging: &Path,
    method: LinkMethod,
) -> Result<BTreeMap<TreePath, Digest>, AssembleError> {
    let folder: TreePath = WHEELHOUSE.parse().expect("a literal path inside the tree");
    let place = folder.below(staging);
    disk::make_folders(&place).map_err(|source| AssembleError { action: "create", path: place.clone(), source })?;
    let mut files = BTreeMap::new();
    let wheels = pieces.wheels.iter().map(|it| {
        let contents = &it.wheel.contents;
        (contents.file_name.to_string(), &it.blob, contents.sha256)
    });
    let sources = pieces.sources.iter().map(|it| (it.file.to_string(), &it.blob, it.sha256));
    for (name, blob, sha256) in wheels.chain(sources) {
        let target = place.join(&name);
        // A blob in the store may be writable, so a hard link to it would not be safe.
        let method = if method == LinkMethod::HardLink { LinkMethod::Copy } else { method };
        wheel::place(method, blob, &target, false).map_err(|source| AssembleError {
            action: "write",
            path: target.clone(),
            source,
        })?;
        let name: TreePath = name.parse().expect("a wheel's file name has no separators");
        files.insert(folder.join(&name), sha256);
    }
    Ok(files)
}

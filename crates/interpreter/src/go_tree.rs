//! The trees inside the Go module, each described by its `files.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use rayon::prelude::*;
use serde::Deserialize;
use vocab::TreePath;

use super::disk::{CopiedLinks, Result, at, create_folder, set_executable, symlink, write};
use super::error::BaseErrorKind;
use super::go_zip::{ModuleReader, ModuleZip};

/// Source: `embed_util/file_list.go` of the module.
#[derive(Deserialize)]
struct FileList {
    files: Vec<GoTreeItem>,
}

#[derive(Deserialize)]
struct GoTreeItem {
    name: TreePath,
    /// Uncompressed, in bytes.
    size: u64,
    /// Go's `fs.FileMode`.
    perm: u32,
    /// The content is in `<name>.gz`.
    #[serde(default)]
    compressed: bool,
    #[serde(default)]
    symlink: Option<String>,
}

const GO_MODE_DIR: u32 = 1 << 31;
const GO_MODE_SYMLINK: u32 = 1 << 27;

impl GoTreeItem {
    fn is_folder(&self) -> bool {
        self.perm & GO_MODE_DIR != 0
    }

    /// Every file of the Windows trees has all bits of its kind set; there they mean nothing.
    fn is_executable(&self) -> bool {
        self.perm & 0o100 != 0
    }
}

/// Lays out the tree of `folder` (with `/` at its end) below `tree`, which exists. Gives the links that this system
/// does not make.
pub(super) fn unpack(module: &ModuleZip, folder: &str, tree: &Path) -> Result<CopiedLinks> {
    let list = list(module, folder)?;
    for item in list.iter().filter(|item| item.is_folder()) {
        create_folder(&item.name.below(tree))?;
    }
    let files: Vec<&GoTreeItem> = list.iter().filter(|item| !item.is_folder()).collect();
    for item in &files {
        if let Some(parent) = item.name.parent() {
            create_folder(&parent.below(tree))?;
        }
    }
    let piece = files.len().div_ceil(rayon::current_num_threads() * 4).max(1);
    files.par_chunks(piece).try_for_each(|items| {
        let mut reader = module.reader()?;
        items.iter().try_for_each(|item| lay_out(&mut reader, folder, item, tree))
    })?;
    // Links last: where links are copies, the files meant are there by then.
    let links = || files.iter().filter(|item| item.perm & GO_MODE_SYMLINK != 0);
    links().try_for_each(|item| link(item, tree))?;
    let row = |item: &&GoTreeItem| Some((item.name.clone(), item.symlink.clone()?));
    Ok(if cfg!(unix) { CopiedLinks::new() } else { links().filter_map(row).collect() })
}

fn lay_out(reader: &mut ModuleReader<'_>, folder: &str, item: &GoTreeItem, tree: &Path) -> Result<()> {
    if item.perm & GO_MODE_SYMLINK != 0 {
        return Ok(());
    }
    let place = item.name.below(tree);
    write(&place, content(reader, folder, item)?)?;
    set_executable(&place, item.is_executable())
}

/// Accepts only links to a neighbour or into a folder below.
fn link(item: &GoTreeItem, tree: &Path) -> Result<()> {
    let refused = |reason: &str| BaseErrorKind::ModuleFile { file: item.name.to_string(), reason: reason.to_owned() };
    let target = item.symlink.as_deref().ok_or_else(|| refused("it is a link without target"))?;
    target.parse::<TreePath>().map_err(|error| refused(&format!("its target leaves its folder ({error})")))?;
    let place = item.name.below(tree);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("replace", &place)(error)),
        _ => symlink(target, &place),
    }
}

/// All regular files of `folder` with their content.
pub(super) fn files(module: &ModuleZip, folder: &str) -> Result<BTreeMap<TreePath, Vec<u8>>> {
    let mut reader = module.reader()?;
    let mut found = BTreeMap::new();
    for item in list(module, folder)? {
        if !item.is_folder() && item.perm & GO_MODE_SYMLINK == 0 {
            let bytes = content(&mut reader, folder, &item)?;
            found.insert(item.name, bytes);
        }
    }
    Ok(found)
}

fn list(module: &ModuleZip, folder: &str) -> Result<Vec<GoTreeItem>> {
    let name = format!("{folder}files.json");
    let list: FileList = vocab::typed_json::read(&module.reader()?.read(&name)?)
        .map_err(|error| BaseErrorKind::ModuleFile { file: name, reason: error.to_string() })?;
    Ok(list.files)
}

fn content(reader: &mut ModuleReader<'_>, folder: &str, item: &GoTreeItem) -> Result<Vec<u8>> {
    let differs = |reason: String| BaseErrorKind::ModuleFile { file: item.name.to_string(), reason };
    let mut bytes = reader.read(&format!("{folder}{}{}", item.name, if item.compressed { ".gz" } else { "" }))?;
    if item.compressed {
        let mut inflated = Vec::with_capacity(usize::try_from(item.size).unwrap_or(0).min(1 << 28));
        // One byte more than promised is enough to see that the promise does not hold.
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .take(item.size.saturating_add(1))
            .read_to_end(&mut inflated)
            .map_err(|error| differs(error.to_string()))?;
        bytes = inflated;
    }
    if bytes.len() as u64 != item.size {
        return Err(differs(format!("it has {} bytes, {} are expected", bytes.len(), item.size)));
    }
    Ok(bytes)
}

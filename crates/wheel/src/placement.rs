//! Where each file of a wheel goes, and which files installing adds. Reads the store, writes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use vocab::{Digest, TreePath, refused_by_windows};

use super::install_error::InstallErrorKind;
use super::launcher::{ScriptFile, ScriptTarget};
use super::{InstallRequest, Remark, UnpackedWheel, WheelEntry, script};
use crate::windows_launcher;
use vocab::TreeLayout;

/// A file to be created, at its key in the map of [`files_of`].
#[derive(Clone, Debug)]
pub(super) struct PlannedFile {
    pub content: PlannedContent,
    pub sha256: Digest,
    pub size: u64,
    pub executable: bool,
    /// Whether it is in the scripts folder.
    pub script: bool,
    /// Whether it is one of those that [`TreeLayout::stand_in`] names: in no RECORD, so that installers leave it alone.
    pub stand_in: bool,
}

#[derive(Clone, Debug)]
pub(super) enum PlannedContent {
    /// The file of this path in the wheel.
    Linked(TreePath),
    /// The same, but never a hard link: files beside the interpreter have mode 0755.
    Copied(TreePath),
    Made(Vec<u8>),
}

impl PlannedFile {
    fn of_entry(entry: &WheelEntry) -> Self {
        Self {
            content: PlannedContent::Linked(entry.path.clone()),
            sha256: entry.sha256,
            size: entry.size,
            executable: entry.executable,
            script: false,
            stand_in: false,
        }
    }

    fn made(bytes: Vec<u8>, script: bool) -> Self {
        let (sha256, size) = (Digest::of(&bytes), bytes.len() as u64);
        Self { content: PlannedContent::Made(bytes), sha256, size, executable: script, script, stand_in: false }
    }
}

/// The folder of the wheel's `.dist-info` below the prefix.
pub(super) fn dist_info(wheel: &UnpackedWheel, layout: TreeLayout) -> Result<TreePath, InstallErrorKind> {
    Ok(layout.site_packages().join(&parsed(&format!("{}.dist-info", wheel.contents.stem))?))
}

/// What installing a wheel amounts to.
#[derive(Clone, Debug)]
pub(super) struct PlacementPlan {
    /// Everything but RECORD, by path below the prefix.
    pub files: BTreeMap<TreePath, PlannedFile>,
    pub remarks: Vec<Remark>,
}

pub(super) fn files_of(
    wheel: &UnpackedWheel,
    target: ScriptTarget<'_>,
    request: &InstallRequest,
) -> Result<PlacementPlan, InstallErrorKind> {
    let layout = target.layout;
    let dist_info = dist_info(wheel, layout)?;
    let mut files: BTreeMap<TreePath, PlannedFile> = BTreeMap::new();
    let mut made: BTreeMap<TreePath, String> = BTreeMap::new();
    let mut remarks = Vec::new();
    for entry in &wheel.contents.entries {
        let (path, file) = place(wheel, target, entry)?;
        if file.script {
            let name = entry.path.file_name().to_owned();
            // `tool` and `tool.py` are one program on Windows, and `tool` comes first.
            if let Some(other) = made.get(&path).filter(|_| matches!(file.content, PlannedContent::Made(_))) {
                remarks.push(left_out(&name, other, &path));
                continue;
            }
            made.insert(path.clone(), name);
        }
        // `purelib` and the root are the same folder.
        if files.get(&path).is_some_and(|earlier| earlier.sha256 != file.sha256) {
            return Err(InstallErrorKind::Twice { path });
        }
        files.insert(path, file);
    }
    remarks.extend(add_entry_points(wheel, target, &mut files, &made)?);
    add_stand_ins(wheel, target, &mut files)?;
    // Files of installers are ours to write; a wheel that contains them was packed from an installation.
    for name in ["INSTALLER", "RECORD", "REQUESTED", "direct_url.json"] {
        files.remove(&dist_info.join(&parsed(name)?));
    }
    let mut add = |name: &str, bytes: Vec<u8>| -> Result<(), InstallErrorKind> {
        files.insert(dist_info.join(&parsed(name)?), PlannedFile::made(bytes, false));
        Ok(())
    };
    add("INSTALLER", format!("{}\n", request.installer).into_bytes())?;
    if request.requested {
        add("REQUESTED", Vec::new())?;
    }
    if let Some(url) = &request.direct_url {
        add("direct_url.json", url.to_string().into_bytes())?;
    }
    check_names(&files, layout)?;
    check_dist_info(&files, wheel, layout)?;
    Ok(PlacementPlan { files, remarks })
}

/// A script of an entry point replaces one that the wheel has as a file.
fn add_entry_points(
    wheel: &UnpackedWheel,
    target: ScriptTarget<'_>,
    files: &mut BTreeMap<TreePath, PlannedFile>,
    from_files: &BTreeMap<TreePath, String>,
) -> Result<Vec<Remark>, InstallErrorKind> {
    let mut remarks = Vec::new();
    let mut made: BTreeMap<TreePath, &str> = BTreeMap::new();
    for point in &wheel.contents.entry_points {
        let (path, file) = script_file(target.layout, target.entry_point(point)?)?;
        if path.as_str().ends_with(".exe.exe") {
            remarks.push(Remark::scripts(format!("its script `{}` becomes `{path}` on Windows", point.name)));
        }
        // `tool` and `tool.py` are one program on Windows.
        if let Some(other) = made.get(&path) {
            remarks.push(left_out(&point.name, other, &path));
            continue;
        }
        if let Some(file) = from_files.get(&path) {
            let text =
                format!("its script file `{file}` is left out: the entry point `{}` also becomes `{path}`", point.name);
            remarks.push(Remark::scripts(text));
        }
        made.insert(path.clone(), &point.name);
        files.insert(path, file);
    }
    Ok(remarks)
}

fn left_out(name: &str, other: &str, path: &TreePath) -> Remark {
    Remark::scripts(format!("its script `{name}` is left out: `{other}` also becomes `{path}`"))
}

/// The corresponding files in `bin`. A file that the wheel itself has there comes first.
fn add_stand_ins(
    wheel: &UnpackedWheel,
    target: ScriptTarget<'_>,
    files: &mut BTreeMap<TreePath, PlannedFile>,
) -> Result<(), InstallErrorKind> {
    let mut added = Vec::new();
    for (path, file) in files.iter() {
        let Some(place) = target.layout.stand_in(path).filter(|place| !files.contains_key(place)) else { continue };
        let start = match &file.content {
            PlannedContent::Made(bytes) => bytes.clone(),
            PlannedContent::Linked(source) | PlannedContent::Copied(source) => {
                let source = source.below(&wheel.tree);
                start_of(&source, windows_launcher::START).map_err(|error| unreadable(&source, error))?
            }
        };
        let is_library = path.parent().is_some_and(|folder| folder.is_root());
        let file = if is_library {
            file.clone()
        } else {
            match target.forwarder(path, &start)? {
                Some(bytes) => PlannedFile::made(bytes, true),
                None => continue,
            }
        };
        added.push((place, PlannedFile { script: false, stand_in: true, ..file }));
    }
    files.extend(added);
    Ok(())
}

fn start_of(path: &Path, length: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(length);
    fs::File::open(path)?.take(length as u64).read_to_end(&mut start)?;
    Ok(start)
}

fn unreadable(path: &Path, source: io::Error) -> InstallErrorKind {
    InstallErrorKind::Io { action: "read", path: path.to_owned(), source }
}

fn parsed(text: &str) -> Result<TreePath, InstallErrorKind> {
    text.parse().map_err(|error: vocab::TreePathError| InstallErrorKind::Refused {
        path: text.to_owned(),
        reason: error.reason.to_owned(),
    })
}

fn place(
    wheel: &UnpackedWheel,
    target: ScriptTarget<'_>,
    entry: &WheelEntry,
) -> Result<(TreePath, PlannedFile), InstallErrorKind> {
    let layout = target.layout;
    let file = PlannedFile::of_entry(entry);
    let below_data =
        entry.path.as_str().strip_prefix(&wheel.contents.stem).and_then(|rest| rest.strip_prefix(".data/"));
    let Some(below_data) = below_data else {
        return Ok((layout.site_packages().join(&entry.path), file));
    };
    let refuse =
        |reason: &str| Err(InstallErrorKind::Refused { path: entry.path.to_string(), reason: reason.to_owned() });
    let Some((scheme, rest)) = below_data.split_once('/') else {
        return refuse("a file cannot lie in the .data folder itself");
    };
    let rest = parsed(rest)?;
    let folder = match scheme {
        "purelib" | "platlib" => layout.site_packages(),
        "headers" => layout.headers().join(&parsed(wheel.contents.file_name.name.as_str())?),
        "data" => return Ok((layout.data(&rest), file)),
        "scripts" => return script(wheel, target, entry, &rest),
        _ => return refuse("its .data folder is none that wheels have"),
    };
    Ok((folder.join(&rest), file))
}

fn script(
    wheel: &UnpackedWheel,
    target: ScriptTarget<'_>,
    entry: &WheelEntry,
    rest: &TreePath,
) -> Result<(TreePath, PlannedFile), InstallErrorKind> {
    let path = wheel.path_of(entry);
    let unreadable = |error| unreadable(&path, error);
    if start_of(&path, 16).map_err(unreadable)?.starts_with(b"#!python") {
        let content = fs::read(&path).map_err(unreadable)?;
        if let Some((body, gui)) = script::python_body(&content) {
            return script_file(target.layout, target.python_script(rest, body, gui)?);
        }
    }
    let content = PlannedContent::Copied(entry.path.clone());
    let file = PlannedFile { content, executable: true, script: true, ..PlannedFile::of_entry(entry) };
    Ok((target.layout.scripts().join(rest), file))
}

fn script_file(layout: TreeLayout, script: ScriptFile) -> Result<(TreePath, PlannedFile), InstallErrorKind> {
    Ok((layout.scripts().join(&script.path), PlannedFile::made(script.content, true)))
}

fn check_names(files: &BTreeMap<TreePath, PlannedFile>, layout: TreeLayout) -> Result<(), InstallErrorKind> {
    let refuse = |path: &TreePath, reason: &str| {
        Err(InstallErrorKind::Refused { path: path.to_string(), reason: reason.to_owned() })
    };
    let rules = archive::NameRules::of_platform(layout.platform);
    if let Some((path, fault)) = files.keys().find_map(|path| Some((path, rules.check(path.as_str()).err()?))) {
        // Windows' own rules each have a reason, below.
        if !matches!(fault, archive::EntryFault::NotOnWindows { .. }) {
            return refuse(path, &fault.to_string());
        }
    }
    if layout.platform.is_windows()
        && let Some((path, reason)) = files.keys().find_map(|path| Some((path, refused_by_windows(path)?)))
    {
        return refuse(path, reason);
    }
    Ok(())
}

/// Only the wheel itself may be described by what it installs: `importlib.metadata` and pip would treat another
/// `.dist-info` or `.egg-info` as another installed distribution.
fn check_dist_info(
    files: &BTreeMap<TreePath, PlannedFile>,
    wheel: &UnpackedWheel,
    layout: TreeLayout,
) -> Result<(), InstallErrorKind> {
    let site = layout.site_packages();
    for path in files.keys().filter(|path| path.starts_with(&site)) {
        let Some(top) = path.segments().nth(site.segments().count()) else { continue };
        let lower = top.to_ascii_lowercase();
        let own = match lower.rsplit_once('.') {
            Some((_, "dist-info")) => top.strip_suffix(".dist-info") == Some(&wheel.contents.stem),
            Some((stem, "egg-info")) => {
                let name = stem.split('-').next().unwrap_or_default();
                name.parse().is_ok_and(|name: vocab::DistributionName| name == wheel.contents.file_name.name)
            }
            _ => continue,
        };
        if !own {
            let reason = format!("`{top}` describes another distribution");
            return Err(InstallErrorKind::Refused { path: path.to_string(), reason });
        }
    }
    Ok(())
}

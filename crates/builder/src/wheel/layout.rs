//! Where each file of a wheel goes, and which files installing adds. Reads the store, writes nothing.

use std::collections::BTreeMap;
use std::fs;

use vocab::{Digest, TreePath};

use super::install_error::InstallErrorKind;
use super::launcher::{ScriptFile, ScriptTarget};
use super::name_rules::refused_by_windows;
use super::{Entry, InstallRequest, UnpackedWheel, script};
use vocab::TreeLayout;

/// One file to be, at its key in the map of [`files_of`].
#[derive(Clone, Debug)]
pub(super) struct PlannedFile {
    pub content: Content,
    pub sha256: Digest,
    pub size: u64,
    pub executable: bool,
    /// In the scripts folder.
    pub script: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// The file of this path in the wheel.
    Linked(TreePath),
    /// The same, and never a hard link: what lies beside the interpreter has the mode 0755.
    Copied(TreePath),
    Made(Vec<u8>),
}

impl PlannedFile {
    fn of_entry(entry: &Entry) -> Self {
        Self {
            content: Content::Linked(entry.path.clone()),
            sha256: entry.sha256,
            size: entry.size,
            executable: entry.executable,
            script: false,
        }
    }

    fn made(bytes: Vec<u8>, script: bool) -> Self {
        let (sha256, size) = (Digest::of(&bytes), bytes.len() as u64);
        Self { content: Content::Made(bytes), sha256, size, executable: script, script }
    }
}

/// The folder of the wheel's `.dist-info` below the prefix.
pub(super) fn dist_info(wheel: &UnpackedWheel, layout: TreeLayout) -> Result<TreePath, InstallErrorKind> {
    Ok(layout.site_packages().join(&parsed(&format!("{}.dist-info", wheel.contents.stem))?))
}

/// Everything but RECORD, by path below the prefix.
pub(super) fn files_of(
    wheel: &UnpackedWheel,
    target: ScriptTarget<'_>,
    request: &InstallRequest,
) -> Result<BTreeMap<TreePath, PlannedFile>, InstallErrorKind> {
    let layout = target.layout;
    let dist_info = dist_info(wheel, layout)?;
    let mut files: BTreeMap<TreePath, PlannedFile> = BTreeMap::new();
    for entry in &wheel.contents.entries {
        let (path, file) = place(wheel, target, entry)?;
        // `purelib` and the root lead to the same folder.
        if files.get(&path).is_some_and(|earlier| earlier.sha256 != file.sha256) {
            return Err(InstallErrorKind::Twice { path });
        }
        files.insert(path, file);
    }
    for point in &wheel.contents.entry_points {
        let (path, file) = script_file(layout, target.entry_point(point)?)?;
        files.insert(path, file);
    }
    // What an installer writes is ours to write; a wheel that brings it was packed from an installation.
    for name in ["INSTALLER", "REQUESTED", "direct_url.json"] {
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
    Ok(files)
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
    entry: &Entry,
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
    entry: &Entry,
    rest: &TreePath,
) -> Result<(TreePath, PlannedFile), InstallErrorKind> {
    let path = wheel.path_of(entry);
    let unreadable = |source| InstallErrorKind::Io { action: "read", path: path.clone(), source };
    let mut start = Vec::with_capacity(16);
    let file = fs::File::open(&path).map_err(unreadable)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 16), &mut start).map_err(unreadable)?;
    if start.starts_with(b"#!python") {
        let content = fs::read(&path).map_err(unreadable)?;
        if let Some((body, gui)) = script::python_body(&content) {
            return script_file(target.layout, target.python_script(rest.as_str(), body, gui)?);
        }
    }
    let content = Content::Copied(entry.path.clone());
    let file = PlannedFile { content, executable: true, script: true, ..PlannedFile::of_entry(entry) };
    Ok((target.layout.scripts().join(rest), file))
}

fn script_file(layout: TreeLayout, script: ScriptFile) -> Result<(TreePath, PlannedFile), InstallErrorKind> {
    Ok((layout.scripts().join(&parsed(&script.file_name)?), PlannedFile::made(script.content, true)))
}

fn check_names(files: &BTreeMap<TreePath, PlannedFile>, layout: TreeLayout) -> Result<(), InstallErrorKind> {
    let refuse = |path: &TreePath, reason: &str| {
        Err(InstallErrorKind::Refused { path: path.to_string(), reason: reason.to_owned() })
    };
    if files.contains_key(&layout.interpreter()) {
        return refuse(&layout.interpreter(), "it would replace the interpreter");
    }
    if layout.platform.is_windows()
        && let Some((path, reason)) = files.keys().find_map(|path| Some((path, refused_by_windows(path)?)))
    {
        return refuse(path, reason);
    }
    Ok(())
}

//! Where each file of a wheel goes, and which files installing adds. Reads the store, writes nothing.

use std::collections::BTreeMap;
use std::fs;

use vocab::{Digest, TreePath};

use super::install_error::InstallErrorKind;
use super::launcher::{self, ScriptFile};
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
    layout: TreeLayout,
    request: &InstallRequest,
) -> Result<BTreeMap<TreePath, PlannedFile>, InstallErrorKind> {
    let dist_info = dist_info(wheel, layout)?;
    let mut files: BTreeMap<TreePath, PlannedFile> = BTreeMap::new();
    for entry in &wheel.contents.entries {
        for (path, file) in place(wheel, layout, entry)? {
            // `purelib` and the root lead to the same folder.
            if files.get(&path).is_some_and(|earlier| earlier.sha256 != file.sha256) {
                return Err(InstallErrorKind::Twice { path });
            }
            files.insert(path, file);
        }
    }
    for point in &wheel.contents.entry_points {
        insert_scripts(&mut files, layout, launcher::entry_point(layout, point))?;
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

/// One path for most entries; a script may become several files.
fn place(
    wheel: &UnpackedWheel,
    layout: TreeLayout,
    entry: &Entry,
) -> Result<Vec<(TreePath, PlannedFile)>, InstallErrorKind> {
    let file = PlannedFile::of_entry(entry);
    let below_data =
        entry.path.as_str().strip_prefix(&wheel.contents.stem).and_then(|rest| rest.strip_prefix(".data/"));
    let Some(below_data) = below_data else {
        return Ok(vec![(layout.site_packages().join(&entry.path), file)]);
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
        "data" => TreePath::default(),
        "scripts" => return script_files(wheel, layout, entry, &rest),
        _ => return refuse("its .data folder is none that wheels have"),
    };
    Ok(vec![(folder.join(&rest), file)])
}

fn script_files(
    wheel: &UnpackedWheel,
    layout: TreeLayout,
    entry: &Entry,
    rest: &TreePath,
) -> Result<Vec<(TreePath, PlannedFile)>, InstallErrorKind> {
    let folder = layout.scripts();
    let path = wheel.path_of(entry);
    let unreadable = |source| InstallErrorKind::Io { action: "read", path: path.clone(), source };
    let mut start = Vec::with_capacity(16);
    let file = fs::File::open(&path).map_err(unreadable)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 16), &mut start).map_err(unreadable)?;
    if start.starts_with(b"#!python") {
        let content = fs::read(&path).map_err(unreadable)?;
        if let Some((body, gui)) = script::python_body(&content) {
            let made = launcher::python_script(layout, rest.as_str(), body, gui);
            let mut files = BTreeMap::new();
            insert_scripts(&mut files, layout, made)?;
            return Ok(files.into_iter().collect());
        }
    }
    let content = Content::Copied(entry.path.clone());
    let file = PlannedFile { content, executable: true, script: true, ..PlannedFile::of_entry(entry) };
    Ok(vec![(folder.join(rest), file)])
}

fn insert_scripts(
    files: &mut BTreeMap<TreePath, PlannedFile>,
    layout: TreeLayout,
    scripts: Vec<ScriptFile>,
) -> Result<(), InstallErrorKind> {
    for ScriptFile { file_name, content } in scripts {
        files.insert(layout.scripts().join(&parsed(&file_name)?), PlannedFile::made(content, true));
    }
    Ok(())
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

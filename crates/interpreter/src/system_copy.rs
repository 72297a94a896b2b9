//! A CPython of this machine, copied so that it runs anywhere.
//!
//! Taken is what CPython itself installs, file by file from a list of names, so nothing that the user put beside it
//! comes along; `site-packages` stays behind whole, and pip comes from the wheel inside ensurepip. Shared libraries
//! outside the tree are collected into `lib/`, and every native file finds them by a relative `DT_RPATH`.
//!
//! The licences of collected libraries are not copied; such a tree is a stand-in for builds on one's own machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vocab::{Digest, TreePath};

use super::disk::{Result, at, create_folder, is_executable, read, set_executable, symlink, write};
use super::elf::{NoRoom, blank_folder, is_elf, parse, set_search_path};
use super::error::BaseErrorKind;
use super::libraries::{CollectedLibraries, Native, collect};
use super::pip;
use super::request::SystemPython;
use super::system_files::{TakenFile, is_optional, taken};
use process::{Invocation, run};
use store::Context;
use vocab::TreeLayout;

fn natives(taken: &[TakenFile]) -> Result<Vec<Native>> {
    let native = |file: &TakenFile| -> Result<Option<Native>> {
        let name = file.path.file_name();
        let may_be = file.link.is_none() && (name.contains(".so") || name.starts_with("python3."));
        if !may_be || !is_elf(&read(&file.source)?) {
            return Ok(None);
        }
        Ok(Some(Native { source: file.source.clone(), path: file.path.clone(), optional: is_optional(name) }))
    };
    taken.iter().filter_map(|file| native(file).transpose()).collect()
}

/// The digest of what would be taken: names, modes and content, libraries included. Remembered by sizes and times of
/// all these files, so that the next build need not read them again.
pub(super) fn content_digest(context: &Context, python: &SystemPython) -> Result<Digest> {
    const KIND: &str = "system-python";
    let key = python.prefix.to_string_lossy();
    let files = taken(python)?;
    let known = context
        .store
        .recall(KIND, &key, Duration::MAX, SystemTime::now())
        .and_then(|value| serde_json::from_value::<KnownLibraries>(value).ok());
    if let Some(known) = known
        && known.stamps == stamps(&files, &known.libraries)
    {
        return Ok(known.digest);
    }
    let collected = collect(&natives(&files)?, &interpreter(python))?;
    let libraries: Vec<PathBuf> = collected.libraries.values().cloned().collect();
    let digest = read_digest(&files, &collected)?;
    let known = KnownLibraries { stamps: stamps(&files, &libraries), libraries, digest };
    if let Ok(value) = serde_json::to_value(&known) {
        // If it is not remembered, the next build is only slower.
        drop(context.store.remember(KIND, &key, &value, SystemTime::now()));
    }
    Ok(digest)
}

#[derive(Serialize, Deserialize)]
struct KnownLibraries {
    stamps: Digest,
    libraries: Vec<PathBuf>,
    digest: Digest,
}

/// Sizes and times of change. A file that vanished has neither, which also counts as a change.
fn stamps(files: &[TakenFile], libraries: &[PathBuf]) -> Digest {
    let mut text = String::new();
    for path in files.iter().map(|file| &file.source).chain(libraries) {
        let found = fs::symlink_metadata(path).ok();
        let changed = found.as_ref().and_then(|found| found.modified().ok());
        let changed = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_nanos());
        text.push_str(&format!("{} {:?} {changed:?}\n", path.display(), found.map(|found| found.len())));
    }
    Digest::of(text)
}

fn read_digest(files: &[TakenFile], collected: &CollectedLibraries) -> Result<Digest> {
    let line = |file: &TakenFile| -> Result<String> {
        let content = match &file.link {
            Some(target) => format!("-> {target}"),
            None => format!("{} {}", is_executable(&file.source), Digest::of(read(&file.source)?)),
        };
        Ok(format!("{} {content}\n", file.path))
    };
    let mut lines: Vec<String> = files.par_iter().map(line).collect::<Result<_>>()?;
    for (name, library) in &collected.libraries {
        lines.push(format!("library {name} {}\n", Digest::of(read(library)?)));
    }
    for (path, library) in &collected.left_out {
        lines.push(format!("without {path} {library}\n"));
    }
    Ok(Digest::of(lines.concat()))
}

fn interpreter(python: &SystemPython) -> TreePath {
    format!("bin/python{}", python.version.minor_version()).parse().expect("a plain path")
}

/// Lays the interpreter out in the empty folder `tree`; what text files say about paths is left to normalising.
pub(super) fn copy(context: &Context, python: &SystemPython, layout: TreeLayout, tree: &Path) -> Result<()> {
    let files = taken(python)?;
    let natives = natives(&files)?;
    let collected = collect(&natives, &interpreter(python))?;
    for (path, library) in &collected.left_out {
        context.note(format!("the interpreter comes without `{path}`, which needs `{library}`"));
    }
    let files: Vec<&TakenFile> = files.iter().filter(|file| !collected.left_out.contains_key(&file.path)).collect();
    let folders: BTreeSet<TreePath> = files.iter().filter_map(|file| file.path.parent()).collect();
    folders.iter().try_for_each(|folder| create_folder(&folder.below(tree)))?;
    files.par_iter().try_for_each(|file| copy_one(context, file, tree))?;
    let lib = tree.join("lib");
    for (name, library) in &collected.libraries {
        let place = lib.join(name);
        fs::copy(library, &place).map_err(at("copy to", &place))?;
        set_executable(&place, false)?;
    }
    make_portable(context, python, &natives, &collected, tree)?;
    match pip::bundled_wheel(&layout.stdlib().below(tree))? {
        Some(files) => pip::install(tree, layout, files),
        None => {
            context.note("the interpreter comes without pip: its ensurepip does not bring one");
            Ok(())
        }
    }
}

fn copy_one(context: &Context, file: &TakenFile, tree: &Path) -> Result<()> {
    if context.is_cancelled() {
        return Err(BaseErrorKind::Cancelled);
    }
    let place = file.path.below(tree);
    match &file.link {
        Some(target) => symlink(target, &place),
        None => {
            reflink_copy::reflink_or_copy(&file.source, &place).map_err(at("copy to", &place))?;
            set_executable(&place, is_executable(&file.source))
        }
    }
}

/// Search paths become relative, and the former prefix disappears from the binaries.
fn make_portable(
    context: &Context,
    python: &SystemPython,
    natives: &[Native],
    collected: &CollectedLibraries,
    tree: &Path,
) -> Result<()> {
    let program = interpreter(python);
    let mut in_lib: BTreeSet<&str> = collected.libraries.keys().map(String::as_str).collect();
    in_lib.extend(natives.iter().filter(|native| is_in_lib(&native.path)).map(|native| native.path.file_name()));
    let mut own = python.built_in.clone();
    own.extend([python.prefix.to_string_lossy().into_owned(), python.built_for.clone()]);
    // The longest first, where one holds another.
    own.sort_by_key(|folder| std::cmp::Reverse(folder.len()));
    own.dedup();

    let program_passes_on = settle_native(context, tree, &program, &own, &in_lib, false)?;
    let rest = natives.iter().map(|native| &native.path).filter(|path| **path != program);
    let rest: Vec<&TreePath> = rest.filter(|path| !collected.left_out.contains_key(*path)).collect();
    rest.par_iter()
        .try_for_each(|path| settle_native(context, tree, path, &own, &in_lib, program_passes_on).map(drop))?;
    for name in collected.libraries.keys() {
        let path = format!("lib/{name}")
            .parse()
            .map_err(|_| BaseErrorKind::Elf { file: name.clone(), reason: "its name is not a file name".to_owned() })?;
        // Loaded by a file that passes its own search path on, as long as they have none themselves.
        settle_native(context, tree, &path, &[], &in_lib, true)?;
    }
    Ok(())
}

fn is_in_lib(path: &TreePath) -> bool {
    path.parent().is_some_and(|parent| parent.as_str() == "lib")
}

/// True if the file now has a search path that leads to `lib/`.
fn settle_native(
    context: &Context,
    tree: &Path,
    path: &TreePath,
    own: &[String],
    in_lib: &BTreeSet<&str>,
    found_by_others: bool,
) -> Result<bool> {
    let place = path.below(tree);
    let mut bytes = read(&place)?;
    let before = bytes.clone();
    let failed = |reason| BaseErrorKind::Elf { file: path.to_string(), reason };
    let elf = parse(&bytes).map_err(failed)?;
    let wanted = relative_search_path(path);
    let mut patch_needed = None;
    if elf.has_search_entry {
        match set_search_path(&mut bytes, &wanted) {
            Ok(()) => {}
            Err(NoRoom::Unreadable(reason)) => return Err(failed(reason)),
            Err(NoRoom::NoEntry) => patch_needed = Some("nothing".to_owned()),
            Err(NoRoom::Occupied { present }) => patch_needed = Some(format!("`{present}`")),
        }
    } else if !found_by_others && elf.needed.iter().any(|name| in_lib.contains(name.as_str())) {
        patch_needed = Some("the system's settings alone".to_owned());
    }
    for folder in own {
        blank_folder(&mut bytes, folder);
    }
    if bytes != before {
        write(&place, &bytes)?;
    }
    if let Some(found) = &patch_needed {
        patch(context, &place, path, found, &wanted)?;
    }
    Ok(elf.has_search_entry || patch_needed.is_some())
}

/// `lib/` as seen from the folder of `path`.
pub(super) fn relative_search_path(path: &TreePath) -> String {
    let depth = path.segments().count().saturating_sub(1);
    if path.segments().next() == Some("lib") {
        let ups = vec![".."; depth.saturating_sub(1)];
        [&["$ORIGIN"][..], &ups].concat().join("/")
    } else {
        format!("$ORIGIN/{}lib", "../".repeat(depth))
    }
}

/// Writes the search path with `patchelf`, which moves tables to make room.
fn patch(context: &Context, place: &Path, path: &TreePath, found: &str, wanted: &str) -> Result<()> {
    let no_room =
        || BaseErrorKind::NoRoomForRpath { file: path.to_string(), found: found.to_owned(), wanted: wanted.to_owned() };
    let program = which::which_in("patchelf", context.environment.path("PATH").map(Path::as_os_str), "/")
        .map_err(|_| no_room())?;
    let folder = place.parent().unwrap_or(place);
    let invocation = Invocation::new(program, folder)
        .args(["--force-rpath", "--set-rpath", wanted])
        .arg(place)
        .timeout(context.timeout);
    let finished = run(context, &invocation).map_err(BaseErrorKind::Process)?;
    if finished.succeeded() { Ok(()) } else { Err(no_room()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_folder_is_found_from_every_place_in_the_tree() {
        let cases = [
            ("bin/python3.12", "$ORIGIN/../lib"),
            ("lib/libpython3.12.so.1.0", "$ORIGIN"),
            ("lib/python3.12/lib-dynload/_ssl.so", "$ORIGIN/../.."),
        ];
        for (path, expected) in cases {
            assert_eq!(relative_search_path(&path.parse().unwrap()), expected, "for {path}");
        }
    }
}

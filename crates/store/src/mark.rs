//! What makes a folder a store: its `CACHEDIR.TAG`, with lines of ours in it.
//!
//! Builders remove a lot from their store, so they never use a folder that may belong to the user. A store is a folder
//! that has the mark; an absent or empty folder becomes one and gets the mark before anything else. Backup programs
//! skip folders with such a file (<https://bford.info/cachedir/>), so the mark is in the lines
//! after the signature. Every builder has written the first of them; one without a format is of format 1.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use disk::FileBeside;

use super::StoreError;

const FILE: &str = "CACHEDIR.TAG";

/// While it is being written.
const STAGED: &str = ".cachedir-";

const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";
const OURS: &str = "# A cache of pydist; safe to delete.";
const FORMAT_LINE: &str = "# pydist store, format ";
const STORE_FORMAT: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundFolder {
    Store,
    /// Absent or empty.
    Nothing,
}

/// Makes the folder a store if it is absent or empty.
///
/// # Errors
/// It holds something and has no mark, or the mark of a later format.
pub(super) fn claim(root: &Path) -> Result<(), StoreError> {
    if look(root)? == FoundFolder::Store {
        return Ok(());
    }
    let failed = |source| StoreError::new("write", &root.join(FILE), source);
    super::create_dir_all(root)?;
    let mut staged = FileBeside::within(root, STAGED).map_err(failed)?;
    writeln!(staged, "{SIGNATURE}\n{OURS}\n{FORMAT_LINE}{STORE_FORMAT}").map_err(failed)?;
    if staged.claim(&root.join(FILE)).map_err(failed)? {
        return Ok(());
    }
    // Another process was faster, usually another builder.
    match look(root)? {
        FoundFolder::Store => Ok(()),
        FoundFolder::Nothing => Err(StoreError::Foreign { path: root.to_owned() }),
    }
}

/// # Errors
/// As for [`claim`].
pub(super) fn look(root: &Path) -> Result<FoundFolder, StoreError> {
    if has_mark(root)? {
        return Ok(FoundFolder::Store);
    }
    let failed = |source| StoreError::new("list", root, source);
    let listing = match fs::read_dir(root) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FoundFolder::Nothing),
        Err(error) => return Err(failed(error)),
    };
    for entry in listing {
        if !entry.map_err(failed)?.file_name().to_string_lossy().starts_with(STAGED) {
            // Another builder may have made it a store since the first look.
            let found = has_mark(root)?;
            return if found { Ok(FoundFolder::Store) } else { Err(StoreError::Foreign { path: root.to_owned() }) };
        }
    }
    Ok(FoundFolder::Nothing)
}

fn has_mark(root: &Path) -> Result<bool, StoreError> {
    let path = root.join(FILE);
    if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(false);
    }
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(4096).read_to_end(&mut text));
    read.map_err(|source| StoreError::new("read", &path, source))?;
    let text = String::from_utf8_lossy(&text);
    if text.lines().next() != Some(SIGNATURE) || !text.lines().any(|line| line == OURS) {
        return Ok(false);
    }
    match text.lines().find_map(|line| line.strip_prefix(FORMAT_LINE)).map(str::trim) {
        Some(format) if format != STORE_FORMAT.to_string() => {
            Err(StoreError::Newer { path: root.to_owned(), format: format.chars().take(20).collect() })
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_1_a_folder_is_a_store_when_it_is_absent_or_empty_or_has_the_mark() {
        let former = format!("{SIGNATURE}\n{OURS}\n");
        let of_cargo = format!("{SIGNATURE}\n# This file is a cache directory tag created by cargo.\n");
        let later = format!("{SIGNATURE}\n{OURS}\n{FORMAT_LINE}2\n");
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: [(&str, Files<'_>, Option<&str>); 7] = [
            // (what, files, code of the error)
            ("empty", &[], None),
            ("a store of former builders", &[(FILE, &former), ("tmp/x", "")], None),
            ("what a builder killed at its first step left", &[(".cachedir-Ab12Cd", "")], None),
            ("somebody's files under our names", &[("tmp/thesis.txt", ""), ("wheels/x", "")], Some("E_NOT_A_STORE")),
            ("another program's cache", &[(FILE, &of_cargo), ("debug/x", "")], Some("E_NOT_A_STORE")),
            ("the tag alone, of another program", &[(FILE, &of_cargo)], Some("E_NOT_A_STORE")),
            ("a store of a later format", &[(FILE, &later)], Some("E_STORE_FORMAT")),
        ];
        for (what, files, code) in cases {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let outcome = claim(folder.path());
            assert_eq!(outcome.as_ref().err().map(vocab::Fault::code), code, "{what}: {outcome:?}");
            assert_eq!(look(folder.path()).ok(), code.is_none().then_some(FoundFolder::Store), "{what}");
        }
    }

    #[test]
    fn builders_that_begin_one_store_at_the_same_time_all_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| claim(&root).unwrap());
            }
        });
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
    }
}

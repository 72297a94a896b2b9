//! Folders: the suite, and what a file system has of its own.

use objects::{FolderPlace, Place as _, UNWATCHED};
use testkit::told;

use crate::conformance::{Skills, conforms, key};

#[test]
fn a_folder_conforms() {
    let at = tempfile::tempdir().unwrap();
    let folder = FolderPlace::new(at.path().join("not yet there"));
    conforms(&folder, Skills::default());
    let left = walkdir::WalkDir::new(at.path()).into_iter().flatten();
    let left: Vec<_> = left.filter(|it| it.file_name().to_string_lossy().starts_with(".put-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(unix)]
#[test]
fn attack_4_only_regular_files_of_a_folder_are_read() {
    let at = tempfile::tempdir().unwrap();
    let pipe = at.path().join("catalogue.json");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let folder = FolderPlace::new(at.path().to_owned());
    let errors = [
        folder.get(&key("catalogue.json")).map(drop),
        folder.read(&key("catalogue.json"), None, &mut Vec::new(), UNWATCHED).map(drop),
    ];
    for error in errors {
        assert!(told(&error.unwrap_err()).ends_with("it is not a regular file"));
    }
}

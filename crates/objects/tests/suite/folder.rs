//! Folders: the suite, and what a file system has of its own.

use std::fs::{self, File};
use std::time::Duration;

use objects::{FolderPlace, Place as _, PutOutcome};

use testkit::conformance::{Skills, conforms, key};

#[test]
fn a_folder_conforms() {
    let at = tempfile::tempdir().unwrap();
    let folder = FolderPlace::new(at.path().join("not yet there"));
    conforms(&folder, Skills { unit: Skills::SMALL, ..Skills::default() });
    let left = walkdir::WalkDir::new(at.path()).into_iter().flatten();
    let left: Vec<_> = left.filter(|it| it.file_name().to_string_lossy().starts_with(".put-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(unix)]
#[test]
fn attack_4_only_regular_files_of_a_folder_are_read() {
    use objects::UNWATCHED;
    use testkit::told;

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

#[test]
fn attack_9_what_killed_writers_left_in_a_shared_folder_goes_after_a_day_and_nothing_else() {
    let at = tempfile::tempdir().unwrap();
    let shard = at.path().join("v1/blobs/ab");
    fs::create_dir_all(&shard).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let files = [
        // (name, days since it was written to, whether it stays)
        (".put-0123456789abcdef", 2, false),
        (".put-fedcba9876543210", 0, true),
        (".put-somebodys notes", 400, true),
        ("0123456789abcdef", 400, true),
    ];
    for (name, days, _) in files {
        let file = File::create(shard.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - day * days).unwrap();
    }
    let folder = FolderPlace::new(at.path().to_owned());
    assert_eq!(folder.create(&key("v1/blobs/ab/new"), b"x").unwrap(), PutOutcome::Ours);
    for (name, _, stays) in files {
        assert_eq!(shard.join(name).exists(), stays, "{name}");
    }
}

//! `builder store push`, `verify` and `prune` with a remote store, as a person sees them. What they do with each kind of
//! place is tested in the pipeline.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use vocab::Digest;

use crate::desk::Desk;

/// A store with one file, and the name of its object.
fn stocked(desk: &Desk) -> String {
    let store = store::Store::open(desk.folder.path().join("store")).unwrap();
    let digest = Digest::of("content");
    let blob = store.blob(&digest);
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(blob, "content").unwrap();
    format!("v1/blobs/{}/{digest}", &digest.to_string()[..2])
}

fn shared(desk: &Desk) -> PathBuf {
    desk.folder.path().join("shared")
}

#[test]
fn a_remote_store_is_filled_verified_repaired_and_pruned() {
    let desk = Desk::new();
    let object = stocked(&desk);
    let address = shared(&desk).display().to_string();
    let run = |words: &str| desk.run(&format!("store {words} --remote-store {address}"));
    let pushed = run("push");
    assert!(pushed.contains("exit 0") && pushed.contains("1 objects given, 7 B; 0 already there"), "{pushed}");
    let again = desk.run_with("store push", &[("PYDIST_REMOTE_STORE", &address)]);
    assert!(again.contains("exit 0") && again.contains("0 objects given, 0 B; 1 already there, 7 B"), "{again}");
    assert_eq!(fs::read_to_string(shared(&desk).join(&object)).unwrap(), "content");

    fs::write(shared(&desk).join(&object), "CONTENT").unwrap();
    let damaged = run("verify");
    assert!(damaged.contains("exit 3") && damaged.contains(&format!("damaged: {object}")), "{damaged}");
    assert!(damaged.contains("(kept)") && damaged.contains("1 objects read, 7 B, 1 damaged"), "{damaged}");
    let repaired = run("verify --repair");
    assert!(repaired.contains("exit 3") && repaired.contains("(replaced)"), "{repaired}");
    let sound = run("verify");
    assert!(sound.contains("exit 0") && sound.contains("all of them sound"), "{sound}");

    let kept = run("prune --older-than 30d");
    assert!(kept.contains("freed 0 B: 0 objects") && kept.contains("1 objects stay, 7 B"), "{kept}");
    let young = run("prune --older-than 0s");
    assert!(young.contains("freed 0 B: 0 objects") && young.contains("younger than an hour stays"), "{young}");
    let two_hours_ago = SystemTime::now() - Duration::from_secs(7200);
    File::options().write(true).open(shared(&desk).join(&object)).unwrap().set_modified(two_hours_ago).unwrap();
    let tried = run("prune --older-than 0s --dry-run");
    assert!(tried.contains("would free 7 B: 1 objects") && shared(&desk).join(&object).is_file(), "{tried}");
    let json = run("prune --older-than 0s --json");
    assert!(json.contains(r#""freed":7"#) && !shared(&desk).join(&object).exists(), "{json}");
}

#[test]
fn what_is_asked_of_a_remote_store_is_clear_or_refused() {
    let desk = Desk::new();
    stocked(&desk);
    let address = shared(&desk).display().to_string();
    let nowhere = desk.run("store push");
    assert!(nowhere.contains("exit 2") && nowhere.contains("E_STORE_ADDRESS"), "{nowhere}");
    for words in ["push", "verify --repair", "prune --older-than 1d"] {
        let line = format!("store {words} --remote-store {address}");
        let refused = desk.run_with(&line, &[("PYDIST_REMOTE_STORE_READ_ONLY", "on")]);
        assert!(refused.contains("exit 2") && refused.contains("E_ENVIRONMENT"), "{refused}");
    }
    let line = format!("store verify --remote-store {address}");
    let read = desk.run_with(&line, &[("PYDIST_REMOTE_STORE_READ_ONLY", "on")]);
    assert!(read.contains("exit 0"), "{read}");
    assert!(!shared(&desk).exists());
    // A word that says neither yes nor no could mean the opposite of what is guessed.
    for variable in ["PYDIST_REMOTE_STORE_READ_ONLY", "PYDIST_REMOTE_STORE_OFFLINE"] {
        let line = format!("plan 3.12.10 --offline --remote-store {address}");
        let refused = desk.run_with(&line, &[(variable, "maybe")]);
        assert!(refused.contains("exit 2") && refused.contains("E_ENVIRONMENT"), "{refused}");
        assert!(refused.contains(variable), "{refused}");
    }
}

#[test]
fn a_bucket_is_used_offline_only_when_that_is_asked_for() {
    let desk = Desk::new();
    let line = "plan 3.12.10 --offline --remote-store s3://builds/store?endpoint=http://127.0.0.1:1";
    let unused = desk.run(line);
    assert!(unused.contains("the remote store is not used") && unused.contains("--remote-store-offline"), "{unused}");
    for run in [
        desk.run(&format!("{line} --remote-store-offline")),
        desk.run_with(line, &[("PYDIST_REMOTE_STORE_OFFLINE", "yes")]),
    ] {
        assert!(!run.contains("the remote store is not used"), "{run}");
        assert!(run.contains("127.0.0.1:1") && run.contains("W_REMOTE_STORE"), "{run}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_was_written_under_any_umask_can_be_read_by_the_next_user() {
    use std::os::unix::fs::PermissionsExt as _;
    for umask in ["077", "027", "022", "002"] {
        let desk = Desk::new();
        let object = stocked(&desk);
        let root = shared(&desk).join("deep");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "umask \"$0\"; exec \"$@\"", umask, env!("CARGO_BIN_EXE_builder"), "store", "push"]);
        command.arg("--remote-store").arg(&root).env("PYDIST_STORE", desk.folder.path().join("store"));
        assert!(command.output().unwrap().status.success());
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = root.join(&object);
        assert_eq!(mode(&file) & 0o444, 0o444, "under {umask}: {:o}", mode(&file));
        let above = file.ancestors().skip(1).take_while(|folder| *folder != desk.folder.path());
        for folder in above {
            assert_eq!(mode(folder) & 0o555, 0o555, "under {umask}: {:o} of {}", mode(folder), folder.display());
        }
        // What the umask lets a group do stays.
        let group = if umask == "002" { 0o020 } else { 0 };
        assert_eq!(mode(&root) & 0o020, group, "under {umask}");
    }
}

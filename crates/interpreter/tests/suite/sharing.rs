//! Finished interpreters on their way between machines.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use config_merger::BaseSource;
use interpreter::{BaseRequest, BaseTree, choose, mend, offer, provide};
use store::Scrutiny;
use store::remote::RemoteSettings;
use vocab::Event;

use crate::support::{Bench, folder, request, small_python, snapshot, table, tar_gz};

const PATH: &str = "20250529/cpython-3.12.10+20250529-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz";

/// A machine with a store of its own and the shared folder behind it.
fn machine(at: &Path, name: &str, read_only: bool, offline: bool) -> Bench {
    let mut bench = Bench::without_home(&at.join(name));
    bench.context.work.offline = offline;
    let address = at.join("shared").display().to_string();
    let settings = RemoteSettings { address, given: "--remote-store", read_only, strict: false };
    let context = &bench.context;
    let remote = store::remote::open(&settings, &context.environment, &context.downloader, offline).unwrap().unwrap();
    bench.context = bench.context.clone().with_remote(remote);
    bench
}

/// From a mirror that need not be there any more.
fn asked(mirror: &Path, archive: &[u8]) -> BaseRequest {
    BaseRequest {
        mirror: Some(mirror.display().to_string()),
        table: Some(table("3.12.10", PATH, archive)),
        ..request("3.12.10", &[BaseSource::PythonBuildStandalone])
    }
}

fn made(bench: &Bench, request: &BaseRequest) -> BaseTree {
    let choice = choose(&bench.context, request).unwrap();
    let tree = provide(&bench.context, &choice).unwrap();
    let tree = mend(&bench.context, &choice, tree, Scrutiny::Digests).unwrap();
    offer(&bench.context, &tree);
    tree
}

fn shared_files(at: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(at.join("shared/v1/bases")).into_iter().flatten();
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn an_interpreter_that_one_machine_made_is_taken_by_another_without_network_and_source() {
    let at = folder("shared-base");
    let archive = tar_gz(&small_python());
    let mirror = at.join("mirror");
    fs::create_dir_all(mirror.join(PATH).parent().unwrap()).unwrap();
    fs::write(mirror.join(PATH), &archive).unwrap();
    let request = asked(&mirror, &archive);

    made(&machine(&at, "reader", true, false), &request);
    assert_eq!(shared_files(&at), Vec::<PathBuf>::new(), "a reader gives nothing");
    // From a store that had it before there was a shared one, too.
    let alone = Bench::without_home(&at.join("first"));
    let choice = choose(&alone.context, &request).unwrap();
    provide(&alone.context, &choice).unwrap();
    let first = made(&machine(&at, "first", false, false), &request);
    assert_eq!(shared_files(&at).len(), 1);

    fs::remove_dir_all(&mirror).unwrap();
    // What was downloaded is not what is shared here.
    let _ = fs::remove_dir_all(at.join("shared/v1/blobs"));
    let second = machine(&at, "second", false, true);
    let tree = made(&second, &request);
    assert_eq!(tree.identity, first.identity);
    assert_eq!(snapshot(&tree.root), snapshot(&first.root));
    assert_eq!(second.context.store.verify_blob(&vocab::Digest::of(&archive)).unwrap(), store::BlobState::Absent);

    // Damaged, it is named, and nothing of it gets into a store.
    let object = shared_files(&at).remove(0);
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&object, bytes).unwrap();
    let third = machine(&at, "third", false, true);
    let choice = choose(&third.context, &request).unwrap();
    provide(&third.context, &choice).unwrap_err();
    assert_eq!(third.stored(), Vec::<String>::new());
    let events = third.events.lock().unwrap();
    let name = object.file_name().unwrap().to_str().unwrap();
    let named = |event: &Event| matches!(event, Event::Warning { code: "W_REMOTE_STORE_DAMAGED", text, .. } if text.contains(name));
    assert!(events.iter().any(named), "{events:?}");
}

//! More new wheels at once than a process may have files open.
#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};
use store::Scrutiny;
use testkit::WheelBuilder;
use wheel::{WheelBlob, unpack_all};

use testkit::store_bench::StoreBench;

const LIMITED: &str = "PYDIST_TEST_FEW_FILES";

/// A limit holds for a whole process, so this one starts itself again under one.
#[test]
fn new_wheels_need_fewer_open_files_than_there_are_wheels() {
    if std::env::var_os(LIMITED).is_some() {
        setrlimit(Resource::Nofile, Rlimit { current: Some(128), maximum: Some(128) }).unwrap();
        return unpack_many();
    }
    // As the whole program knows this test.
    let name = "many::new_wheels_need_fewer_open_files_than_there_are_wheels";
    let mut limited = Command::new(std::env::current_exe().unwrap());
    let limited = limited.args(["--exact", name]).env(LIMITED, "1").output().unwrap();
    let told = [limited.stdout, limited.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(limited.status.success() && told.contains("1 passed"), "{told}");
}

fn unpack_many() {
    let bench = StoreBench::new();
    let blobs: Vec<WheelBlob> =
        (0..200).map(|number| bench.blob(&WheelBuilder::new(&format!("demo{number}"), "1.0").build())).collect();
    let wheels = unpack_all(&bench.context, &blobs, Scrutiny::Glance).unwrap();
    let digests = |digests: &mut dyn Iterator<Item = vocab::Digest>| digests.collect::<Vec<_>>();
    let unpacked = digests(&mut wheels.iter().map(|wheel| wheel.contents.sha256));
    assert_eq!(unpacked, digests(&mut blobs.iter().map(|blob| blob.sha256)), "the order is kept");
}

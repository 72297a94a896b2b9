//! Artifacts from a real AIStore cluster. Left out, and why is printed, where there is no `aisnode`.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use archive::verify;
use fetch::{FetchRequest, FetchSettings, FetchTarget, FetchWatch, ReuseMode, fetch};
use testkit::aistore::Cluster;
use testkit::runtime::{Runtime, manifest_beside};

#[test]
fn an_artifact_comes_from_a_real_cluster_by_the_parts_that_are_not_here() {
    let Some(cluster) = Cluster::shared(env!("CARGO_TARGET_TMPDIR")) else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["old", "published", "out"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let (older, _) = Runtime::new().pack(&folder.path().join("old"), "old");
    // `demo7` has another version.
    let (artifact, newer) = Runtime::new().with("demo7", "1.1").pack(&folder.path().join("published"), "new");
    let bucket = cluster.new_bucket();
    cluster.put(&bucket, "p/new.tar.zst", &fs::read(&artifact).unwrap());
    cluster.put(&bucket, "p/new.tar.zst.json", &fs::read(manifest_beside(&artifact)).unwrap());
    let variable = |name: &str| (name == "AIS_ENDPOINT").then(|| cluster.endpoint());
    let fetched = |place: &str, older: &[&Path], to: &str| {
        let to = folder.path().join("out").join(to);
        let request = FetchRequest {
            place: place.to_owned(),
            older: older.iter().map(|path| path.to_path_buf()).collect(),
            target: FetchTarget::File(to.clone()),
            expected: None,
            expected_manifest: None,
            keep: None,
            reuse: ReuseMode::Own,
            recorded: std::collections::HashMap::new(),
            digests: false,
        };
        let watch = FetchWatch { tell: &|_| (), cancelled: &AtomicBool::new(false) };
        let outcome = fetch(&request, &FetchSettings::of(&variable), watch).unwrap();
        verify(&to, &newer).unwrap();
        outcome.fetched
    };
    let whole = fetched(&format!("ais://{bucket}/p/new.tar.zst"), &[], "whole");
    let changed = fetched(&format!("ais://{bucket}/p/new.tar.zst?endpoint={}", cluster.endpoint()), &[&older], "parts");
    assert!(changed > 0 && changed < whole / 2, "{changed} of {whole} bytes");
}

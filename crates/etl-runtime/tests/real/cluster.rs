//! Behind real targets: a cluster of this machine whose pods are processes. Left out, and why is printed, unless
//! PYDIST_AISNODE_ETL names an `aisnode` that was built with the tag `etl`.

use std::path::Path;
use std::process::Command;

use testkit::aistore::aisnode_with_etl;

use crate::support::{sdk, text};

/// What `cluster.py` prints of these checks; all have to succeed.
fn checked(names: &[&str]) -> Option<String> {
    let (aisnode, python) = (aisnode_with_etl()?, sdk("3.12")?);
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::Builder::new().prefix("etl-cluster-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = scratch.path().join("cluster");
    let modules = [crates.join("python"), crates.join("../testkit/src/aistore")];
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount"])
        .args([python.as_os_str(), crates.join("tests/real/cluster.py").as_os_str(), aisnode.as_os_str()])
        .arg(env!("CARGO_BIN_EXE_etl-runtime"))
        .arg(&folder)
        .args(names)
        .env("PYTHONPATH", std::env::join_paths(modules).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    Some(text(&output.stdout))
}

// E1, E5
#[test]
fn every_server_transforms_behind_two_targets() {
    let Some(told) = checked(&["e1", "e5"]) else { return };
    assert_eq!(told.matches("E1 ").count(), 6, "{told}");
    assert!(told.contains("E5 40 objects over 2 targets"), "{told}");
}

// E12: both times are printed, and nothing is claimed of them
#[test]
fn direct_put_brings_all_objects_over_with_and_without() {
    let Some(told) = checked(&["e12"]) else { return };
    assert_eq!(told.matches("all there after").count(), 2, "{told}");
}

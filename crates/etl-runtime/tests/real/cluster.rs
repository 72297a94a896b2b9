//! Behind real targets: a cluster of this machine whose pods are processes. Left out, and why is printed, unless
//! PYDIST_AISNODE_ETL names an `aisnode` that was built with the tag `etl`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::aistore::aisnode_with_etl;
use testkit::{FixtureIndex, WheelBuilder};

use crate::support::{sdk, text, uv};

/// A folder of AIStore's own sources, for the tests in them, which PYDIST_AISTORE_SOURCE names. `None`, and why is printed, where
/// it is unset.
#[expect(clippy::print_stderr, reason = "says which tests are left out, and why")]
fn aistore_source() -> Option<PathBuf> {
    let named = std::env::var_os("PYDIST_AISTORE_SOURCE").filter(|path| !path.is_empty()).map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: PYDIST_AISTORE_SOURCE names no folder of AIStore's sources");
    }
    named
}

/// What `cluster.py` prints of these checks; all have to succeed.
fn checked(names: &[&str]) -> Option<String> {
    let words: Vec<&OsStr> = names.iter().map(OsStr::new).collect();
    before_a_cluster(&words, Path::new(env!("CARGO_MANIFEST_DIR")), &[], &[])
}

/// Runs checks, or a command, before a new cluster; they have to succeed. `modules` are for Python.
fn before_a_cluster(
    what: &[&OsStr],
    folder: &Path,
    modules: &[PathBuf],
    variables: &[(&str, &Path)],
) -> Option<String> {
    let (aisnode, python) = (aisnode_with_etl()?, sdk("3.12")?);
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::Builder::new().prefix("etl-cluster-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let own = [crates.join("python"), crates.join("../testkit/src/aistore")];
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount"])
        .args([python.as_os_str(), crates.join("tests/real/cluster.py").as_os_str(), aisnode.as_os_str()])
        .arg(env!("CARGO_BIN_EXE_etl-runtime"))
        .arg(scratch.path().join("cluster"))
        .args(what)
        .current_dir(folder)
        .env("PYTHONPATH", std::env::join_paths(own.iter().chain(modules)).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    Some(text(&output.stdout))
}

// E1, E5
#[test]
fn every_server_transforms_behind_two_targets() {
    let Some(told) = checked(&["e1", "e5"]) else { return };
    println!("{told}");
    assert_eq!(told.matches("E1 ").count(), 6, "{told}");
    assert!(told.contains("E5 40 objects over 2 targets"), "{told}");
}

#[test]
fn pods_take_packages_from_a_bucket_of_their_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = FixtureIndex::new();
    let wheel = WheelBuilder::new("demo", "1.0").file("demo.py", "from needed import VALUE\n").requires("needed");
    index.add(wheel.build());
    index.add(WheelBuilder::new("needed", "2.0").file("needed.py", "VALUE = b'demo '\n").build());
    index.write_to(folder.path());
    let index = [("INDEX", folder.path())];
    let Some(told) = before_a_cluster(&[OsStr::new("delta")], Path::new(env!("CARGO_MANIFEST_DIR")), &[], &index)
    else {
        return;
    };
    println!("{told}");
    assert_eq!(told.matches("20 objects").count(), 2, "{told}");
    assert!(told.contains("a changed file: refused"), "{told}");
}

// E12: both times are printed, and nothing is claimed of them
#[test]
fn direct_put_brings_all_objects_over_with_and_without() {
    let Some(told) = checked(&["e12"]) else { return };
    println!("{told}");
    assert_eq!(told.matches("all there after").count(), 2, "{told}");
}

// E2: of AIStore's own tests those that go through a cluster; its others start servers in their own process
#[test]
fn the_streaming_tests_of_the_sdk_itself_pass() {
    let (Some(source), Some(python)) = (aistore_source(), sdk("3.12")) else { return };
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk-tests");
    let target = modules.to_str().unwrap();
    uv(&["pip", "install", "--quiet", "--target", target, "--python", python.to_str().unwrap(), "pytest"]);
    let pytest = "-m pytest -q -p no:cacheprovider tests/integration/sdk/test_etl_streaming.py";
    let words: Vec<OsString> =
        [python.into_os_string()].into_iter().chain(pytest.split(' ').map(OsString::from)).collect();
    let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
    let Some(told) = before_a_cluster(&words, &source.join("python"), &[modules], &[]) else { return };
    assert!(told.contains("8 passed"), "{told}");
}

//! Deltas in buckets and clusters: `etl-runtime bake` puts them there, a pod takes them from there.

use std::path::Path;
use std::process::Command;

use testkit::aistore::{AIStoreMemory, Cluster};
use testkit::images::printed_by;
use testkit::{FixtureIndex, S3Server, Versitygw, WheelBuilder};

use crate::built::variables;
use crate::support::{Pod, pickled, sdk};

const NEEDS_DEMO: &str = "
class NeedsDemo(Base):
    def transform(self, data, path, etl_args):
        import demo
        return demo.VALUE + data
";

/// Bakes to the address and serves from there, when the index is gone.
fn goes_through(address: &str, of_place: &[(&str, String)]) {
    let Some(python) = sdk("3.12") else { return };
    let mut index = FixtureIndex::new();
    index
        .add(WheelBuilder::new("demo", "1.0").file("demo.py", "from needed import VALUE\n").requires("needed").build());
    index.add(WheelBuilder::new("needed", "2.0").file("needed.py", "VALUE = b'demo '\n").build());
    let served = index.serve();
    let folder = tempfile::tempdir().unwrap();
    let bake = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl-runtime"));
        command.args(["bake", "--packages", "demo", "--to", address, "--python"]).arg(&python);
        command.current_dir(folder.path()).env("HOME", folder.path()).env("PYDIST_STORE", folder.path().join("store"));
        command.env("UV_DEFAULT_INDEX", served.simple_url()).env("UV_CACHE_DIR", folder.path().join("uv-cache"));
        printed_by(command.envs(of_place.iter().map(|(name, value)| (name, value))))
    };
    let printed = bake();
    assert_eq!(bake(), printed, "baked again it is the same");
    drop(served);
    let mut pod = Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO));
    let home = pod.folder.path().display().to_string();
    pod = pod.set("HOME", &home).set("PATH", "/nowhere").set("UV_DEFAULT_INDEX", "http://127.0.0.1:9/");
    for (name, value) in of_place {
        pod = pod.set(name, value);
    }
    for (name, value) in variables(&printed) {
        pod = pod.set(&name, &value);
    }
    let server = pod.serve();
    assert!(server.log().contains("package demo: from the delta"), "{}", server.log());
    assert!(server.send("PUT", "/b/o", &[], b"abc").is(200, "demo abc"));
}

#[test]
fn a_delta_goes_through_a_bucket() {
    let server = S3Server::start();
    goes_through(&format!("s3://{}/etl", S3Server::BUCKET), &server.variables());
}

#[test]
fn a_delta_goes_through_a_bucket_of_an_independent_server() {
    let Some(server) = Versitygw::set_up() else { return };
    let variables = S3Server::variables_for(&server.endpoint(), S3Server::SECRET);
    goes_through(&format!("s3://{}/etl", S3Server::BUCKET), &variables);
}

#[test]
fn a_delta_goes_through_a_cluster() {
    let server = AIStoreMemory::default().serve();
    goes_through(&format!("ais://b/etl?endpoint={}", server.url("")), &[]);
    // The way that a target's own bucket is named in a pod.
    goes_through("ais://b/etl", &[("AIS_ENDPOINT", server.url(""))]);
}

#[test]
fn a_delta_goes_through_a_real_cluster() {
    let Some(cluster) = Cluster::shared(Path::new(env!("CARGO_TARGET_TMPDIR")).to_str().unwrap()) else { return };
    goes_through(&format!("ais://{}/etl?endpoint={}", cluster.new_bucket(), cluster.endpoint()), &[]);
}

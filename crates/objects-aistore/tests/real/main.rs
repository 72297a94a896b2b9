//! The place in a real cluster, where there is a program for one: docs/aistore.md says how it is found.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use aistore_client::{Address, Settings};
use objects_aistore::AistorePlace;
use testkit::aistore::Cluster;
use testkit::conformance::{Skills, conforms_without_conditions};

#[test]
fn a_real_cluster_conforms_but_for_conditions() {
    let Some(cluster) = Cluster::start(env!("CARGO_TARGET_TMPDIR"), 2) else { return };
    let address = Address::parse(&format!("ais://{}/a/prefix", cluster.new_bucket())).unwrap();
    let place = AistorePlace::with(&address, Settings::new(cluster.endpoint())).unwrap();
    conforms_without_conditions(&place, Skills::default());
}

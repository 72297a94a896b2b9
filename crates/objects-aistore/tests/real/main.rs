//! The place in a real cluster, where there is a program for one: docs/aistore.md says how it is found.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

#[path = "../../../aistore-client/tests/real/cluster.rs"]
#[allow(dead_code, reason = "made for another crate's tests")]
mod cluster;
#[path = "../../../objects/tests/suite/conformance.rs"]
mod conformance;

use aistore_client::Address;
use cluster::{Cluster, Scratch};
use conformance::{Skills, conforms_without_conditions};
use objects_aistore::AistorePlace;

#[test]
fn a_real_cluster_conforms_but_for_conditions() {
    let Some(cluster) = Cluster::start(2) else { return };
    let client = cluster.client();
    let scratch = Scratch::new(&client);
    let address = format!("ais://{}/a/prefix", scratch.bucket.bucket().name());
    let address = Address::parse(&address).unwrap();
    let place = AistorePlace::with(&address, cluster.settings()).unwrap();
    conforms_without_conditions(&place, Skills::default());
}

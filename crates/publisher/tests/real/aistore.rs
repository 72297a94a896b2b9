//! Many publishers and one real AIStore cluster, which keeps no conditions. docs/aistore.md says how it is found.

use objects::{FolderPlace, Place, PlaceAddress};
use objects_aistore::AistorePlace;

use crate::cluster::{Cluster, Scratch};
use crate::support::bench::Bench;
use crate::support::crowd::{artifacts_of, indexed_at_once, many_publishers, publishers_at_once};

fn place(address: &str) -> AistorePlace {
    let PlaceAddress::Cluster(address) = PlaceAddress::parse(address, "--to").unwrap() else { unreachable!() };
    AistorePlace::open(&address, "--to", &|_| None).unwrap()
}

#[test]
fn ais_a3_two_clients_that_write_one_index_at_once_lose_no_entry_in_fifty_rounds() {
    let Some(cluster) = Cluster::start(2) else { return };
    let client = cluster.client();
    let scratch = Scratch::new(&client);
    let bench = Bench::new();
    for artifact in artifacts_of(&bench, 2) {
        bench.good(&["publish", &artifact]);
    }
    let published = FolderPlace::new(bench.to.clone().into());
    for round in 0..50 {
        let to = format!("ais://{}/r{round}?endpoint={}", scratch.bucket.bucket().name(), cluster.endpoint());
        let open = || -> Box<dyn Place> { Box::new(place(&to)) };
        assert_eq!(indexed_at_once(&published, &open), 2, "round {round}");
    }
}

#[test]
fn ais_fifty_publishers_to_a_real_cluster_at_once_some_of_them_killed_lose_no_entry() {
    let Some(cluster) = Cluster::start(2) else { return };
    let client = cluster.client();
    let scratch = Scratch::new(&client);
    let mut bench = Bench::new();
    bench.to = format!("ais://{}/p?endpoint={}", scratch.bucket.bucket().name(), cluster.endpoint());
    let artifacts = artifacts_of(&bench, publishers_at_once(50));
    many_publishers("a real cluster", &bench, &place(&bench.to), &artifacts);
}

//! Many publishers and one real AIStore cluster, which keeps no conditions. docs/aistore.md says how it is found.

use std::thread;
use std::time::Duration;

use objects::{FolderPlace, Place, PlaceAddress};
use objects_aistore::AistorePlace;
use testkit::aistore::{Cluster, Relay};

use crate::support::bench::Bench;
use crate::support::crowd::{artifacts_of, dangling, indexed_at_once, many_publishers, publishers_at_once};

fn cluster() -> Option<&'static Cluster> {
    Cluster::shared(env!("CARGO_TARGET_TMPDIR"))
}

fn place(address: &str) -> AistorePlace {
    let PlaceAddress::Cluster(address) = PlaceAddress::parse(address, "--to").unwrap() else { unreachable!() };
    AistorePlace::open(&address, "--to", &|_| None).unwrap()
}

#[test]
fn ais_a3_two_clients_that_write_one_index_at_once_lose_no_entry_in_fifty_rounds() {
    let Some(cluster) = cluster() else { return };
    let bucket = cluster.new_bucket();
    let bench = Bench::new();
    for artifact in artifacts_of(&bench, 2) {
        bench.good(&["publish", &artifact]);
    }
    let published = FolderPlace::new(bench.to.clone().into());
    for round in 0..50 {
        let to = format!("ais://{bucket}/r{round}?endpoint={}", cluster.endpoint());
        let open = || -> Box<dyn Place> { Box::new(place(&to)) };
        assert_eq!(indexed_at_once(&published, &open), 2, "round {round}");
    }
}

/// What lies there, and the index.
fn published(to: &AistorePlace) -> (Vec<String>, Vec<u8>) {
    let keys = to.list("").unwrap().into_iter().map(|row| row.key.to_string()).collect();
    (keys, to.get(&"catalogue.json".parse().unwrap()).unwrap().unwrap().bytes)
}

#[test]
fn ais_a4_publishing_to_a_real_cluster_that_is_killed_after_any_request_dangles_nowhere_and_is_completed() {
    let Some(cluster) = cluster() else { return };
    let (bucket, relay) = (cluster.new_bucket(), Relay::start(cluster.address()));
    let at = |prefix: &str, endpoint: &str| format!("ais://{bucket}/{prefix}?endpoint={endpoint}");
    let mut bench = Bench::new();
    let artifacts = artifacts_of(&bench, 2);
    bench.to = at("whole", &relay.endpoint());
    bench.good(&["publish", "--quiet", &artifacts[0]]);
    relay.open_for(None);
    bench.good(&["publish", "--quiet", &artifacts[1]]);
    let requests = relay.requests();
    let by_target = requests.iter().filter(|line| line.contains("&utm=") || line.contains("?utm=")).count();
    assert!(requests.len() > 40 && by_target > 10, "{requests:#?}");
    let whole = published(&place(&at("whole", &cluster.endpoint())));
    for last in 0..requests.len() {
        let prefix = format!("killed-{last}");
        bench.to = at(&prefix, &relay.endpoint());
        relay.open_for(None);
        bench.good(&["publish", "--quiet", &artifacts[0]]);
        relay.open_for(Some(last));
        let mut killed = bench.command(&["publish", "--quiet", &artifacts[1]]).spawn().unwrap();
        while relay.requests().len() <= last && killed.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        let _ = killed.kill();
        killed.wait().unwrap();
        relay.open_for(None);
        let to = place(&at(&prefix, &cluster.endpoint()));
        assert!(dangling(&to).is_empty(), "after request {last}");
        bench.good(&["publish", "--quiet", &artifacts[1]]);
        assert!(published(&to) == whole, "after request {last}");
    }
}

#[test]
fn ais_fifty_publishers_to_a_real_cluster_at_once_some_of_them_killed_lose_no_entry() {
    let Some(cluster) = cluster() else { return };
    let mut bench = Bench::new();
    bench.to = format!("ais://{}/p?endpoint={}", cluster.new_bucket(), cluster.endpoint());
    let artifacts = artifacts_of(&bench, publishers_at_once(50));
    many_publishers("a real cluster", &bench, &place(&bench.to), &artifacts);
}

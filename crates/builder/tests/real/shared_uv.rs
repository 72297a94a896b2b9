//! uv in a remote store that a machine with uv on PATH has filled. The last test asks the index that uv asks by default.

use std::fs;

use serde_json::json;
use testkit::WheelBuilder;
use vocab::{Digest, PlatformKey};

use crate::support::{self, Bench, PYTHON, assert_says};

fn bench() -> Bench {
    Bench::of(json!({ "dependencies": ["demo"] }), [WheelBuilder::new("demo", "1.0").build()])
}

fn wheels(host: PlatformKey) -> Vec<Digest> {
    let tool = resolve::pinned_uv(host).unwrap();
    tool.digests.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_build_that_cannot_give_uv_says_so_and_ends_well() {
    let bench = bench();
    let shared = bench.path("shared");
    let run = bench.build_with(&["--remote-store", shared.to_str().unwrap()]);
    assert_says(&run.told(), &["the remote store has no uv", "was not found in the package registry"]);
    assert!(run.warnings().is_empty(), "{}", run.told());
    // Where uv is not needed, nobody is asked for it.
    support::remove(&bench.repository.at(&format!("python-{PYTHON}/pydist")));
    let before = bench.requests().len();
    let run = bench.build_with(&["--locked", "--remote-store", shared.to_str().unwrap()]);
    assert!(!run.told().contains("the remote store has no uv"), "{}", run.told());
    assert_eq!(bench.requests().len(), before);
}

#[test]
fn a_push_fetches_uv_for_the_machines_that_are_to_be_served() {
    let bench = bench();
    bench.build();
    let shared = bench.path("shared");
    let hosts = [PlatformKey::host().unwrap(), PlatformKey::WindowsX64];
    let push = |more: &[&str]| {
        let keys = hosts.map(PlatformKey::as_str).join(",");
        let arguments = ["store", "push", "--remote-store", shared.to_str().unwrap(), "--for-host", &keys];
        bench.command(&[&arguments[..], more].concat())
    };
    // The index of the test has none.
    for (options, reason) in [(&[][..], "was not found"), (&["--offline"], "the network is not used")] {
        let run = support::run(&mut push(options));
        assert_eq!(run.code, 5, "{}", run.told());
        let absent = run.line("pushed").unwrap()["absent"].as_array().unwrap().clone();
        assert_eq!(absent.len(), 2, "{absent:?}");
        assert!(absent.iter().all(|it| it.as_str().unwrap().contains(reason)), "{absent:?}");
    }
    let run = support::run(push(&[]).env_remove("UV_DEFAULT_INDEX"));
    assert_eq!((run.code, &run.line("pushed").unwrap()["absent"]), (0, &json!([])), "{}", run.told());
    for host in hosts {
        let there = wheels(host).into_iter().find_map(|sha256| {
            let digest = sha256.to_string();
            fs::read(shared.join("v1/blobs").join(&digest[..2]).join(&digest)).ok().map(|bytes| (sha256, bytes))
        });
        let (sha256, bytes) = there.unwrap_or_else(|| panic!("uv for {host} was given"));
        assert_eq!(Digest::of(bytes), sha256);
    }
}

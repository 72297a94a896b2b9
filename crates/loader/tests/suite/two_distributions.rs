//! Servers of several distributions at once, and extensions that share one.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::serve::{LONG, Served, more, site};
use crate::site::Site;

/// Another folder with the same Python, and the extension `far` on it.
fn with_another(site: Site) -> Site {
    let python = site.path("dists/custom-2.0.0/bin/python3");
    fs::create_dir_all(python.parent().unwrap()).unwrap();
    fs::copy(site.path("dists/custom-1.0.0/bin/python3"), python).unwrap();
    more(&site, "far", "custom:2.0.0", &[]);
    site
}

#[test]
fn pel_16_an_extension_and_the_one_that_it_depends_on_share_a_distribution_and_its_server() {
    let site = with_another(site());
    more(&site, "base", "custom:1.0.0", &[("env.yml", b"dependencies: [python]\n")]);
    more(&site, "leaf", "dep::base", &[]);
    let mut host = Served::start(&site, &["-D", "pysdk.pel.disableMiniforge=true"]);
    let [base, leaf, far] = [(1, "base"), (2, "leaf"), (3, "far")]
        .map(|(id, namespace)| host.result(&site, id, &format!("{namespace}:pid"), json!({})));
    assert_eq!(base, leaf);
    assert_ne!(base, far);
    let resolved = host.ask(&json!({ "id": 4, "method": "resolve", "name": "leaf" }));
    assert_eq!(resolved["result"]["id"], "custom:1.0.0", "{resolved}");
    assert!(host.ended());
}

#[test]
fn pel_56_two_distributions_and_one_port_take_turns() {
    let site = with_another(site());
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let one_port = ["min", "max"].map(|end| format!("pysdk.pel.server.{end}Port={port}"));
    let mut host =
        Served::start(&site, &["-D", &one_port[0], "-D", &one_port[1], "-D", "pysdk.pel.server.idleShutdown=1"]);
    // An object keeps the first server from ending.
    let kept = host.run(1, "more:keeps", json!({ "parameters": { "word": "x" } }));
    let handle = kept["result"]["outputs"]["result"]["handle"].clone();
    let first = host.result(&site, 2, "more:pid", json!({}));
    let refused = host.run(3, "far:pid", json!({}))["error"].clone();
    assert_eq!(refused["code"], "E_SERVER_PORTS", "{refused}");
    let words = format!("no port from {port} to {port} is free on 127.0.0.1");
    assert!(refused["message"].as_str().unwrap().contains(&words), "{refused}");
    assert_eq!(host.result(&site, 4, "more:pid", json!({})), first, "it goes on");
    host.ask(&json!({ "id": 5, "method": "release", "handles": [handle] }));
    let began = Instant::now();
    let mut id = 6;
    // Once the first is idle for long enough, the port is the second one's, at once.
    while host.run(id, "far:pid", json!({})).get("result").is_none() {
        assert!(began.elapsed() < LONG, "the first server does not end");
        std::thread::sleep(Duration::from_millis(100));
        id += 1;
    }
    let servers = host.ask(&json!({ "id": 1000, "method": "servers" }))["result"]["servers"].clone();
    assert_eq!(servers.as_array().unwrap().len(), 1, "{servers}");
    assert!(host.ended());
}

#[test]
fn pel_76_an_object_belongs_to_one_distribution_and_is_lost_with_its_server() {
    let site = with_another(site());
    let mut host = Served::start(&site, &[]);
    let kept = host.run(1, "more:keeps", json!({ "parameters": { "word": "here" } }));
    let handle = kept["result"]["outputs"]["result"]["handle"].clone();
    let input = || json!({ "inputs": { "kept": { "handle": handle } } });
    assert_eq!(host.result(&site, 2, "more:takes", input()), "here");
    let foreign = host.run(3, "far:takes", input())["error"].clone();
    assert_eq!(foreign["code"], "E_HANDLE_FOREIGN", "{foreign}");
    assert_eq!(foreign["message"], "input `kept` is an object of another server");
    host.run(4, "more:ends", json!({ "parameters": { "code": 1 } }));
    for (id, operator) in [(5, "more:takes"), (6, "far:takes")] {
        let lost = host.run(id, operator, input())["error"].clone();
        assert_eq!(lost["code"], "E_HANDLE_LOST", "{operator}: {lost}");
        assert_eq!(lost["message"], "input `kept` is an object of a server that has ended");
        assert_eq!(lost["hint"], "run again from the operator that made the object");
    }
    assert!(host.ended());
}

//! What a cluster does that is full, busy, or loses a target.

use std::time::{Duration, Instant};

use aistore_client::{
    Bucket, Client, CopyBucketOptions, GetOptions, JobQuery, ObjectContent, PutOptions, RefusalKind, WaitOptions,
};

use crate::scratch::{Scratch, changeable, client_of, fresh_name, own, settings_of};

#[test]
fn ais_a10_above_the_high_water_mark_puts_are_out_of_space() {
    let Some((cluster, _turn)) = changeable() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let marks = |low: &[&str; 4]| {
        let names = ["space.cleanupwm", "space.lowwm", "space.highwm", "space.out_of_space"];
        let settings: Vec<_> = names.iter().copied().zip(low.iter().copied()).collect();
        client.set_configuration(&settings).unwrap();
    };
    marks(&["1", "2", "3", "4"]);
    let object = scratch.bucket.object("a").unwrap();
    let begun = Instant::now();
    // The server looks at its disks now and then only.
    let failure = loop {
        match object.put(ObjectContent::bytes("x"), &PutOptions::default()) {
            Err(error) => break Some(error),
            Ok(_) if begun.elapsed() > Duration::from_secs(60) => break None,
            Ok(_) => object.delete().unwrap(),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    marks(&["97", "98", "99", "100"]);
    let failure = failure.expect("a disk that is used by more than 4 % is full by these marks");
    assert!(failure.is(RefusalKind::OutOfSpace), "{failure}");
    assert_eq!(failure.refusal().unwrap().status, 507);
    assert!(!object.exists().unwrap());
}

#[test]
fn ais_a2_a_job_during_a_rebalance_is_done_or_busy() {
    // One of its own: while objects move, other tests would miss them.
    let Some(cluster) = own(2) else { return };
    let mut settings = settings_of(&cluster);
    settings.busy_limit = Duration::ZERO;
    let client = Client::new(settings).unwrap();
    let scratch = Scratch::new(&client);
    scratch.bucket.object("a").unwrap().put(ObjectContent::bytes("x"), &PutOptions::default()).unwrap();
    client.start_job(&JobQuery { kind: "rebalance".to_owned(), ..JobQuery::default() }).unwrap();
    let mut busy = 0;
    for _ in 0..5 {
        let to = Bucket::new(&fresh_name()).unwrap();
        match scratch.bucket.copy(&to, &CopyBucketOptions::default()) {
            Ok(job) => drop(job.wait(&WaitOptions::default()).unwrap()),
            // Which of the two it is, depends on how far the rebalance is.
            Err(error) => {
                let is_known =
                    error.is(RefusalKind::Busy) || error.to_string().contains("duplicate transport endpoint");
                assert!(is_known && !error.is(RefusalKind::AlreadyExists), "{error}");
                busy += 1;
            }
        }
        let _ = client.bucket(to).destroy(&aistore_client::DestroyOptions { missing_ok: true });
    }
    eprintln!("{busy} of 5 copies met a running rebalance");
    let query = JobQuery { kind: "rebalance".to_owned(), ..JobQuery::default() };
    let begun = Instant::now();
    while !client.running_jobs(&query).unwrap().is_empty() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let client = client_of(&cluster);
    let to = Bucket::new(&fresh_name()).unwrap();
    let copied = client.bucket(scratch.bucket.bucket().clone()).copy(&to, &CopyBucketOptions::default()).unwrap();
    copied.wait(&WaitOptions::default()).unwrap();
    client.bucket(to).destroy(&aistore_client::DestroyOptions::default()).unwrap();
}

#[test]
fn ais_a7_a_target_that_dies_during_puts_leaves_nothing_half_there() {
    let Some(cluster) = own(2) else { return };
    let mut settings = settings_of(&cluster);
    settings.limits.stall = Duration::from_secs(5);
    settings.retries.attempts = 2;
    let client = Client::new(settings).unwrap();
    let scratch = Scratch::new(&client);
    let bytes: Vec<u8> = (0..8 << 20).map(|index: u32| (index % 247) as u8).collect();
    let mut outcomes = Vec::new();
    for number in 0..12 {
        if number == 4 {
            cluster.kill_target(1);
        }
        let object = scratch.bucket.object(&format!("o{number}")).unwrap();
        let outcome = object.put(ObjectContent::bytes(bytes.clone()), &PutOptions::default());
        if let Ok(result) = &outcome {
            assert!(result.is_verified);
        }
        outcomes.push((number, outcome.is_ok(), outcome.err().map(|error| error.to_string())));
    }
    eprintln!("{outcomes:?}");
    assert!(outcomes[..4].iter().all(|(_, done, _)| *done), "{outcomes:?}");
    // The map changes when the target has missed its signs of life.
    let begun = Instant::now();
    while client.cluster_map().unwrap().targets.len() > 1 && begun.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(client.cluster_map().unwrap().targets.len(), 1);
    let object = scratch.bucket.object("after").unwrap();
    assert!(object.put(ObjectContent::bytes(bytes.clone()), &PutOptions::default()).unwrap().is_verified);
    for (number, _, _) in &outcomes {
        match scratch.bucket.object(&format!("o{number}")).unwrap().get(&GetOptions::default()) {
            Ok(reader) => assert!(reader.bytes().unwrap() == bytes, "whole, or not there"),
            Err(error) => assert!(error.is(RefusalKind::ObjectNotFound), "{error}"),
        }
    }
}

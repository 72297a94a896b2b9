//! Several machines at one remote store: two that give at once, and one that reads what another replaces.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::remote::ObjectKind;
use store_upkeep::{Repair, push, verify_shared};
use testkit::store_bench::StoreBench;
use vocab::Digest;

use crate::remote_store::{Place, fill, later, name, wheel, write};

#[test]
fn two_machines_give_the_same_built_wheel_at_once_and_no_record_is_ever_there_without_its_wheel() {
    for (what, place) in Place::all() {
        let benches = [StoreBench::new(), StoreBench::new()];
        let filled = benches.each_ref().map(fill);
        let (key, _) = filled[0];
        for (number, bench) in benches.iter().enumerate() {
            for blob in 0..20 {
                // Half of them only one machine has.
                let content = if blob % 2 == 0 { format!("both {blob}") } else { format!("{number} {blob}") };
                write(&bench.context.store.blob(&Digest::of(&content)), content.as_bytes());
            }
        }
        let sha256 = Digest::of(&wheel().bytes);
        let done = AtomicUsize::new(0);
        let reports = std::thread::scope(|scope| {
            let pushes: Vec<_> = benches
                .iter()
                .map(|bench| {
                    let (remote, done) = (place.remote(), &done);
                    scope.spawn(move || {
                        let ended = push(&bench.context, &remote, &[]).unwrap();
                        done.fetch_add(1, Ordering::Relaxed);
                        assert!(ended.fault.is_none(), "{what}: {:?}", ended.fault);
                        ended.report
                    })
                })
                .collect();
            for bench in &benches {
                let (remote, done) = (place.remote(), &done);
                scope.spawn(move || {
                    let folder = bench.context.store.built(&key);
                    let record = fs::read(folder.join("built.json")).unwrap();
                    let path = folder.join(wheel().file_name);
                    remote.give_built(&bench.context.near(), &key, &record, &path, &sha256);
                    remote.outcome().unwrap();
                    assert!(remote.has_blob(&bench.context.near(), &sha256), "{what}");
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
            // Another machine that looks meanwhile.
            while done.load(Ordering::Relaxed) < 4 {
                let (reader, remote) = (StoreBench::new(), place.remote());
                let near = reader.context.near();
                let record = remote.bring_record(&near, ObjectKind::Built, &key, |bytes| Ok(bytes.to_vec()));
                if record.is_some() {
                    assert!(remote.bring_blob(&near, &sha256, "demo.whl", None), "{what}: a record without its wheel");
                    assert_eq!(fs::read(reader.context.store.blob(&sha256)).unwrap(), wheel().bytes, "{what}");
                }
                remote.outcome().unwrap();
            }
            pushes.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        for report in &reports {
            assert_eq!(report.given.objects + report.there.objects, 25, "{what}: {report:?}");
            assert!(report.damaged.is_empty() && report.taken.is_empty() && report.left == 0, "{what}: {report:?}");
        }
        let verified = verify_shared(&benches[0].context, &place.remote(), false, later()).unwrap().report;
        assert_eq!((verified.checked, verified.damaged.len()), (35, 0), "{what}: {verified:?}");
    }
}

#[test]
fn a_damaged_object_that_is_replaced_while_others_read_it_is_refused_or_sound_and_nothing_between() {
    // Many reads of the network, and many writes.
    let good: Vec<u8> = (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let digest = Digest::of(&good);
    let mut bad = good.clone();
    bad[2_000_000] ^= 1;
    for (what, place) in Place::all() {
        let bench = StoreBench::new();
        write(&bench.context.store.blob(&digest), &good);
        push(&bench.context, &place.remote(), &[]).unwrap();
        place.spoil(&name("blobs", &digest), &bad);
        // Whether it came; a wrong one never does.
        let read = || {
            let (reader, remote) = (StoreBench::new(), place.remote());
            let is_here = remote.bring_blob(&reader.context.near(), &digest, "large", None);
            match remote.outcome() {
                Ok(()) => assert!(is_here, "{what}: it was there all the time"),
                Err(fault) => assert_eq!((fault.code(), is_here), ("E_REMOTE_STORE_DAMAGED", false), "{what}"),
            }
            let blob = reader.context.store.blob(&digest);
            assert_eq!(blob.is_file(), is_here, "{what}");
            assert!(!is_here || fs::read(blob).unwrap() == good, "{what}");
            is_here
        };
        assert!(!read(), "{what}: it is damaged");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| while !read() {});
            }
            let repaired = verify_shared(&bench.context, &place.remote(), true, later()).unwrap().report;
            let ends: Vec<Repair> = repaired.damaged.iter().map(|damage| damage.repair).collect();
            assert!(ends == [Repair::Replaced], "{what}: {repaired:?}");
        });
        assert!(read(), "{what}");
    }
}

//! Many publishers at once, some of them killed, and what may never be seen meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use catalogue::{Catalogue, Moment};
use objects::Place;
use publisher::{IndexSigning, reindex};
use serde_json::Value;

use super::artifacts::Sketch;
use super::bench::Bench;

/// What the index and the entries point at and is not there.
pub fn dangling(to: &dyn Place) -> BTreeSet<String> {
    let there: BTreeSet<String> = to.list("").unwrap().iter().map(|row| row.key.to_string()).collect();
    let mut pointers = BTreeSet::new();
    for key in there.iter().filter(|key| *key == "catalogue.json" || key.starts_with("entries/")) {
        let Some(object) = to.get(&key.parse().unwrap()).unwrap() else { continue };
        keys_in(&serde_json::from_slice(&object.bytes).unwrap(), &mut pointers);
    }
    let there: BTreeSet<String> = to.list("").unwrap().iter().map(|row| row.key.to_string()).collect();
    pointers.difference(&there).cloned().collect()
}

fn keys_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("key").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| keys_in(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| keys_in(value, found)),
        _ => {}
    }
}

/// `scripts/stress-publish` asks for more of them.
pub fn publishers_at_once(usual: u64) -> u64 {
    std::env::var("PYDIST_STRESS_PUBLISHERS").map_or(usual, |text| text.parse().unwrap())
}

/// Makes artifacts of as many builds of one runtime.
pub fn artifacts_of(bench: &Bench, count: u64) -> Vec<String> {
    let artifact = |number: u64| {
        let mut sketch = Sketch::new("3.12.10");
        sketch.build = number;
        sketch.make(&bench.folder.path().join(format!("dist-{number}")), |_| ()).display().to_string()
    };
    (0..count).map(artifact).collect()
}

/// All at once; every third is killed at some moment and run again. While they work nothing may dangle.
pub fn many_publishers(place: &str, bench: &Bench, to: &dyn Place, artifacts: &[String]) {
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let (looks, runs) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(dangling(to), BTreeSet::new());
                looks += 1;
                thread::sleep(Duration::from_millis(50));
            }
            looks
        });
        let publishers: Vec<_> = artifacts
            .iter()
            .enumerate()
            .map(|(number, artifact)| {
                scope.spawn(move || {
                    let mut killed = false;
                    if number % 3 == 0 {
                        let mut child = bench.command(&["publish", "--quiet", artifact]).spawn().unwrap();
                        // Spread over the time that one takes.
                        thread::sleep(Duration::from_millis(15 * number as u64 + 5));
                        let _ = child.kill();
                        killed = !child.wait().unwrap().success();
                    }
                    let begun = Instant::now();
                    bench.good(&["publish", "--quiet", artifact]);
                    (killed, begun.elapsed())
                })
            })
            .collect();
        let runs: Vec<(bool, Duration)> = publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect();
        over.store(true, Ordering::Relaxed);
        (watcher.join().unwrap(), runs)
    });
    assert!(looks > 0);
    let verified = bench.good(&["verify"]);
    #[expect(clippy::print_stderr, reason = "for scripts/stress-publish; no time is judged")]
    let () = eprintln!(
        "{place}: {} publishers at once, {} of them killed and run again, in {:.1} s, the longest {:.1} s; nothing \
         dangled in {looks} looks; verify: {}",
        artifacts.len(),
        runs.iter().filter(|(killed, _)| *killed).count(),
        begun.elapsed().as_secs_f64(),
        runs.iter().map(|(_, took)| took.as_secs_f64()).fold(0.0, f64::max),
        verified.out.trim(),
    );
    assert!(verified.out.starts_with(&format!("{} entries", artifacts.len())), "{}", verified.out);
    assert!(verified.out.contains("0 faults"), "{}{}", verified.out, verified.told);
}

pub const SIGNING: fn() -> IndexSigning<'static> =
    || IndexSigning { signer: None, now: Moment::from_unix_seconds(1_764_000_000).unwrap(), change_key: false };

/// As many clients as there are entries at `from`: each brings one of them and writes the index, all at once. Gives how
/// many the catalogue has.
pub fn indexed_at_once(from: &dyn Place, open: &(dyn Fn() -> Box<dyn Place> + Sync)) -> usize {
    let keys: Vec<_> = from.list("entries/").unwrap().into_iter().map(|row| row.key).collect();
    thread::scope(|scope| {
        for key in &keys {
            scope.spawn(move || {
                let to = open();
                to.create(key, &from.get(key).unwrap().unwrap().bytes).unwrap();
                reindex(to.as_ref(), &SIGNING(), false).unwrap();
            });
        }
    });
    let catalogue = open().get(&"catalogue.json".parse().unwrap()).unwrap().unwrap();
    Catalogue::read(&catalogue.bytes).unwrap().entries.len()
}

//! Many workers of Beam at once from one baked runtime.

use std::collections::BTreeSet;

use super::workers::{BAKED, Start, programs, ran, turn};

const WORKERS: usize = 20;
/// How many start at once. Prism gives up on a worker that does not connect within a minute, and has no option for that.
const AT_ONCE: usize = 2;

/// Submits a job as often as there shall be workers; they are told in its first two lines. One that Prism gives up on while this
/// machine is busy is submitted again. Each worker waits in its element until
/// all are there, and then says which interpreter it is, which file its pandas is, and how much memory it has.
const DRIVER: &str = r#"
import os, sys, threading, time
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

def attend(number, place, workers):
    import pandas
    file = os.stat(pandas.__file__)
    until = time.monotonic() + 400
    write(place, number, "")
    while len([name for name in os.listdir(place) if name.isdigit()]) < workers:
        if os.path.exists(f"{place}/failed") or time.monotonic() > until:
            raise RuntimeError("others did not start")
        time.sleep(0.5)
    with open("/proc/self/smaps_rollup") as rollup:
        sizes = {line.split()[0]: line.split()[1] for line in rollup if line.endswith(" kB\n")}
    write(place, number, f"{sys.prefix}|{file.st_dev}|{file.st_ino}|{os.getpid()}|{sizes['Rss:']}|{sizes['Pss:']}")

def write(place, number, text):
    beside = f"{place}/new-{number}"
    with open(beside, "w") as file:
        file.write(text)
    os.rename(beside, f"{place}/{number}")

out, options = sys.argv[2], sys.argv[3:]
place = out + "-workers"
os.mkdir(place)
begun, turns, faults, again = time.monotonic(), threading.Semaphore(at_once), [], []
seconds = [0.0] * workers

def run(number):
    try:
        with turns:
            for _ in range(5):
                started = time.monotonic()
                pipeline = beam.Pipeline(options=PipelineOptions(options))
                pipeline | beam.Create([number]) | beam.Map(attend, place, workers)
                result = pipeline.run()
                while not os.path.exists(f"{place}/{number}") and result.state not in ("FAILED", "CANCELLED"):
                    time.sleep(0.1)
                if os.path.exists(f"{place}/{number}"):
                    break
                again.append(number)
            seconds[number] = time.monotonic() - started
        result.wait_until_finish()
    except BaseException as fault:
        faults.append(f"worker {number}: {fault!r}")
        open(f"{place}/failed", "w").close()

threads = [threading.Thread(target=run, args=[number]) for number in range(workers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if faults:
    sys.exit("\n".join(faults))
whole = time.monotonic() - begun
print(f"{workers} workers, {at_once} starting at once: {whole:.1f} s; one from its submission to its element: "
      f"{min(seconds):.1f} to {max(seconds):.1f} s, median {sorted(seconds)[workers // 2]:.1f} s; submitted again: {len(again)}")
with open(out, "w") as file:
    for number in range(workers):
        file.write(open(f"{place}/{number}").read() + "\n")
"#;

#[test]
fn klio_w7_twenty_workers_run_at_once_from_one_copy_on_disk() {
    let Some(programs) = programs() else { return };
    let (baked, _turn) = (&*BAKED, turn());
    let driver = format!("workers = {WORKERS}\nat_once = {AT_ONCE}\n{DRIVER}");
    let start = Start { runtime: &baked.prefix, in_runtime: true, alone: false, driver: &driver, options: &[] };
    let ran = ran(&programs, baked.job.0.path(), start);
    let rows: Vec<Vec<&str>> = ran.rows.iter().map(|row| row.split('|').collect()).collect();
    let different = |column: usize| rows.iter().map(|row| row[column]).collect::<BTreeSet<_>>();
    assert_eq!(different(3).len(), WORKERS, "each is a process of its own, and all were there at once");
    assert_eq!(different(0), [&*baked.prefix.to_string_lossy()].into(), "all are the baked interpreter");
    assert_eq!((different(1).len(), different(2).len()), (1, 1), "one file for all");
    let sum = |column: usize| rows.iter().filter_map(|row| row[column].parse::<u64>().ok()).sum::<u64>() >> 10;
    let (resident, own) = (sum(4), sum(5));
    assert!(own < resident, "they share pages of their files");
    eprintln!("{}together {resident} MiB, shared pages counted once {own} MiB", ran.printed);
}

//! What `scripts/bench/aistore` measures of ours, each in a process of its own; prints the seconds that the work took and
//! those of the processor.
//!
//! `cargo run --release -p objects-aistore --example aistore_rates -- WHAT ENDPOINT BUCKET …`, where WHAT and the rest are
//! `small-put|small-get|small-get-direct COUNT` (4 KiB each, one after another), `many FOLDER AT_ONCE`, `put FILE`,
//! `get|get-direct|get-plain OBJECT`, `list PAGE_SIZE`, `publish FOLDER`.
#![expect(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use aistore_client::{
    Address, Bucket, BucketHandle, Client, GetOptions, ListOptions, ObjectContent, PutOptions, Reads, Settings,
};
use objects::{ObjectUpload, Place as _, PutOutcome, TransferWork, UNWATCHED};
use objects_aistore::AistorePlace;
use vocab::Digest;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SMALL: usize = 4096;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [what, endpoint, name, rest @ ..] = &words[..] else {
        return Err("the arguments are WHAT ENDPOINT BUCKET and what it needs".into());
    };
    let mut settings = Settings::new(*endpoint);
    if what.ends_with("-direct") {
        settings.reads = Reads::Direct;
    }
    let client = Client::new(settings.clone())?;
    let bucket = client.bucket(Bucket::new(name)?);
    match (*what, rest) {
        ("small-put", [count]) => small(count.parse()?, |number| small_put(&bucket, number)),
        ("small-get" | "small-get-direct", [count]) => small(count.parse()?, |number| small_get(&bucket, number)),
        ("many", [folder, at_once]) => {
            let (files, at_once) = (files(folder)?, at_once.parse()?);
            timed(|| many(&bucket, &files, at_once))
        }
        ("put", [file]) => timed(|| put_file(&bucket, Path::new(file))),
        ("get" | "get-direct" | "get-plain", [object]) => timed(|| {
            let options = GetOptions { verify: *what != "get-plain", ..GetOptions::default() };
            bucket.object(object)?.get(&options)?.copy_to(&mut File::create("/dev/null")?)?;
            Ok(())
        }),
        ("list", [page_size]) => {
            let options = ListOptions { page_size: page_size.parse()?, ..ListOptions::default() };
            timed(|| list(&bucket, &options))
        }
        ("publish", [folder]) => {
            let address = Address::parse(&format!("ais://{name}/published"))?;
            let (place, files) = (AistorePlace::with(&address, settings)?, files(folder)?);
            timed(|| publish(&place, &files))
        }
        _ => Err(format!("not known: {what}").into()),
    }
}

/// The first is not measured: it connects.
fn small(count: usize, mut one: impl FnMut(usize) -> Outcome<()>) -> Outcome<()> {
    one(0)?;
    timed(|| (0..count).try_for_each(one))
}

fn small_put(bucket: &BucketHandle<'_>, number: usize) -> Outcome<()> {
    let content = ObjectContent::bytes(vec![7_u8; SMALL]);
    bucket.object(&format!("small/{number}"))?.put(content, &PutOptions::default())?;
    Ok(())
}

fn small_get(bucket: &BucketHandle<'_>, number: usize) -> Outcome<()> {
    let bytes = bucket.object(&format!("small/{number}"))?.get(&GetOptions::default())?.bytes()?;
    if bytes.len() == SMALL { Ok(()) } else { Err("an object of another size".into()) }
}

fn put_file(bucket: &BucketHandle<'_>, file: &Path) -> Outcome<()> {
    bucket.object(name_of(file)?)?.put(ObjectContent::file(file), &PutOptions::default())?;
    Ok(())
}

fn many(bucket: &BucketHandle<'_>, files: &[PathBuf], at_once: usize) -> Outcome<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let send = || -> Outcome<()> {
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                put_file(bucket, file)?;
            }
            Ok(())
        };
        let senders: Vec<_> = (0..at_once).map(|_| scope.spawn(send)).collect();
        senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| "a thread panicked")?)
    })
}

fn list(bucket: &BucketHandle<'_>, options: &ListOptions) -> Outcome<()> {
    let found = bucket.list_all(options)?.len();
    if found == 10_000 { Ok(()) } else { Err(format!("{found} entries").into()) }
}

/// As `publisher` brings what belongs to an artifact: one file after another.
fn publish(place: &AistorePlace, files: &[PathBuf]) -> Outcome<()> {
    let next = AtomicU64::new(0);
    let work = TransferWork { tell: &|_| {}, watch: UNWATCHED, next: &next };
    for file in files {
        let upload = ObjectUpload {
            key: &name_of(file)?.parse()?,
            file,
            size: file.metadata()?.len(),
            // A publisher knows it from the manifest.
            sha256: Digest::of(b""),
            former: None,
            overwrite: false,
            verdict: &|| Ok(()),
        };
        if place.upload(&upload, &work)?.placed != PutOutcome::Ours {
            return Err("it already exists".into());
        }
    }
    Ok(())
}

fn files(folder: &str) -> Outcome<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn name_of(file: &Path) -> Outcome<&str> {
    file.file_name().and_then(|name| name.to_str()).ok_or_else(|| "a file whose name is not text".into())
}

fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let (begun, processor) = (Instant::now(), processor_seconds());
    work()?;
    let (seconds, processor) = (begun.elapsed().as_secs_f64(), processor_seconds() - processor);
    println!("{{\"seconds\": {seconds:.6}, \"processor\": {processor:.3}}}");
    Ok(())
}

/// Processor time of this process so far, in steps of 10 ms; 0 where the system is not Linux.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: 11 fields, then the user's and the system's ticks.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

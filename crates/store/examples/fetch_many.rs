//! Downloads files into a new store and prints how long that took.
//!
//! `cargo run --example fetch_many -- LIST STORE AT_ONCE`, with a line `URL SHA256 SIZE` for each file in LIST;
//! `scripts/bench/web` measures it.
#![expect(clippy::print_stdout, reason = "a program")]

use std::time::Instant;

use store::download::{FetchRequest, fetch_all};
use store::{Context, Store};
use vocab::Work;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [list, folder, at_once] = &words[..] else {
        return Err("the arguments are LIST STORE AT_ONCE".into());
    };
    let mut requests = Vec::new();
    for line in std::fs::read_to_string(list)?.lines() {
        let [url, sha256, size] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err("a line is URL SHA256 SIZE".into());
        };
        let file_name = url.rsplit('/').next().unwrap_or_default().to_owned();
        requests.push(FetchRequest {
            url: url.to_owned(),
            file_name,
            sha256: sha256.parse()?,
            size: Some(size.parse()?),
            largest: None,
        });
    }
    let quiet = Context::quiet(folder.into());
    let work = Work { offline: false, ..quiet.work.clone() };
    let context = Context { work, store: Store::open(folder.into())?, ..quiet };
    let started = Instant::now();
    fetch_all(&context, &requests, at_once.parse()?)?;
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}

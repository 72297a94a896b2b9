//! Checks the native files of a prefix, of any platform, and prints what it found as JSON.
//!
//! `cargo run -p static-checks --example native_files -- PREFIX PLATFORM PYTHON [OLDEST]`; `scripts/bench/native` measures it.
#![expect(clippy::print_stdout, reason = "a program")]

use std::path::Path;
use std::time::Instant;

use static_checks::native_files::{NativePolicy, SystemCeilings, check_native_files};
use vocab::{PlatformKey, TreeLayout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [prefix, platform, python, oldest @ ..] = &words[..] else {
        return Err("the arguments are PREFIX PLATFORM PYTHON [OLDEST]".into());
    };
    let platform: PlatformKey = platform.parse()?;
    let oldest = oldest.first().map(|text| text.parse()).transpose()?;
    let layout = TreeLayout { platform, python: python.parse()? };
    let policy = NativePolicy::strict(SystemCeilings::for_system(platform, oldest));
    let started = Instant::now();
    let report = check_native_files(Path::new(prefix), layout, &policy, &|_| None)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "seconds": seconds, "report": report }));
    Ok(())
}

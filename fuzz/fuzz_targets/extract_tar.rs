//! `tar`, `tar.gz`, `tar.zst` → tree. The first byte says how the rest is wrapped, the second under which rules it is
//! extracted.
#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::fuzz_target;
use pydist_fuzz::{Arena, Wrapping, repair_checksums};

thread_local! {
    static ARENA: LazyCell<Arena> = LazyCell::new(Arena::default);
}

fuzz_target!(|data: &[u8]| {
    let [wrapping, choice, tar @ ..] = data else { return };
    let mut tar = tar.to_vec();
    if wrapping & 4 == 0 {
        repair_checksums(&mut tar);
    }
    ARENA.with(|arena| arena.extract(&Wrapping::of(*wrapping).wrap(&tar), *choice));
});

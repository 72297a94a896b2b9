//! `zip` → tree. The first byte says whether the rest is a zip or the plan of one, the second under which rules it is
//! extracted.
#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use pydist_fuzz::{Arena, ZipPlan};

thread_local! {
    static ARENA: LazyCell<Arena> = LazyCell::new(Arena::default);
}

fuzz_target!(|data: &[u8]| {
    let [form, choice, rest @ ..] = data else { return };
    let zip = if form & 1 == 0 {
        rest.to_vec()
    } else {
        let Ok(plan) = Unstructured::new(rest).arbitrary::<ZipPlan>() else { return };
        plan.bytes()
    };
    ARENA.with(|arena| arena.extract(&zip, *choice));
});

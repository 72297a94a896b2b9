//! The manifest's reader. What it accepts is written and read back as the same.
#![no_main]

use archive::{read_manifest, write_manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match read_manifest(data) {
        Ok(manifest) => {
            let text = write_manifest(&manifest);
            let again = read_manifest(text.as_bytes()).expect("what was written can be read");
            assert_eq!(again, manifest);
            assert_eq!(write_manifest(&again), text, "writing is canonical");
        }
        Err(error) => drop(error.to_string()),
    }
});

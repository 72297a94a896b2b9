//! What an interrupted fetch has received of a part is not requested again.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::path::PathBuf;

use fetch::FetchOutcome;

use super::fetch::{Scene, URL};

/// As [`fetch`]'s own limit for a request that is worth it.
const WORTH_IT: u64 = fetch::FETCH_GAP;

struct Interrupted {
    scene: Scene,
    /// Bytes of complete parts, and of the one that broke off.
    whole: u64,
    partly: u64,
}

impl Interrupted {
    /// In the middle of the largest part.
    fn new() -> Self {
        let scene = Scene::new();
        let parts = &scene.newer.artifact.as_ref().unwrap().parts;
        let largest = parts.iter().max_by_key(|part| part.size).unwrap();
        assert!(largest.size > 3 * WORTH_IT, "{largest:?}");
        let (whole, partly) = (largest.offset, largest.size / 2);
        let request = scene.keeping();
        scene.interrupted(&request, usize::try_from(whole + partly).unwrap());
        Self { scene, whole, partly }
    }

    fn kept(&self) -> PathBuf {
        fs::read_dir(self.scene.path("keep")).unwrap().next().unwrap().unwrap().path()
    }

    fn goes_on(&self) -> (FetchOutcome, u64) {
        let before = self.scene.server.bytes_sent(URL);
        let fetched = self.scene.fetch(&self.scene.keeping()).unwrap();
        self.scene.assert_tree();
        (fetched, self.scene.server.bytes_sent(URL) - before)
    }
}

#[test]
fn half_of_a_part_is_half_of_its_request() {
    let interrupted = Interrupted::new();
    let size = interrupted.scene.bytes.len() as u64;
    let (fetched, sent) = interrupted.goes_on();
    // What was in the receiver's buffer when the line broke may be lost, and zeros at the end are not seen.
    let least = interrupted.whole + interrupted.partly - 16;
    assert!(fetched.resumed >= least, "{fetched:?}, {least} had arrived");
    assert_eq!(fetched.fetched, size - fetched.resumed);
    assert_eq!(sent, fetched.fetched);
}

#[test]
fn a_part_that_began_wrong_is_fetched_from_its_start() {
    let interrupted = Interrupted::new();
    let mut bytes = fs::read(interrupted.kept()).unwrap();
    bytes[usize::try_from(interrupted.whole).unwrap() + 100] ^= 1;
    fs::write(interrupted.kept(), bytes).unwrap();
    let (_, sent) = interrupted.goes_on();
    let size = interrupted.scene.bytes.len() as u64;
    // The rest of it, and then the whole part again.
    assert!(sent > size - interrupted.whole && sent < 2 * size, "{sent} of {size}");
    let notes = interrupted.scene.notes();
    assert!(notes.iter().any(|note| note.contains("is damaged; it is fetched again")), "{notes:?}");
}

#[test]
fn a_part_that_is_complete_and_wrong_or_has_hardly_begun_is_fetched_whole() {
    let interrupted = Interrupted::new();
    let part = interrupted.scene.newer.artifact.as_ref().unwrap().parts.iter().max_by_key(|part| part.size).unwrap();
    let (start, end) = (part.offset as usize, (part.offset + part.size) as usize);
    for (from, fill) in [(start, 7), (start + 1000, 0)] {
        let mut bytes = fs::read(interrupted.kept()).unwrap();
        bytes[from..end].fill(fill);
        fs::write(interrupted.kept(), bytes).unwrap();
        let (fetched, _) = interrupted.goes_on();
        assert_eq!(fetched.resumed, interrupted.whole, "{fetched:?}");
        fs::remove_dir_all(interrupted.scene.path("out/tree")).unwrap();
        fs::remove_dir_all(interrupted.scene.path("plain")).unwrap();
        let request = interrupted.scene.keeping();
        interrupted.scene.interrupted(&request, (interrupted.whole + interrupted.partly) as usize);
    }
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let interrupted = Interrupted::new();
    interrupted.scene.server.every_time(URL, testkit::HttpMishap::NoRange);
    let (fetched, sent) = interrupted.goes_on();
    assert!(fetched.whole && sent >= interrupted.scene.bytes.len() as u64, "{fetched:?}");
    assert_eq!(fetched.resumed, interrupted.whole, "parts alone");
}

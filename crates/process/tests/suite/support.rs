//! What the tests of running programs share.

use std::thread;
use std::time::{Duration, Instant};

use vocab::{Environment, Work};

/// Offline, hearing nothing.
pub fn work(environment: Environment) -> Work {
    Work { environment, jobs: 1, ..Work::quiet() }
}

/// Long enough also in an emulator. Less than the minute after which a test program that was started says that it takes
/// long: with nobody left to hear it, it would end by that.
const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until `condition` holds; the failure says what was waited for.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

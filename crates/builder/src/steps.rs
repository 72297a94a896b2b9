//! The named stretches of a build, told as they start and end, with their times kept for the summary.

use std::time::{Duration, Instant};

use vocab::Event;

use crate::Context;

#[derive(Debug, Default)]
pub struct Steps {
    taken: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Runs one step. A failed one counts, too.
    pub fn run<T>(&mut self, context: &Context, step: &'static str, work: impl FnOnce() -> T) -> T {
        context.tell(Event::StepStarted { step });
        let start = Instant::now();
        let result = work();
        let elapsed = start.elapsed();
        context.tell(Event::StepFinished { step, elapsed_ms: elapsed.as_millis().try_into().unwrap_or(u64::MAX) });
        self.taken.push((step, elapsed));
        result
    }

    /// In the order in which they were taken.
    pub fn taken(&self) -> &[(&'static str, Duration)] {
        &self.taken
    }
}

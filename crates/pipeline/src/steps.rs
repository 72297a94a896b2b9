//! The named steps of a build, reported as they start and end, with their times for the summary.

use std::time::{Duration, Instant};

use vocab::Event;

use store::Context;

/// The steps taken so far, with their wall times.
#[derive(Debug, Default)]
pub struct TimedSteps {
    taken: Vec<(&'static str, Duration)>,
}

/// The result of a step, which knows whether the step succeeded.
pub trait StepResult {
    fn is_done(&self) -> bool;
}

impl<T, E> StepResult for Result<T, E> {
    fn is_done(&self) -> bool {
        self.is_ok()
    }
}

/// A list of results, some of which may be errors: the step succeeded if all were attempted.
impl<T> StepResult for Vec<T> {
    fn is_done(&self) -> bool {
        true
    }
}

impl TimedSteps {
    /// Runs one step. A failed step is listed, but not reported as done.
    pub fn run<T: StepResult>(&mut self, context: &Context, step: &'static str, work: impl FnOnce() -> T) -> T {
        context.tell(Event::StepStarted { step });
        let start = Instant::now();
        let result = work();
        let elapsed = start.elapsed();
        let elapsed_ms = elapsed.as_millis().try_into().unwrap_or(u64::MAX);
        context.tell(match result.is_done() {
            true => Event::StepFinished { step, elapsed_ms },
            false => Event::StepFailed { step, elapsed_ms },
        });
        self.taken.push((step, elapsed));
        result
    }

    /// In the order in which they were taken.
    pub fn taken(&self) -> &[(&'static str, Duration)] {
        &self.taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use vocab::Work;

    use super::*;

    /// case field-plan-counts
    #[test]
    fn a_step_that_fails_is_not_called_done() {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let context = Context {
            work: Work { listener: Arc::new(move |event| heard.lock().unwrap().push(event)), ..Work::quiet() },
            ..Context::quiet(folder.path().join("store"))
        };
        let mut steps = TimedSteps::default();
        assert_eq!(steps.run(&context, "unpack", || Err::<(), _>("torn")), Err("torn"));
        assert_eq!(steps.run(&context, "fetch", || Ok::<_, ()>(1)), Ok(1));
        let ends: Vec<_> = told
            .lock()
            .unwrap()
            .iter()
            .map(|event| match event {
                Event::StepFinished { step, .. } => format!("{step} done"),
                Event::StepFailed { step, .. } => format!("{step} failed"),
                _ => String::new(),
            })
            .filter(|end| !end.is_empty())
            .collect();
        assert_eq!(ends, ["unpack failed", "fetch done"]);
        assert_eq!(steps.taken().len(), 2);
    }
}

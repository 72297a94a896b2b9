//! One Python that answers all questions about a job, each in a process forked from it: it starts, and imports setuptools, once.
//!
//! Where there is a sandbox and the environment is kept. Code of the job runs in the forked processes alone, each of which shuts
//! itself in first; see `pydist_server.py`.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use process::{Invocation, ProcessError, ProcessErrorKind, ServedProgram};
use serde::Deserialize;
use store::Context;

/// How often a question that runs is looked after; its end is noticed at once.
const GLANCE: Duration = Duration::from_millis(50);

/// How the process of a question ended.
#[derive(Debug)]
pub(crate) enum QuestionEnd {
    Ended {
        /// Absent if a signal ended it.
        code: Option<i32>,
        /// The end of what was printed.
        output: String,
    },
    TimedOut,
}

/// Started ahead of the first question, and again after one that did not end.
#[derive(Default)]
pub(crate) struct QuestionServer {
    running: RefCell<Option<Running>>,
}

struct Running {
    program: ServedProgram,
    answers: Receiver<String>,
}

#[derive(Deserialize)]
struct Answer {
    code: Option<i32>,
    output: String,
}

impl fmt::Debug for QuestionServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("QuestionServer").field("runs", &self.running.borrow().is_some()).finish()
    }
}

impl QuestionServer {
    /// Starts it unless it runs. `invocation` runs `pydist_main.py --serve`.
    pub fn start(&self, context: &Context, invocation: &Invocation) -> Result<(), ProcessError> {
        let mut running = self.running.borrow_mut();
        if running.is_some() {
            return Ok(());
        }
        let (sender, answers) = mpsc::channel();
        // An empty line is not a question; it keeps standard input open.
        let invocation = Invocation { stdin: b"\n".to_vec(), ..invocation.clone() };
        let program = process::serve(context, &invocation, move |is_error, line| {
            if !is_error {
                let _ = sender.send(line.to_owned());
            }
        })?;
        *running = Some(Running { program, answers });
        Ok(())
    }

    /// Asks the question in this file.
    pub fn ask(
        &self,
        context: &Context,
        invocation: &Invocation,
        question: &Path,
        limit: Duration,
    ) -> Result<QuestionEnd, ProcessError> {
        self.start(context, invocation)?;
        let mut running = self.running.borrow_mut();
        let Some(it) = running.as_mut() else { return Ok(QuestionEnd::TimedOut) };
        let line = format!("{}\n", serde_json::json!(question));
        // If it has ended, no answer comes.
        let _ = it.program.say(line.as_bytes());
        let begun = Instant::now();
        let end = loop {
            match it.answers.recv_timeout(GLANCE) {
                Ok(line) => {
                    if let Ok(Answer { code, output }) = serde_json::from_str(&line) {
                        return Ok(QuestionEnd::Ended { code, output });
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break Ok(QuestionEnd::Ended { code: None, output: it.program.lines().last_lines().join("\n") });
                }
                Err(RecvTimeoutError::Timeout) if context.is_cancelled() => {
                    break Err(ProcessError { program: invocation.program.clone(), kind: ProcessErrorKind::Cancelled });
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() >= limit => break Ok(QuestionEnd::TimedOut),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        // Dropped, it ends with the question that it runs.
        *running = None;
        end
    }
}

//! A program that runs beside ours until it is told to end: a server, for one.
//!
//! Its standard input stays open as long as it is wanted, so that it notices when we are gone. It ends with everything
//! that it started, as the programs of [`run`](crate::run) do.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use vocab::Work;

use crate::capture::{LineCutter, OutputPiece, OutputStream};
use crate::{GLANCE, Invocation, ProcessError, ProcessTree, start};

/// Lines of standard error that are kept.
const LINES_KEPT: usize = 200;

/// How a served program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramEnd {
    /// `None` if a signal ended it, or if it did not end although it was killed.
    pub code: Option<i32>,
    /// The signal's number, on Unix.
    pub signal: Option<i32>,
}

/// The last 200 lines that a served program printed to standard error.
#[derive(Clone, Debug)]
pub struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    /// Oldest first.
    pub fn last_lines(&self) -> Vec<String> {
        locked(&self.0).iter().cloned().collect()
    }
}

/// A started program. Dropped, it is ended with everything that it started.
pub struct ServedProgram {
    tree: ProcessTree,
    stdin: Option<ChildStdin>,
    last_lines: Arc<Mutex<VecDeque<String>>>,
    listener: Option<thread::JoinHandle<()>>,
}

/// Starts a program and returns while it runs. It reads `invocation.stdin` first; the pipe then stays open.
/// `on_line` hears each line of output, as [`run_streaming`](crate::run_streaming)'s does; whether it was printed to
/// standard error comes with it. `timeout` does not apply.
pub fn serve(
    work: &Work,
    invocation: &Invocation,
    mut on_line: impl FnMut(bool, &str) + Send + 'static,
) -> Result<ServedProgram, ProcessError> {
    let failed = |kind| ProcessError { program: invocation.program.clone(), kind };
    let (mut tree, said) = start(work, invocation).map_err(failed)?;
    let mut stdin = tree.stdin.take();
    if let Some(stdin) = &mut stdin {
        // A program may end without reading it, which its end tells better.
        let _ = stdin.write_all(&invocation.stdin).and_then(|()| stdin.flush());
    }
    let last_lines = Arc::new(Mutex::new(VecDeque::new()));
    let kept = Arc::clone(&last_lines);
    let listener = thread::spawn(move || {
        let mut open_streams = 2;
        let mut heard = |is_error: bool, line: &str| {
            if is_error {
                let mut kept = locked(&kept);
                kept.push_back(line.to_owned());
                if kept.len() > LINES_KEPT {
                    kept.pop_front();
                }
            }
            on_line(is_error, line);
        };
        let (mut stdout, mut stderr) = (LineCutter::default(), LineCutter::default());
        while open_streams > 0 {
            match said.recv() {
                Ok(OutputPiece::Bytes(OutputStream::Stdout, bytes)) => {
                    stdout.take(&bytes, &mut |line| heard(false, line));
                }
                Ok(OutputPiece::Bytes(OutputStream::Stderr, bytes)) => {
                    stderr.take(&bytes, &mut |line| heard(true, line));
                }
                Ok(OutputPiece::End | OutputPiece::Failed(_)) => open_streams -= 1,
                Err(_) => break,
            }
        }
        stdout.flush(&mut |line| heard(false, line));
        stderr.flush(&mut |line| heard(true, line));
    });
    Ok(ServedProgram { tree, stdin, last_lines, listener: Some(listener) })
}

impl ServedProgram {
    /// Process number.
    pub fn id(&self) -> u32 {
        self.tree.child.id()
    }

    /// Writes to its standard input, which is open if the invocation began with some.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(bytes)?;
        stdin.flush()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ProgramEnd>> {
        Ok(self.tree.try_wait()?.map(end_of))
    }

    /// Waits for its end for at most `limit`.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Option<ProgramEnd>> {
        let began = Instant::now();
        loop {
            let ended = self.ended()?;
            if ended.is_some() || began.elapsed() >= limit {
                return Ok(ended);
            }
            thread::sleep(GLANCE.min(limit.saturating_sub(began.elapsed())));
        }
    }

    /// What it printed to standard error; complete when it has ended.
    pub fn lines(&self) -> LastLines {
        LastLines(Arc::clone(&self.last_lines))
    }

    /// Closes its standard input, gives it `grace` to end by itself, and then ends it with everything that it started.
    pub fn end(mut self, grace: Duration) -> ProgramEnd {
        self.stdin = None;
        let mut ended = self.wait(grace).ok().flatten();
        self.tree.end();
        if ended.is_none() {
            ended = self.wait(crate::PATIENCE).ok().flatten();
        }
        // Its pipes are closed now, unless a stray process holds them.
        let began = Instant::now();
        if let Some(listener) = self.listener.take() {
            while !listener.is_finished() && began.elapsed() < crate::PATIENCE {
                thread::sleep(Duration::from_millis(1));
            }
        }
        ended.unwrap_or(ProgramEnd { code: None, signal: None })
    }
}

fn end_of(status: std::process::ExitStatus) -> ProgramEnd {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    ProgramEnd { code: status.code(), signal }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

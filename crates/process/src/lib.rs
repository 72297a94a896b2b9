//! External programs: started only here, with an explicit folder, a time limit that ends the whole process tree, and
//! captured output.
//!
//! The one idea: no program outlives its purpose. Each one gets a session of its own (Windows: a job object), so it has
//! no terminal to ask questions on, and everything it starts ends with it: at the time limit, when the user interrupts,
//! when it has ended itself, and when the builder is killed (`keeper`). On Linux this includes daemons, which leave the
//! session (`orphans`).
//!
//! In goes an [`Invocation`], out comes [`FinishedProgram`] with the exit code and the output; an exit code other than
//! 0 is not an error. A [`ProcessError`] means that the program did not run to its own end.
//!
//! ```
//! use process::{Invocation, ProcessErrorKind};
//!
//! let work = vocab::Work::quiet();
//! let invocation = Invocation::new("no-such-program", std::env::temp_dir()).arg("--version");
//! let error = process::run(&work, &invocation).unwrap_err();
//! assert!(matches!(error.kind, ProcessErrorKind::Missing));
//! ```

mod capture;
mod companion;
mod keeper;
mod orphans;
mod replace;
mod said;
mod served;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap};
use vocab::{Event, Fault, Work};

pub use companion::{Companion, accompany};
pub use replace::{hand_over, replace};
pub use said::{is_long, shortened, words_of};
pub use served::{LastLines, ProgramEnd, ServedProgram, serve};

use capture::{OutputCapture, OutputPiece, OutputStream, listen};
use orphans::ProcessMark;

/// How often a silent program is checked; output and its end are noticed at once.
const GLANCE: Duration = Duration::from_millis(20);
/// How long to wait for a stray process that holds a pipe open.
const PATIENCE: Duration = Duration::from_secs(2);

/// Limit for one program's output in events, in bytes: events end up in logs, too.
const MOST_TOLD: usize = 4 << 20;

/// Windows sends Ctrl-C to all programs of a console at once, so this one may receive it before ours
/// (`STATUS_CONTROL_C_EXIT`). Exit codes of other systems are small.
const ENDED_BY_CTRL_C: i32 = 0xc000_013a_u32.cast_signed();

/// One program to run until it ends.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// An absolute path, or a bare name that is looked up on the program's own `PATH`.
    pub program: PathBuf,
    /// Passed as they are; no shell is involved.
    pub arguments: Vec<OsString>,
    /// The working directory.
    pub folder: PathBuf,
    /// Set in addition to the environment of the work.
    pub environment: Vec<(OsString, OsString)>,
    /// Start from an empty environment instead of that of the work (on Windows `SystemRoot` stays, which programs need
    /// to load system libraries).
    pub clear_environment: bool,
    /// `None`: no limit.
    pub timeout: Option<Duration>,
    /// What it reads from standard input, which then ends.
    pub stdin: Vec<u8>,
    /// Output and errors are also appended here as they arrive. If there is very much, the beginning and the end are
    /// kept, with a line between them that says how much is missing.
    pub log: Option<PathBuf>,
    /// Start it, and let it finish, even if the user asks to stop: it cleans up after what was stopped.
    pub when_cancelled: bool,
    /// Daemons that it starts outlive it, and the caller ends them. For Wine, whose server serves one program after
    /// another.
    pub daemons_stay: bool,
}

impl Invocation {
    /// Without arguments, input, log and time limit, in the environment of the work. See the fields for `program` and
    /// `folder`.
    pub fn new(program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            folder: folder.into(),
            environment: Vec::new(),
            clear_environment: false,
            timeout: None,
            stdin: Vec::new(),
            log: None,
            when_cancelled: false,
            daemons_stay: false,
        }
    }

    /// Adds one argument, which is passed as it is: no shell splits or expands it.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments after those that are there.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable; see [`environment`](Self::environment).
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets the time limit for the program and everything it starts.
    #[must_use]
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = limit;
        self
    }

    /// Sets [`daemons_stay`](Self#structfield.daemons_stay).
    #[must_use]
    pub fn daemons_stay(mut self) -> Self {
        self.daemons_stay = true;
        self
    }

    /// Sets [`when_cancelled`](Self::when_cancelled).
    #[must_use]
    pub fn also_when_cancelled(mut self) -> Self {
        self.when_cancelled = true;
        self
    }
}

/// A program that ended by itself, successfully or not.
#[derive(Clone, Debug)]
pub struct FinishedProgram {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// At most the last 8 MiB.
    pub stdout: Vec<u8>,
    /// At most the last 8 MiB.
    pub stderr: Vec<u8>,
    /// Bytes of both that were printed and are not kept here.
    pub left_out: u64,
}

impl FinishedProgram {
    /// Whether it ended with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// What is kept of standard output; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What is kept of standard error; bytes that are not UTF-8 are replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A program was not started, or was ended before its own end.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot run `{}`", program.display())]
#[fault(transparent = kind, hint_with = Self::hint_text)]
pub struct ProcessError {
    pub program: PathBuf,
    #[source]
    pub kind: ProcessErrorKind,
}

impl ProcessError {
    fn hint_text(&self) -> Option<String> {
        match self.kind {
            ProcessErrorKind::Missing => {
                Some(format!("install `{}` or put its folder on PATH", self.program.display()))
            }
            _ => self.kind.hint(),
        }
    }
}

/// What prevented it.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum ProcessErrorKind {
    #[error("the program was not found")]
    #[fault("E_PROGRAM_MISSING")]
    Missing,
    #[error("its working folder `{}` is missing", folder.display())]
    #[fault("E_PROGRAM_START")]
    NoFolder { folder: PathBuf },
    #[error("the file exists, but the interpreter or loader it needs does not")]
    #[fault("E_PROGRAM_START", hint("it was made for another system: look at its first line, or at `file` and `ldd`"))]
    NoLoader,
    #[error("it cannot be started")]
    #[fault("E_PROGRAM_START")]
    Start(#[source] io::Error),
    #[error("it did not end within {} s and was stopped with all of its children", limit.as_secs())]
    #[fault("E_PROGRAM_TIMEOUT", hint("raise `build.timeout` in the configuration; 0 is no limit"))]
    TimedOut { limit: Duration },
    #[error("the build was interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
    #[error("its output cannot be read or logged")]
    #[fault("E_PROGRAM_OUTPUT")]
    Output(#[source] io::Error),
}

/// Runs a program until it ends. An exit code other than 0 is not an error here.
pub fn run(work: &Work, invocation: &Invocation) -> Result<FinishedProgram, ProcessError> {
    run_watched(work, invocation, None)
}

/// Like [`run`], passing on each line of output or errors as it arrives, in the order of each stream. Bytes that are
/// not UTF-8 are replaced; blank lines are omitted.
pub fn run_streaming(
    work: &Work,
    invocation: &Invocation,
    on_line: &mut dyn FnMut(&str),
) -> Result<FinishedProgram, ProcessError> {
    run_watched(work, invocation, Some(on_line))
}

/// Like [`run`], reporting each line as [`Event::Output`] of `program`, up to 4 MiB, and then how many more bytes there
/// were.
pub fn run_telling(work: &Work, invocation: &Invocation, program: &str) -> Result<FinishedProgram, ProcessError> {
    let output = |line: String| work.tell(Event::Output { program: program.to_owned(), line });
    let (mut told, mut untold) = (0, 0);
    let mut tell = |line: &str| {
        if told < MOST_TOLD {
            told += line.len();
            output(line.to_owned());
        } else {
            untold += line.len();
        }
    };
    let finished = run_watched(work, invocation, Some(&mut tell));
    if untold > 0 {
        output(format!("… {untold} bytes more were said …"));
    }
    finished
}

fn run_watched(
    work: &Work,
    invocation: &Invocation,
    on_line: Option<&mut dyn FnMut(&str)>,
) -> Result<FinishedProgram, ProcessError> {
    let failed = |kind| ProcessError { program: invocation.program.clone(), kind };
    let output_failed = |error| failed(ProcessErrorKind::Output(error));

    let mut capture = OutputCapture::new(invocation.log.as_deref(), on_line).map_err(output_failed)?;
    let is_stopped = || work.is_cancelled() && !invocation.when_cancelled;
    if is_stopped() {
        return Err(failed(ProcessErrorKind::Cancelled));
    }
    let (mut tree, said) = start(work, invocation).map_err(failed)?;
    if let Some(mut stdin) = tree.stdin.take() {
        let bytes = invocation.stdin.clone();
        // A program may end without reading all of it, which is not an error.
        thread::spawn(move || stdin.write_all(&bytes));
    }
    let mut open_streams = 2;
    let ended = attend(&is_stopped, invocation.timeout, &mut tree, &said, &mut |said| {
        hear(said, &mut capture, &mut open_streams)
    });

    // Whatever is left of it ends here, in the background or after its time limit; this also closes the pipes.
    tree.end();
    while open_streams > 0 {
        let Ok(last_words) = said.recv_timeout(PATIENCE) else { break };
        hear(last_words, &mut capture, &mut open_streams).map_err(output_failed)?;
    }
    let (stdout, stderr, left_out) = capture.finish().map_err(output_failed)?;
    let code = ended.map_err(failed)?.code();
    if code != Some(0) && (is_stopped() || code == Some(ENDED_BY_CTRL_C)) {
        return Err(failed(ProcessErrorKind::Cancelled));
    }
    Ok(FinishedProgram { code, stdout, stderr, left_out })
}

/// Waits for the program itself, reading its output all the while.
fn attend(
    is_stopped: &dyn Fn() -> bool,
    timeout: Option<Duration>,
    tree: &mut ProcessTree,
    said: &Receiver<OutputPiece>,
    hear: &mut dyn FnMut(OutputPiece) -> io::Result<()>,
) -> Result<ExitStatus, ProcessErrorKind> {
    let started = Instant::now();
    let mut nap = Duration::from_millis(1);
    loop {
        match said.recv_timeout(GLANCE) {
            Ok(said) => hear(said).map_err(ProcessErrorKind::Output)?,
            Err(RecvTimeoutError::Timeout) => {}
            // Both streams have ended. Most programs end with them; one that closed them on purpose may not.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(nap);
                nap = (nap * 2).min(GLANCE);
            }
        }
        if let Some(status) = tree.try_wait().map_err(ProcessErrorKind::Output)? {
            return Ok(status);
        }
        if is_stopped() {
            return Err(ProcessErrorKind::Cancelled);
        }
        if let Some(limit) = timeout
            && started.elapsed() >= limit
        {
            return Err(ProcessErrorKind::TimedOut { limit });
        }
    }
}

fn hear(said: OutputPiece, capture: &mut OutputCapture<'_>, open_streams: &mut usize) -> io::Result<()> {
    match said {
        OutputPiece::Bytes(stream, bytes) => capture.take(stream, &bytes),
        OutputPiece::End => {
            *open_streams -= 1;
            Ok(())
        }
        OutputPiece::Failed(error) => Err(error),
    }
}

/// A started program and everything it starts. Dropping it early kills them all.
struct ProcessTree {
    child: Box<dyn ChildWrapper>,
    /// Until somebody takes it.
    stdin: Option<ChildStdin>,
    ended: bool,
    mark: ProcessMark,
    _watched: keeper::WatchedGroup,
}

impl ProcessTree {
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        // Waiting for the group would lose the program's status while others of the group, now our children, live on.
        #[cfg(unix)]
        let status = self.child.inner_mut().try_wait()?;
        #[cfg(not(unix))]
        let status = self.child.try_wait()?;
        self.ended |= status.is_some();
        Ok(status)
    }

    /// Includes everything that it started.
    fn end(&mut self) {
        self.kill();
        self.mark.sweep();
    }

    fn kill(&mut self) {
        // Fails if nothing is left to kill.
        let _ = self.child.start_kill();
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.end();
        // Waits, so that its files can be deleted when this returns; not forever, because a process may hang in the
        // kernel.
        let killed = Instant::now();
        while killed.elapsed() < PATIENCE && !matches!(self.try_wait(), Ok(Some(_)) | Err(_)) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn start(work: &Work, invocation: &Invocation) -> Result<(ProcessTree, Receiver<OutputPiece>), ProcessErrorKind> {
    let mut command = command(work, invocation);
    let mut mark = if invocation.daemons_stay { ProcessMark::of_those_that_stay() } else { ProcessMark::new() };
    mark.put_on(&mut command);
    let mut command = CommandWrap::from(command);
    #[cfg(unix)]
    command.wrap(process_wrap::std::ProcessSession);
    #[cfg(windows)]
    command.wrap(process_wrap::std::JobObject);

    keeper::ready();
    let starting = orphans::starting();
    let mut child = spawn(&mut command).map_err(|error| why_not_started(invocation, error))?;
    mark.started(starting, child.id());
    let watched = keeper::watch(child.id());
    let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
    let tree = ProcessTree { child, stdin, ended: false, mark, _watched: watched };

    // Small, so that a program cannot fill our memory; it waits in its own pipe instead.
    let (sender, said) = mpsc::sync_channel(16);
    if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
        listen(stdout, OutputStream::Stdout, sender.clone());
        listen(stderr, OutputStream::Stderr, sender);
    }
    Ok((tree, said))
}

fn command(work: &Work, invocation: &Invocation) -> Command {
    let mut command = Command::new(&invocation.program);
    command.args(&invocation.arguments).current_dir(&invocation.folder).env_clear();
    for (name, value) in work.environment.iter() {
        let kept = !invocation.clear_environment || (cfg!(windows) && name.eq_ignore_ascii_case("SystemRoot"));
        if kept {
            command.env(name, value);
        }
    }
    command.envs(invocation.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(if invocation.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A program that was just written cannot be started while another thread's fork still has it open for writing
/// (ETXTBSY); that passes within moments.
fn spawn(command: &mut CommandWrap) -> io::Result<Box<dyn ChildWrapper>> {
    for _ in 0..50 {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(GLANCE),
            other => return other,
        }
    }
    command.spawn()
}

fn not_started(invocation: &Invocation, error: io::Error) -> ProcessError {
    ProcessError { program: invocation.program.clone(), kind: why_not_started(invocation, error) }
}

/// The operating system says "not found" for a missing program, folder and loader alike.
fn why_not_started(invocation: &Invocation, error: io::Error) -> ProcessErrorKind {
    if !invocation.folder.is_dir() {
        return ProcessErrorKind::NoFolder { folder: invocation.folder.clone() };
    }
    match error.kind() {
        ErrorKind::NotFound if invocation.program.is_file() => ProcessErrorKind::NoLoader,
        ErrorKind::NotFound => ProcessErrorKind::Missing,
        _ => ProcessErrorKind::Start(error),
    }
}

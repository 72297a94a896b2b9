//! Waiting for a server: the interpreter's lock is given back, and Ctrl-C is heard.

use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, SendError, SyncSender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aistore_client::Error;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::exceptions::exception;

/// How long Ctrl-C may go unheard.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// What a [`Worker`] has to do.
type Task = Box<dyn FnOnce() + Send>;

/// A thread that works for the main thread. It ends when nobody can tell it anything more.
type Worker = SyncSender<Task>;

/// The one that has nothing to do; starting one for each call would take as long as a small object.
static IDLE: Mutex<Option<Worker>> = Mutex::new(None);

/// Gives what `work` gives, which runs without the interpreter's lock. Python hears signals on its main thread only, so
/// there the work is left to another thread; after Ctrl-C it goes on and nobody takes its result.
pub fn wait<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    check_process()?;
    if !is_main_thread(py)? {
        return py.detach(work).map_err(|error| exception(py, &error));
    }
    let (sender, mut receiver) = mpsc::sync_channel(1);
    let worker = start(Box::new(move || {
        // Nobody takes it after Ctrl-C.
        let _ = sender.send(work());
    }))?;
    loop {
        let (heard, kept) = py.detach(move || (receiver.recv_timeout(SIGNAL_CHECK), receiver));
        receiver = kept;
        match heard {
            Ok(outcome) => {
                *IDLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
                return outcome.map_err(|error| exception(py, &error));
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the thread that waited for the server ended early"));
            }
        }
    }
}

/// Leaves the task to the idle worker, or to a new one where that is busy: what hears a signal may call the client, too.
fn start(task: Task) -> PyResult<Worker> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let task = match idle {
        Some(worker) => match worker.send(task) {
            Ok(()) => return Ok(worker),
            // It has ended, which only a panic can bring about.
            Err(SendError(task)) => task,
        },
        None => task,
    };
    let (worker, tasks) = mpsc::sync_channel::<Task>(1);
    let name = "pydist-aistore".to_owned();
    let started = std::thread::Builder::new().name(name).spawn(move || tasks.iter().for_each(|task| task()));
    started.map_err(|error| PyRuntimeError::new_err(format!("cannot start a thread: {error}")))?;
    worker.send(task).map_err(|_| PyRuntimeError::new_err("the thread that waits for the server ended early"))?;
    Ok(worker)
}

/// A forked process has none of the threads that HTTP runs on: it would wait forever.
fn check_process() -> PyResult<()> {
    static FIRST: OnceLock<u32> = OnceLock::new();
    if *FIRST.get_or_init(process::id) == process::id() {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "this process was forked after the client was used; start processes with the method `spawn` or `forkserver`",
    ))
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static MAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let function = |name: &str| Ok::<_, PyErr>(py.import("threading")?.getattr(name)?.unbind());
    let current = CURRENT.get_or_try_init(py, || function("current_thread"))?;
    let main = MAIN.get_or_try_init(py, || function("main_thread"))?;
    Ok(current.bind(py).call0()?.is(&main.bind(py).call0()?))
}

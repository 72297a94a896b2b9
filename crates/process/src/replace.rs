//! Handing this process, with its streams and its place among its parent's children, over to another program.

use vocab::Work;

use crate::{Invocation, ProcessError, command, not_started};

/// Becomes the program, which keeps this one's standard streams, its place among its parent's children and its signals.
/// Returns only if that fails. For what shall run as long as this program would: nothing is limited, captured or ended.
/// `stdin`, `timeout` and `log` do not apply.
#[cfg(unix)]
pub fn replace(work: &Work, invocation: &Invocation) -> ProcessError {
    use std::os::unix::process::CommandExt as _;
    use std::process::Stdio;

    let mut command = command(work, invocation);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    not_started(invocation, command.exec())
}

/// Like [`replace`]. Where a program cannot be replaced by another, it is started with this one's standard streams, and
/// its exit code returned when it ends; it ends with this process, what it starts in the background does not. Interrupts
/// reach it through the console, so the caller should not act on them.
#[cfg(unix)]
pub fn hand_over(work: &Work, invocation: &Invocation) -> Result<i32, ProcessError> {
    Err(replace(work, invocation))
}

/// Starts it with this program's standard streams and waits for it.
#[cfg(windows)]
pub fn hand_over(work: &Work, invocation: &Invocation) -> Result<i32, ProcessError> {
    use std::os::windows::io::AsRawHandle as _;
    use std::process::Stdio;

    let mut command = command(work, invocation);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| not_started(invocation, error))?;
    // Closed with this process, however that ends. Refused only inside a job that allows no nested ones.
    let job = win32job::Job::create_with_limit_info(
        win32job::ExtendedLimitInfo::new().limit_kill_on_job_close().limit_silent_breakaway_ok(),
    );
    let job = job.and_then(|job| job.assign_process(child.as_raw_handle() as isize).map(|()| job));
    let status = child.wait().map_err(|error| ProcessError {
        program: invocation.program.clone(),
        kind: crate::ProcessErrorKind::Output(error),
    })?;
    drop(job);
    Ok(status.code().unwrap_or(1))
}

/// Windows cannot replace a program by another.
#[cfg(not(unix))]
pub fn replace(_work: &Work, invocation: &Invocation) -> ProcessError {
    not_started(invocation, std::io::Error::from(std::io::ErrorKind::Unsupported))
}

//! Ends what the builder started when the builder itself is killed.
//!
//! A killed process runs no code, so this is left to a small helper: a shell that reads the running process groups from
//! a pipe. The operating system closes that pipe when the builder dies, however it dies, and the helper then kills
//! every group it still knows. Linux's `PR_SET_PDEATHSIG` was the alternative; it reaches only the direct child,
//! follows the thread rather than the process, and needs unsafe code.
//!
//! On Windows the builder enters a job object, and everything it starts from then on is in it. The system ends the
//! whole job when the last handle to it closes, which is the builder's own.
//!
//! Limits: without a `sh`, a killed builder leaves its programs running (an interrupted or failing one does not). A
//! killed builder cannot reach a program that has moved itself to another session.

#[cfg(unix)]
pub(super) use unix::{WatchedGroup, ready, watch};

#[cfg(windows)]
pub(super) use windows::{WatchedGroup, ready, watch};

#[cfg(unix)]
mod unix {
    use std::io::Write;
    use std::os::unix::process::CommandExt;
    use std::process::{ChildStdin, Command, Stdio};
    use std::sync::{Mutex, OnceLock};

    /// Reads `+ group` and `- group`, one per line; at the end of the input it kills the remaining groups.
    const SCRIPT: &str = r#"
groups=
while read -r sign group; do
    rest=
    for known in $groups; do [ "$known" = "$group" ] || rest="$rest $known"; done
    groups=$rest
    if [ "$sign" = + ]; then groups="$groups $group"; fi
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

    // One per process rather than per context: it lives as long as this process.
    static KEEPER: OnceLock<Option<Mutex<ChildStdin>>> = OnceLock::new();

    /// The group is watched until this is dropped.
    pub(in super::super) struct WatchedGroup {
        group: u32,
    }

    /// Called before a program is started: ensures that the helper runs.
    pub(in super::super) fn ready() {
        KEEPER.get_or_init(start);
    }

    pub(in super::super) fn watch(group: u32) -> WatchedGroup {
        say('+', group);
        WatchedGroup { group }
    }

    impl Drop for WatchedGroup {
        fn drop(&mut self) {
            say('-', self.group);
        }
    }

    fn say(sign: char, group: u32) {
        if let Some(Some(keeper)) = KEEPER.get()
            && let Ok(mut pipe) = keeper.lock()
        {
            // If somebody killed the helper, the build goes on without it.
            let _ = pipe.write_all(format!("{sign} {group}\n").as_bytes());
        }
    }

    fn start() -> Option<Mutex<ChildStdin>> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT]).current_dir("/").env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C in a terminal must not end it before it has done its work.
        command.process_group(0);
        // It ends with its input and is not waited for.
        command.spawn().ok()?.stdin.take().map(Mutex::new)
    }
}

#[cfg(windows)]
mod windows {
    use std::sync::OnceLock;

    use win32job::{ExtendedLimitInfo, Job, JobError};

    // Never dropped: the system closes it with the process.
    static JOB: OnceLock<Option<Job>> = OnceLock::new();

    pub(in super::super) struct WatchedGroup;

    /// Before a program is started, which is then born into the job.
    pub(in super::super) fn ready() {
        // Refused only inside a job that allows no nested ones; then it is as if there were no keeper.
        JOB.get_or_init(|| enter().ok());
    }

    pub(in super::super) fn watch(_process: u32) -> WatchedGroup {
        WatchedGroup
    }

    fn enter() -> Result<Job, JobError> {
        let job = Job::create_with_limit_info(ExtendedLimitInfo::new().limit_kill_on_job_close())?;
        job.assign_current_process()?;
        Ok(job)
    }
}

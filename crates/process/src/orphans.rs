//! What a program leaves behind outside of its session: a daemon forks twice and takes a session of its own, where
//! ending the program's group does not reach it.
//!
//! On Linux the builder becomes the reaper of everything it starts, so that such an orphan becomes its child, and each
//! program has a mark in its environment. When a program has ended, everything with its mark is ended, and so is any
//! orphan without a mark, since it must have hidden it. Other systems have nothing like it without privileges: Windows
//! needs none, as everything stays in the program's job; on macOS a daemon lives on.

#[cfg(target_os = "linux")]
pub(super) use linux::{ProcessMark, starting};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{ProcessMark, starting};

/// The variable that a program and everything it starts inherit.
#[cfg(target_os = "linux")]
const VARIABLE: &str = "PYDIST_PROGRAM";

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs;
    use std::hash::{BuildHasher as _, RandomState};
    use std::process::Command;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

    use super::VARIABLE;

    /// A killed process may hang in the kernel.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// The programs that run now, by process number, with their marks. Locked while one is started, too: a child that
    /// is not in here yet would be taken for an orphan.
    static RUNNING: Mutex<BTreeMap<i32, String>> = Mutex::new(BTreeMap::new());

    static REAPER: Once = Once::new();

    /// The mark of programs whose daemons stay. No program can guess it.
    static STAYS: LazyLock<String> = LazyLock::new(|| format!("stays-{:016x}", RandomState::new().hash_one(getpid())));

    /// The mark of one program.
    pub(in super::super) struct ProcessMark {
        text: String,
        process: Option<i32>,
    }

    /// Hold it from before a program starts until [`ProcessMark::started`].
    pub(in super::super) struct StartingProgram(MutexGuard<'static, BTreeMap<i32, String>>);

    pub(in super::super) fn starting() -> StartingProgram {
        // If it is refused, orphans go to the system's first process and only those with a mark are found.
        REAPER.call_once(|| {
            let _ = set_child_subreaper(Some(getpid()));
        });
        StartingProgram(RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
    }

    impl ProcessMark {
        pub(in super::super) fn new() -> Self {
            static COUNT: AtomicU64 = AtomicU64::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            Self { text: format!("{}-{number}", getpid().as_raw_nonzero()), process: None }
        }

        pub(in super::super) fn of_those_that_stay() -> Self {
            Self { text: STAYS.clone(), process: None }
        }

        pub(in super::super) fn put_on(&self, command: &mut Command) {
            command.env(VARIABLE, &self.text);
        }

        pub(in super::super) fn started(&mut self, mut starting: StartingProgram, process: u32) {
            self.process = i32::try_from(process).ok();
            starting.0.extend(self.process.map(|process| (process, self.text.clone())));
        }

        /// Ends what the program left behind.
        pub(in super::super) fn sweep(&self) {
            if self.text == *STAYS {
                return;
            }
            let began = Instant::now();
            loop {
                let left: Vec<Pid> = {
                    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
                    processes().filter(|process| self.owns(process, &running)).map(|process| process.id).collect()
                };
                if left.is_empty() || began.elapsed() > PATIENCE {
                    return;
                }
                for process in left {
                    // Fails for what has ended meanwhile; waiting fails for what is not our child yet.
                    let _ = kill_process(process, Signal::KILL);
                    let _ = waitpid(Some(process), WaitOptions::NOHANG);
                }
                thread::sleep(Duration::from_millis(1));
            }
        }

        fn owns(&self, process: &RunningProcess, running: &BTreeMap<i32, String>) -> bool {
            let id = process.id.as_raw_nonzero().get();
            if running.contains_key(&id) {
                return false;
            }
            let belongs_to_another = |mark: &String| running.values().any(|other| other == mark);
            let may_end = match process.carried() {
                CarriedMark::Mark(mark) if mark == self.text => return true,
                // Another running program may need it.
                CarriedMark::Mark(mark) => mark != *STAYS && !belongs_to_another(&mark),
                CarriedMark::NoMark => true,
                CarriedMark::Unknown => process.has_ended || running.values().all(|mark| *mark == self.text),
            };
            // Whatever this process starts without this module stays in its session.
            may_end && RunningProcess::read(getpid()).is_some_and(|own| process.is_orphan_of(&own))
        }
    }

    impl Drop for ProcessMark {
        fn drop(&mut self) {
            if let Some(process) = self.process {
                RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&process);
            }
        }
    }

    struct RunningProcess {
        id: Pid,
        /// Has ended and waits for its parent to collect the status.
        has_ended: bool,
        /// None for what was started from outside of this process namespace, such as a container's first process.
        parent: Option<Pid>,
        /// 0 if it was started outside of this process namespace.
        session: i32,
    }

    impl RunningProcess {
        fn read(id: Pid) -> Option<Self> {
            Self::parse(id, &fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).ok()?)
        }

        fn parse(id: Pid, stat: &str) -> Option<Self> {
            // The program's name, which may hold anything, ends with the last bracket; then state, parent, group,
            // session.
            let mut rest = stat[stat.rfind(')')? + 1..].split_whitespace();
            let has_ended = rest.next()? == "Z";
            let parent: i32 = rest.next()?.parse().ok()?;
            let session: i32 = rest.nth(1)?.parse().ok()?;
            Some(Self { id, has_ended, parent: Pid::from_raw(parent), session })
        }

        /// Whether it came to `own` with a session of its own.
        fn is_orphan_of(&self, own: &Self) -> bool {
            self.parent == Some(own.id) && self.session != own.session
        }

        fn carried(&self) -> CarriedMark {
            match fs::read(format!("/proc/{}/environ", self.id.as_raw_nonzero())) {
                Ok(bytes) => CarriedMark::of(&bytes),
                Err(_) => CarriedMark::Unknown,
            }
        }
    }

    /// What a process shows of the environment that it was started with.
    #[derive(Debug, PartialEq)]
    enum CarriedMark {
        Mark(String),
        NoMark,
        /// Nothing at all, as for a process that is just executing another program, has ended, or was started so.
        Unknown,
    }

    impl CarriedMark {
        fn of(environment: &[u8]) -> Self {
            let text = String::from_utf8_lossy(environment);
            let mark = text.split('\0').find_map(|entry| entry.strip_prefix(VARIABLE)?.strip_prefix('='));
            match mark {
                Some(mark) => Self::Mark(mark.to_owned()),
                None if environment.is_empty() => Self::Unknown,
                None => Self::NoMark,
            }
        }
    }

    fn processes() -> impl Iterator<Item = RunningProcess> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| {
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            RunningProcess::read(Pid::from_raw(id)?)
        })
    }

    #[cfg(test)]
    mod tests {
        use super::{CarriedMark, Pid, RunningProcess};

        fn process(stat: &str) -> RunningProcess {
            let id = stat.split(' ').next().and_then(|id| Pid::from_raw(id.parse().unwrap())).unwrap();
            RunningProcess::parse(id, stat).unwrap()
        }

        /// A container's first process has its parent and its session outside; both are shown as 0.
        #[test]
        fn in_a_container_children_are_no_orphans_and_daemons_are() {
            for own in ["1 (builder) S 0 1 0 0 -1", "302 (builder) S 1 302 0 0 -1"] {
                let own = process(own);
                let parent = own.id.as_raw_nonzero();
                let child = process(&format!("9 (a) b) (c) R {parent} 1 0 0 -1"));
                let daemon = process(&format!("12 (daemon) S {parent} 11 11 0 -1"));
                let other = process("13 (daemon) S 8 13 13 0 -1");
                assert!(!child.is_orphan_of(&own));
                assert!(daemon.is_orphan_of(&own));
                assert!(!other.is_orphan_of(&own));
            }
        }

        #[test]
        fn a_process_that_just_becomes_another_program_shows_nothing() {
            assert_eq!(CarriedMark::of(b"A=1\0PYDIST_PROGRAM=7-0\0"), CarriedMark::Mark("7-0".to_owned()));
            assert_eq!(CarriedMark::of(b"PYDIST_PROGRAMS=7-0\0"), CarriedMark::NoMark);
            assert_eq!(CarriedMark::of(b""), CarriedMark::Unknown);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::process::Command;

    pub(in super::super) struct ProcessMark;
    pub(in super::super) struct StartingProgram;

    pub(in super::super) fn starting() -> StartingProgram {
        StartingProgram
    }

    impl ProcessMark {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) fn of_those_that_stay() -> Self {
            Self
        }

        pub(in super::super) fn put_on(&self, _command: &mut Command) {}

        pub(in super::super) fn started(&mut self, _starting: StartingProgram, _process: u32) {}

        pub(in super::super) fn sweep(&self) {}
    }
}

//! Programs are run to their end, heard whole, and ended with everything they started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use process::{Invocation, ProcessErrorKind};
use vocab::{Environment, Event, Fault, Work};

use crate::support::{self, eventually};

fn work() -> Work {
    let path = std::env::var_os("PATH").expect("tests need a PATH");
    let environment = Environment::new([("PATH".into(), path), ("FROM_CONTEXT".into(), "kept".into())]);
    support::work(environment)
}

fn shell(folder: &Path, script: &str) -> Invocation {
    Invocation::new("/bin/sh", folder).arg("-c").arg(script)
}

fn is_alive(process: &str) -> bool {
    // A zombie still answers `kill -0`; its state tells.
    let listed = Command::new("ps").args(["-o", "stat=", "-p", process]).output().expect("`ps` runs");
    let state = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// A shell with a child and a grandchild, whose process numbers go to `folder/pids`, one a line.
fn family(folder: &Path) -> Invocation {
    shell(folder, "sh -c 'sleep 1000 & echo $! >> pids; wait' & echo $! >> pids; sleep 1000 & echo $! >> pids; wait")
}

fn family_members(folder: &Path) -> Vec<String> {
    let mut members = Vec::new();
    eventually("three process numbers", || {
        let text = fs::read_to_string(folder.join("pids")).unwrap_or_default();
        members = text.lines().map(str::to_owned).collect();
        members.len() == 3
    });
    members
}

#[test]
fn p13_at_the_time_limit_children_and_grandchildren_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let invocation = family(folder.path()).timeout(Some(Duration::from_secs(1)));
    let error = process::run(&work(), &invocation).unwrap_err();
    assert!(matches!(error.kind, ProcessErrorKind::TimedOut { .. }), "{error:?}");
    assert_eq!(error.code(), "E_PROGRAM_TIMEOUT");
    for process in family_members(folder.path()) {
        eventually("the end of the family", || !is_alive(&process));
    }
}

#[test]
fn an_interrupted_build_ends_its_programs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let work = work();
    let cancelled = Arc::clone(&work.cancelled);
    let outcome = thread::scope(|scope| {
        let run = scope.spawn(|| process::run(&work, &family(folder.path())));
        let members = family_members(folder.path());
        cancelled.store(true, Ordering::Relaxed);
        let outcome = run.join().unwrap();
        for process in members {
            eventually("the end of the family", || !is_alive(&process));
        }
        outcome
    });
    assert!(matches!(outcome.unwrap_err().kind, ProcessErrorKind::Cancelled));
}

#[test]
fn a_program_leaves_nothing_running_behind() {
    let folder = tempfile::tempdir().unwrap();
    // The background child holds the output pipe open for longer than `eventually` waits; it must not be waited for.
    let started = Instant::now();
    let finished = process::run(&work(), &shell(folder.path(), "sleep 1000 & echo $!")).unwrap();
    assert!(finished.succeeded());
    assert!(started.elapsed() < Duration::from_secs(500));
    let process = finished.stdout_text().trim().to_owned();
    eventually("the end of the background child", || !is_alive(&process));
}

/// Forks twice and takes a session of its own, as daemons do; `$1` is where its process number goes.
#[cfg(target_os = "linux")]
const DAEMON: &str = "(setsid sh -c 'echo $$ > \"$1.new\"; mv \"$1.new\" \"$1\"; exec sleep 1000' sh \"$1\" \
                      </dev/null >/dev/null 2>&1 &) ; until [ -s \"$1\" ]; do :; done";

/// A file that is there from its end on.
#[cfg(target_os = "linux")]
struct Go(PathBuf);

#[cfg(target_os = "linux")]
impl Drop for Go {
    fn drop(&mut self) {
        fs::write(&self.0, "").expect("the folder of the test is there");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn attack_12_a_daemon_ends_with_the_program_that_started_it() {
    let folder = tempfile::tempdir().unwrap();
    // Another one runs meanwhile, and its daemon is its own.
    let other = folder.path().join("other");
    let script = format!("{DAEMON}; until [ -e go ]; do :; done");
    let invocation = shell(folder.path(), &script).arg("sh").arg(&other);
    let work = work();
    let go = Go(folder.path().join("go"));
    thread::scope(|scope| {
        let run = scope.spawn(|| process::run(&work, &invocation));
        // However the rest ends: the other one runs until it is let go.
        let go = go;
        eventually("the other daemon", || other.is_file());
        for start in ["", "exec env -i PATH=\"$PATH\" "] {
            let place = folder.path().join("mine");
            let script = format!("{start}sh -c '{}' sh \"$1\"", DAEMON.replace('\'', r"'\''"));
            let invocation = shell(folder.path(), &script).arg("sh").arg(&place);
            assert!(process::run(&work, &invocation).unwrap().succeeded());
            let mine = fs::read_to_string(&place).unwrap();
            eventually("the end of the daemon", || !is_alive(mine.trim()));
            fs::remove_file(&place).unwrap();
        }
        let others = fs::read_to_string(&other).unwrap();
        assert!(is_alive(others.trim()));
        drop(go);
        assert!(run.join().unwrap().unwrap().succeeded());
        eventually("the end of the other daemon", || !is_alive(others.trim()));
    });
}

#[test]
fn both_streams_are_read_at_once_however_much_is_said() {
    let folder = tempfile::tempdir().unwrap();
    // Far more than a pipe holds, on one stream first and then on the other.
    let script = "head -c 20000000 /dev/zero >&2; head -c 3000000 /dev/zero; echo end >&2";
    let mut invocation = shell(folder.path(), script);
    invocation.log = Some(folder.path().join("logs/deep/build.log"));
    let finished = process::run(&work(), &invocation).unwrap();
    assert_eq!(finished.stdout.len(), 3_000_000);
    assert_eq!((finished.stderr.len(), finished.left_out), (8 << 20, 20_000_004 - (8 << 20)));
    assert!(finished.stderr.ends_with(b"end\n"));
    assert_eq!(fs::metadata(folder.path().join("logs/deep/build.log")).unwrap().len(), 23_000_004);
}

#[test]
fn output_that_is_not_utf_8_arrives_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let finished = process::run(&work(), &shell(folder.path(), r"printf 'a\377b'")).unwrap();
    assert_eq!(finished.stdout, b"a\xffb");
    assert_eq!(finished.stdout_text(), "a\u{fffd}b");
}

#[test]
fn input_is_written_and_a_program_may_ignore_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut invocation = shell(folder.path(), "wc -c");
    invocation.stdin = vec![b'x'; 1_000_000];
    let finished = process::run(&work(), &invocation).unwrap();
    assert_eq!(finished.stdout_text().trim(), "1000000");

    invocation.arguments[1] = "exit 7".into();
    assert_eq!(process::run(&work(), &invocation).unwrap().code, Some(7));
}

#[test]
fn the_environment_is_the_contexts_and_not_that_of_this_process() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"echo "${FROM_CONTEXT-none} ${OWN-none} ${CARGO_MANIFEST_DIR-none}""#;
    let mut invocation = shell(folder.path(), script).env("OWN", "set");
    let said = |invocation: &Invocation| process::run(&work(), invocation).unwrap().stdout_text();
    assert_eq!(said(&invocation), "kept set none\n");
    invocation.clear_environment = true;
    assert_eq!(said(&invocation), "none set none\n");
}

#[test]
fn a_program_cannot_ask_questions_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let script = "if (: < /dev/tty) 2>/dev/null; then echo terminal; else echo none; fi";
    let finished = process::run(&work(), &shell(folder.path(), script)).unwrap();
    assert_eq!(finished.stdout_text(), "none\n");
}

#[test]
fn what_cannot_be_started_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let cases: [(PathBuf, PathBuf, &str); 5] = [
        // (program, folder, cause)
        ("no-such-program-of-ours".into(), folder.path().into(), "the program was not found"),
        ("/no/such/program".into(), folder.path().into(), "the program was not found"),
        ("/bin/sh".into(), folder.path().join("gone"), "its working folder"),
        (file("script", "#!/no/such/interpreter\n", 0o755), folder.path().into(), "the interpreter or loader"),
        (file("plain", "text", 0o644), folder.path().into(), "it cannot be started"),
    ];
    for (program, working_folder, cause) in cases {
        let invocation = Invocation::new(&program, working_folder);
        let error = process::run(&work(), &invocation).unwrap_err();
        assert!(error.kind.to_string().contains(cause), "for {program:?}: {}", error.kind);
    }
}

#[test]
fn attack_13_of_very_many_lines_the_first_are_told_and_how_much_more_there_was() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let mut work = work();
    work.listener = Arc::new(move |event| {
        if let Event::Output { line, .. } = event {
            heard.lock().unwrap().push(line);
        }
    });
    // 10 MB in lines of 1000 bytes.
    let script = "line=$(head -c 999 /dev/zero | tr '\\0' x); yes $line | head -n 10000";
    process::run_telling(&work, &shell(folder.path(), script), "yes").unwrap();
    let told = told.lock().unwrap();
    let (last, lines) = told.split_last().unwrap();
    assert!(lines.len() < 5000 && lines.iter().all(|line| line.len() == 999), "{} lines", lines.len());
    assert_eq!(*last, format!("… {} bytes more were said …", (10_000 - lines.len()) * 999));
}

#[test]
fn lines_are_told_while_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut work = work();
    let listener_told = Arc::clone(&told);
    work.listener = Arc::new(move |event| listener_told.lock().unwrap().push(event));
    // The program waits for what only its first line, once told, brings about.
    let script = "echo first; while [ ! -e go ]; do sleep 0.01; done; printf last";
    let go = folder.path().join("go");
    thread::scope(|scope| {
        scope.spawn(|| process::run_telling(&work, &shell(folder.path(), script), "demo").unwrap());
        eventually("the first line", || told.lock().unwrap().len() == 1);
        fs::write(&go, "").unwrap();
    });
    let line = |line: &str| Event::Output { program: "demo".into(), line: line.into() };
    assert_eq!(*told.lock().unwrap(), [line("first"), line("last")]);
}

#[test]
fn a_served_program_answers_what_is_said_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut invocation = shell(folder.path(), "while read -r line; do echo \"<$line>\"; done");
    invocation.stdin = b"first\n".to_vec();
    let (sender, heard) = std::sync::mpsc::channel();
    let mut program = process::serve(&work(), &invocation, move |is_error, line| {
        sender.send((is_error, line.to_owned())).expect("the test listens");
    })
    .unwrap();
    for line in ["first", "second", "third"] {
        if line != "first" {
            program.say(format!("{line}\n").as_bytes()).unwrap();
        }
        let (is_error, answer) = heard.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((is_error, answer), (false, format!("<{line}>")));
    }
    assert_eq!(program.end(Duration::from_secs(20)).code, Some(0), "it ends with its input");
}

#[test]
fn a_companion_hears_what_it_is_told_and_that_nobody_is_left_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    let script = "read line; echo \"$line\" >told; read line; echo over >ended";
    let mut companion = process::accompany(&work(), &shell(folder.path(), script)).unwrap();
    companion.tell(b"go\n").unwrap();
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    eventually("what it was told", || text("told") == "go\n");
    assert_eq!(text("ended"), "");
    drop(companion);
    eventually("its end", || text("ended") == "over\n");
}

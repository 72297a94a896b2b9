//! What `process_run` claims with a shell, on every system: this program starts itself as the program that is run.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]
#![allow(clippy::exit, reason = "the program that is run ends with a code of its own")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::{env, fs};

use process::{Invocation, ProcessErrorKind};
use vocab::{Environment, Work};

use crate::support::{self, eventually};

/// Says which part of a test this program plays when it is started again.
const ROLE: &str = "PYDIST_TEST_ROLE";

fn role() -> Option<String> {
    env::var(ROLE).ok()
}

fn work() -> Work {
    support::work(Environment::new(env::vars_os()))
}

/// As the whole program knows the test.
fn exact(test: &str) -> String {
    format!("everywhere::{test}")
}

fn this_program(test: &str, role: &str, folder: &Path) -> Invocation {
    let test = exact(test);
    let words = ["--exact", &test, "--nocapture", "--quiet"];
    Invocation::new(env::current_exe().unwrap(), folder).args(words).env(ROLE, role)
}

/// A program that starts another one; each tells the port on which it can be found alive, in a file named as it is.
fn family(test: &str, role: &str) -> ! {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    fs::write(format!("{role}.new"), listener.local_addr().unwrap().to_string()).unwrap();
    fs::rename(format!("{role}.new"), role).unwrap();
    if role == "parent" {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", &exact(test), "--nocapture"]).env(ROLE, "child").stdin(Stdio::null());
        drop(child.spawn().unwrap());
    }
    loop {
        let _ = listener.accept();
    }
}

/// The addresses of both, once both have told them.
fn members(folder: &Path) -> Vec<SocketAddr> {
    ["parent", "child"]
        .map(|role| {
            let mut address = None;
            eventually(&format!("the address of the {role}"), || {
                address = fs::read_to_string(folder.join(role)).ok().and_then(|text| text.parse().ok());
                address.is_some()
            });
            address.unwrap()
        })
        .into()
}

fn assert_all_end(members: Vec<SocketAddr>) {
    for address in members {
        eventually("the end of the family", || TcpStream::connect(address).is_err());
    }
}

#[test]
fn at_the_time_limit_a_program_ends_with_what_it_started() {
    const TEST: &str = "at_the_time_limit_a_program_ends_with_what_it_started";
    if let Some(role) = role() {
        family(TEST, &role);
    }
    let folder = tempfile::tempdir().unwrap();
    // Long enough for both to be there, also in an emulator.
    let invocation = this_program(TEST, "parent", folder.path()).timeout(Some(Duration::from_secs(10)));
    let error = process::run(&work(), &invocation).unwrap_err();
    assert!(matches!(error.kind, ProcessErrorKind::TimedOut { .. }), "{error:?}");
    assert_all_end(members(folder.path()));
}

#[test]
fn an_interrupted_build_ends_a_program_with_what_it_started() {
    const TEST: &str = "an_interrupted_build_ends_a_program_with_what_it_started";
    if let Some(role) = role() {
        family(TEST, &role);
    }
    let folder = tempfile::tempdir().unwrap();
    let work = work();
    let error = thread::scope(|scope| {
        let run = scope.spawn(|| process::run(&work, &this_program(TEST, "parent", folder.path())));
        let members = members(folder.path());
        work.cancelled.store(true, Ordering::Relaxed);
        assert_all_end(members);
        run.join().unwrap().unwrap_err()
    });
    assert!(matches!(error.kind, ProcessErrorKind::Cancelled), "{error:?}");
}

/// This program is also the builder that is killed, which then starts the parent.
#[test]
fn a_killed_builder_takes_a_program_with_it_and_what_that_started() {
    const TEST: &str = "a_killed_builder_takes_a_program_with_it_and_what_that_started";
    match role().as_deref() {
        Some("builder") => {
            let folder = env::current_dir().unwrap();
            let outcome = process::run(&work(), &this_program(TEST, "parent", &folder));
            panic!("the program should never end: {outcome:?}");
        }
        Some(role) => family(TEST, role),
        None => {}
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &exact(TEST)]).env(ROLE, "builder").current_dir(folder.path());
    let mut builder = command.spawn().unwrap();
    let members = members(folder.path());
    builder.kill().unwrap();
    builder.wait().unwrap();
    assert_all_end(members);
}

/// On Windows both get the same Ctrl-C, and the program may be the first to end.
#[test]
fn a_program_that_ends_at_the_interrupt_of_a_build_is_not_at_fault() {
    if role().is_some() {
        std::process::exit(7);
    }
    let folder = tempfile::tempdir().unwrap();
    let work = work();
    let program = this_program("a_program_that_ends_at_the_interrupt_of_a_build_is_not_at_fault", "any", folder.path());
    assert_eq!(process::run(&work, &program).unwrap().code, Some(7));
    work.cancelled.store(true, Ordering::Relaxed);
    let error = process::run(&work, &program).unwrap_err();
    assert!(matches!(error.kind, ProcessErrorKind::Cancelled), "{error:?}");
    let after = Invocation { when_cancelled: true, ..program };
    assert_eq!(process::run(&work, &after).unwrap().code, Some(7));
}

/// What is neither UTF-8 nor of the console's own letters must not end a build. Lines may end as Windows ends them.
#[test]
fn output_arrives_whole_and_input_too_whatever_its_encoding() {
    if role().is_some() {
        let mut said = Vec::new();
        std::io::stdin().read_to_end(&mut said).unwrap();
        std::io::stdout().write_all(b"gr\xf6\xdfer\r\n").unwrap();
        std::io::stdout().write_all(&said).unwrap();
        std::io::stdout().flush().unwrap();
        std::process::exit(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "output_arrives_whole_and_input_too_whatever_its_encoding";
    let mut program = this_program(test, "any", folder.path());
    program.stdin = "倉庫\n".into();
    let mut lines = Vec::new();
    let finished = process::run_streaming(&work(), &program, &mut |line| lines.push(line.to_owned()));
    let finished = finished.unwrap();
    assert!(finished.succeeded());
    let text = finished.stdout_text();
    assert!(text.ends_with("gr\u{fffd}\u{fffd}er\r\n倉庫\n"), "{text:?}");
    assert_eq!(lines[lines.len() - 2..], ["gr\u{fffd}\u{fffd}er", "倉庫"]);
}

#[test]
fn a_program_or_folder_that_is_missing_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let work = work();
    let run = |program: PathBuf, at: PathBuf| process::run(&work, &Invocation::new(program, at)).unwrap_err().kind;
    let missing = run("no-such-program-of-ours".into(), folder.path().to_owned());
    assert!(matches!(missing, ProcessErrorKind::Missing), "{missing:?}");
    let nowhere = run(env::current_exe().unwrap(), folder.path().join("absent"));
    assert!(matches!(nowhere, ProcessErrorKind::NoFolder { .. }), "{nowhere:?}");
}

//! Workers, signals, the port, and what starts in place of the preloading process.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{FRAMEWORKS, Pod, UPPER, encoded_twice, kill, pickled, sdk, until};

/// Says that it works, and goes on when it is told.
const SLOW: &str = "
class Slow(Base):
    def transform(self, data, path, etl_args):
        import os, time
        if data == b'slow':
            open(os.environ['STARTED'], 'w').close()
            while not os.path.exists(os.environ['GO_ON']):
                time.sleep(0.01)
        return data.upper()
";

// case 69
#[test]
fn a_request_that_runs_is_answered_before_sigterm_ends_the_server_with_0() {
    let Some(python) = sdk("3.12") else { return };
    for framework in FRAMEWORKS {
        let pod = Pod::new(&python, &pickled(&python, framework, SLOW));
        let (started, go_on) = (pod.folder.path().join("started"), pod.folder.path().join("go-on"));
        let pod = pod.set("STARTED", started.to_str().unwrap()).set("GO_ON", go_on.to_str().unwrap());
        let server = pod.serve();
        let answer = thread::scope(|scope| {
            let running = scope.spawn(|| server.send("PUT", "/b/o", &[], b"slow"));
            until("the request to be worked on", || started.exists());
            server.signal("TERM");
            // Nobody is served any more once the signal has arrived, except who is served already.
            fs::write(&go_on, "").unwrap();
            running.join().unwrap()
        });
        assert!(answer.is(200, "SLOW"), "{framework}: {answer:?}");
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{framework}: {log}");
    }
}

// case 70
#[test]
fn a_port_that_is_taken_is_an_error_with_its_variable() {
    let Some(python) = sdk("3.12") else { return };
    for framework in FRAMEWORKS {
        let taken = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let (code, said) = Pod::new(&python, &pickled(&python, framework, UPPER)).set("ETL_PORT", &port).ended();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("error: ETL_PORT: cannot listen on port {port}")), "{said}");
    }
}

// case 58
#[test]
fn without_preloading_uvicorn_and_gunicorn_are_started_with_their_arguments() {
    let Some(python) = sdk("3.12") else { return };
    let cases = [
        (
            "fastapi",
            "uvicorn server:app --host 0.0.0.0 --port 8000 --workers 4 --log-level info --ws-max-size 17179869184 \
             --ws-ping-interval 0 --ws-ping-timeout 86400 --no-access-log",
        ),
        ("flask", "gunicorn server:app --bind 0.0.0.0:8000 --workers 4 --log-level debug"),
    ];
    for (framework, line) in cases {
        let pod = Pod::new(&python, &pickled(&python, framework, UPPER)).set("ETL_PRELOAD", "no");
        let name = line.split(' ').next().unwrap();
        let program =
            testkit::write(pod.folder.path(), &format!("fakes/{name}"), "#!/bin/sh\necho called \"${0##*/}\" \"$@\"\n");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        let (code, said) = pod.set("PATH", &path).set("NUM_WORKERS", "4").set("ETL_PORT", "8000").ended();
        assert!(said.contains(&format!("called {line}\n")), "{said}");
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn without_preloading_the_stock_programs_serve() {
    let Some(python) = sdk("3.12") else { return };
    for framework in ["fastapi", "flask"] {
        let pod = Pod::new(&python, &pickled(&python, framework, UPPER)).set("ETL_PRELOAD", "false");
        let server = pod.serve();
        assert!(server.send("PUT", "/b/o?etl_args=XY", &[], b"abc").is(200, "ABCXY"));
        assert_eq!(server.send("POST", "/download", &[], b"").status, 501);
        assert_eq!(server.send("PUT", "/b/o?etl_fqn=%252Fetc%252Fpasswd", &[], b"").status, 404);
        let (status, log) = server.stop();
        assert_eq!(status.code(), Some(0), "{log}");
    }
}

// E9
#[test]
fn a_worker_that_is_killed_is_replaced_while_64_clients_are_served() {
    let Some(python) = sdk("3.12") else { return };
    for framework in FRAMEWORKS {
        let server = Pod::new(&python, &pickled(&python, framework, UPPER)).serve();
        let number = if framework == "threaded" { 1 } else { 2 };
        until("all workers", || server.workers().len() == number);
        let victim = server.workers()[0];
        let (served, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        match server.try_send("PUT", "/b/o", &[], b"abc") {
                            Some(answer) if answer.is(200, "ABC") => served.fetch_add(1, Ordering::Relaxed),
                            _ => lost.fetch_add(1, Ordering::Relaxed),
                        };
                    }
                });
            }
            until("some requests", || served.load(Ordering::Relaxed) > 64);
            kill("KILL", victim);
        });
        until("a new worker", || {
            let workers = server.workers();
            workers.len() == number && !workers.contains(&victim)
        });
        // What the killed one had begun is lost with it, and nothing else. The only threaded one had everybody.
        if framework != "threaded" {
            assert!(lost.load(Ordering::Relaxed) <= 64, "{framework}: {lost:?} lost");
        }
        until("the new worker to serve", || {
            server.try_send("PUT", "/b/o", &[], b"abc").is_some_and(|it| it.is(200, "ABC"))
        });
        assert!(server.log().contains(&victim.to_string()) || framework == "flask", "{}", server.log());
    }
}

// E9
#[test]
fn ten_thousand_requests_to_fastapi_leave_nothing_behind() {
    ten_thousand_requests("fastapi");
}

#[test]
fn ten_thousand_requests_to_flask_leave_nothing_behind() {
    ten_thousand_requests("flask");
}

#[test]
fn ten_thousand_requests_to_the_threaded_server_leave_nothing_behind() {
    ten_thousand_requests("threaded");
}

/// Bytes, files and paths that are refused, by turns; each object of 16 KiB.
fn ten_thousand_requests(framework: &str) {
    /// A process may grow by so many KiB; if each of its 4,000 or more requests kept its object, these were 64,000.
    const ALLOWED: u64 = 16 * 1024;
    let Some(python) = sdk("3.12") else { return };
    let server = Pod::new(&python, &pickled(&python, framework, UPPER)).serve();
    let workers = if framework == "threaded" { 1 } else { 2 };
    until("all workers", || server.workers().len() == workers);
    let object = "o".repeat(16 * 1024);
    let path = server.pod.mount().join("object");
    fs::write(&path, &object).unwrap();
    let expected = object.to_uppercase();
    let file = format!("/b/o?etl_fqn={}", encoded_twice(path.to_str().unwrap()));
    let ask = |times: usize| {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for number in 0..times / 8 {
                        match number % 8 {
                            0 => assert_eq!(server.send("PUT", "/b/o?etl_fqn=%252Fetc", &[], b"").status, 404),
                            1..4 => assert!(server.send("PUT", &file, &[], b"").is(200, &expected)),
                            _ => assert!(server.send("PUT", "/b/o", &[], object.as_bytes()).is(200, &expected)),
                        }
                    }
                });
            }
        });
    };
    let files = || -> Vec<usize> {
        let of = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        server.workers().into_iter().map(of).collect()
    };
    ask(2_000);
    let (open, resident, pids) = (files(), memory(&server.workers()), server.workers());
    ask(8_000);
    until("connections to be closed", || files().iter().zip(&open).all(|(after, before)| *after <= before + 2));
    assert_eq!(server.workers(), pids, "no worker was replaced");
    for (after, before) in memory(&pids).iter().zip(&resident) {
        assert!(*after <= before + ALLOWED, "{framework}: {before} KiB grew to {after} KiB");
    }
}

/// KiB of each process; what it shares with others is split among them.
fn memory(pids: &[u32]) -> Vec<u64> {
    let of = |pid: &u32| {
        let told = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    };
    pids.iter().map(of).collect()
}

// the count of requests that name no object, and its end
#[test]
fn empty_puts_are_counted_over_all_workers_also_killed_ones() {
    let Some(python) = sdk("3.12") else { return };
    for framework in FRAMEWORKS {
        let server = Pod::new(&python, &pickled(&python, framework, UPPER)).serve();
        let ask = |times: usize| (0..times).for_each(|_| assert!(server.send("PUT", "/b/o", &[], b"").is(200, "")));
        ask(8);
        let victim = server.workers()[0];
        kill("KILL", victim);
        until("another worker to serve", || {
            !server.workers().contains(&victim) && server.try_send("GET", "/health", &[], b"").is_some()
        });
        ask(4);
        assert_eq!(server.log().matches("10 PUT requests without body and etl_fqn so far").count(), 1, "{framework}");
        let (_, log) = server.stop();
        assert_eq!(log.matches("12 PUT requests without body and etl_fqn so far").count(), 1, "{framework}: {log}");
    }
}

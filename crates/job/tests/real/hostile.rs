//! Jobs that mean harm, or come to do it by accident: nothing outside of their copy is touched, and each run ends.

use super::*;

#[test]
fn klio_59_hostile_setup_files_are_ended_and_write_nothing() {
    let cases = [
        ("import time\ntime.sleep(1000)\n", "did not end within"),
        ("input()\n", "waits for input"),
        ("import os\nos._exit(0)\n", "ended Python with exit code 0"),
        ("import os\nos._exit(97)\n", "ended Python with exit code 97"),
        ("import sys\nsys.exit(0)\n", "ended Python with exit code 0"),
        (
            "import json, os\njson.dumps = None\nopen('../answer.json', 'w').write('{\"setup\": 5}')\nos._exit(0)\n",
            "not understood",
        ),
        ("import os\nos.symlink('/etc/passwd', '../answer.json')\nos._exit(0)\n", "ended Python"),
        ("import os\nos.mkfifo('../answer.json')\nos._exit(0)\n", "ended Python"),
        ("raise SystemExit('https://ada:hunter2@index.example/simple')\n", "https://index.example/simple"),
    ];
    for (setup, reason) in cases {
        let job = Job::new(setup);
        let (_, _, report, _) = job.checked("3.12", Duration::from_secs(5));
        let messages: Vec<_> = report.findings.iter().map(|it| it.message.as_str()).collect();
        assert!(messages.iter().any(|it| it.contains(reason)), "{setup}: {messages:?}");
    }
    let job = Job::new(J1);
    let place = job.at("written");
    // Even loopback is another one there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it can be asked");
    let port = listener.local_addr().expect("it listens").port();
    let attack = format!(
        "import socket\nfor what in [lambda: open({place:?}, 'w'), lambda: socket.create_connection(('127.0.0.1', {port}), 2)]:\n    \
         try:\n        what()\n    except OSError as error:\n        print(error)\n"
    );
    job.write("setup.py", &(attack + J1));
    let (_, _, report, _) = job.checked("3.12", Duration::from_secs(60));
    assert!(!report.sandboxed || !place.exists());
    assert!(!report.sandboxed || listener.accept().is_err(), "it was connected to");
}

/// Each is followed by a sound call of setup(), which is then heard or not, but always within the limit.
#[test]
fn attacks_on_the_probe_itself_end_in_findings() {
    let cases = [
        ("cwd", "import os, shutil\nshutil.rmtree(os.getcwd())\n"),
        ("json", "import json\njson.dumps = json.dump = lambda *a, **k: '\"{'\n"),
        ("os", "import os\nos.path.realpath = os.getcwd = os.walk = None\n"),
        ("builtins", "import builtins\nbuiltins.open = builtins.print = builtins.isinstance = None\n"),
        ("distutils", "import distutils.core\ndistutils.core.setup = setuptools.setup = lambda **k: None\n"),
        ("exit", "import atexit, time\natexit.register(time.sleep, 1000)\n"),
        ("thread", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"),
        ("signal", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"),
        ("recursion", "import sys\nsys.setrecursionlimit(50)\n"),
        ("path", "import sys\nsys.path[:] = []\nsys.modules.clear()\n"),
    ];
    for (case, attack) in cases {
        let job = Job::new(&J1.replace("import setuptools\n", &format!("import setuptools\n{attack}")));
        let (_, _, report, _) = job.checked("3.12", Duration::from_secs(20));
        let messages: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(!messages.iter().any(|it| it.contains("within")), "{case}: {messages:?}");
        assert!(messages.iter().all(|it| !it.contains("Traceback")), "{case}: {messages:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn children_end_with_their_setup_py_and_output_without_end_is_not_kept() {
    let attack = "import os, sys, time\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            \
                  time.sleep(1000)\n        time.sleep(1000)\n";
    let job = Job::new(&format!("{attack}{J1}"));
    let (_, _, report, place) = job.checked("3.12", Duration::from_secs(60));
    assert_eq!(told(&report), [""; 0]);
    let place = place.expect("setup.py was asked");
    let folder = AsRef::<Path>::as_ref(&place).display().to_string();
    // What waits for more questions is not in it.
    let left: Vec<_> = fs::read_dir("/proc")
        .expect("Linux has it")
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok())
        .filter(|place| place.to_string_lossy().contains(&folder))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let job = Job::new(&format!("import sys\nfor _ in range(1024):\n    sys.stdout.write('x' * (1 << 20))\n{J1}"));
    let (_, _, report, _) = job.checked("3.12", Duration::from_secs(120));
    assert_eq!(told(&report), [""; 0]);
    let peak = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 700 << 10, "{peak} KiB");
}

/// Both are read outside of the sandbox.
#[cfg(target_os = "linux")]
#[test]
fn a_job_changes_neither_our_scripts_nor_its_next_question() {
    let attack = "import os, sys\nown = os.path.dirname(sys.modules['pydist_probe'].__file__)\nfor name in \
                  ['pydist_main.py', 'ctypes.py', 'question.json']:\n    try:\n        open(os.path.join(own, name), \
                  'a').write('raise SystemExit')\n    except OSError:\n        continue\n    raise SystemExit('written')\n";
    let job = Job::new(&format!("{attack}{J1}"));
    let (_, _, report, _) = job.checked("3.12", Duration::from_secs(60));
    assert!(!report.sandboxed || told(&report).is_empty(), "{:?}", report.findings);
}

#[test]
fn a_question_that_did_not_end_leaves_the_next_one_alone() {
    let job = Job::new(&format!("import sys, time\nif len(sys.argv) == 1:\n    time.sleep(1000)\n{J1}"));
    let (folder, mut request, report, place) = job.checked("3.12", Duration::from_secs(3));
    assert!(report.has_errors(), "{:?}", report.findings);
    request.limit = Duration::from_secs(60);
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let place = place.expect("setup.py was asked");
    let packages = PackageSettings::default();
    let staged = stage(&CONTEXT, &folder, &report, &place, &request, &packages, out.path()).expect("it is staged");
    assert_eq!(staged.top, "my_example_job-0.0.1");
}

#[test]
fn strange_names_in_data_files_are_named_and_shown_harmlessly() {
    let names = [
        r"a\nb.h5",
        r"\x1b[31mred",
        r"../../../etc/passwd",
        r"/etc/passwd",
        r"C:\\x",
        r"a\0b",
        r"\udcff",
        r"\u202ex",
        r"-rf",
        r"$HOME",
        r"",
    ];
    let sources = names.map(|name| format!("\"{name}\"")).join(", ");
    let long = "x".repeat(100_000);
    let job = Job::new(&J1.replace("\"my-model.h5\"", &format!("{sources}, \"{long}\"")));
    let (_, _, report, _) = job.checked("3.12", Duration::from_secs(60));
    assert!(report.has_errors());
    for finding in &report.findings {
        assert!(finding.message.len() < 10_000);
    }
    let codes: Vec<_> = told(&report);
    assert!(
        codes.contains(&"e setup.py KJ037".to_owned()) && codes.contains(&"e setup.py KJ036".to_owned()),
        "{codes:?}"
    );
    for wrong in ["[5]", "[(\".\", 5)]", "[(1, [2])]", "{\"a\": 1}", "\"text\"", "[(\".\", [None])]"] {
        let job = Job::new(&J1.replace("[(\".\", [\"klio-job.yaml\", \"my-model.h5\"])]", wrong));
        let (_, _, report, _) = job.checked("3.12", Duration::from_secs(60));
        assert!(report.has_errors(), "{wrong}: {:?}", report.findings);
    }
}

#[cfg(unix)]
#[test]
fn pipes_sockets_links_and_names_of_other_encodings_are_not_followed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let job = Job::new(J1);
    let outside = tempfile::tempdir().expect("temporary folders can be made");
    fs::write(outside.path().join("secret"), "hunter2").expect("files can be written");
    let made = std::process::Command::new("mkfifo").arg(job.at("pipe")).status();
    assert!(made.is_ok_and(|it| it.success()));
    let _socket = std::os::unix::net::UnixListener::bind(job.at("socket")).expect("sockets can be made");
    std::os::unix::fs::symlink(outside.path(), job.at("folder")).expect("links can be made");
    std::os::unix::fs::symlink(outside.path().join("secret"), job.at("linked.txt")).expect("links can be made");
    fs::write(job.0.path().join(OsStr::from_bytes(b"\xff\xfe.txt")), "x").expect("files can be written");
    assert_eq!(job.findings(), [""; 0]);
    job.replace(
        "setup.py",
        "\"my-model.h5\"",
        "\"my-model.h5\", \"pipe\", \"socket\", \"linked.txt\", \"folder/secret\"",
    );
    assert_eq!(job.findings(), ["e setup.py KJ036", "e setup.py KJ036", "e setup.py KJ036", "e setup.py KJ037"]);
    job.write("setup.py", J1).remove("klio-job.yaml");
    let made = std::process::Command::new("mkfifo").arg(job.at("klio-job.yaml")).status();
    assert!(made.is_ok_and(|it| it.success()));
    assert!(job.findings().contains(&"e  KJ001".to_owned()));
}

/// Every stream and every file but the job's own, in which the password must be.
#[test]
fn klio_44_a_password_is_in_nothing_that_is_written() {
    let job = Job::j2();
    job.replace("setup.py", "https://index", "https://ada:hunter2@index");
    job.replace(
        "setup.py",
        "\"apache-beam==2.35.0\"",
        "\"apache-beam==2.35.0\", \"x @ https://ada:hunter2@index.example/x-1-py3-none-any.whl\"",
    );
    job.replace(
        "setup.py",
        "\"-r\"",
        "\"https://ada:hunter2@index.example/y.whl\", \"-f\", \"ada:hunter2@index.example\", \"-r\"",
    );
    job.write(
        "job-requirements.txt",
        "--extra-index-url https://ada:hunter2@other.example/simple?token=hunter2\ntinydep==1.0\n",
    );
    let extra =
        "  requirements_file: job-requirements.txt\n  extra_packages: ['https://ada:hunter2@index.example/x.tar.gz']\n";
    job.replace("klio-job.yaml", "job_config", &format!("{extra}job_config"));
    let (folder, request, report, place) = job.checked_so("3.12", |request| {
        request.config.overrides =
            vec!["pipeline_options.x=https://ada:hunter2@index.example".to_owned(), "ada:hunter2@x".to_owned()];
    });
    let codes = told(&report);
    let shown: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        shown.contains(
            &"warning[KJ055]: setup.py: the address https://index.example/x-1-py3-none-any.whl carries credentials"
                .to_owned()
        ),
        "{shown:?}"
    );
    for expected in ["w setup.py KJ055", "w job-requirements.txt:1 KJ055"] {
        assert!(codes.contains(&expected.to_owned()), "{codes:?}");
    }
    let mut texts = vec![serde_json::to_string(&report).expect("plain data"), format!("{:?}", report.findings)];
    let out = tempfile::tempdir().expect("temporary folders can be made");
    match stage(
        &CONTEXT,
        &folder,
        &report,
        &place.expect("setup.py was asked"),
        &request,
        &PackageSettings::default(),
        out.path(),
    ) {
        Ok(staged) => texts.push(serde_json::to_string(&staged).expect("plain data")),
        Err(error) => texts.push(format!("{error} {error:?}")),
    }
    for text in texts {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

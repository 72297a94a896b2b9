//! Variables that are missing or wrong: one line that names them, the exit code, and nothing started.

use super::ScriptPod;

// cases 47, 48 and 49
#[test]
fn what_a_pod_must_have_is_asked_for_by_name() {
    let pod = || ScriptPod::new().set("PACKAGES", "numpy").set("OS_PACKAGES", "ffmpeg").with("apk", "");
    pod().without("ETL_CLASS_PAYLOAD").run(&[]).refused(1, "ETL_CLASS_PAYLOAD is not set");
    pod().set("ETL_CLASS_PAYLOAD", "").run(&[]).refused(1, "ETL_CLASS_PAYLOAD is not set");
    pod().set("ETL_CLASS_PAYLOAD", "!!!").run(&[]).refused(1, "ETL_CLASS_PAYLOAD cannot be deserialized");
    pod().without("AIS_TARGET_URL").run(&["run"]).refused(1, "AIS_TARGET_URL is not set");
}

// case 50
#[test]
fn a_number_of_workers_that_is_none_ends_with_exit_code_2() {
    for value in ["abc", "0", "-1", "", "1.5"] {
        ScriptPod::new().set("NUM_WORKERS", value).run(&[]).refused(2, &format!("NUM_WORKERS is `{value}`"));
    }
}

// case 51
#[test]
fn four_workers_stand_in_the_launch_line() {
    let run = ScriptPod::new().run(&["--dry-run"]);
    assert_eq!((run.code, run.calls.len()), (Some(0), 0), "{}", run.stderr);
    assert!(run.stdout.contains("uvicorn server:app --host 0.0.0.0 --port 8000 --workers 4 "), "{}", run.stdout);
    assert!(run.stdout.contains("gunicorn server:app --bind 0.0.0.0:8000 --workers 4 "), "{}", run.stdout);
    let run = ScriptPod::new().set("NUM_WORKERS", "8").set("ETL_PORT", "9000").run(&["run", "--dry-run"]);
    assert!(run.stdout.contains("--port 9000 --workers 8"), "{}", run.stdout);
    let run = ScriptPod::new().set("ETL_PORT", "9000").run(&["--dry-run", "--port", "9001"]);
    assert!(run.stdout.contains("--port 9001 "), "{}", run.stdout);
}

// case 52
#[test]
fn a_comma_in_an_item_belongs_to_it_and_blank_items_are_dropped() {
    let cases: [(&str, &[&str]); 4] = [
        ("six,,six", &["six: 1.17.0 is in the runtime"; 2]),
        (" six ", &["six: 1.17.0 is in the runtime"]),
        ("pkg>=1,<2", &["pkg>=1,<2: from the index"]),
        (" , ", &[]),
    ];
    for (value, expected) in cases {
        let run = ScriptPod::new().set("PACKAGES", value).run(&["--dry-run"]);
        let lines: Vec<&str> = run.stdout.lines().filter_map(|line| line.strip_prefix("package ")).collect();
        assert_eq!((run.code, &lines[..]), (Some(0), expected), "{value:?}: {}", run.stderr);
    }
}

// case 53
#[test]
fn an_item_that_is_no_requirement_is_named() {
    let pod = ScriptPod::new().set("PACKAGES", "six, ./missing");
    pod.run(&[]).refused(1, "PACKAGES: `./missing` is not a requirement");
}

// case 55
#[test]
fn an_os_package_that_is_no_name_is_refused_before_any_call() {
    for item in ["--root=/x", "a;b"] {
        let pod = ScriptPod::new().set("OS_PACKAGES", &format!("ffmpeg,{item}")).with("apk", "").with("apt-get", "");
        pod.run(&[]).refused(2, &format!("OS_PACKAGES: `{item}` is not the name of a package"));
    }
}

// case 68
#[test]
fn a_class_of_another_python_is_refused_by_its_variable() {
    let pod = ScriptPod::new().set("ETL_PYTHON_VERSION", "3.11");
    pod.run(&[])
        .refused(1, "ETL_PYTHON_VERSION: the class was pickled by Python 3.11, and this runtime has Python 3.12");
    assert_eq!(ScriptPod::new().set("ETL_PYTHON_VERSION", "3.12.4").run(&[]).code, Some(0));
}

#[test]
fn an_interpreter_outside_of_a_runtime_is_refused() {
    let pod = ScriptPod::new();
    testkit::write(pod.root(), "elsewhere/python3", "");
    pod.run(&["--python", "elsewhere/python3"]).refused(1, "is not the interpreter of a runtime");
}

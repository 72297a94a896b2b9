//! What is called, in which order, and how the server is started.

use super::ScriptPod;

/// A resolver that knows one distribution and what it requires.
const UV: &str = r#"
case "$*" in
  --version) echo "uv 0.13.9" ;;
  *" pip compile "*) while read -r line; do echo "asked: $line" >&2; done; echo "demo==1.0"; echo "six==1.17.0" ;;
  *" pip install "*) while [ "$1" != --target ]; do shift; done; mkdir -p "$2/demo"; shift 2
    while [ "$1" != --requirement ]; do shift; done; cat "$2" >"$ETL_WORK/installed" ;;
esac"#;

// case 54
#[test]
fn apk_is_called_once_and_not_for_blanks() {
    let pod = |list: &str| ScriptPod::new().set("OS_PACKAGES", list).with("apk", "").with("apt-get", "");
    let run = pod("a, b").run(&[]);
    assert_eq!(run.calls, ["apk add --no-cache a b", "server server.py"], "{}", run.stderr);
    assert_eq!(pod(" , ").run(&[]).calls, ["server server.py"]);
}

// case 54
#[test]
fn a_package_manager_that_fails_ends_the_run() {
    let run = ScriptPod::new().set("OS_PACKAGES", "a,b").with("apk", "echo 'no such package' >&2; exit 7").run(&[]);
    assert_eq!((run.code, &run.calls[..]), (Some(1), &["apk add --no-cache a b".to_owned()][..]));
    let line = "OS_PACKAGES: `apk add` failed with exit code 7, so a, b cannot be installed";
    assert!(run.stderr.contains(line) && run.stderr.contains("no such package"), "{}", run.stderr);
}

// case 56
#[test]
fn without_apk_it_is_apt_get_and_without_both_an_error() {
    let pod = ScriptPod::new().set("OS_PACKAGES", "a,b");
    let run = pod.run(&[]);
    run.refused(1, "OS_PACKAGES: this system has neither apk nor apt-get to install a, b with");
    assert!(run.stderr.contains("use an image"), "{}", run.stderr);
    let run = pod.with("apt-get", "[ \"$DEBIAN_FRONTEND\" = noninteractive ] || exit 9").run(&[]);
    let install = "apt-get install -y --no-install-recommends a b";
    assert_eq!(run.calls, ["apt-get update", install, "server server.py"], "{}", run.stderr);
}

// case 57
#[test]
fn packages_of_the_system_come_before_those_of_python() {
    let pod = ScriptPod::new().set("OS_PACKAGES", "a").set("PACKAGES", "demo[x]<2,>=1").with("apk", "").with("uv", UV);
    let run = pod.run(&["-v"]);
    let programs: Vec<&str> = run.calls.iter().filter_map(|call| call.split(' ').next()).collect();
    assert_eq!(programs, ["apk", "uv", "uv", "uv", "server"], "{}", run.stderr);
    assert!(run.stderr.contains("asked: demo[x]>=1,<2"), "{}", run.stderr);
    let installed = std::fs::read_to_string(pod.root().join("work/installed")).unwrap();
    assert_eq!(installed, "demo==1.0", "what the runtime has at that version is not installed again");
}

// E6
#[test]
fn packages_that_the_runtime_has_start_nothing() {
    let run = ScriptPod::new().set("PACKAGES", "six>=1,<2,,SIX").with("uv", UV).with("pip", "").run(&[]);
    assert_eq!(run.calls, ["server server.py"]);
    assert!(run.stderr.contains("1.17.0 is in the runtime"), "{}", run.stderr);
}

#[test]
fn an_overlay_that_is_there_is_used_again() {
    let pod = ScriptPod::new().set("PACKAGES", "demo").with("uv", UV);
    assert_eq!(pod.run(&[]).calls.len(), 4);
    assert_eq!(pod.run(&[]).calls, ["server server.py"]);
}

// E8
#[test]
fn an_index_that_fails_ends_in_one_error_with_the_names() {
    let uv = "case $1 in --version) echo 'uv 0.13.9' ;; *) echo 'error: the index is away' >&2; exit 2 ;; esac";
    let run = ScriptPod::new().set("PACKAGES", "six,demo>=1,other").with("uv", uv).run(&[]);
    assert_eq!(run.code, Some(1));
    let error = "PACKAGES: demo>=1, other cannot be installed: the index is away";
    assert_eq!(run.stderr.matches(error).count(), 1, "{}", run.stderr);
    assert!(!run.calls.iter().any(|call| call.starts_with("server")));
}

#[test]
fn the_server_finds_its_modules_and_its_settings() {
    let pod = ScriptPod::new().set("NUM_WORKERS", "3").set("ETL_FQN_ROOTS", "/ais:/data").set("PYTHONPATH", "/mine");
    let body = r#"echo "$PWD|$PYTHONPATH|$NUM_WORKERS $ETL_PORT $ETL_LOAD_TIMEOUT $ETL_PRELOAD $ETL_FQN_ROOTS"; ls"#;
    pod.script_doing("runtime/bin/python3", "server", &body.replace("ls", "for file in *; do echo \"$file\"; done"));
    let run = pod.run(&[]);
    let mut lines = run.stdout.lines();
    let parts: Vec<&str> = lines.next().unwrap().split('|').collect();
    assert_eq!(parts[1], format!("{}:/mine", parts[0]));
    assert_eq!(parts[2], "3 8000 30 true /ais:/data");
    assert_eq!(
        lines.collect::<Vec<_>>(),
        ["guarded_requests.py", "lazy_packages.py", "pickled_code.py", "pydist_etl.py", "server.py"]
    );
}

#[test]
fn the_module_that_registers_classes_is_written_where_it_is_wanted() {
    let pod = ScriptPod::new();
    assert_eq!(pod.run(&["module", "--to", "client"]).code, Some(0));
    let text = std::fs::read_to_string(pod.root().join("client/pydist_etl.py")).unwrap();
    assert!(text.contains("def init_class("));
}

//! What is called, in which order, and how the server is started.

use std::path::PathBuf;

use testkit::WheelBuilder;
use vocab::Digest;

use super::ScriptPod;

/// A resolver that answers everything with `demo` 1.0, a wheel beside it, and `six` 1.17.0. What it is asked goes to `asked`.
pub fn with_uv(pod: ScriptPod) -> ScriptPod {
    let wheel = WheelBuilder::new("demo", "1.0").file("demo.py", "").build();
    wheel.write_to(&pod.root().join("index"));
    let row = |name: &str, version: &str, file_name: &str, sha256: &Digest| {
        let url = format!("file://{}", pod.root().join("index").join(file_name).display());
        format!(
            "[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n\
             wheels = [{{ url = \"{url}\", hashes = {{ sha256 = \"{sha256}\" }} }}]\n"
        )
    };
    let six = row("six", "1.17.0", "six-1.17.0-py3-none-any.whl", &Digest::of("six"));
    let lock = format!("lock-version = \"1.0\"\n{}{six}", row("demo", "1.0", &wheel.file_name, &wheel.sha256()));
    let lock = testkit::write(pod.root(), "lock.toml", lock);
    let asked = pod.root().join("asked");
    let body = format!(
        "case \"$*\" in --version) echo 'uv 0.13.9' ;; *' pip compile '*) cat pyproject.toml >'{}'; cat '{}' >pylock.toml; \
         echo \"cache: $UV_CACHE_DIR.\" >>'{}' ;; esac",
        asked.display(),
        lock.display(),
        asked.display()
    );
    pod.with("uv", &body)
}

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
    let pod = with_uv(ScriptPod::new().set("OS_PACKAGES", "a").set("PACKAGES", "demo[x]<2,>=1").with("apk", ""));
    let run = pod.run(&["-v"]);
    let programs: Vec<&str> = run.calls.iter().filter_map(|call| call.split(' ').next()).collect();
    // The runtime's interpreter, which later serves, is asked for its version in between.
    assert_eq!(programs, ["apk", "uv", "server", "uv", "server"], "{}", run.stderr);
    assert!(asked(&pod).contains("demo[x]>=1,<2"), "{}", asked(&pod));
    let overlay = overlay(&pod);
    assert!(overlay.join("demo.py").is_file() && overlay.join("demo-1.0.dist-info/RECORD").is_file());
    assert!(!overlay.join("six.py").exists(), "what the runtime has at that version is not installed again");
    let installer = std::fs::read_to_string(overlay.join("demo-1.0.dist-info/INSTALLER")).unwrap();
    assert_eq!(installer.trim(), "pydist", "as a delta is installed");
}

/// What uv was asked, and its UV_CACHE_DIR.
fn asked(pod: &ScriptPod) -> String {
    std::fs::read_to_string(pod.root().join("asked")).unwrap()
}

/// The only one of the pod.
pub fn overlay(pod: &ScriptPod) -> PathBuf {
    let entries = std::fs::read_dir(pod.root().join("work")).unwrap();
    let mut overlays = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("overlay-")));
    let overlay = overlays.next().unwrap();
    assert_eq!(overlays.next(), None);
    overlay
}

// E6
#[test]
fn packages_that_the_runtime_has_start_nothing() {
    let run = with_uv(ScriptPod::new().set("PACKAGES", "six>=1,<2,,SIX").with("pip", "")).run(&[]);
    assert_eq!(run.calls, ["server server.py"]);
    assert!(run.stderr.contains("1.17.0 is in the runtime"), "{}", run.stderr);
}

#[test]
fn an_overlay_that_is_there_is_used_again() {
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo"));
    assert_eq!(pod.run(&[]).calls.len(), 4);
    assert_eq!(pod.run(&[]).calls, ["server server.py"]);
}

#[test]
fn an_overlay_that_was_made_for_another_runtime_is_not_used() {
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo"));
    let site = "runtime/lib/python3.12/site-packages";
    assert_eq!(pod.run(&[]).calls.len(), 4);
    testkit::write(pod.root(), &format!("{site}/newer-1.dist-info/METADATA"), "Name: newer\nVersion: 1\n");
    assert_eq!(pod.run(&[]).calls.len(), 4, "another distribution");
    testkit::write(pod.root(), "runtime/pydist.json", "{}");
    assert_eq!(pod.run(&[]).calls.len(), 4, "another build");
    assert_eq!(pod.run(&[]).calls, ["server server.py"]);
}

// E8
#[test]
fn an_index_that_fails_ends_in_one_error_with_the_names() {
    let uv = "case $1 in --version) echo 'uv 0.13.9' ;; *) echo 'error: the index is away' >&2; exit 2 ;; esac";
    let run = ScriptPod::new().set("PACKAGES", "six,demo>=1,other").with("uv", uv).run(&[]);
    assert_eq!(run.code, Some(1));
    let error = "PACKAGES: demo>=1, other cannot be installed: uv could not resolve: the index is away";
    assert_eq!(run.stderr.matches(error).count(), 1, "{}", run.stderr);
    assert!(!run.calls.iter().any(|call| call == "server server.py"));
}

#[test]
fn a_wheel_that_is_not_what_the_index_says_ends_in_one_error_with_the_names() {
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo>=1"));
    let wheel = pod.root().join("index/demo-1.0-py3-none-any.whl");
    std::fs::write(&wheel, "another").unwrap();
    let run = pod.run(&[]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.stderr.matches("PACKAGES: demo>=1 cannot be installed").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("demo-1.0-py3-none-any.whl"), "{}", run.stderr);
    assert!(!run.calls.iter().any(|call| call == "server server.py"));
}

#[test]
fn a_store_that_can_only_be_read_serves_what_it_has() {
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo"));
    let store = pod.root().join("warm").display().to_string();
    let pod = pod.set("PYDIST_STORE", &store);
    assert_eq!(pod.run(&[]).code, Some(0));
    let before = testkit::files_below(&pod.root().join("warm"));
    std::fs::remove_dir_all(pod.root().join("work")).unwrap();
    std::fs::remove_dir_all(pod.root().join("index")).unwrap();
    let run = pod.run_beside_read_only("warm");
    assert_eq!((run.code, run.calls.len()), (Some(0), 4), "{}", run.stderr);
    assert_eq!(run.stderr.matches("can only be read").count(), 1, "{}", run.stderr);
    assert!(overlay(&pod).join("demo.py").is_file());
    assert_eq!(testkit::files_below(&pod.root().join("warm")), before);
}

// As in Kubernetes with an arbitrary user: HOME is unset, or leads to what cannot be written.
#[test]
fn a_store_that_cannot_be_written_is_below_the_folder_for_work() {
    for home in [None, Some("/proc/none"), Some("a-file/below")] {
        let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo"));
        testkit::write(pod.root(), "a-file", "");
        let pod = match home {
            None => pod.unset("HOME"),
            Some(home) => pod.set("HOME", home),
        };
        let run = pod.run(&[]);
        assert_eq!((run.code, run.calls.len()), (Some(0), 4), "{home:?}: {}", run.stderr);
        assert!(pod.root().join("work/store/CACHEDIR.TAG").is_file(), "{home:?}");
        assert!(overlay(&pod).join("demo.py").is_file());
        assert_eq!(run.stderr.matches("cannot be used").count(), usize::from(home.is_some()), "{}", run.stderr);
        assert!(asked(&pod).contains("work/uv-cache."), "uv's cache, too");
    }
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo").set("HOME", "/proc/none").set("PYDIST_STORE", "store"));
    let run = pod.run(&[]);
    assert_eq!((run.code, run.stderr.contains("cannot be used")), (Some(0), false), "{}", run.stderr);
    assert!(pod.root().join("store/CACHEDIR.TAG").is_file() && asked(&pod).contains("work/uv-cache."));
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo"));
    assert_eq!(
        (pod.run(&[]).code, asked(&pod).contains("cache: .")),
        (Some(0), true),
        "a user with a home keeps uv's own"
    );
}

#[test]
fn where_nothing_can_be_written_one_error_names_the_variables() {
    let pod = with_uv(ScriptPod::new().set("PACKAGES", "demo"));
    testkit::write(pod.root(), "a-file", "");
    let run = pod.set("HOME", "/proc/none").set("ETL_WORK", "a-file/work").run(&[]);
    assert_eq!(run.code, Some(1));
    assert!(run.calls.is_empty(), "{:?}", run.calls);
    for text in ["/proc/none", "a-file/work", "ETL_WORK", "PYDIST_STORE"] {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
}

#[test]
fn the_server_finds_its_modules_and_its_settings() {
    let pod = ScriptPod::new().set("NUM_WORKERS", "3").set("ETL_FQN_ROOTS", "/ais:/data").set("PYTHONPATH", "/mine");
    // Of the settings of malloc, the pod's own stands.
    let pod = pod.set("MALLOC_ARENA_MAX", "7");
    let body = r#"echo "$PWD|$PYTHONPATH|$NUM_WORKERS $ETL_PORT $ETL_LOAD_TIMEOUT $ETL_PRELOAD $ETL_FQN_ROOTS|$MALLOC_ARENA_MAX $MALLOC_TRIM_THRESHOLD_"; ls"#;
    pod.script_doing("runtime/bin/python3", "server", &body.replace("ls", "for file in *; do echo \"$file\"; done"));
    let run = pod.run(&[]);
    let mut lines = run.stdout.lines();
    let parts: Vec<&str> = lines.next().unwrap().split('|').collect();
    assert_eq!(parts[1], format!("{}:/mine", parts[0]));
    assert_eq!(parts[2], "3 8000 30 true /ais:/data");
    assert_eq!(parts[3], "7 16777216");
    assert_eq!(
        lines.collect::<Vec<_>>(),
        ["guarded_requests.py", "import_ahead.py", "lazy_packages.py", "pickled_code.py", "pydist_etl.py", "server.py"]
    );
}

#[test]
fn the_module_that_registers_classes_is_written_where_it_is_wanted() {
    let pod = ScriptPod::new();
    assert_eq!(pod.run(&["module", "--to", "client"]).code, Some(0));
    let text = std::fs::read_to_string(pod.root().join("client/pydist_etl.py")).unwrap();
    assert!(text.contains("def init_class("));
}

//! Distributions from archives and folders: what is installed, what is compared at each start, what is refused.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::site::{PYTHON, Site, assert_refused, told};

const FILES: [(&str, &[u8]); 2] = [("bin/python3", PYTHON.as_bytes()), ("lib/a.py", b"x = 1\n")];

fn site() -> Site {
    let site = Site::new();
    site.tar("res/pydist-k-1-linux.tar.gz", &FILES);
    site
}

fn ready(site: &Site, words: &[&str]) -> String {
    let (code, stdout, stderr) = site.run(&[&["prepare"], words].concat());
    assert_eq!((code, Path::new(&stdout)), (0, &*site.path("dists/k-1")), "{stderr}");
    site.assert_tidy();
    stderr
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// Changes bytes and keeps size and time.
fn damage(path: &Path) {
    let before = modified(path);
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
}

/// PEL 20
#[test]
fn pel_20_the_first_start_extracts_and_the_second_writes_nothing() {
    let site = site();
    let said = ready(&site, &["k:1"]);
    let archive = site.path("res/pydist-k-1-linux.tar.gz");
    let line = format!("INFO: Python distribution k:1: Archive from {}", archive.display());
    assert!(said.contains("installing k:1 from") && said.contains(&line), "{said}");
    let record = site.path("dists/k-1/.pydist-loader/install.json");
    let (first, folder) = (modified(&record), modified(&site.path("dists/k-1")));
    std::thread::sleep(Duration::from_millis(20));
    let said = ready(&site, &["k:1"]);
    assert!(!said.contains("installing") && said.contains(&line), "{said}");
    assert_eq!((modified(&record), modified(&site.path("dists/k-1"))), (first, folder));
    let ready = &site.json(&["prepare", "k:1"])[0];
    assert_eq!((&ready["mode"], &ready["installed"]), (&"archive".into(), &false.into()));
    assert_eq!(ready["facts"]["version"], "3.12.1");
}

/// PEL 21
#[test]
fn pel_21_a_changed_byte_is_found_and_repaired_as_closely_as_was_asked() {
    let site = site();
    ready(&site, &["k:1"]);
    let file = site.path("dists/k-1/lib/a.py");
    for (depth, is_noticed) in [("none", false), ("fast", false), ("full", true)] {
        damage(&file);
        let said = ready(&site, &["k:1", "--set", &format!("loader.verify={depth}")]);
        assert_eq!(said.contains("W_DIST_REPAIRED"), is_noticed, "{depth}: {said}");
        if is_noticed {
            assert!(said.contains("`lib/a.py` was changed"), "{said}");
            assert_eq!(fs::read(&file).unwrap(), b"x = 1\n");
        } else {
            damage(&file);
        }
    }
    fs::remove_file(&file).unwrap();
    assert!(ready(&site, &["k:1", "--set", "loader.verify=fast"]).contains("`lib/a.py` is missing"));
}

/// The archive of a Python that says where it is, and notes each start in a file.
fn noted(site: &Site) -> impl Fn() -> usize {
    let (starts, archive) = (site.path("starts"), "res/pydist-k-1-linux.tar.gz");
    let script = format!(
        "#!/bin/sh\necho start >> '{}'\nfolder=$(cd \"${{0%/*}}/..\" && pwd)\nprintf '{}' \"$folder\"\n",
        starts.display(),
        r#"{"version": "3.12.1", "system": "linux", "processor": "x86_64", "prefix": "%s"}"#
    );
    site.tar(archive, &[("bin/python3", script.as_bytes()), FILES[1]]);
    move || fs::read_to_string(&starts).unwrap_or_default().lines().count()
}

#[test]
fn an_unchanged_python_is_asked_once_wherever_it_stands() {
    let site = Site::new();
    let starts = noted(&site);
    ready(&site, &["k:1"]);
    assert_eq!(starts(), 1);
    for depth in ["none", "fast", "full"] {
        let ready = &site.json(&["prepare", "k:1", "--set", &format!("loader.verify={depth}")])[0];
        let (facts, prefix) = (&ready["facts"], site.path("dists/k-1").display().to_string());
        assert_eq!((&facts["version"], &facts["prefix"]), (&"3.12.1".into(), &prefix.into()), "{ready}");
    }
    fs::rename(site.path("dists"), site.path("moved")).unwrap();
    let mut command = site.command(&["prepare", "k:1", "--json"]);
    let (_, stdout, _) = told(&command.env("PYSDK_PEL_DIST_LOC", site.path("moved")).output().unwrap());
    assert!(stdout.contains(&format!("\"prefix\":\"{}\"", site.path("moved/k-1").display())), "{stdout}");
    assert_eq!(starts(), 1);
}

#[test]
fn a_python_that_has_changed_is_asked_or_installed_again() {
    let site = Site::new();
    let starts = noted(&site);
    ready(&site, &["k:1"]);
    let python = site.path("dists/k-1/bin/python3");
    let mut text = fs::read_to_string(&python).unwrap();
    text = text.replace("3.12.1", "3.12.3");
    fs::write(&python, text).unwrap();
    // The time differs, so the file is read.
    File::options().write(true).open(&python).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let version = |depth: &str| {
        let ready = site.json(&["prepare", "k:1", "--set", &format!("loader.verify={depth}")]);
        ready.last().unwrap()["facts"]["version"].as_str().unwrap().to_owned()
    };
    assert_eq!((version("none").as_str(), starts()), ("3.12.3", 2));
    assert_eq!((version("fast").as_str(), starts()), ("3.12.1", 3));
    assert_eq!((version("fast").as_str(), starts()), ("3.12.1", 3));
}

/// Added files are no damage, but this one leads Python to another place.
#[test]
fn a_python_that_became_an_environment_is_asked() {
    let site = Site::new();
    let starts = noted(&site);
    ready(&site, &["k:1"]);
    for (place, expected) in [("bin/pyvenv.cfg", 2), ("pyvenv.cfg", 3), ("lib/pyvenv.cfg", 3)] {
        site.write(&format!("dists/k-1/{place}"), "home = /usr/bin\n");
        let said = ready(&site, &["k:1"]);
        assert_eq!((starts(), said.contains("W_DIST")), (expected, false), "{place}: {said}");
        fs::remove_file(site.path(&format!("dists/k-1/{place}"))).unwrap();
    }
}

/// What such a Python writes at its first start belongs to the distribution.
#[test]
fn a_python_that_finishes_its_tree_at_its_first_start_is_not_repaired_for_it() {
    let site = Site::new();
    let archive = "res/pydist-k-1-linux.tar.gz";
    let finish = "#!/bin/sh\ncd \"${0%/*}/..\"\ngrep -q done lib/a.py || echo 'x = \"done\"' > lib/a.py\n";
    let script = format!("{finish}{}", PYTHON.trim_start_matches("#!/bin/sh\n"));
    site.tar(archive, &[("bin/python3", script.as_bytes()), FILES[1]]);
    ready(&site, &["k:1"]);
    for depth in ["fast", "full"] {
        let said = ready(&site, &["k:1", "--set", &format!("loader.verify={depth}")]);
        assert!(!said.contains("W_DIST") && !said.contains("installing"), "{depth}: {said}");
    }
    let path = site.path("dists/k-1/lib/a.py");
    assert_eq!(fs::read_to_string(&path).unwrap(), "x = \"done\"\n");
    damage(&path);
    assert!(ready(&site, &["k:1"]).contains("`lib/a.py` was changed"));
}

/// Written by versions that asked at each start, and took SHA-256 of files.
#[test]
fn records_of_former_formats_are_read_their_python_asked_and_their_files_compared() {
    let site = Site::new();
    let starts = noted(&site);
    ready(&site, &["k:1"]);
    let path = site.path("dists/k-1/.pydist-loader/install.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!((&record["format"], &record["python"]["prefix"]), (&3.into(), &"".into()));
    for row in record["tree"]["files"].as_array_mut().unwrap() {
        let content = fs::read(site.path("dists/k-1").join(row["path"].as_str().unwrap())).unwrap();
        assert_eq!(row["blake3"], json!(vocab::Blake3::of(&content)));
        row.as_object_mut().unwrap().remove("blake3");
        row["sha256"] = json!(vocab::Digest::of(&content));
    }
    record.as_object_mut().unwrap().remove("blake3").unwrap();
    record["format"] = 2.into();
    fs::write(&path, record.to_string()).unwrap();
    let said = ready(&site, &["k:1", "--set", "loader.verify=full"]);
    assert_eq!((starts(), said.contains("installing")), (1, false), "{said}");
    record["format"] = 1.into();
    record.as_object_mut().unwrap().remove("python");
    fs::write(&path, record.to_string()).unwrap();
    for expected in [2, 3] {
        let said = ready(&site, &["k:1", "--set", "loader.verify=full"]);
        assert_eq!((starts(), said.contains("installing")), (expected, false), "{said}");
    }
    damage(&site.path("dists/k-1/lib/a.py"));
    assert!(ready(&site, &["k:1", "--set", "loader.verify=full"]).contains("`lib/a.py` was changed"));
}

/// The same command where the folder cannot be written: for root on a read-only mount of its own, since root may write
/// whatever the modes say.
#[cfg(target_os = "linux")]
fn read_only(command: &Command, folder: &Path) -> (i32, String, String) {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0";
    let mut wrapped = if is_root {
        let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" || exit 77; exec \"$@\"";
        let mut wrapped = Command::new("unshare");
        wrapped.args(["--mount", "sh", "-c", script]).arg(folder).arg(command.get_program());
        wrapped
    } else {
        assert!(Command::new("chmod").args(["-R", "a-w"]).arg(folder).status().unwrap().success());
        Command::new(command.get_program())
    };
    wrapped.args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    let output = wrapped.output();
    if !is_root {
        assert!(Command::new("chmod").args(["-R", "u+w"]).arg(folder).status().unwrap().success());
    }
    told(&output.unwrap())
}

/// PEL 22, PEL 23: on a folder that cannot be written.
#[cfg(target_os = "linux")]
#[test]
fn pel_22_a_folder_that_cannot_be_written_is_used_or_there_is_one_error() {
    if testkit::is_left_out("namespaces") {
        return;
    }
    let site = site();
    fs::create_dir(site.path("dists")).unwrap();
    let run = || read_only(&site.command(&["prepare", "k:1"]), &site.path("dists"));
    let place = format!("nothing can be written to `{}`: ", site.path("dists").display());
    let hint = "make it writable once, or install there with `pydist extension prepare` from an account that may write";
    assert_refused(&run(), 1, &["E_DIST_READONLY", &place, hint]);
    ready(&site, &["k:1"]);
    let (code, stdout, stderr) = run();
    assert_eq!((code, Path::new(&stdout)), (0, &*site.path("dists/k-1")), "{stderr}");
    // PEL 23
    site.tar("res/pydist-k-1-linux.tar.gz", &[FILES[0], ("lib/a.py", b"x = 2\n")]);
    let (code, _, stderr) = run();
    assert!(code == 0 && stderr.contains("W_DIST_STALE"), "{stderr}");
    damage(&site.path("dists/k-1/lib/a.py"));
    assert_refused(&run(), 4, &["E_DIST_DAMAGED", "`lib/a.py` was changed"]);
}

/// PEL 23
#[test]
fn pel_23_another_archive_under_the_same_name_is_installed() {
    let site = site();
    ready(&site, &["k:1"]);
    let build = || site.json(&["prepare", "k:1"])[0]["build"].as_str().unwrap().to_owned();
    let first = build();
    site.tar("res/pydist-k-1-linux.tar.gz", &[FILES[0], ("lib/a.py", b"x = 22\n")]);
    assert!(ready(&site, &["k:1"]).contains("its archive is another one"));
    // Servers of the one are not used for the other.
    assert_eq!((first.len(), build() == first), (64, false));
    assert_eq!(fs::read(site.path("dists/k-1/lib/a.py")).unwrap(), b"x = 22\n");
}

/// PEL 24
#[test]
fn pel_24_without_its_archive_a_folder_is_local_and_that_of_somebody_else_is_never_replaced() {
    let site = site();
    ready(&site, &["k:1"]);
    fs::remove_file(site.path("res/pydist-k-1-linux.tar.gz")).unwrap();
    assert!(ready(&site, &["k:1"]).contains("k:1: Local from"));
    damage(&site.path("dists/k-1/lib/a.py"));
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_DIST_DAMAGED"]);
    fs::remove_file(site.path("dists/k-1/.pydist-loader/install.json")).unwrap();
    assert_refused(&site.run(&["prepare", "k:1"]), 1, &["E_DIST_INCOMPLETE"]);

    let site = self::site();
    let foreign = site.write("dists/k-1/bin/python3", PYTHON);
    assert!(Command::new("chmod").arg("755").arg(&foreign).status().unwrap().success());
    assert!(ready(&site, &["k:1"]).contains("W_DIST_FOREIGN"));
    assert!(!site.path("dists/k-1/lib").exists());
}

/// PEL 25, as far as a kill leaves something: a staging folder of a dead process, a folder without a record.
#[test]
fn pel_25_what_a_killed_process_leaves_is_swept_and_installed_again() {
    let site = site();
    site.write("dists/.stage-0123456789abcdef/lock", "");
    site.write("dists/.stage-0123456789abcdef/tree/bin/python3", "half");
    site.write("dists/k-1/.pydist-loader/other", "");
    site.write("dists/k-1/half", "");
    ready(&site, &["k:1"]);
    assert!(!site.path("dists/k-1/half").exists() && site.path("dists/k-1/lib/a.py").exists());
}

/// PEL 26
#[test]
fn pel_26_of_two_processes_one_extracts_and_both_are_served() {
    let site = site();
    let mut processes = Vec::new();
    for _ in 0..4 {
        let mut command = site.command(&["prepare", "k:1", "--json"]);
        processes.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let outputs: Vec<_> = processes.into_iter().map(|process| told(&process.wait_with_output().unwrap())).collect();
    let of = |text: &str| outputs.iter().filter(|(code, stdout, _)| *code == 0 && stdout.contains(text)).count();
    assert_eq!((of("\"installed\":true"), of("\"installed\":false")), (1, 3), "{outputs:?}");
}

/// PEL 27
#[test]
fn pel_27_a_digest_beside_the_archive_decides_before_anything_of_it_is_used() {
    let site = Site::new();
    let starts = noted(&site);
    site.write("res/pydist-k-1-linux.tar.gz.sha256", format!("{}  pydist-k-1-linux.tar.gz\n", "0".repeat(64)));
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_CHECKSUM", ".sha256", "000000"]);
    assert!(!site.path("dists/k-1").exists() && starts() == 0);
    site.assert_tidy();
    site.write("res/pydist-k-1-linux.tar.gz.sha256", "nothing");
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_CHECKSUM", "does not hold a SHA-256"]);
    let digest = vocab::Digest::of(fs::read(site.path("res/pydist-k-1-linux.tar.gz")).unwrap());
    site.write("res/pydist-k-1-linux.tar.gz.sha256", format!("{digest}\n"));
    ready(&site, &["k:1"]);
    // The wrong digest explains what is wrong with the archive.
    let whole = fs::read(site.path("res/pydist-k-1-linux.tar.gz")).unwrap();
    site.write("res/pydist-k-2-linux.tar.gz", &whole[..whole.len() / 2]);
    site.write("res/pydist-k-2-linux.tar.gz.sha256", format!("{digest}\n"));
    assert_refused(&site.run(&["prepare", "k:2"]), 4, &["E_ARCHIVE_CHECKSUM"]);
}

/// PEL 28
#[test]
fn pel_28_what_is_not_the_archive_that_its_name_says_is_refused() {
    let site = Site::new();
    let whole = fs::read(site.tar("whole/k.tar.gz", &FILES)).unwrap();
    let tar = fs::read(site.tar("whole/k.tar", &FILES)).unwrap();
    let cases: [(&str, &[u8], &str); 4] = [
        ("pydist-k-1-linux.tar.gz", &whole[..whole.len() / 2], "E_ARCHIVE_CORRUPT"),
        ("pydist-k-1-linux.tar", b"", "E_ARCHIVE_FORMAT"),
        ("pydist-k-1-linux.zip", b"<html>not found</html>", "E_ARCHIVE_FORMAT"),
        ("pydist-k-1-linux.zip", &tar, "E_ARCHIVE_FORMAT"),
    ];
    for (name, bytes, code) in cases {
        let path = site.write(&format!("res/{name}"), bytes);
        assert_refused(&site.run(&["prepare", "k:1"]), 4, &[code, name]);
        assert!(!site.path("dists/k-1").exists());
        site.assert_tidy();
        fs::remove_file(path).unwrap();
    }
}

/// PEL 29
#[test]
fn pel_29_byte_code_is_not_damage() {
    let site = site();
    site.tar("res/pydist-k-1-linux.tar.gz", &[FILES[0], ("lib/__pycache__/a.pyc", b"code"), ("lib/b.pyc", b"code")]);
    ready(&site, &["k:1"]);
    site.write("dists/k-1/lib/__pycache__/b.pyc", "more");
    site.write("dists/k-1/lib/__pycache__/a.pyc", "other");
    fs::remove_file(site.path("dists/k-1/lib/b.pyc")).unwrap();
    assert!(!ready(&site, &["k:1"]).contains("W_DIST"));
}

/// PEL 30
#[test]
fn pel_30_one_folder_around_everything_is_taken_off_if_it_is_called_like_the_distribution() {
    for top in ["k", "k-1", "pydist-k-1-linux", "python"] {
        let site = Site::new();
        site.tar("res/pydist-k-1-linux.tar", &[(&format!("{top}/bin/python3"), PYTHON.as_bytes())]);
        ready(&site, &["k:1"]);
        assert!(site.path("dists/k-1/bin/python3").exists(), "{top}");
    }
    let site = Site::new();
    let two: [(&str, &[u8]); 2] = [("k/bin/python3", PYTHON.as_bytes()), ("other/x", b"")];
    site.zip("res/pydist-k-1-linux.zip", &two);
    assert_refused(&site.run(&["prepare", "k:1"]), 1, &["E_DIST_NO_PYTHON", "bin/python3, bin/python"]);
    assert!(!site.path("dists/k-1").exists());
}

/// PEL 7
#[test]
fn pel_7_a_tree_of_another_system_is_refused_whatever_its_name() {
    let windows: [(&str, &[u8]); 1] = [("python.exe", b"MZ")];
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    elf[18] = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
    let other: [(&str, &[u8]); 1] = [("bin/python3", &elf)];
    let manifest = br#"{"platform": "windows-x64"}"#;
    let said: [(&str, &[u8]); 2] = [FILES[0], ("pydist.json", manifest)];
    for files in [&windows[..], &other, &said] {
        let site = Site::new();
        site.tar("res/pydist-k-1-linux.tar.gz", files);
        assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_WRONG_PLATFORM", "this machine is linux-"]);
        assert!(!site.path("dists/k-1").exists());
        site.assert_tidy();
    }
}

#[test]
fn a_manifest_names_its_python_what_may_change_and_another_id() {
    let site = Site::new();
    let manifest = br#"{"key": "k", "version": "1", "python": "inner/py", "mutable": ["var"]}"#;
    let files: [(&str, &[u8]); 3] = [("inner/py", PYTHON.as_bytes()), ("pydist.json", manifest), ("var/x", b"1")];
    site.tar("res/pydist-k-1-linux.tar", &files);
    ready(&site, &["k:1"]);
    site.write("dists/k-1/var/x", "22");
    assert!(!ready(&site, &["k:1"]).contains("W_DIST"));
    site.tar("res/pydist-k-2-linux.tar", &files);
    assert_refused(&site.run(&["prepare", "k:2"]), 4, &["E_ARCHIVE_WRONG_ID", "says that it is k:1"]);
}

/// PEL 32, PEL 33, PEL 38: the rules are `archive`'s; here they end an installation without a trace.
#[test]
fn pel_32_a_hostile_archive_leaves_nothing() {
    let site = Site::new();
    for name in ["../evil", "a/../../evil", "/abs"] {
        site.zip("res/pydist-k-1-linux.zip", &[FILES[0], (name, b"x")]);
        assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_UNSAFE"]);
    }
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "lib", "/etc").unwrap();
    site.write("res/pydist-k-2-linux.tar", tar.into_inner().unwrap());
    assert_refused(&site.run(&["prepare", "k:2"]), 4, &["E_ARCHIVE_UNSAFE", "/etc"]);
    site.zip("res/pydist-k-3-linux.zip", &[FILES[0], ("lib/zeros", &vec![0; 40 << 20])]);
    assert_refused(&site.run(&["prepare", "k:3", "--set", "loader.maxExtractBytes=1000000"]), 4, &["E_ARCHIVE_LIMIT"]);
    assert!(!site.path("evil").exists() && !site.path("dists/k-1").exists());
    site.assert_tidy();
}

/// PEL 31
#[cfg(target_os = "linux")]
#[test]
fn pel_31_a_full_disk_is_an_error_that_leaves_nothing() {
    if testkit::is_left_out("namespaces") {
        return;
    }
    let site = Site::new();
    let noise: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    site.tar("res/pydist-k-1-linux.tar", &[FILES[0], ("lib/large", &noise)]);
    fs::create_dir(site.path("dists")).unwrap();
    let command = site.command(&["prepare", "k:1"]);
    let script = "mount -t tmpfs -o size=1m none \"$0\" || exit 77; \"$@\"; code=$?; ls -A \"$0\"; exit $code";
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "--map-root-user", "sh", "-c", script]).arg(site.path("dists"));
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    let (code, stdout, stderr) = told(&wrapped.output().unwrap());
    assert_eq!((code, stdout.as_str()), (1, ".locks"), "{stderr}");
    let disk = format!("the disk of `{}", site.path("dists").display());
    for words in ["E_DISK_FULL", &disk, "` is full", "make room there; nothing of the archive was left"] {
        assert!(stderr.contains(words), "no {words:?} in {stderr}");
    }
}

#[test]
fn a_python_that_does_not_run_or_is_too_old_is_no_distribution() {
    let cases = [
        ("#!/bin/sh\necho broken >&2; exit 3\n", "it ended with 3: broken"),
        ("#!/bin/sh\necho hello\n", "does not print what Python prints"),
        ("#!/nonexistent/python\n", "is not on this machine"),
        (
            "#!/bin/sh\necho '{\"version\": \"3.7.9\", \"system\": \"linux\", \"processor\": \"\", \"prefix\": \"\"}'\n",
            "3.7.9 is too old",
        ),
    ];
    for (script, words) in cases {
        let site = Site::new();
        site.tar("res/pydist-k-1-linux.tar", &[("bin/python3", script.as_bytes())]);
        assert_refused(&site.run(&["prepare", "k:1"]), 1, &["E_DIST_", words]);
        assert!(!site.path("dists/k-1").exists());
    }
}

//! `pydist list`, `which`, `run` and `default` on what `pydist get` installed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use catalogue::Channel;
use serde_json::Value;

use super::{Place, installed, refused, told};

/// A stand-in that says who it is, or runs a line of its shell.
pub const PYTHON: &str = "#!/bin/sh\nif [ \"$1\" = -c ]; then eval \"$2\"; else echo \"$0\" \"$@\"; fi\n";

impl Place {
    /// One build, with an interpreter.
    pub fn publish_runtime(&mut self, runtime: &'static str, build: &str, day: u32) -> PathBuf {
        self.runtime = runtime;
        self.program = Some(("bin/python3.12".to_owned(), PYTHON.to_owned()));
        self.publish_as("the same", build, day, Channel::Stable, true);
        installed(&self.get(&[]))
    }

    /// A command on the home; in a folder of its own, where no `.python-version` is.
    pub fn verb(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(arguments).current_dir(self.folder.path()).env("COLUMNS", "400");
        command.env("PYDIST_RUNTIMES", self.home()).env("NO_PROXY", "127.0.0.1").env_remove("PYDIST_FROM");
        command
    }

    pub fn say(&self, arguments: &[&str]) -> Output {
        self.verb(arguments).output().unwrap()
    }

    pub fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let (_, stdout, stderr) = told(&self.say(&[arguments, &["--json"]].concat()));
        let rows = stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} {stderr}")));
        rows.collect()
    }
}

pub fn name_of(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

#[test]
fn list_shows_every_build_with_its_size_and_what_is_wrong_with_it() {
    let mut place = Place::new();
    let (code, stdout, stderr) = told(&place.say(&["list"]));
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("no runtime is installed in") && stderr.contains("pydist get"), "{stderr}");
    assert!(!place.home().exists(), "nothing is created by looking");

    let old = place.publish_runtime("3.12.10-atls", "one", 1);
    let new = place.publish_runtime("3.12.10-atls", "two", 2);
    let plain = place.publish_runtime("3.12.9", "three", 3);
    // Somebody else's: a folder that is only named so, a file, a link.
    fs::create_dir(place.home().join("3.12.8-0123456789ab")).unwrap();
    fs::write(place.home().join("3.12.8-0123456789ac"), "").unwrap();
    std::os::unix::fs::symlink(&plain, place.home().join("3.12.8-0123456789ad")).unwrap();
    // Shared by two builds, as after an update.
    fs::remove_file(old.join("bin/thing")).unwrap();
    fs::hard_link(new.join("bin/thing"), old.join("bin/thing")).unwrap();
    fs::remove_file(plain.join("bin/thing")).unwrap();
    assert_eq!(told(&place.say(&["default", "3.12-atls"])).0, 0);

    let (code, stdout, stderr) = told(&place.say(&["list"]));
    assert_eq!(code, 0, "{stderr}");
    let lines: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["version", "build", "state", "size", "channel", "from"]);
    assert_eq!(lines.len(), 4, "{stdout}");
    assert!(stdout.contains("current, 1 file damaged"), "{stdout}");
    assert!(stdout.contains("current, default") && stdout.contains("not current"), "{stdout}");
    assert!(stderr.contains("3 builds in "), "{stderr}");

    let rows = place.rows(&["list"]);
    let of = |folder: &Path| rows.iter().find(|row| row["path"] == folder.to_str().unwrap()).unwrap();
    assert_eq!((&of(&new)["current"], &of(&new)["default"]), (&Value::from(true), &Value::from(true)));
    assert_eq!((&of(&old)["current"], &of(&old)["state"]), (&false.into(), &"intact".into()));
    assert_eq!((&of(&plain)["state"], &of(&plain)["problem"]), (&"damaged".into(), &"1 file damaged".into()));
    assert_eq!(of(&new)["from"], place.root().to_str().unwrap());
    assert_eq!(of(&new)["channel"], "stable");
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    let shared = "the same".len() as u64;
    assert_eq!(number(of(&old), "size") - number(of(&old), "freed_if_removed"), shared);
    let total = rows.last().unwrap();
    let sum: u64 = [&old, &new, &plain].map(|folder| number(of(folder), "size")).iter().sum();
    assert_eq!((total["event"].as_str(), number(total, "size")), (Some("listed"), sum - shared));
    assert_eq!((total["default"].as_str(), number(total, "builds")), (Some("3.12-atls"), 3));
}

#[test]
fn what_a_source_offers_is_listed_beside_what_is_installed() {
    let mut place = Place::new();
    place.publish_runtime("3.12.10-atls", "old", 1);
    place.publish_as("the same", "new", 2, Channel::Stable, true);
    place.runtime = "3.12.9";
    place.publish_as("the same", "other", 3, Channel::Candidate, true);
    let root = place.root().display().to_string();
    let available = ["list", "--available", "--platform", "linux-x64", "--from", &root];
    let rows = place.rows(&available);
    let facts = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (text("event"), text("version"), text("channel"), row["installed"] == true, row["current"] == true)
    };
    let row = |version: &str, channel: &str, is_here: bool| {
        ("offered".to_owned(), version.to_owned(), channel.to_owned(), is_here, is_here)
    };
    // The newest build, of which another one is installed.
    assert_eq!(rows.iter().map(facts).collect::<Vec<_>>(), [row("3.12.10-atls", "stable", false)]);
    place.runtime = "3.12.10-atls";
    installed(&place.get(&[]));
    let all = place.rows(&[&available[..], &["--channel", "candidate"]].concat());
    let expected = [row("3.12.9", "candidate", false), row("3.12.10-atls", "stable", true)];
    assert_eq!(all.iter().map(facts).collect::<Vec<_>>(), expected);

    let key = place.pair.pk.to_base64();
    let (code, stdout, stderr) = told(&place.say(&[&available[..], &["--public-key", &key]].concat()));
    assert_eq!((code, stdout.lines().count()), (0, 2), "{stderr}");
    assert!(stderr.contains("1 version for linux-x64 from "), "{stderr}");
    let other = minisign::KeyPair::generate_unencrypted_keypair().unwrap().pk.to_base64();
    let distrusted = place.say(&[&available[..], &["--public-key", &other]].concat());
    refused(&distrusted, 4, &["E_GET_SIGNATURE", "cannot list what", "linux-x64"]);
    refused(&place.say(&["list", "--from", &root]), 2, &["--available"]);
    let nowhere = place.folder.path().join("nowhere").display().to_string();
    refused(&place.say(&["list", "--available", "--from", &nowhere]), 1, &["cannot list what", "nowhere"]);
    let none = place.say(&["list", "--available", "--platform", "windows-x64", "--from", &root]);
    assert!(told(&none).2.contains("offers nothing for windows-x64 in the channel stable"), "{none:?}");
}

#[test]
fn list_names_what_is_unfinished_gone_or_without_a_record() {
    let mut place = Place::new();
    let one = place.publish_runtime("3.12.10-atls", "one", 1);
    let two = place.publish_runtime("3.12.10-atls", "two", 2);
    let three = place.publish_runtime("3.12.9", "three", 3);
    fs::remove_dir_all(&one).unwrap();
    let record = |folder: &Path| place.home().join(format!(".installed/{}.json", name_of(folder)));
    fs::write(record(&two), "{\"format\": 1").unwrap();
    fs::remove_file(record(&three)).unwrap();
    fs::create_dir_all(place.home().join(".stage-Ab12Cd/tree")).unwrap();
    fs::write(place.home().join(".stage-Ab12Cd/tree/x"), "12345").unwrap();
    fs::create_dir_all(place.home().join(".partial")).unwrap();
    fs::write(place.home().join(".partial/x.part"), "123").unwrap();
    fs::write(place.home().join(".default.json"), "nonsense").unwrap();
    let (code, stdout, stderr) = told(&place.say(&["list"]));
    assert_eq!(code, 0, "{stderr}");
    for words in ["its folder is gone", "its record cannot be read", "not installed by pydist"] {
        assert!(stdout.contains(words), "no {words:?} in {stdout}");
    }
    for words in ["E_RUNTIME_DEFAULT", "5 B are left of 1 interrupted command; `pydist prune`", "3 B of an interrupted"]
    {
        assert!(stderr.contains(words), "no {words:?} in {stderr}");
    }
    assert_eq!(place.rows(&["list"]).last().unwrap()["remains"]["unfinished"], 1);
}

#[test]
fn which_prints_one_path_or_says_what_is_installed() {
    let mut place = Place::new();
    refused(&place.say(&["which", "3.12"]), 2, &["E_RUNTIME_NONE", "pydist get"]);
    let atls = place.publish_runtime("3.12.10-atls", "one", 1);
    let newer = place.publish_runtime("3.12.10-atls", "two", 2);
    let plain = place.publish_runtime("3.12.9", "three", 3);
    let which = |text: &str| installed(&place.say(&["which", text]));
    for (text, folder) in [
        ("3.12-atls", &newer),
        ("3.12.10-atls", &newer),
        (name_of(&atls), &atls),
        ("latest", &plain),
        ("3", &plain),
        ("3.12.9", &plain),
    ] {
        assert_eq!(which(text), folder.join("bin/python3.12"), "for {text}");
    }
    let row = &place.rows(&["which", "3.12"])[0];
    assert_eq!(
        (&row["event"], &row["version"], &row["asked_by"]),
        (&"interpreter".into(), &"3.12.9".into(), &"command line".into())
    );

    refused(
        &place.say(&["which", "3.13"]),
        2,
        &["E_RUNTIME_NOT_INSTALLED", "`3.13` is not installed; installed: 3.12.9, 3.12.10-atls", "`pydist get 3.13`"],
    );
    refused(&place.say(&["which", "3.12-atsl"]), 2, &["write `3.12.10-atls`"]);
    refused(&place.say(&["which", "v3"]), 2, &["does not name a runtime", "3.12-atls"]);
    refused(&place.say(&["which", "../x"]), 2, &["does not name a runtime"]);
    fs::remove_file(place.home().join("3.12.10-atls-current")).unwrap();
    refused(
        &place.say(&["which", "3.12-atls"]),
        2,
        &[
            "E_RUNTIME_NO_CURRENT",
            "no build of 3.12.10-atls is current; installed: ",
            name_of(&atls),
            name_of(&newer),
            "`pydist get 3.12.10-atls` makes one current; or write the name of a build",
        ],
    );
    fs::remove_file(plain.join("bin/python3.12")).unwrap();
    refused(&place.say(&["which", "3.12"]), 4, &["E_RUNTIME_DAMAGED", "` is damaged: ", "run `pydist repair 3.12.9-"]);
}

#[test]
fn a_version_file_comes_before_the_default_and_the_command_line_before_both() {
    let mut place = Place::new();
    let atls = place.publish_runtime("3.12.10-atls", "one", 1).join("bin/python3.12");
    let plain = place.publish_runtime("3.12.9", "two", 2).join("bin/python3.12");
    refused(
        &place.say(&["which"]),
        2,
        &[
            "E_RUNTIME_NO_VERSION",
            "no version was given, no `.python-version` file names one, and there is no default",
            "write a version, or set one with `pydist default VERSION`",
        ],
    );
    assert_eq!(told(&place.say(&["default", "3.12"])).0, 0);
    assert_eq!(installed(&place.say(&["which"])), plain);

    let project = place.folder.path().join("a project/src");
    fs::create_dir_all(&project).unwrap();
    let file = project.parent().unwrap().join(".python-version");
    fs::write(&file, "# ours\n3.12-atls\n").unwrap();
    let there = |arguments: &[&str]| place.verb(arguments).current_dir(&project).output().unwrap();
    assert_eq!(installed(&there(&["which"])), atls);
    assert_eq!(installed(&there(&["which", "3.12"])), plain);
    fs::write(&file, "3.13\n").unwrap();
    refused(&there(&["which"]), 2, &["E_RUNTIME_NOT_INSTALLED", "which `", ".python-version` asks for"]);
    fs::write(&file, "pypy3.10\n").unwrap();
    refused(
        &there(&["which"]),
        2,
        &[
            "E_RUNTIME_VERSION_FILE",
            "asks for `pypy3.10`, which does not name a runtime",
            "write a version such as 3.12 or 3.12-atls in its first line, or name the version on the command line",
        ],
    );
    assert_eq!(installed(&there(&["which", "3.12"])), plain, "then the file is not read");
}

#[test]
fn default_keeps_what_was_written_and_follows_newer_versions() {
    let mut place = Place::new();
    refused(&place.say(&["default", "3.12"]), 2, &["E_RUNTIME_NONE"]);
    place.publish_runtime("3.12.9", "one", 1);
    refused(
        &place.say(&["default"]),
        2,
        &["E_RUNTIME_NO_DEFAULT", "there is no default", "set one with `pydist default VERSION`"],
    );
    refused(&place.say(&["default", "3.13"]), 2, &["E_RUNTIME_NOT_INSTALLED"]);
    refused(&place.say(&["default", "3.12", "--unset"]), 2, &["cannot be used with"]);
    let (code, stdout, stderr) = told(&place.say(&["default", "3.12"]));
    assert_eq!((code, stdout.as_str()), (0, "3.12"));
    assert!(stderr.contains("which is 3.12.9 in "), "{stderr}");
    let newer = place.publish_runtime("3.12.10", "two", 2);
    assert_eq!(installed(&place.say(&["which"])), newer.join("bin/python3.12"));
    let row = &place.rows(&["default"])[0];
    assert_eq!((&row["request"], &row["version"]), (&"3.12".into(), &"3.12.10".into()));

    let file = place.home().join(".default.json");
    fs::write(&file, "{\"format\":9,\"runtime\":\"3.12\"}").unwrap();
    refused(
        &place.say(&["which"]),
        2,
        &[
            "E_RUNTIME_DEFAULT",
            ".default.json` is not a default that this version of pydist can read: it has format 9",
            "set it again with `pydist default VERSION`, or remove the file",
        ],
    );
    assert_eq!(told(&place.say(&["default", "3.12.9"])).0, 0, "it can be set again");
    assert_eq!(told(&place.say(&["default", "--unset"])).0, 0);
    assert!(!file.exists());
    fs::create_dir(&file).unwrap();
    refused(
        &place.say(&["default", "3.12"]),
        1,
        &["E_RUNTIME_WRITE", "cannot write `", "make the folder writable, or name another one with --runtimes"],
    );
}

#[test]
fn a_home_that_cannot_be_written_can_be_used() {
    let mut place = Place::new();
    let folder = place.publish_runtime("3.12.9", "one", 1);
    fs::set_permissions(place.home(), fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write anywhere.
    let is_root = fs::write(place.home().join("probe"), "").is_ok();
    for command in
        [&["list"][..], &["which", "3.12"], &["verify"], &["run", "3.12", "--", "python3.12"], &["prune", "--dry-run"]]
    {
        let (code, _, stderr) = told(&place.say(command));
        assert_eq!(code, 0, "{command:?}: {stderr}");
    }
    if !is_root {
        refused(&place.say(&["default", "3.12"]), 1, &["E_RUNTIME_WRITE", "make the folder writable"]);
        refused(&place.say(&["remove", "3.12.9"]), 1, &["E_RUNTIME_WRITE"]);
        assert!(folder.join("bin/thing").is_file());
    }
    fs::set_permissions(place.home(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn run_starts_the_runtime_first_on_the_path_and_becomes_the_program() {
    let mut place = Place::new();
    let folder = place.publish_runtime("3.12.9", "one", 1);
    let python = folder.join("bin/python3.12");
    let run = |more: &[&str]| told(&place.say(&[&["run", "3.12", "--"], more].concat()));
    let (code, stdout, _) = run(&["python3.12", "a b", "--json", "-q", "*"]);
    assert_eq!((code, stdout), (0, format!("{} a b --json -q *", python.display())), "arguments pass as they are");
    assert_eq!(run(&["sh", "-c", "command -v python3.12"]).1, python.to_str().unwrap());
    assert_eq!(run(&["sh", "-c", "exit 77"]).0, 77);
    let ended = place.say(&["run", "3.12", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(ended.status.signal(), Some(15), "the program took the place of pydist");

    let show = ["run", "3.12", "--", "sh", "-c", "echo ${PYTHONHOME-none} ${VIRTUAL_ENV-none} $PYTHONPATH $OTHER"];
    let mut command = place.verb(&show);
    command.env("PYTHONHOME", "/usr").env("VIRTUAL_ENV", "/v").env("PYTHONPATH", "/mine").env("OTHER", "stays");
    assert_eq!(told(&command.output().unwrap()).1, "none none /mine stays");

    let own = place.folder.path().join("own program");
    fs::write(&own, "#!/bin/sh\ncat\n").unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    let mut child = place.verb(&["run", "3.12", "--", "./own program"]);
    child.stdin(fs::File::open(&own).unwrap());
    assert_eq!(told(&child.output().unwrap()), (0, "#!/bin/sh\ncat".to_owned(), String::new()), "a path, and input");

    refused(&place.say(&["run", "3.12", "--", "no-such-program"]), 1, &["E_PROGRAM_MISSING", "no-such-program"]);
    for words in [&["run", "3.12"][..], &["run", "3.12", "--"]] {
        refused(&place.say(words), 2, &["COMMAND"]);
    }
    refused(&place.say(&["run", "3.12", "python"]), 2, &["pydist run 3.12 -- python"]);
    refused(&place.say(&["run", "3.13", "--", "python"]), 2, &["E_RUNTIME_NOT_INSTALLED"]);
    fs::remove_file(&python).unwrap();
    refused(&place.say(&["run", "3.12", "--", "sh", "-c", "echo no"]), 4, &["E_RUNTIME_DAMAGED"]);
}

#[test]
fn an_interrupt_is_for_the_program_that_runs() {
    let mut place = Place::new();
    place.publish_runtime("3.12.9", "one", 1);
    let script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done";
    let mut child = place.verb(&["run", "3.12", "--", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

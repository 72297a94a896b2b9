//! A loader that is killed at each step of an installation, by what the step itself does: what a program is killed for that
//! writes too large a file, and a Python that kills who starts it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::site::{PYTHON, Site};

const KILL: i32 = 9;
/// Of a program that writes more than the limit on the size of its files.
const FILE_SIZE: i32 = 25;

/// Kills who starts it, unless the file `calm` is beside the folder for distributions.
fn killer(site: &Site) -> String {
    let calm = site.path("calm");
    PYTHON.replacen("#!/bin/sh\n", &format!("#!/bin/sh\n[ -e '{}' ] || kill -9 $PPID\n", calm.display()), 1)
}

/// `prepare k:1`, where no file may be larger than this many blocks (of 512 or 1,024 bytes).
fn limited(site: &Site, blocks: &str) -> Output {
    let command = site.command(&["prepare", "k:1"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f \"$0\"; exec \"$@\"", blocks]).arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell.output().unwrap()
}

fn is_whole(folder: &Path, file: &str, content: &[u8]) -> bool {
    fs::read(folder.join(file)).is_ok_and(|found| found == content)
        && folder.join(".pydist-loader/install.json").exists()
}

/// PEL 25
#[test]
fn pel_25_killed_at_any_step_nothing_half_is_at_the_place_and_the_next_start_recovers() {
    let large = vec![7; 200_000];
    let small: Vec<String> = (0..2500).map(|number| format!("lib/module_{number}.py")).collect();
    for former in [false, true] {
        // (step, most blocks of a file, by what it is killed)
        let steps = [
            ("files are laid out", "16", FILE_SIZE),
            ("its Python is tried", "unlimited", KILL),
            ("its record is written", "64", FILE_SIZE),
        ];
        for (step, blocks, signal) in steps {
            let site = Site::new();
            let (archive, target) = ("res/pydist-k-1-linux.tar.gz", site.path("dists/k-1"));
            if former {
                site.tar(archive, &[("bin/python3", PYTHON.as_bytes()), ("lib/first.py", b"the first")]);
                assert_eq!(site.run(&["prepare", "k:1"]).0, 0);
            }
            let killer = killer(&site);
            let python = if signal == KILL { killer.as_str() } else { PYTHON };
            let mut files: Vec<(&str, &[u8])> = vec![("bin/python3", python.as_bytes()), ("lib/a.py", b"the second")];
            match step {
                "files are laid out" => files.push(("lib/large", &large)),
                "its record is written" => files.extend(small.iter().map(|name| (name.as_str(), &b"x = 1\n"[..]))),
                _ => {}
            }
            site.tar(archive, &files);
            let output = limited(&site, blocks);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.signal(), Some(signal), "while {step}: {said}");
            match former {
                true => assert!(is_whole(&target, "lib/first.py", b"the first"), "while {step}"),
                false => assert!(!target.exists(), "while {step}"),
            }
            site.write("calm", "");
            let (code, stdout, stderr) = site.run(&["prepare", "k:1"]);
            assert_eq!((code, Path::new(&stdout)), (0, &*target), "after a kill while {step}: {stderr}");
            assert!(is_whole(&target, "lib/a.py", b"the second"), "after a kill while {step}");
            assert_eq!(site.run(&["verify", "k:1"]).0, 0, "after a kill while {step}");
            site.assert_tidy();
        }
    }
}

/// PEL 25: between the two moves that exchange a tree for another.
#[test]
fn pel_25_killed_between_two_moves_the_place_is_empty_and_filled_by_the_next_start() {
    let site = Site::new();
    site.tar("res/pydist-k-1-linux.tar.gz", &[("bin/python3", PYTHON.as_bytes()), ("lib/a.py", b"x")]);
    assert_eq!(site.run(&["prepare", "k:1"]).0, 0);
    let staged = site.path("dists/.stage-0123456789abcdef");
    site.write("dists/.stage-0123456789abcdef/lock", "");
    fs::rename(site.path("dists/k-1"), staged.join("former")).unwrap();
    let (code, _, stderr) = site.run(&["prepare", "k:1"]);
    assert!(code == 0 && is_whole(&site.path("dists/k-1"), "lib/a.py", b"x"), "{stderr}");
    site.assert_tidy();
}

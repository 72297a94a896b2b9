//! The program `pydist`: how what `installer` and `loader` do is asked for and shown.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod cluster;
#[cfg(unix)]
mod distributions;
#[cfg(target_os = "linux")]
mod engines;
#[cfg(unix)]
mod error_texts;
#[cfg(unix)]
mod extension_upkeep;
#[cfg(unix)]
mod extensions;
mod get_updates;
#[cfg(unix)]
mod hostile;
mod installed_texts;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(unix)]
mod loading;
#[cfg(unix)]
mod operators;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod readme;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod site;
mod sources;
#[cfg(unix)]
mod two_distributions;
#[cfg(unix)]
mod updates;
#[cfg(unix)]
mod upkeep;
#[cfg(unix)]
mod verbs;

use std::collections::BTreeSet;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use catalogue::{Channel, Retraction, object_keys};
use testkit::{HOSTILE_TEXT, HttpMishap, HttpServer, Published, assert_harmless, noise};

/// What was published, before the program.
struct Place(Published);

impl Deref for Place {
    type Target = Published;

    fn deref(&self) -> &Published {
        &self.0
    }
}

impl DerefMut for Place {
    fn deref_mut(&mut self) -> &mut Published {
        &mut self.0
    }
}

impl Place {
    fn new() -> Self {
        Self(Published::new())
    }

    /// `pydist` with these words, and a user who has remembered nothing yet.
    fn pydist(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(words).env("NO_PROXY", "127.0.0.1").env("COLUMNS", "400").env_remove("PYDIST_FROM");
        for name in ["HOME", "APPDATA", "XDG_CONFIG_HOME"] {
            command.env(name, self.folder.path().join("user"));
        }
        command
    }

    fn command(&self, from: &str, more: &[&str]) -> Command {
        let mut command = self.pydist(&["get", self.runtime, "--platform", "linux-x64", "--from", from, "--to"]);
        command.arg(self.home()).args(more);
        command
    }

    fn get_from(&self, from: &str, more: &[&str]) -> Output {
        self.command(from, more).output().unwrap()
    }

    fn get(&self, more: &[&str]) -> Output {
        self.get_from(self.root().to_str().unwrap(), more)
    }
}

/// Exit code, standard output, standard error.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn installed(output: &Output) -> PathBuf {
    let (code, stdout, stderr) = told(output);
    assert_eq!(code, 0, "{stderr}");
    PathBuf::from(stdout)
}

fn refused(output: &Output, code: i32, words: &[&str]) {
    let (actual, stdout, stderr) = told(output);
    assert_eq!((actual, stdout.as_str()), (code, ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in: {stderr}");
    }
}

#[test]
fn a_killed_get_leaves_nothing_half_written_and_the_next_one_goes_on() {
    let mut place = Place::new();
    let entry = place.publish(&noise(1), 1, Channel::Stable, false);
    let text = fs::read(place.root().join(entry.manifest.key.as_str())).unwrap();
    let parts = archive::read_manifest(&text).unwrap().artifact.unwrap().parts;
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let path = format!("/p/{}", entry.artifact.key);
    // The first part arrives and a little of the second; then the server is silent.
    server.next_time(&path, HttpMishap::CutAfter(parts[0].size as usize + 10));
    server.next_time(&path, HttpMishap::Delay(Duration::from_secs(600)));
    let url = server.url("/p");
    let mut killed = place.command(&url, &["--quiet"]).spawn().unwrap();
    while server.requests_of(&path).len() < 2 {
        assert_eq!(killed.try_wait().unwrap(), None, "it does not give up");
        thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let folder = installer::Home::new(place.home()).folder(&entry.runtime, &entry.build_key);
    assert!(!folder.exists());
    // As a kill in the middle of unpacking leaves it.
    fs::create_dir_all(place.home().join(".stage-Ab12Cd/tree")).unwrap();
    // Attack 1: what somebody keeps there under a name that only looks like ours, and what a link leads to.
    fs::create_dir_all(place.home().join(".stage-of-my-play")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(place.root(), place.home().join(".stage-Ab12Ce")).unwrap();

    let (code, out, told) = told(&place.get_from(&url, &["--json"]));
    assert_eq!(code, 0, "{told}");
    let got: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(got["resumed"], parts[0].size, "{got}");
    assert!(got["fetched"].as_u64().unwrap() < parts[0].size, "{got}");
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
    let names: BTreeSet<_> = fs::read_dir(place.home()).unwrap().map(|it| it.unwrap().file_name()).collect();
    let staged: Vec<_> = names.iter().filter(|name| name.to_string_lossy().starts_with(".stage-")).collect();
    assert_eq!(staged.len(), if cfg!(unix) { 2 } else { 1 }, "{names:?}");
    assert!(place.root().join("catalogue.json").is_file());
    assert_eq!(fs::read_dir(place.home().join(".partial")).unwrap().count(), 0);
}

#[test]
fn attack_7_neither_a_hostile_manifest_nor_a_hostile_catalogue_controls_a_terminal_or_a_runner() {
    let mut place = Place::new();
    place.hostile = true;
    let said = |place: &Place, more: &[&str], shown: bool| {
        for json in [&[][..], &["--json"]] {
            let from = place.root();
            let mut command = place.command(from.to_str().unwrap(), &[more, json].concat());
            let (_, stdout, stderr) = told(&command.env("GITHUB_ACTIONS", "true").output().unwrap());
            assert_harmless(&stdout);
            assert_harmless(&stderr);
            assert!(!shown || format!("{stdout}{stderr}").contains("set-output"), "{stdout}{stderr}");
        }
    };
    let first = place.publish("one", 1, Channel::Stable, true);
    said(&place, &[], false);
    fs::write(installer::Home::new(place.home()).folder(&first.runtime, &first.build_key).join("bin/thing"), "x")
        .unwrap();
    said(&place, &["--verify"], false);
    place.retractions.push(Retraction::new(first.id(), first.created, HOSTILE_TEXT.to_owned()));
    place.index();
    said(&place, &[], true);
    place.publish("two", 2, Channel::Stable, true);
    said(&place, &[], true);

    let catalogue = fs::read_to_string(place.root().join(object_keys::CATALOGUE)).unwrap();
    for pointer in ["/format", "/entries/0/runtime", "/entries/0/platform"] {
        let mut spoiled: serde_json::Value = serde_json::from_str(&catalogue).unwrap();
        let Some(value) = spoiled.pointer_mut(pointer) else { panic!("no {pointer} in {catalogue}") };
        *value = HOSTILE_TEXT.into();
        place.put(object_keys::CATALOGUE, spoiled.to_string());
        said(&place, &[], true);
    }
}

#[test]
fn get_says_what_it_did_and_whose_signature_it_verified() {
    let mut place = Place::new();
    let entry = place.publish(&noise(1), 1, Channel::Stable, true);
    refused(&place.get(&["--public-key", "nonsense"]), 2, &["E_GET_PUBLIC_KEY"]);
    let file = place.folder.path().join("pydist.pub");
    fs::write(&file, format!("untrusted comment: ours\n{}\n", place.key())).unwrap();
    let row = |output: &Output| -> serde_json::Value {
        let (code, out, said) = told(output);
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(out.lines().last().unwrap()).unwrap()
    };
    let got = row(&place.get(&["--public-key", file.to_str().unwrap(), "--json"]));
    let (signed, installed_now, by) = (&got["signed"], &got["installed"], &got["verified_by"]);
    assert_eq!((signed, installed_now, by), (&true.into(), &true.into(), &place.key().into()));
    assert_eq!((&got["event"], &got["manifest_sha256"]), (&"got".into(), &entry.manifest.sha256.to_string().into()));
    let (_, out, said) = told(&place.get(&[]));
    assert!(said.contains("3.12.10-atls is installed and up to date") && got["path"] == out, "{said}");
    assert_eq!(row(&place.get(&["--json"]))["signed"], false, "nothing was verified now");

    // From the folder in which it is asked, and usable from any.
    let root = place.root();
    let mut command = place.pydist(&["get", place.runtime, "--platform", "linux-x64", "--to", "home", "--from"]);
    assert_eq!(installed(&command.arg(&root).current_dir(place.folder.path()).output().unwrap()), PathBuf::from(out));

    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);
    let mut command = place.pydist(&["update", "--dry-run", "--to"]);
    let table = told(&command.arg(place.home()).output().unwrap()).1;
    assert!(table.contains("3.12.10-atls") && table.contains("to fetch"), "{table}");
    let mut command = place.pydist(&["update", "--link-mode", "copy", "--to"]);
    let (code, out, said) = told(&command.arg(place.home()).output().unwrap());
    assert!(code == 0 && said.contains(" fetched, installed") && !said.contains("shared"), "{said}");
    assert_eq!(fs::read_to_string(PathBuf::from(out).join("bin/thing")).unwrap(), noise(1));
}

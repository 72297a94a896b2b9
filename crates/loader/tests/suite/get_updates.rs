//! `pydist update`, files that runtimes have in common, and what an interrupted get leaves for the next.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use catalogue::Channel;
use serde_json::Value;
use testkit::{HttpMishap, HttpServer};

use super::{Place, installed, noise, refused, told};

impl Place {
    fn update(&self, more: &[&str]) -> std::process::Output {
        self.pydist(&["update", "--to"]).arg(self.home()).args(more).output().unwrap()
    }

    fn get_version(&self, more: &[&str]) -> std::process::Output {
        let from = self.root().display().to_string();
        let mut command = self.pydist(&["get", self.runtime, "--platform", "linux-x64", "--from", &from, "--to"]);
        command.arg(self.home()).args(more).output().unwrap()
    }
}

fn last_row(output: &std::process::Output) -> Value {
    let (code, out, said) = told(output);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

/// Whether the file system has one file under both names; true where it clones, as files then have numbers of their own.
fn is_shared(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let clones = reflink_works(one);
        clones || fs::metadata(one).unwrap().ino() == fs::metadata(other).unwrap().ino()
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        true
    }
}

#[cfg(unix)]
fn reflink_works(file: &Path) -> bool {
    // A hard-linked file is read-only; a clone is not.
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).unwrap().permissions().mode() & 0o200 != 0
}

#[test]
fn an_update_fetches_and_stores_only_what_changed() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let key = place.pair.pk.to_base64();
    let first = installed(&place.get(&["--public-key", &key]));
    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);

    let planned = last_row(&place.update(&["--dry-run", "--json"]));
    assert_eq!((&planned["changes"], &planned["version"]), (&true.into(), &"3.12.10-atls".into()), "{planned}");
    assert_eq!(fs::read_dir(place.home()).unwrap().flatten().filter(|it| it.path().is_dir()).count(), 5, "nothing new");
    let table = told(&place.update(&["--dry-run"])).1;
    assert!(table.contains("3.12.10-atls") && table.contains("to fetch"), "{table}");

    let got = last_row(&place.update(&["--json"]));
    assert_eq!((&got["fetched"], &got["verified_by"]), (&planned["fetched"], &key.as_str().into()), "{got}");
    assert_eq!(got["shared"], noise(1).len(), "{got}");
    let second = Path::new(got["path"].as_str().unwrap()).to_owned();
    assert!(second != first && is_shared(&first.join("bin/thing"), &second.join("bin/thing")));
    assert!(told(&place.get(&["--verify", "--public-key", &key])).2.contains("up to date"));
    assert!(told(&place.update(&[])).2.contains("up to date"));
    assert!(told(&place.update(&["--dry-run"])).1.contains("up to date"));

    // Somebody writes into the file all the same: what is shared is found changed, and repaired without harm.
    let thing = second.join("bin/thing");
    #[cfg(unix)]
    disk::set_mode(&thing, 0o644).unwrap();
    fs::write(&thing, "x").unwrap();
    refused(&place.get(&["--public-key", &key]), 4, &["E_GET_DAMAGED", "`bin/thing` has another size"]);
    installed(&place.get(&["--reinstall", "--public-key", &key]));
    assert_eq!(fs::read_to_string(&thing).unwrap(), noise(1));
}

#[test]
fn a_copy_can_be_asked_for() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let first = installed(&place.get(&[]));
    place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let second = installed(&place.update(&["--link-mode", "copy"]));
    fs::write(second.join("bin/thing"), "x").unwrap();
    assert_eq!(fs::read_to_string(first.join("bin/thing")).unwrap(), noise(1));
}

#[test]
fn two_runtimes_have_what_they_share_on_disk_once() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let one = installed(&place.get(&[]));
    place.runtime = "3.12.10-other";
    let entry = place.publish_as(&noise(1), "other", 1, Channel::Stable, false);
    let got = last_row(&place.get_version(&["--json"]));
    assert!(got["fetched"].as_u64().unwrap() < entry.artifact.size / 10, "{got}");
    assert_eq!(got["shared"], noise(1).len(), "{got}");
    let other = Path::new(got["path"].as_str().unwrap()).to_owned();
    assert!(is_shared(&one.join("bin/thing"), &other.join("bin/thing")));
    // One that goes does not take anything from the other.
    fs::remove_dir_all(&one).unwrap();
    assert!(told(&place.get_version(&["--verify"])).2.contains("up to date"));
    // And one that was damaged gives nothing.
    place.runtime = "3.12.10-third";
    place.publish_as(&noise(1), "third", 1, Channel::Stable, false);
    fs::remove_file(other.join("bin/thing")).unwrap();
    let third = installed(&place.get_version(&[]));
    assert_eq!(fs::read_to_string(third.join("bin/thing")).unwrap(), noise(1));
}

#[test]
fn all_are_updated_and_one_that_fails_does_not_keep_the_others_back() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    installed(&place.get(&[]));
    let mut gone = Place::new();
    gone.runtime = "3.12.9";
    gone.publish(&noise(2), 1, Channel::Stable, false);
    let from = gone.root().display().to_string();
    let mut command = place.pydist(&["get", "3.12.9", "--platform", "linux-x64", "--from", &from, "--to"]);
    installed(&command.arg(place.home()).output().unwrap());
    drop(gone);
    place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let (code, out, said) = told(&place.update(&[]));
    assert!(code == 1 && said.contains("cannot get 3.12.9") && out.contains("3.12.10-atls-"), "{code}: {out}{said}");
    assert!(told(&place.update(&["3-atls"])).2.contains("up to date"));
    refused(&place.update(&["3.13"]), 2, &["E_UPDATE_MISSING", "nearest first: 3.12.9, 3.12.10-atls"]);
}

#[test]
fn an_update_needs_the_key_that_the_installed_build_was_verified_with() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let key = place.pair.pk.to_base64();
    installed(&place.get(&["--public-key", &key]));
    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);
    fs::remove_file(place.root().join("catalogue.signed.json")).unwrap();
    refused(&place.update(&[]), 4, &["E_GET_UNSIGNED"]);
    refused(&place.update(&["--dry-run"]), 4, &["E_GET_UNSIGNED"]);
    place.pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    place.publish_as(&noise(1), "third", 3, Channel::Stable, true);
    refused(&place.update(&[]), 4, &["E_GET_SIGNATURE"]);
}

#[test]
fn several_updates_at_once_install_one() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    installed(&place.get(&[]));
    let entry = place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let folder = installer::Home::new(place.home()).folder(&entry.runtime, &entry.build_key);
    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| installed(&place.update(&[])))).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), folder));
    });
    assert!(told(&place.get(&["--verify"])).2.contains("up to date"));
}

#[test]
fn what_a_killed_get_had_of_a_part_is_not_served_again() {
    let mut place = Place::new();
    let entry = place.publish(&noise(1), 1, Channel::Stable, false);
    let text = fs::read(place.root().join(entry.manifest.key.as_str())).unwrap();
    let part = archive::read_manifest(&text).unwrap().artifact.unwrap().parts.swap_remove(0);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let path = format!("/p/{}", entry.artifact.key);
    // Three quarters of the first part arrive; then the server is silent.
    let arrived = part.size * 3 / 4;
    assert!(arrived > 2 * fetch::FETCH_GAP, "{part:?}");
    server.next_time(&path, HttpMishap::CutAfter(usize::try_from(arrived).unwrap()));
    server.next_time(&path, HttpMishap::Delay(Duration::from_secs(600)));
    let mut killed = place.command(&server.url("/p"), &["--quiet"]).spawn().unwrap();
    while server.requests_of(&path).len() < 2 {
        assert_eq!(killed.try_wait().unwrap(), None, "it does not give up");
        thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = server.bytes_sent(&path);
    let got = last_row(&place.get_from(&server.url("/p"), &["--json"]));
    let sent = server.bytes_sent(&path) - before;
    // Zeros at the end of what arrived are not seen.
    assert!(sent <= entry.artifact.size - arrived + 16, "{sent} of {} after {arrived}", entry.artifact.size);
    assert_eq!((&got["fetched"], &got["resumed"]), (&sent.into(), &(entry.artifact.size - sent).into()), "{got}");
    let folder = installer::Home::new(place.home()).folder(&entry.runtime, &entry.build_key);
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
}

//! `pydist update`, and what an interrupted get leaves for the next.

use std::fs;
use std::thread;
use std::time::Duration;

use catalogue::Channel;
use serde_json::Value;
use testkit::{HttpMishap, HttpServer, noise};

use super::{Place, installed, refused, told};

impl Place {
    fn update(&self, more: &[&str]) -> std::process::Output {
        self.pydist(&["update", "--to"]).arg(self.home()).args(more).output().unwrap()
    }
}

fn last_row(output: &std::process::Output) -> Value {
    let (code, out, said) = told(output);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
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
    refused(
        &place.update(&["3.13"]),
        2,
        &["E_UPDATE_MISSING", "no 3.13 is installed", "installed, nearest first: 3.12.9, 3.12.10-atls"],
    );
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

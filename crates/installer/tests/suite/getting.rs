//! What is installed from a folder or a server, and what is refused.

use std::fs;
use std::thread;

use catalogue::{Channel, Retraction, object_keys};
use testkit::{HttpServer, noise};
use vocab::Digest;

use crate::{Asked, Place, content, keys, other_key, plainly};

const NOT_AS_OFFERED: &str = "the server offers something else than its catalogue says; report it to the publisher";

#[test]
fn builds_are_installed_side_by_side_and_the_newest_is_current() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let key = place.key();
    let first = place.get(keys(&[&key])).folder();
    assert_eq!(content(&first), "one");

    let second = place.publish("two", 2, Channel::Stable, true);
    place.publish("three", 3, Channel::Candidate, true);
    let newer = place.get(keys(&[&key])).folder();
    assert_eq!(newer, place.home().join(format!("3.12.10-atls-{}", second.build_key.short())));
    assert_eq!(content(&newer), "two");
    assert_eq!(content(&first), "one", "the former one stays");
    let home = place.home_of();
    assert_eq!(home.current(&second.runtime), Some(newer.clone()));

    assert_eq!(place.get(plainly()).folder(), newer);
    place.get(plainly()).assert_unchanged();
    let candidate = place.get(Asked { channel: Channel::Candidate, ..plainly() }).folder();
    assert_eq!(content(&candidate), "three");
}

#[test]
fn a_server_is_as_good_as_a_folder_and_what_is_installed_is_there_without_a_network() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, false);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    place
        .get_from(&url, Asked { offline: true, ..plainly() })
        .refused(1, &["E_GET_OFFLINE", "offline: the catalogue was never read", "run it once without --offline"]);
    let folder = place.get_from(&url, plainly()).folder();
    drop(server);
    assert_eq!(place.get_from(&url, Asked { offline: true, ..plainly() }).folder(), folder);
    fs::remove_dir_all(&folder).unwrap();
    place.get_from(&url, Asked { offline: true, ..plainly() }).refused(1, &["E_GET_OFFLINE", "is not installed"]);
}

#[test]
fn nothing_is_installed_that_is_not_what_was_signed() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, true);
    place.get(keys(&[&other_key()])).refused(
        4,
        &[
            "E_GET_SIGNATURE",
            "do not use it before you know why: the key is another one, or what is published was changed",
        ],
    );

    let manifest = place.root().join(entry.manifest.key.as_str());
    let text = fs::read(&manifest).unwrap();
    fs::write(&manifest, [&text[..], b" "].concat()).unwrap();
    place
        .get(plainly())
        .refused(4, &["E_GET_CHECKSUM", "the SHA-256 of the manifest", ", the catalogue says ", NOT_AS_OFFERED]);
    fs::write(&manifest, text).unwrap();

    let artifact = place.root().join(entry.artifact.key.as_str());
    let mut bytes = fs::read(&artifact).unwrap();
    bytes[20] ^= 1;
    fs::write(&artifact, bytes).unwrap();
    place.get(plainly()).refused(4, &["E_"]);
    let left: Vec<_> = fs::read_dir(place.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let known = [".catalogues", ".lock", ".partial", ".installed"];
    assert!(left.iter().all(|name| known.iter().any(|it| name == it)), "{left:?}");

    let mut unsigned = Place::new();
    unsigned.publish("one", 1, Channel::Stable, false);
    let key = unsigned.key();
    unsigned.get(keys(&[&key])).refused(
        4,
        &[
            "E_GET_UNSIGNED",
            "it was published without a signature, and a public key was given",
            "ask the publisher to sign it, or leave out --public-key to rely on digests",
        ],
    );
}

#[test]
fn an_update_fetches_little() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    place.get(plainly()).folder();
    // Another build of the same files: its metadata alone is new.
    let newer = place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let (fetched, size) = place.get(plainly()).fetched();
    assert!(fetched > 0 && fetched < size / 10, "{fetched} of {size}");
    let folder = place.home_of().folder(&newer.runtime, &newer.build_key);
    assert_eq!(content(&folder), noise(1));
}

#[test]
fn several_at_once_install_one() {
    let mut place = Place::new();
    let entry = place.publish(&noise(1), 1, Channel::Stable, false);
    let folder = place.home_of().folder(&entry.runtime, &entry.build_key);
    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| place.get(plainly()).folder())).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), folder));
    });
}

#[test]
fn a_place_that_cannot_be_written_or_is_too_small_is_told() {
    let mut place = Place::new();
    fs::write(place.home(), "a file").unwrap();
    place.publish("one", 1, Channel::Stable, false);
    place
        .get(plainly())
        .refused(1, &["E_GET_WRITE", "cannot write `", "choose another folder with --to, or make this one writable"]);

    let mut huge = Place::new();
    huge.publish("one", 1, Channel::Stable, false);
    for size in [1 << 60, u64::MAX] {
        huge.entries[0].content.installed_size = size;
        huge.index();
        huge.get(plainly()).refused(
            1,
            &[
                "E_GET_NO_ROOM",
                " bytes are needed in `",
                "are free",
                "make room there, or choose another folder with --to",
            ],
        );
    }
}

#[test]
fn a_signed_build_is_not_taken_for_another_runtime() {
    let mut place = Place::new();
    let mut entry = place.publish("one", 1, Channel::Stable, true);
    entry.build_key = Digest::of("newer");
    place.entries = vec![entry];
    place.index();
    let key = place.key();
    place.get(keys(&[&key])).refused(4, &["E_GET_OTHER_RUNTIME", ", not of what the catalogue offers", NOT_AS_OFFERED]);
}

#[test]
fn what_is_missing_retracted_or_broken_is_told() {
    let mut place = Place::new();
    place.get(plainly()).refused(1, &["cannot get 3.12.10-atls for linux-x64", "catalogue.json"]);
    place.get_from("ftp://x.example/p", plainly()).refused(2, &["E_FETCH_PLACE"]);
    place.put(object_keys::CATALOGUE, "{\"format\": 9}");
    place.get(plainly()).refused(4, &["E_CATALOGUE_FORMAT", "update this program"]);

    let bad = place.publish("one", 1, Channel::Candidate, false);
    place.get(plainly()).refused(2, &["E_CATALOGUE_MISSING", "only as a candidate"]);
    place.get(Asked { channel: Channel::Candidate, ..plainly() }).folder();
    place.retractions.push(Retraction::new(bad.id(), bad.created, "it holds a broken OpenSSL".into()));
    place.index();
    place.get(plainly()).refused(2, &["E_CATALOGUE_RETRACTED", "a broken OpenSSL"]);
    place.publish("two", 2, Channel::Stable, false);
    let answer = place.get(plainly());
    assert!(
        answer.said.contains("was retracted: it holds a broken OpenSSL\nhint: stop using this build\n"),
        "{}",
        answer.said
    );
    assert!(answer.said.starts_with(&format!("W_GET_RETRACTED: `{}", place.home().display())), "{}", answer.said);
    answer.folder();
}

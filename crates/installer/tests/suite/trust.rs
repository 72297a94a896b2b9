//! What is believed of what is installed and of what is offered.

use std::fs;

use catalogue::{Channel, Retraction, object_keys};
use installer::InstallOutcome;
use minisign::KeyPair;
use serde_json::Value;
use testkit::{HttpServer, noise};

use crate::{Asked, Place, content, keys, other_key, plainly};

impl Place {
    fn signed_catalogue(&self) -> String {
        fs::read_to_string(self.root().join(object_keys::SIGNED_CATALOGUE)).unwrap()
    }
}

#[test]
fn case_client_wrong_key_accepted() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, true);
    assert_eq!(place.get(plainly()).unwrap().verified_by, None);
    let words = ["E_GET_SIGNATURE", "the catalogue: the signature does not belong to the key"];
    place.get(keys(&[&other_key()])).refused(4, &words);
    let with = place.get(keys(&[&place.key()])).unwrap();
    assert_eq!((with.verified_by, with.installed), (Some(place.key()), InstallOutcome::Before));
    assert_eq!(with.manifest_sha256, entry.manifest.sha256);
    // Without a key nothing was verified now, whatever was verified before.
    assert_eq!(place.get(plainly()).unwrap().verified_by, None);

    let name = format!("3.12.10-atls-{}.json", entry.build_key.short());
    let record: Value = serde_json::from_slice(&fs::read(place.home().join(".installed").join(name)).unwrap()).unwrap();
    assert_eq!(record["verified_by"], place.key());
    assert_eq!(record["manifest_sha256"], entry.manifest.sha256.to_string());

    // The manifest's signature is fetched and verified each time.
    let signature = entry.signatures.as_ref().unwrap().manifest.key.to_string();
    place.put(&signature, "nothing");
    place.get(keys(&[&place.key()])).refused(4, &["E_GET_CHECKSUM", "the manifest's signature"]);
}

#[test]
fn attack_2_what_came_from_a_hostile_copy_is_not_called_signed_but_replaced() {
    let mut place = Place::new();
    let genuine = place.publish("one", 1, Channel::Stable, true);
    let mut hostile = Place::new();
    let evil = hostile.publish_as("evil", "one", 1, Channel::Stable, false);
    assert_eq!(genuine.build_key, evil.build_key);
    let folder = place.get_from(hostile.root().to_str().unwrap(), plainly()).folder();
    assert_eq!(content(&folder), "evil");
    place.get(keys(&[&hostile.key()])).refused(4, &["E_GET_SIGNATURE"]);
    let got = place.get(keys(&[&place.key()])).unwrap();
    assert_eq!(got.verified_by, Some(place.key()));
    assert_ne!(got.installed, InstallOutcome::Before);
    assert_eq!(content(&folder), "one");
}

#[test]
fn attack_2_what_was_installed_without_a_record_is_compared_with_its_manifest() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let folder = place.get(plainly()).folder();
    fs::remove_dir_all(place.home().join(".installed")).unwrap();
    let (fetched, size) = place.get(keys(&[&place.key()])).fetched();
    assert!(fetched < size / 10, "what is whole is not fetched again: {fetched} of {size}");
    fs::remove_dir_all(place.home().join(".installed")).unwrap();
    // It may be read-only, since it was taken over from the tree before.
    fs::remove_file(folder.join("bin/thing")).unwrap();
    fs::write(folder.join("bin/thing"), "evil").unwrap();
    place.get(keys(&[&place.key()])).unwrap();
    assert_eq!(content(&folder), noise(1));
}

#[test]
fn up_to_date_is_said_of_a_tree_that_was_looked_at_and_reinstall_repairs_it() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let folder = place.get(plainly()).folder();
    let thing = folder.join("bin/thing");
    let hint = "pass --reinstall to repair it; only damaged parts are fetched, and what was added to it is lost";
    let cases: [(&str, &dyn Fn(), &str); 3] = [
        ("gone", &|| fs::remove_file(&thing).unwrap(), "`bin/thing` is missing"),
        ("longer", &|| fs::write(&thing, "other").unwrap(), "`bin/thing` has another size"),
        ("gone", &|| fs::remove_file(folder.join("pydist.json")).unwrap(), "`pydist.json` is missing"),
    ];
    for (case, spoil, expected) in cases {
        spoil();
        place.get(plainly()).refused(4, &["E_GET_DAMAGED", expected, hint]);
        assert_eq!(place.get(Asked { reinstall: true, ..plainly() }).folder(), folder, "{case}");
        assert_eq!(content(&folder), noise(1), "{case}");
        place.get(plainly()).assert_unchanged();
    }
    // Size and time are as they were: only the digest tells.
    let time = fs::metadata(&thing).unwrap().modified().unwrap();
    fs::write(&thing, noise(2)).unwrap();
    fs::File::options().write(true).open(&thing).unwrap().set_modified(time).unwrap();
    place.get(plainly()).folder();
    place
        .get(Asked { verify: true, ..plainly() })
        .refused(4, &["E_GET_DAMAGED", "` has changed since it was installed: `bin/thing` was changed", hint]);
    place.get(Asked { reinstall: true, ..plainly() }).fetched();
    place.get(Asked { verify: true, ..plainly() }).folder();
    // All of it is whole now, so little is fetched.
    let (fetched, size) = place.get(Asked { reinstall: true, ..plainly() }).fetched();
    assert!(fetched < size / 10, "{fetched} of {size}");
}

/// Who may write there may change both; a repair believes neither.
#[test]
fn a_file_that_was_changed_together_with_its_record_is_found_by_a_reinstall() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let folder = place.get(plainly()).folder();
    let thing = folder.join("bin/thing");
    let record =
        place.home().join(".installed").join(format!("{}.json", folder.file_name().unwrap().to_str().unwrap()));
    let text = fs::read_to_string(&record).unwrap();
    let blake3 = |seed| String::from(vocab::Blake3::of(noise(seed)));
    assert!(text.contains(&blake3(1)) && text.contains(&vocab::Digest::of(noise(1)).to_string()));
    let time = fs::metadata(&thing).unwrap().modified().unwrap();
    fs::write(&thing, noise(2)).unwrap();
    fs::File::options().write(true).open(&thing).unwrap().set_modified(time).unwrap();
    fs::write(&record, text.replace(&blake3(1), &blake3(2))).unwrap();
    place.get(Asked { verify: true, ..plainly() }).assert_unchanged();
    let (fetched, size) = place.get(Asked { reinstall: true, ..plainly() }).fetched();
    assert!(fetched > size / 2, "{fetched} of {size}");
    assert_eq!(content(&folder), noise(1));
}

/// Its files have no BLAKE3.
#[test]
fn a_record_of_the_first_format_is_believed_and_its_files_are_used_again() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let folder = place.get(plainly()).folder();
    let record =
        place.home().join(".installed").join(format!("{}.json", folder.file_name().unwrap().to_str().unwrap()));
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    assert_eq!(value["format"], 2);
    value["format"] = 1.into();
    for row in value["tree"]["files"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("blake3").unwrap();
    }
    fs::write(&record, value.to_string()).unwrap();
    place.get(Asked { verify: true, ..plainly() }).assert_unchanged();
    place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let (fetched, size) = place.get(plainly()).fetched();
    assert!(fetched < size / 10, "{fetched} of {size}");
    place.get(Asked { verify: true, ..plainly() }).assert_unchanged();
}

#[test]
fn what_somebody_else_put_there_is_not_replaced() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, false);
    let folder = place.home().join(format!("3.12.10-atls-{}", entry.build_key.short()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("mine"), "mine").unwrap();
    for asked in [plainly(), Asked { reinstall: true, ..plainly() }] {
        place.get(asked).refused(
            1,
            &[
                "E_GET_OCCUPIED",
                "` exists and was not installed by this program",
                "remove it, or choose another folder with --to",
            ],
        );
    }
    assert_eq!(fs::read_to_string(folder.join("mine")).unwrap(), "mine");
}

#[test]
fn a_reinstall_that_was_killed_between_two_renames_loses_nothing() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, false);
    let folder = place.get(plainly()).folder();
    let stage = place.home().join(".stage-Ab12Cd");
    fs::create_dir_all(&stage).unwrap();
    fs::rename(&folder, stage.join(folder.file_name().unwrap())).unwrap();
    // It was brought back.
    place.get(plainly()).assert_unchanged();
    assert!(folder.is_dir() && !stage.exists());
}

#[test]
fn attack_6_an_old_catalogue_is_refused() {
    let mut place = Place::new();
    let key = place.key();
    let bad = place.publish("one", 1, Channel::Stable, true);
    let yesterday = place.signed_catalogue();
    place.get(keys(&[&key])).folder();
    place.retractions.push(Retraction::new(bad.id(), bad.created, "a broken OpenSSL".into()));
    let newer = place.publish("two", 2, Channel::Stable, true);
    let folder = place.get(keys(&[&key])).folder();
    place.put(object_keys::SIGNED_CATALOGUE, yesterday);
    let words = [
        "E_GET_ROLLBACK",
        "the catalogue there is old: it was signed at ",
        "has the counter 1; 2 was seen before",
        "somebody serves an old copy, so retracted builds may come back; report it to the publisher",
    ];
    place.get(keys(&[&key])).refused(4, &words);
    place.get(Asked { allow_older: true, ..keys(&[&key]) }).refused(4, &words);
    let home = place.home_of();
    assert_eq!(home.current(&newer.runtime), Some(folder));
}

#[test]
fn attack_6_an_expired_or_unsigned_catalogue_is_refused() {
    let mut place = Place::new();
    let key = place.key();
    place.publish("one", 1, Channel::Candidate, true);
    place.put_edition(1, "2020-01-01T00:00:00Z");
    place.get(keys(&[&key])).refused(
        4,
        &[
            "E_GET_EXPIRED",
            "the catalogue there expired at 2020-01-01",
            "the publisher renews it with `publisher reindex --key FILE`, or somebody serves an old copy",
        ],
    );
    place.index();
    let text = place.signed_catalogue();
    for hostile in [
        text.replace("candidate", "stable"),
        text.replace("3.12.10-atls", "3.12.11-atls"),
        "{}".to_owned(),
        "[".repeat(200_000),
        text.replace("\"format\": 1,\n  \"public_key\"", "\"format\": 2,\n  \"public_key\""),
    ] {
        assert_ne!(hostile, text);
        place.put(object_keys::SIGNED_CATALOGUE, hostile);
        place.get(keys(&[&key])).refused(4, &["E_"]);
    }
    fs::remove_file(place.root().join(object_keys::SIGNED_CATALOGUE)).unwrap();
    place.get(keys(&[&key])).refused(
        4,
        &[
            "E_GET_UNSIGNED",
            "the catalogue there is not signed, and a public key was given",
            "the publisher signs it with `publisher reindex --key FILE`; without --public-key nothing is verified",
        ],
    );
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    place.get_from(&server.url("/p"), keys(&[&key])).refused(4, &["E_GET_UNSIGNED"]);
    // Readers without a key go on.
    place.get(Asked { channel: Channel::Candidate, ..plainly() }).folder();
}

#[test]
fn attack_6_current_goes_back_only_when_that_is_asked_for() {
    let mut place = Place::new();
    let first = place.publish("one", 1, Channel::Stable, false);
    place.get(plainly()).folder();
    let second = place.publish("two", 2, Channel::Stable, false);
    let newer = place.get(plainly()).folder();
    let home = place.home_of();

    // The host shows what it showed yesterday.
    let all = std::mem::replace(&mut place.entries, vec![first.clone()]);
    place.index();
    place.get(plainly()).refused(
        4,
        &["E_GET_OLDER", "it is of 2026-11-01", "of 2026-11-02", "if that is what you want, pass --allow-older"],
    );
    assert_eq!(home.current(&second.runtime), Some(newer.clone()));
    let answer = place.get(Asked { allow_older: true, ..plainly() });
    assert!(answer.said.contains("W_GET_OLDER"), "{}", answer.said);
    answer.unwrap();
    assert_ne!(home.current(&second.runtime), Some(newer.clone()));

    // The publisher withdraws the newer one: that is a reason to go back.
    place.entries = all;
    place.index();
    assert_eq!(place.get(plainly()).folder(), newer);
    place.retractions.push(Retraction::new(second.id(), second.created, "a broken OpenSSL".into()));
    place.index();
    let answer = place.get(plainly());
    assert!(answer.said.contains("going back to an older build"), "{}", answer.said);
    assert_eq!(content(&answer.folder()), "one");

    // And what was retracted does not come back without a word.
    place.retractions.clear();
    place.index();
    place.get(plainly()).refused(4, &["E_GET_OLDER", "it was retracted at 2026-11-02T08:00:00Z: a broken OpenSSL"]);
    assert_eq!(place.get(Asked { allow_older: true, ..plainly() }).folder(), newer);
    assert_eq!(place.get(plainly()).folder(), newer);
}

#[test]
fn attack_6_one_of_several_keys_has_to_have_signed_and_counters_are_kept_for_each() {
    let mut place = Place::new();
    let old = place.key();
    place.publish("one", 1, Channel::Stable, true);
    place.get(keys(&[&other_key(), &old])).folder();
    let of_old = place.signed_catalogue();

    place.pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let new = place.key();
    place.publish("two", 2, Channel::Stable, true);
    place.get(keys(&[&old])).refused(4, &["E_GET_SIGNATURE"]);
    let both = [&*old, &*new];
    let got = place.get(keys(&both)).unwrap();
    assert_eq!(got.verified_by.as_ref(), Some(&new));
    assert_ne!(got.installed, InstallOutcome::Before);
    let of_new = place.signed_catalogue();
    place.put(object_keys::SIGNED_CATALOGUE, &of_old);
    place.get(keys(&both)).refused(4, &["E_GET_ROLLBACK"]);
    place.get(keys(&[&new])).refused(4, &["E_GET_SIGNATURE"]);

    // Whoever stole the old key cannot shut out the new one, once the old one is dropped.
    let new_pair = std::mem::replace(&mut place.pair, KeyPair::generate_unencrypted_keypair().unwrap());
    let stolen = place.key();
    place.put_edition(u64::MAX, "2999-01-01T00:00:00Z");
    let _ = place.get(keys(&[&stolen, &new]));
    place.pair = new_pair;
    place.put(object_keys::SIGNED_CATALOGUE, of_new);
    place.get(keys(&[&stolen, &new])).refused(4, &["E_GET_ROLLBACK"]);
    place.get(keys(&[&new])).folder();
}

#[test]
fn without_a_network_a_key_verifies_what_was_kept() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    place.get_from(&url, plainly()).folder();
    let key = place.key();
    place.get_from(&url, Asked { offline: true, ..keys(&[&key]) }).refused(1, &["E_GET_OFFLINE", "never read"]);
    let folder = place.get_from(&url, keys(&[&key])).folder();
    drop(server);
    let slash = format!("{url}/");
    let kept = place.get_from(&slash, Asked { offline: true, ..keys(&[&key]) }).unwrap();
    assert_eq!(kept.verified_by.as_ref(), Some(&key));
    fs::write(folder.join("bin/thing"), "changed").unwrap();
    place.get_from(&url, Asked { offline: true, ..keys(&[&key]) }).refused(4, &["E_GET_DAMAGED"]);
}

#[test]
fn an_expired_catalogue_serves_without_a_network_and_says_so() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    place.put_edition(1, "2026-11-20T09:00:00Z");
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let (url, key) = (server.url("/p"), place.key());
    let signed_by = [&*key];
    let folder = place.get_from(&url, keys(&signed_by)).folder();
    let offline = Asked { offline: true, ..keys(&signed_by) };
    assert_eq!(place.get_from(&url, offline).said, "");
    place.now = "2026-11-20T10:00:00Z".parse().unwrap();
    place.get_from(&url, keys(&[&key])).refused(4, &["E_GET_EXPIRED", "the catalogue there expired at 2026-11-20"]);
    let answer = place.get_from(&url, offline);
    let expected = "W_GET_EXPIRED: the catalogue that was read last expired at 2026-11-20T09:00:00Z\n\
                    hint: run it once without --offline\n";
    assert_eq!(answer.said, expected);
    assert_eq!(answer.folder(), folder);
}

#[test]
fn attack_13_plain_http_without_a_key_is_said_in_one_line() {
    let mut place = Place::new();
    place.stop_at = "W_GET_PLAIN_HTTP";
    let words = "what comes from `host.invalid` over plain http can be changed on the way, and nothing verifies it";
    let answer = place.get_from("http://host.invalid/p", plainly());
    assert_eq!(answer.said.lines().next(), Some(&*format!("W_GET_PLAIN_HTTP: {words}")));
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let answer = place.get_from(&server.url("/p"), plainly());
    assert!(!answer.said.contains("W_GET_PLAIN_HTTP"), "this machine: {}", answer.said);
    // With a key it does not matter how the bytes arrive. Only Linux takes this address for the machine itself.
    if cfg!(target_os = "linux") {
        let url = server.url("/p").replace("127.0.0.1", "0.0.0.0");
        assert!(place.get_from(&url, plainly()).said.contains("W_GET_PLAIN_HTTP"));
        assert_eq!(place.get_from(&url, keys(&[&place.key()])).said, "");
    }
}

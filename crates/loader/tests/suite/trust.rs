//! What is believed of what is installed and of what is offered.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use catalogue::{Channel, Retraction, object_keys};
use minisign::KeyPair;
use serde_json::Value;
use testkit::HttpServer;

use crate::{Place, installed, noise, refused, told};

impl Place {
    fn key(&self) -> String {
        self.pair.pk.to_base64()
    }

    fn json(&self, more: &[&str]) -> Value {
        let (code, out, err) = told(&self.get(&[more, &["--json"]].concat()));
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(out.lines().last().unwrap()).unwrap()
    }

    fn signed_catalogue(&self) -> String {
        fs::read_to_string(self.root().join(object_keys::SIGNED_CATALOGUE)).unwrap()
    }
}

fn content(folder: &Path) -> String {
    fs::read_to_string(folder.join("bin/thing")).unwrap()
}

fn other_key() -> String {
    KeyPair::generate_unencrypted_keypair().unwrap().pk.to_base64()
}

#[test]
fn case_client_wrong_key_accepted() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, true);
    let without = place.json(&[]);
    assert_eq!((&without["signed"], &without["verified_by"]), (&Value::Bool(false), &Value::Null));
    let words = ["E_GET_SIGNATURE", "the catalogue: the signature does not belong to the key"];
    refused(&place.get(&["--public-key", &other_key()]), 4, &words);
    let (code, out, _) = told(&place.get(&["--public-key", &other_key(), "--json"]));
    assert!(code == 4 && !out.contains("\"signed\""), "{out}");
    let with = place.json(&["--public-key", &place.key()]);
    assert_eq!((&with["signed"], &with["installed"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(with["verified_by"], place.key());
    assert_eq!(with["manifest_sha256"], entry.manifest.sha256.to_string());
    // Without a key nothing was verified now, whatever was verified before.
    assert_eq!(place.json(&[])["signed"], false);

    let name = format!("3.12.10-atls-{}.json", entry.build_key.short());
    let record: Value = serde_json::from_slice(&fs::read(place.home().join(".installed").join(name)).unwrap()).unwrap();
    assert_eq!(record["verified_by"], place.key());
    assert_eq!(record["manifest_sha256"], entry.manifest.sha256.to_string());

    // The manifest's signature is fetched and verified each time.
    let signature = entry.signatures.as_ref().unwrap().manifest.key.to_string();
    place.put(&signature, "nothing");
    refused(&place.get(&["--public-key", &place.key()]), 4, &["E_GET_CHECKSUM", "the manifest's signature"]);
}

#[test]
fn attack_2_what_came_from_a_hostile_copy_is_not_called_signed_but_replaced() {
    let mut place = Place::new();
    let genuine = place.publish("one", 1, Channel::Stable, true);
    let mut hostile = Place::new();
    let evil = hostile.publish_as("evil", "one", 1, Channel::Stable, false);
    assert_eq!(genuine.build_key, evil.build_key);
    let folder = installed(&place.get_from(hostile.root().to_str().unwrap(), &[]));
    assert_eq!(content(&folder), "evil");
    refused(&place.get(&["--public-key", &hostile.key()]), 4, &["E_GET_SIGNATURE"]);
    let got = place.json(&["--public-key", &place.key()]);
    assert_eq!((&got["signed"], &got["installed"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(content(&folder), "one");
}

#[test]
fn attack_2_what_was_installed_without_a_record_is_compared_with_its_manifest() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let folder = installed(&place.get(&[]));
    fs::remove_dir_all(place.home().join(".installed")).unwrap();
    let got = place.json(&["--public-key", &place.key()]);
    let (fetched, size) = (got["fetched"].as_u64().unwrap(), got["size"].as_u64().unwrap());
    assert!(got["signed"] == true && fetched < size / 10, "what is whole is not fetched again: {got}");
    fs::remove_dir_all(place.home().join(".installed")).unwrap();
    fs::write(folder.join("bin/thing"), "evil").unwrap();
    place.json(&["--public-key", &place.key()]);
    assert_eq!(content(&folder), noise(1));
}

#[test]
fn up_to_date_is_said_of_a_tree_that_was_looked_at_and_reinstall_repairs_it() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let folder = installed(&place.get(&[]));
    let thing = folder.join("bin/thing");
    let hint = "pass --reinstall to repair it";
    let cases: [(&str, &dyn Fn(), &str); 3] = [
        ("gone", &|| fs::remove_file(&thing).unwrap(), "`bin/thing` is missing"),
        ("longer", &|| fs::write(&thing, "other").unwrap(), "`bin/thing` has another size"),
        ("gone", &|| fs::remove_file(folder.join("pydist.json")).unwrap(), "`pydist.json` is missing"),
    ];
    for (case, spoil, expected) in cases {
        spoil();
        refused(&place.get(&[]), 4, &["E_GET_DAMAGED", expected, hint]);
        assert_eq!(installed(&place.get(&["--reinstall"])), folder, "{case}");
        assert_eq!(content(&folder), noise(1), "{case}");
        assert!(told(&place.get(&[])).2.contains("is installed and up to date"), "{case}");
    }
    // Size and time are as they were: only the digest tells.
    let time = fs::metadata(&thing).unwrap().modified().unwrap();
    fs::write(&thing, noise(2)).unwrap();
    fs::File::options().write(true).open(&thing).unwrap().set_modified(time).unwrap();
    installed(&place.get(&[]));
    refused(&place.get(&["--verify"]), 4, &["E_GET_DAMAGED", "`bin/thing` was changed", hint]);
    let whole = place.json(&["--reinstall"]);
    assert_eq!(whole["installed"], true);
    installed(&place.get(&["--verify"]));
    // All of it is whole now, so little is fetched.
    let again = place.json(&["--reinstall"]);
    let (fetched, size) = (again["fetched"].as_u64().unwrap(), again["size"].as_u64().unwrap());
    assert!(fetched < size / 10, "{again}");
}

#[test]
fn what_somebody_else_put_there_is_not_replaced() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, false);
    let folder = place.home().join(format!("3.12.10-atls-{}", entry.build_key.short()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("mine"), "mine").unwrap();
    for more in [&[][..], &["--reinstall"]] {
        refused(&place.get(more), 1, &["E_GET_OCCUPIED", "was not installed by this program"]);
    }
    assert_eq!(fs::read_to_string(folder.join("mine")).unwrap(), "mine");
}

#[test]
fn a_reinstall_that_was_killed_between_two_renames_loses_nothing() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, false);
    let folder = installed(&place.get(&[]));
    let stage = place.home().join(".stage-Ab12Cd");
    fs::create_dir_all(&stage).unwrap();
    fs::rename(&folder, stage.join(folder.file_name().unwrap())).unwrap();
    assert_eq!(place.json(&[])["installed"], false, "it was brought back");
    assert!(folder.is_dir() && !stage.exists());
}

#[test]
fn attack_6_an_old_catalogue_is_refused() {
    let mut place = Place::new();
    let key = place.key();
    let bad = place.publish("one", 1, Channel::Stable, true);
    let yesterday = place.signed_catalogue();
    installed(&place.get(&["--public-key", &key]));
    place.retractions.push(Retraction::new(bad.id(), bad.created, "a broken OpenSSL".into()));
    let newer = place.publish("two", 2, Channel::Stable, true);
    let folder = installed(&place.get(&["--public-key", &key]));
    place.put(object_keys::SIGNED_CATALOGUE, yesterday);
    let words = ["E_GET_ROLLBACK", "the catalogue there is old", "has the counter 1; 2 was seen before"];
    refused(&place.get(&["--public-key", &key]), 4, &words);
    refused(&place.get(&["--public-key", &key, "--allow-older"]), 4, &words);
    let home = installer::Home::new(place.home());
    assert_eq!(home.current(&newer.runtime), Some(folder));
}

#[test]
fn attack_6_an_expired_or_unsigned_catalogue_is_refused() {
    let mut place = Place::new();
    let key = place.key();
    place.publish("one", 1, Channel::Candidate, true);
    place.put_edition(1, "2020-01-01T00:00:00Z");
    refused(&place.get(&["--public-key", &key]), 4, &["E_GET_EXPIRED", "expired at 2020-01-01", "publisher reindex"]);
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
        refused(&place.get(&["--public-key", &key]), 4, &["error[E_"]);
    }
    fs::remove_file(place.root().join(object_keys::SIGNED_CATALOGUE)).unwrap();
    refused(&place.get(&["--public-key", &key]), 4, &["E_GET_UNSIGNED", "the catalogue there is not signed"]);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    refused(&place.get_from(&server.url("/p"), &["--public-key", &key]), 4, &["E_GET_UNSIGNED"]);
    // Readers without a key go on.
    installed(&place.get(&["--channel", "candidate"]));
}

#[test]
fn attack_6_current_goes_back_only_when_that_is_asked_for() {
    let mut place = Place::new();
    let first = place.publish("one", 1, Channel::Stable, false);
    installed(&place.get(&[]));
    let second = place.publish("two", 2, Channel::Stable, false);
    let newer = installed(&place.get(&[]));
    let home = installer::Home::new(place.home());

    // The host shows what it showed yesterday.
    let all = std::mem::replace(&mut place.entries, vec![first.clone()]);
    place.index();
    refused(&place.get(&[]), 4, &["E_GET_OLDER", "it is of 2026-11-01", "of 2026-11-02", "pass --allow-older"]);
    assert_eq!(home.current(&second.runtime), Some(newer.clone()));
    let (code, _, err) = told(&place.get(&["--allow-older"]));
    assert!(code == 0 && err.contains("W_GET_OLDER"), "{code}: {err}");
    assert_ne!(home.current(&second.runtime), Some(newer.clone()));

    // The publisher withdraws the newer one: that is a reason to go back.
    place.entries = all;
    place.index();
    assert_eq!(installed(&place.get(&[])), newer);
    place.retractions.push(Retraction::new(second.id(), second.created, "a broken OpenSSL".into()));
    place.index();
    let (code, out, err) = told(&place.get(&[]));
    assert!(code == 0 && err.contains("going back to an older build"), "{code}: {err}");
    assert_eq!(content(Path::new(&out)), "one");

    // And what was retracted does not come back without a word.
    place.retractions.clear();
    place.index();
    refused(&place.get(&[]), 4, &["E_GET_OLDER", "it was retracted at 2026-11-02T08:00:00Z: a broken OpenSSL"]);
    assert_eq!(installed(&place.get(&["--allow-older"])), newer);
    assert_eq!(installed(&place.get(&[])), newer);
}

#[test]
fn attack_6_one_of_several_keys_has_to_have_signed_and_counters_are_kept_for_each() {
    let mut place = Place::new();
    let old = place.key();
    place.publish("one", 1, Channel::Stable, true);
    installed(&place.get(&["--public-key", &other_key(), "--public-key", &old]));
    let of_old = place.signed_catalogue();

    place.pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let new = place.key();
    place.publish("two", 2, Channel::Stable, true);
    refused(&place.get(&["--public-key", &old]), 4, &["E_GET_SIGNATURE"]);
    let both = ["--public-key", &old, "--public-key", &new];
    let got = place.json(&both);
    assert_eq!((&got["verified_by"], got["installed"].as_bool()), (&Value::String(new.clone()), Some(true)));
    let of_new = place.signed_catalogue();
    place.put(object_keys::SIGNED_CATALOGUE, &of_old);
    refused(&place.get(&both), 4, &["E_GET_ROLLBACK"]);
    refused(&place.get(&["--public-key", &new]), 4, &["E_GET_SIGNATURE"]);

    // Whoever stole the old key cannot shut out the new one, once the old one is dropped.
    let new_pair = std::mem::replace(&mut place.pair, KeyPair::generate_unencrypted_keypair().unwrap());
    let stolen = place.key();
    place.put_edition(u64::MAX, "2999-01-01T00:00:00Z");
    let _ = place.get(&["--public-key", &stolen, "--public-key", &new]);
    place.pair = new_pair;
    place.put(object_keys::SIGNED_CATALOGUE, of_new);
    refused(&place.get(&["--public-key", &stolen, "--public-key", &new]), 4, &["E_GET_ROLLBACK"]);
    installed(&place.get(&["--public-key", &new]));
}

#[test]
fn without_a_network_a_key_verifies_what_was_kept() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    installed(&place.get_from(&url, &[]));
    let key = place.key();
    refused(&place.get_from(&url, &["--offline", "--public-key", &key]), 1, &["E_GET_OFFLINE", "never read"]);
    let folder = installed(&place.get_from(&url, &["--public-key", &key]));
    drop(server);
    let slash = format!("{url}/");
    let (code, out, err) = told(&place.get_from(&slash, &["--offline", "--public-key", &key, "--json"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(serde_json::from_str::<Value>(out.lines().last().unwrap()).unwrap()["signed"], true);
    fs::write(folder.join("bin/thing"), "changed").unwrap();
    refused(&place.get_from(&url, &["--offline", "--public-key", &key]), 4, &["E_GET_DAMAGED"]);
}

#[test]
fn attack_13_plain_http_without_a_key_is_said_in_one_line() {
    let place = Place::new();
    let words = "what comes from `host.invalid` over plain http can be changed on the way, and nothing verifies it";
    let first_line = |more: &[&str]| {
        let mut command = place.command("http://host.invalid/p", more);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        line
    };
    let line = first_line(&[]);
    assert!(line.contains("W_GET_PLAIN_HTTP") && line.contains(words), "{line}");
    assert!(!first_line(&["--public-key", &place.key()]).contains("W_GET_PLAIN_HTTP"));
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    assert!(!told(&place.get_from(&server.url("/p"), &[])).2.contains("W_GET_PLAIN_HTTP"), "this machine");
}

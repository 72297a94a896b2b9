//! Sources: remembered ones with their keys, buckets and folders, and which version is meant.

use std::fs;
use std::path::PathBuf;

use catalogue::Channel;
use minisign::KeyPair;
use serde_json::Value;
use testkit::{HttpServer, S3Server, noise};

use super::{Place, installed, refused, told};

impl Place {
    /// `pydist` with these words; runtimes are installed below the place.
    fn run(&self, words: &[&str]) -> std::process::Output {
        let mut command = self.pydist(words);
        if words[0] == "get" {
            command.args(["--platform", "linux-x64", "--to"]).arg(self.home());
        }
        command.output().unwrap()
    }

    fn settings(&self) -> PathBuf {
        let user = self.folder.path().join("user");
        let below = if cfg!(target_os = "macos") { "Library/Application Support/pydist" } else { "pydist" };
        user.join(below).join("sources.json")
    }
}

/// All that is in it are keys, so nothing is done without it.
const TO_CORRECT: &str = "nothing is fetched before that is settled, because the keys of sources are in it: correct it, or \
                          remove it and run `pydist source set URL --public-key KEY` again";

fn other_key() -> String {
    KeyPair::generate_unencrypted_keypair().unwrap().pk.to_base64()
}

#[test]
fn the_newest_on_offer_is_chosen_for_what_a_request_leaves_open() {
    let mut place = Place::new();
    let offered = [
        ("3.12.9", 1, Channel::Stable),
        ("3.12.10", 2, Channel::Stable),
        ("3.12.10-atls", 3, Channel::Stable),
        ("3.13.1-rc1", 4, Channel::Stable),
        ("3.14.6", 5, Channel::Candidate),
    ];
    for (version, day, channel) in offered {
        place.runtime = version;
        place.publish(version, day, channel, false);
    }
    let from = place.root().display().to_string();
    let chosen = [
        ("3.12", "3.12.10"),
        ("latest", "3.12.10"), // neither a variant, nor a pre-release, nor a candidate
        ("3", "3.12.10"),
        ("3.12.9", "3.12.9"),
        ("3.12-atls", "3.12.10-atls"),
        ("latest-rc1", "3.13.1-rc1"),
    ];
    for (asked, version) in chosen {
        let output = place.run(&["get", asked, "--from", &from]);
        let said = told(&output).2;
        let folder = installed(&output);
        assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), version, "for {asked:?}");
        let reason = format!("{version}: the newest {asked} on offer for linux-x64 in the channel stable");
        assert_eq!(said.contains(&reason), asked != version, "{said}");
    }
    let json = told(&place.run(&["get", "latest", "--channel", "candidate", "--from", &from, "--json"])).1;
    let got: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(got["version"], "3.14.6");
    let nothing = place.run(&["get", "3.14", "--from", &from]);
    let nearest = "on offer, nearest first: 3.13.1-rc1, 3.12.10, 3.12.9, 3.12.10-atls";
    refused(&nothing, 2, &["E_GET_NOT_OFFERED", "no 3.14 is on offer for linux-x64 in the channel stable", nearest]);
    refused(&nothing, 2, &["3.14.6 is on offer as a candidate: pass --channel candidate"]);
    let elsewhere = place.pydist(&["get", "3.12", "--platform", "windows-x64", "--from", &from]).output().unwrap();
    refused(&elsewhere, 2, &["it is on offer for linux-x64", "nothing is on offer for this platform"]);
    refused(&place.run(&["get", ">=3.12", "--from", &from]), 2, &["does not name a runtime"]);
}

#[test]
fn without_a_network_the_newest_that_is_installed_is_meant() {
    let mut place = Place::new();
    place.runtime = "3.12.9";
    place.publish("3.12.9", 1, Channel::Stable, false);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    let folder = installed(&place.run(&["get", "3.12", "--from", &url]));
    place.runtime = "3.12.10";
    place.publish("3.12.10", 2, Channel::Stable, false);
    refused(&place.run(&["get", "3.12.10-x", "--from", &url]), 2, &["E_CATALOGUE_MISSING"]);
    assert_eq!(installed(&place.run(&["get", "3.12", "--from", &url, "--offline"])), folder);
}

#[test]
fn a_remembered_source_and_its_keys_are_used_where_none_is_named() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let (url, key) = (server.url("/p"), place.pair.pk.to_base64());
    refused(
        &place.run(&["get", "latest-atls"]),
        2,
        &[
            "E_SOURCE_NONE",
            "no source is named, and none is remembered",
            "pass --from URL, set PYDIST_FROM, or run `pydist source set URL --public-key KEY` once",
        ],
    );
    let (code, out, said) = told(&place.run(&["source", "set", &format!("{url}/"), "--public-key", &key]));
    let expected = format!("* {url}  (public key {key}; {})", place.settings().display());
    assert_eq!((code, out.as_str()), (0, expected.as_str()), "{said}");
    let got = place.run(&["get", "latest-atls", "--json"]);
    let row: Value = serde_json::from_str(told(&got).1.lines().last().unwrap()).unwrap();
    assert_eq!(row["verified_by"], key.as_str());
    // However the source is named, the key is needed; another one is not taken instead.
    for from in [url.clone(), format!("{url}/"), server.url_as("ada", "secret", "/p")] {
        let row = told(&place.run(&["get", "latest-atls", "--from", &from, "--json"])).1;
        assert!(row.contains(&format!("\"verified_by\":\"{key}\"")), "{row}");
        let mut by_variable = place.pydist(&["get", "latest-atls", "--json", "--platform", "linux-x64", "--to"]);
        let row = told(&by_variable.arg(place.home()).env("PYDIST_FROM", &from).output().unwrap()).1;
        assert!(row.contains(&format!("\"verified_by\":\"{key}\"")), "{row}");
    }
    let other = other_key();
    refused(
        &place.run(&["get", "latest-atls", "--public-key", &other]),
        4,
        &[
            "E_SOURCE_KEY",
            "` is remembered with other public keys than the one that was given: ",
            "leave out --public-key to use the remembered ones; if the publisher has a new key, run `pydist source set http",
        ],
    );

    // What is served there is not signed any more, or by another key.
    fs::remove_file(place.root().join("catalogue.signed.json")).unwrap();
    refused(&place.run(&["get", "latest-atls"]), 4, &["E_GET_UNSIGNED"]);
    place.pair = KeyPair::generate_unencrypted_keypair().unwrap();
    place.publish("two", 2, Channel::Stable, true);
    refused(&place.run(&["get", "latest-atls"]), 4, &["E_GET_SIGNATURE"]);
    let newer = place.pair.pk.to_base64();
    assert_eq!(told(&place.run(&["source", "set", &url, "--public-key", &newer])).0, 0);
    installed(&place.run(&["get", "latest-atls"]));

    // A source without keys does not take the place of one that has some, unless that is wanted.
    let elsewhere = place.root().display().to_string();
    refused(
        &place.run(&["source", "set", &elsewhere]),
        4,
        &[
            "E_SOURCE_UNSIGNED",
            "` would be used without any public key, and `",
            "pass its --public-key, or --unsigned to rely on the server alone",
        ],
    );
    let (code, out, said) = told(&place.run(&["source", "set", &elsewhere, "--unsigned"]));
    assert!(code == 0 && out.contains("no public key") && said.contains("believed without a signature"), "{out}{said}");
    assert!(out.contains(&format!("  {url}  (public key {newer};")), "{out}");
    assert_eq!(told(&place.run(&["source", "remove", &elsewhere])).0, 0);
    refused(
        &place.run(&["source", "remove", &elsewhere]),
        2,
        &["E_SOURCE_UNKNOWN", "no source `", "` is remembered", "run `pydist source` for those that are"],
    );
    refused(&place.run(&["get", "latest-atls"]), 2, &["E_SOURCE_NONE"]);
}

#[test]
fn passwords_are_neither_kept_nor_shown() {
    let place = Place::new();
    let secret = "https://ada:correct-horse@runtimes.example.com/p?token=t0ken";
    let (code, out, said) = told(&place.run(&["source", "set", secret]));
    let file = fs::read_to_string(place.settings()).unwrap();
    assert!(code == 0 && said.contains("W_SOURCE_SECRETS") && said.contains("PYDIST_FROM"), "{said}");
    let shown = told(&place.pydist(&["source", "--json"]).env("PYDIST_FROM", secret).output().unwrap());
    for text in [&out, &said, &file, &shown.1, &shown.2] {
        assert!(!text.contains("horse") && !text.contains("ada:") && !text.contains("t0ken"), "{text}");
    }
    assert!(shown.1.contains("\"set_in\":\"PYDIST_FROM\""), "{}", shown.1);
    refused(&place.run(&["source", "set", "ftp://h.example/p"]), 2, &["E_FETCH_PLACE"]);
    refused(&place.run(&["source", "set", "s3://AB"]), 2, &["E_FETCH_PLACE"]);
    refused(
        &place.run(&["source", "set", secret, "--public-key", "nonsense"]),
        2,
        &[
            "E_GET_PUBLIC_KEY",
            "error[E_GET_PUBLIC_KEY]: --public-key: not a minisign public key",
            "give the line that begins with RW, or the file that `minisign -G` wrote",
        ],
    );
}

#[test]
fn a_damaged_file_of_sources_stops_everything_that_could_miss_a_key() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let from = place.root().display().to_string();
    assert_eq!(told(&place.run(&["source", "set", &from, "--public-key", &place.pair.pk.to_base64()])).0, 0);
    let text = fs::read_to_string(place.settings()).unwrap();
    for damaged in ["", "{}", &text[..text.len() / 2], &text.replace("\"format\": 1", "\"format\": 9")] {
        fs::write(place.settings(), damaged).unwrap();
        refused(
            &place.run(&["get", "latest-atls"]),
            2,
            &["E_SOURCE_FILE", "the remembered sources in `", "sources.json` cannot be used: ", TO_CORRECT],
        );
        refused(&place.run(&["get", "latest-atls", "--from", &from]), 2, &["E_SOURCE_FILE"]);
        refused(&place.run(&["source"]), 2, &["E_SOURCE_FILE"]);
        refused(&place.run(&["source", "set", &from]), 2, &["E_SOURCE_FILE"]);
        refused(&place.run(&["update"]), 2, &["E_SOURCE_FILE"]);
        assert_eq!(fs::read_to_string(place.settings()).unwrap(), damaged, "it is not replaced");
    }
    fs::write(place.settings(), text).unwrap();
    installed(&place.run(&["get", "latest-atls"]));
}

#[test]
fn a_folder_is_a_source_by_its_path_and_by_its_url() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, false);
    let path = place.root().display().to_string();
    let url = format!("file://{}{}", if cfg!(windows) { "/" } else { "" }, path.replace('\\', "/"));
    let folder = installed(&place.run(&["get", "latest-atls", "--from", &url]));
    assert_eq!(installed(&place.run(&["get", "latest-atls", "--from", &path, "--offline"])), folder);
    fs::remove_dir_all(place.root()).unwrap();
    refused(&place.run(&["get", "latest-atls", "--from", &url]), 1, &["catalogue.json"]);
}

#[test]
fn the_schema_of_sources_is_that_of_the_type_and_the_fixture_is_read() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let fixture = root.join("fixtures/sources/format-1.json");
    let sources = installer::Sources::read(&fixture).unwrap();
    let key = sources.known("https://runtimes.example.com/python/").unwrap().public_keys.len();
    assert_eq!((key, sources.sources.len()), (1, 2));
    let expected = installer::sources_schema();
    let schema = fs::read_to_string(root.join("schemas/sources.schema.json")).unwrap_or_default();
    assert!(schema.replace('\r', "") == expected, "schemas/sources.schema.json has to be:\n{expected}");
}

fn fill(server: &S3Server, place: &Place) {
    for name in testkit::files_below(&place.root()) {
        let object = server.object(&format!("py-thons/{name}"));
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        fs::copy(place.root().join(&name), object).unwrap();
    }
}

#[test]
fn s3_a_runtime_is_installed_from_a_bucket_and_updated_with_what_has_changed() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let (server, key) = (S3Server::start(), place.pair.pk.to_base64());
    fill(&server, &place);
    let from = format!("s3://{}/py-thons", S3Server::BUCKET);
    let run = |words: &[&str], variables: &[(&'static str, String)]| {
        let mut command = place.pydist(words);
        if words[0] == "get" {
            command.args(["--platform", "linux-x64", "--from", &from]);
        }
        command.arg("--to").arg(place.home()).envs(variables.iter().cloned()).output().unwrap()
    };
    let keys = server.variables();
    let folder = installed(&run(&["get", "latest-atls", "--public-key", &key], &keys));
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
    assert!(told(&run(&["get", "latest-atls"], &keys)).2.contains("up to date"));
    // A wrong secret, no keys, no such bucket.
    let wrong = S3Server::variables_for(&format!("http://{}", server.address()), "wrong");
    let (code, _, said) = told(&run(&["get", "latest-atls"], &wrong));
    assert!(code == 1 && said.contains("E_DESTINATION_") && !said.contains(S3Server::SECRET), "{code}: {said}");
    let mut none = place.pydist(&["get", "latest-atls", "--from", "s3://no-such-bucket/p", "--to"]);
    let none = none.arg(place.home()).args(["--platform", "linux-x64"]).envs(keys.iter().cloned()).output().unwrap();
    refused(&none, 1, &["no-such-bucket", "404"]);

    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);
    fill(&server, &place);
    let run =
        |words: &[&str]| place.pydist(words).arg("--to").arg(place.home()).envs(keys.iter().cloned()).output().unwrap();
    let (code, out, said) = told(&run(&["update", "--json"]));
    assert_eq!(code, 0, "{said}");
    let got: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert!(got["fetched"].as_u64().unwrap() < got["size"].as_u64().unwrap() / 10, "{got}");
    assert_eq!(got["verified_by"], key.as_str(), "the key of the installed build is needed for the update");
}

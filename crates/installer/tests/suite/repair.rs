//! Repairing under the keys of sources. What a repair fetches and keeps is tested in `loader`.

use std::fs;

use catalogue::Channel;
use installer::{InstallOutcome, Installed, PublicKey, RepairRequest, repair};
use minisign::KeyPair;
use testkit::{HttpServer, noise};

use crate::{Answer, Place, content, keys, now, other_key, plainly};

impl Place {
    /// Repairs the one build that is installed.
    fn repair(&self, given: Option<&str>, keys: &[&str]) -> Answer<InstallOutcome> {
        let home = self.home_of();
        let installed = Installed::read(&home).unwrap();
        let public_keys: Vec<PublicKey> = keys.iter().map(|key| PublicKey::of_text(key).unwrap()).collect();
        let request = RepairRequest {
            home: &home,
            build: &installed.builds[0],
            from: None,
            given,
            sources: &self.sources,
            public_keys: &public_keys,
            now: now(),
        };
        self.watched(|settings, watch| repair(&request, settings, watch))
    }
}

#[test]
fn a_source_that_is_remembered_with_a_key_repairs_nothing_without_it() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    // Installed without any key, which is remembered later.
    let folder = place.get(plainly()).folder();
    let (root, key) = (place.root().display().to_string(), place.key());
    place.sources.set(&root, &[PublicKey::of_text(&key).unwrap()], false).unwrap();
    let spoil = || fs::write(folder.join("bin/thing"), "x").unwrap();

    spoil();
    place.repair(None, &[&other_key()]).refused(4, &["E_SOURCE_KEY", "remembered with other public keys"]);
    assert_eq!(content(&folder), "x");
    place.repair(None, &[]).unwrap();
    assert_eq!(content(&folder), noise(1));
    spoil();
    place.repair(None, &[&key]).unwrap();

    // Somebody else's catalogue in its place, or one that nobody signed.
    spoil();
    place.pair = KeyPair::generate_unencrypted_keypair().unwrap();
    place.index();
    place.repair(None, &[]).refused(4, &["E_GET_SIGNATURE", "cannot repair"]);
    fs::remove_file(place.root().join("catalogue.signed.json")).unwrap();
    place.repair(None, &[]).refused(4, &["E_GET_UNSIGNED"]);
    assert_eq!(content(&folder), "x", "an error changes nothing");
}

#[test]
fn a_password_that_is_never_recorded_comes_from_the_variable_that_names_the_same_source() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    let folder = place.get_from(&url, keys(&[&place.key()])).folder();
    fs::write(folder.join("bin/thing"), "x").unwrap();
    server.require_basic("/p/", "me", "secret");
    place.repair(None, &[]).refused(1, &["cannot repair"]);
    let elsewhere = server.url_as("me", "secret", "/other");
    place.repair(Some(&elsewhere), &[]).refused(1, &["cannot repair"]);
    place.repair(Some(&server.url_as("me", "secret", "/p/")), &[]).unwrap();
    assert_eq!(content(&folder), noise(1));
}

//! Updates, and files that runtimes have in common.

use std::fs;
use std::path::Path;
use std::thread;

use catalogue::Channel;
use fetch::ReuseMode;
use installer::InstallOutcome;
use minisign::KeyPair;
use testkit::noise;

use crate::{Asked, Place, content, keys, plainly};

const SHARED: ReuseMode = ReuseMode::Shared;

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
    let words = ["E_UPDATE_MISSING", "3.12.10-atls is not installed in `", "run `pydist get 3.12.10-atls`"];
    place.update(SHARED).refused(2, &words);
    place.plan_update().refused(2, &words);
    let key = place.key();
    let first = place.get(keys(&[&key])).folder();
    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);

    let folders = || fs::read_dir(place.home()).unwrap().flatten().filter(|it| it.path().is_dir()).count();
    let before = folders();
    let planned = place.plan_update().unwrap();
    assert!(planned.before != planned.after && planned.version == place.runtime.parse().unwrap(), "{planned:?}");
    assert_eq!(folders(), before, "nothing new");

    let got = place.update(SHARED).unwrap();
    let InstallOutcome::Now { fetched, shared, .. } = got.installed else { panic!("{got:?}") };
    assert_eq!((fetched, shared), (planned.fetched, noise(1).len() as u64));
    assert_eq!(got.verified_by.as_ref(), Some(&key));
    let second = got.folder;
    assert!(second != first && is_shared(&first.join("bin/thing"), &second.join("bin/thing")));
    place.get(Asked { verify: true, ..keys(&[&key]) }).assert_unchanged();
    place.update(SHARED).assert_unchanged();
    let planned = place.plan_update().unwrap();
    assert_eq!((planned.before, planned.fetched), (planned.after, 0));

    // Somebody writes into the file all the same: what is shared is found changed, and repaired without harm.
    let thing = second.join("bin/thing");
    #[cfg(unix)]
    disk::set_mode(&thing, 0o644).unwrap();
    fs::write(&thing, "x").unwrap();
    place.get(keys(&[&key])).refused(4, &["E_GET_DAMAGED", "`bin/thing` has another size"]);
    place.get(Asked { reinstall: true, ..keys(&[&key]) }).folder();
    assert_eq!(fs::read_to_string(&thing).unwrap(), noise(1));
}

#[test]
fn a_copy_can_be_asked_for() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let first = place.get(plainly()).folder();
    place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let second = place.update(ReuseMode::Own).folder();
    fs::write(second.join("bin/thing"), "x").unwrap();
    assert_eq!(content(&first), noise(1));
}

#[test]
fn two_runtimes_have_what_they_share_on_disk_once() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    let one = place.get(plainly()).folder();
    place.runtime = "3.12.10-other";
    let entry = place.publish_as(&noise(1), "other", 1, Channel::Stable, false);
    let got = place.get(plainly()).unwrap();
    let InstallOutcome::Now { fetched, shared, .. } = got.installed else { panic!("{got:?}") };
    assert!(fetched < entry.artifact.size / 10 && shared == noise(1).len() as u64, "{got:?}");
    let other = got.folder;
    assert!(is_shared(&one.join("bin/thing"), &other.join("bin/thing")));
    // One that goes does not take anything from the other.
    fs::remove_dir_all(&one).unwrap();
    place.get(Asked { verify: true, ..plainly() }).assert_unchanged();
    // And one that was damaged gives nothing.
    place.runtime = "3.12.10-third";
    place.publish_as(&noise(1), "third", 1, Channel::Stable, false);
    fs::remove_file(other.join("bin/thing")).unwrap();
    assert_eq!(content(&place.get(plainly()).folder()), noise(1));
}

#[test]
fn an_update_needs_the_key_that_the_installed_build_was_verified_with() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let key = place.key();
    place.get(keys(&[&key])).folder();
    place.publish_as(&noise(1), "again", 2, Channel::Stable, true);
    fs::remove_file(place.root().join("catalogue.signed.json")).unwrap();
    place.update(SHARED).refused(4, &["E_GET_UNSIGNED"]);
    place.plan_update().refused(4, &["E_GET_UNSIGNED"]);
    place.pair = KeyPair::generate_unencrypted_keypair().unwrap();
    place.publish_as(&noise(1), "third", 3, Channel::Stable, true);
    place.update(SHARED).refused(4, &["E_GET_SIGNATURE"]);
}

#[test]
fn several_updates_at_once_install_one() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    place.get(plainly()).folder();
    let entry = place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let folder = place.home_of().folder(&entry.runtime, &entry.build_key);
    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| place.update(SHARED).folder())).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), folder));
    });
    place.get(Asked { verify: true, ..plainly() }).assert_unchanged();
}

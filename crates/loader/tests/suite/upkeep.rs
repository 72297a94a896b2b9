//! `pydist verify`, `repair`, `remove` and `prune` on what `pydist get` installed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use testkit::{HttpServer, noise};

use super::verbs::{PYTHON, name_of};
use super::{Channel, Place, installed, refused, told};

fn record_of(place: &Place, folder: &Path) -> std::path::PathBuf {
    place.home().join(format!(".installed/{}.json", name_of(folder)))
}

#[test]
fn verify_names_what_is_damaged_missing_or_added() {
    let mut place = Place::new();
    refused(
        &place.say(&["verify"]),
        2,
        &[
            "E_RUNTIME_NONE",
            "no runtime is installed in `",
            "install one with `pydist get`, or name the folder with --runtimes",
        ],
    );
    let one = place.publish_runtime("3.12.10-atls", "one", 1);
    let two = place.publish_runtime("3.12.9", "two", 2);
    let (code, stdout, stderr) = told(&place.say(&["verify"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("3.12.9") && stdout.contains(": intact, 3 files"), "{stdout}");
    assert!(stderr.contains("2 builds verified, no damage"), "{stderr}");

    // The same size and time, so only reading shows it.
    let thing = one.join("bin/thing");
    let time = fs::metadata(&thing).unwrap().modified().unwrap();
    fs::write(&thing, "THE SAME").unwrap();
    fs::File::options().write(true).open(&thing).unwrap().set_modified(time).unwrap();
    fs::write(one.join("sitecustomize.py"), "").unwrap();
    fs::create_dir_all(one.join("bin/__pycache__")).unwrap();
    fs::write(one.join("bin/__pycache__/x.pyc"), "").unwrap();
    let (code, stdout, stderr) = told(&place.say(&["verify", "3.12-atls"]));
    assert_eq!(code, 4, "{stderr}");
    assert!(stdout.contains("1 file damaged") && stdout.contains("  `bin/thing` was changed"), "{stdout}");
    assert!(stdout.contains("  `sitecustomize.py` was added") && !stdout.contains("pycache"), "{stdout}");
    assert!(stderr.contains("1 of 1 build damaged; `pydist repair`"), "{stderr}");
    let row = &place.rows(&["verify", "3.12-atls"])[0];
    assert_eq!((&row["event"], &row["damage"][0]["path"]), (&"verified".into(), &"bin/thing".into()));
    assert_eq!((&row["added"][0]["path"], &row["files"]), (&"sitecustomize.py".into(), &3.into()));
    assert_eq!(told(&place.say(&["verify", "3.12.9"])).0, 0, "the other one is as it was");
    refused(&place.say(&["verify", "3.12.9", "3.11"]), 2, &["E_RUNTIME_NOT_INSTALLED", "`3.11`"]);

    fs::write(record_of(&place, &one), "{}").unwrap();
    fs::remove_dir_all(&two).unwrap();
    let (code, stdout, _) = told(&place.say(&["verify"]));
    assert_eq!(code, 4);
    assert!(stdout.contains("its record cannot be read") && stdout.contains("its folder is gone"), "{stdout}");
    // A manifest that was exchanged in the record is not believed either.
    fs::create_dir_all(&two).unwrap();
    let text = fs::read_to_string(record_of(&place, &two)).unwrap();
    fs::write(record_of(&place, &two), text.replacen("3.12.9", "3.12.8", 1)).unwrap();
    assert!(told(&place.say(&["verify", "3.12.9"])).1.contains("its record cannot be read"));
}

#[test]
fn repair_fetches_only_what_is_damaged_and_keeps_what_was_added() {
    let mut place = Place::new();
    place.runtime = "3.12.10-atls";
    place.program = Some(("bin/python3.12".to_owned(), PYTHON.to_owned()));
    let key = place.pair.pk.to_base64();
    place.publish(&noise(1), 1, Channel::Stable, true);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    let folder = installed(&place.get_from(&url.replace("http://", "http://me:secret@"), &["--public-key", &key]));
    let record = fs::read_to_string(record_of(&place, &folder)).unwrap();
    let source = &record[record.rfind("\"source\"").unwrap()..];
    assert_eq!(source, format!("\"source\":{{\"from\":\"{url}\",\"channel\":\"stable\"}}}}"), "no password is kept");
    let (code, _, stderr) = told(&place.say(&["repair"]));
    assert!(code == 0 && stderr.contains("is intact"), "{stderr}");

    fs::write(folder.join("pydist.json"), "{}").unwrap();
    fs::create_dir_all(folder.join("lib/mine")).unwrap();
    fs::write(folder.join("lib/mine/a b.py"), "mine").unwrap();
    std::os::unix::fs::symlink("mine", folder.join("lib/link")).unwrap();
    fs::write(folder.join("bin/new"), "new").unwrap();
    let rows = place.rows(&["repair"]);
    let row = rows.last().unwrap();
    assert_eq!((&row["event"], &row["damage"][0]["path"]), (&"repaired".into(), &"pydist.json".into()), "{rows:?}");
    let number = |name: &str| row[name].as_u64().unwrap();
    assert!(number("fetched") > 0 && number("fetched") < number("size"), "{row}");
    assert_eq!(fs::read_to_string(folder.join("lib/mine/a b.py")).unwrap(), "mine");
    assert_eq!(fs::read_link(folder.join("lib/link")).unwrap(), Path::new("mine"));
    assert_eq!(fs::read_to_string(folder.join("bin/new")).unwrap(), "new");
    assert_eq!(told(&place.say(&["verify"])).0, 0);

    // Large parts that are intact are not fetched again.
    fs::remove_file(folder.join("bin/python3.12")).unwrap();
    let (code, stdout, stderr) = told(&place.say(&["repair", "3.12-atls"]));
    assert_eq!((code, stdout.as_str()), (0, folder.to_str().unwrap()), "{stderr}");
    assert!(stderr.contains("repaired: ") && stderr.contains("2 added paths kept"), "{stderr}");

    // Another runtime has what is damaged: nothing large is fetched.
    place.runtime = "3.12.9-atls";
    place.publish(&noise(1), 2, Channel::Stable, true);
    installed(&place.get_from(&url, &["--public-key", &key]));
    fs::write(folder.join("bin/thing"), "x").unwrap();
    let rows = place.rows(&["repair", "3.12.10-atls"]);
    let row = rows.last().unwrap();
    let (fetched, size) = (row["fetched"].as_u64().unwrap(), row["size"].as_u64().unwrap());
    assert!(fetched < 10_000 && fetched * 2 < size, "{row}");
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));

    // All of it is gone but the record.
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(told(&place.say(&["repair", "3.12-atls"])).0, 0);
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
    // A link in the place of a folder is not followed.
    let outside = place.folder.path().join("outside");
    fs::rename(folder.join("bin"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("bin")).unwrap();
    fs::write(outside.join("thing"), "theirs").unwrap();
    assert_eq!(told(&place.say(&["repair"])).0, 0);
    assert_eq!(fs::read_to_string(outside.join("thing")).unwrap(), "theirs");
    assert!(fs::symlink_metadata(folder.join("bin")).unwrap().is_dir());
    assert_eq!(told(&place.say(&["verify"])).0, 0);
}

#[test]
fn repair_says_so_where_it_cannot_know_or_trust_the_source() {
    let mut place = Place::new();
    let folder = place.publish_runtime("3.12.9", "one", 1);
    let from = place.root().to_str().unwrap().to_owned();
    let record = record_of(&place, &folder);
    let text = fs::read_to_string(&record).unwrap();
    fs::write(folder.join("bin/thing"), "x").unwrap();
    // As older versions wrote it.
    let old = text.replace(&text[text.rfind(",\"source\"").unwrap()..], "}");
    fs::write(&record, old).unwrap();
    refused(
        &place.say(&["repair"]),
        2,
        &[
            "E_RUNTIME_NO_SOURCE",
            "it is not known where `3.12.9-",
            "say where with --from, and with --public-key if it is signed",
        ],
    );
    assert_eq!(told(&place.say(&["repair", "--from", &from])).0, 0);
    assert_eq!(told(&place.say(&["verify"])).0, 0);

    // A record that cannot be read is made anew.
    fs::write(&record, "nonsense").unwrap();
    refused(&place.say(&["repair"]), 2, &["E_RUNTIME_NO_SOURCE"]);
    assert_eq!(told(&place.say(&["repair", "--from", &from])).0, 0);
    assert_eq!(told(&place.say(&["verify"])).0, 0);

    // Without a record it is somebody else's.
    fs::remove_file(&record).unwrap();
    assert_eq!(told(&place.say(&["repair", "--from", &from])).0, 0, "and passed over");
    refused(
        &place.say(&["repair", "3.12.9", "--from", &from]),
        2,
        &["E_RUNTIME_FOREIGN", "` was not installed by pydist"],
    );
    fs::write(&record, &text).unwrap();

    // Verified by a key: another place without its signature is refused.
    let key = place.pair.pk.to_base64();
    installed(&place.get(&["--public-key", &key]));
    fs::write(folder.join("bin/thing"), "x").unwrap();
    // A key that cannot be read is not the same as none.
    let signed = fs::read_to_string(&record).unwrap();
    fs::write(&record, signed.replace(&key, "RWnonsense")).unwrap();
    refused(&place.say(&["repair"]), 4, &["E_GET_SIGNATURE", "the record of the installation"]);
    fs::write(&record, signed).unwrap();
    let mut other = Place::new();
    let elsewhere = other.publish_runtime("3.12.9", "one", 1);
    assert_eq!(name_of(&elsewhere), name_of(&folder));
    let theirs = other.root();
    refused(&place.say(&["repair", "--from", theirs.to_str().unwrap()]), 4, &["E_GET_SIGNATURE", "cannot repair"]);
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), "x", "an error changes nothing");

    place.entries.clear();
    place.index();
    refused(
        &place.say(&["repair"]),
        2,
        &[
            "E_RUNTIME_NOT_OFFERED",
            "` does not offer `",
            name_of(&folder),
            "install a newer build with `pydist get`, or name another place with --from",
        ],
    );
    fs::remove_dir_all(place.root()).unwrap();
    refused(&place.say(&["repair"]), 4, &["cannot repair", "the catalogue there is not signed"]);
}

#[test]
fn repair_refuses_other_files_under_the_name_of_the_same_build() {
    let mut place = Place::new();
    place.program = Some(("bin/python3.12".to_owned(), PYTHON.to_owned()));
    place.publish_as("one", "build", 1, Channel::Stable, false);
    let folder = installed(&place.get(&[]));
    fs::write(folder.join("bin/thing"), "x").unwrap();
    place.entries.clear();
    place.publish_as("two", "build", 1, Channel::Stable, false);
    refused(
        &place.say(&["repair"]),
        4,
        &[
            "E_RUNTIME_OTHER_MANIFEST",
            "` than those that were installed",
            "ask the publisher why; `pydist get --reinstall` installs what is offered now",
        ],
    );
}

#[test]
fn remove_takes_versions_or_builds_and_never_guesses() {
    let mut place = Place::new();
    refused(&place.say(&["remove", "3.12.9"]), 2, &["E_RUNTIME_NONE"]);
    assert!(!place.home().exists());
    let one = place.publish_runtime("3.12.10-atls", "one", 1);
    let two = place.publish_runtime("3.12.10-atls", "two", 2);
    let nine = place.publish_runtime("3.12.9", "three", 3);
    let eight = place.publish_runtime("3.12.8", "four", 4);
    assert_eq!(told(&place.say(&["default", "3.12.9"])).0, 0);
    refused(&place.say(&["remove"]), 2, &["VERSION"]);
    refused(
        &place.say(&["remove", "3.12"]),
        2,
        &[
            "E_RUNTIME_AMBIGUOUS",
            "`3.12` could be 3.12.8 or 3.12.9",
            "nothing is removed by guessing: write the whole version",
        ],
    );
    refused(&place.say(&["remove", "3.12.8", "3.11"]), 2, &["E_RUNTIME_NOT_INSTALLED", "`3.11`"]);
    assert!(eight.is_dir(), "all or nothing");

    let (code, stdout, stderr) = told(&place.say(&["remove", name_of(&one)]));
    assert_eq!((code, stdout.as_str()), (0, one.to_str().unwrap()), "{stderr}");
    assert!(!one.exists() && two.is_dir() && stderr.contains("1 build removed, "), "{stderr}");
    assert_eq!(installed(&place.say(&["which", "3.12-atls"])), two.join("bin/python3.12"));
    let (code, _, stderr) = told(&place.say(&["remove", "3.12.9", "3.12-atls"]));
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("W_RUNTIME_DEFAULT") && stderr.contains("--unset"), "{stderr}");
    assert!(!nine.exists() && !two.exists());
    let left: Vec<_> =
        fs::read_dir(place.home()).unwrap().flatten().filter_map(|it| it.file_name().into_string().ok()).collect();
    assert!(left.iter().all(|name| name.starts_with('.') || name.starts_with("3.12.8-")), "{left:?}");
    assert_eq!(fs::read_dir(place.home().join(".installed")).unwrap().count(), 1);

    // Somebody else's folder is left alone, with a manifest or without.
    let foreign = place.home().join("3.12.7-0123456789ab");
    fs::create_dir(&foreign).unwrap();
    refused(&place.say(&["remove", "3.12.7"]), 2, &["E_RUNTIME_NOT_INSTALLED"]);
    fs::write(foreign.join("pydist.json"), "{}").unwrap();
    refused(
        &place.say(&["remove", "3.12.7"]),
        2,
        &["E_RUNTIME_FOREIGN", "it has no record in `.installed`; remove it yourself if you do not need it"],
    );
    assert!(foreign.join("pydist.json").is_file());
    // A damaged record is enough to know that it is ours.
    fs::write(record_of(&place, &eight), "nonsense").unwrap();
    let rows = place.rows(&["remove", "3.12.8"]);
    assert_eq!(
        (&rows[0]["event"], &rows[1]["event"], &rows[1]["builds"]),
        (&"removed".into(), &"freed".into(), &1.into())
    );
}

#[test]
fn a_removal_that_was_killed_is_finished_by_the_next_command() {
    let mut place = Place::new();
    let folder = place.publish_runtime("3.12.9", "one", 1);
    // As a kill after the first step leaves it: the build is out of sight, its record and its link are not.
    let taken = place.home().join(".removed-Ab12Cd");
    fs::create_dir(&taken).unwrap();
    fs::rename(&folder, taken.join(name_of(&folder))).unwrap();
    assert!(told(&place.say(&["list"])).1.contains("its folder is gone"));
    assert!(taken.is_dir(), "looking changes nothing");
    assert_eq!(told(&place.say(&["remove", "3.12.9"])).0, 0);
    assert!(!taken.exists() && !folder.exists(), "it does not come back");
    assert_eq!(place.rows(&["list"]).len(), 1);
    assert!(fs::symlink_metadata(place.home().join("3.12.9-current")).is_err());
}

#[test]
fn prune_removes_old_builds_and_says_what_that_frees() {
    let mut place = Place::new();
    let (code, _, stderr) = told(&place.say(&["prune"]));
    assert!(code == 0 && stderr.contains("no old build to remove") && !place.home().exists(), "{stderr}");
    let one = place.publish_runtime("3.12.10-atls", "one", 1);
    let two = place.publish_runtime("3.12.10-atls", "two", 2);
    let three = place.publish_runtime("3.12.10-atls", "three", 3);
    let lost = place.publish_runtime("3.12.9", "four", 4);
    fs::remove_file(place.home().join("3.12.9-current")).unwrap();
    let foreign = place.home().join("3.12.10-atls-0123456789ab");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("pydist.json"), "{}").unwrap();
    fs::create_dir_all(place.home().join(".stage-Ab12Cd/tree")).unwrap();
    // Shared with the current build: removing it frees nothing.
    fs::remove_file(one.join("bin/thing")).unwrap();
    fs::hard_link(three.join("bin/thing"), one.join("bin/thing")).unwrap();

    let rows = place.rows(&["list"]);
    let freed = |folder: &Path| {
        let row = rows.iter().find(|row| row["path"] == folder.to_str().unwrap()).unwrap();
        row["freed_if_removed"].as_u64().unwrap()
    };
    let expected = freed(&one) + freed(&two);
    let dry = place.rows(&["prune", "--dry-run"]);
    let total = dry.last().unwrap();
    assert_eq!((&total["dry_run"], &total["builds"], &total["freed"]), (&true.into(), &2.into(), &expected.into()));
    assert!(one.is_dir() && place.home().join(".stage-Ab12Cd").is_dir(), "a dry run changes nothing");
    assert!(told(&place.say(&["prune", "--dry-run"])).2.contains("would remove 2 old builds and free "));

    let (code, stdout, stderr) = told(&place.say(&["prune"]));
    assert_eq!((code, stdout.lines().count()), (0, 2), "{stderr}");
    assert!(stderr.contains("2 old builds removed, "), "{stderr}");
    assert!(!one.exists() && !two.exists() && !place.home().join(".stage-Ab12Cd").exists());
    assert!(three.is_dir() && foreign.is_dir(), "the current one and somebody else's stay");
    assert!(lost.is_dir(), "nothing says that another build of its version can be used");
    assert_eq!(told(&place.say(&["verify", "3.12.10-atls"])).0, 4, "the foreign one has no record");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_program_runs_from_is_not_removed() {
    let mut place = Place::new();
    let one = place.publish_runtime("3.12.10-atls", "one", 1);
    fs::copy("/bin/sleep", one.join("bin/sleeper")).unwrap();
    let mut sleeper = Command::new(one.join("bin/sleeper")).arg("600").spawn().unwrap();
    let two = place.publish_runtime("3.12.10-atls", "two", 2);
    let (code, stdout, stderr) = told(&place.say(&["prune"]));
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains(&format!("in use by sleeper ({})", sleeper.id())), "{stderr}");
    let kept = &place.rows(&["prune", "--dry-run"])[0];
    assert_eq!((&kept["event"], &kept["path"]), (&"kept".into(), &one.to_str().unwrap().into()));
    refused(
        &place.say(&["remove", "3.12.10-atls"]),
        1,
        &["E_RUNTIME_IN_USE", "` is in use by sleeper", "end what runs from it, or pass --force"],
    );
    assert!(one.is_dir() && two.is_dir());
    let forced = told(&place.say(&["remove", name_of(&one), "--force"]));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert_eq!(forced.0, 0, "{}", forced.2);
    assert!(!one.exists());
}

#[test]
fn two_processes_at_once_remove_a_build_once() {
    let mut place = Place::new();
    for (build, day) in [("one", 1), ("two", 2), ("three", 3), ("four", 4)] {
        place.publish_runtime("3.12.10-atls", build, day);
    }
    let removed = thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| told(&place.say(&["prune"])))).collect();
        let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(all.iter().all(|(code, _, _)| *code == 0), "{all:?}");
        all.iter().map(|(_, stdout, _)| stdout.lines().count()).sum::<usize>()
    });
    assert_eq!(removed, 3);
    let codes = thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| told(&place.say(&["remove", "3.12.10-atls"])).0)).collect();
        let mut codes: Vec<i32> = all.into_iter().map(|one| one.join().unwrap()).collect();
        codes.sort_unstable();
        codes
    });
    assert_eq!(codes, [0, 2, 2], "the others find nothing any more");
}

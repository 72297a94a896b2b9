//! What is done with what was published: verified, promoted, retracted and offered again, cleaned up, indexed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use objects::{FolderPlace, ObjectKey, Place, WaitingPublisher};
use serde_json::{Value, json};

use crate::support::artifacts::Sketch;
use crate::support::bench::{Bench, files_below};

#[test]
fn a_signed_runtime_is_verified_and_a_changed_object_found() {
    let mut bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.variables.push(("PYDIST_SIGNING_PASSWORD", "correct-horse".to_owned()));
    bench.good(&["keygen", "keys"]);
    let again = bench.run(&["keygen", "keys"]);
    assert!(again.code == 1 && again.told.contains("a key is never replaced"), "{}", again.told);
    bench.good(&["publish", "--key", "keys/pydist.key"]);
    let verified = bench.good(&["verify", "--public-key", "keys/pydist.pub"]);
    assert!(verified.out.contains("6 objects") && verified.out.contains("4 signatures held"), "{}", verified.out);
    let verified = bench.good(&["verify", "--json"]);
    let row: Value = serde_json::from_str(verified.out.lines().last().unwrap()).unwrap();
    assert_eq!(row["signatures"], json!({ "artifacts": 1, "manifests": 1, "provenance": 1, "catalogues": 1 }));

    bench.good(&["keygen", "others"]);
    let other = bench.run(&["verify", "--public-key", "others/pydist.pub"]);
    assert!(other.code == 4 && other.told.contains("different key"), "{}", other.told);
    assert_eq!(other.told.matches("is not valid").count(), 4, "artifact, manifest, provenance, index: {}", other.told);
    // The key from a variable, with the wrong password.
    let secret = fs::read_to_string(bench.folder.path().join("keys/pydist.key")).unwrap();
    bench.variables.retain(|(name, _)| *name != "PYDIST_SIGNING_PASSWORD");
    bench.variables.extend([("PYDIST_SIGNING_KEY", secret), ("PYDIST_SIGNING_PASSWORD", "wrong".to_owned())]);
    let wrong = bench.run(&["publish", "--force"]);
    assert!(
        wrong.code == 2 && wrong.told.contains("the signing key in PYDIST_SIGNING_KEY cannot be used"),
        "{}",
        wrong.told
    );

    let path = bench.path_of("/sbom/key");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let damaged = bench.run(&["verify"]);
    assert!(damaged.code == 4 && damaged.told.contains("cdx.json: its SHA-256 is"), "{}", damaged.told);
    fs::remove_file(&path).unwrap();
    let absent = bench.run(&["verify"]);
    assert!(absent.code == 4 && absent.told.contains("it is not there"), "{}", absent.told);
}

#[test]
fn verify_finds_each_signature_that_does_not_hold() {
    type Spoil<'a> = &'a dyn Fn(&Bench);
    let copy = |bench: &Bench, from: &str, to: &str| {
        fs::copy(bench.path_of(from), bench.path_of(to)).unwrap();
    };
    let cases: [(&str, Spoil<'_>, &str); 4] = [
        // (case, what is done, what is told)
        ("artifact's", &|it| copy(it, "/signatures/manifest/key", "/signatures/artifact/key"), ".zst` is not valid"),
        ("manifest's", &|it| copy(it, "/signatures/artifact/key", "/signatures/manifest/key"), ".zst` is not valid"),
        (
            "provenance's",
            &|it| {
                let path = it.path_of("/provenance/key");
                let text = fs::read_to_string(&path).unwrap();
                let at = text.find("\"sig\":\"").unwrap() + 10;
                let other = if &text[at..=at] == "A" { "B" } else { "A" };
                fs::write(path, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
            },
            ".intoto.jsonl` is not valid: it was made by another key, or of something else",
        ),
        (
            "artifact",
            &|it| {
                let path = it.path_of("/artifact/key");
                let mut bytes = fs::read(&path).unwrap();
                bytes[100] ^= 1;
                fs::write(path, bytes).unwrap();
            },
            ".zst` is not valid",
        ),
    ];
    for (case, spoil, expected) in cases {
        let bench = Bench::new();
        Sketch::new("3.12.10").make(&bench.dist(), |_| ());
        bench.good(&["keygen", "keys"]);
        bench.good(&["publish", "--key", "keys/pydist.key"]);
        spoil(&bench);
        let run = bench.run(&["verify", "--public-key", "keys/pydist.pub"]);
        assert!(run.code == 4 && run.told.contains(expected), "{case}: {}", run.told);
        assert!(run.out.contains("3 signatures held"), "{case}: {}", run.out);
    }
}

#[test]
fn what_was_published_without_a_key_is_no_fault_unless_a_signature_is_insisted_on() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    assert!(bench.good(&["verify"]).out.contains("0 signatures held; 0 faults"));
    bench.good(&["keygen", "keys"]);
    let insisted = bench.run(&["verify", "--public-key", "keys/pydist.pub"]);
    assert!(insisted.code == 4 && insisted.told.contains("it is not signed"), "{}", insisted.told);
}

#[test]
fn settings_that_cannot_be_understood_are_told_and_nothing_is_written() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    bench.good(&["reindex", "--public-url", "https://runtimes.example/p/", "--title", "Ours"]);
    let path = Path::new(&bench.to).join("settings.json");
    let text = fs::read_to_string(&path).unwrap();
    let expected = json!({ "format": 1, "public_url": "https://runtimes.example/p", "title": "Ours" });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    let before = files_below(Path::new(&bench.to));
    for (other, told) in [
        (text.replace("\"format\": 1", "\"format\": 2"), "the settings file has format 2, this program reads format 1"),
        (text.replace("title", "titel"), "line 4, column 3, /titel: unknown key `titel`; known is `format`"),
    ] {
        fs::write(&path, other).unwrap();
        let run = bench.run(&["reindex"]);
        assert!(run.told.contains("cannot use `settings.json`") && run.told.contains(told), "{}", run.told);
        assert!(run.code == 2 && run.told.contains("publisher reindex --public-url"), "{}", run.told);
        assert_eq!(files_below(Path::new(&bench.to)), before);
    }
}

#[test]
fn an_entry_is_promoted_retracted_and_its_artifact_stays() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    bench.good(&["promote", "3.12.10"]);
    assert_eq!(bench.catalogue()["entries"][0]["channel"], "stable");
    let missing = bench.run(&["retract", "3.12.11", "--reason", "x"]);
    assert!(missing.code == 2 && missing.told.contains("there is no entry `3.12.11`"), "{}", missing.told);
    bench.good(&["retract", "3.12.10", "--reason", "wrong numpy"]);
    let catalogue = bench.catalogue();
    assert_eq!(
        (catalogue["entries"].as_array().unwrap().len(), &catalogue["retracted"][0]["reason"]),
        (0, &json!("wrong numpy"))
    );
    let list = bench.good(&["list", "--all"]);
    assert!(list.out.contains("retracted: wrong numpy"), "{}", list.out);
    bench.good(&["gc", "--older-than-days", "0"]);
    assert!(bench.good(&["verify"]).out.contains("4 objects"), "the artifact can still be fetched by its digest");
}

#[test]
fn case_client_retract_empty_reason_is_an_error_and_a_retraction_can_be_taken_back() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    let published = bench.catalogue();
    for reason in ["", " ", "\t\n", "\u{a0}", "-", "..."] {
        let run = bench.run(&["retract", "3.12.10", "--reason", reason]);
        assert!(run.code == 2 && run.told.contains("E_RETRACT_REASON"), "{reason:?}: {}", run.told);
        assert_eq!(bench.catalogue(), published, "{reason:?}");
    }
    assert!(bench.good(&["restore", "3.12.10"]).out.contains("is not retracted"));

    let retracted = |bench: &Bench| bench.catalogue()["retracted"][0]["reason"].as_str().map(str::to_owned);
    // The clock of these runs stands still, so that only what is written decides what comes later.
    for reason in ["wrong numpy", "wrong again"] {
        bench.good(&["retract", "3.12.10", "--reason", reason]);
        assert_eq!(retracted(&bench).as_deref(), Some(reason));
        let again = bench.good(&["retract", "3.12.10", "--reason", "other"]);
        assert!(again.out.contains("was already retracted"), "{}", again.out);
        assert_eq!(retracted(&bench).as_deref(), Some(reason));
        let back = bench.good(&["restore", "3.12.10"]);
        assert!(back.out.contains("is offered again"), "{}", back.out);
        assert_eq!(bench.catalogue(), published, "as if it had never been retracted");
        assert!(bench.good(&["restore", "3.12.10"]).out.contains("is not retracted"));
    }
    assert_eq!(bench.good(&["verify"]).code, 0);
}

#[test]
fn attack_13_a_publisher_whose_entries_another_has_brought_along_waits_for_nobody() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    let to = FolderPlace::new(PathBuf::from(&bench.to));
    let before = files_below(Path::new(&bench.to));
    // Held all the time: who had to write the index would not end.
    let turn = to.try_turn(&mut WaitingPublisher::default()).unwrap();
    assert!(turn.is_some());
    let run = bench.good(&["publish"]);
    assert!(run.told.contains("is kept") && run.told.contains("1 entry"), "{}", run.told);
    assert_eq!(files_below(Path::new(&bench.to)), before);

    // One that is not in the index yet has to.
    let sketch = Sketch { build: 2, ..Sketch::new("3.12.10") };
    let other = sketch.make(&bench.folder.path().join("other"), |_| ()).display().to_string();
    let mut waits = bench.command(&["publish", "--quiet", &other]).spawn().unwrap();
    let entries = || files_below(Path::new(&bench.to)).iter().filter(|path| path.starts_with("entries")).count();
    while entries() < 2 {
        assert!(waits.try_wait().unwrap().is_none(), "it ended without its entry");
        thread::yield_now();
    }
    assert_eq!(bench.catalogue()["entries"].as_array().unwrap().len(), 1);
    drop(turn);
    assert!(waits.wait().unwrap().success());
    assert_eq!(bench.catalogue()["entries"].as_array().unwrap().len(), 2);
    assert!(bench.good(&["verify"]).out.contains("0 faults"));
}

#[test]
fn who_retracts_and_restores_at_once_agrees_with_the_catalogue() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    thread::scope(|scope| {
        for number in 0..12 {
            let bench = &bench;
            scope.spawn(move || match number % 2 {
                0 => bench.good(&["retract", "3.12.10", "--reason", "wrong numpy"]),
                _ => bench.good(&["restore", "3.12.10"]),
            });
        }
    });
    // Whichever was last: the index says what the notices say, and one more word of either kind is heard.
    assert_eq!(bench.good(&["verify"]).code, 0);
    bench.good(&["retract", "3.12.10", "--reason", "wrong numpy"]);
    assert_eq!(bench.catalogue()["entries"], json!([]));
    bench.good(&["restore", "3.12.10"]);
    assert_eq!(bench.catalogue()["retracted"], json!([]));
}

#[test]
fn case_client_verify_nowhere_a_place_without_catalogue_and_entries_is_an_error() {
    let bench = Bench::new();
    let commands: [&[&str]; 9] = [
        &["verify"],
        &["verify", "3.12.10"],
        &["list"],
        &["gc", "--older-than-days", "0"],
        &["reindex"],
        &["show", "3.12.10"],
        &["retract", "3.12.10", "--reason", "wrong numpy"],
        &["restore", "3.12.10"],
        &["promote", "3.12.10"],
    ];
    // Somebody else's files below the name that ours have.
    let to = Path::new(&bench.to);
    for exists in [false, true] {
        if exists {
            fs::create_dir_all(to.join("artifacts/ab")).unwrap();
            fs::write(to.join("artifacts/ab/photo.zip"), "theirs").unwrap();
        }
        let before = files_below(to);
        for command in commands {
            let run = bench.run(command);
            assert!(run.code == 2 && run.told.contains("E_NOTHING_PUBLISHED"), "{command:?}: {}{}", run.out, run.told);
            assert_eq!(to.exists(), exists, "{command:?}");
            assert_eq!(files_below(to), before, "{command:?}");
        }
    }
}

#[test]
fn a_key_file_that_cannot_be_used_is_one_error_before_anything_is_read() {
    let bench = Bench::new();
    for version in ["3.12.10", "3.12.10-slim"] {
        Sketch::new(version).make(&bench.dist(), |_| ());
    }
    bench.good(&["keygen", "keys"]);
    bench.good(&["publish", "--key", "keys/pydist.key"]);
    let secret = fs::read_to_string(bench.folder.path().join("keys/pydist.key")).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    let cases = [
        // (what is given, what is told)
        ("keys/absent.pub", "cannot read the key file `keys/absent.pub`"),
        ("keys", "cannot read the key file `keys`"),
        ("keys/pydist.key", "`keys/pydist.key` does not contain a minisign public key"),
        ("keys/pydist.pem", "`keys/pydist.pem` does not contain a minisign public key"),
    ];
    for (given, expected) in cases {
        let run = bench.run(&["verify", "--public-key", given]);
        assert!(run.code == 2 && run.told.contains("E_KEY_FILE"), "{given}: {}", run.told);
        assert_eq!(run.told.matches(expected).count(), 1, "{given}: {}", run.told);
        assert!(!run.told.contains("W_PUBLISHED_DAMAGED") && !run.told.contains(secret), "{given}: {}", run.told);
    }
    // What would sign is opened by a dry run, too.
    fs::write(bench.folder.path().join("broken.key"), "untrusted comment: x\nbm90IGEga2V5\n").unwrap();
    for key in ["absent.key", "broken.key", "keys/pydist.pub"] {
        for arguments in [&["publish", "--key", key][..], &["publish", "--dry-run", "--key", key]] {
            let run = bench.run(arguments);
            assert!(run.code == 2 && run.told.contains(key) && run.out.is_empty(), "{arguments:?}: {}", run.told);
        }
    }
    assert!(bench.good(&["publish", "--dry-run", "--key", "keys/pydist.key"]).out.contains("kept as it is"));
}

#[test]
fn gc_removes_only_what_no_entry_points_at() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    // Attack 1: what somebody keeps among the artifacts.
    std::fs::write(Path::new(&bench.to).join("artifacts/letter.txt"), "mine").unwrap();
    let before = files_below(Path::new(&bench.to));
    let folder = FolderPlace::new(PathBuf::from(&bench.to));
    let stray = catalogue::object_keys::artifact(&vocab::Digest::of("stray"), "stray.tar.zst");
    let stray: ObjectKey = stray.parse().unwrap();
    folder.create(&stray, b"stray").unwrap();
    assert!(!bench.good(&["gc"]).out.contains("stray"), "it is too young");
    assert!(bench.good(&["gc", "--dry-run", "--older-than-days", "0"]).out.contains("stray.tar.zst"));
    assert!(folder.head(&stray).unwrap().is_some());
    bench.good(&["gc", "--older-than-days", "0"]);
    assert_eq!(files_below(Path::new(&bench.to)), before);
}

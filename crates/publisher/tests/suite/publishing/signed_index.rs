//! The signed catalogue: who may change it, what is found, many at once.

use std::fs;
use std::path::{Path, PathBuf};

use objects::FolderPlace;
use serde_json::json;

use super::{Bench, artifacts_of, files_below, many_publishers};
use crate::support::artifacts::Sketch;

#[test]
fn attack_6_many_publishers_with_the_key_sign_what_all_of_them_published() {
    let mut bench = Bench::new();
    bench.good(&["keygen", "keys"]);
    let key = fs::read_to_string(bench.folder.path().join("keys/pydist.key")).unwrap();
    bench.variables.push(("PYDIST_SIGNING_KEY", key));
    let to = FolderPlace::new(PathBuf::from(&bench.to));
    many_publishers("a signed folder", &bench, &to, &artifacts_of(&bench, 12));
    assert_eq!(bench.edition()["catalogue"], bench.catalogue());
}

#[test]
fn attack_6_a_signed_index_is_changed_only_by_who_has_the_key() {
    let bench = Bench::new();
    let artifact = |build: u64| {
        let mut sketch = Sketch::new("3.12.10");
        sketch.build = build;
        sketch.make(&bench.folder.path().join(format!("dist-{build}")), |_| ()).display().to_string()
    };
    let (first, second) = (artifact(1), artifact(2));
    bench.good(&["keygen", "keys"]);
    bench.good(&["keygen", "others"]);
    bench.good(&["publish", &first, "--key", "keys/pydist.key"]);
    let edition = bench.edition();
    assert_eq!(edition["catalogue"], bench.catalogue());
    let state = |bench: &Bench| -> Vec<(String, Vec<u8>)> {
        let root = Path::new(&bench.to);
        files_below(root).into_iter().map(|name| (name.clone(), fs::read(root.join(name)).unwrap())).collect()
    };
    let before = state(&bench);
    let commands: [&[&str]; 4] = [
        &["publish", &second],
        &["retract", "3.12.10", "--reason", "x"],
        &["promote", "3.12.10"],
        &["reindex", "--title", "Theirs"],
    ];
    for command in commands {
        let run = bench.run(command);
        assert!(run.code == 2 && run.told.contains("E_INDEX_SIGNED"), "{command:?}: {}{}", run.code, run.told);
        assert!(run.told.contains("is signed, and no key was given"), "{}", run.told);
        let run = bench.run(&[command, &["--key", "others/pydist.key"]].concat());
        assert!(run.code == 4 && run.told.contains("E_INDEX_KEY"), "{command:?}: {}{}", run.code, run.told);
        assert!(run.told.contains("--change-key"), "{}", run.told);
        assert!(state(&bench) == before, "nothing was changed by {command:?}");
    }

    bench.good(&["retract", "3.12.10", "--reason", "wrong numpy", "--signing-key", "keys/pydist.key"]);
    let retracted = bench.edition();
    assert_eq!(retracted["catalogue"]["retracted"][0]["reason"], "wrong numpy");
    assert!(retracted["counter"].as_u64() > edition["counter"].as_u64());
    // Publishing what is there changes nothing, and needs no new signature.
    bench.good(&["publish", &first, "--key", "keys/pydist.key"]);
    assert_eq!(bench.edition(), retracted);
    bench.good(&["reindex", "--key", "others/pydist.key", "--change-key"]);
    assert!(bench.edition()["counter"].as_u64() > retracted["counter"].as_u64(), "the counter outlives a key");
    assert_eq!(bench.run(&["reindex", "--key", "keys/pydist.key"]).code, 4);
}

#[test]
fn attack_6_an_index_that_was_tampered_with_or_has_expired_is_found_and_renewed() {
    let mut bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["keygen", "keys"]);
    bench.good(&["publish", "--key", "keys/pydist.key"]);
    bench.good(&["reindex", "--key", "keys/pydist.key", "--valid-days", "30"]);
    let edition = bench.edition();
    assert_eq!(
        (&edition["signed"], &edition["expires"]),
        (&json!("2025-11-24T16:00:00Z"), &json!("2025-12-24T16:00:00Z"))
    );
    assert!(bench.good(&["verify", "--public-key", "keys/pydist.pub"]).out.contains("4 signatures held; 0 faults"));

    bench.variables[0].1 = "1767000000".to_owned();
    let expired = bench.run(&["verify"]);
    assert!(expired.code == 4 && expired.told.contains("it expired on 2025-12-24T16:00:00Z"), "{}", expired.told);
    // Whoever publishes renews it, too.
    bench.good(&["publish", "--key", "keys/pydist.key"]);
    assert!(bench.edition()["counter"].as_u64() > edition["counter"].as_u64());
    bench.good(&["verify"]);
    assert_eq!(bench.run(&["reindex", "--key", "keys/pydist.key", "--valid-days", "0"]).code, 2);

    let path = Path::new(&bench.to).join("catalogue.signed.json");
    let text = fs::read_to_string(&path).unwrap();
    let cases = [
        // (what is there instead, what is told)
        (text.replace("candidate", "stable"), "is not valid"),
        (text.replace("\"format\": 1,\n  \"public_key\"", "\"format\": 2,\n  \"public_key\""), "has format 2"),
        ("{}".to_owned(), "malformed"),
        (format!("{{\"format\":1,{}", "[".repeat(100_000)), "malformed"),
        (String::new(), "malformed"),
    ];
    for (other, expected) in cases {
        assert_ne!(other, text);
        fs::write(&path, other).unwrap();
        let run = bench.run(&["verify", "--public-key", "keys/pydist.pub"]);
        assert!(run.code == 4 && run.told.contains(expected), "{expected}: {}", run.told);
        let run = bench.run(&["publish", "--key", "keys/pydist.key"]);
        assert!(run.code == 4 && run.told.contains("E_INDEX_KEY"), "{expected}: {}", run.told);
    }
    bench.good(&["reindex", "--key", "keys/pydist.key", "--change-key"]);
    bench.good(&["verify", "--public-key", "keys/pydist.pub"]);
    fs::remove_file(&path).unwrap();
    let run = bench.run(&["verify", "--public-key", "keys/pydist.pub"]);
    assert!(run.code == 4 && run.told.contains("the catalogue is not signed"), "{}", run.told);
}

#[test]
fn attack_6_a_retraction_that_somebody_removed_is_not_signed_away() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["keygen", "keys"]);
    let key = ["--key", "keys/pydist.key"];
    bench.good(&[&["publish"][..], &key].concat());
    bench.good(&[&["retract", "3.12.10", "--reason", "wrong numpy"][..], &key].concat());
    let signed = bench.edition();
    fs::remove_dir_all(Path::new(&bench.to).join("retractions")).unwrap();
    for command in [&["publish"][..], &["reindex"], &["promote", "3.12.10"]] {
        let run = bench.run(&[command, &key].concat());
        assert!(run.code == 4 && run.told.contains("E_RETRACTION_LOST"), "{command:?}: {}{}", run.code, run.told);
        assert!(run.told.contains("the retraction of 3.12.10/linux-x64/"), "{}", run.told);
        assert_eq!(bench.edition(), signed);
    }
    bench.good(&[&["retract", "3.12.10", "--reason", "wrong numpy"][..], &key].concat());
    assert_eq!(bench.edition()["catalogue"]["retracted"].as_array().unwrap().len(), 1);
    bench.good(&[&["restore", "3.12.10"][..], &key].concat());
    assert_eq!(bench.edition()["catalogue"]["entries"].as_array().unwrap().len(), 1);
}

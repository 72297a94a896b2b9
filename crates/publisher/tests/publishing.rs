//! The program as a user runs it: what is published, refused, kept, found, withdrawn, and what many of them do at once.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

#[path = "publishing/signed_index.rs"]
mod signed_index;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use publisher::{Destination, FolderDestination, ObjectKey};
use serde_json::{Value, json};
use support::artifacts::Sketch;
use support::{bucket, settings};
use testkit::{HttpServer, S3Fault, S3Proxy, S3Server};

struct Bench {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
    to: String,
}

struct Run {
    code: i32,
    out: String,
    told: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("published").display().to_string();
        Self { folder, variables: vec![("SOURCE_DATE_EPOCH", "1764000000".to_owned())], to }
    }

    fn on(server: &str) -> Self {
        let mut bench = Self::new();
        bench.variables.extend(S3Server::variables_for(server, S3Server::SECRET));
        bench.to = format!("s3://{}/p", S3Server::BUCKET);
        bench
    }

    fn dist(&self) -> PathBuf {
        self.folder.path().join("dist")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_publisher"));
        // Nothing of this machine's own settings; home and folder are empty.
        command.env_clear().env("HOME", self.folder.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).args(arguments).args(["--to", &self.to]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        told(&self.command(arguments).output().unwrap())
    }

    fn good(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.out, run.told);
        run
    }

    /// Of what the first row of the catalogue points at.
    fn path_of(&self, pointer: &str) -> PathBuf {
        let key = self.catalogue()["entries"][0].pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Path::new(&self.to).join(key)
    }

    /// What is signed.
    fn edition(&self) -> Value {
        let text = fs::read(Path::new(&self.to).join("catalogue.signed.json")).unwrap();
        let signed: Value = serde_json::from_slice(&text).unwrap();
        serde_json::from_str(signed["edition"].as_str().unwrap()).unwrap()
    }

    fn catalogue(&self) -> Value {
        serde_json::from_slice(&fs::read(Path::new(&self.to).join("catalogue.json")).unwrap()).unwrap()
    }
}

fn told(output: &Output) -> Run {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let run = Run { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), told: text(&output.stderr) };
    for secret in [S3Server::SECRET, S3Server::KEY, "correct-horse"] {
        assert!(!run.out.contains(secret) && !run.told.contains(secret), "a secret is told: {}{}", run.out, run.told);
    }
    run
}

fn files_below(folder: &Path) -> BTreeSet<String> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().filter(|it| it.file_type().is_file());
    files.map(|it| it.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn everything_of_an_artifact_is_published_and_found_again() {
    let bench = Bench::new();
    Sketch::new("3.12.10-atls").make(&bench.dist(), |_| ());
    let run = bench.good(&["publish"]);
    assert!(
        run.out.starts_with("entries/3.12.10-atls/linux-x64/") && run.out.ends_with("-tar.zst.json\n"),
        "{}",
        run.out
    );
    assert!(run.told.contains("nothing is signed") && run.told.contains("1 entry"), "{}", run.told);

    let row = &bench.catalogue()["entries"][0];
    let sha256 = row["artifact"]["sha256"].as_str().unwrap().to_owned();
    let folder = format!("artifacts/{}/{sha256}", &sha256[..2]);
    let name = "pydist-atls-3.12.10-linux-x86_64.tar.zst";
    let expected: BTreeSet<String> =
        ["", ".json", ".sha256", ".cdx.json", ".intoto.jsonl"].iter().map(|it| format!("{name}{it}")).collect();
    assert_eq!(files_below(&Path::new(&bench.to).join(&folder)), expected);
    let sums = fs::read_to_string(Path::new(&bench.to).join(&folder).join(format!("{name}.sha256"))).unwrap();
    assert_eq!(sums, format!("{sha256}  {name}\n"));

    let list = bench.good(&["list"]);
    assert!(list.out.contains("3.12.10-atls  linux-x64  candidate"), "{}", list.out);
    let show = bench.good(&["show", &sha256[..12]]);
    assert_eq!(serde_json::from_str::<Value>(&show.out).unwrap()["artifact"]["sha256"], sha256);
    let verified = bench.good(&["verify"]);
    assert!(verified.out.starts_with("1 entry, 4 objects") && verified.out.contains("0 faults"), "{}", verified.out);

    // K2: kept, an error, replaced.
    let again = bench.good(&["publish"]);
    assert!(again.told.contains("was published before and is kept"), "{}", again.told);
    let failed = bench.run(&["publish", "--fail-existing"]);
    assert_eq!(failed.code, 1, "{}", failed.told);
    assert!(failed.told.contains("published already: 3.12.10-atls/linux-x64/"), "{}", failed.told);
    bench.good(&["publish", "--force"]);
    assert_eq!(bench.good(&["verify"]).code, 0);
}

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
    assert_eq!(other.told.matches("does not hold").count(), 4, "artifact, manifest, provenance, index: {}", other.told);
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
        ("artifact's", &|it| copy(it, "/signatures/manifest/key", "/signatures/artifact/key"), ".zst` does not hold"),
        ("manifest's", &|it| copy(it, "/signatures/artifact/key", "/signatures/manifest/key"), ".zst` does not hold"),
        (
            "provenance's",
            &|it| {
                let path = it.path_of("/provenance/key");
                let text = fs::read_to_string(&path).unwrap();
                let at = text.find("\"sig\":\"").unwrap() + 10;
                let other = if &text[at..=at] == "A" { "B" } else { "A" };
                fs::write(path, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
            },
            ".intoto.jsonl` does not hold: it was made by another key, or of something else",
        ),
        (
            "artifact",
            &|it| {
                let path = it.path_of("/artifact/key");
                let mut bytes = fs::read(&path).unwrap();
                bytes[100] ^= 1;
                fs::write(path, bytes).unwrap();
            },
            ".zst` does not hold",
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
fn what_signs_in_by_a_way_that_is_not_read_is_told_what_to_do() {
    let cases = [
        // (profile, how)
        (
            "sso_start_url = https://x.awsapps.example/start\nsso_region = eu-1\nsso_account_id = 1\nsso_role_name = r",
            "sso",
        ),
        ("login_session = arn:aws:iam::1:user/x", "login"),
    ];
    for (profile, how) in cases {
        let mut bench = Bench::new();
        let config = bench.folder.path().join("config");
        fs::write(&config, format!("[profile work]\nregion = eu-1\n{profile}\n")).unwrap();
        bench.variables.push(("AWS_CONFIG_FILE", config.display().to_string()));
        bench.to = "s3://bucket/p?profile=work&endpoint=http://127.0.0.1:1".to_owned();
        let run = bench.run(&["list"]);
        assert_eq!(run.code, 2, "{}", run.told);
        for expected in [&format!("signs in by `{how}`"), "E_DESTINATION_CREDENTIALS", "export-credentials"] {
            assert!(run.told.contains(expected), "no {expected:?} in: {}", run.told);
        }
    }
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
        (text.replace("title", "titel"), "unknown field `titel`"),
    ] {
        fs::write(&path, other).unwrap();
        let run = bench.run(&["reindex"]);
        assert!(run.told.contains("cannot use `settings.json`") && run.told.contains(told), "{}", run.told);
        assert!(run.code == 2 && run.told.contains("publisher reindex --public-url"), "{}", run.told);
        assert_eq!(files_below(Path::new(&bench.to)), before);
    }
}

#[test]
fn k3_what_stands_against_any_artifact_is_told_before_anything_is_uploaded() {
    let bench = Bench::new();
    let rule = |outcome: &str| json!([{ "name": "cudf-cu12", "outcome": outcome, "reason": "no wheel" }]);
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, Change<'_>, &str, &str); 6] = [
        // (case, what is so in the manifest, what is told, what allows it)
        ("stand-in", &|it| it["base"]["stand_in"] = json!(true), "stands on Python 3.12.10", "--allow-stand-in"),
        (
            "missing",
            &|it| it["rules"] = rule("missing"),
            "packages are missing: cudf-cu12 (no wheel)",
            "--allow-missing",
        ),
        (
            "left-out",
            &|it| it["rules"] = rule("left-out"),
            "packages were left out: cudf-cu12 (no wheel)",
            "--allow-left-out",
        ),
        ("degraded", &|it| it["degraded"] = json!(true), "configuration could not be read", "--allow-degraded"),
        ("unchecked", &|it| it["native"]["imported"] = json!(0), "was ever imported", "--allow-unchecked"),
        ("lock", &|it| it["lock"] = json!(vocab::Digest::of("other")), "lock.json has", "--allow-other-lock"),
    ];
    let python = bench.folder.path().join("python-3.12.10");
    fs::create_dir_all(&python).unwrap();
    fs::write(python.join("config.json"), "{}").unwrap();
    let lock = json!({ "format": 1, "runtime": "3.12.10", "platforms": { "linux-x64": { "distributions": [] } } });
    fs::write(python.join("lock.json"), serde_json::to_string_pretty(&lock).unwrap()).unwrap();
    let good = Sketch::new("3.12.10-good").make(&bench.dist(), |_| ()).display().to_string();
    for (case, change, expected, option) in cases {
        let bad = Sketch::new("3.12.10").make(&bench.folder.path().join(case), change).display().to_string();
        let run = bench.run(&["publish", &good, &bad]);
        assert_eq!(run.code, 3, "{case}: {}", run.told);
        assert!(run.told.contains(expected) && run.told.contains(option), "{case}: {}", run.told);
        assert!(!Path::new(&bench.to).exists(), "{case}: nothing is published, not even the good one");
        let dry = bench.run(&["publish", "--dry-run", &good, &bad]);
        assert!(dry.code == 3 && dry.out.contains("refused: "), "{case}: {}{}", dry.out, dry.told);
        bench.good(&["publish", &bad, option]);
        fs::remove_dir_all(&bench.to).unwrap();
    }
}

#[test]
fn an_artifact_that_is_not_its_manifests_is_never_visible() {
    let bench = Bench::new();
    let path = Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    let mut bytes = fs::read(&path).unwrap();
    bytes[500] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let run = bench.run(&["publish"]);
    assert!(run.code == 4 && run.told.contains("its SHA-256 is"), "{}", run.told);
    assert_eq!(files_below(Path::new(&bench.to)), BTreeSet::new());
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    let run = bench.run(&["publish"]);
    assert!(run.code == 4 && run.told.contains("its manifest says"), "{}", run.told);
    fs::remove_file(format!("{}.json", path.display())).unwrap();
    let run = bench.run(&["publish", &path.display().to_string()]);
    assert!(run.code == 1 && run.told.contains("its manifest lies beside it"), "{}", run.told);
    let run = bench.run(&["publish"]);
    assert!(run.code == 2 && run.told.contains("there is no artifact in `dist/`"), "{}", run.told);
}

#[test]
fn case_rule_s3_address_every_wrong_address_is_told_as_the_builder_tells_it() {
    let table = include_str!("../../../fixtures/store-address/addresses.json");
    let rows: Vec<Value> = serde_json::from_str(table).unwrap();
    for row in rows {
        let Some(reason) = row["error"].as_str() else { continue };
        let mut bench = Bench::new();
        bench.to = row["address"].as_str().unwrap().to_owned();
        let run = bench.run(&["list"]);
        assert!(run.code == 2 && run.told.contains(&format!("--to: {reason}")), "{row}: {}", run.told);
    }
}

#[test]
fn case_s3_endpoint_with_path_the_bucket_stands_behind_the_path() {
    let server = HttpServer::start();
    let endpoint = server.url("/s3");
    let cases = [
        // (what follows the bucket, the variable that names the endpoint)
        (format!("?endpoint={endpoint}&path-style=true"), None),
        (format!("?endpoint={endpoint}/"), None),
        (String::new(), Some("AWS_ENDPOINT_URL_S3")),
        (String::new(), Some("AWS_ENDPOINT_URL")),
    ];
    for (query, variable) in cases {
        let before = server.requests().len();
        let mut bench = Bench::on(&server.url(""));
        bench.variables.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
        bench.variables.extend(variable.map(|name| (name, endpoint.clone())));
        bench.to = format!("s3://pub/pre{query}");
        let run = bench.run(&["list"]);
        assert_ne!(run.code, 0, "this is not an S3 server: {}", run.told);
        let requests = server.requests();
        let paths: Vec<&str> = requests[before..].iter().map(|request| request.path.as_str()).collect();
        let right = |path: &&str| path.starts_with("/s3/pub/") || path.starts_with("/s3/pub?");
        assert!(!paths.is_empty() && paths.iter().all(|path| right(&path)), "{query} {variable:?}: {paths:?}");
    }
}

#[test]
fn k4_a_wrong_destination_is_named_with_its_variable() {
    let mut bench = Bench::new();
    bench.to = "s3://key:secret@bucket/x".to_owned();
    let run = bench.run(&["list"]);
    assert!(run.code == 2 && run.told.contains("--to: it holds a user or a password"), "{}", run.told);
    let mut command = Command::new(env!("CARGO_BIN_EXE_publisher"));
    command.env_clear().env("PYDIST_PUBLISH_TO", "http://host/x").current_dir(bench.folder.path()).arg("list");
    let run = told(&command.output().unwrap());
    assert!(run.code == 2 && run.told.contains("PYDIST_PUBLISH_TO: unsupported scheme `http:`"), "{}", run.told);
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
fn gc_removes_only_what_no_entry_points_at() {
    let bench = Bench::new();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.good(&["publish"]);
    let before = files_below(Path::new(&bench.to));
    let folder = FolderDestination::new(PathBuf::from(&bench.to));
    let stray: ObjectKey = "artifacts/ab/abcd/stray.tar.zst".parse().unwrap();
    folder.create(&stray, b"stray").unwrap();
    assert!(!bench.good(&["gc"]).out.contains("stray"), "it is too young");
    assert!(bench.good(&["gc", "--dry-run", "--older-than-days", "0"]).out.contains("stray.tar.zst"));
    assert!(folder.head(&stray).unwrap().is_some());
    bench.good(&["gc", "--older-than-days", "0"]);
    assert_eq!(files_below(Path::new(&bench.to)), before);
}

#[test]
fn a_changed_pin_sends_what_changed_and_the_server_copies_the_rest() {
    let server = S3Server::start();
    let bench = Bench::on(&format!("http://{}", server.address()));
    let mut sketch = Sketch::new("3.12.10");
    sketch.packages = vec![("alpha", "1", 1), ("beta", "1", 2), ("gamma", "1", 3), ("delta", "1", 4)];
    sketch.size = 9 << 20;
    sketch.make(&bench.dist(), |_| ());
    let first = bench.good(&["publish", "--json"]);
    sketch.packages[1] = ("beta", "2", 5);
    sketch.build = 2;
    sketch.make(&bench.dist(), |_| ());
    let second = bench.good(&["publish", "--json"]);
    let moved = |run: &Run| -> (u64, u64) {
        let rows = run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let row = rows.into_iter().find(|row| row["event"] == "published").unwrap();
        (row["moved"]["sent"].as_u64().unwrap(), row["moved"]["copied"].as_u64().unwrap())
    };
    let ((sent, none), (sent_again, copied)) = (moved(&first), moved(&second));
    assert!(sent > 36 << 20 && none == 0, "{sent} {none}");
    assert!(sent_again < 10 << 20 && copied >= 27 << 20, "{sent_again} sent, {copied} copied");
    assert_eq!(bench.good(&["verify"]).code, 0);
}

#[test]
fn a_fault_at_any_request_leaves_no_index_that_points_at_nothing() {
    let server = S3Server::start();
    let proxy = S3Proxy::start(server.address());
    let bench = Bench::on(&proxy.url());
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    proxy.behave();
    bench.good(&["publish"]);
    let requests = proxy.requests().len();
    assert!(requests > 10, "{:?}", proxy.requests());
    let lasting = [
        // (what every request from then on is answered, what is told)
        (S3Fault::Refused(403, "AccessDenied"), "do not allow this"),
        (S3Fault::Refused(400, "ExpiredToken"), "the credentials have expired"),
        (S3Fault::Refused(404, "NoSuchBucket"), "the bucket does not exist"),
    ];
    for at in 0..requests {
        let mut bench = Bench::on(&proxy.url());
        Sketch::new("3.12.10").make(&bench.dist(), |_| ());
        bench.to = format!("s3://{}/at-{at}", S3Server::BUCKET);
        let to = bucket(&proxy.url(), &format!("at-{at}"), settings(S3Server::SECRET));
        let (fault, expected) = lasting[at % lasting.len()];
        proxy.spoil(at, usize::MAX, fault);
        let run = bench.run(&["publish"]);
        assert!(run.code == 1 && run.told.contains(expected), "{fault:?} at {at}: {}", run.told);
        assert_eq!(run.told.matches("error").count(), 1, "{fault:?} at {at}: one error: {}", run.told);
        proxy.behave();
        assert_eq!(dangling(&to), BTreeSet::new(), "{fault:?} at {at}");
        bench.good(&["publish", "--quiet"]);
        assert!(bench.good(&["verify"]).out.contains("0 faults"), "at {at}");
    }
}

#[test]
fn no_secret_is_in_anything_that_is_told_or_published() {
    let server = S3Server::start();
    let mut bench = Bench::on(&format!("http://{}", server.address()));
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    bench.variables.push(("PYDIST_SIGNING_PASSWORD", "correct-horse".to_owned()));
    bench.good(&["keygen", "keys"]);
    let key = fs::read_to_string(bench.folder.path().join("keys/pydist.key")).unwrap();
    let key = key.lines().nth(1).unwrap();
    // Every command looks for the other secrets in what it is told.
    for arguments in [&["publish", "--key", "keys/pydist.key", "-vv"][..], &["verify", "-vv", "--json"]] {
        let run = bench.good(arguments);
        assert!(!run.out.contains(key) && !run.told.contains(key), "{arguments:?}");
    }
    let to = bucket(&format!("http://{}", server.address()), "p", settings(S3Server::SECRET));
    let rows = to.list("").unwrap();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let mut bytes = Vec::new();
        to.read(&row.key, None, &mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [S3Server::SECRET, S3Server::KEY, "correct-horse", key] {
            assert!(!text.contains(secret), "a secret is in {}", row.key);
        }
    }
}

/// What the index and the entries point at and is not there.
fn dangling(to: &dyn Destination) -> BTreeSet<String> {
    let there: BTreeSet<String> = to.list("").unwrap().iter().map(|row| row.key.to_string()).collect();
    let mut pointers = BTreeSet::new();
    for key in there.iter().filter(|key| *key == "catalogue.json" || key.starts_with("entries/")) {
        let Some(object) = to.get(&key.parse().unwrap()).unwrap() else { continue };
        keys_in(&serde_json::from_slice(&object.bytes).unwrap(), &mut pointers);
    }
    let there: BTreeSet<String> = to.list("").unwrap().iter().map(|row| row.key.to_string()).collect();
    pointers.difference(&there).cloned().collect()
}

fn keys_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("key").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| keys_in(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| keys_in(value, found)),
        _ => {}
    }
}

#[test]
fn fifty_publishers_at_once_some_of_them_killed_lose_no_entry() {
    let bench = Bench::new();
    let artifact = |number: u64| {
        let mut sketch = Sketch::new("3.12.10");
        sketch.build = number;
        sketch.make(&bench.folder.path().join(format!("dist-{number}")), |_| ()).display().to_string()
    };
    many_publishers(
        &bench,
        &FolderDestination::new(PathBuf::from(&bench.to)),
        &(0..50).map(artifact).collect::<Vec<_>>(),
    );
    assert_eq!(bench.catalogue()["entries"].as_array().unwrap().len(), 50);
}

#[test]
fn publishers_to_one_bucket_at_once_lose_no_entry() {
    let server = S3Server::start();
    let endpoint = format!("http://{}", server.address());
    let bench = Bench::on(&endpoint);
    let artifact = |number: u64| {
        let mut sketch = Sketch::new("3.12.10");
        sketch.build = number;
        sketch.make(&bench.folder.path().join(format!("dist-{number}")), |_| ()).display().to_string()
    };
    let to = bucket(&endpoint, "p", settings(S3Server::SECRET));
    many_publishers(&bench, &to, &(0..12).map(artifact).collect::<Vec<_>>());
}

/// All at once; every third is killed at some moment and run again. While they work nothing may dangle.
fn many_publishers(bench: &Bench, to: &dyn Destination, artifacts: &[String]) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(dangling(to), BTreeSet::new());
                looks += 1;
                thread::sleep(Duration::from_millis(50));
            }
            looks
        });
        let publishers: Vec<_> = artifacts
            .iter()
            .enumerate()
            .map(|(number, artifact)| {
                scope.spawn(move || {
                    if number % 3 == 0 {
                        let mut child = bench.command(&["publish", "--quiet", artifact]).spawn().unwrap();
                        // Spread over the time that one takes.
                        thread::sleep(Duration::from_millis(15 * number as u64 + 5));
                        let _ = child.kill();
                        child.wait().unwrap();
                    }
                    bench.good(&["publish", "--quiet", artifact]);
                })
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        over.store(true, Ordering::Relaxed);
        assert!(watcher.join().unwrap() > 0);
    });
    let verified = bench.good(&["verify"]);
    assert!(verified.out.starts_with(&format!("{} entries", artifacts.len())), "{}", verified.out);
    assert!(verified.out.contains("0 faults"), "{}{}", verified.out, verified.told);
}

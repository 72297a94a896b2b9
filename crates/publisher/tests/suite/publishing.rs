//! The program as a user runs it: what is published, refused, kept, found, withdrawn, and what many of them do at once.

mod cluster;
mod signed_index;
mod without_conditions;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use objects::{FolderPlace, Place, UNWATCHED};
use serde_json::{Value, json};
use testkit::{HOSTILE_TEXT, HttpServer, S3Fault, S3Proxy, S3Server, assert_harmless};

use crate::support::artifacts::Sketch;
use crate::support::bench::{Bench, Run, files_below, told};
use crate::support::crowd::{artifacts_of, dangling, many_publishers, publishers_at_once};
use crate::support::{bucket, settings};

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
        for expected in [&format!("signs in with `{how}`"), "E_DESTINATION_CREDENTIALS", "export-credentials"] {
            assert!(run.told.contains(expected), "no {expected:?} in: {}", run.told);
        }
    }
}

#[test]
fn k3_what_stands_against_any_artifact_is_told_before_anything_is_uploaded() {
    let bench = Bench::new();
    let rule = |outcome: &str| json!([{ "name": "cudf-cu12", "outcome": outcome, "reason": "no wheel" }]);
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, Change<'_>, &str, &str); 10] = [
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
        // case client-windows-never-unchecked: nothing of Windows has a version that it needs.
        (
            "windows",
            &|it| {
                it["format"] = json!(3);
                it["native"] = json!({ "files": 1, "imported": 0, "allowed": 0, "needs": { "windows": "6.1" } });
                it["distributions"][0]["native"] = json!({ "files": 1, "needs": { "windows": "6.1" } });
                it["distributions"].as_array_mut().unwrap().iter_mut().for_each(|row| row["needs"] = json!(null));
            },
            "none of its 1 packages with native files was ever imported",
            "--allow-unchecked",
        ),
        // A builder that looked into no wheel of a wheelhouse.
        (
            "wheelhouse",
            &|it| {
                it["native"] = json!({ "files": 0, "imported": 0, "allowed": 0, "needs": {} });
                it["distributions"].as_array_mut().unwrap().iter_mut().for_each(|row| row["needs"] = json!(null));
                it["distributions"][0]["file"] = json!("numpy-2.2.6-cp312-cp312-win_amd64.whl");
            },
            "none of its 1 packages with native files was ever imported",
            "--allow-unchecked",
        ),
        ("lock", &|it| it["lock"] = json!(vocab::Digest::of("other")), "lock.json has", "--allow-other-lock"),
        (
            "config",
            &|it| it["config"] = json!(vocab::Digest::of("other")),
            "its configuration was changed since it was built",
            "--allow-other-config",
        ),
        (
            "empty",
            &|it| {
                it["distributions"] = json!([]);
                it["rules"] = json!([{ "name": "numpy", "outcome": "needs-native-runner", "reason": "an sdist" }]);
                it["native"] = json!({ "files": 0, "imported": 0, "allowed": 0, "needs": {} });
            },
            "it has no package at all, all were left out: numpy",
            "--allow-left-out",
        ),
    ];
    let python = bench.folder.path().join("python-3.12.10");
    fs::create_dir_all(&python).unwrap();
    fs::write(python.join("config.json"), "{}").unwrap();
    fs::write(bench.folder.path().join("shared-config.json"), "{}").unwrap();
    let repository = config_merger::Repository::at(bench.folder.path());
    let options = config_merger::LoadOptions { strict: false, lenient: false };
    let loaded = config_merger::load(&repository, &"3.12.10".parse().unwrap(), &options).unwrap();
    let config = loaded.config.runtime_digest();
    let lock = json!({ "format": 1, "runtime": "3.12.10", "platforms": { "linux-x64": { "distributions": [] } } });
    fs::write(python.join("lock.json"), serde_json::to_string_pretty(&lock).unwrap()).unwrap();
    let good = Sketch::new("3.12.10-good").make(&bench.dist(), |_| ()).display().to_string();
    for (case, change, expected, option) in cases {
        let change = |it: &mut serde_json::Value| {
            it["config"] = json!(config);
            change(it);
        };
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
fn a_lock_that_is_not_one_is_an_error_with_its_place_and_never_no_rows() {
    let bench = Bench::new();
    let python = bench.folder.path().join("python-3.12.10");
    fs::create_dir_all(&python).unwrap();
    fs::write(python.join("config.json"), "{}").unwrap();
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    let cases = [
        ("{", "python-3.12.10/lock.json:1:"),
        ("", "python-3.12.10/lock.json"),
        ("{\n  \"format\": 3,\n  \"runtime\": \"3.12.10\"", "python-3.12.10/lock.json:3:"),
        ("{}", "python-3.12.10/lock.json: it is the lock of nothing, not of 3.12.10"),
    ];
    for (text, place) in cases {
        fs::write(python.join("lock.json"), text).unwrap();
        let run = bench.run(&["publish", "--allow-other-lock", "--allow-other-config"]);
        assert!(run.code == 2 && run.told.contains("E_LOCK_MALFORMED"), "{text:?}: {}", run.told);
        assert!(run.told.contains(place) && run.told.contains("`builder lock`"), "{text:?}: {}", run.told);
    }
    fs::remove_file(python.join("lock.json")).unwrap();
    let run = bench.run(&["publish"]);
    assert!(run.code == 3 && run.told.contains("its version has no lock.json"), "{}", run.told);
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
    let table = include_str!("../../../../fixtures/store-address/addresses.json");
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
fn ais_a5_case_s3_endpoint_with_path_the_bucket_stands_behind_the_path() {
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
        assert!(!paths.is_empty() && paths.iter().all(right), "{query} {variable:?}: {paths:?}");
    }
}

#[test]
fn k4_a_wrong_destination_is_named_with_its_variable() {
    let mut bench = Bench::new();
    bench.to = "s3://key:secret@bucket/x".to_owned();
    let run = bench.run(&["list"]);
    assert!(run.code == 2 && run.told.contains("--to: it contains a user name or password"), "{}", run.told);
    let mut command = Command::new(env!("CARGO_BIN_EXE_publisher"));
    command.env_clear().env("PYDIST_PUBLISH_TO", "http://host/x").current_dir(bench.folder.path()).arg("list");
    let run = told(&command.output().unwrap());
    assert!(run.code == 2 && run.told.contains("PYDIST_PUBLISH_TO: unsupported scheme `http:`"), "{}", run.told);
}

/// attack 7: what a manifest of somebody else says is shown, and does nothing.
#[test]
fn attack_7_a_hostile_manifest_controls_neither_a_terminal_nor_a_runner_nor_a_page() {
    let mut bench = Bench::new();
    bench.variables.push(("GITHUB_ACTIONS", "true".to_owned()));
    Sketch::new("3.12.10").make(&bench.dist(), |manifest| {
        manifest["base"]["origin"] = json!(HOSTILE_TEXT);
        manifest["distributions"][0]["licence"] = json!(HOSTILE_TEXT);
        manifest["rules"] = json!([{ "name": "demo", "outcome": "skipped", "reason": HOSTILE_TEXT }]);
    });
    bench.good(&["publish"]);
    let reason = ["--reason", HOSTILE_TEXT];
    let lines: [&[&str]; 7] = [
        &["publish", "--dry-run"],
        &["list"],
        &["show", "3.12.10"],
        &["--json", "show", "3.12.10"],
        &["verify"],
        &[&["retract", "3.12.10"], &reason[..]].concat(),
        &["list", "--all"],
    ];
    for line in lines {
        let run = bench.good(line);
        assert_harmless(&run.out);
        assert_harmless(&run.told);
    }
    let pages = walkdir::WalkDir::new(Path::new(&bench.to).join("site")).into_iter().flatten();
    let mut looked_at = 0;
    for page in pages.filter(|it| it.path().extension().is_some_and(|extension| extension == "html")) {
        let text = fs::read_to_string(page.path()).unwrap();
        let hidden = text.chars().find(|character| vocab::foreign_text::is_hidden(*character));
        assert!(hidden.is_none() && !text.contains(")<script>"), "{}", page.path().display());
        looked_at += 1;
    }
    assert!(looked_at > 0);
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
    let lasting = [
        // (what every request from then on is answered, what is told)
        (S3Fault::Refused(403, "AccessDenied"), "do not allow this"),
        (S3Fault::Refused(400, "ExpiredToken"), "the credentials have expired"),
        (S3Fault::Refused(404, "NoSuchBucket"), "the bucket does not exist"),
    ];
    // Each run after a fault waits for the turn of one that has given up, so the faults are tried at once.
    std::thread::scope(|scope| {
        for (turn, (fault, expected)) in lasting.into_iter().enumerate() {
            let server = &server;
            scope.spawn(move || lasting_fault(server, fault, expected, (turn, lasting.len())));
        }
    });
}

/// The fault at every `step`th request of a run, from the one named first.
fn lasting_fault(server: &S3Server, fault: S3Fault, expected: &str, (first, step): (usize, usize)) {
    let proxy = S3Proxy::start(server.address());
    let mut bench = Bench::on(&proxy.url());
    bench.to = format!("s3://{}/counted-{first}", S3Server::BUCKET);
    Sketch::new("3.12.10").make(&bench.dist(), |_| ());
    proxy.behave();
    bench.good(&["publish"]);
    let requests = proxy.requests().len();
    assert!(requests > 10, "{:?}", proxy.requests());
    for at in (first..requests).step_by(step) {
        let mut bench = Bench::on(&proxy.url());
        Sketch::new("3.12.10").make(&bench.dist(), |_| ());
        bench.to = format!("s3://{}/at-{at}", S3Server::BUCKET);
        let to = bucket(&proxy.url(), &format!("at-{at}"), settings(S3Server::SECRET));
        proxy.spoil(at, usize::MAX, fault);
        let run = bench.run(&["publish"]);
        // The last two give the turn at the index back, when everything is in order: the next one has to wait a little.
        let given_back = at + 2 >= requests;
        if given_back {
            assert_eq!(run.code, 0, "{fault:?} at {at}: {}", run.told);
        } else {
            assert!(run.code == 1 && run.told.contains(expected), "{fault:?} at {at}: {}", run.told);
            assert_eq!(run.told.matches("error").count(), 1, "{fault:?} at {at}: one error: {}", run.told);
        }
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
        to.read(&row.key, None, &mut bytes, UNWATCHED).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [S3Server::SECRET, S3Server::KEY, "correct-horse", key] {
            assert!(!text.contains(secret), "a secret is in {}", row.key);
        }
    }
}

#[test]
fn fifty_publishers_at_once_some_of_them_killed_lose_no_entry() {
    let bench = Bench::new();
    let artifacts = artifacts_of(&bench, publishers_at_once(50));
    many_publishers("a folder", &bench, &FolderPlace::new(PathBuf::from(&bench.to)), &artifacts);
    assert_eq!(bench.catalogue()["entries"].as_array().unwrap().len(), artifacts.len());
}

#[test]
fn publishers_to_one_bucket_at_once_lose_no_entry() {
    let server = S3Server::start();
    let endpoint = format!("http://{}", server.address());
    let bench = Bench::on(&endpoint);
    let artifacts = artifacts_of(&bench, publishers_at_once(12));
    let to = bucket(&endpoint, "p", settings(S3Server::SECRET));
    many_publishers("a bucket", &bench, &to, &artifacts);
}

//! Programs of others judge what is made here: an S3 server in Go, the stock minisign, CycloneDX's own validator,
//! another implementation of DSSE.
//!
//! `scripts/test` sets them up below `target/tools`. Where it cannot, it says so, and names in `PYDIST_TESTS_WITHOUT`
//! what the tests here have to do without.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

mod aistore;
#[path = "../suite/support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use objects::{Place, UNWATCHED};
use objects_aws::{S3Settings, TransferLimits};
use publisher::{ProvenanceBuilder, new_key_pair, provenance, sbom};
use support::artifacts::Sketch;
use support::{bucket, settings};
use testkit::conformance::{Skills, conforms};
use testkit::{S3Server, Versitygw};

/// `None` where the tests were told to do without it.
fn program(name: &str) -> Option<PathBuf> {
    if std::env::var("PYDIST_TESTS_WITHOUT").unwrap_or_default().split_whitespace().any(|it| it == name) {
        return None;
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let places = [tools.join("versitygw/bin"), tools.join("judges/bin"), PathBuf::from("/usr/bin")];
    let found = places.iter().map(|place| place.join(name)).find(|path| path.is_file());
    Some(found.unwrap_or_else(|| panic!("`{name}` is not there; `scripts/test` sets it up")))
}

#[test]
fn an_independent_server_conforms() {
    let Some(program) = program("versitygw") else { return };
    let server = Versitygw::start(&program);
    let endpoint = server.endpoint();
    let bucket = bucket(&endpoint, "a/prefix", settings(S3Server::SECRET));
    conforms(&bucket, Skills { copies_ranges: true, resumes: true, ..Skills::default() });
}

#[test]
fn the_program_publishes_to_an_independent_server_and_goes_on_where_it_was_killed() {
    let Some(program) = program("versitygw") else { return };
    let server = Versitygw::start(&program);
    let endpoint = server.endpoint();
    let folder = tempfile::tempdir().unwrap();
    let mut sketch = Sketch::new("3.12.10");
    sketch.size = 80 << 20;
    let artifact = sketch.make(&folder.path().join("dist"), |_| ());
    let publish = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_publisher"));
        command.env_clear().envs(S3Server::variables_for(&endpoint, S3Server::SECRET)).current_dir(folder.path());
        command.args(["publish", "--json", "--to", "s3://shared/p"]).arg(&artifact);
        command
    };
    let mut killed = publish().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Until some parts have arrived.
    let to = bucket(&endpoint, "p", S3Settings { limits: TransferLimits::S3, ..settings(S3Server::SECRET) });
    for _ in 0..400 {
        thread::sleep(Duration::from_millis(20));
        let later = std::time::SystemTime::now() + Duration::from_secs(3600);
        let begun = objects::Place::leftovers(&to, later, true).is_ok_and(|rows| !rows.is_empty());
        if begun {
            break;
        }
    }
    thread::sleep(Duration::from_millis(300));
    let _ = killed.kill();
    killed.wait().unwrap();
    let output = publish().output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    let rows = out.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let published = rows.into_iter().find(|row| row["event"] == "published").unwrap();
    let number = |name: &str| published["moved"][name].as_u64().unwrap_or_default();
    let whole = published["size"].as_u64().unwrap();
    let there = published["moved"].is_null() || number("sent") == 0;
    assert!(there || number("sent") + number("resumed") == whole, "{published}");
}

#[test]
fn archives_for_platforma_go_to_an_independent_server_and_ordinary_programs_unpack_them() {
    let Some(program) = program("versitygw") else { return };
    let server = Versitygw::start(&program);
    let endpoint = server.endpoint();
    let folder = tempfile::tempdir().unwrap();
    Sketch::new("3.12.10").make(&folder.path().join("dist"), |_| ());
    let package = serde_json::json!({
        "name": "@platforma-open/demo.runenv-python-3.12.10", "version": "1.3.24",
        "block-software": { "entrypoints": { "main": { "environment": { "artifact": {
            "type": "environment", "runtime": "python", "registry": "platforma-open", "python-version": "3.12.10",
            "roots": { "linux-x64": "./pydist/linux-x64" }, "binDir": "bin",
        } } } } },
    });
    fs::create_dir_all(folder.path().join("python-3.12.10")).unwrap();
    fs::write(folder.path().join("python-3.12.10/package.json"), package.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_publisher"));
    command.env_clear().envs(S3Server::variables_for(&endpoint, S3Server::SECRET)).current_dir(folder.path());
    let address = format!("s3e://{}/{}/pub?region=eu-north-1", server.address, S3Server::BUCKET);
    command.env("PL_REGISTRY_PLATFORMA_OPEN_UPLOAD_URL", address).env("HOME", folder.path());
    let output = command.args(["publish", "--layout", "platforma"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let key = String::from_utf8(output.stdout).unwrap();
    assert_eq!(key.trim(), "software/platforma-open/demo.runenv-python-3.12.10/main/1.3.24-linux-x64.tgz");

    let archive = folder.path().join("archive.tgz");
    let to = bucket(&endpoint, "pub", settings(S3Server::SECRET));
    let mut file = fs::File::create(&archive).unwrap();
    Place::read(&to, &key.trim().parse().unwrap(), None, &mut file, UNWATCHED).unwrap().unwrap();
    let listed = Command::new("tar").arg("-tzf").arg(&archive).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.lines().any(|name| name == "pydist.json"), "{names}");
}

#[test]
fn the_stock_minisign_verifies_signatures_of_ours() {
    let Some(minisign) = program("minisign") else { return };
    for password in [publisher::KeyPassword::None, publisher::KeyPassword::Text(web::Secret::new("a password"))] {
        let folder = tempfile::tempdir().unwrap();
        let (secret, public) = new_key_pair(password.clone()).unwrap();
        let signer = publisher::Signer::new(&secret, "a test", password).unwrap();
        let file = folder.path().join("manifest.json");
        fs::write(&file, b"{}\n").unwrap();
        fs::write(folder.path().join("key.pub"), public).unwrap();
        let signature = signer.sign("manifest.json", &b"{}\n"[..], "file:manifest.json").unwrap();
        fs::write(folder.path().join("manifest.json.minisig"), signature).unwrap();
        let verify = || {
            let mut command = Command::new(&minisign);
            command.current_dir(folder.path()).args(["-V", "-p", "key.pub", "-m", "manifest.json"]);
            command.output().unwrap()
        };
        let output = verify();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("Trusted comment: file:manifest.json"));
        fs::write(&file, b"{ }\n").unwrap();
        assert!(!verify().status.success(), "another file has another signature");
    }
}

#[test]
fn another_implementation_of_dsse_opens_the_signed_provenance() {
    let Some(python) = program("python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (secret, public) = new_key_pair(publisher::KeyPassword::None).unwrap();
    let signer = publisher::Signer::new(&secret, "a test", publisher::KeyPassword::None).unwrap();
    let pem = publisher::public_key_pem(&signer.public_key()).unwrap();
    assert!(public.contains(&signer.public_key()));
    let code = "import json, sys\n\
                from securesystemslib.dsse import Envelope\n\
                from cryptography.hazmat.primitives.serialization import load_pem_public_key\n\
                from securesystemslib.signer import SSlibKey\n\
                envelope = Envelope.from_dict(json.load(open(sys.argv[1])))\n\
                key = SSlibKey.from_crypto(load_pem_public_key(open(sys.argv[2], 'rb').read()), keyid=sys.argv[3])\n\
                assert key.keytype == 'ed25519', key.keytype\n\
                envelope.verify([key], 1)\n\
                print(envelope.payload_type, envelope.payload.decode())";
    let open = |envelope: &str| {
        fs::write(folder.path().join("a.intoto.jsonl"), envelope).unwrap();
        fs::write(folder.path().join("key.pem"), &pem).unwrap();
        let mut command = Command::new(&python);
        command.current_dir(folder.path()).args(["-c", code, "a.intoto.jsonl", "key.pem"]).arg(signer.key_number());
        command.output().unwrap()
    };
    let envelope = publisher::sealed(b"{\"a\": 1}", &signer);
    let output = open(&envelope);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "application/vnd.in-toto+json {\"a\": 1}\n");
    let other = publisher::sealed(b"{\"a\": 2}", &signer);
    let swapped =
        format!("{}{}", &other[..other.find("signatures").unwrap()], &envelope[envelope.find("signatures").unwrap()..]);
    assert!(!open(&swapped).status.success(), "it does look");
}

#[test]
fn cyclonedx_own_validator_accepts_the_sbom() {
    let Some(python) = program("python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let artifact = Sketch::new("3.12.10-atls").make(folder.path(), |manifest| {
        manifest["distributions"][0]["origin"] =
            serde_json::json!({ "kind": "sdist", "file": "n.tar.gz", "sha256": vocab::Digest::of("s") });
        manifest["distributions"][1]["origin"] =
            serde_json::json!({ "kind": "git", "repository": "https://github.com/a/b", "commit": "0".repeat(40) });
    });
    let text = fs::read(format!("{}.json", artifact.display())).unwrap();
    let manifest = archive::read_manifest(&text).unwrap();
    let file = folder.path().join("sbom.cdx.json");
    let validate = |text: &str| {
        fs::write(&file, text).unwrap();
        let code = "import sys\n\
                    from cyclonedx.schema import SchemaVersion\n\
                    from cyclonedx.validation.json import JsonStrictValidator\n\
                    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
                    sys.exit(str(error) if error else 0)";
        Command::new(&python).args(["-c", code]).arg(&file).output().unwrap()
    };
    let output = validate(&sbom(&manifest));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!validate(&sbom(&manifest).replace("\"library\"", "\"thing\"")).status.success(), "it does look");
    let builder = ProvenanceBuilder::of(&|_| None, None);
    let created = "2026-11-24T00:00:00Z".parse().unwrap();
    let statement: serde_json::Value =
        serde_json::from_str(&provenance(&manifest, &builder, created).unwrap()).unwrap();
    assert_eq!(statement["predicateType"], publisher::PREDICATE_TYPE);
    assert_eq!(statement["subject"][0]["digest"]["sha256"], serde_json::json!(manifest.artifact.unwrap().sha256));
}

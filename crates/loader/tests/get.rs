//! `pydist get` against a published folder and a server: what is installed, what is believed, what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use archive::{Entry as Node, NoCache, PackOptions, PartSource, pack, write_manifest};
use catalogue::{Catalogue, Channel, Entry, Published, Retraction, object_keys};
use minisign::KeyPair;
use testkit::HttpServer;
use vocab::{Artifact, ArtifactFormat, ArtifactName, Digest, Manifest};

/// What was published, in a folder.
struct Place {
    folder: tempfile::TempDir,
    pair: KeyPair,
    entries: Vec<Entry>,
    retractions: Vec<Retraction>,
}

impl Place {
    fn new() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), pair, entries: Vec::new(), retractions: Vec::new() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("published")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn sign(&self, data: &[u8]) -> Vec<u8> {
        minisign::sign(Some(&self.pair.pk), &self.pair.sk, data, None, None).unwrap().into_string().into_bytes()
    }

    /// 3.12.10-atls for linux-x64, whose one program prints `text`.
    fn publish(&mut self, text: &str, day: u32, channel: Channel, signed: bool) -> Entry {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/manifest/format-2.json");
        let mut manifest: Manifest = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
        manifest.runtime = "3.12.10-atls".parse().unwrap();
        manifest.build_key = Digest::of(text);
        manifest.artifact = None;
        let inner = write_manifest(&manifest).into_bytes();
        let parts = [
            PartSource::new("base", vec![Node::bytes("bin/tool".parse().unwrap(), text.as_bytes().to_vec())]),
            PartSource::new("metadata", vec![Node::bytes("pydist.json".parse().unwrap(), inner)]),
        ];
        let file = self.folder.path().join("packed");
        let packed = pack(&file, &parts, &PackOptions::default(), &NoCache).unwrap();
        let name =
            ArtifactName::new(&manifest.runtime, manifest.base.actual, manifest.platform, ArtifactFormat::TarZst);
        manifest.artifact = Some(Artifact {
            file: name.to_string(),
            format: ArtifactFormat::TarZst,
            level: None,
            sha256: packed.sha256,
            size: packed.size,
            parts: packed.parts,
        });
        let text = write_manifest(&manifest).into_bytes();
        let artifact = fs::read(&file).unwrap();
        let signatures = signed.then(|| (self.pair.pk.to_base64(), self.sign(&artifact), self.sign(&text)));
        let published = Published {
            channel,
            created: format!("2026-11-{day:02}T08:00:00Z").parse().unwrap(),
            manifest: text.clone(),
            sbom: None,
            provenance: None,
            signatures: signatures.clone(),
        };
        let entry = Entry::new(&manifest, &published).unwrap();
        self.put(entry.artifact.key.as_str(), artifact);
        self.put(entry.manifest.key.as_str(), text);
        if let (Some(keys), Some((_, of_artifact, of_manifest))) = (&entry.signatures, signatures) {
            self.put(keys.artifact.key.as_str(), of_artifact);
            self.put(keys.manifest.key.as_str(), of_manifest);
        }
        self.entries.push(entry.clone());
        self.index();
        entry
    }

    fn index(&self) {
        self.put(object_keys::CATALOGUE, Catalogue::derive(&self.entries, &self.retractions, &[]).to_text());
    }

    fn get_from(&self, from: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(["get", "3.12.10-atls", "--platform", "linux-x64", "--from", from, "--to"]).arg(self.home());
        command.args(more).env("NO_PROXY", "127.0.0.1").env("COLUMNS", "400");
        command.output().unwrap()
    }

    fn get(&self, more: &[&str]) -> Output {
        self.get_from(self.root().to_str().unwrap(), more)
    }
}

/// Exit code, standard output, standard error.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn installed(output: &Output) -> PathBuf {
    let (code, stdout, stderr) = told(output);
    assert_eq!(code, 0, "{stderr}");
    PathBuf::from(stdout)
}

fn refused(output: &Output, code: i32, words: &[&str]) {
    let (actual, stdout, stderr) = told(output);
    assert_eq!((actual, stdout.as_str()), (code, ""), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in: {stderr}");
    }
}

#[test]
fn builds_are_installed_side_by_side_and_the_newest_is_current() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let key = place.pair.pk.to_base64();
    let first = installed(&place.get(&["--public-key", &key]));
    assert_eq!(fs::read_to_string(first.join("bin/tool")).unwrap(), "one");

    let second = place.publish("two", 2, Channel::Stable, true);
    place.publish("three", 3, Channel::Candidate, true);
    let newer = installed(&place.get(&["--public-key", &key]));
    assert_eq!(newer, place.home().join(format!("3.12.10-atls-{}", second.build_key.short())));
    assert_eq!(fs::read_to_string(newer.join("bin/tool")).unwrap(), "two");
    assert_eq!(fs::read_to_string(first.join("bin/tool")).unwrap(), "one", "the former one stays");
    let home = loader::Home::new(place.home());
    assert_eq!(home.current(&second.runtime), Some(newer.clone()));

    assert_eq!(installed(&place.get(&[])), newer);
    assert!(told(&place.get(&[])).2.contains("up to date"));
    let candidate = installed(&place.get(&["--channel", "candidate"]));
    assert_eq!(fs::read_to_string(candidate.join("bin/tool")).unwrap(), "three");
}

#[test]
fn a_server_is_as_good_as_a_folder_and_what_is_installed_is_there_without_a_network() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, false);
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let url = server.url("/p");
    refused(&place.get_from(&url, &["--offline"]), 1, &["E_GET_OFFLINE", "never read", "without --offline"]);
    let folder = installed(&place.get_from(&url, &[]));
    drop(server);
    assert_eq!(installed(&place.get_from(&url, &["--offline"])), folder);
    fs::remove_dir_all(&folder).unwrap();
    refused(&place.get_from(&url, &["--offline"]), 1, &["E_GET_OFFLINE", "is not installed"]);
}

#[test]
fn nothing_is_installed_that_is_not_what_was_signed() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, true);
    let other = KeyPair::generate_unencrypted_keypair().unwrap().pk.to_base64();
    refused(&place.get(&["--public-key", &other]), 4, &["E_GET_SIGNATURE", "do not use it"]);
    refused(&place.get(&["--public-key", "nonsense"]), 2, &["E_GET_PUBLIC_KEY"]);

    let manifest = place.root().join(entry.manifest.key.as_str());
    let text = fs::read(&manifest).unwrap();
    fs::write(&manifest, [&text[..], b" "].concat()).unwrap();
    refused(&place.get(&[]), 4, &["E_GET_CHECKSUM", "the SHA-256 of the manifest"]);
    fs::write(&manifest, text).unwrap();

    let artifact = place.root().join(entry.artifact.key.as_str());
    let mut bytes = fs::read(&artifact).unwrap();
    bytes[20] ^= 1;
    fs::write(&artifact, bytes).unwrap();
    refused(&place.get(&[]), 4, &["error[E_"]);
    let left: Vec<_> = fs::read_dir(place.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == ".catalogues"), "{left:?}");

    let mut unsigned = Place::new();
    unsigned.publish("one", 1, Channel::Stable, false);
    refused(&unsigned.get(&["--public-key", &other]), 4, &["E_GET_UNSIGNED", "without a signature"]);
}

#[test]
fn a_signed_build_is_not_taken_for_another_runtime() {
    let mut place = Place::new();
    let mut entry = place.publish("one", 1, Channel::Stable, true);
    entry.build_key = Digest::of("newer");
    place.entries = vec![entry];
    place.index();
    let key = place.pair.pk.to_base64();
    refused(&place.get(&["--public-key", &key]), 4, &["E_GET_OTHER_RUNTIME"]);
}

#[test]
fn what_is_missing_retracted_or_broken_is_told() {
    let mut place = Place::new();
    refused(&place.get(&[]), 1, &["cannot get 3.12.10-atls for linux-x64", "catalogue.json"]);
    refused(&place.get_from("ftp://x.example/p", &[]), 2, &["E_FETCH_PLACE"]);
    place.put(object_keys::CATALOGUE, "{\"format\": 9}");
    refused(&place.get(&[]), 4, &["E_CATALOGUE_FORMAT", "update this program"]);

    let bad = place.publish("one", 1, Channel::Candidate, false);
    refused(&place.get(&[]), 2, &["E_CATALOGUE_MISSING", "only as a candidate"]);
    installed(&place.get(&["--channel", "candidate"]));
    place.retractions.push(Retraction::new(bad.id(), bad.created, "it holds a broken OpenSSL".into()));
    place.index();
    refused(&place.get(&[]), 2, &["E_CATALOGUE_RETRACTED", "a broken OpenSSL"]);
    place.publish("two", 2, Channel::Stable, false);
    let (code, _, stderr) = told(&place.get(&[]));
    assert!(code == 0 && stderr.contains("was retracted: it holds a broken OpenSSL"), "{code}: {stderr}");
}

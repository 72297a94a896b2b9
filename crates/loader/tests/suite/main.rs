//! `pydist get` against a published folder and a server: what is installed, what is believed, what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod cluster;
#[cfg(unix)]
mod distributions;
#[cfg(unix)]
mod extensions;
mod get_updates;
#[cfg(unix)]
mod operators;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod readme;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod site;
mod sources;
mod trust;
#[cfg(unix)]
mod updates;
#[cfg(unix)]
mod upkeep;
#[cfg(unix)]
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use archive::{
    EntryIdentity, FileContent, NoCache, PackOptions, PartSource, TreeEntry as Node, identity_of, pack, write_manifest,
};
use catalogue::{
    ArtifactEntry, Catalogue, Channel, EDITION_FORMAT, Edition, PublisherFacts, Retraction, SignedCatalogue,
    object_keys,
};
use minisign::KeyPair;
use testkit::{HOSTILE_TEXT, HttpMishap, HttpServer, assert_harmless};
use vocab::{Artifact, ArtifactFormat, ArtifactName, Digest, Manifest, TreePath};

/// What was published, in a folder.
struct Place {
    folder: tempfile::TempDir,
    pair: KeyPair,
    entries: Vec<ArtifactEntry>,
    retractions: Vec<Retraction>,
    /// Counter of the last catalogue that was signed.
    counter: AtomicU64,
    /// What manifests say is.
    hostile: bool,
    /// Another program, by path, with its text.
    program: Option<(String, String)>,
    /// What is published and asked for.
    runtime: &'static str,
}

impl Place {
    fn new() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            pair,
            entries: Vec::new(),
            retractions: Vec::new(),
            counter: AtomicU64::new(0),
            hostile: false,
            program: None,
            runtime: "3.12.10-atls",
        }
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

    /// `runtime` for linux-x64, whose one program is `text`.
    fn publish(&mut self, text: &str, day: u32, channel: Channel, signed: bool) -> ArtifactEntry {
        self.publish_as(text, text, day, channel, signed)
    }

    /// Another `build` is another build.
    fn publish_as(&mut self, text: &str, build: &str, day: u32, channel: Channel, signed: bool) -> ArtifactEntry {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/manifest/format-4.json");
        let mut manifest: Manifest = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
        manifest.runtime = self.runtime.parse().unwrap();
        manifest.platform = "linux-x64".parse().unwrap();
        manifest.build_key = Digest::of(build);
        manifest.artifact = None;
        if self.hostile {
            manifest.base.origin = HOSTILE_TEXT.to_owned();
            for distribution in &mut manifest.distributions {
                distribution.version = HOSTILE_TEXT.to_owned();
            }
            for rule in &mut manifest.rules {
                rule.reason = HOSTILE_TEXT.to_owned();
            }
        }
        let inner = write_manifest(&manifest).into_bytes();
        let path: TreePath = "bin/thing".parse().unwrap();
        let identity = EntryIdentity::File { executable: false, sha256: Digest::of(text) };
        let of_program = self.program.iter().map(|(path, text)| {
            let identity = EntryIdentity::File { executable: true, sha256: Digest::of(text) };
            (path.parse::<TreePath>().unwrap(), identity)
        });
        let files: BTreeMap<TreePath, EntryIdentity<'_>> = of_program.chain([(path.clone(), identity)]).collect();
        let identity = identity_of(files.iter().map(|(path, identity)| (path, identity.clone())));
        let tool = Node::bytes(path, text.as_bytes().to_vec());
        let program = self.program.iter().map(|(path, text)| {
            let content = FileContent::Bytes(text.as_bytes().into());
            Node::file(path.parse().unwrap(), content, true)
        });
        let parts = [
            PartSource { identity: Some(identity), ..PartSource::new("base", program.chain([tool]).collect()) },
            PartSource::new("metadata", vec![Node::bytes("pydist.json".parse().unwrap(), inner)]),
        ];
        let file = self.folder.path().join("packed");
        let packed = pack(&file, &parts, &PackOptions::default(), &NoCache).unwrap();
        let name =
            ArtifactName::new(&manifest.runtime, manifest.base.actual, manifest.platform, ArtifactFormat::TarZst);
        let mut parts = packed.parts;
        if self.hostile {
            parts.iter_mut().for_each(|part| part.content = HOSTILE_TEXT.to_owned());
        }
        manifest.artifact = Some(Artifact {
            file: name.to_string(),
            format: ArtifactFormat::TarZst,
            level: None,
            sha256: packed.sha256,
            size: packed.size,
            parts,
        });
        let text = write_manifest(&manifest).into_bytes();
        let artifact = fs::read(&file).unwrap();
        let signatures = signed.then(|| (self.pair.pk.to_base64(), self.sign(&artifact), self.sign(&text)));
        let published = PublisherFacts {
            channel,
            created: format!("2026-11-{day:02}T08:00:00Z").parse().unwrap(),
            manifest: text.clone(),
            sbom: None,
            provenance: None,
            signatures: signatures.clone(),
            npm: None,
        };
        let entry = ArtifactEntry::new(&manifest, &published).unwrap();
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
        let catalogue = Catalogue::derive(&self.entries, &self.retractions, &[]);
        self.put(object_keys::CATALOGUE, catalogue.to_text());
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        self.put_edition(counter, "2999-01-01T00:00:00Z");
    }

    /// Whatever is offered now, signed.
    fn put_edition(&self, counter: u64, expires: &str) {
        let edition = Edition {
            format: EDITION_FORMAT,
            counter,
            signed: "2026-11-01T08:00:00Z".parse().unwrap(),
            expires: expires.parse().unwrap(),
            catalogue: Catalogue::derive(&self.entries, &self.retractions, &[]),
        };
        let text = edition.to_text();
        let signature = String::from_utf8(self.sign(text.as_bytes())).unwrap();
        let signed = SignedCatalogue::new(self.pair.pk.to_base64(), signature, text);
        self.put(object_keys::SIGNED_CATALOGUE, signed.to_text());
    }

    /// `pydist` with these words, and a user who has remembered nothing yet.
    fn pydist(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pydist"));
        command.args(words).env("NO_PROXY", "127.0.0.1").env("COLUMNS", "400").env_remove("PYDIST_FROM");
        for name in ["HOME", "APPDATA", "XDG_CONFIG_HOME"] {
            command.env(name, self.folder.path().join("user"));
        }
        command
    }

    fn command(&self, from: &str, more: &[&str]) -> Command {
        let mut command = self.pydist(&["get", self.runtime, "--platform", "linux-x64", "--from", from, "--to"]);
        command.arg(self.home()).args(more);
        command
    }

    fn get_from(&self, from: &str, more: &[&str]) -> Output {
        self.command(from, more).output().unwrap()
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
    assert_eq!(fs::read_to_string(first.join("bin/thing")).unwrap(), "one");

    let second = place.publish("two", 2, Channel::Stable, true);
    place.publish("three", 3, Channel::Candidate, true);
    let newer = installed(&place.get(&["--public-key", &key]));
    assert_eq!(newer, place.home().join(format!("3.12.10-atls-{}", second.build_key.short())));
    assert_eq!(fs::read_to_string(newer.join("bin/thing")).unwrap(), "two");
    assert_eq!(fs::read_to_string(first.join("bin/thing")).unwrap(), "one", "the former one stays");
    let home = installer::Home::new(place.home());
    assert_eq!(home.current(&second.runtime), Some(newer.clone()));

    assert_eq!(installed(&place.get(&[])), newer);
    assert!(told(&place.get(&[])).2.contains("up to date"));
    let candidate = installed(&place.get(&["--channel", "candidate"]));
    assert_eq!(fs::read_to_string(candidate.join("bin/thing")).unwrap(), "three");
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
    let known = [".catalogues", ".lock", ".partial", ".installed"];
    assert!(left.iter().all(|name| known.iter().any(|it| name == it)), "{left:?}");

    let mut unsigned = Place::new();
    unsigned.publish("one", 1, Channel::Stable, false);
    let key = unsigned.pair.pk.to_base64();
    refused(&unsigned.get(&["--public-key", &key]), 4, &["E_GET_UNSIGNED", "without a signature"]);
}

/// Hard to compress, and the same for the same seed.
fn noise(seed: u64) -> String {
    (0..8000).map(|line| format!("{}\n", Digest::of(format!("{seed} {line}")))).collect()
}

#[test]
fn a_killed_get_leaves_nothing_half_written_and_the_next_one_goes_on() {
    let mut place = Place::new();
    let entry = place.publish(&noise(1), 1, Channel::Stable, false);
    let text = fs::read(place.root().join(entry.manifest.key.as_str())).unwrap();
    let parts = archive::read_manifest(&text).unwrap().artifact.unwrap().parts;
    let server = HttpServer::start();
    server.mount("/p/", &place.root());
    let path = format!("/p/{}", entry.artifact.key);
    // The first part arrives and a little of the second; then the server is silent.
    server.next_time(&path, HttpMishap::CutAfter(parts[0].size as usize + 10));
    server.next_time(&path, HttpMishap::Delay(Duration::from_secs(600)));
    let url = server.url("/p");
    let mut killed = place.command(&url, &["--quiet"]).spawn().unwrap();
    while server.requests_of(&path).len() < 2 {
        assert_eq!(killed.try_wait().unwrap(), None, "it does not give up");
        thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let folder = installer::Home::new(place.home()).folder(&entry.runtime, &entry.build_key);
    assert!(!folder.exists());
    // As a kill in the middle of unpacking leaves it.
    fs::create_dir_all(place.home().join(".stage-Ab12Cd/tree")).unwrap();
    // Attack 1: what somebody keeps there under a name that only looks like ours, and what a link leads to.
    fs::create_dir_all(place.home().join(".stage-of-my-play")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(place.root(), place.home().join(".stage-Ab12Ce")).unwrap();

    let (code, out, told) = told(&place.get_from(&url, &["--json"]));
    assert_eq!(code, 0, "{told}");
    let got: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(got["resumed"], parts[0].size, "{got}");
    assert!(got["fetched"].as_u64().unwrap() < parts[0].size, "{got}");
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
    let names: BTreeSet<_> = fs::read_dir(place.home()).unwrap().map(|it| it.unwrap().file_name()).collect();
    let staged: Vec<_> = names.iter().filter(|name| name.to_string_lossy().starts_with(".stage-")).collect();
    assert_eq!(staged.len(), if cfg!(unix) { 2 } else { 1 }, "{names:?}");
    assert!(place.root().join("catalogue.json").is_file());
    assert_eq!(fs::read_dir(place.home().join(".partial")).unwrap().count(), 0);
}

#[test]
fn an_update_tells_how_little_was_fetched() {
    let mut place = Place::new();
    place.publish(&noise(1), 1, Channel::Stable, false);
    installed(&place.get(&[]));
    // Another build of the same files: its metadata alone is new.
    let newer = place.publish_as(&noise(1), "again", 2, Channel::Stable, false);
    let (code, out, told) = told(&place.get(&["--json"]));
    assert_eq!(code, 0, "{told}");
    let got: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let (fetched, size) = (got["fetched"].as_u64().unwrap(), got["size"].as_u64().unwrap());
    assert!(fetched > 0 && fetched < size / 10, "{got}");
    let folder = installer::Home::new(place.home()).folder(&newer.runtime, &newer.build_key);
    assert_eq!(fs::read_to_string(folder.join("bin/thing")).unwrap(), noise(1));
}

#[test]
fn several_at_once_install_one() {
    let mut place = Place::new();
    let entry = place.publish(&noise(1), 1, Channel::Stable, false);
    let folder = installer::Home::new(place.home()).folder(&entry.runtime, &entry.build_key);
    thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| installed(&place.get(&[])))).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), folder));
    });
}

#[test]
fn a_place_that_cannot_be_written_or_is_too_small_is_told() {
    let mut place = Place::new();
    fs::write(place.home(), "a file").unwrap();
    place.publish("one", 1, Channel::Stable, false);
    refused(&place.get(&[]), 1, &["E_GET_WRITE", "choose another folder with --to"]);

    let mut huge = Place::new();
    huge.publish("one", 1, Channel::Stable, false);
    for size in [1 << 60, u64::MAX] {
        huge.entries[0].content.installed_size = size;
        huge.index();
        refused(&huge.get(&[]), 1, &["E_GET_NO_ROOM", "are free", "choose another folder with --to"]);
    }
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

#[test]
fn attack_7_neither_a_hostile_manifest_nor_a_hostile_catalogue_controls_a_terminal_or_a_runner() {
    let mut place = Place::new();
    place.hostile = true;
    let said = |place: &Place, more: &[&str], shown: bool| {
        for json in [&[][..], &["--json"]] {
            let from = place.root();
            let mut command = place.command(from.to_str().unwrap(), &[more, json].concat());
            let (_, stdout, stderr) = told(&command.env("GITHUB_ACTIONS", "true").output().unwrap());
            assert_harmless(&stdout);
            assert_harmless(&stderr);
            assert!(!shown || format!("{stdout}{stderr}").contains("set-output"), "{stdout}{stderr}");
        }
    };
    let first = place.publish("one", 1, Channel::Stable, true);
    said(&place, &[], false);
    fs::write(installer::Home::new(place.home()).folder(&first.runtime, &first.build_key).join("bin/thing"), "x")
        .unwrap();
    said(&place, &["--verify"], false);
    place.retractions.push(Retraction::new(first.id(), first.created, HOSTILE_TEXT.to_owned()));
    place.index();
    said(&place, &[], true);
    place.publish("two", 2, Channel::Stable, true);
    said(&place, &[], true);

    let catalogue = fs::read_to_string(place.root().join(object_keys::CATALOGUE)).unwrap();
    for pointer in ["/format", "/entries/0/runtime", "/entries/0/platform"] {
        let mut spoiled: serde_json::Value = serde_json::from_str(&catalogue).unwrap();
        let Some(value) = spoiled.pointer_mut(pointer) else { panic!("no {pointer} in {catalogue}") };
        *value = HOSTILE_TEXT.into();
        place.put(object_keys::CATALOGUE, spoiled.to_string());
        said(&place, &[], true);
    }
}

//! Small runtimes that were published to a folder: artifacts, manifests, signatures, a catalogue and a signed one.
#![allow(clippy::new_without_default, reason = "what makes files is asked for by name")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use archive::{
    EntryIdentity, FileContent, NoCache, PackOptions, PartSource, TreeEntry as Node, identity_of, pack, write_manifest,
};
use catalogue::{
    ArtifactEntry, Catalogue, Channel, EDITION_FORMAT, Edition, PublisherFacts, Retraction, SignedCatalogue,
    object_keys,
};
use minisign::KeyPair;
use vocab::{Artifact, ArtifactFormat, ArtifactName, Digest, Manifest, TreePath};

use crate::HOSTILE_TEXT;

/// What was published, in a folder.
pub struct Published {
    pub folder: tempfile::TempDir,
    /// Signs what is published from now on.
    pub pair: KeyPair,
    pub entries: Vec<ArtifactEntry>,
    pub retractions: Vec<Retraction>,
    /// Counter of the last catalogue that was signed.
    counter: AtomicU64,
    /// Whether texts in manifests are hostile.
    pub hostile: bool,
    /// Another program, by path, with its text.
    pub program: Option<(String, String)>,
    /// What is published and asked for.
    pub runtime: &'static str,
}

impl Published {
    /// Nothing yet, and a key.
    pub fn new() -> Self {
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

    /// Where it was published.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("published")
    }

    /// Where it may be installed.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The public key, in one line.
    pub fn key(&self) -> String {
        self.pair.pk.to_base64()
    }

    /// Writes an object below [`root`](Self::root).
    pub fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn sign(&self, data: &[u8]) -> Vec<u8> {
        minisign::sign(Some(&self.pair.pk), &self.pair.sk, data, None, None).unwrap().into_string().into_bytes()
    }

    /// `runtime` for linux-x64, whose one program is `text`.
    pub fn publish(&mut self, text: &str, day: u32, channel: Channel, signed: bool) -> ArtifactEntry {
        self.publish_as(text, text, day, channel, signed)
    }

    /// Another `build` is another build.
    pub fn publish_as(&mut self, text: &str, build: &str, day: u32, channel: Channel, signed: bool) -> ArtifactEntry {
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

    /// Writes both catalogues of the entries and retractions.
    pub fn index(&self) {
        let catalogue = Catalogue::derive(&self.entries, &self.retractions, &[]);
        self.put(object_keys::CATALOGUE, catalogue.to_text());
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        self.put_edition(counter, "2999-01-01T00:00:00Z");
    }

    /// Whatever is offered now, signed.
    pub fn put_edition(&self, counter: u64, expires: &str) {
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
}

/// Hard to compress, and the same for the same seed.
pub fn noise(seed: u64) -> String {
    (0..8000).map(|line| format!("{}\n", Digest::of(format!("{seed} {line}")))).collect()
}

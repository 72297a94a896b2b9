//! What is on disk: fixtures, schemas, refusals.

use std::fs;
use std::path::PathBuf;

use catalogue::{
    ArtifactEntry, Catalogue, Channel, Edition, EntryError, IndexSettings, Moment, NativeVerdict, Promotion, ReadError,
    Restoration, Retraction, SchemaKind, SignedCatalogue, object_keys, schema,
};
use serde_json::{Value, json};
use vocab::{Exit, Fault};

use crate::common::{entry, manifest, moment, repository};

fn fixture(name: &str) -> String {
    let kind = SchemaKind::ALL.into_iter().find(|kind| kind.name() == name).expect(name);
    fs::read_to_string(path_of(kind, kind.format())).expect(name)
}

fn path_of(kind: SchemaKind, format: u32) -> PathBuf {
    repository(&format!("fixtures/catalogue/{}-format-{format}.json", kind.name()))
}

/// Reads and writes again.
fn again(kind: SchemaKind, bytes: &[u8]) -> Result<String, ReadError> {
    Ok(match kind {
        SchemaKind::Entry => ArtifactEntry::read(bytes)?.to_text(),
        SchemaKind::Retraction => Retraction::read(bytes)?.to_text(),
        SchemaKind::Restoration => Restoration::read(bytes)?.to_text(),
        SchemaKind::Promotion => Promotion::read(bytes)?.to_text(),
        SchemaKind::Catalogue => Catalogue::read(bytes)?.to_text(),
        SchemaKind::Settings => IndexSettings::read(bytes)?.to_text(),
        SchemaKind::Edition => Edition::read(bytes)?.to_text(),
        SchemaKind::SignedCatalogue => SignedCatalogue::read(bytes)?.to_text(),
    })
}

/// A key that was made for this and thrown away; only the form matters here.
const PUBLIC_KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const SIGNATURE: &str = "untrusted comment: x\nRUQ=\ntrusted comment: y\neg==\n";

fn samples() -> [(SchemaKind, String); 8] {
    let (first, second) =
        (entry("3.12.10 linux-x64 a tar.zst 3 stable"), entry("3.12.10-atls macosx-x64 a zip 5 candidate"));
    let retraction = Retraction::new(first.id(), moment(6), "it cannot import numpy".into());
    let restoration = Restoration::new(first.id(), moment(5));
    let promotion = Promotion::new(second.id(), moment(7), Channel::Stable);
    let catalogue = Catalogue::derive(
        &[first.clone(), second],
        std::slice::from_ref(&retraction),
        std::slice::from_ref(&promotion),
    );
    let settings = IndexSettings {
        public_url: Some("https://runtimes.example/p".into()),
        title: Some("Runtimes of the laboratory".into()),
        valid_days: Some(30),
        ..IndexSettings::default()
    };
    let edition = Edition::after(None, catalogue.clone(), moment(8), 30).expect("in range").to_text();
    let signed = SignedCatalogue::new(PUBLIC_KEY.into(), SIGNATURE.into(), edition.clone());
    [
        (SchemaKind::Entry, first.to_text()),
        (SchemaKind::Retraction, retraction.to_text()),
        (SchemaKind::Restoration, restoration.to_text()),
        (SchemaKind::Promotion, promotion.to_text()),
        (SchemaKind::Catalogue, catalogue.to_text()),
        (SchemaKind::Settings, settings.to_text()),
        (SchemaKind::Edition, edition),
        (SchemaKind::SignedCatalogue, signed.to_text()),
    ]
}

#[test]
fn every_format_is_written_as_the_fixtures_are() {
    for (kind, text) in samples() {
        let path = path_of(kind, kind.format());
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{}", path.display());
        assert_eq!(again(kind, text.as_bytes()).unwrap(), text);
    }
}

#[test]
fn the_schemas_are_those_of_the_types_and_know_the_fixtures() {
    for kind in SchemaKind::ALL {
        let path = repository(&format!("schemas/{}.schema.json", kind.name()));
        let how = format!("cargo run -p catalogue --example schema -- {} > {}", kind.name(), path.display());
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), schema(kind), "{how}");
        let validator = jsonschema::validator_for(&serde_json::from_str(&schema(kind)).unwrap()).unwrap();
        let value: Value = serde_json::from_str(&fixture(kind.name())).unwrap();
        assert!(validator.is_valid(&value), "{kind:?}: {:?}", validator.iter_errors(&value).next());
    }
}

#[test]
fn entries_and_catalogues_of_format_1_are_still_read() {
    for kind in [SchemaKind::Entry, SchemaKind::Catalogue] {
        let former = fs::read_to_string(path_of(kind, 1)).unwrap();
        assert_eq!(again(kind, former.as_bytes()).unwrap(), former, "{kind:?}");
        let validator = jsonschema::validator_for(&serde_json::from_str(&schema(kind)).unwrap()).unwrap();
        assert!(validator.is_valid(&serde_json::from_str(&former).unwrap()), "{kind:?}");
    }
    let entry = ArtifactEntry::read(fs::read_to_string(path_of(SchemaKind::Entry, 1)).unwrap().as_bytes()).unwrap();
    assert_eq!((&entry.content.checked, &entry.npm), (&None, &None));
    // Listed beside newer ones, in a catalogue of the newest format.
    let catalogue = Catalogue::derive(&[entry], &[], &[]);
    assert_eq!((catalogue.format, &catalogue.entries[0].checked), (2, &None));
    assert!(!catalogue.entries[0].needs.is_empty());
    // What a former publisher signed.
    let mut edition: Value = serde_json::from_str(&fixture("edition")).unwrap();
    edition["catalogue"] =
        serde_json::from_str(&fs::read_to_string(path_of(SchemaKind::Catalogue, 1)).unwrap()).unwrap();
    assert_eq!(Edition::read(edition.to_string().as_bytes()).unwrap().catalogue.format, 1);
}

#[test]
fn an_entry_tells_whether_and_how_it_was_checked() {
    let emulated = json!({ "by": "qemu-aarch64 7.2.22", "gaps": 0 });
    let cases = [
        // (native in the manifest, what the entry tells)
        (
            json!({ "files": 9, "imported": 5, "allowed": 1, "needs": {} }),
            json!({ "how": "imported", "modules": 5, "allowed": 1 }),
        ),
        (
            json!({ "files": 9, "imported": 5, "allowed": 0, "needs": {}, "emulated": emulated }),
            json!({ "how": "emulated", "modules": 5, "allowed": 0, "by": "qemu-aarch64 7.2.22" }),
        ),
        (json!({ "files": 9, "imported": 0, "allowed": 0, "needs": {} }), json!({ "how": "statically", "files": 9 })),
    ];
    for (native, told) in cases {
        let mut manifest = manifest();
        manifest.native = serde_json::from_value(native.clone()).unwrap();
        assert_eq!(serde_json::to_value(NativeVerdict::of(&manifest)).unwrap(), told, "for {native}");
        manifest.distributions.clear();
        if native["imported"] == 0 {
            assert_eq!(NativeVerdict::of(&manifest), NativeVerdict::NothingNative);
        }
    }
}

#[test]
fn the_schemas_refuse_what_the_readers_refuse() {
    let cases = [
        // (kind, where, what is put there)
        (SchemaKind::Entry, "/format", json!(3)),
        (SchemaKind::Entry, "/runtime", json!("../x")),
        (SchemaKind::Entry, "/platform", json!("linux-arm64")),
        (SchemaKind::Entry, "/channel", json!("beta")),
        (SchemaKind::Entry, "/created", json!("yesterday")),
        (SchemaKind::Entry, "/artifact/sha256", json!("abc")),
        (SchemaKind::Entry, "/artifact/size", json!(-1)),
        (SchemaKind::Entry, "/artifact/format", json!("rar")),
        (SchemaKind::Entry, "/content/packages/0/name", json!("_x")),
        (SchemaKind::Entry, "/content/packages/0/origin", json!({"kind": "guess"})),
        (SchemaKind::Entry, "/content/rules/0/outcome", json!("Eaten!")),
        (SchemaKind::Entry, "/manifest", json!({})),
        (SchemaKind::Entry, "/more", json!(1)),
        (SchemaKind::Retraction, "/entry", json!("3.12.10")),
        (SchemaKind::Retraction, "/reason", json!(null)),
        (SchemaKind::Restoration, "/reason", json!("x")),
        (SchemaKind::Promotion, "/channel", json!("gold")),
        (SchemaKind::Catalogue, "/entries", json!({})),
        (SchemaKind::Catalogue, "/retracted/0/at", json!(5)),
        (SchemaKind::Settings, "/format", json!(2)),
        (SchemaKind::Settings, "/public_url", json!(1)),
        (SchemaKind::Settings, "/publicUrl", json!("https://runtimes.example")),
        (SchemaKind::Settings, "/valid_days", json!(-1)),
        (SchemaKind::Edition, "/counter", json!(-1)),
        (SchemaKind::Edition, "/expires", json!(null)),
        (SchemaKind::Edition, "/catalogue/entries", json!(null)),
        (SchemaKind::Edition, "/catalogue/format", json!("1")),
        (SchemaKind::SignedCatalogue, "/edition", json!({})),
        (SchemaKind::SignedCatalogue, "/signature", json!(1)),
    ];
    for (kind, pointer, value) in cases {
        let mut wrong: Value = serde_json::from_str(&fixture(kind.name())).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[key] = value;
        let validator = jsonschema::validator_for(&serde_json::from_str(&schema(kind)).unwrap()).unwrap();
        assert!(!validator.is_valid(&wrong), "{kind:?}: the schema accepts another {pointer}");
        let error = again(kind, wrong.to_string().as_bytes()).expect_err(pointer);
        assert_eq!(error.exit(), Exit::Trust, "for {pointer}");
    }
}

#[test]
fn another_format_number_is_refused_before_anything_else() {
    let told = [r#"{"format": 7, "unknown": true}"#, r#"{"format": 0}"#, "{}", "[", ""].map(|text| {
        let error = Catalogue::read(text.as_bytes()).unwrap_err();
        format!("{}: {error}; {}", error.code(), error.hint().unwrap_or_default())
    });
    insta::assert_snapshot!(told.join("\n"), @r"
    E_CATALOGUE_FORMAT: the catalogue has format 7, this program reads formats 1 to 2; it was written by a newer version; update this program
    E_CATALOGUE_FORMAT: the catalogue has format 0, this program reads formats 1 to 2; publish again with this version
    E_CATALOGUE_MALFORMED: the catalogue is malformed: line 1, column 1: `format` is missing; restore it from where it was published, or publish again
    E_CATALOGUE_MALFORMED: the catalogue is malformed: line 1, column 1: not JSON: EOF while parsing a list; restore it from where it was published, or publish again
    E_CATALOGUE_MALFORMED: the catalogue is malformed: line 1, column 1: the file is empty; restore it from where it was published, or publish again
    ");
}

#[test]
fn an_entry_is_made_of_a_manifest_that_was_packed() {
    let published = || catalogue::PublisherFacts {
        channel: Channel::Candidate,
        created: moment(1),
        manifest: b"{}".to_vec(),
        sbom: None,
        provenance: None,
        signatures: None,
        npm: None,
    };
    let mut manifest = manifest();
    manifest.native.warnings.push(vocab::NativeWarning {
        distribution: None,
        subject: "lib/libplugin.so".into(),
        text: "needs libtbb.so.12, which is nowhere".into(),
    });
    let entry = ArtifactEntry::new(&manifest, &published()).unwrap();
    assert_eq!(entry.content.warnings, Some(1));
    let sha256 = manifest.artifact.as_ref().unwrap().sha256;
    assert_eq!(
        entry.manifest.key.as_str(),
        object_keys::artifact(&sha256, "pydist-slim-3.12.9-linux-x86_64.tar.zst.json")
    );
    assert_eq!(entry.content.packages[1].part, None); // this manifest has no part for it
    assert_eq!(entry.content.other_parts["base"].packed, 14_000_000);
    assert_eq!((entry.content.copied_files.count, entry.content.copied_files.size), (1, 12));
    for file in ["../x.zip", "a/b.zip", "a//b", "a/.", ""] {
        manifest.artifact.as_mut().unwrap().file = file.into();
        let error = ArtifactEntry::new(&manifest, &published()).unwrap_err();
        assert!(matches!(error, EntryError::FileName(error) if error.text == file));
    }
    manifest.artifact = None;
    let error = ArtifactEntry::new(&manifest, &published()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the manifest of 3.12.10-slim for linux-x64 describes no artifact: the runtime was not packed"
    );
}

#[test]
fn attack_6_an_edition_counts_up_and_ends() {
    let empty = || Catalogue::derive(&[], &[], &[]);
    let at = |seconds| Moment::from_unix_seconds(seconds).unwrap();
    let first = Edition::after(None, empty(), at(1_000_000), 30).unwrap();
    assert_eq!((first.counter, first.expires), (1_000_000, at(1_000_000 + 30 * 86_400)));
    // In the same second, and with a clock that went back.
    for now in [1_000_000, 5] {
        assert_eq!(Edition::after(Some(&first), empty(), at(now), 30).unwrap().counter, 1_000_001, "at {now}");
    }
    assert_eq!(Edition::after(Some(&first), empty(), at(2_000_000), 30).unwrap().counter, 2_000_000);
    assert!(!first.has_expired(at(1_000_000 + 30 * 86_400 - 1)) && first.has_expired(first.expires));
    assert!(!first.is_due(at(1_000_000 + 15 * 86_400 - 1)) && first.is_due(at(1_000_000 + 15 * 86_400)));
    // What a hostile edition may hold ends in no panic.
    let last = Edition { counter: u64::MAX, ..first.clone() };
    assert_eq!(Edition::after(Some(&last), empty(), at(5), 30), None);
    assert_eq!(Edition::after(None, empty(), at(253_402_000_000), 3650), None);
    assert_eq!(Edition::after(None, empty(), at(-5), 1).unwrap().counter, 1);
    let text = first.to_text().replace("\"format\": 2,\n    \"entries\"", "\"format\": 7,\n    \"entries\"");
    let error = Edition::read(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the catalogue has format 7, this program reads formats 1 to 2");
}

#[test]
fn attack_6_no_spoiled_byte_of_a_catalogue_is_a_panic() {
    for kind in [SchemaKind::Catalogue, SchemaKind::Edition, SchemaKind::SignedCatalogue] {
        let text = fixture(kind.name()).into_bytes();
        for at in (0..text.len() - 2).step_by(3) {
            for byte in [0, b'"', b'9', b'-', b'{', 0xff] {
                let mut spoiled = text.clone();
                spoiled[at] = byte;
                let _ = again(kind, &spoiled);
            }
            assert!(again(kind, &text[..at]).is_err(), "{kind:?} up to {at}");
        }
        let deep = format!("{{\"format\": 1, \"x\": {}", "[".repeat(1 << 20));
        assert!(again(kind, deep.as_bytes()).is_err(), "{kind:?}");
    }
}

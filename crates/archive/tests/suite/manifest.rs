//! The manifest: read, written, refused; and an archive compared with it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::path::PathBuf;

use archive::{NoCache, PackOptions, PartSource, TreeEntry, pack, read_manifest, verify, write_manifest};
use vocab::{Artifact, ArtifactFormat, Exit, Fault, Manifest};

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn fixture() -> String {
    fixture_of(5)
}

fn fixture_of(format: u32) -> String {
    fs::read_to_string(repository(&format!("fixtures/manifest/format-{format}.json"))).unwrap()
}

#[test]
fn manifests_of_all_formats_are_read_and_written_byte_for_byte() {
    for format in [1, 2, 3, 4, 5] {
        let manifest = read_manifest(fixture_of(format).as_bytes()).unwrap();
        assert_eq!((manifest.format, manifest.distributions.len()), (format, 2));
        let parts = &manifest.artifact.as_ref().unwrap().parts;
        assert!(parts.iter().all(|part| part.identity.is_some() == (format > 1)));
        assert!(manifest.distributions.iter().all(|row| row.native.is_some() == (format > 2)));
        assert_eq!(manifest.native.warnings.is_empty(), format < 4);
        assert_eq!(manifest.environments.is_empty(), format < 5);
        assert_eq!(write_manifest(&manifest), fixture_of(format));
    }
}

#[test]
fn the_schema_knows_the_fixture_and_refuses_what_the_reader_refuses() {
    let schema = fs::read_to_string(repository("schemas/manifest.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&fixture()).unwrap();
    assert!(schema.is_valid(&manifest), "{:?}", schema.iter_errors(&manifest).next());
    let cases = [
        // (where, what is put there)
        ("/format", serde_json::json!(6)),
        ("/platform", serde_json::json!("linux-arm64")),
        ("/runtime", serde_json::json!("../x")),
        ("/config", serde_json::json!("abc")),
        ("/distributions/0/name", serde_json::json!("_x")),
        ("/distributions/0/origin", serde_json::json!({"kind": "guess"})),
        ("/distributions/0/native", serde_json::json!({"files": 1})),
        ("/native/warnings/0/text", serde_json::json!(null)),
        ("/native/warnings/0/more", serde_json::json!("x")),
        ("/warnings/0/code", serde_json::json!(null)),
        ("/warnings/0/hint", serde_json::json!("x")),
        ("/rules/0/outcome", serde_json::json!("eaten")),
        ("/environments/0/imported", serde_json::json!(-1)),
        ("/artifact/file", serde_json::json!("../x")),
        ("/artifact/parts/0/size", serde_json::json!(-1)),
        ("/base", serde_json::json!({})),
        ("/tools/more", serde_json::json!(1)),
    ];
    for (pointer, value) in cases {
        let mut wrong = manifest.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = wrong.pointer_mut(parent).unwrap();
        match key.parse::<usize>() {
            Ok(index) => parent[index] = value,
            Err(_) => parent[key] = value,
        }
        assert!(!schema.is_valid(&wrong), "the schema, for {pointer}");
        assert!(read_manifest(wrong.to_string().as_bytes()).is_err(), "the reader, for {pointer}");
    }
}

#[test]
fn another_format_is_refused_with_both_numbers() {
    let text = fixture().replace("\"format\": 5,", "\"format\": 7,");
    let error = read_manifest(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the manifest has format 7, this program reads formats 1 to 5");
    assert_eq!((error.code(), error.exit()), ("E_MANIFEST_FORMAT", Exit::Trust));
    // Nothing but the number is looked at.
    assert_eq!(read_manifest(br#"{"format": 6, "new": []}"#).unwrap_err().code(), "E_MANIFEST_FORMAT");
    for text in ["", "[]", "{}", "null", "{\"format\": \"1\"}", "{\"format\": 1}", "{\"format\": -1}", "[[[["] {
        assert_eq!(read_manifest(text.as_bytes()).unwrap_err().code(), "E_MANIFEST_MALFORMED", "for {text:?}");
    }
    assert!(read_manifest("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn an_artifact_is_named_by_a_plain_file_name() {
    let mut manifest = read_manifest(fixture().as_bytes()).unwrap();
    for file in ["../x", "a/b", "C:x", "", "..", "a\\b", "a\n"] {
        manifest.artifact.as_mut().unwrap().file = file.to_owned();
        let error = read_manifest(write_manifest(&manifest).as_bytes()).unwrap_err();
        assert_eq!(error.code(), "E_MANIFEST_MALFORMED", "for {file:?}");
    }
}

#[test]
fn an_archive_is_compared_with_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.tar.zst");
    let part = |name: &str| PartSource::new(name, vec![TreeEntry::bytes(name.parse().unwrap(), name.as_bytes())]);
    let packed = pack(&target, &[part("one"), part("two")], &PackOptions::default(), &NoCache).unwrap();
    let mut manifest = read_manifest(fixture().as_bytes()).unwrap();
    manifest.artifact = Some(Artifact {
        level: None,
        file: "a.tar.zst".to_owned(),
        format: ArtifactFormat::TarZst,
        sha256: packed.sha256,
        size: packed.size,
        parts: packed.parts,
    });
    verify(&target, &manifest).unwrap();

    let good = fs::read(&target).unwrap();
    let told = |bytes: &[u8], manifest: &Manifest| {
        fs::write(&target, bytes).unwrap();
        let error = verify(&target, manifest).unwrap_err();
        assert_eq!(error.exit(), Exit::Trust);
        error.kind.to_string()
    };
    let mut damaged = good.clone();
    damaged[packed_offset(&manifest, 1) + 5] ^= 1;
    assert!(told(&damaged, &manifest).starts_with("the SHA-256 of its part `two` is "));
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(told(&damaged, &manifest).starts_with("its SHA-256 is "), "no part is at fault");
    let short = told(&good[..good.len() - 1], &manifest);
    assert_eq!(short, format!("it has {} bytes, the manifest says {}", good.len() - 1, good.len()));

    let mut wrong = manifest.clone();
    wrong.artifact.as_mut().unwrap().parts[1].offset = u64::MAX;
    assert!(told(&good, &wrong).contains("`two` outside the archive"));
    wrong.artifact = None;
    assert!(told(&good, &wrong).contains("describes no artifact"));
}

fn packed_offset(manifest: &Manifest, part: usize) -> usize {
    manifest.artifact.as_ref().unwrap().parts[part].offset as usize
}

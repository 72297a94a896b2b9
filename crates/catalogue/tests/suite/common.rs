//! Entries in few words.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::path::PathBuf;

use catalogue::{ArtifactEntry, Channel, Moment, NpmPackage, PublisherFacts};
use vocab::{ArtifactName, Digest, Manifest};

pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

pub fn manifest() -> Manifest {
    serde_json::from_slice(&fs::read(repository("fixtures/manifest/format-2.json")).unwrap()).unwrap()
}

pub fn moment(day: u32) -> Moment {
    format!("2026-11-{day:02}T08:00:00Z").parse().unwrap()
}

/// `"3.12.10-atls linux-x64 a tar.zst 3 stable"`: version, platform, build, format, day of the month, channel.
pub fn entry(words: &str) -> ArtifactEntry {
    let words: Vec<&str> = words.split(' ').collect();
    let [runtime, platform, build, format, day, channel] = words[..] else { panic!("six words: {words:?}") };
    let mut manifest = manifest();
    manifest.runtime = runtime.parse().unwrap();
    manifest.platform = platform.parse().unwrap();
    manifest.base.requested = manifest.runtime.python();
    manifest.build_key = Digest::of(build);
    let artifact = manifest.artifact.as_mut().unwrap();
    artifact.format = serde_json::from_value(format.into()).unwrap();
    artifact.sha256 = Digest::of(words.concat());
    artifact.file =
        ArtifactName::new(&manifest.runtime, manifest.base.actual, manifest.platform, artifact.format).to_string();
    let published = PublisherFacts {
        channel: channel.parse().unwrap(),
        created: moment(day.parse().unwrap()),
        manifest: b"{}".to_vec(),
        sbom: Some(b"{}".to_vec()),
        provenance: None,
        npm: (channel == "stable").then(|| NpmPackage {
            name: format!("@laboratory/runenv-python-{runtime}"),
            version: Some("1.3.24".into()),
            page: None,
        }),
        signatures: (channel != "candidate")
            .then(|| ("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".into(), b"a".to_vec(), b"m".to_vec())),
    };
    assert!(Channel::ALL.contains(&published.channel));
    ArtifactEntry::new(&manifest, &published).unwrap()
}

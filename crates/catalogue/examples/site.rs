//! A site to look at: `cargo run -p catalogue --example site -- FOLDER MANIFEST...` publishes the manifests' entries
//! (not the artifacts) and the pages to a folder.

#![expect(clippy::unwrap_used, reason = "an example, not a library")]

use std::fs;
use std::path::Path;

use catalogue::site::{SiteSettings, site};
use catalogue::{ArtifactEntry, Catalogue, Channel, Moment, NpmPackage, PublisherFacts, Retraction, downloads};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap();
    let mut entries: Vec<ArtifactEntry> = Vec::new();
    for (index, path) in arguments.enumerate() {
        let text = fs::read(&path).unwrap();
        let published = PublisherFacts {
            channel: Channel::ALL[usize::from(!index.is_multiple_of(3))],
            created: Moment::from_unix_seconds(1_795_500_000 + i64::try_from(index).unwrap() * 90_000).unwrap(),
            manifest: text.clone(),
            sbom: Some(b"{}".to_vec()),
            provenance: Some(b"{}".to_vec()),
            signatures: Some(("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".into(), vec![1], vec![2])),
            npm: Some(NpmPackage {
                name: "@laboratory/runenv-python".into(),
                version: Some("1.3.24".into()),
                page: None,
            }),
        };
        entries.push(ArtifactEntry::new(&serde_json::from_slice(&text).unwrap(), &published).unwrap());
    }
    // The last of several is shown as retracted.
    let retractions: Vec<Retraction> = entries
        .last()
        .filter(|_| entries.len() > 2)
        .map(|entry| {
            Retraction::new(entry.id(), entry.created, "its numpy needs a newer processor than we promise".into())
        })
        .into_iter()
        .collect();
    let catalogue = Catalogue::derive(&entries, &retractions, &[]);
    let mut files = site(&catalogue, &entries, &SiteSettings::default());
    files.insert("catalogue.json".into(), catalogue.to_text().into_bytes());
    files.extend(downloads(&catalogue, "http://127.0.0.1").into_iter().map(|(key, text)| (key, text.into_bytes())));
    for (key, content) in files {
        let path = Path::new(&folder).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

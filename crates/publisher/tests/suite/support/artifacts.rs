//! Small artifacts with manifests, as the builder writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::{NoCache, PackOptions, PartSource, TreeEntry};
use serde_json::json;
use vocab::{ArtifactFormat, ArtifactName, Digest, Manifest, PlatformKey, VersionString};

use super::noise;

/// One runtime to make an artifact of.
#[derive(Clone, Debug)]
pub struct Sketch {
    pub version: &'static str,
    pub platform: PlatformKey,
    /// Another number is another build.
    pub build: u64,
    /// Name and version of a package, and the number that its bytes follow from.
    pub packages: Vec<(&'static str, &'static str, u64)>,
    /// Size of each package, in bytes.
    pub size: usize,
}

impl Sketch {
    pub fn new(version: &'static str) -> Self {
        let packages = vec![("numpy", "2.2.6", 1), ("parasail", "1.3.4", 2)];
        Self { version, platform: PlatformKey::LinuxX64, build: 1, packages, size: 2000 }
    }

    /// Writes the artifact and its manifest into `folder`; `change` may spoil the manifest before.
    pub fn make(&self, folder: &Path, change: impl FnOnce(&mut serde_json::Value)) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        let version: VersionString = self.version.parse().unwrap();
        let name = ArtifactName::new(&version, version.python(), self.platform, ArtifactFormat::TarZst).to_string();
        let path = folder.join(&name);
        let parts: Vec<PartSource> = self
            .packages
            .iter()
            .map(|(package, version, seed)| {
                let file = format!("lib/{package}/data.bin").parse().unwrap();
                PartSource::new(
                    format!("{package}-{version}-py3-none-any.whl"),
                    vec![TreeEntry::bytes(file, noise(self.size, *seed))],
                )
            })
            .chain([PartSource::new(
                "metadata",
                vec![TreeEntry::bytes("pydist.json".parse().unwrap(), self.build.to_le_bytes())],
            )])
            .collect();
        let packed = archive::pack(&path, &parts, &PackOptions::default(), &NoCache).unwrap();
        let mut manifest = self.manifest(&version);
        manifest["artifact"] = json!({
            "file": name, "format": "tar.zst", "level": 3, "sha256": packed.sha256, "size": packed.size,
            "parts": packed.parts,
        });
        change(&mut manifest);
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        archive::save_manifest(&PathBuf::from(format!("{}.json", path.display())), &manifest).unwrap();
        path
    }

    fn manifest(&self, version: &VersionString) -> serde_json::Value {
        let packages: Vec<_> = self
            .packages
            .iter()
            .map(|(name, version, seed)| {
                json!({
                    "name": name, "version": version, "file": format!("{name}-{version}-py3-none-any.whl"),
                    "sha256": Digest::of(seed.to_le_bytes()), "size": self.size, "origin": { "kind": "wheel" },
                    "requested": true, "licence": if *name == "numpy" { "BSD-3-Clause" } else { "see the file LICENSE" },
                    "needs": "2.17",
                })
            })
            .collect();
        let needs: BTreeMap<&str, &str> = [("glibc", "2.17")].into();
        json!({
            "format": 2, "runtime": version, "platform": self.platform,
            "base": {
                "source": "python-build-standalone", "requested": version.python(), "actual": version.python(),
                "stand_in": false, "origin": "cpython.tar.zst", "digest": Digest::of("base"), "absent": [],
            },
            "build_key": Digest::of(format!("{version}{}{}", self.platform, self.build)),
            "config": Digest::of("config"), "lock": Digest::of("[]"), "distributions": packages, "rules": [],
            "copied_files": [], "native": { "files": 2, "imported": 2, "allowed": 0, "needs": needs },
            "tools": { "builder": "0.1.0", "uv": "0.13.9" }, "installed_size": 4000, "files": 3,
        })
    }
}

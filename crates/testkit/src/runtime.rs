//! A small runtime: an interpreter, wheels with RECORDs, a copied file, its manifests; as an artifact on disk.
#![allow(clippy::new_without_default, reason = "what makes files is asked for by name")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use archive::{
    EntryIdentity, EntryKind, FileContent, NoCache, PackOptions, PartSource, TreeEntry, identity_of, pack,
    read_manifest, write_manifest,
};
pub use vocab::manifest_beside;
use vocab::{Artifact, ArtifactFormat, CopiedFile, Digest, Distribution, Manifest, PartKind, PlatformKey, WheelOrigin};

use crate::trees::noise_of;

/// Where wheels are installed on Linux; manifests are of Python 3.12.
pub const SITE: &str = "lib/python3.12/site-packages";

/// 20 parts: the interpreter, 17 wheels, copied files, metadata. Each but the last has some content that does not
/// compress.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// By name.
    pub versions: BTreeMap<String, String>,
    pub base: u64,
    pub format: ArtifactFormat,
    /// Bytes of each wheel's content; the interpreter has four times as many, as it usually does.
    pub bytes: usize,
    /// Linux or Windows.
    pub platform: PlatformKey,
}

impl Runtime {
    /// For linux-x64, as tar.zst.
    pub fn new() -> Self {
        let versions = (0..17).map(|index| (format!("demo{index}"), "1.0".to_owned())).collect();
        Self { versions, base: 1, format: ArtifactFormat::TarZst, bytes: 200_000, platform: PlatformKey::LinuxX64 }
    }

    /// For windows-x64.
    pub fn on_windows(mut self) -> Self {
        self.platform = PlatformKey::WindowsX64;
        self
    }

    fn site(&self) -> &'static str {
        if self.platform.is_windows() { "Lib/site-packages" } else { SITE }
    }

    /// With this version of a distribution, in place of another one that it may have.
    pub fn with(mut self, name: &str, version: &str) -> Self {
        self.versions.insert(name.to_owned(), version.to_owned());
        self
    }

    /// Packed in this format.
    pub fn format(mut self, format: ArtifactFormat) -> Self {
        self.format = format;
        self
    }

    /// Writes the artifact and its manifest, and gives both.
    pub fn pack(&self, folder: &Path, name: &str) -> (PathBuf, Manifest) {
        let target = folder.join(format!("{name}.{}", self.format.extension()));
        let mut manifest = self.manifest();
        let mut parts = vec![part(PartKind::BASE, self.base_entries())];
        for (name, version) in &self.versions {
            parts.push(part(&wheel(name, version), self.wheel_entries(name, version)));
        }
        parts.push(part(
            PartKind::COPIED_FILES,
            vec![TreeEntry::bytes("share/notice.txt".parse().unwrap(), *b"notice")],
        ));
        let inner = TreeEntry::bytes("pydist.json".parse().unwrap(), write_manifest(&manifest).into_bytes());
        parts.push(PartSource::new(PartKind::METADATA, vec![inner]));
        let options = PackOptions { format: self.format, level: 1, ..PackOptions::default() };
        let packed = pack(&target, &parts, &options, &NoCache).unwrap();
        manifest.artifact = Some(Artifact {
            level: None,
            file: target.file_name().unwrap().to_str().unwrap().to_owned(),
            format: self.format,
            sha256: packed.sha256,
            size: packed.size,
            parts: packed.parts,
        });
        fs::write(manifest_beside(&target), write_manifest(&manifest)).unwrap();
        (target, manifest)
    }

    /// As [`Self::pack`] with a `tar.gz` as part format 1 had it: a gzip member for each part, and one for the end.
    pub fn pack_members(&self, folder: &Path, name: &str) -> (PathBuf, Manifest) {
        let (target, mut manifest) = self.clone().format(ArtifactFormat::Tar).pack(folder, name);
        let tar = fs::read(&target).unwrap();
        fs::remove_file(manifest_beside(&target)).unwrap();
        fs::remove_file(&target).unwrap();
        let member = |plain: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        };
        let target = folder.join(format!("{name}.tar.gz"));
        let artifact = manifest.artifact.as_mut().unwrap();
        let (mut bytes, mut at) = (Vec::new(), 0);
        for part in &mut artifact.parts {
            at = (part.offset + part.size) as usize;
            let packed = member(&tar[part.offset as usize..at]);
            (part.offset, part.size, part.sha256) = (bytes.len() as u64, packed.len() as u64, Digest::of(&packed));
            bytes.extend(packed);
        }
        bytes.extend(member(&tar[at..]));
        artifact.file = target.file_name().unwrap().to_str().unwrap().to_owned();
        (artifact.format, artifact.size, artifact.sha256) =
            (ArtifactFormat::TarGz, bytes.len() as u64, Digest::of(&bytes));
        fs::write(&target, bytes).unwrap();
        fs::write(manifest_beside(&target), write_manifest(&manifest)).unwrap();
        (target, manifest)
    }

    fn manifest(&self) -> Manifest {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/manifest/format-4.json");
        let mut manifest = read_manifest(&fs::read(path).unwrap()).unwrap();
        manifest.artifact = None;
        manifest.platform = self.platform;
        manifest.clashes = Vec::new();
        manifest.distributions = self.versions.iter().map(|(name, version)| distribution(name, version)).collect();
        let (path, sha256, size) = ("share/notice.txt".parse().unwrap(), Digest::of("notice"), 6);
        manifest.copied_files = vec![CopiedFile { path, sha256, size, overwrote: false }];
        manifest
    }

    fn base_entries(&self) -> Vec<TreeEntry> {
        let path = |text: &str| text.parse().unwrap();
        let program = FileContent::Bytes(noise_of(self.base, 4 * self.bytes).into());
        if self.platform.is_windows() {
            let site = self.site();
            let record = *b"../../Scripts/pip.exe,,\npip/__init__.py,,\n";
            return vec![
                TreeEntry::file(path("Scripts/pip.exe"), FileContent::Bytes((*b"pip").into()), true),
                TreeEntry::file(path("bin/pip.exe"), FileContent::Bytes((*b"forwarder").into()), true),
                TreeEntry::file(path("python.exe"), program, true),
                TreeEntry::bytes(path(&format!("{site}/pip-1.0.dist-info/RECORD")), record),
                TreeEntry::bytes(path(&format!("{site}/pip/__init__.py")), *b"# pip"),
            ];
        }
        let mut entries = vec![
            TreeEntry::file(path("bin/python3.12"), program, true),
            TreeEntry::bytes(path("lib/python3.12/os.py"), *b"# os"),
            // The interpreter's own pip, which the manifest does not name.
            TreeEntry::bytes(path(&format!("{SITE}/pip-1.0.dist-info/RECORD")), *b"pip/__init__.py,,\n"),
            TreeEntry::bytes(path(&format!("{SITE}/pip/__init__.py")), *b"# pip"),
            TreeEntry::directory(path("lib/empty")),
        ];
        if cfg!(unix) {
            entries.push(TreeEntry::symlink(path("bin/python3"), "python3.12"));
        }
        entries
    }

    fn wheel_entries(&self, name: &str, version: &str) -> Vec<TreeEntry> {
        let site = self.site();
        let info = format!("{site}/{name}-{version}.dist-info");
        let script = if self.platform.is_windows() { format!("Scripts/{name}.exe") } else { format!("bin/{name}") };
        let up = "../".repeat(site.split('/').count());
        let record = format!("{name}/data.bin,,\n{up}{script},,\n{name}-{version}.dist-info/RECORD,,\n");
        let seed = Digest::of(format!("{name} {version}")).as_bytes()[..8].try_into().map(u64::from_le_bytes).unwrap();
        let mut entries = vec![
            TreeEntry::bytes(format!("{site}/{name}/data.bin").parse().unwrap(), noise_of(seed, self.bytes)),
            TreeEntry::file(script.parse().unwrap(), FileContent::Bytes(name.as_bytes().into()), true),
            TreeEntry::bytes(format!("{info}/RECORD").parse().unwrap(), record.into_bytes()),
        ];
        if self.platform.is_windows() {
            // In no RECORD.
            let forwarder = format!("bin/{name}.exe").parse().unwrap();
            entries.push(TreeEntry::file(forwarder, FileContent::Bytes((*b"forwarder").into()), true));
        }
        entries
    }
}

/// File name of a pure wheel.
pub fn wheel(name: &str, version: &str) -> String {
    format!("{name}-{version}-py3-none-any.whl")
}

fn distribution(name: &str, version: &str) -> Distribution {
    Distribution {
        name: name.parse().unwrap(),
        version: version.to_owned(),
        file: wheel(name, version),
        sha256: Digest::of(wheel(name, version)),
        size: 1,
        origin: WheelOrigin::Wheel,
        requested: true,
        brought_by: std::collections::BTreeSet::new(),
        licence: None,
        needs: None,
        native: None,
    }
}

fn part(name: &str, entries: Vec<TreeEntry>) -> PartSource {
    let identity = identity_of(entries.iter().map(|entry| {
        let identity = match &entry.kind {
            EntryKind::Directory => EntryIdentity::Directory,
            EntryKind::Symlink { target } => EntryIdentity::Symlink { target },
            EntryKind::File { content: FileContent::Bytes(bytes), executable } => {
                EntryIdentity::File { sha256: Digest::of(bytes), executable: *executable && cfg!(unix) }
            }
            EntryKind::File { .. } => panic!("all content is in memory"),
        };
        (&entry.path, identity)
    }));
    PartSource { identity: Some(identity), ..PartSource::new(name, entries) }
}

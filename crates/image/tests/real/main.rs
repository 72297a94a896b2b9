//! Images in the hands of others' programs: skopeo, umoci, tar, chroot, a registry on loopback. Linux; what
//! `scripts/test` could not set up is left out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use archive::{FileContent, NoCache, PackOptions, PartSource, TreeEntry, pack};
use image::{BaseImage, ImageRequest, ImageSettings, LayerCompression, RuntimeSource, WrittenImage};
use serde_json::Value;
use testkit::images::{ImageRegistry, config_of, printed_by, system_libraries, unpack_with_tar, unpack_with_umoci};
use testkit::runtime::Runtime;
use vocab::{Artifact, ArtifactFormat, PlatformKey};

/// False where the tests were told to do without one of the programs.
#[track_caller]
fn has(programs: &[&str]) -> bool {
    let left_out = programs.iter().any(|program| testkit::is_left_out(program));
    for program in programs.iter().filter(|_| !left_out) {
        assert!(which::which(program).is_ok(), "`{program}` is not there; `scripts/test` sets it up");
    }
    !left_out
}

fn host() -> PlatformKey {
    PlatformKey::host().unwrap()
}

/// What the dynamic linker loads for a program, and itself, as a base.
fn base_for(programs: &[PathBuf], compression: LayerCompression, folder: &Path) -> BaseImage {
    let libraries = system_libraries(programs, folder);
    let entry = |file: PathBuf| {
        let path = file.to_str().unwrap().trim_start_matches('/').parse().unwrap();
        TreeEntry::file(path, FileContent::Disk(std::fs::canonicalize(&file).unwrap()), true)
    };
    let mut entries: Vec<TreeEntry> = libraries.into_iter().map(entry).collect();
    entries.push(TreeEntry::directory("tmp".parse().unwrap()));
    let extra = vec![PartSource::new("glibc", entries)];
    let request = ImageRequest { extra, compression, ..ImageRequest::new(host()) };
    let layout = folder.join("base");
    image::write(&layout, &request, &NoCache).unwrap();
    BaseImage { layout, name: None }
}

/// The interpreter of this machine and its standard library, without tests and packages, as an artifact; its program.
fn python_artifact(folder: &Path) -> (PathBuf, vocab::Manifest, PathBuf) {
    let ask = "import os, sys, sysconfig; print(os.path.realpath(sys.executable)); print(sysconfig.get_path('stdlib'))";
    let answer = printed_by(Command::new("python3").args(["-I", "-c", ask]));
    let (program, library) = answer.split_once('\n').unwrap();
    let name = Path::new(library).file_name().unwrap().to_str().unwrap();
    let unwanted = ["test/", "site-packages/", "dist-packages/", "idlelib/", "lib2to3/", "config-", "tkinter/"];
    let mut entries: Vec<TreeEntry> = archive::scan(Path::new(library))
        .unwrap()
        .into_iter()
        .filter(|entry| !unwanted.iter().any(|start| entry.path.as_str().starts_with(start)))
        .filter(|entry| !entry.path.as_str().contains("__pycache__"))
        .filter(|entry| matches!(entry.kind, archive::EntryKind::File { .. }))
        .map(|entry| TreeEntry { path: format!("lib/{name}/{}", entry.path).parse().unwrap(), ..entry })
        .collect();
    let place = FileContent::Disk(program.into());
    entries.push(TreeEntry::file(format!("bin/{name}").parse().unwrap(), place, true));
    entries.push(TreeEntry::symlink("bin/python".parse().unwrap(), name));
    let (_, mut manifest) = Runtime::new().pack(folder, "other");
    let target = folder.join("python.tar.zst");
    let packed = pack(&target, &[PartSource::new("base", entries)], &PackOptions::default(), &NoCache).unwrap();
    let (file, format) = ("python.tar.zst".to_owned(), ArtifactFormat::TarZst);
    manifest.platform = host();
    manifest.artifact =
        Some(Artifact { file, format, level: None, sha256: packed.sha256, size: packed.size, parts: packed.parts });
    (target, manifest, program.into())
}

fn started(compression: LayerCompression, unpack: impl Fn(&Path, &Path)) {
    if testkit::is_left_out("namespaces") || !has(&["skopeo", "tar", "unshare", "chroot", "ldd", "python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (archive, manifest, program) = python_artifact(folder.path());
    let prefix = "opt/pydist/python".parse().unwrap();
    let say = "import json, sys; print(json.dumps([sys.prefix, len(sys.argv)]))";
    let request = ImageRequest {
        base: Some(base_for(&[program], compression, folder.path())),
        runtime: Some(RuntimeSource { archive: &archive, manifest: &manifest, prefix: &prefix, last: None }),
        settings: ImageSettings {
            entrypoint: vec!["/opt/pydist/python/bin/python".to_owned(), "-c".to_owned(), say.to_owned()],
            ..ImageSettings::default()
        },
        compression,
        name: Some("3".to_owned()),
        ..ImageRequest::new(host())
    };
    let layout = folder.path().join("image");
    image::write(&layout, &request, &NoCache).unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    unpack(&layout, &root);
    let config = config_of(&format!("oci:{}:3", layout.display()));
    let entrypoint = config["Entrypoint"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let mut start = Command::new("unshare");
    start.args(["--map-root-user", "--mount", "chroot"]).arg(&root).args(entrypoint).env_clear();
    assert_eq!(printed_by(start.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")), r#"["/opt/pydist/python", 1]"#);
}

#[test]
fn an_entry_point_starts_in_an_empty_root_that_tar_unpacked() {
    for compression in [LayerCompression::Zstd, LayerCompression::Gzip] {
        started(compression, |layout, root| unpack_with_tar(layout, "3", root));
    }
}

#[test]
fn an_entry_point_starts_in_a_root_that_umoci_unpacked() {
    if !has(&["umoci"]) {
        return;
    }
    // Before 0.5 it knows gzip alone.
    started(LayerCompression::Gzip, |layout, root| unpack_with_umoci(layout, "3", root));
}

fn image_of(runtime: &Runtime, folder: &Path, name: &str) -> WrittenImage {
    let (archive, manifest) = runtime.pack(folder, name);
    let prefix = "opt/pydist/python".parse().unwrap();
    let request = ImageRequest {
        runtime: Some(RuntimeSource { archive: &archive, manifest: &manifest, prefix: &prefix, last: None }),
        name: Some("3.12".to_owned()),
        ..ImageRequest::new(PlatformKey::LinuxX64)
    };
    image::write(&folder.join(format!("{name}-image")), &request, &NoCache).unwrap()
}

#[test]
fn a_registry_takes_it_under_its_digest_and_only_what_changed_of_the_next() {
    if !has(&["skopeo", "docker-registry"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = ImageRegistry::start(folder.path());
    let name = "aistorage/runtime_python:3.12";
    let mut runtime = Runtime::new();
    runtime.bytes = 1_200_000;
    let pushed = |runtime: &Runtime, local: &str| {
        let image = image_of(runtime, folder.path(), local);
        let digest = registry.push(&folder.path().join(format!("{local}-image")), "3.12", name);
        assert_eq!(digest, format!("sha256:{}", image.digest));
        (image, registry.blobs())
    };
    let (first, before) = pushed(&runtime, "first");
    let (second, after) = pushed(&runtime.clone().with("demo3", "2.0"), "second");
    let new =
        second.layers.iter().filter(|layer| first.layers.iter().all(|other| other.digest != layer.digest)).count();
    assert_eq!(new, 2, "the package and the metadata");
    // And configuration and manifest.
    assert_eq!(after.difference(&before).count(), new + 2);
    // What is pulled again is what was pushed.
    let back = folder.path().join("back");
    registry.pull(name, &back, "3.12");
    let index: Value = serde_json::from_slice(&std::fs::read(back.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], format!("sha256:{}", second.digest));
}

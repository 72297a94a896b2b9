//! Images in the hands of others' programs: skopeo, umoci, tar, chroot, a registry on loopback. Linux; what
//! `scripts/test` could not set up is left out.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use archive::{FileContent, NoCache, PackOptions, PartSource, TreeEntry, pack};
use image::{BaseImage, ImageRequest, ImageSettings, LayerCompression, RuntimeSource, WrittenImage};
use serde_json::Value;
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

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn said(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap().trim().to_owned()
}

fn host() -> PlatformKey {
    PlatformKey::host().unwrap()
}

/// What the dynamic linker loads for a program, and itself, as a base.
fn base_for(programs: &[PathBuf], compression: LayerCompression, folder: &Path) -> BaseImage {
    let mut entries: Vec<TreeEntry> = Vec::new();
    for program in programs {
        let loaded = said(Command::new("ldd").arg(program));
        let files = loaded.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
        for file in files {
            let path = file.trim_start_matches('/').parse().unwrap();
            if entries.iter().all(|entry| entry.path != path) {
                let place = std::fs::canonicalize(file).unwrap();
                entries.push(TreeEntry::file(path, FileContent::Disk(place), true));
            }
        }
    }
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
    let answer = said(Command::new("python3").args(["-I", "-c", ask]));
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
        runtime: Some(RuntimeSource { archive: &archive, manifest: &manifest, prefix: &prefix }),
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
    let config = said(Command::new("skopeo").args(["inspect", "--config"]).arg(format!("oci:{}:3", layout.display())));
    let config: Value = serde_json::from_str(&config).unwrap();
    let entrypoint = config["config"]["Entrypoint"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let mut start = Command::new("unshare");
    start.args(["--map-root-user", "--mount", "chroot"]).arg(&root).args(entrypoint).env_clear();
    assert_eq!(said(start.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")), r#"["/opt/pydist/python", 1]"#);
}

/// By `skopeo` and `tar`, layer by layer.
fn by_tar(layout: &Path, root: &Path) {
    let copy = root.parent().unwrap().join("copy");
    let (from, to) = (format!("oci:{}:3", layout.display()), format!("dir:{}", copy.display()));
    run(Command::new("skopeo").args(["copy", "--insecure-policy", &from, &to]));
    let manifest: Value = serde_json::from_slice(&std::fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        let blob = copy.join(layer["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap());
        let how = if layer["mediaType"].as_str().unwrap().ends_with("zstd") { "--zstd" } else { "--gzip" };
        run(Command::new("tar").arg(how).arg("-xf").arg(blob).arg("-C").arg(root));
    }
}

#[test]
fn an_entry_point_starts_in_an_empty_root_that_tar_unpacked() {
    for compression in [LayerCompression::Zstd, LayerCompression::Gzip] {
        started(compression, by_tar);
    }
}

#[test]
fn an_entry_point_starts_in_a_root_that_umoci_unpacked() {
    if !has(&["umoci"]) {
        return;
    }
    // Before 0.5 it knows gzip alone.
    started(LayerCompression::Gzip, |layout, root| {
        let bundle = root.parent().unwrap().join("bundle");
        let image = format!("{}:3", layout.display());
        run(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle));
        std::fs::remove_dir(root).unwrap();
        std::fs::rename(bundle.join("rootfs"), root).unwrap();
    });
}

struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let storage = folder.join("registry");
        let settings = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            storage.display()
        );
        let file = testkit::write(folder, "registry.yml", settings);
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says when it listens, and then its pipe is read to the end so that it never waits for us.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listens = lines.by_ref().map_while(Result::ok).any(|line| line.contains("listening on"));
        assert!(listens, "the registry ended");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port }
    }

    fn at(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn image_of(runtime: &Runtime, folder: &Path, name: &str) -> WrittenImage {
    let (archive, manifest) = runtime.pack(folder, name);
    let prefix = "opt/pydist/python".parse().unwrap();
    let request = ImageRequest {
        runtime: Some(RuntimeSource { archive: &archive, manifest: &manifest, prefix: &prefix }),
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
    let registry = Registry::start(folder.path());
    let name = registry.at("aistorage/runtime_python:3.12");
    let mut runtime = Runtime::new();
    runtime.bytes = 1_200_000;
    let blobs = || {
        let files = testkit::files_below(&folder.path().join("registry/docker/registry/v2/blobs"));
        files.into_iter().collect::<std::collections::BTreeSet<_>>()
    };
    let pushed = |runtime: &Runtime, local: &str| {
        let image = image_of(runtime, folder.path(), local);
        let from = format!("oci:{}:3.12", folder.path().join(format!("{local}-image")).display());
        run(Command::new("skopeo")
            .args(["copy", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"])
            .args([&from, &name]));
        let digest = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}"];
        assert_eq!(said(Command::new("skopeo").args(digest).arg(&name)), format!("sha256:{}", image.digest));
        (image, blobs())
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
    run(Command::new("skopeo")
        .args(["copy", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false"])
        .args([&name, &format!("oci:{}:3.12", back.display())]));
    let index: Value = serde_json::from_slice(&std::fs::read(back.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], format!("sha256:{}", second.digest));
}

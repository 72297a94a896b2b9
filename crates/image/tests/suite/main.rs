//! Images of a small runtime, read again with tar, zstd and flate2 rather than with our own readers.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use archive::{FileContent, NoCache, PartSource, TreeEntry};
use image::{BaseImage, ImageRequest, ImageSettings, LayerCompression, RuntimeSource, WrittenImage};
use serde_json::{Value, json};
use testkit::runtime::{Runtime, wheel};
use vocab::{ArtifactFormat, Digest, Fault as _, Manifest, PlatformKey, TreePath};

const PREFIX: &str = "opt/pydist/python";

fn prefix() -> TreePath {
    PREFIX.parse().unwrap()
}

fn runtime() -> Runtime {
    let mut runtime = Runtime::new();
    // Some are large enough for a layer of their own.
    runtime.bytes = 1_200_000;
    runtime.versions = ["demo0", "demo1", "demo2"].map(|name| (name.to_owned(), "1.0".to_owned())).into();
    runtime
}

fn request<'a>(archive: &'a Path, manifest: &'a Manifest, prefix: &'a TreePath) -> ImageRequest<'a> {
    let program = FileContent::Bytes((*b"#!/bin/sh\n").into());
    let extra = TreeEntry::file("opt/pydist/bin/start".parse().unwrap(), program, true);
    ImageRequest {
        runtime: Some(RuntimeSource { archive, manifest, prefix, last: None }),
        extra: vec![PartSource::new("program", vec![extra])],
        settings: ImageSettings {
            user: Some("1000:1000".to_owned()),
            entrypoint: vec!["/opt/pydist/bin/start".to_owned()],
            environment: [("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT".to_owned(), "1".to_owned())].into(),
            labels: [("org.opencontainers.image.title".to_owned(), "demo".to_owned())].into(),
            ..ImageSettings::default()
        },
        name: Some("3.12".to_owned()),
        ..ImageRequest::new(PlatformKey::LinuxX64)
    }
}

fn image_of(runtime: &Runtime, folder: &Path, with: impl Fn(&mut ImageRequest<'_>)) -> WrittenImage {
    let (archive, manifest) = runtime.pack(folder, "artifact");
    let prefix = prefix();
    let mut request = request(&archive, &manifest, &prefix);
    with(&mut request);
    image::write(&folder.join("image"), &request, &NoCache).unwrap()
}

fn document(layout: &Path, descriptor: &Value) -> Value {
    let bytes = blob(layout, descriptor);
    serde_json::from_slice(&bytes).unwrap()
}

/// The bytes that a descriptor describes, compared with it.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = std::fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(
        (Digest::of(&bytes).to_string().as_str(), bytes.len() as u64),
        (digest, descriptor["size"].as_u64().unwrap())
    );
    bytes
}

/// Manifest and configuration of the only image.
fn opened(layout: &Path) -> (Value, Value) {
    assert_eq!(std::fs::read_to_string(layout.join("oci-layout")).unwrap(), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let manifest = document(layout, &index["manifests"][0]);
    let config = document(layout, &manifest["config"]);
    (manifest, config)
}

fn unpacked(layer: &Value, bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    match layer["mediaType"].as_str().unwrap().rsplit('+').next().unwrap() {
        "zstd" => zstd::Decoder::new(bytes).unwrap().read_to_end(&mut tar).unwrap(),
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut tar).unwrap(),
        other => panic!("{other}"),
    };
    tar
}

/// What all layers hold: the path, and mode or target.
fn files(layout: &Path) -> BTreeMap<String, String> {
    let (manifest, config) = opened(layout);
    let mut files = BTreeMap::new();
    for (index, layer) in manifest["layers"].as_array().unwrap().iter().enumerate() {
        let tar = unpacked(layer, &blob(layout, layer));
        assert_eq!(config["rootfs"]["diff_ids"][index], json!(format!("sha256:{}", Digest::of(&tar))));
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 315_532_800));
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let target = entry.link_name().unwrap().map(|target| format!("-> {}", target.display()));
            files.insert(path, target.unwrap_or_else(|| format!("{:o}", header.mode().unwrap())));
        }
    }
    files
}

#[test]
fn an_image_holds_the_runtime_at_its_prefix_and_says_how_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let image = image_of(&runtime(), folder.path(), |_| {});
    let layout = folder.path().join("image");
    let (manifest, config) = opened(&layout);
    let files = files(&layout);
    let expected = [
        ("opt/", "755"),
        ("opt/pydist/", "755"),
        ("opt/pydist/bin/start", "755"),
        ("opt/pydist/python/bin/python3.12", "755"),
        ("opt/pydist/python/lib/empty/", "755"),
        ("opt/pydist/python/lib/python3.12/os.py", "644"),
        ("opt/pydist/python/lib/python3.12/site-packages/demo1/data.bin", "644"),
        ("opt/pydist/python/pydist.json", "644"),
    ];
    for (path, mode) in expected {
        assert_eq!(files.get(path).map(String::as_str), Some(mode), "{path} in {files:?}");
    }
    if cfg!(unix) {
        assert_eq!(files["opt/pydist/python/bin/python3"], "-> python3.12");
    }
    assert!(files.keys().all(|path| path.starts_with("opt/")), "{files:?}");
    let started = json!({
        "User": "1000:1000", "Entrypoint": ["/opt/pydist/bin/start"],
        "Labels": {"org.opencontainers.image.title": "demo"}, "Env": ["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1"],
    });
    assert_eq!(config["config"], started);
    assert_eq!((&config["architecture"], &config["os"]), (&json!("amd64"), &json!("linux")));
    assert_eq!(config["created"], "1980-01-01T00:00:00Z");
    let contents: Vec<&str> = image.layers.iter().map(|layer| layer.content.as_str()).collect();
    let [zero, one, two] = ["demo0", "demo1", "demo2"].map(|name| wheel(name, "1.0"));
    assert_eq!(contents, ["base", &zero, &one, &two, "metadata", "program"]);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), contents.len());
    assert_eq!(config["history"].as_array().unwrap().len(), contents.len());
}

#[test]
fn two_builds_have_one_digest() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = image_of(&runtime(), one.path(), |_| {});
    assert_eq!(first, image_of(&runtime(), other.path(), |_| {}));
    let listed = |folder: &Path| testkit::files_below(&folder.join("image"));
    assert_eq!(listed(one.path()), listed(other.path()));
    // The digest is that of what is built, however its artifact was packed.
    let packed_otherwise = tempfile::tempdir().unwrap();
    let again = image_of(&runtime().format(ArtifactFormat::TarGz), packed_otherwise.path(), |_| {});
    let ids = |image: &WrittenImage| image.layers[..4].iter().map(|layer| layer.digest).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&first));
}

#[test]
fn another_package_is_another_layer_and_the_rest_stays() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = image_of(&runtime(), one.path(), |_| {});
    let second = image_of(&runtime().with("demo1", "2.0"), other.path(), |_| {});
    let differ: Vec<&str> = (first.layers.iter().zip(&second.layers))
        .filter(|(one, other)| one.digest != other.digest)
        .map(|(_, other)| other.content.as_str())
        .collect();
    assert_eq!(differ, [wheel("demo1", "2.0").as_str(), "metadata"]);
    assert_ne!(first.digest, second.digest);
}

#[test]
fn gzip_holds_the_same_tars() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    image_of(&runtime(), one.path(), |_| {});
    image_of(&runtime(), other.path(), |request| request.compression = LayerCompression::Gzip);
    let layouts = [one, other].map(|folder| (opened(&folder.path().join("image")), folder));
    let [((zstd, first), _), ((gzip, second), _)] = &layouts;
    assert_eq!(first["rootfs"], second["rootfs"]);
    assert_eq!(zstd["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(gzip["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    assert!(!files(&layouts[1].1.path().join("image")).is_empty());
}

/// An image of one file, as a base.
fn base(folder: &Path, platform: PlatformKey) -> WrittenImage {
    let file = TreeEntry::bytes("etc/os-release".parse().unwrap(), *b"ID=demo\n");
    let request = ImageRequest {
        extra: vec![PartSource::new("system", vec![file])],
        settings: ImageSettings {
            command: vec!["bash".to_owned()],
            environment: [("LANG".to_owned(), "C.UTF-8".to_owned())].into(),
            ..ImageSettings::default()
        },
        name: Some("12".to_owned()),
        ..ImageRequest::new(platform)
    };
    image::write(&folder.join("base"), &request, &NoCache).unwrap()
}

#[test]
fn an_image_stands_on_the_layers_and_settings_of_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let below = base(folder.path(), PlatformKey::LinuxX64);
    let layout = folder.path().join("base");
    for name in [None, Some("12".to_owned())] {
        let own = tempfile::tempdir().unwrap();
        let on = BaseImage { layout: layout.clone(), name };
        image_of(&runtime(), own.path(), |request| request.base = Some(on.clone()));
        let layout = own.path().join("image");
        let (manifest, config) = opened(&layout);
        assert_eq!(manifest["layers"][0]["digest"], format!("sha256:{}", below.layers[0].digest));
        assert_eq!(manifest["annotations"]["org.opencontainers.image.base.digest"], format!("sha256:{}", below.digest));
        let files = files(&layout);
        assert!(files.contains_key("etc/os-release") && files.contains_key("opt/pydist/python/pydist.json"));
        // A command of the base would become arguments of ours.
        assert!(config["config"].get("Cmd").is_none());
        assert_eq!(config["config"]["Env"], json!(["LANG=C.UTF-8", "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1"]));
        assert_eq!(config["history"].as_array().unwrap().len(), manifest["layers"].as_array().unwrap().len());
    }
}

#[test]
fn a_base_that_cannot_be_used_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    base(folder.path(), PlatformKey::LinuxX64);
    let layout = folder.path().join("base");
    let refused = |layout: &Path, name: Option<&str>, platform: PlatformKey| {
        let own = tempfile::tempdir().unwrap();
        let request = ImageRequest {
            base: Some(BaseImage { layout: layout.to_owned(), name: name.map(str::to_owned) }),
            ..ImageRequest::new(platform)
        };
        let error = image::write(&own.path().join("image"), &request, &NoCache).unwrap_err();
        assert_eq!(testkit::files_below(own.path()).len(), 0, "nothing is left behind");
        (error.code(), testkit::told(&error))
    };
    let (code, text) = refused(folder.path(), None, PlatformKey::LinuxX64);
    assert!(code == "E_IMAGE_BASE" && text.contains("not an OCI image layout"), "{text}");
    let (code, text) = refused(&layout, None, PlatformKey::LinuxAarch64);
    assert!(code == "E_IMAGE_BASE" && text.contains("no image for linux-aarch64"), "{text}");
    let (code, text) = refused(&layout, Some("13"), PlatformKey::LinuxX64);
    assert!(code == "E_IMAGE_BASE" && text.contains("no image called `13`"), "{text}");
    let (manifest, _) = opened(&layout);
    let layer = manifest["layers"][0]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let place = layout.join("blobs/sha256").join(layer);
    let mut bytes = std::fs::read(&place).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&place, bytes).unwrap();
    let (code, text) = refused(&layout, None, PlatformKey::LinuxX64);
    assert!(code == "E_IMAGE_BASE_DAMAGED" && text.contains(layer), "{text}");
}

#[test]
fn what_cannot_be_an_image_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = prefix();
    let target = folder.path().join("image");
    let refused = |request: &ImageRequest<'_>| image::write(&target, request, &NoCache).unwrap_err().code();
    let (archive, manifest) = Runtime::new().on_windows().pack(folder.path(), "windows");
    let windows = ImageRequest { platform: PlatformKey::WindowsX64, ..request(&archive, &manifest, &prefix) };
    assert_eq!(
        (refused(&windows), refused(&request(&archive, &manifest, &prefix))),
        ("E_IMAGE_PLATFORM", "E_IMAGE_PLATFORM")
    );
    if cfg!(unix) {
        let (archive, manifest) = Runtime::new().format(ArtifactFormat::Zip).pack(folder.path(), "zip");
        assert_eq!(refused(&request(&archive, &manifest, &prefix)), "E_IMAGE_ARTIFACT");
    }
    assert!(!target.exists());
    let (archive, manifest) = Runtime::new().pack(folder.path(), "sound");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("kept"), "").unwrap();
    assert_eq!(refused(&request(&archive, &manifest, &prefix)), "E_IMAGE_EXISTS");
    assert_eq!(testkit::files_below(&target).len(), 1);
    // A flipped byte in the artifact.
    std::fs::remove_dir_all(&target).unwrap();
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&archive, bytes).unwrap();
    assert_eq!(refused(&request(&archive, &manifest, &prefix)), "E_ARCHIVE_CHECKSUM");
    assert!(!target.exists());
}

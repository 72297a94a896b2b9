//! `etl-runtime image`, of a small runtime that is never started.

use std::fs;
use std::path::{Path, PathBuf};

use etl_runtime::runtime_image::{RuntimeImage, write};
use image::{LayerCompression, WrittenImage};
use serde_json::{Value, json};
use store::Context;
use testkit::runtime::Runtime;
use vocab::PlatformKey;

fn request<'a>(runtime: &'a Path, program: &'a Path) -> RuntimeImage<'a> {
    RuntimeImage {
        runtime,
        python: None,
        packages: &[],
        base: None,
        program: Some(program),
        own_program: None,
        user: None,
        // Its interpreter is a text.
        byte_code: false,
        compression: LayerCompression::Zstd,
        mtime: archive::DEFAULT_MTIME,
    }
}

fn artifact(folder: &Path) -> PathBuf {
    let dist = folder.join("dist");
    fs::create_dir(&dist).unwrap();
    Runtime::new().pack(&dist, "pydist-etl-3.12.10-linux-x86_64").0
}

fn document(layout: &Path, digest: &str) -> Value {
    let name = digest.strip_prefix("sha256:").unwrap();
    serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(name)).unwrap()).unwrap()
}

#[test]
fn an_image_starts_this_program_on_its_runtime_and_has_one_digest() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = artifact(folder.path());
    let program = testkit::write(folder.path(), "etl-runtime", "a program\n");
    let image = |runtime: &Path, target: &str, store: &str| -> WrittenImage {
        let context = Context::quiet(folder.path().join(store));
        let request = RuntimeImage { python: Some("3.12"), ..request(runtime, &program) };
        write(&request, &folder.path().join(target), &context).unwrap()
    };
    let first = image(&artifact, "one", "store");
    // From the folder, and with layers of the store.
    assert_eq!(image(artifact.parent().unwrap(), "two", "store"), first);
    assert_eq!(image(&artifact, "three", "other-store"), first);
    let layout = folder.path().join("one");
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "3.12");
    let manifest = document(&layout, index["manifests"][0]["digest"].as_str().unwrap());
    let config = &document(&layout, manifest["config"]["digest"].as_str().unwrap())["config"];
    assert_eq!(config["Entrypoint"], json!(["/opt/pydist/bin/etl-runtime"]));
    assert_eq!(config["ExposedPorts"], json!({"8000/tcp": {}}));
    let environment: Vec<&str> = config["Env"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    assert!(environment.contains(&"ETL_PYTHON=/opt/pydist/python/bin/python3"), "{environment:?}");
    assert!(environment.iter().any(|row| row.starts_with("PATH=/opt/pydist/bin:/opt/pydist/python/bin:/")));
    assert_eq!(first.layers.last().unwrap().content, "program");
}

#[test]
fn a_runtime_that_is_not_the_wanted_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = artifact(folder.path());
    let program = testkit::write(folder.path(), "etl-runtime", "a program\n");
    let context = Context::quiet(folder.path().join("store"));
    let refused = |request: &RuntimeImage<'_>| {
        let error = write(request, &folder.path().join("image"), &context).unwrap_err();
        (error.code(), error.to_string())
    };
    let dist = artifact.parent().unwrap();
    let (code, text) = refused(&RuntimeImage { python: Some("3.11"), ..request(&artifact, &program) });
    assert!(code == "E_ETL_IMAGE" && text.contains("has Python 3.12"), "{text}");
    let (code, text) = refused(&RuntimeImage { python: Some("3.11"), ..request(dist, &program) });
    assert!(code == "E_ETL_IMAGE" && text.contains("holds 0 runtimes with Python 3.11"), "{text}");
    if PlatformKey::host() != Some(PlatformKey::LinuxX64) {
        let own = RuntimeImage { program: None, own_program: Some(&program), ..request(&artifact, &program) };
        assert_eq!(refused(&own).0, "E_ETL_IMAGE");
    }
    let none = RuntimeImage { program: None, ..request(&artifact, &program) };
    assert_eq!(refused(&none).0, "E_ETL_IMAGE");
    assert!(!folder.path().join("image").exists());
}

//! Pods end to end: a runtime that `builder` built, `etl-runtime image`, layers in the hands of others' programs, `etl-runtime bake`,
//! and the entry point in an empty root, answering by HTTP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::images::{ImageRegistry, printed_by, unpack_with_tar, unpack_with_umoci};
use testkit::{FixtureIndex, WheelBuilder};

use crate::built::{Built, Machine, RootedPod, VERSION, built, system_image, system_root, variables};
use crate::support::{pickled, sdk};

/// What docs/etl.md bakes.
const PACKAGES: &str = "numpy>=2,<3,pillow";

/// Turns around what it gets.
const TURNED: &str = "
class Turned(Base):
    def transform(self, data, path, etl_args):
        import numpy, PIL
        return numpy.frombuffer(data, numpy.uint8)[::-1].tobytes() + etl_args.encode()
";

fn site_packages(root: &Path) -> PathBuf {
    root.join("opt/pydist/python/lib/python3.12/site-packages")
}

/// A pod in `root` with a class and a mountpath; its volumes are below `folder`.
fn pod(root: PathBuf, image: String, payload: &str, folder: &Path) -> RootedPod {
    let mountpath = folder.join("mp1");
    testkit::write(&mountpath, "bucket/object", "from a file");
    let target = "http://127.0.0.1:1/v1/etl/_object/my-etl/secret";
    // For a machine that does much else.
    let variables =
        [("ETL_CLASS_PAYLOAD", payload), ("AIS_TARGET_URL", target), ("NUM_WORKERS", "2"), ("ETL_LOAD_TIMEOUT", "600")];
    RootedPod {
        root,
        image,
        volumes: [(mountpath, "/ais/mp1")].into(),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

/// The content of a request, and a file of a volume, by the path that a target names.
fn assert_serves(pod: &RootedPod) -> String {
    let by_path = "/bucket/object?etl_fqn=%252Fais%252Fmp1%252Fbucket%252Fobject&etl_args=XY";
    let outside = "/bucket/object?etl_fqn=%252Fopt%252Fpydist%252Fbin%252Fetl-runtime";
    let requests = [("PUT", "/bucket/object", "abc"), ("PUT", by_path, ""), ("PUT", outside, "")];
    let (answers, log) = pod.answers(&requests);
    assert_eq!(answers[0], (200, "cba".to_owned()), "{log}");
    assert_eq!(answers[1], (200, "elif a morfXY".to_owned()), "{log}");
    assert!((403..=404).contains(&answers[2].0), "{answers:?}");
    log
}

/// Whoever starts pip leaves a mark.
fn set_trap_for_pip(root: &Path) {
    let pip = site_packages(root).join("pip");
    let (main, compiled) = (pip.join("__main__.py"), pip.join("__pycache__/__main__.cpython-312.pyc"));
    assert!(main.is_file() && compiled.is_file(), "the interpreter comes with pip, compiled");
    fs::remove_file(&main).unwrap();
    fs::remove_file(compiled).unwrap();
    fs::write(main, "open('/pip-was-started', 'w').close()\n").unwrap();
    assert!(testkit::files_below(root).iter().all(|path| !path.ends_with("/uv")), "no uv in the image");
}

fn bake(machine: &Machine, built: &Built, to: &Path) -> String {
    let mut command = machine.etl_runtime();
    command.args(["bake", "--packages", PACKAGES, "--python"]).arg(built.python()).arg("--to").arg(to);
    printed_by(&mut command)
}

// E8, and cases 52 and 53: from the builder to status 200, without an index, pip or uv
#[test]
fn attack_e8_a_pod_of_a_built_runtime_serves_with_a_delta_and_without_a_network() {
    let (Some((built, machine, _)), Some(submitter)) = (built(), sdk("3.12")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let deltas = folder.path().join("deltas");
    let baked = variables(&bake(machine, built, &deltas));
    assert_eq!((baked["PACKAGES"].as_str(), baked["ETL_PYTHON_VERSION"].as_str()), (PACKAGES, "3.12"));
    let base = folder.path().join("base");
    system_image(built, &base);
    for (with_base, framework) in [(true, "threaded"), (false, "fastapi")] {
        if with_base && testkit::is_left_out("umoci") {
            continue;
        }
        let own = folder.path().join(framework);
        let (layout, root) = (own.join("image"), own.join("root"));
        fs::create_dir_all(&root).unwrap();
        if with_base {
            machine.image(built, &layout, &["--gzip", "--base", base.to_str().unwrap()]);
            unpack_with_umoci(&layout, "3.12", &root);
        } else {
            machine.image(built, &layout, &["--without-base"]);
            system_root(built, &root);
            unpack_with_tar(&layout, "3.12", &root);
        }
        set_trap_for_pip(&root);
        let payload = pickled(&submitter, framework, TURNED);
        let mut pod = pod(root, format!("oci:{}:3.12", layout.display()), &payload, &own);
        pod.variables.extend(baked.clone());
        pod.variables.insert("ETL_DELTA".to_owned(), "/deltas".to_owned());
        pod.volumes.insert(deltas.clone(), "/deltas");
        let log = assert_serves(&pod);
        assert!(log.contains("package pillow: from the delta"), "{log}");
        assert!(!pod.root.join("pip-was-started").exists());
    }
}

// E6
#[test]
fn an_image_with_packages_comes_back_from_a_registry_under_the_sdks_name_and_installs_nothing() {
    let (Some((built, machine, _)), Some(submitter)) = (built(), sdk("3.12")) else { return };
    if testkit::is_left_out("docker-registry") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (layout, back, base) = (folder.path().join("image"), folder.path().join("back"), folder.path().join("base"));
    system_image(built, &base);
    let digest = machine.image(built, &layout, &["--packages", PACKAGES, "--base", base.to_str().unwrap()]);
    let registry = ImageRegistry::start(folder.path());
    let name = "aistorage/runtime_python:3.12";
    assert_eq!(registry.push(&layout, "3.12", name), digest);
    registry.pull(name, &back, "3.12");
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    unpack_with_tar(&back, "3.12", &root);
    set_trap_for_pip(&root);
    let payload = pickled(&submitter, "flask", TURNED);
    let mut pod = pod(root, registry.at(name), &payload, folder.path());
    pod.variables.insert("PACKAGES".to_owned(), PACKAGES.to_owned());
    let log = assert_serves(&pod);
    assert!(log.contains("is in the runtime"), "{log}");
    assert!(!pod.root.join("pip-was-started").exists());
}

/// Two large packages and two small ones on an index of their own, besides another version of what the runtime has.
fn index() -> FixtureIndex {
    let mut index = FixtureIndex::new();
    let noise = |seed| testkit::trees::noise_of(seed, 1_500_000);
    for (name, version, seed) in [("large", "1.0", 1), ("large", "2.0", 2), ("larger", "1.0", 3)] {
        index.add(WheelBuilder::new(name, version).file(&format!("{name}/noise.bin"), noise(seed)).build());
    }
    for name in ["small", "smaller"] {
        index.add(WheelBuilder::new(name, "1.0").file(&format!("{name}.py"), "").build());
    }
    index.add(WheelBuilder::new("annotated-doc", "0.0.1").file("annotated_doc/older.py", "").build());
    index
}

/// What `etl-runtime image` says of each layer: what it holds, and its digest.
fn layers(layout: &Path) -> Vec<(String, String)> {
    let read =
        |name: &str| -> serde_json::Value { serde_json::from_slice(&fs::read(layout.join(name)).unwrap()).unwrap() };
    let blob =
        |value: &serde_json::Value| format!("blobs/sha256/{}", &value["digest"].as_str().unwrap()["sha256:".len()..]);
    let manifest = read(&blob(&read("index.json")["manifests"][0]));
    let history = read(&blob(&manifest["config"]))["history"].clone();
    let layers = manifest["layers"].as_array().unwrap().iter().zip(history.as_array().unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    layers.map(|(layer, row)| (text(&row["created_by"]), text(&layer["digest"]))).collect()
}

#[test]
fn two_machines_make_one_image_and_a_changed_package_is_one_layer() {
    let Some((built, machine, repository)) = built() else { return };
    let folder = tempfile::tempdir().unwrap();
    let served = index().serve();
    let options = |packages: &'static str| ["--without-base", "--packages", packages];
    let made = |machine: &Machine, built: &Built, name: &str, packages: &'static str| {
        let to = folder.path().join(name);
        let mut command = machine.etl_runtime();
        command.env("UV_DEFAULT_INDEX", served.simple_url()).args(["image", "--runtime"]).arg(&built.dist);
        (printed_by(command.arg("--to").arg(&to).args(options(packages))), layers(&to))
    };
    let (digest, first) = made(machine, built, "one", "large==1.0,larger,small,smaller");
    let names: Vec<&str> = first.iter().filter_map(|(name, _)| name.strip_prefix("pydist: ")).collect();
    let packages = ["large-1.0-py3-none-any.whl", "larger-1.0-py3-none-any.whl", "small packages of the image"];
    let added = [&packages[..], &["byte code of the interpreter", "byte code of packages", "program"]].concat();
    assert!(names.ends_with(&added) && names.starts_with(&["base"]), "{names:?}");
    // Another machine builds the same lock, has other folders, modes and times, and nothing of the first.
    let other = Machine::unlike_others(folder.path().join("other"));
    let lock = format!("python-{VERSION}/lock.json");
    let copy = crate::built::repository();
    copy.file(&lock, fs::read(repository.at(&lock)).unwrap());
    let built_there = other.build(&copy);
    assert_eq!(fs::read(built_there.artifact()).unwrap(), fs::read(built.artifact()).unwrap());
    assert_eq!(made(&other, &built_there, "two", "smaller,larger,small,large<2"), (digest, first.clone()));
    let (_, third) = made(machine, built, "three", "large==2.0,larger,small,smaller");
    assert_eq!(third.len(), first.len());
    let changed: Vec<&str> =
        third.iter().zip(&first).filter(|(one, other)| one.1 != other.1).map(|(one, _)| one.0.as_str()).collect();
    assert_eq!(changed, ["pydist: large-2.0-py3-none-any.whl"]);
}

#[test]
fn a_distribution_of_the_runtime_that_a_package_replaces_is_not_in_the_image_twice() {
    let Some((built, machine, _)) = built() else { return };
    if testkit::is_left_out("umoci") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let served = index().serve();
    let (layout, root) = (folder.path().join("image"), folder.path().join("root"));
    let mut command = machine.etl_runtime();
    command.env("UV_DEFAULT_INDEX", served.simple_url()).args(["image", "--gzip", "--without-base", "--runtime"]);
    command.arg(&built.dist).args(["--packages", "annotated-doc<0.0.2", "--to"]).arg(&layout);
    printed_by(&mut command);
    fs::create_dir(&root).unwrap();
    unpack_with_umoci(&layout, "3.12", &root);
    let site = site_packages(&root);
    let mut found: Vec<String> = fs::read_dir(&site)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("annotated_doc") || name.starts_with(".wh."))
        .collect();
    found.sort();
    assert_eq!(found, ["annotated_doc", "annotated_doc-0.0.1.dist-info"]);
    let files: Vec<String> = testkit::files_below(&site.join("annotated_doc"));
    // Byte code of this version alone.
    assert_eq!(files, ["__pycache__/older.cpython-312.pyc", "older.py"]);
    let ask = "import importlib.metadata as it; print(it.version('annotated-doc'))";
    let mut python = Command::new(root.join("opt/pydist/python/bin/python3"));
    assert_eq!(printed_by(python.args(["-I", "-B", "-c", ask])), "0.0.1");
}

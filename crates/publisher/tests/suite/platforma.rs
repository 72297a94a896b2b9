//! The layout that Platforma's backend and its packages read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use archive::ExtractOptions;
use objects::{Place as _, UNWATCHED};
use serde_json::{Value, json};
use testkit::S3Server;
use testkit::aistore::AIStoreMemory;
use vocab::{Digest, PlatformKey};

use super::support::artifacts::Sketch;
use super::support::bench::{Bench, files_below};
use super::support::{bucket, settings};

const UPLOAD: &str = "PL_REGISTRY_PLATFORMA_OPEN_UPLOAD_URL";
const BELOW: &str = "software/platforma-open/demo.runenv-python-3.12.10/main";

/// A repository with the package of 3.12.10 for two platforms and an artifact for each, and a registry in a folder.
struct Workplace {
    bench: Bench,
    registry: PathBuf,
}

impl Workplace {
    fn new() -> Self {
        let mut bench = Bench::new();
        let registry = bench.folder.path().join("registry");
        bench.unsaid = true;
        bench.variables.push((UPLOAD, registry.display().to_string()));
        let workplace = Self { bench, registry };
        workplace.package(|_| ());
        for platform in [PlatformKey::LinuxX64, PlatformKey::WindowsX64] {
            workplace.artifact(platform);
        }
        workplace
    }

    fn folder(&self) -> PathBuf {
        self.bench.folder.path().join("python-3.12.10")
    }

    fn package(&self, change: impl FnOnce(&mut Value)) {
        let mut package = json!({
            "name": "@platforma-open/demo.runenv-python-3.12.10", "version": "1.3.24",
            "description": "Python 3.12.10 run environment",
            "block-software": { "entrypoints": { "main": { "environment": { "artifact": {
                "type": "environment", "runtime": "python", "registry": "platforma-open", "python-version": "3.12.10",
                "envVars": ["RPY2_CFFI_MODE=ABI"],
                "roots": { "linux-x64": "./pydist/linux-x64", "windows-x64": "./pydist/windows-x64" }, "binDir": "bin",
            } } } } },
            "scripts": { "build": "cargo run --release -p builder -- 3.12.10" },
        });
        change(&mut package["block-software"]["entrypoints"]["main"]["environment"]["artifact"]);
        fs::create_dir_all(self.folder()).unwrap();
        fs::write(self.folder().join("package.json"), package.to_string()).unwrap();
    }

    fn artifact(&self, platform: PlatformKey) -> PathBuf {
        Sketch { platform, ..Sketch::new("3.12.10") }.make(&self.bench.dist(), |_| ())
    }

    fn archive(&self, platform: &str) -> PathBuf {
        self.registry.join(format!("{BELOW}/1.3.24-{platform}.tgz"))
    }

    fn descriptor(&self) -> PathBuf {
        self.folder().join("dist/tengo/software/main.sw.json")
    }
}

const PUBLISH: [&str; 3] = ["publish", "--layout", "platforma"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&PUBLISH[..], more].concat()
}

/// The value is the shape's, the keys stand in its order, and there are no others.
fn compare(text: &str, shape: &Value, platform: &str) {
    let found: Value = serde_json::from_str(text).unwrap();
    let keys: Vec<&str> = shape["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let places: Vec<usize> =
        keys.iter().map(|key| text.find(&format!("\"{key}\":")).expect("it has the key")).collect();
    assert!(places.is_sorted(), "{keys:?} in {text}");
    assert_eq!(found.as_object().unwrap().len(), keys.len(), "{text}");
    for key in keys {
        let wanted = &shape[key];
        if wanted.get("keys").is_some() {
            compare(&found[key].to_string(), wanted, platform);
            // Values print with their keys sorted; the order was looked at in the text.
            continue;
        }
        let wanted = wanted.as_str().map_or_else(|| wanted.clone(), |text| json!(text.replace("{platform}", platform)));
        assert_eq!(found[key], wanted, "{key}");
    }
}

#[test]
fn descriptors_and_archives_have_the_names_and_shapes_of_the_published_packages() {
    let workplace = Workplace::new();
    let run = workplace.bench.good(&PUBLISH);
    assert_eq!(run.out, format!("{BELOW}/1.3.24-linux-x64.tgz\n{BELOW}/1.3.24-windows-x64.tgz\n"));
    let names = ["linux-x64", "windows-x64"].map(|platform| format!("{BELOW}/1.3.24-{platform}.tgz"));
    assert_eq!(
        files_below(&workplace.registry).into_iter().filter(|it| !it.starts_with('.')).collect::<Vec<_>>(),
        names
    );

    let shapes: Value = serde_json::from_str(include_str!("../../../../fixtures/platforma/shapes.json")).unwrap();
    for platform in ["linux-x64", "windows-x64"] {
        let info = workplace.folder().join(format!("dist/artifacts/main/archive_{platform}.json"));
        compare(&fs::read_to_string(info).unwrap(), &shapes["archive"], platform);
    }
    let text = fs::read_to_string(workplace.descriptor()).unwrap();
    let software: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(software["name"], shapes["software"]["name"]);
    let inner = &text[text.find("{\"type\"").unwrap()..text.rfind('}').unwrap()];
    compare(inner, &shapes["software"]["runEnv"], "");
    assert!(text.starts_with("{\"name\":") && software.as_object().unwrap().len() == 2, "{text}");
    let files: Vec<String> = files_below(&workplace.folder().join("dist")).into_iter().collect();
    assert_eq!(
        files,
        [
            "artifacts/main/archive_linux-x64.json",
            "artifacts/main/archive_windows-x64.json",
            "tengo/software/main.sw.json"
        ]
    );
}

#[test]
fn the_archive_has_the_artifacts_tree_without_a_top_folder_and_the_same_bytes_each_time() {
    let workplace = Workplace::new();
    workplace.bench.good(&PUBLISH);
    let archive = workplace.archive("linux-x64");
    let unpacked = |archive: &Path, name: &str| {
        let tree = workplace.bench.folder.path().join(name);
        archive::extract(archive, &tree, &ExtractOptions::default()).unwrap();
        files_below(&tree)
            .into_iter()
            .map(|name| (Digest::of(fs::read(tree.join(&name)).unwrap()), name))
            .collect::<Vec<_>>()
    };
    let artifact = workplace.artifact(PlatformKey::LinuxX64);
    let tree = unpacked(&archive, "theirs");
    assert_eq!(tree, unpacked(&artifact, "ours"));
    assert!(tree.iter().any(|(_, name)| name == "pydist.json") && tree.len() == 3, "{tree:?}");
    let first = fs::read(&archive).unwrap();
    assert_eq!(first[..2], [0x1f, 0x8b]);
    // Made of the parts that the store keeps, and without them.
    let parts = workplace.bench.folder.path().join(".cache/pydist/parts");
    assert_eq!(files_below(&parts).len(), 3, "each part once, whichever platforms have it");
    workplace.bench.good(&with(&["--force"]));
    assert!(fs::read(&archive).unwrap() == first);
    fs::remove_dir_all(&parts).unwrap();
    workplace.bench.good(&with(&["--force"]));
    assert!(fs::read(&archive).unwrap() == first);
}

#[test]
fn k2_an_archive_that_is_there_is_kept_or_an_error_or_replaced() {
    let workplace = Workplace::new();
    workplace.bench.good(&PUBLISH);
    let archive = workplace.archive("linux-x64");
    fs::write(&archive, "of somebody else").unwrap();
    let kept = workplace.bench.good(&PUBLISH);
    assert!(
        kept.told.contains("W_PUBLISHED_BEFORE") && kept.told.contains("is kept: it has 16 bytes"),
        "{}",
        kept.told
    );
    assert_eq!(kept.told.matches("is kept: ").count(), 1, "the other one is the same: {}", kept.told);
    assert_eq!(fs::read(&archive).unwrap(), b"of somebody else");
    let failed = workplace.bench.run(&with(&["--fail-existing"]));
    assert_eq!(failed.code, 1, "{}", failed.told);
    assert!(failed.told.contains(&format!("published already: {BELOW}/1.3.24-linux-x64.tgz, ")), "{}", failed.told);
    workplace.bench.good(&with(&["--force"]));
    assert_ne!(fs::read(&archive).unwrap(), b"of somebody else");
}

#[test]
fn k3_a_descriptor_is_written_when_no_platform_of_its_roots_is_missing() {
    let workplace = Workplace::new();
    let linux = workplace.artifact(PlatformKey::LinuxX64).display().to_string();
    let windows = workplace.artifact(PlatformKey::WindowsX64).display().to_string();
    let failed = workplace.bench.run(&with(&[&linux]));
    assert_eq!(failed.code, 1, "{}", failed.told);
    assert!(failed.told.contains("3.12.10 has no artifact for windows-x64"), "{}", failed.told);
    assert!(!workplace.registry.exists() && !workplace.folder().join("dist").exists());

    let partial = workplace.bench.good(&with(&[&linux, "--partial"]));
    assert!(partial.told.contains("no descriptor yet: windows-x64 is missing"), "{}", partial.told);
    assert!(workplace.archive("linux-x64").is_file() && !workplace.descriptor().exists());
    // The other machine's run, with what the first one wrote.
    workplace.bench.good(&with(&[&windows]));
    assert!(workplace.descriptor().is_file());

    // What an earlier run wrote of an archive that is gone stands for nothing, nor does an empty file in its place.
    fs::write(workplace.archive("linux-x64"), "").unwrap();
    let partial = workplace.bench.good(&with(&[&windows, "--partial"]));
    assert!(partial.told.contains("no descriptor yet: linux-x64 is missing"), "{}", partial.told);
    assert!(!workplace.descriptor().exists());
    fs::remove_file(workplace.archive("linux-x64")).unwrap();
    let failed = workplace.bench.run(&with(&[&windows]));
    assert_eq!(failed.code, 1, "{}", failed.told);
    assert!(failed.told.contains("3.12.10 has no artifact for linux-x64"), "{}", failed.told);
}

/// What another machine wrote is often written anew on its way, by formatters and by git on Windows.
#[test]
fn what_an_earlier_run_left_is_compared_by_what_it_says() {
    let workplace = Workplace::new();
    let linux = workplace.artifact(PlatformKey::LinuxX64).display().to_string();
    let windows = workplace.artifact(PlatformKey::WindowsX64).display().to_string();
    workplace.bench.good(&with(&[&linux, "--partial"]));
    let info = workplace.folder().join("dist/artifacts/main/archive_linux-x64.json");
    let document: Value = serde_json::from_slice(&fs::read(&info).unwrap()).unwrap();
    fs::write(&info, format!("\u{feff}{document:#}").replace('\n', "\r\n")).unwrap();
    workplace.bench.good(&with(&[&windows]));
    assert!(workplace.descriptor().is_file());

    // That of another version of the package says so, and nothing is sent.
    let package = workplace.folder().join("package.json");
    let raised = fs::read_to_string(&package).unwrap().replace("1.3.24", "1.3.25");
    fs::write(&package, raised).unwrap();
    let failed = workplace.bench.run(&with(&[&windows]));
    let told = format!(
        "3.12.10 has no artifact for linux-x64, and `./python-3.12.10/dist/artifacts/main/archive_linux-x64.json` has \
         `{BELOW}/1.3.24-{{os}}-{{arch}}.tgz` as `remoteArtifactLocation`, this run `{BELOW}/1.3.25-{{os}}-{{arch}}.tgz`"
    );
    assert!(failed.code == 1 && failed.told.replace('\\', "/").contains(&told), "{}", failed.told);
    assert!(failed.told.contains("build and name the others"), "{}", failed.told);
    assert!(!workplace.registry.join(format!("{BELOW}/1.3.25-windows-x64.tgz")).exists());
    let partial = workplace.bench.good(&with(&[&windows, "--partial"]));
    assert!(
        partial.told.contains("as `remoteArtifactLocation`") && partial.told.contains("does not count"),
        "{}",
        partial.told
    );

    fs::write(&info, "{").unwrap();
    let failed = workplace.bench.run(&with(&[&windows]));
    assert!(
        failed.code == 1 && failed.told.contains("archive_linux-x64.json` is not a JSON object"),
        "{}",
        failed.told
    );
}

#[test]
fn the_destination_is_named_before_anything_is_sent() {
    let mut workplace = Workplace::new();
    let registry = format!("registry `platforma-open`: folder {}", workplace.registry.display());
    for arguments in [with(&["--dry-run"]), PUBLISH.to_vec()] {
        let run = workplace.bench.good(&arguments);
        assert!(run.told.contains(&registry), "{}", run.told);
    }
    let run = workplace.bench.good(&with(&["--dry-run", "--json"]));
    let row: Value = serde_json::from_str(run.out.lines().next().unwrap()).unwrap();
    assert_eq!(row["place"], json!(workplace.registry.display().to_string()), "{row}");
    workplace.bench.unsaid = false;
    let to = format!("destination: folder {}", workplace.bench.to);
    for arguments in [["publish", "--dry-run"], ["publish", "--allow-unchecked"]] {
        let run = workplace.bench.good(&arguments);
        assert!(run.told.contains(&to), "{}", run.told);
    }
}

#[test]
fn options_without_effect_in_a_layout_are_refused_before_anything_is_read() {
    let workplace = Workplace::new();
    let pydist = ["publish", "--to", "published"];
    for (layout, option) in [
        (&PUBLISH[..], &["--key", "absent"][..]),
        (&PUBLISH, &["--channel", "stable"]),
        (&PUBLISH, &["--builder-id", "https://ci.example"]),
        (&pydist, &["--partial"]),
        (&pydist, &["--from-roots"]),
    ] {
        let run = workplace.bench.run(&[layout, option, &["absent.tar.zst"]].concat());
        let told = format!("error[E_NOT_IN_LAYOUT]: {} has no effect in this layout", option[0]);
        assert!(run.code == 2 && run.told.contains(&told), "{}", run.told);
    }
    assert!(!workplace.registry.exists());
}

#[test]
fn what_a_killed_run_left_in_a_registry_is_swept_once_it_is_old_though_the_archives_are_kept() {
    let workplace = Workplace::new();
    workplace.bench.good(&PUBLISH);
    let left = |name: &str, hours: u64| {
        let path = workplace.registry.join(BELOW).join(name);
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        path
    };
    let (old, young, other) = (left(".put-0123456789abcdef", 30), left(".put-fedcba9876543210", 1), left("notes", 30));
    workplace.bench.good(&PUBLISH);
    assert_eq!([old, young, other].map(|path| path.exists()), [false, true, true]);
}

#[test]
fn what_is_wrong_is_one_error_before_anything_is_sent() {
    type Spoil<'a> = &'a dyn Fn(&mut Workplace);
    let upload = |url: &'static str| move |it: &mut Workplace| it.bench.variables.push((UPLOAD, url.to_owned()));
    let spoil = |from: &'static str, to: &'static str| {
        move |it: &mut Workplace| {
            let path = it.folder().join("package.json");
            fs::write(&path, fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();
        }
    };
    let catalogue = |text: &'static str| {
        move |it: &mut Workplace| {
            let folder = it.bench.folder.path().join("catalogue");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("package.json"), text).unwrap();
        }
    };
    let cases: [(&str, Spoil<'_>, &str, &str); 13] = [
        // (case, what is wrong, code, what is told)
        (
            "credentials",
            &upload("s3e://key:correct-horse@host/bucket"),
            "E_STORE_ADDRESS",
            "it contains a user name or password",
        ),
        (
            "scheme",
            &upload("http://host/x"),
            "E_STORE_ADDRESS",
            "PL_REGISTRY_PLATFORMA_OPEN_UPLOAD_URL: unsupported scheme",
        ),
        ("no variable", &upload(""), "E_PLATFORMA_REGISTRY", "PL_REGISTRY_PLATFORMA_OPEN_UPLOAD_URL is not set"),
        (
            "another version",
            &|it| it.package(|artifact| artifact["python-version"] = json!("3.10.11")),
            "E_DESCRIPTOR",
            "`python-version` is 3.10.11, the folder is `python-3.12.10`",
        ),
        (
            "not in roots",
            &|it| it.package(|artifact| artifact["roots"] = json!({ "linux-x64": "./pydist/linux-x64" })),
            "E_PLATFORMA_PACKAGE",
            "is for windows-x64, which is not among the `roots`",
        ),
        (
            "no package",
            &|it| fs::remove_file(it.folder().join("package.json")).unwrap(),
            "E_PLATFORMA_PACKAGE",
            "python-3.12.10/package.json",
        ),
        ("npm's version", &spoil("1.3.24", "../../x"), "E_DESCRIPTOR", "is not a version of an npm package"),
        (
            "no version",
            &spoil("\"version\":\"1.3.24\"", "\"type\":\"module\""),
            "E_DESCRIPTOR",
            "hint: write `\"version\": \"0.1.0\"`",
        ),
        (
            "no environment",
            &spoil("\"environment\"", "\"asset\""),
            "E_DESCRIPTOR",
            "hint: describe it in `block-software.entrypoints.main.environment.artifact`",
        ),
        (
            "an entry point without its dependency",
            &catalogue(
                r#"{ "block-software": { "entrypoints": { "3.12.10": { "reference":
                "@platforma-open/demo.runenv-python-3.12.10/dist/tengo/software/main.sw.json" } } } }"#,
            ),
            "E_CATALOGUE",
            "`dependencies` has no `@platforma-open/demo.runenv-python-3.12.10`, the package of 3.12.10",
        ),
        (
            "an entry point of another package",
            &catalogue(
                r#"{ "block-software": { "entrypoints": { "3.12.10": { "reference":
                "other/dist/tengo/software/main.sw.json" } } },
                "dependencies": { "other": "1.0.0", "@platforma-open/demo.runenv-python-3.12.10": "*" } }"#,
            ),
            "E_CATALOGUE",
            "refers to `other/dist/tengo/software/main.sw.json`",
        ),
        ("a catalogue that is cut off", &catalogue("{"), "E_DESCRIPTOR", "catalogue/package.json:1:"),
        (
            "artifact of another version",
            &|it| {
                let artifact = it.bench.dist().join("pydist-python-3.12.10-linux-x86_64.tar.zst.json");
                let text = fs::read_to_string(&artifact).unwrap();
                fs::write(&artifact, text.replace("\"requested\": \"3.12.10\"", "\"requested\": \"3.12.9\"")).unwrap();
            },
            "E_PLATFORMA_PACKAGE",
            "has Python 3.12.9, but `./python-3.12.10/package.json` says 3.12.10",
        ),
    ];
    for (name, spoil, code, told) in cases {
        let mut workplace = Workplace::new();
        spoil(&mut workplace);
        for arguments in [PUBLISH.to_vec(), with(&["--dry-run"])] {
            let run = workplace.bench.run(&arguments);
            assert_eq!(run.code, 2, "{name}: {}", run.told);
            assert!(run.told.contains(code) && run.told.contains(told), "{name}: {}", run.told);
            assert_eq!(run.told.matches("error[").count(), 1, "{name}: {}", run.told);
        }
        assert!(!workplace.registry.exists() && !workplace.folder().join("dist").exists(), "{name}");
    }
}

#[test]
fn a_damaged_artifact_is_not_made_into_an_archive() {
    let workplace = Workplace::new();
    let artifact = workplace.artifact(PlatformKey::LinuxX64);
    let mut bytes = fs::read(&artifact).unwrap();
    bytes[100] ^= 1;
    fs::write(&artifact, bytes).unwrap();
    let run = workplace.bench.run(&PUBLISH);
    assert_eq!(run.code, 4, "{}", run.told);
    assert!(!workplace.registry.exists());
}

#[test]
fn a_tree_that_was_signed_after_the_build_is_packed_from_roots() {
    let workplace = Workplace::new();
    let linux = workplace.artifact(PlatformKey::LinuxX64).display().to_string();
    let arguments = with(&["--partial", "--from-roots", &linux]);
    let run = workplace.bench.run(&arguments);
    assert!(run.code == 1 && run.told.contains("cannot read `"), "{}", run.told);

    let root = workplace.folder().join("pydist/linux-x64");
    fs::create_dir_all(root.parent().unwrap()).unwrap();
    archive::extract(Path::new(&linux), &root, &ExtractOptions::default()).unwrap();
    let files = files_below(&root);
    let signed = files.iter().find(|file| *file != "pydist.json").unwrap();
    fs::write(root.join(signed), "signed").unwrap();
    let mut manifest: Value = serde_json::from_slice(&fs::read(format!("{linux}.json")).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("artifact");
    let inner = root.join("pydist.json");
    fs::write(&inner, manifest.to_string().replace(manifest["build_key"].as_str().unwrap(), &"0".repeat(64))).unwrap();
    let run = workplace.bench.run(&arguments);
    assert!(run.code == 2 && run.told.contains("are from different builds"), "{}", run.told);
    assert!(!workplace.registry.exists());

    fs::write(&inner, manifest.to_string()).unwrap();
    fs::write(root.join("added"), "").unwrap();
    let run = workplace.bench.run(&arguments);
    assert!(run.code == 2 && run.told.contains("has `added`, which"), "{}", run.told);
    fs::remove_file(root.join("added")).unwrap();
    fs::rename(root.join(signed), workplace.bench.folder.path().join("away")).unwrap();
    let run = workplace.bench.run(&arguments);
    assert!(run.code == 2 && run.told.contains(&format!("lacks `{signed}`, which")), "{}", run.told);
    assert!(!workplace.registry.exists());
    fs::rename(workplace.bench.folder.path().join("away"), root.join(signed)).unwrap();
    workplace.bench.good(&arguments);
    let tree = workplace.bench.folder.path().join("unpacked");
    archive::extract(&workplace.archive("linux-x64"), &tree, &ExtractOptions::default()).unwrap();
    assert_eq!(fs::read(tree.join(signed)).unwrap(), b"signed");
    assert_eq!(files_below(&tree), files);
}

#[test]
fn two_versions_in_one_npm_package_are_refused_before_anything_is_sent() {
    let workplace = Workplace::new();
    let other = workplace.bench.folder.path().join("python-3.12.10-b");
    fs::create_dir_all(&other).unwrap();
    let package = fs::read_to_string(workplace.folder().join("package.json")).unwrap();
    fs::write(other.join("package.json"), package.replace("-- 3.12.10", "-- 3.12.10-b")).unwrap();
    for platform in [PlatformKey::LinuxX64, PlatformKey::WindowsX64] {
        Sketch { platform, ..Sketch::new("3.12.10-b") }.make(&workplace.bench.dist(), |_| ());
    }
    let run = workplace.bench.run(&PUBLISH);
    let told = "`@platforma-open/demo.runenv-python-3.12.10` is the name of `python-3.12.10/package.json` as well";
    assert!(run.code == 2 && run.told.contains(told), "{}", run.told);
    assert!(!workplace.registry.exists());
}

#[test]
fn a_folder_in_the_place_of_an_archive_is_an_error() {
    let workplace = Workplace::new();
    fs::create_dir_all(workplace.archive("linux-x64")).unwrap();
    let run = workplace.bench.run(&PUBLISH);
    assert!(run.code == 1 && run.told.contains("1.3.24-linux-x64.tgz"), "{}", run.told);
    assert!(!workplace.descriptor().exists());
}

#[test]
fn one_artifact_goes_to_both_layouts() {
    let mut workplace = Workplace::new();
    workplace.bench.good(&PUBLISH);
    let would = workplace.bench.good(&with(&["--dry-run"]));
    assert!(would.out.contains("kept as it is"), "{}", would.out);
    workplace.bench.unsaid = false;
    workplace.bench.good(&["publish"]);
    assert_eq!(workplace.bench.catalogue()["entries"].as_array().unwrap().len(), 2);
    workplace.bench.good(&["verify"]);
}

#[test]
fn archives_are_put_into_a_bucket_at_a_server_of_ones_own() {
    let server = S3Server::start();
    let mut workplace = Workplace::new();
    workplace.bench.good(&PUBLISH);
    let (host, endpoint) = (server.address(), format!("http://{}", server.address()));
    workplace.bench.variables.extend(S3Server::variables_for(&endpoint, S3Server::SECRET));
    workplace.bench.variables.push((UPLOAD, format!("s3e://{host}/{}/pub?region=eu-north-1", S3Server::BUCKET)));
    let run = workplace.bench.good(&PUBLISH);
    assert!(!run.told.contains("W_PUBLISHED_BEFORE"), "{}", run.told);
    let bucket = bucket(&endpoint, "pub", settings(S3Server::SECRET));
    for platform in ["linux-x64", "windows-x64"] {
        let mut read = Vec::new();
        bucket
            .read(&format!("{BELOW}/1.3.24-{platform}.tgz").parse().unwrap(), None, &mut read, UNWATCHED)
            .unwrap()
            .unwrap();
        assert!(read == fs::read(workplace.archive(platform)).unwrap(), "{platform}");
    }
    let again = workplace.bench.good(&PUBLISH);
    assert_eq!(again.told.matches("W_PUBLISHED_BEFORE").count(), 2, "{}", again.told);
}

#[test]
fn ais_a_registry_may_be_in_a_cluster() {
    let mut workplace = Workplace::new();
    workplace.bench.good(&PUBLISH);
    let memory = AIStoreMemory::default();
    let (proxy, _target) = memory.serve_by_target();
    workplace.bench.variables.push((UPLOAD, format!("ais://b/pub?endpoint={}", proxy.url(""))));
    workplace.bench.good(&PUBLISH);
    let there = memory.objects();
    for platform in ["linux-x64", "windows-x64"] {
        let name = format!("pub/{BELOW}/1.3.24-{platform}.tgz");
        assert!(there[&name] == fs::read(workplace.archive(platform)).unwrap(), "{platform}");
    }
    let again = workplace.bench.good(&PUBLISH);
    assert_eq!(again.told.matches("W_PUBLISHED_BEFORE").count(), 2, "{}", again.told);
}

#[test]
fn the_catalogue_carries_the_descriptors_that_its_entry_points_name() {
    let workplace = Workplace::new();
    let catalogue = workplace.bench.folder.path().join("catalogue");
    let reference =
        |name: &str| json!({ "reference": format!("@platforma-open/{name}/dist/tengo/software/main.sw.json") });
    let package = json!({
        "name": "@platforma-open/demo.runenv-python-3", "version": "1.7.4",
        "block-software": { "entrypoints": {
            "3.12.10": reference("demo.runenv-python-3.12.10"), "3.12.10-atls": reference("demo.runenv-python-3.12.10-atls"),
        } },
        "dependencies": { "@platforma-open/demo.runenv-python-3.12.10": "workspace:*" },
    });
    fs::create_dir_all(&catalogue).unwrap();
    fs::write(catalogue.join("package.json"), package.to_string()).unwrap();
    let run = workplace.bench.good(&PUBLISH);
    let copy = fs::read(catalogue.join("dist/tengo/software/3.12.10.sw.json")).unwrap();
    assert_eq!(copy, fs::read(workplace.descriptor()).unwrap());
    assert!(run.told.contains("no descriptor is here for what the catalogue calls 3.12.10-atls"), "{}", run.told);
    assert_eq!(files_below(&catalogue.join("dist")).len(), 1);
}

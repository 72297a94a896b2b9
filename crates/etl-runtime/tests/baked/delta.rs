//! Deltas that lie in a place already: found, judged, fetched, installed. No program is started: none is on PATH.

use std::fs;

use archive::{NoCache, PackOptions, PartSource};
use etl_runtime::delta::{self, ByteCodeFile, DELTA_FORMAT, DeltaPlace, DeltaRecord};
use store::Store;
use testkit::trees::noise_of;
use testkit::{FixtureFile, HttpServer, WheelBuilder, told};
use vocab::{Digest, Exit, Fault, PlatformKey};

use crate::support::{Bench, blob_of, lay_out, record, requirements};

fn wheel(name: &str, version: &str, bytes: usize) -> FixtureFile {
    let seed = Digest::of(format!("{name} {version}")).as_bytes()[..8].try_into().map(u64::from_le_bytes).unwrap();
    WheelBuilder::new(name, version)
        .file(&format!("{name}.py"), format!("VERSION = '{version}'\n"))
        .file(&format!("{name}_data/noise.bin"), noise_of(seed, bytes))
        .build()
}

/// Finds and installs, as a pod does.
fn install(bench: &Bench, address: &str, sha256: Option<Digest>, packages: &str) -> Result<(), Box<dyn Fault>> {
    install_beside(bench, address, sha256, packages, None)
}

/// Where a store can only be read.
fn install_beside(
    bench: &Bench,
    address: &str,
    sha256: Option<Digest>,
    packages: &str,
    warm: Option<&Store>,
) -> Result<(), Box<dyn Fault>> {
    let place = DeltaPlace::open(address, "ETL_DELTA", &bench.context)?;
    let found = delta::find(&place, sha256, &requirements(packages), &bench.runtime, &bench.context)?;
    let found = found.expect("one was baked");
    delta::install(&place, &found.record.files, &bench.overlay(), &bench.runtime, &bench.context, warm)
}

// attack E8: no index, no pip, no uv
#[test]
fn attack_e8_a_delta_is_installed_from_a_folder_and_from_a_server_without_any_program() {
    let wheels = [wheel("alpha", "1.0", 1000), wheel("beta", "2.0", 1000)];
    let server = HttpServer::start();
    for from_server in [false, true] {
        let bench = Bench::new(&[]);
        let sha256 = lay_out(&bench.place(), "beta,alpha>=1", &record("beta,alpha>=1", &wheels), &wheels);
        server.mount("/etl/", &bench.place());
        let address = if from_server { server.url("/etl/") } else { bench.place().display().to_string() };
        for sha256 in [None, Some(sha256)] {
            install(&bench, &address, sha256, "alpha>=1, beta").unwrap();
            assert_eq!(fs::read_to_string(bench.overlay().join("alpha.py")).unwrap(), "VERSION = '1.0'\n");
            assert!(bench.overlay().join("beta-2.0.dist-info/RECORD").is_file());
            fs::remove_dir_all(bench.overlay()).unwrap();
        }
    }
}

#[test]
fn a_changed_package_is_all_that_is_fetched_and_a_warm_store_fetches_nothing() {
    let names: Vec<String> = (0..40).map(|index| format!("demo{index}")).collect();
    let mut wheels: Vec<FixtureFile> = names.iter().map(|name| wheel(name, "1.0", 20_000)).collect();
    let packages = names.join(",");
    let (bench, server) = (Bench::new(&[]), HttpServer::start());
    server.mount("/", &bench.place());
    let sent = |wheels: &[FixtureFile]| -> u64 {
        wheels.iter().map(|wheel| server.bytes_sent(&format!("/{}", blob_of(&wheel.sha256())))).sum()
    };
    lay_out(&bench.place(), &packages, &record(&packages, &wheels), &wheels);
    install(&bench, &server.url("/"), None, &packages).unwrap();
    let whole: u64 = wheels.iter().map(FixtureFile::size).sum();
    assert_eq!(sent(&wheels), whole);

    wheels[7] = wheel("demo7", "1.1", 20_000);
    lay_out(&bench.place(), &packages, &record(&packages, &wheels), &wheels);
    fs::remove_dir_all(bench.overlay()).unwrap();
    let before = server.requests().len();
    install(&bench, &server.url("/"), None, &packages).unwrap();
    assert_eq!(server.requests().len() - before, 2, "the record and one wheel");
    let changed = server.bytes_sent(&format!("/{}", blob_of(&wheels[7].sha256())));
    assert!(changed == wheels[7].size() && changed * 20 <= whole, "{changed} of {whole}");
    assert_eq!(fs::read_to_string(bench.overlay().join("demo7.py")).unwrap(), "VERSION = '1.1'\n");

    fs::remove_dir_all(bench.overlay()).unwrap();
    let before = server.requests().len();
    install(&bench, &server.url("/"), None, &packages).unwrap();
    assert_eq!(server.requests().len() - before, 1, "the record");
}

#[test]
fn a_store_that_can_only_be_read_serves_what_it_has_and_what_is_damaged_there_is_fetched() {
    let wheels = [wheel("alpha", "1.0", 1000), wheel("beta", "2.0", 1000)];
    let cases =
        ["unpacked wheels", "unpacked wheels without a file", "changed unpacked wheels", "wheels", "a damaged wheel"];
    for has in cases {
        let (warm, bench) = (Bench::new(&[]), Bench::new(&[]));
        lay_out(&warm.place(), "alpha,beta", &record("alpha,beta", &wheels), &wheels);
        install(&warm, &warm.place().display().to_string(), None, "alpha,beta").unwrap();
        let root = warm.context.store.root();
        let alpha = root.join("wheels").join(wheels[0].sha256().to_string()).join("tree/alpha.py");
        match has {
            "unpacked wheels" => {}
            "unpacked wheels without a file" => fs::remove_file(alpha).unwrap(),
            "changed unpacked wheels" => {
                // With the size and the time stamp that it had.
                fs::remove_file(&alpha).unwrap();
                fs::write(&alpha, "VERSION = '6.6'\n").unwrap();
                fs::File::options().write(true).open(&alpha).unwrap().set_modified(wheel::stamp()).unwrap();
            }
            _ => disk::remove_tree(&root.join("wheels")).unwrap(),
        }
        if has == "a damaged wheel" {
            let blob = warm.context.store.blob(&wheels[0].sha256());
            fs::remove_file(&blob).unwrap();
            fs::write(blob, "another").unwrap();
        }
        let before = testkit::files_below(root);
        let reading = Store::open_to_read(root.to_owned(), bench.folder.path().to_owned());
        // The place has the record alone, unless something has to come from there.
        let lies_there = if has == "a damaged wheel" { &wheels[..1] } else { &[] };
        lay_out(&bench.place(), "alpha,beta", &record("alpha,beta", &wheels), lies_there);
        let address = bench.place().display().to_string();
        install_beside(&bench, &address, None, "alpha,beta", Some(&reading)).unwrap_or_else(|error| {
            panic!("{has}: {}", told(error.as_ref()));
        });
        assert_eq!(fs::read_to_string(bench.overlay().join("alpha.py")).unwrap(), "VERSION = '1.0'\n", "{has}");
        let taken = bench.context.store.blob(&wheels[1].sha256()).is_file();
        assert_eq!(taken, has != "unpacked wheels", "{has}");
        assert_eq!(testkit::files_below(root), before, "{has}");
    }
}

// attack E7
#[test]
fn attack_e7_a_flipped_byte_a_cut_wheel_and_a_missing_one_are_refused_and_named() {
    let wheels = [wheel("alpha", "1.0", 1000), wheel("beta", "2.0", 1000)];
    let server = HttpServer::start();
    for damage in ["flipped", "cut", "longer", "missing"] {
        for from_server in [false, true] {
            let bench = Bench::new(&[]);
            lay_out(&bench.place(), "alpha,beta", &record("alpha,beta", &wheels), &wheels);
            server.mount("/etl/", &bench.place());
            let blob = bench.place().join(blob_of(&wheels[1].sha256()));
            let mut bytes = wheels[1].bytes.clone();
            match damage {
                "flipped" => bytes[99] ^= 1,
                "cut" => bytes.truncate(500),
                _ => bytes.push(0),
            }
            if damage == "missing" {
                fs::remove_file(&blob).unwrap();
            } else {
                fs::write(&blob, bytes).unwrap();
            }
            let address = if from_server { server.url("/etl") } else { bench.place().display().to_string() };
            let error = install(&bench, &address, None, "alpha,beta").unwrap_err();
            let text = told(error.as_ref());
            assert!(text.contains("beta-2.0-py3-none-any.whl"), "{damage}: {text}");
            if !from_server {
                assert_eq!((error.code(), error.exit()), ("E_ETL_DELTA_DAMAGED", Exit::Trust), "{damage}: {text}");
            }
            bench.assert_nothing_is_installed();
        }
    }
}

// attack E7
#[test]
fn attack_e7_a_delta_of_another_python_platform_or_runtime_is_refused_and_named() {
    let wheels = [wheel("alpha", "1.0", 1000)];
    let other = if PlatformKey::host() == Some(PlatformKey::LinuxX64) {
        PlatformKey::LinuxAarch64
    } else {
        PlatformKey::LinuxX64
    };
    let relies = |version: &str| [("six".parse().unwrap(), version.to_owned())].into();
    let sound = || record("alpha", &wheels);
    let cases: [(&str, DeltaRecord, &str); 5] = [
        ("E_ETL_DELTA_OTHER", DeltaRecord { python: "3.11".to_owned(), ..sound() }, "baked for Python 3.11"),
        ("E_ETL_DELTA_OTHER", DeltaRecord { platform: other, ..sound() }, other.as_str()),
        ("E_ETL_DELTA_OTHER", DeltaRecord { relies_on: relies("1.17.0"), ..sound() }, "this runtime has six 1.16.0"),
        ("E_ETL_DELTA_OTHER", DeltaRecord { requirements: vec!["beta".to_owned()], ..sound() }, "lacks alpha"),
        ("E_ETL_DELTA_DAMAGED", DeltaRecord { format: 3, ..sound() }, "it has format 3"),
    ];
    for (code, record, text) in cases {
        let bench = Bench::new(&[("six", "1.16.0")]);
        let sha256 = lay_out(&bench.place(), "alpha", &record, &wheels);
        for sha256 in [None, Some(sha256)] {
            let error = install(&bench, &bench.place().display().to_string(), sha256, "alpha").unwrap_err();
            assert_eq!(error.code(), code);
            assert!(told(error.as_ref()).contains(text), "{}", told(error.as_ref()));
            bench.assert_nothing_is_installed();
        }
    }
    let bench = Bench::new(&[("six", "1.16.0")]);
    lay_out(&bench.place(), "alpha", &DeltaRecord { relies_on: relies("1.16.0"), ..sound() }, &wheels);
    install(&bench, &bench.place().display().to_string(), None, "alpha").unwrap();
}

// attack E7
#[test]
fn attack_e7_a_record_is_held_to_its_digest() {
    let wheels = [wheel("alpha", "1.0", 1000)];
    let bench = Bench::new(&[]);
    let address = bench.place().display().to_string();
    let sha256 = lay_out(&bench.place(), "alpha", &record("alpha", &wheels), &wheels);
    let path = bench.place().join(format!("deltas/{sha256}.json"));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("alpha-1.0", "alpha-1.1")).unwrap();
    let error = install(&bench, &address, Some(sha256), "alpha").unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_ETL_DELTA_DAMAGED", Exit::Trust));
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert_eq!(install(&bench, &address, Some(sha256), "alpha").unwrap_err().code(), "E_ETL_DELTA_DAMAGED");
    fs::remove_file(&path).unwrap();
    let error = install(&bench, &address, Some(sha256), "alpha").unwrap_err();
    assert!(error.code() == "E_ETL_DELTA" && told(error.as_ref()).contains(&sha256.to_string()));
    bench.assert_nothing_is_installed();
    // Nothing was baked for other packages, and nobody insists on it.
    let place = DeltaPlace::open(&address, "ETL_DELTA", &bench.context).unwrap();
    assert!(delta::find(&place, None, &requirements("gamma"), &bench.runtime, &bench.context).unwrap().is_none());
}

/// A wheel with an archive of byte code that holds these files.
fn with_byte_code(bench: &Bench, wheel: &FixtureFile, files: &[(&str, &str)]) -> (DeltaRecord, Vec<u8>) {
    let folder = tempfile::tempdir_in(bench.folder.path()).unwrap();
    for (path, text) in files {
        testkit::write(&folder.path().join("tree"), path, text);
    }
    let archive = folder.path().join("byte-code");
    let part = PartSource::new("byte code", archive::scan(&folder.path().join("tree")).unwrap());
    archive::pack(&archive, &[part], &PackOptions::default(), &NoCache).unwrap();
    let bytes = fs::read(archive).unwrap();
    let mut made = record("alpha", std::slice::from_ref(wheel));
    made.files[0].byte_code = Some(ByteCodeFile { size: bytes.len() as u64, sha256: Digest::of(&bytes) });
    (made, bytes)
}

#[test]
fn byte_code_lies_beside_its_modules() {
    let wheel = wheel("alpha", "1.0", 10);
    let bench = Bench::new(&[]);
    let (made, bytes) = with_byte_code(&bench, &wheel, &[("__pycache__/alpha.cpython-312.pyc", "compiled")]);
    lay_out(&bench.place(), "alpha", &made, std::slice::from_ref(&wheel));
    testkit::write(&bench.place(), &blob_of(&Digest::of(&bytes)), &bytes);
    install(&bench, &bench.place().display().to_string(), None, "alpha").unwrap();
    let compiled = bench.overlay().join("__pycache__/alpha.cpython-312.pyc");
    assert_eq!(fs::read_to_string(compiled).unwrap(), "compiled");
}

#[test]
fn byte_code_that_is_damaged_in_a_store_that_can_only_be_read_is_fetched() {
    let wheel = wheel("alpha", "1.0", 10);
    for damaged in [false, true] {
        let (warm, bench) = (Bench::new(&[]), Bench::new(&[]));
        let (made, bytes) = with_byte_code(&bench, &wheel, &[("__pycache__/alpha.cpython-312.pyc", "compiled")]);
        let sha256 = Digest::of(&bytes);
        for place in [warm.place(), bench.place()] {
            lay_out(&place, "alpha", &made, std::slice::from_ref(&wheel));
            testkit::write(&place, &blob_of(&sha256), &bytes);
        }
        install(&warm, &warm.place().display().to_string(), None, "alpha").unwrap();
        let blob = warm.context.store.blob(&sha256);
        if damaged {
            fs::remove_file(&blob).unwrap();
            fs::write(&blob, "another").unwrap();
        }
        let before = testkit::files_below(warm.context.store.root());
        let reading = Store::open_to_read(warm.context.store.root().to_owned(), bench.folder.path().to_owned());
        install_beside(&bench, &bench.place().display().to_string(), None, "alpha", Some(&reading)).unwrap();
        let compiled = bench.overlay().join("__pycache__/alpha.cpython-312.pyc");
        assert_eq!(fs::read_to_string(compiled).unwrap(), "compiled");
        assert_eq!(bench.context.store.blob(&sha256).is_file(), damaged);
        assert_eq!(testkit::files_below(warm.context.store.root()), before);
    }
}

// attack E7
#[test]
fn attack_e7_byte_code_is_held_to_its_digest_and_brings_no_modules() {
    let wheel = wheel("alpha", "1.0", 10);
    for (path, damage, text) in [
        ("__pycache__/other.cpython-312.pyc", None, "belongs to no module"),
        ("alpha_data/__pycache__/alpha.cpython-312.pyc", None, "belongs to no module"),
        ("alpha.pyc", None, "is no byte code"),
        ("alpha.py", None, "is no byte code"),
        ("sitecustomize.py", None, "is no byte code"),
        ("__pycache__/alpha.cpython-312.pyc", Some("flipped"), "SHA-256"),
        ("__pycache__/alpha.cpython-312.pyc", Some("missing"), "it is missing"),
        ("__pycache__/alpha.cpython-312.pyc", Some("no archive"), "byte code of `alpha-1.0"),
    ] {
        let bench = Bench::new(&[]);
        let (mut made, mut bytes) = with_byte_code(&bench, &wheel, &[(path, "compiled")]);
        if damage == Some("no archive") {
            bytes = b"no archive".to_vec();
            made.files[0].byte_code = Some(ByteCodeFile { size: 10, sha256: Digest::of(&bytes) });
        }
        let key = blob_of(&Digest::of(&bytes));
        if damage == Some("flipped") {
            bytes[20] ^= 1;
        }
        lay_out(&bench.place(), "alpha", &made, std::slice::from_ref(&wheel));
        if damage != Some("missing") {
            testkit::write(&bench.place(), &key, &bytes);
        }
        let error = install(&bench, &bench.place().display().to_string(), None, "alpha").unwrap_err();
        let said = told(error.as_ref());
        assert_eq!((error.code(), error.exit()), ("E_ETL_DELTA_DAMAGED", Exit::Trust), "{path} {damage:?}: {said}");
        assert!(said.contains(text) && said.contains("alpha-1.0"), "{path} {damage:?}: {said}");
        bench.assert_nothing_is_installed();
    }
}

#[test]
fn the_record_is_what_its_page_shows() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = fs::read_to_string(repository.join("schemas/delta.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for format in 1..=DELTA_FORMAT {
        let text = fs::read_to_string(repository.join(format!("fixtures/delta/format-{format}.json"))).unwrap();
        let record = DeltaRecord::read(text.as_bytes()).unwrap();
        assert_eq!(record.text(), text, "reading and writing changes no byte");
        assert_eq!(record.files.iter().any(|file| file.byte_code.is_some()), format > 1);
        assert!(validator.is_valid(&serde_json::from_str(&text).unwrap()));
        assert!(!validator.is_valid(&serde_json::from_str(&text.replace("linux-x64", "linux")).unwrap()));
    }
}

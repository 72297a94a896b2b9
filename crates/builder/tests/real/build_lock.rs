//! The lock in whole builds: what it holds, when it counts, what `--locked` and `--offline` do with it.

use std::fs;
use std::path::Path;

use serde_json::json;
use store::Store;
use testkit::{FixtureFile, FixtureIndex, WheelBuilder};
use vocab::PlatformKey;

use crate::support::{self, Bench, PYTHON, QUICKEST, assert_says, builder_requests, host, rich_bench, rich_packages};

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

#[test]
fn a_locked_build_wants_a_lock_of_this_very_configuration() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel("demo", "1.0"), wheel("other", "1.0")]);
    let run = bench.fail(&["--locked"], 2);
    assert_eq!(run.error()["code"], "E_LOCK_STALE");
    assert_says(&run.told(), &["it has no rows for", "builder lock"]);

    bench.build();
    bench.packages(json!({ "dependencies": ["demo", "other"] }));
    let asked = bench.requests().len();
    let run = bench.fail(&["--locked"], 2);
    assert_eq!(run.error()["code"], "E_LOCK_STALE");
    assert_says(&run.told(), &["the configuration has changed", "builder lock"]);
    assert_eq!(bench.requests().len(), asked);

    assert_eq!(bench.run(&["lock", PYTHON]).code, 0);
    assert_eq!(bench.build_with(&["--locked"]).installed(), ["demo 1.0", "other 1.0"]);
}

#[test]
fn a_locked_build_needs_no_network_when_the_store_has_everything() {
    let mut bench = rich_bench();
    bench.packages(rich_packages("3.0"));
    let first = bench.build();
    assert_eq!(bench.run(&["clean", PYTHON]).code, 0);
    assert!(!bench.prefix().exists() && !first.artifact().exists());
    bench.index = None;
    let again = bench.build_with(&["--locked", "--offline"]);
    assert!(again.built());
    assert_eq!(again.manifest(), first.manifest());

    // What the store lacks is an error that says so.
    let demo = &first.manifest().distributions[1];
    fs::remove_file(store::Store::at(bench.path("store")).blob(&demo.sha256)).unwrap();
    bench.run(&["clean", PYTHON]);
    let run = bench.fail(&["--locked", "--offline"], 1);
    assert_says(&run.told(), &["tool", "offline"]);
}

#[test]
fn the_lock_holds_names_and_digests_and_no_url() {
    let demo = wheel("demo", "1.0");
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [demo.clone()]);
    bench.build();
    let text = fs::read_to_string(bench.repository.at(&format!("python-{PYTHON}/lock.json"))).unwrap();
    assert!(!text.contains("://") && !text.contains("127.0.0.1"), "{text}");
    let row = &bench.lock()["platforms"][host().as_str()]["distributions"][0];
    assert_eq!((&row["name"], &row["source"]["sha256"]), (&json!("demo"), &json!(demo.sha256().to_string())));

    // With another index that has the same files the lock still holds, from an empty store.
    let mut index = FixtureIndex::new();
    let second = index.add(demo.clone()).serve();
    let store = bench.make_store("second-store");
    let mut command = bench.command(&[PYTHON, "--locked"]);
    command.env("UV_DEFAULT_INDEX", second.simple_url()).env("PYDIST_STORE", store);
    bench.run(&["clean", PYTHON]);
    let run = support::run(command.env("UV_CACHE_DIR", bench.path("second-cache")));
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(builder_requests(&second, &demo.file_name), 1);
}

#[test]
fn a_new_release_comes_with_a_new_lock_and_not_before() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel("demo", "1.0")]);
    bench.build();
    let mut grown = FixtureIndex::new();
    grown.add(wheel("demo", "1.0")).add(wheel("demo", "2.0"));
    let folder = bench.path("grown");
    grown.write_to(&folder);
    let server = &bench.index().server;
    server.put("/simple/demo/", fs::read(folder.join("simple/demo/index.html")).unwrap());
    server.put("/files/demo-2.0-py3-none-any.whl", wheel("demo", "2.0").bytes);

    assert!(!bench.build().built());
    assert_eq!(bench.build().installed(), ["demo 1.0"]);
    assert_eq!(bench.run(&["lock", PYTHON]).code, 0);
    assert_eq!(bench.build_with(&["--locked"]).installed(), ["demo 2.0"]);
}

#[test]
fn the_rows_of_other_platforms_stay_in_the_lock() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel("demo", "1.0"), wheel("other", "1.0")]);
    bench.build();
    let elsewhere = PlatformKey::ALL.into_iter().find(|platform| *platform != host()).unwrap();
    let mut lock = bench.lock();
    let rows = lock["platforms"][host().as_str()].clone();
    lock["platforms"][elsewhere.as_str()] = rows.clone();
    bench.repository.file(&format!("python-{PYTHON}/lock.json"), format!("{lock:#}\n"));
    bench.packages(json!({ "dependencies": ["demo", "other"] }));
    bench.build();
    let lock = bench.lock();
    assert_eq!(lock["platforms"][elsewhere.as_str()], rows);
    assert_eq!(lock["platforms"][host().as_str()]["distributions"].as_array().unwrap().len(), 2);
}

/// Another content in its place, of the same size and with the same time stamp: what a glance does not see.
fn exchange(path: &Path, content: &[u8]) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn attack_5_a_locked_build_has_the_bytes_that_the_lock_names_whatever_the_store_holds() {
    let demo = |answer: &str| WheelBuilder::new("demo", "1.0").file("demo/__init__.py", format!("answer = {answer}\n"));
    let (genuine, evil) = (demo("42").build(), demo("13").build());
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [genuine.clone()]);
    let digest = bench.build().manifest().artifact.unwrap().sha256;
    let store = Store::at(bench.path("store"));
    let unpacked = store.wheel(&genuine.sha256()).join("tree/demo/__init__.py");
    let again = |run: support::Run| {
        assert!(run.code == 0 && run.built(), "{}", run.told());
        assert_eq!(run.manifest().artifact.unwrap().sha256, digest);
        assert_eq!(bench.python("import demo; print(demo.answer)"), "42");
    };
    let forget = || {
        support::remove(&bench.prefix());
        support::remove(&bench.repository.at("dist"));
    };

    exchange(&unpacked, b"answer = 13\n");
    forget();
    again(bench.run(&[PYTHON, "--locked"]));

    exchange(&unpacked, b"answer = 13\n");
    forget();
    again(support::run(bench.command(&[PYTHON]).env("CI", "true")));

    // The wheel file, with its unpacked copy and without.
    for keep_copy in [true, false] {
        fs::write(store.blob(&genuine.sha256()), &evil.bytes).unwrap();
        if !keep_copy {
            support::remove(&store.wheel(&genuine.sha256()));
        }
        forget();
        again(bench.run(&[PYTHON, "--locked"]));
        assert_eq!(fs::read(store.blob(&genuine.sha256())).unwrap(), genuine.bytes);
    }
}

#[test]
fn attack_5_what_an_ordinary_build_packed_does_not_poison_a_locked_one() {
    let genuine = WheelBuilder::new("demo", "1.0").file("demo/__init__.py", "answer = 42\n").build();
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [genuine.clone()]);
    let store = Store::at(bench.path("store"));
    let unpacked = store.wheel(&genuine.sha256()).join("tree/demo/__init__.py");
    for format in ["tar.zst", "zip"] {
        let forget = || {
            support::remove(&bench.prefix());
            support::remove(&bench.repository.at("dist"));
            support::remove(&bench.path("store/parts"));
        };
        let options = [&["--format", format], &QUICKEST[..]].concat();
        let locked = || {
            let run = bench.build_with(&[&["--locked"], &options[..]].concat());
            run.manifest().artifact.unwrap().sha256
        };
        bench.build();
        forget();
        let digest = locked();
        forget();
        exchange(&unpacked, b"answer = 13\n");
        let run = bench.run(&[&[PYTHON], &options[..]].concat());
        // A zip is copied from the wheel, which is genuine.
        if format != "zip" {
            assert_eq!((run.code, &run.error()["code"]), (4, &json!("E_ARCHIVE_EXCHANGED")), "{}", run.told());
            assert_says(&run.told(), &["demo/__init__.py", &genuine.file_name, "builder store verify"]);
            assert!(!bench.prefix().exists());
        }
        support::remove(&bench.prefix());
        support::remove(&bench.repository.at("dist"));
        assert_eq!(locked(), digest, "{format}");
    }
}

#[test]
fn case_field_resolver_settings_leak_a_lock_does_not_depend_on_whose_machine_it_is() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel("demo", "1.0"), wheel("demo", "2.0")]);
    let file = |name: &str, text: &str| {
        fs::create_dir_all(bench.path("config/uv")).unwrap();
        fs::write(bench.path(name), text).unwrap();
        bench.path(name).into_os_string()
    };
    let lowest = "resolution = 'lowest'\n[pip]\nresolution = 'lowest'\n";
    let settings = file("settings.toml", lowest);
    let constraint = file("constraint.txt", "demo<2\n");
    file("config/uv/uv.toml", lowest);
    let mut foreign = FixtureIndex::new();
    let foreign = foreign.add(wheel("demo", "3.0")).serve();

    let variables: [(&str, std::ffi::OsString); 6] = [
        ("UV_RESOLUTION", "lowest".into()),
        ("UV_CONSTRAINT", constraint),
        ("UV_EXCLUDE_NEWER", "2001-01-01".into()),
        ("UV_CONFIG_FILE", settings),
        ("UV_EXTRA_INDEX_URL", foreign.simple_url().into()),
        // Alone: only the user's own file.
        ("UV_OFFLINE", "1".into()),
    ];
    for (name, value) in variables {
        let run = support::run(bench.command(&["lock", PYTHON]).env(name, value));
        assert_eq!(run.code, 0, "with {name}: {}", run.told());
        let row = &bench.lock()["platforms"][host().as_str()]["distributions"][0];
        assert_eq!(row["version"], "2.0", "with {name}");
        let warned = run.warnings().iter().any(|text| text.contains("W_FOREIGN_INDEX"));
        assert_eq!(warned, name == "UV_EXTRA_INDEX_URL", "with {name}: {:?}", run.warnings());
    }
    assert!(foreign.server.requests().is_empty());
}

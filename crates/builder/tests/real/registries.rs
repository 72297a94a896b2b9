//! Which registry is believed, and what becomes of what none of them has: the real builder, the real uv, a default
//! index and additional ones on loopback.
#![allow(clippy::needless_pass_by_value, reason = "a reference would stand before nearly every `json!`")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use testkit::{FixtureFile, FixtureIndex, HttpMishap, SdistBuilder, ServedIndex, WheelBuilder};

use crate::support::{self, Bench, PYTHON, assert_says, host};

const DEAD: &str = "http://127.0.0.1:1/simple/";

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

/// It tells where it comes from.
fn marked(name: &str, version: &str, origin: &str) -> FixtureFile {
    WheelBuilder::new(name, version).file(&format!("{name}/__init__.py"), format!("origin = '{origin}'\n")).build()
}

fn sdist(name: &str, version: &str) -> FixtureFile {
    SdistBuilder::new(name, version).build()
}

fn serve(files: impl IntoIterator<Item = FixtureFile>) -> ServedIndex {
    let mut index = FixtureIndex::new();
    for file in files {
        index.add(file);
    }
    index.serve()
}

fn with_registries(bench: &Bench, additional: &[String], packages: Value) {
    bench.config(json!({ "registries": { "additional": additional }, "packages": packages }));
}

fn locked(bench: &Bench, name: &str) -> Value {
    let rows = bench.lock()["platforms"][host().as_str()]["distributions"].clone();
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap_or_default()
}

fn planned_reason(run: &support::Run, name: &str) -> String {
    let rows = run.lines.iter().find_map(|line| line["rows"].as_array()).expect("a plan");
    rows.iter().find(|row| row["name"] == name).unwrap()["reason"].as_str().unwrap().to_owned()
}

#[test]
fn case_seed_missing_is_success_what_no_registry_has_ends_the_build() {
    let bench = Bench::new([wheel("six", "1.17.0")]);
    let packages = json!({ "dependencies": ["six==1.17.0", "nmupyy-typo-x==1.0"] });
    let asked = bench.index().simple_url();
    for (additional, code) in [(vec![DEAD.to_owned()], "E_REGISTRY_UNREACHABLE"), (vec![], "E_RESOLVE")] {
        with_registries(&bench, &additional, packages.clone());
        for ci in ["false", "true"] {
            let run = support::run(bench.command(&[PYTHON, "--allow-stand-in"]).env("CI", ci));
            assert_eq!((run.code, &run.error()["code"]), (1, &json!(code)), "{}", run.told());
            assert_says(&run.told(), &["`nmupyy-typo-x` is not available", &asked, "answered 404", "--allow-missing"]);
            if !additional.is_empty() {
                assert_says(&run.told(), &[DEAD, "cannot be reached"]);
            }
        }
        assert!(!bench.prefix().exists() && !bench.repository.at(&format!("python-{PYTHON}/lock.json")).exists());
    }

    // Whoever asks for it gets the rest.
    with_registries(&bench, &[DEAD.to_owned()], packages);
    let run = bench.build_with(&["--allow-missing"]);
    assert_eq!(run.installed(), ["six 1.17.0"]);
    assert_says(&run.rules().join("\n"), &["missing nmupyy-typo-x: no other index has it, and", DEAD]);
    assert_eq!(bench.run(&[PYTHON, "--allow-missing", "--fail-on-missing"]).code, 2);
}

#[test]
fn without_a_word_on_it_a_policy_lets_nothing_be_missing() {
    // The index has a version that is not asked for: what does not fit is told in the resolver's words.
    let files = [wheel("demo", "1.0"), wheel("other", "1.0")];
    let bench = Bench::of(json!({ "dependencies": ["demo==2.0"], "resolution": {} }), files);
    let run = bench.fail(&[], 1);
    assert_eq!(run.error()["code"], "E_RESOLVE");
    assert_says(&run.told(), &["demo==2.0"]);
    let resolution = json!({ "strictMissing": false });
    bench.packages(json!({ "dependencies": ["demo==2.0", "typo", "other"], "resolution": resolution }));
    let run = bench.build();
    assert_says(
        &run.rules().join("\n"),
        &["left-out demo: no wheel and no source: ", "up to version 1.0", "left-out typo: ", "answered 404"],
    );
}

#[test]
fn case_seed_lock_keeps_missing_a_lock_that_lacks_something_is_refused_and_healed_at_once() {
    let bench = Bench::new([wheel("other", "1.0")]);
    let second = serve([wheel("demo", "1.0")]);
    second.server.every_time("/simple/", HttpMishap::Status(503));
    let packages = json!({ "dependencies": ["demo", "other"] });
    with_registries(&bench, &[second.simple_url()], packages);
    assert_eq!(bench.build_with(&["--allow-missing"]).installed(), ["other 1.0"]);
    assert_eq!(bench.lock()["platforms"][host().as_str()]["left_out"][0]["outcome"], "missing");

    let run = bench.fail(&["--locked", "--allow-stand-in"], 2);
    assert_eq!(run.error()["code"], "E_LOCK_INCOMPLETE");
    assert_says(&run.told(), &["`demo`", "--allow-missing"]);
    bench.build_with(&["--locked", "--allow-stand-in", "--allow-missing"]);
    let check = bench.run(&["check", PYTHON]);
    assert_eq!(check.code, 2, "{}", check.told());
    assert_says(&check.told(), &["E_LOCK_INCOMPLETE", "`demo`"]);
    bench.fail(&[], 1);

    second.server.every_time("/simple/", HttpMishap::None);
    assert_eq!(bench.build().installed(), ["demo 1.0", "other 1.0"], "without a wait of ten minutes");
    assert_eq!(bench.lock()["platforms"][host().as_str()].get("left_out"), None);
    bench.build_with(&["--locked", "--allow-stand-in"]);
}

#[test]
fn case_field_index_403_what_another_index_refuses_to_tell_is_a_warning_and_never_an_excuse() {
    let bench = Bench::new([wheel("idna", "3.10")]);
    let second = serve([wheel("hnoh", "1.0")]);
    second.server.every_time("/simple/idna/", HttpMishap::Status(403));
    second.server.every_time("/simple/typo/", HttpMishap::Status(403));
    with_registries(&bench, &[second.simple_url()], json!({ "dependencies": ["idna==3.10", "hnoh"] }));
    let run = bench.build();
    assert_eq!(run.installed(), ["hnoh 1.0", "idna 3.10"]);
    assert_says(&run.warnings().join("\n"), &["W_REGISTRY_REFUSED", &second.simple_url(), "403", "`idna`"]);

    with_registries(&bench, &[second.simple_url()], json!({ "dependencies": ["typo"] }));
    for options in [&[][..], &["--allow-missing"]] {
        let run = bench.fail(options, 1);
        assert_eq!(run.error()["code"], "E_REGISTRY_REFUSED");
        assert_says(&run.told(), &["`typo` is not available", "answered 404", "answered 403", "netrc"]);
    }
}

#[test]
fn case_field_index_401_remembered_a_refusal_is_an_error_and_forgotten_with_the_credentials() {
    let bench = Bench::new([wheel("other", "1.0")]);
    let second = serve([wheel("hnoh", "1.0")]);
    second.server.require_basic("/", "name", "word");
    let url = second.simple_url();
    bench.config(json!({
        "registries": { "additional": [url], "pinned": { "hnoh": url } },
        "packages": { "dependencies": ["hnoh==1.0", "other"] },
    }));
    for options in [&[][..], &["--allow-missing"]] {
        let run = bench.fail(options, 1);
        assert_eq!(run.error()["code"], "E_REGISTRY_REFUSED", "{}", run.told());
        assert_says(&run.told(), &["`hnoh` is not available", &url, "answered 401", "netrc"]);
    }
    let netrc = bench.path("netrc");
    fs::write(&netrc, "machine 127.0.0.1 login name password word\n").unwrap();
    let run = support::run(bench.command(&[PYTHON]).env("NETRC", &netrc));
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(run.installed(), ["hnoh 1.0", "other 1.0"]);
}

#[test]
fn case_field_flat_wheel_folder_a_folder_of_wheels_is_an_index() {
    let bench = Bench::new([wheel("other", "1.0")]);
    let files = bench.path("files");
    wheel("hflat", "1.0").write_to(&files);
    with_registries(
        &bench,
        &[format!("file://{}", files.display())],
        json!({ "dependencies": ["hflat==1.0", "other"] }),
    );
    assert_eq!(bench.build().installed(), ["hflat 1.0", "other 1.0"]);
    assert_eq!(locked(&bench, "hflat")["registry"], 1);
}

#[test]
fn attack_3_no_additional_registry_replaces_what_the_default_index_has() {
    let bench = Bench::new([marked("demo", "1.0", "default"), wheel("parent", "1.0")]);
    let second = serve([marked("demo", "1.0", "second"), marked("demo", "9.0", "second")]);
    with_registries(&bench, &[second.simple_url()], json!({ "dependencies": ["demo"] }));
    let plan = bench.run(&["plan", PYTHON]);
    let both = format!("from the default index; {} has the name as well", second.simple_url());
    assert_eq!((plan.code, planned_reason(&plan, "demo")), (0, both.clone()), "{}", plan.told());
    let run = bench.build();
    assert_eq!((run.installed(), run.warnings()), (vec!["demo 1.0".to_owned()], vec![]));
    assert_eq!(bench.python("import demo; print(demo.origin)"), "default");
    assert_eq!(locked(&bench, "demo").get("registry"), None);
    assert_eq!(planned_reason(&bench.run(&["plan", PYTHON]), "demo"), both, "also from the lock");

    // What is asked for and only the other has comes from there, with everything else from the default index.
    with_registries(&bench, &[second.simple_url()], json!({ "dependencies": ["demo==9.0", "parent"] }));
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 9.0", "parent 1.0"]);
    let told = run.warnings().join("\n");
    assert_says(
        &told,
        &["W_REGISTRY_OVERLAP", "`demo`", &second.simple_url(), "the default index has the name as well"],
    );
    assert_eq!((&locked(&bench, "demo")["registry"], locked(&bench, "parent").get("registry")), (&json!(1), None));
    assert!(!bench.lock().to_string().contains("://"));
}

#[test]
fn attack_3_the_first_registry_with_a_wheel_that_fits_is_taken_and_a_source_only_where_none_has_one() {
    let bench = Bench::new([
        sdist("stub", "1.0"),
        sdist("late", "1.0"),
        sdist("pure", "1.0"),
        WheelBuilder::new("parent", "1.0").requires("stub").requires("late").build(),
    ]);
    let second =
        serve([marked("stub", "1.0", "second"), WheelBuilder::new("late", "1.0").tag("cp37-cp37m-win32").build()]);
    let third = serve([marked("stub", "1.0", "third"), marked("late", "1.0", "third")]);
    with_registries(&bench, &[second.simple_url(), third.simple_url()], json!({ "dependencies": ["parent", "pure"] }));
    let run = bench.build();
    assert_eq!(run.installed(), ["late 1.0", "parent 1.0", "pure 1.0", "stub 1.0"]);
    assert_eq!(bench.python("import stub, late; print(stub.origin, late.origin)"), "second third");
    assert_eq!((&locked(&bench, "stub")["registry"], &locked(&bench, "late")["registry"]), (&json!(1), &json!(2)));
    assert_eq!(locked(&bench, "pure")["source"]["kind"], "sdist");
}

#[test]
fn attack_3_a_pinned_name_is_asked_at_its_registry_alone_also_where_another_package_requires_it() {
    let bench =
        Bench::new([WheelBuilder::new("parent", "1.0").requires("child").build(), marked("child", "9.0", "default")]);
    let second = serve([marked("child", "1.0", "second")]);
    let url = second.simple_url();
    bench.config(json!({
        "registries": { "additional": [url], "pinned": { "child": url, "unused": url } },
        "packages": { "dependencies": ["parent"] },
    }));
    let run = bench.build();
    assert_eq!((run.installed(), run.warnings()), (vec!["child 1.0".to_owned(), "parent 1.0".to_owned()], vec![]));
    assert!(!bench.requests().iter().any(|path| path.contains("child")), "{:?}", bench.requests());

    // Where its index lacks it, nobody else is asked.
    let empty = serve([wheel("other", "1.0")]);
    let url = empty.simple_url();
    bench.config(json!({
        "registries": { "additional": [url], "pinned": { "child": url } },
        "packages": { "dependencies": ["child"] },
    }));
    let run = bench.fail(&[], 1);
    assert_says(&run.told(), &["`child` is not available", &url, "answered 404"]);
}

#[test]
fn attack_3_what_a_build_needs_comes_from_the_default_index_too() {
    let tool = wheel("tool", "3.0");
    let bench = Bench::new([sdist("demo", "1.0"), tool.clone()]);
    let second = serve([tool.clone(), wheel("helper", "1.0")]);
    let rule = json!({ "reason": "our flags", "buildRequires": ["tool==3.0", "helper==1.0"] });
    let packages = json!({ "dependencies": ["demo"], "buildWheel": { "demo": { host().as_str(): rule } } });
    with_registries(&bench, &[second.simple_url()], packages);
    assert_eq!(bench.build().installed(), ["demo 1.0"]);
    let report = fs::read_to_string(bench.site_packages().join("demo/build.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["distributions"], json!(["helper", "tool"]));
    let of_second = |file: &str| second.server.requests_of(&ServedIndex::file_path(file)).len();
    assert_eq!((of_second(&tool.file_name), of_second("helper-1.0-py3-none-any.whl") > 0), (0, true));
}

#[test]
fn attack_3_the_resolver_is_asked_as_often_for_many_packages_as_for_few() {
    let questions = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("stub{n}")).collect();
        let bench = Bench::new(names.iter().map(|name| sdist(name, "1.0")));
        let second = serve(names.iter().map(|name| wheel(name, "1.0")));
        let pins: Vec<String> = names.iter().map(|name| format!("{name}==1.0")).collect();
        with_registries(&bench, &[second.simple_url()], json!({ "dependencies": pins }));
        let (log, bin) = (bench.path("uv.log"), bench.path("bin"));
        fs::create_dir_all(&bin).unwrap();
        let uv = which::which("uv").unwrap();
        let script = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexec '{}' \"$@\"\n", log.display(), uv.display());
        fs::write(bin.join("uv"), script).unwrap();
        fs::set_permissions(bin.join("uv"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap();
        let run = support::run(bench.command(&["plan", PYTHON]).env("PATH", format!("{}:{path}", bin.display())));
        assert_eq!(run.code, 0, "{}", run.told());
        assert_eq!(locked(&bench, "stub1")["registry"], 1);
        fs::read_to_string(log).unwrap().lines().filter(|line| line.contains("pip compile")).count()
    };
    let few = questions(2);
    assert_eq!(questions(20), few);
    assert!(few <= 5, "{few} questions");
}

#[test]
fn attack_3_another_registry_is_told_by_diff_and_refused_by_a_locked_build() {
    let demo = wheel("demo", "1.0");
    let mut bench = Bench::new([demo.clone(), wheel("other", "1.0")]);
    let second = serve([demo]);
    with_registries(&bench, &[second.simple_url()], json!({ "dependencies": ["demo", "other"] }));
    bench.build();
    let path = bench.repository.at(&format!("python-{PYTHON}/lock.json"));
    let before = bench.path("before.json");
    fs::copy(&path, &before).unwrap();

    // The default index loses the file: a lock that has it from there is not built with another registry's.
    bench.index = Some(serve([wheel("other", "1.0")]));
    let url = bench.index().simple_url();
    bench.make_store("fresh");
    let anew = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.env("PYDIST_STORE", bench.path("fresh")).env("UV_DEFAULT_INDEX", &url);
        support::run(command.env("UV_CACHE_DIR", bench.path("fresh-uv-cache")))
    };
    fs::remove_dir_all(bench.prefix()).unwrap();
    let run = anew(&[PYTHON, "--locked", "--allow-stand-in"]);
    assert_eq!(run.code, 1, "{}", run.told());

    let run = anew(&["lock", PYTHON]);
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(locked(&bench, "demo")["registry"], 1);
    let diff = anew(&["diff", before.to_str().unwrap(), path.to_str().unwrap()]);
    assert_eq!(diff.code, 0, "{}", diff.told());
    let told = diff.told();
    assert_says(&told, &["demo", "\"registry\":1"]);
    assert!(!told.contains("\"other\""), "{told}");
    let mut plain = support::builder(bench.repository.path(), &bench.path("fresh"));
    let text = support::output(plain.args(["diff", before.to_str().unwrap(), path.to_str().unwrap()]));
    assert_says(&text, &["1.0 (from the default index)", "1.0 (from index 1)"]);

    let lock = fs::read_to_string(&path).unwrap().replace("\"registry\": 1", "\"registry\": 2");
    fs::write(&path, lock).unwrap();
    let run = anew(&[PYTHON, "--locked", "--allow-stand-in"]);
    assert_eq!((run.code, &run.error()["code"]), (2, &json!("E_LOCK_REGISTRY")), "{}", run.told());
    assert_says(&run.told(), &["`demo`"]);
}

#[test]
fn a_registry_that_is_not_needed_may_be_silent() {
    let bench = Bench::new([wheel("demo", "1.0")]);
    bench.config(json!({
        "registries": { "additional": [DEAD], "pinned": { "cudf-cu12": DEAD } },
        "packages": { "dependencies": ["demo"] },
    }));
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0"]);
    assert_says(&run.warnings().join("\n"), &["W_REGISTRY_UNREACHABLE", "no configured package comes only from it"]);
}

//! The rules of the configuration in whole builds: the real builder, the real uv, an index on loopback. The numbers
//! are those of the behaviour's numbered cases. P13, a build that hangs, stands with the tests of source-build: a limit
//! that is short enough for a test is too short for a whole build.

use std::fs;

use serde_json::{Value, json};
#[cfg(target_os = "linux")]
use testkit::elf_file::{self, ElfFile};
use testkit::{FixtureFile, FixtureIndex, SdistBuilder, SdistStumble, ServedIndex, WheelBuilder};
use vocab::WheelOrigin;

use crate::support::{self, Bench, assert_says, builder_requests, host};

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

fn sdist(name: &str, version: &str) -> FixtureFile {
    SdistBuilder::new(name, version).build()
}

fn failing_sdist(name: &str, version: &str) -> FixtureFile {
    let stumble = SdistStumble::Fail { message: "the fixture gives up".into() };
    SdistBuilder::new(name, version).stumble(stumble).build()
}

/// `{name: {this platform: reason}}`.
fn here(name: &str, reason: &str) -> Value {
    json!({ name: { host().as_str(): reason } })
}

#[test]
fn p1_a_skipped_package_is_not_fetched_and_keeps_its_reason() {
    let cudf = wheel("cudf-cu12", "25.6.0");
    let bench = Bench::of(
        json!({ "dependencies": ["cudf-cu12==25.6.0", "demo==1.0"], "skip": here("cudf-cu12", "no GPU here") }),
        [cudf.clone(), wheel("demo", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0"]);
    assert_eq!(run.rules(), ["skipped cudf-cu12: no GPU here"]);
    assert_eq!(bench.requests_of(&cudf.file_name), 0);
    assert!(!bench.has("cudf_cu12"));
}

#[test]
fn p2_a_skip_finds_its_package_in_any_spelling() {
    let bench = Bench::of(
        json!({ "dependencies": ["scikit-learn==1.6.1"], "skip": here("scikit_learn", "too large") }),
        [wheel("scikit-learn", "1.6.1")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), Vec::<String>::new());
    assert_eq!(run.rules(), ["skipped scikit-learn: too large"]);
}

#[test]
fn p3_where_a_wheel_exists_no_source_is_asked_for() {
    let source = sdist("demo", "1.0");
    let bench = Bench::of(json!({ "dependencies": ["demo==1.0"] }), [wheel("demo", "1.0"), source.clone()]);
    let run = bench.build();
    assert_eq!(run.manifest().distributions[0].origin, WheelOrigin::Wheel);
    assert_eq!(run.rules(), Vec::<String>::new());
    assert_eq!(bench.requests_of(&source.file_name), 0);
    assert_eq!(bench.python("import demo; print(demo.__version__)"), "1.0");
}

#[test]
fn p4_without_a_wheel_and_without_a_policy_the_source_is_built() {
    let source = sdist("demo", "1.0");
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [source.clone()]);
    let run = bench.build();
    let demo = &run.manifest().distributions[0];
    assert_eq!(demo.origin, WheelOrigin::Sdist { file: source.file_name.clone(), sha256: source.sha256() });
    assert_eq!(demo.file, "demo-1.0-py3-none-any.whl");
    assert_eq!(run.rules(), ["from-source demo: no wheel fits"]);
    assert_eq!(bench.python("import demo; print(demo.__version__)"), "1.0");
}

#[test]
fn p5_an_only_binary_package_without_a_wheel_is_left_out_or_ends_the_build() {
    let resolution =
        |strict: bool| json!({ "allowSourceAll": true, "onlyBinaryList": ["demo"], "strictMissing": strict });
    no_wheel_and_no_source_allowed(&resolution, "it is in onlyBinaryList");
}

#[test]
fn p6_a_package_without_a_wheel_whose_source_is_not_allowed_is_left_out_or_ends_the_build() {
    let resolution = |strict: bool| json!({ "allowSourceList": ["another"], "strictMissing": strict });
    no_wheel_and_no_source_allowed(&resolution, "its source is not allowed by the policy");
}

fn no_wheel_and_no_source_allowed(resolution: &dyn Fn(bool) -> Value, why: &str) {
    let packages = |strict| json!({ "dependencies": ["demo", "other"], "resolution": resolution(strict) });
    let bench = Bench::of(packages(true), [sdist("demo", "1.0"), wheel("other", "1.0")]);
    let run = bench.fail(&[], 1);
    assert_eq!(run.error()["code"], "E_NO_WHEEL");
    assert_says(&run.told(), &["no wheel of `demo` fits", why]);
    assert!(!bench.prefix().exists());

    bench.packages(packages(false));
    let run = bench.build();
    assert_eq!(run.installed(), ["other 1.0"]);
    assert_eq!(run.rules(), [format!("left-out demo: no wheel fits, and {why}")]);
    assert_eq!(run.warnings(), [format!("W_LEFT_OUT `demo` is left out: no wheel fits, and {why}")]);

    // The same for all by `--fail-on-missing`, also where the lock has the row already.
    let run = bench.fail(&["--fail-on-missing"], 1);
    assert_says(&run.told(), &["E_NO_WHEEL", "`demo`"]);
}

#[test]
fn p7_a_forced_source_is_built_though_a_wheel_exists_and_its_dependencies_stay_wheels() {
    let helper = sdist("helper", "2.0");
    // The resolver may read what the package requires from the wheel, which is not installed for that.
    let demo = WheelBuilder::new("demo", "1.0").requires("helper").build();
    let bench = Bench::of(
        json!({ "dependencies": ["demo"], "forceSource": here("demo", "the wheel is broken") }),
        [
            demo.clone(),
            SdistBuilder::new("demo", "1.0").requires("helper").build(),
            wheel("helper", "2.0"),
            helper.clone(),
        ],
    );
    let run = bench.build();
    let manifest = run.manifest();
    assert!(matches!(manifest.distributions[0].origin, WheelOrigin::Sdist { .. }), "{manifest:?}");
    assert_eq!(manifest.distributions[1].origin, WheelOrigin::Wheel);
    assert_eq!(run.rules(), ["forced demo: the wheel is broken"]);
    assert_eq!((builder_requests(bench.index(), &demo.file_name), bench.requests_of(&helper.file_name)), (0, 0));
}

#[test]
fn p8_a_forced_source_that_does_not_build_ends_the_build_with_the_end_of_its_log() {
    let resolution = json!({ "allowSourceAll": true, "strictMissing": false });
    let bench = Bench::of(
        json!({
            "dependencies": ["demo"], "forceSource": here("demo", "the wheel is broken"), "resolution": resolution,
        }),
        [wheel("demo", "1.0"), failing_sdist("demo", "1.0")],
    );
    let run = bench.fail(&[], 1);
    assert_eq!(run.error()["code"], "E_BUILD_WHEEL");
    assert_says(&run.told(), &["cannot build demo 1.0 from source", "line 299", "the fixture gives up"]);
    assert!(!bench.prefix().exists());

    // Without the rule the policy leaves out what does not build.
    bench.packages(json!({ "dependencies": ["demo", "other"], "resolution": resolution }));
    let bench = Bench::of(
        json!({ "dependencies": ["demo", "other"], "resolution": resolution }),
        [failing_sdist("demo", "1.0"), wheel("other", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["other 1.0"]);
    assert_says(
        &run.rules().join("\n"),
        &["left-out demo: no wheel fits, and its source did not build: the build failed with exit code"],
    );
    // Case field-left-out-without-reason: the end of the log, and where all of it is.
    let warning = run.line("warning").unwrap();
    assert_says(warning["text"].as_str().unwrap(), &["`demo` is left out", "\nline 299\n", "the fixture gives up"]);
    assert_says(warning["hint"].as_str().unwrap(), &["the whole log is in `", "logs/wheel-build-demo.log`"]);
    bench.fail(&["--fail-on-missing"], 1);
}

#[test]
fn case_field_left_out_without_reason_a_runtime_without_anything_that_is_listed_is_an_error() {
    let resolution = json!({ "allowSourceAll": true, "strictMissing": false });
    let bench = Bench::of(
        json!({ "dependencies": ["demo", "more"], "resolution": resolution }),
        [failing_sdist("demo", "1.0"), failing_sdist("more", "1.0")],
    );
    let run = bench.fail(&[], 1);
    assert_eq!(run.error()["code"], "E_NOTHING_LEFT");
    assert_says(&run.told(), &["demo (no wheel fits, and its source did not build", "more (no wheel fits"]);
    assert!(!bench.prefix().exists());

    // Where that is known beforehand, a plan says so.
    bench.packages(json!({ "dependencies": ["demo"], "resolution": { "strictMissing": false } }));
    let run = bench.run(&["plan", support::PYTHON]);
    assert_eq!((run.code, &run.error()["code"]), (1, &json!("E_NOTHING_LEFT")), "{}", run.told());
}

#[test]
fn p9_a_skip_wins_over_a_forced_source_and_says_so() {
    let bench = Bench::of(
        json!({
            "dependencies": ["demo", "other"],
            "skip": here("demo", "not needed"), "forceSource": here("demo", "the wheel is broken"),
        }),
        [wheel("demo", "1.0"), sdist("demo", "1.0"), wheel("other", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.rules(), ["skipped demo: not needed"]);
    assert_eq!(run.warnings().len(), 1, "{:?}", run.warnings());
    assert_says(&run.line("warning").unwrap().to_string(), &["`demo` is skipped", "/packages/forceSource/demo"]);
    assert!(!bench.requests().iter().any(|path| path.contains("demo")));
}

#[test]
fn p10_a_git_dependency_that_no_rule_allows_is_refused_before_any_download() {
    let bench = Bench::of(
        json!({
            "dependencies": ["git+https://git.example.invalid/group/demo.git@v1", "other"],
            "resolution": { "strictMissing": false },
        }),
        [wheel("other", "1.0")],
    );
    let run = bench.fail(&[], 2);
    assert_eq!(run.error()["code"], "E_GIT_SOURCE");
    assert_says(&run.told(), &["`demo`", "/packages/dependencies/0", "allowSourceList"]);
    assert_eq!(bench.requests(), Vec::<String>::new());
}

#[test]
fn p11_a_package_in_no_deps_comes_alone() {
    let bench = Bench::of(
        json!({ "dependencies": ["parapred-pytorch"], "noDeps": ["Parapred_PyTorch"] }),
        [WheelBuilder::new("parapred-pytorch", "1.0").requires("torch").build(), wheel("torch", "2.7.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["parapred-pytorch 1.0"]);
    assert_eq!(run.rules(), ["without-dependencies parapred-pytorch: it is in noDeps"]);
    assert_eq!(run.warnings(), Vec::<String>::new());
    assert!(!bench.requests().iter().any(|path| path.contains("torch-2.7.0") || path.ends_with("/torch/")));
}

#[test]
fn p12_a_build_wheel_rule_compiles_with_its_requirements_and_the_folder_of_the_package() {
    let rule = json!({
        "reason": "needs our flags",
        "buildRequires": ["tool==3.0"],
        "configSettings": ["--include={packageRoot}/include"],
    });
    let bench = Bench::of(
        json!({ "dependencies": ["demo"], "buildWheel": { "demo": { host().as_str(): rule } } }),
        [wheel("demo", "1.0"), sdist("demo", "1.0"), wheel("tool", "3.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0"], "the build's own requirement stays out of the runtime");
    assert_eq!(run.rules(), ["built-wheel demo: needs our flags"]);
    let report = fs::read_to_string(bench.site_packages().join("demo/build.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let root = bench.repository.at(&format!("python-{}", support::PYTHON));
    assert_eq!(report["settings"], json!({ "--include": format!("{}/include", root.display()) }));
    assert_eq!(report["distributions"], json!(["tool"]));
}

#[test]
fn p14_downloads_at_once_or_one_by_one_give_the_same_lock_and_the_same_artifact() {
    let files = || (0..9).map(|number| wheel(&format!("demo{number}"), "1.0"));
    let names: Vec<String> = (0..9).map(|number| format!("demo{number}")).collect();
    let results: Vec<_> = [true, false]
        .into_iter()
        .map(|parallel| {
            let bench = Bench::new(files());
            bench.config(json!({
                "packages": { "dependencies": names }, "build": { "parallelDownloads": parallel },
            }));
            let run = bench.build();
            (bench.lock(), run.installed(), run.manifest().artifact.unwrap().sha256)
        })
        .collect();
    assert_eq!(results[0].1.len(), 9);
    assert_eq!(results[0], results[1]);
}

#[test]
fn p15_a_marker_is_asked_about_the_target() {
    let (other, own) = if cfg!(target_os = "macos") { ("linux", "darwin") } else { ("darwin", "linux") };
    let bench = Bench::of(
        json!({
            "dependencies": [
                format!("demo; sys_platform == \"{other}\""),
                format!("other; sys_platform == \"{own}\" and python_full_version == \"3.14.6\""),
            ],
        }),
        [wheel("demo", "1.0"), wheel("other", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["other 1.0"]);
    assert_says(&run.rules().join("\n"), &["not-applicable demo: the marker of `demo", "is false on"]);
    assert!(!bench.requests().iter().any(|path| path.contains("demo")));
}

#[test]
fn p16_an_empty_list_gives_an_empty_wheelhouse() {
    let bench = Bench::new([]);
    bench.config(json!({ "packages": { "dependencies": [] }, "layout": "wheelhouse" }));
    let run = bench.build();
    let packages = bench.prefix().join("packages");
    assert_eq!(fs::read_dir(&packages).unwrap().count(), 0);
    assert_eq!(run.installed(), Vec::<String>::new());
    assert_eq!(bench.requests(), Vec::<String>::new());
    // In the artifact, too.
    let unpacked = bench.unpacked(&run);
    assert_eq!(fs::read_dir(unpacked.join("packages")).unwrap().count(), 0);
}

#[test]
fn p17_an_unreachable_index_is_named_with_the_package_and_the_attempts() {
    // Nothing is left out for it: that would be a runtime without anything in it.
    for resolution in [Value::Null, json!({ "allowSourceAll": true, "strictMissing": false })] {
        let bench = Bench::of(json!({ "dependencies": ["demo"], "resolution": resolution }), []);
        let url = "http://127.0.0.1:1/simple/";
        let mut command = bench.command(&[support::PYTHON]);
        let run = support::run(command.env("UV_DEFAULT_INDEX", url).env("UV_HTTP_RETRIES", "2"));
        assert_eq!(run.code, 1, "{}", run.told());
        assert_eq!(run.error()["code"], "E_INDEX_UNREACHABLE", "{}", run.told());
        assert_says(&run.told(), &["127.0.0.1:1/simple", "demo", "after 2 retries"]);
        let run = bench.fail(&["--offline"], 1);
        assert_says(&run.told(), &["demo", "the network was disabled"]);
        assert!(!bench.prefix().exists());
        assert!(!bench.repository.at(&format!("python-{}/lock.json", support::PYTHON)).exists());
    }
}

#[test]
fn p18_a_file_with_another_content_than_the_index_says_is_not_kept() {
    let demo = wheel("demo", "1.0");
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [demo.clone()]);
    let other = WheelBuilder::new("demo", "1.0").file("demo/__init__.py", "import evil\n").build();
    bench.index().server.put(&ServedIndex::file_path(&demo.file_name), other.bytes.clone());
    let run = bench.fail(&[], 4);
    assert_says(&run.told(), &[&demo.file_name, &demo.sha256().to_string(), &other.sha256().to_string()]);
    assert!(!bench.prefix().exists());
    let kept: Vec<_> = walkdir::WalkDir::new(bench.path("store/blobs"))
        .into_iter()
        .filter_map(|entry| entry.ok().filter(|entry| entry.file_type().is_file()))
        .collect();
    assert!(kept.is_empty(), "{kept:?}");

    // Put right, the same lock builds.
    bench.index().server.put(&ServedIndex::file_path(&demo.file_name), demo.bytes);
    assert_eq!(bench.build_with(&["--locked"]).installed(), ["demo 1.0"]);
}

#[test]
fn p19_a_yanked_file_is_taken_only_where_it_is_pinned_and_then_told() {
    let mut index = FixtureIndex::new();
    index.add(wheel("demo", "1.0")).add_yanked(wheel("demo", "2.0"), "it deletes files");
    let bench = Bench::with_index(&index);
    bench.packages(json!({ "dependencies": ["demo"] }));
    let run = bench.build();
    assert_eq!((run.installed(), run.warnings()), (vec!["demo 1.0".to_owned()], vec![]));

    bench.packages(json!({ "dependencies": ["demo==2.0"] }));
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 2.0"]);
    assert_says(&run.warnings().join("\n"), &["demo==2.0", "yanked", "it deletes files"]);
}

#[cfg(target_os = "linux")]
#[test]
fn p20_of_wheels_that_fit_the_best_is_taken_and_none_above_the_ceiling() {
    let arch = if host() == vocab::PlatformKey::LinuxAarch64 { "aarch64" } else { "x86_64" };
    let tagged = |tag: &str| WheelBuilder::new("demo", "1.0").tag(&tag.replace("ARCH", arch)).build();
    let bench = Bench::of(
        json!({ "dependencies": ["demo"] }),
        [
            tagged("py3-none-any"),
            tagged("cp314-cp314-manylinux_2_17_ARCH"),
            tagged("cp314-cp314-manylinux_2_28_ARCH"),
            tagged("cp314-cp314-manylinux_2_34_ARCH"),
            tagged("cp313-cp313-manylinux_2_28_ARCH"),
        ],
    );
    let run = bench.build();
    assert_eq!(run.manifest().distributions[0].file, format!("demo-1.0-cp314-cp314-manylinux_2_28_{arch}.whl"));

    let bench = Bench::of(
        json!({ "dependencies": ["demo", "other"], "resolution": { "strictMissing": false } }),
        [tagged("cp314-cp314-manylinux_2_34_ARCH"), wheel("other", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["other 1.0"]);
    assert_says(&run.rules().join("\n"), &["left-out demo"]);
}

#[test]
fn an_override_pins_anew_and_leaves_a_record() {
    let bench = Bench::of(
        json!({ "dependencies": ["Demo>=2"], "overrides": { "demo": "1.0" } }),
        [wheel("demo", "1.0"), wheel("demo", "2.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["demo 1.0"]);
    assert_eq!(run.rules(), ["overridden demo: `>=2` became `==1.0`"]);
}

#[test]
fn a_platforms_own_dependencies_come_beside_the_general_ones() {
    let elsewhere = vocab::PlatformKey::ALL.into_iter().find(|platform| *platform != host()).unwrap();
    let bench = Bench::of(
        json!({
            "dependencies": ["demo"],
            "platformSpecific": {
                host().as_str(): { "dependencies": ["own"] }, elsewhere.as_str(): { "dependencies": ["foreign"] },
            },
        }),
        [wheel("demo", "1.0"), wheel("own", "1.0"), wheel("foreign", "1.0")],
    );
    assert_eq!(bench.build().installed(), ["demo 1.0", "own 1.0"]);
    assert!(!bench.requests().iter().any(|path| path.contains("foreign")));
}

#[test]
fn two_wheels_with_the_same_file_are_told_with_both_names() {
    let with =
        |name: &str| WheelBuilder::new(name, "1.0").file("common/util.py", format!("whose = '{name}'\n")).build();
    let bench = Bench::of(json!({ "dependencies": ["alpha", "beta"] }), [with("alpha"), with("beta")]);
    let run = bench.build();
    let clashes = run.manifest().clashes;
    assert_eq!(clashes.len(), 1);
    assert_eq!(clashes[0].path.as_str(), format!("{}/common/util.py", support::SITE_PACKAGES));
    assert_eq!((clashes[0].kept.as_str(), clashes[0].dropped.as_str()), ("alpha", "beta"));
    assert_says(&run.warnings().join("\n"), &["W_FILE_CLASH", "`alpha`", "`beta`", "common/util.py"]);
    assert_eq!(bench.python("from common import util; print(util.whose)"), "alpha");
    let again = bench.build();
    assert!(!again.built());
    assert_eq!((again.warnings(), again.manifest().warnings.len()), (run.warnings(), 1), "the warning is repeated");
    for _ in 0..2 {
        let run = bench.fail(&["--strict"], 3);
        assert_eq!(run.error()["code"], "E_STRICT");
        assert_says(&run.told(), &["--strict: the build has a warning", "common/util.py"]);
    }
    let inner = std::fs::read_to_string(bench.prefix().join("pydist.json")).unwrap();
    assert!(!inner.contains("W_FILE_CLASH"), "{inner}");
}

/// A place that is searched in vain is a warning; with `--strict` it is a failure, unless the whitelist accepts it.
#[cfg(target_os = "linux")]
#[test]
fn a_search_path_outside_the_prefix_ends_a_strict_build() {
    let machine = if cfg!(target_arch = "x86_64") { elf_file::X86_64 } else { elf_file::AARCH64 };
    let library = ElfFile { machine, runpath: "/opt/nobody/lib", ..ElfFile::default() }.bytes();
    let demo = WheelBuilder::new("demo", "1.0")
        .tag(&format!("py3-none-manylinux_2_17_{}", std::env::consts::ARCH))
        .file("demo/__init__.py", "x = 1\n")
        .file("demo/libdemo.so.1", library)
        .build();
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [demo]);
    let run = bench.build();
    assert_says(&run.warnings().join("\n"), &["W_NATIVE demo: ", "demo/libdemo.so.1` searches", "/opt/nobody/lib"]);
    let again = bench.build();
    assert_eq!((again.built(), again.warnings()), (false, run.warnings()));
    let run = bench.fail(&["--strict"], 3);
    assert_eq!(run.error()["code"], "E_NATIVE_FILES", "{}", run.told());
    let text = run.error()["hint"].as_str().unwrap().to_owned();
    let mut pasted: serde_json::Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    pasted["demo"]["demo/libdemo.so.1"]["reason"] = json!("nothing is there");
    bench.repository.file(&format!("checker/whitelists/{}.json", host()), pasted.to_string());
    assert_eq!(bench.build_with(&["--strict"]).warnings(), Vec::<String>::new());
}

#[test]
fn a_skip_of_what_another_package_requires_names_the_parent() {
    let bench = Bench::of(
        json!({ "dependencies": ["parent"], "skip": here("child", "not here") }),
        [WheelBuilder::new("parent", "1.0").requires("child>=1").build(), wheel("child", "1.0")],
    );
    let run = bench.build();
    assert_eq!(run.installed(), ["parent 1.0"]);
    assert_says(&run.warnings().join("\n"), &["W_UNMET_REQUIREMENT", "`parent` requires `child>=1`", "not here"]);
    let run = bench.fail(&["--strict"], 3);
    assert_eq!(run.error()["code"], "E_UNMET_REQUIREMENT");
    assert_says(&run.told(), &["`parent`", "child"]);
}

#[test]
fn case_field_requires_python_upper_bound_the_newest_version_for_this_python_is_taken() {
    let not_for_it = |version: &str| WheelBuilder::new("demo", version).requires_python(">=3.8,<3.14").build();
    let files = || {
        let for_it = WheelBuilder::new("demo", "1.0").requires_python(">=3.8").build();
        [wheel("demo", "0.9"), for_it, not_for_it("2.0"), not_for_it("3.0")]
    };
    let bench = Bench::of(json!({ "dependencies": ["parent"] }), files());
    let parent = WheelBuilder::new("parent", "1.0").requires("demo").build();
    bench.repository.file(&format!("python-{}/{}", support::PYTHON, parent.file_name), parent.bytes);
    bench.packages(json!({ "dependencies": [format!("./{}", parent.file_name)] }));
    assert_eq!(bench.build().installed(), ["demo 1.0", "parent 1.0"]);
    // One question finds out about all of its versions.
    let pages = bench.requests().iter().filter(|path| *path == "/simple/demo/").count();
    assert!(pages <= 6, "{:?}", bench.requests());

    bench.packages(json!({ "dependencies": ["demo==2.0"] }));
    let run = bench.fail(&[], 1);
    assert_eq!(run.error()["code"], "E_REQUIRES_PYTHON", "{}", run.told());
    assert_says(&run.told(), &["demo 2.0 requires Python `>=3.8,<3.14`", "the runtime has 3.14.6"]);

    bench.packages(json!({ "dependencies": ["demo>=2"] }));
    let run = bench.fail(&[], 1);
    assert_says(&run.told(), &["not for Python 3.14.6, by their Requires-Python: demo 2.0, demo 3.0"]);

    // A file of the repository is a pin, too.
    let own = not_for_it("2.0");
    bench.repository.file(&format!("python-{}/{}", support::PYTHON, own.file_name), own.bytes);
    bench.packages(json!({ "dependencies": [format!("./{}", own.file_name)] }));
    assert_eq!(bench.fail(&[], 1).error()["code"], "E_REQUIRES_PYTHON");
}

#[test]
fn a_wheel_whose_index_hides_its_python_is_found_out_before_it_is_shipped() {
    let mut demo = WheelBuilder::new("demo", "1.0").requires_python("<3.14").build();
    demo.requires_python = None;
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [demo]);
    let run = bench.run(&[support::PYTHON]);
    assert_eq!((run.code != 0, &run.error()["code"]), (true, &json!("E_REQUIRES_PYTHON")), "{}", run.told());
    assert!(!bench.prefix().exists());
}

#[test]
fn case_field_kernel_markers_are_answered_from_the_oldest_system_or_warned_of() {
    let parent = WheelBuilder::new("hkern", "1.0")
        .requires("six; platform_system == \"Darwin\" and platform_release >= \"17.0\"")
        .requires("idna; platform_system == \"Linux\" and platform_release >= \"3.10\"")
        .requires("certifi; platform_system == \"Windows\" and platform_release >= \"8\"")
        .requires("attrs; platform_version != \"x\"")
        .build();
    let bench = Bench::new(["six", "idna", "certifi", "attrs"].map(|name| wheel(name, "1.0")));
    bench.repository.file(&format!("python-{}/{}", support::PYTHON, parent.file_name), parent.bytes);
    bench.packages(json!({ "dependencies": [format!("./{}", parent.file_name)] }));
    let run = bench.run(&["lock", support::PYTHON, "--platform", "all"]);
    assert_eq!(run.code, 0, "{}", run.told());
    let names = |platform: &str| -> Vec<String> {
        let rows = bench.lock()["platforms"][platform]["distributions"].as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    for platform in ["macosx-x64", "macosx-aarch64"] {
        assert_eq!(names(platform), ["attrs", "hkern", "six"], "on {platform}");
    }
    for platform in ["linux-x64", "linux-aarch64", "windows-x64"] {
        assert_eq!(names(platform), ["attrs", "hkern"], "on {platform}");
    }
    let warnings = run.warnings().join("\n");
    assert_says(&warnings, &["`idna` is left out: `hkern` requires it only where", "`certifi` is left out: `hkern`"]);
    assert!(!warnings.contains("`six`") && !warnings.contains("`attrs`"), "{warnings}");
}

#[test]
fn case_field_file_url_in_metadata_is_refused_with_what_to_list() {
    let bench = Bench::of(json!({ "dependencies": ["./hurl-1.0-py3-none-any.whl"] }), []);
    let child = wheel("hdep", "1.0");
    let url = format!("file://{}", child.write_to(&bench.path("elsewhere")).display());
    let parent = WheelBuilder::new("hurl", "1.0").requires(&format!("hdep @ {url}")).build();
    for file in [&parent, &child] {
        bench.repository.file(&format!("python-{}/{}", support::PYTHON, file.file_name), file.bytes.clone());
    }
    let run = bench.fail(&[], 2);
    assert_says(&run.told(), &["`hurl` requires `hdep` by the URL file:///", "which is not supported"]);
    assert_says(&run.told(), &["`./hdep-1.0-py3-none-any.whl`"]);

    // As the hint says, also where the URL leads nowhere.
    fs::remove_dir_all(bench.path("elsewhere")).unwrap();
    bench.packages(json!({ "dependencies": ["./hurl-1.0-py3-none-any.whl", "./hdep-1.0-py3-none-any.whl"] }));
    assert_eq!(bench.build().installed(), ["hdep 1.0", "hurl 1.0"]);
}

#[test]
fn case_seed_own_config_names_what_an_empty_list_leaves_aside() {
    let bench = Bench::of(json!({ "dependencies": [] }), []);
    bench.repository.file("shared-config.json", json!({ "packages": { "dependencies": ["six==1.17.0"] } }).to_string());
    let run = bench.build();
    assert_eq!(run.rules(), ["not-applicable six: it is a shared dependency, and the version's own list is empty"]);
    assert_says(&run.warnings().join("\n"), &["the list is empty, so the shared requirement is not installed"]);
    bench.fail(&["--strict"], 2);
}

#[test]
fn case_field_hints_nobody_can_follow_a_version_that_only_the_default_index_has_is_found() {
    let mut old = FixtureIndex::new();
    let additional = old.add(wheel("six", "1.10.0")).serve();
    let bench = Bench::new([wheel("six", "1.17.0")]);
    let config = |version: &str| {
        json!({
            "registries": { "additional": [additional.simple_url()] },
            "packages": { "dependencies": [format!("six=={version}")] },
        })
    };
    bench.config(config("1.17.0"));
    assert_eq!(bench.build().installed(), ["six 1.17.0"]);

    bench.config(config("1.18.0"));
    let run = bench.fail(&[], 1);
    for foreign in ["--index-strategy", "pyproject.toml", "tool.uv", "exclude-newer"] {
        assert!(!run.told().contains(foreign), "{}", run.told());
    }
}

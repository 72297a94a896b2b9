//! Whole builds under unusual circumstances: side by side, interrupted, in folders with unusual names.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::{FixtureFile, SdistBuilder, SdistStumble, WheelBuilder};

use crate::support::{self, Bench, PYTHON, SITE_PACKAGES, host, output};

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

#[test]
fn builders_of_the_same_runtime_side_by_side_all_end_well() {
    let bench = Bench::of(
        json!({ "dependencies": ["demo", "other"] }),
        [SdistBuilder::new("demo", "1.0").build(), wheel("other", "1.0")],
    );
    let children: Vec<_> = (0..3)
        .map(|_| bench.command(&[PYTHON]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut built = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}");
        built += told.matches("\"built\":true").count();
    }
    assert_eq!(built, 1, "one builds, the others find its result");
    assert!(bench.has("demo") && bench.has("other"));
    assert!(!bench.build().built());
}

#[test]
fn an_interrupt_ends_a_build_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let hanging = SdistBuilder::new("demo", "2.0").stumble(SdistStumble::Hang { pids: pids.clone() }).build();
    let bench = Bench::of(json!({ "dependencies": ["demo==1.0"] }), [wheel("demo", "1.0"), hanging]);
    bench.build();
    bench.packages(json!({ "dependencies": ["demo==2.0"] }));

    let mut child = bench.command(&[PYTHON]).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["event"] == "step-started" && line["step"] == "build from source" {
            output(Command::new("kill").args(["-INT", &child.id().to_string()]));
        }
        told.push(line);
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told:?}");
    assert!(told.iter().any(|line| line["event"] == "error" && line["exit"] == 130), "{told:?}");
    assert_eq!(bench.python("import demo; print(demo.__version__)"), "1.0");
    let beside: Vec<_> = fs::read_dir(bench.prefix().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!beside.iter().any(|name| name.ends_with(".staging")), "{beside:?}");
    // If the build had come as far as to hang, it does not hang any more.
    for process in fs::read_to_string(&pids).unwrap_or_default().lines() {
        let listed = Command::new("ps").args(["-o", "stat=", "-p", process]).output().unwrap();
        let state = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
        assert!(state.is_empty() || state.starts_with('Z'), "process {process} lives on: {state}");
    }
}

#[test]
fn folders_may_have_blanks_and_letters_of_any_language() {
    let source = SdistBuilder::new("demo", "1.0").build();
    let tool = WheelBuilder::new("tool", "1.0")
        .file("tool.py", "def main():\n    print('the tool runs')\n")
        .console_script("tool", "tool:main")
        .build();
    let bench = Bench::new([source, wheel("other", "1.0")]);
    let root = bench.path("my repository, größer 倉庫");
    let package = root.join(format!("python-{PYTHON}"));
    tool.write_to(&package.join("local wheels"));
    fs::write(root.join("shared-config.json"), "{}").unwrap();
    fs::create_dir_all(package.join("some files")).unwrap();
    fs::write(package.join("some files/data file.txt"), "data\n").unwrap();
    let config = json!({ "packages": {
        "dependencies": ["demo", "other", format!("./local wheels/{}", tool.file_name)],
        "copyFiles": [{ "from": "some files/", "to": "share/some files/" }],
    } });
    fs::write(package.join("config.json"), config.to_string()).unwrap();
    let store = bench.make_store("my store, größer 倉庫");
    let run = support::run(bench.command(&[PYTHON]).current_dir(&root).env("PYDIST_STORE", store));
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(run.installed(), ["demo 1.0", "other 1.0", "tool 1.0"]);
    let prefix = package.join("pydist").join(host().as_str());
    assert!(prefix.join(SITE_PACKAGES).join("demo/build.json").is_file());
    assert!(prefix.join("share/some files/data file.txt").is_file());
    assert_eq!(output(&mut Command::new(prefix.join("bin/tool"))), "the tool runs");
}

/// `demo` with a native module that cannot be imported, for it lacks what a GPU machine has.
#[cfg(target_os = "linux")]
fn wheel_that_refuses() -> testkit::FixtureFile {
    // Any extension module will do, under its own name: the package itself refuses to be imported.
    let donor = Bench::of(json!({ "dependencies": [] }), []);
    donor.build();
    let library = walkdir::WalkDir::new(donor.prefix().join("lib/python3.14/lib-dynload"))
        .into_iter()
        .map(Result::unwrap)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("_testbuffer."))
        .expect("3.14.6 has `_testbuffer` as a file");
    let arch = if host() == vocab::PlatformKey::LinuxAarch64 { "aarch64" } else { "x86_64" };
    WheelBuilder::new("demo", "1.0")
        .tag(&format!("cp314-cp314-manylinux_2_17_{arch}"))
        .file("demo/__init__.py", "raise RuntimeError('CUDA driver insufficient')\n")
        .file(&format!("demo/_testbuffer.cpython-314-{arch}-linux-gnu.so"), fs::read(library.path()).unwrap())
        .build()
}

#[cfg(target_os = "linux")]
#[test]
fn c1_c4_a_module_that_cannot_be_imported_ends_the_build_unless_the_whitelist_knows_it() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel_that_refuses()]);
    let run = bench.fail(&[], 3);
    support::assert_says(&run.told(), &["demo._testbuffer", "CUDA driver insufficient"]);
    assert!(!bench.prefix().exists());

    let whitelist = format!("checker/whitelists/{}.json", host());
    let entry = |module: &str| json!({ "demo-*.whl": { module: "cuda DRIVER insufficient" } }).to_string();
    bench.repository.file(&whitelist, entry("demo._testbuffer"));
    let run = bench.build_with(&["--strict"]);
    assert_eq!((run.manifest().native.allowed, run.manifest().native.imported), (1, 0));

    // What the runtime is checked against is part of what it is made of: another whitelist is another check.
    let both = json!({ "demo-*.whl": { "demo._testbuffer": "cuda driver", "demo._other": "never seen" } });
    bench.repository.file(&whitelist, both.to_string());
    assert!(bench.build().built());
    let run = bench.fail(&["--strict"], 3);
    support::assert_says(&run.told(), &["demo._other"]);
    bench.repository.file(&whitelist, entry("demo._other"));
    bench.fail(&[], 3);
}

#[cfg(target_os = "linux")]
#[test]
fn the_wheels_of_a_wheelhouse_are_checked_as_if_they_were_installed() {
    let demo = wheel_that_refuses();
    let file = demo.file_name.clone();
    let bench = Bench::new([demo]);
    bench.config(json!({ "packages": { "dependencies": ["demo"] }, "layout": "wheelhouse" }));
    let run = bench.fail(&[], 3);
    support::assert_says(&run.told(), &["demo._testbuffer", "CUDA driver insufficient"]);
    let folder = bench.prefix().parent().unwrap().to_owned();
    let left = || -> Vec<_> {
        let names = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    };
    assert_eq!(left(), Vec::<String>::new());

    let entry = json!({ "demo-*.whl": { "demo._testbuffer": "cuda driver insufficient" } });
    bench.repository.file(&format!("checker/whitelists/{}.json", host()), entry.to_string());
    let run = bench.build();
    let manifest = run.manifest();
    assert_eq!((manifest.native.allowed, manifest.native.imported), (1, 0));
    assert_eq!(manifest.distributions[0].native.as_ref().map(|native| native.files), Some(1));
    assert!(manifest.native.files > 1, "the interpreter's, too");
    for root in [bench.prefix(), bench.unpacked(&run)] {
        assert!(root.join("packages").join(&file).is_file());
        assert!(!root.join(SITE_PACKAGES).join("demo").exists(), "what was only checked is not shipped");
    }
    assert_eq!(left(), [format!(".{}.record.json", host().as_str()), host().as_str().to_owned()]);
}

#[test]
fn an_artifact_folder_that_cannot_be_written_fails_the_build_and_not_the_prefix() {
    let bench = Bench::of(json!({ "dependencies": ["demo==1.0"] }), [wheel("demo", "1.0"), wheel("demo", "2.0")]);
    bench.build();
    bench.packages(json!({ "dependencies": ["demo==2.0"] }));
    bench.repository.file("a-file", "");
    let run = bench.fail(&["--out", "a-file/dist"], 1);
    support::assert_says(&run.error().to_string(), &["a-file"]);
    assert_eq!(bench.python("import demo; print(demo.__version__)"), "1.0");
    let run = bench.build_with(&["--out", "elsewhere/dist"]);
    assert!(bench.repository.at("elsewhere/dist").join(run.artifact().file_name().unwrap()).is_file());
    assert_eq!(bench.python("import demo; print(demo.__version__)"), "2.0");
}

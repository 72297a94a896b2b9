//! What a whole build leaves behind: the same bytes everywhere, nothing half-made, nothing done twice.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testkit::elf_file::X86_64;
use testkit::{ElfFile, FixtureFile, SdistBuilder, SdistStumble, WheelBuilder};

use crate::support::{
    self, Bench, PYTHON, SITE_PACKAGES, assert_says, builder_requests, host, output, rich_bench, rich_packages,
};

fn wheel(name: &str, version: &str) -> FixtureFile {
    WheelBuilder::new(name, version).build()
}

/// Paths and what is there: a link's target, or mode and digest.
fn snapshot(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1) {
        let entry = entry.unwrap();
        let path = entry.path();
        let metadata = fs::symlink_metadata(path).unwrap();
        let what = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(path).unwrap().display())
        } else if metadata.is_dir() {
            "folder".to_owned()
        } else {
            format!("{} {}", metadata.mode() & 0o111 != 0, vocab::Digest::of(fs::read(path).unwrap()))
        };
        found.insert(path.strip_prefix(folder).unwrap().display().to_string(), what);
    }
    found
}

#[test]
fn k1_equal_inputs_give_equal_bytes_in_other_folders_with_other_settings() {
    let build = |own_parts: bool, change: &dyn Fn(&mut Command)| {
        let bench = rich_bench();
        bench.config(json!({ "packages": rich_packages("1.0"), "layout": "both" }));
        if own_parts {
            // Packed anew rather than taken from what another test packed.
            fs::remove_file(bench.path("store/parts")).unwrap();
        }
        let mut command = bench.command(&[PYTHON]);
        change(&mut command);
        let run = support::run(&mut command);
        assert_eq!(run.code, 0, "{}", run.told());
        let sidecar = fs::read_to_string(format!("{}.json", run.artifact().display())).unwrap();
        (run.manifest().artifact.unwrap().sha256, sidecar, snapshot(&bench.prefix()))
    };
    let one = build(true, &|command| {
        command.args(["--jobs", "1"]).env("TZ", "Pacific/Auckland").env("LC_ALL", "C");
    });
    let other_home = tempfile::tempdir().unwrap();
    let other = build(true, &|command| {
        let inner = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut outer = Command::new("/bin/sh");
        outer.args(["-c", "umask 077 && exec \"$@\"", "sh"]).arg(inner).args(arguments).args(["--jobs", "7"]);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer.env("HOME", other_home.path()).env("TZ", "America/Lima");
        outer.current_dir(command.get_current_dir().unwrap());
        *command = outer;
    });
    assert_eq!(one.2, other.2);
    assert_eq!(one.1, other.1);
    assert_eq!(one.0, other.0);
}

#[test]
fn a_second_build_changes_nothing_and_asks_nobody() {
    let bench = rich_bench();
    bench.packages(rich_packages("1.0"));
    assert!(bench.build().built());
    let state = || {
        let stamp = |path: &Path| {
            let metadata = fs::metadata(path).unwrap();
            (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        let run = bench.repository.at(&format!("dist/pydist-python-{PYTHON}-{}.tar.zst", artifact_platform()));
        let lock = bench.repository.at(&format!("python-{PYTHON}/lock.json"));
        (stamp(&bench.prefix()), stamp(&run), stamp(&lock), bench.requests().len())
    };
    let before = state();
    assert!(!bench.build().built());
    // In words, with neither uv, go nor Python at hand.
    let mut plain = support::builder(bench.repository.path(), &bench.path("store"));
    let empty = tempfile::tempdir().unwrap();
    let said = plain.arg(PYTHON).env("PATH", empty.path()).output().unwrap();
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    assert_says(&String::from_utf8_lossy(&said.stderr), &[&format!("3.14.6 for {} is up to date", host())]);
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim_end(), bench.prefix().to_str().unwrap());
    assert_eq!(state(), before);

    // What counts is what would be built: a copied file that changed is noticed.
    bench.repository.file(&format!("python-{PYTHON}/extra/__init__.py"), "x = 2\n");
    assert!(bench.build().built());
    assert_eq!(bench.python("import extra; print(extra.x)"), "2");
}

/// It was said of trees from which files had been deleted.
#[test]
fn up_to_date_is_said_only_of_a_tree_and_artifacts_that_are_as_they_were_built() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel("demo", "1.0")]);
    let first = bench.build();
    let artifact = first.artifact();
    let manifest = artifact.with_file_name(format!("{}.json", artifact.file_name().unwrap().to_str().unwrap()));
    let (tree, digest) = (snapshot(&bench.prefix()), vocab::Digest::of(fs::read(&artifact).unwrap()));
    let module = bench.site_packages().join("demo/__init__.py");
    let record = bench.repository.at(&format!("python-{PYTHON}/pydist/.{}.record.json", host()));
    // As an editor does: a new file takes the place of the old one, which the store shares.
    let replace = |path: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(path).unwrap();
        change(&mut bytes);
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    let launcher = bench.prefix().join("bin/python3");
    let cases: [(&str, &dyn Fn()); 10] = [
        ("`lib/python3.14/site-packages/demo/__init__.py` is missing", &|| fs::remove_file(&module).unwrap()),
        ("`lib/python3.14/site-packages/demo/__init__.py` was changed", &|| replace(&module, &flip)),
        ("`lib/python3.14/wsgiref/handlers.py` is missing", &|| {
            fs::remove_dir_all(bench.prefix().join("lib/python3.14/wsgiref")).unwrap();
        }),
        ("`lib/python3.14/site-packages/sneaky.pth` was added", &|| {
            fs::write(bench.site_packages().join("sneaky.pth"), "import os\n").unwrap();
        }),
        ("`bin/python3` leads elsewhere", &|| {
            fs::remove_file(&launcher).unwrap();
            std::os::unix::fs::symlink("/usr/bin/python3", &launcher).unwrap();
        }),
        ("`pydist.json` is missing", &|| fs::remove_file(bench.prefix().join("pydist.json")).unwrap()),
        (".tar.zst` was changed", &|| replace(&artifact, &flip)),
        (".tar.zst` is missing", &|| fs::remove_file(&artifact).unwrap()),
        (".tar.zst.json` was changed", &|| replace(&manifest, &|bytes| bytes.push(b'\n'))),
        ("nothing is recorded of what was put into", &|| fs::remove_file(&record).unwrap()),
    ];
    for (said, damage) in cases {
        damage();
        let again = bench.build();
        assert!(again.built(), "{said}: {}", again.told());
        assert_says(&again.told(), &[said, "; building it again"]);
        assert_eq!(snapshot(&bench.prefix()), tree, "{said}");
        assert_eq!(vocab::Digest::of(fs::read(&artifact).unwrap()), digest, "{said}");
        assert!(!bench.build().built(), "{said}: it is whole again");
    }

    // What Python writes by itself, and what a copy of the repository changes, is no damage.
    output(Command::new(&launcher).args(["-c", "import demo, json.tool"]).env_remove("PYTHONDONTWRITEBYTECODE"));
    assert!(bench.site_packages().join("demo/__pycache__").is_dir());
    for path in [&artifact, &manifest, &bench.prefix().join("pydist.json")] {
        fs::File::options().append(true).open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    for options in [&[][..], &["--locked"]] {
        assert!(!bench.build_with(options).built(), "{options:?}");
    }
    // Digests are compared where they are asked for: this file has its former size and time.
    let time = fs::metadata(&module).unwrap().modified().unwrap();
    replace(&module, &flip);
    fs::File::options().write(true).open(&module).unwrap().set_modified(time).unwrap();
    assert!(bench.build_with(&["--locked"]).built());
    assert_eq!(vocab::Digest::of(fs::read(&artifact).unwrap()), digest);
}

/// `linux-x86_64`.
fn artifact_platform() -> String {
    let key = host().as_str();
    key.replace("x64", "x86_64").replace("macosx", "macos")
}

#[test]
fn t10_a_test_run_makes_a_stub_without_network_and_python() {
    let bench = Bench::of(json!({ "dependencies": ["demo"] }), [wheel("demo", "1.0")]);
    let nothing = tempfile::tempdir().unwrap();
    let store = bench.path("another-store");
    let test_run = support::run(
        bench.command(&[PYTHON]).env("TEST_RUN", "true").env("PATH", nothing.path()).env("PYDIST_STORE", &store),
    );
    assert_eq!(test_run.code, 0, "{}", test_run.told());
    let ending = test_run.line("test-run").unwrap();
    let names: Vec<_> = fs::read_dir(bench.prefix()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["README.txt"]);
    let artifact = Path::new(ending["artifacts"][0].as_str().unwrap());
    let unpacked = bench.path("stub");
    archive::extract(artifact, &unpacked, &archive::ExtractOptions::default()).unwrap();
    assert_eq!(snapshot(&unpacked), snapshot(&bench.prefix()));
    assert_eq!(bench.requests(), Vec::<String>::new());
    assert!(!store.join("bases").exists());

    // Any other value is a normal build, and a stub is never taken for its result.
    let run = support::run(bench.command(&[PYTHON]).env("TEST_RUN", "1"));
    assert!(run.code == 0 && run.built(), "{}", run.told());
    assert!(bench.has("demo"));
}

#[test]
fn t11_a_build_that_fails_leaves_the_former_prefix_and_artifact_alone() {
    let stumble = SdistStumble::Fail { message: "the fixture gives up".into() };
    let bench = Bench::of(
        json!({ "dependencies": ["demo"] }),
        [
            wheel("demo", "1.0"),
            SdistBuilder::new("broken", "1.0").stumble(stumble).build(),
            WheelBuilder::new("parent", "1.0").requires("child").build(),
            wheel("child", "1.0"),
        ],
    );
    let good = bench.build();
    let dist = bench.repository.at("dist");
    let before = (snapshot(&bench.prefix()), snapshot(&dist), fs::metadata(bench.prefix()).unwrap().ino());
    let cases = [
        // (packages, options, exit code): in the middle of gathering, and after everything is laid out.
        (json!({ "dependencies": ["demo", "broken"] }), &[][..], 1),
        (
            json!({
                "dependencies": ["demo", "parent"], "skip": { "child": { host().as_str(): "not here" } },
            }),
            &["--strict"][..],
            3,
        ),
        (json!({ "dependencies": ["demo"], "copyFiles": [{ "from": "nothing-there", "to": "bin/" }] }), &[][..], 1),
    ];
    for (packages, options, code) in cases {
        bench.packages(packages);
        bench.fail(options, code);
        assert_eq!((snapshot(&bench.prefix()), snapshot(&dist)), (before.0.clone(), before.1.clone()));
        assert_eq!(fs::metadata(bench.prefix()).unwrap().ino(), before.2);
        let beside: Vec<_> = fs::read_dir(bench.prefix().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("staging"))
            .collect();
        assert_eq!(beside, Vec::<String>::new());
    }
    bench.packages(json!({ "dependencies": ["demo"] }));
    let again = bench.build();
    assert!(!again.built());
    assert_eq!(again.manifest(), good.manifest());
}

#[test]
fn a_killed_build_leaves_the_former_prefix_and_the_next_one_is_right() {
    let bench = rich_bench();
    bench.packages(rich_packages("0.0"));
    bench.build();
    let points = [
        // (event, step); killed as soon as it is told.
        ("step-finished", "choose the interpreter"),
        ("step-started", "resolve"),
        ("step-started", "fetch"),
        ("step-started", "build from source"),
        ("step-started", "unpack"),
        ("step-started", "lay out the interpreter"),
        ("step-started", "install"),
        ("step-started", "copy files"),
        ("step-started", "check imports"),
        ("step-started", "pack"),
        ("step-finished", "pack"),
    ];
    let mut kept = 0;
    for (number, (event, step)) in (1..).zip(points) {
        let former = snapshot(&bench.prefix());
        bench.packages(rich_packages(&format!("{number}.0")));
        assert!(kill_at(&bench, event, step), "the build came to `{step}`");
        let now = snapshot(&bench.prefix());
        if now == former {
            kept += 1;
        } else {
            // Killed after the exchange: then the new prefix stands there whole.
            assert_eq!(bench.python("import demo; print(demo.__version__)"), format!("{number}.0"), "after `{step}`");
        }
        let run = bench.build();
        assert_eq!(run.installed(), [format!("demo {number}.0"), "tool 1.0".to_owned()], "after `{step}`");
        assert_eq!(bench.python("import demo; print(demo.__version__)"), format!("{number}.0"));
        let finished = snapshot(&bench.prefix());
        assert!(now == former || now == finished, "after a kill at `{step}`");
        let unpacked = bench.unpacked(&run);
        assert_eq!(snapshot(&unpacked), finished, "after a kill at `{step}`");
        fs::remove_dir_all(unpacked).unwrap();
    }
    assert!(kept >= 8, "only {kept} of {} builds were killed before they were done", points.len());
    // Nothing of the killed builds is left, in the store either, once the next one has started.
    let left: Vec<_> = fs::read_dir(bench.path("store/tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.len() <= 1, "{left:?}");
}

/// Whether the event came; the builder is dead afterwards.
fn kill_at(bench: &Bench, event: &str, step: &str) -> bool {
    let mut child = bench.command(&[PYTHON]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let wanted = |line: &String| {
        let told: Value = serde_json::from_str(line).unwrap();
        told["event"] == event && told["step"] == step
    };
    let reached = lines.map_while(Result::ok).any(|line| wanted(&line));
    // On Unix this is SIGKILL: nothing of the builder runs after it.
    let _ = child.kill();
    child.wait().unwrap();
    reached
}

#[test]
fn t9_copied_files_arrive_with_their_modes_in_the_prefix_and_in_the_artifact() {
    let bench = Bench::new([]);
    let package = format!("python-{PYTHON}");
    bench.repository.file(&format!("{package}/tools/run"), "#!/bin/sh\necho it runs\n");
    bench.repository.file(&format!("{package}/tools/data.txt"), "data\n");
    bench.repository.file(&format!("{package}/modules/mine/__init__.py"), "answer = 42\n");
    bench.packages(json!({
        "copyFiles": [{ "from": "tools", "to": "bin/" }],
        "platformSpecific": {
            host().as_str(): { "copyFiles": [{ "from": "modules/", "to": "{site-packages}/" }] },
        },
    }));
    let run = bench.build();
    let copied: Vec<String> = run.manifest().copied_files.iter().map(|file| file.path.to_string()).collect();
    assert_eq!(bench.python("import mine; print(mine.answer)"), "42");
    let unpacked = bench.unpacked(&run);
    for root in [bench.prefix(), unpacked] {
        let tool = copied.iter().find(|path| path.ends_with("/run")).unwrap();
        assert!(tool.starts_with("bin/"), "{copied:?}");
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(tool) & 0o755, 0o755);
        assert_eq!(mode(&tool.replace("/run", "/data.txt")) & 0o111, 0);
        assert_eq!(mode(&format!("{SITE_PACKAGES}/mine/__init__.py")) & 0o111, 0);
        assert_eq!(output(&mut Command::new(root.join(tool))), "it runs");
    }
    assert_eq!(copied.len(), 3, "{copied:?}");
}

#[test]
fn both_layouts_give_a_wheelhouse_beside_what_is_installed() {
    let demo = wheel("demo", "1.0");
    let bench = Bench::new([demo.clone(), SdistBuilder::new("built", "1.0").build()]);
    bench.config(json!({ "packages": { "dependencies": ["demo", "built"] }, "layout": "both" }));
    let run = bench.build();
    assert!(bench.has("demo") && bench.has("built"));
    for root in [bench.prefix(), bench.unpacked(&run)] {
        assert_eq!(fs::read(root.join("packages").join(&demo.file_name)).unwrap(), demo.bytes);
        assert!(root.join("packages/built-1.0-py3-none-any.whl").is_file());
    }

    bench.config(json!({ "packages": { "dependencies": ["demo", "built"] }, "layout": "wheelhouse" }));
    bench.build();
    assert!(!bench.has("demo") && bench.prefix().join("packages").join(&demo.file_name).is_file());
}

/// What a block does with the archive that `publisher publish --layout platforma` puts into the registry.
#[test]
fn a_block_installs_from_the_wheelhouse_of_an_archive_that_was_unpacked_elsewhere() {
    let part = WheelBuilder::new("part", "2.0").file("part.py", "answer = 42\n").build();
    let demo =
        WheelBuilder::new("demo", "1.0").requires("part>=1").file("demo.py", "from part import answer\n").build();
    let bench = Bench::new([demo, part]);
    bench.config(json!({ "packages": { "dependencies": ["demo"] }, "layout": "wheelhouse" }));
    let run = bench.build();
    let manifest = run.manifest();
    let gzip =
        archive::PackOptions { format: vocab::ArtifactFormat::TarGz, level: 6, ..archive::PackOptions::default() };
    let folder = bench.path("elsewhere");
    let packed =
        archive::repack(&run.artifact(), manifest.artifact.as_ref().unwrap(), &folder, &gzip, &archive::NoCache);
    packed.unwrap().persist(&folder.join("archive.tgz")).unwrap();
    let root = folder.join("räume with blanks");
    fs::create_dir(&root).unwrap();
    // As others unpack it.
    output(Command::new("tar").arg("-xzf").arg(folder.join("archive.tgz")).arg("-C").arg(&root));

    let python = root.join("bin/python3");
    let environment = folder.join("env");
    let mut venv = Command::new(&python);
    venv.args(["-m", "venv"]);
    // Some sources of interpreters have no ensurepip; the runtime's own pip then does the same.
    let bare = manifest.base.absent.iter().any(|absent| absent == "ensurepip");
    if bare {
        venv.arg("--without-pip");
    }
    output(venv.arg(&environment));
    let mut pip = Command::new(if bare { python } else { environment.join("bin/python3") });
    pip.args(["-m", "pip"]);
    if bare {
        pip.arg("--python").arg(environment.join("bin/python3"));
    }
    output(pip.args(["install", "--quiet", "--no-index", "--find-links"]).arg(root.join("packages")).arg("demo"));
    let said = output(Command::new(environment.join("bin/python3")).args(["-c", "import demo; print(demo.answer)"]));
    assert_eq!(said.trim(), "42");
}

#[test]
fn the_summary_and_the_manifest_tell_every_rule_that_acted() {
    let platform = host();
    let bench = Bench::of(
        json!({
            "dependencies": ["demo", "forced", "nowhere", "skipped"],
            "skip": { "skipped": { platform.as_str(): "not needed" } },
            "forceSource": { "forced": { platform.as_str(): "the wheel is broken" } },
            "resolution": { "allowSourceAll": false, "strictMissing": false },
        }),
        [
            wheel("demo", "1.0"),
            wheel("forced", "1.0"),
            SdistBuilder::new("forced", "1.0").build(),
            SdistBuilder::new("nowhere", "1.0").build(),
            wheel("skipped", "1.0"),
        ],
    );
    let run = bench.build();
    let expected = [
        "forced forced: the wheel is broken",
        "left-out nowhere: no wheel fits, and its source is not allowed by the policy",
        "skipped skipped: not needed",
    ];
    assert_eq!(run.rules(), expected);
    let inner = fs::read(bench.prefix().join("pydist.json")).unwrap();
    assert_eq!(archive::read_manifest(&inner).unwrap().rules, run.manifest().rules);

    let said = support::builder(bench.repository.path(), &bench.path("store")).arg(PYTHON).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_says(
        &text,
        &[
            "forced         forced: the wheel is broken",
            "LEFT OUT       nowhere: ",
            "skipped        skipped: not needed",
        ],
    );
}

#[test]
fn three_versions_in_one_call_share_their_downloads() {
    let files = [wheel("demo", "1.0"), wheel("other", "1.0")];
    let bench = Bench::new(files.clone());
    let versions = [PYTHON.to_owned(), format!("{PYTHON}-one"), format!("{PYTHON}-two")];
    for version in &versions {
        bench.repository.version(version, &json!({ "packages": { "dependencies": ["demo", "other"] } }));
    }
    let arguments: Vec<&str> = versions.iter().map(String::as_str).collect();
    let run = bench.run(&arguments);
    assert_eq!(run.code, 0, "{}", run.told());
    for version in &versions {
        assert!(bench.prefix_of(version).join(SITE_PACKAGES).join("demo/__init__.py").is_file());
    }
    for file in &files {
        assert_eq!(builder_requests(bench.index(), &file.file_name), 1, "for {}", file.file_name);
    }
    let artifacts: Vec<_> = fs::read_dir(bench.repository.at("dist"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tar.zst"))
        .collect();
    assert_eq!(artifacts.len(), 3, "{artifacts:?}");
}

#[test]
fn one_version_that_fails_does_not_keep_the_others_from_being_built() {
    let bench = Bench::of(json!({ "dependencies": ["nowhere-to-be-had"] }), [wheel("demo", "1.0")]);
    let fine = format!("{PYTHON}-fine");
    bench.repository.version(&fine, &json!({ "packages": { "dependencies": ["demo"] } }));
    let run = bench.run(&["all"]);
    assert_eq!(run.code, 1, "{}", run.told());
    assert_says(&run.error().to_string(), &["nowhere-to-be-had"]);
    assert!(!bench.prefix().exists());
    assert!(bench.prefix_of(&fine).join(SITE_PACKAGES).join("demo/__init__.py").is_file());
}

#[test]
fn a_console_script_runs_after_its_prefix_has_moved() {
    let bench = rich_bench();
    bench.packages(rich_packages("1.0"));
    let run = bench.build();
    let unpacked = bench.unpacked(&run);
    for (number, root) in [bench.prefix(), unpacked].into_iter().enumerate() {
        let place = bench.path(&format!("moved {number}, café 移動"));
        fs::rename(&root, &place).unwrap();
        assert_eq!(output(&mut Command::new(place.join("bin/tool"))), "the tool runs");
        assert_eq!(output(&mut Command::new(place.join("bin/run.sh"))), "run");
        // Through a link elsewhere, as people put them on PATH.
        let link = bench.path(&format!("link-{number}"));
        std::os::unix::fs::symlink(place.join("bin/tool"), &link).unwrap();
        assert_eq!(output(&mut Command::new(&link)), "the tool runs");
    }
}

/// case field-top-level-tests
#[test]
fn what_nothing_needs_is_a_warning_in_the_manifest_and_with_strict_a_failure() {
    let htl = WheelBuilder::new("htl", "1.0")
        .file("htl/__init__.py", "x = 1\n")
        .file("tests/__init__.py", "import pytest\n")
        .file("htl-1.0.dist-info/top_level.txt", "htl\ntests\n")
        .build();
    let bench = Bench::of(json!({ "dependencies": ["htl"] }), [htl]);
    let run = bench.build();
    let warnings = run.manifest().native.warnings;
    let told: Vec<(&str, bool)> =
        warnings.iter().map(|it| (it.subject.as_str(), it.text.contains("missing dependency: pytest"))).collect();
    assert_eq!(told, [("tests", true)], "{}", run.told());
    assert!(
        run.told().contains("W_NATIVE") && run.told().contains("nothing that was imported loads it"),
        "{}",
        run.told()
    );
    let inner = fs::read_to_string(bench.prefix().join("pydist.json")).unwrap();
    assert!(!inner.contains("warnings"), "the prefix does not tell what depends on the machine");
    bench.config(json!({ "packages": { "dependencies": ["htl"] }, "layout": "both" }));
    assert_eq!(bench.fail(&["--strict"], 3).error()["code"], "E_IMPORTS");
}

/// lightgbm without libgomp
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_library_that_python_code_opens_and_that_lacks_another_fails_with_one_text_for_both_checks() {
    let needed = &["libgomp-of-nobody.so.1"];
    let library = ElfFile { machine: X86_64, needed, defines: &["LGBM_GetLastError"], ..ElfFile::default() }.bytes();
    let opens = "import ctypes, os\nctypes.CDLL(os.path.join(os.path.dirname(__file__), 'lib_gbm.so'))\n";
    let wheel = |code: &str| {
        WheelBuilder::new("gbm", "1.0")
            .tag("py3-none-manylinux_2_17_x86_64")
            .file("gbm/__init__.py", code)
            .file("gbm/lib_gbm.so", library.clone())
            .build()
    };
    let run = Bench::of(json!({ "dependencies": ["gbm"] }), [wheel(opens)]).fail(&[], 1);
    let (text, hint) = (run.error()["message"].to_string(), run.error()["hint"].to_string());
    assert_eq!(run.error()["code"], "E_NATIVE_FILES", "{}", run.told());
    assert_says(
        &text,
        &["gbm/lib_gbm.so` needs libgomp-of-nobody.so.1", "1 failure in the import check", "`gbm` does not"],
    );
    assert_says(&hint, &["copyFiles", "checker/whitelists", "libgomp-of-nobody.so.1"]);
    // Its import passes without the library.
    let run = Bench::of(json!({ "dependencies": ["gbm"] }), [wheel("x = 1\n")]).build();
    assert_eq!(run.manifest().native.warnings.len(), 1, "{}", run.told());
}

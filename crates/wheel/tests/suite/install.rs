//! Wheels laid out in a prefix.

#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use proptest::prelude::*;
use serde_json::json;
use store::Scrutiny;
use testkit::{FixtureFile, WheelBuilder, files_below, told};
use vocab::{Digest, Fault, TreePath};
use wheel::{InstallDestination, InstallRequest, InstalledAll, WheelToInstall, install, install_all};

use testkit::store_bench::StoreBench;
use testkit::wheel_bench::{LINUX, WINDOWS, destination, launchers};

const SITE: &str = "lib/python3.12/site-packages";

fn tools() -> FixtureFile {
    WheelBuilder::new("my-tools", "1.0")
        .tag("cp312-cp312-linux_x86_64.win_amd64")
        .file("my_tools/__init__.py", "import sys\ndef main(): print(sys.executable, *sys.argv[1:])\n")
        .file("{data}/purelib/pure.py", "pure\n")
        .file("{data}/platlib/plat.py", "plat\n")
        .file("{data}/headers/tools.h", "/* */\n")
        .file("{data}/data/share/doc/tools.txt", "doc\n")
        .executable("{data}/scripts/native", *b"\x7fELF")
        .file("{data}/scripts/plain", "#!python -u\nimport sys\nprint('plain', *sys.argv[1:])\n")
        .file("{data}/scripts/shell.sh", "#!/bin/sh\necho shell\n")
        .console_script("tool", "my_tools:main [extra]")
        .entry_point("gui_scripts", "window", "my_tools:main")
        .build()
}

#[test]
fn every_file_goes_where_its_scheme_says() {
    let bench = StoreBench::new();
    let linux = bench.path("linux");
    bench.install(&[tools()], &linux, LINUX);
    let below_site = |path: &str| format!("{SITE}/{path}");
    let mut expected: Vec<String> =
        ["bin/native", "bin/plain", "bin/shell.sh", "bin/tool", "bin/window"].map(str::to_owned).into();
    expected.push("include/python3.12/my-tools/tools.h".into());
    let dist_info = ["INSTALLER", "METADATA", "RECORD", "REQUESTED", "WHEEL", "entry_points.txt"];
    expected.extend(dist_info.map(|name| below_site(&format!("my_tools-1.0.dist-info/{name}"))));
    expected.extend(["my_tools/__init__.py", "plat.py", "pure.py"].map(below_site));
    expected.push("share/doc/tools.txt".into());
    assert_eq!(files_below(&linux), expected);

    let windows = bench.path("windows");
    let installed = bench.install(&[tools()], &windows, WINDOWS).distributions.remove(0);
    let scripts: Vec<&str> = installed.scripts.iter().map(vocab::TreePath::as_str).collect();
    let expected = ["native", "plain.exe", "shell.sh", "tool.exe", "window.exe"].map(|name| format!("Scripts/{name}"));
    assert_eq!(scripts, expected);
    assert!(windows.join("Lib/site-packages/pure.py").is_file());
    for (name, start) in [
        ("plain", "MZ console\n#!<launcher_dir>\\..\\python.exe\nPK"),
        ("window", "MZ gui\n#!<launcher_dir>\\..\\pythonw.exe\nPK"),
    ] {
        for folder in ["Scripts", "bin"] {
            let program = fs::read(windows.join(format!("{folder}/{name}.exe"))).unwrap();
            assert!(program.starts_with(start.as_bytes()), "for {name} in {folder}");
        }
    }
    let record = fs::read_to_string(windows.join("Lib/site-packages/my_tools-1.0.dist-info/RECORD")).unwrap();
    assert!(record.contains("\n../../Scripts/tool.exe,sha256=") && !record.contains('\\'), "{record}");
}

#[cfg(unix)]
#[test]
fn t9_scripts_have_mode_0755_and_what_is_linked_cannot_be_written() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let bench = StoreBench::new();
    let prefix = bench.path("prefix");
    let all = bench.install(&[tools()], &prefix, LINUX);
    for name in ["native", "plain", "shell.sh", "tool"] {
        let metadata = fs::metadata(prefix.join("bin").join(name)).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.nlink()), (0o755, 1), "for {name}");
    }
    let metadata = fs::metadata(prefix.join(SITE).join("pure.py")).unwrap();
    if all.method == wheel::LinkMethod::HardLink {
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.nlink()), (0o444, 2));
    }
}

/// The oldest Python that pydist serves, where pyenv has it, else any of this machine.
#[cfg(unix)]
fn old_python() -> std::path::PathBuf {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(std::path::PathBuf::from).or(home).unwrap_or_default();
    let installed = fs::read_dir(root.join("versions")).into_iter().flatten().flatten();
    let old = installed.filter(|entry| entry.file_name().to_string_lossy().starts_with("3.8."));
    old.map(|entry| entry.path().join("bin/python3")).find(|python| python.exists()).unwrap_or_else(|| "python3".into())
}

/// A Python of this machine, standing as `bin/python3.12` in the prefix.
#[cfg(unix)]
fn with_interpreter(prefix: &Path) {
    let python = Command::new(old_python()).args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    fs::write(
        prefix.join("bin/python3.12"),
        format!("#!/bin/sh\nPYTHONPATH=\"${{0%/*}}/../{SITE}\" exec {} \"$@\"\n", python.trim()),
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(prefix.join("bin/python3.12"), mode).unwrap();
}

#[cfg(unix)]
#[test]
fn t12_scripts_run_from_a_moved_prefix_with_spaces_and_umlauts_and_through_links() {
    let bench = StoreBench::new();
    let built = bench.path("built");
    bench.install(&[tools()], &built, LINUX);
    with_interpreter(&built);
    let moved = bench.path("Meine Läufe 漢字 $HOME 'x'");
    fs::rename(&built, &moved).unwrap();
    let outside = bench.path("links here");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(moved.join("bin/tool"), outside.join("absolute")).unwrap();
    std::os::unix::fs::symlink("absolute", outside.join("chained")).unwrap();
    let run = |program: &Path, folder: &Path| {
        let output = Command::new(program).args(["a b", "ü"]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for program in [moved.join("bin/tool"), moved.join("bin/window"), outside.join("absolute"), outside.join("chained")]
    {
        assert!(run(&program, Path::new("/")).ends_with(" a b ü\n"), "for {program:?}");
    }
    assert_eq!(run(&moved.join("bin/plain"), Path::new("/")), "plain a b ü\n");
    // Relative, and without any folder in its name.
    assert!(run(Path::new("./tool"), &moved.join("bin")).ends_with(" a b ü\n"));
    let by_name = Command::new("sh").args(["tool", "x"]).current_dir(moved.join("bin")).output().unwrap();
    assert!(by_name.status.success());
}

/// What pip and importlib.metadata do with a RECORD: every row's file has that digest and size.
fn record_is_right(prefix: &Path, site: &str, dist_info: &str) -> usize {
    let text = fs::read_to_string(prefix.join(site).join(dist_info).join("RECORD")).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows.is_sorted());
    for row in &rows {
        let mut fields = row.rsplitn(3, ',');
        let (size, digest, path) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let content = fs::read(prefix.join(site).join(path.trim_matches('"').replace("\"\"", "\""))).unwrap();
        if path.ends_with("/RECORD") {
            assert_eq!((size, digest), ("", ""));
            continue;
        }
        use base64::Engine as _;
        let expected = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Digest::of(&content).as_bytes());
        assert_eq!(
            (digest, size),
            (format!("sha256={expected}").as_str(), content.len().to_string().as_str()),
            "{path}"
        );
    }
    rows.len()
}

#[test]
fn the_record_lists_every_file_with_its_digest() {
    let bench = StoreBench::new();
    for (name, layout, site) in [("l", LINUX, SITE), ("w", WINDOWS, "Lib/site-packages")] {
        let prefix = bench.path(name);
        let all = bench.install(&[tools()], &prefix, layout);
        let rows = record_is_right(&prefix, site, "my_tools-1.0.dist-info");
        // What stands in `bin` for `Scripts` is no installer's.
        let is_stand_in = |path: &TreePath| layout == WINDOWS && path.starts_with(&layout.bin());
        let stand_ins = all.distributions[0].files.iter().filter(|it| is_stand_in(&it.path)).count();
        assert_eq!(stand_ins, if layout == WINDOWS { 4 } else { 0 });
        assert_eq!(rows + stand_ins, files_below(&prefix).len());
        assert_eq!(rows + stand_ins, all.distributions[0].files.len());
    }
}

#[test]
fn requested_and_direct_url_are_written_when_they_apply() {
    let bench = StoreBench::new();
    let wheel = bench.unpack(&tools()).unwrap();
    let url = json!({"url": "https://host.example/x.git", "vcs_info": {"vcs": "git", "commit_id": "0"}});
    let request = InstallRequest { direct_url: Some(url.clone()), ..InstallRequest::new(false) };
    install(&bench.context, &wheel, &destination(&bench.path("p"), LINUX), request).unwrap();
    let dist_info = bench.path("p").join(SITE).join("my_tools-1.0.dist-info");
    assert_eq!(fs::read_to_string(dist_info.join("INSTALLER")).unwrap(), "pydist\n");
    assert!(!dist_info.join("REQUESTED").exists());
    let written: serde_json::Value =
        serde_json::from_slice(&fs::read(dist_info.join("direct_url.json")).unwrap()).unwrap();
    assert_eq!(written, url);
    record_is_right(&bench.path("p"), SITE, "my_tools-1.0.dist-info");
}

#[test]
fn a_clash_has_one_winner_whatever_the_threads_and_the_order() {
    let wheel = |name: &str, content: &str| {
        let files = (0..40).fold(WheelBuilder::new(name, "1.0"), |wheel, index| {
            wheel.file(&format!("shared/{index}.py"), format!("{content}{index}"))
        });
        files.file("shared/same.py", "equal").file(&format!("{name}.py"), name).build()
    };
    let (one, other) = (wheel("aa", "a"), wheel("bb", "b"));
    let mut results = Vec::new();
    for (jobs, swapped) in [(1, false), (8, false), (8, true)] {
        let mut bench = StoreBench::new();
        bench.context.work.jobs = jobs;
        let (one, other) = (bench.unpack(&one).unwrap(), bench.unpack(&other).unwrap());
        let mut wheels = [
            WheelToInstall { wheel: &one, request: InstallRequest::new(false) },
            WheelToInstall { wheel: &other, request: InstallRequest::new(true) },
        ];
        if swapped {
            wheels.reverse();
        }
        let all = install_all(&bench.context, &wheels, &destination(&bench.path("p"), LINUX)).unwrap();
        assert_eq!(all.clashes.len(), 40);
        assert!(all.clashes.iter().all(|clash| clash.kept.as_str() == "bb" && clash.dropped.as_str() == "aa"));
        // 1 own, 1 shared with equal content, METADATA, WHEEL, INSTALLER, RECORD.
        assert_eq!(record_is_right(&bench.path("p"), SITE, "aa-1.0.dist-info"), 6);
        record_is_right(&bench.path("p"), SITE, "bb-1.0.dist-info");
        let files = files_below(&bench.path("p"));
        let tree: BTreeMap<String, Digest> = files
            .into_iter()
            .map(|path| (path.clone(), Digest::of(fs::read(bench.path("p").join(&path)).unwrap())))
            .collect();
        results.push(tree);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn an_older_version_in_the_prefix_makes_room() {
    let bench = StoreBench::new();
    let prefix = bench.path("p");
    let old = WheelBuilder::new("demo", "1.0")
        .file("demo/old.py", "")
        .file("demo/both.py", "1")
        .console_script("demo", "demo.old:x");
    bench.install(&[old.build()], &prefix, LINUX);
    // What running it leaves behind, and a file that belongs to nobody.
    fs::create_dir(prefix.join(SITE).join("demo/__pycache__")).unwrap();
    fs::write(prefix.join(SITE).join("demo/__pycache__/old.cpython-312.pyc"), "").unwrap();
    fs::write(prefix.join(SITE).join("pth.pth"), "before").unwrap();
    let new = WheelBuilder::new("demo", "2.0").file("demo/both.py", "2").file("pth.pth", "after").build();
    let all = bench.install(&[new], &prefix, LINUX);
    assert_eq!(all.removed.iter().map(vocab::DistributionName::as_str).collect::<Vec<_>>(), ["demo"]);
    assert_eq!(all.replaced.iter().map(vocab::TreePath::as_str).collect::<Vec<_>>(), [format!("{SITE}/pth.pth")]);
    let files = files_below(&prefix);
    assert!(
        files.iter().all(|path| !path.contains("old") && !path.contains("demo-1.0") && !path.starts_with("bin")),
        "{files:?}"
    );
    assert_eq!(fs::read_to_string(prefix.join(SITE).join("demo/both.py")).unwrap(), "2");
}

#[test]
fn what_a_platform_cannot_hold_or_a_wheel_may_not_touch_is_refused() {
    let refused = |wheel: WheelBuilder, layout| {
        let bench = StoreBench::new();
        let unpacked = match bench.unpack(&wheel.build()) {
            Ok(unpacked) => unpacked,
            Err(error) => return (error.exit().code(), told(&error)),
        };
        let error =
            install(&bench.context, &unpacked, &destination(&bench.path("p"), layout), InstallRequest::new(true))
                .unwrap_err();
        (error.exit().code(), told(&error))
    };
    let demo = || WheelBuilder::new("demo", "1.0");
    let cases = [
        (
            demo().file("demo/aux.py", ""),
            WINDOWS,
            (4, "its file `Lib/site-packages/demo/aux.py` is refused: its name belongs to a device on Windows"),
        ),
        (
            demo().file("{data}/data/bin/python3.12", ""),
            LINUX,
            (4, "its file `bin/python3.12` would take the place of the interpreter"),
        ),
        (
            demo().console_script("demo", "demo:x"),
            WINDOWS,
            (1, "its script `demo.exe` needs a launcher for Windows, and there is none"),
        ),
        (
            demo().file("{data}/odd/x", ""),
            LINUX,
            (4, "its file `demo-1.0.data/odd/x` is refused: its .data folder is none that wheels have"),
        ),
        (
            demo().file("x.py", "1").file("{data}/purelib/x.py", "2"),
            LINUX,
            (1, "it has `lib/python3.12/site-packages/x.py` twice, with different content"),
        ),
    ];
    let (_, text) = refused(demo().tag("cp312-cp312-win_amd64"), LINUX);
    let expected = "cannot install `demo-1.0-cp312-cp312-win_amd64.whl`: it is not for linux-x64";
    assert_eq!(text, expected);
    for (wheel, layout, (code, text)) in cases {
        let prefix = "cannot install `demo-1.0-py3-none-any.whl`: ";
        let mut expected = format!("{prefix}{text}");
        if cfg!(windows) && text.contains("aux.py") {
            // The store lies on Windows, too.
            expected =
                "cannot unpack the wheel `demo-1.0-py3-none-any.whl`: its entry `demo/aux.py` is refused: its name \
                        belongs to a device on Windows"
                    .into();
        }
        assert_eq!(refused(wheel, layout), (code, expected));
    }
}

/// What the base interpreter of these tests brought. The files need not be there.
fn base(paths: &[&str]) -> BTreeSet<TreePath> {
    paths.iter().map(|path| path.parse().unwrap()).collect()
}

fn installed_over(
    base: &BTreeSet<TreePath>,
    wheel: WheelBuilder,
    layout: vocab::TreeLayout,
) -> Result<InstalledAll, (u8, String)> {
    let bench = StoreBench::new();
    let (unpacked, prefix, launchers) = (bench.unpack(&wheel.build()).unwrap(), bench.path("p"), launchers());
    let wheels = [WheelToInstall { wheel: &unpacked, request: InstallRequest::new(true) }];
    let destination = InstallDestination { base, launchers: Some(&launchers), ..destination(&prefix, layout) };
    install_all(&bench.context, &wheels, &destination).map_err(|error| {
        assert_eq!(error.code(), "E_INSTALL");
        (error.exit().code(), told(&error))
    })
}

#[test]
fn case_field_entry_point_named_python_is_refused_by_whatever_name() {
    let demo = || WheelBuilder::new("hpy", "1.0");
    let cases = [
        (demo().console_script("python", "hpy:main"), LINUX, "bin/python"),
        (demo().console_script("python3", "hpy:main"), LINUX, "bin/python3"),
        (demo().console_script("python3.12", "hpy:main"), LINUX, "bin/python3.12"),
        (demo().console_script("Python", "hpy:main"), WINDOWS, "Scripts/Python.exe"),
        (demo().console_script("python.exe", "hpy:main"), WINDOWS, "Scripts/python.exe.exe"),
        (demo().console_script("python.py", "hpy:main"), WINDOWS, "Scripts/python.exe"),
        (demo().entry_point("gui_scripts", "pythonw", "hpy:main"), WINDOWS, "Scripts/pythonw.exe"),
        (demo().file("{data}/scripts/python3", "#!python\n"), LINUX, "bin/python3"),
        (demo().file("{data}/data/pyvenv.cfg", "home = /tmp\n"), LINUX, "pyvenv.cfg"),
    ];
    for (wheel, layout, path) in cases {
        let expected = format!(
            "cannot install `hpy-1.0-py3-none-any.whl`: its file `{path}` would take the place of the interpreter"
        );
        assert_eq!(installed_over(&BTreeSet::new(), wheel, layout).unwrap_err(), (4, expected));
    }
}

#[test]
fn case_field_wheel_over_the_standard_library_is_refused_and_names_the_owner() {
    let base = base(&["lib/python3.12/json/__init__.py", "lib/python3.12/os.py", "bin/pydoc3"]);
    let over = |wheel: WheelBuilder| installed_over(&base, wheel, LINUX).unwrap_err();
    let demo = || WheelBuilder::new("hover", "1.0");
    let (code, text) = over(demo().file("{data}/data/lib/python3.12/json/__init__.py", "raise SystemExit\n"));
    let said = "its file `lib/python3.12/json/__init__.py` would replace a file of the interpreter";
    assert!(code == 4 && text == format!("cannot install `hover-1.0-py3-none-any.whl`: {said}"), "{text}");
    for (path, said) in [
        ("{data}/data/lib/python3.12/os.abi3.so", "would stand among or before the modules of the interpreter"),
        ("{data}/scripts/pydoc3", "would replace a file of the interpreter"),
        ("{data}/data/lib/python3.12/os.py/x", "would stand among or before the modules of the interpreter"),
        ("{data}/data/lib/python3.12", "would be a file where there is a folder of the interpreter"),
    ] {
        let (_, text) = over(demo().file(path, "x"));
        assert!(text.ends_with(said), "{path}: {text}");
    }
}

#[test]
fn pip_is_replaced_by_pip_alone() {
    let bench = StoreBench::new();
    let prefix = bench.path("p");
    let pip = |version: &str| {
        WheelBuilder::new("pip", version).file("pip/__init__.py", version).console_script("pip", "pip:main").build()
    };
    bench.install(&[pip("1.0")], &prefix, LINUX);
    let base: BTreeSet<TreePath> = files_below(&prefix).iter().map(|path| path.parse().unwrap()).collect();
    let install = |wheel: &FixtureFile| {
        let unpacked = bench.unpack(wheel).unwrap();
        let wheels = [WheelToInstall { wheel: &unpacked, request: InstallRequest::new(true) }];
        install_all(&bench.context, &wheels, &InstallDestination { base: &base, ..destination(&prefix, LINUX) })
    };
    for path in ["pip/__init__.py", "pip/new.py", "{data}/scripts/pip"] {
        let error = install(&WheelBuilder::new("hover", "1.0").file(path, "x").build()).unwrap_err();
        assert!(told(&error).ends_with("`pip`, which came with the interpreter"), "{path}: {}", told(&error));
    }
    assert_eq!(install(&pip("2.0")).unwrap().removed.len(), 1);
    assert_eq!(fs::read_to_string(prefix.join(SITE).join("pip/__init__.py")).unwrap(), "2.0");
}

#[test]
fn a_c_runtime_of_the_interpreters_own_stays_and_is_in_no_record() {
    let runtime = WheelBuilder::new("msvc-runtime", "14.0")
        .file("{data}/data/vcruntime140.dll", "theirs")
        .file("{data}/data/msvcp140.dll", "theirs");
    let all = installed_over(&base(&["vcruntime140.dll", "bin/vcruntime140.dll"]), runtime, WINDOWS).unwrap();
    let kept: Vec<_> = all.kept.iter().map(|(path, name)| format!("{path} {name}")).collect();
    assert_eq!(kept, ["vcruntime140.dll msvc-runtime"]);
    let files = all.distributions[0].files.iter().map(|file| file.path.as_str());
    let libraries: Vec<&str> = files.filter(|path| path.ends_with(".dll")).collect();
    assert_eq!(libraries, ["bin/msvcp140.dll", "msvcp140.dll"], "the interpreter in bin finds it, too");
}

#[test]
fn attack_8_a_wheel_describes_no_other_distribution() {
    for path in [
        "{data}/purelib/other-1.0.dist-info/METADATA",
        "{data}/platlib/Other-1.0.DIST-INFO/METADATA",
        "{data}/data/lib/python3.12/site-packages/other-1.0.dist-info/METADATA",
        "other.egg-info/PKG-INFO",
    ] {
        let (code, text) =
            installed_over(&BTreeSet::new(), WheelBuilder::new("demo", "1.0").file(path, ""), LINUX).unwrap_err();
        assert!(code == 4 && text.ends_with("describes another distribution"), "{path}: {text}");
    }
    let own = WheelBuilder::new("demo", "1.0")
        .file("demo-1.0.egg-info/PKG-INFO", "")
        .file("{data}/purelib/{dist-info}/RECORD", "x");
    installed_over(&BTreeSet::new(), own, LINUX).unwrap();
}

#[test]
fn case_field_exe_endings_scripts_are_named_alike_wherever_they_come_from() {
    let wheel = WheelBuilder::new("hext", "1.0")
        .file("{data}/scripts/tool2.py", "#!python\nprint(2)\n")
        .file("{data}/scripts/tool3.pyw", "#!pythonw\nprint(2)\n")
        .console_script("tool.py", "hext:m")
        .console_script("other.exe", "hext:m")
        .console_script("twice", "hext:m")
        .console_script("twice.py", "hext:n");
    let windows = installed_over(&BTreeSet::new(), wheel.clone(), WINDOWS).unwrap();
    let scripts: Vec<&str> = windows.distributions[0].scripts.iter().map(TreePath::as_str).collect();
    let expected = ["other.exe.exe", "tool.exe", "tool2.exe", "tool3.exe", "twice.exe"];
    assert_eq!(scripts, expected.map(|name| format!("Scripts/{name}")));
    let remarks: Vec<&str> = windows.remarks.iter().map(|(_, remark)| remark.text.as_str()).collect();
    assert_eq!(
        remarks,
        [
            "its script `other.exe` becomes `Scripts/other.exe.exe` on Windows",
            "its script `twice.py` is left out: `twice` also becomes `Scripts/twice.exe`",
        ]
    );
    let linux = installed_over(&BTreeSet::new(), wheel, LINUX).unwrap();
    assert!(linux.remarks.is_empty() && linux.distributions[0].scripts.len() == 6);
}

/// Two scripts that become one file: which of them is made is told.
#[test]
fn scripts_of_one_wheel_that_become_one_program_are_told() {
    let wheel = WheelBuilder::new("htwo", "1.0")
        .file("{data}/scripts/tool", "#!python\nprint(1)\n")
        .file("{data}/scripts/tool.py", "#!python\nprint(2)\n")
        .file("{data}/scripts/black.py", "#!python\nprint(3)\n")
        .file("{data}/scripts/same", "#!python\nprint(4)\n")
        .console_script("black", "htwo:main")
        .console_script("same", "htwo:main");
    let windows = installed_over(&BTreeSet::new(), wheel.clone(), WINDOWS).unwrap();
    let remarks = |all: &InstalledAll| all.remarks.iter().map(|(_, remark)| remark.text.clone()).collect::<Vec<_>>();
    assert_eq!(
        remarks(&windows),
        [
            "its script `tool.py` is left out: `tool` also becomes `Scripts/tool.exe`",
            "its script file `black.py` is left out: the entry point `black` also becomes `Scripts/black.exe`",
            "its script file `same` is left out: the entry point `same` also becomes `Scripts/same.exe`",
        ]
    );
    let linux = installed_over(&BTreeSet::new(), wheel, LINUX).unwrap();
    let expected = ["its script file `same` is left out: the entry point `same` also becomes `bin/same`"];
    assert_eq!(remarks(&linux), expected);
}

#[test]
fn scripts_of_two_wheels_that_become_one_program_clash() {
    let bench = StoreBench::new();
    let script = |name: &str, file: &str| {
        WheelBuilder::new(name, "1.0").file(&format!("{{data}}/scripts/{file}"), format!("#!python\nprint('{name}')\n"))
    };
    let wheels = [script("aa", "tool.py").build(), script("bb", "tool").build()];
    let all = bench.install(&wheels, &bench.path("p"), WINDOWS);
    let clashes: Vec<_> =
        all.clashes.iter().map(|it| (it.path.as_str(), it.kept.as_str(), it.dropped.as_str())).collect();
    assert_eq!(clashes, [("Scripts/tool.exe", "aa", "bb")]);
}

/// `bin` alone on PATH gives every script, whatever starts it.
#[test]
fn on_windows_bin_has_a_forwarder_for_scripts_that_are_no_programs() {
    let wheel = WheelBuilder::new("demo", "1.0")
        .file("{data}/scripts/power.ps1", "exit 3\r\n")
        .file("{data}/scripts/sub/old.py", "#!/usr/bin/env python\nprint('old')\n")
        .file("{data}/scripts/shell", "#!/bin/sh\necho shell\n")
        .file("{data}/scripts/data", "no script\n")
        .file("{data}/scripts/table.json", "{}\n")
        .build();
    let bench = StoreBench::new();
    let prefix = bench.path("p");
    let installed = bench.install(&[wheel], &prefix, WINDOWS).distributions.remove(0);
    let files = installed.files.iter().map(|file| file.path.as_str());
    let in_bin: Vec<&str> = files.filter(|path| path.starts_with("bin/")).collect();
    assert_eq!(in_bin, ["bin/power.ps1", "bin/shell", "bin/sub/old.py"]);
    let record = fs::read_to_string(prefix.join("Lib/site-packages/demo-1.0.dist-info/RECORD")).unwrap();
    assert!(!record.contains("../../bin/"), "{record}");
}

#[cfg(unix)]
#[test]
fn forwarders_of_scripts_run_their_namesakes() {
    use std::os::unix::fs::PermissionsExt as _;
    let wheel = WheelBuilder::new("demo", "1.0")
        .file("{data}/scripts/sub/old.py", "#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:], sys.path[0])\n")
        .file("{data}/scripts/shell", "#!/bin/sh\necho \"$0\" \"$@\"; exit 3\n")
        .build();
    let bench = StoreBench::new();
    let prefix = bench.path("p");
    bench.install(&[wheel], &prefix, WINDOWS);
    let told = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let python = which::which("python3").expect("these tests need a `python3` on PATH");
    let (code, text) = told(Command::new(python).arg(prefix.join("bin/sub/old.py")).arg("a b"));
    let folder = prefix.canonicalize().unwrap().join("Scripts/sub");
    assert_eq!(code, Some(0));
    assert!(
        text.starts_with("['a b'] ") && text.trim_end().ends_with("Scripts/sub"),
        "{text} for {}",
        folder.display()
    );
    for file in ["bin/shell", "Scripts/shell"] {
        fs::set_permissions(prefix.join(file), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (code, text) = told(Command::new("sh").arg(prefix.join("bin/shell")).arg("a b"));
    assert_eq!(code, Some(3));
    assert!(text.trim_end().ends_with("bin/../Scripts/shell a b"), "{text}");
}

#[cfg(unix)]
#[test]
fn case_field_slash_in_script_name_the_script_of_a_folder_finds_its_interpreter() {
    let bench = StoreBench::new();
    let wheel = WheelBuilder::new("hsl", "1.0")
        .file("hsl.py", "import sys\ndef main(): print('hsl', *sys.argv[1:])\n")
        .file("{data}/scripts/deep/er/plain", "#!python\nprint('plain')\n")
        .console_script("sub/cmd", "hsl:main")
        .console_script("hsl", "hsl:main")
        .build();
    let linux = bench.path("linux");
    bench.install(std::slice::from_ref(&wheel), &linux, LINUX);
    with_interpreter(&linux);
    for (script, expected) in [("hsl", "hsl x\n"), ("sub/cmd", "hsl x\n"), ("deep/er/plain", "plain\n")] {
        let output = Command::new(linux.join("bin").join(script)).arg("x").output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "for {script}: {told}");
    }
    let windows = bench.path("windows");
    bench.install(&[wheel], &windows, WINDOWS);
    for folder in ["Scripts", "bin"] {
        let program = fs::read(windows.join(folder).join("sub/cmd.exe")).unwrap();
        assert!(program.starts_with(b"MZ console\n#!<launcher_dir>\\..\\..\\python.exe\nPK"), "in {folder}");
    }
}

#[test]
fn on_windows_bin_has_a_forwarder_for_each_program_of_scripts_which_no_record_lists() {
    let wheel = |version: &str| {
        WheelBuilder::new("demo", version)
            .file("{data}/scripts/native.exe", version)
            .file("{data}/scripts/batch.cmd", version)
            .file("{data}/data/bin/own.exe", "own")
            .console_script("demo", "demo:main")
            .console_script("own", "demo:main")
            .build()
    };
    let bench = StoreBench::new();
    let prefix = bench.path("p");
    let installed = bench.install(&[wheel("1.0")], &prefix, WINDOWS).distributions.remove(0);
    let read = |path: &str| fs::read(prefix.join(path)).unwrap();
    let forwarder = read("bin/demo.exe");
    assert_eq!(read("bin/native.exe"), forwarder, "the same under every name, and for what is no script");
    assert_ne!(read("Scripts/demo.exe"), forwarder);
    assert_eq!(read("bin/batch.cmd"), b"@\"%~dp0..\\Scripts\\%~nx0\" %*\r\n");
    assert_eq!(read("bin/own.exe"), b"own", "what a wheel has there itself comes first");
    let record = String::from_utf8(read("Lib/site-packages/demo-1.0.dist-info/RECORD")).unwrap();
    let in_bin = |text: &str| text.lines().filter(|line| line.starts_with("../../bin/")).count();
    assert!(record.contains("../../Scripts/native.exe,") && in_bin(&record) == 1, "{record}");
    let files = installed.files.iter().map(|file| file.path.as_str());
    let owned: Vec<&str> = files.filter(|path| path.starts_with("bin/")).collect();
    assert_eq!(
        owned,
        ["bin/batch.cmd", "bin/demo.exe", "bin/native.exe", "bin/own.exe"],
        "they are its own all the same"
    );
    assert!(installed.scripts.iter().all(|script| script.as_str().starts_with("Scripts/")));

    // Another version takes the place of all of it.
    let again = bench.install(&[wheel("2.0")], &prefix, WINDOWS);
    assert_eq!((again.removed.len(), again.replaced), (1, vec![]));
    assert_eq!((read("bin/native.exe"), read("Scripts/native.exe")), (forwarder, b"2.0".to_vec()));
}

#[test]
fn a_file_of_the_store_that_somebody_wrote_into_is_not_used_again() {
    let bench = StoreBench::new();
    let wheel = WheelBuilder::new("demo", "1.0").file("demo.py", "good").build();
    let unpacked = bench.unpack(&wheel).unwrap();
    let stored = unpacked.tree.join("demo.py");
    for damage in ["evil", "longer", ""] {
        fs::remove_file(&stored).unwrap();
        if !damage.is_empty() {
            fs::write(&stored, damage).unwrap();
        }
        let again = bench.unpack(&wheel).unwrap();
        assert_eq!(fs::read_to_string(again.tree.join("demo.py")).unwrap(), "good", "after {damage:?}");
    }
    // The same content with another time stamp, as in a copied store, is fine.
    fs::remove_file(&stored).unwrap();
    fs::write(&stored, "good").unwrap();
    let notes = bench.events().len();
    bench.unpack(&wheel).unwrap();
    assert_eq!((notes, bench.events().len()), (3, 3));
}

#[test]
fn eight_builders_unpack_the_same_wheels_at_once() {
    let bench = StoreBench::new();
    let wheels: Vec<FixtureFile> =
        (0..6).map(|number| WheelBuilder::new(&format!("demo{number}"), "1.0").build()).collect();
    let blobs: Vec<_> = wheels.iter().map(|wheel| bench.blob(wheel)).collect();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (bench, mut blobs) = (&bench, blobs.clone());
            blobs.rotate_left(number % 6);
            scope.spawn(move || {
                let unpacked = wheel::unpack_all(&bench.neighbour(), &blobs, Scrutiny::Glance).unwrap();
                let names = |index: usize| unpacked[index].contents.file_name == blobs[index].file_name;
                assert!(unpacked.len() == 6 && (0..6).all(names));
            });
        }
    });
    assert_eq!(fs::read_dir(bench.context.store.root().join("wheels")).unwrap().count(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_tree_made_a_wheel_installs_to_exactly_that_tree(
        files in proptest::collection::btree_map("[a-z]{1,3}(/[A-Za-zü ]{0,4}[a-z]){0,3}\\.[a-z]{1,3}", (proptest::collection::vec(any::<u8>(), 0..2000), any::<bool>()), 1..12),
    ) {
        let wheel = files.iter().fold(WheelBuilder::new("demo", "1.0"), |wheel, (path, (content, executable))| {
            if *executable { wheel.executable(path, content.clone()) } else { wheel.file(path, content.clone()) }
        });
        let bench = StoreBench::new();
        let prefix = bench.path("p");
        bench.install(&[wheel.build()], &prefix, LINUX);
        let site = prefix.join(SITE);
        let installed = files_below(&site);
        let own: Vec<&String> = installed.iter().filter(|path| !path.starts_with("demo-1.0.dist-info/")).collect();
        prop_assert_eq!(own, files.keys().collect::<Vec<_>>());
        for (path, (content, _executable)) in &files {
            prop_assert_eq!(&fs::read(site.join(path)).unwrap(), content);
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = fs::metadata(site.join(path)).unwrap().permissions().mode();
                prop_assert_eq!(mode & 0o111 != 0, *_executable);
            }
        }
        prop_assert_eq!(record_is_right(&prefix, SITE, "demo-1.0.dist-info"), files.len() + 5);
    }
}

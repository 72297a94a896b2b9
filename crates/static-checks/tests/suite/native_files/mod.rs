//! The static check of native files, spec 2.3 and 2.4 and case T13, on files that are written byte by byte. Here is
//! what holds for all formats and for ELF.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod hostile;
mod macho;
mod pe;

use std::path::Path;

use static_checks::native_files::{
    ImportedFiles, NativeFaultKind, NativePolicy, NativeReport, ReachEvidence, SystemCeilings, SystemProvider,
    check_native_files,
};
use static_checks::whitelist::Whitelist;
use testkit::elf_file::{AARCH64, HashTable, X86_64};
use testkit::macho_file::{cpu, kind, load};
use testkit::{ElfFile, MachoFile, PeFile, write};
use vocab::{DistributionName, Exit, Fault, NativeFiles, TreeLayout, TreePath};

const SITE: &str = "lib/python3.12/site-packages";

fn library<'a>(needed: &'a [&'a str]) -> ElfFile<'a> {
    ElfFile { machine: X86_64, needed, ..ElfFile::default() }
}

fn layout(platform: &str) -> TreeLayout {
    TreeLayout { platform: platform.parse().unwrap(), python: "3.12.10".parse().unwrap() }
}

/// The first folder of site-packages is the distribution.
fn owner(path: &TreePath) -> Option<DistributionName> {
    path.as_str().split_once("/site-packages/")?.1.split('/').next()?.split('.').next()?.parse().ok()
}

/// Under the default ceilings: glibc 2.28, macOS 13.0.
fn ceilings(platform: &str) -> SystemCeilings {
    SystemCeilings::for_system(platform.parse().unwrap(), None)
}

fn check(prefix: &Path, platform: &str) -> NativeReport {
    check_native_files(prefix, layout(platform), &NativePolicy::strict(ceilings(platform)), &owner).unwrap()
}

/// What is wrong with a prefix of nothing but these files: faults, and warnings in brackets.
fn findings(platform: &str, files: &[(&str, Vec<u8>)]) -> Vec<String> {
    let prefix = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(prefix.path(), path, content);
    }
    let report = check(prefix.path(), platform);
    let place = prefix.path().display().to_string();
    let kind = |fault: &static_checks::native_files::NativeFault| fault.kind.to_string().replace(&place, "PREFIX");
    let warnings = report.warnings.iter().map(|warning| format!("({})", kind(warning)));
    report.faults.iter().map(kind).chain(warnings).collect()
}

/// One prefix of them all, in which each is a fault.
fn all_are_damaged(platform: &str, contents: impl Iterator<Item = Vec<u8>>) {
    let prefix = tempfile::tempdir().unwrap();
    let mut count = 0;
    for content in contents {
        write(prefix.path(), &format!("lib/cut-to-{}.so", content.len()), content);
        count += 1;
    }
    let faults = check(prefix.path(), platform).faults;
    let damaged = faults.iter().filter(|fault| matches!(fault.kind, NativeFaultKind::Damaged { .. }));
    assert_eq!((faults.len(), damaged.count()), (count, count), "{faults:?}");
}

fn texts(report: &NativeReport) -> Vec<String> {
    report.faults.iter().map(|fault| fault.to_string().replace(SITE, "SITE")).collect()
}

#[test]
fn t13_a_library_that_is_nowhere_is_a_fault_and_the_systems_own_are_not() {
    let prefix = tempfile::tempdir().unwrap();
    let needed = ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libcuda.so.1", "libfoo.so.1"];
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), library(&needed).bytes());
    let report = check(prefix.path(), "linux-x64");
    assert_eq!(
        texts(&report),
        ["pkg: `SITE/pkg/core.so` needs libfoo.so.1, which is neither in the runtime nor provided by the system"]
    );
    let error = report.verdict().unwrap_err();
    assert_eq!(error.exit(), Exit::Build);
    assert!(error.hint().unwrap().contains("copyFiles"));

    let aarch64 = tempfile::tempdir().unwrap();
    let needed = ["libc.so.6", "ld-linux-aarch64.so.1"];
    let core = ElfFile { machine: AARCH64, ..library(&needed) };
    write(aarch64.path(), &format!("{SITE}/pkg/core.so"), core.bytes());
    assert_eq!(texts(&check(aarch64.path(), "linux-aarch64")), [""; 0]);
}

#[test]
fn libraries_are_found_over_search_paths_by_soname_and_beside_other_distributions() {
    let prefix = tempfile::tempdir().unwrap();
    let bundled = ElfFile { runpath: "$ORIGIN/../pkg.libs", ..library(&["libblas-1a.so.0"]) };
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), bundled.bytes());
    write(prefix.path(), &format!("{SITE}/pkg.libs/libblas-1a.so.0"), library(&[]).bytes());
    // Loaded first by another distribution's Python code.
    write(prefix.path(), &format!("{SITE}/other/core.so"), library(&["libgpu.so.2"]).bytes());
    let gpu = ElfFile { soname: "libgpu.so.2", ..library(&[]) };
    write(prefix.path(), &format!("{SITE}/gpu/libgpu.so.2.5"), gpu.bytes());
    // Over the interpreter's search path.
    write(prefix.path(), "bin/python3.12", ElfFile { rpath: "$ORIGIN/../lib", ..library(&["libssl.so.3"]) }.bytes());
    write(prefix.path(), "lib/libssl.so.3", library(&[]).bytes());
    let report = check(prefix.path(), "linux-x64");
    assert_eq!((texts(&report), report.whole.files), (vec![], 6));
    assert!(report.verdict().is_ok());
}

#[test]
fn the_highest_versions_are_told_by_distribution_and_held_under_the_ceiling() {
    let prefix = tempfile::tempdir().unwrap();
    let old = [("libc.so.6", "GLIBC_2.17"), ("libc.so.6", "GLIBC_2.9"), ("libstdc++.so.6", "GLIBCXX_3.4.19")];
    let new = [("libc.so.6", "GLIBC_2.34"), ("libc.so.6", "GLIBC_PRIVATE"), ("libstdc++.so.6", "GLIBCXX_3.4.30")];
    for (name, versions) in [("old", old), ("new", new)] {
        let core = ElfFile { versions: &versions, ..library(&["libc.so.6", "libstdc++.so.6"]) };
        write(prefix.path(), &format!("{SITE}/{name}/core.so"), core.bytes());
    }
    // Its own libstdc++ comes along, so that may be as new as it likes.
    let bundled = [("libstdc++.so.6", "GLIBCXX_3.4.33"), ("libc.so.6", "GLIBC_2.28")];
    let core = ElfFile { versions: &bundled, runpath: "$ORIGIN", ..library(&["libc.so.6", "libstdc++.so.6"]) };
    write(prefix.path(), &format!("{SITE}/own/core.so"), core.bytes());
    write(prefix.path(), &format!("{SITE}/own/libstdc++.so.6"), library(&[]).bytes());

    let report = check(prefix.path(), "linux-x64");
    assert_eq!(
        texts(&report),
        [
            "new: `SITE/new/core.so` needs GLIBC 2.34, above the ceiling 2.28",
            "new: `SITE/new/core.so` needs GLIBCXX 3.4.30, above the ceiling 3.4.24",
        ]
    );
    assert_eq!(report.verdict().unwrap_err().exit(), Exit::Check);
    let row = |files, needs: &[(&str, &str)]| {
        let needs = needs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
        Some(NativeFiles { files, needs })
    };
    let cases = [
        ("old", row(1, &[("glibc", "2.17"), ("glibcxx", "3.4.19"), ("libstdc++.so.6", "any")])),
        ("new", row(1, &[("glibc", "2.34"), ("glibcxx", "3.4.30"), ("libstdc++.so.6", "any")])),
        ("own", row(2, &[("glibc", "2.28")])),
        ("none", None),
    ];
    for (name, expected) in cases {
        assert_eq!(report.files_of(&name.parse().unwrap()), expected, "for {name}");
    }
    let summary = report.summary();
    assert_eq!(
        (summary.files, summary.needs["glibc"].as_str(), summary.needs["glibcxx"].as_str()),
        (4, "2.34", "3.4.30")
    );

    let higher = NativePolicy::strict(SystemCeilings::for_glibc("2.35".parse().unwrap()));
    let report = check_native_files(prefix.path(), layout("linux-x64"), &higher, &owner).unwrap();
    assert_eq!(texts(&report), [""; 0]);
}

#[test]
fn whose_files_are_excused_is_the_callers_policy() {
    let prefix = tempfile::tempdir().unwrap();
    let versions = [("libc.so.6", "GLIBC_2.36")];
    let new = ElfFile { versions: &versions, ..library(&["libc.so.6"]) };
    write(prefix.path(), "bin/python3.12", new.bytes());
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), new.bytes());
    let policy = NativePolicy { ceilings: ceilings("linux-x64"), excused: &|_, owner| owner.is_none() };
    let report = check_native_files(prefix.path(), layout("linux-x64"), &policy, &owner).unwrap();
    assert_eq!(texts(&report), ["pkg: `SITE/pkg/core.so` needs GLIBC 2.36, above the ceiling 2.28"]);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(report.base.needs.get(SystemProvider::Glibc).unwrap().to_string(), "2.36");
}

#[test]
fn a_binary_for_another_machine_is_a_fault_where_it_would_be_loaded() {
    let prefix = tempfile::tempdir().unwrap();
    let foreign = ElfFile { machine: AARCH64, ..library(&[]) };
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), foreign.bytes());
    write(prefix.path(), &format!("{SITE}/pkg/odd.so"), ElfFile { machine: 243, ..library(&[]) }.bytes());
    // Installers carry launchers for Windows as data.
    write(prefix.path(), &format!("{SITE}/pip/t64.exe"), PeFile { is_library: false, ..PeFile::default() }.bytes());
    let report = check(prefix.path(), "linux-x64");
    assert_eq!(
        texts(&report),
        [
            "pkg: `SITE/pkg/core.so` is for aarch64, not for linux-x64",
            "pkg: `SITE/pkg/odd.so` is for another machine, not for linux-x64",
        ]
    );
    assert_eq!((report.whole.files, report.foreign), (2, 1));
}

/// A folder of Windows cannot be among them: each ends at a colon.
#[cfg(unix)]
#[test]
fn search_paths_of_the_building_machine_are_faults_and_others_outside_are_warnings() {
    let prefix = tempfile::tempdir().unwrap();
    let own = format!("{}/lib:/usr/local/cuda/lib64:$ORIGIN/../../../../..", prefix.path().display());
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), ElfFile { runpath: &own, ..library(&[]) }.bytes());
    let report = check(prefix.path(), "linux-x64");
    assert!(matches!(report.faults[0].kind, NativeFaultKind::BuildMachinePath { .. }), "{:?}", report.faults);
    assert_eq!((report.faults.len(), report.warnings.len()), (1, 2));
}

#[test]
fn modules_are_told_from_libraries_by_the_function_that_python_calls() {
    let prefix = tempfile::tempdir().unwrap();
    let place = |name: &str| format!("{SITE}/pkg/{name}.so");
    let file = |defines, table| ElfFile { defines, table, ..library(&[]) }.bytes();
    let cases = [
        // (file name, content, whether it is a module)
        ("by_gnu", file(&["other", "PyInit_by_gnu"], HashTable::Gnu), true),
        ("by_old", file(&["PyInit_by_old", "other"], HashTable::Old), true),
        ("libplugin", file(&["qt_plugin", "PyInit_plugin"], HashTable::Gnu), false),
        ("libold", file(&["qt_plugin"], HashTable::Old), false),
        ("__init__", file(&["PyInit_pkg"], HashTable::Gnu), true),
        ("unknown", file(&[], HashTable::Gnu), true),
    ];
    for (name, content, _) in &cases {
        write(prefix.path(), &place(name), content);
    }
    let libraries = check(prefix.path(), "linux-x64").libraries_named_like_modules(layout("linux-x64"));
    for (name, _, is_module) in cases {
        assert_eq!(!libraries.contains(&place(name).parse().unwrap()), is_module, "for {name}");
    }
}

/// The faults of these files, all of `pkg`, that count, by the name of the file.
fn weighed(platform: &str, files: &[(&str, Vec<u8>)], imported: Option<&ImportedFiles>) -> Vec<String> {
    let prefix = tempfile::tempdir().unwrap();
    files.iter().for_each(|(path, content)| drop(write(prefix.path(), path, content)));
    let pkg = |_: &TreePath| Some("pkg".parse().unwrap());
    let mut report =
        check_native_files(prefix.path(), layout(platform), &NativePolicy::strict(ceilings(platform)), &pkg).unwrap();
    let all = report.faults.len();
    let os = platform.parse::<vocab::PlatformKey>().unwrap().os();
    report.weigh(&ReachEvidence { os, imported, is_portable: &|_| false });
    assert_eq!(report.faults.len() + report.unneeded.len(), all, "none is lost");
    report.faults.iter().map(|fault| fault.file.file_name().to_owned()).collect()
}

/// case field-ipykernel-debugpy, case field-opencv-libxcb
#[test]
fn where_nothing_is_imported_what_modules_lead_to_counts_and_nothing_else() {
    let needs = |needed: &[&str]| ElfFile { runpath: "$ORIGIN", ..library(needed) }.bytes();
    let versions = [("libc.so.6", "GLIBC_2.34")];
    let on_request = ElfFile { versions: &versions, defines: &["attach"], ..library(&["libc.so.6"]) }.bytes();
    let linux = [
        ("lib/python3.12/site-packages/pkg/core.so", needs(&["libmiddle.so.1"])),
        ("lib/python3.12/site-packages/pkg/libmiddle.so.1", needs(&["libgomp.so.1"])),
        ("lib/python3.12/site-packages/pkg/attach.so", on_request),
        ("lib/python3.12/site-packages/pkg/libplugin.so.5", needs(&["libmimerapi.so"])),
    ];
    assert_eq!(weighed("linux-x64", &linux, None), ["libmiddle.so.1"]);
    // Of a distribution without modules every library counts: `ctypes` opens it.
    assert_eq!(weighed("linux-x64", &linux[1..], None), ["attach.so", "libmiddle.so.1", "libplugin.so.5"]);

    let macho = |libraries: &[(u32, &str)]| MachoFile { libraries, cpu: cpu::X86_64, ..MachoFile::default() }.bytes();
    let macos = [
        ("lib/python3.12/site-packages/pkg/core.so", macho(&[(load::LIBRARY, "@loader_path/libmiddle.dylib")])),
        ("lib/python3.12/site-packages/pkg/libmiddle.dylib", macho(&[(load::LIBRARY, "@rpath/libomp.dylib")])),
        ("lib/python3.12/site-packages/pkg/libplugin.dylib", macho(&[(load::LIBRARY, "@rpath/libmimer.dylib")])),
    ];
    assert_eq!(weighed("macosx-x64", &macos, None), ["libmiddle.dylib"]);

    let pe = |imports: &[&str]| PeFile { imports, ..PeFile::default() }.bytes();
    let windows = [
        ("Lib/site-packages/pkg/core.pyd", pe(&["MIDDLE.dll"])),
        ("Lib/site-packages/pkg/middle.dll", pe(&["MSVCP140.dll"])),
        ("Lib/site-packages/pkg/plugin.dll", pe(&["fbclient.dll"])),
    ];
    assert_eq!(weighed("windows-x64", &windows, None), ["middle.dll"]);
}

#[test]
fn where_imports_were_run_a_fault_counts_in_what_they_loaded() {
    let files = [
        ("lib/python3.12/site-packages/pkg/lib_gbm.so", library(&["libgomp.so.1"]).bytes()),
        ("lib/python3.12/site-packages/pkg/bridge.so", library(&["libtbb.so.12"]).bytes()),
    ];
    let imported = |loaded: &[&str], passed: bool| ImportedFiles {
        loaded: loaded.iter().map(|file| format!("{SITE}/pkg/{file}").parse().unwrap()).collect(),
        passed: passed.then(|| "pkg".parse().unwrap()).into_iter().collect(),
    };
    // It imported, since this machine happens to have what others lack.
    assert_eq!(weighed("linux-x64", &files, Some(&imported(&["lib_gbm.so"], true))), ["lib_gbm.so"]);
    assert_eq!(weighed("linux-x64", &files, Some(&imported(&[], true))), [""; 0]);
    assert_eq!(weighed("linux-x64", &files, Some(&imported(&[], false))), ["bridge.so", "lib_gbm.so"]);
}

/// case field-opencv-libxcb
#[test]
fn the_same_fault_of_many_files_is_told_once_with_entries_to_paste() {
    let prefix = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "d"] {
        write(prefix.path(), &format!("{SITE}/pkg/{name}.so"), library(&["libfoo.so.1"]).bytes());
    }
    let report = check(prefix.path(), "linux-x64");
    let wheel_of = |_: &DistributionName| Some("pkg-1.0-py3-none-any.whl".to_owned());
    let error = report.verdict().unwrap_err().with(report.exceptions(layout("linux-x64")));
    assert_eq!(
        error.to_string().replace(SITE, "SITE"),
        "4 faults in native files\n  pkg: `SITE/pkg/a.so` needs libfoo.so.1, which is neither in the runtime nor provided by the system; the same holds for \
         `SITE/pkg/b.so` and 2 more"
    );
    let hint = error.hint().unwrap();
    let entries = hint[hint.find('{').unwrap()..].replace(r#""reason": """#, r#""reason": "a test""#);
    assert_eq!(entries.matches("libfoo").count(), 1, "{entries}");
    let whitelist = write(prefix.path(), "list.json", entries);
    let mut pasted = report.clone();
    pasted.allow(&Whitelist::read(&whitelist).unwrap(), layout("linux-x64"), &wheel_of);
    assert_eq!((pasted.faults.len(), pasted.allowed.len()), (0, 4), "{hint}");
}

/// What imports would show, where none can be run.
#[test]
fn a_file_with_a_modules_name_that_is_no_binary_of_the_system_is_a_fault() {
    let module = |name: &str| ElfFile { defines: &[name], ..library(&[]) }.bytes();
    let elf = || module("PyInit_core");
    let text = || b"version https://git-lfs.github.com/spec/v1\n".to_vec();
    let is_none = |system: &str| format!("is named like a module and is not a {system} binary");
    let other =
        |tag: &str| format!("(is for another Python (`{tag}`), and this module has no file for the runtime's Python)");
    let macho = || MachoFile::default().bytes();
    type Case<'a> = (&'a str, Vec<(&'a str, Vec<u8>)>, Vec<String>);
    let cases: Vec<Case<'_>> = vec![
        ("windows-x64", vec![("pkg/__init__.py", vec![]), ("pkg/core.pyd", text())], vec![is_none("Windows")]),
        ("windows-x64", vec![("pkg/__init__.py", vec![]), ("pkg/core.pyd", elf())], vec![is_none("Windows")]),
        ("windows-x64", vec![("pkg/core.cp312-win_amd64.pyd", text())], vec![is_none("Windows")]),
        ("windows-x64", vec![("pkg/core.cp39-win_amd64.pyd", text())], vec![other("cp39-win_amd64")]),
        ("windows-x64", vec![("pkg/data/core.pyd", text())], vec![]),
        ("windows-x64", vec![("pkg/tests/core.cp312-win_amd64.pyd", text())], vec![]),
        ("macosx-aarch64", vec![("pkg/core.cpython-312-darwin.so", text())], vec![is_none("macOS")]),
        ("macosx-aarch64", vec![("pkg/core.abi3.so", elf())], vec![is_none("macOS")]),
        ("macosx-aarch64", vec![("pkg/__init__.py", vec![]), ("pkg/core.so", elf())], vec![is_none("macOS")]),
        ("macosx-aarch64", vec![("pkg/__init__.py", vec![]), ("pkg/attach_linux.so", library(&[]).bytes())], vec![]),
        ("macosx-aarch64", vec![("pkg/__init__.py", vec![]), ("pkg/libx.so", b"INPUT(libx.so.1)".to_vec())], vec![]),
        ("macosx-aarch64", vec![("pkg/core.cpython-39-darwin.so", macho())], vec![other("cpython-39-darwin")]),
        (
            "macosx-aarch64",
            vec![("pkg/core.cpython-312-x86_64-linux-gnu.so", elf())],
            vec![other("cpython-312-x86_64-linux-gnu")],
        ),
        // Beside the right one, or with code in Python to fall back to.
        (
            "macosx-aarch64",
            vec![
                ("pkg/core.cpython-39-darwin.so", macho()),
                ("pkg/core.cpython-312-darwin.so", macho()),
                ("pkg/core.cpython-312-x86_64-linux-gnu.so", elf()),
            ],
            vec![],
        ),
        ("macosx-aarch64", vec![("pkg/core.cpython-39-darwin.so", macho()), ("pkg/core.py", vec![])], vec![]),
        ("linux-x64", vec![("pkg/core.cpython-312-x86_64-linux-gnu.so", text())], vec![is_none("Linux")]),
        ("linux-x64", vec![("pkg/core.cpython-312-x86_64-linux-gnu.so", elf()), ("pkg/core.pyd", text())], vec![]),
    ];
    for (platform, files, expected) in cases {
        let site = layout(platform).site_packages();
        let paths: Vec<String> = files.iter().map(|(path, _)| format!("{site}/{path}")).collect();
        let placed: Vec<(&str, Vec<u8>)> =
            paths.iter().map(String::as_str).zip(files.iter().map(|(_, content)| content.clone())).collect();
        let names: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        assert_eq!(findings(platform, &placed), expected, "for {names:?} on {platform}");
    }
}

#[test]
fn a_cut_off_elf_file_is_a_fault() {
    let whole = ElfFile {
        runpath: "$ORIGIN",
        versions: &[("libc.so.6", "GLIBC_2.17")],
        ..library(&["libc.so.6", "libfoo.so.1"])
    }
    .bytes();
    all_are_damaged("linux-x64", (4..whole.len()).map(|length| whole[..length].to_vec()));
}

#[test]
fn what_the_builders_own_list_accepts_is_kept_apart_from_what_the_repository_decides() {
    let prefix = tempfile::tempdir().unwrap();
    write(prefix.path(), &format!("{SITE}/numba/np/ufunc/tbbpool.so"), library(&["libtbb.so.12"]).bytes());
    let own = r#"{"numba": {"numba.np.ufunc.tbbpool": {"error": "libtbb", "reason": "mine"}}}"#;
    let own = Whitelist::read(&write(prefix.path(), "list.json", own)).unwrap();
    for (whitelist, expected) in [(Whitelist::default(), 1), (own, 0)] {
        let whitelist = whitelist.with_shipped("linux-x64".parse().unwrap());
        let mut report = check(prefix.path(), "linux-x64");
        report.allow(&whitelist, layout("linux-x64"), &|name| Some(format!("{name}-1.0-py3-none-any.whl")));
        assert_eq!((report.faults.len(), report.allowed.len(), report.accepted.len()), (0, 1, expected));
        // With `--strict` that is a fault, where something needs the file.
        for (loaded, faults) in [(&["numba/np/ufunc/tbbpool.so"][..], expected), (&[], 0)] {
            let loaded = loaded.iter().map(|path| format!("{SITE}/{path}").parse().unwrap()).collect();
            let imported = ImportedFiles { loaded, passed: ["numba".parse().unwrap()].into() };
            let evidence = ReachEvidence { os: vocab::Os::Linux, imported: Some(&imported), is_portable: &|_| false };
            let mut strict = report.clone();
            strict.refuse_accepted(&evidence);
            assert_eq!((strict.faults.len(), strict.accepted.len()), (faults, 0));
        }
    }
}

/// Wheels for any system bring files for several; others are at fault.
#[test]
fn files_for_other_systems_in_wheels_for_any_are_no_fault() {
    let prefix = tempfile::tempdir().unwrap();
    let core = ElfFile { defines: &["PyInit_core"], ..library(&[]) }.bytes();
    write(prefix.path(), &format!("{SITE}/pkg/core.abi3.so"), core);
    for (portable, faults) in [(true, 0), (false, 1)] {
        let mut report = check(prefix.path(), "macosx-x64");
        let evidence = ReachEvidence { os: vocab::Os::Macos, imported: None, is_portable: &|_| portable };
        report.weigh(&evidence);
        assert_eq!((report.faults.len(), report.unneeded.len()), (faults, 1 - faults));
    }
}

#[test]
fn a_whitelist_entry_for_the_module_or_the_file_lets_a_fault_pass() {
    let prefix = tempfile::tempdir().unwrap();
    write(prefix.path(), &format!("{SITE}/numba/tbbpool.so"), library(&["libtbb.so.12"]).bytes());
    write(prefix.path(), &format!("{SITE}/numba/libx.so.1"), library(&["libtbb.so.12"]).bytes());
    write(prefix.path(), &format!("{SITE}/other/core.so"), library(&["libtbb.so.12"]).bytes());
    let text = r#"{"numba-*": {
        "numba.tbbpool": "libtbb.so.12",
        "lib/python3.12/site-packages/numba/libx.so.1": {"error": "LIBTBB", "reason": "optional"}
    }}"#;
    let whitelist = Whitelist::read(&write(prefix.path(), "list.json", text)).unwrap();
    let mut report = check(prefix.path(), "linux-x64");
    report.allow(&whitelist, layout("linux-x64"), &|name| Some(format!("{name}-1.0-py3-none-any.whl")));
    assert_eq!(
        texts(&report),
        ["other: `SITE/other/core.so` needs libtbb.so.12, which is neither in the runtime nor provided by the system"]
    );
    assert_eq!(report.allowed.len(), 2);
}

#[test]
fn what_a_system_has_to_bring_is_named_unless_an_entry_lets_it_be_missing() {
    let prefix = tempfile::tempdir().unwrap();
    let versions: &[(&str, &str)] = &[("libc.so.6", "GLIBC_2.17"), ("libstdc++.so.6", "GLIBCXX_3.4.19")];
    let core = ElfFile { versions, ..library(&["libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"]) };
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), core.bytes());
    write(
        prefix.path(),
        &format!("{SITE}/pkg/zip.so"),
        library(&["libz.so.1", "libcrypt.so.1", "libown.so.1"]).bytes(),
    );
    write(prefix.path(), &format!("{SITE}/pkg/libown.so.1"), library(&["libc.so.6"]).bytes());
    write(prefix.path(), &format!("{SITE}/gpu/driver.so"), library(&["libcuda.so.1"]).bytes());
    // It is allowed to be out of reach, so what it needs counts for nothing.
    let modern = ElfFile { versions: &[("libc.so.6", "GLIBC_2.39")], ..library(&["libc.so.6", "libX11.so.6"]) };
    write(prefix.path(), &format!("{SITE}/gpu/modern.so"), modern.bytes());

    let mut report = check(prefix.path(), "linux-x64");
    let libraries = ["libcrypt.so.1", "libcuda.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"];
    let versions = [("glibc", "2.17"), ("glibcxx", "3.4.19")];
    let expected = |libraries: &[&str]| {
        let any = libraries.iter().map(|name| (*name, "any"));
        versions.into_iter().chain(any).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let before = [&["libX11.so.6"][..], &libraries].concat();
    assert_eq!(report.summary().needs["glibc"], "2.39");
    assert!(before.iter().all(|name| report.summary().needs.contains_key(*name)), "{:?}", report.summary().needs);
    let text = r#"{"gpu": {"gpu.driver": {"error": "libcuda.so.1"}, "gpu.modern": {"error": "GLIBC 2.39"}}}"#;
    let whitelist = Whitelist::read(&write(prefix.path(), "list.json", text)).unwrap();
    report.allow(&whitelist, layout("linux-x64"), &|name| Some(format!("{name}-1.0-py3-none-any.whl")));
    assert_eq!((report.faults.len(), report.allowed.len()), (0, 1), "{:?}", report.faults);
    assert_eq!(report.base.needs, Default::default());
    assert_eq!(report.summary().needs, expected(&["libcrypt.so.1", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1"]));
    assert_eq!(report.files_of(&"gpu".parse().unwrap()).unwrap().needs, Default::default());
}

#[test]
fn a_library_for_musl_is_called_so() {
    let prefix = tempfile::tempdir().unwrap();
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), library(&["libc.musl-x86_64.so.1"]).bytes());
    let told = "pkg: `SITE/pkg/core.so` needs libc.musl-x86_64.so.1, which is part of musl; only systems with glibc are supported";
    assert_eq!(texts(&check(prefix.path(), "linux-x64")), [told]);
}

#[test]
fn a_whitelist_entry_works_for_each_format() {
    let macho = MachoFile { install_name: "/opt/lib/liba.dylib", kind: kind::LIBRARY, ..MachoFile::default() };
    let unsigned = MachoFile { is_signed: false, ..MachoFile::default() };
    let pe = PeFile { imports: &["tbb12.dll"], ..PeFile::default() };
    let (site, windows_site) = (SITE, "Lib/site-packages");
    let cases = [
        // (platform, file, content, key of the entry, its text)
        (
            "macosx-aarch64",
            format!("{site}/pkg/liba.dylib"),
            macho.bytes(),
            format!("{site}/pkg/liba.dylib"),
            "/OPT/lib",
        ),
        ("macosx-aarch64", format!("{site}/pkg/core.abi3.so"), unsigned.bytes(), "pkg.core".to_owned(), "signature"),
        ("windows-x64", format!("{windows_site}/pkg/core.pyd"), pe.bytes(), "pkg.core".to_owned(), "tbb12.dll"),
        (
            "windows-x64",
            format!("{windows_site}/pkg/helper.dll"),
            pe.bytes(),
            format!("{windows_site}/pkg/helper.dll"),
            "",
        ),
    ];
    for (platform, file, content, key, text) in cases {
        let prefix = tempfile::tempdir().unwrap();
        write(prefix.path(), &file, content);
        let list = serde_json::json!({ "pkg-1.0-*.whl": { key: { "error": text, "reason": "a test" } } });
        let whitelist = Whitelist::read(&write(prefix.path(), "list.json", list.to_string())).unwrap();
        let policy = NativePolicy::strict(ceilings(platform));
        let owner = |_: &TreePath| Some("pkg".parse().unwrap());
        let mut report = check_native_files(prefix.path(), layout(platform), &policy, &owner).unwrap();
        assert_eq!(report.faults.len(), 1, "for {file}: {:?}", report.faults);
        report.allow(&whitelist, layout(platform), &|name| Some(format!("{name}-1.0-py3-none-any.whl")));
        assert_eq!((report.faults.len(), report.allowed.len()), (0, 1), "for {file}");
    }
}

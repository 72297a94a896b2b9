//! The static check of native files, spec 2.3 and case T13, on ELF files that are written here byte by byte.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "check_support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use builder::checks::native_files::{Ceilings, NativeFaultKind, NativePolicy, NativeReport, check_native_files};
use builder::checks::whitelist::Whitelist;
use support::write;
use vocab::TreeLayout;
use vocab::{DistributionName, Exit, Fault, TreePath};

const SITE: &str = "lib/python3.12/site-packages";

/// A shared library with nothing in it but its dynamic section.
#[derive(Clone, Default)]
struct Library<'a> {
    machine: u16,
    soname: &'a str,
    needed: &'a [&'a str],
    rpath: &'a str,
    runpath: &'a str,
    /// Library and symbol version.
    versions: &'a [(&'a str, &'a str)],
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

impl Library<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut index = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.as_bytes());
            strings.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = self.needed.iter().map(|name| (1, index(name))).collect();
        for (tag, text) in [(14, self.soname), (15, self.rpath), (29, self.runpath)] {
            if !text.is_empty() {
                dynamic.push((tag, index(text)));
            }
        }
        let mut needs = Vec::new();
        for (number, (library, version)) in self.versions.iter().enumerate() {
            let next: u32 = if number + 1 == self.versions.len() { 0 } else { 32 };
            needs.extend([1u16, 1].iter().flat_map(|half| half.to_le_bytes()));
            needs.extend([index(library) as u32, 16, next, 0].iter().flat_map(|word| word.to_le_bytes()));
            needs.extend([0u16, 2].iter().flat_map(|half| half.to_le_bytes()));
            needs.extend([index(version) as u32, 0].iter().flat_map(|word| word.to_le_bytes()));
        }
        // The file: header, two program headers, dynamic section, versions, strings. Addresses are offsets.
        let dynamic_at = 64 + 2 * 56;
        let entries = dynamic.len() + 4;
        let needs_at = dynamic_at + 16 * entries;
        let strings_at = needs_at + needs.len();
        let total = strings_at + strings.len();
        dynamic.extend([(5, strings_at as u64), (0x6fff_ffff, self.versions.len() as u64)]);
        dynamic.extend([(0x6fff_fffe, needs_at as u64), (0, 0)]);

        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([3u16, self.machine].iter().flat_map(|half| half.to_le_bytes()));
        bytes.extend(1u32.to_le_bytes());
        bytes.extend([0u64, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(0u32.to_le_bytes());
        bytes.extend([64u16, 56, 2, 64, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
        for (kind, at, size) in [(1u32, 0, total), (2, dynamic_at, 16 * entries)] {
            bytes.extend([kind, 4].iter().flat_map(|word| word.to_le_bytes()));
            bytes.extend([at, at, at, size, size, 8].iter().flat_map(|word| (*word as u64).to_le_bytes()));
        }
        bytes.extend(dynamic.iter().flat_map(|(tag, value)| [*tag, *value]).flat_map(u64::to_le_bytes));
        bytes.extend(needs);
        bytes.extend(strings);
        bytes
    }
}

fn library<'a>(needed: &'a [&'a str]) -> Library<'a> {
    Library { machine: X86_64, needed, ..Library::default() }
}

fn layout(platform: &str) -> TreeLayout {
    TreeLayout { platform: platform.parse().unwrap(), python: "3.12.10".parse().unwrap() }
}

/// The first folder of site-packages is the distribution.
fn owner(path: &TreePath) -> Option<DistributionName> {
    path.as_str().strip_prefix(SITE)?.split('/').nth(1)?.split('.').next()?.parse().ok()
}

fn check(prefix: &Path, platform: &str) -> NativeReport {
    check_native_files(prefix, layout(platform), &NativePolicy::default(), &owner).unwrap()
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
    assert_eq!(texts(&report), ["pkg: `SITE/pkg/core.so` needs libfoo.so.1, which is nowhere"]);
    let error = report.verdict().unwrap_err();
    assert_eq!(error.exit(), Exit::Build);
    assert!(error.hint().unwrap().contains("copyFiles"));

    let aarch64 = tempfile::tempdir().unwrap();
    let needed = ["libc.so.6", "ld-linux-aarch64.so.1"];
    let core = Library { machine: AARCH64, ..library(&needed) };
    write(aarch64.path(), &format!("{SITE}/pkg/core.so"), core.bytes());
    assert_eq!(texts(&check(aarch64.path(), "linux-aarch64")), [""; 0]);
}

#[test]
fn libraries_are_found_over_search_paths_by_soname_and_beside_other_distributions() {
    let prefix = tempfile::tempdir().unwrap();
    let bundled = Library { runpath: "$ORIGIN/../pkg.libs", ..library(&["libblas-1a.so.0"]) };
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), bundled.bytes());
    write(prefix.path(), &format!("{SITE}/pkg.libs/libblas-1a.so.0"), library(&[]).bytes());
    // Loaded first by another distribution's Python code.
    write(prefix.path(), &format!("{SITE}/other/core.so"), library(&["libgpu.so.2"]).bytes());
    let gpu = Library { soname: "libgpu.so.2", ..library(&[]) };
    write(prefix.path(), &format!("{SITE}/gpu/libgpu.so.2.5"), gpu.bytes());
    // Over the interpreter's search path.
    write(prefix.path(), "bin/python3.12", Library { rpath: "$ORIGIN/../lib", ..library(&["libssl.so.3"]) }.bytes());
    write(prefix.path(), "lib/libssl.so.3", library(&[]).bytes());
    let report = check(prefix.path(), "linux-x64");
    assert_eq!((texts(&report), report.files), (vec![], 6));
    assert!(report.verdict().is_ok());
}

#[test]
fn the_highest_versions_are_told_by_distribution_and_held_under_the_ceiling() {
    let prefix = tempfile::tempdir().unwrap();
    let old = [("libc.so.6", "GLIBC_2.17"), ("libc.so.6", "GLIBC_2.9"), ("libstdc++.so.6", "GLIBCXX_3.4.19")];
    let new = [("libc.so.6", "GLIBC_2.34"), ("libc.so.6", "GLIBC_PRIVATE"), ("libstdc++.so.6", "GLIBCXX_3.4.30")];
    for (name, versions) in [("old", old), ("new", new)] {
        let core = Library { versions: &versions, ..library(&["libc.so.6", "libstdc++.so.6"]) };
        write(prefix.path(), &format!("{SITE}/{name}/core.so"), core.bytes());
    }
    // Its own libstdc++ comes along, so that may be as new as it likes.
    let bundled = [("libstdc++.so.6", "GLIBCXX_3.4.33"), ("libc.so.6", "GLIBC_2.28")];
    let core = Library { versions: &bundled, runpath: "$ORIGIN", ..library(&["libc.so.6", "libstdc++.so.6"]) };
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
    let needs: BTreeMap<&str, Option<String>> =
        ["old", "new", "own", "none"].into_iter().map(|name| (name, report.needs_of(&name.parse().unwrap()))).collect();
    let glibc = |text: &str| Some(text.to_owned());
    assert_eq!(
        needs,
        BTreeMap::from([("old", glibc("2.17")), ("new", glibc("2.34")), ("own", glibc("2.28")), ("none", None)])
    );
    let summary = report.summary();
    assert_eq!(
        (summary.files, summary.needs["glibc"].as_str(), summary.needs["glibcxx"].as_str()),
        (4, "2.34", "3.4.30")
    );

    let higher = NativePolicy { ceilings: Ceilings::for_glibc("2.35".parse().unwrap()), ..NativePolicy::default() };
    let report = check_native_files(prefix.path(), layout("linux-x64"), &higher, &owner).unwrap();
    assert_eq!(texts(&report), [""; 0]);
}

#[test]
fn whose_files_are_excused_is_the_callers_policy() {
    let prefix = tempfile::tempdir().unwrap();
    let versions = [("libc.so.6", "GLIBC_2.36")];
    let new = Library { versions: &versions, ..library(&["libc.so.6"]) };
    write(prefix.path(), "bin/python3.12", new.bytes());
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), new.bytes());
    let policy = NativePolicy { excused: &|_, owner| owner.is_none(), ..NativePolicy::default() };
    let report = check_native_files(prefix.path(), layout("linux-x64"), &policy, &owner).unwrap();
    assert_eq!(texts(&report), ["pkg: `SITE/pkg/core.so` needs GLIBC 2.36, above the ceiling 2.28"]);
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(report.base.glibc.unwrap().to_string(), "2.36");
}

#[test]
fn a_binary_for_another_machine_is_a_fault_where_it_would_be_loaded() {
    let prefix = tempfile::tempdir().unwrap();
    let foreign = Library { machine: AARCH64, ..library(&[]) };
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), foreign.bytes());
    write(prefix.path(), &format!("{SITE}/pkg/odd.so"), Library { machine: 243, ..library(&[]) }.bytes());
    // Installers carry launchers for Windows as data.
    let mut launcher = vec![0; 512];
    launcher[..2].copy_from_slice(b"MZ");
    launcher[60] = 128;
    launcher[128..134].copy_from_slice(b"PE\0\0\x64\x86");
    write(prefix.path(), &format!("{SITE}/pip/t64.exe"), launcher);
    let report = check(prefix.path(), "linux-x64");
    assert_eq!(
        texts(&report),
        [
            "pkg: `SITE/pkg/core.so` is for aarch64, not for linux-x64",
            "pkg: `SITE/pkg/odd.so` is for another machine, not for linux-x64",
        ]
    );
    assert_eq!((report.files, report.foreign), (2, 1));
}

#[test]
fn pe_and_macho_files_are_checked_for_their_architecture() {
    let macho = |cpu: u32| {
        let words = [0xfeed_facf, cpu, 3, 6, 0, 0, 0, 0u32];
        words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>()
    };
    let fat = |cpus: &[u32]| {
        let mut words = vec![0xcafe_babe, cpus.len() as u32];
        cpus.iter().for_each(|cpu| words.extend([*cpu, 0, 4096, 64, 12]));
        words.iter().flat_map(|word: &u32| word.to_be_bytes()).collect::<Vec<u8>>()
    };
    let (x64, arm64) = (0x0100_0007, 0x0100_000c);
    let pe = |machine: u16| {
        let mut bytes = vec![0; 512];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60] = 128;
        bytes[128..132].copy_from_slice(b"PE\0\0");
        bytes[132..134].copy_from_slice(&machine.to_le_bytes());
        bytes[150..152].copy_from_slice(&0x2000u16.to_le_bytes());
        bytes
    };
    let cases = [
        // (platform, file, content, faults)
        ("macosx-aarch64", "a.so", macho(arm64), 0),
        ("macosx-aarch64", "a.so", macho(x64), 1),
        ("macosx-x64", "a.dylib", fat(&[x64, arm64]), 0),
        ("macosx-x64", "a.dylib", fat(&[arm64]), 1),
        ("windows-x64", "a.pyd", pe(0x8664), 0),
        ("windows-x64", "a.pyd", pe(0xaa64), 1),
        ("windows-x64", "a.dll", pe(0x014c), 1),
        // A Java class begins like a fat Mach-O file.
        ("macosx-x64", "A.class", vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 1], 0),
    ];
    for (platform, file, content, faults) in cases {
        let prefix = tempfile::tempdir().unwrap();
        write(prefix.path(), &format!("lib/{file}"), content);
        let report = check(prefix.path(), platform);
        assert_eq!(report.faults.len(), faults, "for {file} on {platform}: {:?}", report.faults);
    }
}

#[test]
fn search_paths_of_the_building_machine_are_faults_and_others_outside_are_warnings() {
    let prefix = tempfile::tempdir().unwrap();
    let own = format!("{}/lib:/usr/local/cuda/lib64:$ORIGIN/../../../../..", prefix.path().display());
    write(prefix.path(), &format!("{SITE}/pkg/core.so"), Library { runpath: &own, ..library(&[]) }.bytes());
    let report = check(prefix.path(), "linux-x64");
    assert!(matches!(report.faults[0].kind, NativeFaultKind::BuildMachinePath { .. }), "{:?}", report.faults);
    assert_eq!((report.faults.len(), report.warnings.len()), (1, 2));
}

#[test]
fn damaged_files_are_faults_and_never_a_panic() {
    let whole = Library {
        runpath: "$ORIGIN",
        versions: &[("libc.so.6", "GLIBC_2.17")],
        ..library(&["libc.so.6", "libfoo.so.1"])
    }
    .bytes();
    for length in 4..whole.len() {
        let prefix = tempfile::tempdir().unwrap();
        write(prefix.path(), "lib/cut.so", &whole[..length]);
        let report = check(prefix.path(), "linux-x64");
        assert_eq!(report.faults.len(), 1, "cut at {length}: {:?}", report.faults);
    }
    for position in 4..whole.len() {
        let prefix = tempfile::tempdir().unwrap();
        let mut bytes = whole.clone();
        bytes[position] ^= 0xff;
        write(prefix.path(), "lib/changed.so", bytes);
        // Whatever it finds, it ends.
        assert!(check(prefix.path(), "linux-x64").files <= 1, "changed at {position}");
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
    assert_eq!(texts(&report), ["other: `SITE/other/core.so` needs libtbb.so.12, which is nowhere"]);
    assert_eq!(report.allowed.len(), 2);
}

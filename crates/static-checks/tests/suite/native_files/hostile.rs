//! Files that were made to do harm: whatever the check finds in them, it ends, soon, without a panic and without
//! taking what a number in the file claims for a size.

use proptest::prelude::*;
use testkit::elf_file::X86_64;
use testkit::macho_file::{cpu, fat, load};
use testkit::{ElfFile, MachoFile, PeFile, write};

use super::{check, findings};

/// A platform, and a file for it in which every reader has something to read.
fn whole_files() -> Vec<(&'static str, Vec<u8>)> {
    let elf = ElfFile {
        machine: X86_64,
        soname: "liba.so.1",
        needed: &["libc.so.6", "libfoo.so.1"],
        rpath: "$ORIGIN/../lib",
        runpath: "$ORIGIN",
        versions: &[("libc.so.6", "GLIBC_2.17"), ("libc.so.6", "GLIBC_2.28")],
        defines: &["PyInit_core", "other"],
        ..ElfFile::default()
    };
    let macho = MachoFile {
        install_name: "@rpath/liba.dylib",
        libraries: &[(load::LIBRARY, "@rpath/libb.dylib"), (load::WEAK, "/usr/lib/libSystem.B.dylib")],
        rpaths: &["@loader_path/../lib"],
        ..MachoFile::default()
    };
    let pe = PeFile { imports: &["kernel32.dll", "a.dll"], delayed: &["b.dll"], ..PeFile::default() };
    let intel = MachoFile { cpu: cpu::X86_64, ..macho.clone() }.bytes();
    let both = fat(&[(cpu::X86_64, &intel), (cpu::ARM64, &macho.bytes())]);
    vec![
        ("linux-x64", elf.bytes()),
        ("macosx-aarch64", macho.bytes()),
        ("macosx-aarch64", both),
        ("windows-x64", pe.bytes()),
    ]
}

/// All of them in one prefix, so that thousands cost little.
fn survive(platform: &str, contents: &[Vec<u8>]) {
    let prefix = tempfile::tempdir().unwrap();
    for (number, content) in contents.iter().enumerate() {
        write(prefix.path(), &format!("lib/file{number}.so"), content);
    }
    assert!(check(prefix.path(), platform).whole.files <= contents.len() as u64);
}

#[test]
fn any_number_of_a_header_may_be_anything() {
    for (platform, whole) in whole_files() {
        let places = (4..whole.len().min(1024)).chain((1024..whole.len()).step_by(251));
        let changed = places.flat_map(|place| {
            let end = whole.len().min(place + 4);
            [[0xff; 4], [0; 4], [0, 0, 0, 0x80]].map(|value| {
                let mut bytes = whole.clone();
                bytes[place..end].copy_from_slice(&value[..end - place]);
                bytes
            })
        });
        survive(platform, &changed.collect::<Vec<_>>());
    }
}

/// One that several places of the headers were changed of, and that may be cut off.
fn changed_file(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12);
    (changes, prop::option::of(any::<prop::sample::Index>())).prop_map(move |(changes, cut)| {
        let mut bytes = whole.clone();
        let headers = bytes.len().min(1024);
        for (place, value) in changes {
            bytes[place.index(headers)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_changes_at_once_do_no_harm(
        files in whole_files().into_iter().map(|(_, whole)| prop::collection::vec(changed_file(whole), 64)).collect::<Vec<_>>(),
    ) {
        for ((platform, _), contents) in whole_files().iter().zip(files) {
            survive(platform, &contents);
        }
    }
}

/// The places of numbers are those of the formats; each is made to claim more than there is.
#[test]
fn claims_beyond_the_file_are_told() {
    let set = |bytes: &mut Vec<u8>, at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let mut cases = Vec::new();
    let [(_, elf), (_, macho), (_, both), (_, pe)] = <[_; 4]>::try_from(whole_files()).unwrap();
    let mut many_headers = elf.clone();
    many_headers[56..58].copy_from_slice(&0xffff_u16.to_le_bytes());
    cases.push(("linux-x64", many_headers, "it has too many program headers"));
    let mut large_section = elf;
    // The size in the file of the second program header.
    set(&mut large_section, 64 + 56 + 32, 0x7fff_ffff);
    cases.push(("linux-x64", large_section, "its dynamic section claims 2147483647 bytes"));
    let mut large_commands = macho.clone();
    set(&mut large_commands, 20, 0xffff_fff0);
    cases.push(("macosx-aarch64", large_commands, "its load commands claim 4294967280 bytes"));
    let mut many_commands = macho.clone();
    set(&mut many_commands, 16, 0xffff_ffff);
    cases.push(("macosx-aarch64", many_commands, "Invalid Mach-O load command header"));
    let mut endless_command = macho;
    set(&mut endless_command, 36, 0);
    cases.push(("macosx-aarch64", endless_command, "Invalid Mach-O load command size"));
    let mut far_slice = both;
    far_slice[16..20].copy_from_slice(&0xffff_f000_u32.to_be_bytes());
    cases.push(("macosx-aarch64", far_slice, "a slice of it is cut off"));
    let mut many_sections = pe.clone();
    many_sections[134..136].copy_from_slice(&0xffff_u16.to_le_bytes());
    cases.push(("windows-x64", many_sections, "Invalid COFF/PE section headers"));
    let mut no_sections = pe;
    no_sections[134..136].copy_from_slice(&0_u16.to_le_bytes());
    cases.push(("windows-x64", no_sections, "its list of imports is cut off"));
    for (platform, content, expected) in cases {
        assert_eq!(findings(platform, &[("lib/file.so", content)]), [format!("cannot be read: {expected}")]);
    }
}

#[test]
fn lists_that_do_not_end_are_told() {
    let names = vec!["a.dll"; 5000];
    let pe = PeFile { imports: &names, ..PeFile::default() };
    let found = findings("windows-x64", &[("lib/file.dll", pe.bytes())]);
    assert_eq!(found, ["cannot be read: its list of imports does not end"]);
    let names = vec!["a"; 5000];
    let elf = ElfFile { machine: X86_64, needed: &names, ..ElfFile::default() };
    let found = findings("linux-x64", &[("lib/file.so", elf.bytes())]);
    assert_eq!(found, ["cannot be read: its list of needed libraries does not end"]);
    let names = vec![("a", "B_1"); 5000];
    let elf = ElfFile { machine: X86_64, versions: &names, ..ElfFile::default() };
    let found = findings("linux-x64", &[("lib/file.so", elf.bytes())]);
    assert_eq!(found, ["cannot be read: its list of needed versions does not end"]);
    let folders = "/a:".repeat(300);
    let elf = ElfFile { machine: X86_64, runpath: &folders, ..ElfFile::default() };
    let found = findings("linux-x64", &[("lib/file.so", elf.bytes())]);
    assert_eq!(found, ["cannot be read: its list of search paths does not end"]);
    let rpaths = vec!["/a"; 300];
    let macho = MachoFile { rpaths: &rpaths, ..MachoFile::default() };
    let found = findings("macosx-aarch64", &[("lib/file.so", macho.bytes())]);
    assert_eq!(found, ["cannot be read: its list of libraries or search paths does not end"]);
}

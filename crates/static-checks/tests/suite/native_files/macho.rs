//! Mach-O: each rule with what it lets pass and what it refuses.

use testkit::macho_file::{MachoMinimum, cpu, fat, kind, load};
use testkit::{MachoFile, write};

use super::{all_are_damaged, check, findings};

const MODULE: &str = "lib/python3.12/site-packages/pkg/core.so";
const ARM: &str = "macosx-aarch64";
const INTEL: &str = "macosx-x64";

fn module<'a>() -> MachoFile<'a> {
    MachoFile::default()
}

fn program<'a>() -> MachoFile<'a> {
    MachoFile { kind: kind::PROGRAM, ..module() }
}

fn intel<'a>() -> MachoFile<'a> {
    MachoFile { cpu: cpu::X86_64, ..module() }
}

fn library<'a>() -> MachoFile<'a> {
    MachoFile { kind: kind::LIBRARY, ..module() }
}

/// A prefix with one module, beside libraries at places that rules tell apart.
fn module_in_a_prefix(module: &MachoFile<'_>) -> Vec<String> {
    let torch = MachoFile { install_name: "@rpath/libfar.2.dylib", ..library() };
    let files = [
        (MODULE, module.bytes()),
        ("bin/python3.12", MachoFile { rpaths: &["@executable_path/../lib"], ..program() }.bytes()),
        ("lib/libssl.3.dylib", library().bytes()),
        ("lib/python3.12/site-packages/pkg/.dylibs/libblas.dylib", library().bytes()),
        ("lib/python3.12/site-packages/other/libfar.2.1.dylib", torch.bytes()),
        ("lib/Tk.framework/Versions/A/Tk", library().bytes()),
    ];
    findings(ARM, &files)
}

#[test]
fn libraries_are_found_as_dyld_finds_them() {
    let nowhere =
        |library: &str| vec![format!("needs {library}, which is neither in the runtime nor provided by the system")];
    let absolute = |library: &str| vec![format!("needs {library}, a path that other machines lack")];
    let cases = [
        // (LC_RPATH, library, findings)
        (vec![], "@loader_path/.dylibs/libblas.dylib", vec![]),
        (vec![], "@loader_path/.dylibs/libblas.1.dylib", nowhere("@loader_path/.dylibs/libblas.1.dylib")),
        (
            vec![],
            "@loader_path/../../../../../../libblas.dylib",
            nowhere("@loader_path/../../../../../../libblas.dylib"),
        ),
        (vec![], "@executable_path/../lib/libssl.3.dylib", vec![]),
        (vec![], "@executable_path/libssl.3.dylib", nowhere("@executable_path/libssl.3.dylib")),
        (vec!["@loader_path/.dylibs"], "@rpath/libblas.dylib", vec![]),
        (vec!["@loader_path"], "@rpath/.dylibs/libblas.dylib", vec![]),
        // The interpreter's LC_RPATH counts for all that it loads.
        (vec![], "@rpath/libssl.3.dylib", vec![]),
        (vec![], "@rpath/Tk.framework/Versions/A/Tk", vec![]),
        // Found when another package has loaded it before; known by the name that stands in it, too.
        (vec![], "@rpath/libblas.dylib", vec![]),
        (vec![], "@rpath/libfar.2.dylib", vec![]),
        (vec![], "@rpath/libnone.dylib", nowhere("@rpath/libnone.dylib")),
        (vec!["/usr/lib/swift"], "@rpath/libswiftCore.dylib", vec![]),
        (vec![], "@rpath/libswiftCore.dylib", nowhere("@rpath/libswiftCore.dylib")),
        (vec![], "/usr/lib/libSystem.B.dylib", vec![]),
        (vec![], "/System/Library/Frameworks/Accelerate.framework/Versions/A/Accelerate", vec![]),
        (vec![], "/usr/local/opt/libomp/lib/libomp.dylib", absolute("/usr/local/opt/libomp/lib/libomp.dylib")),
        (vec![], "/usr/lib/../local/lib/libz.dylib", absolute("/usr/lib/../local/lib/libz.dylib")),
        (vec![], "libssl.3.dylib", nowhere("libssl.3.dylib")),
        (vec![], "", nowhere("")),
    ];
    for (rpaths, library, expected) in cases {
        let module = MachoFile { rpaths: &rpaths, libraries: &[(load::LIBRARY, library)], ..module() };
        assert_eq!(module_in_a_prefix(&module), expected, "for {library} with {rpaths:?}");
    }
}

#[test]
fn a_weak_library_may_be_absent_but_not_at_a_fixed_place() {
    let cases = [
        (
            load::REEXPORT,
            "@rpath/libnone.dylib",
            "needs @rpath/libnone.dylib, which is neither in the runtime nor provided by the system",
        ),
        (
            load::WEAK,
            "@rpath/libnone.dylib",
            "(needs @rpath/libnone.dylib, which is neither in the runtime nor provided by the system)",
        ),
        (load::WEAK, "/opt/lib/liba.dylib", "needs /opt/lib/liba.dylib, a path that other machines lack"),
    ];
    for (command, library, expected) in cases {
        let module = MachoFile { libraries: &[(command, library)], ..module() };
        assert_eq!(module_in_a_prefix(&module), [expected], "for {library}");
    }
}

#[test]
fn a_program_searches_from_its_own_folder() {
    let tool = MachoFile { libraries: &[(load::LIBRARY, "@executable_path/liba.dylib")], ..program() };
    let own = [("lib/tool/tool", tool.bytes()), ("lib/tool/liba.dylib", library().bytes())];
    assert_eq!(findings(ARM, &own), [""; 0]);
    let interpreters = [("lib/tool/tool", tool.bytes()), ("bin/liba.dylib", library().bytes())];
    assert_eq!(
        findings(ARM, &interpreters),
        ["needs @executable_path/liba.dylib, which is neither in the runtime nor provided by the system"]
    );
}

#[test]
fn search_paths_outside_the_prefix_are_told() {
    let cases = [
        ("@loader_path/../..", vec![]),
        ("/usr/lib/swift", vec![]),
        ("/opt/homebrew/lib", vec!["(searches for libraries in `/opt/homebrew/lib`, outside the runtime)"]),
        ("lib", vec!["(searches for libraries in `lib`, outside the runtime)"]),
    ];
    for (entry, expected) in cases {
        let unused = MachoFile { rpaths: &[entry], ..module() };
        assert_eq!(module_in_a_prefix(&unused), [""; 0], "for {entry}, by which nothing is searched for");
        let module = MachoFile { libraries: &[(load::LIBRARY, "@rpath/libssl.3.dylib")], ..unused };
        assert_eq!(module_in_a_prefix(&module), expected, "for {entry}");
    }
    let prefix = tempfile::tempdir().unwrap();
    let own = format!("{}/lib", prefix.path().display());
    write(prefix.path(), MODULE, MachoFile { rpaths: &[&own], ..module() }.bytes());
    let report = check(prefix.path(), ARM);
    assert_eq!(report.faults.len(), 1);
    assert!(report.faults[0].to_string().contains("path on the build machine"), "{}", report.faults[0]);
}

#[test]
fn absolute_names_of_libraries_are_refused() {
    let fault = "has the install name /opt/lib/liba.dylib, a path that other machines lack";
    let cases = [
        // (file, LC_ID_DYLIB, findings)
        ("lib/liba.dylib", "@rpath/liba.dylib", vec![]),
        ("lib/liba.dylib", "liba.dylib", vec![]),
        // What `delocate` writes.
        ("lib/liba.dylib", "/DLC/pkg/.dylibs/liba.dylib", vec![]),
        ("lib/liba.dylib", "/opt/lib/liba.dylib", vec![fault.to_owned()]),
        // Nothing is linked with a module.
        ("lib/python3.12/lib-dynload/a.so", "/opt/lib/liba.dylib", vec![format!("({fault})")]),
    ];
    for (file, name, expected) in cases {
        let library = MachoFile { install_name: name, ..library() };
        assert_eq!(findings(ARM, &[(file, library.bytes())]), expected, "for {name} of {file}");
    }
}

#[test]
fn the_oldest_macos_is_held_under_the_ceiling() {
    let cases = [
        (MachoMinimum::Untold, vec![], None),
        (MachoMinimum::Build(1, 11, 0), vec![], Some("11.0")),
        (MachoMinimum::Build(1, 13, 0), vec![], Some("13.0")),
        (MachoMinimum::Build(1, 14, 2), vec!["needs macOS 14.2, above the ceiling 13.0"], Some("14.2")),
        (MachoMinimum::Old(10, 9), vec![], Some("10.9")),
        (MachoMinimum::Old(14, 0), vec!["needs macOS 14.0, above the ceiling 13.0"], Some("14.0")),
        (MachoMinimum::Build(2, 12, 0), vec!["is for iOS, not for macosx-aarch64"], None),
        (MachoMinimum::Build(11, 1, 0), vec!["is for another system, not for macosx-aarch64"], None),
    ];
    for (minimum, expected, needed) in cases {
        let module = MachoFile { minimum, ..module() };
        assert_eq!(findings(ARM, &[(MODULE, module.bytes())]), expected);
        let prefix = tempfile::tempdir().unwrap();
        write(prefix.path(), MODULE, module.bytes());
        let row = check(prefix.path(), ARM).files_of(&"pkg".parse().unwrap()).unwrap();
        assert_eq!(row.needs.get("macos").map(String::as_str), needed);
    }
}

#[test]
fn code_for_apples_processors_needs_a_signature_that_fits() {
    let unsigned = "has no code signature; on Apple silicon, macOS kills programs that load it";
    let stale = "was changed after it was signed; on Apple silicon, macOS kills programs that load it";
    let mut changed = module().bytes();
    // In the padding after the load commands, where tools write longer names.
    changed[2000] = 1;
    let later = |mut bytes: Vec<u8>| {
        // The second page.
        bytes[5000] = 1;
        bytes
    };
    let cases = [
        (ARM, module().bytes(), vec![]),
        (ARM, MachoFile { is_signed: false, ..module() }.bytes(), vec![unsigned]),
        (ARM, changed, vec![stale]),
        // Only the page with the load commands is compared.
        (ARM, later(module().bytes()), vec![]),
        (INTEL, MachoFile { is_signed: false, ..intel() }.bytes(), vec![]),
    ];
    for (platform, content, expected) in cases {
        assert_eq!(findings(platform, &[(MODULE, content)]), expected, "on {platform}");
    }
}

#[test]
fn of_a_fat_file_the_slice_of_the_platform_is_looked_at() {
    let old = intel().bytes();
    let new = MachoFile { minimum: MachoMinimum::Build(1, 14, 0), ..module() }.bytes();
    let both = fat(&[(cpu::X86_64, &old), (cpu::ARM64, &new)]);
    let thin = fat(&[(cpu::X86_64, &old)]);
    let other = MachoFile { cpu: cpu::I386, ..module() }.bytes();
    let cases = [
        (INTEL, both.clone(), vec![]),
        (ARM, both, vec!["needs macOS 14.0, above the ceiling 13.0"]),
        (INTEL, thin.clone(), vec![]),
        (ARM, thin, vec!["is for x64, not for macosx-aarch64"]),
        (ARM, fat(&[(cpu::I386, &other)]), vec!["is for another machine, not for macosx-aarch64"]),
        (ARM, fat(&[]), vec!["is for another machine, not for macosx-aarch64"]),
        (
            INTEL,
            fat(&[(cpu::ARM64, &old)]),
            vec!["cannot be read: a slice of it is for another machine than its fat header says"],
        ),
        (INTEL, fat(&[(cpu::X86_64, &fat(&[(cpu::X86_64, &old)]))]), vec!["cannot be read: Unsupported Mach-O header"]),
        // Static libraries, for linkers.
        (INTEL, fat(&[(cpu::X86_64, b"!<arch>\n")]), vec![]),
        // A Java class begins like a fat file.
        (INTEL, vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 1], vec![]),
    ];
    for (platform, content, expected) in cases {
        assert_eq!(findings(platform, &[("lib/liba.dylib", content)]), expected, "on {platform}");
    }
}

#[test]
fn thin_files_are_checked_for_their_architecture() {
    let cases = [
        (ARM, module().bytes(), vec![]),
        (ARM, intel().bytes(), vec!["is for x64, not for macosx-aarch64"]),
        (INTEL, module().bytes(), vec!["is for aarch64, not for macosx-x64"]),
        // A program among a package's files is data.
        (INTEL, program().bytes(), vec!["(is for aarch64, not for macosx-x64)"]),
    ];
    for (platform, content, expected) in cases {
        assert_eq!(findings(platform, &[(MODULE, content)]), expected, "on {platform}");
    }
}

#[test]
fn a_cut_off_file_is_a_fault() {
    let whole = MachoFile { libraries: &[(load::LIBRARY, "/usr/lib/libSystem.B.dylib")], ..module() }.bytes();
    let lengths = (4..200).chain((200..whole.len()).step_by(97));
    all_are_damaged(ARM, lengths.map(|length| whole[..length].to_vec()));
}

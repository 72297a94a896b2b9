//! PE: each rule with what it lets pass and what it refuses.

use testkit::pe_file::{AMD64, ARM64, I386};
use testkit::{PeFile, write};

use super::{all_are_damaged, check, findings};

const MODULE: &str = "Lib/site-packages/pkg/core.pyd";
const WINDOWS: &str = "windows-x64";

fn module<'a>(imports: &'a [&'a str]) -> PeFile<'a> {
    PeFile { imports, ..PeFile::default() }
}

#[test]
fn libraries_are_found_as_windows_finds_them() {
    let nowhere =
        |library: &str| vec![format!("needs {library}, which is neither in the runtime nor provided by the system")];
    let cases = [
        // Beside the interpreter, in any case of letters.
        ("Python312.DLL", vec![]),
        ("VCRUNTIME140.dll", vec![]),
        // Beside the module.
        ("helper.dll", vec![]),
        // Made known by Python code, as the wheels of `delvewheel` do.
        ("msvcp140-1a2b.dll", vec![]),
        ("KERNEL32.dll", vec![]),
        ("api-ms-win-crt-runtime-l1-1-0.dll", vec![]),
        ("ext-ms-win-ntuser-window-l1-1-0.dll", vec![]),
        // Not Windows' own.
        ("MSVCP140.dll", nowhere("MSVCP140.dll")),
        ("VCOMP140.DLL", nowhere("VCOMP140.DLL")),
        ("libgcc_s_seh-1.dll", nowhere("libgcc_s_seh-1.dll")),
        ("", nowhere("")),
    ];
    for (library, expected) in cases {
        let files = [
            (MODULE, module(&[library]).bytes()),
            ("python312.dll", module(&[]).bytes()),
            ("vcruntime140.dll", module(&[]).bytes()),
            ("Lib/site-packages/pkg/Helper.dll", module(&[]).bytes()),
            ("Lib/site-packages/pkg.libs/msvcp140-1a2b.dll", module(&["kernel32.dll"]).bytes()),
        ];
        assert_eq!(findings(WINDOWS, &files), expected, "for {library}");
    }
}

/// Windows searches neither the scripts nor `Library/bin` for what a module needs.
#[test]
fn a_library_outside_of_the_packages_is_found_only_where_code_says_so() {
    let nowhere = vec!["needs helper.dll, which is neither in the runtime nor provided by the system".to_owned()];
    let adds = "import os, sys\nos.add_dll_directory(os.path.join(sys.prefix, 'Library', 'bin'))\n";
    let cases = [
        // (where it lies, code of the package, expected)
        ("Scripts/helper.dll", "x = 1\n", nowhere.clone()),
        ("Scripts/helper.dll", adds, nowhere.clone()),
        ("bin/helper.dll", adds, nowhere.clone()),
        ("Library/bin/helper.dll", "x = 1\n", nowhere.clone()),
        ("Library/bin/helper.dll", adds, vec![]),
        ("Lib/site-packages/other/helper.dll", "x = 1\n", vec![]),
    ];
    for (place, code, expected) in cases {
        let files = [
            (MODULE, module(&["helper.dll"]).bytes()),
            ("Lib/site-packages/pkg/__init__.py", code.as_bytes().to_vec()),
            (place, module(&[]).bytes()),
        ];
        assert_eq!(findings(WINDOWS, &files), expected, "for {place} and {code:?}");
    }
    // A program among the scripts finds what lies beside it.
    let program = PeFile { is_library: false, ..module(&["helper.dll"]) }.bytes();
    let files = [("Scripts/tool.exe", program), ("Scripts/helper.dll", module(&[]).bytes())];
    assert_eq!(findings(WINDOWS, &files), [""; 0]);
    assert_eq!(findings(WINDOWS, &[("Lib/site-packages/core.pyd", module(&["helper.dll"]).bytes())]), nowhere);
}

#[test]
fn a_library_that_is_loaded_late_weighs_less() {
    let module = PeFile { delayed: &["late.dll", "user32.dll"], imports: &["gone.dll"], ..PeFile::default() };
    let expected = [
        "needs gone.dll, which is neither in the runtime nor provided by the system",
        "(needs late.dll, which is neither in the runtime nor provided by the system)",
    ];
    assert_eq!(findings(WINDOWS, &[(MODULE, module.bytes())]), expected);
}

#[test]
fn the_oldest_windows_is_told_and_held_under_that_of_today() {
    let cases = [
        ([(6, 0), (6, 0)], vec![], "6.0"),
        ([(4, 0), (5, 2)], vec![], "5.2"),
        ([(6, 2), (6, 1)], vec![], "6.2"),
        ([(10, 0), (10, 0)], vec![], "10.0"),
        ([(6, 0), (11, 0)], vec!["needs Windows 11.0, above the ceiling 10.0"], "11.0"),
    ];
    for (versions, expected, needed) in cases {
        let module = PeFile { versions, ..PeFile::default() };
        assert_eq!(findings(WINDOWS, &[(MODULE, module.bytes())]), expected, "for {versions:?}");
        let prefix = tempfile::tempdir().unwrap();
        write(prefix.path(), MODULE, module.bytes());
        assert_eq!(check(prefix.path(), WINDOWS).summary().needs["windows"], needed);
    }
}

#[test]
fn files_are_checked_for_their_architecture() {
    let file = |machine, is_library| PeFile { machine, is_library, ..PeFile::default() }.bytes();
    let cases = [
        (MODULE, file(AMD64, true), vec![]),
        (MODULE, file(ARM64, true), vec!["is for aarch64, not for windows-x64"]),
        (MODULE, file(I386, true), vec!["is for another machine, not for windows-x64"]),
        // Installers carry launchers for every machine.
        ("Lib/site-packages/pip/w32.exe", file(I386, false), vec![]),
        ("bin/tool.exe", file(I386, false), vec!["is for another machine, not for windows-x64"]),
        ("Scripts/tool.exe", file(I386, false), vec!["is for another machine, not for windows-x64"]),
    ];
    for (path, content, expected) in cases {
        assert_eq!(findings(WINDOWS, &[(path, content)]), expected, "for {path}");
    }
}

#[test]
fn a_cut_off_file_is_a_fault() {
    let whole = PeFile { delayed: &["late.dll"], ..module(&["kernel32.dll"]) }.bytes();
    let lengths = 132..whole.len();
    all_are_damaged(WINDOWS, lengths.map(|length| whole[..length].to_vec()));
    // Not even the two letters, or nothing that they lead to: no such file at all.
    for content in [&b"M"[..], b"MZ", b"MZ is how this text begins"] {
        assert_eq!(findings(WINDOWS, &[("Lib/text", content.to_vec())]), [""; 0]);
    }
}

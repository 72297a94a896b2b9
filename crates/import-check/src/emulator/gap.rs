//! What an emulator lacks, read from its messages. Pure.
//!
//! A gap says nothing about the runtime: the same import may well work on the real system. Anything that is not a
//! known gap counts as the runtime's own fault.

use std::collections::BTreeSet;

use super::EmulatorKind;
use static_checks::system_libraries::windows::is_system_library;

/// What the emulator cannot do, in its own words, if that is why an import failed. `error` is the text of the attempt.
pub fn gap_in(kind: EmulatorKind, error: &str) -> Option<String> {
    match kind {
        EmulatorKind::Qemu => qemu_gap(error),
        EmulatorKind::Wine => wine_gap(error),
    }
}

/// `error` with what wine said of it. Wine writes to the error stream of the first program, whichever program fails, so
/// where several lacked different things each of them is named.
pub fn with_cause(kind: EmulatorKind, error: &str, said: &str) -> String {
    let unnamed = kind == EmulatorKind::Wine && !error.contains(UNIMPLEMENTED);
    let stub_called = unnamed && STUB_CODES.iter().any(|code| error.contains(code));
    // `ImportError: DLL load failed while importing tbbpool: Module not found.`; wine names the file.
    let imported = error.split_once("DLL load failed while importing ").map(|(_, rest)| rest);
    let file = imported.and_then(|rest| rest.split([':', ' ']).next()).map(|name| format!("\\{name}."));
    let causes: BTreeSet<&str> = said
        .lines()
        .filter_map(|line| match () {
            () if stub_called => line.find(UNIMPLEMENTED).and_then(|start| line[start..].split(',').next()),
            () if file.as_ref().is_some_and(|file| line.contains(file)) => {
                line.find(LIBRARY).map(|start| &line[start..])
            }
            () => None,
        })
        .map(str::trim)
        .collect();
    if causes.is_empty() {
        return error.to_owned();
    }
    format!("{error}: {}", Vec::from_iter(causes).join(", "))
}

const UNIMPLEMENTED: &str = "unimplemented function ";
const LIBRARY: &str = "import_dll Library ";
/// The exception that wine raises for a function it has only the name of, as a process's exit code.
const STUB_CODES: [&str; 3] = ["0x80000100", "2147483904", "-2147483392"];

fn qemu_gap(error: &str) -> Option<String> {
    // `qemu: uncaught target signal 4 (Illegal instruction) - core dumped`, `qemu: Unsupported syscall: 435`.
    for line in error.lines() {
        let Some((_, said)) = line.split_once("qemu: ") else { continue };
        let lower = said.to_lowercase();
        if lower.starts_with("uncaught target signal") || lower.starts_with("unsupported syscall") {
            return Some(said.split(" - ").next().unwrap_or(said).trim().to_owned());
        }
    }
    // How a call that the emulator does not know comes out of Python.
    error.contains("[Errno 38]").then(|| "function not implemented (errno 38)".to_owned())
}

fn wine_gap(error: &str) -> Option<String> {
    if let Some(start) = error.to_ascii_lowercase().find(UNIMPLEMENTED) {
        let rest = error.get(start + UNIMPLEMENTED.len()..).unwrap_or_default();
        let name = rest.split([',', ' ', ')']).next().unwrap_or_default();
        return Some(format!("{UNIMPLEMENTED}{name}"));
    }
    if let Some((_, rest)) = error.split_once(LIBRARY) {
        let name = rest.split(' ').next().unwrap_or_default();
        // Any other library would have to be in the runtime.
        return is_system_library(name).then(|| format!("no library {name}"));
    }
    STUB_CODES
        .iter()
        .any(|code| error.contains(code))
        .then(|| "unimplemented function (exception 0x80000100)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wine_says_beside_a_program_names_the_cause() {
        let said = "wine: Call from 000000007B013D7E to unimplemented function ucrtbase.dll.crealf, aborting\n\
                    wine: Call from 000000007B013D7E to unimplemented function ucrtbase.dll.crealf, aborting\n\
                    0024:err:module:import_dll Library x.dll (which is needed by L\"Z:\\y.pyd\") not found\n";
        let other = format!("{said}wine: Call from 0 to unimplemented function ucrtbase.dll.cexp, aborting\n");
        let (code, load) =
            ("ended with code 2147483904", "ImportError: DLL load failed while importing y: Module not found.");
        let wine = EmulatorKind::Wine;
        let one = with_cause(wine, code, said);
        assert_eq!(one, "ended with code 2147483904: unimplemented function ucrtbase.dll.crealf");
        assert_eq!(gap_in(wine, &one).as_deref(), Some("unimplemented function ucrtbase.dll.crealf"));
        assert_eq!(
            with_cause(wine, code, &other),
            "ended with code 2147483904: unimplemented function ucrtbase.dll.cexp, unimplemented function \
             ucrtbase.dll.crealf"
        );
        assert!(with_cause(wine, load, said).contains("Library x.dll"));
        for unchanged in ["ended with code 1", "ImportError: cannot import name 'x'"] {
            assert_eq!(with_cause(wine, unchanged, said), unchanged);
        }
        assert_eq!(with_cause(EmulatorKind::Qemu, code, said), code);
    }

    #[test]
    fn gaps_are_known_by_the_emulators_own_words() {
        use EmulatorKind::{Qemu, Wine};
        let cases = [
            // (emulator, error, gap)
            (
                Wine,
                "ended with code 2147483904 before the import was done: wine: Call from 000000007B013D7E to \
                 unimplemented function ucrtbase.dll.crealf, aborting",
                Some("unimplemented function ucrtbase.dll.crealf"),
            ),
            (
                Wine,
                "wine: Unimplemented function ucrtbase.dll.cexp called at address 000 (thread 002c)",
                Some("unimplemented function ucrtbase.dll.cexp"),
            ),
            (
                Wine,
                "ended with code 2147483904 before the import was done",
                Some("unimplemented function (exception 0x80000100)"),
            ),
            (
                Wine,
                "ImportError: DLL load failed (0024:err:module:import_dll Library api-ms-win-x-l1-1-0.dll (which is \
                 needed by L\"Z:\\\\x.pyd\") not found)",
                Some("no library api-ms-win-x-l1-1-0.dll"),
            ),
            // What the runtime itself should have brought.
            (
                Wine,
                "ImportError: DLL load failed (0024:err:module:import_dll Library openblas.dll (which is needed by \
                 L\"x\") not found)",
                None,
            ),
            (Wine, "ended with code 3221225477 before the import was done", None),
            (Wine, "ImportError: cannot import name 'x'", None),
            (
                Qemu,
                "killed by SIGILL before the import was done: qemu: uncaught target signal 4 (Illegal instruction) - \
                 core dumped",
                Some("uncaught target signal 4 (Illegal instruction)"),
            ),
            (Qemu, "x: qemu: Unsupported syscall: 435", Some("Unsupported syscall: 435")),
            (Qemu, "OSError: [Errno 38] Function not implemented", Some("function not implemented (errno 38)")),
            (Qemu, "ImportError: libz.so.1: cannot open shared object file", None),
            // Messages of the other emulator mean nothing.
            (Qemu, "unimplemented function ucrtbase.dll.crealf", None),
            (Wine, "İ Unimplemented function x.dll.f", Some("unimplemented function x.dll.f")),
        ];
        for (kind, error, gap) in cases {
            assert_eq!(gap_in(kind, error).as_deref(), gap, "for {error:?}");
        }
    }
}

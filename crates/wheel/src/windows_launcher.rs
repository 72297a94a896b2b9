//! Programs that start a Python script on Windows, where a script alone cannot be started.
//!
//! Such a program is a launcher, a first line that names the interpreter, and a zip with the script, one after the
//! other: the form that distlib introduced and that pip and uv use, too. The interpreter is named relative to the
//! launcher (`<launcher_dir>\\`, supported by its launchers since version 1.1.0.14), so the program moves with its
//! prefix.
//!
//! The launchers themselves are distlib's (Python Software Foundation licence), contained in the pip of every base
//! interpreter, and used only if their digests are the known ones. If a base interpreter has others or none, distlib's
//! own wheel is fetched once, by digest.
//!
//! pip later installs or removes the programs in `Scripts`. So `bin` has others, which only start those of the same
//! name: [`forwarder`](WindowsLaunchers::forwarder), `docs/windows.md`.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use vocab::{Digest, Fault, TreeLayout, TreePath};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use store::Context;
use store::pinned_tool::{self, PinnedTool, SetUpError};

/// Starts `python.exe` and keeps its terminal.
const CONSOLE: (&str, &str) = ("t64.exe", "81a618f21cb87db9076134e70388b6e9cb7c2106739011b6a51772d22cae06b7");

/// Starts `pythonw.exe`, without a terminal.
const GUI: (&str, &str) = ("w64.exe", "7a319ffaba23a017d7b1e18ba726ba6c54c53d6446db55f92af53c279894f8ad");

/// The release whose wheel holds the launchers above.
static DISTLIB: LazyLock<PinnedTool> = LazyLock::new(|| PinnedTool {
    name: "distlib",
    version: "0.4.4",
    digests: vec!["cf09d55b1e85a89576b036aeb71550bfd68320f3f21761ca329eadadad918638".to_owned()],
});

/// The launchers of 64-bit Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowsLaunchers {
    /// For scripts with a terminal.
    pub console: Vec<u8>,
    /// For scripts without one.
    pub gui: Vec<u8>,
}

/// No known launcher was found or could be fetched, so scripts cannot be made for Windows.
#[derive(Debug, thiserror::Error, Fault)]
#[error(
    "there is no launcher for scripts on Windows: the base interpreter's pip has none, and distlib cannot be fetched"
)]
#[fault("E_LAUNCHER", Build, hint("build once with the network, or use a base interpreter whose pip is 22.3 or newer"))]
pub struct LauncherError {
    #[source]
    pub kind: SetUpError,
}

/// The tool that has them where the base interpreter's pip does not.
pub fn pinned() -> &'static PinnedTool {
    &DISTLIB
}

impl WindowsLaunchers {
    /// The launchers in the pip of a base interpreter. `None` if it has others, or no pip.
    pub fn of_pip(tree: &Path, layout: TreeLayout) -> Option<Self> {
        Self::in_folder(&layout.site_packages().below(tree).join("pip").join("_vendor").join("distlib"))
    }

    /// The launchers of the tree's pip, or else of distlib's wheel, which is set up in the store with `python`'s own
    /// pip.
    pub fn find(
        context: &Context,
        tree: &Path,
        layout: TreeLayout,
        python: impl FnOnce() -> Result<std::path::PathBuf, Box<dyn Fault>>,
    ) -> Result<Self, Box<dyn Fault>> {
        if let Some(found) = Self::of_pip(tree, layout) {
            return Ok(found);
        }
        let name = format!("{}-{}", DISTLIB.name, DISTLIB.version);
        let folder = context.store.tool(&name);
        context.store.mark_used(store::EntryKind::Tools, &name);
        if Self::in_folder(&folder.join("distlib")).is_none() {
            let failed = |kind| LauncherError { kind };
            if !pinned_tool::from_wheel(context, &DISTLIB, &folder).map_err(failed)? {
                pinned_tool::set_up(context, &python()?, &DISTLIB, &folder).map_err(failed)?;
            }
        }
        let lost = || LauncherError { kind: SetUpError::Wheel { reason: "it has other launchers".to_owned() } };
        Ok(Self::in_folder(&folder.join("distlib")).ok_or_else(lost)?)
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let read = |(name, digest): (&str, &str)| {
            let bytes = fs::read(folder.join(name)).ok()?;
            (Digest::of(&bytes).to_string() == digest).then_some(bytes)
        };
        Some(Self { console: read(CONSOLE)?, gui: read(GUI)? })
    }

    /// The program that runs `script`, Python source in any encoding that it declares, with the interpreter in
    /// `folder`, relative to the program: `..\\`. Equal bytes on every host.
    pub fn program(&self, folder: &str, script: &[u8], gui: bool) -> Vec<u8> {
        let (launcher, interpreter) = if gui { (&self.gui, "pythonw.exe") } else { (&self.console, "python.exe") };
        let mut program = launcher.clone();
        program.extend_from_slice(format!("#!<launcher_dir>\\{folder}{interpreter}\n").as_bytes());
        program.extend(zipped(script));
        program
    }

    /// What starts `program` of the scripts folder from `bin`; `None` if it is not a program or script. Depends on the
    /// kind and depth of `program`, whose first bytes are `start`, and on whether it has a window instead of a
    /// terminal.
    pub fn forwarder(&self, program: &TreePath, start: &[u8]) -> Option<Vec<u8>> {
        let ending = program.file_name().rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "bat" | "cmd" => Some(forwarding_batch(program)),
            "ps1" => Some(forwarding_powershell(program)),
            "py" | "pyw" => Some(FORWARD_SCRIPT.to_vec()),
            "sh" | "" if start.starts_with(b"#!") => Some(forwarding_shell(program)),
            "exe" | "com" => {
                let up = "..\\".repeat(program.segments().count() - 1);
                Some(self.program(&up, FORWARD, start.starts_with(&self.gui) || has_window(start)))
            }
            _ => None,
        }
    }
}

/// The script of every forwarder.
const FORWARD: &[u8] = include_bytes!("windows_launcher/forward.py");

/// The forwarder of every Python script that is not a program.
const FORWARD_SCRIPT: &[u8] = include_bytes!("windows_launcher/forward_script.py");

/// The folder of `program` relative to its counterpart in `bin`: `../Scripts/`.
fn folder_from_bin(program: &TreePath, separator: char) -> String {
    let up = format!("..{separator}").repeat(program.segments().count() - 1);
    let folder = program.parent().unwrap_or_default();
    folder.segments().fold(up, |path, name| format!("{path}{name}{separator}"))
}

/// Without `call` a batch file hands over to the other for good, and so ends with its exit code.
fn forwarding_batch(program: &TreePath) -> Vec<u8> {
    format!("@\"%~dp0{}%~nx0\" %*\r\n", folder_from_bin(program, '\\')).into_bytes()
}

/// The other script runs in the scope of this one: so it can set variables for a caller that sourced it with a dot, and
/// its `exit` ends this one as well.
fn forwarding_powershell(program: &TreePath) -> Vec<u8> {
    let folder = folder_from_bin(program, '\\');
    format!(". (Join-Path $PSScriptRoot ('{folder}' + $MyInvocation.MyCommand.Name)) @args\r\n").into_bytes()
}

/// For the shells of git and MSYS2, which read the first line of a script.
fn forwarding_shell(program: &TreePath) -> Vec<u8> {
    let folder = folder_from_bin(program, '/');
    format!("#!/bin/sh\nexec \"$(dirname -- \"$0\")/{folder}$(basename -- \"$0\")\" \"$@\"\n").into_bytes()
}

/// How many bytes of a program [`WindowsLaunchers::forwarder`] needs.
pub const START: usize = 4096;

/// Whether Windows opens no terminal for a program. Source: the PE format, `Subsystem` of the optional header.
fn has_window(start: &[u8]) -> bool {
    const WINDOWS_GUI: [u8; 2] = [2, 0];
    let header = || {
        let place = start.get(0x3c..0x40)?;
        let header = start.get(u32::from_le_bytes(place.try_into().ok()?) as usize..)?.strip_prefix(b"PE\0\0")?;
        header.get(20 + 68..20 + 70)
    };
    header() == Some(&WINDOWS_GUI)
}

/// What `python program.exe` looks for at the program's end: a zip with a `__main__.py`.
fn zipped(script: &[u8]) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        // Otherwise it would reveal which system the builder ran on.
        .system(System::Unix);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive
        .start_file("__main__.py", options)
        .and_then(|()| Ok(archive.write_all(script)?))
        .and_then(|()| archive.finish())
        .expect("memory can be written, and a script is smaller than a zip may be")
        .into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn launchers() -> WindowsLaunchers {
        WindowsLaunchers { console: b"MZ console ".to_vec(), gui: b"MZ gui ".to_vec() }
    }

    #[test]
    fn a_program_is_launcher_first_line_and_zipped_script() {
        let program = launchers().program("..\\", b"print(1)\n", false);
        assert!(program.starts_with(b"MZ console #!<launcher_dir>\\..\\python.exe\nPK\x03\x04"));
        assert_eq!(program, launchers().program("..\\", b"print(1)\n", false));
        let mut archive = zip::ZipArchive::new(Cursor::new(program)).unwrap();
        let mut script = String::new();
        archive.by_name("__main__.py").unwrap().read_to_string(&mut script).unwrap();
        assert_eq!(script, "print(1)\n");
        assert!(launchers().program("", b"", true).starts_with(b"MZ gui #!<launcher_dir>\\pythonw.exe\nPK"));
    }

    #[test]
    fn a_forwarder_is_the_same_for_every_name_and_knows_a_window_by_what_it_starts() {
        let forwarder = |path: &str, start: &[u8]| launchers().forwarder(&path.parse().unwrap(), start);
        let idna = forwarder("Scripts/idna.exe", b"MZ console ").unwrap();
        assert!(idna.starts_with(b"MZ console #!<launcher_dir>\\..\\python.exe\nPK"));
        assert_eq!(forwarder("Scripts/other.EXE", b"MZ native").unwrap(), idna);
        let below = forwarder("Scripts/sub/x.exe", b"").unwrap();
        assert!(below.starts_with(b"MZ console #!<launcher_dir>\\..\\..\\python.exe\nPK"));
        let mut native = vec![0; 256];
        (native[0x3c], native[0x80 + 24 + 68]) = (0x80, 2);
        native[0x80..0x84].copy_from_slice(b"PE\0\0");
        for windowed in [&native[..], b"MZ gui #!"] {
            assert!(forwarder("Scripts/w.exe", windowed).unwrap().starts_with(b"MZ gui #!<launcher_dir>\\..\\pythonw"));
        }
        assert_eq!(forwarder("Scripts/sub/x.bat", b"").unwrap(), b"@\"%~dp0..\\..\\Scripts\\sub\\%~nx0\" %*\r\n");
        assert_eq!(forwarder("Scripts/x.dll", b"MZ"), None);
        let text = |path: &str, start: &[u8]| forwarder(path, start).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(
            text("Scripts/sub/x.ps1", b"").unwrap(),
            ". (Join-Path $PSScriptRoot ('..\\..\\Scripts\\sub\\' + $MyInvocation.MyCommand.Name)) @args\r\n"
        );
        let shell = "#!/bin/sh\nexec \"$(dirname -- \"$0\")/../Scripts/$(basename -- \"$0\")\" \"$@\"\n";
        for path in ["Scripts/x", "Scripts/x.sh"] {
            assert_eq!((text(path, b"#!/bin/bash\n").as_deref(), text(path, b"data")), (Some(shell), None));
        }
        assert!(text("Scripts/x.py", b"").unwrap().contains("runpy"));
        assert_eq!(forwarder("Scripts/x.pyw", b""), forwarder("Scripts/sub/x.py", b""));
    }

    #[test]
    fn launchers_with_other_bytes_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t64.exe"), "MZ").unwrap();
        fs::write(folder.path().join("w64.exe"), "MZ").unwrap();
        assert_eq!(WindowsLaunchers::in_folder(folder.path()), None);
    }
}

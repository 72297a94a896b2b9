//! Programs that start a Python script on Windows, where a script alone cannot be started.
//!
//! Such a program is a launcher, a first line that names the interpreter, and a zip with the script, one behind the
//! other: the form that distlib gave it and that pip and uv make, too. The interpreter is named relative to the
//! launcher (`<launcher_dir>\`, which its launchers know since version 1.1.0.14), so the program moves with its prefix.
//!
//! The launchers themselves are distlib's (Python Software Foundation licence), as its pip carries them in every base
//! interpreter, and taken only with the bytes known here. Where a base interpreter has others or none, distlib's own
//! wheel is fetched once, by digest.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::LazyLock;

use vocab::{Digest, Exit, Fault, TreeLayout};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::Context;
use crate::pinned_tool::{self, PinnedTool, SetUpError};

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
    pub console: Vec<u8>,
    pub gui: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "there is no launcher for scripts on Windows: the base interpreter's pip has none, and distlib cannot be fetched"
)]
pub struct LauncherError {
    #[source]
    pub kind: SetUpError,
}

impl Fault for LauncherError {
    fn code(&self) -> &'static str {
        "E_LAUNCHER"
    }

    fn exit(&self) -> Exit {
        Exit::Build
    }

    fn hint(&self) -> Option<String> {
        Some("build once with the network, or take a base interpreter whose pip is 22.3 or newer".to_owned())
    }
}

impl WindowsLaunchers {
    /// Those that the pip of a base interpreter carries. `None` when it has others, or no pip.
    pub fn of_pip(tree: &Path, layout: TreeLayout) -> Option<Self> {
        Self::in_folder(&layout.site_packages().below(tree).join("pip").join("_vendor").join("distlib"))
    }

    /// The same, or else those of distlib's wheel, which is set up in the store with `python`'s own pip.
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
        context.store.mark_used(crate::store::EntryKind::Tools, &name);
        if Self::in_folder(&folder.join("distlib")).is_none() {
            let python = python()?;
            pinned_tool::set_up(context, &python, &DISTLIB, &folder).map_err(|kind| LauncherError { kind })?;
        }
        let lost = || LauncherError { kind: SetUpError::Pip { output: "its wheel has other launchers".to_owned() } };
        Ok(Self::in_folder(&folder.join("distlib")).ok_or_else(lost)?)
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let read = |(name, digest): (&str, &str)| {
            let bytes = fs::read(folder.join(name)).ok()?;
            (Digest::of(&bytes).to_string() == digest).then_some(bytes)
        };
        Some(Self { console: read(CONSOLE)?, gui: read(GUI)? })
    }

    /// The program beside the interpreter that runs `script`, Python source in any encoding that it declares. Equal bytes
    /// on every host.
    pub fn program(&self, script: &[u8], gui: bool) -> Vec<u8> {
        self.program_below("", script, gui)
    }

    /// The same for a program elsewhere, with the interpreter in `folder` as seen from there: `..\`.
    pub fn program_below(&self, folder: &str, script: &[u8], gui: bool) -> Vec<u8> {
        let (launcher, interpreter) = if gui { (&self.gui, "pythonw.exe") } else { (&self.console, "python.exe") };
        let mut program = launcher.clone();
        program.extend_from_slice(format!("#!<launcher_dir>\\{folder}{interpreter}\n").as_bytes());
        program.extend(zipped(script));
        program
    }
}

/// What `python program.exe` looks for at the program's end: a zip with a `__main__.py`.
fn zipped(script: &[u8]) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        // Otherwise it tells which system the builder ran on.
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
        let program = launchers().program(b"print(1)\n", false);
        assert!(program.starts_with(b"MZ console #!<launcher_dir>\\python.exe\nPK\x03\x04"));
        assert_eq!(program, launchers().program(b"print(1)\n", false));
        let mut archive = zip::ZipArchive::new(Cursor::new(program)).unwrap();
        let mut script = String::new();
        archive.by_name("__main__.py").unwrap().read_to_string(&mut script).unwrap();
        assert_eq!(script, "print(1)\n");
        assert!(launchers().program(b"", true).starts_with(b"MZ gui #!<launcher_dir>\\pythonw.exe\nPK"));
    }

    #[test]
    fn launchers_with_other_bytes_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t64.exe"), "MZ").unwrap();
        fs::write(folder.path().join("w64.exe"), "MZ").unwrap();
        assert_eq!(WindowsLaunchers::in_folder(folder.path()), None);
    }
}

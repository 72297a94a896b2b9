//! The form of a script on its platform: on POSIX a file that finds the interpreter from its own location; on Windows,
//! where only programs can be started, a program with the script inside.

use vocab::{TreeLayout, TreePath, record_format};

use super::install_error::InstallErrorKind;
use super::{EntryPoint, script};
use crate::windows_launcher::WindowsLaunchers;

/// A file in the scripts folder. All of them are executable.
pub(super) struct ScriptFile {
    /// Below the scripts folder.
    pub path: TreePath,
    pub content: Vec<u8>,
}

/// What scripts are made for.
#[derive(Clone, Copy)]
pub(super) struct ScriptTarget<'a> {
    pub layout: TreeLayout,
    /// Needed on Windows only.
    pub launchers: Option<&'a WindowsLaunchers>,
}

impl ScriptTarget<'_> {
    pub(super) fn entry_point(self, point: &EntryPoint) -> Result<ScriptFile, InstallErrorKind> {
        let refused = |error: vocab::TreePathError| InstallErrorKind::Refused {
            path: point.name.clone(),
            reason: error.reason.to_owned(),
        };
        let (path, body) = (point.name.parse().map_err(refused)?, script::entry_point_body(point));
        if self.layout.platform.is_windows() {
            return self.program(&path, body.as_bytes(), point.gui);
        }
        let content = script::posix_script(&self.interpreter_from(&path), &body);
        Ok(ScriptFile { path, content })
    }

    /// For a script of the wheel's own that asks for the installation's interpreter. `path` is below the scripts
    /// folder.
    pub(super) fn python_script(self, path: &TreePath, body: &[u8], gui: bool) -> Result<ScriptFile, InstallErrorKind> {
        if self.layout.platform.is_windows() {
            return self.program(path, body, gui);
        }
        let content = script::rewritten_posix(&self.interpreter_from(path), body);
        Ok(ScriptFile { path: path.clone(), content })
    }

    /// The program in `bin` that starts `program`, a path below the prefix whose first bytes are `start`.
    pub(super) fn forwarder(self, program: &TreePath, start: &[u8]) -> Result<Option<Vec<u8>>, InstallErrorKind> {
        let Some(launchers) = self.launchers else {
            return Err(InstallErrorKind::NoLauncher { script: program.to_string() });
        };
        Ok(launchers.forwarder(program, start))
    }

    /// `python3.12` relative to the folder of the script, `../python3.12` for a script one folder deeper.
    fn interpreter_from(self, path: &TreePath) -> String {
        let folder = self.layout.scripts().join(&path.parent().unwrap_or_default());
        record_format::relative_to(&self.layout.interpreter(), &folder)
    }

    /// `tool.exe` for `tool` and `tool.py`, as pip and uv name it.
    fn program(self, path: &TreePath, body: &[u8], gui: bool) -> Result<ScriptFile, InstallErrorKind> {
        let name = path.as_str();
        let stem = [".py", ".pyw"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        let script = format!("{stem}.exe");
        let Some(launchers) = self.launchers else { return Err(InstallErrorKind::NoLauncher { script }) };
        let interpreter = self.interpreter_from(path);
        let folder = interpreter.strip_suffix("python.exe").unwrap_or_default().replace('/', "\\");
        let refused = |error: vocab::TreePathError| InstallErrorKind::Refused {
            path: error.text.clone(),
            reason: error.reason.to_owned(),
        };
        let path = script.parse().map_err(refused)?;
        Ok(ScriptFile { path, content: launchers.program(&folder, body, gui) })
    }
}

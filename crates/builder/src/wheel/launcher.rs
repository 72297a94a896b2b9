//! What a script becomes on its platform: on POSIX a file that finds the interpreter beside itself, on Windows, where
//! only programs can be started, a program with the script inside.

use super::install_error::InstallErrorKind;
use super::{EntryPoint, script};
use crate::windows_launcher::WindowsLaunchers;
use vocab::TreeLayout;

/// A file in the scripts folder. All of them are executable.
pub(super) struct ScriptFile {
    pub file_name: String,
    pub content: Vec<u8>,
}

/// For whom scripts are made.
#[derive(Clone, Copy)]
pub(super) struct ScriptTarget<'a> {
    pub layout: TreeLayout,
    /// Needed on Windows only.
    pub launchers: Option<&'a WindowsLaunchers>,
}

impl ScriptTarget<'_> {
    pub(super) fn entry_point(self, point: &EntryPoint) -> Result<ScriptFile, InstallErrorKind> {
        let body = script::entry_point_body(point);
        if self.layout.platform.is_windows() {
            return self.program(&point.name, body.as_bytes(), point.gui);
        }
        let interpreter = self.layout.interpreter();
        let content = script::posix_script(interpreter.file_name(), &body);
        Ok(ScriptFile { file_name: point.name.clone(), content })
    }

    /// For a script of a wheel's own that asks for the installation's interpreter.
    pub(super) fn python_script(self, name: &str, body: &[u8], gui: bool) -> Result<ScriptFile, InstallErrorKind> {
        if self.layout.platform.is_windows() {
            let stem = name.strip_suffix(".py").or_else(|| name.strip_suffix(".pyw")).unwrap_or(name);
            return self.program(stem, body, gui);
        }
        let content = script::rewritten_posix(self.layout.interpreter().file_name(), body);
        Ok(ScriptFile { file_name: name.to_owned(), content })
    }

    fn program(self, stem: &str, body: &[u8], gui: bool) -> Result<ScriptFile, InstallErrorKind> {
        let file_name = format!("{stem}.exe");
        let launchers = self.launchers.ok_or_else(|| InstallErrorKind::NoLauncher { script: file_name.clone() })?;
        Ok(ScriptFile { content: launchers.program(body, gui), file_name })
    }
}

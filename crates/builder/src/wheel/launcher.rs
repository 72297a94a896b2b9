//! What a script becomes on its platform: one file on POSIX; on Windows, where only programs can be started, the
//! script's Python part, beside which a launcher is to stand.
//!
//! The seam for the launchers: `NAME.exe` will be one more [`ScriptFile`] here, made from a maintained package's
//! program and the script. Until then Windows scripts are started as `python bin\NAME-script.py`.

use super::{EntryPoint, script};
use vocab::TreeLayout;

/// A file in the scripts folder. All of them are executable.
pub(super) struct ScriptFile {
    pub file_name: String,
    pub content: Vec<u8>,
}

pub(super) fn entry_point(layout: TreeLayout, point: &EntryPoint) -> Vec<ScriptFile> {
    let body = script::entry_point_body(point);
    if layout.platform.is_windows() {
        return vec![windows_part(&point.name, point.gui, body.as_bytes())];
    }
    let interpreter = layout.interpreter();
    let content = script::posix_script(interpreter.file_name(), &body);
    vec![ScriptFile { file_name: point.name.clone(), content }]
}

/// For a script of a wheel's own that asks for the installation's interpreter.
pub(super) fn python_script(layout: TreeLayout, name: &str, body: &[u8], gui: bool) -> Vec<ScriptFile> {
    if layout.platform.is_windows() {
        let stem = name.strip_suffix(".py").or_else(|| name.strip_suffix(".pyw")).unwrap_or(name);
        return vec![windows_part(stem, gui, body)];
    }
    let content = script::rewritten_posix(layout.interpreter().file_name(), body);
    vec![ScriptFile { file_name: name.to_owned(), content }]
}

/// The first line is what launchers read: a name without folder is the program beside them.
fn windows_part(stem: &str, gui: bool, body: &[u8]) -> ScriptFile {
    let (ending, line) =
        if gui { ("-script.pyw", &b"#!pythonw.exe\n"[..]) } else { ("-script.py", &b"#!python.exe\n"[..]) };
    ScriptFile { file_name: format!("{stem}{ending}"), content: [line, body].concat() }
}

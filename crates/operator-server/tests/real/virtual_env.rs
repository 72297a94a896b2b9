//! Virtual environments with distributions of the index, made by uv and kept for the next run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The interpreter of an environment that holds `requirements`, on the Python of this machine.
pub fn python_with(name: &str, requirements: &[&str]) -> PathBuf {
    environment(name, &crate::support::python().display().to_string(), requirements)
}

/// On this Python: a path, or a version that uv finds.
pub fn environment(name: &str, on: &str, requirements: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tables-{name}"));
    let python = if cfg!(windows) { folder.join("Scripts/python.exe") } else { folder.join("bin/python3") };
    if folder.join("complete").exists() {
        return python;
    }
    let _ = fs::remove_dir_all(&folder);
    let path = |path: &Path| path.display().to_string();
    uv(&["venv", "--quiet", "--python", on, &path(&folder)]);
    let interpreter = path(&python);
    let install = ["pip", "install", "--quiet", "--only-binary", ":all:", "--python", interpreter.as_str()];
    uv(&[install.as_slice(), requirements].concat());
    File::create(folder.join("complete")).unwrap();
    python
}

#[track_caller]
fn uv(arguments: &[&str]) {
    let output = Command::new("uv").args(arguments).env("UV_PYTHON_DOWNLOADS", "never").output().unwrap();
    assert!(output.status.success(), "uv {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

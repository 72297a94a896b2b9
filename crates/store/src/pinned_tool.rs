//! A tool from the Python index in the store, at one version, by digest, with an interpreter's own pip: which uses the
//! user's index, proxy and credentials.

use std::fs;
use std::io;
use std::path::Path;

use crate::Context;
use process::{Invocation, ProcessError};
use process::{shortened, words_of};

/// What may be installed: only a file with one of these digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedTool {
    pub name: &'static str,
    pub version: &'static str,
    /// SHA-256 of its wheels, in hexadecimal.
    pub digests: Vec<String>,
}

/// Why a pinned tool could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    #[error("the build is offline")]
    Offline,
    #[error("there is no pinned uv for this machine")]
    NoWheel,
    #[error("the interpreter's pip failed: {}", shortened(output))]
    Pip {
        /// All of its output.
        output: String,
    },
    #[error(transparent)]
    Process(ProcessError),
    #[error("the store cannot be written")]
    Store(#[source] io::Error),
}

/// Installs the tool into `folder`, as `pip install --target` does. Several builders may do so at once.
pub fn set_up(context: &Context, python: &Path, tool: &PinnedTool, folder: &Path) -> Result<(), SetUpError> {
    if context.offline {
        return Err(SetUpError::Offline);
    }
    let PinnedTool { name, version, digests } = tool;
    let hashes: String = digests.iter().map(|digest| format!(" --hash=sha256:{digest}")).collect();
    context.note(format!("setting up {name} {version} in the store"));
    let staged = context.store.scratch_dir(&format!("{name}-")).map_err(SetUpError::Store)?;
    let requirements = staged.path().join("requirements.txt");
    fs::write(&requirements, format!("{name}=={version}{hashes}\n")).map_err(SetUpError::Store)?;
    let tree = staged.path().join("tree");
    let invocation = Invocation::new(python, staged.path())
        .args([
            "-I",
            "-B",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ])
        .args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target"])
        .arg(&tree)
        .arg("--requirement")
        .arg(&requirements)
        .timeout(context.timeout);
    let finished = process::run(context, &invocation).map_err(SetUpError::Process)?;
    if !finished.succeeded() {
        return Err(SetUpError::Pip { output: words_of(&finished.stderr_text()) });
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(SetUpError::Store)?;
    }
    match archive::rename(&tree, folder) {
        // Another builder was faster; its tree came through the same digest.
        Err(_) if folder.is_dir() => Ok(()),
        other => other.map_err(SetUpError::Store),
    }
}

//! Why nothing could be done with what is installed.

use std::io;
use std::path::PathBuf;

use vocab::{Fault, RuntimeRequest};

use crate::{GetErrorKind, SourceError};

/// Each names the runtime or the file, and what to do.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum InstalledError {
    #[error("no runtime is installed in `{}`", home.display())]
    #[fault("E_RUNTIME_NONE", hint("install one with `pydist get`, or name the folder with --runtimes"))]
    Nothing { home: PathBuf },
    /// The nearest first.
    #[error("`{request}`{asked} is not installed; installed: {}", installed.join(", "))]
    #[fault("E_RUNTIME_NOT_INSTALLED", hint_with = Self::hint_of_nearest)]
    NotInstalled { request: RuntimeRequest, asked: String, installed: Vec<String> },
    #[error("`{request}` could be {}", versions.join(" or "))]
    #[fault("E_RUNTIME_AMBIGUOUS", hint("nothing is removed by guessing: write the whole version"))]
    Ambiguous { request: RuntimeRequest, versions: Vec<String> },
    #[error("no build of {version} is current; installed: {}", builds.join(", "))]
    #[fault("E_RUNTIME_NO_CURRENT", hint("`pydist get {version}` makes one current; or write the name of a build"))]
    NoCurrent { version: String, builds: Vec<String> },
    #[error("there is no default")]
    #[fault("E_RUNTIME_NO_DEFAULT", hint("set one with `pydist default VERSION`"))]
    NoDefault,
    #[error("no version was given, no `.python-version` file names one, and there is no default")]
    #[fault("E_RUNTIME_NO_VERSION", hint("write a version, or set one with `pydist default VERSION`"))]
    NoVersion,
    #[error("`{}` asks for `{text}`, which does not name a runtime", path.display())]
    #[fault(
        "E_RUNTIME_VERSION_FILE",
        hint("write a version such as 3.12 or 3.12-atls in its first line, or name the version on the command line")
    )]
    VersionFile { path: PathBuf, text: String },
    #[error("`{}` is not a default that this version of pydist can read: {reason}", path.display())]
    #[fault("E_RUNTIME_DEFAULT", hint("set it again with `pydist default VERSION`, or remove the file"))]
    Default { path: PathBuf, reason: String },
    #[error("`{name}` is damaged: {what}")]
    #[fault("E_RUNTIME_DAMAGED", Trust, hint("run `pydist repair {name}`"))]
    Damaged { name: String, what: String },
    #[error("`{}` was not installed by pydist", folder.display())]
    #[fault("E_RUNTIME_FOREIGN", hint("it has no record in `.installed`; remove it yourself if you do not need it"))]
    Foreign { folder: PathBuf },
    #[error("`{name}` is in use by {users}")]
    #[fault("E_RUNTIME_IN_USE", Build, hint("end what runs from it, or pass --force"))]
    InUse { name: String, users: String },
    #[error("it is not known where `{name}` came from")]
    #[fault("E_RUNTIME_NO_SOURCE", hint("say where with --from, and with --public-key if it is signed"))]
    NoSource { name: String },
    #[error("`{from}` does not offer `{name}` any more")]
    #[fault(
        "E_RUNTIME_NOT_OFFERED",
        hint("install a newer build with `pydist get`, or name another place with --from")
    )]
    NotOffered { name: String, from: String },
    #[error("`{from}` offers other files as `{name}` than those that were installed")]
    #[fault(
        "E_RUNTIME_OTHER_MANIFEST",
        Trust,
        hint("ask the publisher why; `pydist get --reinstall` installs what is offered now")
    )]
    OtherManifest { name: String, from: String },
    #[error("cannot repair `{name}` from `{from}`")]
    #[fault(transparent = kind)]
    Repair {
        name: String,
        from: String,
        #[source]
        kind: Box<GetErrorKind>,
    },
    #[error(transparent)]
    #[fault(transparent)]
    Source(#[from] SourceError),
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_RUNTIME_READ", Build, hint("make it readable; another folder of runtimes is named with --runtimes"))]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_RUNTIME_WRITE", Build, hint("make the folder writable, or name another one with --runtimes"))]
    Write { path: PathBuf, source: io::Error },
    #[error("interrupted")]
    #[fault("E_INTERRUPTED", Interrupted)]
    Cancelled,
}

impl InstalledError {
    fn hint_of_nearest(&self) -> Option<String> {
        let Self::NotInstalled { request, installed, .. } = self else { return None };
        let nearest = installed.first()?;
        Some(format!("install it with `pydist get {request}`, or write `{nearest}`"))
    }
}

//! What stops a command before the library has work.

use std::path::PathBuf;

use vocab::Fault;

/// Where the builder puts artifacts.
pub(crate) const DIST: &str = "dist";

#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub(crate) enum CommandError {
    #[error("there is no artifact in `{DIST}/`")]
    #[fault("E_NOTHING_TO_PUBLISH", hint("run `builder VERSION` first, or name an artifact"))]
    NothingBuilt,
    #[error("cannot read the key file `{}`: {source}", path.display())]
    #[fault("E_KEY_FILE")]
    KeyFile { path: PathBuf, source: std::io::Error },
    /// Its content is not shown: it may be a secret key.
    #[error("`{}` does not contain a minisign public key", path.display())]
    #[fault("E_KEY_FILE", hint("name the `.pub` file that `publisher keygen` wrote, or give its second line"))]
    NoPublicKey { path: PathBuf },
    #[error("cannot write `{}`: {source}", path.display())]
    #[fault("E_WRITE", Build, hint_with = Self::hint_of_write)]
    Write { path: PathBuf, source: std::io::Error },
    #[error("--public-url: `{text}` is not an http, https or file URL without user and query")]
    #[fault("E_PUBLIC_URL")]
    PublicUrl { text: String },
    #[error("{option} has no effect in this layout")]
    #[fault("E_NOT_IN_LAYOUT", hint("leave it out, or choose the other layout with --layout"))]
    NotInLayout { option: &'static str },
    #[error("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds since 1970")]
    #[fault("E_SOURCE_DATE_EPOCH", hint("unset it, or set a whole number"))]
    Epoch { text: String },
}

impl CommandError {
    fn hint_of_write(&self) -> Option<String> {
        let Self::Write { source, .. } = self else { return None };
        (source.kind() == std::io::ErrorKind::AlreadyExists)
            .then(|| "a key is never replaced; choose another folder".to_owned())
    }
}

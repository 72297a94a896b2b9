//! Why an extension is not available.

use std::io;
use std::path::PathBuf;

use archive::ZipError;
use vocab::Fault;

use crate::read_descriptor::DescriptorError;
use crate::{DistributionId, EnvironmentIdError};

/// One zip is not an extension that can be used; the others are not affected.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the extension `{}` is not available", path.display())]
#[fault(transparent = kind)]
pub struct ExtensionError {
    pub path: PathBuf,
    #[source]
    pub kind: ExtensionErrorKind,
}

/// What is wrong with it, or with what it needs.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum ExtensionErrorKind {
    #[error("it cannot be read: {source}")]
    #[fault("E_EXT_READ", Build)]
    Read { source: io::Error },
    #[error("it is not a zip: {reason}")]
    #[fault("E_EXT_ZIP", hint("check that it was copied completely, and that it is not an error page"))]
    NotAZip { reason: String },
    #[error("the zip is empty")]
    #[fault("E_EXT_EMPTY", hint("build the extension again"))]
    Empty,
    #[error(transparent)]
    #[fault(transparent)]
    Archive(ZipError),
    #[error("its entry `{entry}` is refused: {fault}")]
    #[fault("E_ARCHIVE_UNSAFE", Trust, hint("do not use it; it could write outside its folder"))]
    Entry { entry: String, fault: archive::EntryFault },
    #[error("its entry `{entry}` is damaged: {reason}")]
    #[fault("E_ARCHIVE_CORRUPT", Trust, hint("delete the zip and fetch it again"))]
    Damaged { entry: String, reason: String },
    #[error("it has no descriptor: no JSON file at its root holds `extension` and `operators`")]
    #[fault("E_EXT_NO_DESCRIPTOR", hint("it is not an extension, or it was zipped with a folder around it"))]
    NoDescriptor,
    #[error("it has several descriptors: {}", names.join(", "))]
    #[fault("E_EXT_DESCRIPTOR_AMBIGUOUS", hint("keep one of them"))]
    Ambiguous { names: Vec<String> },
    #[error("its file `{name}` has {size} bytes, at most {most} are read")]
    #[fault("E_EXT_DESCRIPTOR_SIZE")]
    DescriptorSize { name: String, size: u64, most: u64 },
    #[error(transparent)]
    #[fault(transparent)]
    Descriptor(#[from] DescriptorError),
    #[error("its environment cannot be used: {0}")]
    #[fault(transparent)]
    Environment(#[from] EnvironmentIdError),
    #[error(
        "its module `{module}` is missing: neither `{module}/__init__.py` nor `{module}/__init__.pyc` is in the zip"
    )]
    #[fault("E_EXT_MODULE", hint("build the extension again; the folder of its module belongs to the zip's root"))]
    Module { module: String },
    #[error("`{}` is the same version of the namespace `{namespace}`", other.display())]
    #[fault("E_EXT_DUPLICATE", hint("remove one of them"))]
    Duplicate { namespace: String, other: PathBuf },
    #[error("the namespace `{namespace}` in version {version} is not on the allow-list")]
    #[fault("E_EXT_NOT_ALLOWED", Trust, hint("add it to python_sdk.security.extensions.whitelist"))]
    NotAllowed { namespace: String, version: String },
    #[error("it is not signed, and signatures are enforced")]
    #[fault("E_EXT_UNSIGNED", Trust, hint("sign it with `minisign -S`, and put the `.minisig` file beside it"))]
    Unsigned,
    #[error("its signature is not of these bytes: {reason}")]
    #[fault("E_EXT_SIGNATURE", Trust, hint("do not use it before you know why; get it from its author again"))]
    BadSignature { reason: String },
    #[error("it is signed with a key that is not trusted")]
    #[fault("E_EXT_UNKNOWN_KEY", Trust, hint("if you trust the author, add the key to loader.trustedKeys"))]
    UnknownKey,
    #[error("it needs version {wanted} of its host, which is {found}")]
    #[fault("E_EXT_HOST_VERSION", hint("use a version of the extension that was made for this host"))]
    HostVersion { wanted: String, found: String },
    #[error("it needs the extension `{namespace}`, which {reason}")]
    #[fault("E_EXT_DEP_MISSING", hint("put it into one of the folders for extensions"))]
    DependencyMissing { namespace: String, reason: &'static str },
    #[error("it needs `{namespace}` {wanted} or newer, and {found} is there")]
    #[fault("E_EXT_DEP_VERSION", hint("install a newer version of `{namespace}`"))]
    DependencyVersion { namespace: String, wanted: String, found: String },
    #[error("its dependencies lead back to it: {}", chain.join(" → "))]
    #[fault("E_EXT_DEP_CYCLE", hint("one of these extensions has to do without the other"))]
    DependencyCycle { chain: Vec<String> },
    #[error("`env.yml` of `{other}` differs, and both ask for the distribution {id}")]
    #[fault("E_ENV_CONFLICT", hint("give one of them another version of its environment, or unset loader.strict"))]
    Conflict { id: DistributionId, other: String },
}

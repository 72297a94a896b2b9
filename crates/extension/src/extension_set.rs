//! What was found of extensions, as plain data.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use pep440_rs::Version;
use serde::Serialize;

use crate::extension_error::ExtensionError;
use crate::read_extension::{Extension, ExtensionWarning};

/// Whether somebody who is trusted has signed a zip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureStatus {
    /// With the key, in minisign's one-line form.
    Trusted(String),
    Unsigned,
    /// The signature is not of these bytes.
    BadSignature(String),
    UnknownKey,
}

/// The result of a scan.
#[derive(Debug, Default)]
pub struct ExtensionSet {
    /// By namespace.
    pub active: BTreeMap<String, ActiveExtension>,
    /// Namespaces in an order in which each comes after those that it needs.
    pub order: Vec<String>,
    /// Older versions of an active or unavailable extension, with the path of the newer one.
    pub shadowed: Vec<(Extension, PathBuf)>,
    /// In the order of their paths.
    pub unavailable: Vec<ExtensionError>,
    /// Folders that cannot be listed.
    pub unread: Vec<(PathBuf, io::Error)>,
    pub warnings: Vec<ExtensionWarning>,
}

/// An extension that can be used, if its distribution can.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveExtension {
    pub extension: Extension,
    pub signature: SignatureStatus,
}

/// What was read has a version; anything else comes first.
pub(crate) fn version_of(text: &str) -> Option<Version> {
    text.parse().ok()
}

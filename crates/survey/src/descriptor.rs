//! `package.json` of a version: what the workspace calls it, and for which platforms it is made.
//!
//! A version without one, or without `roots` in it, is made for all five platforms.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vocab::{Exit, Fault, PlatformKey, PlatformKeyError};

pub const DESCRIPTOR_FILE: &str = "package.json";

/// Where the artifact of a version is described in its `package.json`.
const ROOTS: &str = "/block-software/entrypoints/main/environment/artifact/roots";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// The workspace's name of the package.
    pub name: Option<String>,
    /// In the order of [`PlatformKey::ALL`]; never empty.
    pub platforms: Vec<PlatformKey>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use `{}`", path.display())]
pub struct DescriptorError {
    pub path: PathBuf,
    #[source]
    pub kind: DescriptorErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub enum DescriptorErrorKind {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is no JSON")]
    Json(#[source] serde_json::Error),
    #[error("{pointer}: {expected} is expected")]
    Shape { pointer: String, expected: &'static str },
    #[error("{pointer}")]
    Platform {
        pointer: String,
        #[source]
        source: PlatformKeyError,
    },
}

impl Fault for DescriptorError {
    fn code(&self) -> &'static str {
        "E_DESCRIPTOR"
    }

    fn exit(&self) -> Exit {
        match self.kind {
            DescriptorErrorKind::Read(_) => Exit::Build,
            _ => Exit::Usage,
        }
    }
}

impl Descriptor {
    /// Of the version in `folder`.
    pub fn read(folder: &Path) -> Result<Self, DescriptorError> {
        let path = folder.join(DESCRIPTOR_FILE);
        let read = || -> Result<Self, DescriptorErrorKind> {
            let everywhere = Self { name: None, platforms: PlatformKey::ALL.to_vec() };
            let Some(document) = read_document(&path)? else { return Ok(everywhere) };
            let name = document.get("name").and_then(Value::as_str).map(str::to_owned);
            let Some(roots) = document.pointer(ROOTS) else { return Ok(Self { name, ..everywhere }) };
            let shape = |expected| DescriptorErrorKind::Shape { pointer: ROOTS.to_owned(), expected };
            let roots = roots.as_object().ok_or_else(|| shape("an object of platforms"))?;
            let mut platforms = Vec::new();
            for key in roots.keys() {
                let pointer = || format!("{ROOTS}/{key}");
                let platform: PlatformKey =
                    key.parse().map_err(|source| DescriptorErrorKind::Platform { pointer: pointer(), source })?;
                platforms.push(platform);
            }
            platforms.sort();
            if platforms.is_empty() { Err(shape("at least one platform")) } else { Ok(Self { name, platforms }) }
        };
        read().map_err(|kind| DescriptorError { path: path.clone(), kind })
    }
}

/// `None` where there is no such file.
pub fn read_document(path: &Path) -> Result<Option<Value>, DescriptorErrorKind> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            serde_json::from_str(text).map(Some).map_err(DescriptorErrorKind::Json)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DescriptorErrorKind::Read(error)),
    }
}

/// The text values of an object; nothing where the key is absent.
pub fn text_members(document: &Value, pointer: &str) -> Result<BTreeMap<String, String>, DescriptorErrorKind> {
    let Some(value) = document.pointer(pointer) else { return Ok(BTreeMap::new()) };
    let shape = |pointer: String, expected| DescriptorErrorKind::Shape { pointer, expected };
    let members = value.as_object().ok_or_else(|| shape(pointer.to_owned(), "an object"))?;
    let member = |(key, value): (&String, &Value)| {
        // An entry point names its package in `reference`.
        let text = value.as_str().or_else(|| value.get("reference").and_then(Value::as_str));
        let text = text.ok_or_else(|| shape(format!("{pointer}/{key}"), "a text"))?;
        Ok((key.clone(), text.to_owned()))
    };
    members.iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_made_for_the_platforms_of_its_roots_or_for_all() {
        let with_roots = |roots: Value| {
            let artifact = json!({ "artifact": { "type": "environment", "roots": roots } });
            json!({ "name": "demo", "block-software": { "entrypoints": { "main": { "environment": artifact } } } })
        };
        let all = "linux-x64 linux-aarch64 macosx-x64 macosx-aarch64 windows-x64";
        let cases = [
            // (package.json, platforms or the code of the fault)
            (None, all),
            (Some(json!({ "name": "demo" })), all),
            (
                Some(with_roots(json!({ "macosx-aarch64": "./pydist/x", "linux-x64": "./y" }))),
                "linux-x64 macosx-aarch64",
            ),
            (Some(with_roots(json!({ "macos-arm64": "./pydist/x" }))), "E_DESCRIPTOR"),
            (Some(with_roots(json!({}))), "E_DESCRIPTOR"),
            (Some(with_roots(json!([]))), "E_DESCRIPTOR"),
        ];
        for (document, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            if let Some(document) = &document {
                fs::write(folder.path().join(DESCRIPTOR_FILE), document.to_string()).unwrap();
            }
            let said = match Descriptor::read(folder.path()) {
                Ok(it) => it.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
                Err(error) => error.code().to_owned(),
            };
            assert_eq!(said, expected, "for {document:?}");
        }
    }
}

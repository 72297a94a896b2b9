//! An extension from its zip: what the descriptor says, and whether the zip has what it needs. No code of it is run, and
//! nothing is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use archive::{NameRules, ZipErrorKind, ZipMember, member_bytes, zip_members_of};
use serde::Serialize;
use vocab::{Digest, open_regular};

use crate::descriptor::Descriptor;
use crate::extension_error::{ExtensionError, ExtensionErrorKind};
use crate::read_descriptor::{MAX_DESCRIPTOR, looks_like_descriptor, read_descriptor};
use crate::vendor_format as vendor;
use crate::{DistributionId, EnvironmentId};

/// An `env.yml` may be this large, in bytes.
const MAX_ENV_YML: u64 = 1 << 20;

/// An extension that was read and can be listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extension {
    pub path: PathBuf,
    /// The descriptor's name in the zip.
    pub descriptor_name: String,
    pub descriptor: Descriptor,
    /// What it asks for.
    pub environment: EnvironmentId,
    /// Digest of its `env.yml`. Absent without one.
    pub env_yml: Option<Digest>,
    /// Conda's names of the systems for which it brings packages along.
    pub offline_subdirs: Vec<String>,
    /// How many files it has.
    pub files: usize,
    /// What is odd about it and does not keep it from being used.
    #[serde(skip)]
    pub warnings: Vec<ExtensionWarning>,
}

/// Something that deserves attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionWarning {
    pub code: &'static str,
    pub text: String,
    pub path: PathBuf,
}

impl Extension {
    /// The part of operator ids before the colon.
    pub fn namespace(&self) -> &str {
        &self.descriptor.extension.namespace
    }

    pub fn version(&self) -> &str {
        &self.descriptor.extension.version
    }
}

/// Reads the extension at `path`.
pub fn read_extension(path: &Path) -> Result<Extension, ExtensionError> {
    read(path).map_err(|kind| ExtensionError { path: path.to_owned(), kind })
}

fn read(path: &Path) -> Result<Extension, ExtensionErrorKind> {
    let file = open_regular(path).map_err(|source| ExtensionErrorKind::Read { source })?;
    let members = members(&file, path)?;
    let (descriptor_name, bytes) = descriptor_of(&file, &members)?;
    let descriptor = read_descriptor(&descriptor_name, &bytes)?;
    let head = &descriptor.extension;
    let module = head.module.clone();
    if !["py", "pyc"].iter().any(|ending| members.contains_key(&format!("{module}/__init__.{ending}"))) {
        return Err(ExtensionErrorKind::Module { module });
    }
    let environment = match &head.environment {
        Some(text) => text.parse()?,
        None => EnvironmentId::Own(DistributionId::derived(&head.namespace, &head.version)?),
    };
    let mut warnings = Vec::new();
    let mut warn = |code, text: String| warnings.push(ExtensionWarning { code, text, path: path.to_owned() });
    let env_files: Vec<&str> = vendor::ENV_FILES.into_iter().filter(|name| members.contains_key(*name)).collect();
    if env_files.len() > 1 {
        warn("W_EXT_ENV_YML", "it has both env.yml and env.yaml; env.yml counts".to_owned());
    }
    let mut env_yml = env_files.first().map(|name| env_digest(&file, name, &members[*name])).transpose()?;
    if let EnvironmentId::Dependency(namespace) = &environment
        && env_yml.take().is_some()
    {
        warn("W_EXT_ENV_YML", format!("its env.yml is not used, since it asks for the distribution of `{namespace}`"));
    }
    let major = head.sdk_version.as_ref().and_then(|text| text.split('.').next()?.parse::<u64>().ok());
    if major.is_some_and(|major| major > vendor::NEWEST_SDK) {
        let version = head.sdk_version.clone().unwrap_or_default();
        warn(
            "W_EXT_SDK",
            format!("it was built with version {version} of the kit, which is newer than this program knows"),
        );
    }
    let subdir = |name: &String| {
        let (subdir, rest) = name.strip_prefix(vendor::OFFLINE)?.split_once('/')?;
        (rest == "repodata.json" && subdir != "noarch").then(|| subdir.to_owned())
    };
    Ok(Extension {
        offline_subdirs: members.keys().filter_map(subdir).collect(),
        files: members.len(),
        path: path.to_owned(),
        descriptor_name,
        descriptor,
        environment,
        env_yml,
        warnings,
    })
}

/// Every name is judged by the rules that hold on all systems.
fn members(file: &File, path: &Path) -> Result<BTreeMap<String, ZipMember>, ExtensionErrorKind> {
    let members = zip_members_of(file).map_err(|kind| match kind {
        ZipErrorKind::Read { source } => ExtensionErrorKind::Read { source },
        ZipErrorKind::Malformed { fault } => ExtensionErrorKind::NotAZip { reason: fault.to_string() },
        kind => ExtensionErrorKind::Archive(archive::ZipError { archive: path.to_owned(), kind }),
    })?;
    if members.is_empty() {
        return Err(ExtensionErrorKind::Empty);
    }
    let mut spellings = BTreeMap::new();
    for name in members.keys() {
        let refused = |fault| ExtensionErrorKind::Entry { entry: name.clone(), fault };
        let path = NameRules::Windows.check(name).map_err(refused)?;
        if let Some(other) = spellings.insert(NameRules::Windows.key(name).into_owned(), path) {
            return Err(refused(archive::EntryFault::Clash { other }));
        }
    }
    Ok(members)
}

fn descriptor_of(file: &File, members: &BTreeMap<String, ZipMember>) -> Result<(String, Vec<u8>), ExtensionErrorKind> {
    let bytes_of = |name: &str, member: &ZipMember| {
        if member.size > MAX_DESCRIPTOR {
            let (name, size) = (name.to_owned(), member.size);
            return Err(ExtensionErrorKind::DescriptorSize { name, size, most: MAX_DESCRIPTOR });
        }
        member_bytes(file, member).map_err(|source| damaged(name, source))
    };
    if let Some(member) = members.get(vendor::DESCRIPTOR) {
        return Ok((vendor::DESCRIPTOR.to_owned(), bytes_of(vendor::DESCRIPTOR, member)?));
    }
    let is_json = |name: &&String| !name.contains('/') && name.to_ascii_lowercase().ends_with(".json");
    let at_root: Vec<&String> = members.keys().filter(is_json).collect();
    let mut found = Vec::new();
    for name in &at_root {
        let bytes = bytes_of(name, &members[*name])?;
        if looks_like_descriptor(&bytes) {
            found.push(((*name).clone(), bytes));
        }
    }
    match found.len() {
        1 => found.pop().ok_or(ExtensionErrorKind::NoDescriptor),
        // A single JSON file that is none is read all the same, so that it is said what is wrong with it.
        0 => match &at_root[..] {
            [name] => Ok(((*name).clone(), bytes_of(name, &members[*name])?)),
            _ => Err(ExtensionErrorKind::NoDescriptor),
        },
        _ => Err(ExtensionErrorKind::Ambiguous { names: found.into_iter().map(|(name, _)| name).collect() }),
    }
}

fn env_digest(file: &File, name: &str, member: &ZipMember) -> Result<Digest, ExtensionErrorKind> {
    if member.size > MAX_ENV_YML {
        return Err(ExtensionErrorKind::DescriptorSize { name: name.to_owned(), size: member.size, most: MAX_ENV_YML });
    }
    // Line ends and blanks at the end of lines say nothing.
    let bytes = member_bytes(file, member).map_err(|source| damaged(name, source))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    Ok(Digest::of(lines.join("\n").trim_end()))
}

fn damaged(entry: &str, source: std::io::Error) -> ExtensionErrorKind {
    match source.kind() {
        std::io::ErrorKind::InvalidData => {
            ExtensionErrorKind::Damaged { entry: entry.to_owned(), reason: source.to_string() }
        }
        _ => ExtensionErrorKind::Read { source },
    }
}

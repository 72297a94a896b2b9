//! An extension zip from a folder: `extension.toml`, the module, and what Python says of its functions. The same bytes
//! wherever it is built.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use archive::{EntryKind, FileContent, NameRules, TreeEntry};
use extension::{BuildInput, DESCRIPTOR, DescribedFunction, ENV_FILES, read_extension};
use process::Invocation;
use serde::Deserialize;
use serde_json::json;
use vocab::{Fault, TreePath, Work, typed_json};

use crate::even_zip::write_zip;

const TOML: &str = "extension.toml";
const DESCRIBE: &str = include_str!("../python/describe_operators.py");
/// Files at the root that go along, by the beginnings of their names.
const BESIDE: [&str; 3] = ["LICENSE", "LICENCE", "NOTICE"];
/// Compression of the zip, 0 to 9.
const LEVEL: i32 = 9;

/// What is built, and by which Python its functions are described.
pub struct BuildRequest<'a> {
    pub folder: &'a Path,
    /// The folder for the zip; created.
    pub out: &'a Path,
    pub python: &'a Path,
    /// The time of every entry, in seconds since 1970; absent: 1980-01-01.
    pub epoch: Option<u64>,
}

/// A zip that was built and read back.
#[derive(Debug)]
pub struct BuiltExtension {
    pub path: PathBuf,
    pub namespace: String,
    pub version: String,
    /// Names of functions.
    pub operators: Vec<String>,
}

/// A zip was not built.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum BuildError {
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_EXT_BUILD_FILES", Build)]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` has no extension.toml", folder.display())]
    #[fault("E_EXT_BUILD_FILES", hint("name the folder that holds extension.toml and the Python package"))]
    NoToml { folder: PathBuf },
    #[error("the module `{module}` is missing: there is no `{}`", path.display())]
    #[fault("E_EXT_MODULE", hint("`module` in extension.toml is the folder of a Python package beside it"))]
    NoModule { module: String, path: PathBuf },
    #[error("`{}` is a link; links do not go into a zip", path.display())]
    #[fault("E_EXT_BUILD_FILES", hint("replace it by what it leads to"))]
    Link { path: PathBuf },
    #[error("the name of `{}` cannot be in a zip for all systems: {reason}", path.display())]
    #[fault("E_EXT_BUILD_FILES", hint("rename it"))]
    Name { path: PathBuf, reason: String },
    #[error("the module `{module}` does not import: {reason}")]
    #[fault(
        "E_EXT_IMPORT",
        Build,
        hint("build with the distribution that the extension runs on, or name a Python with --python")
    )]
    Import { module: String, reason: String },
    #[error("`{}` ended with exit code {code}{}", python.display(), words)]
    #[fault("E_EXT_IMPORT", Build)]
    Python { python: PathBuf, code: String, words: String },
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    fault: Option<String>,
    #[serde(default)]
    operators: Vec<DescribedFunction>,
}

/// Builds `OUT/NAMESPACE-VERSION.zip`.
pub fn build(work: &Work, request: &BuildRequest<'_>) -> Result<BuiltExtension, Box<dyn Fault>> {
    let folder = std::path::absolute(request.folder).map_err(reading(request.folder))?;
    let input = input_of(&folder)?;
    let module = input.text("module").to_owned();
    let init = folder.join(&module).join("__init__.py");
    if !init.is_file() {
        return Err(BuildError::NoModule { module, path: init }.into());
    }
    let functions = describe(work, request.python, &folder, &module)?;
    let descriptor = input.descriptor(&functions)?;
    let mut entries = vec![file(DESCRIPTOR, FileContent::Bytes(descriptor.into()))?];
    for name in root_files(&folder)? {
        entries.push(file(&name, FileContent::Disk(folder.join(&name)))?);
    }
    for tree in [module.as_str(), "offline"] {
        collect(&folder, tree, &mut entries)?;
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let (namespace, version) = (input.text("namespace").to_owned(), input.text("version").to_owned());
    let target = request.out.join(format!("{namespace}-{version}.zip"));
    fs::create_dir_all(request.out).map_err(reading(request.out))?;
    write_zip(&target, "extension", entries, LEVEL, request.epoch)?;
    // By the reader that will load it.
    let extension = read_extension(&target)?;
    let operators = extension.descriptor.operators.iter().map(|operator| operator.implementation.clone()).collect();
    Ok(BuiltExtension { path: target, namespace, version, operators })
}

/// The environment that the extension in a folder asks for: a namespace for `dep::`, else the id of a distribution.
pub fn asked_by_folder(folder: &Path) -> Result<String, Box<dyn Fault>> {
    let input = input_of(folder)?;
    Ok(match input.text("environment") {
        "" => format!("{}:{}", input.text("namespace"), input.text("version")),
        text => text.strip_prefix("dep::").unwrap_or(text).to_owned(),
    })
}

fn input_of(folder: &Path) -> Result<BuildInput, Box<dyn Fault>> {
    let toml = folder.join(TOML);
    match fs::read_to_string(&toml) {
        Ok(text) => Ok(BuildInput::read(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(BuildError::NoToml { folder: folder.to_owned() }.into())
        }
        Err(error) => Err(reading(&toml)(error).into()),
    }
}

fn describe(work: &Work, python: &Path, folder: &Path, module: &str) -> Result<Vec<DescribedFunction>, Box<dyn Fault>> {
    let mut invocation = Invocation::new(python, folder).args(["-I", "-X", "utf8", "-c", DESCRIBE]);
    invocation.stdin = json!({ "folder": folder.display().to_string(), "module": module }).to_string().into_bytes();
    let finished = process::run(work, &invocation)?;
    let stdout = finished.stdout_text();
    let answer = stdout.lines().last().and_then(|line| typed_json::read_record::<Answer>(line.as_bytes()).ok());
    match answer {
        Some(Answer { fault: Some(reason), .. }) => {
            Err(BuildError::Import { module: module.to_owned(), reason }.into())
        }
        Some(Answer { operators, .. }) if finished.succeeded() => Ok(operators),
        _ => {
            let code = finished.code.map_or_else(|| "of a signal".to_owned(), |code| code.to_string());
            let words = process::words_of(&finished.stderr_text());
            let words = if words.is_empty() { words } else { format!(": {words}") };
            Err(BuildError::Python { python: python.to_owned(), code, words }.into())
        }
    }
}

/// Files beside the module that belong into the zip.
fn root_files(folder: &Path) -> Result<Vec<String>, BuildError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(reading(folder))? {
        let entry = entry.map_err(reading(folder))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_wanted =
            name == TOML || ENV_FILES.contains(&name.as_str()) || BESIDE.iter().any(|it| name.starts_with(it));
        // A link that leads nowhere is not the same as no file.
        if is_wanted && fs::metadata(entry.path()).map_err(reading(&entry.path()))?.is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// A folder with all that is in it, but for byte code. Nothing if it is not there.
fn collect(root: &Path, below: &str, entries: &mut Vec<TreeEntry>) -> Result<(), BuildError> {
    let folder = root.join(below);
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(&folder).map_err(reading(&folder))? {
        let entry = entry.map_err(reading(&folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(reading(&path))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| BuildError::Name { path: path.clone(), reason: "it is not UTF-8".to_owned() })?;
        let below = format!("{below}/{name}");
        if kind.is_symlink() {
            return Err(BuildError::Link { path });
        } else if kind.is_dir() {
            if name != "__pycache__" {
                collect(root, &below, entries)?;
            }
        } else if !kind.is_file() {
            return Err(reading(&path)(io::Error::other("it is not a regular file")));
        } else if !name.ends_with(".pyc") {
            entries.push(file(&below, FileContent::Disk(path))?);
        }
    }
    Ok(())
}

fn file(name: &str, content: FileContent) -> Result<TreeEntry, BuildError> {
    let path: TreePath = NameRules::Windows
        .check(name)
        .map_err(|fault| BuildError::Name { path: name.into(), reason: fault.to_string() })?;
    Ok(TreeEntry { path, kind: EntryKind::File { content, executable: false }, sha256: None })
}

fn reading(path: &Path) -> impl Fn(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Read { path: path.clone(), source }
}

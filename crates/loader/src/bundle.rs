//! Packages of a distribution as one file for machines without a network: `pydist-channel-KEY[-VERSION]-OS.zip`, made of a folder
//! with conda packages and wheels. The same bytes wherever it is made.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use archive::{EntryKind, FileContent, NameRules, PackError, TreeEntry};
use extension::DistributionId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vocab::{Digest, Fault, TreePath, typed_json};

use crate::even_zip::write_zip;

/// The number in `bundle.json`.
pub const BUNDLE_FORMAT: u32 = 1;

const NOARCH: &str = "noarch";
const REPODATA: &str = "repodata.json";
/// What a solver needs of a subdirectory without packages.
const EMPTY_REPODATA: &str = "{\"info\": {\"subdir\": \"noarch\"}, \"packages\": {}, \"packages.conda\": {}}\n";
/// Packages are compressed already.
const LEVEL: i32 = 1;

/// What is bundled, and for whom.
pub struct BundleRequest<'a> {
    /// Has `channel/SUBDIR/`, and may have `wheels/` and `lock/`.
    pub folder: &'a Path,
    pub id: &'a DistributionId,
    /// `linux`, `macos` or `windows`: packages for other systems stay out.
    pub os: &'a str,
    /// The folder for the bundle; created.
    pub out: &'a Path,
    /// The time of every entry, in seconds since 1970; absent: 1980-01-01.
    pub epoch: Option<u64>,
}

/// A bundle that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bundle {
    pub path: PathBuf,
    /// Its subdirectories with packages of this system, and `noarch`.
    pub subdirs: Vec<String>,
    pub packages: usize,
    pub wheels: usize,
    pub size: u64,
}

/// No bundle was made.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum BundleError {
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_BUNDLE_READ", Build)]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` has no packages for {os}: none of {}", folder.display(), looked.join(", "))]
    #[fault("E_BUNDLE_EMPTY", hint("put conda packages with their repodata.json into one of these folders"))]
    Empty { folder: PathBuf, os: String, looked: Vec<String> },
    #[error("`{}` {reason}", path.display())]
    #[fault(
        "E_BUNDLE_FILE",
        hint("a bundle has packages that their repodata.json lists, wheels and lock files, and nothing else")
    )]
    File { path: PathBuf, reason: String },
    #[error("the SHA-256 of `{}` is {actual}, its repodata.json says {expected}", path.display())]
    #[fault("E_PACKAGE_CHECKSUM", Trust, hint("fetch the package again"))]
    Checksum { path: PathBuf, actual: Digest, expected: String },
    #[error(transparent)]
    #[fault(transparent)]
    Pack(#[from] PackError),
}

#[derive(Serialize)]
struct BundleManifest<'a> {
    format: u32,
    key: &'a str,
    version: Option<&'a str>,
    subdirs: &'a [String],
    files: &'a [BundledFile],
}

#[derive(Serialize)]
struct BundledFile {
    path: TreePath,
    size: u64,
    sha256: Digest,
}

/// What of a repodata.json counts here.
#[derive(Deserialize)]
struct Repodata {
    #[serde(default)]
    packages: Map<String, Value>,
    #[serde(default, rename = "packages.conda")]
    conda: Map<String, Value>,
}

/// Makes `OUT/pydist-channel-KEY[-VERSION]-OS.zip`.
pub fn bundle(request: &BundleRequest<'_>) -> Result<Bundle, BundleError> {
    fs::read_dir(request.folder).map_err(reading(request.folder))?;
    let mut content = BundleContent::default();
    let looked = subdirs_of(request.os);
    let is_there = |subdir: &&&str| request.folder.join("channel").join(subdir).is_dir();
    let mut subdirs: Vec<String> = looked.iter().filter(is_there).map(|&subdir| subdir.to_owned()).collect();
    if subdirs.is_empty() && !request.folder.join("channel").join(NOARCH).is_dir() {
        let (folder, os) = (request.folder.to_owned(), request.os.to_owned());
        let looked = looked.iter().chain([&NOARCH]).map(|subdir| format!("channel/{subdir}")).collect();
        return Err(BundleError::Empty { folder, os, looked });
    }
    subdirs.push(NOARCH.to_owned());
    let mut packages = 0;
    for subdir in &subdirs {
        packages += content.add_channel(request.folder, subdir)?;
    }
    let wheels = content.add_files(request.folder, "wheels", ".whl")?;
    content.add_files(request.folder, "lock", ".lock")?;
    content.files.sort_by(|one, other| one.path.cmp(&other.path));
    let (key, version) = (request.id.key(), request.id.version());
    let manifest = BundleManifest { format: BUNDLE_FORMAT, key, version, subdirs: &subdirs, files: &content.files };
    let text = serde_json::to_string_pretty(&manifest).expect("texts and numbers") + "\n";
    content.entries.push(entry("bundle.json", FileContent::Bytes(text.into_bytes().into()))?);
    content.entries.sort_by(|one, other| one.path.cmp(&other.path));
    let target = request.out.join(format!("pydist-channel-{}-{}.zip", request.id.folder_name(), request.os));
    fs::create_dir_all(request.out).map_err(reading(request.out))?;
    let size = write_zip(&target, "bundle", content.entries, LEVEL, request.epoch)?;
    Ok(Bundle { path: target, subdirs, packages, wheels, size })
}

fn subdirs_of(os: &str) -> &'static [&'static str] {
    match os {
        "windows" => &["win-64", "win-arm64"],
        "macos" => &["osx-64", "osx-arm64"],
        _ => &["linux-64", "linux-aarch64", "linux-ppc64le"],
    }
}

#[derive(Default)]
struct BundleContent {
    entries: Vec<TreeEntry>,
    files: Vec<BundledFile>,
}

impl BundleContent {
    /// The packages of a subdirectory that its repodata.json lists: all of them have to be there, and nothing else.
    fn add_channel(&mut self, folder: &Path, subdir: &str) -> Result<usize, BundleError> {
        let (below, place) = (format!("channel/{subdir}"), folder.join("channel").join(subdir));
        let repodata = place.join(REPODATA);
        if subdir == NOARCH && !repodata.exists() {
            if let Some(package) = names_in(&place)?.first() {
                return Err(BundleError::File { path: place.join(package), reason: unlisted().to_owned() });
            }
            let text = EMPTY_REPODATA.as_bytes();
            let path = self.add(&format!("{below}/{REPODATA}"), FileContent::Bytes(text.into()))?;
            self.files.push(BundledFile { path, size: text.len() as u64, sha256: Digest::of(text) });
            return Ok(0);
        }
        let bytes = vocab::read_regular(&repodata).map_err(reading(&repodata))?;
        let wrong = |reason: String| BundleError::File { path: repodata.clone(), reason };
        let listed: Repodata = typed_json::read(&bytes).map_err(|error| wrong(format!("is not usable: {error}")))?;
        let listed: Map<String, Value> = listed.packages.into_iter().chain(listed.conda).collect();
        let names = names_in(&place)?;
        if let Some(missing) = listed.keys().find(|name| !names.contains(name)) {
            return Err(wrong(format!("lists `{missing}`, which is not there")));
        }
        for name in &names {
            let path = place.join(name);
            if name == REPODATA {
                self.add_file(&below, &path, name)?;
                continue;
            }
            let Some(row) = listed.get(name) else {
                return Err(BundleError::File { path, reason: unlisted().to_owned() });
            };
            let actual = self.add_file(&below, &path, name)?;
            let expected = row.get("sha256").and_then(Value::as_str).unwrap_or_default();
            if !expected.is_empty() && expected != actual.to_string() {
                return Err(BundleError::Checksum { path, actual, expected: expected.to_owned() });
            }
        }
        Ok(listed.len())
    }

    /// Files with one ending; others are refused. None where the folder is absent.
    fn add_files(&mut self, folder: &Path, below: &str, ending: &str) -> Result<usize, BundleError> {
        let place = folder.join(below);
        let names = names_in(&place)?;
        for name in &names {
            let path = place.join(name);
            if !name.ends_with(ending) {
                return Err(BundleError::File { path, reason: format!("does not end in `{ending}`") });
            }
            self.add_file(below, &path, name)?;
        }
        Ok(names.len())
    }

    fn add_file(&mut self, below: &str, path: &Path, name: &str) -> Result<Digest, BundleError> {
        let metadata = fs::symlink_metadata(path).map_err(reading(path))?;
        if !metadata.is_file() {
            return Err(BundleError::File { path: path.to_owned(), reason: "is not a plain file".to_owned() });
        }
        let (sha256, size) = File::open(path).and_then(Digest::of_reader).map_err(reading(path))?;
        let inside = self.add(&format!("{below}/{name}"), FileContent::Disk(path.to_owned()))?;
        self.files.push(BundledFile { path: inside, size, sha256 });
        Ok(sha256)
    }

    fn add(&mut self, name: &str, content: FileContent) -> Result<TreePath, BundleError> {
        let entry = entry(name, content)?;
        let path = entry.path.clone();
        self.entries.push(entry);
        Ok(path)
    }
}

fn unlisted() -> &'static str {
    "is not listed in a repodata.json beside it"
}

fn entry(name: &str, content: FileContent) -> Result<TreeEntry, BundleError> {
    let checked = NameRules::Windows.check(name);
    let path = checked.map_err(|fault| BundleError::File { path: name.into(), reason: fault.to_string() })?;
    Ok(TreeEntry { path, kind: EntryKind::File { content, executable: false }, sha256: None })
}

/// Sorted; none where the folder is absent.
fn names_in(folder: &Path) -> Result<Vec<String>, BundleError> {
    let items = match fs::read_dir(folder) {
        Ok(items) => items,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(reading(folder)(error)),
    };
    let mut names = Vec::new();
    for item in items {
        let name = item.map_err(reading(folder))?.file_name();
        let shown = folder.join(&name);
        let name = name.into_string();
        names.push(name.map_err(|_| BundleError::File { path: shown, reason: "is not named in UTF-8".to_owned() })?);
    }
    names.sort();
    Ok(names)
}

fn reading(path: &Path) -> impl Fn(io::Error) -> BundleError {
    let path = path.to_owned();
    move |source| BundleError::Read { path: path.clone(), source }
}

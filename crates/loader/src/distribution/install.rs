//! A distribution from its archive: judged by the rules of `archive`, laid out beside its place, tried, recorded, moved into
//! place.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use archive::pieces::StagingFolder;
use archive::{ExtractLimits, ExtractOptions, ExtractedTree, NameRules, extract, format_of};
use disk::FileBeside;
use extension::{DistributionId, FoundArchive, LoaderSettings, Machine};
use serde_json::Value;
use tree_table::{FileStamp, TreeTable};
use vocab::{
    ArtifactFormat, Blake3, ContentDigests, Digest, DigestKinds, INNER_MANIFEST, PlatformKey, TreePath, Work,
    read_regular, read_regular_text,
};

use super::distribution_error::{DistributionErrorKind, write_error};
use super::host_binary::{fits, words};
use super::in_use::{self, Placed};
use super::installed::{DISTRIBUTION_RECORD_FORMAT, DistributionRecord, MARK, RECORD, may_change};
use super::interpreter;
use super::known_python::KnownPython;
use super::path_length;

/// What an installation needs to know.
pub(super) struct Installation<'a> {
    pub id: &'a DistributionId,
    pub archive: &'a FoundArchive,
    pub target: &'a Path,
    pub machine: &'a Machine,
    pub settings: &'a LoaderSettings,
    pub work: &'a Work,
}

type Installed<T> = Result<T, DistributionErrorKind>;

impl Installation<'_> {
    /// What stands at the target is replaced, and stays if anything fails or a server runs on it. Nothing is left of a
    /// failure. Gives the folder in which the tree stands, and its record.
    pub(super) fn run(&self) -> Installed<(PathBuf, DistributionRecord)> {
        let archive = &self.archive.path;
        let read = |source| DistributionErrorKind::Read { path: archive.clone(), source };
        let stamp = FileStamp::of(&fs::metadata(archive).map_err(read)?);
        self.check_format()?;
        if self.machine.os == "windows" {
            let is_wrapper = |name: &str| self.is_wrapper(name);
            path_length::check(archive, self.target, &self.options(), &is_wrapper, self.work)?;
        }
        let expected = self.expected()?;
        let staging =
            StagingFolder::beside(self.target).map_err(|source| write_error(self.target.to_owned(), source))?;
        let tree = staging.tree();
        let (extracted, sha256, blake3) = self.unpack(&tree, expected)?;
        let whole = tree;
        let tree = self.layout(whole.clone())?;
        let said = FolderManifest::read(&tree);
        self.check_manifest(&said)?;
        let python = interpreter::find(&tree, self.machine, said.python.as_deref())?;
        // Of the files that were written, the digests are known.
        let wrapper = TreePath::relative(&tree, &whole).unwrap_or_default();
        let digest_of = |path: &TreePath| extracted.digests.get(&wrapper.join(path)).copied();
        let started = SystemTime::now();
        let (facts, table) = std::thread::scope(|scope| {
            let table = scope.spawn(|| TreeTable::with_digests(&tree, DigestKinds::Blake3, &digest_of));
            let facts = interpreter::ask(&python, self.work);
            (facts, table.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let facts = facts?;
        let table = match table {
            Ok(table) if !table.was_written_since(&tree, started) => Ok(table),
            // Some finish their tree when they are first started: then what they made of it counts.
            _ => TreeTable::of(&tree, DigestKinds::Blake3),
        };
        let known = KnownPython::of(&python, &facts, &tree).filter(|known| !may_change(known.file(), &said.mutable));
        let record = DistributionRecord {
            format: DISTRIBUTION_RECORD_FORMAT,
            id: self.id.to_string(),
            archive: archive.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256,
            blake3,
            stamp,
            mutable: said.mutable,
            python: known,
            tree: table.map_err(|source| DistributionErrorKind::Read { path: tree.clone(), source })?,
        };
        self.record(&tree, &record)?;
        let name: String = sha256.to_string().chars().take(12).collect();
        let placed = in_use::place(&staging, &tree, self.target, &name);
        let folder = match placed.map_err(|source| write_error(self.target.to_owned(), source))? {
            Placed::InPlace => self.target.to_owned(),
            Placed::Beside(beside) => beside,
        };
        Ok((folder, record))
    }

    /// Lays the archive out in the staging folder and digests it meanwhile, through one open file: another archive may get its
    /// name at any time. If the digest is not what was expected, nothing of the tree was used.
    fn unpack(&self, tree: &Path, expected: Option<Digest>) -> Installed<(ExtractedTree, Digest, Option<Blake3>)> {
        let path = &self.archive.path;
        let options =
            ExtractOptions { expected, archive_digest: true, digests: Some(DigestKinds::Blake3), ..self.options() };
        let extracted = extract(path, tree, &options)?;
        let ContentDigests { sha256, blake3 } = extracted.archive_digest.unwrap_or_default();
        let sha256 = sha256.ok_or_else(|| io::Error::other("it was not digested"));
        let sha256 = sha256.map_err(|source| DistributionErrorKind::Read { path: path.clone(), source })?;
        Ok((extracted, sha256, blake3))
    }

    fn options(&self) -> ExtractOptions<'static> {
        let names = if self.machine.os == "windows" { NameRules::Windows } else { NameRules::of_host() };
        let limits = ExtractLimits { bytes: self.settings.max_extract_bytes.value, ..ExtractLimits::default() };
        ExtractOptions { names: names.max(NameRules::of_host()), limits, ..ExtractOptions::default() }
    }

    /// What the bytes are, and what the name says, must be one.
    fn check_format(&self) -> Installed<()> {
        let archive = &self.archive.path;
        let found =
            format_of(archive).map_err(|source| DistributionErrorKind::Read { path: archive.clone(), source })?;
        if found == Some(self.archive.format) {
            return Ok(());
        }
        let found = found.map_or("not an archive", ArtifactFormat::extension).to_owned();
        Err(DistributionErrorKind::Format { archive: archive.clone(), found })
    }

    /// The digest in `ARCHIVE.sha256`.
    fn expected(&self) -> Installed<Option<Digest>> {
        let mut name = self.archive.path.as_os_str().to_owned();
        name.push(".sha256");
        let path = PathBuf::from(name);
        if !path.exists() {
            return Ok(None);
        }
        let text =
            read_regular_text(&path).map_err(|source| DistributionErrorKind::Read { path: path.clone(), source })?;
        let digits = text.split_whitespace().next().unwrap_or_default().trim_start_matches('\\').to_ascii_lowercase();
        match digits.parse() {
            Ok(digest) => Ok(Some(digest)),
            Err(_) => Err(DistributionErrorKind::ChecksumFile { path }),
        }
    }

    /// The folder that becomes the distribution: the whole, or the single folder in it that is called like it.
    fn layout(&self, tree: PathBuf) -> Installed<PathBuf> {
        let items = fs::read_dir(&tree).map_err(|source| DistributionErrorKind::Read { path: tree.clone(), source })?;
        let names: Vec<_> = items.flatten().map(|item| item.file_name()).collect();
        let [only] = &names[..] else { return Ok(tree) };
        let inner = tree.join(only);
        let is_wrapper = only.to_str().is_some_and(|name| self.is_wrapper(name)) && inner.is_dir();
        Ok(if is_wrapper { inner } else { tree })
    }

    /// Whether a single folder around everything that has this name is taken off.
    fn is_wrapper(&self, name: &str) -> bool {
        [self.id.key(), &self.id.folder_name(), &self.archive.stem, "python"].contains(&name)
    }

    fn check_manifest(&self, said: &FolderManifest) -> Installed<()> {
        let archive = self.archive.path.clone();
        if let Some((os, processor)) = &said.platform
            && !fits(self.machine, (os, processor))
        {
            let expected = words(self.machine.os, self.machine.processors.first().copied().unwrap_or_default());
            return Err(DistributionErrorKind::WrongPlatform { path: archive, found: words(os, processor), expected });
        }
        let other_key = said.key.as_ref().is_some_and(|key| key != self.id.key());
        let other_version = said.version.as_ref().is_some_and(|it| self.id.version().is_some_and(|asked| asked != it));
        if other_key || other_version {
            let (key, version) = (said.key.as_deref().unwrap_or(self.id.key()), said.version.as_deref());
            let found = version.map_or(key.to_owned(), |version| format!("{key}:{version}"));
            return Err(DistributionErrorKind::WrongId { archive, found });
        }
        Ok(())
    }

    fn record(&self, tree: &Path, record: &DistributionRecord) -> Installed<()> {
        let mark = tree.join(MARK);
        let failed = |source| write_error(mark.clone(), source);
        disk::make_folder(&mark).map_err(failed)?;
        let mut file = FileBeside::within(&mark, ".record-").map_err(failed)?;
        let text = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        file.write_all(&text).map_err(failed)?;
        file.replace(&mark.join(RECORD)).map_err(failed)?;
        disk::share_file(&mark.join(RECORD)).map_err(failed)?;
        in_use::make_markable(tree).map_err(failed)
    }
}

/// What `pydist.json` of a distribution says: a manifest of ours, or a few members that anybody may write.
#[derive(Debug, Default)]
pub(super) struct FolderManifest {
    key: Option<String>,
    version: Option<String>,
    platform: Option<(String, String)>,
    pub python: Option<String>,
    mutable: Vec<TreePath>,
}

impl FolderManifest {
    /// A file that is not JSON says nothing.
    pub(super) fn read(folder: &Path) -> Self {
        let bytes = read_regular(&folder.join(INNER_MANIFEST)).unwrap_or_default();
        let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { return Self::default() };
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let of_ours = |key: PlatformKey| {
            let machine = Machine::of(key);
            (machine.os.to_owned(), machine.processors.first().copied().unwrap_or_default().to_owned())
        };
        let platform = text("platform").and_then(|key| key.parse().ok()).map(of_ours);
        let inside = |path: &String| path.parse::<TreePath>().is_ok();
        let mutable = value.get("mutable").and_then(Value::as_array).into_iter().flatten();
        Self {
            key: text("key"),
            version: text("version"),
            platform: platform.or_else(|| Some((text("os")?, text("arch").unwrap_or_default()))),
            python: text("python").filter(inside),
            mutable: mutable.filter_map(|path| path.as_str()?.parse().ok()).collect(),
        }
    }
}

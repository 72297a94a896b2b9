//! What a build asks for, and what the sources found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config_merger::{ArchiveSource, BaseSource, Config};
use vocab::{BaseRecord, Digest, PlatformKey, PythonVersion};

use super::go_modules::GoModules;
use super::release_table::ReleaseTable;
use vocab::Environment;
use vocab::TreeLayout;

/// One base interpreter to find.
#[derive(Clone, Debug)]
pub struct BaseRequest {
    pub python: PythonVersion,
    pub platform: PlatformKey,
    /// Tried in this order.
    pub sources: Vec<BaseSource>,
    /// A release of python-build-standalone, such as `20250529`. `None`: the table's.
    pub tag: Option<String>,
    /// A build flavour, such as `install_only_stripped`. `None`: the row's own.
    pub flavor: Option<String>,
    /// Paths in them are absolute here.
    pub archives: BTreeMap<PlatformKey, ArchiveSource>,
    /// In place of python-build-standalone's releases: a folder, a `file:` URL, or an http(s) URL, laid out as
    /// upstream is (`<tag>/<asset>`). See [`BaseRequest::mirror_of`].
    pub mirror: Option<String>,
    /// The releases of python-build-standalone. `None`: the table in this repository.
    pub table: Option<ReleaseTable>,
    /// Releases that come before those of the table.
    pub own: ReleaseTable,
    /// A list of releases in uv's format, asked for what `own` and the table lack. Its path is absolute here.
    pub list: Option<ArchiveSource>,
    /// Whether another patch release of the same minor version may take the place of an unavailable one.
    pub allow_stand_in: bool,
    /// Shared by the requests of one command.
    pub go_modules: GoModules,
}

impl BaseRequest {
    /// What all platforms of a runtime ask for; each puts its own key in. `folder` is the version's, from which
    /// relative paths of archives are read; `mirror` is the command line's.
    pub fn of(
        config: &Config,
        folder: &Path,
        environment: &Environment,
        mirror: Option<String>,
        allow_stand_in: bool,
    ) -> Self {
        let mut archives = config.python.archives.clone();
        let mut list = config.python.downloads.clone();
        let local = |it: &&mut ArchiveSource| it.url.starts_with("./") || it.url.starts_with("../");
        for archive in archives.values_mut().chain(&mut list).filter(local) {
            archive.url = folder.join(&archive.url).display().to_string();
        }
        Self {
            python: config.version.python(),
            platform: PlatformKey::LinuxX64,
            sources: config.python.sources.clone(),
            tag: config.python.tag.clone(),
            flavor: config.python.flavor.clone(),
            archives,
            mirror: Self::mirror_of(mirror, environment),
            table: None,
            own: ReleaseTable::of(&config.python),
            list,
            allow_stand_in,
            go_modules: GoModules::default(),
        }
    }

    /// Digest of what decides which interpreter it is: the same question gets the same answer from an export, whatever
    /// the machine has. Where something is fetched from is not part of it.
    pub fn question(&self) -> Digest {
        let sources: Vec<&str> = self.sources.iter().map(|source| source.as_str()).collect();
        let own = self.own.0.get(&self.python).and_then(|platforms| platforms.get(&self.platform));
        let pinned = [
            self.archives.get(&self.platform).map(|archive| archive.sha256),
            own.map(|release| release.sha256),
            self.list.as_ref().map(|list| list.sha256),
        ];
        let pinned: Vec<String> =
            pinned.iter().map(|sha256| sha256.map_or("-".to_owned(), |sha256| sha256.to_string())).collect();
        let flavor = self.flavor.as_deref().map(|flavor| format!("{flavor}\n")).unwrap_or_default();
        Digest::of(format!(
            "pydist interpreter 1\n{} {}\n{}\n{}\n{}\n{flavor}",
            self.python,
            self.platform,
            sources.join(" "),
            self.tag.as_deref().unwrap_or_default(),
            pinned.join(" ")
        ))
    }

    /// The mirror by precedence: the command line, then `PYDIST_PYTHON_MIRROR`, then `UV_PYTHON_INSTALL_MIRROR`.
    pub fn mirror_of(option: Option<String>, environment: &Environment) -> Option<String> {
        let from_environment = |name| environment.text(name).map(str::to_owned);
        option
            .filter(|text| !text.is_empty())
            .or_else(|| from_environment("PYDIST_PYTHON_MIRROR"))
            .or_else(|| from_environment("UV_PYTHON_INSTALL_MIRROR"))
    }
}

/// The source that will be used. Nothing big has been downloaded for it yet.
#[derive(Clone, Debug)]
pub struct BaseChoice {
    pub platform: PlatformKey,
    pub source: BaseSource,
    pub requested: PythonVersion,
    pub actual: PythonVersion,
    /// `actual` is another patch release than `requested`.
    pub stand_in: bool,
    /// For display: a release file's name, a module version, or `CPython 3.12.1 of this machine`.
    pub origin: String,
    /// Each source that was asked with its answer, in that order.
    pub asked: Vec<(BaseSource, String)>,
    pub supply: BaseSupply,
    /// See [`BaseRequest::question`].
    pub question: Digest,
    /// The request's.
    pub go_modules: GoModules,
}

impl BaseChoice {
    /// Digest of the archive or module; an interpreter of this machine has none before it is copied.
    pub fn source_sha256(&self) -> Option<Digest> {
        match &self.supply {
            BaseSupply::Archive { sha256, .. } => Some(*sha256),
            BaseSupply::GoModule { sum, .. } => Some(*sum),
            BaseSupply::Exported { digest } => Some(*digest),
            BaseSupply::System(_) => None,
        }
    }
}

/// How to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseSupply {
    /// A `.tar.gz` or `.tar.zst` with one top folder.
    Archive {
        url: String,
        file_name: String,
        sha256: Digest,
    },
    /// `sum` is what the Go checksum `h1:…` of the module spells in base64.
    GoModule {
        version: String,
        sum: Digest,
    },
    System(SystemPython),
    /// The finished tree of an export. `digest` is its source's.
    Exported {
        digest: Digest,
    },
}

/// A self-contained CPython of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPython {
    pub version: PythonVersion,
    /// Its `sys.base_prefix`, without symbolic links.
    pub prefix: PathBuf,
    /// `--prefix` it was configured with; differs from `prefix` when it was moved.
    pub built_for: String,
    /// Folders it was compiled in, which are noted in its build settings.
    pub built_in: Vec<String>,
}

/// A finished relocatable interpreter in the store. Do not change it: prefixes may share its files, which are
/// read-only, and a Python run from it must not write bytecode (`-B` or `PYTHONDONTWRITEBYTECODE`).
#[derive(Clone, Debug)]
pub struct BaseTree {
    pub root: PathBuf,
    pub layout: TreeLayout,
    /// Equal identities mean equal bytes: made from the source's digest (for `system`, from the content of the
    /// files taken) and the number of our base format.
    pub identity: Digest,
    pub record: BaseRecord,
}

impl BaseTree {
    /// Whether C sources can be compiled against it.
    pub fn has_headers(&self) -> bool {
        !self.record.absent.iter().any(|part| part == "headers")
    }
}

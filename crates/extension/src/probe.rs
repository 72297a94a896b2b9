//! The facts about one distribution, each with what was looked at. Nothing is decided here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::{ExtractOptions, ListingDepth};
use pep440_rs::Version;
use serde::Serialize;
use vocab::{ArtifactFormat, Fault};

use crate::archive_names::{Machine, archive_names, channel_names, version_in_name};
use crate::decide::Facts;
use crate::environment_id::DistributionId;
use crate::folder_names::FolderNames;
use crate::setting_keys as keys;
use crate::settings::LoaderSettings;

/// What is looked at.
pub struct ProbeInput<'a> {
    pub settings: &'a LoaderSettings,
    pub machine: &'a Machine,
    /// Of the folder for archives.
    pub resources: &'a FolderNames,
    /// Of the folder for distributions.
    pub distributions: &'a FolderNames,
    /// Zips of the extensions that share the id, each with whether its `env.yml` counts and the systems that it brings
    /// packages for.
    pub zips: &'a [ZipFacts],
    /// What `pydist get` installed.
    pub installed: &'a dyn Fn(&DistributionId) -> InstalledLook,
    /// A valid environment of this id, if the engine for environments has one.
    pub environment: Option<&'a Path>,
}

/// What is known of the zip of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipFacts {
    pub path: PathBuf,
    pub has_env_yml: bool,
    pub offline_subdirs: Vec<String>,
}

/// What was looked at among installed runtimes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledLook {
    pub looked: Vec<PathBuf>,
    pub found: Option<PathBuf>,
}

/// One thing that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// The letter of the fact: D, Y, A, I, R, L or K.
    pub fact: char,
    /// A path, or a setting with its value.
    pub at: String,
    pub found: bool,
}

/// An archive that holds the distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundArchive {
    pub path: PathBuf,
    /// By its name.
    pub format: ArtifactFormat,
    /// Its name without the ending.
    pub stem: String,
}

/// Everything that is known before the decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// As it was asked for.
    pub asked: DistributionId,
    /// With the version that was chosen, where the latest was asked for and none without a version exists.
    pub id: DistributionId,
    pub facts: Facts,
    /// In the order of the table: K, D, Y, A, I, R, L.
    pub looks: Vec<Look>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<FoundArchive>,
    /// A folder that is ready to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Where an archive would be installed.
    pub target: PathBuf,
    #[serde(skip)]
    pub warnings: Vec<ProbeWarning>,
}

/// Something about names that deserves attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeWarning {
    pub code: &'static str,
    pub text: String,
    pub place: PathBuf,
}

/// Two ids that name one folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("the distributions {one} and {other} have the same folder `{folder}`")]
#[fault("E_ENV_CLASH", Usage, hint("give one of them another key"))]
pub struct DistributionClash {
    pub one: DistributionId,
    pub other: DistributionId,
    pub folder: String,
}

/// All clashes among ids that are asked for together.
pub fn clashes<'a>(ids: impl IntoIterator<Item = &'a DistributionId>) -> Vec<DistributionClash> {
    let mut folders: BTreeMap<String, &DistributionId> = BTreeMap::new();
    let mut clashes = Vec::new();
    for id in ids {
        let folder = id.folder_name();
        match folders.get(&folder) {
            Some(one) if *one != id => {
                clashes.push(DistributionClash { one: (*one).clone(), other: id.clone(), folder });
            }
            Some(_) => {}
            None => {
                folders.insert(folder, id);
            }
        }
    }
    clashes
}

/// Looks at everything that decides about `id`.
pub fn probe(asked: &DistributionId, input: &ProbeInput<'_>) -> Probe {
    let mut prober = Prober { input, looks: Vec::new(), warnings: Vec::new() };
    let settings = input.settings;
    let flag = |key: keys::SettingKey, value: bool| (format!("{} = {value}", key.key), value);
    let skipped = prober.look('K', flag(keys::SKIP_REGISTRATION, settings.skip_registration.value));
    let disabled = prober.look('D', flag(keys::DISABLE_MINIFORGE, settings.disable_miniforge.value));
    let env_yml = prober.env_yml();
    let air_gapped = prober.look('A', flag(keys::AIR_GAPPED, settings.air_gapped.value));
    let offline_source = prober.offline_source(asked);
    let id = prober.chosen(asked);
    let archive = prober.archive(&id);
    let folder = prober.folder(&id);
    let facts = Facts {
        disabled,
        env_yml,
        air_gapped,
        offline_source,
        archive: archive.is_some(),
        folder: folder.is_some(),
        skipped,
    };
    let target = input.distributions.path(&id.folder_name());
    let Prober { looks, warnings, .. } = prober;
    Probe { asked: asked.clone(), id, facts, looks, archive, folder, target, warnings }
}

struct Prober<'a> {
    input: &'a ProbeInput<'a>,
    looks: Vec<Look>,
    warnings: Vec<ProbeWarning>,
}

impl Prober<'_> {
    fn look(&mut self, fact: char, (at, found): (String, bool)) -> bool {
        self.looks.push(Look { fact, at, found });
        found
    }

    fn look_at(&mut self, fact: char, path: &Path, found: bool) -> bool {
        self.look(fact, (path.display().to_string(), found))
    }

    fn env_yml(&mut self) -> bool {
        let mut found = false;
        for zip in self.input.zips {
            found |= self.look('Y', (format!("env.yml in {}", zip.path.display()), zip.has_env_yml));
        }
        found
    }

    fn offline_source(&mut self, id: &DistributionId) -> bool {
        let Some(subdir) = self.input.machine.conda_subdir() else {
            return self.look('I', ("conda has no name for this machine".to_owned(), false));
        };
        let mut found = false;
        for zip in self.input.zips {
            let has = zip.offline_subdirs.iter().any(|it| it == subdir);
            found |= self.look('I', (format!("offline/channel/{subdir} in {}", zip.path.display()), has));
        }
        for name in channel_names(id, self.input.machine) {
            let path = self.input.resources.path(&name);
            let is_there = self.input.resources.has_file(&name) || self.input.resources.has_folder(&name);
            found |= self.look_at('I', &path, is_there && has_subdir(&path, subdir));
        }
        if let Some(environment) = self.input.environment {
            found |= self.look_at('I', environment, true);
        }
        found
    }

    /// `asked`, or with the highest version that is there if nothing without a version is.
    fn chosen(&mut self, asked: &DistributionId) -> DistributionId {
        let ProbeInput { machine, resources, distributions, .. } = *self.input;
        let is_there = |id: &DistributionId| {
            distributions.has_folder(&id.folder_name())
                || archive_names(id, machine).iter().any(|name| resources.has_file(&name.file))
        };
        if asked.version().is_some() || is_there(asked) {
            return asked.clone();
        }
        let in_folders = distributions.folders().filter_map(|name| name.strip_prefix(asked.key())?.strip_prefix('-'));
        let in_files = resources.files().filter_map(|name| version_in_name(name, asked.key(), machine));
        let versions = in_folders.chain(in_files).filter_map(|text| Some((text.parse::<Version>().ok()?, text)));
        // Releases come before what comes before a release.
        let highest = versions.max_by_key(|(version, _)| (!version.any_prerelease(), version.clone()));
        highest.and_then(|(_, text)| asked.at(text).ok()).unwrap_or_else(|| asked.clone())
    }

    fn archive(&mut self, id: &DistributionId) -> Option<FoundArchive> {
        let names = archive_names(id, self.input.machine);
        let mut found: Option<FoundArchive> = None;
        let mut others = Vec::new();
        for name in names {
            let path = self.input.resources.path(&name.file);
            if !self.look_at('R', &path, self.input.resources.has_file(&name.file)) {
                continue;
            }
            match &found {
                Some(first) if first.stem == name.stem => others.push(name.file),
                Some(_) => {}
                None => {
                    if name.is_literal {
                        let text = "its name has two hyphens; a name without a version has one".to_owned();
                        self.warnings.push(ProbeWarning { code: "W_DIST_NAME", text, place: path.clone() });
                    }
                    found = Some(FoundArchive { path, format: name.format, stem: name.stem });
                }
            }
        }
        if let (Some(found), false) = (&found, others.is_empty()) {
            let text = format!("it is used, and not {}", others.join(", "));
            self.warnings.push(ProbeWarning { code: "W_DIST_NAME", text, place: found.path.clone() });
        }
        found
    }

    fn folder(&mut self, id: &DistributionId) -> Option<PathBuf> {
        let name = id.folder_name();
        let place = self.input.distributions.path(&name);
        let is_there = self.look_at('L', &place, self.input.distributions.has_folder(&name));
        let InstalledLook { looked, found } = (self.input.installed)(id);
        for path in looked {
            let is_it = found.as_ref() == Some(&path);
            self.look_at('L', &path, is_it);
        }
        if is_there { Some(place) } else { found }
    }
}

/// Whether a folder or an archive holds conda packages for the system. One that cannot be read holds none.
fn has_subdir(path: &Path, subdir: &str) -> bool {
    let file = format!("channel/{subdir}/repodata.json");
    if path.is_dir() {
        return path.join(&file).is_file();
    }
    let listed = archive::list(path, ListingDepth::Names, &ExtractOptions::default()).unwrap_or_default();
    listed.iter().any(|entry| entry.path.trim_start_matches("./") == file || entry.path.ends_with(&format!("/{file}")))
}

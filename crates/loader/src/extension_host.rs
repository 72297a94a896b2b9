//! The extensions of this machine with the distributions that they need: settings, scan, facts and decision in one place.

use std::io;
use std::path::{Path, PathBuf};

use extension::{
    ActiveExtension, Decision, DistributionClash, DistributionId, DistributionNeed, Extension, ExtensionSet,
    FolderNames, InstalledLook, LoaderSettings, Machine, Probe, ProbeInput, SIGNATURE_SUFFIX, ScanRules,
    SignatureStatus, ZipFacts, clashes, decide, distribution_needs, distribution_of, looking_for_extensions, probe,
    scan_extensions, settle_conflicts,
};
use vocab::{Fault, VersionString, Work, read_regular};

use crate::distribution::{DistributionError, EnvironmentEngine, PrepareContext, ReadyDistribution, prepare};
use installer::signer_of;
use installer::{Home, PublicKey, TrustError};

/// What a host is made of.
pub struct HostRequest {
    pub settings: LoaderSettings,
    pub machine: Machine,
    /// Folders that are searched for extensions besides those of the settings.
    pub more_folders: Vec<PathBuf>,
    /// Where `pydist get` installs. Absent: nothing was installed.
    pub runtimes: Option<Home>,
    /// Keys whose signatures are trusted.
    pub keys: Vec<PublicKey>,
}

/// Extensions that were scanned, and the folders of distributions as they were listed then.
pub struct ExtensionHost {
    pub settings: LoaderSettings,
    pub machine: Machine,
    pub set: ExtensionSet,
    /// The lines that a log has of the scan.
    pub log: Vec<String>,
    needs: Vec<DistributionNeed>,
    clashes: Vec<DistributionClash>,
    runtimes: Option<Home>,
    resources: FolderNames,
    distributions: FolderNames,
}

/// A distribution, and who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedDistribution {
    pub id: DistributionId,
    /// The chain of `dep::` that led to it; empty if the id itself was asked for.
    pub chain: Vec<String>,
    /// The extensions that run on it.
    pub namespaces: Vec<String>,
    /// The zip whose `env.yml` counts.
    pub env_yml: Option<PathBuf>,
}

/// Nothing has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Fault)]
#[error("`{asked}` is {what}{}", reason.as_ref().map_or(String::new(), |it| format!(": {it}")))]
#[fault("E_EXT_UNKNOWN", Usage, hint("`pydist extension list` shows the extensions, and why some are not available"))]
pub struct UnknownExtension {
    pub asked: String,
    /// What it is not.
    pub what: &'static str,
    pub reason: Option<String>,
}

impl ExtensionHost {
    /// Scans the folders of the settings.
    pub fn open(request: HostRequest) -> Self {
        let HostRequest { settings, machine, more_folders, runtimes, keys } = request;
        let mut folders = settings.extensions.value.clone();
        folders.extend(more_folders.into_iter().filter(|folder| !settings.extensions.value.contains(folder)));
        let mut log: Vec<String> = extension::lines_of_settings(&settings);
        log.extend(folders.iter().map(|folder| looking_for_extensions(folder)));
        let signature = |zip: &Path| signature_of(zip, &keys);
        let mut set = scan_extensions(&folders, &ScanRules::of(&settings, &signature));
        if !set.unread.is_empty() {
            log.push(extension::FAILED_TO_LOAD.to_owned());
        }
        settle_conflicts(&mut set, settings.strict.value);
        let needs = distribution_needs(&set);
        let clashes = clashes(needs.iter().map(|need| &need.id));
        let resources = FolderNames::read(&settings.resources.value);
        let distributions = FolderNames::read(&settings.distributions.value);
        Self { settings, machine, set, log, needs, clashes, runtimes, resources, distributions }
    }

    /// Folders of archives and distributions that are there and cannot be listed, and why: what is in them is not found.
    pub fn unread_folders(&self) -> impl Iterator<Item = (&Path, &str)> {
        [&self.resources, &self.distributions].into_iter().filter_map(FolderNames::unread)
    }

    /// What the available extensions need, by id.
    pub fn needs(&self) -> Vec<AskedDistribution> {
        self.needs.iter().map(|need| self.asked(need.clone(), Vec::new())).collect()
    }

    /// An available extension.
    pub fn extension(&self, namespace: &str) -> Result<&Extension, UnknownExtension> {
        if let Some(active) = self.set.active.get(namespace) {
            return Ok(&active.extension);
        }
        let is_it = |error: &&extension::ExtensionError| {
            error.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{namespace}-")))
        };
        let reason = self.set.unavailable.iter().find(is_it).map(|error| error.kind.to_string());
        Err(UnknownExtension { asked: namespace.to_owned(), what: "not an available extension", reason })
    }

    /// By the namespace of an extension, or by its id.
    pub fn find(&self, asked: &str) -> Result<AskedDistribution, UnknownExtension> {
        if let Some((chain, id)) = distribution_of(&self.set, asked) {
            return Ok(self.with_id(id, chain));
        }
        let id = asked.parse::<DistributionId>();
        id.map(|id| self.with_id(id, Vec::new())).map_err(|error| {
            let reason = Some(error.reason.to_owned());
            let what = "neither an available extension nor the id of a distribution";
            UnknownExtension { asked: asked.to_owned(), what, reason }
        })
    }

    fn with_id(&self, id: DistributionId, chain: Vec<String>) -> AskedDistribution {
        let need = self.needs.iter().find(|need| need.id == id).cloned();
        let alone = DistributionNeed { id, namespaces: Vec::new(), env_yml: None, conflicts: Vec::new() };
        self.asked(need.unwrap_or(alone), chain)
    }

    fn asked(&self, need: DistributionNeed, chain: Vec<String>) -> AskedDistribution {
        let zip = |namespace: &String| self.set.active.get(namespace).map(|active| active.extension.path.clone());
        let env_yml = need.env_yml.as_ref().and_then(zip);
        AskedDistribution { id: need.id, chain, namespaces: need.namespaces, env_yml }
    }

    /// The facts about a distribution and what follows from them.
    pub fn resolve(
        &self,
        asked: &AskedDistribution,
        engine: &dyn EnvironmentEngine,
    ) -> Result<(Probe, Decision), DistributionClash> {
        let clash = self.clashes.iter().find(|clash| clash.one == asked.id || clash.other == asked.id);
        if let Some(clash) = clash {
            return Err(clash.clone());
        }
        let zip = |active: &ActiveExtension| ZipFacts {
            path: active.extension.path.clone(),
            has_env_yml: active.extension.env_yml.is_some(),
            offline_subdirs: active.extension.offline_subdirs.clone(),
        };
        let active = asked.namespaces.iter().filter_map(|namespace| self.set.active.get(namespace));
        let zips: Vec<ZipFacts> = active.map(zip).collect();
        let installed =
            |id: &DistributionId| self.runtimes.as_ref().map(|home| installed(home, id)).unwrap_or_default();
        let environment = engine.existing(&asked.id);
        let probe = probe(
            &asked.id,
            &ProbeInput {
                settings: &self.settings,
                machine: &self.machine,
                resources: &self.resources,
                distributions: &self.distributions,
                zips: &zips,
                installed: &installed,
                environment: environment.as_deref(),
            },
        );
        let decision = decide(probe.facts);
        Ok((probe, decision))
    }

    /// Makes a distribution ready, as [`Self::resolve`] decided.
    pub fn prepare(
        &self,
        asked: &AskedDistribution,
        (probe, decision): &(Probe, Decision),
        engine: &dyn EnvironmentEngine,
        work: &Work,
    ) -> Result<ReadyDistribution, DistributionError> {
        let (settings, machine) = (&self.settings, &self.machine);
        let context = PrepareContext { settings, machine, work, engine, env_yml: asked.env_yml.as_deref() };
        prepare(probe, *decision, &context)
    }
}

/// What `pydist get` installed for an id: `3.12.10-atls` is a version string, `atls:3.12.10` the same as in the names of
/// artifacts, and `atls` the newest with that key.
fn installed(home: &Home, id: &DistributionId) -> InstalledLook {
    let version: Option<VersionString> = match id.version() {
        Some(version) if id.key() == "python" => version.parse().ok(),
        Some(version) => format!("{version}-{}", id.key()).parse().ok(),
        None => id.key().parse().ok().or_else(|| home.newest_of(id.key())),
    };
    let Some(version) = version else { return InstalledLook::default() };
    let found = home.current(&version);
    InstalledLook { looked: vec![found.clone().unwrap_or_else(|| home.current_path(&version))], found }
}

/// Reads the zip's bytes and its signature, and nothing of what is in it.
fn signature_of(zip: &Path, keys: &[PublicKey]) -> SignatureStatus {
    let mut name = zip.as_os_str().to_owned();
    name.push(SIGNATURE_SUFFIX);
    let signature = match read_regular(Path::new(&name)) {
        Ok(signature) => signature,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return SignatureStatus::Unsigned,
        Err(error) => return SignatureStatus::BadSignature(format!("it cannot be read: {error}")),
    };
    let bytes = match read_regular(zip) {
        Ok(bytes) => bytes,
        Err(error) => return SignatureStatus::BadSignature(error.to_string()),
    };
    match signer_of(keys, &bytes, &signature) {
        Ok(key) => SignatureStatus::Trusted(key.line().to_owned()),
        Err(_) if keys.is_empty() => SignatureStatus::UnknownKey,
        Err(TrustError::OtherKey) => SignatureStatus::UnknownKey,
        Err(error) => SignatureStatus::BadSignature(error.to_string()),
    }
}

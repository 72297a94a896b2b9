//! The runtime with the job in it, made by the pipeline that builds every other runtime: a throw-away repository with one
//! version, whose dependencies are the job's, and the job's wheel beside what is locked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use config_merger::{LoadOptions, Repository};
use pipeline::asked_once::AskedOnce;
use pipeline::assemble::WheelClashes;
use pipeline::build::{BuildEnding, BuildRun};
use pipeline::build_product::BuildProduct;
use pipeline::options::BuildOptions;
use resolve::{Lock, MissingRule};
use serde_json::json;
use store::{Context, Scrutiny};
use vocab::{ArtifactFormat, Environment, Exit, Fault, PlatformKey, VersionString};

use crate::bake_request::BakeRequest;
use crate::code;
use crate::config_text;
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::job_error::JobError;
use crate::job_indexes::JobIndexes;
use crate::job_requirements::JobRequirements;
use crate::job_wheel::JobWheel;
use crate::secrets::{has_credentials, shown_index, without_secrets};
use crate::staged_packages;

/// The lock beside the results.
pub const JOB_LOCK: &str = "job.lock";

/// In the resolver's words, after the name.
const FOREIGN_WHEELS: &str = " has no wheels with a matching";

/// What the runtime is made of.
pub(crate) struct JobRuntime<'a> {
    pub version: VersionString,
    pub platform: PlatformKey,
    pub requirements: &'a JobRequirements,
    pub wheel: &'a JobWheel,
    pub configs: &'a [EffectiveConfig],
    pub request: &'a BakeRequest,
    pub indexes: &'a JobIndexes,
}

/// Where effective configurations are in the runtime, below its prefix.
pub(crate) fn config_path(config: &EffectiveConfig) -> String {
    format!("share/klio/{}/{}", plain(&config.job_name), plain(config.source.rsplit('/').next().unwrap_or_default()))
}

/// The version string of a job's runtime: the same for all versions of the job, so that they share a lock.
pub(crate) fn version_of(python: vocab::PythonVersion, job_name: &str) -> VersionString {
    let name: String = plain(job_name).chars().take(60).collect();
    let name = name.trim_matches(|it: char| !it.is_ascii_alphanumeric());
    let text = format!("{python}-{}", if name.is_empty() { "job" } else { name });
    text.parse().expect("letters, digits, dashes, underscores and dots, a letter or digit at both ends")
}

/// A text as one name of a file.
pub(crate) fn plain(text: &str) -> String {
    let keep = |it: char| if it.is_ascii_alphanumeric() || "-_.".contains(it) { it } else { '_' };
    text.chars().map(keep).collect()
}

impl JobRuntime<'_> {
    /// Builds it: artifact and manifest in `out`, the lock in `out/../job.lock`. Faults of the job are findings.
    pub fn build(
        &self,
        context: &Context,
        out: &Path,
        lock: &Path,
    ) -> Result<Result<BuildProduct, Vec<Finding>>, Box<dyn Fault>> {
        let scratch = context.store.scratch_dir("bake-").map_err(JobError::disk("write", context.store.root()))?;
        let root = scratch.path();
        let folder = root.join(self.version.folder_name());
        self.write_repository(root, &folder)?;
        let locked = self.bring_lock(context, lock, &folder)?;
        let context = &self.context(context);
        let repository = Repository::at(root);
        let configuration = config_merger::load(&repository, &self.version, &LoadOptions::default());
        let configuration = configuration
            .map_err(|faults| JobError::Requirements { reason: without_secrets(&vocab::with_causes(&faults)) })?;
        let run = BuildRun {
            context,
            repository: &repository,
            version: &self.version,
            configuration: &Ok(configuration),
            platforms: &[self.platform],
            options: &self.options(out, locked),
            asked_once: &AskedOnce::default(),
            extra: std::slice::from_ref(&self.wheel.blob),
            today: self.request.today,
        };
        let mut outcome = None;
        let begun = run.build(&|_| {}, &mut |(_, built)| outcome = Some(built));
        let report = match (begun, outcome) {
            (Err(fault), _) | (Ok(()), Some(Err(fault))) => return self.findings_of(fault).map(Err),
            (Ok(()), Some(Ok(report))) => report,
            (Ok(()), None) => return Err(JobError::Interrupted.into()),
        };
        let made = folder.join(resolve::LOCK_FILE);
        fs::copy(&made, lock).map_err(JobError::disk("write", lock))?;
        match report.ending {
            BuildEnding::Built(product) | BuildEnding::UpToDate(product) => Ok(Ok(*product)),
            BuildEnding::Planned { .. } | BuildEnding::TestRun { .. } => Err(JobError::Interrupted.into()),
        }
    }

    /// The default index is one of this machine's, not of the runtime: a mirror gives the same bytes.
    fn context(&self, context: &Context) -> Context {
        let mut context = context.clone();
        if let Some(index) = self.index() {
            context.default_index = None;
            let variables = context.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
            let own = ("UV_DEFAULT_INDEX".into(), index.into());
            context.work.environment = Environment::new(variables.chain([own]).collect::<Vec<_>>());
        }
        context
    }

    fn index(&self) -> Option<String> {
        self.indexes.default.clone().or_else(|| self.requirements.index.clone())
    }

    fn write_repository(&self, root: &Path, folder: &Path) -> Result<(), JobError> {
        let configs = folder.join("configs");
        fs::create_dir_all(&configs).map_err(JobError::disk("make", &configs))?;
        let write = |path: &Path, text: String| fs::write(path, text).map_err(JobError::disk("write", path));
        let mut copies = Vec::new();
        for (index, config) in self.configs.iter().enumerate() {
            write(&configs.join(index.to_string()), config_text::to_yaml(config))?;
            copies.push(json!({"from": format!("configs/{index}"), "to": config_path(config)}));
        }
        let given = &self.indexes;
        let links = given.find_links.iter().map(|it| staged_packages::address_of(it));
        let mut additional: Vec<String> = given.additional.iter().cloned().chain(links).collect();
        for url in &self.requirements.extra_indexes {
            if !additional.contains(url) {
                additional.push(url.clone());
            }
        }
        // That an index is not encrypted has been said; see KJ054.
        let allow_http: BTreeSet<String> = additional.iter().filter_map(|url| vocab::unencrypted_host(url)).collect();
        let registries = json!({"additional": additional, "allowHttp": allow_http});
        let shared = json!({
            "registries": registries,
            "packages": {
                "dependencies": self.requirements.lines,
                "noDeps": self.requirements.without_dependencies,
                "copyFiles": copies,
            },
            "build": {"parallelDownloads": true, "enableLogging": false},
        });
        write(&root.join("shared-config.json"), shared.to_string())?;
        write(&folder.join("config.json"), "{}".to_owned())
    }

    /// Whether the lock binds.
    fn bring_lock(&self, context: &Context, kept: &Path, folder: &Path) -> Result<bool, JobError> {
        let place = folder.join(resolve::LOCK_FILE);
        if let Some(named) = &self.request.lock {
            fs::copy(named, &place).map_err(JobError::disk("read", named))?;
            return Ok(!self.request.update_lock);
        }
        if kept.is_file() {
            fs::copy(kept, &place).map_err(JobError::disk("read", kept))?;
            if Lock::read(folder, &self.version).is_err() {
                context.note(format!("`{}` is not the lock of {}; resolving anew", kept.display(), self.version));
                fs::remove_file(&place).map_err(JobError::disk("replace", &place))?;
            }
        }
        Ok(false)
    }

    fn options(&self, out: &Path, locked: bool) -> BuildOptions {
        BuildOptions {
            dry_run: false,
            locked,
            refresh: self.request.update_lock,
            sole_platforms: false,
            allow_stand_in: true,
            strict: false,
            missing: MissingRule::Refuse,
            no_build: false,
            emulate: false,
            lenient_config: false,
            out: out.to_owned(),
            artifacts_only: true,
            scrutiny: if locked { Scrutiny::Digests } else { Scrutiny::Glance },
            formats: vec![ArtifactFormat::TarZst],
            level: None,
            source_date_epoch: self.request.epoch,
            python_mirror: None,
            for_host: None,
            test_run: false,
        }
    }

    /// What of a fault is the job's, as findings.
    fn findings_of(&self, fault: Box<dyn Fault>) -> Result<Vec<Finding>, Box<dyn Fault>> {
        let error: &(dyn std::error::Error + 'static) = fault.as_ref();
        if let Some(clashes) = error.downcast_ref::<WheelClashes>() {
            let of = |clash: &pipeline::assemble::WheelClash| {
                let a = format!("`{}`", clash.given);
                let b = clash.other.as_ref().map_or("the interpreter".to_owned(), |name| format!("`{name}`"));
                let path = clash.path.to_string();
                Finding::new(code::KJ080, [("a", a.as_str()), ("b", b.as_str()), ("path", path.as_str())])
            };
            return Ok(clashes.clashes.iter().map(of).collect());
        }
        let text = without_secrets(&vocab::with_causes(error));
        let platform = self.platform.to_string();
        let quoted = text.split('`').nth(1).unwrap_or("a file").to_owned();
        let finding = match fault.code() {
            "E_NO_WHEEL" => Finding::new(code::KJ061, [("pkg", text.as_str()), ("platform", platform.as_str())]),
            "E_RESOLVE" if text.contains(FOREIGN_WHEELS) => {
                let before = text.split(FOREIGN_WHEELS).next().unwrap_or_default();
                let package = before.rsplit(' ').next().unwrap_or_default();
                Finding::new(code::KJ061, [("pkg", package), ("platform", platform.as_str())])
            }
            "E_RESOLVE" => {
                let named = self.named_in(&text);
                Finding::new(code::KJ060, [("reqs", named.as_str()), ("explanation", text.as_str())])
            }
            "E_FILE_GONE" => Finding::new(code::KJ064, [("file", quoted.as_str())]),
            _ if fault.exit() == Exit::Trust => Finding::new(code::KJ064, [("file", quoted.as_str())]),
            _ => return Err(fault),
        };
        Ok(vec![finding])
    }

    /// The requirements that an explanation is about, with where they stand; all if it names none.
    fn named_in(&self, text: &str) -> String {
        let of_name = |name: &vocab::DistributionName| text.contains(name.as_str());
        let named: Vec<&String> =
            self.requirements.origins.iter().filter(|(name, _)| of_name(name)).flat_map(|(_, it)| it).collect();
        let all = || self.requirements.origins.values().flatten().collect();
        let chosen: Vec<&String> = if named.is_empty() { all() } else { named };
        chosen.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// An index without its user and password, which come from netrc.
pub(crate) fn index_without_secrets(url: &str) -> String {
    if has_credentials(url) { shown_index(url) } else { url.to_owned() }
}

/// The finished artifact's name, beside `out`.
pub(crate) fn artifact_name(job: &str, version: &str, python: vocab::PythonVersion, platform: PlatformKey) -> PathBuf {
    PathBuf::from(format!("{}-{}-py{}{}-{platform}.tar.zst", plain(job), plain(version), python.major, python.minor))
}

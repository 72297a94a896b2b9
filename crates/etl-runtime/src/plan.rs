//! What will be done, decided from settings and facts alone: nothing is read, asked or started here.

use std::path::PathBuf;

use config_merger::Requirement;
use serde::Serialize;
use vocab::{Digest, Fault};

use crate::delta::{DeltaFile, requirement_line};
use crate::facts::Facts;
use crate::os_packages::PackageManager;
use crate::runtime_facts::RuntimeAnswer;
use crate::settings::Settings;

/// Everything that happens before and at the start of the server.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The interpreter that serves.
    pub python: PathBuf,
    /// Its minor version.
    pub python_version: String,
    /// `None` without OS_PACKAGES.
    pub os_packages: Option<OsStep>,
    /// In the order of PACKAGES.
    pub packages: Vec<PackageStep>,
    /// What the runtime lacks, if it was baked beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<DeltaStep>,
    /// Where what the runtime lacks is installed; named by what that is and by the runtime. `None` if it lacks nothing.
    pub overlay: Option<PathBuf>,
    pub server: ServerStep,
}

/// Calls of the system's package manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OsStep {
    pub manager: PackageManager,
    pub program: PathBuf,
    pub calls: Vec<Vec<String>>,
    pub packages: Vec<String>,
}

/// One requirement of PACKAGES.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageStep {
    pub requirement: String,
    pub source: PackageSource,
}

/// Where a requirement is met from, in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageSource {
    /// In the runtime already, at this version.
    Runtime(String),
    /// Its marker excludes this Python or platform.
    NotNeeded,
    /// Baked beforehand.
    Delta,
    Index {
        /// What the runtime has instead; it stays there, behind the new one.
        #[serde(skip_serializing_if = "Option::is_none")]
        instead_of: Option<String>,
    },
}

/// A delta that is installed into the overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeltaStep {
    /// Its record's digest.
    pub sha256: Digest,
    pub files: Vec<DeltaFile>,
}

/// How the server is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerStep {
    pub port: u16,
    pub workers: u16,
    pub preload: bool,
    pub load_limit_seconds: u64,
    /// Folders that objects may be read from.
    pub fqn_roots: Vec<PathBuf>,
    /// The rest of the launch line where uvicorn serves, and where gunicorn does.
    pub fastapi: String,
    pub flask: String,
}

/// What no step could mend.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Build)]
pub enum PlanError {
    #[error("ETL_PYTHON_VERSION: the class was pickled by Python {payload}, and this runtime has Python {runtime}")]
    #[fault(
        "E_ETL_PYTHON",
        hint("use a runtime of the version that pickled it: compiled code is for one minor version alone")
    )]
    Python { payload: String, runtime: String },
    #[error("OS_PACKAGES: this system has neither apk nor apt-get to install {} with", names.join(", "))]
    #[fault("E_ETL_OS_PACKAGES", hint("use an image that has them, or one based on Debian or Alpine"))]
    NoPackageManager { names: Vec<String> },
}

/// Decides all steps.
pub fn plan(settings: &Settings, facts: &Facts) -> Result<Plan, PlanError> {
    let runtime = facts.runtime.minor_version();
    if let Some(payload) = settings.python_version.clone().filter(|version| *version != runtime) {
        return Err(PlanError::Python { payload, runtime });
    }
    let packages: Vec<PackageStep> = settings.packages.iter().map(|requirement| step_of(requirement, facts)).collect();
    let missing = missing(&packages);
    let is_used = packages.iter().any(|step| step.source == PackageSource::Delta);
    let delta = facts.delta.as_ref().filter(|_| is_used);
    let delta = delta.map(|delta| DeltaStep { sha256: delta.sha256, files: delta.record.files.clone() });
    let lacking = match &delta {
        Some(delta) => Some(format!("delta {}\n", delta.sha256)),
        None => (!missing.is_empty()).then(|| format!("{}\n", missing.join("\n"))),
    };
    // A folder for work may be kept longer than a runtime.
    let overlay_of = |lacking| Digest::of(format!("{lacking}{}\n", facts.runtime.identity()));
    let overlay = lacking.map(|lacking| facts.work.join(format!("overlay-{}", overlay_of(lacking).short())));
    Ok(Plan {
        python: facts.runtime.interpreter.clone(),
        python_version: runtime,
        os_packages: os_step(settings, facts)?,
        packages,
        delta,
        overlay,
        server: server_step(settings, facts),
    })
}

impl Plan {
    /// The requirements that an index is asked for, in order.
    pub fn missing(&self) -> Vec<String> {
        missing(&self.packages)
    }

    /// For people, one line for each step.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("runtime: Python {} at {}", self.python_version, self.python.display())];
        if let Some(step) = &self.os_packages {
            lines.extend(step.calls.iter().map(|call| format!("run: {} {}", step.program.display(), call.join(" "))));
        }
        lines.extend(self.packages.iter().map(PackageStep::line));
        if let Some(delta) = &self.delta {
            let bytes: u64 = delta.files.iter().map(DeltaFile::bytes).sum();
            lines.push(format!("delta {}: {} wheels, {bytes} bytes", delta.sha256.short(), delta.files.len()));
        }
        if let Some(overlay) = &self.overlay {
            lines.push(format!("overlay: {}", overlay.display()));
        }
        let server = &self.server;
        let roots: Vec<String> = server.fqn_roots.iter().map(|root| root.display().to_string()).collect();
        let roots = if roots.is_empty() { "nowhere".to_owned() } else { roots.join(", ") };
        lines.push(format!("objects are read below: {roots}"));
        let how = if server.preload { "class loaded once, workers forked" } else { "each worker loads the class" };
        lines.push(format!("server: port {}, {how}", server.port));
        lines.push(format!("if FastAPI: {}", server.fastapi));
        lines.push(format!("if Flask: {}", server.flask));
        lines.push("if threaded: one process; NUM_WORKERS does not apply".to_owned());
        lines
    }
}

impl PackageStep {
    /// `package numpy>=2: …`
    pub fn line(&self) -> String {
        let source = match &self.source {
            PackageSource::Runtime(version) => format!("{version} is in the runtime"),
            PackageSource::NotNeeded => "does not apply to this Python and platform".to_owned(),
            PackageSource::Delta => "from the delta".to_owned(),
            PackageSource::Index { instead_of: None } => "from the index".to_owned(),
            PackageSource::Index { instead_of: Some(version) } => {
                format!("from the index, since the runtime has {version}")
            }
        };
        format!("package {}: {source}", self.requirement)
    }
}

fn missing(packages: &[PackageStep]) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for step in packages {
        if matches!(step.source, PackageSource::Index { .. }) && !missing.contains(&step.requirement) {
            missing.push(step.requirement.clone());
        }
    }
    missing
}

fn step_of(requirement: &Requirement, facts: &Facts) -> PackageStep {
    let source = match facts.runtime.answer(requirement) {
        RuntimeAnswer::Met(version) => PackageSource::Runtime(version.to_string()),
        RuntimeAnswer::NotAsked => PackageSource::NotNeeded,
        RuntimeAnswer::OtherVersion(_) | RuntimeAnswer::Missing if facts.delta.is_some() => PackageSource::Delta,
        RuntimeAnswer::OtherVersion(version) => PackageSource::Index { instead_of: Some(version.to_string()) },
        RuntimeAnswer::Missing => PackageSource::Index { instead_of: None },
    };
    PackageStep { requirement: requirement_line(requirement), source }
}

fn os_step(settings: &Settings, facts: &Facts) -> Result<Option<OsStep>, PlanError> {
    if settings.os_packages.is_empty() {
        return Ok(None);
    }
    let packages: Vec<String> = settings.os_packages.iter().map(|package| package.as_str().to_owned()).collect();
    let Some((manager, program)) = facts.package_manager.clone() else {
        return Err(PlanError::NoPackageManager { names: packages });
    };
    Ok(Some(OsStep { manager, program, calls: manager.calls(&settings.os_packages), packages }))
}

fn server_step(settings: &Settings, facts: &Facts) -> ServerStep {
    let Settings { port, workers, preload, .. } = *settings;
    ServerStep {
        port,
        workers,
        preload,
        load_limit_seconds: settings.load_limit.as_secs(),
        fqn_roots: settings.fqn_roots.clone().unwrap_or_else(|| facts.volumes.clone()),
        fastapi: format!(
            "uvicorn server:app --host 0.0.0.0 --port {port} --workers {workers} --log-level info \
             --ws-max-size 17179869184 --ws-ping-interval 0 --ws-ping-timeout 86400 --no-access-log"
        ),
        flask: format!("gunicorn server:app --bind 0.0.0.0:{port} --workers {workers} --log-level debug"),
    }
}

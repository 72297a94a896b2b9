//! Makes a delta: resolves what the runtime lacks against what it has, and puts the wheels and the record into a place.

use std::collections::BTreeMap;

use config_merger::{Requirement, RequirementSource};
use process::{Invocation, run_telling};
use resolve::{AnswerSource, AnsweredQuestions, Uv, UvQuestion};
use store::Context;
use store::download::{self, FetchRequest};
use vocab::{Digest, DistributionName, Fault, PythonVersion, with_causes};
use wheel::WheelTarget;

use super::{DELTA_FORMAT, DeltaError, DeltaFile, DeltaPlace, DeltaRecord, delta_name, requirement_line};
use crate::runtime_facts::{RuntimeAnswer, RuntimeFacts};

/// Wheels in the store that a runtime lacks.
#[derive(Clone, Debug, Default)]
pub struct BakedWheels {
    /// Sorted by name.
    pub files: Vec<DeltaFile>,
    /// What the runtime has of the answer, by version.
    pub relies_on: BTreeMap<DistributionName, String>,
}

/// What was baked.
#[derive(Clone, Debug)]
pub struct BakedDelta {
    pub record: DeltaRecord,
    /// The record's digest.
    pub sha256: Digest,
    /// In bytes; what was there before is not sent.
    pub sent: u64,
}

/// Bakes a delta; `None` if the runtime has everything.
pub fn bake(
    packages: &[Requirement],
    runtime: &RuntimeFacts,
    place: &DeltaPlace,
    context: &Context,
) -> Result<Option<BakedDelta>, Box<dyn Fault>> {
    if let DeltaPlace::Server(_) = place {
        return Err(DeltaError::ReadOnly { address: place.shown() }.into());
    }
    let wheels = wheels_for(packages, runtime, context)?;
    if wheels.files.is_empty() {
        return Ok(None);
    }
    let mut requirements: Vec<String> = packages.iter().map(requirement_line).collect();
    requirements.sort();
    requirements.dedup();
    let (python, platform) = (runtime.minor_version(), runtime.layout.platform);
    let name = delta_name(&python, platform, packages);
    let BakedWheels { files, relies_on } = wheels;
    let record = DeltaRecord { format: DELTA_FORMAT, python, platform, requirements, relies_on, files };
    let sent = place.put(&record, &name, context)?;
    Ok(Some(BakedDelta { sha256: Digest::of(record.text()), record, sent }))
}

/// The wheels that the runtime lacks for these requirements, fetched from where uv finds them. Whatever the runtime has binds
/// versions, except what the requirements name themselves.
pub fn wheels_for(
    packages: &[Requirement],
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<BakedWheels, Box<dyn Fault>> {
    let asked: Vec<&Requirement> =
        packages.iter().filter(|it| !matches!(runtime.answer(it), RuntimeAnswer::NotAsked)).collect();
    let of_index = |requirement: &&&Requirement| matches!(requirement.source, RequirementSource::Index { .. });
    let others: Vec<String> = asked.iter().filter(|it| !of_index(it)).map(|it| requirement_line(it)).collect();
    if !others.is_empty() {
        return Err(DeltaError::NotFromAnIndex { names: others }.into());
    }
    let lacks = |requirement: &&Requirement| !matches!(runtime.answer(requirement), RuntimeAnswer::Met(_));
    if !asked.iter().copied().any(|requirement| lacks(&requirement)) {
        return Ok(BakedWheels::default());
    }
    let names: Vec<String> = asked.iter().map(|requirement| requirement_line(requirement)).collect();
    let failed = |reason: String| DeltaError::Resolve { names: names.clone(), reason };
    let target = WheelTarget::new(runtime.layout.platform, patch_version(runtime, context)?);
    let bound = runtime.installed.iter().filter(|(name, _)| asked.iter().all(|it| it.name != **name || !lacks(it)));
    let question = UvQuestion {
        requirements: names.clone(),
        constraints: bound.map(|(name, installed)| format!("{name}=={}", installed.version)).collect(),
        ..UvQuestion::default()
    };
    // First, because it makes the store, where uv is looked for.
    let scratch = context.store.scratch_dir("delta-").map_err(|error| failed(error.to_string()))?;
    let uv = Uv::find(context, &runtime.interpreter, &AnsweredQuestions::default())?;
    let text = uv.compile(context, scratch.path(), &target, &question).map_err(|error| failed(with_causes(&error)))?;
    let mut wheels = BakedWheels::default();
    let mut requests = Vec::new();
    for answer in resolve::chosen(&text, &target)? {
        let here = runtime.installed.get(&answer.name).map(|installed| installed.version.to_string());
        if here.is_some() && here == answer.version {
            wheels.relies_on.extend(here.map(|version| (answer.name.clone(), version)));
            continue;
        }
        let AnswerSource::Wheel(file) = answer.source else {
            return Err(failed(format!("{} has no wheel for this runtime", answer.name)).into());
        };
        let sha256 = file.sha256.ok_or_else(|| failed(format!("the index gives no SHA-256 of {}", file.file_name)))?;
        let file_name = file.file_name.to_string();
        requests.push(FetchRequest { url: file.url, file_name, sha256, size: file.size, largest: None });
        wheels.files.push(DeltaFile { name: file.file_name, size: 0, sha256 });
    }
    let blobs = download::fetch_all(context, &requests, AT_ONCE)?;
    for (file, blob) in wheels.files.iter_mut().zip(&blobs) {
        let write = |source| DeltaError::Write { path: blob.clone(), source };
        file.size = std::fs::metadata(blob).map_err(write)?.len();
    }
    wheels.files.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    Ok(wheels)
}

/// Files that are downloaded at once.
const AT_ONCE: usize = 8;

/// No file of a runtime says it, and markers and `Requires-Python` may ask for it.
fn patch_version(runtime: &RuntimeFacts, context: &Context) -> Result<PythonVersion, Box<dyn Fault>> {
    let ask = ["-I", "-c", "import platform; print(platform.python_version())"];
    let folder = runtime.interpreter.parent().unwrap_or(&runtime.interpreter);
    let finished = run_telling(context, &Invocation::new(&runtime.interpreter, folder).args(ask), "python")?;
    Ok(finished.stdout_text().trim().parse().unwrap_or(runtime.layout.python))
}

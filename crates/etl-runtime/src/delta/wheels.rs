//! The wheels that a runtime lacks for some packages: resolved against what it has, fetched into the store.
//!
//! Pods that ask an index and those who bake for others do the same; they differ in what may be taken ([`WheelsFor`]).

use std::collections::BTreeMap;
use std::path::Path;

use config_merger::Requirement;
use process::{Invocation, run_telling};
use resolve::{AnswerSource, AnsweredQuestions, IndexFile, Uv, UvQuestion, chosen};
use store::download::{self, FetchRequest};
use store::{Context, Store};
use vocab::{Digest, DistributionName, Fault, FileName, PythonVersion, SystemVersion, with_causes};
use wheel::WheelTarget;

use super::{DeltaFile, requirement_line, sources, warm_store};
use crate::runtime_facts::{RuntimeAnswer, RuntimeFacts};

/// Who gets the wheels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WheelsFor {
    /// Other machines with such a runtime: wheels of the index alone, which run on systems of the default age.
    Others,
    /// This machine alone: whatever runs here, and what has no wheel is built.
    ThisMachine,
}

/// Wheels in the store that a runtime lacks.
#[derive(Clone, Debug, Default)]
pub struct LackingWheels {
    /// Sorted by name.
    pub files: Vec<DeltaFile>,
    /// What the runtime has of the answer, by version.
    pub relies_on: BTreeMap<DistributionName, String>,
}

/// Packages whose wheels are not to be had. Callers say what for, under their own code.
#[derive(Debug)]
pub struct NoWheels {
    /// The requirements that the runtime does not meet.
    pub names: Vec<String>,
    /// On one line, or with the resolver's own lines.
    pub reason: String,
}

/// What the runtime lacks for these requirements, from where uv finds it. Whatever the runtime has binds versions, except what
/// the requirements name themselves and the runtime does not meet. `warm` is a store that can only be read.
pub fn lacking_wheels(
    packages: &[Requirement],
    recipient: WheelsFor,
    runtime: &RuntimeFacts,
    context: &Context,
    warm: Option<&Store>,
) -> Result<LackingWheels, NoWheels> {
    let lacks =
        |it: &&Requirement| matches!(runtime.answer(it), RuntimeAnswer::Missing | RuntimeAnswer::OtherVersion(_));
    let asked: Vec<&Requirement> = packages.iter().filter(lacks).collect();
    if asked.is_empty() {
        return Ok(LackingWheels::default());
    }
    let mut names: Vec<String> = Vec::new();
    for requirement in &asked {
        let line = requirement_line(requirement);
        if !names.contains(&line) {
            names.push(line);
        }
    }
    let bound = runtime.installed.iter().filter(|(name, _)| asked.iter().all(|it| it.name != **name));
    let constraints = bound.map(|(name, installed)| format!("{name}=={}", installed.version)).collect();
    let search = Search { recipient, warm, runtime, context };
    search.run(&names, constraints).map_err(|reason| NoWheels { names, reason })
}

struct Search<'a> {
    recipient: WheelsFor,
    warm: Option<&'a Store>,
    runtime: &'a RuntimeFacts,
    context: &'a Context,
}

impl Search<'_> {
    /// The error is the reason in words.
    fn run(&self, names: &[String], constraints: Vec<String>) -> Result<LackingWheels, String> {
        let context = self.context;
        // First, because it makes the store, where uv is looked for.
        let scratch = context.store.scratch_dir("delta-").map_err(|error| with_causes(&error))?;
        let uv = Uv::find(context, &self.runtime.interpreter, &AnsweredQuestions::default())
            .map_err(|it| with_causes(&it))?;
        let target = self.target().map_err(|error| with_causes(error.as_ref()))?;
        let is_here = self.recipient == WheelsFor::ThisMachine;
        let question = UvQuestion {
            requirements: names.to_vec(),
            constraints,
            sources_allowed: is_here,
            for_building: is_here,
            as_the_user: true,
            ..UvQuestion::default()
        };
        let text = uv.compile(context, scratch.path(), &target, &question).map_err(|error| with_causes(&error))?;

        let (mut wheels, mut fetched, mut built) = (LackingWheels::default(), Vec::new(), Vec::new());
        for answer in chosen(&text, &target).map_err(|error| with_causes(&error))? {
            let here = self.runtime.installed.get(&answer.name).map(|installed| installed.version.to_string());
            if here.is_some() && here == answer.version {
                wheels.relies_on.extend(here.map(|version| (answer.name.clone(), version)));
                continue;
            }
            match answer.source {
                AnswerSource::Wheel(file) => fetched.push(request_of(file)?),
                AnswerSource::Sdist(file) if is_here => built.push((answer.name, request_of(file)?)),
                _ => return Err(format!("{} has no wheel for this runtime", answer.name)),
            }
        }
        let sdists = built.iter().map(|(_, request)| request.clone());
        let requests: Vec<FetchRequest> = fetched.iter().cloned().chain(sdists).collect();
        if let Some(warm) = self.warm {
            warm_store::take(warm, requests.iter().map(|request| request.sha256), context);
        }
        let blobs = download::fetch_all(context, &requests, AT_ONCE).map_err(|error| with_causes(&error))?;
        for (request, blob) in fetched.iter().zip(&blobs) {
            let size = std::fs::metadata(blob).map_err(|error| format!("`{}`: {error}", blob.display()))?.len();
            let name = request.file_name.parse::<FileName>().map_err(|error| with_causes(&error))?;
            wheels.files.push(DeltaFile { name, size, sha256: request.sha256, byte_code: None });
        }
        for ((name, request), blob) in built.iter().zip(&blobs[fetched.len()..]) {
            let sdist = sources::Sdist { name, file_name: &request.file_name, path: blob };
            wheels.files.push(sources::build(&sdist, &uv, context)?);
        }
        wheels.files.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
        Ok(wheels)
    }

    /// Of others the age of the system is unknown.
    fn target(&self) -> Result<WheelTarget, Box<dyn Fault>> {
        let (python, system) = ask_interpreter(self.runtime, self.context)?;
        let target = WheelTarget::new(self.runtime.layout.platform, python);
        Ok(match (self.recipient, system) {
            (WheelsFor::ThisMachine, Some(system)) => WheelTarget { system: Some(system), ..target },
            _ => target,
        })
    }
}

fn request_of(file: IndexFile) -> Result<FetchRequest, String> {
    let sha256: Digest = file.sha256.ok_or_else(|| format!("the index gives no SHA-256 of {}", file.file_name))?;
    Ok(FetchRequest { url: file.url, file_name: file.file_name.to_string(), sha256, size: file.size, largest: None })
}

/// Files that are downloaded at once.
const AT_ONCE: usize = 8;

/// Its patch release, and the glibc or macOS under it. No file of a runtime says the first, and markers and `Requires-Python`
/// may ask for it.
fn ask_interpreter(
    runtime: &RuntimeFacts,
    context: &Context,
) -> Result<(PythonVersion, Option<SystemVersion>), Box<dyn Fault>> {
    let script = "import platform; print(platform.python_version(), platform.libc_ver()[1] or platform.mac_ver()[0])";
    let folder = runtime.interpreter.parent().unwrap_or(Path::new("."));
    let invocation = Invocation::new(&runtime.interpreter, folder).args(["-I", "-c", script]);
    let text = run_telling(context, &invocation, "python")?.stdout_text();
    let mut words = text.split_whitespace();
    let python = words.next().and_then(|word| word.parse().ok()).unwrap_or(runtime.layout.python);
    // Of `14.5.1` the first two numbers count.
    let system = words.next().map(|word| word.split('.').take(2).collect::<Vec<_>>().join("."));
    Ok((python, system.and_then(|system| system.parse().ok())))
}

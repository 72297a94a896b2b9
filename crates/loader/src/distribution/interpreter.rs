//! The Python of a distribution: where it is, and whether it runs here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use extension::Machine;
use process::{Invocation, ProcessErrorKind};
use serde::{Deserialize, Serialize};
use vocab::{Work, typed_json};

use super::distribution_error::DistributionErrorKind;
use super::host_binary::{fits, platform_of, words};

/// A Python that takes longer to say its version does not run.
const START: Duration = Duration::from_secs(20);

/// Where a Python is, by system; the first that is there.
const ON_WINDOWS: [&str; 3] = ["python.exe", "Scripts/python.exe", "python/python.exe"];
const ELSEWHERE: [&str; 3] = ["bin/python3", "bin/python", "python/bin/python3"];

/// In ASCII alone, so that no setting of the terminal matters.
const QUESTION: &str = "import json, platform, sys; print(json.dumps({'version': '%d.%d.%d' % sys.version_info[:3], \
                        'system': sys.platform, 'processor': platform.machine(), 'prefix': sys.prefix}))";

/// What a Python says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonFacts {
    pub version: String,
    /// As Python calls it: `linux`, `darwin`, `win32`.
    pub system: String,
    pub processor: String,
    pub prefix: PathBuf,
}

/// The Python in `folder`. `named` is where its `pydist.json` says.
pub(super) fn find(folder: &Path, machine: &Machine, named: Option<&str>) -> Result<PathBuf, DistributionErrorKind> {
    let (ours, theirs) = if machine.os == "windows" { (ON_WINDOWS, ELSEWHERE) } else { (ELSEWHERE, ON_WINDOWS) };
    let found = named.into_iter().chain(ours).map(|place| folder.join(place)).find(|path| path.is_file());
    let Some(python) = found else {
        return Err(match theirs.iter().map(|place| folder.join(place)).find(|path| path.is_file()) {
            Some(python) => {
                wrong_platform(&python, machine, if machine.os == "windows" { "another system" } else { "windows" })
            }
            None => DistributionErrorKind::NoPython { folder: folder.to_owned(), searched: ours.into() },
        });
    };
    let platform =
        platform_of(&python).map_err(|source| DistributionErrorKind::Read { path: python.clone(), source })?;
    match platform {
        Some((os, processor)) if !fits(machine, (os, processor)) => {
            Err(wrong_platform(&python, machine, &words(os, processor)))
        }
        _ => Ok(python),
    }
}

fn wrong_platform(python: &Path, machine: &Machine, found: &str) -> DistributionErrorKind {
    let expected = words(machine.os, machine.processors.first().copied().unwrap_or_default());
    DistributionErrorKind::WrongPlatform { path: python.to_owned(), found: found.to_owned(), expected }
}

/// Starts it once. Nothing of the user's environment reaches it but what programs need to load libraries.
pub(super) fn ask(python: &Path, work: &Work) -> Result<PythonFacts, DistributionErrorKind> {
    let folder = python.parent().unwrap_or(Path::new("."));
    let mut invocation = Invocation::new(python, folder).args(["-I", "-B", "-S", "-c", QUESTION]).timeout(Some(START));
    invocation.clear_environment = true;
    let fails = |reason: String| DistributionErrorKind::PythonFails { python: python.to_owned(), reason };
    let finished = process::run(work, &invocation).map_err(|error| match error.kind {
        ProcessErrorKind::Cancelled => DistributionErrorKind::Cancelled,
        ProcessErrorKind::TimedOut { limit } => fails(format!("it said nothing within {} s", limit.as_secs())),
        ProcessErrorKind::Start(source) => fails(source.to_string()),
        ProcessErrorKind::NoLoader => {
            fails("the loader or interpreter that it needs is not on this machine".to_owned())
        }
        _ => DistributionErrorKind::Process(Box::new(error)),
    })?;
    if !finished.succeeded() {
        let said = process::words_of(&finished.stderr_text());
        return Err(fails(format!(
            "it ended with {}: {said}",
            finished.code.map_or("a signal".into(), |code| code.to_string())
        )));
    }
    let facts: PythonFacts = typed_json::read(finished.stdout_text().trim().as_bytes())
        .map_err(|_| fails("it does not print what Python prints".to_owned()))?;
    let numbers: Vec<u32> = facts.version.split('.').map_while(|number| number.parse().ok()).collect();
    if numbers < vec![3, 8] {
        return Err(DistributionErrorKind::OldPython { found: facts.version });
    }
    Ok(facts)
}

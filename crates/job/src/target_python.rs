//! The Python that the job runs on, and the setuptools that asks it.

use std::collections::BTreeMap;

use config_merger::{BaseSource, PythonSettings};
use interpreter::host_python::HostPython;
use interpreter::{BaseRequest, BaseTree, GoModules, ReleaseTable};
use store::Context;
use vocab::{PlatformKey, PythonVersion};

use crate::container_image::of_dockerfile;
use crate::job_error::JobError;
use crate::job_folder::JobFolder;

/// Minor version of Python 3.
const OLDEST: u16 = 8;

/// If neither the command line nor the job's Dockerfile names one.
const DEFAULT: &str = "3.12";

/// Newest setuptools for each minor version.
const SETUPTOOLS: [((u16, u16), &str); 2] = [((3, 8), "75.3.4"), ((3, 9), "82.0.1")];
/// For 3.10 and later.
const NEWEST_SETUPTOOLS: &str = "84.2.1";

/// The pinned setuptools, as a requirement.
pub(crate) fn setuptools(python: PythonVersion) -> String {
    let own = SETUPTOOLS.iter().find(|(minor, _)| *minor == (python.major, python.minor));
    format!("setuptools=={}", own.map_or(NEWEST_SETUPTOOLS, |(_, version)| version))
}

/// The version that is asked for: `X.Y` is its newest patch release. Without one, that of the image in the last stage of
/// the job's Dockerfile.
pub fn target_python(asked: Option<&str>, folder: &JobFolder) -> Result<PythonVersion, JobError> {
    let image = || of_dockerfile(folder).and_then(|(image, _)| image.python);
    let (text, of_image) = match (asked, asked.map_or_else(image, |_| None)) {
        (Some(text), _) => (text.to_owned(), false),
        (None, Some(text)) => (text, true),
        (None, None) => (DEFAULT.to_owned(), false),
    };
    // The nearest older release of what does not exist is the newest.
    let parsed = text.parse().or_else(|_| format!("{text}.99").parse());
    let python: PythonVersion = parsed.map_err(|_| JobError::Python { text: text.clone() })?;
    if python.major == 3 && python.minor >= OLDEST {
        Ok(python)
    } else {
        Err(JobError::OldPython { version: text, of_image })
    }
}

/// What the environment of the job's code holds besides itself: `requires` of the back end, with the pinned setuptools unless
/// they bound it themselves.
pub(crate) fn build_requires(python: PythonVersion, requires: &[String]) -> Vec<String> {
    let is_setuptools = |line: &&String| {
        line.strip_prefix("setuptools")
            .is_some_and(|rest| !rest.starts_with(['-', '_', '.']) && !rest.starts_with(char::is_alphanumeric))
    };
    let bounded =
        requires.iter().filter(is_setuptools).any(|line| line.contains(['<', '=', '~', '!', '@']) && !is_open(line));
    let others = requires.iter().filter(|line| bounded || !is_setuptools(line)).cloned();
    let pin = (!bounded).then(|| setuptools(python));
    pin.into_iter().chain(others).collect()
}

/// `setuptools>=61`, which the newest fits.
fn is_open(line: &str) -> bool {
    line.matches(['<', '=', '~', '!', '@', '>']).count() == 2 && line.contains(">=")
}

/// An interpreter of this minor version for this machine.
pub(crate) fn base(context: &Context, python: PythonVersion) -> Result<BaseTree, JobError> {
    let platform = PlatformKey::host().ok_or(JobError::NoPlatform)?;
    let request = BaseRequest {
        python,
        platform,
        sources: BaseSource::ALL.to_vec(),
        tag: None,
        flavor: None,
        archives: BTreeMap::new(),
        mirror: BaseRequest::mirror_of(None, &context.environment),
        table: None,
        own: ReleaseTable::of(&PythonSettings::default()),
        list: None,
        allow_stand_in: true,
        go_modules: GoModules::default(),
    };
    Ok(HostPython::new(&request).ok_or(JobError::NoPlatform)?.tree(context)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_of_a_job_names_its_python() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: Option<&str>, asked: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(folder.path().join("Dockerfile"), text).unwrap();
            }
            let folder = JobFolder::open(folder.path(), None).unwrap();
            target_python(asked, &folder).ok().map(|it| it.to_string())
        };
        assert_eq!(of(None, None).as_deref(), Some("3.12.99"));
        assert_eq!(of(Some("# x\nFROM apache/beam_python3.8_sdk:2.35.0\n"), None).as_deref(), Some("3.8.99"));
        assert_eq!(of(Some("FROM dataflow.example/v1beta3/python38-fnapi:0.1\n"), None).as_deref(), Some("3.8.99"));
        assert_eq!(of(None, Some("3.11.4")).as_deref(), Some("3.11.4"));
        assert_eq!((of(None, Some("2.7")), of(None, Some("new"))), (None, None));
        assert_eq!(of(Some("FROM python:3.7\n"), None), None);
        assert_eq!(of(Some("FROM debian:12\n"), None).as_deref(), Some("3.12.99"));
    }

    #[test]
    fn the_pinned_setuptools_is_used_unless_the_job_bounds_it() {
        let of = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            build_requires(PythonVersion { major: 3, minor: 12, patch: 1 }, &lines)
        };
        let pin = format!("setuptools=={NEWEST_SETUPTOOLS}");
        assert_eq!(of(&[]), [pin.as_str()]);
        assert_eq!(of(&["setuptools>=61", "wheel"]), [pin.as_str(), "wheel"]);
        assert_eq!(of(&["setuptools<70"]), ["setuptools<70"]);
        assert_eq!(of(&["setuptools>=61,<70"]), ["setuptools>=61,<70"]);
        assert_eq!(of(&["setuptools-scm>=8", "hatchling"]), [pin.as_str(), "setuptools-scm>=8", "hatchling"]);
    }
}

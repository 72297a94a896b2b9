//! The Python that the job runs on, and the setuptools that asks it.

use std::collections::BTreeMap;

use config_merger::{BaseSource, PythonSettings};
use interpreter::host_python::HostPython;
use interpreter::{BaseRequest, BaseTree, GoModules, ReleaseTable};
use store::Context;
use vocab::{PlatformKey, PythonVersion};

use crate::job_error::JobError;
use crate::job_folder::JobFolder;

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

/// The version that is asked for: `X.Y` is its newest patch release. Without one, that of Beam's image in the first `FROM`
/// of the job's Dockerfile.
pub fn target_python(asked: Option<&str>, folder: &JobFolder) -> Result<PythonVersion, JobError> {
    let text = asked.map(str::to_owned).or_else(|| of_dockerfile(folder)).unwrap_or_else(|| DEFAULT.to_owned());
    // The nearest older release of what does not exist is the newest.
    let parsed = text.parse().or_else(|_| format!("{text}.99").parse());
    let python: PythonVersion = parsed.map_err(|_| JobError::Python { text: text.clone() })?;
    if python.major == 3 && python.minor >= 8 { Ok(python) } else { Err(JobError::Python { text }) }
}

/// `3.8` of `FROM apache/beam_python3.8_sdk:2.35.0` and `…/python38…`.
fn of_dockerfile(folder: &JobFolder) -> Option<String> {
    if !folder.has_file("Dockerfile") {
        return None;
    }
    let text = vocab::read_regular_text(&folder.root().join("Dockerfile")).ok()?;
    let from = text.lines().find_map(|line| line.trim().strip_prefix("FROM "))?;
    let (_, rest) = from.rsplit_once("python3")?;
    let digits: String = rest.strip_prefix('.').unwrap_or(rest).chars().take_while(char::is_ascii_digit).collect();
    let minor: u16 = digits.parse().ok()?;
    from.contains("beam_python3").then(|| format!("3.{minor}")).or_else(|| Some(format!("3.{minor}")))
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
    }
}

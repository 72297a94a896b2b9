//! What the build of a source requires, as exact files: resolved for this machine's interpreter, over the same indexes
//! as the runtime.

use std::io;

use vocab::{DistributionName, Fault, TreeLayout};
use wheel::WheelTarget;

use crate::pylock::{self, AnswerSource, IndexFile};
use crate::{PylockError, Uv, UvError, UvQuestion};
use store::Context;

/// One distribution of a build's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRequirement {
    pub name: DistributionName,
    /// Absent for a folder with a dynamic version.
    pub version: Option<String>,
    pub source: BuildRequirementSource,
}

/// Where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildRequirementSource {
    /// Those for this interpreter, each for another age of the system, so that an older machine finds its own. Never empty.
    Wheels(Vec<IndexFile>),
    /// No wheel fits.
    Source(AnswerSource),
}

/// Why build requirements were not resolved.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_RESOLVE", Build)]
pub enum BuildRequirementsError {
    #[error(transparent)]
    #[fault(transparent)]
    Uv(#[from] UvError),
    #[error(transparent)]
    #[fault(transparent)]
    Answer(#[from] PylockError),
    #[error("cannot create a folder in the store")]
    #[fault("E_STORE")]
    Folder(#[source] io::Error),
}

/// Resolves requirements and what they require. `registries` are the additional indexes that answer, and whether each is
/// only a folder of files; the default index answers before them. Code of a requirement without a wheel may run.
///
/// # Errors
/// uv gives no answer, or one that cannot be used.
pub fn resolve_build_requirements(
    context: &Context,
    uv: &Uv,
    layout: TreeLayout,
    requirements: &[String],
    constraints: &[String],
    registries: &[(String, bool)],
) -> Result<Vec<BuildRequirement>, BuildRequirementsError> {
    let scratch = context.store.scratch_dir("requires-").map_err(BuildRequirementsError::Folder)?;
    let question = UvQuestion {
        requirements: requirements.to_vec(),
        constraints: constraints.to_vec(),
        sources_allowed: true,
        for_building: true,
        registries: registries.to_vec(),
        ..UvQuestion::default()
    };
    let target = WheelTarget::of_any_age(layout.platform, layout.python);
    let text = uv.compile(context, scratch.path(), &target, &question)?;
    read(&text, &target)
}

fn read(text: &str, target: &WheelTarget) -> Result<Vec<BuildRequirement>, BuildRequirementsError> {
    let answers = pylock::read(text, target, &|_| false)?;
    let mut wheels = pylock::wheels_for_interpreter(text, target)?;
    Ok(answers
        .into_iter()
        .map(|answer| {
            let source = match answer.source {
                AnswerSource::Wheel(only) => {
                    let all = wheels.remove(&answer.name).unwrap_or_default();
                    BuildRequirementSource::Wheels(if all.is_empty() { vec![only] } else { all })
                }
                source => BuildRequirementSource::Source(source),
            };
            BuildRequirement { name: answer.name, version: answer.version, source }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_for_the_interpreter_is_taken_whatever_the_age_of_its_system() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let row = |tag: &str| {
            format!("{{ url = \"https://x.example/tool-1.0-{tag}.whl\", hashes = {{ sha256 = \"{hash}\" }} }}")
        };
        let tags = [
            "cp312-cp312-manylinux_2_17_x86_64",
            "cp312-cp312-manylinux_2_39_x86_64",
            "cp312-cp312-musllinux_1_2_x86_64",
            "cp313-cp313-manylinux_2_17_x86_64",
            "py3-none-any",
        ];
        let rows: Vec<String> = tags.iter().map(|tag| row(tag)).collect();
        let text = format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"tool\"\nversion = \"1.0\"\nwheels = [{}]\n\
             [[packages]]\nname = \"old\"\nversion = \"2.0\"\nsdist = {{ url = \"https://x.example/old-2.0.tar.gz\", \
             hashes = {{ sha256 = \"{hash}\" }} }}\n",
            rows.join(", ")
        );
        let target = WheelTarget::of_any_age(vocab::PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        let found = read(&text, &target).unwrap();
        assert!(matches!(&found[0].source, BuildRequirementSource::Source(AnswerSource::Sdist(_))), "{found:?}");
        let BuildRequirementSource::Wheels(wheels) = &found[1].source else { panic!("{found:?}") };
        let names: Vec<&str> = wheels.iter().map(|file| file.file_name.as_str()).collect();
        assert_eq!(names, [tags[0], tags[1]].map(|tag| format!("tool-1.0-{tag}.whl")));
    }
}

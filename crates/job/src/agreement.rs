//! Whether everything that names a Python or a release of Beam names the same: driver and workers exchange pickled code,
//! and Beam refuses workers of another release.

use crate::code;
use crate::container_image::{ContainerImage, of_dockerfile};
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::job_folder::JobFolder;
use crate::level::Level;
use crate::requirements::Pin;

/// Who names a version, and which.
#[derive(Clone, Debug)]
struct Named {
    who: String,
    version: String,
    file: Option<String>,
    line: Option<usize>,
}

/// What the job and the command line say of versions.
pub(crate) struct Agreement<'a> {
    pub(crate) folder: &'a JobFolder,
    pub(crate) configs: &'a [EffectiveConfig],
    /// `3.12`, that of the target.
    pub(crate) python: &'a str,
    pub(crate) pins: &'a [Pin],
}

impl Agreement<'_> {
    /// KJ065, and KJ060 for pins that contradict each other.
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = self.pins();
        let mut pythons = self.of_images(|image| image.python.clone());
        pythons.push(Named { who: "the target".to_owned(), version: self.python.to_owned(), file: None, line: None });
        let mut beams = self.of_images(|image| image.beam.clone());
        let pin = self.pins.iter().find(|pin| pin.name == "apache-beam");
        beams.extend(pin.map(|pin| Named {
            who: pin.file.clone(),
            version: pin.version.clone(),
            file: Some(pin.file.clone()),
            line: pin.line,
        }));
        findings.extend(differing("Python", &pythons));
        findings.extend(differing("Apache Beam", &beams));
        findings
    }

    /// The release of Beam that workers will have, as far as anything says so.
    pub(crate) fn beam(&self) -> Option<String> {
        let pin = self.pins.iter().find(|pin| pin.name == "apache-beam").map(|pin| pin.version.clone());
        pin.or_else(|| self.of_images(|image| image.beam.clone()).into_iter().next().map(|it| it.version))
    }

    /// Of the Dockerfile first: that is the driver.
    fn of_images(&self, fact: impl Fn(&ContainerImage) -> Option<String>) -> Vec<Named> {
        let mut named = Vec::new();
        if let Some((image, line)) = of_dockerfile(self.folder)
            && let Some(version) = fact(&image)
        {
            let file = Some("Dockerfile".to_owned());
            named.push(Named { who: format!("the image `{}`", image.name), version, file, line: Some(line) });
        }
        for config in self.configs {
            let Some(name) = config.pipeline_options.get("sdk_container_image").and_then(|it| it.as_str()) else {
                continue;
            };
            if let Some(version) = fact(&ContainerImage::of(name)) {
                let who = format!("sdk_container_image `{name}`");
                let line = config.lines.get("pipeline_options.sdk_container_image").copied();
                named.push(Named { who, version, file: Some(config.source.clone()), line });
            }
        }
        named
    }

    /// In one file no resolver can satisfy both; of several files the last one that is installed wins.
    fn pins(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, pin) in self.pins.iter().enumerate() {
            let Some(first) = self.pins[..index].iter().find(|it| it.name == pin.name) else { continue };
            if same_release(&first.version, &pin.version) {
                continue;
            }
            let reqs = format!("{}, {}", first.shown(), pin.shown());
            let (level, explanation) = if first.file == pin.file {
                (Level::Error, "both cannot be installed")
            } else {
                (Level::Warning, "workers keep the one that is installed last")
            };
            let finding = Finding::new(code::KJ060, [("reqs", reqs.as_str()), ("explanation", explanation)]);
            findings.push(Finding { line: pin.line, ..finding.at_level(level).in_file(pin.file.clone()) });
        }
        findings
    }
}

/// One finding for each that differs from the first, at its own place, or else at that of the first.
fn differing(what: &str, named: &[Named]) -> Vec<Finding> {
    let Some((first, others)) = named.split_first() else { return Vec::new() };
    let others = others.iter().filter(|it| !same_release(&it.version, &first.version));
    others
        .map(|other| {
            let values = [
                ("what", what),
                ("a", first.version.as_str()),
                ("who_a", first.who.as_str()),
                ("b", other.version.as_str()),
                ("who_b", other.who.as_str()),
            ];
            let place = if other.file.is_some() { other } else { first };
            Finding { file: place.file.clone(), line: place.line, ..Finding::new(code::KJ065, values) }
        })
        .collect()
}

/// `2.35` is `2.35.0`.
fn same_release(a: &str, b: &str) -> bool {
    let bare = |text: &str| {
        let mut parts: Vec<String> = text.split('.').map(|it| it.trim().to_ascii_lowercase()).collect();
        while parts.last().is_some_and(|it| it == "0") {
            parts.pop();
        }
        parts
    };
    bare(a) == bare(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigRequest, load};

    fn told(dockerfile: &str, image: &str, python: &str, pins: &[(&str, &str, &str, Option<usize>)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Dockerfile"), format!("# x\nFROM {dockerfile}\n")).unwrap();
        let config = format!(
            "job_name: x\npipeline_options: {{runner: direct, sdk_container_image: '{image}'}}\njob_config: {{}}\n"
        );
        std::fs::write(folder.path().join("klio-job.yaml"), config).unwrap();
        let (configs, findings) = load(folder.path(), &ConfigRequest::default());
        assert!(findings.is_empty(), "{findings:?}");
        let pin = |(name, version, file, line): &(&str, &str, &str, Option<usize>)| Pin {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            file: (*file).to_owned(),
            line: *line,
        };
        let pins: Vec<Pin> = pins.iter().map(pin).collect();
        let folder = JobFolder::open(folder.path(), None).unwrap();
        let findings = Agreement { folder: &folder, configs: &configs, python, pins: &pins }.check();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn klio_w8_driver_and_workers_have_the_same_python_and_beam() {
        let agreed = told(
            "apache/beam_python3.8_sdk:2.35.0",
            "apache/beam_python3.8_sdk:2.35.0",
            "3.8",
            &[("apache-beam", "2.35", "setup.py", None)],
        );
        assert_eq!(agreed, [""; 0]);
        let python = told("apache/beam_python3.8_sdk:2.35.0", "other", "3.12", &[]);
        assert_eq!(
            python,
            [
                "error[KJ065]: Dockerfile:2: Python is 3.8 for the image `apache/beam_python3.8_sdk:2.35.0`, but 3.12 for \
              the target"
            ]
        );
        let image = told("apache/beam_python3.8_sdk:2.35.0", "x/beam_python3.9_sdk:2.36.0", "3.8", &[]);
        assert_eq!(
            image,
            [
                "error[KJ065]: klio-job.yaml:2: Python is 3.8 for the image `apache/beam_python3.8_sdk:2.35.0`, but 3.9 \
                 for sdk_container_image `x/beam_python3.9_sdk:2.36.0`",
                "error[KJ065]: klio-job.yaml:2: Apache Beam is 2.35.0 for the image \
                 `apache/beam_python3.8_sdk:2.35.0`, but 2.36.0 for sdk_container_image `x/beam_python3.9_sdk:2.36.0`",
            ]
        );
        let pin = told(
            "apache/beam_python3.8_sdk:2.35.0",
            "other",
            "3.8",
            &[("apache-beam", "2.77.0", "job-requirements.txt", Some(4))],
        );
        assert_eq!(
            pin,
            ["error[KJ065]: job-requirements.txt:4: Apache Beam is 2.35.0 for the image \
              `apache/beam_python3.8_sdk:2.35.0`, but 2.77.0 for job-requirements.txt"]
        );
    }

    #[test]
    fn klio_46_pins_that_contradict_each_other_are_named_with_both_places() {
        let same = told("debian", "x", "3.8", &[("a", "1.0", "setup.py", None), ("a", "2", "setup.py", None)]);
        assert_eq!(
            same,
            ["error[KJ060]: setup.py: no solution for a==1.0 (setup.py), a==2 (setup.py): both cannot be installed"]
        );
        let other = told("debian", "x", "3.8", &[("a", "1.0", "setup.py", None), ("a", "2", "r.txt", Some(3))]);
        assert_eq!(
            other,
            [
                "warning[KJ060]: r.txt:3: no solution for a==1.0 (setup.py), a==2 (r.txt:3): workers keep the one that is \
              installed last"
            ]
        );
        assert_eq!(told("debian", "x", "3.8", &[("a", "1", "x", None), ("a", "1.0.0", "y", None)]), [""; 0]);
    }
}

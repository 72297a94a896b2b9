//! What a configuration comes to.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// A configuration after templates, overrides and conversions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveConfig {
    /// The file's name as findings show it: relative to the job folder if it lies there.
    pub source: String,
    pub version: i64,
    pub job_name: String,
    /// With the defaults of those keys that [`Packaging`] reads.
    pub pipeline_options: Map<String, Value>,
    pub job_config: Map<String, Value>,
    /// Read out of `pipeline_options`.
    #[serde(skip)]
    pub packaging: Packaging,
    /// Lines of keys in the file, by dotted path.
    #[serde(skip)]
    pub lines: BTreeMap<String, usize>,
}

impl EffectiveConfig {
    /// Where an option of the pipeline stands; of a list, also where it is written in the singular, as Beam's option is.
    pub(crate) fn line_of_option(&self, name: &str) -> Option<usize> {
        let line = |name: &str| self.lines.get(&format!("pipeline_options.{name}")).copied();
        line(name).or_else(|| line(name.strip_suffix('s')?))
    }
}

/// What of a configuration decides how the job is packaged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packaging {
    pub runner: Runner,
    pub streaming: bool,
    pub experiments: Vec<String>,
    /// As it is written. `Some("")` if it is set and empty.
    pub setup_file: Option<String>,
    pub requirements_file: Option<String>,
    pub extra_packages: Vec<String>,
    pub files_to_stage: Vec<String>,
}

/// Where the job runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runner {
    #[default]
    Dataflow,
    Direct,
    DirectGke,
    Other(String),
}

impl Packaging {
    /// Whether the job is packaged as an image instead of a setup file.
    pub fn is_fnapi(&self) -> bool {
        self.experiments.iter().any(|it| it == "beam_fn_api")
    }
}

//! Reads the files of one runtime and merges them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use vocab::{Digest, DistributionName, Event, VersionString};

use crate::complete::Completion;
use crate::layer::Layer;
use crate::patch::{self, PlacedOperation};
use crate::places::ValuePlaces;
use crate::read_patch::operations;
use crate::reader::{ConfigReader, ValueOrigin};
use crate::report::FindingReport;
use crate::repository::SHARED_CONFIG;
use crate::{
    Config, ConfigFaults, ConfigFinding, ConfigWarning, FindingCode, Repository, TextPlace, conflicts, merge, overrides,
};
use vocab::SourceFile;
use vocab::json::{JsonDocument, JsonKind, JsonNode};

/// How strictly faults are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Warnings are faults, and a git requirement must name a commit.
    pub strict: bool,
    /// If `shared-config.json` is missing or not a JSON object, it is treated as empty, with a warning.
    pub lenient: bool,
}

/// A configuration without faults.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedConfig {
    pub config: Config,
    /// `config` as JSON, with a line break at the end. Equal configurations have equal bytes.
    pub canonical: String,
    /// Digest of `canonical`.
    pub digest: Digest,
    /// What should be changed, although the configuration can be used.
    pub warnings: Vec<ConfigWarning>,
    /// Facts that may be of interest and need no action.
    pub notes: Vec<String>,
}

impl LoadedConfig {
    /// The warnings, to be told before anything else of the configuration.
    pub fn warning_events(&self) -> impl Iterator<Item = Event> {
        self.warnings.iter().map(|warning| Event::Warning {
            code: warning.code.as_str(),
            text: warning.text.clone(),
            place: warning.place.as_ref().map(ToString::to_string),
            hint: warning.hint.clone(),
        })
    }

    /// The notes, which follow the warnings.
    pub fn note_events(&self) -> impl Iterator<Item = Event> {
        self.notes.iter().map(|note| Event::Note { text: note.clone() })
    }
}

/// The configuration of `version`, or everything that is wrong with it. Reads `shared-config.json` and the version's
/// `config.json`.
pub fn load(
    repository: &Repository,
    version: &VersionString,
    options: &LoadOptions,
) -> Result<LoadedConfig, ConfigFaults> {
    let mut report = FindingReport::default();
    let folder = repository.root().join(version.folder_name());
    let own_name = format!("{}/config.json", version.folder_name());
    if !folder.is_dir() {
        report.faults.push(*file_fault(&version.folder_name(), "the folder is missing"));
    }
    let own = match SourceFile::read(&folder.join("config.json"), &own_name) {
        Ok(Some(file)) => file,
        Ok(None) => {
            report.notes.push(format!("there is no `{own_name}`, so the shared settings apply"));
            SourceFile::new(&own_name, "{}")
        }
        Err(fault) => {
            report.faults.push(fault.into());
            SourceFile::new(&own_name, "{}")
        }
    };
    let shared = match SourceFile::read(&repository.root().join(SHARED_CONFIG), SHARED_CONFIG) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => {
            let text = format!("the file is missing in `{}`", repository.root().display());
            let hint = Some("write `{}` into it to begin with, or build with --lenient-config".into());
            Err(Box::new(ConfigFinding { hint, ..*file_fault(SHARED_CONFIG, &text) }))
        }
        Err(fault) => Err(Box::new(fault.into())),
    };
    merge_files(&shared, &own, version, options, report)
}

/// `shared` is the file, or why it could not be read.
pub(crate) fn merge_files(
    shared: &Result<SourceFile, Box<ConfigFinding>>,
    own: &SourceFile,
    version: &VersionString,
    options: &LoadOptions,
    mut report: FindingReport,
) -> Result<LoadedConfig, ConfigFaults> {
    let mut shared_report = FindingReport::default();
    let shared_read = match shared {
        Ok(file) => read_file(file, version, &mut shared_report),
        Err(finding) => {
            shared_report.faults.push((**finding).clone());
            None
        }
    };
    let degraded = shared_read.is_none() && options.lenient;
    if degraded {
        for mut finding in shared_report.faults.drain(..) {
            finding.text.push_str("; an EMPTY configuration stands in for it");
            shared_report.warnings.push(finding);
        }
    }
    report.append(shared_report);
    if let Some((layer, places)) = &shared_read
        && layer.patch.is_some()
    {
        let place = places.get("/patch").cloned().unwrap_or_default();
        let hint = "move it to the `config.json` of a version, or write the values where they belong";
        report.fault(FindingCode::Patch, place, "only a version's file can have a `patch`", Some(hint.into()));
    }
    let own_read = read_file(own, version, &mut report);
    let both = (shared_read.is_some() || degraded) && own_read.is_some();
    let (shared_layer, mut places) = shared_read.unwrap_or_default();
    let (mut own_layer, own_places) = own_read.unwrap_or_default();
    places.extend(own_places);
    let operations = operations(own_layer.patch.take().unwrap_or_default());

    let fallback = TextPlace { file: own.name.clone(), line: 1, column: 1, ..TextPlace::default() };
    let mut config = None;
    // What the two files say together is unknown while one of them cannot be read.
    if both {
        let (shared, own) = (to_value(&shared_layer), to_value(&own_layer));
        let replaced = left_aside(&shared, &own, &places, &fallback, &mut report);
        let merged = merge::merge(&shared, own, &mut report.notes);
        let mut stage =
            MergeStage { version, operations: &operations, places, fallback: &fallback, report: &mut report };
        let mut complete = stage.patched(&merged);
        overrides::apply(&mut complete, &stage.places, &fallback, stage.report);
        conflicts::check(&complete, &stage.places, &fallback, stage.report);
        if options.strict {
            conflicts::check_commits(&complete, stage.report);
        }
        complete.degraded = degraded;
        complete.left_aside = replaced;
        config = Some(complete);
    }

    let files: Vec<&SourceFile> = shared.iter().chain([own]).collect();
    let (warnings, notes) = report.finish(options.strict, &files)?;
    let config = config.expect("a file that cannot be read is a fault, and `finish` has found none");
    let canonical = canonical(&config);
    Ok(LoadedConfig { digest: Digest::of(&canonical), config, canonical, warnings, notes })
}

/// The steps from the merged document to the complete configuration.
struct MergeStage<'a> {
    version: &'a VersionString,
    operations: &'a [PlacedOperation],
    places: ValuePlaces,
    fallback: &'a TextPlace,
    report: &'a mut FindingReport,
}

impl MergeStage<'_> {
    fn patched(&mut self, merged: &Value) -> Config {
        let config = self.complete(merged, &[]);
        // Operations refer to positions in the document; after an earlier fault these are not reliable.
        if self.operations.is_empty() || !self.report.faults.is_empty() {
            return config;
        }
        let mut document = to_value(&config);
        patch::apply(&mut document, self.operations, self.report);
        if self.report.faults.is_empty() { self.complete(&document, self.operations) } else { config }
    }

    fn complete(&mut self, document: &Value, operations: &[PlacedOperation]) -> Config {
        let origin = ValueOrigin::Merged(operations);
        let mut reader =
            ConfigReader { version: self.version, origin, report: self.report, places: ValuePlaces::default() };
        let layer = reader.layer(&JsonNode::from_value(document));
        let touched = reader.places;
        self.places.extend_patched(touched);
        let mut completion = Completion {
            version: self.version,
            places: &self.places,
            fallback: operations.last().map_or(self.fallback, |operation| &operation.place),
            report: self.report,
        };
        completion.config(layer)
    }
}

/// Warns about an empty list that replaces the shared one, and names the requirements that this drops.
fn left_aside(
    shared: &Value,
    own: &Value,
    places: &ValuePlaces,
    fallback: &TextPlace,
    report: &mut FindingReport,
) -> BTreeSet<DistributionName> {
    let replaced = merge::replaced_by_nothing(shared, own);
    if !replaced.is_empty() {
        let place = places.get("/packages/dependencies").unwrap_or(fallback).clone();
        let text = match replaced.len() {
            1 => "the list is empty, so the shared requirement is not installed".to_owned(),
            count => format!("the list is empty, so the {count} shared requirements are not installed"),
        };
        let hint = "remove the key to install them, or write `\"inheritDependencies\": false` beside it if it is meant";
        report.warning(FindingCode::Value, place, text, Some(hint.into()));
    }
    replaced.iter().filter_map(|item| merge::requirement_name(item).parse().ok()).collect()
}

/// `None` if it is not a JSON object.
fn read_file(file: &SourceFile, version: &VersionString, report: &mut FindingReport) -> Option<(Layer, ValuePlaces)> {
    let (document, findings) = JsonDocument::parse(file);
    report.faults.extend(findings.into_iter().map(ConfigFinding::from));
    let document = document?;
    let mut reader =
        ConfigReader { version, origin: ValueOrigin::File(&document), report, places: ValuePlaces::default() };
    let layer = reader.layer(&document.root);
    let is_object = matches!(document.root.kind, JsonKind::Object(_));
    is_object.then_some((layer, reader.places))
}

fn to_value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("every map here has text keys")
}

fn canonical(config: &Config) -> String {
    let mut text = serde_json::to_string_pretty(config).expect("every map here has text keys");
    text.push('\n');
    text
}

fn file_fault(name: &str, text: &str) -> Box<ConfigFinding> {
    let place = TextPlace::of_file(name);
    Box::new(ConfigFinding { code: FindingCode::File, place: Some(place), text: text.into(), hint: None })
}

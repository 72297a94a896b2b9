//! The shape of a configuration: which keys there are, of which types, and what is converted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::known::{OptionType, named, option_type};
use crate::code;
use crate::effective_config::{EffectiveConfig, Packaging, Runner};
use crate::finding::Finding;
use crate::level::Level;

const TOP: [&str; 4] = ["job_name", "version", "pipeline_options", "job_config"];

/// What a message calls a value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Makes mappings of the lists of inputs and outputs: the key is the item's `name`, or else its type and a count.
pub(super) fn name_inputs(root: &mut Value) {
    for part in ["events", "data"] {
        for direction in ["inputs", "outputs"] {
            let Some(place) = root.pointer_mut(&format!("/job_config/{part}/{direction}")) else { continue };
            let Value::Array(items) = place else { continue };
            if !items.iter().all(Value::is_object) {
                continue;
            }
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let mut map = Map::new();
            for item in std::mem::take(items) {
                let Value::Object(mut item) = item else { continue };
                let kind = item.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
                let count = counts.entry(kind.clone()).or_default();
                let name = match item.remove("name") {
                    Some(Value::String(name)) => name,
                    Some(other) => other.to_string(),
                    None => {
                        *count += 1;
                        format!("{kind}{}", *count - 1)
                    }
                };
                map.insert(name, Value::Object(item));
            }
            *place = Value::Object(map);
        }
    }
}

/// Sets the value at a dotted path and makes the mappings on its way; numbers are places in lists. False if something
/// else stands on the way.
pub(super) fn assign(root: &mut Value, path: &str, value: Value) -> bool {
    let mut place = root;
    for name in path.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = match place {
            Value::Object(map) => map.entry(name).or_insert(Value::Null),
            Value::Array(items) => match name.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                Some(item) => item,
                None => return false,
            },
            _ => return false,
        };
    }
    *place = value;
    true
}

pub(super) struct Checked<'a> {
    /// By dotted path.
    pub(super) lines: &'a BTreeMap<String, usize>,
    pub(super) findings: &'a mut Vec<Finding>,
}

impl Checked<'_> {
    pub(super) fn config(&mut self, shown: &str, mut root: Map<String, Value>) -> Option<EffectiveConfig> {
        for key in root.keys().filter(|key| !TOP.contains(&key.as_str())) {
            self.add(Finding::new(code::KJ005, [("key", key.as_str())]), key);
        }
        let job_name = self.required(&mut root, "job_name").and_then(|it| self.text("job_name", it));
        let job_config = self.required(&mut root, "job_config").and_then(|it| self.mapping("job_config", it));
        let options = root.shift_remove("pipeline_options").unwrap_or_default();
        let options = self.mapping("pipeline_options", options);
        let version = match root.shift_remove("version") {
            None | Some(Value::Null) => 2,
            Some(value) => self.whole("version", &value).unwrap_or(2),
        };
        if version != 2 {
            let level = if version == 1 { Level::Warning } else { Level::Error };
            let finding = Finding::new(code::KJ010, [("n", version.to_string().as_str())]);
            self.add(finding.at_level(level), "version");
        }
        let mut options = options?;
        self.options(&mut options);
        let packaging = self.packaging(&mut options);
        let (job_name, job_config) = (job_name?, job_config?);
        self.inputs(&job_config);
        self.name_fits(&job_name, &packaging);
        self.submission(&options, &packaging);
        Some(EffectiveConfig {
            source: shown.to_owned(),
            version,
            job_name,
            pipeline_options: options,
            job_config,
            packaging,
            lines: self.lines.clone(),
        })
    }

    fn add(&mut self, finding: Finding, path: &str) {
        let line = self.lines.get(path).copied();
        self.findings.push(Finding { line: finding.line.or(line), ..finding });
    }

    fn required(&mut self, root: &mut Map<String, Value>, key: &str) -> Option<Value> {
        let value = root.shift_remove(key);
        if value.is_none() {
            self.add(Finding::new(code::KJ004, [("key", key)]), key);
        }
        value
    }

    /// `level` is a warning where the value was converted.
    fn wrong(&mut self, path: &str, wanted: &str, found: &Value, level: Level) {
        let finding = Finding::new(code::KJ006, [("key", path), ("type", wanted), ("kind", kind_of(found))]);
        self.add(finding.at_level(level), path);
    }

    fn mapping(&mut self, path: &str, value: Value) -> Option<Map<String, Value>> {
        match value {
            Value::Object(map) => Some(map),
            Value::Null => Some(Map::new()),
            other => {
                self.wrong(path, "a mapping", &other, Level::Error);
                None
            }
        }
    }

    fn text(&mut self, path: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            Value::Bool(_) | Value::Number(_) => {
                self.wrong(path, "text", &value, Level::Warning);
                Some(match value {
                    // As Python writes it.
                    Value::Bool(yes) => if yes { "True" } else { "False" }.to_owned(),
                    other => other.to_string(),
                })
            }
            other => {
                self.wrong(path, "text", &other, Level::Error);
                None
            }
        }
    }

    fn whole(&mut self, path: &str, value: &Value) -> Option<i64> {
        let converted = match value {
            Value::Number(number) => match number.as_i64() {
                Some(whole) => return Some(whole),
                None => number.as_f64().map(|it| it as i64),
            },
            Value::Bool(yes) => Some(i64::from(*yes)),
            Value::String(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        let level = if converted.is_some() { Level::Warning } else { Level::Error };
        self.wrong(path, "a whole number", value, level);
        converted
    }

    /// A text is an error: Python takes each but the empty one for true, `False` among them.
    fn flag(&mut self, path: &str, value: &Value) -> Option<bool> {
        let converted = match value {
            Value::Bool(yes) => return Some(*yes),
            Value::Number(number) => Some(number.as_f64() != Some(0.0)),
            _ => None,
        };
        let level = if converted.is_some() { Level::Warning } else { Level::Error };
        self.wrong(path, "a boolean", value, level);
        converted
    }

    fn texts(&mut self, path: &str, value: Value) -> Option<Vec<Value>> {
        match value {
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                let texts =
                    items.map(|(index, item)| self.text(&below(path, &index.to_string()), item).map(Value::String));
                texts.collect()
            }
            Value::Null => Some(Vec::new()),
            Value::String(text) => {
                self.wrong(path, "a list of texts", &Value::String(String::new()), Level::Warning);
                Some(vec![Value::String(text)])
            }
            other => {
                self.wrong(path, "a list of texts", &other, Level::Error);
                None
            }
        }
    }

    /// Converts the known keys. Null stands for a key that is not set.
    fn options(&mut self, options: &mut Map<String, Value>) {
        for (name, value) in options.iter_mut() {
            let Some(option) = option_type(name) else { continue };
            let path = below("pipeline_options", name);
            let given = std::mem::take(value);
            if given.is_null() && option != OptionType::Texts {
                continue;
            }
            let converted = match option {
                OptionType::Text => self.text(&path, given).map(Value::String),
                OptionType::Whole => self.whole(&path, &given).map(Value::from),
                OptionType::Flag => self.flag(&path, &given).map(Value::Bool),
                OptionType::Texts => self.texts(&path, given).map(Value::Array),
                OptionType::OneOf(words) if given.as_str().is_some_and(|it| words.contains(&it)) => Some(given),
                OptionType::OneOf(_) => {
                    self.wrong(&path, &named(option), &given, Level::Error);
                    None
                }
            };
            *value = converted.unwrap_or_default();
        }
    }

    /// Reads what decides the packaging, and fills in the defaults of those keys.
    fn packaging(&mut self, options: &mut Map<String, Value>) -> Packaging {
        for (key, default) in [("runner", Value::from("DataflowRunner")), ("streaming", Value::Bool(true))] {
            let place = options.entry(key).or_insert(Value::Null);
            if place.is_null() {
                *place = default;
            }
        }
        options.entry("experiments").or_insert_with(|| Value::Array(Vec::new()));
        let text = |name: &str| options.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = |name: &str| -> Vec<String> {
            let items = options.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|it| it.as_str().map(str::to_owned)).collect()
        };
        Packaging {
            runner: runner(&text("runner").unwrap_or_default()),
            streaming: options.get("streaming").and_then(Value::as_bool).unwrap_or(true),
            experiments: texts("experiments"),
            setup_file: text("setup_file"),
            requirements_file: text("requirements_file"),
            extra_packages: [texts("extra_packages"), texts("extra_package")].concat(),
            files_to_stage: texts("files_to_stage"),
        }
    }

    fn inputs(&mut self, job_config: &Map<String, Value>) {
        for part in ["events", "data"] {
            let Some(Value::Object(map)) = job_config.get(part) else { continue };
            for direction in ["inputs", "outputs"] {
                let Some(value) = map.get(direction) else { continue };
                let path = format!("job_config.{part}.{direction}");
                let items = match value {
                    Value::Object(items) => items,
                    Value::Null => continue,
                    other => {
                        self.wrong(&path, "a list of mappings", other, Level::Error);
                        continue;
                    }
                };
                for (name, item) in items {
                    let path = format!("{path}.{name}");
                    match item {
                        Value::Object(item) if item.get("type").is_some_and(Value::is_string) => {}
                        Value::Object(item) => {
                            let found = item.get("type").cloned().unwrap_or_default();
                            self.wrong(&below(&path, "type"), "text", &found, Level::Error);
                        }
                        other => self.wrong(&path, "a mapping", other, Level::Error),
                    }
                }
            }
        }
    }

    /// Dataflow: `[a-z]([-a-z0-9]*[a-z0-9])?`
    fn name_fits(&mut self, name: &str, packaging: &Packaging) {
        let is_low = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        let fits = name.starts_with(|it: char| it.is_ascii_lowercase())
            && name.ends_with(is_low)
            && name.chars().all(|it| it == '-' || is_low(it));
        // A template's name without a value is reported already.
        if !fits && !name.contains('$') {
            let level = if packaging.runner == Runner::Dataflow { Level::Error } else { Level::Warning };
            self.add(Finding::new(code::KJ009, [("name", name)]).at_level(level), "job_name");
        }
    }

    /// The region has a default in Klio.
    fn submission(&mut self, options: &Map<String, Value>, packaging: &Packaging) {
        let is_missing = |key: &&str| options.get(*key).is_none_or(Value::is_null);
        let missing: Vec<&str> =
            ["project", "staging_location", "temp_location"].into_iter().filter(is_missing).collect();
        if packaging.runner == Runner::Dataflow && !missing.is_empty() {
            let keys = missing.join(", ");
            self.add(Finding::new(code::KJ012, [("keys", keys.as_str())]), "pipeline_options");
        }
    }
}

/// In any case, with or without `runner` at its end.
fn runner(text: &str) -> Runner {
    let name = text.to_ascii_lowercase();
    match name.strip_suffix("runner").unwrap_or(&name) {
        "dataflow" => Runner::Dataflow,
        "direct" => Runner::Direct,
        "directgke" => Runner::DirectGke,
        _ => Runner::Other(text.to_owned()),
    }
}

/// A dotted path, one name further.
pub(super) fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

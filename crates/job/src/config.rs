//! klio-job.yaml and the command line → the effective configuration, with every fault in it.
//!
//! The order is Klio's: parse by YAML 1.1, replace `$name`, name the inputs and outputs, apply overrides, convert and
//! check. Unlike Klio: template names keep their case, override values are YAML scalars, keys given twice are errors,
//! null in place of a mapping is an empty one. A `$name` stands for a scalar, never for a list or mapping.

mod known;
mod shape;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::code;
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::level::Level;
use crate::template::{TemplateFault, assignment, substituted};
use crate::yaml::{self, Node, NodeKind, YamlFault, scalar};

/// The name of a configuration that Klio writes for a run, and that `data_files` of some jobs list.
pub const RUN_EFFECTIVE: &str = "klio-job-run-effective.yaml";
/// The configuration if none is named.
pub const DEFAULT_CONFIG: &str = "klio-job.yaml";

/// In bytes.
const LARGEST: u64 = 17 << 20;
/// Dotted paths that are longer, in bytes, have no line of their own: all of them together could be larger than memory.
const LONGEST_PATH: usize = 1000;

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default)]
pub struct ConfigRequest {
    /// Relative to the job folder. Empty: `klio-job.yaml`.
    pub files: Vec<PathBuf>,
    /// `key=value`, for `$key`.
    pub templates: Vec<String>,
    /// `dotted.path=value`; the value is a YAML scalar.
    pub overrides: Vec<String>,
    /// `dotted.path=JSON`.
    pub set_json: Vec<String>,
}

/// Reads all configurations. Those with errors are absent, and their findings say why.
pub fn load(folder: &Path, request: &ConfigRequest) -> (Vec<EffectiveConfig>, Vec<Finding>) {
    let mut findings = Vec::new();
    let arguments = Arguments::read(request, &mut findings);
    let default = [PathBuf::from(DEFAULT_CONFIG)];
    let files = if request.files.is_empty() { &default[..] } else { &request.files };
    let configs = files.iter().filter_map(|file| load_one(folder, file, &arguments, &mut findings)).collect();
    (configs, findings)
}

/// The command line's, taken apart.
struct Arguments {
    templates: BTreeMap<String, String>,
    overrides: Vec<(String, Value)>,
}

impl Arguments {
    fn read(request: &ConfigRequest, findings: &mut Vec<Finding>) -> Self {
        let mut each = |arguments: &[String]| -> Vec<(String, String)> {
            let (good, bad): (Vec<_>, Vec<_>) = arguments.iter().map(|it| assignment(it)).partition(Result::is_ok);
            findings.extend(bad.into_iter().filter_map(Result::err));
            good.into_iter().filter_map(Result::ok).collect()
        };
        let templates = each(&request.templates).into_iter().collect();
        let scalars = each(&request.overrides).into_iter().map(|(key, value)| (key, override_value(&value)));
        let mut overrides: Vec<_> = scalars.collect();
        for (key, text) in each(&request.set_json) {
            match serde_json::from_str(&text) {
                Ok(value) => overrides.push((key, value)),
                Err(_) => {
                    let values = [("key", key.as_str()), ("type", "JSON"), ("kind", "other text")];
                    findings.push(Finding::new(code::KJ006, values));
                }
            }
        }
        Self { templates, overrides }
    }
}

/// A YAML scalar; quotes make it text.
fn override_value(text: &str) -> Value {
    match yaml::parse(text) {
        Ok(Some(Node { kind: NodeKind::Scalar { text, plain, tag: None }, .. })) if !text.contains('\n') => {
            if plain {
                scalar::resolved(&text)
            } else {
                Value::String(text)
            }
        }
        _ => Value::String(text.to_owned()),
    }
}

fn load_one(folder: &Path, file: &Path, arguments: &Arguments, findings: &mut Vec<Finding>) -> Option<EffectiveConfig> {
    let path = folder.join(file);
    let shown = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
    let text = match read(&path) {
        Ok(text) => text,
        Err(reason) => {
            findings.push(Finding::new(code::KJ001, [("path", shown.as_str()), ("reason", reason.as_str())]));
            return None;
        }
    };
    let mut own = Vec::new();
    let config = parsed(&text, &mut own).and_then(|node| effective(&node, &shown, arguments, &mut own));
    let is_broken = own.iter().any(|finding| finding.level == Level::Error);
    findings.extend(own.into_iter().map(|it| it.in_file(shown.clone())));
    config.filter(|_| !is_broken)
}

fn read(path: &Path) -> Result<String, String> {
    let file = vocab::open_regular(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn parsed(text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    let top = |kind: &str| Finding::new(code::KJ003, [("kind", kind)]).in_line(1);
    match yaml::parse(text) {
        Ok(Some(node)) if matches!(node.kind, NodeKind::Map(_)) => return Some(node),
        Ok(Some(node)) => {
            findings.push(top(if matches!(node.kind, NodeKind::List(_)) { "a list" } else { "a scalar" }));
        }
        Ok(None) => findings.push(top("nothing")),
        Err(faults) => findings.extend(faults.into_iter().map(|fault| match fault {
            YamlFault::Syntax { line, column, reason } => {
                let reason = format!("{reason} (column {column})");
                Finding::new(code::KJ002, [("reason", reason.as_str())]).in_line(line)
            }
            YamlFault::Twice { line, first, key } => {
                let first = first.to_string();
                Finding::new(code::KJ011, [("key", key.as_str()), ("first", first.as_str())]).in_line(line)
            }
        })),
    }
    None
}

/// A document as plain values, with the lines of its keys by their dotted paths.
#[derive(Default)]
struct Document {
    lines: BTreeMap<String, usize>,
    findings: Vec<Finding>,
}

impl Document {
    fn value(&mut self, node: &Node, path: &str, templates: &BTreeMap<String, String>) -> Value {
        match &node.kind {
            NodeKind::Scalar { text, plain, tag } => self.scalar(node, text, *plain, tag.as_deref(), templates),
            NodeKind::List(items) => {
                let items = items.iter().enumerate();
                Value::Array(
                    items
                        .map(|(index, item)| self.value(item, &short_path(path, &index.to_string()), templates))
                        .collect(),
                )
            }
            NodeKind::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let NodeKind::Scalar { text, .. } = &key.kind else { continue };
                    let name = self.replaced(key, text, templates).unwrap_or_else(|| text.clone());
                    let path = short_path(path, &name);
                    self.lines.insert(path.clone(), key.line);
                    let value = self.value(value, &path, templates);
                    map.insert(name, value);
                }
                Value::Object(map)
            }
        }
    }

    fn scalar(
        &mut self,
        node: &Node,
        text: &str,
        plain: bool,
        tag: Option<&str>,
        templates: &BTreeMap<String, String>,
    ) -> Value {
        // Klio writes the parsed document as text before it replaces names, and quotes are lost in that.
        if let Some(text) = self.replaced(node, text, templates) {
            return scalar::resolved(&text);
        }
        match tag {
            Some(tag) => scalar::tagged(text, tag).unwrap_or_else(|wanted| {
                let reason = format!("`!!{tag}` needs {wanted}");
                self.findings.push(Finding::new(code::KJ002, [("reason", reason.as_str())]).in_line(node.line));
                Value::Null
            }),
            None if plain => scalar::resolved(text),
            None => Value::String(text.to_owned()),
        }
    }

    fn replaced(&mut self, node: &Node, text: &str, templates: &BTreeMap<String, String>) -> Option<String> {
        let faults = match substituted(text, templates) {
            Ok(text) => return text,
            Err(faults) => faults,
        };
        self.findings.extend(faults.into_iter().map(|fault| {
            let finding = match fault {
                TemplateFault::Unknown { name } => Finding::new(code::KJ007, [("name", name.as_str())]),
                TemplateFault::Lone => {
                    Finding::new(code::KJ002, [("reason", "a `$` without a name; write $$ for a dollar sign")])
                }
            };
            finding.in_line(node.line)
        }));
        None
    }
}

fn short_path(path: &str, name: &str) -> String {
    if path.len() + name.len() > LONGEST_PATH { "…".to_owned() } else { shape::below(path, name) }
}

fn effective(node: &Node, shown: &str, arguments: &Arguments, findings: &mut Vec<Finding>) -> Option<EffectiveConfig> {
    let mut document = Document::default();
    let mut root = document.value(node, "", &arguments.templates);
    findings.append(&mut document.findings);
    shape::name_inputs(&mut root);
    for (path, value) in &arguments.overrides {
        if !shape::assign(&mut root, path, value.clone()) {
            let values =
                [("key", path.as_str()), ("type", "a list or mapping with such a place"), ("kind", "another value")];
            findings.push(Finding::new(code::KJ006, values));
        }
    }
    let Value::Object(root) = root else { return None };
    shape::Checked { lines: &document.lines, findings }.config(shown, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, request: &ConfigRequest) -> (Option<EffectiveConfig>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DEFAULT_CONFIG), text).unwrap();
        let (mut configs, findings) = load(folder.path(), request);
        let told = |it: &Finding| {
            let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{}{} {}", it.level.to_string().remove(0), line, it.code)
        };
        (configs.pop(), findings.iter().map(told).collect())
    }

    fn findings(text: &str) -> Vec<String> {
        load_text(text, &ConfigRequest::default()).1
    }

    const DIRECT: &str = "pipeline_options: {runner: direct}\njob_config: {}\n";

    #[test]
    fn klio_22_and_23_what_is_not_a_mapping_is_refused_with_its_line() {
        assert_eq!(findings("job_name: x\njob_config:\n\ta: 1\n"), ["e:3 KJ002"]);
        assert_eq!(findings("# nothing\n"), ["e:1 KJ003"]);
        assert_eq!(findings("- a\n"), ["e:1 KJ003"]);
        assert_eq!(findings("text\n"), ["e:1 KJ003"]);
    }

    #[test]
    fn files_of_other_editors_and_hostile_ones_are_read_or_refused() {
        let text = format!("job_name: x\n{DIRECT}");
        assert_eq!(findings(&text.replace('\n', "\r\n")), [""; 0]);
        assert_eq!(findings(&format!("\u{feff}{text}")), [""; 0]);
        let folder = tempfile::tempdir().unwrap();
        let of = |bytes: &[u8]| {
            std::fs::write(folder.path().join(DEFAULT_CONFIG), bytes).unwrap();
            load(folder.path(), &ConfigRequest::default()).1.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(b"job_name: \xff\n"), ["error[KJ001]: cannot read job config klio-job.yaml: it is not UTF-8"]);
        let large = of(&vec![b'x'; 17 << 20]);
        assert_eq!(large, ["error[KJ002]: klio-job.yaml:1: not valid YAML: it has more than 16 MiB (column 1)"]);
        // Every key has a path; all of them together would be a hundred times larger than the file.
        let long = "k".repeat(1 << 20);
        let inner: String = (0..50_000).map(|key| format!("  {key}: 1\n")).collect();
        assert_eq!(of(format!("job_name: x\n{DIRECT}{long}:\n{inner}").as_bytes()).len(), 1);
        let unknown = of(format!("job_name: x\n{DIRECT}{long}: 1\n").as_bytes());
        assert!(unknown[0].len() < 10_000);
    }

    #[test]
    fn klio_24_and_25_keys_are_required_known_and_given_once() {
        assert_eq!(findings(DIRECT), ["e KJ004"]);
        assert_eq!(findings("job_name: x\npipeline_options: {runner: direct}\n"), ["e KJ004"]);
        assert_eq!(findings(&format!("job_name: x\nother: 1\n{DIRECT}")), ["e:2 KJ005"]);
        assert_eq!(findings(&format!("job_name: x\njob_name: y\n{DIRECT}")), ["e:2 KJ011"]);
    }

    #[test]
    fn klio_26_no_is_false_and_so_is_an_override() {
        let text = format!("job_name: x\n{}", DIRECT.replace("direct", "direct, streaming: no"));
        assert!(!load_text(&text, &ConfigRequest::default()).0.unwrap().packaging.streaming);
        let overrides = vec!["pipeline_options.streaming=False".to_owned()];
        let request = ConfigRequest { overrides, ..ConfigRequest::default() };
        assert!(!load_text(&format!("job_name: x\n{DIRECT}"), &request).0.unwrap().packaging.streaming);
    }

    #[test]
    fn klio_27_template_names_keep_their_case() {
        let text = format!("job_name: ${{NAME}}\n{DIRECT}");
        assert_eq!(findings(&text), ["e:1 KJ007"]);
        let request = ConfigRequest { templates: vec!["NAME=a-b".to_owned()], ..ConfigRequest::default() };
        assert_eq!(load_text(&text, &request).0.unwrap().job_name, "a-b");
    }

    #[test]
    fn klio_28_override_arguments() {
        let text = format!("job_name: x\n{DIRECT}");
        let of = |argument: &str| {
            let request = ConfigRequest { overrides: vec![argument.to_owned()], ..ConfigRequest::default() };
            load_text(&text, &request).1
        };
        assert_eq!(of("x"), ["e KJ008"]);
        assert_eq!(of("a=b=c"), ["e KJ005"]);
        assert_eq!(of("job_name.x=1"), ["e:1 KJ006"].map(|it| it.replace(":1", "")), "a text stands on the way");
    }

    #[test]
    fn klio_29_and_12_dataflow_has_wishes() {
        let dataflow = "job_name: Bad_Name\njob_config: {}\n";
        assert_eq!(findings(dataflow), ["e:1 KJ009", "w KJ012"]);
        assert_eq!(findings(&format!("job_name: Bad_Name\n{DIRECT}")), ["w:1 KJ009"]);
    }

    #[test]
    fn klio_17_experiments_as_text_are_one_experiment() {
        let text = "job_name: x\njob_config:\npipeline_options:\n  runner: Direct\n  experiments: not_beam_fn_api_x\n";
        let (config, findings) = load_text(text, &ConfigRequest::default());
        assert_eq!(findings, ["w:5 KJ006"]);
        assert!(!config.unwrap().packaging.is_fnapi());
    }

    #[test]
    fn values_are_converted_with_a_warning_or_refused() {
        let cases = [
            ("num_workers: '3'", "w:4 KJ006"),
            ("num_workers: many", "e:4 KJ006"),
            ("streaming: 1", "w:4 KJ006"),
            ("streaming: 'False'", "e:4 KJ006"),
            ("region: [a]", "e:4 KJ006"),
            ("region: 5", "w:4 KJ006"),
            ("flexrs_goal: FAST", "e:4 KJ006"),
            ("setup_file: {a: 1}", "e:4 KJ006"),
        ];
        for (line, finding) in cases {
            let text = format!("job_name: x\njob_config: {{}}\npipeline_options:\n  {line}\n  runner: direct\n");
            assert_eq!(findings(&text), [finding], "for {line}");
        }
        assert_eq!(
            findings("job_name: x\nversion: 1\npipeline_options: {runner: direct}\njob_config: {}\n"),
            ["w:2 KJ010"]
        );
        assert_eq!(
            findings("job_name: x\nversion: 3\npipeline_options: {runner: direct}\njob_config: {}\n"),
            ["e:2 KJ010"]
        );
        assert_eq!(findings("job_name: x\npipeline_options:\njob_config: []\n"), ["e:3 KJ006", "w:2 KJ012"][..1]);
    }

    #[test]
    fn klio_30_inputs_are_overridden_by_their_names() {
        let text = "job_name: x\npipeline_options: {runner: direct}\njob_config:\n  events:\n    inputs:\n    - {type: file, \
                    name: main, location: a}\n    - {type: file, location: b}\n    - {type: file, location: c}\n";
        let overrides = vec!["job_config.events.inputs.main.location=z".to_owned()];
        let (config, findings) = load_text(text, &ConfigRequest { overrides, ..ConfigRequest::default() });
        assert!(findings.is_empty(), "{findings:?}");
        let inputs = &config.unwrap().job_config["events"]["inputs"];
        assert_eq!(inputs["main"]["location"], "z");
        assert_eq!((&inputs["file0"]["location"], &inputs["file1"]["location"]), (&"b".into(), &"c".into()));
    }

    #[test]
    fn an_effective_configuration_reads_back_the_same() {
        let text = "job_name: x\nversion: 2\npipeline_options:\n  runner: direct\n  labels: [\"no\", '1', \"a\\nb\"]\n\
                    job_config:\n  list: [[1, [2]], {a: [], b: {}}, null]\n  \"on\": 1.5\n  deep: {a: {b: [{c: d}]}}\n";
        let (config, findings) = load_text(text, &ConfigRequest::default());
        assert!(findings.is_empty(), "{findings:?}");
        let config = config.unwrap();
        let written = crate::config_text::to_yaml(&config);
        let (again, findings) = load_text(&written, &ConfigRequest::default());
        assert!(findings.is_empty(), "{findings:?}\n{written}");
        let lines = config.lines.clone();
        assert_eq!(again.map(|it| EffectiveConfig { lines, ..it }), Some(config), "{written}");
        assert!(written.starts_with("version: 2\njob_name: \"x\"\npipeline_options:\n  runner: direct\n"), "{written}");
    }

    #[test]
    fn klio_1_a_missing_or_strange_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (configs, findings) = load(folder.path(), &ConfigRequest::default());
        assert!(configs.is_empty());
        assert_eq!(findings[0].message, "cannot read job config klio-job.yaml: there is no such file");
        std::fs::create_dir(folder.path().join(DEFAULT_CONFIG)).unwrap();
        assert_eq!(load(folder.path(), &ConfigRequest::default()).1[0].code, code::KJ001);
    }
}

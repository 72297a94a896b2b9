//! A job's configuration, as YAML 1.1 with templates, overrides and bounds. What is accepted is written and read back as the same;
//! what is not has an error. The first byte chooses what the command line says.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use job::{ConfigRequest, EffectiveConfig, Finding, config_text, has_errors, load_config};
use libfuzzer_sys::fuzz_target;

/// In bytes: findings are read by people, and a value in them is cut at 6,000.
const LONGEST: usize = 64 << 10;

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("there is a folder for temporary files"));

fuzz_target!(|data: &[u8]| {
    let [choice, text @ ..] = data else { return };
    let words = |bit: u8, words: &[&str]| -> Vec<String> {
        if choice & bit == 0 { Vec::new() } else { words.iter().map(|it| (*it).to_owned()).collect() }
    };
    let request = ConfigRequest {
        files: Vec::new(),
        templates: words(1, &["A=b", "B=[1, 2]", "c=$A"]),
        overrides: words(2, &["pipeline_options.streaming=no", "job_config.events.inputs.file0.location=x", "job_name=y"]),
        set_json: words(4, &["job_config.a.0.b={\"c\":[null,1e3]}"]),
    };
    let (config, findings) = load(text, &request);
    assert!(config.is_some() != has_errors(&findings), "either a configuration or an error");
    let lines = text.split(|byte| [b'\n', b'\r'].contains(byte)).count() + 3;
    for finding in &findings {
        assert!(finding.to_string().len() < LONGEST, "a finding of {} bytes", finding.to_string().len());
        assert!(finding.line.is_none_or(|line| line >= 1 && line <= lines), "line {:?} of {lines}", finding.line);
    }
    let Some(config) = config else { return };
    let written = config_text::to_yaml(&config);
    // `$` is written as it is; Klio's own file for a run is read without templates.
    if written.contains('$') {
        return;
    }
    let (again, findings) = load(written.as_bytes(), &ConfigRequest::default());
    let again = again.unwrap_or_else(|| panic!("what was written cannot be read: {findings:?}\n{written}"));
    assert_eq!(EffectiveConfig { lines: config.lines.clone(), ..again }, config, "{written}");
});

fn load(text: &[u8], request: &ConfigRequest) -> (Option<EffectiveConfig>, Vec<Finding>) {
    let folder: &Path = FOLDER.path();
    std::fs::write(folder.join("klio-job.yaml"), text).expect("a file can be written there");
    let (mut configs, findings) = load_config(folder, request);
    (configs.pop(), findings)
}

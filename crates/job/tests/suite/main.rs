//! The page of codes says what the sources say.

mod texts;

use std::path::Path;

#[test]
fn the_page_of_codes_is_that_of_the_sources() {
    let mut page =
        "# Codes of jobs\n\nWhat `builder job` reports, in order, and by which command; `stage` reports what \
                    `check` does. `builder job explain CODE` prints one. Written from `crates/job/src/code.rs`.\n\n\
                    | code | level | reported by | message | what to do | remarks |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in job::code::all() {
        let cell = |text: &str| text.replace('|', "\\|");
        let (message, help, when) = (cell(row.message), cell(row.help), cell(row.when));
        let by = row.code.reported_by().join(", ");
        page.push_str(&format!("| `{}` | {} | {by} | {message} | {help} | {when} |\n", row.code, row.level));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-codes.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/job-codes.md should be:\n{page}");
}

#[test]
fn a_manifest_is_what_its_schema_and_its_example_say() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |name: &str| std::fs::read_to_string(repository.join(name)).expect("it is in the repository");
    let text = read("fixtures/job-manifest/format-1.json");
    let manifest = job::JobManifest::read(text.as_bytes()).expect("it is valid");
    assert_eq!(manifest.to_text(), text, "reading and writing changes no byte");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("it is JSON");
    let validator = jsonschema::validator_for(&json(&read("schemas/job-manifest.schema.json"))).expect("a schema");
    assert!(validator.is_valid(&json(&text)));
    // (what is replaced, by what): neither the reader nor the schema takes it.
    let wrong =
        [("\"format\": 1", "\"format\": 2"), ("linux-x64\",\n", "linux\",\n"), ("\"builder\":", "\"builders\":")];
    for (good, bad) in wrong {
        let other = text.replace(good, bad);
        assert_ne!(other, text, "{good}");
        assert!(job::JobManifest::read(other.as_bytes()).is_err() && !validator.is_valid(&json(&other)), "{bad}");
    }
}

/// The sources are searched: a code that `check` reports is made in one of them.
#[test]
fn codes_that_check_reports_are_made_somewhere() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = String::new();
    for entry in walkdir::WalkDir::new(sources).into_iter().flatten() {
        if entry.file_type().is_file() && entry.file_name() != "code.rs" {
            text.push_str(&std::fs::read_to_string(entry.path()).expect("sources are text"));
        }
    }
    for row in job::code::all().iter().filter(|row| row.code.reported_by().contains(&"check")) {
        assert!(text.contains(&format!("code::{}", row.code)), "nothing reports {}", row.code);
    }
}

/// A small generator of numbers, so that a failure happens again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

#[test]
fn mutated_configurations_are_read_or_refused() {
    const SEEDS: [&str; 5] = [
        "job_name: a\npipeline_options: {runner: direct, streaming: no, experiments: [x, 'y']}\njob_config: {}\n",
        "job_name: &n ${A}\njob_config:\n  events: {inputs: [{type: file, name: *n}, {type: file}], outputs: ~}\n  <<: {a: 017}\n",
        "a: &a [1, 2]\nb: &b {x: *a, <<: [{c: 1}, {d: 2}]}\n? complex\n: !!int '5'\n",
        "job_name: |\n  text\n  more\npipeline_options:\n  label: >-\n    folded\n  labels:\n  - a\n  -\tb\njob_config: !!map {}\n",
        "%YAML 1.1\n---\njob_name: \"\\u00e9\\x41\"\nversion: 1:30\njob_config: {'$$': $, \"${B}\": 1e5}\n...\n",
    ];
    const PIECES: [&str; 16] =
        ["&a ", "*a", "<<: ", "{", "}", "[", "]", ": ", "- ", "\n", "!!float ", "$", "'", "\"", "\u{feff}", "? "];
    const CHOICES: [[&[&str]; 3]; 3] = [
        [&["A=b"], &[], &[]],
        [&["A=b", "B=[1, 2]", "c=$A"], &["pipeline_options.streaming=no", "job_name=y"], &[]],
        [&["A=b"], &["job_config.events.inputs.file0.location=x"], &["job_config.a.0.b={\"c\":[null,1e3]}"]],
    ];
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let owned = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    // `PYDIST_TESTS_CONFIGURATIONS` asks for more.
    let rounds = std::env::var("PYDIST_TESTS_CONFIGURATIONS").ok().and_then(|it| it.parse().ok()).unwrap_or(4000);
    let mut numbers = Numbers(1);
    for round in 0..rounds {
        let mut bytes = SEEDS[numbers.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=numbers.below(6) {
            let at = numbers.below(bytes.len());
            match numbers.below(4) {
                0 => drop(bytes.drain(at..(at + 1 + numbers.below(8)).min(bytes.len()))),
                1 if !bytes.is_empty() => bytes[at] = numbers.below(256) as u8,
                2 => drop(bytes.splice(at..at, bytes[at..].to_vec())),
                _ => drop(bytes.splice(at..at, PIECES[numbers.below(PIECES.len())].bytes())),
            }
        }
        let [templates, overrides, set_json] = CHOICES[numbers.below(CHOICES.len())].map(owned);
        let request = job::ConfigRequest { files: Vec::new(), templates, overrides, set_json };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (config, findings) = loaded(folder.path(), &bytes, &request);
        assert!(config.is_some() != job::has_errors(&findings), "round {round}: {findings:?}\n{text}");
        let lines = bytes.split(|byte| [b'\n', b'\r'].contains(byte)).count() + 3;
        for finding in &findings {
            assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)), "round {round}: {finding}\n{text}");
            assert!(finding.to_string().len() < 64 << 10, "round {round}");
        }
        let Some(config) = config else { continue };
        // What is written is read again as the same. `$` is written as it is: Klio's file for a run is read without templates.
        let written = job::config_text::to_yaml(&config);
        if written.contains('$') {
            continue;
        }
        let (again, findings) = loaded(folder.path(), written.as_bytes(), &job::ConfigRequest::default());
        let again = again.map(|it| job::EffectiveConfig { lines: config.lines.clone(), ..it });
        assert_eq!(again.as_ref(), Some(&config), "round {round}: {findings:?}\n{written}\n{text}");
    }
}

fn loaded(
    folder: &Path,
    bytes: &[u8],
    request: &job::ConfigRequest,
) -> (Option<job::EffectiveConfig>, Vec<job::Finding>) {
    std::fs::write(folder.join("klio-job.yaml"), bytes).expect("files can be written");
    let (mut configs, findings) = job::load_config(folder, request);
    (configs.pop(), findings)
}

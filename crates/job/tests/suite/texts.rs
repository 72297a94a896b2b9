//! What findings look like: of each code there is a test that shows its text.

use std::path::{Path, PathBuf};

use job::{ConfigRequest, load_config};

/// What is found in a configuration, as it is shown.
fn shown(text: &str, request: &ConfigRequest) -> Vec<String> {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    std::fs::write(folder.path().join("klio-job.yaml"), text).expect("files can be written");
    load_config(folder.path(), request).1.iter().map(ToString::to_string).collect()
}

#[test]
fn klio_22_to_29_findings_of_a_configuration_have_a_text_and_a_place() {
    let direct = "job_name: x\npipeline_options: {runner: direct}\njob_config: {}\n";
    let options = |line: &str| direct.replace("{runner: direct}", &format!("\n  runner: direct\n  {line}"));
    let rows = [
        ("- a\n".to_owned(), "error[KJ003]: klio-job.yaml:1: the top level must be a mapping, found a list"),
        (direct.replace("job_name: x\n", ""), "error[KJ004]: klio-job.yaml: required key `job_name` is missing"),
        (
            format!("{direct}extra: 1\n"),
            "error[KJ005]: klio-job.yaml:4: unknown top-level key `extra` (known: job_name, version, pipeline_options, job_config)",
        ),
        (
            options("num_workers: many"),
            "error[KJ006]: klio-job.yaml:4: `pipeline_options.num_workers` must be a whole number, found text",
        ),
        (
            options("num_workers: '3'"),
            "warning[KJ006]: klio-job.yaml:4: `pipeline_options.num_workers` must be a whole number, found text",
        ),
        (
            direct.replace("name: x", "name: Bad_Name").replace("direct", "dataflow"),
            "error[KJ009]: klio-job.yaml:1: job name `Bad_Name` is not accepted by Dataflow",
        ),
        (
            format!("{direct}version: 1\n"),
            "warning[KJ010]: klio-job.yaml:4: config version 1 is not supported; expected 2",
        ),
        (
            format!("{direct}job_name: y\n"),
            "error[KJ011]: klio-job.yaml:4: key `job_name` given twice; first in line 1",
        ),
        (
            direct.replace("direct", "dataflow"),
            "warning[KJ012]: klio-job.yaml:2: Dataflow needs project, staging_location, temp_location; submission will be refused",
        ),
    ];
    for (text, expected) in rows {
        let found = shown(&text, &ConfigRequest::default());
        assert!(found.iter().any(|it| it == expected), "{expected}\n{found:?}");
    }
    let found = shown(direct, &ConfigRequest { overrides: vec!["x".to_owned()], ..ConfigRequest::default() });
    assert_eq!(found, ["error[KJ008]: `x` is not of the form key=value"]);
}

/// The code of tests: files of test programs, and what follows `#[cfg(test)]` in sources. Lines that end with `\` go on.
fn tests() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut text = String::new();
    let mut add = |folder: PathBuf, is_source: bool| {
        for entry in walkdir::WalkDir::new(folder).into_iter().flatten().filter(|it| it.file_type().is_file()) {
            let whole = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let tests =
                if is_source { whole.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests) } else { &whole };
            text.push_str(tests);
        }
    };
    add(root.join("job/src"), true);
    add(root.join("job/tests"), false);
    add(root.join("builder/tests/suite/job.rs"), false);
    add(root.join("builder/tests/real/jobs.rs"), false);
    let mut joined = String::new();
    for line in text.lines() {
        match line.trim_start().strip_suffix('\\') {
            Some(part) => joined.push_str(part),
            None => joined.push_str(&format!("{}\n", line.trim_start())),
        }
    }
    joined
}

/// A finding that no test shows may say anything, or never be made.
#[test]
fn every_code_has_a_test_that_shows_its_text() {
    let tests = tests();
    let mut lacking = Vec::new();
    for row in job::code::all() {
        let parts = row.message.split('{').enumerate().map(|(at, part)| match part.split_once('}') {
            Some((_, rest)) if at > 0 => rest,
            _ => part,
        });
        let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
        let is_there = tests.contains(longest) || tests.contains(&longest.replace('"', "\\\""));
        if !(is_there && tests.contains(&row.code.to_string())) {
            lacking.push(format!("{}: {longest}", row.code));
        }
    }
    assert!(lacking.is_empty(), "no test shows these:\n{}", lacking.join("\n"));
}

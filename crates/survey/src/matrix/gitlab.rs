//! A child pipeline of GitLab CI.

use serde_json::{Map, Value, json};
use vocab::Os;

use super::{JobMatrix, MatrixJob};

/// Image of the Linux jobs, whose hosted machines let the job choose.
const IMAGE: &str = "rust:1-bookworm";

/// YAML. GitLab refuses a pipeline without jobs, so an empty matrix gives one job that says that there is nothing to
/// do.
pub fn render(matrix: &JobMatrix) -> String {
    let mut pipeline = Map::new();
    pipeline.insert("stages".into(), json!(["build"]));
    if matrix.jobs.is_empty() {
        pipeline.insert("nothing to build".into(), json!({ "stage": "build", "script": ["echo all is up to date"] }));
    }
    for job in &matrix.jobs {
        pipeline.insert(job.name(), definition(job));
    }
    let text = serde_saphyr::to_string(&Value::Object(pipeline)).expect("plain data with text keys");
    format!("# Printed by `builder matrix --format gitlab`.\n{text}")
}

fn definition(job: &MatrixJob) -> Value {
    let mut definition = json!({
        "stage": "build",
        "tags": job.runner_labels(),
        "variables": { "PYDIST_REASON": job.reason() },
        "script": [format!("cargo run --release -p builder -- {}", job.arguments().join(" "))],
        "artifacts": { "paths": ["dist/"], "expire_in": "1 week" },
    });
    if job.host.os() == Os::Linux {
        definition["image"] = json!(IMAGE);
    }
    definition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_without_jobs_has_one_that_says_so() {
        let text = render(&JobMatrix::default());
        assert!(text.contains("nothing to build:") && text.contains("echo all is up to date"), "{text}");
    }
}

//! A job matrix of GitHub Actions: one line of JSON for `fromJSON`.

use serde_json::{Value, json};

use super::{JobMatrix, MatrixJob};

/// GitHub refuses a matrix with more jobs. Source: "Usage limits" of the documentation of GitHub Actions.
pub const MOST_JOBS: usize = 256;

/// `{"include": [{"name", "version", "platforms", "arguments", "runner", "reason"}, …]}`, one line. `runner` is a
/// label, or a list if there are several; everything else is text.
pub fn render(matrix: &JobMatrix) -> String {
    let rows: Vec<Value> = matrix.jobs.iter().map(row).collect();
    json!({ "include": rows }).to_string()
}

fn row(job: &MatrixJob) -> Value {
    let platforms: Vec<&str> = job.platforms.iter().map(|platform| platform.as_str()).collect();
    let labels = job.runner_labels();
    json!({
        "name": job.name(),
        "version": job.version,
        "platforms": platforms.join(" "),
        "arguments": job.arguments().join(" "),
        "runner": if let [one] = labels[..] { json!(one) } else { json!(labels) },
        "reason": job.reason(),
    })
}

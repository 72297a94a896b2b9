//! Jobs of Kubernetes: one `batch/v1` Job for each, to be given to `kubectl apply`.
//!
//! The image is the user's: `builder` on PATH, the repository as its working folder. Artifacts go to the claim
//! `pydist-dist`; the secret `pydist`, where there is one, brings the remote store and its credentials as variables.

use serde_json::{Value, json};
use vocab::{Arch, Digest, Os, PlatformKey};

use super::{JobMatrix, MatrixJob};

/// YAML, a document for each job; nothing for an empty matrix.
pub fn render(matrix: &JobMatrix) -> String {
    let documents = matrix.jobs.iter().map(|job| {
        let text = serde_saphyr::to_string(&definition(job)).expect("plain data with text keys");
        format!("---\n{text}")
    });
    documents.collect()
}

fn definition(job: &MatrixJob) -> Value {
    let (store, dist) = folders(job.host);
    let command: Vec<String> = std::iter::once("builder".to_owned())
        .chain(job.arguments())
        .chain(["--out".to_owned(), dist.to_owned()])
        .collect();
    let labels = json!({ "app.kubernetes.io/name": "pydist", "app.kubernetes.io/component": "build" });
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": object_name(job),
            "labels": labels,
            "annotations": { "pydist/job": job.name(), "pydist/reason": job.reason() },
        },
        "spec": {
            // What the first try downloaded is lost with its pod, but not what it gave to the remote store.
            "backoffLimit": 1,
            "ttlSecondsAfterFinished": 86400,
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "restartPolicy": "Never",
                    "nodeSelector": { "kubernetes.io/os": os(job.host), "kubernetes.io/arch": arch(job.host) },
                    "containers": [{
                        "name": "builder",
                        "image": job.runner,
                        "command": command,
                        "env": [{ "name": "CI", "value": "true" }, { "name": "PYDIST_STORE", "value": store }],
                        "envFrom": [{ "secretRef": { "name": "pydist", "optional": true } }],
                        "volumeMounts": [
                            { "name": "store", "mountPath": store },
                            { "name": "dist", "mountPath": dist },
                        ],
                    }],
                    "volumes": [
                        { "name": "store", "emptyDir": {} },
                        { "name": "dist", "persistentVolumeClaim": { "claimName": "pydist-dist" } },
                    ],
                },
            },
        },
    })
}

fn folders(host: PlatformKey) -> (&'static str, &'static str) {
    if host.is_windows() { (r"C:\store", r"C:\dist") } else { ("/store", "/dist") }
}

fn os(host: PlatformKey) -> &'static str {
    match host.os() {
        Os::Linux => "linux",
        Os::Windows => "windows",
        Os::Macos => "darwin",
    }
}

fn arch(host: PlatformKey) -> &'static str {
    match host.arch() {
        Arch::X64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}

/// A DNS label (RFC 1123, at most 63 characters): any other character becomes `-`, and the first digits of the
/// name's digest keep two versions apart that then look alike.
fn object_name(job: &MatrixJob) -> String {
    let digest = Digest::of(job.name()).to_string();
    let plain: String = format!("pydist-{}-{}", job.version, job.host)
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(54)
        .collect();
    format!("{}-{}", plain.trim_end_matches('-'), &digest[..8])
}

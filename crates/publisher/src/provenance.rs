//! Where an artifact comes from: an in-toto statement (v1) with SLSA's provenance predicate (v1), on one line.

use catalogue::Moment;
use serde_json::{Value, json};
use vocab::{Digest, Manifest, WheelOrigin};

use crate::sbom::purl;

/// Who built, as far as that can be known. The publisher checks nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenanceBuilder {
    /// A URI for the operator of the building machine.
    pub id: String,
    /// URI of this run, if the CI system numbers them.
    pub invocation: Option<String>,
    /// URI and revision of the configuration's repository.
    pub source: Option<(String, String)>,
}

/// `_type` of an in-toto statement, version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of SLSA's provenance, version 1.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// `buildType`: the page that says what our external parameters mean.
pub const BUILD_TYPE: &str = "https://github.com/pydist/pydist/blob/main/docs/publishing.md#provenance";

impl ProvenanceBuilder {
    /// Reads the variables that GitHub and GitLab set; without them, an anonymous machine.
    pub fn of(environment: &dyn Fn(&str) -> Option<String>, given: Option<String>) -> Self {
        let github = environment("GITHUB_SERVER_URL").zip(environment("GITHUB_REPOSITORY"));
        if let Some((server, repository)) = github {
            let run = environment("GITHUB_RUN_ID");
            let workflow = environment("GITHUB_WORKFLOW_REF").map(|it| format!("{server}/{it}"));
            let revision = environment("GITHUB_SHA");
            return Self {
                id: given.or(workflow).unwrap_or_else(|| format!("{server}/{repository}")),
                invocation: run.map(|run| format!("{server}/{repository}/actions/runs/{run}")),
                source: revision.map(|revision| (format!("git+{server}/{repository}"), revision)),
            };
        }
        if let Some(project) = environment("CI_PROJECT_URL") {
            let revision = environment("CI_COMMIT_SHA");
            return Self {
                id: given.unwrap_or_else(|| project.clone()),
                invocation: environment("CI_JOB_URL"),
                source: revision.map(|revision| (format!("git+{project}"), revision)),
            };
        }
        let nobody = || "https://github.com/pydist/pydist/blob/main/docs/publishing.md#unattended".to_owned();
        Self { id: given.unwrap_or_else(nobody), invocation: None, source: None }
    }
}

/// One line with a newline at its end. `None` if the runtime has not been packed.
pub fn provenance(manifest: &Manifest, builder: &ProvenanceBuilder, published: Moment) -> Option<String> {
    let artifact = manifest.artifact.as_ref()?;
    let mut dependencies = vec![json!({
        "name": manifest.base.origin,
        "uri": format!("pkg:generic/cpython@{}", manifest.base.actual),
        "digest": { "sha256": manifest.base.digest.to_string() },
    })];
    if let Some((uri, revision)) = &builder.source {
        dependencies.push(json!({ "uri": uri, "digest": { "gitCommit": revision } }));
    }
    dependencies.extend(manifest.distributions.iter().map(|row| {
        let mut dependency =
            json!({ "name": row.file, "uri": purl(row), "digest": { "sha256": row.sha256.to_string() } });
        if let WheelOrigin::Sdist { file, sha256 } = &row.origin {
            dependency["annotations"] = json!({ "builtFrom": file, "sha256": sha256.to_string() });
        }
        dependency
    }));
    let mut metadata = json!({ "finishedOn": published.to_string() });
    if let Some(invocation) = &builder.invocation {
        metadata["invocationId"] = json!(invocation);
    }
    let statement: Value = json!({
        "_type": STATEMENT_TYPE,
        "subject": [{ "name": artifact.file, "digest": { "sha256": artifact.sha256.to_string() } }],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "runtime": manifest.runtime.to_string(),
                    "platform": manifest.platform.as_str(),
                    "format": artifact.format.extension(),
                },
                "internalParameters": {
                    "buildKey": manifest.build_key.to_string(),
                    "config": manifest.config.to_string(),
                    "lock": manifest.lock.to_string(),
                },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {
                    "id": builder.id,
                    "version": { "pydist": manifest.tools.builder, "uv": manifest.tools.uv },
                },
                "metadata": metadata,
            },
        },
    });
    Some(format!("{statement}\n"))
}

/// Whether a stored statement is one about this artifact.
pub fn is_about(statement: &[u8], artifact: &Digest) -> bool {
    let Ok(statement) = serde_json::from_slice::<Value>(statement) else { return false };
    let named = statement["subject"][0]["digest"]["sha256"].as_str();
    statement["_type"] == STATEMENT_TYPE && named == Some(artifact.to_string().as_str())
}

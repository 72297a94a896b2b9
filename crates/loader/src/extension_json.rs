//! Extensions and decisions as JSON, for commands and for hosts.

use std::path::Path;

use extension::{ActiveExtension, Decision, Extension, Probe, row_text};
use loader::{AskedDistribution, ExtensionHost};
use serde_json::{Value, json};
use vocab::Fault;

/// What a host lists.
pub fn listed(host: &ExtensionHost) -> Value {
    json!({ "extensions": extensions(host), "log": host.log })
}

/// All of them: available, shadowed, not available.
pub fn extensions(host: &ExtensionHost) -> Vec<Value> {
    let set = &host.set;
    let shadowed = set.shadowed.iter().map(|(older, by)| {
        json!({ "path": older.path, "namespace": older.namespace(), "version": older.version(), "state": "shadowed", "by": by })
    });
    let available = set.active.values().map(|active| available(active, host));
    available.chain(shadowed).chain(set.unavailable.iter().map(|error| unavailable(error, &error.path))).collect()
}

fn available(active: &ActiveExtension, host: &ExtensionHost) -> Value {
    let extension = &active.extension;
    let distribution = host.find(extension.namespace()).ok().map(|asked| asked.id);
    json!({
        "path": extension.path, "namespace": extension.namespace(), "version": extension.version(), "state": "available",
        "environment": extension.environment, "distribution": distribution, "signature": active.signature,
        "operators": extension.descriptor.operators.iter().map(|it| format!("{}:{}", extension.namespace(), it.implementation)).collect::<Vec<_>>(),
    })
}

/// Something that is not available, and why.
pub fn unavailable(error: &dyn Fault, path: &Path) -> Value {
    json!({ "path": path, "state": "unavailable", "fault": cli::fault_json(error) })
}

/// Reads a zip; every entry is decoded and judged, nothing is written.
pub fn inspected(zip: &Path) -> Result<Extension, Box<dyn Fault>> {
    let extension = extension::read_extension(zip)?;
    let options = archive::ExtractOptions { names: archive::NameRules::Windows, ..archive::ExtractOptions::default() };
    archive::check(zip, &options)?;
    Ok(extension)
}

/// The facts of a distribution and what follows from them.
pub fn resolved(asked: &AskedDistribution, probe: &Probe, decision: Decision) -> Value {
    let outcome = match decision.outcome {
        Ok(mode) => json!(mode),
        Err(lack) => json!({ "lack": lack }),
    };
    json!({
        "id": asked.id, "chosen": probe.id, "extensions": asked.namespaces, "chain": asked.chain, "facts": probe.facts,
        "looks": probe.looks, "row": decision.row, "because": row_text(decision.row), "outcome": outcome,
        "archive": probe.archive, "folder": probe.folder, "target": probe.target, "env_yml": asked.env_yml,
    })
}

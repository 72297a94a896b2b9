//! The software bill of materials: CycloneDX 1.6, from the manifest alone, so that equal manifests give equal bytes.

use serde_json::{Value, json};
use vocab::{Digest, Distribution, Manifest, WheelOrigin};

/// With a newline at the end.
pub fn sbom(manifest: &Manifest) -> String {
    let runtime = format!("pydist-{}", manifest.runtime);
    let root = format!("{runtime}/{}", manifest.platform);
    let mut components = vec![interpreter(manifest)];
    components.extend(manifest.distributions.iter().map(component));
    let references: Vec<Value> = components.iter().map(|component| component["bom-ref"].clone()).collect();
    let mut subject = json!({
        "type": "platform",
        "bom-ref": root,
        "name": runtime,
        "version": manifest.base.actual.to_string(),
        "properties": [
            property("pydist:platform", manifest.platform.as_str()),
            property("pydist:build-key", &manifest.build_key.to_string()),
            property("pydist:lock", &manifest.lock.to_string()),
        ],
    });
    if let Some(artifact) = &manifest.artifact {
        subject["hashes"] = json!([sha256(&artifact.sha256)]);
    }
    let bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(manifest),
        "version": 1,
        "metadata": {
            "tools": { "components": [
                { "type": "application", "name": "pydist builder", "version": manifest.tools.builder },
                { "type": "application", "name": "uv", "version": manifest.tools.uv },
            ] },
            "component": subject,
        },
        "components": components,
        "dependencies": [{ "ref": root, "dependsOn": references }],
    });
    let mut text = serde_json::to_string_pretty(&bom).expect("plain data with text keys");
    text.push('\n');
    text
}

/// A UUID (RFC 9562, version 8: of our own making) from what determines the runtime and the artifact.
fn serial_number(manifest: &Manifest) -> String {
    let artifact = manifest.artifact.as_ref().map(|artifact| artifact.sha256.to_string()).unwrap_or_default();
    let digest = Digest::of(format!("{}{artifact}", manifest.build_key));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn interpreter(manifest: &Manifest) -> Value {
    let base = &manifest.base;
    json!({
        "type": "application",
        "bom-ref": "base",
        "name": "cpython",
        "version": base.actual.to_string(),
        "purl": format!("pkg:generic/cpython@{}", base.actual),
        "licenses": [{ "expression": "PSF-2.0" }],
        "properties": [
            property("pydist:source", &base.source),
            property("pydist:origin", &base.origin),
            property("pydist:digest", &base.digest.to_string()),
            property("pydist:requested", &base.requested.to_string()),
        ],
    })
}

fn component(row: &Distribution) -> Value {
    let mut properties = vec![property("pydist:file", &row.file)];
    properties.push(property("pydist:requested", if row.requested { "true" } else { "false" }));
    match &row.origin {
        WheelOrigin::Wheel => properties.push(property("pydist:origin", "wheel")),
        WheelOrigin::Sdist { file, sha256 } => {
            properties.push(property("pydist:origin", "sdist"));
            properties.push(property("pydist:sdist", file));
            properties.push(property("pydist:sdist-sha256", &sha256.to_string()));
        }
        WheelOrigin::Git { repository, commit } => {
            properties.push(property("pydist:origin", "git"));
            properties.push(property("pydist:repository", repository));
            properties.push(property("pydist:commit", commit));
        }
        WheelOrigin::Path { path, .. } => {
            properties.push(property("pydist:origin", "path"));
            properties.push(property("pydist:path", path.as_str()));
        }
        WheelOrigin::Base => properties.push(property("pydist:origin", "base")),
    }
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("{}@{}", row.name, row.version),
        "name": row.name.to_string(),
        "version": row.version,
        "hashes": [sha256(&row.sha256)],
        "purl": purl(row),
        "properties": properties,
    });
    if let Some(licence) = row.licence.as_deref().map(str::trim).filter(|it| !it.is_empty()) {
        component["licenses"] = json!([licence_of(licence)]);
    }
    component
}

/// An expression where the text is one (SPDX), else a licence of this name.
fn licence_of(text: &str) -> Value {
    match spdx::Expression::parse(text) {
        Ok(_) => json!({ "expression": text }),
        Err(_) => json!({ "license": { "name": text } }),
    }
}

/// Source: the purl specification, type `pypi`. Our names are normalised already.
pub fn purl(row: &Distribution) -> String {
    let name_and_version = format!("pkg:pypi/{}@{}", row.name, escaped(&row.version));
    match &row.origin {
        WheelOrigin::Git { repository, commit } => {
            format!("{name_and_version}?vcs_url={}", escaped(&format!("git+{repository}@{commit}")))
        }
        _ => format!("{name_and_version}?file_name={}", escaped(&row.file)),
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn sha256(digest: &Digest) -> Value {
    json!({ "alg": "SHA-256", "content": digest.to_string() })
}

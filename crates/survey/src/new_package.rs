//! The `package.json` of a new version: its own name, description, Python and roots; the rest as its neighbour has it.

use npm_packages::{PackageJson, RepositoryPackages, indentation, root_of};
use serde_json::{Map, Value, json};
use vocab::{PlatformKey, VersionString};

/// Version of a package that has never been published.
pub const FIRST_VERSION: &str = "0.1.0";

/// What a package is made from.
pub struct PackageTemplate<'a> {
    pub version: &'a VersionString,
    pub package: &'a PackageJson,
    /// Its roots and variables are taken over, because its configuration and files are.
    pub whole: bool,
}

/// `@scope/runenv-python-3.13.0-custom`, by the names that are there already.
pub fn name_of(
    version: &VersionString,
    template: Option<&PackageTemplate<'_>>,
    packages: &RepositoryPackages,
) -> String {
    // Names of npm are in lower case.
    let version = version.to_string().to_lowercase();
    if let Some(template) = template
        && let Some(name) = &template.package.name
        && let Some(stem) = name.value.strip_suffix(&template.version.to_string().to_lowercase())
    {
        return format!("{stem}{version}");
    }
    let names = [&packages.catalogue, &packages.root].into_iter().flatten().filter_map(|package| package.name.as_ref());
    let names: Vec<&str> = names.map(|name| name.value.as_str()).collect();
    // `@scope/runenv-python-3` is the catalogue's.
    let beside = names.iter().find_map(|name| name.rsplit_once("python-").map(|(stem, _)| stem));
    let scope = names.iter().find_map(|name| name.split_once('/').map(|(scope, _)| scope));
    match (beside, scope) {
        (Some(stem), _) => format!("{stem}python-{version}"),
        (None, Some(scope)) => format!("{scope}/runenv-python-{version}"),
        (None, None) => format!("runenv-python-{version}"),
    }
}

/// The text of the file.
pub fn package_of(version: &VersionString, name: &str, template: Option<&PackageTemplate<'_>>) -> String {
    let from = template.and_then(|template| serde_json::from_str::<Value>(&template.package.source.text).ok());
    let (mut document, unit) = match (from, template) {
        (Some(Value::Object(members)), Some(template)) => {
            let members = members.into_iter().map(|(key, value)| (key, renamed(value, template, version, name)));
            (Value::Object(members.collect()), indentation(&template.package.source.text))
        }
        _ => (from_nothing(version, name), "  ".to_owned()),
    };
    let id = template.and_then(|it| it.package.environment()).map_or("main", |environment| environment.id.as_str());
    document["name"] = json!(name);
    document["version"] = json!(FIRST_VERSION);
    let variant = version.variant().map(|variant| format!(" ({variant})")).unwrap_or_default();
    document["description"] = json!(format!("Python {} run environment{variant}", version.python()));
    describe(&mut document, version, id, template, name);
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = serde::Serialize::serialize(&document, &mut serializer);
    let text = written.map_or_else(|_| document.to_string(), |()| String::from_utf8_lossy(&bytes).into_owned());
    text + "\n"
}

fn from_nothing(version: &VersionString, name: &str) -> Value {
    json!({
        "name": name,
        "version": FIRST_VERSION,
        "description": "",
        "private": true,
        "files": ["dist/"],
        "scripts": { "build": format!("builder {version}") },
    })
}

/// The run environment alone stays of the entry points, with the version's own Python and roots.
fn describe(
    document: &mut Value,
    version: &VersionString,
    id: &str,
    template: Option<&PackageTemplate<'_>>,
    name: &str,
) {
    let pointer =
        format!("/block-software/entrypoints/{}/environment/artifact", id.replace('~', "~0").replace('/', "~1"));
    let registry =
        name.strip_prefix('@').and_then(|name| name.split_once('/')).map_or("my-registry", |(scope, _)| scope);
    let mut artifact = match document.pointer(&pointer) {
        Some(Value::Object(artifact)) => artifact.clone(),
        _ => {
            let artifact = json!({
                "type": "environment", "runtime": "python", "registry": registry,
                "python-version": "", "roots": {}, "binDir": "bin",
            });
            artifact.as_object().cloned().unwrap_or_default()
        }
    };
    let taken = template.filter(|template| template.whole).map(|template| template.package.platforms());
    let platforms = taken.unwrap_or_else(|| PlatformKey::ALL.to_vec());
    let roots: Map<String, Value> =
        platforms.into_iter().map(|platform| (platform.to_string(), json!(root_of(platform)))).collect();
    artifact.insert("python-version".into(), json!(version.python()));
    artifact.insert("roots".into(), Value::Object(roots));
    if !template.is_some_and(|template| template.whole) {
        artifact.shift_remove("envVars");
    }
    let entry_point = json!({ id: { "environment": { "artifact": artifact } } });
    match document.get_mut("block-software") {
        Some(Value::Object(software)) => {
            software.insert("entrypoints".into(), entry_point);
        }
        _ => document["block-software"] = json!({ "entrypoints": entry_point }),
    }
}

/// What names the neighbour names the new version: its version string, its folder and its package.
fn renamed(value: Value, template: &PackageTemplate<'_>, version: &VersionString, name: &str) -> Value {
    match value {
        Value::String(text) => Value::String(renamed_text(&text, template, version, name)),
        Value::Array(items) => items.into_iter().map(|item| renamed(item, template, version, name)).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, renamed(value, template, version, name)));
            Value::Object(members.collect())
        }
        other => other,
    }
}

fn renamed_text(text: &str, template: &PackageTemplate<'_>, version: &VersionString, name: &str) -> String {
    let former = template.package.name.as_ref().map_or("", |name| name.value.as_str());
    if !former.is_empty() && text == former {
        return name.to_owned();
    }
    let (old, old_folder) = (template.version.to_string(), template.version.folder_name());
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '\'' | '"' | '=' | ':' | '#' | ';' | '&');
    text.split_inclusive(is_end)
        .map(|word| {
            let bare = word.trim_end_matches(is_end);
            let end = &word[bare.len()..];
            if bare == old {
                format!("{version}{end}")
            } else if bare == old_folder {
                format!("{}{end}", version.folder_name())
            } else {
                word.to_owned()
            }
        })
        .collect()
}

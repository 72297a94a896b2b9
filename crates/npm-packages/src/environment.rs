//! The descriptor of a runtime's artifact: `block-software.entrypoints.<id>.environment.artifact`.

use vocab::json::JsonKind;
use vocab::quoted::shown;
use vocab::{PlatformKey, PythonVersion, TextPlace};

use crate::package_reader::{JsonCursor, PackageReader, PlacedValue};

/// A Python run environment, as Platforma's backend resolves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnvironment {
    /// The entry point's key, which is the artifact's id; `main` by convention.
    pub id: String,
    /// Place of the descriptor.
    pub place: TextPlace,
    /// The registry's name, not its address.
    pub registry: PlacedValue<String>,
    /// Without a variant.
    pub python_version: PlacedValue<PythonVersion>,
    /// The folders of the finished runtimes, relative to the package, in the order of [`PlatformKey::ALL`]; never
    /// empty.
    pub roots: Vec<(PlatformKey, PlacedValue<String>)>,
    /// Relative to a root.
    pub bin_dir: PlacedValue<String>,
    /// Each `NAME=VALUE`.
    pub env_vars: Vec<PlacedValue<String>>,
}

/// `None` if something is wrong, or if it is the environment of another language, which is not judged here.
pub(crate) fn read<'d>(reader: &mut PackageReader<'d>, id: &str, at: &JsonCursor<'d>) -> Option<RunEnvironment> {
    if reader.members(at).is_empty() && !matches!(at.node.kind, JsonKind::Object(_)) {
        return None;
    }
    if at.get("runtime").and_then(|runtime| runtime.node.as_str()).is_some_and(|runtime| runtime != "python") {
        return None;
    }
    reader.constant(at, "type", "environment");
    reader.constant(at, "runtime", "python");
    let registry = registry(reader, at);
    let python_version = python_version(reader, at);
    let roots = roots(reader, at);
    let bin_dir = reader.needed_text(at, "binDir", "bin");
    let env_vars = env_vars(reader, at);
    Some(RunEnvironment {
        id: id.to_owned(),
        place: reader.place(at),
        registry: registry?,
        python_version: python_version?,
        roots: roots?,
        bin_dir: bin_dir?,
        env_vars,
    })
}

/// The name, or an object that contains it.
fn registry<'d>(reader: &mut PackageReader<'d>, at: &JsonCursor<'d>) -> Option<PlacedValue<String>> {
    let (parent, key) = match at.get("registry") {
        Some(object) if matches!(object.node.kind, JsonKind::Object(_)) => (object, "name"),
        _ => (at.clone(), "registry"),
    };
    let name = reader.needed_text(&parent, key, "my-registry")?;
    // It becomes part of a variable's name and of addresses.
    if name.value.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        return Some(name);
    }
    let text = format!("{} is not the name of a registry", shown(&name.value));
    reader.fault(name.place, text, "write letters, digits, `-`, `.` and `_` alone; addresses are given elsewhere");
    None
}

fn python_version<'d>(reader: &mut PackageReader<'d>, at: &JsonCursor<'d>) -> Option<PlacedValue<PythonVersion>> {
    let text = reader.needed_text(at, "python-version", "3.12.10")?;
    match text.value.parse() {
        Ok(value) => Some(PlacedValue { value, place: text.place }),
        Err(_) => {
            let said = format!("{} is not a version of Python", shown(&text.value));
            reader.fault(text.place, said, "write three numbers such as `3.12.10`, without a variant");
            None
        }
    }
}

fn roots<'d>(reader: &mut PackageReader<'d>, at: &JsonCursor<'d>) -> Option<Vec<(PlatformKey, PlacedValue<String>)>> {
    const EXAMPLE: &str = "write `\"roots\": { \"linux-x64\": \"./pydist/linux-x64\" }`, with a line for each platform";
    let Some(object) = at.get("roots") else {
        let place = reader.place(at);
        reader.fault(place, "`roots` is missing", EXAMPLE);
        return None;
    };
    let before = reader.faults.len();
    let mut roots = Vec::new();
    for member in reader.members(&object) {
        let place = reader.place_of_key(&object, member);
        match member.key.parse::<PlatformKey>() {
            Ok(platform) => {
                if let Some(root) = reader.needed_text(&object, &member.key, &format!("./pydist/{platform}")) {
                    roots.push((platform, root));
                }
            }
            Err(error) => {
                let hint = format!(
                    "did you mean `{}`? The keys are {}",
                    error.nearest,
                    PlatformKey::ALL.map(PlatformKey::as_str).join(", ")
                );
                reader.fault(place, format!("{} is not a platform key", shown(&member.key)), hint);
            }
        }
    }
    if roots.is_empty() && reader.faults.len() == before {
        let place = reader.place(&object);
        reader.fault(place, "`roots` names no platform", EXAMPLE);
    }
    roots.sort_by_key(|(platform, _)| *platform);
    (!roots.is_empty()).then_some(roots)
}

fn env_vars<'d>(reader: &mut PackageReader<'d>, at: &JsonCursor<'d>) -> Vec<PlacedValue<String>> {
    let Some(list) = at.get("envVars") else { return Vec::new() };
    let variables = reader.texts(&list);
    for variable in &variables {
        if variable.value.split_once('=').is_none_or(|(name, _)| name.trim().is_empty()) {
            let text = format!("{} is not a variable with its value", shown(&variable.value));
            reader.fault(variable.place.clone(), text, "write `NAME=VALUE`");
        }
    }
    variables
}

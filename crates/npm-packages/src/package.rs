//! One `package.json`: its npm metadata, and what it offers to Platforma.

use std::path::Path;

use vocab::json::{JsonDocument, JsonKind};
use vocab::quoted::shown;
use vocab::{PlatformKey, SourceFile, TextPlace};

use crate::environment::{self, RunEnvironment};
use crate::fault::{PackageFault, PackageFaultKind, PackageFaults};
use crate::npm_name::{is_npm_name, is_npm_version};
use crate::package_reader::{JsonCursor, PackageReader, PlacedValue};
use crate::web_page::web_page;
use crate::workspace_list::WorkspaceList;

/// The file's name, in the folder of each package.
pub const PACKAGE_FILE: &str = "package.json";

/// The folder of the package that refers to all versions.
pub const CATALOGUE: &str = "catalogue";

/// One `package.json`. Keys that are not used here are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageJson {
    /// Its name is the file's, relative to the repository.
    pub source: SourceFile,
    pub name: Option<PlacedValue<String>>,
    pub version: Option<PlacedValue<String>>,
    pub description: Option<PlacedValue<String>>,
    /// `scripts.build`.
    pub build_script: Option<PlacedValue<String>>,
    /// `packageManager`: a program and its version.
    pub package_manager: Option<PlacedValue<String>>,
    /// `dependencies`: each name with its place, and the range as it is written.
    pub dependencies: Vec<(PlacedValue<String>, String)>,
    /// Where they are, or would be.
    pub dependencies_place: TextPlace,
    /// `workspaces`, if the package has them.
    pub workspaces: Option<WorkspaceList>,
    /// `block-software.entrypoints`, in the order of the file; `None` if the key is absent.
    pub entry_points: Option<Vec<EntryPoint>>,
    /// Where they are, or would be.
    pub entry_points_place: TextPlace,
}

/// One entry of `block-software.entrypoints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    pub id: PlacedValue<String>,
    pub kind: EntryPointKind,
}

/// What an entry point offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPointKind {
    /// A Python run environment that this package provides.
    Environment(Box<RunEnvironment>),
    /// A file of another package: `<package>/dist/tengo/software/<id>.sw.json`.
    Reference(PlacedValue<String>),
    /// Something other than a run environment of Python.
    Other,
}

/// `@scope/name` of `@scope/name/dist/…`.
pub fn package_of_reference(reference: &str) -> &str {
    let parts = if reference.starts_with('@') { 2 } else { 1 };
    let end = reference.match_indices('/').nth(parts - 1).map_or(reference.len(), |(end, _)| end);
    &reference[..end]
}

impl PackageJson {
    /// A page about it for people, from `homepage` or `repository`.
    pub fn web_page(&self) -> Option<String> {
        web_page(&serde_json::from_str(&self.source.text).ok()?)
    }

    /// Reads `name` below `root`; `None` if there is no such file.
    pub fn read(root: &Path, name: &str) -> Result<Option<Self>, PackageFaults> {
        read_source(root, name)?.map(|source| Self::parse(&source)).transpose()
    }

    /// Parses the text of a `package.json`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(source: &SourceFile) -> Result<Self, PackageFaults> {
        let (document, faults) = JsonDocument::parse(source);
        let mut faults: Vec<PackageFault> = faults.into_iter().map(PackageFault::from).collect();
        let whole = TextPlace { line: 1, column: 1, ..TextPlace::of_file(&source.name) };
        let mut package = Self {
            source: source.clone(),
            name: None,
            version: None,
            description: None,
            build_script: None,
            package_manager: None,
            dependencies: Vec::new(),
            dependencies_place: whole.clone(),
            workspaces: None,
            entry_points: None,
            entry_points_place: whole,
        };
        if let Some(document) = &document {
            let mut reader = PackageReader::new(document);
            package.take(&mut reader);
            faults.append(&mut reader.faults);
        }
        PackageFaults::unless_none(faults, package)
    }

    fn take(&mut self, reader: &mut PackageReader<'_>) {
        let root = reader.root();
        reader.members(&root);
        self.name = reader.text(&root, "name");
        if let Some(name) = self.name.as_ref().filter(|name| !is_npm_name(&name.value)) {
            let text = format!("{} is not a name of an npm package", shown(&name.value));
            reader.fault(name.place.clone(), text, "write `name` or `@scope/name`, in lower case");
        }
        self.version = reader.text(&root, "version");
        if let Some(version) = self.version.as_ref().filter(|version| !is_npm_version(&version.value)) {
            let text = format!("{} is not a version of an npm package", shown(&version.value));
            reader.fault(version.place.clone(), text, "write three numbers such as `0.1.0`");
        }
        self.description = reader.text(&root, "description");
        self.build_script = root.get("scripts").and_then(|scripts| reader.text(&scripts, "build"));
        self.package_manager = reader.text(&root, "packageManager");
        if let Some(at) = root.get("dependencies") {
            self.dependencies_place = reader.place(&at);
            self.dependencies = dependencies(reader, &at);
        }
        self.workspaces = workspaces(reader, &root);
        if let Some(at) = root.path(&["block-software", "entrypoints"]) {
            self.entry_points_place = reader.place(&at);
            let members = reader.members(&at).iter();
            self.entry_points = Some(members.filter_map(|member| entry_point(reader, &at, &member.key)).collect());
        }
        let mut environments = self.environments();
        let (first, second) = (environments.next(), environments.next());
        if let (Some(first), Some(second)) = (first, second) {
            let text = format!("`{}` is a second run environment beside `{}`", second.id, first.id);
            let hint = "a package holds one; move the other into a package of its own";
            let place = second.place.clone();
            drop(environments);
            reader.fault(place, text, hint);
        }
    }

    fn environments(&self) -> impl Iterator<Item = &RunEnvironment> {
        self.entry_points.iter().flatten().filter_map(|entry_point| match &entry_point.kind {
            EntryPointKind::Environment(environment) => Some(environment.as_ref()),
            EntryPointKind::Reference(_) | EntryPointKind::Other => None,
        })
    }

    /// The run environment that the package provides; at most one.
    pub fn environment(&self) -> Option<&RunEnvironment> {
        self.environments().next()
    }

    /// Whether `dependencies` has this name; other kinds of dependency do not count.
    pub fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|(dependency, _)| dependency.value == name)
    }

    /// The platforms of its roots, or all if it describes no run environment.
    pub fn platforms(&self) -> Vec<PlatformKey> {
        match self.environment() {
            Some(environment) => environment.roots.iter().map(|(platform, _)| *platform).collect(),
            None => PlatformKey::ALL.to_vec(),
        }
    }

    /// Where its name is, or would be.
    pub fn name_place(&self) -> TextPlace {
        self.name.as_ref().map_or_else(|| self.place(), |name| name.place.clone())
    }

    /// The beginning of the file.
    pub(crate) fn place(&self) -> TextPlace {
        TextPlace { line: 1, column: 1, ..TextPlace::of_file(&self.source.name) }
    }

    /// What a catalogue writes to refer to the run environment of this package; `None` if it has none, or no name.
    pub fn reference(&self) -> Option<String> {
        let (name, environment) = (self.name.as_ref()?, self.environment()?);
        Some(format!("{}/dist/tengo/software/{}.sw.json", name.value, environment.id))
    }
}

/// `None` if there is no such file.
pub(crate) fn read_source(root: &Path, name: &str) -> Result<Option<SourceFile>, PackageFaults> {
    SourceFile::read(&root.join(name), name).map_err(|fault| PackageFault::from(fault).into())
}

fn dependencies<'d>(reader: &mut PackageReader<'d>, at: &JsonCursor<'d>) -> Vec<(PlacedValue<String>, String)> {
    let members = reader.members(at).iter();
    members
        .filter_map(|member| {
            let place = reader.place_of_key(at, member);
            let range = reader.text(at, &member.key)?;
            Some((PlacedValue { value: member.key.clone(), place }, range.value))
        })
        .collect()
}

/// npm and Yarn accept a list, Yarn also an object that contains one.
fn workspaces<'d>(reader: &mut PackageReader<'d>, root: &JsonCursor<'d>) -> Option<WorkspaceList> {
    let at = root.get("workspaces")?;
    let list = match &at.node.kind {
        JsonKind::Object(_) => at.get("packages")?,
        _ => at,
    };
    let place = reader.place(&list);
    let patterns = reader.texts(&list);
    match WorkspaceList::new("workspaces", place, patterns) {
        Ok(list) => Some(list),
        Err(mut faults) => {
            reader.faults.append(&mut faults);
            None
        }
    }
}

fn entry_point<'d>(reader: &mut PackageReader<'d>, entry_points: &JsonCursor<'d>, id: &str) -> Option<EntryPoint> {
    let member = entry_points.node.member(id)?;
    let at = entry_points.get(id)?;
    let place = reader.place_of_key(entry_points, member);
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    if id.is_empty() || id.starts_with('.') || !id.bytes().all(letter) {
        reader.faults.push(PackageFault::new(
            PackageFaultKind::File,
            place,
            format!("{} is not the name of an entry point, which is part of file names", shown(id)),
            "use letters, digits, `-`, `_`, `+` and `.`, which does not begin it",
        ));
        return None;
    }
    let kind = if at.node.as_str().is_some() {
        EntryPointKind::Reference(reader.text_at(&at)?)
    } else if at.get("reference").is_some() {
        EntryPointKind::Reference(reader.text(&at, "reference")?)
    } else if let Some(artifact) = at.path(&["environment", "artifact"]) {
        match environment::read(reader, id, &artifact) {
            Some(environment) => EntryPointKind::Environment(Box::new(environment)),
            None => EntryPointKind::Other,
        }
    } else if at.get("environment").is_some() {
        let text = "`environment` has no `artifact`";
        reader.faults.push(PackageFault::new(
            PackageFaultKind::File,
            place.clone(),
            text,
            "describe it in `environment.artifact`: type, runtime, registry, python-version, roots, binDir",
        ));
        EntryPointKind::Other
    } else {
        reader.members(&at);
        EntryPointKind::Other
    };
    Some(EntryPoint { id: PlacedValue { value: id.to_owned(), place }, kind })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(document: &Value) -> Vec<String> {
        let source = SourceFile::new("p/package.json", &format!("{document:#}"));
        let faults = PackageJson::parse(&source).unwrap_err();
        faults.iter().map(|fault| format!("{fault} | {}", fault.hint.as_deref().unwrap_or_default())).collect()
    }

    fn with_artifact(artifact: &Value) -> Value {
        json!({ "name": "demo", "block-software": { "entrypoints": { "main": { "environment": { "artifact": artifact } } } } })
    }

    #[test]
    fn platforms_are_those_of_the_roots_in_their_own_order_or_all() {
        let artifact = json!({
            "type": "environment", "runtime": "python", "registry": { "name": "ours" }, "python-version": "3.12.10",
            "roots": { "macosx-aarch64": "./pydist/macosx-aarch64", "linux-x64": "./pydist/linux-x64" },
            "binDir": "bin", "envVars": ["A=b=c"],
        });
        let parse =
            |document: &Value| PackageJson::parse(&SourceFile::new("package.json", &document.to_string())).unwrap();
        let package = parse(&with_artifact(&artifact));
        assert_eq!(package.platforms(), [PlatformKey::LinuxX64, PlatformKey::MacosxAarch64]);
        let environment = package.environment().unwrap();
        assert_eq!((&*environment.registry.value, &*environment.env_vars[0].value), ("ours", "A=b=c"));
        assert_eq!(package.reference().as_deref(), Some("demo/dist/tengo/software/main.sw.json"));
        assert_eq!(parse(&json!({ "name": "demo" })).platforms(), PlatformKey::ALL);
        // The environment of another language is not ours to judge.
        assert_eq!(parse(&with_artifact(&json!({ "runtime": "java" }))).platforms(), PlatformKey::ALL);
    }

    #[test]
    fn the_name_of_an_entry_point_can_be_part_of_a_file_name() {
        for id in ["../../../evil", "a/b", ".hidden", "", "a b"] {
            let faults =
                said(&json!({ "name": "demo", "block-software": { "entrypoints": { id: { "reference": "x" } } } }));
            assert!(faults[0].contains("is not the name of an entry point"), "{id:?}: {faults:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_descriptor_is_said_with_its_place_and_what_to_write() {
        let artifact = json!({
            "type": "asset", "runtime": "python", "registry": "a/b", "python-version": "3.12",
            "roots": { "macos-arm64": "./pydist/x", "linux-x64": "" }, "envVars": ["x"],
        });
        let keys = "The keys are linux-x64, linux-aarch64, macosx-x64, macosx-aarch64, windows-x64";
        let at = "/block-software/entrypoints/main/environment/artifact";
        assert_eq!(
            said(&with_artifact(&artifact)),
            [
                format!(
                    "p/package.json:8:21 {at}/type: `type` is `asset`, not `environment` | write `\"type\": \"environment\"`"
                ),
                format!(
                    "p/package.json:10:25 {at}/registry: `a/b` is not the name of a registry | write letters, digits, `-`, `.` and `_` alone; addresses are given elsewhere"
                ),
                format!(
                    "p/package.json:11:31 {at}/python-version: `3.12` is not a version of Python | write three numbers such as `3.12.10`, without a variant"
                ),
                format!(
                    "p/package.json:13:15 {at}/roots/macos-arm64: `macos-arm64` is not a platform key | did you mean `macosx-aarch64`? {keys}"
                ),
                format!(
                    "p/package.json:14:28 {at}/roots/linux-x64: `linux-x64` is empty | write `\"linux-x64\": \"./pydist/linux-x64\"`"
                ),
                format!("p/package.json:7:23 {at}: `binDir` is missing | write `\"binDir\": \"bin\"`"),
                format!(
                    "p/package.json:17:15 {at}/envVars/0: `x` is not a variable with its value | write `NAME=VALUE`"
                ),
            ]
        );
    }

    #[test]
    fn what_is_no_package_is_refused_with_its_place() {
        let parse = |text: &str| PackageJson::parse(&SourceFile::new("package.json", text)).unwrap_err().to_string();
        assert_eq!(parse(""), "package.json:1:1: the file is empty");
        assert_eq!(parse("[]"), "package.json:1:1: an object is expected, not a list");
        assert_eq!(parse("{\n  \"name\": \"a\",\n}"), "package.json:3:1: not JSON: trailing comma");
        assert_eq!(parse("{ \"name\": \"../x\" }"), "package.json:1:11 /name: `../x` is not a name of an npm package");
        assert_eq!(parse("{ \"name\": 5 }"), "package.json:1:11 /name: a string is expected, not the number 5");
        assert_eq!(
            parse("{ \"version\": \"1\", \"dependencies\": [] }"),
            "package.json:1:14 /version: `1` is not a version of an npm package\n  hint: write three numbers such as `0.1.0`\n\
             package.json:1:35 /dependencies: an object is expected, not a list"
        );
        // Roots: none at all, a list, and none of a known kind.
        for (roots, text) in [
            (json!({}), "`roots` names no platform"),
            (json!([]), "an object is expected, not a list"),
            (Value::Null, "`roots` is missing"),
        ] {
            let rest = json!({ "type": "environment", "runtime": "python", "registry": "r", "python-version": "3.12.10", "binDir": "bin" });
            let mut artifact = rest;
            artifact["roots"] = roots;
            let said = said(&with_artifact(&artifact));
            assert!(said.len() == 1 && said[0].contains(text), "{said:?}");
        }
    }

    #[test]
    fn the_package_of_a_reference_has_its_scope() {
        assert_eq!(package_of_reference("@a/b/dist/tengo/software/main.sw.json"), "@a/b");
        assert_eq!(package_of_reference("b/dist/x"), "b");
        assert_eq!(package_of_reference("b"), "b");
    }
}

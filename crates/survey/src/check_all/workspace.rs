//! Whether folders, workspace and catalogue name the same versions (K5): the `package.json` of the repository, of each
//! version and of `catalogue/`. A repository without these files has nothing to disagree about.

use std::path::{Path, PathBuf};

use config_merger::Repository;
use globset::{Glob, GlobSetBuilder};
use serde_json::Value;
use vocab::{Exit, Fault, VersionString};

use super::Checked;
use crate::descriptor::{
    DESCRIPTOR_FILE, Descriptor, DescriptorError, DescriptorErrorKind, read_document, text_members,
};

const ENTRY_POINTS: &str = "/block-software/entrypoints";

#[derive(Debug, thiserror::Error)]
#[error("`{}`: {text}", path.display())]
struct WorkspaceError {
    path: PathBuf,
    text: String,
    hint: String,
}

impl Fault for WorkspaceError {
    fn code(&self) -> &'static str {
        "E_CATALOGUE"
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

pub(super) fn check(repository: &Repository, checked: &mut Checked) {
    for (place, found) in [("package.json", workspace(repository)), ("catalogue/package.json", catalogue(repository))] {
        match found {
            Ok(errors) => checked.faults.extend(errors.into_iter().map(|error| (place.to_owned(), error.into()))),
            Err(error) => checked.faults.push((place.to_owned(), error.into())),
        }
    }
}

fn document(path: &Path) -> Result<Option<Value>, DescriptorError> {
    read_document(path).map_err(|kind| DescriptorError { path: path.to_owned(), kind })
}

/// Every folder is a member of the workspace, where the repository's `package.json` lists members.
fn workspace(repository: &Repository) -> Result<Vec<WorkspaceError>, DescriptorError> {
    let path = repository.root().join(DESCRIPTOR_FILE);
    let Some(document) = document(&path)? else { return Ok(Vec::new()) };
    let members = document.pointer("/workspaces/packages").or_else(|| document.get("workspaces"));
    let Some(members) = members.and_then(Value::as_array) else { return Ok(Vec::new()) };
    let mut globs = GlobSetBuilder::new();
    for glob in
        members.iter().filter_map(Value::as_str).filter_map(|text| Glob::new(text.trim_start_matches("./")).ok())
    {
        globs.add(glob);
    }
    let globs = globs.build().unwrap_or_default();
    let outside = repository.versions().into_iter().filter(|version| !globs.is_match(version.folder_name()));
    Ok(outside
        .map(|version| WorkspaceError {
            path: path.clone(),
            text: format!("`workspaces` has no `{}`", version.folder_name()),
            hint: "add the folder to `workspaces`".to_owned(),
        })
        .collect())
}

/// Every version is an entry point and a dependency of the catalogue, and nothing else is.
fn catalogue(repository: &Repository) -> Result<Vec<WorkspaceError>, DescriptorError> {
    let path = repository.root().join("catalogue").join(DESCRIPTOR_FILE);
    let Some(document) = document(&path)? else { return Ok(Vec::new()) };
    let failed = |kind: DescriptorErrorKind| DescriptorError { path: path.clone(), kind };
    let entry_points = text_members(&document, ENTRY_POINTS).map_err(failed)?;
    let dependencies = text_members(&document, "/dependencies").map_err(failed)?;
    let mut errors = Vec::new();
    let mut say =
        |text: String, hint: &str| errors.push(WorkspaceError { path: path.clone(), text, hint: hint.to_owned() });
    let versions = repository.versions();
    for version in &versions {
        let name = Descriptor::read(&repository.root().join(version.folder_name()))?.name;
        match (entry_points.get(&version.to_string()), &name) {
            (None, _) => say(format!("`entrypoints` has no {version}"), "add it, with the reference to its package"),
            (Some(reference), Some(name)) if !reference.starts_with(&format!("{name}/")) => {
                say(
                    format!("the entry point {version} refers to `{reference}`, its package is `{name}`"),
                    "correct the reference",
                );
            }
            _ => {}
        }
        if let Some(name) = name.filter(|name| !dependencies.contains_key(name)) {
            say(
                format!("`dependencies` has no `{name}`, the package of {version}"),
                "add it as a workspace dependency",
            );
        }
    }
    let known = |key: &String| key.parse::<VersionString>().is_ok_and(|version| versions.contains(&version));
    for key in entry_points.keys().filter(|key| !known(key)) {
        say(format!("the entry point {key} has no folder `python-{key}`"), "remove it, or bring the folder back");
    }
    Ok(errors)
}

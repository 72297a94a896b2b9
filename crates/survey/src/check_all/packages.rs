//! Whether folders, packages, workspace and catalogue agree (K5). A repository without npm packages has nothing to
//! disagree about.

use std::collections::BTreeMap;
use std::path::Path;

use config_merger::Repository;
use npm_packages::{
    CATALOGUE, EntryPointKind, PACKAGE_FILE, Package, PackageFault, PackageFaultKind, Placed, package_of_reference,
};
use vocab::{Place, VersionString};

use super::Checked;
use crate::repository_packages::RepositoryPackages;

pub(super) fn check(repository: &Repository, checked: &mut Checked) {
    let (packages, unreadable) = RepositoryPackages::read(repository);
    // Each for itself, so that each is seen with its hint.
    let unreadable = unreadable
        .into_iter()
        .flat_map(|(place, faults)| faults.into_vec().into_iter().map(move |fault| (place.clone(), fault.into())));
    checked.faults.extend(unreadable);
    let mut said = Vec::new();
    names(&packages, &mut said);
    workspace(repository.root(), &packages, &mut said);
    for index in packages.indexes() {
        references(index, &packages, &repository.versions(), &mut said);
    }
    for fault in said {
        checked.faults.push((fault.place.file.to_string(), fault.into()));
    }
}

fn say(said: &mut Vec<PackageFault>, place: &Place, text: String, hint: String) {
    said.push(PackageFault::new(PackageFaultKind::Disagreement, place.clone(), text, hint));
}

/// Every version has a package, with a name that no other has and that is not another version's.
fn names(packages: &RepositoryPackages, said: &mut Vec<PackageFault>) {
    for (version, package) in &packages.versions {
        let folder = version.folder_name();
        let Some(package) = package else {
            if packages.are_used() {
                let place = Place::of_file(&format!("{folder}/{PACKAGE_FILE}"));
                let hint = format!("run `builder new {version}`: it writes what is missing and changes nothing else");
                say(said, &place, "the file is missing".to_owned(), hint);
            }
            continue;
        };
        match &package.name {
            None if packages.are_used() => {
                let hint = format!("write `\"name\": \"runenv-python-{version}\"`, with your scope before it");
                say(said, &package.name_place(), "the package has no name".to_owned(), hint);
            }
            None => {}
            Some(name) => {
                if let Some(other) = version_in(&name.value).filter(|_| !is_name_of(&name.value, version)) {
                    let text = format!("`{}` is a name for {other}, the folder is `{folder}`", name.value);
                    let end = name.value.len() - other.len();
                    let hint = format!("write `\"name\": \"{}{}\"`", &name.value[..end], lower(version));
                    say(said, &name.place, text, hint);
                }
            }
        }
    }
    let mut taken: BTreeMap<&str, &Place> = BTreeMap::new();
    for (name, place) in packages.names() {
        if let Some(first) = taken.insert(name, place) {
            let text = format!("`{name}` is the name of `{}` as well", first.file);
            say(said, place, text, "give each package a name of its own".to_owned());
        }
    }
}

/// `3.12.10-atls` of `@scope/runenv-python-3.12.10-atls`.
fn version_in(name: &str) -> Option<&str> {
    let (_, text) = name.rsplit_once("python-")?;
    text.parse::<VersionString>().is_ok().then_some(text)
}

fn lower(version: &VersionString) -> String {
    version.to_string().to_lowercase()
}

/// Whether it names this version, or none. Names of npm are in lower case, variants need not be.
fn is_name_of(name: &str, version: &VersionString) -> bool {
    version_in(name).is_none_or(|text| text == lower(version))
}

/// Every package is a member of each list, and every folder that a list names holds a package.
fn workspace(root: &Path, packages: &RepositoryPackages, said: &mut Vec<PackageFault>) {
    for (_, list) in packages.lists() {
        let versions = packages.versions.iter().map(|(version, _)| version.folder_name());
        let catalogue = packages.catalogue.iter().map(|_| CATALOGUE.to_owned());
        for folder in versions.chain(catalogue).filter(|folder| !list.holds(folder)) {
            let hint = format!("add `{folder}` to it");
            say(said, &list.place, format!("`{}` does not list the folder `{folder}`", list.key), hint);
        }
        for (folder, place) in list.folders().filter(|(folder, _)| *folder != ".") {
            // A version's own lack of a package is reported once, whatever lists it.
            if !root.join(folder).is_dir() {
                let hint = "remove the line, or restore the folder".to_owned();
                say(said, place, format!("there is no folder `{folder}`"), hint);
            }
        }
    }
}

fn npm_version_of(package: &Package) -> Option<&str> {
    package.version.as_ref().map(|version| version.value.as_str())
}

/// A dependency on a package of the repository leads to that package.
fn ranges(dependency: &Placed<String>, range: &str, packages: &RepositoryPackages, said: &mut Vec<PackageFault>) {
    let is_meant = |package: &&Package| package.name.as_ref().is_some_and(|name| name.value == dependency.value);
    let member = packages.versions.iter().filter_map(|(_, package)| package.as_ref()).find(is_meant);
    let (Some(manager), Some(member)) = (packages.manager, member) else { return };
    let version = npm_version_of(member);
    if let Some(objection) = manager.objection(range, version) {
        let text = format!("the dependency does not lead to `{}`: {objection}", member.source.name);
        let hint = format!("write `\"{}\": \"{}\"`", dependency.value, manager.range_of(version));
        say(said, &dependency.place, text, hint);
    }
}

/// Every version is an entry point and a dependency of the package, and nothing else is.
fn references(
    index: &Package,
    packages: &RepositoryPackages,
    versions: &[VersionString],
    said: &mut Vec<PackageFault>,
) {
    let entry_points = index.entry_points.as_deref().unwrap_or_default();
    let mut lacking: Vec<&str> = Vec::new();
    for (version, package) in &packages.versions {
        let Some(package) = package else { continue };
        // What refers to a wrong name is looked at once that is right.
        let Some(name) = package.name.as_ref().filter(|name| is_name_of(&name.value, version)) else { continue };
        let expected = package.reference();
        let reference = expected.clone().unwrap_or_else(|| format!("{}/dist/tengo/software/main.sw.json", name.value));
        let entry_point = entry_points.iter().find(|entry_point| entry_point.id.value == version.to_string());
        match entry_point.map(|entry_point| &entry_point.kind) {
            None => {
                let hint = format!("add `\"{version}\": {{ \"reference\": \"{reference}\" }}`");
                say(said, &index.entry_points_place, format!("`entrypoints` has no {version}"), hint);
            }
            Some(EntryPointKind::Reference(said_now)) => {
                let fits = match &expected {
                    Some(expected) => said_now.value == *expected,
                    None => package_of_reference(&said_now.value) == name.value,
                };
                if !fits {
                    let text = format!(
                        "the entry point {version} refers to `{}`, its package is `{}`",
                        said_now.value, name.value
                    );
                    say(said, &said_now.place, text, format!("write `\"reference\": \"{reference}\"`"));
                }
            }
            Some(EntryPointKind::Environment(_) | EntryPointKind::Other) => {}
        }
        if !index.depends_on(&name.value) {
            lacking.push(&name.value);
            let text = format!("`dependencies` has no `{}`, the package of {version}", name.value);
            let range = packages.range_for(index, npm_version_of(package));
            let hint = format!("add `\"{}\": \"{range}\"`", name.value);
            say(said, &index.dependencies_place, text, hint);
        }
    }
    for entry_point in entry_points {
        let id = &entry_point.id;
        let EntryPointKind::Reference(reference) = &entry_point.kind else { continue };
        if let Ok(version) = id.value.parse::<VersionString>()
            && !versions.contains(&version)
        {
            let text = format!("the entry point {version} has no folder `{}`", version.folder_name());
            say(said, &id.place, text, "remove it, or restore the folder".to_owned());
            continue;
        }
        let package = package_of_reference(&reference.value);
        if !index.depends_on(package) && !lacking.contains(&package) {
            let text = format!("`dependencies` has no `{package}`, to which the entry point {} refers", id.value);
            let hint = format!("add `{package}` to `dependencies`, or remove the entry point");
            say(said, &index.dependencies_place, text, hint);
        }
    }
    for (dependency, range) in &index.dependencies {
        ranges(dependency, range, packages, said);
        let is_ours = packages.names().any(|(name, _)| name == dependency.value);
        if range.starts_with("workspace:") && !is_ours {
            let text = format!("no package of this repository is called `{}`", dependency.value);
            say(said, &dependency.place, text, "correct the name, or remove the dependency".to_owned());
        }
    }
}

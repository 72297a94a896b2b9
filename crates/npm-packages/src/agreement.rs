//! Whether the packages of a repository, its workspace lists and its catalogue agree (K5), and what must not be done
//! before they do. A repository without npm packages has nothing to disagree about.
//!
//! What contradicts something else stops whatever works on it; what is merely not there yet, as while somebody adds a
//! version step by step, stops `builder check` alone.

use std::collections::BTreeMap;
use std::path::Path;

use vocab::{TextPlace, VersionString};

use crate::fault::{PackageFault, PackageFaultKind, PackageFaults};
use crate::package::{CATALOGUE, EntryPointKind, PACKAGE_FILE, PackageJson, package_of_reference};
use crate::package_reader::PlacedValue;
use crate::repository_packages::RepositoryPackages;
use crate::version_package::{PackageOffer, lacks_name};

/// One fault of several files together, and what it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    pub fault: PackageFault,
    pub stops: StoppedWork,
}

/// What must not be done before a disagreement is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoppedWork {
    /// Builds, plans, jobs and releases of every version: nobody can tell which package is meant.
    Everything,
    /// Those of one version.
    Version(VersionString),
    /// `builder check` alone.
    Check,
}

/// What stops single versions, read once for a command that works on several.
#[derive(Debug)]
pub struct Agreement(Vec<Disagreement>);

impl Agreement {
    /// Reads the packages of the repository at `root`. What is wrong with one version's own `package.json` is left to
    /// [`crate::read_version_package`].
    ///
    /// # Errors
    /// Everything that leaves open which package is meant, whatever the version: two packages of one name, a
    /// `package.json` of the root or of the catalogue that cannot be read.
    pub fn read(root: &Path) -> Result<Self, PackageFaults> {
        let (packages, unreadable) = RepositoryPackages::read(root);
        let of_all = |place: &str| place.ends_with(PACKAGE_FILE);
        let unreadable = unreadable.into_iter().filter(|(place, _)| of_all(place));
        let mut faults: Vec<PackageFault> = unreadable.flat_map(|(_, faults)| faults.into_vec()).collect();
        let said = disagreements(root, &packages);
        faults.extend(said.iter().filter(|it| it.stops == StoppedWork::Everything).map(|it| it.fault.clone()));
        PackageFaults::unless_none(faults, Self(said))
    }

    /// # Errors
    /// Everything in which other files contradict the package of this version.
    pub fn require(&self, version: &VersionString) -> Result<(), PackageFaults> {
        let stops = |it: &&Disagreement| matches!(&it.stops, StoppedWork::Version(of) if of == version);
        PackageFaults::unless_none(self.0.iter().filter(stops).map(|it| it.fault.clone()).collect(), ())
    }
}

/// Everything in which the packages of a repository disagree, each once.
pub fn disagreements(root: &Path, packages: &RepositoryPackages) -> Vec<Disagreement> {
    let mut said = FoundDisagreements::default();
    names(packages, &mut said);
    workspace(root, packages, &mut said);
    let folders = VersionString::folders_in(root).unwrap_or_default();
    for index in packages.indexes() {
        references(index, packages, &folders, &mut said);
    }
    said.0
}

#[derive(Default)]
struct FoundDisagreements(Vec<Disagreement>);

impl FoundDisagreements {
    fn say(&mut self, stops: StoppedWork, place: &TextPlace, text: String, hint: String) {
        self.add(stops, PackageFault::new(PackageFaultKind::Disagreement, place.clone(), text, hint));
    }

    fn add(&mut self, stops: StoppedWork, fault: PackageFault) {
        // The root and the catalogue may refer to the same package.
        if !self.0.iter().any(|it| it.fault == fault) {
            self.0.push(Disagreement { fault, stops });
        }
    }
}

/// Every version has a package, with a name that no other has and that is not another version's.
fn names(packages: &RepositoryPackages, said: &mut FoundDisagreements) {
    for (version, package) in &packages.versions {
        let folder = version.folder_name();
        let Some(package) = package else {
            if packages.are_used() {
                let place = TextPlace::of_file(&format!("{folder}/{PACKAGE_FILE}"));
                let hint = format!("run `builder new {version}`: it writes what is missing and changes nothing else");
                said.say(StoppedWork::Check, &place, "the file is missing".to_owned(), hint);
            }
            continue;
        };
        if let Some(fault) = lacks_name(package, version).filter(|_| packages.are_used()) {
            said.add(StoppedWork::Check, fault);
        }
        if let Some(name) = &package.name
            && let Some(other) = version_in(&name.value).filter(|_| !is_name_of(&name.value, version))
        {
            let text = format!("`{}` is a name for {other}, the folder is `{folder}`", name.value);
            let end = name.value.len() - other.len();
            let hint = format!("write `\"name\": \"{}{}\"`", &name.value[..end], lower(version));
            said.say(StoppedWork::Version(version.clone()), &name.place, text, hint);
        }
    }
    let mut taken: BTreeMap<&str, &TextPlace> = BTreeMap::new();
    for (name, place) in packages.names() {
        if let Some(first) = taken.insert(name, place) {
            let text = format!("`{name}` is the name of `{}` as well", first.file);
            said.say(StoppedWork::Everything, place, text, "give each package a name of its own".to_owned());
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
fn workspace(root: &Path, packages: &RepositoryPackages, said: &mut FoundDisagreements) {
    for (_, list) in packages.lists() {
        let versions = packages.versions.iter().map(|(version, _)| version.folder_name());
        let catalogue = packages.catalogue.iter().map(|_| CATALOGUE.to_owned());
        for folder in versions.chain(catalogue).filter(|folder| !list.holds(folder)) {
            let hint = format!("add `{folder}` to it");
            said.say(
                StoppedWork::Check,
                &list.place,
                format!("`{}` does not list the folder `{folder}`", list.key),
                hint,
            );
        }
        for (folder, place) in list.folders().filter(|(folder, _)| *folder != ".") {
            // A version's own lack of a package is reported once, whatever lists it.
            if !root.join(folder).is_dir() {
                let hint = "remove the line, or restore the folder".to_owned();
                said.say(StoppedWork::Check, place, format!("there is no folder `{folder}`"), hint);
            }
        }
    }
}

fn npm_version_of(package: &PackageJson) -> Option<&str> {
    package.version.as_ref().map(|version| version.value.as_str())
}

/// A dependency on a package of the repository leads to that package.
fn ranges(dependency: &PlacedValue<String>, range: &str, packages: &RepositoryPackages, said: &mut FoundDisagreements) {
    let is_meant = |package: &&PackageJson| package.name.as_ref().is_some_and(|name| name.value == dependency.value);
    let member = packages.versions.iter().filter_map(|(_, package)| package.as_ref()).find(is_meant);
    let (Some(manager), Some(member)) = (packages.manager, member) else { return };
    let version = npm_version_of(member);
    if let Some(objection) = manager.objection(range, version) {
        let text = format!("the dependency does not lead to `{}`: {objection}", member.source.name);
        let hint = format!("write `\"{}\": \"{}\"`", dependency.value, manager.range_of(version));
        said.say(StoppedWork::Check, &dependency.place, text, hint);
    }
}

/// Every version is an entry point and a dependency of the package, and nothing else is.
fn references(
    index: &PackageJson,
    packages: &RepositoryPackages,
    folders: &[VersionString],
    said: &mut FoundDisagreements,
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
                said.say(
                    StoppedWork::Check,
                    &index.entry_points_place,
                    format!("`entrypoints` has no {version}"),
                    hint,
                );
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
                    let hint = format!("write `\"reference\": \"{reference}\"`");
                    said.say(StoppedWork::Version(version.clone()), &said_now.place, text, hint);
                }
                // What is referred to is published.
                for fault in PackageOffer::of(package, version).err().into_iter().flat_map(PackageFaults::into_vec) {
                    said.add(StoppedWork::Check, fault);
                }
            }
            Some(EntryPointKind::Environment(_) | EntryPointKind::Other) => {}
        }
        if !index.depends_on(&name.value) {
            lacking.push(&name.value);
            let text = format!("`dependencies` has no `{}`, the package of {version}", name.value);
            let range = packages.range_for(index, npm_version_of(package));
            let hint = format!("add `\"{}\": \"{range}\"`", name.value);
            let is_referred_to = entry_point.is_some_and(|it| matches!(it.kind, EntryPointKind::Reference(_)));
            let stops = if is_referred_to { StoppedWork::Version(version.clone()) } else { StoppedWork::Check };
            said.say(stops, &index.dependencies_place, text, hint);
        }
    }
    for entry_point in entry_points {
        let id = &entry_point.id;
        let EntryPointKind::Reference(reference) = &entry_point.kind else { continue };
        let of_version = id.value.parse::<VersionString>().ok();
        if let Some(version) = of_version.as_ref().filter(|version| !folders.contains(version)) {
            let text = format!("the entry point {version} has no folder `{}`", version.folder_name());
            said.say(StoppedWork::Check, &id.place, text, "remove it, or restore the folder".to_owned());
            continue;
        }
        let package = package_of_reference(&reference.value);
        if !index.depends_on(package) && !lacking.contains(&package) {
            let text = format!("`dependencies` has no `{package}`, to which the entry point {} refers", id.value);
            let hint = format!("add `{package}` to `dependencies`, or remove the entry point");
            said.say(
                of_version.map_or(StoppedWork::Check, StoppedWork::Version),
                &index.dependencies_place,
                text,
                hint,
            );
        }
    }
    for (dependency, range) in &index.dependencies {
        ranges(dependency, range, packages, said);
        let is_ours = packages.names().any(|(name, _)| name == dependency.value);
        if range.starts_with("workspace:") && !is_ours {
            let text = format!("no package of this repository is called `{}`", dependency.value);
            said.say(
                StoppedWork::Check,
                &dependency.place,
                text,
                "correct the name, or remove the dependency".to_owned(),
            );
        }
    }
}

//! All npm packages of a repository at once: the root's, the catalogue's, those of the versions, and the lists of
//! workspace members. A repository may have none of them.

use std::path::Path;

use vocab::{TextPlace, VersionString};

use crate::fault::PackageFaults;
use crate::package::{CATALOGUE, PACKAGE_FILE, PackageJson};
use crate::package_manager::PackageManager;
use crate::pnpm_workspace::{PNPM_WORKSPACE, PnpmWorkspace, read_pnpm_workspace};
use crate::version_package::read_version_package;
use crate::workspace_list::WorkspaceList;

/// The npm packages of a repository, with their places for messages.
pub struct RepositoryPackages {
    pub root: Option<PackageJson>,
    pub catalogue: Option<PackageJson>,
    pub pnpm: Option<PnpmWorkspace>,
    /// `None` without a workspace list.
    pub manager: Option<PackageManager>,
    /// By version, in ascending order; `None` where it has no `package.json`.
    pub versions: Vec<(VersionString, Option<PackageJson>)>,
}

impl RepositoryPackages {
    /// Reads what can be read below `root`, and gives the faults of the rest with the file or folder that has them. A
    /// version whose package cannot be read is left out.
    pub fn read(root: &Path) -> (Self, Vec<(String, PackageFaults)>) {
        let mut faults = Vec::new();
        let mut kept = |place: &str, read: Result<Option<PackageJson>, PackageFaults>| match read {
            Ok(package) => Some(package),
            Err(fault) => {
                faults.push((place.to_owned(), fault));
                None
            }
        };
        let of_root = kept(PACKAGE_FILE, PackageJson::read(root, PACKAGE_FILE)).flatten();
        let name = format!("{CATALOGUE}/{PACKAGE_FILE}");
        let catalogue = kept(&name, PackageJson::read(root, &name)).flatten();
        let mut versions = Vec::new();
        for version in VersionString::folders_in(root).unwrap_or_default() {
            if let Some(package) = kept(&version.folder_name(), read_version_package(root, &version)) {
                versions.push((version, package));
            }
        }
        let pnpm = read_pnpm_workspace(root).unwrap_or_else(|fault| {
            faults.push((PNPM_WORKSPACE.to_owned(), fault));
            None
        });
        let manager = PackageManager::of(root, of_root.as_ref(), pnpm.as_ref());
        (Self { root: of_root, catalogue, pnpm, manager, versions }, faults)
    }

    /// The lists of members, with the file that each stands in.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &WorkspaceList)> {
        let pnpm = self.pnpm.iter().map(|it| (&*it.source.name, &it.list));
        let npm = self.root.iter().filter_map(|root| Some((&*root.source.name, root.workspaces.as_ref()?)));
        pnpm.chain(npm)
    }

    /// The packages that refer to all versions: the catalogue, and the root where it has entry points.
    pub fn indexes(&self) -> impl Iterator<Item = &PackageJson> {
        self.catalogue.iter().chain(self.root.iter().filter(|root| root.entry_points.is_some()))
    }

    /// The range with which `index` depends on a version's package that it does not have yet: that of the others there
    /// where it is not a version, else what the workspace's program needs.
    pub fn range_for(&self, index: &PackageJson, npm_version: Option<&str>) -> String {
        let neighbour = self.neighbour(index).map(|(_, range)| range);
        let imitated = neighbour.filter(|range| {
            let is_general = range.starts_with("workspace:") || *range == "*";
            is_general && self.manager.is_none_or(|manager| manager.objection(range, npm_version).is_none())
        });
        imitated.map(str::to_owned).unwrap_or_else(|| match self.manager {
            Some(manager) => manager.range_of(npm_version),
            None => npm_version.unwrap_or("*").to_owned(),
        })
    }

    /// The last dependency of `index` on a version's package: its name and range.
    pub fn neighbour<'a>(&self, index: &'a PackageJson) -> Option<(&'a str, &'a str)> {
        let is_ours = |name: &str| {
            let mut names = self.versions.iter().filter_map(|(_, package)| package.as_ref()?.name.as_ref());
            names.any(|it| it.value == name)
        };
        let last = index.dependencies.iter().rfind(|(dependency, _)| is_ours(&dependency.value));
        last.map(|(dependency, range)| (dependency.value.as_str(), range.as_str()))
    }

    /// Whether every version is expected to have a package.
    pub fn are_used(&self) -> bool {
        self.lists().next().is_some() || self.indexes().next().is_some()
    }

    /// The names in use, each with its place.
    pub fn names(&self) -> impl Iterator<Item = (&str, &TextPlace)> {
        let versions = self.versions.iter().filter_map(|(_, package)| package.as_ref());
        let all = self.root.iter().chain(&self.catalogue).chain(versions);
        all.filter_map(|package| package.name.as_ref()).map(|name| (name.value.as_str(), &name.place))
    }
}

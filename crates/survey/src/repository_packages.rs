//! All npm packages of a repository at once: the root's, the catalogue's, those of the versions, and the lists of
//! workspace members. A repository may have none of them.

use config_merger::Repository;
use npm_packages::{
    CATALOGUE, PACKAGE_FILE, PNPM_WORKSPACE, Package, PackageFaults, WorkspaceList, read_pnpm_workspace,
    read_version_package,
};
use vocab::{Place, SourceFile, VersionString};

/// The npm packages of a repository, with their places for messages.
pub struct RepositoryPackages {
    pub root: Option<Package>,
    pub catalogue: Option<Package>,
    pub pnpm: Option<(SourceFile, WorkspaceList)>,
    /// By version, in ascending order; `None` where it has no `package.json`.
    pub versions: Vec<(VersionString, Option<Package>)>,
}

impl RepositoryPackages {
    /// Reads what can be read, and gives the faults of the rest. A version whose package cannot be read is left out.
    pub fn read(repository: &Repository) -> (Self, Vec<(String, PackageFaults)>) {
        let mut faults = Vec::new();
        let root = repository.root();
        let mut kept = |place: &str, read: Result<Option<Package>, PackageFaults>| match read {
            Ok(package) => Some(package),
            Err(fault) => {
                faults.push((place.to_owned(), fault));
                None
            }
        };
        let of_root = kept(PACKAGE_FILE, Package::read(root, PACKAGE_FILE)).flatten();
        let name = format!("{CATALOGUE}/{PACKAGE_FILE}");
        let catalogue = kept(&name, Package::read(root, &name)).flatten();
        let mut versions = Vec::new();
        for version in repository.versions() {
            if let Some(package) = kept(&version.folder_name(), read_version_package(root, &version)) {
                versions.push((version, package));
            }
        }
        let pnpm = read_pnpm_workspace(root).unwrap_or_else(|fault| {
            faults.push((PNPM_WORKSPACE.to_owned(), fault));
            None
        });
        (Self { root: of_root, catalogue, pnpm, versions }, faults)
    }

    /// The lists of members, with the file that each stands in.
    pub fn lists(&self) -> impl Iterator<Item = (&str, &WorkspaceList)> {
        let pnpm = self.pnpm.iter().map(|(source, list)| (&*source.name, list));
        let npm = self.root.iter().filter_map(|root| Some((&*root.source.name, root.workspaces.as_ref()?)));
        pnpm.chain(npm)
    }

    /// The packages that refer to all versions: the catalogue, and the root where it has entry points.
    pub fn indexes(&self) -> impl Iterator<Item = &Package> {
        self.catalogue.iter().chain(self.root.iter().filter(|root| root.entry_points.is_some()))
    }

    /// Whether every version is expected to have a package.
    pub fn are_used(&self) -> bool {
        self.lists().next().is_some() || self.indexes().next().is_some()
    }

    /// The names in use, each with its place.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Place)> {
        let versions = self.versions.iter().filter_map(|(_, package)| package.as_ref());
        let all = self.root.iter().chain(&self.catalogue).chain(versions);
        all.filter_map(|package| package.name.as_ref()).map(|name| (name.value.as_str(), &name.place))
    }
}

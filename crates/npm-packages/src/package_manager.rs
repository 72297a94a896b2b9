//! Which program installs a workspace, and which ranges lead it to a member of that workspace.
//!
//! As npm 11, pnpm 9 and pnpm 10 do it: npm refuses `workspace:` and links a member whose version fits the range. pnpm links
//! what `workspace:` names, and asks the registry for anything else unless `linkWorkspacePackages` is set.

use std::path::Path;

use crate::npm_name::is_npm_version;
use crate::package::{PackageJson, read_source};
use crate::pnpm_workspace::PnpmWorkspace;

/// The program that reads the workspace list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageManager {
    Npm,
    Pnpm {
        /// Whether ranges without `workspace:` lead to members, too.
        links_all: bool,
    },
    /// Its versions differ, so no range is objected to.
    Yarn,
}

impl PackageManager {
    /// The one of the repository at `folder`; `None` if it has no workspace list.
    pub fn of(folder: &Path, root: Option<&PackageJson>, pnpm: Option<&PnpmWorkspace>) -> Option<Self> {
        if let Some(pnpm) = pnpm {
            return Some(Self::Pnpm { links_all: pnpm.links_members || is_set_in_npmrc(folder) });
        }
        let root = root.filter(|root| root.workspaces.is_some())?;
        let named = root.package_manager.as_ref().map_or("", |manager| manager.value.as_str());
        let is_yarn = named.starts_with("yarn@") || folder.join("yarn.lock").is_file();
        Some(if is_yarn { Self::Yarn } else { Self::Npm })
    }

    /// What is typed to start it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm { .. } => "pnpm",
            Self::Yarn => "yarn",
        }
    }

    /// The range that leads to a member of this version, and to no other.
    pub fn range_of(self, version: Option<&str>) -> String {
        match self {
            Self::Pnpm { links_all: false } => "workspace:*".to_owned(),
            _ => version.unwrap_or("*").to_owned(),
        }
    }

    /// Why this range does not lead to the member of this version.
    pub fn objection(self, range: &str, version: Option<&str>) -> Option<String> {
        let names_workspace = range.starts_with("workspace:");
        let other = |version: &&str| is_npm_version(range) && range != *version;
        match self {
            Self::Npm if names_workspace => Some(format!("npm does not understand `{range}`")),
            // Another protocol, such as `file:`, is the user's own affair.
            Self::Pnpm { links_all: false } if !range.contains(':') => {
                Some(format!("pnpm looks for `{range}` in the npm registry, not in this repository"))
            }
            Self::Npm | Self::Pnpm { links_all: true } => version
                .filter(other)
                .map(|version| format!("`{range}` is not the version of the package here, {version}")),
            Self::Pnpm { .. } | Self::Yarn => None,
        }
    }
}

fn is_set_in_npmrc(folder: &Path) -> bool {
    let Ok(Some(source)) = read_source(folder, ".npmrc") else { return false };
    let mut settings = source.text.lines().filter_map(|line| line.split_once('='));
    settings.any(|(key, value)| key.trim() == "link-workspace-packages" && matches!(value.trim(), "true" | "deep"))
}

#[cfg(test)]
mod tests {
    use vocab::SourceFile;

    use super::*;
    use crate::pnpm_workspace::read_pnpm_workspace;

    /// What each of them says to a range for a member of version 0.1.0, and what is written for it.
    #[test]
    fn each_manager_gets_a_range_that_leads_to_the_member() {
        use PackageManager::{Npm, Pnpm, Yarn};
        let (strict, linking) = (Pnpm { links_all: false }, Pnpm { links_all: true });
        let table = [
            (Npm, "0.1.0", ["*", "0.1.0", "^0.1.0"].as_slice(), ["workspace:*", "0.2.0"].as_slice()),
            (strict, "workspace:*", &["workspace:*", "workspace:^", "catalog:"], &["*", "0.1.0", "^0.1.0"]),
            (linking, "0.1.0", &["workspace:*", "*", "0.1.0"], &["0.2.0"]),
            (Yarn, "0.1.0", &["workspace:*", "*", "0.2.0"], &[]),
        ];
        for (manager, written, accepted, refused) in table {
            assert_eq!(manager.range_of(Some("0.1.0")), written);
            assert!(accepted.iter().all(|range| manager.objection(range, Some("0.1.0")).is_none()), "{manager:?}");
            assert!(refused.iter().all(|range| manager.objection(range, Some("0.1.0")).is_some()), "{manager:?}");
        }
        assert_eq!(Npm.range_of(None), "*");
    }

    #[test]
    fn the_manager_is_the_one_whose_list_there_is() {
        let place = tempfile::tempdir().unwrap();
        let of = |root: &str| {
            let root = PackageJson::parse(&SourceFile::new("package.json", root)).unwrap();
            PackageManager::of(place.path(), Some(&root), read_pnpm_workspace(place.path()).unwrap().as_ref())
        };
        let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
        let list = r#"{ "workspaces": ["a"] }"#;
        assert_eq!(of("{}"), None);
        assert_eq!(of(list), Some(PackageManager::Npm));
        assert_eq!(of(r#"{ "workspaces": ["a"], "packageManager": "yarn@4.1.0" }"#), Some(PackageManager::Yarn));
        write("yarn.lock", "");
        assert_eq!(of(list), Some(PackageManager::Yarn));
        for (text, links_all) in [
            ("packages: [a]\n", false),
            ("packages: [a]\nlinkWorkspacePackages: false\n", false),
            ("packages: [a]\nlinkWorkspacePackages: true\n", true),
            ("packages: [a]\nlinkWorkspacePackages: deep\n", true),
            ("packages: [a]\nlinkWorkspacePackages: [x]\n", false),
        ] {
            write("pnpm-workspace.yaml", text);
            assert_eq!(of(list), Some(PackageManager::Pnpm { links_all }), "{text}");
        }
        write(".npmrc", "# ours\nlink-workspace-packages = true\n");
        assert_eq!(of(list), Some(PackageManager::Pnpm { links_all: true }));
    }
}

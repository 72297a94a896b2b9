//! The git work tree around a local source, for build back ends that take the version from tags and commits.
//!
//! It reads files and runs no program, because it is used before every build and by commands that need no `git`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use vocab::Digest;

/// What names a tool that asks git for the version, in the files that configure a build.
const TOOLS: [&str; 13] = [
    "= \"scm\"",
    "describe --",
    "dunamai",
    "flit_scm",
    "hatch-vcs",
    "hatch_vcs",
    "pbr",
    "poetry-dynamic-versioning",
    "setuptools-git-versioning",
    "setuptools-scm",
    "setuptools_scm",
    "versioneer",
    "versioningit",
];

/// The folders are absolute if the source's own is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkTree {
    /// The folder with `.git` in it.
    pub top: PathBuf,
    /// The source's folder, relative to `top`; empty for `top` itself.
    pub below: PathBuf,
    /// 40 digits, or 64.
    pub commit: String,
    /// Changes with any tag of the repository.
    pub tags: Digest,
}

impl WorkTree {
    /// `None` if the build of this source does not ask git, or would find nothing.
    pub fn read_by(source: &Path) -> Option<Self> {
        if !asks_git(source) {
            return None;
        }
        let source = fs::canonicalize(source).ok()?;
        let top = source.ancestors().find(|folder| folder.join(".git").exists())?.to_owned();
        let below = source.strip_prefix(&top).ok()?.to_owned();
        let own = git_folder(&top)?;
        // A linked work tree has a HEAD of its own and shares everything else.
        let common = match fs::read_to_string(own.join("commondir")) {
            Ok(text) => own.join(text.trim_end()),
            Err(_) => own.clone(),
        };
        let references = references(&common);
        let head = fs::read_to_string(own.join("HEAD")).ok()?;
        let commit = match head.trim_end().strip_prefix("ref: ") {
            Some(name) => references.get(name)?.clone(),
            None => head.trim_end().to_owned(),
        };
        let tags = references.iter().filter(|(name, _)| name.starts_with("refs/tags/"));
        let tags: String = tags.map(|(name, target)| format!("{target} {name}\n")).collect();
        Some(Self { top, below, commit, tags: Digest::of(tags) })
    }
}

/// The version is not written down, and a tool that asks git for it is named.
fn asks_git(source: &Path) -> bool {
    let read = |name: &str| fs::read_to_string(source.join(name)).unwrap_or_default();
    let project = read("pyproject.toml");
    let parsed: toml::Table = project.parse().unwrap_or_default();
    if parsed.get("project").is_some_and(|project| project.get("version").is_some()) {
        return false;
    }
    let texts = [project, read("setup.py"), read("setup.cfg")];
    TOOLS.iter().any(|tool| texts.iter().any(|text| text.contains(tool)))
}

fn git_folder(top: &Path) -> Option<PathBuf> {
    let place = top.join(".git");
    if place.is_dir() {
        return Some(place);
    }
    // The file `.git` of a submodule or a linked work tree.
    let text = fs::read_to_string(place).ok()?;
    Some(top.join(text.trim_end().strip_prefix("gitdir: ")?))
}

/// Names as `refs/tags/v1`, with what they point at. A loose file takes precedence over a packed line.
fn references(common: &Path) -> BTreeMap<String, String> {
    let packed = fs::read_to_string(common.join("packed-refs")).unwrap_or_default();
    let mut references: BTreeMap<String, String> = packed
        .lines()
        .filter(|line| !line.starts_with(['#', '^']))
        .filter_map(|line| line.split_once(' '))
        .map(|(target, name)| (name.to_owned(), target.to_owned()))
        .collect();
    for entry in walkdir::WalkDir::new(common.join("refs")).into_iter().flatten() {
        if entry.file_type().is_file()
            && let Some(name) = vocab::TreePath::relative(entry.path(), common)
            && let Ok(target) = fs::read_to_string(entry.path())
        {
            references.insert(name.to_string(), target.trim_end().to_owned());
        }
    }
    references
}

#[cfg(test)]
mod tests {
    use testkit::GitRepository;

    use super::*;

    const DYNAMIC: &str =
        "[build-system]\nrequires = ['setuptools-scm']\n[project]\nname = 'demo'\ndynamic = ['version']\n";

    #[test]
    fn case_field_git_tag_unseen_commit_and_tags_are_seen_from_a_folder_below() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("packages/demo");
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("pyproject.toml"), DYNAMIC).unwrap();
        assert_eq!(WorkTree::read_by(&source), None, "there is no repository");

        let repository = GitRepository::commit_all(folder.path());
        let before = WorkTree::read_by(&source).unwrap();
        assert_eq!((&before.commit, before.below.as_path()), (&repository.commit, Path::new("packages/demo")));
        repository.tag("v4.0");
        let after = WorkTree::read_by(&source).unwrap();
        assert_eq!(after.commit, before.commit);
        assert_ne!(after.tags, before.tags);
        repository.pack_references();
        assert_eq!(WorkTree::read_by(&source).unwrap(), after);
    }

    #[test]
    fn a_version_that_is_written_down_has_nothing_to_do_with_git() {
        let folder = tempfile::tempdir().unwrap();
        let written = |text: &str| fs::write(folder.path().join("pyproject.toml"), text).unwrap();
        written("[project]\nname = 'demo'\nversion = '1.0'\nurls = { a = 'https://github.com/x', b = 'versioneer' }\n");
        assert!(!asks_git(folder.path()));
        written("[project]\nname = 'demo'\ndynamic = ['version']\nurls = { a = 'https://github.com/x' }\n");
        assert!(!asks_git(folder.path()));
        fs::write(folder.path().join("setup.py"), "import versioneer").unwrap();
        assert!(asks_git(folder.path()));
    }
}

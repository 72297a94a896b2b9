//! A local git repository with one commit, made by the machine's `git`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository whose commit is the same each time for the same files.
#[derive(Clone, Debug)]
pub struct GitRepository {
    pub path: PathBuf,
    /// 40 digits, the head of the branch `main`.
    pub commit: String,
}

impl GitRepository {
    /// Turns `folder`, with its present content, into a repository.
    pub fn commit_all(folder: &Path) -> Self {
        git(folder, &["init", "--quiet", "--initial-branch=main"]);
        // Hosts of repositories also allow fetching single commits by their digits.
        git(folder, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        git(folder, &["add", "--all"]);
        git(folder, &["commit", "--quiet", "--message=fixture"]);
        Self { path: folder.to_owned(), commit: git(folder, &["rev-parse", "HEAD"]).trim().to_owned() }
    }

    /// A lightweight tag on the commit.
    pub fn tag(&self, name: &str) {
        git(&self.path, &["tag", name]);
    }

    /// Packs the repository, as git itself does from time to time.
    pub fn pack_references(&self) {
        git(&self.path, &["pack-refs", "--all"]);
    }

    /// `git+file:///…`, with `@reference` where one is given.
    pub fn url(&self, reference: Option<&str>) -> String {
        let path = self.path.to_str().expect("test folders are UTF-8").replace('\\', "/");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let reference = reference.map_or(String::new(), |reference| format!("@{reference}"));
        format!("git+file://{slash}{path}{reference}")
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=fixture", "-c", "user.email=fixture@example.invalid", "-c", "commit.gpgsign=false"])
        .args(["-c", "core.autocrlf=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", if cfg!(windows) { "NUL" } else { "/dev/null" })
        .env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_give_an_equal_commit() {
        let commit = || {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a"), "a").unwrap();
            GitRepository::commit_all(folder.path()).commit
        };
        assert_eq!(commit(), commit());
        assert_eq!(commit().len(), 40);
    }
}

//! Git sources: which addresses are allowed, which commit a name means, and the files of a commit. Uses the machine's
//! `git` with the user's own credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use vocab::{Fault, TreePath};

use process::{FinishedProgram, Invocation, ProcessError};
use resolve::work_tree::WorkTree;
use store::Context;

/// A repository whose address has been checked.
#[derive(Clone, Debug)]
pub(super) struct GitSource {
    url: Url,
}

/// Why a git source cannot be used.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot use the git repository `{url}`")]
#[fault(transparent = kind)]
pub struct GitError {
    /// Without credentials.
    pub url: String,
    #[source]
    pub kind: GitErrorKind,
}

/// What is wrong with the address, the name or the repository. `reason` is for people, without credentials.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_GIT", Build)]
pub enum GitErrorKind {
    #[error("it is not a URL: {reason}")]
    #[fault(Usage)]
    BadUrl { reason: String },
    #[error("the scheme `{scheme}` is not allowed; use git+https, git+http, git+ssh or git+file")]
    #[fault(Usage)]
    Scheme { scheme: String },
    #[error("`{reference}` is not the name of a branch, tag or commit")]
    #[fault(Usage)]
    BadReference { reference: String },
    #[error("its folder `{subdirectory}`: {reason}")]
    #[fault(Usage)]
    BadSubdirectory { subdirectory: String, reason: String },
    #[error("it has no branch or tag `{reference}`")]
    NoSuchReference { reference: String },
    #[error("the build is offline, and `{reference}` is not a commit's 40 digits")]
    #[fault(hint("write the commit's 40 digits after `@`"))]
    Offline { reference: String },
    #[error("`git {verb}` failed: {reason}")]
    #[fault(hint("check that `git ls-remote` reaches it from here without asking for a password"))]
    Failed { verb: &'static str, reason: String },
    #[error(transparent)]
    #[fault(transparent)]
    Program(ProcessError),
}

/// The commit (40 digits) that a branch or tag points at now; without `reference`, the default branch.
///
/// # Errors
/// The URL's scheme is not allowed, nothing has that name, git fails, or the build is offline and `reference` is not a
/// commit's 40 digits.
pub fn resolve_commit(context: &Context, url: &str, reference: Option<&str>) -> Result<String, GitError> {
    resolve(context, &GitSource::new(url)?, reference, None)
}

impl GitSource {
    pub(super) fn new(text: &str) -> Result<Self, GitError> {
        let stripped = text.strip_prefix("git+").unwrap_or(text);
        let url = Url::parse(stripped).map_err(|error| GitError {
            url: stripped.to_owned(),
            kind: GitErrorKind::BadUrl { reason: error.to_string() },
        })?;
        let source = Self { url };
        // Others, `ext::` above all, let an address run a program.
        match source.url.scheme() {
            "https" | "http" | "ssh" | "file" => Ok(source),
            scheme => Err(source.error(GitErrorKind::Scheme { scheme: scheme.to_owned() })),
        }
    }

    pub(super) fn subdirectory(&self, text: &str) -> Result<TreePath, GitError> {
        text.parse().map_err(|error: vocab::TreePathError| {
            self.error(GitErrorKind::BadSubdirectory { subdirectory: text.to_owned(), reason: error.reason.to_owned() })
        })
    }

    pub(super) fn checked_commit(&self, text: &str) -> Result<String, GitError> {
        if is_commit(text) {
            return Ok(text.to_ascii_lowercase());
        }
        Err(self.error(GitErrorKind::BadReference { reference: text.to_owned() }))
    }

    fn error(&self, kind: GitErrorKind) -> GitError {
        let mut shown = self.url.clone();
        let _ = shown.set_password(None);
        if shown.scheme() != "ssh" {
            let _ = shown.set_username("");
        }
        // Either may hold a token.
        shown.set_query(None);
        shown.set_fragment(None);
        GitError { url: shown.into(), kind }
    }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// False for names that git would take as an option or an expression.
fn is_plain_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.contains("..")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"~^:?*[\\@{}".contains(&byte))
}

pub(super) fn resolve(
    context: &Context,
    source: &GitSource,
    reference: Option<&str>,
    log: Option<&Path>,
) -> Result<String, GitError> {
    let name = reference.unwrap_or("HEAD");
    if is_commit(name) {
        return source.checked_commit(name);
    }
    if !is_plain_name(name) {
        return Err(source.error(GitErrorKind::BadReference { reference: name.to_owned() }));
    }
    if context.offline && source.url.scheme() != "file" {
        return Err(source.error(GitErrorKind::Offline { reference: name.to_owned() }));
    }
    let arguments = ["ls-remote", "--", source.url.as_str(), name, &format!("{name}^{{}}")];
    let finished = git(context, source, "ls-remote", context.store.root(), &arguments, log, context.timeout)?;
    commit_of(name, &finished.stdout_text())
        .ok_or_else(|| source.error(GitErrorKind::NoSuchReference { reference: name.to_owned() }))
}

/// Finds the commit in the rows that `git ls-remote` prints. Like git, prefers a tag to a branch of the same name; for
/// an annotated tag, takes its commit (`^{}`) and not the tag object.
fn commit_of(name: &str, rows: &str) -> Option<String> {
    let find = |wanted: &str| rows.lines().find_map(|row| row.strip_suffix(wanted)?.strip_suffix('\t'));
    let candidates = [
        format!("refs/tags/{name}^{{}}"),
        format!("refs/tags/{name}"),
        format!("refs/heads/{name}"),
        format!("{name}^{{}}"),
        name.to_owned(),
    ];
    candidates.iter().find_map(|wanted| find(wanted)).filter(|commit| is_commit(commit)).map(str::to_owned)
}

/// Puts the files of `commit`, its submodules and its history, from which some back ends derive the version, into
/// `folder`.
pub(super) fn check_out(
    context: &Context,
    source: &GitSource,
    commit: &str,
    folder: &Path,
    log: &Path,
    timeout: Option<Duration>,
) -> Result<(), GitError> {
    let run = |verb, arguments: &[&str]| git(context, source, verb, folder, arguments, Some(log), timeout).map(drop);
    let url = source.url.as_str();
    // Contents are fetched for the one commit only, where the server can do that.
    run("clone", &["clone", "--quiet", "--no-checkout", "--filter=blob:none", "--", url, "."])?;
    if run("checkout", &["checkout", "--quiet", "--detach", commit]).is_err() {
        // A commit on no branch, of a pull request for instance, has to be asked for by its digits.
        run("fetch", &["fetch", "--quiet", "origin", commit])?;
        run("checkout", &["checkout", "--quiet", "--detach", commit])?;
    }
    run("submodule", &["submodule", "--quiet", "update", "--init", "--recursive"])
}

/// Clones the repository of a work tree with its commit, history and tags into `folder`, with only the source's files.
/// Other committed files count as present, so a copy is as clean as the original.
pub(super) fn copy_work_tree(
    context: &Context,
    tree: &WorkTree,
    folder: &Path,
    log: &Path,
    timeout: Option<Duration>,
) -> Result<(), GitError> {
    // git does not take Windows' long form of a path.
    let top = tree.top.to_string_lossy().trim_start_matches(r"\\?\").to_owned();
    let url = Url::from_file_path(&top).map_err(|()| GitError {
        url: top.clone(),
        kind: GitErrorKind::BadUrl { reason: "it is not a folder".to_owned() },
    })?;
    let source = GitSource { url };
    let run = |verb, arguments: &[&str]| git(context, &source, verb, folder, arguments, Some(log), timeout).map(drop);
    run("clone", &["clone", "--quiet", "--shared", "--no-checkout", "--", &top, "."])?;
    let below = tree.below.to_string_lossy().replace('\\', "/");
    if !below.is_empty() {
        run("sparse-checkout", &["sparse-checkout", "set", "--no-cone", &format!("/{below}/")])?;
    }
    run("checkout", &["checkout", "--quiet", "--detach", &tree.commit])
}

fn git(
    context: &Context,
    source: &GitSource,
    verb: &'static str,
    folder: &Path,
    arguments: &[&str],
    log: Option<&Path>,
    timeout: Option<Duration>,
) -> Result<FinishedProgram, GitError> {
    let mut invocation = Invocation::new("git", folder)
        // Line ends would otherwise depend on the machine.
        .args(["-c", "core.autocrlf=false", "-c", "advice.detachedHead=false"])
        .args(arguments.iter().copied())
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .timeout(timeout);
    // Set by a hook or an editor that runs us, these would point git at another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        if context.environment.path(name).is_some() {
            return Err(source.error(GitErrorKind::Failed { verb, reason: format!("`{name}` is set; unset it") }));
        }
    }
    if context.environment.text("GIT_SSH_COMMAND").is_none() {
        invocation = invocation.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    invocation.log = log.map(PathBuf::from);
    let finished = process::run(context, &invocation).map_err(|error| source.error(GitErrorKind::Program(error)))?;
    if finished.succeeded() {
        return Ok(finished);
    }
    let said = finished.stderr_text();
    let reason = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gave no reason").trim().to_owned();
    Err(source.error(GitErrorKind::Failed { verb, reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_run_no_program_are_allowed() {
        let cases = [
            // (url, accepted)
            ("git+https://example.org/a.git", true),
            ("https://example.org/a.git", true),
            ("git+ssh://git@example.org/a.git", true),
            ("git+file:///srv/a", true),
            ("git+ext::sh -c touch% x", false),
            ("git+ftp://example.org/a", false),
            ("git@example.org:a.git", false),
            ("../a", false),
        ];
        for (url, accepted) in cases {
            assert_eq!(GitSource::new(url).is_ok(), accepted, "for {url}");
        }
    }

    #[test]
    fn names_that_git_would_take_as_something_else_are_refused() {
        let cases = [
            ("main", true),
            ("v1.0", true),
            ("feature/x", true),
            ("--upload-pack=x", false),
            ("a..b", false),
            ("HEAD~1", false),
            ("", false),
        ];
        for (name, accepted) in cases {
            assert_eq!(is_plain_name(name), accepted, "for {name}");
        }
    }

    #[test]
    fn an_annotated_tag_stands_for_its_commit() {
        let (tag, commit, branch) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let rows = format!("{branch}\trefs/heads/v1\n{tag}\trefs/tags/v1\n{commit}\trefs/tags/v1^{{}}\n");
        assert_eq!(commit_of("v1", &rows), Some(commit));
        assert_eq!(commit_of("v2", &rows), None);
        assert_eq!(commit_of("HEAD", &format!("{branch}\tHEAD\n")), Some(branch));
    }

    #[test]
    fn errors_show_no_credentials() {
        let source = GitSource::new("git+https://user:secret@example.org/a.git").unwrap();
        let error = source.error(GitErrorKind::NoSuchReference { reference: "x".into() });
        assert_eq!(error.url, "https://example.org/a.git");
        let source = GitSource::new("git+https://example.org/a.git?token=secret").unwrap();
        let error = source.error(GitErrorKind::NoSuchReference { reference: "x".into() });
        assert_eq!(error.url, "https://example.org/a.git");
    }
}

//! What a shell completes: commands, options, and their values. The shell calls the program itself at each TAB, so
//! versions are those of the repository in the current folder.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter};
use clap_complete::env::{CompleteEnv, Shells};
use vocab::{ArtifactFormat, PlatformKey};

/// The variable with which the shell's script calls the program. Its value is the shell's name.
const VARIABLE: &str = "PYDIST_COMPLETE";

/// The supported shells.
pub(crate) fn shells() -> Vec<&'static str> {
    Shells::builtins().names().collect()
}

/// The script that the shell reads at its start. It expects the program on PATH, under its own name.
pub(crate) fn registration(name: &str, shell: &str) -> String {
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(shell) {
        // Writing to memory cannot fail.
        let _ = shell.write_registration(VARIABLE, name, name, name, &mut script);
    }
    String::from_utf8_lossy(&script).into_owned()
}

/// Answers a shell that asks for completions; `false` if this is an ordinary run.
pub(crate) fn answered(
    command: impl Fn() -> Command,
    words: impl IntoIterator<Item = OsString>,
) -> clap::error::Result<bool> {
    let folder = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| with_values(command())).var(VARIABLE).try_complete(words, folder.as_deref())
}

/// Adds the values of those arguments whose value names identify them.
fn with_values(command: Command) -> Command {
    command.mut_args(with_candidates).mut_subcommands(with_values)
}

fn with_candidates(argument: Arg) -> Arg {
    let named = |name: &str| {
        let names = argument.get_value_names().unwrap_or_default();
        names.iter().any(|value| value.split('|').any(|part| part == name))
    };
    let listed = |values: fn() -> Vec<CompletionCandidate>| ArgValueCandidates::new(values);
    match argument.get_id().as_str() {
        "platform" => argument.add(listed(platforms)),
        "channel" => argument.add(listed(channels)),
        // Other formats, those of CI systems, list their values themselves.
        "format" if named("FORMAT") => argument.add(listed(formats)),
        "version" | "versions" | "from" if named("VERSION") => argument.add(listed(versions)),
        _ if named("FILE") => argument.add(ArgValueCompleter::new(PathCompleter::file())),
        _ if named("DIR") => argument.add(ArgValueCompleter::new(PathCompleter::dir())),
        _ => argument,
    }
}

fn candidates<T: Into<OsString>>(values: impl IntoIterator<Item = T>) -> Vec<CompletionCandidate> {
    values.into_iter().map(|value| CompletionCandidate::new(value.into())).collect()
}

fn platforms() -> Vec<CompletionCandidate> {
    candidates(PlatformKey::ALL.map(PlatformKey::as_str).into_iter().chain(["all"]))
}

fn channels() -> Vec<CompletionCandidate> {
    candidates(["candidate", "stable"])
}

fn formats() -> Vec<CompletionCandidate> {
    candidates(ArtifactFormat::ALL.map(ArtifactFormat::extension))
}

fn versions() -> Vec<CompletionCandidate> {
    let found = std::env::current_dir().ok().and_then(|folder| versions_above(&folder).ok()).unwrap_or_default();
    candidates(found)
}

/// The versions of the repository that contains `folder`, sorted. None outside of a repository.
fn versions_above(folder: &Path) -> io::Result<Vec<String>> {
    let Some(repository) = folder.ancestors().find(|folder| folder.join("shared-config.json").is_file()) else {
        return Ok(Vec::new());
    };
    let folders = std::fs::read_dir(repository)?.filter_map(Result::ok).map(|entry| entry.path());
    let version = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("python-")?.to_owned();
        path.join("config.json").is_file().then_some(name)
    };
    let mut versions: Vec<String> = folders.filter_map(version).collect();
    versions.sort();
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap_complete::engine::complete;

    use super::*;

    /// Versions and subcommands at one place, as `builder` has them.
    fn oven() -> Command {
        let platform = Arg::new("platform").long("platform").value_name("KEY").value_delimiter(',');
        let format = Arg::new("format").long("format").value_name("FORMAT");
        let versions = || Arg::new("versions").value_name("VERSION").num_args(0..);
        Command::new("oven")
            .arg(versions())
            .arg(platform)
            .arg(format)
            .subcommand(Command::new("plan").arg(versions()))
            .subcommand(Command::new("store").subcommand(Command::new("prune")).subcommand(Command::new("info")))
    }

    fn completed(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let last = words.len() - 1;
        let found = complete(&mut with_values(oven()), words, last, None).unwrap();
        found.into_iter().map(|it| it.get_value().to_string_lossy().into_owned()).collect()
    }

    /// case client-zsh-store
    #[test]
    fn subcommands_are_completed_beside_versions() {
        assert_eq!(completed("oven pl"), ["plan"]);
        assert!(completed("oven store ").starts_with(&["prune".to_owned(), "info".to_owned()]));
        assert_eq!(completed("oven --platform linux-"), ["linux-x64", "linux-aarch64"]);
        assert_eq!(completed("oven --format z"), ["zip"]);
    }

    #[test]
    fn versions_are_those_of_the_repository_around() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(versions_above(folder.path()).unwrap(), Vec::<String>::new());
        fs::write(folder.path().join("shared-config.json"), "{}").unwrap();
        for version in ["3.14.6", "3.12.10-slim"] {
            fs::create_dir(folder.path().join(format!("python-{version}"))).unwrap();
            fs::write(folder.path().join(format!("python-{version}/config.json")), "{}").unwrap();
        }
        fs::create_dir(folder.path().join("python-nothing")).unwrap();
        assert_eq!(versions_above(&folder.path().join("python-3.14.6")).unwrap(), ["3.12.10-slim", "3.14.6"]);
    }

    #[test]
    fn every_shell_is_given_a_script_that_asks_the_program() {
        for shell in shells() {
            let script = registration("oven", shell);
            assert!(script.contains(VARIABLE) && script.contains("oven"), "for {shell}: {script}");
        }
    }
}

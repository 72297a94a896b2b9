//! What the commands of a setup.py want: OS packages, distributions by pip, and other programs.

use serde::{Deserialize, Serialize};

use crate::setup_facts::CommandCall;

/// What becomes of programs that are neither package managers of an OS nor pip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandRule {
    /// They run, in the sandbox, where the job is built.
    #[default]
    Translate,
    /// None runs; setup.py sees success.
    Record,
    /// An error.
    Deny,
}

impl CommandRule {
    /// As it is written on the command line, and as `pydist_commands.py` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Translate => "translate",
            Self::Record => "record",
            Self::Deny => "deny",
        }
    }
}

/// The calls, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CommandPlan {
    /// In the order they are asked for, each once.
    pub system_packages: Vec<SystemPackage>,
    pub pip: Vec<PipInstall>,
    /// Neither of the two.
    #[serde(skip)]
    pub others: Vec<CommandCall>,
    /// What cannot be reproduced: the command's words, and why.
    #[serde(skip)]
    pub refused: Vec<(String, String)>,
}

/// A package of an OS's package manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemPackage {
    pub manager: String,
    pub name: String,
}

/// One `pip install`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PipInstall {
    /// PEP 508, paths and URLs.
    pub requirements: Vec<String>,
    /// Requirements files, relative to the source archive's root.
    pub files: Vec<String>,
    pub constraints: Vec<String>,
    #[serde(skip)]
    pub index: Option<String>,
    #[serde(skip)]
    pub extra_indexes: Vec<String>,
    pub find_links: Vec<String>,
    pub no_deps: bool,
    pub no_index: bool,
    pub pre: bool,
}

const MANAGERS: [&str; 12] =
    ["apt", "apt-get", "aptitude", "dpkg", "yum", "dnf", "microdnf", "apk", "brew", "conda", "mamba", "zypper"];
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "zsh"];
/// Options of pip that change nothing here, with a value behind them or not.
const IGNORED_WITH_VALUE: [&str; 8] = [
    "--default-timeout",
    "--timeout",
    "--retries",
    "--cache-dir",
    "--use-feature",
    "--trusted-host",
    "--log",
    "--progress-bar",
];
const IGNORED: [&str; 14] = [
    "-q",
    "-qq",
    "-v",
    "--quiet",
    "--verbose",
    "-U",
    "--upgrade",
    "--user",
    "--no-cache-dir",
    "--break-system-packages",
    "--disable-pip-version-check",
    "--no-input",
    "--no-warn-script-location",
    "--ignore-installed",
];

impl CommandPlan {
    pub fn of(calls: &[CommandCall]) -> Self {
        let mut plan = Self::default();
        for call in calls {
            for words in commands(call) {
                plan.take(call, &words);
            }
        }
        plan
    }

    fn take(&mut self, call: &CommandCall, words: &[String]) {
        let is_prefix =
            |word: &&String| ["sudo", "env"].contains(&word.as_str()) || (word.contains('=') && !word.starts_with('-'));
        let words: Vec<&str> = words.iter().skip_while(is_prefix).map(String::as_str).collect();
        let Some((program, rest)) = words.split_first() else { return };
        let name = program.rsplit('/').next().unwrap_or(program);
        let is_pip = |name: &str| {
            name.strip_prefix("pip").is_some_and(|rest| rest.bytes().all(|it| it == b'.' || it.is_ascii_digit()))
        };
        if MANAGERS.contains(&name) {
            self.system(name, rest);
        } else if is_pip(name) {
            self.pip(&words, rest);
        } else if name.starts_with("python") && rest.starts_with(&["-m", "pip"]) {
            self.pip(&words, &rest[2..]);
        } else {
            self.others.push(call.clone());
        }
    }

    fn system(&mut self, manager: &str, words: &[&str]) {
        let operands: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
        let installs = |word: &str| ["install", "add", "localinstall"].contains(&word);
        let Some(place) = operands.iter().position(|word| installs(word)) else { return };
        for name in &operands[place + 1..] {
            let package = SystemPackage { manager: manager.to_owned(), name: (**name).to_owned() };
            if !self.system_packages.contains(&package) {
                self.system_packages.push(package);
            }
        }
    }

    fn pip(&mut self, whole: &[&str], words: &[&str]) {
        match pip_install(words) {
            Ok(install) => self.pip.push(install),
            Err(reason) => self.refused.push((whole.join(" "), reason)),
        }
    }
}

fn pip_install(words: &[&str]) -> Result<PipInstall, String> {
    let mut install = PipInstall::default();
    let mut words = words.iter().copied();
    match words.find(|word| !word.starts_with('-')) {
        Some("install") => {}
        other => return Err(format!("`pip {}` is not an installation", other.unwrap_or_default())),
    }
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            install.requirements.push(word.to_owned());
            continue;
        }
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value.to_owned())),
            None if !word.starts_with("--") && word.len() > 2 && "rcif".contains(&word[1..2]) => {
                (&word[..2], Some(word[2..].to_owned()))
            }
            None => (word, None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| words.next().map(str::to_owned));
            value.ok_or_else(|| format!("`{option}` has no value"))
        };
        match option {
            "-r" | "--requirement" => install.files.push(value()?),
            "-c" | "--constraint" => install.constraints.push(value()?),
            "-i" | "--index-url" => install.index = Some(value()?),
            "--extra-index-url" => install.extra_indexes.push(value()?),
            "-f" | "--find-links" => install.find_links.push(value()?),
            "--no-deps" => install.no_deps = true,
            "--no-index" => install.no_index = true,
            "--pre" => install.pre = true,
            _ if IGNORED_WITH_VALUE.contains(&option) => drop(value()?),
            _ if IGNORED.contains(&option) => {}
            _ => return Err(format!("the option `{option}` of pip is not understood")),
        }
    }
    Ok(install)
}

/// The commands of a call: a text for a shell is split where that is simple.
fn commands(call: &CommandCall) -> Vec<Vec<String>> {
    let name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let text = match call.argv.as_slice() {
        [text] if call.shell => text,
        [shell, option, text] if SHELLS.contains(&name(shell).as_str()) && option.ends_with('c') => text,
        // One text without a shell is split by nobody on Linux; it is a program's name.
        words => return vec![words.to_vec()],
    };
    let parts = text.split("&&").flat_map(|part| part.split([';', '\n']));
    parts.map(words_of).filter(|words| !words.is_empty()).collect()
}

fn words_of(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match (quote, character) {
            (Some(open), it) if it == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_with(String::new);
            }
            (None, it) if it.is_whitespace() => words.extend(word.take()),
            (_, it) => word.get_or_insert_with(String::new).push(it),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(calls: &[&[&str]]) -> CommandPlan {
        let call = |words: &&[&str]| CommandCall {
            argv: words.iter().map(ToString::to_string).collect(),
            shell: words.len() == 1,
            ..CommandCall::default()
        };
        CommandPlan::of(&calls.iter().map(call).collect::<Vec<_>>())
    }

    #[test]
    fn klio_6_the_seeds_commands_are_understood() {
        let plan = plan(&[
            &["apt-get", "update"],
            &["apt-get", "install", "--assume-yes", "libsndfile1"],
            &["pip3", "install", "--default-timeout=120", "--extra-index-url", "https://x.example", "-r", "job.txt"],
            &["sudo DEBIAN_FRONTEND=noninteractive apt-get update && apt-get install -y 'a' b; ffmpeg -version"],
            &["/bin/sh", "-c", "python3 -m pip install -q 'x>=1' -rmore.txt"],
        ]);
        let names: Vec<_> = plan.system_packages.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["libsndfile1", "a", "b"]);
        assert_eq!(
            (&plan.pip[0].files, &plan.pip[0].extra_indexes),
            (&vec!["job.txt".into()], &vec!["https://x.example".into()])
        );
        assert_eq!((&plan.pip[1].requirements, &plan.pip[1].files), (&vec!["x>=1".into()], &vec!["more.txt".into()]));
        assert_eq!(plan.others.len(), 1);
        assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    }

    #[test]
    fn klio_43_what_pip_shall_do_otherwise_is_refused() {
        let plan = plan(&[
            &["pip", "uninstall", "x"],
            &["pip3.8", "install", "--target", "x", "y"],
            &["pip", "install", "-r"],
        ]);
        let reasons: Vec<_> = plan.refused.iter().map(|(_, reason)| reason.as_str()).collect();
        let expected = [
            "`pip uninstall` is not an installation",
            "the option `--target` of pip is not understood",
            "`-r` has no value",
        ];
        assert_eq!(reasons, expected);
    }
}

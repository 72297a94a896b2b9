//! What describes a command line besides `--help`: completions for shells, and man pages. Both are generated from the
//! command line itself.

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_mangen::Man;

use crate::completion;

const COMPLETIONS: &str = "completions";
const MAN_PAGE: &str = "man-page";

/// Text for standard output.
#[derive(Debug)]
pub(crate) enum OutputPage {
    /// For the shell of this name.
    Completions(String),
    /// In the language of man pages; the name of one of [`man_pages`].
    Manual(String),
    /// The names of all man pages, one on a line.
    Names,
}

/// Adds `completions SHELL`, and `man-page [NAME]` for making releases.
pub(crate) fn with_subcommands(command: Command) -> Command {
    let manual = Command::new(MAN_PAGE)
        .about("Print a man page; the program's own when no other is named")
        .hide(true)
        .arg(Arg::new("page").value_name("NAME"))
        .arg(Arg::new("list").long("list").action(ArgAction::SetTrue).help("Print the names of all pages instead"));
    with_completions(command).subcommand(manual)
}

/// Also what shells see, since they complete it.
pub(crate) fn with_completions(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(PossibleValuesParser::new(completion::shells()));
    let completions = Command::new(COMPLETIONS)
        .about("Print what a shell needs to complete this program's commands and options")
        .after_help(format!("For example, in ~/.bashrc: source <({name} completions bash)"))
        .arg(shell);
    command.subcommand(completions)
}

impl OutputPage {
    /// `None` if the program's own work was requested. `command` is the program's, without the additions made here.
    pub(crate) fn asked_for(matches: &ArgMatches, command: &Command) -> Result<Option<Self>, clap::Error> {
        let Some((subcommand, matches)) = matches.subcommand() else { return Ok(None) };
        if subcommand == COMPLETIONS {
            return Ok(matches.get_one("shell").cloned().map(Self::Completions));
        }
        if subcommand != MAN_PAGE {
            return Ok(None);
        }
        if matches.get_flag("list") {
            return Ok(Some(Self::Names));
        }
        let own = command.get_name().to_owned();
        let wanted = matches.get_one("page").cloned().unwrap_or(own);
        if man_pages(command.clone()).iter().any(|(name, _)| *name == wanted) {
            return Ok(Some(Self::Manual(wanted)));
        }
        let text = format!("there is no man page `{wanted}`; `{} {MAN_PAGE} --list` names them", command.get_name());
        Err(command.clone().error(ErrorKind::InvalidValue, text))
    }

    pub(crate) fn render(&self, command: Command) -> String {
        match self {
            Self::Completions(shell) => completion::registration(command.get_name(), shell),
            Self::Manual(wanted) => {
                let page = man_pages(command).into_iter().find(|(name, _)| name == wanted);
                page.map(|(_, page)| manual(page)).unwrap_or_default()
            }
            Self::Names => man_pages(command).into_iter().map(|(name, _)| name + "\n").collect(),
        }
    }
}

/// Each with its name, `builder-store-prune`; the program's own comes first.
fn man_pages(command: Command) -> Vec<(String, Command)> {
    let mut command = with_completions(command).disable_help_subcommand(true);
    command.build();
    let mut pages = vec![];
    collect(&command, &mut pages);
    pages
}

fn collect(command: &Command, pages: &mut Vec<(String, Command)>) {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    pages.push((name, command.clone()));
    for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        collect(subcommand, pages);
    }
}

fn manual(command: Command) -> String {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = Man::new(command).render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The command that a mistyped word may stand for, with those above it: `store prune`. `None` where nothing is near.
pub fn similar_command(program: &Command, word: &str) -> Option<String> {
    let near = |name: &str| strsim::normalized_damerau_levenshtein(name, word);
    let pages = man_pages(program.clone()).into_iter().skip(1);
    let named = pages.map(|(_, command)| (near(command.get_name()), command));
    let (likeness, command) = named.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    let words = command.get_bin_name().unwrap_or(command.get_name());
    (likeness >= 0.6).then(|| words.trim_start_matches(program.get_name()).trim_start().to_owned())
}

/// What is wrong with the examples that end the help of a program's commands: one has none, or one does not parse. For
/// tests, which expect nothing here.
pub fn faulty_examples<A: crate::CommandLine>() -> Vec<String> {
    let program = A::command().get_name().to_owned();
    // What is added here has its own words, and what only holds commands is not run by itself.
    let pages = man_pages(A::command())
        .into_iter()
        .filter(|(page, command)| !page.ends_with(COMPLETIONS) && !command.is_subcommand_required_set());
    let mut faults = Vec::new();
    for (page, command) in pages {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, examples)) = help.split_once("Examples:\n") else {
            faults.push(format!("`{page}` has no examples: {help}"));
            continue;
        };
        for line in examples.lines() {
            let words = line.split_whitespace();
            if words.clone().next() != Some(&program) {
                faults.push(format!("`{page}`: `{line}` does not begin with `{program}`"));
            } else if let Err(error) = A::try_parse_from(words).and_then(A::checked) {
                faults.push(format!("`{page}`: `{line}`: {error}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oven() -> Command {
        let bake = Command::new("bake").about("Bake bread").arg(Arg::new("degrees").long("degrees").help("How hot"));
        Command::new("oven").version("1.2.3").about("An oven").subcommand(bake)
    }

    #[test]
    fn every_subcommand_has_a_man_page() {
        assert_eq!(OutputPage::Names.render(oven()), "oven\noven-bake\noven-completions\n");
        let own = OutputPage::Manual("oven".into()).render(oven());
        assert!(own.contains(".TH oven 1") && own.contains("oven 1.2.3") && own.contains("oven\\-bake(1)"), "{own}");
        let bake = OutputPage::Manual("oven-bake".into()).render(oven());
        assert!(bake.contains(".TH oven-bake 1") && bake.contains("How hot"), "{bake}");
    }
}

//! How a program shows things, from its options, its environment and its terminal. Pure, except for [`Terminal::here`].

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// How events are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShowMode {
    /// Moving bars on a terminal.
    Bars,
    /// One line for each finished thing, without control characters.
    #[default]
    Plain,
    /// One JSON object per line, on stdout.
    Json,
    /// Warnings and errors only.
    Quiet,
}

/// The values of `--color`. `Auto` uses colour only on a terminal, subject to the variables in [`settings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// The options that every program has.
// The comment above an option is its text in `--help`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Global options")]
pub struct ShowOptions {
    /// Print events and results as JSON lines on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// More output, including that of external programs.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Only warnings and errors.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Colour the output.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// What standard error is connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether it is a terminal.
    pub stderr: bool,
    /// In columns, where known.
    pub width: Option<usize>,
}

impl Terminal {
    /// The standard error of this process.
    pub fn here() -> Self {
        let stderr = std::io::stderr().is_terminal();
        let size = terminal_size::terminal_size_of(std::io::stderr()).filter(|_| stderr);
        Self { stderr, width: size.map(|(width, _)| width.0.into()) }
    }
}

/// How a [`Printer`](crate::Printer) prints; see [`settings`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrinterSettings {
    pub mode: ShowMode,
    /// 1 or more: output of external programs as well.
    pub verbosity: u8,
    /// Whether to use colours on standard error.
    pub color: bool,
    /// Annotations in the form that GitHub Actions reads from a log.
    pub github_actions: bool,
    /// The Markdown file of the job's summary.
    pub summary: Option<PathBuf>,
    /// Tables are wrapped to this many columns; `None` leaves them as wide as they are.
    pub width: Option<usize>,
}

/// Decides how to print. `environment` returns a variable's value, `None` if it is unset.
///
/// Reads `NO_COLOR`, `CLICOLOR_FORCE`, `TERM`, `CI`, `GITHUB_ACTIONS` and `GITHUB_STEP_SUMMARY`. An option beats a
/// variable; `NO_COLOR` beats `CLICOLOR_FORCE`.
pub fn settings(
    environment: &dyn Fn(&str) -> Option<String>,
    terminal: Terminal,
    options: &ShowOptions,
) -> PrinterSettings {
    // Set by others, who may write more than yes: some CI systems write their name.
    let is_on = |name: &str| environment(name).is_some_and(|value| vocab::yes_or_no(&value) != Some(false));
    let dumb = environment("TERM").is_some_and(|value| value == "dumb");
    let capable = terminal.stderr && !dumb;
    let mode = match options {
        ShowOptions { json: true, .. } => ShowMode::Json,
        ShowOptions { quiet: true, .. } => ShowMode::Quiet,
        _ if capable && !is_on("CI") => ShowMode::Bars,
        _ => ShowMode::Plain,
    };
    // https://no-color.org: any value except the empty one.
    let no_color = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match options.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => !no_color && (is_on("CLICOLOR_FORCE") || (capable && !is_on("CI"))),
    };
    let github_actions = is_on("GITHUB_ACTIONS");
    let summary = environment("GITHUB_STEP_SUMMARY").filter(|path| github_actions && !path.is_empty());
    PrinterSettings {
        mode,
        verbosity: options.verbose,
        color,
        github_actions,
        summary: summary.map(PathBuf::from),
        width: terminal.width.filter(|_| capable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_colours_need_a_terminal_that_wants_them() {
        let cases = [
            // (variables, terminal, mode, colour)
            (&[][..], true, ShowMode::Bars, true),
            (&[], false, ShowMode::Plain, false),
            (&[("TERM", "dumb")], true, ShowMode::Plain, false),
            (&[("CI", "true")], true, ShowMode::Plain, false),
            (&[("CI", "false")], true, ShowMode::Bars, true),
            (&[("NO_COLOR", "1")], true, ShowMode::Bars, false),
            (&[("NO_COLOR", "")], true, ShowMode::Bars, true),
            (&[("CLICOLOR_FORCE", "1")], false, ShowMode::Plain, true),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, ShowMode::Plain, false),
        ];
        for (variables, stderr, mode, color) in cases {
            let environment = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value): &(&str, &str)| (*value).to_owned())
            };
            let chosen = settings(&environment, Terminal { stderr, width: Some(80) }, &ShowOptions::default());
            assert_eq!((chosen.mode, chosen.color), (mode, color), "for {variables:?}, terminal: {stderr}");
        }
    }

    #[test]
    fn options_beat_the_environment() {
        let environment = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
        let terminal = Terminal { stderr: true, width: None };
        let options = ShowOptions { color: ColorChoice::Always, json: true, quiet: true, ..ShowOptions::default() };
        let chosen = settings(&environment, terminal, &options);
        assert_eq!((chosen.mode, chosen.color), (ShowMode::Json, true));
    }

    #[test]
    fn the_job_summary_is_githubs_alone() {
        let both = |name: &str| match name {
            "GITHUB_ACTIONS" => Some("true".to_owned()),
            "GITHUB_STEP_SUMMARY" => Some("/tmp/summary".to_owned()),
            _ => None,
        };
        let path_only = |name: &str| both(name).filter(|_| name != "GITHUB_ACTIONS");
        assert!(settings(&both, Terminal::default(), &ShowOptions::default()).summary.is_some());
        assert!(settings(&path_only, Terminal::default(), &ShowOptions::default()).summary.is_none());
    }
}

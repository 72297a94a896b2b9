//! The frame of every program: arguments and environment in, events and results out, an exit code. The program's own
//! work is passed in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vocab::{Event, Exit, Fault};

use crate::command_pages::{self, OutputPage};
use crate::completion;
use crate::{CommandLine, Printer, ProgramBuild, ShowOptions, Terminal, finish, settings};

/// The surroundings of a running program.
pub struct Process {
    /// The environment as it was at the start; nothing reads it again.
    pub variables: BTreeMap<OsString, OsString>,
    /// Where all output of the program goes.
    pub printer: Arc<Printer>,
    /// Set when the user asks to stop.
    pub cancelled: Arc<AtomicBool>,
    /// Whether a person is at standard input and can be asked.
    pub interactive: bool,
    /// Interrupts are for another program.
    interrupts_left: Arc<AtomicBool>,
}

impl Process {
    /// A variable's value; `None` if it is unset or not Unicode.
    pub fn variable(&self, name: &str) -> Option<String> {
        text_of(&self.variables, name)
    }

    /// From now on interrupts neither end this process nor cancel its work: a program that it started, which receives
    /// them as well, decides what they mean.
    pub fn leave_interrupts(&self) {
        self.interrupts_left.store(true, Ordering::Relaxed);
    }

    /// Ends this process with the exit code of a program that it stood in for. Windows has codes of 32 bits, of which an
    /// `Exit` has only our own.
    pub fn end_as(&self, code: i32) -> ! {
        self.printer.close();
        std::process::exit(code)
    }
}

fn text_of(variables: &BTreeMap<OsString, OsString>, name: &str) -> Option<String> {
    variables.get(OsStr::new(name))?.to_str().map(str::to_owned)
}

/// Parses the arguments, does the work, and prints any error. The whole `main` of a program.
pub fn run<A: CommandLine>(
    build: &ProgramBuild,
    work: impl FnOnce(&A, &Process) -> Result<Exit, Box<dyn Fault>>,
) -> ExitCode {
    match completion::answered(|| command_pages::with_completions(A::command()), std::env::args_os()) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(message) => {
            let _ = message.print();
            return ExitCode::from(Exit::Usage.code());
        }
    }
    let asked = match read::<A>(build, std::env::args_os()) {
        Ok(asked) => asked,
        Err(message) => {
            let exit = if message.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is not a reason to fail.
            let _ = message.print();
            return ExitCode::from(exit.code());
        }
    };
    match asked {
        AskedFor::Work(arguments) => {
            let process = surroundings(arguments.show());
            let result = work(&arguments, &process);
            // Work that finished before it noticed the interrupt is done.
            let is_cut = !matches!(result, Ok(Exit::Done)) && process.cancelled.load(Ordering::Relaxed);
            let code = finish(&process.printer, result);
            if is_cut { ExitCode::from(Exit::Interrupted.code()) } else { code }
        }
        AskedFor::Page(page) => {
            Printer::new(crate::PrinterSettings::default()).data(&page.render(A::command()));
            ExitCode::SUCCESS
        }
    }
}

enum AskedFor<A> {
    Work(A),
    Page(OutputPage),
}

fn read<A: CommandLine>(
    build: &ProgramBuild,
    words: impl IntoIterator<Item = OsString>,
) -> Result<AskedFor<A>, clap::Error> {
    // clap needs it for the life of the process, and this runs once.
    let version: &'static str = build.to_string().leak();
    let command = command_pages::with_subcommands(A::command()).version(version);
    let matches = command.try_get_matches_from(words).map_err(A::explained)?;
    if let Some(page) = OutputPage::asked_for(&matches, &A::command())? {
        return Ok(AskedFor::Page(page));
    }
    let arguments = A::from_arg_matches(&matches).map_err(|error| error.format(&mut A::command()))?;
    arguments.checked().map(AskedFor::Work)
}

fn surroundings(options: &ShowOptions) -> Process {
    let variables: BTreeMap<_, _> = std::env::vars_os().collect();
    let variable = |name: &str| text_of(&variables, name);
    let terminal = Terminal {
        stderr: std::io::stderr().is_terminal(),
        width: variable("COLUMNS").and_then(|columns| columns.parse().ok()),
    };
    let printer = Arc::new(Printer::new(settings(&variable, terminal, options)));
    let interrupts_left = Arc::new(AtomicBool::new(false));
    let cancelled = watch_for_interrupts(&printer, &interrupts_left);
    Process { variables, printer, cancelled, interactive: std::io::stdin().is_terminal(), interrupts_left }
}

/// The first interrupt lets running work end cleanly, the second ends the process at once. What remains then has
/// temporary names: everything is written under another name first.
fn watch_for_interrupts(printer: &Printer, left: &Arc<AtomicBool>) -> Arc<AtomicBool> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let (flag, left) = (Arc::clone(&cancelled), Arc::clone(left));
    #[expect(clippy::exit, reason = "work that does not look at the flag can be ended in no other way")]
    let handler = ctrlc::set_handler(move || {
        if left.load(Ordering::Relaxed) {
            return;
        }
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    });
    if let Err(error) = handler {
        printer.tell(Event::Note { text: format!("interrupts are not caught: {error}") });
    }
    cancelled
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::*;

    /// Bakes bread.
    #[derive(Debug, Parser)]
    #[command(name = "oven", version, subcommand_negates_reqs = true)]
    struct Oven {
        /// How hot.
        #[arg(long)]
        degrees: u16,
        #[command(flatten)]
        show: ShowOptions,
    }

    impl CommandLine for Oven {
        fn show(&self) -> &ShowOptions {
            &self.show
        }

        fn checked(self) -> Result<Self, clap::Error> {
            if self.degrees > 300 {
                return Err(Self::command().error(ErrorKind::ValueValidation, "too hot"));
            }
            Ok(self)
        }
    }

    const BUILD: ProgramBuild =
        ProgramBuild { version: "1.2.3", commit: "674cb7e", target: "x86_64-unknown-linux-gnu" };

    fn oven(line: &str) -> Result<AskedFor<Oven>, clap::Error> {
        read(&BUILD, line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_version_names_the_build() {
        for option in ["--version", "-V"] {
            let message = oven(&format!("oven {option}")).err().unwrap();
            assert!(!message.use_stderr());
            assert_eq!(message.to_string(), "oven 1.2.3 (674cb7e, x86_64-unknown-linux-gnu)\n");
        }
    }

    #[test]
    fn arguments_are_read_and_checked() {
        let Ok(AskedFor::Work(asked)) = oven("oven --degrees 220 -vv --color never") else { panic!("not read") };
        assert_eq!((asked.degrees, asked.show.verbose, asked.show.color), (220, 2, crate::ColorChoice::Never));
        let kind = |line: &str| oven(line).err().map(|error| error.kind());
        assert_eq!(kind("oven --degrees 301"), Some(ErrorKind::ValueValidation));
        assert_eq!(kind("oven"), Some(ErrorKind::MissingRequiredArgument));
        assert_eq!(kind("oven --degrees 220 -v -q"), Some(ErrorKind::ArgumentConflict));
    }

    #[test]
    fn completions_and_man_pages_need_no_other_argument() {
        for line in ["oven completions zsh", "oven man-page", "oven man-page --list", "oven man-page oven"] {
            assert!(matches!(oven(line), Ok(AskedFor::Page(_))), "for {line}");
        }
        for line in ["oven completions nosuch", "oven completions", "oven man-page nosuch"] {
            assert!(oven(line).is_err_and(|message| message.use_stderr()), "for {line}");
        }
    }
}

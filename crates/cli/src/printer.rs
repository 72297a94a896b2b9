//! The only writer: listens to events, and prints data, tables and errors.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::AutoStream;
use indicatif::ProgressDrawTarget;
use serde::Serialize;
use serde_json::json;
use vocab::{Event, Exit, Fault, PlatformEvent};

use crate::bars::Bars;
use crate::fault_text::{causes, fault_json, render_fault};
use crate::github;
use crate::lines::Lines;
use crate::outlet;
use crate::{PrinterSettings, ShowMode};

/// Shared by all threads of a command; output of two threads never mixes within a line.
pub struct Printer {
    settings: PrinterSettings,
    state: Mutex<PrinterState>,
}

struct PrinterState {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    /// Why data could not be written, but for a reader who stopped reading.
    unwritten: Option<io::Error>,
    lines: Lines,
    bars: Option<Bars>,
}

impl Printer {
    /// Writes to the process's own stdout and stderr.
    pub fn new(settings: PrinterSettings) -> Self {
        let choice = if settings.color { anstream::ColorChoice::Always } else { anstream::ColorChoice::Never };
        let stderr = AutoStream::new(io::stderr(), choice);
        let mut printer = Self::with_output(settings, io::stdout(), stderr);
        if printer.settings.mode == ShowMode::Bars {
            printer.state.get_mut().unwrap_or_else(PoisonError::into_inner).bars =
                Some(Bars::new(ProgressDrawTarget::stderr()));
        }
        printer
    }

    /// Writes to other outputs, without bars.
    pub fn with_output(
        settings: PrinterSettings,
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
    ) -> Self {
        let lines = Lines::new(settings.color, settings.verbosity);
        let state =
            PrinterState { stdout: Box::new(stdout), stderr: Box::new(stderr), unwritten: None, lines, bars: None };
        Self { settings, state: Mutex::new(state) }
    }

    /// As given; also what tables and colours of a command's own output must follow.
    pub fn settings(&self) -> &PrinterSettings {
        &self.settings
    }

    /// The listener for events, see [`Work`](vocab::Work).
    #[expect(clippy::needless_pass_by_value, reason = "a listener owns what it is told")]
    pub fn tell(&self, event: Event) {
        let mut state = self.state();
        if let Some(bars) = &mut state.bars {
            bars.show(&event);
        }
        match self.settings.mode {
            ShowMode::Json => {
                let line = serde_json::to_string(&event).unwrap_or_default();
                state.data(&outlet::json(&line));
            }
            ShowMode::Quiet => {
                if let Some(text) = state.lines.warning(&event) {
                    state.say(&self.uncommanded(text));
                }
            }
            ShowMode::Bars | ShowMode::Plain => {
                if let Some(text) = state.lines.of(&event) {
                    state.say(&self.uncommanded(text));
                }
            }
        }
        let plain = if let Event::Of(PlatformEvent { event, .. }) = &event { event } else { &event };
        if self.settings.github_actions
            && let Event::Warning { code, text, place, hint } = plain
        {
            let hint = hint.as_ref().map_or(String::new(), |hint| format!("\nhint: {hint}"));
            // A distribution or platform is not a place in a file; then it is part of the text.
            let place_text = place.as_ref().map_or(String::new(), |place| format!("{place}: "));
            state.say(&github::annotation("warning", code, &format!("{place_text}{text}{hint}"), place.as_deref()));
        }
    }

    /// The result that the command was run for, on stdout; `outlet` says what no text can do there. Adds a missing line
    /// break at the end.
    pub fn data(&self, text: &str) {
        self.state().data(&outlet::data(text, self.settings.mode, self.settings.github_actions));
    }

    /// A JSON document, on stdout. Hidden characters in it are escaped, so its meaning stays.
    pub fn document(&self, json: &str) {
        self.state().data(&outlet::json(json));
    }

    /// The same as one line of JSON: `{"event": kind, …}` with the fields of `value`, or with `value` itself as
    /// `"value"` if it is not an object.
    pub fn json(&self, kind: &str, value: &impl Serialize) {
        let mut line = json!({ "event": kind });
        match serde_json::to_value(value) {
            Ok(serde_json::Value::Object(fields)) => {
                if let Some(object) = line.as_object_mut() {
                    object.extend(fields);
                }
            }
            Ok(other) => line["value"] = other,
            Err(error) => line["value"] = json!(error.to_string()),
        }
        self.state().data(&outlet::json(&line.to_string()));
    }

    /// Text for people, on stderr: a table, a closing line. Suppressed by `--quiet` and `--json`.
    pub fn say(&self, text: &str) {
        if matches!(self.settings.mode, ShowMode::Bars | ShowMode::Plain) {
            self.state().say(&outlet::text(text.trim_end_matches('\n'), self.settings.github_actions));
        }
    }

    /// Adds Markdown to the job's summary, if there is one.
    pub fn summarize(&self, markdown: &str) {
        let Some(path) = &self.settings.summary else { return };
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(format!("{}\n\n", markdown.trim_end()).as_bytes()));
        if let Err(error) = written {
            self.tell(Event::Warning {
                code: "W_JOB_SUMMARY",
                text: format!("the job summary cannot be written: {error}"),
                place: Some(path.display().to_string()),
                hint: None,
            });
        }
    }

    /// Prints an error in the current mode, and as an annotation in a GitHub job. The bars are removed first.
    pub fn fault(&self, fault: &dyn Fault) {
        let mut state = self.state();
        if let Some(bars) = &mut state.bars {
            bars.clear();
        }
        if self.settings.mode == ShowMode::Json {
            state.data(&outlet::json(&fault_json(fault).to_string()));
        } else {
            drop(state);
            self.say_fault(fault);
            state = self.state();
        }
        if self.settings.github_actions {
            let message = fault.to_string();
            let text = std::iter::once(message.clone()).chain(causes(fault)).collect::<Vec<_>>().join("\n");
            // In faults about a file, the place (`config.json:3:7`) begins the message.
            let place = message.split(": ").next().map(|start| start.trim_end_matches(':'));
            state.say(&github::annotation("error", fault.code(), &text, place));
        }
    }

    /// As text on stderr in every mode.
    fn say_fault(&self, fault: &dyn Fault) {
        self.state().say(&self.uncommanded(render_fault(fault, &self.settings)));
    }

    fn unwritten(&self) -> Option<io::Error> {
        self.state().unwritten.take()
    }

    /// Removes the bars for good; later events are printed as lines.
    pub fn close(&self) {
        if let Some(mut bars) = self.state().bars.take() {
            bars.clear();
        }
    }

    /// For text that is printable already and may have colours.
    fn uncommanded(&self, text: String) -> String {
        if self.settings.github_actions { outlet::without_commands(&text) } else { text }
    }

    fn state(&self) -> MutexGuard<'_, PrinterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PrinterState {
    /// Adds a missing line break at the end. Output that nobody reads (a closed pipe) is dropped: the work itself
    /// continues. So it does where output cannot be written, but the program does not end well then.
    fn data(&mut self, text: &str) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let text = format!("{text}{end}");
        let stdout = &mut self.stdout;
        let mut written = Ok(());
        let mut write = || written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        match &self.bars {
            Some(bars) => bars.aside(&mut write),
            None => write(),
        }
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.unwritten.get_or_insert(error);
        }
    }

    fn say(&mut self, text: &str) {
        let stderr = &mut self.stderr;
        let mut write = || drop(stderr.write_all(format!("{text}\n").as_bytes()).and_then(|()| stderr.flush()));
        match &self.bars {
            Some(bars) => bars.aside(&mut write),
            None => write(),
        }
    }
}

#[derive(Debug, thiserror::Error, Fault)]
#[error("standard output cannot be written: {source}")]
#[fault("E_OUTPUT", Build, hint("what the command did is done; what it printed is not complete"))]
struct OutputError {
    source: io::Error,
}

/// Prints the error, if any, and returns the process's exit code (see [`Exit`]).
pub fn finish(printer: &Printer, result: Result<Exit, Box<dyn Fault>>) -> ExitCode {
    let mut exit = match result {
        Ok(exit) => exit,
        Err(fault) => {
            printer.fault(fault.as_ref());
            fault.exit()
        }
    };
    if let Some(source) = printer.unwritten() {
        let fault = OutputError { source };
        // On stdout it could not be read.
        printer.say_fault(&fault);
        if exit == Exit::Done {
            exit = fault.exit();
        }
    }
    printer.close();
    ExitCode::from(exit.code())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vocab::TransferId;

    use super::*;
    use crate::fault_text::tests::{Inner, Middle, Outer};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// A short build that goes wrong. Gives stdout and stderr.
    fn story(settings: PrinterSettings) -> (String, String) {
        let (stdout, stderr) = (Paper::default(), Paper::default());
        let printer = Printer::with_output(settings, stdout.clone(), stderr.clone());
        let id = TransferId(1);
        for event in [
            Event::Begun { title: "3.12.10 for linux-x64".into() },
            Event::StepStarted { step: "fetch" },
            Event::TransferStarted { id, name: "numpy.whl".into(), total: Some(3_000_000), already: 0 },
            Event::TransferAdvanced { id, bytes: 3_000_000 },
            Event::Retry { what: "pandas.whl".into(), attempt: 2, of: 5, reason: "the connection broke".into() },
            Event::TransferFinished { id },
            Event::Progress { step: "fetch", done: 1, total: 1 },
            Event::StepFinished { step: "fetch", elapsed_ms: 1500 },
            Event::Note { text: "an earlier build is replaced".into() },
            Event::Warning {
                code: "W_UNUSED",
                text: "the override matches nothing".into(),
                place: Some("shared-config.json:3:7".into()),
                hint: Some("remove it".into()),
            },
            Event::Output { program: "demo".into(), line: "\u{1b}[1mcompiling\u{1b}[0m".into() },
        ] {
            printer.tell(event);
        }
        printer.say("package  version\nnumpy    2.2.6\n");
        printer.data("/repo/python-3.12.10/pydist/linux-x64");
        let code = finish(&printer, Err(Outer(Middle(Inner)).into()));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(1)));
        (stdout.text(), stderr.text())
    }

    #[test]
    fn plain_lines_say_each_thing_once_without_control_characters() {
        let (stdout, stderr) = story(PrinterSettings { verbosity: 1, ..PrinterSettings::default() });
        assert_eq!(stdout, "/repo/python-3.12.10/pydist/linux-x64\n");
        assert!(!stderr.chars().any(|character| character.is_control() && character != '\n'));
        insta::assert_snapshot!(stderr);
    }

    #[test]
    fn json_is_one_object_a_line_on_stdout_and_nothing_else() {
        let (stdout, stderr) = story(PrinterSettings { mode: ShowMode::Json, ..PrinterSettings::default() });
        assert_eq!(stderr, "");
        let objects: Vec<&str> = stdout.lines().filter(|line| line.starts_with('{')).collect();
        assert!(objects.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        insta::assert_snapshot!(stdout);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_a_reader_who_stopped_is_none() {
        struct Broken(io::ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let ended = |kind, result| {
            let stderr = Paper::default();
            let printer = Printer::with_output(PrinterSettings::default(), Broken(kind), stderr.clone());
            printer.data("a result");
            let code = finish(&printer, result);
            (format!("{code:?}"), stderr.text())
        };
        let code = |exit: Exit| format!("{:?}", ExitCode::from(exit.code()));
        let (full, said) = ended(io::ErrorKind::StorageFull, Ok(Exit::Done));
        assert_eq!(full, code(Exit::Build));
        assert!(said.starts_with("error[E_OUTPUT]: standard output cannot be written: no storage space\n  hint: "));
        assert_eq!(ended(io::ErrorKind::StorageFull, Ok(Exit::Check)).0, code(Exit::Check));
        assert_eq!(ended(io::ErrorKind::BrokenPipe, Ok(Exit::Done)), (code(Exit::Done), String::new()));
    }

    #[test]
    fn events_of_several_platforms_say_whose_they_are() {
        let of = |event| Event::Of(PlatformEvent { platform: vocab::PlatformKey::MacosxX64, event: Box::new(event) });
        let events = [
            of(Event::StepFinished { step: "pack", elapsed_ms: 1500 }),
            of(Event::Note { text: "a note".into() }),
            of(Event::Warning { code: "W_NATIVE", text: "old".into(), place: Some("macosx-x64".into()), hint: None }),
            of(Event::StepStarted { step: "check imports" }),
        ];
        let told = |mode| {
            let (stdout, stderr) = (Paper::default(), Paper::default());
            let settings = PrinterSettings { mode, ..PrinterSettings::default() };
            let printer = Printer::with_output(settings, stdout.clone(), stderr.clone());
            events.iter().for_each(|event| printer.tell(event.clone()));
            stdout.text() + &stderr.text()
        };
        assert_eq!(
            told(ShowMode::Plain),
            "  macosx-x64 done: pack, 1.5 s\n  macosx-x64 note: a note\nwarning[W_NATIVE]: macosx-x64: old\n"
        );
        assert_eq!(told(ShowMode::Quiet), "warning[W_NATIVE]: macosx-x64: old\n");
        let first: serde_json::Value = serde_json::from_str(told(ShowMode::Json).lines().next().unwrap()).unwrap();
        let expected =
            json!({ "event": "step-finished", "step": "pack", "elapsed_ms": 1500, "platform": "macosx-x64" });
        assert_eq!(first, expected);
    }

    #[test]
    fn quiet_leaves_warnings_and_errors() {
        let (_, stderr) = story(PrinterSettings { mode: ShowMode::Quiet, verbosity: 1, ..PrinterSettings::default() });
        insta::assert_snapshot!(stderr);
    }

    #[test]
    fn github_gets_annotations_beside_the_lines() {
        let (_, stderr) = story(PrinterSettings { github_actions: true, ..PrinterSettings::default() });
        let annotations: Vec<&str> = stderr.lines().filter(|line| line.starts_with("::")).collect();
        insta::assert_snapshot!(annotations.join("\n"));
    }

    #[test]
    fn the_job_summary_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        let settings = PrinterSettings { summary: Some(path.clone()), ..PrinterSettings::default() };
        let printer = Printer::with_output(settings, Paper::default(), Paper::default());
        printer.summarize("## one\n");
        printer.summarize("## two");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "## one\n\n## two\n\n");
    }

    #[test]
    fn results_as_json_carry_their_kind() {
        let stdout = Paper::default();
        let printer = Printer::with_output(PrinterSettings::default(), stdout.clone(), Paper::default());
        printer.json("result", &json!({ "prefix": "/x" }));
        printer.json("plan", &json!(["row"]));
        assert_eq!(
            stdout.text(),
            "{\"event\":\"result\",\"prefix\":\"/x\"}\n{\"event\":\"plan\",\"value\":[\"row\"]}\n"
        );
    }
}

//! Events as lines: one for each finished step, with what it fetched, and for each warning and note.

use std::collections::HashMap;

use vocab::foreign_text::{printable, printable_line};
use vocab::{Event, PlatformEvent, TransferId};

use crate::paint::Paint;
use crate::{bytes, duration, rate};

/// Collects what the line of a step sums up.
pub(crate) struct Lines {
    paint: Paint,
    verbosity: u8,
    /// Bytes of each running transfer.
    transfers: HashMap<TransferId, u64>,
    fetched_files: usize,
    fetched_bytes: u64,
}

impl Lines {
    pub(crate) fn new(color: bool, verbosity: u8) -> Self {
        let paint = Paint { color };
        Self { paint, verbosity, transfers: HashMap::new(), fetched_files: 0, fetched_bytes: 0 }
    }

    /// `None` for events without a line of their own. Multiple lines are separated by line breaks.
    pub(crate) fn of(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Begun { title } => Some(self.paint.strong(&printable_line(title))),
            Event::StepStarted { .. } | Event::Progress { .. } => None,
            Event::StepFinished { step, elapsed_ms } => Some(self.step(step, *elapsed_ms)),
            // The error that ended it is printed separately.
            Event::StepFailed { .. } => {
                (self.fetched_files, self.fetched_bytes) = (0, 0);
                None
            }
            Event::TransferStarted { id, .. } => {
                self.transfers.insert(*id, 0);
                None
            }
            Event::TransferAdvanced { id, bytes } => {
                *self.transfers.entry(*id).or_default() += bytes;
                None
            }
            Event::TransferFinished { id } => {
                self.fetched_files += 1;
                self.fetched_bytes += self.transfers.remove(id).unwrap_or_default();
                None
            }
            Event::Retry { what, attempt, of, reason } => {
                Some(format!("  retry {attempt} of {of}: {}: {}", printable_line(what), printable_line(reason)))
            }
            Event::Note { text } => Some(format!("  {} {}", self.paint.strong("note:"), printable_line(text))),
            Event::Warning { .. } => self.warning(event),
            Event::Of(PlatformEvent { platform, event }) => {
                // A warning names its platform itself; every other line starts with it.
                let text = self.of(event)?;
                Some(match &**event {
                    Event::Warning { .. } | Event::Begun { .. } => text,
                    _ => format!("  {platform}{}", &text[1..]),
                })
            }
            Event::Output { program, line } => (self.verbosity > 0)
                .then(|| self.paint.faint(&format!("    {} | {}", printable_line(program), printable_line(line)))),
        }
    }

    /// `None` for every other event.
    pub(crate) fn warning(&self, event: &Event) -> Option<String> {
        let event = if let Event::Of(PlatformEvent { event, .. }) = event { event } else { event };
        let Event::Warning { code, text, place, hint } = event else { return None };
        let title = self.paint.warning(&format!("warning[{code}]:"));
        let place = place.as_ref().map_or(String::new(), |place| format!("{}: ", printable_line(place)));
        let mut lines = format!("{title} {place}{}", printable(text.trim_end()).replace('\n', "\n    "));
        if let Some(hint) = hint {
            lines.push_str(&format!("\n  {} {}", self.paint.hint("hint:"), printable_line(hint)));
        }
        Some(lines)
    }

    fn step(&mut self, step: &str, elapsed_ms: u64) -> String {
        let (files, size) = (std::mem::take(&mut self.fetched_files), std::mem::take(&mut self.fetched_bytes));
        let done = self.paint.done("done:");
        let mut line = format!("  {done} {step}, {}", duration(elapsed_ms));
        if files > 0 {
            let word = if files == 1 { "file" } else { "files" };
            line.push_str(&format!("; {files} {word}, {}", bytes(size)));
            let rate = rate(size, elapsed_ms);
            if !rate.is_empty() {
                line.push_str(&format!(", {rate}"));
            }
        }
        line
    }
}

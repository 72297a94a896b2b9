//! Events as moving bars: one line for each running step with its elapsed time, one for each transfer with bytes and
//! rate. What is finished becomes a line above them.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use vocab::{Event, PlatformEvent, PlatformKey, TransferId};

use vocab::foreign_text::printable_line;

/// Further transfers run without a bar of their own.
const MOST_BARS: usize = 12;

pub(crate) struct Bars {
    all: MultiProgress,
    /// Keyed by platform if several are built at once.
    steps: HashMap<(Option<PlatformKey>, &'static str), ProgressBar>,
    transfers: HashMap<TransferId, ProgressBar>,
}

impl Bars {
    pub(crate) fn new(target: ProgressDrawTarget) -> Self {
        Self { all: MultiProgress::with_draw_target(target), steps: HashMap::new(), transfers: HashMap::new() }
    }

    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Of(PlatformEvent { platform, event }) => self.show_of(Some(*platform), event),
            event => self.show_of(None, event),
        }
    }

    fn show_of(&mut self, platform: Option<PlatformKey>, event: &Event) {
        match event {
            Event::StepStarted { step } => {
                let bar =
                    self.all.insert(0, ProgressBar::new_spinner().with_style(style("  {spinner} {msg} {elapsed}")));
                bar.set_message(platform.map_or_else(|| (*step).to_owned(), |platform| format!("{platform} {step}")));
                bar.enable_steady_tick(Duration::from_millis(120));
                self.steps.insert((platform, step), bar);
            }
            Event::StepFinished { step, .. } | Event::StepFailed { step, .. } => {
                if let Some(bar) = self.steps.remove(&(platform, *step)) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
            Event::Progress { step, done, total } => {
                if let Some(bar) = self.steps.get(&(platform, *step)) {
                    bar.set_style(style("  {spinner} {msg} {bar:24} {pos}/{len} {elapsed}"));
                    bar.set_length(*total as u64);
                    bar.set_position(*done as u64);
                }
            }
            Event::TransferStarted { id, name, total, already } if self.transfers.len() < MOST_BARS => {
                let bar = match total {
                    Some(total) => ProgressBar::new(*total).with_style(style(
                        "    {msg:36!} {bar:24} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
                    )),
                    None => ProgressBar::new_spinner()
                        .with_style(style("    {msg:36!} {spinner} {decimal_bytes} {decimal_bytes_per_sec}")),
                };
                let bar = self.all.add(bar);
                bar.set_message(printable_line(name));
                // Counted from here, so that bytes that were there already do not count as speed.
                bar.set_position(*already);
                bar.reset_eta();
                self.transfers.insert(*id, bar);
            }
            Event::TransferAdvanced { id, bytes } => {
                if let Some(bar) = self.transfers.get(id) {
                    bar.inc(*bytes);
                }
            }
            Event::TransferFinished { id } => {
                if let Some(bar) = self.transfers.remove(id) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
            _ => {}
        }
    }

    /// Writes while the bars are hidden.
    pub(crate) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.all.suspend(write)
    }

    /// Nothing more will be shown.
    pub(crate) fn clear(&mut self) {
        for (_, bar) in self.steps.drain() {
            bar.finish_and_clear();
        }
        for (_, bar) in self.transfers.drain() {
            bar.finish_and_clear();
        }
        // A closed terminal is not a reason to fail.
        let _ = self.all.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a literal template; a test draws each").progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    #[test]
    fn steps_and_transfers_are_drawn_and_go_when_they_end() {
        let terminal = InMemoryTerm::new(20, 100);
        let mut bars = Bars::new(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        let (known, unknown) = (TransferId(1), TransferId(2));
        let started = |id, name: &str, total| Event::TransferStarted { id, name: name.into(), total, already: 0 };
        bars.show(&Event::StepStarted { step: "fetch" });
        bars.show(&Event::Progress { step: "fetch", done: 1, total: 4 });
        bars.show(&started(known, "numpy.whl", Some(10_000_000)));
        bars.show(&started(unknown, "pandas.whl", None));
        bars.show(&Event::TransferAdvanced { id: known, bytes: 5_000_000 });
        bars.show(&Event::TransferAdvanced { id: unknown, bytes: 1000 });
        for bar in bars.steps.values().chain(bars.transfers.values()) {
            // Drawn now rather than at the next tick.
            bar.disable_steady_tick();
            bar.tick();
        }
        let screen = terminal.contents();
        for part in ["fetch", "1/4", "numpy.whl", "5.00 MB/10.00 MB", "pandas.whl", "1.00 kB"] {
            assert!(screen.contains(part), "no {part:?} in:\n{screen}");
        }
        bars.show(&Event::TransferFinished { id: known });
        bars.show(&Event::TransferFinished { id: unknown });
        bars.show(&Event::StepFinished { step: "fetch", elapsed_ms: 1 });
        bars.clear();
        assert_eq!(terminal.contents().trim(), "");
    }
}

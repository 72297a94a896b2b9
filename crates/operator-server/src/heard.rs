//! What reaches the host while a call runs: frames from the connection, lines from the server's pipes.

use std::io::BufReader;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use crate::call::RunEvent;
use crate::frame::{Frame, FrameError, read_frame};
use crate::redact::Redaction;

/// Lines of one call that are passed on.
const MOST_LINES: usize = 10_000;
/// Bytes of one line that are passed on.
const LONGEST_LINE: usize = 8 << 10;
/// Begins a line that says that a call's own lines are over: `\x1ePYDIST-END 7`.
pub(crate) const END_OF_RUN: &str = "\u{1e}PYDIST-END ";

/// What reaches the host, in its order.
pub(crate) enum Heard {
    Frame(Box<Frame>),
    Line { is_error: bool, line: String },
    Broken(FrameError),
    End,
}

/// Reads frames to the end of the connection.
pub(crate) fn listen(mut reader: BufReader<TcpStream>, sender: &SyncSender<Heard>) {
    loop {
        let heard = match read_frame(&mut reader) {
            Ok(Some(frame)) => Heard::Frame(Box::new(frame)),
            Ok(None) => Heard::End,
            Err(error) => Heard::Broken(error),
        };
        let last = !matches!(heard, Heard::Frame(_));
        if sender.send(heard).is_err() || last {
            return;
        }
    }
}

/// Which printed lines go to the host: those of a call that is attended, and not too many, so that a server never waits
/// for a host that does not listen.
#[derive(Default)]
pub(crate) struct LineGate {
    is_open: AtomicBool,
    left: AtomicUsize,
}

impl LineGate {
    pub(crate) fn open(&self) {
        // One more than is passed on, from which the host sees that there were more.
        self.left.store(MOST_LINES + 1, Ordering::Relaxed);
        self.is_open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }

    pub(crate) fn lets_through(&self, line: &str) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.is_open.load(Ordering::Relaxed)
            && (line.starts_with(END_OF_RUN)
                || self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok())
    }
}

/// Passes on what a call says, without its secrets and not for ever.
pub(crate) struct Teller<'a> {
    redaction: &'a Redaction,
    pub(crate) on_event: &'a mut dyn FnMut(RunEvent),
    told: usize,
    /// Streams on which the call's own lines are over.
    ended: usize,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(redaction: &'a Redaction, on_event: &'a mut dyn FnMut(RunEvent)) -> Self {
        Self { redaction, on_event, told: 0, ended: 0 }
    }

    pub(crate) fn tell(&mut self, event: impl FnOnce(&Redaction) -> RunEvent) {
        self.told += 1;
        if self.told <= MOST_LINES {
            (self.on_event)(event(self.redaction));
        } else if self.told == MOST_LINES + 1 {
            (self.on_event)(RunEvent::Truncated { after: MOST_LINES });
        }
    }

    pub(crate) fn printed(&mut self, to_stderr: bool, mut line: String) {
        if line.starts_with(END_OF_RUN) {
            self.ended += 1;
            return;
        }
        if line.len() > LONGEST_LINE {
            let end = (0..=LONGEST_LINE).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
            line.truncate(end);
            line.push('…');
        }
        self.tell(|redaction| RunEvent::Printed { to_stderr, line: redaction.apply(line) });
    }

    /// Hears the lines that were printed before the answer and come by other pipes.
    pub(crate) fn drain(&mut self, heard: &Receiver<Heard>, marks: usize) {
        // What was written to a pipe comes, however busy this machine is.
        const LONGEST: Duration = Duration::from_secs(10);
        let began = Instant::now();
        while self.ended < marks
            && let Some(left) = LONGEST.checked_sub(began.elapsed())
            && let Ok(heard) = heard.recv_timeout(left)
        {
            if let Heard::Line { is_error, line } = heard {
                self.printed(is_error, line);
            }
        }
    }
}

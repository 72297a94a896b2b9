//! The output of a running program: read from both pipes at once, written to the log, kept in memory up to a limit for
//! each, and cut into lines for a listener.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::thread;

/// How much of each stream is kept in memory, in bytes; of longer output the end is kept.
pub(super) const KEPT: usize = 8 << 20;
/// How much of it is kept in the log, in bytes: this much of its beginning, and [`KEPT`] of its end.
const LOGGED: usize = 16 << 20;
/// A line is passed on when it reaches this length, whether or not it has ended.
const LONGEST_LINE: usize = 64 << 10;
const CHUNK: usize = 32 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputStream {
    Stdout,
    Stderr,
}

pub(super) enum OutputPiece {
    Bytes(OutputStream, Vec<u8>),
    /// The stream ended; nothing follows on it.
    End,
    Failed(io::Error),
}

/// Reads `pipe` to its end on a thread of its own. The thread also ends when nothing listens any more, so a pipe that a
/// stray process holds open costs nothing but the thread.
pub(super) fn listen(mut pipe: impl Read + Send + 'static, stream: OutputStream, said: SyncSender<OutputPiece>) {
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let message = match pipe.read(&mut buffer) {
                Ok(0) => OutputPiece::End,
                Ok(length) => OutputPiece::Bytes(stream, buffer[..length].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => OutputPiece::Failed(error),
            };
            let last = !matches!(message, OutputPiece::Bytes(..));
            if said.send(message).is_err() || last {
                return;
            }
        }
    });
}

/// Collects both streams of one program.
pub(super) struct OutputCapture<'a> {
    stdout: StreamTail,
    stderr: StreamTail,
    log: Option<OutputLog>,
    lines: Option<LineListener<'a>>,
}

struct LineListener<'a> {
    on_line: &'a mut dyn FnMut(&str),
    stdout: LineCutter,
    stderr: LineCutter,
}

/// Cuts one stream into lines; blank ones are omitted.
#[derive(Default)]
pub(super) struct LineCutter {
    pending: Vec<u8>,
}

impl<'a> OutputCapture<'a> {
    /// Appends to `log`, whose parent folders are created.
    pub(super) fn new(log: Option<&Path>, on_line: Option<&'a mut dyn FnMut(&str)>) -> io::Result<Self> {
        let log = match log {
            Some(path) => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                Some(OutputLog { file, room: LOGGED, end: StreamTail::default() })
            }
            None => None,
        };
        let lines = on_line.map(|on_line| LineListener {
            on_line,
            stdout: LineCutter::default(),
            stderr: LineCutter::default(),
        });
        Ok(Self { stdout: StreamTail::default(), stderr: StreamTail::default(), log, lines })
    }

    pub(super) fn take(&mut self, stream: OutputStream, bytes: &[u8]) -> io::Result<()> {
        if let Some(log) = &mut self.log {
            log.take(bytes)?;
        }
        if let Some(lines) = &mut self.lines {
            lines.take(stream, bytes);
        }
        match stream {
            OutputStream::Stdout => self.stdout.take(bytes),
            OutputStream::Stderr => self.stderr.take(bytes),
        }
        Ok(())
    }

    /// Both streams and the number of their bytes that are not in memory.
    pub(super) fn finish(mut self) -> io::Result<(Vec<u8>, Vec<u8>, u64)> {
        if let Some(log) = self.log.take() {
            log.finish()?;
        }
        if let Some(lines) = &mut self.lines {
            lines.flush();
        }
        self.stdout.cut();
        self.stderr.cut();
        Ok((self.stdout.bytes, self.stderr.bytes, self.stdout.left_out + self.stderr.left_out))
    }
}

/// The beginning is written as it arrives; the end, whose start is unknown until then, when everything was printed.
struct OutputLog {
    file: File,
    /// Room left for the beginning, in bytes.
    room: usize,
    end: StreamTail,
}

impl OutputLog {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (beginning, end) = bytes.split_at(self.room.min(bytes.len()));
        self.room -= beginning.len();
        self.end.take(end);
        self.file.write_all(beginning)
    }

    fn finish(mut self) -> io::Result<()> {
        self.end.cut();
        if self.end.left_out > 0 {
            writeln!(self.file, "\n… {} bytes are left out here …", self.end.left_out)?;
        }
        self.file.write_all(&self.end.bytes)
    }
}

impl LineListener<'_> {
    fn take(&mut self, stream: OutputStream, bytes: &[u8]) {
        match stream {
            OutputStream::Stdout => self.stdout.take(bytes, self.on_line),
            OutputStream::Stderr => self.stderr.take(bytes, self.on_line),
        }
    }

    fn flush(&mut self) {
        self.stdout.flush(self.on_line);
        self.stderr.flush(self.on_line);
    }
}

impl LineCutter {
    pub(super) fn take(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(&str)) {
        for &byte in bytes {
            // A carriage return ends a line as well: programs draw progress with it.
            let ends = byte == b'\n' || byte == b'\r';
            if !ends {
                self.pending.push(byte);
            }
            if ends || self.pending.len() >= LONGEST_LINE {
                self.flush(on_line);
            }
        }
    }

    pub(super) fn flush(&mut self, on_line: &mut dyn FnMut(&str)) {
        if !self.pending.is_empty() {
            on_line(&String::from_utf8_lossy(&self.pending));
            self.pending.clear();
        }
    }
}

/// The last bytes of a stream: between [`KEPT`] and twice that while it runs, at most [`KEPT`] at the end.
#[derive(Default)]
struct StreamTail {
    bytes: Vec<u8>,
    left_out: u64,
}

impl StreamTail {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Cutting only when the buffer is twice too long moves each byte at most once.
        if self.bytes.len() >= 2 * KEPT {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let surplus = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..surplus);
        self.left_out += surplus as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_either_kind_of_break_and_blank_ones_are_dropped() {
        let mut seen = Vec::new();
        let mut on_line = |line: &str| seen.push(line.to_owned());
        let mut capture = OutputCapture::new(None, Some(&mut on_line)).unwrap();
        for part in [b"one\ntw".as_slice(), b"o\r\n\n50%\r100%\r", b"\xff end"] {
            capture.take(OutputStream::Stdout, part).unwrap();
        }
        capture.finish().unwrap();
        assert_eq!(seen, ["one", "two", "50%", "100%", "\u{fffd} end"]);
    }

    #[test]
    fn of_long_output_the_end_is_kept_and_the_rest_counted() {
        let mut capture = OutputCapture::new(None, None).unwrap();
        for _ in 0..(3 * KEPT / 1024) {
            capture.take(OutputStream::Stderr, &[b'x'; 1024]).unwrap();
        }
        capture.take(OutputStream::Stderr, b"end").unwrap();
        let (stdout, stderr, left_out) = capture.finish().unwrap();
        assert_eq!((stdout.len(), stderr.len()), (0, KEPT));
        assert_eq!(left_out, 2 * KEPT as u64 + 3);
        assert!(stderr.ends_with(b"xend"));
    }

    #[test]
    fn attack_13_a_log_keeps_the_beginning_and_the_end_and_says_how_much_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("build.log");
        let mut capture = OutputCapture::new(Some(&path), None).unwrap();
        capture.take(OutputStream::Stdout, b"beginning\n").unwrap();
        for _ in 0..40 {
            capture.take(OutputStream::Stdout, &[b'x'; 1 << 20]).unwrap();
        }
        capture.take(OutputStream::Stderr, b"the reason\n").unwrap();
        capture.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let said = (40 << 20) + "beginning\nthe reason\n".len();
        let line = format!("\n… {} bytes are left out here …\n", said - LOGGED - KEPT);
        assert!(text.starts_with("beginning\nx") && text.ends_with("xthe reason\n") && text.contains(&line));
        assert_eq!(text.len(), LOGGED + KEPT + line.len());
    }
}

//! What goes into a call and what comes out, as plain data.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};
use tempfile::SpooledTempFile;

/// Content up to this size stays in memory, in bytes.
const IN_MEMORY: usize = 4 << 20;

/// One call of an operator.
#[derive(Debug, Default)]
pub struct Call {
    /// Namespace of the extension, as it was loaded.
    pub extension: String,
    /// Name of the Python function.
    pub function: String,
    /// JSON values by the name of the argument, checked already.
    pub parameters: Map<String, Value>,
    pub inputs: Vec<InputValue>,
    /// Names of the outputs, in the order in which the function returns them.
    pub outputs: Vec<String>,
    /// `arrow`, `json` or `csv` by the name of an output that is a table; the others have the server's own.
    pub codecs: BTreeMap<String, String>,
    /// Given to functions that take `**kwargs`, as `random_seed`.
    pub seed: Option<i64>,
    /// `None`: no limit.
    pub limit: Option<Duration>,
}

/// The value of one input port.
#[derive(Debug)]
pub struct InputValue {
    pub port: String,
    pub form: InputForm,
}

/// A value on its way in.
#[derive(Debug)]
pub enum InputForm {
    None,
    /// An Arrow IPC stream (`arrow`), compressed JSON (`json`; docs/formats/operator-protocol.md), or comma-separated
    /// values (`csv`).
    Table {
        codec: String,
        content: Content,
    },
    /// A file of this machine that the server may read.
    Path(PathBuf),
    /// A file that is sent. `name` is what it is called.
    File {
        name: String,
        content: Content,
    },
    Bytes(Content),
    /// What an operator returned before, as bytes of its own class.
    Object {
        class: String,
        content: Content,
    },
    /// An object that a former call left in the server.
    Handle {
        handle: String,
        server: u32,
    },
    List(Vec<InputForm>),
    /// Dotted keys; values of `secrets` show nowhere.
    Connection {
        values: Map<String, Value>,
        secrets: Vec<String>,
    },
}

/// The value of one output port.
#[derive(Debug)]
pub struct OutputValue {
    pub port: String,
    pub form: OutputForm,
}

/// A value on its way out.
#[derive(Debug)]
pub enum OutputForm {
    None,
    Table {
        codec: String,
        rows: u64,
        /// Objects with `name`, `type` and, where there is one, `role`.
        columns: Vec<Value>,
        content: Content,
    },
    File {
        name: String,
        content: Content,
    },
    Bytes(Content),
    Object {
        class: String,
        content: Content,
    },
    /// Stays in the server until it is released or the server ends.
    Handle {
        class: String,
        handle: String,
        server: u32,
    },
    List(Vec<OutputForm>),
}

/// What a call says while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// Python's `logging`. `level` as there: 10 is debug, 40 an error.
    Log { level: i64, logger: String, text: String },
    /// A line that was printed, at most 8 KiB of it.
    Printed { to_stderr: bool, line: String },
    /// From 0 to 1.
    Progress { fraction: f64, text: String },
    /// More lines than a call may say; the rest is dropped.
    Truncated { after: usize },
}

/// Bytes of one value, in memory if they are few.
#[derive(Debug)]
pub struct Content {
    source: Source,
    length: u64,
}

#[derive(Debug)]
enum Source {
    Memory(Cursor<Vec<u8>>),
    Spooled(SpooledTempFile),
    File(std::fs::File),
}

impl Content {
    /// The whole of an open file.
    pub fn of_file(file: std::fs::File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { source: Source::File(file), length })
    }

    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn empty() -> Self {
        Self { source: Source::Spooled(SpooledTempFile::new(IN_MEMORY)), length: 0 }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.source {
            Source::Spooled(file) => file.write_all(bytes)?,
            Source::Memory(_) | Source::File(_) => return Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Back to its first byte.
    pub fn rewind(&mut self) -> io::Result<()> {
        match &mut self.source {
            Source::Memory(cursor) => cursor.set_position(0),
            Source::Spooled(file) => _ = file.seek(SeekFrom::Start(0))?,
            Source::File(file) => _ = file.seek(SeekFrom::Start(0))?,
        }
        Ok(())
    }

    /// All of it, in memory.
    pub fn into_bytes(mut self) -> io::Result<Vec<u8>> {
        self.rewind()?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len() as u64, source: Source::Memory(Cursor::new(bytes)) }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Memory(cursor) => cursor.read(buffer),
            Source::Spooled(file) => file.read(buffer),
            Source::File(file) => file.read(buffer),
        }
    }
}

/// Values of a call that are secret.
pub(crate) fn secrets_of(call: &Call) -> Vec<String> {
    let mut found = Vec::new();
    for input in &call.inputs {
        if let InputForm::Connection { values, secrets } = &input.form {
            found.extend(secrets.iter().filter_map(|key| values.get(key)?.as_str().map(str::to_owned)));
        }
    }
    found
}

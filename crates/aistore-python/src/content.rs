//! What an object is made of when it is put: a file by its path, bytes in memory, or an open file.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aistore_client::ObjectContent;
use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

/// Content, and what Python raised while it was read.
pub struct GivenContent {
    pub content: ObjectContent,
    pub raised: RaisedException,
}

/// Reading an open file happens on a thread of its own: what is raised there is kept for the waiting thread.
#[derive(Clone, Default)]
pub struct RaisedException(Arc<Mutex<Option<PyErr>>>);

impl RaisedException {
    /// What the file raised, once.
    pub fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl GivenContent {
    /// A file by its path, read by the client itself.
    pub fn file(path: PathBuf) -> Self {
        Self { content: ObjectContent::file(path), raised: RaisedException::default() }
    }

    /// Bytes, something that holds bytes, or a file that was opened for reading bytes.
    pub fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let raised = RaisedException::default();
        let content = if let Ok(bytes) = value.cast::<PyBytes>() {
            // Python's own memory; nothing is copied.
            ObjectContent::bytes(Bytes::from_owner(PyBackedBytes::from(bytes.clone())))
        } else if let Ok(bytes) = value.cast::<PyByteArray>() {
            ObjectContent::bytes(bytes.to_vec())
        } else if value.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err("`content` is text; encode it, or give a file's name as `path`"));
        } else if value.hasattr("read")? {
            open_file(value, &raised)?
        } else {
            let view = PyMemoryView::from(value).map_err(|_| unusable(value))?;
            ObjectContent::bytes(view.call_method0("tobytes")?.extract::<Vec<u8>>()?)
        };
        Ok(Self { content, raised })
    }
}

fn unusable(value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("`content` must be bytes, something that holds bytes, or an open file, not {kind}"))
}

/// From where the file stands to its end. The length must be known first; what cannot tell it is read whole.
fn open_file(file: &Bound<'_, PyAny>, raised: &RaisedException) -> PyResult<ObjectContent> {
    let can_seek = file.hasattr("seekable")? && file.call_method0("seekable")?.extract()?;
    if !can_seek {
        return Ok(ObjectContent::bytes(bytes_of(&file.call_method0("read")?)?));
    }
    // A file of text counts otherwise than in bytes.
    bytes_of(&file.call_method1("read", (0,))?)?;
    let start: u64 = file.call_method0("tell")?.extract()?;
    let end: u64 = file.call_method1("seek", (0, 2))?.extract()?;
    file.call_method1("seek", (start,))?;
    let reader = FileReader { file: file.clone().unbind(), raised: raised.clone() };
    Ok(ObjectContent::stream(reader, end.saturating_sub(start)))
}

fn bytes_of(read: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let bytes = read
        .cast::<PyBytes>()
        .map_err(|_| PyTypeError::new_err("`content` is not a file of bytes; open it with 'rb'"))?;
    Ok(bytes.as_bytes().to_vec())
}

struct FileReader {
    file: Py<PyAny>,
    raised: RaisedException,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Python::try_attach(|py| bytes_of(&self.file.bind(py).call_method1("read", (buffer.len(),))?));
        match read {
            Some(Ok(bytes)) => {
                let count = bytes.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
                    to.copy_from_slice(from);
                }
                Ok(count)
            }
            Some(Err(error)) => {
                *self.raised.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(io::Error::other("the file cannot be read"))
            }
            None => Err(io::Error::other("Python ends")),
        }
    }
}

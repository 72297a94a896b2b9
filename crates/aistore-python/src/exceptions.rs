//! The exceptions: one for each reason that the client tells, below `AisError`.

use std::error::Error as _;
use std::io;
use std::path::Path;

use aistore_client::{Error, RefusalKind};
use pyo3::exceptions::{PyConnectionError, PyException, PyOSError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

/// In the order of [`CLASSES`], which has their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExceptionClass {
    AisError,
    InvalidArgument,
    ConnectionFailed,
    TimedOut,
    ProtocolError,
    JobError,
    ChecksumMismatch,
    NoTargets,
    Refused,
    AlreadyExists,
    Busy,
    NotFound,
    BucketNotFound,
    ObjectNotFound,
    Unauthorized,
    Forbidden,
    RangeNotSatisfiable,
    OutOfSpace,
    NotSupported,
    EtlNotAvailable,
    NotAllowed,
    TooManyRequests,
    Unavailable,
}

/// Name, the class above it, documentation. A class stands below the one that it derives from.
const CLASSES: [(&str, Option<ExceptionClass>, &str); 23] = [
    (
        "AisError",
        None,
        "Base class. Attributes: `message`, what happened, in one line; `status`, the HTTP status as an int, or None if the \
         server did not answer; `type`, the server's name for the error, such as 'ErrBckNotFound', or None; `text`, the \
         first KiB of the server's answer.",
    ),
    (
        "InvalidArgument",
        Some(ExceptionClass::AisError),
        "A name, number or setting is not valid; no request was sent. Also a ValueError.",
    ),
    (
        "ConnectionFailed",
        Some(ExceptionClass::AisError),
        "The server did not answer, or the connection broke. Also a ConnectionError.",
    ),
    (
        "TimedOut",
        Some(ExceptionClass::AisError),
        "The server was silent for longer than the limit. Also a TimeoutError.",
    ),
    (
        "ProtocolError",
        Some(ExceptionClass::AisError),
        "The answer is not one of AIStore's, or redirects to where requests are not sent.",
    ),
    ("JobError", Some(ExceptionClass::AisError), "A job failed, was aborted, or did not finish in time."),
    ("ChecksumMismatch", Some(ExceptionClass::AisError), "The content that arrived is not what was sent."),
    ("NoTargets", Some(ExceptionClass::AisError), "The cluster has no storage target."),
    ("Refused", Some(ExceptionClass::AisError), "The server refused for a reason without a class of its own."),
    ("AlreadyExists", Some(ExceptionClass::Refused), "The bucket exists."),
    (
        "Busy",
        Some(ExceptionClass::Refused),
        "The cluster is busy, for example with a rebalance, and cannot do this at the same time.",
    ),
    ("NotFound", Some(ExceptionClass::Refused), "Something that was named does not exist."),
    ("BucketNotFound", Some(ExceptionClass::NotFound), "The bucket does not exist."),
    ("ObjectNotFound", Some(ExceptionClass::NotFound), "The object does not exist."),
    ("Unauthorized", Some(ExceptionClass::Refused), "The token is missing or not accepted."),
    ("Forbidden", Some(ExceptionClass::Refused), "The token does not allow this."),
    ("RangeNotSatisfiable", Some(ExceptionClass::Refused), "The range lies outside the object."),
    ("OutOfSpace", Some(ExceptionClass::Refused), "The cluster's disks are full."),
    ("NotSupported", Some(ExceptionClass::Refused), "The server does not support this."),
    ("EtlNotAvailable", Some(ExceptionClass::NotSupported), "The server was built without ETL."),
    ("NotAllowed", Some(ExceptionClass::Refused), "The server does not offer this, or not for this bucket."),
    ("TooManyRequests", Some(ExceptionClass::Refused), "The server limits the rate of requests; retries did not help."),
    ("Unavailable", Some(ExceptionClass::Refused), "The server is starting or overloaded; retries did not help."),
];

static TYPES: PyOnceLock<Vec<Py<PyType>>> = PyOnceLock::new();

impl ExceptionClass {
    fn of(error: &Error) -> Self {
        match error {
            Error::Invalid { .. } | Error::NoEndpoint => Self::InvalidArgument,
            Error::Refused(refusal) => Self::of_refusal(refusal.kind),
            Error::Unanswered { .. } if error.is_timeout() => Self::TimedOut,
            Error::Unanswered { .. } | Error::SentOnce { .. } => Self::ConnectionFailed,
            Error::Redirect { .. } | Error::Unreadable { .. } => Self::ProtocolError,
            Error::Mismatch { .. } => Self::ChecksumMismatch,
            Error::JobFailed { .. } | Error::JobAborted { .. } | Error::JobUnfinished { .. } => Self::JobError,
            Error::NoTarget => Self::NoTargets,
            // It becomes an OSError instead.
            Error::File { .. } => Self::AisError,
        }
    }

    fn of_refusal(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::AlreadyExists => Self::AlreadyExists,
            RefusalKind::Busy => Self::Busy,
            RefusalKind::BucketNotFound | RefusalKind::RemoteBucketNotFound => Self::BucketNotFound,
            RefusalKind::ObjectNotFound => Self::ObjectNotFound,
            RefusalKind::NotFound => Self::NotFound,
            RefusalKind::Unauthorized => Self::Unauthorized,
            RefusalKind::Forbidden => Self::Forbidden,
            RefusalKind::RangeNotSatisfiable => Self::RangeNotSatisfiable,
            RefusalKind::OutOfSpace => Self::OutOfSpace,
            RefusalKind::ChecksumMismatch => Self::ChecksumMismatch,
            RefusalKind::EtlNotAvailable => Self::EtlNotAvailable,
            RefusalKind::NotSupported => Self::NotSupported,
            RefusalKind::NotAllowed => Self::NotAllowed,
            RefusalKind::TooManyRequests => Self::TooManyRequests,
            RefusalKind::NoTargets => Self::NoTargets,
            RefusalKind::Unavailable => Self::Unavailable,
            RefusalKind::Invalid | RefusalKind::Other => Self::Refused,
        }
    }

    /// Python's own class for the same reason, so that code which knows nothing of AIStore can catch it.
    fn builtin(self, py: Python<'_>) -> Option<Bound<'_, PyType>> {
        Some(match self {
            Self::AisError => py.get_type::<PyException>(),
            Self::InvalidArgument => py.get_type::<PyValueError>(),
            Self::ConnectionFailed => py.get_type::<PyConnectionError>(),
            Self::TimedOut => py.get_type::<PyTimeoutError>(),
            _ => return None,
        })
    }
}

/// Makes the classes at the first import, and adds them to the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let types = TYPES.get_or_try_init(module.py(), || make_types(module.py()))?;
    for ((name, _, _), class) in CLASSES.iter().zip(types) {
        module.add(*name, class)?;
    }
    Ok(())
}

fn make_types(py: Python<'_>) -> PyResult<Vec<Py<PyType>>> {
    let mut types: Vec<Py<PyType>> = Vec::new();
    for (name, above, documentation) in CLASSES {
        let attributes = PyDict::new(py);
        attributes.set_item("__module__", "pydist_aistore")?;
        attributes.set_item("__doc__", documentation)?;
        if above.is_none() {
            attributes.set_item("message", "")?;
            attributes.set_item("text", "")?;
            attributes.set_item("status", py.None())?;
            attributes.set_item("type", py.None())?;
        }
        let above = above.and_then(|above| types.get(above as usize)).map(|above| above.bind(py).clone());
        let builtin = CLASS_ORDER.get(types.len()).and_then(|class| class.builtin(py));
        let bases = PyTuple::new(py, above.into_iter().chain(builtin).collect::<Vec<_>>())?;
        let made = py.get_type::<PyType>().call1((name, bases, attributes))?;
        types.push(made.cast_into::<PyType>()?.unbind());
    }
    Ok(types)
}

/// Those that have one of Python's own above them stand first.
const CLASS_ORDER: [ExceptionClass; 4] = [
    ExceptionClass::AisError,
    ExceptionClass::InvalidArgument,
    ExceptionClass::ConnectionFailed,
    ExceptionClass::TimedOut,
];

/// The exception for an error. A file that cannot be read is an `OSError` as Python would raise it.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    if let Error::File { path, source } = error {
        return os_error(py, source, path);
    }
    let class = ExceptionClass::of(error);
    let Some(kind) = TYPES.get(py).and_then(|types| types.get(class as usize)) else {
        return PyException::new_err(error.to_string());
    };
    let message = match error.source() {
        Some(source) if error.refusal().is_none() => format!("{error}: {source}"),
        _ => error.to_string(),
    };
    let raised = PyErr::from_type(kind.bind(py).clone(), message.clone());
    match fill(raised.value(py), error, &message) {
        Ok(()) => raised,
        Err(other) => other,
    }
}

fn fill(value: &Bound<'_, PyAny>, error: &Error, message: &str) -> PyResult<()> {
    value.setattr("message", message)?;
    if let Error::Unreadable { text, .. } = error {
        value.setattr("text", text)?;
    }
    if let Some(refusal) = error.refusal() {
        value.setattr("status", refusal.status)?;
        value.setattr("type", refusal.type_code.as_deref())?;
        value.setattr("text", &refusal.text)?;
    }
    Ok(())
}

/// With its number, from which Python finds `FileNotFoundError` and the like.
pub fn os_error(py: Python<'_>, error: &io::Error, path: &Path) -> PyErr {
    let Some(number) = error.raw_os_error() else {
        return io::Error::new(error.kind(), format!("{}: {}", path.display(), error.kind())).into();
    };
    // Windows' own numbers are not Python's: they are the fourth argument, and the first two are then made from it.
    if cfg!(windows) {
        return PyOSError::new_err((0, error.kind().to_string(), path.as_os_str().to_owned(), number));
    }
    let text =
        py.import("os").and_then(|os| os.call_method1("strerror", (number,))).and_then(|text| text.extract::<String>());
    PyOSError::new_err((number, text.unwrap_or_else(|_| error.to_string()), path.as_os_str().to_owned()))
}

//! Settings of a client: arguments first, then the variables that AIStore's Python SDK has, from `os.environ`.

use std::collections::HashMap;

use aistore_client::{Error, Settings, VARIABLES};
use pyo3::prelude::*;

/// What the arguments of a client say.
pub struct GivenSettings {
    pub endpoint: Option<String>,
    pub token: Option<String>,
    /// In seconds; 0 is no limit.
    pub connect_timeout: Option<f64>,
    pub read_timeout: Option<f64>,
}

/// Raises what Python does when `os.environ` was replaced by something else; the inner error is a value that is not understood.
pub fn settings(py: Python<'_>, given: &GivenSettings) -> PyResult<Result<Settings, Error>> {
    let environment = py.import("os")?.getattr("environ")?;
    let mut known: HashMap<&str, String> = HashMap::new();
    for name in VARIABLES {
        if let Some(value) = environment.call_method1("get", (name,))?.extract::<Option<String>>()? {
            known.insert(name, value);
        }
    }
    let arguments = [
        ("AIS_AUTHN_TOKEN", given.token.clone()),
        ("AIS_CONNECT_TIMEOUT", given.connect_timeout.map(|seconds| seconds.to_string())),
        ("AIS_READ_TIMEOUT", given.read_timeout.map(|seconds| seconds.to_string())),
    ];
    known.extend(arguments.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let settings = Settings::of(given.endpoint.as_deref(), &|name| known.get(name).cloned());
    Ok(settings.map_err(|error| match error {
        // That one is for addresses.
        Error::NoEndpoint => {
            let reason = "pass `endpoint`, or set AIS_ENDPOINT".to_owned();
            Error::Invalid { what: "endpoint", value: String::new(), reason }
        }
        error => error,
    }))
}

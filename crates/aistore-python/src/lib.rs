//! AIStore for Python: the module `pydist_aistore`. Its `Client` has the calls of the first SDK for AIStore, by
//! name and by position, on top of [`aistore_client`], which knows no Python. Its types are in `pydist_aistore.pyi`.
//!
//! Whatever waits for a server does so in `waiting.rs`, without the interpreter's lock. So threads of Python wait side by
//! side, and Ctrl-C ends a call:
//!
//! ```python
//! from concurrent.futures import ThreadPoolExecutor
//! from pydist_aistore import Client
//!
//! with Client("http://localhost:8080") as client, ThreadPoolExecutor(8) as pool:
//!     names = [entry.name for entry in client.list_objects("bck")]
//!     contents = list(pool.map(lambda name: client.get_object("bck", name), names))
//! ```

mod client;
mod content;
mod environment;
mod exceptions;
mod results;
mod waiting;

use pyo3::prelude::*;

/// A client for AIStore: buckets and objects, typed exceptions.
///
///     from pydist_aistore import Client
///
///     with Client("http://localhost:8080") as client:
///         client.create_bucket("bck")
///         client.put_object("bck", "greeting", content=b"hello")
///         client.get_object("bck", "greeting")
///
/// Every failure is an AisError, except that a local file which cannot be read or written is an OSError.
#[pymodule]
fn pydist_aistore(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ProviderAIS", aistore_client::former::PROVIDER_AIS)?;
    module.add_class::<client::PythonClient>()?;
    module.add_class::<results::Bck>()?;
    module.add_class::<results::BucketEntry>()?;
    module.add_class::<results::ObjectProperties>()?;
    module.add_class::<results::PutProperties>()?;
    exceptions::add_to(module)
}

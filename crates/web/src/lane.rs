//! What drives a request and the bytes of its answer.
//!
//! With TLS, connections live on threads that all requests share, since one of HTTP/2 is used by many at once. Without
//! TLS, a connection serves one request at a time and lives on the thread that waits for it: handing each step to
//! another thread and back costs more than a small request itself, and so a long answer needs one buffer and not two.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;

use crate::WebFailure;

/// The threads that serve connections with TLS, and read what is sent. They end with the process.
pub(crate) fn runtime() -> Result<&'static Runtime, WebFailure> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        // Two: while one decrypts what arrived, the other may answer.
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("web").enable_all().build().map_err(|error| error.to_string())
    });
    started.as_ref().map_err(|error| WebFailure::lasting(format!("no thread can be started: {error}")))
}

/// Runs what a request does while its caller blocks.
pub(crate) enum Driver {
    Threads(&'static Runtime),
    Lane(Lane),
}

impl Driver {
    pub(crate) fn block_on<F: Future>(&self, work: F) -> F::Output {
        match self {
            Self::Threads(runtime) => runtime.block_on(work),
            Self::Lane(lane) => lane.rails.runtime.block_on(work),
        }
    }
}

/// Connections that only one request at a time can use, until its answer is dropped. Then they are free for the next.
pub(crate) struct Lane {
    rails: Arc<Rails>,
    home: Arc<Lanes>,
}

struct Rails {
    /// Its tasks rest while nobody waits for anything.
    runtime: Runtime,
    /// By the proxy's URL.
    clients: Mutex<BTreeMap<String, reqwest::Client>>,
}

/// The lanes of one client that nobody uses. There are as many as there were requests at once.
#[derive(Default)]
pub(crate) struct Lanes {
    /// The last is the one used last: its connections are the freshest.
    free: Mutex<Vec<Arc<Rails>>>,
}

impl Lanes {
    /// A free one, or a new one.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Lane, WebFailure> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let rails = match free {
            Some(rails) => rails,
            None => {
                let unwatched = |error| WebFailure::lasting(format!("no connection can be watched: {error}"));
                let runtime = Builder::new_current_thread().enable_all().build().map_err(unwatched)?;
                Arc::new(Rails { runtime, clients: Mutex::default() })
            }
        };
        rails.catch_up();
        Ok(Lane { rails, home: Arc::clone(self) })
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let free = self.free.get_mut().unwrap_or_else(PoisonError::into_inner);
        for rails in free.drain(..).filter_map(Arc::into_inner) {
            // Waits for no look-up of a name that still runs.
            rails.runtime.shutdown_background();
        }
    }
}

impl Lane {
    /// The client for a proxy; `connect` makes the first.
    pub(crate) fn client(
        &self,
        proxy: &str,
        connect: impl FnOnce() -> Result<reqwest::Client, WebFailure>,
    ) -> Result<reqwest::Client, WebFailure> {
        let mut clients = self.rails.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(proxy) {
            return Ok(client.clone());
        }
        let client = connect()?;
        clients.insert(proxy.to_owned(), client.clone());
        Ok(client)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Closes the connection at once if its answer was not read to the end. Where that cannot be awaited, it is
        // closed by the next request.
        if Handle::try_current().is_err() {
            self.rails.catch_up();
        }
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&self.rails));
    }
}

impl Rails {
    /// Lets tasks do what they can without waiting: notice that a server closed its connection, make a finished
    /// connection free, close one whose answer was dropped.
    fn catch_up(&self) {
        self.runtime.block_on(async {
            // The first turn ends with asking the system what happened, the second lets the tasks act on it.
            yield_now().await;
            yield_now().await;
        });
    }
}

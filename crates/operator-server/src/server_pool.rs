//! All servers of a host: one for each runtime, restarted after crashes but not for ever, never more than allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vocab::Work;

use crate::launch::ServerSettings;
use crate::server::OperatorServer;
use crate::server_error::ServerError;

/// This many crashes …
const MOST_CRASHES: usize = 3;
/// … within this time are too many.
const CRASH_WINDOW: Duration = Duration::from_secs(60);
/// Before the first restart; doubled for each further crash.
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(8);

/// Which runtime a server runs on. A runtime that was updated in its place has another digest, and so another server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerKey {
    pub folder: PathBuf,
    /// Of what is installed there.
    pub digest: String,
}

/// How many servers there may be.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    pub most_servers: usize,
}

/// The servers of one host.
#[derive(Default)]
pub struct ServerPool {
    servers: BTreeMap<ServerKey, PooledServer>,
    crashes: BTreeMap<ServerKey, Vec<Instant>>,
}

struct PooledServer {
    server: OperatorServer,
    used: Instant,
}

impl ServerPool {
    /// The running server of a runtime; starts one if there is none.
    pub fn server(
        &mut self,
        work: &Work,
        key: &ServerKey,
        pool: PoolSettings,
        settings: &ServerSettings,
    ) -> Result<&mut OperatorServer, ServerError> {
        let alive = self.servers.get_mut(key).is_some_and(|pooled| pooled.server.is_alive());
        if !alive {
            self.servers.remove(key);
            self.make_room(pool)?;
            self.wait_after_crashes(work, key)?;
            let server = OperatorServer::start(work, settings).inspect_err(|_| self.crashed(key))?;
            self.servers.insert(key.clone(), PooledServer { server, used: Instant::now() });
        }
        let pooled = self.servers.get_mut(key).expect("it was inserted");
        pooled.used = Instant::now();
        Ok(&mut pooled.server)
    }

    /// Notes that a server of this runtime crashed, and drops it.
    pub fn crashed(&mut self, key: &ServerKey) {
        self.servers.remove(key);
        self.crashes.entry(key.clone()).or_default().push(Instant::now());
    }

    /// Forgets crashes.
    pub fn reset(&mut self, key: &ServerKey) {
        self.crashes.remove(key);
    }

    /// Ends all servers.
    pub fn stop(&mut self) {
        for pooled in std::mem::take(&mut self.servers).into_values() {
            pooled.server.stop();
        }
    }

    /// Number of running servers.
    pub fn running(&mut self) -> usize {
        self.servers.retain(|_, pooled| pooled.server.is_alive());
        self.servers.len()
    }

    /// Ends the server that was idle for longest, if there are too many. One that holds objects stays.
    fn make_room(&mut self, pool: PoolSettings) -> Result<(), ServerError> {
        while self.running() >= pool.most_servers.max(1) {
            let idle = self.servers.iter().filter(|(_, pooled)| !pooled.server.holds_objects());
            let Some(oldest) = idle.min_by_key(|(_, pooled)| pooled.used).map(|(key, _)| key.clone()) else {
                return Err(ServerError::Limit { limit: pool.most_servers });
            };
            if let Some(pooled) = self.servers.remove(&oldest) {
                pooled.server.stop();
            }
        }
        Ok(())
    }

    fn wait_after_crashes(&mut self, work: &Work, key: &ServerKey) -> Result<(), ServerError> {
        let Some(crashes) = self.crashes.get_mut(key) else { return Ok(()) };
        crashes.retain(|at| at.elapsed() < CRASH_WINDOW);
        let Some(last) = crashes.last().copied() else { return Ok(()) };
        if crashes.len() >= MOST_CRASHES {
            return Err(ServerError::Failed { crashes: crashes.len(), within: CRASH_WINDOW });
        }
        let doublings = u32::try_from(crashes.len() - 1).unwrap_or(u32::MAX).min(8);
        let pause = (FIRST_BACK_OFF * 2_u32.pow(doublings)).min(LONGEST_BACK_OFF);
        while last.elapsed() < pause {
            if work.is_cancelled() {
                return Err(ServerError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(20).min(pause.saturating_sub(last.elapsed())));
        }
        Ok(())
    }
}

//! All servers of a host: one for each runtime, lent to one call after another, restarted after crashes but not for ever,
//! never more than allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
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
/// How often a call that waits for a server looks whether it was cancelled.
const GLANCE: Duration = Duration::from_millis(50);

/// Which runtime a server runs on. A runtime that was updated in its place has another digest, and so another server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ServerKey {
    pub folder: PathBuf,
    /// Of what is installed there.
    pub digest: String,
}

/// How many servers there may be, and how long they keep objects for calls to come.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    pub most_servers: usize,
    /// `None`: until they are released.
    pub keep_objects: Option<Duration>,
}

/// The servers of one host. Any thread may ask for one; calls on one server wait for each other.
pub struct ServerPool {
    settings: PoolSettings,
    state: Mutex<PoolState>,
    /// A server was given back, or has ended.
    changed: Condvar,
}

#[derive(Default)]
struct PoolState {
    servers: BTreeMap<ServerKey, Slot>,
    crashes: BTreeMap<ServerKey, Vec<Instant>>,
    /// Runtimes that were replaced: their servers end when they are given back without objects.
    retired: BTreeSet<ServerKey>,
}

enum Slot {
    /// Lent, or being started.
    Busy {
        pid: Option<u32>,
    },
    Idle(Box<PooledServer>),
}

struct PooledServer {
    server: OperatorServer,
    used: Instant,
    /// Open as long as the server runs: what marks its runtime as used.
    _held: Option<File>,
}

/// A server of a pool as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunningServer {
    #[serde(flatten)]
    pub key: ServerKey,
    /// Absent while it starts.
    pub pid: Option<u32>,
    pub is_busy: bool,
    /// Objects that calls left in it; 0 while it is at work.
    pub objects: usize,
}

/// A server that nobody else uses. Dropped, it is given back.
pub struct ServerLease<'a> {
    pool: &'a ServerPool,
    key: ServerKey,
    /// Absent until it is started.
    server: Option<Box<PooledServer>>,
}

impl ServerPool {
    pub fn new(settings: PoolSettings) -> Self {
        Self { settings, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The server of a runtime, once no other call uses it; starts one if there is none. What `hold` opens
    /// before a start stays open as long as that server runs.
    pub fn lend(
        &self,
        work: &Work,
        key: &ServerKey,
        settings: &ServerSettings,
        hold: impl FnOnce() -> Option<File>,
    ) -> Result<ServerLease<'_>, ServerError> {
        let server = self.claim(work, key, settings.start_limit)?;
        let mut lease = ServerLease { pool: self, key: key.clone(), server };
        if lease.server.is_none() {
            self.wait_after_crashes(work, key)?;
            let held = hold();
            let counts = |error: &ServerError| !matches!(error, ServerError::Ports { .. } | ServerError::Cancelled);
            let started = OperatorServer::start(work, settings);
            let server = started.inspect_err(|error| {
                if counts(error) {
                    self.note_crash(key);
                }
            })?;
            self.state().servers.insert(key.clone(), Slot::Busy { pid: Some(server.welcome().pid) });
            lease.server = Some(Box::new(PooledServer { server, used: Instant::now(), _held: held }));
        }
        Ok(lease)
    }

    /// The server with this process number, once no call uses it; `None` if it has ended.
    pub fn lend_running(&self, work: &Work, pid: u32) -> Result<Option<ServerLease<'_>>, ServerError> {
        let mut state = self.state();
        loop {
            let is_it = |slot: &Slot| match slot {
                Slot::Busy { pid: Some(known) } => *known == pid,
                Slot::Busy { pid: None } => false,
                Slot::Idle(pooled) => pooled.server.welcome().pid == pid,
            };
            let Some(key) = state.servers.iter().find(|(_, slot)| is_it(slot)).map(|(key, _)| key.clone()) else {
                return Ok(None);
            };
            if let Some(server) = state.take_idle(&key) {
                return Ok(Some(ServerLease { pool: self, key, server: Some(server) }));
            }
            state = self.wait(work, state)?;
        }
    }

    /// Ends the server of a runtime that was replaced, once its calls are over and none of its objects is left.
    pub fn retire(&self, key: &ServerKey) {
        let ending = {
            let mut state = self.state();
            if !state.servers.contains_key(key) {
                return;
            }
            state.retired.insert(key.clone());
            state.take_idle(key)
        };
        // Given back, it ends or stays, by the rule for all.
        drop(ending.map(|server| ServerLease { pool: self, key: key.clone(), server: Some(server) }));
    }

    /// Forgets crashes.
    pub fn reset(&self, key: &ServerKey) {
        self.state().crashes.remove(key);
    }

    /// Lets idle servers forget objects that are older than the settings say. Others do when they are given back.
    pub fn forget_old_objects(&self) {
        let Some(keep) = self.settings.keep_objects else { return };
        let mut ended = Vec::new();
        {
            let mut state = self.state();
            for slot in state.servers.values_mut() {
                if let Slot::Idle(pooled) = slot {
                    // A server that is gone has forgotten them.
                    let _ = pooled.server.release_older(keep);
                }
            }
            let PoolState { servers, retired, .. } = &mut *state;
            for key in retired.iter() {
                if matches!(servers.get(key), Some(Slot::Idle(pooled)) if !pooled.server.holds_objects()) {
                    ended.extend(servers.remove(key));
                }
            }
        }
        drop(ended);
        self.changed.notify_all();
    }

    /// Ends the idle servers that `wanted` names; how many there were. Those at work stay.
    pub fn stop(&self, wanted: impl Fn(&ServerKey) -> bool) -> usize {
        let ending: Vec<Box<PooledServer>> = {
            let mut state = self.state();
            let idle = |(key, slot): (&ServerKey, &Slot)| matches!(slot, Slot::Idle(_)).then(|| key.clone());
            let keys: Vec<ServerKey> = state.servers.iter().filter_map(idle).filter(|key| wanted(key)).collect();
            keys.iter().filter_map(|key| state.remove_idle(key)).collect()
        };
        let count = ending.len();
        std::thread::scope(|scope| {
            for pooled in ending {
                scope.spawn(move || pooled.server.stop());
            }
        });
        self.changed.notify_all();
        count
    }

    /// The servers that run now.
    pub fn running(&self) -> Vec<RunningServer> {
        let mut state = self.state();
        state.drop_ended();
        let shown = |(key, slot): (&ServerKey, &Slot)| {
            let key = key.clone();
            match slot {
                Slot::Busy { pid } => RunningServer { key, pid: *pid, is_busy: true, objects: 0 },
                Slot::Idle(pooled) => RunningServer {
                    key,
                    pid: Some(pooled.server.welcome().pid),
                    is_busy: false,
                    objects: pooled.server.objects(),
                },
            }
        };
        state.servers.iter().map(shown).collect()
    }

    /// Whether a server with this process number runs.
    pub fn is_running(&self, pid: u32) -> bool {
        self.running().iter().any(|server| server.pid == Some(pid))
    }

    /// Marks the place of a runtime's server as taken: with the server, if one runs.
    fn claim(&self, work: &Work, key: &ServerKey, limit: Duration) -> Result<Option<Box<PooledServer>>, ServerError> {
        let began = Instant::now();
        let most = self.settings.most_servers.max(1);
        let mut state = self.state();
        loop {
            state.drop_ended();
            if let Some(server) = state.take_idle(key) {
                return Ok(Some(server));
            }
            if state.servers.contains_key(key) {
                state = self.wait(work, state)?;
                continue;
            }
            if state.servers.len() < most {
                state.servers.insert(key.clone(), Slot::Busy { pid: None });
                return Ok(None);
            }
            if let Some(oldest) = state.idle_for_longest()
                && let Some(pooled) = state.remove_idle(&oldest)
            {
                drop(state);
                pooled.server.stop();
                state = self.state();
                continue;
            }
            let one_works = state.servers.values().any(|slot| matches!(slot, Slot::Busy { .. }));
            if !one_works || began.elapsed() >= limit {
                return Err(ServerError::Limit { limit: most });
            }
            state = self.wait(work, state)?;
        }
    }

    fn wait<'a>(
        &self,
        work: &Work,
        state: MutexGuard<'a, PoolState>,
    ) -> Result<MutexGuard<'a, PoolState>, ServerError> {
        if work.is_cancelled() {
            return Err(ServerError::Cancelled);
        }
        Ok(self.changed.wait_timeout(state, GLANCE).unwrap_or_else(PoisonError::into_inner).0)
    }

    fn note_crash(&self, key: &ServerKey) {
        self.state().crashes.entry(key.clone()).or_default().push(Instant::now());
    }

    fn wait_after_crashes(&self, work: &Work, key: &ServerKey) -> Result<(), ServerError> {
        let (count, last) = {
            let mut state = self.state();
            let Some(crashes) = state.crashes.get_mut(key) else { return Ok(()) };
            crashes.retain(|at| at.elapsed() < CRASH_WINDOW);
            let Some(last) = crashes.last().copied() else { return Ok(()) };
            (crashes.len(), last)
        };
        if count >= MOST_CRASHES {
            return Err(ServerError::Failed { crashes: count, within: CRASH_WINDOW });
        }
        let doublings = u32::try_from(count - 1).unwrap_or(u32::MAX).min(8);
        let pause = (FIRST_BACK_OFF * 2_u32.pow(doublings)).min(LONGEST_BACK_OFF);
        while last.elapsed() < pause {
            if work.is_cancelled() {
                return Err(ServerError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(20).min(pause.saturating_sub(last.elapsed())));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolState {
    /// Leaves the mark that it is lent.
    fn take_idle(&mut self, key: &ServerKey) -> Option<Box<PooledServer>> {
        let server = self.remove_idle(key)?;
        self.servers.insert(key.clone(), Slot::Busy { pid: Some(server.server.welcome().pid) });
        Some(server)
    }

    fn remove_idle(&mut self, key: &ServerKey) -> Option<Box<PooledServer>> {
        match self.servers.remove(key)? {
            Slot::Idle(pooled) => Some(pooled),
            busy => {
                self.servers.insert(key.clone(), busy);
                None
            }
        }
    }

    fn drop_ended(&mut self) {
        self.servers.retain(|_, slot| match slot {
            Slot::Busy { .. } => true,
            Slot::Idle(pooled) => pooled.server.is_alive(),
        });
    }

    /// One that holds objects stays.
    fn idle_for_longest(&self) -> Option<ServerKey> {
        let idle = self.servers.iter().filter_map(|(key, slot)| match slot {
            Slot::Idle(pooled) if !pooled.server.holds_objects() => Some((pooled.used, key)),
            _ => None,
        });
        idle.min_by_key(|(used, _)| *used).map(|(_, key)| key.clone())
    }
}

impl ServerLease<'_> {
    /// Notes that the server crashed.
    pub fn crashed(self) {
        self.pool.note_crash(&self.key);
        self.end();
    }

    /// Ends the server; the next call starts another one.
    pub fn end(mut self) {
        drop(self.server.take());
    }
}

impl Deref for ServerLease<'_> {
    type Target = OperatorServer;

    fn deref(&self) -> &OperatorServer {
        &self.server.as_ref().expect("it is there until the lease ends").server
    }
}

impl DerefMut for ServerLease<'_> {
    fn deref_mut(&mut self) -> &mut OperatorServer {
        &mut self.server.as_mut().expect("it is there until the lease ends").server
    }
}

impl Drop for ServerLease<'_> {
    fn drop(&mut self) {
        let mut server = self.server.take();
        if let Some(pooled) = &mut server {
            if let Some(keep) = self.pool.settings.keep_objects {
                // A server that is gone has forgotten them.
                let _ = pooled.server.release_older(keep);
            }
            pooled.used = Instant::now();
        }
        let ended = {
            let mut state = self.pool.state();
            state.servers.remove(&self.key);
            let is_retired = state.retired.contains(&self.key);
            let stays = server
                .as_mut()
                .is_some_and(|pooled| pooled.server.is_alive() && (!is_retired || pooled.server.holds_objects()));
            match server {
                Some(pooled) if stays => {
                    state.servers.insert(self.key.clone(), Slot::Idle(pooled));
                    None
                }
                ended => {
                    state.retired.remove(&self.key);
                    ended
                }
            }
        };
        self.pool.changed.notify_all();
        drop(ended);
    }
}

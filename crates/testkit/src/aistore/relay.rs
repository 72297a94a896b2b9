//! Between a client and a cluster: counts requests, also those that the proxy sends on to a target, and keeps them back
//! from a chosen one on.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::http_message::{content_length, last_request, read_head};

/// Forwards one request for each connection. Its threads end with the process.
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Where it listens for each server.
    doors: Mutex<BTreeMap<SocketAddr, SocketAddr>>,
    gate: Mutex<Gate>,
}

#[derive(Default)]
struct Gate {
    /// `PUT /v1/objects/b/a?provider=ais`, in order of arrival.
    requests: Vec<String>,
    /// How many pass; all where it is `None`.
    open_for: Option<usize>,
    /// The connections of those that do not.
    held: Vec<TcpStream>,
}

impl Relay {
    /// Before the cluster's proxy.
    pub fn start(proxy: SocketAddr) -> Self {
        let state = Arc::new(State::default());
        let address = state.door(proxy);
        Self { address, state }
    }

    /// For clients, in place of the proxy's.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that arrived since the last [`Relay::open_for`], those that were kept back among them.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.state.gate).requests.clone()
    }

    /// Forgets former requests. So many pass; later ones reach no server and get no answer. `None`: all pass.
    pub fn open_for(&self, count: Option<usize>) {
        *locked(&self.state.gate) = Gate { open_for: count, ..Gate::default() };
    }
}

impl State {
    /// The address that stands for this server.
    fn door(self: &Arc<Self>, server: SocketAddr) -> SocketAddr {
        *locked(&self.doors).entry(server).or_insert_with(|| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let state = Arc::clone(self);
            let address = listener.local_addr().unwrap();
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    // Either side may go away midway; tests do that on purpose.
                    thread::spawn(move || drop(state.pass_on(client, server)));
                }
            });
            address
        })
    }

    fn pass_on(self: &Arc<Self>, mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
        let (head, mut body) = read_head(&mut client)?;
        if !self.is_open(&head, &client)? {
            return Ok(());
        }
        let missing = content_length(&head).saturating_sub(body.len());
        client.try_clone()?.take(missing as u64).read_to_end(&mut body)?;
        if body.len() < content_length(&head) {
            return Ok(());
        }
        let mut server = TcpStream::connect(server)?;
        server.write_all(last_request(&head).as_bytes())?;
        server.write_all(&body)?;
        let (head, rest) = read_head(&mut server)?;
        client.write_all(self.through_doors(&head).as_bytes())?;
        client.write_all(&rest)?;
        io::copy(&mut server, &mut client).map(drop)
    }

    fn is_open(&self, head: &str, client: &TcpStream) -> io::Result<bool> {
        let mut gate = locked(&self.gate);
        let line = head.lines().next().unwrap_or_default();
        gate.requests.push(line.trim_end_matches(" HTTP/1.1").to_owned());
        let is_open = gate.open_for.is_none_or(|count| gate.requests.len() <= count);
        if !is_open {
            gate.held.push(client.try_clone()?);
        }
        Ok(is_open)
    }

    /// An answer that leads to a server leads to its door.
    fn through_doors(self: &Arc<Self>, head: &str) -> String {
        let door = |line: &str| -> Option<String> {
            let (name, value) = line.split_once(':')?;
            let rest = value.trim().strip_prefix("http://").filter(|_| name.eq_ignore_ascii_case("location"))?;
            let (server, path) = rest.split_once('/')?;
            Some(format!("Location: http://{}/{path}", self.door(server.parse().ok()?)))
        };
        let lines = head.trim_end().lines().map(|line| door(line).unwrap_or_else(|| line.to_owned()) + "\r\n");
        lines.collect::<String>() + "\r\n"
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

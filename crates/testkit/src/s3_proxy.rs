//! Between a client and an S3 server: forwards requests, one for each connection, and spoils chosen ones.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::http_message::{content_length, last_request, read_head};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Fault {
    /// The connection ends before the server gets the request.
    Reset,
    /// The server executes it, and the connection ends before the answer.
    LostAnswer,
    /// The server executes it, and half of the answer arrives.
    HalfAnswer,
    /// The server executes it, and the answer arrives at no more than 500 bytes per second.
    SlowAnswer,
    /// Half of the request's body gets to the server.
    HalfRequest,
    /// One byte of the request's body is changed.
    OtherByte,
    /// Answered with this status and error code; the server does not get the request.
    Refused(u16, &'static str),
}

/// Stops when dropped.
pub struct S3Proxy {
    address: SocketAddr,
    state: Arc<S3ProxyState>,
    acceptor: Option<JoinHandle<()>>,
}

struct S3ProxyState {
    server: SocketAddr,
    stopped: AtomicBool,
    /// `PUT /bucket/key?query`, in order of arrival.
    requests: Mutex<Vec<String>>,
    rule: Mutex<Option<S3SpoilRule>>,
    knows_conditions: bool,
}

#[derive(Clone, Copy)]
struct S3SpoilRule {
    /// Number of the first spoiled request, counted from 0.
    from: usize,
    /// How many are spoiled.
    count: usize,
    fault: S3Fault,
}

impl S3Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards everything to `server`.
    pub fn start(server: SocketAddr) -> Self {
        Self::before(server, true)
    }

    /// The same, as a server that answers 501 to every request with a condition.
    pub fn without_conditions(server: SocketAddr) -> Self {
        Self::before(server, false)
    }

    fn before(server: SocketAddr, knows_conditions: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (requests, rule) = (Mutex::default(), Mutex::default());
        let state =
            Arc::new(S3ProxyState { server, stopped: AtomicBool::new(false), requests, rule, knows_conditions });
        let shared = Arc::clone(&state);
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // Either side may disconnect midway; tests do that on purpose.
                thread::spawn(move || drop(shared.pass_on(client)));
            }
        });
        Self { address, state, acceptor: Some(acceptor) }
    }

    /// The endpoint for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets former requests and rules; spoils `count` requests from the one with this number on, counted from 0.
    pub fn spoil(&self, from: usize, count: usize, fault: S3Fault) {
        locked(&self.state.requests).clear();
        *locked(&self.state.rule) = Some(S3SpoilRule { from, count, fault });
    }

    /// Forgets former requests and rules.
    pub fn behave(&self) {
        locked(&self.state.requests).clear();
        *locked(&self.state.rule) = None;
    }

    /// All requests since the last reset, in order of arrival.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.state.requests).clone()
    }
}

impl Drop for S3Proxy {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl S3ProxyState {
    fn pass_on(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (head, mut body) = read_head(&mut client)?;
        let length = content_length(&head);
        let fault = self.note(&head);
        if fault == Some(S3Fault::Reset) {
            return Ok(());
        }
        while body.len() < length {
            let mut buffer = [0; 1 << 16];
            let count = client.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            body.extend_from_slice(&buffer[..count]);
        }
        match fault {
            Some(S3Fault::Refused(status, code)) => {
                return refuse(&mut client, status, code, head.starts_with("HEAD "));
            }
            Some(S3Fault::OtherByte) if !body.is_empty() => {
                let middle = body.len() / 2;
                body[middle] ^= 1;
            }
            Some(S3Fault::HalfRequest) => body.truncate(body.len() / 2),
            _ => {}
        }
        let mut server = TcpStream::connect(self.server)?;
        server.set_read_timeout(Some(Duration::from_secs(30)))?;
        server.write_all(last_request(&head).as_bytes())?;
        server.write_all(&body)?;
        if fault == Some(S3Fault::HalfRequest) {
            return server.shutdown(Shutdown::Both);
        }
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        match fault {
            Some(S3Fault::LostAnswer) => Ok(()),
            Some(S3Fault::HalfAnswer) => client.write_all(&answer[..answer.len() / 2]),
            Some(S3Fault::SlowAnswer) => answer.chunks(10).try_for_each(|few| {
                thread::sleep(Duration::from_millis(20));
                client.write_all(few)
            }),
            _ => client.write_all(&answer),
        }
    }

    fn note(&self, head: &str) -> Option<S3Fault> {
        let line = head.lines().next().unwrap_or_default();
        let mut requests = locked(&self.requests);
        let number = requests.len();
        requests.push(line.trim_end_matches(" HTTP/1.1").to_owned());
        let is_condition = |line: &str| {
            let name = line.split(':').next().unwrap_or_default();
            ["if-match", "if-none-match"].iter().any(|known| name.eq_ignore_ascii_case(known))
        };
        if !self.knows_conditions && head.lines().any(is_condition) {
            return Some(S3Fault::Refused(501, "NotImplemented"));
        }
        let rule = (*locked(&self.rule))?;
        (rule.from..rule.from.saturating_add(rule.count)).contains(&number).then_some(rule.fault)
    }
}

fn refuse(client: &mut TcpStream, status: u16, code: &str, head_only: bool) -> io::Result<()> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>told so by a test</Message></Error>"
    );
    let body = if head_only { "" } else { &body };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Test\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all((head + body).as_bytes())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

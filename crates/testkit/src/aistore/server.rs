//! A server that answers as a test says, logs what it is asked, and can go wrong. As a server in Go does, it answers
//! long requests before it has read their content, where the answer is a redirect.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AIStoreRequest {
    pub method: String,
    /// Without the query, undecoded.
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl AIStoreRequest {
    /// The body, which has to be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Empty if it was not sent; the name is in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `POST /v1/buckets/b?provider=ais`
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }
}

/// What a request is answered, and what goes wrong on the way.
#[derive(Clone, Debug, Default)]
pub struct AIStoreReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub mishap: AIStoreMishap,
}

/// What happens to an answer on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AIStoreMishap {
    #[default]
    None,
    /// The connection ends without an answer.
    Reset,
    /// The headers promise everything, the body ends after so many bytes.
    CutAfter(usize),
    /// Nothing comes, and the connection stays.
    Silence,
}

/// An answer that arrives.
pub fn reply(status: u16, body: impl Into<Vec<u8>>) -> AIStoreReply {
    AIStoreReply { status, body: body.into(), ..AIStoreReply::default() }
}

/// An answer that sends the client elsewhere.
pub fn redirect(status: u16, location: &str) -> AIStoreReply {
    reply(status, "").header("Location", location)
}

/// As AIStore writes errors.
pub fn error(status: u16, code: &str, message: &str) -> AIStoreReply {
    let body = serde_json::json!({ "tcode": code, "message": message, "method": "GET", "status": status });
    reply(status, body.to_string())
}

impl AIStoreReply {
    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With something that goes wrong on the way.
    pub fn mishap(self, mishap: AIStoreMishap) -> Self {
        Self { mishap, ..self }
    }
}

type ReplyHandler = dyn Fn(&AIStoreRequest, usize) -> AIStoreReply + Send + Sync;

/// Stops when dropped.
pub struct FakeAIStore {
    address: SocketAddr,
    state: Arc<FakeAIStoreState>,
    acceptor: Option<JoinHandle<()>>,
}

struct FakeAIStoreState {
    stopped: AtomicBool,
    log: Mutex<Vec<AIStoreRequest>>,
    handler: Box<ReplyHandler>,
}

impl FakeAIStore {
    /// `handler` gets each request and how many there were before it.
    pub fn start(handler: impl Fn(&AIStoreRequest, usize) -> AIStoreReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stopped, log) = (AtomicBool::new(false), Mutex::default());
        let state = Arc::new(FakeAIStoreState { stopped, log, handler: Box::new(handler) });
        let acceptor = std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for connection in listener.incoming().flatten() {
                    if state.stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || attend(connection, &state));
                }
            }
        });
        Self { address, state, acceptor: Some(acceptor) }
    }

    /// Answers everything so.
    pub fn always(answer: AIStoreReply) -> Self {
        Self::start(move |_, _| answer.clone())
    }

    /// Of a path of this server, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests, in the order in which they came.
    pub fn log(&self) -> Vec<AIStoreRequest> {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The only request that there was.
    pub fn only(&self) -> AIStoreRequest {
        let log = self.log();
        assert_eq!(log.len(), 1, "{log:?}");
        log[0].clone()
    }
}

impl Drop for FakeAIStore {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn attend(mut connection: TcpStream, state: &FakeAIStoreState) -> Option<()> {
    connection.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = AIStoreRequest {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: BTreeMap::new(),
        body: vec![],
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        let known = request.headers.entry(name.to_ascii_lowercase()).or_default();
        *known = if known.is_empty() { value.to_owned() } else { format!("{known}, {value}") };
    }
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    let number = state.log.lock().unwrap_or_else(PoisonError::into_inner).len();
    if length >= 256 << 10 {
        let early = (state.handler)(&request, number);
        if (300..400).contains(&early.status) {
            state.log.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            return answer(&mut connection, &early, "", state);
        }
    }
    // What is there of it: a client may go away in the middle.
    let _ = reader.take(length as u64).read_to_end(&mut request.body);
    state.log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    if request.body.len() < length {
        return None;
    }
    let reply = (state.handler)(&request, number);
    answer(&mut connection, &reply, &request.method, state)
}

fn answer(connection: &mut TcpStream, reply: &AIStoreReply, method: &str, state: &FakeAIStoreState) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Fake\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !reply.headers.iter().any(|(name, _)| name == "Content-Length") {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    let mut body = reply.body.as_slice();
    match reply.mishap {
        AIStoreMishap::None => {}
        AIStoreMishap::Reset => return None,
        AIStoreMishap::CutAfter(length) => body = &body[..length],
        AIStoreMishap::Silence => {
            while !state.stopped.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            return None;
        }
    }
    connection.write_all(head.as_bytes()).ok()?;
    if method != "HEAD" {
        connection.write_all(body).ok()?;
    }
    connection.flush().ok()
}

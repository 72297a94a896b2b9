//! An HTTP/1.1 server on the loopback interface for one test: files from memory or a folder, ranges, and things
//! that go wrong on request. One connection carries one request.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use vocab::{Digest, TreePath};

/// What goes wrong with one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpMishap {
    /// This status and a short text instead of the content.
    Status(u16),
    /// As [`HttpMishap::Status`], and `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// The headers promise the whole body; the connection ends after this many bytes of it.
    CutAfter(usize),
    /// The answer begins this much later.
    Delay(Duration),
    /// `Range` is ignored: everything is sent, with status 200.
    NoRange,
    /// The first byte of the body is changed.
    Corrupt,
    /// As many bytes as asked for, but one further on, as `Content-Range` says.
    OtherRange,
    /// The headers are honest about a body that ends after this many bytes.
    ShortBody(usize),
    /// The file is replaced by this one before the answer.
    Replaced(Vec<u8>),
    /// This answer is correct.
    None,
}

/// One request as it arrived, answered or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    /// With the query, undecoded.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// Stops when dropped.
pub struct HttpServer {
    address: SocketAddr,
    state: Arc<HttpServerState>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct HttpServerState {
    stopped: AtomicBool,
    /// Bytes of bodies, by path.
    sent: Mutex<BTreeMap<String, u64>>,
    rules: Mutex<HttpServerRules>,
    requests: Mutex<Vec<HttpRequest>>,
}

#[derive(Default)]
struct HttpServerRules {
    files: BTreeMap<String, Arc<[u8]>>,
    /// Path prefix → folder.
    folders: BTreeMap<String, PathBuf>,
    redirects: BTreeMap<String, String>,
    /// Mishaps to come, used up one by one.
    mishaps: BTreeMap<String, VecDeque<HttpMishap>>,
    lasting_mishaps: BTreeMap<String, HttpMishap>,
    /// Path prefix → the value of `Authorization`.
    protected: BTreeMap<String, String>,
}

impl HttpServer {
    /// Listens on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(HttpServerState::default());
        let acceptor = thread::spawn({
            let state = Arc::clone(&state);
            move || accept(&listener, &state)
        });
        Self { address, state, acceptor: Some(acceptor) }
    }

    /// `path` starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same URL with credentials in it.
    pub fn url_as(&self, user: &str, password: &str, path: &str) -> String {
        format!("http://{user}:{password}@{}{path}", self.address)
    }

    /// Serves `content` at `path`, replacing what was there.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.rules().files.insert(path.to_owned(), content.into().into());
    }

    /// Serves the files of `folder` at `prefix` (which starts and ends with `/`), reading them again for each request.
    pub fn mount(&self, prefix: &str, folder: &Path) {
        self.rules().folders.insert(prefix.to_owned(), folder.to_owned());
    }

    /// Answers `path` with a redirect (302) to `url`.
    pub fn redirect(&self, path: &str, url: &str) {
        self.rules().redirects.insert(path.to_owned(), url.to_owned());
    }

    /// Plans a mishap for the next request of `path` that has none yet.
    pub fn next_time(&self, path: &str, mishap: HttpMishap) {
        self.rules().mishaps.entry(path.to_owned()).or_default().push_back(mishap);
    }

    /// Plans a mishap for every request of `path` from now on.
    pub fn every_time(&self, path: &str, mishap: HttpMishap) {
        self.rules().lasting_mishaps.insert(path.to_owned(), mishap);
    }

    /// Everything below `prefix` requires these credentials, else 401.
    pub fn require_basic(&self, prefix: &str, user: &str, password: &str) {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        self.rules().protected.insert(prefix.to_owned(), expected);
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<HttpRequest> {
        locked(&self.state.requests).clone()
    }

    /// The requests for `path`.
    pub fn requests_of(&self, path: &str) -> Vec<HttpRequest> {
        self.requests().into_iter().filter(|request| request.path == path).collect()
    }

    /// Bytes of bodies that were sent for `path`, all requests together.
    pub fn bytes_sent(&self, path: &str) -> u64 {
        locked(&self.state.sent).get(path).copied().unwrap_or_default()
    }

    fn rules(&self) -> MutexGuard<'_, HttpServerRules> {
        locked(&self.state.rules)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        // Wakes the acceptor, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// A test that panicked elsewhere must not hide behind this lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, state: &Arc<HttpServerState>) {
    for connection in listener.incoming() {
        if state.stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let state = Arc::clone(state);
        // A client may disconnect midway.
        thread::spawn(move || drop(attend(connection, &state)));
    }
}

fn attend(mut connection: TcpStream, state: &HttpServerState) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    connection.set_write_timeout(Some(Duration::from_secs(30)))?;
    let Some(request) = read_request(&connection)? else { return Ok(()) };
    locked(&state.requests).push(request.clone());
    let (mishap, content) = decide(&mut locked(&state.rules), &request);
    if let Some(HttpMishap::Delay(delay)) = mishap {
        wait(delay, &state.stopped);
    }
    let mut answer = match (mishap.clone(), content) {
        (Some(HttpMishap::Status(status)), _) => HttpAnswer::empty(status),
        (Some(HttpMishap::RetryAfter(status, seconds)), _) => {
            HttpAnswer::empty(status).header("Retry-After", &seconds.to_string())
        }
        (_, HttpContent::Answer(answer)) => answer,
        (Some(HttpMishap::NoRange), HttpContent::Bytes(bytes)) => HttpAnswer::whole(&request.path, &bytes),
        (Some(HttpMishap::OtherRange), HttpContent::Bytes(bytes)) => HttpAnswer::ranged(&moved(&request), &bytes),
        (_, HttpContent::Bytes(bytes)) => HttpAnswer::ranged(&request, &bytes),
    };
    if let Some(HttpMishap::ShortBody(length)) = mishap {
        answer.body.truncate(length);
    }
    let mut body = answer.body.clone();
    match mishap {
        Some(HttpMishap::CutAfter(length)) => body.truncate(length),
        Some(HttpMishap::Corrupt) => body.iter_mut().take(1).for_each(|byte| *byte ^= 0xff),
        _ => {}
    }
    connection.write_all(answer.head().as_bytes())?;
    if request.method != "HEAD" {
        // Counted first, so that a client that has the answer finds it counted.
        *locked(&state.sent).entry(request.path.clone()).or_default() += body.len() as u64;
        connection.write_all(&body)?;
    }
    connection.flush()
}

/// The same request for a range that begins one byte later.
fn moved(request: &HttpRequest) -> HttpRequest {
    let mut request = request.clone();
    let range = request.headers.get("range").and_then(|text| text.strip_prefix("bytes="));
    let start = range.and_then(|range| range.split_once('-')).and_then(|(start, end)| Some((start.parse().ok()?, end)));
    if let Some((start, end)) = start.map(|(start, end): (u64, &str)| (start + 1, end.to_owned())) {
        request.headers.insert("range".to_owned(), format!("bytes={start}-{end}"));
    }
    request
}

/// In small steps, so that a dropped server does not leave long sleepers behind.
fn wait(delay: Duration, stopped: &AtomicBool) {
    let started = Instant::now();
    while started.elapsed() < delay && !stopped.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5).min(delay));
    }
}

/// `None` if the client sent nothing.
fn read_request(connection: &TcpStream) -> io::Result<Option<HttpRequest>> {
    let mut reader = BufReader::new(connection.take(64 << 10));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    // A body left unread would reset the connection before the client has its answer.
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(Some(HttpRequest { method, path, headers }))
}

enum HttpContent {
    Bytes(Arc<[u8]>),
    Answer(HttpAnswer),
}

fn decide(rules: &mut HttpServerRules, request: &HttpRequest) -> (Option<HttpMishap>, HttpContent) {
    let path = request.path.split('?').next().unwrap_or_default();
    for (prefix, expected) in &rules.protected {
        if path.starts_with(prefix) && request.headers.get("authorization") != Some(expected) {
            let answer = HttpAnswer::empty(401).header("WWW-Authenticate", "Basic realm=\"fixture\"");
            return (None, HttpContent::Answer(answer));
        }
    }
    let once = rules.mishaps.get_mut(path).and_then(VecDeque::pop_front);
    let mishap = once.or_else(|| rules.lasting_mishaps.get(path).cloned());
    if let Some(HttpMishap::Replaced(content)) = &mishap {
        rules.files.insert(path.to_owned(), content.as_slice().into());
    }
    if let Some(url) = rules.redirects.get(path) {
        return (mishap, HttpContent::Answer(HttpAnswer::empty(302).header("Location", url)));
    }
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return (mishap, HttpContent::Answer(HttpAnswer::empty(405)));
    }
    let decoded = percent_decoded(path);
    let found = rules.files.get(path).or_else(|| rules.files.get(&decoded)).cloned();
    let found =
        found.or_else(|| rules.folders.iter().find_map(|(prefix, folder)| from_folder(&decoded, prefix, folder)));
    (mishap, found.map_or_else(|| HttpContent::Answer(HttpAnswer::empty(404)), HttpContent::Bytes))
}

fn from_folder(path: &str, prefix: &str, folder: &Path) -> Option<Arc<[u8]>> {
    let below: TreePath = path.strip_prefix(prefix)?.parse().ok()?;
    let file = below.below(folder);
    let file = if file.is_dir() { file.join("index.html") } else { file };
    fs::read(file).ok().map(Into::into)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

struct HttpAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl HttpAnswer {
    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: format!("{status} by the fixture server\n").into_bytes() }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn whole(path: &str, bytes: &[u8]) -> Self {
        let answer = Self { status: 200, headers: Vec::new(), body: bytes.to_vec() };
        answer.header("Content-Type", content_type(path)).header("ETag", &etag(bytes))
    }

    /// Sends the file, or the part that `Range` asks for if `If-Range` allows it.
    fn ranged(request: &HttpRequest, bytes: &[u8]) -> Self {
        let whole = Self::whole(&request.path, bytes).header("Accept-Ranges", "bytes");
        let Some(range) = request.headers.get("range").and_then(|text| text.strip_prefix("bytes=")) else {
            return whole;
        };
        if request.headers.get("if-range").is_some_and(|tag| *tag != etag(bytes)) {
            return whole;
        }
        let size = bytes.len();
        let Some((start, end)) = asked_range(range, size) else {
            return Self::empty(416).header("Content-Range", &format!("bytes */{size}"));
        };
        let mut part = whole.header("Content-Range", &format!("bytes {start}-{}/{size}", end - 1));
        part.status = 206;
        part.body = bytes[start..end].to_vec();
        part
    }

    fn head(&self) -> String {
        let mut text = format!("HTTP/1.1 {} Fixture\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len()));
        text
    }
}

/// `5-`, `5-9` or `-5` as a half-open range. `None` when it cannot be met.
fn asked_range(text: &str, size: usize) -> Option<(usize, usize)> {
    let (start, end) = text.split_once('-')?;
    if start.is_empty() {
        let length: usize = end.parse().ok()?;
        return (length > 0).then(|| (size.saturating_sub(length), size));
    }
    let start: usize = start.parse().ok()?;
    let end = if end.is_empty() { size } else { (end.parse::<usize>().ok()? + 1).min(size) };
    (start < end).then_some((start, end))
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", Digest::of(bytes).short())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "json")) => "application/json",
        Some((_, "html")) => "text/html",
        _ if path.ends_with('/') => "text/html",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status line and headers, and the body.
    fn get(server: &HttpServer, path: &str, headers: &str) -> (String, Vec<u8>) {
        let mut connection = TcpStream::connect(server.address).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        let split = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        (String::from_utf8(bytes[..split].to_vec()).unwrap(), bytes[split + 4..].to_vec())
    }

    #[test]
    fn ranges_are_answered_as_asked() {
        let server = HttpServer::start();
        server.put("/file", *b"0123456789");
        let cases = [
            // (headers, status, body)
            ("", "200", "0123456789"),
            ("Range: bytes=4-\r\n", "206", "456789"),
            ("Range: bytes=2-3\r\n", "206", "23"),
            ("Range: bytes=-3\r\n", "206", "789"),
            ("Range: bytes=4-\r\nIf-Range: \"old\"\r\n", "200", "0123456789"),
            ("Range: bytes=10-\r\n", "416", "416 by the fixture server\n"),
        ];
        for (headers, status, body) in cases {
            let (head, received) = get(&server, "/file", headers);
            assert_eq!((&head[9..12], received.as_slice()), (status, body.as_bytes()), "for {headers:?}");
        }
    }

    #[test]
    fn mishaps_come_in_order_and_are_used_up() {
        let server = HttpServer::start();
        server.put("/file", *b"0123456789");
        server.next_time("/file", HttpMishap::Status(503));
        server.next_time("/file", HttpMishap::CutAfter(4));
        let (head, _) = get(&server, "/file", "");
        assert!(head.starts_with("HTTP/1.1 503"), "{head}");
        let (head, body) = get(&server, "/file", "");
        assert!(head.contains("Content-Length: 10"), "{head}");
        assert_eq!(body, b"0123");
        assert_eq!(get(&server, "/file", "").1, b"0123456789");
        assert_eq!(server.requests_of("/file").len(), 3);
    }

    #[test]
    fn protected_paths_want_their_credentials() {
        let server = HttpServer::start();
        server.put("/private/file", *b"x");
        server.require_basic("/private/", "user", "secret");
        assert!(get(&server, "/private/file", "").0.starts_with("HTTP/1.1 401"));
        let allowed = "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
        assert!(get(&server, "/private/file", allowed).0.starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_mounted_folder_is_served_and_never_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("open")).unwrap();
        fs::write(folder.path().join("open/a b"), "x").unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        let server = HttpServer::start();
        server.mount("/files/", &folder.path().join("open"));
        assert!(get(&server, "/files/a%20b", "").0.starts_with("HTTP/1.1 200"));
        assert!(get(&server, "/files/../secret", "").0.starts_with("HTTP/1.1 404"));
    }
}

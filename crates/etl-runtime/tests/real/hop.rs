//! A target, or the next pod of a pipeline: writes requests down and answers by their paths.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Method and target, as they were sent.
    pub line: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

pub struct Hop {
    pub port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Hop {
    /// Answers by a word in the path: `delivered`, `body`, `empty`, `broken`, `missing`, `silent`; anything else is the
    /// object `abc`.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let log = Arc::clone(&arrived);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                thread::spawn(move || answer(stream, &log));
            }
        });
        Self { port, arrived }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What arrived since it was last asked.
    pub fn taken(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.arrived.lock().unwrap())
    }
}

fn answer(stream: TcpStream, log: &Mutex<Vec<Arrived>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field).ok()?;
        let Some((name, value)) = field.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length").and_then(|length| length.parse::<u64>().ok()) {
        reader.by_ref().take(length).read_to_end(&mut body).ok()?;
    }
    log.lock().unwrap().push(Arrived { line: line.clone(), headers, body });
    let (head, body) = match line.as_str() {
        line if line.contains("silent") => return Some(()),
        line if line.contains("delivered") => ("204 No Content\r\nAis-Direct-Put-Length: 17", ""),
        line if line.contains("body") => ("200 OK\r\nContent-Length: 4", "next"),
        line if line.contains("empty") => ("200 OK\r\nContent-Length: 0", ""),
        line if line.contains("broken") => ("500 Internal Server Error\r\nContent-Length: 3", "bad"),
        line if line.contains("missing") => ("404 Not Found\r\nContent-Length: 4", "gone"),
        _ => ("200 OK\r\nContent-Length: 3", "abc"),
    };
    let answer = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}");
    reader.get_mut().write_all(answer.as_bytes()).ok()
}
